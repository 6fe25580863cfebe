//! What a flow asks of the world.
//!
//! A flow knows no call, no socket and no clock: it gives a [`FlowCommand`] and moves on a
//! [`FlowEvent`]. Its owner turns one into verbs of a call and makes the other from what happened.

use std::time::Duration;

use super::end::{FlowEnd, OnComplete};
#[cfg(doc)]
use super::event::{FlowEvent, FlowOutcome};
use super::outward::{
    AiSummary, AiTalk, Dial, Direction, Email, ExternalMedia, NewCalls, TranscribeOptions,
};
use super::reference::Address;
use crate::ids::CallId;
use crate::status::HangupReason;

/// One command of one activeflow that is answered later; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowCommandId(pub u64);

/// An order of a flow to its owner.
///
/// Each one with a `command` is answered by exactly one [`FlowEvent::Finished`] that names it
/// or by the event that its variant names in its place, also when it cannot be done. The cursor waits
/// for that answer unless a variant says otherwise; an answer nobody waits for moves nothing.
///
/// What [failed](FlowOutcome::Failed) is passed by, but for `Fetch`, `FetchFlow`, `AiTalk`, `AiTask`,
/// `Connect`, `Call`, `JoinConference` and `JoinQueue`: there it ends the activeflow, so it is said only
/// when the thing could not be begun at all.
#[derive(Clone, Debug)]
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
    /// As [`Hangup`](Self::Hangup), with the cause of another call if that is over, else the normal one.
    HangupRelay {
        /// The other call.
        reference: CallId,
    },
    /// Silence the call, until somebody outside lifts it.
    Mute {
        /// To be finished when it is silent.
        command: FlowCommandId,
        /// Which way.
        direction: Direction,
    },
    /// Find out who has answered; answered by [`FlowEvent::MachineDetected`], or `Finished` (failed) when
    /// that cannot be done.
    DetectMachine {
        /// To be named in the answer.
        command: FlowCommandId,
        /// Whether the cursor waits.
        wait: bool,
    },
    /// Get steps from a web server; answered by [`FlowEvent::FetchedActions`].
    Fetch {
        /// To be named in the answer.
        command: FlowCommandId,
        /// Where from; its inserted parts are percent-encoded.
        url: String,
        /// In capitals.
        method: String,
        /// JSON (`application/json; charset=utf-8`).
        body: String,
    },
    /// Send a web request. The cursor waits only for one with `wait`.
    Webhook {
        /// To be finished when it is handed to whoever delivers it, tries and all.
        command: FlowCommandId,
        /// Whether the cursor waits.
        wait: bool,
        /// Where to; its inserted parts are percent-encoded.
        uri: String,
        /// In capitals.
        method: String,
        /// Media type of the body, without control characters; may be empty.
        content_type: String,
        /// The body.
        body: String,
    },
    /// Send an e-mail. The cursor does not wait.
    Email {
        /// To be finished when the mail server has it, or never will.
        command: FlowCommandId,
        /// What.
        email: Email,
    },
    /// Send a text message. The cursor does not wait.
    SendMessage {
        /// To be finished when it is sent, or cannot be.
        command: FlowCommandId,
        /// From whom.
        source: Address,
        /// To whom; at least one.
        destinations: Vec<Address>,
        /// What.
        text: String,
    },
    /// Say something in a conversation. The cursor waits only with `wait`.
    SendConversation {
        /// To be finished when it is sent, or cannot be.
        command: FlowCommandId,
        /// Which conversation.
        conversation_id: String,
        /// What.
        text: String,
        /// Whether the cursor waits.
        wait: bool,
    },
    /// Write down what is said in the call. The cursor moves on with the first of
    /// [`FlowEvent::TranscribeStarted`] and the command's `Finished`.
    StartTranscribe {
        /// To be finished when it runs, or cannot.
        command: FlowCommandId,
        /// What and how.
        options: TranscribeOptions,
    },
    /// Stop writing down, if it is done.
    StopTranscribe {
        /// To be finished.
        command: FlowCommandId,
    },
    /// Write down what the recordings of the call hold. The cursor does not wait.
    TranscribeRecordings {
        /// To be finished when it is done, or cannot be.
        command: FlowCommandId,
        /// What and how.
        options: TranscribeOptions,
    },
    /// Let an assistant talk with the caller, or answer in the conversation.
    AiTalk {
        /// To be finished when the talk is over.
        command: FlowCommandId,
        /// With whom and how.
        talk: AiTalk,
    },
    /// Give the conversation to an assistant.
    AiTask {
        /// To be finished when the task is over.
        command: FlowCommandId,
        /// To whom; `language`, `gender` and `duration` mean nothing here.
        talk: AiTalk,
    },
    /// Have something summed up. The cursor does not wait; what comes of it is told by
    /// [`FlowEvent::SummaryMade`].
    Summarize {
        /// To be finished when it is done, or cannot be.
        command: FlowCommandId,
        /// What.
        summary: AiSummary,
    },
    /// Call others, all at once, and join the first who answers with this call.
    Connect {
        /// To be finished when they have parted, or when nobody will answer; failed only when no call
        /// at all could be made.
        command: FlowCommandId,
        /// Whom and how.
        dial: Dial,
    },
    /// Make calls that run a flow of their own.
    Call {
        /// To be finished when they are on their way; failed only when there is none.
        command: FlowCommandId,
        /// Whom, and what they meet.
        calls: NewCalls,
    },
    /// Find a conference; answered by [`FlowEvent::ConferenceFound`], or `Finished` (failed).
    JoinConference {
        /// To be named in the answer.
        command: FlowCommandId,
        /// Which.
        conference_id: String,
    },
    /// Join a bridge.
    JoinConfbridge {
        /// To be finished when the call has left it.
        command: FlowCommandId,
        /// Which.
        confbridge_id: String,
    },
    /// Wait in a queue: [`FlowEvent::Queued`] first, [`FlowEvent::QueueServed`] when an agent comes.
    JoinQueue {
        /// To be finished when the place in the queue is given up: served, timed out, removed.
        command: FlowCommandId,
        /// Which.
        queue_id: String,
    },
    /// Send the sound of the call elsewhere, or take it from there.
    StartExternalMedia {
        /// To be finished when it runs, or cannot.
        command: FlowCommandId,
        /// Where and how.
        media: ExternalMedia,
    },
    /// End all of that.
    StopExternalMedia {
        /// To be finished.
        command: FlowCommandId,
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

/// What to record and when to stop by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingOptions {
    /// Format of the files.
    pub format: RecordingFormat,
    /// Which side lies in which file.
    pub layout: RecordingLayout,
    /// Ends after this much silence.
    pub end_of_silence: Option<Duration>,
    /// Ends on a digit.
    pub end_of_key: EndOfKey,
    /// Ends after this long.
    pub duration: Option<Duration>,
    /// Beeps first.
    pub beep_start: bool,
    /// Flow to run when its files are complete; it belongs to no call.
    pub on_end_flow_id: Option<String>,
}

/// Format of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingFormat {
    /// RIFF WAVE.
    #[default]
    Wav,
    /// MPEG layer 3.
    Mp3,
    /// Opus in Ogg.
    Ogg,
}

/// Which side of a call lies in which file of its recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordingLayout {
    /// Each in a file of its own, as VoIPBIN has it.
    #[default]
    Split,
    /// Both in one channel.
    Mono,
    /// The party on the left, what it heard on the right.
    Stereo,
}

impl RecordingFormat {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
        }
    }
}

impl RecordingLayout {
    /// The files of a recording.
    #[must_use]
    pub fn filenames(self, name: &str, format: RecordingFormat) -> Vec<String> {
        let extension = format.as_str();
        match self {
            Self::Split => vec![
                format!("{name}_in.{extension}"),
                format!("{name}_out.{extension}"),
            ],
            Self::Mono | Self::Stereo => vec![format!("{name}.{extension}")],
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
