//! Bridges as they stand at a moment: whom they are for, and how many are in them.

use std::time::Duration;

use uuid::Uuid;

/// One bridge at one moment. Its moments are times since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfbridgeState {
    /// Which.
    pub id: Uuid,
    /// What it is for.
    pub of: ConfbridgeOf,
    /// How many are in it.
    pub calls: usize,
    /// When it came to be.
    pub created: Duration,
    /// When this was told.
    pub updated: Duration,
}

/// What a bridge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfbridgeOf {
    /// A caller and whom it was connected with.
    Connect,
    /// A conference.
    Conference(Uuid),
    /// The caller and the agent of a place in a queue.
    Queuecall(Uuid),
    /// A flow has named it.
    Flow,
}

impl ConfbridgeOf {
    /// Its type as the API writes it: whether any number may be in it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect | Self::Queuecall(_) => "connect",
            Self::Conference(_) | Self::Flow => "conference",
        }
    }
}
