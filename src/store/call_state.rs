//! A call as it stands at a moment: all that the outside may know of it.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::activeflows::ActionState;
use super::calls::CallDirection;
use crate::call::address::Address;
use crate::call::cause::Cause;
use crate::flow::Direction;
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::status::CallStatus;

/// One call at one moment. Its moments are times since 1970-01-01 UTC.
///
/// A moment that its status has not come to is not told yet, though the call may have: what is told of the
/// ringing does not know of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CallState {
    /// Which.
    pub id: CallId,
    /// What it is for.
    pub kind: CallKind,
    /// Who began it.
    pub direction: CallDirection,
    /// Where it stands.
    pub status: CallStatus,
    /// The flow that it meets, or has met, or will: the id that its file or its maker gave it.
    pub flow: Option<Arc<str>>,
    /// The run of that flow, once there is one; the newest where there were several.
    pub activeflow: Option<ActiveflowId>,
    /// The action where its flow stands, or stood last.
    pub action: Option<ActionState>,
    /// The call that it was made for, and is hung up with.
    pub master: Option<CallId>,
    /// The calls that were made for it, those that are over too; the newest [`CallState::CHAINED`].
    pub chained: Vec<CallId>,
    /// The groupcall that has made it.
    pub groupcall: Option<Uuid>,
    /// The bridge it is in, by its outward name.
    pub confbridge: Option<Uuid>,
    /// The recording that runs.
    pub recording: Option<RecordingId>,
    /// Its recordings, the running one too, in the order of their beginning; the newest
    /// [`CallState::RECORDINGS`].
    pub recordings: Vec<RecordingId>,
    /// Who calls.
    pub source: Arc<Address>,
    /// Who is called.
    pub destination: Arc<Address>,
    /// The trunks it was tried by, in their order, those named by a `sip:` address too; the last one carries
    /// it. Empty where none was needed.
    pub trunks: Vec<Arc<str>>,
    /// Which way it is silenced.
    pub muted: Option<Direction>,
    /// Whether somebody outside has put it on hold.
    pub is_held: bool,
    /// Who hung up, and why, of one that is hung up.
    pub cause: Option<Cause>,
    /// When it came to be.
    pub created: Duration,
    /// When the party was alerted, as far as is known; a call that comes in rings from the start.
    pub rang: Option<Duration>,
    /// When it was answered.
    pub answered: Option<Duration>,
    /// When it was hung up.
    pub hungup: Option<Duration>,
    /// When this was told.
    pub updated: Duration,
}

/// What a call is for, in the words of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// It runs a flow, or was made by one.
    #[default]
    Flow,
    /// Its caller has dialled a conference.
    Conference,
}

impl CallKind {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Conference => "conference",
        }
    }
}

impl CallState {
    /// Chained calls that are told.
    pub const CHAINED: usize = 100;
    /// Recordings that are told.
    pub const RECORDINGS: usize = 100;
}
