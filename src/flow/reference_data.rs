//! The variable that tells all about what started an activeflow.

use serde_json::{Map, Value, json};

use super::variable::Variables;

/// Its name.
pub(super) const REFERENCE_DATA: &str = "voipbin.flow.reference_data";

/// The call or the conversation in the form of the API, as far as the activeflow knows it; made when it is
/// read, so its status is that of now. `None` when something else started the activeflow.
pub(super) fn reference_data(variables: &Variables) -> Option<String> {
    let value = |name: &str| variables.value(name).unwrap_or_default();
    let data = match value("voipbin.activeflow.reference_type") {
        "call" => json!({
            "id": value("voipbin.activeflow.reference_id"),
            "type": "flow",
            "flow_id": value("voipbin.activeflow.flow_id"),
            "activeflow_id": value("voipbin.activeflow.id"),
            "master_call_id": value("voipbin.call.master_call_id"),
            "direction": value("voipbin.call.direction"),
            "status": value("voipbin.call.status"),
            "recording_id": value("voipbin.recording.id"),
            "source": address(variables, "voipbin.call.source"),
            "destination": address(variables, "voipbin.call.destination"),
        }),
        "conversation" => json!({
            "id": value("voipbin.conversation.id"),
            "owner_id": value("voipbin.conversation.owner_id"),
            "self": address(variables, "voipbin.conversation.self"),
            "peer": address(variables, "voipbin.conversation.peer"),
        }),
        _ => return None,
    };
    Some(data.to_string())
}

fn address(variables: &Variables, of: &str) -> Value {
    let fields = ["type", "target", "target_name", "name", "detail"].map(|field| {
        let value = variables.value(&format!("{of}.{field}"));
        (field.to_owned(), value.unwrap_or_default().into())
    });
    Value::Object(Map::from_iter(fields))
}
