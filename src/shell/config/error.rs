//! What is wrong with `flowswitch.toml`, and where.

use std::path::PathBuf;

use crate::sdp::codecs::CodecsError;

/// Why the file cannot be used; one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("{file}: {kind}", file = file.display())]
    Unreadable {
        /// Its path.
        file: PathBuf,
        /// The system's error.
        kind: std::io::ErrorKind,
    },
    /// It is not TOML, or a value has the wrong type.
    #[error("{file}:{line}: {why}", file = file.display())]
    Malformed {
        /// Its path.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// What the TOML reader says.
        why: String,
    },
    /// A value is none of those that its key may have.
    #[error("{file}:{line}: {key} = {value:?}: {expected}", file = file.display())]
    Value {
        /// Its path.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// The key with its section.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A list of codecs cannot be followed.
    #[error("{file}:{line}: {key}: {why}", file = file.display())]
    Codecs {
        /// Its path.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// The key with its section.
        key: &'static str,
        /// What is wrong with it.
        why: CodecsError,
    },
    /// A key of the contract whose feature is not in this version.
    #[error("{file}:{line}: {key:?} is not supported by this version; take it out", file = file.display())]
    NotSupported {
        /// Its path.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// The key with its section.
        key: String,
    },
    /// A key that does not exist.
    #[error("{file}:{line}: unknown key {key:?}{}", hint(*.nearest), file = file.display())]
    UnknownKey {
        /// Its path.
        file: PathBuf,
        /// Counted from one.
        line: usize,
        /// The key with its section.
        key: String,
        /// The existing key that is spelled most like it.
        nearest: Option<&'static str>,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean {key:?}?"))
}
