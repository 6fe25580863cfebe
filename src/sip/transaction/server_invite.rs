//! INVITE server transaction (RFC 3261 §17.2.1, as amended by RFC 6026 §7.1).
//!
//! ```text
//!            INVITE in                  repeated INVITE: last 1xx again; 100 ms of silence: 100
//!                |                     .---.
//!                v                     |   v
//!            Proceeding --------------------- transport gone ------------.
//!           /     |                                                      |
//!     2xx  /      | 300-699                                              v
//!         v       v                                                 Terminated
//!    Accepted   Completed -- Timer H: no ACK came --------------------->  ^
//!     |  |        |  '-> Timer G, repeated INVITE: response again         |
//!     |  |        | ACK                                                   |
//!     |  |        v                                                       |
//!     |  |     Confirmed -- Timer I --------------------------------------|
//!     |  '-> repeated INVITE ends here; each 2xx of the user goes out     |
//!     '-- Timer L --------------------------------------------------------'
//! ```
//!
//! The ACK to a 2xx has a branch of its own and never comes here. That Timer H fired is no news: the
//! refusal stands, whether it was heard or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::timers::{PATIENCE, Resend, T2, T4, TRYING_AFTER, earliest};
use crate::sip::message::{Request, Response, Status};

/// One INVITE of the peer and what was said to it.
#[derive(Debug)]
pub(super) struct ServerInvite {
    is_reliable: bool,
    state: State,
    transmit: Option<Bytes>,
}

#[derive(Debug)]
enum State {
    Proceeding(Said),
    Completed {
        refusal: Bytes,
        timer_g: Resend,
        timer_h: Instant,
    },
    Confirmed {
        timer_i: Instant,
    },
    Accepted {
        timer_l: Instant,
    },
    Terminated,
}

#[derive(Debug)]
enum Said {
    /// Nothing yet; the request is kept to say 100 with.
    Nothing {
        request: Arc<Request>,
        trying_at: Instant,
    },
    Provisional(Bytes),
}

impl ServerInvite {
    /// Begins with an INVITE that no transaction knew.
    #[must_use]
    pub(super) fn new(now: Instant, request: Arc<Request>, is_reliable: bool) -> Self {
        Self {
            is_reliable,
            state: State::Proceeding(Said::Nothing {
                request,
                trying_at: now + TRYING_AFTER,
            }),
            transmit: None,
        }
    }

    /// Takes the INVITE again.
    pub(super) fn handle_resent_invite(&mut self) {
        match &self.state {
            State::Proceeding(Said::Nothing { .. }) => self.say_trying(),
            State::Proceeding(Said::Provisional(last)) | State::Completed { refusal: last, .. } => {
                self.transmit = Some(last.clone());
            }
            State::Confirmed { .. } | State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// Takes the ACK to a refusal; returns whether it ended here.
    pub(super) fn handle_ack(&mut self, now: Instant) -> bool {
        match &self.state {
            State::Completed { .. } => {
                let linger = if self.is_reliable { Duration::ZERO } else { T4 };
                self.state = State::Confirmed {
                    timer_i: now + linger,
                };
                true
            }
            State::Confirmed { .. } => true,
            State::Proceeding(_) | State::Accepted { .. } | State::Terminated => false,
        }
    }

    /// Sends the user's response: provisional while it is open, one refusal, or a 2xx as often as
    /// the user wants (RFC 6026 §7.1). Anything else is too late and goes nowhere.
    pub(super) fn respond(&mut self, now: Instant, status: Status, response: Bytes) {
        match &self.state {
            State::Proceeding(_) if status.is_provisional() => {
                self.transmit = Some(response.clone());
                self.state = State::Proceeding(Said::Provisional(response));
            }
            State::Proceeding(_) if status.is_success() => {
                self.transmit = Some(response);
                self.state = State::Accepted {
                    timer_l: now + PATIENCE,
                };
            }
            State::Proceeding(_) => {
                self.transmit = Some(response.clone());
                self.state = State::Completed {
                    refusal: response,
                    timer_g: Resend::over(self.is_reliable, now, T2),
                    timer_h: now + PATIENCE,
                };
            }
            State::Accepted { .. } if status.is_success() => self.transmit = Some(response),
            State::Accepted { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Terminated => {}
        }
    }

    /// Lets due timers fire.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Proceeding(Said::Nothing { trying_at, .. }) if *trying_at <= now => {
                self.say_trying();
            }
            State::Completed { timer_h, .. } if *timer_h <= now => {
                self.state = State::Terminated;
            }
            State::Completed {
                refusal, timer_g, ..
            } => {
                if timer_g.is_due(now) {
                    self.transmit = Some(refusal.clone());
                }
            }
            State::Confirmed { timer_i: until } | State::Accepted { timer_l: until }
                if *until <= now =>
            {
                self.state = State::Terminated;
            }
            State::Proceeding(_)
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => {}
        }
    }

    /// Takes bytes that want to leave.
    #[must_use]
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmit.take()
    }

    /// When a timer is due next.
    #[must_use]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Proceeding(Said::Nothing { trying_at, .. }) => Some(*trying_at),
            State::Completed {
                timer_g, timer_h, ..
            } => earliest(timer_g.at(), Some(*timer_h)),
            State::Confirmed { timer_i: until } | State::Accepted { timer_l: until } => {
                Some(*until)
            }
            State::Proceeding(Said::Provisional(_)) | State::Terminated => None,
        }
    }

    /// Claims that it only waits for its end.
    #[must_use]
    pub(super) const fn lingers(&self) -> bool {
        matches!(self.state, State::Confirmed { .. } | State::Accepted { .. })
    }

    /// Claims that nothing more will come of it.
    #[must_use]
    pub(super) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn say_trying(&mut self) {
        if let State::Proceeding(Said::Nothing { request, .. }) = &self.state {
            let trying = Response::to(request, Status::TRYING).to_bytes();
            self.transmit = Some(trying.clone());
            self.state = State::Proceeding(Said::Provisional(trying));
        }
    }
}
