//! What a flow asks of the world, and what the world tells it.
//!
//! A flow knows no call, no socket and no clock: it gives a [`FlowCommand`] and moves on a
//! [`FlowEvent`]. Its owner turns one into verbs of a call and makes the other from what happened.

use std::sync::Arc;
use std::time::Duration;

use super::Flow;
use super::end::{FlowEnd, OnComplete};
use crate::ids::RecordingId;
use crate::status::{CallStatus, HangupReason};

/// One command of one activeflow that is answered later; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowCommandId(pub u64);

/// An order of a flow to its owner.
///
/// Each one with a `command` is answered by exactly one [`FlowEvent::Finished`] that names it
/// ([`FetchFlow`](Self::FetchFlow): by [`FlowEvent::Fetched`]), also when it cannot be done. The cursor
/// waits for that answer unless a variant says otherwise; an answer nobody waits for moves nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum FlowCommand {
    /// Answer the call; finished when that is done, at once on an answered call.
    Answer {
        /// To be finished.
        command: FlowCommandId,
    },
    /// Speak a text. The call has been answered by then: an [`Answer`](Self::Answer) went before.
    Talk {
        /// To be finished when the last sound has left.
        command: FlowCommandId,
        /// Plain text, or SSML when it begins with `<speak`.
        text: String,
        /// Language tag (BCP 47); may be empty.
        language: String,
        /// Voice wished for.
        gender: Gender,
        /// Whether a digit ends it. The engine itself cancels it on [`FlowEvent::Digit`]; an owner
        /// that stops the sound sooner reports [`FlowOutcome::Interrupted`] after that digit.
        stop_on_digit: bool,
    },
    /// Play files or URLs one after another, also before the call is answered (early media).
    Play {
        /// To be finished at the end of the last one.
        command: FlowCommandId,
        /// At least one; names without a scheme are files of the flows directory.
        urls: Vec<String>,
    },
    /// Play the beep once.
    Beep {
        /// To be finished at its end.
        command: FlowCommandId,
    },
    /// Send digits to the peer.
    SendDigits {
        /// To be finished when the last one has left.
        command: FlowCommandId,
        /// 1 to 100 of `0-9 A-D * #`.
        digits: String,
        /// Length of each, 100 ms to 1 s.
        tone: Duration,
        /// Silence between two, up to 5 s.
        gap: Duration,
    },
    /// Return the peer's own sound.
    Echo {
        /// To be finished when `duration` is over.
        command: FlowCommandId,
        /// How long.
        duration: Duration,
        /// Whether digits are returned too.
        with_digits: bool,
    },
    /// Start a recording. The cursor does not wait for its end: it moves on with the first of
    /// [`FlowEvent::RecordingStarted`] and the command's `Finished`.
    StartRecording {
        /// To be finished.
        command: FlowCommandId,
        /// What and how long.
        options: RecordingOptions,
    },
    /// Stop the running recording, if there is one.
    StopRecording {
        /// To be finished when the files are complete.
        command: FlowCommandId,
    },
    /// The cursor has left a command that may still run: end it. Its `Finished` moves nothing.
    Cancel {
        /// Which.
        command: FlowCommandId,
    },
    /// Find a flow by its id or name; answered by [`FlowEvent::Fetched`].
    FetchFlow {
        /// To be named in the answer.
        command: FlowCommandId,
        /// As the flow wrote it, lower case when it is a UUID; may be empty.
        flow_id: String,
    },
    /// Hang up the call; the activeflow ends with the [`FlowEvent::CallEnded`] that follows.
    Hangup {
        /// What the call shall say of its end.
        reason: HangupReason,
    },
    /// The activeflow is over: always the last command. Unless the call ended first, its owner hangs
    /// it up (reason normal) and ends whatever this flow started and still runs.
    Ended {
        /// Why.
        why: FlowEnd,
        /// The flow to start next, never after a failure.
        on_complete: Option<OnComplete>,
    },
}

/// News for a flow.
#[derive(Clone, Debug)]
pub enum FlowEvent {
    /// A command has ended.
    Finished {
        /// Which.
        command: FlowCommandId,
        /// How.
        outcome: FlowOutcome,
    },
    /// The peer pressed a key: once per key, and before the `Finished` of what it interrupted.
    Digit {
        /// One of `0-9 A-D * #`; anything else is ignored.
        digit: char,
    },
    /// The call has this status now; also told before the start when it is not ringing.
    CallStatus {
        /// The status.
        status: CallStatus,
    },
    /// Answer to [`FlowCommand::FetchFlow`].
    Fetched {
        /// Which.
        command: FlowCommandId,
        /// The flow; `None` when there is none of that id, which ends the activeflow.
        flow: Option<Arc<Flow>>,
    },
    /// A recording of the call runs, whoever asked for it.
    RecordingStarted {
        /// Its particulars.
        recording: Recording,
    },
    /// The recording of the call is over, for whatever reason.
    RecordingEnded,
    /// The call is over.
    CallEnded,
    /// Somebody outside ends the activeflow.
    Stop,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowOutcome {
    /// It ran to its end.
    Done,
    /// A digit ended it; the digit itself came as [`FlowEvent::Digit`].
    Interrupted {
        /// The digit.
        digit: char,
    },
    /// It could not be done; the flow goes on.
    Failed {
        /// In words for the log.
        why: &'static str,
    },
}

/// A recording, as its variables tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Which.
    pub id: RecordingId,
    /// Stem of its files.
    pub name: String,
    /// Its files.
    pub filenames: Vec<String>,
    /// Their format.
    pub format: RecordingFormat,
}

/// What to record and when to stop by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingOptions {
    /// Format of the files.
    pub format: RecordingFormat,
    /// Ends after this much silence.
    pub end_of_silence: Option<Duration>,
    /// Ends on a digit.
    pub end_of_key: EndOfKey,
    /// Ends after this long.
    pub duration: Option<Duration>,
    /// Beeps first.
    pub beep_start: bool,
}

/// Format of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingFormat {
    /// RIFF WAVE.
    #[default]
    Wav,
}

impl RecordingFormat {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wav => "wav",
        }
    }
}

/// Which digit ends a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfKey {
    /// None does.
    #[default]
    None,
    /// Any does.
    Any,
    /// `*`.
    Star,
    /// `#`.
    Hash,
}

/// The voice an author wishes for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gender {
    /// No wish.
    #[default]
    Neutral,
    /// A woman's voice.
    Female,
    /// A man's voice.
    Male,
}
