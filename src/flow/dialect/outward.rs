//! Options of the actions that reach beyond the call.

use std::sync::Arc;

use super::error::FlowErrorKind;
use super::options::Options;
use super::reader::Field;
use super::voipbin::{Making, read_actions};
use crate::flow::action::{
    ActionKind, AddressTemplate, AiSummaryStart, AiTalkStart, AiTaskStart, Attachment, CallStart,
    Connect, ConversationSend, EmailSend, ExternalMediaStart, Fetch, MessageSend, Transcribe,
    WebhookSend,
};
use crate::flow::json::Value;
use crate::flow::template::Template;

/// The action of this name; `None` when there is none.
pub(super) fn read_kind(
    name: &str,
    options: &Options<'_>,
    making: &mut Making<'_>,
) -> Option<ActionKind> {
    Some(match name {
        "fetch" => ActionKind::Fetch(Fetch {
            url: options.template("event_url"),
            method: options.late("event_method"),
        }),
        "webhook_send" => ActionKind::WebhookSend(WebhookSend {
            is_sync: options.late("sync"),
            uri: options.template("uri"),
            method: options.late("method"),
            data_type: options.template("data_type"),
            data: options.template("data"),
        }),
        "email_send" => ActionKind::EmailSend(read_email(options)),
        "message_send" => ActionKind::MessageSend(MessageSend {
            source: read_source(options),
            destinations: read_destinations(options),
            text: options.template("text"),
        }),
        "conversation_send" => ActionKind::ConversationSend(ConversationSend {
            conversation_id: options.template("conversation_id"),
            text: options.template("text"),
            is_sync: options.late("sync"),
        }),
        "transcribe_start" => ActionKind::TranscribeStart(read_transcribe(options)),
        "transcribe_stop" => ActionKind::TranscribeStop,
        "transcribe_recording" => ActionKind::TranscribeRecording(read_transcribe(options)),
        "ai_talk" => ActionKind::AiTalk(read_ai_talk(options, read_assistant(options))),
        "chatbot_talk" => {
            ActionKind::ChatbotTalk(read_ai_talk(options, options.template("chatbot_id")))
        }
        "ai_task" => ActionKind::AiTask(AiTaskStart {
            assistance: options.late("assistance_type"),
            assistant: read_assistant(options),
        }),
        "ai_summary" | "ai_summarize" => ActionKind::AiSummary(AiSummaryStart {
            reference_type: options.template("reference_type"),
            reference_id: options.template("reference_id"),
            language: options.template("language"),
            on_end_flow_id: options.template("on_end_flow_id"),
        }),
        "case_create" => ActionKind::CaseCreate,
        "connect" => ActionKind::Connect(Connect {
            source: read_source(options),
            destinations: read_destinations(options),
            early_media: options.late("early_media"),
            relay_reason: options.late("relay_reason"),
            anonymous: options.late("anonymous"),
        }),
        "agent_call" => ActionKind::AgentCall {
            agent_id: options.template("agent_id"),
        },
        "call" => ActionKind::Call(read_call(options, making)),
        "conference_join" => ActionKind::ConferenceJoin {
            conference_id: options.template("conference_id"),
        },
        "confbridge_join" => ActionKind::ConfbridgeJoin {
            confbridge_id: options.template("confbridge_id"),
        },
        "queue_join" => ActionKind::QueueJoin {
            queue_id: options.template("queue_id"),
        },
        "external_media_start" => ActionKind::ExternalMediaStart(read_external_media(options)),
        "external_media_stop" => ActionKind::ExternalMediaStop,
        _ => return None,
    })
}

fn read_email(options: &Options<'_>) -> EmailSend {
    let attachments = match options.find("attachments") {
        Some(list) => list.items().map(|item| read_attachment(&item)).collect(),
        None => Vec::new(),
    };
    EmailSend {
        destinations: read_destinations(options),
        subject: options.template("subject"),
        content: options.template("content"),
        attachments,
    }
}

fn read_attachment(item: &Field<'_>) -> Attachment {
    if !matches!(item.value(), Value::Object(_)) {
        item.expected("an object");
        return Attachment::default();
    }
    let reference_type = text_of(item, "reference_type");
    if !reference_type.is_dynamic() && reference_type.as_str() != RECORDING {
        item.wrong(FlowErrorKind::WrongValue {
            expected: "a reference_type that can be attached: only \"recording\" is",
            value: reference_type.as_str().to_owned(),
        });
    }
    Attachment {
        reference_type,
        reference_id: text_of(item, "reference_id"),
    }
}

fn read_transcribe(options: &Options<'_>) -> Transcribe {
    Transcribe {
        language: options.template("language"),
        direction: options.late("direction"),
        on_end_flow_id: options.template("on_end_flow_id"),
    }
}

fn read_ai_talk(options: &Options<'_>, assistant: Template) -> AiTalkStart {
    AiTalkStart {
        assistance: options.late("assistance_type"),
        assistant,
        language: options.template("language"),
        gender: options.late("gender"),
        duration: options.late("duration"),
    }
}

/// `ai_id` is the older name.
fn read_assistant(options: &Options<'_>) -> Template {
    match options.find("assistance_id") {
        Some(id) => id.template(),
        None => options.template("ai_id"),
    }
}

fn read_call(options: &Options<'_>, making: &mut Making<'_>) -> CallStart {
    let actions = match options.find("actions") {
        Some(list) => Arc::new(read_actions(&list, making)),
        None => Arc::default(),
    };
    CallStart {
        source: read_source(options),
        destinations: read_destinations(options),
        flow_id: options.template("flow_id"),
        actions,
        chained: options.late("chained"),
        early_execution: options.late("early_execution"),
        anonymous: options.late("anonymous"),
    }
}

fn read_external_media(options: &Options<'_>) -> ExternalMediaStart {
    ExternalMediaStart {
        external_host: options.template("external_host"),
        encapsulation: options.template("encapsulation"),
        transport: options.template("transport"),
        connection_type: options.template("connection_type"),
        format: options.template("format"),
        direction: options.late("direction"),
        direction_listen: options.given("direction_listen"),
        direction_speak: options.given("direction_speak"),
        data: options.template("data"),
        transport_data: options.template("transport_data"),
    }
}

fn read_source(options: &Options<'_>) -> AddressTemplate {
    options
        .find("source")
        .map(|field| read_address(&field))
        .unwrap_or_default()
}

fn read_destinations(options: &Options<'_>) -> Vec<AddressTemplate> {
    match options.find("destinations") {
        Some(list) => list.items().map(|item| read_address(&item)).collect(),
        None => Vec::new(),
    }
}

fn read_address(field: &Field<'_>) -> AddressTemplate {
    if !matches!(field.value(), Value::Object(_)) {
        field.expected("an address object");
        return AddressTemplate::default();
    }
    AddressTemplate {
        kind: text_of(field, "type"),
        target: text_of(field, "target"),
        target_name: text_of(field, "target_name"),
        name: text_of(field, "name"),
        detail: text_of(field, "detail"),
    }
}

fn text_of(field: &Field<'_>, key: &'static str) -> Template {
    field
        .find(key)
        .map(|text| text.template())
        .unwrap_or_default()
}

/// The one thing that can be attached to an e-mail.
const RECORDING: &str = "recording";
