//! What is wrong with a flow file, and where.

use std::fmt;

use super::{MAX_ACTIONS, MAX_TEXT};
use crate::flow::json::SyntaxError;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind} (line {line}, column {column})")]
pub struct FlowError {
    /// From the root, as `actions[2].option.duration`; `$` for the file itself.
    pub path: String,
    /// From one.
    pub line: usize,
    /// In characters, from one.
    pub column: usize,
    /// What is wrong there.
    pub kind: FlowErrorKind,
}

/// What can be wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlowErrorKind {
    /// The text is too long to be a flow.
    #[error("a flow is at most {MAX_TEXT} bytes long")]
    TextTooLong,
    /// Not JSON; nothing after it was read.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Another kind of value is needed.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What is needed.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// The right kind of value, but not one that means something here.
    #[error("{value:?} is not {expected}")]
    WrongValue {
        /// What is needed.
        expected: &'static str,
        /// What stands there, cut to a readable length.
        value: String,
    },
    /// A field that must be there is not.
    #[error("the field {field:?} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// No action has this type.
    #[error("there is no action {name:?}")]
    UnknownAction {
        /// As written, cut to a readable length.
        name: String,
    },
    /// An action, format or option that exists, but not in this version.
    #[error("{name:?} is not supported by this version")]
    NotSupported {
        /// As written.
        name: &'static str,
    },
    /// A recording format that is not written.
    #[error("{name:?} is not supported: recordings are written as wav, mp3 or ogg")]
    RecordingFormat {
        /// As written, cut to a readable length.
        name: String,
    },
    /// Too many to be a flow.
    #[error("a flow has at most {MAX_ACTIONS} actions")]
    TooManyActions,
}

/// All that is wrong with a file, in the order of the text; one line each when displayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowErrors {
    errors: Vec<FlowError>,
    omitted: usize,
}

impl FlowErrors {
    /// How many are told in full.
    const MAX_TOLD: usize = 100;

    /// Those told in full.
    pub fn iter(&self) -> std::slice::Iter<'_, FlowError> {
        self.errors.iter()
    }

    /// How many there are in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.errors.len() + self.omitted
    }

    pub(super) fn add(&mut self, error: impl FnOnce() -> FlowError) {
        if self.errors.len() < Self::MAX_TOLD {
            self.errors.push(error());
        } else {
            self.omitted += 1;
        }
    }

    pub(super) fn sort(&mut self) {
        self.errors.sort_by_key(|error| (error.line, error.column));
    }
}

impl<'a> IntoIterator for &'a FlowErrors {
    type Item = &'a FlowError;
    type IntoIter = std::slice::Iter<'a, FlowError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for FlowErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for FlowErrors {}
