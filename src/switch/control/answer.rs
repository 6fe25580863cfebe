//! What comes of something asked from outside that was taken on.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::timeline::Timeline;
use crate::store::transfers::TransferState;

/// What comes of something asked from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Controlled {
    /// Nothing that bears a name.
    Done,
    /// Calls are made.
    Calls {
        /// Those to numbers and SIP addresses, in the order of the destinations.
        calls: Vec<CallId>,
        /// Those to extensions and agents, in the order of the destinations; each has calls of its own.
        groupcalls: Vec<Uuid>,
    },
    /// A groupcall is made.
    Groupcall(Uuid),
    /// A flow runs; one that waits for nothing has run by now.
    Activeflow(ActiveflowId),
    /// The variables of an activeflow, as they are now.
    Variables(BTreeMap<String, String>),
    /// A recording runs.
    Recording(RecordingId),
    /// What is said is written down.
    Transcribe(Uuid),
    /// Somebody is given to somebody else.
    Transfer(Box<TransferState>),
    /// Sound goes elsewhere.
    ExternalMedia(Uuid),
    /// Messages are on their way, each to all of its destinations.
    Messages(Vec<Uuid>),
    /// What has happened in a call so far.
    Timeline(Box<Timeline>),
}
