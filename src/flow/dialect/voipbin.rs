//! VoIPBIN's JSON: an object with `actions`, or the bare array of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{FlowErrorKind, FlowErrors};
use super::reader::{Field, Report};
use super::{MAX_ACTIONS, MAX_TEXT};
use crate::flow::action::{
    Action, ActionId, ActionKind, Actions, Branch, DigitsReceive, DigitsSend, Flow, RecordingStart,
    Talk, Target, flow_id,
};
use crate::flow::command::RecordingFormat;
use crate::flow::condition::{
    CallDigitsCondition, CallStatusCondition, DatetimeCondition, VariableCondition,
};
use crate::flow::json::{self, Value, clip};
use crate::flow::template::{Late, Scalar, Template};
use crate::ids::Rng;

/// Reads a flow file. `file_stem` names a flow that does not name itself; `rng` makes the ids that are
/// not written.
///
/// # Errors
/// All that is wrong with the file. A text over [`MAX_TEXT`] is not looked at.
pub fn parse_flow(json: &[u8], file_stem: &str, rng: &mut Rng) -> Result<Flow, FlowErrors> {
    let report = Report::new(json);
    let mut flow = None;
    if json.len() > MAX_TEXT {
        report.whole_file(FlowErrorKind::TextTooLong);
    } else {
        match json::parse(json) {
            Ok(root) => flow = Some(read_flow(&Field::root(&report, &root), file_stem, rng)),
            Err(misread) => report.misread(misread),
        }
    }
    match (report.finish(), flow) {
        (None, Some(flow)) => Ok(flow),
        (errors, _) => Err(errors.unwrap_or_default()),
    }
}

fn read_flow(root: &Field<'_>, file_stem: &str, rng: &mut Rng) -> Flow {
    let mut flow = Flow {
        id: rng.uuid().to_string(),
        name: file_stem.to_owned(),
        numbers: Vec::new(),
        actions: Arc::default(),
        on_complete_flow_id: None,
    };
    match root.value() {
        Value::List(_) => flow.actions = Arc::new(read_actions(root, rng)),
        Value::Object(_) => {
            if let Some(id) = root.find("id").and_then(|field| read_flow_id(&field)) {
                flow.id = id;
            }
            if let Some(name) = root.find("name").and_then(|field| field.text())
                && !name.is_empty()
            {
                name.clone_into(&mut flow.name);
            }
            if let Some(numbers) = root.find("numbers") {
                flow.numbers = numbers
                    .items()
                    .filter_map(|number| read_number(&number))
                    .collect();
            }
            flow.on_complete_flow_id = root
                .find("on_complete_flow_id")
                .and_then(|field| read_flow_id(&field));
            match root.find("actions") {
                Some(actions) => flow.actions = Arc::new(read_actions(&actions, rng)),
                None => root.wrong(FlowErrorKind::Missing { field: "actions" }),
            }
        }
        _ => root.expected("a flow object or an array of actions"),
    }
    flow
}

fn read_flow_id(field: &Field<'_>) -> Option<String> {
    field.text().and_then(flow_id)
}

fn read_number(field: &Field<'_>) -> Option<String> {
    let number = field.text()?.trim();
    if number.is_empty() {
        field.wrong(FlowErrorKind::WrongValue {
            expected: "a number or name to dial",
            value: String::new(),
        });
    }
    Some(number.to_owned())
}

fn read_actions(list: &Field<'_>, rng: &mut Rng) -> Actions {
    if let Value::List(items) = list.value()
        && items.len() > MAX_ACTIONS
    {
        list.wrong(FlowErrorKind::TooManyActions);
        return Actions::default();
    }
    list.items()
        .filter_map(|item| read_action(&item, rng))
        .collect()
}

fn read_action(action: &Field<'_>, rng: &mut Rng) -> Option<Action> {
    if !matches!(action.value(), Value::Object(_)) {
        action.expected("an action object");
        return None;
    }
    let id = action.find("id").and_then(|field| read_action_id(&field));
    let next_id = action
        .find("next_id")
        .and_then(|field| read_action_id(&field));
    let option = action.find("option");
    if let Some(option) = &option
        && !matches!(option.value(), Value::Object(_))
    {
        option.expected("an object");
    }
    let Some(kind) = action.find("type") else {
        action.wrong(FlowErrorKind::Missing { field: "type" });
        return None;
    };
    let kind = read_kind(&kind, &Options(option))?;
    Some(Action {
        id: id.unwrap_or_else(|| ActionId::random(rng)),
        next_id,
        kind,
    })
}

fn read_action_id(field: &Field<'_>) -> Option<ActionId> {
    let text = field.text()?;
    let id = Option::<ActionId>::from_text(text);
    if id.is_none() {
        field.wrong(FlowErrorKind::WrongValue {
            expected: <Option<ActionId>>::EXPECTED,
            value: clip(text),
        });
    }
    id.flatten()
}

/// The options of an action; one that is not written has its default.
struct Options<'a>(Option<Field<'a>>);

impl Options<'_> {
    fn find(&self, key: &'static str) -> Option<Field<'_>> {
        self.0.as_ref()?.find(key)
    }

    fn template(&self, key: &'static str) -> Template {
        self.find(key)
            .map(|field| field.template())
            .unwrap_or_default()
    }

    fn given<T: Scalar>(&self, key: &'static str) -> Option<Late<T>> {
        self.find(key)?.late()
    }

    fn late<T: Scalar + Default>(&self, key: &'static str) -> Late<T> {
        self.given(key).unwrap_or_default()
    }

    fn target(&self, key: &'static str) -> Target {
        self.late(key)
    }
}

fn read_kind(kind: &Field<'_>, options: &Options<'_>) -> Option<ActionKind> {
    let name = kind.text()?;
    Some(match name {
        "answer" => ActionKind::Answer,
        "talk" => ActionKind::Talk(Talk {
            text: options.template("text"),
            language: options.template("language"),
            gender: options.late("gender"),
            digits_handle: options.late("digits_handle"),
            is_async: options.late("async"),
        }),
        "play" => ActionKind::Play {
            urls: read_urls(options),
        },
        "beep" => ActionKind::Beep,
        "digits_receive" => ActionKind::DigitsReceive(DigitsReceive {
            duration: options.given("duration"),
            length: options.late("length"),
            key: options.template("key"),
        }),
        "digits_send" => ActionKind::DigitsSend(DigitsSend {
            digits: options.late("digits"),
            duration: options.given("duration"),
            interval: options.given("interval"),
        }),
        "branch" => ActionKind::Branch(Branch {
            variable: options.template("variable"),
            default_target: options.target("default_target_id"),
            targets: read_targets(options),
        }),
        "goto" => ActionKind::Goto {
            target: options.target("target_id"),
            loop_count: options.late("loop_count"),
        },
        "condition_variable" => ActionKind::ConditionVariable(VariableCondition {
            operator: options.late("condition"),
            variable: options.template("variable"),
            value_type: options.late("value_type"),
            value_string: options.template("value_string"),
            value_number: options.late("value_number"),
            value_length: options.late("value_length"),
            false_target: options.target("false_target_id"),
        }),
        "condition_datetime" => ActionKind::ConditionDatetime(read_datetime(options)),
        "condition_call_digits" => ActionKind::ConditionCallDigits(CallDigitsCondition {
            length: options.late("length"),
            key: options.template("key"),
            false_target: options.target("false_target_id"),
        }),
        "condition_call_status" => ActionKind::ConditionCallStatus(CallStatusCondition {
            status: options.template("status"),
            false_target: options.target("false_target_id"),
        }),
        "variable_set" => ActionKind::VariableSet {
            key: options.template("key"),
            value: options.template("value"),
        },
        "sleep" => ActionKind::Sleep {
            duration: options.late("duration"),
        },
        "echo" => ActionKind::Echo {
            duration: options.late("duration"),
        },
        "stream_echo" => ActionKind::StreamEcho {
            duration: options.late("duration"),
        },
        "recording_start" => ActionKind::RecordingStart(read_recording_start(options)),
        "recording_stop" => ActionKind::RecordingStop,
        "fetch_flow" => ActionKind::FetchFlow {
            flow_id: options.template("flow_id"),
        },
        "hangup" => read_hangup(options),
        "stop" => ActionKind::Stop,
        "empty" => ActionKind::Empty,
        _ => {
            kind.wrong(match NOT_YET.iter().find(|known| **known == name) {
                Some(name) => FlowErrorKind::NotSupported { name },
                None => FlowErrorKind::UnknownAction { name: clip(name) },
            });
            return None;
        }
    })
}

fn read_urls(options: &Options<'_>) -> Vec<Template> {
    match options.find("stream_urls") {
        Some(urls) => urls.items().map(|url| url.template()).collect(),
        None => Vec::new(),
    }
}

fn read_targets(options: &Options<'_>) -> BTreeMap<String, Target> {
    let Some(targets) = options.find("target_ids") else {
        return BTreeMap::new();
    };
    targets
        .members()
        .filter(|(_, target)| !matches!(target.value(), Value::Null))
        .map(|(key, target)| (key.to_owned(), target.late().unwrap_or_default()))
        .collect()
}

fn read_datetime(options: &Options<'_>) -> DatetimeCondition {
    let weekdays = match options.find("weekdays") {
        Some(weekdays) => weekdays
            .items()
            .filter_map(|weekday| weekday.late())
            .collect(),
        None => Vec::new(),
    };
    DatetimeCondition {
        operator: options.late("condition"),
        minute: options.given("minute"),
        hour: options.given("hour"),
        day: options.given("day"),
        month: options.given("month"),
        weekdays,
        false_target: options.target("false_target_id"),
    }
}

fn read_recording_start(options: &Options<'_>) -> RecordingStart {
    let format = match options.find("format") {
        None => Late::default(),
        Some(field) => match field.value() {
            Value::Text(name)
                if RecordingFormat::from_text(name).is_none()
                    && !Template::new(name).is_dynamic() =>
            {
                field.wrong(FlowErrorKind::RecordingFormat { name: clip(name) });
                Late::default()
            }
            _ => field.late().unwrap_or_default(),
        },
    };
    RecordingStart {
        format,
        end_of_silence: options.late("end_of_silence"),
        end_of_key: options.late("end_of_key"),
        duration: options.late("duration"),
        beep_start: options.late("beep_start"),
    }
}

/// `reference_id` (relay the cause of another call) needs calls that a flow dialed.
fn read_hangup(options: &Options<'_>) -> ActionKind {
    if let Some(reference) = options.find("reference_id")
        && reference.text().and_then(flow_id).is_some()
    {
        reference.wrong(FlowErrorKind::NotSupported {
            name: "reference_id",
        });
    }
    ActionKind::Hangup {
        reason: options.late("reason"),
    }
}

/// Actions that VoIPBIN has and this version does not.
const NOT_YET: [&str; 26] = [
    "Hangup_relay",
    "agent_call",
    "ai_summary",
    "ai_talk",
    "ai_task",
    "amd",
    "block",
    "call",
    "case_create",
    "chatbot_talk",
    "confbridge_join",
    "conference_join",
    "connect",
    "conversation_send",
    "email_send",
    "external_media_start",
    "external_media_stop",
    "fetch",
    "hangup_relay",
    "message_send",
    "mute",
    "queue_join",
    "transcribe_recording",
    "transcribe_start",
    "transcribe_stop",
    "webhook_send",
];
