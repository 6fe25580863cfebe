//! Offers within a call: the ACKs of 200s (RFC 3261 §13.3.1.4), re-INVITE (§14), UPDATE (RFC 3311) and
//! the refreshes of ours (RFC 4028).
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
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::content;
use super::identity::{put_sdp, takes_updates};
use super::invite::{Floor, InviteUsage, State};
use super::refresh::{Agreed, SessionError};
use crate::sip::event::{EndCause, Event};
use crate::sip::message::{HeaderName, Method, Request, Response, Status};
use crate::sip::transaction::{ClientEvent, PATIENCE, Resend, T2, TransactionId, earliest};

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

/// A refresh of ours that has no answer yet.
#[derive(Debug)]
pub(super) struct Refreshing {
    transaction: TransactionId,
    by_update: bool,
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
            State::Established => self.end_with_bye(now, floor, EndCause::NoAck),
            State::Early(_) | State::Leaving { .. } | State::Ended => {}
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
        let is_free =
            matches!(self.state, State::Established) && matches!(self.exchange, Exchange::Idle);
        if !is_free {
            return self.reply_later(now, floor, transaction, request);
        }
        if self
            .refreshing
            .as_ref()
            .is_some_and(|refreshing| !refreshing.by_update)
        {
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
            let is_early = matches!(self.state, State::Early(_));
            let mut ok = if is_early {
                self.dialog_response(floor, request, Status::OK)
            } else {
                self.agreeing_response(now, floor, request, agreed)
            };
            ok.headers.remove(&HeaderName::RecordRoute);
            return floor.layer.respond(now, transaction, &ok);
        }
        let our_offer_is_out = match &self.exchange {
            Exchange::AwaitingAck(awaited) => awaited.we_offered,
            Exchange::Idle | Exchange::Asked(_) => self
                .refreshing
                .as_ref()
                .is_some_and(|refreshing| !refreshing.by_update),
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

    /// Sends a refresh: UPDATE when the peer takes it, else a re-INVITE with the body of before.
    pub(super) fn refresh(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if self.refreshing.is_some() || !matches!(self.exchange, Exchange::Idle) {
            self.timer.retry_at(now + BUSY_PAUSE);
            return;
        }
        let by_update = self.peer_takes_updates;
        let method = if by_update {
            Method::Update
        } else {
            Method::Invite
        };
        let mut request = self.dialog.request(method);
        let contact = floor
            .identity
            .contact(self.dialog.next_hop(), self.user.as_deref());
        request.headers.push(HeaderName::Contact, contact);
        request.headers.push(HeaderName::Allow, super::ALLOW);
        request
            .headers
            .push(HeaderName::Supported, super::SUPPORTED);
        self.timer.write(&mut request.headers);
        if !by_update {
            put_sdp(
                &mut request.headers,
                &mut request.body,
                self.last_sdp.clone(),
            );
        }
        let transaction = self.send(now, floor, request);
        self.refreshing = Some(Refreshing {
            transaction,
            by_update,
        });
    }

    /// Takes what became of our refresh (RFC 3261 §14.1, RFC 4028 §7.2, §7.3, §10).
    pub(super) fn handle_refresh_event(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        event: &ClientEvent,
    ) {
        let Some(by_update) = self
            .refreshing
            .as_ref()
            .filter(|refreshing| refreshing.transaction == transaction)
            .map(|refreshing| refreshing.by_update)
        else {
            return;
        };
        let response = match event {
            ClientEvent::Response(response) if !response.status.is_final() => return,
            ClientEvent::Response(response) => Some(response),
            ClientEvent::TimedOut => None,
            ClientEvent::TransportFailed => return self.end(EndCause::TransportFailed),
        };
        self.refreshing = None;
        match response.map(|response| (response.status, response)) {
            Some((status, response)) if status.is_success() => {
                self.handle_refreshed(now, by_update, response);
            }
            Some((Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT, _)) | None => {
                let status = response.map(|response| response.status);
                self.end_with_bye(now, floor, EndCause::RefreshFailed { status });
            }
            Some((Status::SESSION_INTERVAL_TOO_SMALL, response)) => {
                let min = response.headers.min_se().ok().flatten().unwrap_or_default();
                let at = if self.timer.raise(Duration::from_secs(min.into())) {
                    now
                } else {
                    now + FAILED_PAUSE
                };
                self.timer.retry_at(at);
            }
            // We do not own the Call-ID: 0 to 2 s in steps of 10 ms (RFC 3261 §14.1).
            Some((Status::REQUEST_PENDING, _)) => {
                let pause = Duration::from_millis(u64::from(floor.rng.below(200)) * 10);
                self.timer.retry_at(now + pause);
            }
            Some((status, _))
                if by_update && (status.class() == 4 || status == Status::NOT_IMPLEMENTED) =>
            {
                self.peer_takes_updates = false;
                self.timer.retry_at(now);
            }
            Some((_, response)) => {
                let pause = retry_after(response).unwrap_or(FAILED_PAUSE);
                self.timer.retry_at(now + pause);
            }
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
        let mut ack = self.dialog.ack(cseq.number);
        let hop = self.dialog.next_hop();
        let sent_by = floor.identity.advertised(hop);
        crate::sip::transaction::push_via(&mut ack, hop, sent_by, floor.rng);
        floor.layer.send(hop, ack.to_bytes());
    }

    fn handle_refreshed(&mut self, now: Instant, by_update: bool, response: &Response) {
        let agreed = response.headers.session_expires().ok().flatten();
        self.timer.handle_refreshed(now, agreed);
        if by_update {
            self.dialog.refresh_target(response.headers.contacts());
        } else if !response.body.is_empty() {
            self.events.push_back(Event::Answered {
                dialog: self.id,
                sdp: response.body.clone(),
            });
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
        self.peer_takes_updates |= takes_updates(request);
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

/// When the peer wants to be asked again (RFC 3261 §20.33), within a minute at least.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.get(&HeaderName::RetryAfter)?;
    let digits = value
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let seconds = std::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(FAILED_PAUSE))
}

/// How long a refresh waits while an offer of the peer is open.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// How long after a refresh was refused it is tried again, as long as the session lasts.
const FAILED_PAUSE: Duration = Duration::from_secs(60);
