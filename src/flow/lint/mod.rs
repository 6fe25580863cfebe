//! What can be known of a flow before a caller hears it.
//!
//! [`check`] reads a flow file as an author wrote it, not as the engine runs it: an option that the
//! engine passes over in silence is worth a word here. What it finds is a list of [`Finding`]s, each of
//! a [`Rule`] with a fixed code, at a place, with a remedy. It makes no connection and reads no file:
//! what it has to know of the world is in [`Surroundings`].
//!
//! ```text
//!   text --> json::parse --> shape    types, options, ranges, words, URLs
//!                |             |
//!                |             v
//!            syntax          graph    targets, reachability, loops, answers, digits
//! ```

mod catalogue;
mod digits;
mod external;
mod finding;
mod graph;
mod loops;
mod options;
mod place;
mod placeholder;
mod rule;
mod shape;
mod syntax;
mod url;

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::dialect::{FlowError, FlowErrorKind, MAX_ACTIONS, MAX_TEXT, Support, parse_flow};
use super::json::{self, Value};
use crate::ids::Rng;
use finding::Notes;
use place::Place;

pub use catalogue::action_types;
pub use finding::Finding;
pub use rule::{Rule, Severity};

/// What a flow refers to and does not hold.
pub struct Surroundings<'a> {
    /// Ids and names of the flows it can fetch; `None` when that is not known.
    pub flows: Option<&'a BTreeSet<String>>,
    /// Whether another flow fetches this one, so that jumps may lead out of it and a call may be
    /// answered already.
    pub is_fetched: bool,
    /// Ids of the actions of the flows that may fetch this one.
    pub outer_ids: &'a BTreeSet<String>,
    /// Ids that other flows jump to.
    pub outer_targets: &'a BTreeSet<String>,
    /// Whether the outbound policy lets a flow reach this address.
    pub permits: &'a dyn Fn(IpAddr) -> bool,
}

/// What one flow tells of itself to those around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its id, as flows refer to it.
    pub id: Option<String>,
    /// Its name; `None` when it has only that of its file.
    pub name: Option<String>,
    /// Ids of its actions.
    pub action_ids: BTreeSet<String>,
    /// Ids it jumps to.
    pub targets: BTreeSet<String>,
    /// Flows it fetches.
    pub fetches: BTreeSet<String>,
}

/// Everything that is wrong or odd about the flow file `text`, in the order of the text.
#[must_use]
pub fn check(text: &[u8], surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let notes = Notes::new(text);
    if text.len() > MAX_TEXT {
        let sentence = format!("the file is longer than {MAX_TEXT} bytes");
        notes.add(0, "$".to_owned(), Rule::NotAFlow, sentence, SPLIT);
        return notes.finish();
    }
    match json::parse(text) {
        Ok(root) => check_root(&Place::root(&notes, &root), surroundings),
        Err(misread) => {
            syntax::explain(&notes, text, &misread);
            return notes.finish();
        }
    }
    let mut findings = notes.finish();
    add_what_the_reader_says(text, &mut findings);
    findings
}

const SPLIT: &str = "split the flow and join its parts with fetch_flow";

fn check_root(root: &Place<'_>, surroundings: &Surroundings<'_>) {
    let Some(actions) = shape::check_flow(root, surroundings) else {
        return;
    };
    if let Value::List(items) = actions.value()
        && items.len() > MAX_ACTIONS
    {
        let sentence = format!("a flow has at most {MAX_ACTIONS} actions");
        actions.note(Rule::NotAFlow, sentence, SPLIT);
        return;
    }
    let steps = shape::check_actions(&actions, surroundings);
    let graph = graph::Graph::new(&steps, surroundings);
    graph.check(shape::is_for_the_api_only(root));
}

/// The reader of the switch has the last word: what it refuses is never passed.
fn add_what_the_reader_says(text: &[u8], findings: &mut Vec<Finding>) {
    let errors_of = |support| parse_flow(text, "", &mut Rng::from_number(0), support).err();
    let mut add = |rule: Rule, error: &FlowError, remedy: &str| {
        let is_known = findings.iter().any(|finding| {
            finding.path == error.path && finding.rule.severity() >= rule.severity()
        });
        if !is_known && findings.len() < Notes::MAX {
            findings.push(Finding {
                rule,
                path: error.path.clone(),
                line: error.line,
                column: error.column,
                sentence: error.kind.to_string(),
                remedy: remedy.to_owned(),
            });
        }
    };
    for error in errors_of(Support::All).iter().flatten() {
        add(Rule::WrongValue, error, "correct the value");
    }
    for error in errors_of(Support::Live).iter().flatten() {
        if matches!(error.kind, FlowErrorKind::NotSupported { .. }) {
            let remedy = "the dry run knows it, the switch of this version refuses the file";
            add(Rule::NotSupported, error, remedy);
        }
    }
    findings.sort_by_key(|finding| (finding.line, finding.column));
}

/// What a flow file tells others of itself; nothing when it is no JSON.
#[must_use]
pub fn outline(text: &[u8]) -> Outline {
    let mut outline = Outline::default();
    if text.len() > MAX_TEXT {
        return outline;
    }
    let Ok(root) = json::parse(text) else {
        return outline;
    };
    let notes = Notes::new(text);
    let root = Place::root(&notes, &root);
    let text_of = |key| root.find(key).and_then(|place| place.text());
    outline.id = text_of("id").map(shape::flow_name);
    outline.name = text_of("name").map(str::to_owned);
    let actions = match root.value() {
        Value::List(_) => Some(root.clone()),
        _ => root.find("actions"),
    };
    for step in actions.iter().flat_map(graph::read_steps) {
        outline.action_ids.extend(step.id);
        for jump in step.jumps {
            outline.targets.extend(jump.target);
        }
        outline.fetches.extend(step.fetches);
    }
    outline
}

#[cfg(test)]
mod tests;
