//! INVITE client transaction (RFC 3261 §17.1.1, as amended by RFC 6026 §7.2).
//!
//! ```text
//!            INVITE out
//!                |           Timer A: send again, double it
//!                v          .---.
//!             Calling ------'   '---> Calling
//!                |  \__ Timer B, transport gone ___________.
//!       1xx      |      64*T1 after a CANCEL               |
//!                v     / 2xx                               v
//!           Proceeding ---------> Accepted -- Timer M --> Terminated
//!                |                   '-> each 2xx goes     ^
//!                | 300-699: ACK out      to the user       |
//!                '-----------------> Completed -- Timer D -'
//!                                    '-> each 300-699: ACK out again
//! ```
//!
//! Holds no clock and no socket: time comes in as `now`, bytes leave by [`ClientInvite::poll_transmit`].
//! The ACK to a 2xx is not sent here; it belongs to the dialog (RFC 3261 §13.2.2.4).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ClientEvent;
use super::timers::{PATIENCE, Resend, TIMER_D, earliest};
use crate::sip::message::{CSeq, HeaderName, Headers, Method, Request, Response};

/// One INVITE of ours until its end is known.
#[derive(Debug)]
pub(super) struct ClientInvite {
    request: Arc<Request>,
    is_reliable: bool,
    state: State,
    transmit: Option<Bytes>,
    events: VecDeque<ClientEvent>,
}

#[derive(Debug)]
enum State {
    Calling {
        invite: Bytes,
        resend: Resend,
        timer_b: Instant,
        is_abandoned: bool,
    },
    Proceeding {
        /// Once it is canceled or nobody waits for it (RFC 3261 §9.1).
        give_up_at: Option<Instant>,
    },
    Accepted {
        timer_m: Instant,
    },
    Completed {
        ack: Bytes,
        timer_d: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// Sends `request`, which has its Via already.
    #[must_use]
    pub(super) fn new(now: Instant, request: Arc<Request>, is_reliable: bool) -> Self {
        let invite = request.to_bytes();
        Self {
            request,
            is_reliable,
            transmit: Some(invite.clone()),
            state: State::Calling {
                invite,
                resend: Resend::over(is_reliable, now, PATIENCE),
                timer_b: now + PATIENCE,
                is_abandoned: false,
            },
            events: VecDeque::new(),
        }
    }

    /// Takes a response whose branch and method are ours.
    pub(super) fn handle_response(&mut self, now: Instant, response: Arc<Response>) {
        let status = response.status;
        match &self.state {
            State::Calling { is_abandoned, .. } if status.is_provisional() => {
                self.state = State::Proceeding {
                    give_up_at: is_abandoned.then_some(now + PATIENCE),
                };
                self.events.push_back(ClientEvent::Response(response));
            }
            State::Proceeding { .. } if status.is_provisional() => {
                self.events.push_back(ClientEvent::Response(response));
            }
            State::Calling { .. } | State::Proceeding { .. } if status.is_success() => {
                self.state = State::Accepted {
                    timer_m: now + PATIENCE,
                };
                self.events.push_back(ClientEvent::Response(response));
            }
            State::Calling { .. } | State::Proceeding { .. } => {
                let ack = ack_to_refusal(&self.request, &response).to_bytes();
                self.transmit = Some(ack.clone());
                let linger = if self.is_reliable {
                    Duration::ZERO
                } else {
                    TIMER_D
                };
                self.state = State::Completed {
                    ack,
                    timer_d: now + linger,
                };
                self.events.push_back(ClientEvent::Response(response));
            }
            State::Accepted { .. } if status.is_success() => {
                self.events.push_back(ClientEvent::Response(response));
            }
            State::Completed { ack, .. } if status.is_final() && !status.is_success() => {
                self.transmit = Some(ack.clone());
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => {}
        }
    }

    /// The CANCEL of this INVITE, which goes the same way with the same branch (RFC 3261 §9.1); `None`
    /// before the first provisional response and after the final one. Without a final response the INVITE is
    /// over 64·T1 later.
    #[must_use]
    pub(super) fn cancel(&mut self, now: Instant) -> Option<Request> {
        if !matches!(self.state, State::Proceeding { .. }) {
            return None;
        }
        self.abandon(now);
        let headers = &self.request.headers;
        Some(hop_by_hop(&self.request, Method::Cancel, headers))
    }

    /// Nobody waits for an answer any more: says nothing until the peer does, and does not wait for ever.
    pub(super) fn abandon(&mut self, now: Instant) {
        match &mut self.state {
            State::Calling {
                resend,
                is_abandoned,
                ..
            } => {
                *resend = Resend::never();
                *is_abandoned = true;
            }
            State::Proceeding { give_up_at } => {
                give_up_at.get_or_insert(now + PATIENCE);
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => {}
        }
    }

    /// Lets due timers fire.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Calling { timer_b, .. } if *timer_b <= now => {
                self.end(ClientEvent::TimedOut);
            }
            State::Calling { invite, resend, .. } => {
                if resend.is_due(now) {
                    self.transmit = Some(invite.clone());
                }
            }
            State::Accepted { timer_m: until } | State::Completed { timer_d: until, .. }
                if *until <= now =>
            {
                self.state = State::Terminated;
            }
            State::Proceeding {
                give_up_at: Some(at),
            } if *at <= now => self.end(ClientEvent::TimedOut),
            State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Terminated => {}
        }
    }

    /// The transport could not carry the request (RFC 3261 §17.1.4).
    pub(super) fn handle_transport_error(&mut self) {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                self.end(ClientEvent::TransportFailed)
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => {
                self.state = State::Terminated;
            }
        }
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
            State::Calling {
                resend, timer_b, ..
            } => earliest(resend.at(), Some(*timer_b)),
            State::Accepted { timer_m: until } | State::Completed { timer_d: until, .. } => {
                Some(*until)
            }
            State::Proceeding { give_up_at } => *give_up_at,
            State::Terminated => None,
        }
    }

    /// Claims that it only waits for its end.
    #[must_use]
    pub(super) const fn lingers(&self) -> bool {
        matches!(self.state, State::Accepted { .. } | State::Completed { .. })
    }

    /// Claims that nothing more will come of it.
    #[must_use]
    pub(super) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn end(&mut self, event: ClientEvent) {
        self.state = State::Terminated;
        self.events.push_back(event);
    }
}

/// The ACK to a 300-699, with the To of the response (RFC 3261 §17.1.1.3).
fn ack_to_refusal(invite: &Request, response: &Response) -> Request {
    hop_by_hop(invite, Method::Ack, &response.headers)
}

/// A request that belongs to the transaction of `invite`: same target, branch, routes and CSeq number.
fn hop_by_hop(invite: &Request, method: Method, to: &Headers) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    for (source, name) in [
        (&invite.headers, HeaderName::Via),
        (&invite.headers, HeaderName::MaxForwards),
        (&invite.headers, HeaderName::From),
        (to, HeaderName::To),
        (&invite.headers, HeaderName::CallId),
    ] {
        if let Some(value) = source.get(&name) {
            request.headers.push(name, value.clone());
        }
    }
    if let Ok(cseq) = invite.headers.cseq() {
        let cseq = CSeq {
            number: cseq.number,
            method,
        };
        request.headers.push(HeaderName::CSeq, cseq.to_string());
    }
    for route in invite.headers.get_all(&HeaderName::Route) {
        request.headers.push(HeaderName::Route, route.clone());
    }
    request
}
