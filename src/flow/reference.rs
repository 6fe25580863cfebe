//! What started an activeflow, and the variables that it brings.

use std::borrow::Cow;

use uuid::Uuid;

use super::event::{FlowEvent, Recording};
use super::outward::QueuePlace;
use super::variable::{AICALL_STATUS, CALL_STATUS, DIGITS};
use crate::ids::CallId;
use crate::status::CallStatus;

/// A variable to be set: its name and value.
pub type Pair = (Cow<'static, str>, String);

/// What started an activeflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its kind; only a call's activeflow runs media actions.
    pub kind: ReferenceType,
    /// Its id; nil for none.
    pub id: Uuid,
}

/// Kind of what started an activeflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceType {
    /// Nothing in particular.
    None,
    /// A call.
    Call,
    /// A request to the API.
    Api,
    /// A message of a conversation.
    Conversation,
    /// The end of a recording.
    Recording,
    /// The end of a transcription.
    Transcribe,
    /// An assistant.
    Ai,
    /// A campaign.
    Campaign,
    /// A chat on a web page.
    Webchat,
}

impl ReferenceType {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Call => "call",
            Self::Api => "api",
            Self::Conversation => "conversation",
            Self::Recording => "recording",
            Self::Transcribe => "transcribe",
            Self::Ai => "ai",
            Self::Campaign => "campaign",
            Self::Webchat => "webchat",
        }
    }
}

/// One end of a call, as VoIPBIN describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// `tel`, `sip`, `extension`, …; empty for none.
    pub kind: String,
    /// Number, `user@host` or id.
    pub target: String,
    /// The target in words a person knows.
    pub target_name: String,
    /// Display name.
    pub name: String,
    /// Anything more.
    pub detail: String,
}

/// The names of the variables of one address.
macro_rules! address_names {
    ($of:literal) => {
        [
            concat!($of, ".type"),
            concat!($of, ".target"),
            concat!($of, ".target_name"),
            concat!($of, ".name"),
            concat!($of, ".detail"),
        ]
    };
}

/// What a call tells its flow when it starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallVariables {
    /// The call.
    pub id: CallId,
    /// Who calls.
    pub source: Address,
    /// Who is called.
    pub destination: Address,
    /// Whether the call came in (`incoming`) or was dialed by us (`outgoing`).
    pub is_incoming: bool,
    /// The call that dialed this one.
    pub master: Option<CallId>,
    /// Status at the start of the flow.
    pub status: CallStatus,
}

impl CallVariables {
    /// The `voipbin.call.*` variables, the digits empty.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<Pair> {
        let master = self.master.map_or(Uuid::nil(), |master| master.0);
        let mut pairs = Vec::with_capacity(17);
        pairs.extend([
            pair("voipbin.call.id", self.id.to_string()),
            pair(
                "voipbin.call.direction",
                if self.is_incoming {
                    "incoming"
                } else {
                    "outgoing"
                },
            ),
            pair("voipbin.call.master_call_id", master.to_string()),
            pair(CALL_STATUS, self.status.as_str()),
            pair(DIGITS, ""),
            pair("voipbin.call.caller_id", self.source.target.as_str()),
            pair(
                "voipbin.call.destination.number",
                self.destination.target.as_str(),
            ),
        ]);
        pairs.extend(address_pairs(
            address_names!("voipbin.call.source"),
            &self.source,
        ));
        pairs.extend(address_pairs(
            address_names!("voipbin.call.destination"),
            &self.destination,
        ));
        pairs
    }
}

/// What a message tells the flow that it starts. Its [`Reference`] is the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageVariables {
    /// The conversation.
    pub conversation: Uuid,
    /// Who owns it; nil for nobody.
    pub owner: Uuid,
    /// The message.
    pub id: Uuid,
    /// What it says.
    pub text: String,
    /// Our end of the conversation.
    pub own: Address,
    /// The other end.
    pub peer: Address,
    /// Whether it came in, or was sent by us.
    pub is_incoming: bool,
}

impl MessageVariables {
    /// The `voipbin.conversation.*`, `voipbin.conversation_message.*` and `voipbin.message.*` variables.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<Pair> {
        let (direction, source, destination) = if self.is_incoming {
            ("incoming", &self.peer, &self.own)
        } else {
            ("outgoing", &self.own, &self.peer)
        };
        let mut pairs = vec![
            pair("voipbin.conversation.id", self.conversation.to_string()),
            pair("voipbin.conversation.owner_id", self.owner.to_string()),
            pair("voipbin.conversation_message.id", self.id.to_string()),
            pair("voipbin.conversation_message.text", self.text.as_str()),
            pair("voipbin.conversation_message.direction", direction),
            pair("voipbin.message.id", self.id.to_string()),
            pair("voipbin.message.text", self.text.as_str()),
            pair("voipbin.message.source.number", source.target.as_str()),
            pair(
                "voipbin.message.destination.number",
                destination.target.as_str(),
            ),
        ];
        pairs.extend(address_pairs(
            address_names!("voipbin.conversation.self"),
            &self.own,
        ));
        pairs.extend(address_pairs(
            address_names!("voipbin.conversation.peer"),
            &self.peer,
        ));
        pairs
    }
}

fn address_pairs(names: [&'static str; 5], address: &Address) -> impl Iterator<Item = Pair> {
    let values = [
        &address.kind,
        &address.target,
        &address.target_name,
        &address.name,
        &address.detail,
    ];
    names
        .into_iter()
        .zip(values)
        .map(|(name, value)| pair(name, value.as_str()))
}

impl Recording {
    /// The `voipbin.recording.*` variables of a recording of something of this kind (`call`, `confbridge`) and
    /// id.
    #[must_use]
    pub fn variables(&self, kind: &str, id: Uuid) -> Vec<Pair> {
        vec![
            pair("voipbin.recording.id", self.id.to_string()),
            pair("voipbin.recording.reference_type", kind),
            pair("voipbin.recording.reference_id", id.to_string()),
            pair("voipbin.recording.format", self.format.as_str()),
            pair("voipbin.recording.recording_name", self.name.as_str()),
            pair("voipbin.recording.filenames", self.filenames.join(",")),
        ]
    }
}

/// The `voipbin.queue.*` and `voipbin.queuecall.*` variables; times in milliseconds.
pub(super) fn queue_pairs(place: &QueuePlace) -> Vec<Pair> {
    vec![
        pair("voipbin.queue.id", place.queue_id.to_string()),
        pair("voipbin.queue.name", place.name.as_str()),
        pair("voipbin.queue.detail", place.detail.as_str()),
        pair("voipbin.queuecall.id", place.id.to_string()),
        pair(
            "voipbin.queuecall.timeout_wait",
            place.timeout_wait.as_millis().to_string(),
        ),
        pair(
            "voipbin.queuecall.timeout_service",
            place.timeout_service.as_millis().to_string(),
        ),
    ]
}

/// The variables of news that sets nothing else.
pub(super) fn told_pairs(event: FlowEvent) -> Vec<Pair> {
    match event {
        FlowEvent::TranscribeStarted {
            id,
            language,
            direction,
        } => vec![
            pair("voipbin.transcribe.id", id.to_string()),
            pair("voipbin.transcribe.language", language),
            pair("voipbin.transcribe.direction", direction.as_str()),
        ],
        FlowEvent::Transcribed { text } => vec![pair("voipbin.transcribe.text", text)],
        FlowEvent::AiTalkStarted {
            id,
            assistant,
            model,
            language,
        } => vec![
            pair("voipbin.aicall.id", id.to_string()),
            pair("voipbin.aicall.ai_id", assistant),
            pair("voipbin.aicall.ai_engine_model", model),
            pair("voipbin.aicall.confbridge_id", Uuid::nil().to_string()),
            pair("voipbin.aicall.stt_language", language),
            pair("voipbin.aicall.pipecatcall_id", Uuid::nil().to_string()),
            pair(AICALL_STATUS, "progressing"),
        ],
        FlowEvent::SummaryMade {
            id,
            summary,
            content,
        } => vec![
            pair("voipbin.ai_summary.id", id.to_string()),
            pair("voipbin.ai_summary.reference_type", summary.reference_type),
            pair("voipbin.ai_summary.reference_id", summary.reference_id),
            pair("voipbin.ai_summary.language", summary.language),
            pair("voipbin.ai_summary.content", content),
        ],
        _ => Vec::new(),
    }
}

fn pair(name: &'static str, value: impl Into<String>) -> Pair {
    (name.into(), value.into())
}
