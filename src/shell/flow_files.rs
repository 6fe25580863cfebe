//! Flow files and test files on disk, as the command line names them.

use std::io;
use std::path::{Path, PathBuf};

use crate::flow::dialect::MAX_TEXT;

/// Ending of the files that hold tests of the flow of the same stem.
const TESTS: &str = ".test.json";
/// Directories within each other that are looked into.
const DEPTH: usize = 8;

/// A file or directory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct PathError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `NAME.json`.
    Flows,
    /// `NAME.test.json`.
    Tests,
}

/// The files that `paths` name: files themselves, and those of the wanted kind in directories and the
/// directories in these, in order. Of a file that is named itself and is of the other kind, its
/// counterpart is taken.
///
/// # Errors
/// A path that is not there or cannot be read.
pub fn find(paths: &[PathBuf], wanted: Wanted) -> Result<Vec<PathBuf>, PathError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(at(path))?;
        if metadata.is_dir() {
            look_into(path, wanted, DEPTH, &mut found)?;
        } else {
            found.push(match wanted {
                Wanted::Flows => flow_of(path).unwrap_or_else(|| path.clone()),
                Wanted::Tests if is_test(path) => path.clone(),
                Wanted::Tests => path.with_extension("test.json"),
            });
        }
    }
    found.dedup();
    Ok(found)
}

/// The text of a file; more than a flow may have is not read.
///
/// # Errors
/// It is not there or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, PathError> {
    use io::Read as _;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(at(path))?;
    let limit = u64::try_from(MAX_TEXT)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    file.take(limit).read_to_end(&mut text).map_err(at(path))?;
    Ok(text)
}

/// The flow that the tests of this file are for; `None` when it holds no tests.
#[must_use]
pub fn flow_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(TESTS)?;
    Some(path.with_file_name(format!("{name}.json")))
}

/// The files of flows right in `directory`.
///
/// # Errors
/// It cannot be read.
pub fn flows_in(directory: &Path) -> Result<Vec<PathBuf>, PathError> {
    let mut found = Vec::new();
    look_into(directory, Wanted::Flows, 0, &mut found)?;
    Ok(found)
}

/// The directory a file lies in.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name of a flow that does not name itself.
#[must_use]
pub fn stem_of(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn look_into(
    directory: &Path,
    wanted: Wanted,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), PathError> {
    let mut entries = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(at(directory))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                look_into(&path, wanted, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "json")
            && is_test(&path) == (wanted == Wanted::Tests)
        {
            found.push(path);
        }
    }
    Ok(())
}

fn is_test(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(TESTS))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PathError {
    let path = path.to_owned();
    move |error| PathError { path, error }
}
