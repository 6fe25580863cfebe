//! Externals on their way to the session they are let in to.

use std::time::Instant;

use super::Engine;
use crate::command::{Event, ExternalConfig, ExternalId, MediaError, SessionId};

impl Engine {
    /// Enters an external that ends with one [`Event::ExternalClosed`], and lets it in.
    pub(super) fn open_external(
        &mut self,
        now: Instant,
        external: ExternalId,
        session: SessionId,
        config: ExternalConfig,
    ) {
        if self.externals.contains_key(&external) {
            tracing::warn!(external = external.0, "an external was let in twice");
            return;
        }
        self.externals.insert(external, session);
        let is_there = self.with_session(now, session, |session, out| {
            session.open_external(now, external, config, out);
        });
        if !is_there {
            self.refuse_external(external, MediaError::UnknownSession);
        }
    }

    /// Takes what an external says; `None`: it takes back what nobody has heard yet.
    pub(super) fn handle_external(
        &mut self,
        now: Instant,
        external: ExternalId,
        samples: Option<&[i16]>,
    ) {
        let Some(session) = self.externals.get(&external).copied() else {
            return;
        };
        self.with_session(now, session, |session, _| match samples {
            Some(samples) => session.hear_external(external, samples),
            None => session.clear_external(external),
        });
    }

    /// Ends the externals of a session that ends without having a say in it.
    pub(super) fn fail_externals(&mut self, session: SessionId, why: &MediaError) {
        let externals = self.externals.iter();
        let mut lost: Vec<ExternalId> = externals
            .filter(|(_, at)| **at == session)
            .map(|(external, _)| *external)
            .collect();
        lost.sort_unstable();
        for external in lost {
            self.refuse_external(external, why.clone());
        }
    }

    /// Takes out the externals of a session that moves.
    pub(super) fn take_externals(&mut self, session: SessionId) -> Vec<ExternalId> {
        let moving = self.externals.extract_if(|_, at| *at == session);
        moving.map(|(external, _)| external).collect()
    }

    /// Enters those of a session that has come.
    pub(super) fn put_externals(&mut self, session: SessionId, externals: Vec<ExternalId>) {
        let externals = externals.into_iter();
        self.externals
            .extend(externals.map(|external| (external, session)));
    }

    fn refuse_external(&mut self, external: ExternalId, why: MediaError) {
        self.outbox.event(Event::ExternalClosed {
            external,
            result: Err(why),
        });
    }
}
