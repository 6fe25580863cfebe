//! Orders between their acceptance and their one end.

use std::collections::HashMap;

use crate::command::{CommandId, Outcome, SessionId};

/// Every order that has not finished.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    orders: HashMap<CommandId, Order>,
    of_session: HashMap<SessionId, Vec<CommandId>>,
}

#[derive(Debug)]
struct Order {
    session: SessionId,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Ends with the session.
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
    pub(super) fn accept(
        &mut self,
        session: SessionId,
        command: CommandId,
        is_recording: bool,
    ) -> bool {
        if self.orders.contains_key(&command) {
            return false;
        }
        let kind = if is_recording {
            Kind::Recording
        } else {
            Kind::Plain
        };
        self.orders.insert(command, Order { session, kind });
        self.of_session.entry(session).or_default().push(command);
        true
    }

    /// Strikes an order out and returns whose it was; `None` when it has ended before.
    pub(super) fn settle(&mut self, command: CommandId) -> Option<SessionId> {
        let session = self.orders.remove(&command)?.session;
        if let Some(commands) = self.of_session.get_mut(&session) {
            commands.retain(|known| *known != command);
            if commands.is_empty() {
                self.of_session.remove(&session);
            }
        }
        Some(session)
    }

    /// A recording has ended and will finish as `outcome` once its files are complete.
    pub(super) fn complete(&mut self, recording: CommandId, outcome: Outcome) {
        if let Some(order) = self.orders.get_mut(&recording) {
            order.kind = Kind::Completing(outcome);
        }
    }

    /// Whose recording this is and how far; `None` for anything else.
    pub(super) fn recording(&self, command: CommandId) -> Option<(SessionId, Progress)> {
        let order = self.orders.get(&command)?;
        let progress = match &order.kind {
            Kind::Plain => return None,
            Kind::Recording => Progress::Running,
            Kind::Completing(outcome) => Progress::Completing(outcome.clone()),
        };
        Some((order.session, progress))
    }

    /// The orders of a session.
    pub(super) fn of(&self, session: SessionId) -> &[CommandId] {
        self.of_session.get(&session).map_or(&[], Vec::as_slice)
    }
}
