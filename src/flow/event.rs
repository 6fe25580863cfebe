//! What the world tells a flow.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::Flow;
use super::action::ActionId;
#[cfg(doc)]
use super::command::FlowCommand;
use super::command::{FlowCommandId, RecordingFormat};
use super::outward::{AiSummary, Direction, MachineResult, QueuePlace};
use crate::ids::{CallId, RecordingId};
use crate::status::CallStatus;

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
    /// Answer to [`FlowCommand::Fetch`].
    FetchedActions {
        /// Which.
        command: FlowCommandId,
        /// What came with status 200: an array of actions, or an object with `actions`. An error, in
        /// words for the log, ends the activeflow, and so does any other text.
        body: Result<Bytes, &'static str>,
    },
    /// Answer to [`FlowCommand::DetectMachine`].
    MachineDetected {
        /// Which.
        command: FlowCommandId,
        /// Who has answered.
        result: MachineResult,
    },
    /// What is said in the call is being written down, whoever asked for it.
    TranscribeStarted {
        /// Which transcription.
        id: Uuid,
        /// Its language.
        language: String,
        /// Whose words.
        direction: Direction,
    },
    /// Something was said, and this is what it was.
    Transcribed {
        /// In words.
        text: String,
    },
    /// A talk with an assistant has begun; told before its `Finished`.
    AiTalkStarted {
        /// Which talk.
        id: Uuid,
        /// The assistant.
        assistant: String,
        /// Its model.
        model: String,
        /// Language listened to.
        language: String,
    },
    /// A summary is there.
    SummaryMade {
        /// Which.
        id: Uuid,
        /// Of what.
        summary: AiSummary,
        /// In words.
        content: String,
    },
    /// A [`FlowCommand::Connect`] has made these calls (to numbers and SIP addresses, not to groups).
    Dialed {
        /// Which.
        command: FlowCommandId,
        /// In the order of its destinations.
        calls: Vec<CallId>,
    },
    /// Answer to [`FlowCommand::JoinConference`].
    ConferenceFound {
        /// Which.
        command: FlowCommandId,
        /// Its bridge.
        confbridge_id: String,
        /// What the caller meets before it.
        pre_flow_id: Option<String>,
    },
    /// The call waits in the queue of a [`FlowCommand::JoinQueue`].
    Queued {
        /// Which.
        command: FlowCommandId,
        /// Its place.
        place: QueuePlace,
    },
    /// An agent takes the call: it leaves its wait flow at once for the bridge of its place.
    QueueServed {
        /// Which.
        command: FlowCommandId,
    },
    /// Somebody outside resumes an activeflow that stands at a `block`.
    Resume {
        /// Where it is believed to stand; elsewhere nothing happens.
        current_action: Option<ActionId>,
    },
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
