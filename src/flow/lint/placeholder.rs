//! `${name}` in texts, and bare names of variables.

use super::place::{Place, nearest};
use super::rule::Rule;

/// Notes placeholders of a text that stay open or name nothing.
pub(super) fn check_text(place: &Place<'_>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let inside = &rest[at + 2..];
        let line = inside.split('\n').next().unwrap_or_default();
        let Some(end) = line.find('}') else {
            place.note(
                Rule::OpenPlaceholder,
                "a placeholder is opened by ${ and never closed, so it stays in the text",
                "close it with }",
            );
            return;
        };
        check_name(place, &line[..end]);
        rest = &inside[end + 1..];
    }
}

/// Notes a name that looks like one of the engine's and is none.
pub(super) fn check_name(place: &Place<'_>, name: &str) {
    if !name.starts_with("voipbin.") || is_known(name) {
        return;
    }
    let remedy = match nearest(name, known_names()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "names that begin with voipbin. belong to the engine; choose another".to_owned(),
    };
    place.note(
        Rule::UnknownVariable,
        format!("there is no variable {name:?}: it is always empty"),
        remedy,
    );
}

fn is_known(name: &str) -> bool {
    known_names().any(|known| known == name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
}

fn known_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// Families whose members are not listed one by one.
const FAMILIES: [&str; 6] = [
    "voipbin.queue.",
    "voipbin.queuecall.",
    "voipbin.aicall.",
    "voipbin.ai_summary.",
    "voipbin.conversation.",
    "voipbin.conversation_message.",
];

const NAMES: [&str; 40] = [
    "voipbin.activeflow.complete_count",
    "voipbin.activeflow.flow_id",
    "voipbin.activeflow.id",
    "voipbin.activeflow.reference_activeflow_id",
    "voipbin.activeflow.reference_id",
    "voipbin.activeflow.reference_type",
    "voipbin.activeflow.tm_create",
    "voipbin.amd.result",
    "voipbin.call.caller_id",
    "voipbin.call.destination.detail",
    "voipbin.call.destination.name",
    "voipbin.call.destination.number",
    "voipbin.call.destination.target",
    "voipbin.call.destination.target_name",
    "voipbin.call.destination.type",
    "voipbin.call.digits",
    "voipbin.call.direction",
    "voipbin.call.id",
    "voipbin.call.master_call_id",
    "voipbin.call.source.detail",
    "voipbin.call.source.name",
    "voipbin.call.source.target",
    "voipbin.call.source.target_name",
    "voipbin.call.source.type",
    "voipbin.call.status",
    "voipbin.flow.reference_data",
    "voipbin.message.id",
    "voipbin.message.source.number",
    "voipbin.message.destination.number",
    "voipbin.message.text",
    "voipbin.recording.filenames",
    "voipbin.recording.format",
    "voipbin.recording.id",
    "voipbin.recording.recording_name",
    "voipbin.recording.reference_id",
    "voipbin.recording.reference_type",
    "voipbin.transcribe.direction",
    "voipbin.transcribe.id",
    "voipbin.transcribe.language",
    "voipbin.transcribe.text",
];

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::flow::{Address, CallVariables, MessageVariables};
    use crate::ids::CallId;
    use crate::status::CallStatus;

    #[test]
    fn what_calls_and_messages_set_is_known() {
        let call = CallVariables {
            id: CallId(Uuid::nil()),
            source: Address::default(),
            destination: Address::default(),
            is_incoming: true,
            master: None,
            status: CallStatus::Ringing,
        };
        let message = MessageVariables {
            conversation: Uuid::nil(),
            owner: Uuid::nil(),
            id: Uuid::nil(),
            text: String::new(),
            own: Address::default(),
            peer: Address::default(),
            is_incoming: true,
        };
        for (name, _) in call.to_pairs().into_iter().chain(message.to_pairs()) {
            assert!(is_known(&name), "{name}");
        }
        assert!(!is_known("voipbin.call.digit"));
    }
}
