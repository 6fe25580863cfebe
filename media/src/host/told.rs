//! News on its way out of a media thread.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::figures::QueueAges;
use crate::command::{Event, SessionId};

/// An event on its way to whoever drives the switch; how long that takes is counted when it is taken.
#[derive(Debug)]
pub struct Told {
    event: Event,
    since: Instant,
    ages: Arc<QueueAges>,
}

/// Takes events on a media thread.
pub(super) struct Sink {
    tell: Box<dyn Fn(Told) + Send + Sync>,
    gone: mpsc::Sender<SessionId>,
    ages: Arc<QueueAges>,
}

impl Told {
    /// The event, which has waited until `now`.
    #[must_use]
    pub fn take(self, now: Instant) -> Event {
        self.ages.record(now.saturating_duration_since(self.since));
        self.event
    }
}

impl Sink {
    /// Hands events to `tell`, and the ends of sessions to `gone` too.
    pub(super) fn new(
        tell: impl Fn(Told) + Send + Sync + 'static,
        gone: mpsc::Sender<SessionId>,
    ) -> Self {
        Self {
            tell: Box::new(tell),
            gone,
            ages: Arc::default(),
        }
    }

    pub(super) fn tell(&self, event: Event) {
        if let Event::Closed { session, .. } | Event::OpenFailed { session, .. } = &event {
            self.forget(*session);
        }
        (self.tell)(Told {
            event,
            since: Instant::now(),
            ages: Arc::clone(&self.ages),
        });
    }

    /// There is no such session any more.
    pub(super) fn forget(&self, session: SessionId) {
        // Without a host there is nobody left to route for.
        let _ = self.gone.send(session);
    }

    /// How long events wait to be taken.
    pub(super) fn ages(&self) -> &QueueAges {
        &self.ages
    }
}
