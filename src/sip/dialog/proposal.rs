//! Requests of ours that change or refresh a call (RFC 3261 §14.1, RFC 4028 §7.4, §10).
//!
//! ```text
//!            offer                  no other exchange is open: re-INVITE out
//!   Nothing --------> Waiting --------------------------------------------> Proposed
//!    |  ^                ^                                                   | | | |
//!    |  |                '------ 491, 422, 500 with Retry-After: a pause ----' | | |
//!    |  '-- 2xx: Answered; no description in it, other refusals: OfferRefused -' | |
//!    |                                                                           | |
//!    '-- session timer: UPDATE or re-INVITE out --> Proposed                     | |
//!                                                                                | |
//!   Ended <-- 481, 408, nothing: BYE out ----------------------------------------' |
//!   Proposed <-- provisional responses only for too long: CANCEL out --------------'
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::content;
use super::exchange::Exchange;
use super::floor::Floor;
use super::identity::{put_sdp, write_abilities};
use super::invite::{InviteUsage, State};
use crate::sip::event::{EndCause, Event};
use crate::sip::message::{HeaderName, Method, Response, Status};
use crate::sip::transaction::{ClientEvent, TransactionId};

/// An offer of our user that is not out yet.
#[derive(Debug)]
pub(super) struct Waiting {
    sdp: Bytes,
    tries: u8,
    /// Not before this.
    at: Option<Instant>,
}

/// A re-INVITE or UPDATE of ours that has no final response yet.
#[derive(Debug)]
pub(super) struct Proposed {
    transaction: TransactionId,
    by_update: bool,
    /// The offer of our user, with its tries; a refresh offers what our last body said.
    offer: Option<(Bytes, u8)>,
    /// When a re-INVITE is canceled.
    cancel_at: Option<Instant>,
}

impl InviteUsage {
    /// Offers a change of the session as soon as nothing else is open.
    pub fn offer(&mut self, sdp: Bytes) {
        let at = self.waiting.as_ref().and_then(|waiting| waiting.at);
        self.waiting = Some(Waiting { sdp, tries: 0, at });
    }

    /// Sends the offer that waits, once it may.
    pub fn propose(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if !self.is_free() || self.waiting.as_ref().is_none_or(|w| w.at > Some(now)) {
            return;
        }
        if let Some(Waiting { sdp, tries, .. }) = self.waiting.take() {
            let offer = Some((sdp.clone(), tries + 1));
            self.send_proposal(now, floor, Method::Invite, Some(sdp), offer);
        }
    }

    /// When something of ours is due next.
    pub(super) fn poll_proposal(&self) -> Option<Instant> {
        match &self.proposed {
            Some(proposed) => proposed.cancel_at,
            None => self.waiting.as_ref().filter(|_| self.is_free())?.at,
        }
    }

    /// Claims that an offer of ours within the call has no answer yet.
    pub(super) fn has_offer_out(&self) -> bool {
        self.proposed.as_ref().is_some_and(|it| !it.by_update)
    }

    /// Sends a refresh: UPDATE when the peer takes it, else a re-INVITE with the body of before.
    pub(super) fn refresh(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if !self.is_free() {
            self.timer.retry_at(now + BUSY_PAUSE);
        } else if self.peer_takes_updates {
            self.send_proposal(now, floor, Method::Update, None, None);
        } else {
            let sdp = self.last_sdp.clone();
            self.send_proposal(now, floor, Method::Invite, Some(sdp), None);
        }
    }

    /// Takes back a re-INVITE whose peer keeps us waiting; one that does not even give it back is gone.
    pub(super) fn handle_proposal_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if let Some(proposed) = &mut self.proposed
            && proposed.cancel_at.take_if(|at| *at <= now).is_some()
        {
            let name = proposed.transaction;
            floor.layer.cancel(now, self.latest(name), None);
        }
    }

    /// A re-INVITE of ours without a final response.
    #[must_use]
    pub fn open_invite(&self) -> Option<TransactionId> {
        let proposed = self.proposed.as_ref().filter(|it| !it.by_update)?;
        Some(self.latest(proposed.transaction))
    }

    /// Takes what became of a proposal of ours.
    pub(super) fn handle_proposal_event(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        event: &ClientEvent,
    ) {
        let is_final = !matches!(event, ClientEvent::Response(it) if !it.status.is_final());
        let is_of = |it: &mut Proposed| it.transaction == transaction && is_final;
        let Some(proposed) = self.proposed.take_if(is_of) else {
            return;
        };
        let response = match event {
            ClientEvent::Response(response) => response,
            ClientEvent::TimedOut => {
                let cause = EndCause::RefreshFailed { status: None };
                return self.end_with_bye(now, floor, cause);
            }
            ClientEvent::TransportFailed => {
                self.drop_asked(now, floor, None);
                return self.end(EndCause::TransportFailed);
            }
        };
        let status = response.status;
        if status.is_success() {
            return self.handle_agreed(now, proposed, response);
        }
        if matches!(
            status,
            Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT
        ) {
            let status = Some(status);
            return self.end_with_bye(now, floor, EndCause::RefreshFailed { status });
        }
        let pause = self.pause_after(floor, response);
        match proposed.offer {
            Some((sdp, tries)) => {
                let pause = pause.filter(|_| is_passing(status));
                self.offer_again(now, sdp, tries, pause, status);
            }
            None if proposed.by_update && is_unknown(status) => {
                self.peer_takes_updates = false;
                self.timer.retry_at(now);
            }
            None => self.timer.retry_at(now + pause.unwrap_or(FAILED_PAUSE)),
        }
    }

    /// Acknowledges a 2xx to a re-INVITE of ours, each time it comes (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge(&mut self, floor: &mut Floor<'_>, response: &Response) {
        let Ok(cseq) = response.headers.cseq() else {
            return;
        };
        if cseq.method != Method::Invite {
            return;
        }
        self.dialog.refresh_target(response.headers.contacts());
        let hop = self.dialog.next_hop();
        let mut ack = self.dialog.ack(cseq.number);
        if let Some((number, shown)) = &self.shown
            && *number == cseq.number
        {
            shown.write(&mut ack.headers, hop);
        }
        floor.send_once(hop, ack, self.id);
    }

    fn send_proposal(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        method: Method,
        sdp: Option<Bytes>,
        offer: Option<(Bytes, u8)>,
    ) {
        let by_update = method == Method::Update;
        let mut request = self.dialog.request(method);
        let contact = floor
            .identity
            .contact(self.dialog.next_hop(), self.user.as_deref());
        request.headers.push(HeaderName::Contact, contact);
        write_abilities(&mut request.headers);
        self.timer.write(&mut request.headers);
        if let Some(sdp) = sdp {
            put_sdp(&mut request.headers, &mut request.body, sdp);
        }
        let transaction = self.send(now, floor, request);
        self.proposed = Some(Proposed {
            transaction,
            by_update,
            offer,
            cancel_at: (!by_update).then(|| now + PATIENCE_WITHIN),
        });
    }

    fn handle_agreed(&mut self, now: Instant, proposed: Proposed, response: &Response) {
        let agreed = response.headers.session_expires().ok().flatten();
        self.timer.handle_refreshed(now, agreed);
        let dialog = self.id;
        if proposed.by_update {
            return self.dialog.refresh_target(response.headers.contacts());
        }
        match (content::answer(response), proposed.offer) {
            (Some(sdp), offer) => {
                if let Some((offered, _)) = offer {
                    self.last_sdp = offered;
                }
                self.events.push_back(Event::Answered { dialog, sdp });
            }
            (None, Some(_)) => self.events.push_back(Event::OfferRefused {
                dialog,
                status: response.status,
            }),
            (None, None) => {}
        }
    }

    fn offer_again(
        &mut self,
        now: Instant,
        sdp: Bytes,
        tries: u8,
        pause: Option<Duration>,
        status: Status,
    ) {
        let at = pause.map(|pause| now + pause);
        if let Some(newer) = &mut self.waiting {
            newer.at = at;
        } else if at.is_some() && tries < MOST_TRIES {
            self.waiting = Some(Waiting { sdp, tries, at });
        } else {
            self.events.push_back(Event::OfferRefused {
                dialog: self.id,
                status,
            });
        }
    }

    /// How long after this refusal the same may be asked again; `None` when that is vain.
    fn pause_after(&mut self, floor: &mut Floor<'_>, response: &Response) -> Option<Duration> {
        match response.status {
            Status::SESSION_INTERVAL_TOO_SMALL => {
                let min = response.headers.min_se().ok().flatten().unwrap_or_default();
                let is_news = self.timer.raise(Duration::from_secs(min.into()));
                is_news.then_some(Duration::ZERO)
            }
            // Whoever made the Call-ID waits longer, so that the two do not meet again (RFC 3261 §14.1).
            Status::REQUEST_PENDING => {
                let steps = if self.dialog.is_ours() {
                    210 + floor.rng.below(191)
                } else {
                    floor.rng.below(201)
                };
                Some(STEP * steps)
            }
            // 500 is also what a peer says that has not closed another exchange yet (§14.2).
            _ => {
                let pause = response.headers.retry_after();
                pause.map(|pause| pause.min(FAILED_PAUSE))
            }
        }
    }

    fn is_free(&self) -> bool {
        matches!(self.state, State::Established)
            && matches!(self.exchange, Exchange::Idle)
            && self.proposed.is_none()
    }
}

/// Claims that a refusal of an offer is about the moment: another exchange is open, or the interval was too
/// short.
const fn is_passing(status: Status) -> bool {
    matches!(
        status,
        Status::REQUEST_PENDING
            | Status::SESSION_INTERVAL_TOO_SMALL
            | Status::SERVER_INTERNAL_ERROR
    )
}

/// Claims that a refusal of an UPDATE says that the method is not served.
fn is_unknown(status: Status) -> bool {
    status.class() == 4
        && status != Status::REQUEST_PENDING
        && status != Status::SESSION_INTERVAL_TOO_SMALL
        || status == Status::NOT_IMPLEMENTED
}

/// The units of the random pauses of RFC 3261 §14.1.
const STEP: Duration = Duration::from_millis(10);

/// How long a refresh waits while another exchange is open.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// How long after a refresh was refused it is tried again, as long as the session lasts.
const FAILED_PAUSE: Duration = Duration::from_secs(60);

/// How often one offer is made to a peer that always has another one open.
const MOST_TRIES: u8 = 8;

/// How long a peer may ponder over a re-INVITE; telephones answer at once, and some ask their user.
const PATIENCE_WITHIN: Duration = Duration::from_secs(120);
