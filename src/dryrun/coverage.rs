//! Which actions and ways of a flow its tests have taken.

use std::collections::BTreeMap;

use super::Report;
use crate::flow::{ActionId, ActionKind, Actions, Flow, Late, Target};

/// What the tests of one flow have reached.
#[derive(Clone, Debug)]
pub struct Coverage {
    actions: Vec<(String, bool)>,
    ways: Vec<WayOut>,
}

/// One way out of an action that has several.
#[derive(Clone, Debug)]
struct WayOut {
    from: ActionId,
    /// `None`: the end of the actions.
    to: Option<ActionId>,
    /// In words.
    told: String,
    is_taken: bool,
}

impl Coverage {
    /// Nothing reached yet.
    #[must_use]
    pub fn new(flow: &Flow) -> Self {
        let actions = flow.actions.iter().enumerate();
        Self {
            actions: actions
                .clone()
                .map(|(at, action)| (told(at, action.kind.name(), &action.id), false))
                .collect(),
            ways: actions
                .flat_map(|(at, _)| ways_out(&flow.actions, at))
                .collect(),
        }
    }

    /// Adds what a test has reached.
    pub fn add(&mut self, flow: &Flow, report: &Report) {
        for id in &report.path {
            if let Some(at) = flow.actions.find(id) {
                self.actions[at].1 = true;
            }
        }
        for way in &mut self.ways {
            way.is_taken |= report.path.iter().enumerate().any(|(at, id)| {
                let next = report.path.get(at + 1);
                *id == way.from
                    && next == way.to.as_ref()
                    && (next.is_some() || report.has_finished)
            });
        }
    }

    /// Actions reached, and all.
    #[must_use]
    pub fn actions(&self) -> (usize, usize) {
        let reached = self.actions.iter().filter(|(_, is_reached)| *is_reached);
        (reached.count(), self.actions.len())
    }

    /// Ways taken, and all, of the actions that have several.
    #[must_use]
    pub fn ways(&self) -> (usize, usize) {
        let taken = self.ways.iter().filter(|way| way.is_taken);
        (taken.count(), self.ways.len())
    }

    /// What no test has reached, one text each.
    pub fn gaps(&self) -> impl Iterator<Item = String> {
        let actions = self.actions.iter().filter(|(_, is_reached)| !is_reached);
        let ways = self.ways.iter().filter(|way| !way.is_taken);
        actions
            .map(|(told, _)| format!("action {told}"))
            .chain(ways.map(|way| format!("way {}", way.told)))
    }
}

fn told(at: usize, name: &str, id: &ActionId) -> String {
    format!("{at} {name} ({id})")
}

/// The ways out of an action; those that lead to the same place are one. None when there is no choice, or
/// when a target is known at the call only.
fn ways_out(actions: &Actions, at: usize) -> Vec<WayOut> {
    let action = &actions[at];
    let next = action
        .next_id
        .clone()
        .or_else(|| actions.get(at + 1).map(|next| next.id.clone()));
    let mut ways: BTreeMap<Option<ActionId>, Vec<String>> = BTreeMap::new();
    let mut add = |target: &Target, told: String| {
        if let Late::Known(Some(target)) = target {
            ways.entry(Some(target.clone())).or_default().push(told);
        }
    };
    let mut past = None;
    match &action.kind {
        ActionKind::Branch(branch) => {
            for (key, target) in &branch.targets {
                add(target, format!("{key:?}"));
            }
            add(&branch.default_target, "default".to_owned());
        }
        ActionKind::Goto { target, .. } => {
            add(target, "jump".to_owned());
            past = Some("past");
        }
        ActionKind::ConditionVariable(condition) => {
            add(&condition.false_target, "false".to_owned());
            past = Some("true");
        }
        ActionKind::ConditionDatetime(condition) => {
            add(&condition.false_target, "false".to_owned());
            past = Some("true");
        }
        ActionKind::ConditionCallDigits(condition) => {
            add(&condition.false_target, "false".to_owned());
            past = Some("true");
        }
        ActionKind::ConditionCallStatus(condition) => {
            add(&condition.false_target, "false".to_owned());
            past = Some("true");
        }
        _ => {}
    }
    if let Some(past) = past {
        ways.entry(next).or_default().push(past.to_owned());
    }
    ways.into_iter()
        .map(|(to, labels)| WayOut {
            from: action.id.clone(),
            told: format!(
                "{} of {}",
                labels.join(", "),
                told(at, action.kind.name(), &action.id)
            ),
            to,
            is_taken: false,
        })
        .collect()
}
