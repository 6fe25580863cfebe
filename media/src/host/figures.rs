//! How long things took on media threads, counted by each and read by anybody.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::EngineFigures;
use crate::histogram::Histogram;

/// How long things took, in all threads since their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaFigures {
    /// Of what peers sent, and of ticks.
    ///
    /// On a thread with many datagrams a second only some of what comes and goes is measured, chosen without
    /// regard to what it is.
    pub engine: EngineFigures,
    /// How long orders waited until their thread took them.
    pub inbox: Histogram,
    /// How long frames of recordings waited until they were written, 20 ms of them on purpose.
    pub backlog: Histogram,
    /// How long events waited until whoever drives the switch took them.
    pub events: Histogram,
}

impl MediaFigures {
    /// Adds those of another thread.
    pub(super) fn merge(&mut self, other: &Self) {
        self.engine.delays.merge(&other.engine.delays);
        self.engine.lateness.merge(&other.engine.lateness);
        self.inbox.merge(&other.inbox);
        self.backlog.merge(&other.backlog);
        self.events.merge(&other.events);
    }
}

/// Figures that lie ready to be read; their thread lays them down and never waits for a reader.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<MediaFigures>);

impl Board {
    /// Lays figures down, if nobody reads just now.
    pub(super) fn publish(&self, write: impl FnOnce(&mut MediaFigures)) {
        if let Ok(mut figures) = self.0.try_lock() {
            write(&mut figures);
        }
    }

    /// Adds them to others.
    pub(super) fn read_into(&self, all: &mut MediaFigures) {
        all.merge(&self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How long things wait for the thread that takes them, which counts them; a media thread looks at it.
#[derive(Debug, Default)]
pub(super) struct QueueAges(Mutex<Ages>);

#[derive(Debug, Default)]
struct Ages {
    all: Histogram,
    /// Since it was looked at last.
    worst: Duration,
}

impl QueueAges {
    pub(super) fn record(&self, age: Duration) {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ages.all.record(age);
        ages.worst = ages.worst.max(age);
    }

    /// Copies all that was counted, and gives the worst since the last time, unless the writer counts just now.
    pub(super) fn look(&self, all: &mut Histogram) -> Duration {
        let Ok(mut ages) = self.0.try_lock() else {
            return Duration::ZERO;
        };
        all.clone_from(&ages.all);
        std::mem::take(&mut ages.worst)
    }

    /// Gives the worst since the last time, unless somebody counts just now.
    pub(super) fn take_worst(&self) -> Duration {
        let ages = self.0.try_lock();
        ages.map_or(Duration::ZERO, |mut ages| std::mem::take(&mut ages.worst))
    }

    /// Adds all that was counted to `all`.
    pub(super) fn read_into(&self, all: &mut Histogram) {
        all.merge(&self.0.lock().unwrap_or_else(PoisonError::into_inner).all);
    }
}
