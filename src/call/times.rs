//! When a call came where.

use std::time::Instant;

use crate::status::CallStatus;

/// The moments of a call, each of which comes once or never, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// It came to be.
    pub began: Instant,
    /// The party was alerted, as far as is known; a call that comes in rings from the start.
    pub rang: Option<Instant>,
    /// It was answered.
    pub answered: Option<Instant>,
    /// It was hung up: nothing reaches the party from then on. Its media may close later.
    pub ended: Option<Instant>,
}

impl Times {
    pub(super) const fn new(began: Instant) -> Self {
        Self {
            began,
            rang: None,
            answered: None,
            ended: None,
        }
    }

    /// The call is there now.
    pub(super) const fn enter(&mut self, now: Instant, status: CallStatus) {
        match status {
            CallStatus::Ringing => self.rang = Some(now),
            CallStatus::Progressing => self.answered = Some(now),
            _ => {}
        }
    }
}
