//! Non-INVITE server transaction (RFC 3261 §17.2.2).
//!
//! ```text
//!         request in
//!             |
//!             v           no answer of ours within 64*T1
//!          Trying --------------------------------------> Terminated
//!             |  \                                            ^
//!         1xx |   \ 200-699                                   |
//!             v    '------------> Completed -- Timer J -------|
//!         Proceeding ----------->   '-> repeated request: response again
//!             '-> repeated request: last 1xx again
//! ```
//!
//! The RFC lets Trying last for ever; the client has given up after Timer F, so this machine does too.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::timers::PATIENCE;
use crate::sip::message::Status;

/// One request of the peer, other than INVITE and ACK, and what was said to it.
#[derive(Debug)]
pub(super) struct ServerRequest {
    is_reliable: bool,
    state: State,
    transmit: Option<Bytes>,
}

#[derive(Debug)]
enum State {
    Trying { until: Instant },
    Proceeding { provisional: Bytes, until: Instant },
    Completed { response: Bytes, timer_j: Instant },
    Terminated,
}

impl ServerRequest {
    /// Begins with a request that no transaction knew.
    #[must_use]
    pub(super) fn new(now: Instant, is_reliable: bool) -> Self {
        Self {
            is_reliable,
            state: State::Trying {
                until: now + PATIENCE,
            },
            transmit: None,
        }
    }

    /// Takes the request again.
    pub(super) fn handle_resent_request(&mut self) {
        match &self.state {
            State::Proceeding {
                provisional: last, ..
            }
            | State::Completed { response: last, .. } => {
                self.transmit = Some(last.clone());
            }
            State::Trying { .. } | State::Terminated => {}
        }
    }

    /// Sends the user's response; after a final one nothing more is sent.
    pub(super) fn respond(&mut self, now: Instant, status: Status, response: Bytes) {
        match self.state {
            State::Trying { until } | State::Proceeding { until, .. } => {
                self.transmit = Some(response.clone());
                self.state = if status.is_provisional() {
                    State::Proceeding {
                        provisional: response,
                        until,
                    }
                } else {
                    let linger = if self.is_reliable {
                        Duration::ZERO
                    } else {
                        PATIENCE
                    };
                    State::Completed {
                        response,
                        timer_j: now + linger,
                    }
                };
            }
            State::Completed { .. } | State::Terminated => {}
        }
    }

    /// Lets due timers fire.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            self.state = State::Terminated;
        }
    }

    /// Takes bytes that want to leave.
    #[must_use]
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.take()
    }

    /// When a timer is due next.
    #[must_use]
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { until }
            | State::Proceeding { until, .. }
            | State::Completed { timer_j: until, .. } => Some(*until),
            State::Terminated => None,
        }
    }

    /// Claims that it only waits for its end.
    #[must_use]
    pub(super) const fn lingers(&self) -> bool {
        matches!(self.state, State::Completed { .. })
    }

    /// Claims that nothing more will come of it.
    #[must_use]
    pub(super) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
