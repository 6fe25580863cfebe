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

/// Where flows come from, side by side.
#[derive(Clone, Debug, Default)]
pub struct FlowSources {
    /// Those of the flows directory, with the stems of their files.
    pub files: Vec<(String, Arc<Flow>)>,
    /// Those that are kept elsewhere, in the order of their making.
    pub stored: Vec<Arc<Flow>>,
    /// Numbers of ours, those of the configuration first.
    pub numbers: Vec<Number>,
}

/// A number of ours, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// Digits, perhaps with `+` and visual separators.
    pub number: String,
    /// Id or name of the flow that answers calls to it.
    pub call_flow: Option<String>,
    /// Id or name of the flow that answers messages to it.
    pub message_flow: Option<String>,
}

/// Two flows that claim the same word; the first keeps it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{claim} is claimed by flow {first} and by flow {second}; {first} keeps it")]
pub struct Clash {
    /// The name, id or number.
    pub claim: String,
    /// The flow that has it: its file stem, or the id of one that is stored.
    pub first: String,
    /// The flow that wanted it too.
    pub second: String,
}

/// The flow that answers a request nobody else claims.
const DEFAULT: &str = "default";

impl FlowSources {
    /// The table of all of them. A file stem beats a `name`, a configured number beats one in a flow, what a
    /// file claims beats what a stored flow does, and of two equals the first has it.
    #[must_use]
    pub fn table(&self) -> (FlowTable, Vec<Clash>) {
        let files = self.files.iter().map(|(_, flow)| flow);
        let mut claims = Claims {
            table: FlowTable {
                flows: files.chain(&self.stored).cloned().collect(),
                ..FlowTable::default()
            },
            callings: self.callings(),
            clashes: Vec::new(),
        };
        for (index, (stem, _)) in self.files.iter().enumerate() {
            claims.claim(|table| &mut table.names, name_key(stem), index);
        }
        let flows = claims.table.flows.clone();
        for (index, flow) in flows.iter().enumerate() {
            claims.claim(|table| &mut table.ids, flow.id.clone(), index);
        }
        for (index, flow) in flows.iter().enumerate() {
            let stem = self.files.get(index).map(|(stem, _)| name_key(stem));
            let name = name_key(&flow.name);
            if !name.is_empty() && Some(&name) != stem.as_ref() {
                claims.claim(|table| &mut table.names, name, index);
            }
        }
        for number in &self.numbers {
            let key = number_key(&number.number);
            if let Some(index) = claims.meant(number.call_flow.as_deref()) {
                claims.claim(|table| &mut table.numbers, key.clone(), index);
            }
            if let Some(index) = claims.meant(number.message_flow.as_deref()) {
                claims.claim(|table| &mut table.messages, key, index);
            }
        }
        let with_flow = self.numbers.iter().filter(|one| one.call_flow.is_some());
        let configured: HashSet<String> = with_flow.map(|one| number_key(&one.number)).collect();
        for (index, flow) in flows.iter().enumerate() {
            for number in flow.numbers.iter().map(|number| number_key(number)) {
                if !configured.contains(&number) {
                    claims.claim(|table| &mut table.numbers, number, index);
                }
            }
        }
        (claims.table, claims.clashes)
    }

    /// What each of them is called when it is told of.
    fn callings(&self) -> Vec<String> {
        let files = self.files.iter().map(|(stem, _)| stem);
        let stored = self.stored.iter().map(|flow| &flow.id);
        files.chain(stored).cloned().collect()
    }
}

/// Who claims what, while a table is made.
struct Claims {
    table: FlowTable,
    callings: Vec<String>,
    clashes: Vec<Clash>,
}

impl Claims {
    /// A word is for a flow, unless another has it.
    fn claim(
        &mut self,
        map: impl FnOnce(&mut FlowTable) -> &mut HashMap<String, usize>,
        word: String,
        index: usize,
    ) {
        let holder = *map(&mut self.table).entry(word.clone()).or_insert(index);
        if holder != index {
            self.clashes.push(Clash {
                claim: word,
                first: self.callings[holder].clone(),
                second: self.callings[index].clone(),
            });
        }
    }

    /// The flow that a number names: by id, else by name.
    fn meant(&self, flow: Option<&str>) -> Option<usize> {
        let (flow, table) = (flow?, &self.table);
        let by_id = table.ids.get(flow);
        by_id.or_else(|| table.names.get(&name_key(flow))).copied()
    }
}

impl FlowTable {
    /// The table of a flows directory and of configured numbers alone: see [`FlowSources::table`].
    #[must_use]
    pub fn new(files: Vec<(String, Arc<Flow>)>, numbers: &[Number]) -> (Self, Vec<Clash>) {
        let sources = FlowSources {
            files,
            stored: Vec::new(),
            numbers: numbers.to_vec(),
        };
        sources.table()
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
mod tests;
