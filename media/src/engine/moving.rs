//! Sessions on their way from one engine to another.

use std::time::Instant;

use super::ledger::Kind;
use super::{Engine, Entry, Owner};
use crate::command::{CommandId, ExternalId, SessionId};

/// A session between two engines, with its orders; nothing of it is lost on the way, and an order that it has
/// finishes where it arrives.
#[derive(Debug)]
pub struct Departure {
    session: SessionId,
    entry: Entry,
    orders: Vec<(CommandId, Kind)>,
    externals: Vec<ExternalId>,
}

impl Departure {
    /// Who it is.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Its externals.
    #[must_use]
    pub fn externals(&self) -> &[ExternalId] {
        &self.externals
    }

    /// Its recordings, also those whose files are being completed.
    pub fn recordings(&self) -> impl Iterator<Item = CommandId> + '_ {
        let orders = self.orders.iter();
        orders
            .filter(|(_, kind)| !matches!(kind, Kind::Plain))
            .map(|(command, _)| *command)
    }
}

impl Engine {
    /// Lets a session go to another engine, out of the bridge it is in; `None` when it is not here. Drain
    /// [`Engine::poll_output`] before its sockets go too.
    #[must_use]
    pub fn release(&mut self, now: Instant, session: SessionId) -> Option<Departure> {
        self.leave(now, session);
        let entry = self.remove(session)?;
        let orders = self.ledger.take(Owner::Session(session));
        let externals = self.take_externals(session);
        Some(Departure {
            session,
            entry,
            orders,
            externals,
        })
    }

    /// Takes a session in that another engine has let go.
    pub fn adopt(&mut self, now: Instant, departure: Departure) {
        let Departure {
            session,
            mut entry,
            orders,
            externals,
        } = departure;
        self.ledger.put(Owner::Session(session), orders);
        self.put_externals(session, externals);
        entry.session.forget_pace();
        let armed = None;
        self.sessions.insert(session, Entry { armed, ..entry });
        // It is woken when it is due.
        self.with_session(now, session, |_, _| {});
    }
}
