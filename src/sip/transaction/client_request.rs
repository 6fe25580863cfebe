//! Non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! ```text
//!           request out
//!               |          Timer E: send again, gap T1, 2T1, 4T1 .. T2
//!               v         .---.
//!             Trying -----'   '---> Trying
//!               |  \__ Timer F, transport gone ________.
//!        1xx    |                                      |
//!               v     Timer F, transport gone          v
//!          Proceeding -----------------------------> Terminated
//!               |  '-> Timer E: send again every T2    ^
//!               | 200-699                              |
//!               '----------------> Completed -- Timer K
//!                                    '-> repeated finals end here
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ClientEvent;
use super::timers::{PATIENCE, Resend, T2, T4, earliest};
use crate::sip::message::{Request, Response};

/// One request of ours, other than INVITE and ACK, until its answer is known.
#[derive(Debug)]
pub(super) struct ClientRequest {
    is_reliable: bool,
    state: State,
    transmit: Option<Bytes>,
    events: VecDeque<ClientEvent>,
}

#[derive(Debug)]
enum State {
    Trying(Repeating),
    Proceeding(Repeating),
    Completed { timer_k: Instant },
    Terminated,
}

#[derive(Debug)]
struct Repeating {
    request: Bytes,
    timer_e: Resend,
    timer_f: Instant,
}

impl ClientRequest {
    /// Sends `request`, which has its Via already.
    #[must_use]
    pub(super) fn new(now: Instant, request: &Request, is_reliable: bool) -> Self {
        let request = request.to_bytes();
        Self {
            is_reliable,
            transmit: Some(request.clone()),
            state: State::Trying(Repeating {
                request,
                timer_e: Resend::over(is_reliable, now, T2),
                timer_f: now + PATIENCE,
            }),
            events: VecDeque::new(),
        }
    }

    /// Takes a response whose branch and method are ours.
    pub(super) fn handle_response(&mut self, now: Instant, response: Arc<Response>) {
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match state {
            State::Trying(mut repeating) if response.status.is_provisional() => {
                repeating.timer_e.slow_down(T2);
                self.events.push_back(ClientEvent::Response(response));
                State::Proceeding(repeating)
            }
            State::Proceeding(repeating) if response.status.is_provisional() => {
                self.events.push_back(ClientEvent::Response(response));
                State::Proceeding(repeating)
            }
            State::Trying(_) | State::Proceeding(_) => {
                self.events.push_back(ClientEvent::Response(response));
                let linger = if self.is_reliable { Duration::ZERO } else { T4 };
                State::Completed {
                    timer_k: now + linger,
                }
            }
            finished @ (State::Completed { .. } | State::Terminated) => finished,
        };
    }

    /// Lets due timers fire.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Trying(repeating) | State::Proceeding(repeating) => {
                if repeating.timer_f <= now {
                    self.state = State::Terminated;
                    self.events.push_back(ClientEvent::TimedOut);
                } else if repeating.timer_e.is_due(now) {
                    self.transmit = Some(repeating.request.clone());
                }
            }
            State::Completed { timer_k } if *timer_k <= now => self.state = State::Terminated,
            State::Completed { .. } | State::Terminated => {}
        }
    }

    /// The transport could not carry the request (RFC 3261 §17.1.4).
    pub(super) fn handle_transport_error(&mut self) {
        if matches!(self.state, State::Trying(_) | State::Proceeding(_)) {
            self.events.push_back(ClientEvent::TransportFailed);
        }
        self.state = State::Terminated;
    }

    /// Takes bytes that want to leave.
    #[must_use]
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.take()
    }

    /// Takes news for the user.
    #[must_use]
    pub(super) fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When a timer is due next.
    #[must_use]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying(repeating) | State::Proceeding(repeating) => {
                earliest(repeating.timer_e.at(), Some(repeating.timer_f))
            }
            State::Completed { timer_k } => Some(*timer_k),
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
