//! Which digits a branch can meet.

use std::collections::VecDeque;

use super::graph::{Graph, Step};
use super::place::Place;
use super::rule::Rule;
use crate::flow::action::is_digit;
use crate::flow::json::Value;
use crate::flow::template::Scalar;
use crate::flow::variable::{DIGITS, has_placeholder};

/// What the `digits_receive` actions before a branch can give.
struct Given {
    /// Most digits; `None` for no limit.
    longest: Option<usize>,
    /// Keys that end each of them.
    ends: String,
    /// Whether one of them waits for an end key and no length, so that the end key is usual.
    is_ended_by_key: bool,
}

pub(super) fn check(graph: &Graph<'_, '_>) {
    if graph.steps.iter().any(sets_digits) {
        return;
    }
    let before = predecessors(graph);
    for (at, step) in graph.steps.iter().enumerate() {
        if graph.is_reached[at] && reads_digits(step) {
            check_branch(graph, &before, at);
        }
    }
}

fn check_branch(graph: &Graph<'_, '_>, before: &[Vec<usize>], at: usize) {
    let branch = &graph.steps[at];
    let Some(targets) = branch.option("target_ids") else {
        return;
    };
    let given = given_to(graph, before, at);
    let keys: Vec<&str> = targets.members().map(|(key, _)| key).collect();
    for (key, place) in targets.members() {
        if has_placeholder(key) || key.is_empty() {
            continue;
        }
        if let Some(wrong) = key.chars().find(|key| !is_digit(*key)) {
            place.note(
                Rule::ImpossibleKey,
                format!("digits are never {key:?}: no telephone has the key {wrong:?}"),
                "use 0-9, A-D, * and #, or name the variable that the branch shall read",
            );
        } else if let Some(given) = &given {
            check_key(&place, key, &keys, given);
        }
    }
}

fn check_key(place: &Place<'_>, key: &str, keys: &[&str], given: &Given) {
    let length = key.chars().count();
    if let Some(longest) = given.longest
        && length > longest
    {
        place.note(
            Rule::ImpossibleKey,
            format!("digits are never {key:?}: at most {longest} are collected before"),
            format!("collect more (\"length\": {length}), or shorten the key"),
        );
        return;
    }
    let Some(end) = key.find(|key| given.ends.contains(key)) else {
        let is_cut_by_length = given.longest == Some(length);
        let has_ended_twin = keys.iter().any(|other| {
            other
                .strip_prefix(key)
                .is_some_and(|rest| rest.len() == 1 && given.ends.contains(rest))
        });
        if given.is_ended_by_key && !is_cut_by_length && !has_ended_twin {
            let end = given.ends.chars().next().unwrap_or('#');
            place.note(
                Rule::KeyWithoutEnd,
                format!(
                    "the end key stays in the digits: {key:?} is met only by who waits instead of pressing {end}"
                ),
                format!("add the key \"{key}{end}\" with the same target"),
            );
        }
        return;
    };
    if end + 1 < key.len() {
        place.note(
            Rule::ImpossibleKey,
            format!("digits are never {key:?}: the end key in it ends the collection"),
            format!("use {:?}", &key[..=end]),
        );
    }
}

/// What can have been collected on any way to `branch`; `None` when something unknown is on it.
fn given_to(graph: &Graph<'_, '_>, before: &[Vec<usize>], branch: usize) -> Option<Given> {
    let mut is_seen = vec![false; graph.steps.len()];
    let mut open: VecDeque<usize> = before[branch].iter().copied().collect();
    let mut given: Option<Given> = None;
    while let Some(at) = open.pop_front() {
        if std::mem::replace(&mut is_seen[at], true) || !graph.is_reached[at] {
            continue;
        }
        let step = &graph.steps[at];
        match step.name() {
            // It empties the digits: what came before is gone.
            "branch" if reads_digits(step) => continue,
            "fetch" | "fetch_flow" | "queue_join" | "ai_talk" | "chatbot_talk" => return None,
            "digits_receive" => {
                let one = given_by(step)?;
                given = Some(match given {
                    None => one,
                    Some(both) => both.and(one),
                });
            }
            _ => {}
        }
        open.extend(&before[at]);
    }
    given
}

impl Given {
    fn and(self, other: Self) -> Self {
        Self {
            longest: self
                .longest
                .zip(other.longest)
                .map(|(one, other)| one.max(other)),
            ends: self
                .ends
                .chars()
                .filter(|key| other.ends.contains(*key))
                .collect(),
            is_ended_by_key: self.is_ended_by_key && other.is_ended_by_key,
        }
    }
}

fn given_by(step: &Step<'_>) -> Option<Given> {
    let length = match step.option("length").as_ref().map(Place::value) {
        None => 0,
        Some(Value::Whole(length)) => *length,
        Some(Value::Text(text)) => i64::from_text(text)?,
        Some(_) => return None,
    };
    let ends = match step.option("key") {
        None => "",
        Some(key) => key.text().filter(|key| !has_placeholder(key))?,
    };
    let length = usize::try_from(length).unwrap_or(0);
    let longest = match length {
        0 if ends.is_empty() => Some(1),
        0 => None,
        // A digit pressed before counts, also when fewer are wanted.
        length => Some(length),
    };
    Some(Given {
        longest,
        ends: ends.to_owned(),
        is_ended_by_key: !ends.is_empty(),
    })
}

fn reads_digits(step: &Step<'_>) -> bool {
    step.name() == "branch"
        && step.option("variable").is_none_or(|variable| {
            variable
                .text()
                .is_some_and(|name| name.is_empty() || name == DIGITS)
        })
}

fn sets_digits(step: &Step<'_>) -> bool {
    step.name() == "variable_set"
        && step
            .option("key")
            .and_then(|key| key.text())
            .is_some_and(|key| key == DIGITS || has_placeholder(key))
}

fn predecessors(graph: &Graph<'_, '_>) -> Vec<Vec<usize>> {
    let mut before = vec![Vec::new(); graph.steps.len()];
    for (at, edges) in graph.edges.iter().enumerate() {
        for edge in edges {
            before[edge.to].push(at);
        }
    }
    before
}
