//! What a flow, its actions and their options look like, each for itself.

use uuid::Uuid;

use super::Surroundings;
use super::catalogue::{self, ActionSpec, action_types};
use super::external;
use super::graph::{Graph, Step, read_steps};
use super::options::{self, a_string, expect};
use super::place::{Place, did_you_mean};
use super::rule::Rule;
use crate::flow::json::{Value, clip};

/// Checks the flow around its actions, and gives these.
pub(super) fn check_flow<'a>(root: &Place<'a>, around: &Surroundings<'_>) -> Option<Place<'a>> {
    if let Value::List(_) = root.value() {
        return Some(root.clone());
    }
    if !root.is_object() {
        root.note(
            Rule::NotAFlow,
            format!(
                "a flow is an object or an array, not {}",
                root.value().kind()
            ),
            "write {\"actions\": [ … ]}",
        );
        return None;
    }
    let kind = root.find("type").and_then(|kind| kind.text());
    if root.find("actions").is_none() && kind.is_some_and(|kind| catalogue::find(kind).is_some()) {
        root.note(
            Rule::NotAFlow,
            "this is one action, not a flow",
            "put it into an array: [ … ]",
        );
        return None;
    }
    for (key, field) in root.members() {
        match key {
            "id" | "name" | "detail" | "type" | "on_complete_flow_id"
                if *field.value() != Value::Null =>
            {
                a_string(&field);
            }
            "numbers" => check_numbers(&field),
            _ => check_field(&field, key, FLOW_FIELDS),
        }
    }
    if let Some(next) = root.find("on_complete_flow_id") {
        let spec = catalogue::OptionSpec {
            name: "on_complete_flow_id",
            kind: catalogue::Kind::Flow,
            is_required: false,
        };
        if next.text().is_some() {
            options::check(&next, &spec, around);
        }
    }
    let actions = root.find("actions");
    match &actions {
        None => root.note(
            Rule::MissingOption,
            "the flow has no actions",
            "add \"actions\": [ … ]",
        ),
        Some(actions) => {
            expect(
                actions,
                matches!(actions.value(), Value::List(_)),
                "an array of actions",
            );
        }
    }
    actions
}

/// A flow that says itself that no number leads to it.
pub(super) fn is_for_the_api_only(root: &Place<'_>) -> bool {
    root.find("numbers")
        .is_some_and(|numbers| matches!(numbers.value(), Value::List(items) if items.is_empty()))
}

/// Checks every action for itself, and gives them as steps of a graph.
pub(super) fn check_actions<'a>(actions: &Place<'a>, around: &Surroundings<'_>) -> Vec<Step<'a>> {
    for action in actions.items() {
        check_action(&action, around);
    }
    read_steps(actions).collect()
}

/// The actions of a call that a flow starts: a flow of its own.
pub(super) fn check_inner_flow(actions: &Place<'_>, around: &Surroundings<'_>) {
    let steps = check_actions(actions, around);
    let around = Surroundings {
        is_fetched: true,
        ..*around
    };
    Graph::new(&steps, &around).check(false);
}

fn check_action(action: &Place<'_>, around: &Surroundings<'_>) {
    if !expect(action, action.is_object(), "an action object") {
        return;
    }
    for (key, field) in action.members() {
        match key {
            "id" | "next_id" if *field.value() != Value::Null => options::check(
                &field,
                &catalogue::OptionSpec {
                    name: "id",
                    kind: catalogue::Kind::Target,
                    is_required: false,
                },
                around,
            ),
            _ => check_field(&field, key, ACTION_FIELDS),
        }
    }
    let Some(kind) = action.find("type") else {
        action.note(
            Rule::MissingOption,
            "the action has no type",
            "add \"type\": \"…\"",
        );
        return;
    };
    let Some(name) = a_string(&kind) else { return };
    let Some(spec) = catalogue::find(name) else {
        kind.note(
            Rule::UnknownAction,
            format!("there is no action {:?}", clip(name)),
            did_you_mean(
                name,
                action_types(),
                "see the README for the actions there are",
            ),
        );
        return;
    };
    if let Some(successor) = spec.successor {
        kind.note(
            Rule::Deprecated,
            format!("{name} works, but is deprecated"),
            format!("use {successor}"),
        );
    }
    check_options(action, spec, around);
}

fn check_options(action: &Place<'_>, spec: &ActionSpec, around: &Surroundings<'_>) {
    let option = action.find("option");
    if let Some(option) = &option
        && !expect(option, option.is_object(), "an object")
    {
        return;
    }
    for (key, field) in option.iter().flat_map(Place::members) {
        match spec.options.iter().find(|known| known.name == key) {
            _ if *field.value() == Value::Null || is_remark(key) => {}
            Some(known) => options::check(&field, known, around),
            None => unknown_option(&field, key, spec),
        }
    }
    let find = |name| option.as_ref().and_then(|option| option.find(name));
    let place = option.as_ref().unwrap_or(action);
    for known in spec.options.iter().filter(|known| known.is_required) {
        if find(known.name).is_none() {
            place.note(
                Rule::MissingOption,
                format!("{} needs the option {:?}", spec.name, known.name),
                format!("add \"option\": {{\"{}\": …}}", known.name),
            );
        }
    }
    match spec.name {
        "call" if find("flow_id").is_none() && find("actions").is_none() => place.note(
            Rule::MissingOption,
            "call needs the option \"flow_id\" or \"actions\"",
            "say what the called party shall hear",
        ),
        "condition_variable" => check_compared(place),
        "external_media_start" => external::check(place, around),
        _ => {}
    }
}

/// The value that is compared must be the one that the type names.
fn check_compared(option: &Place<'_>) {
    let Some(kind) = option.find("value_type").and_then(|kind| kind.text()) else {
        return;
    };
    let needed = match kind {
        "string" => "value_string",
        "number" => "value_number",
        "length" => "value_length",
        _ => return,
    };
    let other = ["value_string", "value_number", "value_length"]
        .into_iter()
        .find(|name| option.find(name).is_some());
    if let Some(other) = other
        && option.find(needed).is_none()
    {
        option.note(
            Rule::MissingOption,
            format!("the value type is {kind}, but only {other} is given"),
            format!("add {needed:?}, or change value_type"),
        );
    }
}

fn unknown_option(field: &Place<'_>, key: &str, spec: &ActionSpec) {
    let remedy = if spec.options.is_empty() {
        format!("{} has no options: remove it", spec.name)
    } else {
        let names: Vec<&str> = spec.options.iter().map(|option| option.name).collect();
        did_you_mean(
            key,
            names.iter().copied(),
            &format!("the options are {}", names.join(", ")),
        )
    };
    field.note(
        Rule::UnknownOption,
        format!(
            "{} has no option {:?}: it is passed over",
            spec.name,
            clip(key)
        ),
        remedy,
    );
}

/// Checks an address: who is called, or who calls.
pub(super) fn check_address(address: &Place<'_>) {
    if !expect(address, address.is_object(), "an address object") {
        return;
    }
    for (key, field) in address.members() {
        check_field(&field, key, ADDRESS_FIELDS);
        if ADDRESS_FIELDS.contains(&key)
            && *field.value() != Value::Null
            && let Some(text) = a_string(&field)
        {
            super::placeholder::check_text(&field, text);
        }
    }
}

fn check_numbers(numbers: &Place<'_>) {
    if *numbers.value() == Value::Null {
        return;
    }
    if !expect(
        numbers,
        matches!(numbers.value(), Value::List(_)),
        "an array of numbers",
    ) {
        return;
    }
    for number in numbers.items() {
        if a_string(&number).is_some_and(|text| text.trim().is_empty()) {
            number.note(
                Rule::WrongValue,
                "an empty text is no number to dial",
                "write a number such as \"+15550142\", or remove it",
            );
        }
    }
}

fn check_field(field: &Place<'_>, key: &str, known: &'static [&'static str]) {
    if !known.contains(&key) && !is_remark(key) {
        field.note(
            Rule::UnknownField,
            format!("the field {:?} is not known and passed over", clip(key)),
            did_you_mean(
                key,
                known.iter().copied(),
                "remove it; a remark can stand in a field whose name begins with _",
            ),
        );
    }
}

fn is_remark(key: &str) -> bool {
    key.starts_with('_') || key.starts_with('$') || key == "comment"
}

/// A flow's name or id as flows refer to it: a UUID in lower case.
pub(super) fn flow_name(text: &str) -> String {
    Uuid::try_parse(text).map_or_else(|_| text.to_owned(), |id| id.hyphenated().to_string())
}

const FLOW_FIELDS: &[&str] = &[
    "id",
    "name",
    "detail",
    "type",
    "numbers",
    "actions",
    "on_complete_flow_id",
    "customer_id",
    "persist",
    "tm_create",
    "tm_update",
    "tm_delete",
];
const ACTION_FIELDS: &[&str] = &["id", "next_id", "type", "option", "tm_execute"];
const ADDRESS_FIELDS: &[&str] = &["type", "target", "target_name", "name", "detail"];
