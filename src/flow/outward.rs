//! What a flow sends beyond its call, and what it is told of it: all options filled in.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Flow;
use super::command::Gender;
use super::reference::Address;
use crate::ids::RecordingId;

/// An e-mail; no value in it holds a control character but `content`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Email {
    /// To whom: addresses of the kind `email`, at least one.
    pub destinations: Vec<Address>,
    /// Subject line.
    pub subject: String,
    /// Body, plain text.
    pub content: String,
    /// Recordings that go with it.
    pub attachments: Vec<RecordingId>,
}

/// Which way sound goes, seen from the other party: `In` is what we hear of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// What the party says.
    In,
    /// What the party hears.
    Out,
}

impl Direction {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// What to write down, and in which language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscribeOptions {
    /// Language tag (BCP 47); may be empty.
    pub language: String,
    /// Whose words.
    pub direction: Direction,
    /// Flow to run when it is over.
    pub on_end_flow_id: Option<String>,
}

/// What an id of an assistant names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assistance {
    /// One assistant.
    #[default]
    Ai,
    /// Several that hand over to each other.
    Team,
}

/// A talk of the caller with an assistant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AiTalk {
    /// What `assistant` names.
    pub assistance: Assistance,
    /// Which; may be empty.
    pub assistant: String,
    /// Language tag (BCP 47); may be empty.
    pub language: String,
    /// Voice wished for.
    pub gender: Gender,
    /// Ends after this long.
    pub duration: Option<Duration>,
}

/// Something to be summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AiSummary {
    /// Kind of it: `call`, `recording`, `transcribe`, …
    pub reference_type: String,
    /// Which.
    pub reference_id: String,
    /// Language tag (BCP 47); may be empty.
    pub language: String,
    /// Flow to run when it is there.
    pub on_end_flow_id: Option<String>,
}

/// Who has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MachineResult {
    /// Somebody.
    Person,
    /// An answering machine.
    Machine,
    /// It cannot be told.
    Unsure,
}

impl MachineResult {
    /// As `voipbin.amd.result` tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
            Self::Unsure => "unsure",
        }
    }
}

/// Whether the number of a caller is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// As the incoming call asks for.
    #[default]
    Auto,
    /// Never.
    Yes,
    /// Always.
    No,
}

/// Whom to call and to join with the call of the activeflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dial {
    /// Who calls.
    pub source: Address,
    /// Whom; at least one.
    pub destinations: Vec<Address>,
    /// Lets the caller hear the called ones before they answer.
    pub early_media: bool,
    /// Whether the caller will be hung up as the first called one was.
    pub relay_reason: bool,
    /// Whether the number is shown.
    pub anonymous: Anonymous,
}

/// Calls to make that run a flow of their own.
#[derive(Clone, Debug)]
pub struct NewCalls {
    /// Who calls.
    pub source: Address,
    /// Whom; at least one.
    pub destinations: Vec<Address>,
    /// What each of them meets.
    pub flow: CallFlow,
    /// Whether they are hung up with the call of the activeflow.
    pub chained: bool,
    /// Whether their flow starts when they ring.
    pub early_execution: bool,
    /// Whether the number is shown.
    pub anonymous: Anonymous,
}

/// The flow of a new call.
#[derive(Clone, Debug)]
pub enum CallFlow {
    /// One that is stored, by its id or name.
    Stored(String),
    /// One that stands in the action. Its placeholders are bound to the variables of the activeflow
    /// that gave it, so it is to be run as it is.
    Inline(Arc<Flow>),
}

/// Sound that goes to another host, or comes from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalMedia {
    /// Host and port of the other side.
    pub external_host: String,
    /// `rtp`, `audiosocket` or `none`; empty where the transport tells it.
    pub encapsulation: String,
    /// `udp`, `tcp` or `websocket`; empty where the encapsulation tells it.
    pub transport: String,
    /// `client` or `server`.
    pub connection_type: String,
    /// Codec, as `ulaw`.
    pub format: String,
    /// What the other side hears; `None` for nothing.
    pub listen: Option<Direction>,
    /// Who hears the other side; `None` for nobody.
    pub speak: Option<Direction>,
    /// For the other side.
    pub data: String,
    /// For the transport.
    pub transport_data: String,
}

/// A place in a queue, as its variables tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuePlace {
    /// The place itself (VoIPBIN: queuecall).
    pub id: Uuid,
    /// The queue.
    pub queue_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// Longest wait; zero for no limit.
    pub timeout_wait: Duration,
    /// Longest talk; zero for no limit.
    pub timeout_service: Duration,
    /// What the waiting caller meets, over and over; `None` for nothing.
    pub wait_flow_id: Option<String>,
    /// The bridge in which agent and caller meet.
    pub confbridge_id: String,
}
