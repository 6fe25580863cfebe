//! Why something asked from outside is not done.

use crate::call::{PlayRefused, RecordRefused, SendRefused};
use crate::flow::VariableError;
use crate::store::agents::AgentStatus;
use crate::switch::transcribing::TranscribeRefused;

/// Why something asked from outside is not done; its text is a whole sentence for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    // Of calls.
    /// There is none of that id, nor was there one lately.
    #[error("there is no such call")]
    NoSuchCall,
    /// Nothing reaches the party any more.
    #[error("the call is over")]
    CallIsOver,
    /// Only an answered call can do it.
    #[error("the call is not answered")]
    NotAnswered,
    /// As many playbacks as may wait do; ask again when one has been heard.
    #[error("too many playbacks wait for their turn")]
    TooManyPlaybacks,
    /// There is no text or no URL.
    #[error("there is nothing to play")]
    NothingToPlay,
    /// The digits, their length or their gap are not what can be sent.
    #[error("digits must be 1 to 100 of 0-9, A-D, * and #, of 100 ms to 1 s, at most 5 s apart")]
    BadDigits,
    /// As many orders to send digits as may wait do; ask again when one is done.
    #[error("too many digits wait for their turn")]
    TooManyDigits,

    // Of calls that are to be made.
    /// The switch is about to stop.
    #[error("the switch is stopping and takes nothing on any more")]
    Stopping,
    /// There are as many calls as there may be; ask again later.
    #[error("there are {limit} calls, as many as there may be at once")]
    TooManyCalls {
        /// As configured.
        limit: usize,
    },
    /// Nobody is reached by any of the addresses.
    #[error("none of the addresses can be called: {why}")]
    NobodyToCall {
        /// What speaks against the first of them.
        why: Uncalled,
    },
    /// It is over, or there never was one of that id.
    #[error("there is no such groupcall")]
    NoSuchGroupcall,

    // Of recordings, transcriptions and sound that goes elsewhere.
    /// A recording runs.
    #[error("a recording is already running")]
    AlreadyRecording,
    /// This build cannot write it.
    #[error("this build cannot record to {format}")]
    RecordingFormat {
        /// What its files are called, behind the dot.
        format: &'static str,
    },
    /// None runs.
    #[error("no recording is running")]
    NotRecording,
    /// There is none of that id, or it was so long ago that it is not known any more.
    #[error("there is no such recording")]
    NoSuchRecording,
    /// Its files are still being written.
    #[error("the recording is not complete yet")]
    RecordingNotComplete,
    /// The server that it takes is not configured.
    #[error("no provider is configured: see [{section}] of the configuration")]
    NoProvider {
        /// Where it would be.
        section: &'static str,
    },
    /// A transcription of it runs.
    #[error("a transcription is already running")]
    AlreadyTranscribing,
    /// None runs, or none of that id.
    #[error("no such transcription is running")]
    NotTranscribing,
    /// As many transcriptions as may be are, in all calls; ask again later.
    #[error("there are {limit} transcriptions, as many as there may be at once")]
    TooManyTranscriptions {
        /// In all calls.
        limit: usize,
    },
    /// The call has as many as it may, or all calls together have.
    #[error("too many external media: {of_call} for one call and {of_all} for all are allowed")]
    TooManyExternalMedia {
        /// At once, of one call.
        of_call: usize,
        /// At once, of all of them.
        of_all: usize,
    },
    /// Its host, direction, format, encapsulation or transport are not what can be carried.
    #[error("the external media cannot be carried: {why}")]
    BadExternalMedia {
        /// What is wrong with it.
        why: &'static str,
    },
    /// None runs.
    #[error("no external media are running")]
    NoExternalMedia,

    // Of talks.
    /// The call is in no bridge, in a conference, or not with exactly one other.
    #[error("the call does not talk with exactly one other")]
    NotTalking,
    /// One of the two is being transferred.
    #[error("a transfer is under way")]
    AlreadyTransferring,

    // Of activeflows.
    /// There is none of that id any more, or never was.
    #[error("there is no such activeflow")]
    NoSuchActiveflow,
    /// One of that id runs.
    #[error("an activeflow of that id is running")]
    ActiveflowExists,
    /// As many run as may; ask again later.
    #[error("{limit} activeflows run, as many as may at once")]
    TooManyActiveflows {
        /// At once.
        limit: usize,
    },
    /// There is none of that id or name.
    #[error("there is no flow {flow:?}")]
    NoSuchFlow {
        /// What was asked for.
        flow: String,
    },
    /// The variables to begin with are too many or too long.
    #[error("{0}")]
    Variables(#[from] VariableError),
    /// The activeflow stands at no `block`.
    #[error("the activeflow is not blocked")]
    NotBlocked,
    /// The activeflow stands at another `block`.
    #[error("the activeflow stands at another action")]
    AtOtherAction,

    // Of queues, conferences and agents.
    /// The place is given up, or there never was one of that id; or the call waits in no queue.
    #[error("there is no such queuecall")]
    NoSuchQueuecall,
    /// There is none of that id any more, or never was.
    #[error("there is no such conferencecall")]
    NoSuchConferencecall,
    /// There is none of that id.
    #[error("there is no such conference")]
    NoSuchConference,
    /// Nobody is in it.
    #[error("nobody is in the conference")]
    EmptyConference,
    /// Nobody is in it, or there is none of that id.
    #[error("there is no such confbridge")]
    NoSuchConfbridge,
    /// There is none of that id.
    #[error("there is no such agent")]
    NoSuchAgent,
    /// An agent rings when it is called, and not when it is told to.
    #[error("the status of an agent cannot be set to {}", status.as_str())]
    BadAgentStatus {
        /// What was asked for.
        status: AgentStatus,
    },

    // Of messages.
    /// A message that is longer than one may be.
    #[error("the text has {length} bytes, and {most} are the most")]
    MessageTooLong {
        /// In bytes.
        length: usize,
        /// In bytes.
        most: usize,
    },
    /// A message needs somebody to go to, and goes to no crowd.
    #[error("there are {count} destinations, and 1 to {most} are allowed")]
    BadDestinations {
        /// How many were given.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// As many messages are on their way as may be; ask again later.
    #[error("{limit} messages are on their way, as many as may be at once")]
    TooManyMessages {
        /// At once.
        limit: usize,
    },
}

/// What speaks against calling an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Uncalled {
    /// There is no address.
    #[error("there is no destination")]
    NoAddress,
    /// Neither `tel`, `sip`, `extension` nor `agent`.
    #[error("an address of this type is not called")]
    Kind,
    /// There is no extension of that name.
    #[error("there is no such extension")]
    NoSuchExtension,
    /// No telephone has registered for the extension.
    #[error("no telephone is registered for the extension")]
    NotRegistered,
    /// There is no agent of that id or name.
    #[error("there is no such agent")]
    NoSuchAgent,
    /// The agent has no address that can be called now.
    #[error("the agent cannot be reached at any of its addresses")]
    AgentUnreachable,
    /// A conference has no telephone: callers join it.
    #[error("a conference is joined, not called")]
    Conference,
    /// The activeflow that asks has as many calls as it may have.
    #[error("a limit of calls is reached")]
    Limit,
}

impl From<PlayRefused> for ControlError {
    fn from(refused: PlayRefused) -> Self {
        match refused {
            PlayRefused::CallIsOver => Self::CallIsOver,
            PlayRefused::TooMany => Self::TooManyPlaybacks,
        }
    }
}

impl From<SendRefused> for ControlError {
    fn from(refused: SendRefused) -> Self {
        match refused {
            SendRefused::CallIsOver => Self::CallIsOver,
            SendRefused::TooMany => Self::TooManyDigits,
        }
    }
}

impl From<RecordRefused> for ControlError {
    fn from(refused: RecordRefused) -> Self {
        match refused {
            RecordRefused::NotProgressing => Self::NotAnswered,
            RecordRefused::AlreadyRecording => Self::AlreadyRecording,
            RecordRefused::Format { format } => Self::RecordingFormat { format },
        }
    }
}

impl From<TranscribeRefused> for ControlError {
    fn from(refused: TranscribeRefused) -> Self {
        match refused {
            TranscribeRefused::NoProvider => Self::NoProvider {
                section: "transcription",
            },
            TranscribeRefused::AlreadyRunning => Self::AlreadyTranscribing,
            TranscribeRefused::TooMany { limit } => Self::TooManyTranscriptions { limit },
            TranscribeRefused::Empty => Self::NoSuchConfbridge,
            TranscribeRefused::NoRecording => Self::NoSuchRecording,
            TranscribeRefused::NotComplete => Self::RecordingNotComplete,
        }
    }
}
