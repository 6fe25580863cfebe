//! What started an activeflow, and the variables that it brings.

use uuid::Uuid;

use super::command::Recording;
use super::variable::{CALL_STATUS, DIGITS};
use crate::ids::CallId;
use crate::status::CallStatus;

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
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let master = self.master.map_or(Uuid::nil(), |master| master.0);
        let mut pairs = vec![
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
        ];
        for (end, address) in [("source", &self.source), ("destination", &self.destination)] {
            for (field, value) in [
                ("type", &address.kind),
                ("target", &address.target),
                ("target_name", &address.target_name),
                ("name", &address.name),
                ("detail", &address.detail),
            ] {
                pairs.push(pair(&format!("voipbin.call.{end}.{field}"), value.as_str()));
            }
        }
        pairs
    }
}

/// The `voipbin.recording.*` variables of a recording of `call`.
pub(super) fn recording_pairs(recording: &Recording, call: Uuid) -> Vec<(String, String)> {
    vec![
        pair("voipbin.recording.id", recording.id.to_string()),
        pair("voipbin.recording.reference_type", "call"),
        pair("voipbin.recording.reference_id", call.to_string()),
        pair("voipbin.recording.format", recording.format.as_str()),
        pair("voipbin.recording.recording_name", recording.name.as_str()),
        pair("voipbin.recording.filenames", recording.filenames.join(",")),
    ]
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}
