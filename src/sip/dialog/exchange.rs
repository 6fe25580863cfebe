//! Offers of the peer within a call: the ACKs of our 200s (RFC 3261 §13.3.1.4), re-INVITE (§14.2) and UPDATE
//! (RFC 3311).
//!
//! ```text
//!           re-INVITE or UPDATE with an offer            UPDATE: answer_offer, refuse_offer
//!         .---------------------------------> Asked --------------------------> Idle
//!         |                                     |
//!       Idle                                    | re-INVITE: answer_offer
//!         |  first INVITE: answer               v
//!         '------------------------------> AwaitingAck -- ACK --> Idle
//!                                               '-- 64*T1 without --> BYE
//!
//!   comes in while           Asked          AwaitingAck      our re-INVITE is out
//!   re-INVITE                500            500              491
//!   UPDATE with offer        500            491 or 500       491
//!   UPDATE without           200            200              200
//! ```

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::content;
use super::floor::Floor;
use super::identity::{put_sdp, takes_updates};
use super::invite::{InviteUsage, State};
use super::refresh::{Agreed, SessionError};
use crate::sip::event::{EndCause, Event};
use crate::sip::message::{HeaderName, Method, Request, Response, Status};
use crate::sip::transaction::{PATIENCE, Resend, T2, TransactionId, earliest};

/// Where the one exchange that the peer may begin stands.
#[derive(Debug)]
pub(super) enum Exchange {
    Idle,
    Asked(Asked),
    AwaitingAck(AwaitedAck),
}

/// A re-INVITE or UPDATE that waits for our user.
#[derive(Debug)]
pub(super) struct Asked {
    transaction: TransactionId,
    request: Arc<Request>,
    agreed: Option<Agreed>,
}

/// A 200 to an INVITE that was not acknowledged yet. It is sent again over any transport, for the way
/// behind a proxy may lose it.
#[derive(Debug)]
pub(super) struct AwaitedAck {
    invite: TransactionId,
    cseq: u32,
    ok: Bytes,
    we_offered: bool,
    resend: Resend,
    give_up_at: Instant,
}

impl Exchange {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::AwaitingAck(awaited) => earliest(awaited.resend.at(), Some(awaited.give_up_at)),
            Self::Idle | Self::Asked(_) => None,
        }
    }
}

impl InviteUsage {
    /// Answers a pending re-INVITE or UPDATE; nothing when none is pending.
    pub fn answer_offer(&mut self, now: Instant, floor: &mut Floor<'_>, sdp: Bytes) {
        let Some(asked) = self.take_asked() else {
            return;
        };
        let Asked {
            transaction,
            request,
            agreed,
        } = asked;
        if request.method == Method::Invite {
            return self.accept(now, floor, transaction, &request, agreed, sdp);
        }
        let mut ok = self.agreeing_response(now, floor, &request, agreed);
        self.last_sdp = sdp.clone();
        put_sdp(&mut ok.headers, &mut ok.body, sdp);
        floor.layer.respond(now, transaction, &ok);
    }

    /// Refuses a pending re-INVITE or UPDATE; the call goes on as it was.
    pub fn refuse_offer(&mut self, now: Instant, floor: &mut Floor<'_>, status: Status) {
        if let Some(asked) = self.take_asked() {
            self.reply(now, floor, asked.transaction, &asked.request, status);
        }
    }

    /// Takes an ACK that no transaction wanted.
    pub fn handle_ack(&mut self, now: Instant, floor: &mut Floor<'_>, ack: &Request) {
        let Exchange::AwaitingAck(awaited) = &self.exchange else {
            return;
        };
        if ack.headers.cseq().map(|cseq| cseq.number) != Ok(awaited.cseq) {
            return;
        }
        let sdp = awaited.we_offered.then(|| content::sdp(ack).ok().flatten());
        self.exchange = Exchange::Idle;
        match &mut self.state {
            State::Departing { reason } => {
                let reason = reason.take();
                self.leave(now, floor, reason);
            }
            _ => self.events.push_back(Event::Acked {
                dialog: self.id,
                sdp: sdp.flatten(),
            }),
        }
    }

    /// Sends the 200 to an INVITE and waits for its ACK.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        invite: TransactionId,
        request: &Request,
        agreed: Option<Agreed>,
        sdp: Bytes,
    ) {
        let mut ok = self.agreeing_response(now, floor, request, agreed);
        self.last_sdp = sdp.clone();
        put_sdp(&mut ok.headers, &mut ok.body, sdp);
        let ok = ok.to_bytes();
        floor
            .layer
            .respond_bytes(now, invite, Status::OK, ok.clone());
        self.exchange = Exchange::AwaitingAck(AwaitedAck {
            invite,
            cseq: request.headers.cseq().map_or(0, |cseq| cseq.number),
            ok,
            we_offered: matches!(content::sdp(request), Ok(None)),
            resend: Resend::new(now, T2),
            give_up_at: now + PATIENCE,
        });
    }

    /// Sends a 200 again, or gives up on its ACK (RFC 3261 §13.3.1.4, §14.2).
    pub(super) fn handle_ack_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        let Exchange::AwaitingAck(awaited) = &mut self.exchange else {
            return;
        };
        if awaited.give_up_at > now {
            if awaited.resend.is_due(now) {
                let ok = awaited.ok.clone();
                floor
                    .layer
                    .respond_bytes(now, awaited.invite, Status::OK, ok);
            }
            return;
        }
        self.exchange = Exchange::Idle;
        match &mut self.state {
            State::Departing { reason } => {
                let reason = reason.take();
                self.leave(now, floor, reason);
            }
            State::Established => {
                let (hop, user) = (self.dialog.hop(), self.user.as_deref());
                let contact = floor.identity.contact(hop, user);
                self.end_with_bye(now, floor, EndCause::NoAck { contact });
            }
            State::Early(_) | State::Dialing(_) | State::Leaving { .. } | State::Ended => {}
        }
    }

    /// Takes a re-INVITE (RFC 3261 §14.2).
    pub(super) fn handle_reinvite(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
    ) {
        if matches!(self.state, State::Dialing(_)) {
            return self.reply(now, floor, transaction, request, Status::REQUEST_PENDING);
        }
        let is_free =
            matches!(self.state, State::Established) && matches!(self.exchange, Exchange::Idle);
        if !is_free {
            return self.reply_later(now, floor, transaction, request);
        }
        if self.has_offer_out() {
            return self.reply(now, floor, transaction, request, Status::REQUEST_PENDING);
        }
        self.ask(now, floor, transaction, request);
    }

    /// Takes an UPDATE (RFC 3311 §5.2).
    pub(super) fn handle_update(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
    ) {
        if request.body.is_empty() {
            let Some(agreed) = self.agree(now, floor, transaction, request) else {
                return;
            };
            self.dialog.refresh_target(request.headers.contacts());
            let is_early = matches!(self.state, State::Early(_) | State::Dialing(_));
            let mut ok = if is_early {
                self.dialog_response(floor, request, Status::OK)
            } else {
                self.agreeing_response(now, floor, request, agreed)
            };
            ok.headers.remove(&HeaderName::RecordRoute);
            return floor.layer.respond(now, transaction, &ok);
        }
        let our_offer_is_out = match &self.exchange {
            _ if matches!(self.state, State::Dialing(_)) => true,
            Exchange::AwaitingAck(awaited) => awaited.we_offered,
            Exchange::Idle | Exchange::Asked(_) => self.has_offer_out(),
        };
        if our_offer_is_out {
            return self.reply(now, floor, transaction, request, Status::REQUEST_PENDING);
        }
        match (&self.state, &self.exchange) {
            (State::Established, Exchange::Idle) => self.ask(now, floor, transaction, request),
            _ => self.reply_later(now, floor, transaction, request),
        }
    }

    /// Ends a pending re-INVITE or UPDATE with 487: all, or the one of this transaction.
    pub(super) fn drop_asked(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        only: Option<TransactionId>,
    ) {
        let is_meant = matches!(&self.exchange, Exchange::Asked(asked)
            if only.is_none_or(|only| only == asked.transaction));
        if is_meant {
            self.refuse_offer(now, floor, Status::REQUEST_TERMINATED);
        }
    }

    /// Lets the user answer an offer.
    fn ask(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
    ) {
        let sdp = match content::sdp(request) {
            Ok(sdp) => sdp,
            Err(error) => {
                let tag = self.dialog.local_tag();
                let mut response = floor.identity.response(request, error.status(), tag);
                error.explain(&mut response);
                return floor.layer.respond(now, transaction, &response);
            }
        };
        let Some(agreed) = self.agree(now, floor, transaction, request) else {
            return;
        };
        self.dialog.refresh_target(request.headers.contacts());
        self.peer_takes_updates |= takes_updates(&request.headers);
        self.exchange = Exchange::Asked(Asked {
            transaction,
            request: Arc::clone(request),
            agreed,
        });
        self.events.push_back(Event::Offered {
            dialog: self.id,
            sdp,
            update: request.method == Method::Update,
        });
    }

    /// Agrees on the session timer of a refresh by the peer; `None` when it was refused here.
    #[expect(clippy::option_option, reason = "refused, and agreed on no timer")]
    fn agree(
        &self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
    ) -> Option<Option<Agreed>> {
        match floor.identity.session.agree(request, self.timer.part()) {
            Ok(agreed) => Some(agreed),
            Err(SessionError::TooSmall) => {
                let tag = self.dialog.local_tag();
                let status = Status::SESSION_INTERVAL_TOO_SMALL;
                let mut response = floor.identity.response(request, status, tag);
                let min = floor.identity.session.min.as_secs().to_string();
                response.headers.push(HeaderName::MinSe, min);
                floor.layer.respond(now, transaction, &response);
                None
            }
            Err(SessionError::Malformed(_)) => {
                self.reply(now, floor, transaction, request, Status::BAD_REQUEST);
                None
            }
        }
    }

    /// A 200 that carries and starts the session timer.
    fn agreeing_response(
        &mut self,
        now: Instant,
        floor: &Floor<'_>,
        request: &Request,
        agreed: Option<Agreed>,
    ) -> Response {
        let mut ok = self.dialog_response(floor, request, Status::OK);
        if let Some(agreed) = &agreed {
            agreed.write(&mut ok.headers);
        }
        self.timer.start(now, agreed);
        ok
    }

    /// 500 with a random Retry-After of 0 to 10 s (RFC 3261 §14.2, RFC 3311 §5.2).
    fn reply_later(
        &self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
    ) {
        let tag = self.dialog.local_tag();
        let status = Status::SERVER_INTERNAL_ERROR;
        let mut response = floor.identity.response(request, status, tag);
        let pause = floor.rng.below(11).to_string();
        response.headers.push(HeaderName::RetryAfter, pause);
        floor.layer.respond(now, transaction, &response);
    }

    fn take_asked(&mut self) -> Option<Asked> {
        match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Asked(asked) => Some(asked),
            other => {
                self.exchange = other;
                None
            }
        }
    }
}
