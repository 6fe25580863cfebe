//! What a call reports, and how it refuses.

use flowswitch_media::command::{CommandId, Outcome, SessionStats, Utterance};
use flowswitch_media::dtmf::Digit;

use super::cause::Cause;
use crate::status::CallStatus;

/// News of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The status changed.
    Status(CallStatus),
    /// A party that we call is heard before its answer.
    EarlyMedia,
    /// The party pressed a key.
    Digit(Digit),
    /// A verb came to its end.
    Finished {
        /// Which.
        command: CommandId,
        /// How.
        outcome: Outcome,
    },
    /// Somebody has said something to an order to listen.
    Utterance(Utterance),
    /// The party has put us on hold, or taken us back: see [`Call::holds_us`](super::Call::holds_us).
    Held,
    /// The call is over: nothing reaches the party any more.
    HungUp,
    /// The call is over and its media is closed; the last event.
    Ended {
        /// Why.
        cause: Cause,
        /// What its media session did.
        stats: Box<SessionStats>,
    },
}

/// Why a recording could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordRefused {
    /// The call is not answered.
    #[error("the call is not answered")]
    NotProgressing,
    /// One is running.
    #[error("a recording is already running")]
    AlreadyRecording,
    /// This build cannot write the format.
    #[error("this build cannot record to {format}")]
    Format {
        /// What its files are called, behind the dot.
        format: &'static str,
    },
}

/// Why a playback was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayRefused {
    /// Nothing reaches the party any more.
    #[error("the call is over")]
    CallIsOver,
    /// As many as may wait do.
    #[error("too many playbacks wait for their turn")]
    TooMany,
}

/// Why digits are not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendRefused {
    /// Nothing reaches the party any more.
    #[error("the call is over")]
    CallIsOver,
    /// As many as may wait do.
    #[error("too many digits wait for their turn")]
    TooMany,
}
