//! What should have happened against what did.

use std::fmt::Write as _;
use std::time::Duration;

use super::log::Log;
use super::script::{Expect, When};

/// Stands for any number of items in a list.
const ANY: &str = "...";

/// What is wrong with a run, one text with lines for each thing.
pub(super) fn compare(expect: &Expect, log: &Log) -> Vec<String> {
    let mut wrong = Vec::new();
    let prompts: Vec<Item<'_>> = log
        .prompts
        .iter()
        .map(|prompt| (prompt.at, vec![prompt.text.as_str()]))
        .collect();
    wrong.extend(compare_list(
        "prompts",
        expect.prompts.as_deref(),
        &prompts,
        contains,
    ));
    let path: Vec<Item<'_>> = log
        .path
        .iter()
        .map(|(at, action)| (*at, vec![action.name, action.id.as_str()]))
        .collect();
    wrong.extend(compare_list(
        "path",
        expect.path.as_deref(),
        &path,
        is_one_of,
    ));
    for (what, expected, happened) in [
        ("webhooks", &expect.webhooks, &log.webhooks),
        ("messages", &expect.messages, &log.messages),
        ("emails", &expect.emails, &log.emails),
        ("calls", &expect.calls, &log.calls),
        ("digits_sent", &expect.digits_sent, &log.digits_sent),
    ] {
        let items: Vec<Item<'_>> = happened
            .iter()
            .map(|(at, text)| (*at, vec![text.as_str()]))
            .collect();
        wrong.extend(compare_list(what, expected.as_deref(), &items, contains));
    }
    compare_values(expect, log, &mut wrong);
    for step in &log.steps_left {
        let why = match &step.when {
            When::PromptEnds(text) | When::PromptBegins(text) => {
                format!("no (further) prompt contained {text:?}")
            }
            When::Before | When::Start => "the flow was over, or waited for nothing".to_owned(),
        };
        wrong.push(format!(
            "the step of line {} was not taken: {why}",
            step.line
        ));
    }
    wrong
}

fn compare_values(expect: &Expect, log: &Log, wrong: &mut Vec<String>) {
    let mut differ = |what: &str, expected: Option<String>, happened: String| {
        if let Some(expected) = expected
            && expected != happened
        {
            wrong.push(format!("{what}: expected {expected}, was {happened}"));
        }
    };
    let end = log.end.as_ref();
    let failure = end.and_then(|end| end.failure.clone());
    let end = end.map_or("waiting", |end| end.word);
    let end_with_reason = match &failure {
        Some(failure) if expect.end.as_deref() != Some(end) => format!("{end} ({failure})"),
        _ => end.to_owned(),
    };
    differ("end", expect.end.clone(), end_with_reason);
    let or_none = |text: Option<&str>| text.unwrap_or("nothing").to_owned();
    differ(
        "ended_by",
        expect.ended_by.clone(),
        or_none(log.ended_by.map(super::log::EndedBy::as_str)),
    );
    differ(
        "reason",
        expect.reason.clone(),
        or_none(log.reason.map(crate::status::HangupReason::as_str)),
    );
    differ(
        "on_complete",
        expect.on_complete.clone(),
        or_none(log.on_complete.as_deref()),
    );
    differ(
        "answered",
        expect.answered.map(|flag| flag.to_string()),
        log.is_answered.to_string(),
    );
    differ(
        "recordings",
        expect.recordings.map(|count| count.to_string()),
        log.recordings.to_string(),
    );
    for (name, expected) in &expect.variables {
        let found = log.variables.iter().find(|(other, _)| other == name);
        let value = found.map(|(_, value)| value.as_str()).unwrap_or_default();
        differ(
            &format!("variable {name}"),
            Some(format!("{expected:?}")),
            format!("{value:?}"),
        );
    }
    if let Some(expected) = &expect.failure
        && !failure
            .as_deref()
            .is_some_and(|failure| failure.contains(expected))
    {
        wrong.push(format!(
            "failure: expected one with {expected:?}, was {}",
            failure.as_deref().unwrap_or("none")
        ));
    }
    let lasted = log.lasted;
    if expect.at_least.is_some_and(|least| lasted < least)
        || expect.at_most.is_some_and(|most| lasted > most)
    {
        wrong.push(format!(
            "duration: expected {} to {}, was {}",
            clock(expect.at_least.unwrap_or_default()),
            expect.at_most.map_or_else(|| "any".to_owned(), clock),
            clock(lasted)
        ));
    }
}

/// A moment, and the texts of which one may be expected.
type Item<'a> = (Duration, Vec<&'a str>);

fn contains(texts: &[&str], expected: &str) -> bool {
    texts.iter().any(|text| text.contains(expected))
}

fn is_one_of(texts: &[&str], expected: &str) -> bool {
    texts.iter().any(|text| text.eq_ignore_ascii_case(expected))
}

/// A line of a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Both(usize),
    Missing(usize),
    Unexpected(usize),
    /// Stands for anything.
    Any,
    PassedBy(usize),
}

/// Aligns two lists with the fewest differences; nothing to say when there are none.
fn compare_list(
    what: &str,
    expected: Option<&[String]>,
    happened: &[Item<'_>],
    is_met: fn(&[&str], &str) -> bool,
) -> Option<String> {
    let expected = expected?;
    let lines = align(expected, happened, is_met);
    let is_well = |line: &Line| !matches!(line, Line::Missing(_) | Line::Unexpected(_));
    if lines.iter().all(is_well) {
        return None;
    }
    let mut told = format!("{what} (- expected, + happened):");
    for line in lines {
        let (sign, at, text) = match line {
            Line::Both(at) | Line::PassedBy(at) => (' ', Some(at), ""),
            Line::Unexpected(at) => ('+', Some(at), ""),
            Line::Missing(at) => ('-', None, expected[at].as_str()),
            Line::Any => (' ', None, ANY),
        };
        let (time, text) = match at {
            Some(at) => (clock(happened[at].0), clipped(&happened[at].1.join("  "))),
            None => (String::new(), clipped(text)),
        };
        let _ = write!(told, "\n    {sign} {time:>8}  {text}");
    }
    Some(told)
}

/// The cheapest way through both lists, backwards by dynamic programming and then forward along it.
fn align(
    expected: &[String],
    happened: &[Item<'_>],
    is_met: fn(&[&str], &str) -> bool,
) -> Vec<Line> {
    const MOST: usize = 2000;
    let happened = &happened[..happened.len().min(MOST)];
    let expected = &expected[..expected.len().min(MOST)];
    let width = happened.len() + 1;
    let mut cost = vec![0_u32; (expected.len() + 1) * width];
    let is_any = |at: usize| expected.get(at).is_some_and(|text| text == ANY);
    let meets =
        |wanted: usize, at: usize| !is_any(wanted) && is_met(&happened[at].1, &expected[wanted]);
    for wanted in (0..=expected.len()).rev() {
        for at in (0..=happened.len()).rev() {
            let cost_at = |wanted: usize, at: usize| cost[wanted * width + at];
            let mut best = u32::MAX;
            if wanted == expected.len() && at == happened.len() {
                best = 0;
            }
            if wanted < expected.len() {
                best = best.min(cost_at(wanted + 1, at) + u32::from(!is_any(wanted)));
            }
            if at < happened.len() {
                best = best.min(cost_at(wanted, at + 1) + u32::from(!is_any(wanted)));
            }
            if wanted < expected.len() && at < happened.len() && meets(wanted, at) {
                best = best.min(cost_at(wanted + 1, at + 1));
            }
            cost[wanted * width + at] = best;
        }
    }
    let (mut wanted, mut at) = (0, 0);
    let mut lines = Vec::new();
    while wanted < expected.len() || at < happened.len() {
        let here = cost[wanted * width + at];
        let next = |wanted: usize, at: usize| cost.get(wanted * width + at).copied();
        let price = u32::from(!is_any(wanted));
        if wanted < expected.len()
            && at < happened.len()
            && meets(wanted, at)
            && next(wanted + 1, at + 1) == Some(here)
        {
            lines.push(Line::Both(at));
            wanted += 1;
            at += 1;
        } else if wanted < expected.len()
            && next(wanted + 1, at).is_some_and(|cost| cost + price == here)
        {
            lines.push(if is_any(wanted) {
                Line::Any
            } else {
                Line::Missing(wanted)
            });
            wanted += 1;
        } else {
            lines.push(if is_any(wanted) {
                Line::PassedBy(at)
            } else {
                Line::Unexpected(at)
            });
            at += 1;
        }
    }
    lines
}

fn clipped(text: &str) -> String {
    const LENGTH: usize = 90;
    let line = text.replace(char::is_control, " ");
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Minutes, seconds and tenths.
pub(super) fn clock(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}
