//! One option against what it may hold.

use super::catalogue::{Kind, OptionSpec, Range};
use super::place::{Place, did_you_mean};
use super::placeholder::{check_name, check_text};
use super::rule::Rule;
use super::url::{UrlFault, has_scheme, judge};
use super::{Surroundings, shape};
use crate::flow::action::{ActionId, DigitString, HttpMethod, is_digit};
use crate::flow::json::{Value, clip};
use crate::flow::template::Scalar;
use crate::flow::variable::has_placeholder;

/// Notes what is wrong with the value of an option.
pub(super) fn check(place: &Place<'_>, spec: &OptionSpec, around: &Surroundings<'_>) {
    match spec.kind {
        Kind::Any => {}
        Kind::Flag => scalar::<bool>(place),
        Kind::Number => scalar::<f64>(place),
        Kind::Whole(range) => whole(place, range),
        Kind::Wholes(range) => each(place, |item| whole(item, range)),
        Kind::Target => target(place),
        Kind::Targets => targets(place),
        Kind::Address => shape::check_address(place),
        Kind::Addresses => addresses(place, spec.is_required),
        Kind::Media => media(place, around),
        Kind::Actions => {
            if expect(
                place,
                matches!(place.value(), Value::List(_)),
                "an array of actions",
            ) {
                shape::check_inner_flow(place, around);
            }
        }
        _ => text(place, spec, around),
    }
}

fn text(place: &Place<'_>, spec: &OptionSpec, around: &Surroundings<'_>) {
    let Some(text) = a_string(place) else { return };
    check_text(place, text);
    if text.trim().is_empty() {
        if spec.is_required {
            place.note(
                Rule::MissingOption,
                format!("the option {:?} is empty", spec.name),
                "give it a value",
            );
        }
        return;
    }
    match spec.kind {
        Kind::VariableName => variable_name(place, text),
        Kind::Operand if !has_placeholder(text) => check_name(place, text),
        _ if has_placeholder(text) && !matches!(spec.kind, Kind::Url) => {}
        Kind::Words {
            known,
            else_default,
        } => words(place, text, known, else_default),
        Kind::Digits => digits(place, text),
        Kind::EndKeys => end_keys(place, text),
        Kind::RecordingFormat => recording_format(place, text),
        Kind::Flow => flow(place, text, around),
        Kind::Method => method(place, text),
        Kind::Url => url(place, text, around),
        _ => {}
    }
}

fn variable_name(place: &Place<'_>, text: &str) {
    match text
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix('}'))
    {
        Some(name) if !name.contains('}') => place.note(
            Rule::VariableSpelling,
            format!("{text:?} is the value of a variable where its name is needed"),
            format!("write {name:?}"),
        ),
        _ if !has_placeholder(text) => check_name(place, text),
        _ => {}
    }
}

fn words(place: &Place<'_>, text: &str, known: &[&'static str], else_default: bool) {
    if known.contains(&text) {
        return;
    }
    let named: Vec<&str> = known
        .iter()
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    let remedy = did_you_mean(
        text,
        named.iter().copied(),
        &format!("use one of {}", named.join(", ")),
    );
    let (rule, sentence) = if else_default {
        (
            Rule::UnknownWord,
            format!("{:?} is not known here and read as the default", clip(text)),
        )
    } else {
        (
            Rule::WrongValue,
            format!("{:?} means nothing here", clip(text)),
        )
    };
    place.note(rule, sentence, remedy);
}

fn digits(place: &Place<'_>, text: &str) {
    if DigitString::from_text(text).is_none() {
        place.note(
            Rule::WrongValue,
            format!("{:?} is not {}", clip(text), DigitString::EXPECTED),
            "use the keys of a telephone only, and a second digits_send for more than 100",
        );
    }
}

fn end_keys(place: &Place<'_>, text: &str) {
    if let Some(wrong) = text.chars().find(|key| !is_digit(*key)) {
        place.note(
            Rule::WrongValue,
            format!("no telephone has the key {wrong:?}"),
            "list the keys that end the collection, such as \"#\"",
        );
    }
}

fn recording_format(place: &Place<'_>, text: &str) {
    if !["", "wav", "mp3", "ogg"].contains(&text) {
        place.note(
            Rule::RecordingFormat,
            format!(
                "{:?} is not supported: recordings are written as wav, mp3 or ogg",
                clip(text)
            ),
            "use \"wav\", \"mp3\" or \"ogg\" (Opus), and convert the file afterwards",
        );
    }
}

fn method(place: &Place<'_>, text: &str) {
    const KNOWN: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"];
    match HttpMethod::from_text(text) {
        Some(HttpMethod(method)) if KNOWN.contains(&method.as_str()) => {}
        Some(HttpMethod(method)) => place.note(
            Rule::UnknownWord,
            format!("few servers know the method {method}"),
            format!("use one of {}", KNOWN.join(", ")),
        ),
        None => place.note(
            Rule::WrongValue,
            format!("{:?} is not {}", clip(text), HttpMethod::EXPECTED),
            format!("use one of {}", KNOWN.join(", ")),
        ),
    }
}

fn flow(place: &Place<'_>, text: &str, around: &Surroundings<'_>) {
    let Some(flows) = around.flows else { return };
    let id = shape::flow_name(text);
    let is_nil = uuid::Uuid::try_parse(&id).is_ok_and(|id| id.is_nil());
    if is_nil || flows.contains(&id) {
        return;
    }
    place.note(
        Rule::UnknownFlow,
        format!("there is no flow {:?} among the flows", clip(text)),
        did_you_mean(
            &id,
            flows.iter().map(String::as_str),
            "put its file into the same directory, or correct the id",
        ),
    );
}

fn url(place: &Place<'_>, text: &str, around: &Surroundings<'_>) {
    // A URL that is one placeholder as a whole is known later only.
    if text.starts_with("${") {
        return;
    }
    match judge(text, around.permits) {
        Ok(()) => {}
        Err(UrlFault::NotHttp) => place.note(
            Rule::WrongValue,
            format!("{:?} is no http:// or https:// URL", clip(text)),
            "write the whole URL, such as https://example.com/hook",
        ),
        Err(UrlFault::Credentials) => place.note(
            Rule::RefusedUrl,
            "a URL with a user and password is refused: it would stand in logs",
            "let the server know the caller by a long random path",
        ),
        Err(UrlFault::Refused) => place.note(
            Rule::RefusedUrl,
            format!(
                "{:?} leads to this machine or a private network",
                clip(text)
            ),
            "use a public host, or allow its network under [outbound_http] and check with --config",
        ),
    }
}

fn media(place: &Place<'_>, around: &Surroundings<'_>) {
    if let Value::List(items) = place.value()
        && items.is_empty()
    {
        place.note(
            Rule::MissingOption,
            "there is nothing to play",
            "name at least one file or URL",
        );
    }
    each(place, |item| {
        let Some(text) = a_string(item) else { return };
        check_text(item, text);
        if has_scheme(text) {
            url(item, text, around);
        }
    });
}

fn addresses(place: &Place<'_>, is_required: bool) {
    if let Value::List(items) = place.value()
        && items.is_empty()
        && is_required
    {
        place.note(
            Rule::MissingOption,
            "there is no destination",
            "name at least one, such as {\"type\": \"tel\", \"target\": \"+15551112222\"}",
        );
    }
    each(place, shape::check_address);
}

fn target(place: &Place<'_>) {
    let Some(text) = a_string(place) else { return };
    check_text(place, text);
    if !has_placeholder(text) && <Option<ActionId>>::from_text(text).is_none() {
        place.note(
            Rule::WrongValue,
            format!("{:?} is not {}", clip(text), <Option<ActionId>>::EXPECTED),
            "give the action a shorter id",
        );
    }
}

fn targets(place: &Place<'_>) {
    if expect(
        place,
        place.is_object(),
        "an object of values and action ids",
    ) {
        for (_, member) in place.members() {
            if *member.value() != Value::Null {
                target(&member);
            }
        }
    }
}

fn whole(place: &Place<'_>, range: Range) {
    scalar::<i64>(place);
    let number = match place.value() {
        Value::Whole(number) => Some(*number),
        Value::Real(number) => i64::from_real(*number),
        Value::Text(text) => i64::from_text(text),
        _ => None,
    };
    let Some(number) = number else { return };
    if (range.low..=range.high).contains(&number) {
        return;
    }
    let Range {
        low, high, unit, ..
    } = range;
    let effect = if range.is_clamped {
        "it is taken into the range"
    } else {
        "it has no effect or never fits"
    };
    let wish = if high == i64::MAX {
        format!("at least {low} {unit}")
    } else {
        format!("{low} to {high} {unit}")
    };
    place.note(
        Rule::OutOfRange,
        format!("{number} is outside of {wish}: {effect}"),
        format!("use {wish}"),
    );
}

/// A value, the string that spells it, or a string with placeholders.
fn scalar<T: Scalar>(place: &Place<'_>) {
    let is_one = match place.value() {
        Value::Text(text) => {
            check_text(place, text);
            has_placeholder(text) || T::from_text(text).is_some()
        }
        Value::Whole(number) => T::from_whole(*number).is_some(),
        Value::Real(number) => T::from_real(*number).is_some(),
        Value::Bool(flag) => T::from_bool(*flag).is_some(),
        Value::Null | Value::List(_) | Value::Object(_) => false,
    };
    expect(place, is_one, T::EXPECTED);
}

fn each(place: &Place<'_>, check: impl Fn(&Place<'_>)) {
    if expect(place, matches!(place.value(), Value::List(_)), "an array") {
        for item in place.items() {
            check(&item);
        }
    }
}

pub(super) fn a_string<'a>(place: &Place<'a>) -> Option<&'a str> {
    expect(place, place.text().is_some(), "a string");
    place.text()
}

/// Notes a value that is not what is needed.
pub(super) fn expect(place: &Place<'_>, is_it: bool, expected: &str) -> bool {
    if !is_it {
        let found = match place.value() {
            Value::Text(text) => format!("{:?}", clip(text)),
            other => other.kind().to_owned(),
        };
        place.note(
            Rule::WrongType,
            format!("expected {expected}, found {found}"),
            format!("write {expected}"),
        );
    }
    is_it
}
