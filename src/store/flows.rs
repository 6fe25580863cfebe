//! Which flow a dialled name or number means.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::flow::Flow;

/// All flows at one moment; replaced as a whole when a file changes, so a call sees one state.
#[derive(Clone, Debug, Default)]
pub struct FlowTable {
    flows: Vec<Arc<Flow>>,
    names: HashMap<String, usize>,
    ids: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    messages: HashMap<String, usize>,
}

/// A number of ours, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// Digits, perhaps with `+` and visual separators.
    pub number: String,
    /// Name of the flow that answers calls to it.
    pub call_flow: Option<String>,
    /// Name of the flow that answers messages to it.
    pub message_flow: Option<String>,
}

/// Two flows that claim the same word; the first keeps it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{claim} is claimed by flow {first} and by flow {second}; {first} keeps it")]
pub struct Clash {
    /// The name, id or number.
    pub claim: String,
    /// File stem of the flow that has it.
    pub first: String,
    /// File stem of the flow that wanted it too.
    pub second: String,
}

/// The flow that answers a request nobody else claims.
const DEFAULT: &str = "default";

impl FlowTable {
    /// Builds the table from file stems with their flows and from configured numbers. A file stem beats a
    /// `name`, and a configured number beats one in a flow.
    #[must_use]
    pub fn new(files: Vec<(String, Arc<Flow>)>, numbers: &[Number]) -> (Self, Vec<Clash>) {
        let mut table = Self::default();
        let stems: Vec<String> = files.iter().map(|(stem, _)| stem.clone()).collect();
        table.flows = files.into_iter().map(|(_, flow)| flow).collect();
        let mut clashes = Vec::new();
        let mut claim = |map: &mut HashMap<String, usize>, word: String, index: usize| {
            let holder = *map.entry(word.clone()).or_insert(index);
            if holder != index {
                clashes.push(Clash {
                    claim: word,
                    first: stems[holder].clone(),
                    second: stems[index].clone(),
                });
            }
        };
        for (index, stem) in stems.iter().enumerate() {
            claim(&mut table.names, name_key(stem), index);
        }
        let configured: HashSet<String> = numbers
            .iter()
            .filter(|number| number.call_flow.is_some())
            .map(|number| number_key(&number.number))
            .collect();
        for number in numbers {
            let flow = |name: &Option<String>| {
                let name = name_key(name.as_deref()?);
                table.names.get(&name).copied()
            };
            let (call_flow, message_flow) = (flow(&number.call_flow), flow(&number.message_flow));
            let key = number_key(&number.number);
            if let Some(index) = call_flow {
                claim(&mut table.numbers, key.clone(), index);
            }
            if let Some(index) = message_flow {
                claim(&mut table.messages, key, index);
            }
        }
        for (index, flow) in table.flows.iter().enumerate() {
            claim(&mut table.ids, flow.id.clone(), index);
            if !flow.name.is_empty() && name_key(&flow.name) != name_key(&stems[index]) {
                claim(&mut table.names, name_key(&flow.name), index);
            }
            for number in flow.numbers.iter().map(|number| number_key(number)) {
                if !configured.contains(&number) {
                    claim(&mut table.numbers, number, index);
                }
            }
        }
        (table, clashes)
    }

    /// The flow for the user part of a request URI: by name, by number with or without `+`, else the
    /// one called `default`.
    #[must_use]
    pub fn route(&self, user: &str) -> Option<&Arc<Flow>> {
        self.claimed(user)
            .or_else(|| self.flows.get(*self.names.get(DEFAULT)?))
    }

    /// The flow that claims the user part of a request URI by its name or number; not the one called
    /// `default`, unless that is what was asked for.
    #[must_use]
    pub fn claimed(&self, user: &str) -> Option<&Arc<Flow>> {
        let index = self
            .names
            .get(&name_key(user))
            .or_else(|| self.numbers.get(&number_key(user)))?;
        self.flows.get(*index)
    }

    /// The flow for messages to a number, with or without `+`; only a configured number has one.
    #[must_use]
    pub fn message_flow(&self, number: &str) -> Option<&Arc<Flow>> {
        self.flows.get(*self.messages.get(&number_key(number))?)
    }

    /// The flow another flow refers to: by id, else by name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&Arc<Flow>> {
        let index = self
            .ids
            .get(reference)
            .or_else(|| self.names.get(&name_key(reference)))?;
        self.flows.get(*index)
    }

    /// All flows, in order of their files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Flow>> {
        self.flows.iter()
    }
}

/// Names are matched without regard to case: phones like to begin a name with a capital.
fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Digits alone, so that `+1 555 111`, `1555111` and `+1555111` are one number.
fn number_key(number: &str) -> String {
    let visual = |c: &char| matches!(c, '+' | ' ' | '-' | '.' | '(' | ')');
    number.chars().filter(|c| !visual(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::dialect::{Support, parse_flow};
    use crate::ids::Rng;

    fn flow(stem: &str, json: &str) -> (String, Arc<Flow>) {
        let flow = parse_flow(
            json.as_bytes(),
            stem,
            &mut Rng::from_number(1),
            Support::Live,
        )
        .unwrap();
        (stem.to_owned(), Arc::new(flow))
    }

    fn named(stem: &str, name: &str, numbers: &str) -> (String, Arc<Flow>) {
        let json = format!(
            r#"{{"id":"flow-{stem}","name":"{name}","numbers":[{numbers}],"actions":[{{"type":"answer"}}]}}"#
        );
        flow(stem, &json)
    }

    fn number(number: &str, call: Option<&str>, message: Option<&str>) -> Number {
        Number {
            number: number.to_owned(),
            call_flow: call.map(str::to_owned),
            message_flow: message.map(str::to_owned),
        }
    }

    #[test]
    fn a_number_has_a_flow_for_messages_beside_the_one_for_calls() {
        let numbers = [
            number("+1 555", None, Some("sms")),
            number("+1556", Some("a"), None),
        ];
        let files = vec![named("a", "", r#""+1555""#), named("sms", "", "")];
        let (table, clashes) = FlowTable::new(files, &numbers);
        assert_eq!(clashes, []);
        assert_eq!(table.message_flow("1555").unwrap().id, "flow-sms");
        assert_eq!(table.route("+1555").unwrap().id, "flow-a");
        assert!(table.message_flow("+1556").is_none());
        assert!(table.message_flow("sms").is_none());
    }

    #[test]
    fn a_flow_is_found_by_stem_name_and_number_with_or_without_plus() {
        let (table, clashes) =
            FlowTable::new(vec![named("menu", "Main Menu", r#""+1 (555) 111""#)], &[]);
        assert_eq!(clashes, []);
        for user in ["menu", "Menu", "Main Menu", "+1555111", "1555111"] {
            assert!(table.route(user).is_some(), "{user}");
        }
        assert!(table.route("555111").is_none());
        assert!(table.find("flow-menu").is_some());
        assert!(table.find("menu").is_some());
    }

    #[test]
    fn default_answers_what_nobody_claims() {
        let (table, _) = FlowTable::new(vec![named("default", "", ""), named("menu", "", "")], &[]);
        assert_eq!(table.route("nobody").unwrap().id, "flow-default");
        assert!(table.find("nobody").is_none());
    }

    #[test]
    fn a_claim_made_twice_stays_with_the_first_and_is_told() {
        let (table, clashes) = FlowTable::new(
            vec![named("a", "", r#""+155""#), named("b", "A", r#""155""#)],
            &[],
        );
        let claims: Vec<&str> = clashes.iter().map(|clash| clash.claim.as_str()).collect();
        assert_eq!(claims, ["a", "155"]);
        assert_eq!(table.route("155").unwrap().id, "flow-a");
    }

    #[test]
    fn a_configured_number_beats_one_in_a_flow_in_silence() {
        let numbers = [number("+155", Some("b"), None)];
        let (table, clashes) = FlowTable::new(
            vec![named("a", "", r#""155""#), named("b", "", "")],
            &numbers,
        );
        assert_eq!(clashes, []);
        assert_eq!(table.route("155").unwrap().id, "flow-b");
    }
}
