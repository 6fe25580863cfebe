//! VoIPBIN's JSON: an object with `actions`, or the bare array of them.

use std::sync::Arc;

use super::error::{FlowErrorKind, FlowErrors};
use super::options::{
    Options, read_amd, read_datetime, read_recording_start, read_targets, read_urls,
};
use super::outward;
use super::reader::{Field, Report};
use super::{MAX_ACTIONS, MAX_TEXT, Support};
use crate::flow::action::{
    Action, ActionId, ActionKind, Actions, Branch, DigitsReceive, DigitsSend, Flow, Talk, flow_id,
};
use crate::flow::condition::{CallDigitsCondition, CallStatusCondition, VariableCondition};
use crate::flow::json::{self, Value, clip};
use crate::flow::template::Scalar;
use crate::ids::Rng;

/// Reads a flow file. `file_stem` names a flow that does not name itself; `rng` makes the ids that are
/// not written.
///
/// # Errors
/// All that is wrong with the file. A text over [`MAX_TEXT`] is not looked at.
pub fn parse_flow(
    json: &[u8],
    file_stem: &str,
    rng: &mut Rng,
    support: Support,
) -> Result<Flow, FlowErrors> {
    let mut making = Making { rng, support };
    let report = Report::new(json);
    let mut flow = None;
    if json.len() > MAX_TEXT {
        report.whole_file(FlowErrorKind::TextTooLong);
    } else {
        match json::parse(json) {
            Ok(root) => {
                flow = Some(read_flow(
                    &Field::root(&report, &root),
                    file_stem,
                    &mut making,
                ));
            }
            Err(misread) => report.misread(misread),
        }
    }
    match (report.finish(), flow) {
        (None, Some(flow)) => Ok(flow),
        (errors, _) => Err(errors.unwrap_or_default()),
    }
}

/// What is made while reading, and what may be.
pub(super) struct Making<'a> {
    rng: &'a mut Rng,
    support: Support,
}

/// Reads what a `fetch` got: an array of actions, or an object with `actions`. Actions that are wrong
/// are left out; gives how many these were.
///
/// # Errors
/// The text is no JSON, or something else than that.
pub(in crate::flow) fn parse_fetched(
    json: &[u8],
    rng: &mut Rng,
) -> Result<(Actions, usize), FlowErrors> {
    let support = Support::All;
    let mut making = Making { rng, support };
    let report = Report::new(json);
    let (mut fetched, mut left_out) = (Actions::default(), 0);
    if json.len() > MAX_TEXT {
        report.whole_file(FlowErrorKind::TextTooLong);
    } else {
        match json::parse(json) {
            Ok(root) => {
                let root = Field::root(&report, &root);
                let inner = root.find("actions");
                let list = inner.as_ref().unwrap_or(&root);
                match list.value() {
                    Value::List(items) if items.len() <= MAX_ACTIONS => {
                        let kept = list
                            .items()
                            .filter_map(|item| read_if_right(&item, &report, &mut making));
                        fetched = kept.collect();
                        left_out = items.len() - fetched.len();
                        return Ok((fetched, left_out));
                    }
                    Value::List(_) => list.wrong(FlowErrorKind::TooManyActions),
                    _ => list.expected("an array of actions"),
                }
            }
            Err(misread) => report.misread(misread),
        }
    }
    match report.finish() {
        None => Ok((fetched, left_out)),
        Some(errors) => Err(errors),
    }
}

fn read_if_right(item: &Field<'_>, report: &Report<'_>, making: &mut Making<'_>) -> Option<Action> {
    let before = report.count();
    read_action(item, making).filter(|_| report.count() == before)
}

fn read_flow(root: &Field<'_>, file_stem: &str, making: &mut Making<'_>) -> Flow {
    let mut flow = Flow {
        id: making.rng.uuid().to_string(),
        name: file_stem.to_owned(),
        numbers: Vec::new(),
        actions: Arc::default(),
        on_complete_flow_id: None,
    };
    match root.value() {
        Value::List(_) => flow.actions = Arc::new(read_actions(root, making)),
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
                Some(actions) => flow.actions = Arc::new(read_actions(&actions, making)),
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

pub(super) fn read_actions(list: &Field<'_>, making: &mut Making<'_>) -> Actions {
    if let Value::List(items) = list.value()
        && items.len() > MAX_ACTIONS
    {
        list.wrong(FlowErrorKind::TooManyActions);
        return Actions::default();
    }
    list.items()
        .filter_map(|item| read_action(&item, making))
        .collect()
}

fn read_action(action: &Field<'_>, making: &mut Making<'_>) -> Option<Action> {
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
    let kind = read_kind(&kind, &Options(option), making)?;
    Some(Action {
        id: id.unwrap_or_else(|| ActionId::random(making.rng)),
        next_id,
        kind,
        option: written(option.as_ref()),
    })
}

/// The options of an action for whoever is shown it.
fn written(option: Option<&Field<'_>>) -> Arc<str> {
    let mut text = String::new();
    match option {
        Some(option) if option.value().write(&mut text, Action::MAX_OPTION) => text.into(),
        _ => Action::no_option(),
    }
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

fn read_kind(
    kind: &Field<'_>,
    options: &Options<'_>,
    making: &mut Making<'_>,
) -> Option<ActionKind> {
    let name = kind.text()?;
    if making.support == Support::Live
        && let Some(name) = NOT_LIVE.iter().find(|known| **known == name)
    {
        kind.wrong(FlowErrorKind::NotSupported { name });
        return None;
    }
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
        "hangup" => ActionKind::Hangup {
            reason: options.late("reason"),
            reference: options.template("reference_id"),
        },
        "hangup_relay" | "Hangup_relay" => ActionKind::HangupRelay {
            reference: options.template("reference_id"),
        },
        "stop" => ActionKind::Stop,
        "empty" => ActionKind::Empty,
        "block" => ActionKind::Block,
        "mute" => ActionKind::Mute {
            direction: options.late("direction"),
        },
        "amd" => ActionKind::Amd(read_amd(options)),
        _ => match outward::read_kind(name, options, making) {
            Some(kind) => kind,
            None => {
                kind.wrong(FlowErrorKind::UnknownAction { name: clip(name) });
                return None;
            }
        },
    })
}

/// Actions that are known, and that nothing carries out on a live call in this version.
const NOT_LIVE: [&str; 1] = ["case_create"];
