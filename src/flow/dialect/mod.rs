//! Flow files: from JSON text to a typed [`Flow`](super::Flow).
//!
//! A file is read as far as it can be understood, and all its errors are told at once, each with its
//! path, line and column. What may only be known when a call runs (`${name}` in an option) is checked
//! then. Fields that a dialect does not know are passed over.

mod error;
mod options;
mod outward;
mod reader;
mod voipbin;

pub use error::{FlowError, FlowErrorKind, FlowErrors};
pub(super) use voipbin::parse_fetched;
pub use voipbin::parse_flow;

/// Which actions a reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Those that a live call carries out; the others are refused by name.
    Live,
    /// All there are: for whoever only looks at a flow, or runs it without calls.
    All,
}

/// Longest flow file, in bytes. Whoever reads files looks at their size before it reads them.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Most actions of one flow.
pub const MAX_ACTIONS: usize = 10_000;

#[cfg(test)]
mod tests;
