//! What the switch tells outside, of itself and unasked: enough to keep all that is shown there whole
//! without asking it anything.
//!
//! ```text
//!   call        Created  [Dialing]  [Ringing]  [Progressing]  [Terminating | Canceling]  Hangup  then CallEnded
//!                   '----------- Updated, any number of times in between -----------'
//!   activeflow  Created  Updated ...  Updated with status ended
//! ```
//!
//! Each news holds the whole of what it is about, as it stands when it is told: of a call with the status
//! that the news is of. A change of status is told by itself. All other changes of a call or activeflow that
//! one input brings are told by one `Updated` behind it, unless a later news of the same input has told them.
//! News come in the order in which things happen, and before the answer to a control that has caused them.

use std::time::Duration;

use uuid::Uuid;

use super::conference::Conferencecall;
use super::external::ExternalMediaReport;
use super::queue::Queuecall;
use crate::ids::CallId;
use crate::status::CallStatus;
use crate::store::activeflows::ActiveflowState;
use crate::store::agents::AgentStatus;
use crate::store::bindings::BindingState;
use crate::store::call_state::CallState;
use crate::store::calls::{CallRecord, RefusedCall};
use crate::store::confbridges::ConfbridgeState;
use crate::store::groupcalls::GroupcallState;
use crate::store::messages::{Conversation, Message};
use crate::store::queues::QueueCounts;
use crate::store::recordings::Recorded;
use crate::store::transcripts::{TranscribeState, Transcript};
use crate::store::transfers::TransferState;

/// What happened, for whoever watches. Moments in it are times since 1970-01-01 UTC.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {
    /// Of a call.
    Call {
        /// What.
        news: CallNews,
        /// How it stands.
        call: Box<CallState>,
    },
    /// A call is over; told once of each, behind its [`CallNews::Hangup`].
    CallEnded(Box<CallRecord>),
    /// An INVITE was turned away and never became a call; of many at once only some are told.
    Refused(Box<RefusedCall>),
    /// Of a run of a flow.
    Activeflow {
        /// What.
        news: Change,
        /// How it stands.
        activeflow: Box<ActiveflowState>,
    },
    /// Of a dial of many.
    Groupcall {
        /// What.
        news: GroupcallNews,
        /// How it stands.
        groupcall: Box<GroupcallState>,
    },
    /// A recording runs, or is over: its files are complete, or will never be.
    Recording {
        /// What.
        news: RecordingNews,
        /// How it stands.
        recording: Box<Recorded>,
    },
    /// Of a bridge.
    Confbridge {
        /// What.
        news: ConfbridgeNews,
        /// How it stands.
        confbridge: ConfbridgeState,
    },
    /// Somebody in a conference, or on the way there, stands elsewhere.
    Conferencecall {
        /// How it stands; the first time it is told it comes to be.
        conferencecall: Conferencecall,
        /// Since when.
        updated: Duration,
    },
    /// A place in a queue was taken (status initiating), or stands elsewhere.
    Queuecall {
        /// How it stands.
        queuecall: Box<Queuecall>,
        /// Since when; it was taken `waiting` and `service` before.
        updated: Duration,
    },
    /// A queue has counted somebody.
    Queue {
        /// Which.
        queue: Uuid,
        /// How many there were since the start.
        counts: QueueCounts,
    },
    /// An agent has another status.
    Agent {
        /// Which.
        agent: Uuid,
        /// The status.
        status: AgentStatus,
    },
    /// What is said is being put into words, or all of it is.
    Transcribe {
        /// What.
        news: TranscribeNews,
        /// How it stands.
        transcribe: Box<TranscribeState>,
    },
    /// Something that was said is in words.
    Transcript(Box<Transcript>),
    /// A message came or leaves, or became what it is now.
    Message {
        /// What.
        news: Change,
        /// How it stands.
        message: Box<Message>,
    },
    /// Two have begun to write to each other, or something more was written; told before the message.
    Conversation {
        /// What.
        news: Change,
        /// How it stands.
        conversation: Box<Conversation>,
    },
    /// External media of a call begin, are connected, or are over.
    ExternalMedia(Box<ExternalMediaReport>),
    /// Somebody is being given to somebody else.
    Transfer {
        /// What.
        news: TransferNews,
        /// How it stands.
        transfer: Box<TransferState>,
    },
    /// A telephone has registered, or has no longer.
    Binding {
        /// What.
        news: BindingNews,
        /// How it stands, or stood last.
        binding: Box<BindingState>,
    },
    /// A party has pressed a key; which one is told to nobody.
    Digit {
        /// Whose.
        call: CallId,
    },
}

/// What is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallNews {
    /// It is there; the first of its news. One that came in rings, one that we make is dialing.
    Created,
    /// The first INVITE of one that we make is on its way.
    Dialing,
    /// The called one rings.
    Ringing,
    /// It is answered.
    Progressing,
    /// We hang up.
    Terminating,
    /// We give up one that is not answered.
    Canceling,
    /// It is over; the last of its news, and told of each call exactly once.
    Hangup,
    /// Something else of it is new: its action, bridge, trunk, recording or chained calls, or whether it is
    /// silenced or held.
    Updated,
}

impl CallNews {
    /// What is told of a call that comes to a status.
    #[must_use]
    pub const fn of(status: CallStatus) -> Self {
        match status {
            CallStatus::Dialing => Self::Dialing,
            CallStatus::Ringing => Self::Ringing,
            CallStatus::Progressing => Self::Progressing,
            CallStatus::Terminating => Self::Terminating,
            CallStatus::Canceling => Self::Canceling,
            CallStatus::Hangup => Self::Hangup,
        }
    }

    /// As the API writes it, behind `call_`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Progressing => "progressing",
            Self::Terminating => "terminating",
            Self::Canceling => "canceling",
            Self::Hangup => "hangup",
            Self::Updated => "updated",
        }
    }
}

/// What is told of what has no other news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is there.
    Created,
    /// It is as told from now on.
    Updated,
}

/// What is told of a groupcall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupcallNews {
    /// It is there, with the calls it begins with.
    Created,
    /// It has made more calls, or some are over.
    Updated,
    /// One has answered.
    Progressing,
    /// All its calls are over; the last of its news.
    Hangup,
}

/// What is told of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordingNews {
    /// It runs.
    Started,
    /// It is over; told once of each that was told to run.
    Finished,
}

/// What is told of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfbridgeNews {
    /// It is there.
    Created,
    /// Somebody is in it.
    Joined(CallId),
    /// Somebody is out of it.
    Leaved(CallId),
    /// All are being sent out of it.
    Terminating,
    /// It is gone; the last of its news.
    Terminated,
}

/// What is told of a transcription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TranscribeNews {
    /// It is there.
    Created,
    /// Somebody listens.
    Progressing,
    /// All that was said is in words, or lost; the last of its news.
    Done,
}

/// What is told of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferNews {
    /// The transferees are called.
    Created,
    /// One of them has answered.
    Answered,
    /// The one who was given away talks with it.
    Done,
    /// It came to nothing.
    Failed,
}

/// What is told of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingNews {
    /// A new one.
    Made,
    /// It lasts longer, or has changed.
    Refreshed,
    /// It was taken back, or has run out.
    Removed,
}
