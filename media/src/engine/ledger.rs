//! Orders between their acceptance and their one end.

use std::collections::HashMap;

use super::Owner;
use crate::command::{CommandId, Outcome};

/// Every order that has not finished.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    orders: HashMap<CommandId, Order>,
    of_owner: HashMap<Owner, Vec<CommandId>>,
}

#[derive(Debug)]
struct Order {
    owner: Owner,
    kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Ends with its owner.
    Plain,
    Recording,
    /// Recorded; ends like this when the files are complete.
    Completing(Outcome),
}

/// How far a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    Completing(Outcome),
}

impl Ledger {
    /// Enters an order; `false` when its id is in use, which nothing may come of.
    pub(super) fn accept(&mut self, owner: Owner, command: CommandId, is_recording: bool) -> bool {
        if self.orders.contains_key(&command) {
            return false;
        }
        let kind = if is_recording {
            Kind::Recording
        } else {
            Kind::Plain
        };
        self.orders.insert(command, Order { owner, kind });
        self.of_owner.entry(owner).or_default().push(command);
        true
    }

    /// Strikes an order out and returns whose it was; `None` when it has ended before.
    pub(super) fn settle(&mut self, command: CommandId) -> Option<Owner> {
        let owner = self.orders.remove(&command)?.owner;
        if let Some(commands) = self.of_owner.get_mut(&owner) {
            commands.retain(|known| *known != command);
            if commands.is_empty() {
                self.of_owner.remove(&owner);
            }
        }
        Some(owner)
    }

    /// A recording has ended and will finish as `outcome` once its files are complete.
    pub(super) fn complete(&mut self, recording: CommandId, outcome: Outcome) {
        if let Some(order) = self.orders.get_mut(&recording) {
            order.kind = Kind::Completing(outcome);
        }
    }

    /// Whose recording this is and how far; `None` for anything else.
    pub(super) fn recording(&self, command: CommandId) -> Option<(Owner, Progress)> {
        let order = self.orders.get(&command)?;
        let progress = match &order.kind {
            Kind::Plain => return None,
            Kind::Recording => Progress::Running,
            Kind::Completing(outcome) => Progress::Completing(outcome.clone()),
        };
        Some((order.owner, progress))
    }

    /// Takes out the orders of a session that moves.
    pub(super) fn take(&mut self, owner: Owner) -> Vec<(CommandId, Kind)> {
        let commands = self.of_owner.remove(&owner).unwrap_or_default();
        let orders = commands.into_iter();
        orders
            .filter_map(|command| Some((command, self.orders.remove(&command)?.kind)))
            .collect()
    }

    /// Enters the orders of a session that has come.
    pub(super) fn put(&mut self, owner: Owner, orders: Vec<(CommandId, Kind)>) {
        for (command, kind) in orders {
            self.orders.insert(command, Order { owner, kind });
            self.of_owner.entry(owner).or_default().push(command);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The orders of a session or a bridge.
    pub(super) fn of(&self, owner: Owner) -> &[CommandId] {
        self.of_owner.get(&owner).map_or(&[], Vec::as_slice)
    }
}
