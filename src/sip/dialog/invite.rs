//! The invite usage of an incoming call: from its INVITE to the last BYE (RFC 3261 §13.3, §15).
//!
//! ```text
//!     INVITE in
//!         |         CANCEL, BYE, Expires, refuse
//!         v        .------------------------------------------------------.
//!       Early -----'                                                      |
//!         |                                                               v
//!         | answer: 200 out             BYE in, transport gone          Ended
//!         v                 .-------------------------------------------> ^
//!    Established -----------'                                             |
//!      |       \__ bye, no ACK, session expired: BYE out --> Leaving -----|
//!      |                                                     ^   BYE answered or given up
//!      | bye while an ACK is awaited                         |
//!      '--> Departing -- ACK came, or 64*T1 without ---------'
//! ```
//!
//! Offers within the call, the ACKs of 200s and the session refresh are in [`super::exchange`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::dialog::Dialog;
use super::exchange::{Exchange, Refreshing};
use super::identity::{ALLOW, Identity, put_sdp, takes_updates, write_abilities};
use super::info::Info;
use super::refresh::{Agreed, Due, SessionTimer};
use crate::ids::Rng;
use crate::sip::event::{DialogId, EndCause, Event};
use crate::sip::hop::{ConnectionId, Hop};
use crate::sip::message::{HeaderName, Method, Request, Response, Status};
use crate::sip::transaction::{ClientEvent, TransactionId, TransactionLayer, earliest};

/// Whose a transaction is: a call's, or of nobody below the switch.
pub type Owner = Option<DialogId>;

/// What a usage stands on: the transactions below, and who we are.
#[derive(Debug)]
pub struct Floor<'a> {
    /// Takes every message.
    pub layer: &'a mut TransactionLayer<Owner>,
    /// Our address and abilities.
    pub identity: &'a Identity,
    /// For branches and random delays.
    pub rng: &'a mut Rng,
}

/// The call part of a dialog that the peer opened.
#[derive(Debug)]
pub struct InviteUsage {
    pub(super) id: DialogId,
    pub(super) dialog: Dialog,
    /// The user part of our Contact: the one that was called.
    pub(super) user: Option<Box<str>>,
    pub(super) peer_takes_updates: bool,
    pub(super) state: State,
    pub(super) exchange: Exchange,
    pub(super) refreshing: Option<Refreshing>,
    pub(super) timer: SessionTimer,
    /// The body of our last offer or answer, for a refresh that changes nothing.
    pub(super) last_sdp: Bytes,
    pub(super) events: VecDeque<Event>,
}

#[derive(Debug)]
pub(super) enum State {
    Early(Early),
    Established,
    Departing { reason: Option<Bytes> },
    Leaving { bye: TransactionId },
    Ended,
}

/// An INVITE without a final response.
#[derive(Debug)]
pub(super) struct Early {
    invite: TransactionId,
    request: Arc<Request>,
    agreed: Option<Agreed>,
    /// The last 180 or 183, and when to say it again (RFC 3261 §13.3.1.1).
    ringing: Option<(Response, Instant)>,
    /// The caller's Expires (RFC 3261 §13.3.1).
    expires_at: Option<Instant>,
}

impl InviteUsage {
    /// A call whose INVITE `request` came by the transaction `invite`.
    #[must_use]
    pub fn new(
        now: Instant,
        id: DialogId,
        dialog: Dialog,
        request: Arc<Request>,
        invite: TransactionId,
        agreed: Option<Agreed>,
    ) -> Self {
        let expires = request.headers.expires().ok().flatten();
        Self {
            id,
            dialog,
            user: request.uri.user().map(Into::into),
            peer_takes_updates: takes_updates(&request),
            exchange: Exchange::Idle,
            refreshing: None,
            timer: SessionTimer::off(),
            last_sdp: Bytes::new(),
            events: VecDeque::new(),
            state: State::Early(Early {
                invite,
                request,
                agreed,
                ringing: None,
                expires_at: expires.map(|seconds| now + Duration::from_secs(seconds.into())),
            }),
        }
    }

    /// Sends 180, or 183 when there is early media; nothing once the call is answered or over.
    pub fn ring(&mut self, now: Instant, floor: &mut Floor<'_>, sdp: Option<Bytes>) {
        let State::Early(early) = &self.state else {
            return;
        };
        let status = if sdp.is_some() {
            Status::SESSION_PROGRESS
        } else {
            Status::RINGING
        };
        let (invite, request) = (early.invite, Arc::clone(&early.request));
        let mut response = self.dialog_response(floor, &request, status);
        if let Some(sdp) = sdp {
            self.last_sdp = sdp.clone();
            put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        floor.layer.respond(now, invite, &response);
        if let State::Early(early) = &mut self.state {
            early.ringing = Some((response, now + REMINDER));
        }
    }

    /// Sends the 200; nothing once the call is answered or over.
    pub fn answer(&mut self, now: Instant, floor: &mut Floor<'_>, sdp: Bytes) {
        match std::mem::replace(&mut self.state, State::Established) {
            State::Early(early) => {
                self.accept(now, floor, early.invite, &early.request, early.agreed, sdp);
            }
            other => self.state = other,
        }
    }

    /// Sends a final response other than 2xx, with headers of the caller's choice. A challenge leaves
    /// no state: the INVITE is new again when it is resent.
    pub fn refuse(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        status: Status,
        headers: Vec<(HeaderName, Bytes)>,
    ) {
        let State::Early(early) = &self.state else {
            return;
        };
        let tag = self.dialog.local_tag();
        let mut response = floor.identity.response(&early.request, status, tag);
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        if matches!(
            status,
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
        ) {
            floor.layer.respond_without_state(early.invite, &response);
        } else {
            floor.layer.respond(now, early.invite, &response);
        }
        self.state = State::Ended;
    }

    /// Forgets an INVITE that was not answered yet, without a word.
    pub fn ignore(&mut self, floor: &mut Floor<'_>) {
        if let State::Early(early) = &self.state {
            floor.layer.forget(early.invite);
            self.state = State::Ended;
        }
    }

    /// Ends the call: 480 before the answer, else BYE, which waits for the ACK of our 200
    /// (RFC 3261 §15). `reason` is the value of a Reason header (RFC 3326). Nothing is reported after it.
    pub fn bye(&mut self, now: Instant, floor: &mut Floor<'_>, reason: Option<Bytes>) {
        match &self.state {
            State::Early(_) => {
                let headers = reason.map(|reason| (HeaderName::Reason, reason));
                let headers = headers.into_iter().collect();
                self.refuse(now, floor, Status::TEMPORARILY_UNAVAILABLE, headers);
            }
            State::Established if matches!(self.exchange, Exchange::AwaitingAck(_)) => {
                self.state = State::Departing { reason };
            }
            State::Established => self.leave(now, floor, reason),
            State::Departing { .. } | State::Leaving { .. } | State::Ended => {}
        }
    }

    /// The INVITE or re-INVITE of this transaction was canceled; nothing when it has its final response.
    pub fn handle_cancel(&mut self, now: Instant, floor: &mut Floor<'_>, invite: TransactionId) {
        match &self.state {
            State::Early(early) if early.invite == invite => self.give_up(now, floor),
            _ => self.drop_asked(now, floor, Some(invite)),
        }
    }

    /// Takes a request of the peer within the dialog, whose server transaction is open.
    pub fn handle_request(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
        hop: Hop,
    ) {
        let in_order = request
            .headers
            .cseq()
            .is_ok_and(|cseq| self.dialog.accept_cseq(cseq.number));
        if !in_order {
            return self.reply(
                now,
                floor,
                transaction,
                request,
                Status::SERVER_INTERNAL_ERROR,
            );
        }
        self.dialog.heard_from(hop);
        match (&self.state, &request.method) {
            (_, Method::Bye) => self.handle_bye(now, floor, transaction, request),
            (State::Departing { .. } | State::Leaving { .. } | State::Ended, _) => {
                self.reply(
                    now,
                    floor,
                    transaction,
                    request,
                    Status::CALL_DOES_NOT_EXIST,
                );
            }
            (_, Method::Invite) => self.handle_reinvite(now, floor, transaction, request),
            (_, Method::Update) => self.handle_update(now, floor, transaction, request),
            (_, Method::Info) => self.handle_info(now, floor, transaction, request),
            (_, Method::Options) => {
                let mut ok = floor
                    .identity
                    .response(request, Status::OK, self.dialog.local_tag());
                write_abilities(&mut ok);
                ok.headers.push(HeaderName::Accept, "application/sdp");
                floor.layer.respond(now, transaction, &ok);
            }
            (_, Method::Other(_)) => {
                self.reply(now, floor, transaction, request, Status::NOT_IMPLEMENTED);
            }
            _ => self.reply(now, floor, transaction, request, Status::METHOD_NOT_ALLOWED),
        }
    }

    /// Takes what became of a request of ours.
    pub fn handle_client_event(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        event: &ClientEvent,
    ) {
        if let ClientEvent::Response(response) = event
            && response.status.is_success()
        {
            self.acknowledge(floor, response);
        }
        match &self.state {
            State::Leaving { bye } if *bye == transaction => {
                let is_open =
                    matches!(event, ClientEvent::Response(response) if !response.status.is_final());
                if !is_open {
                    self.state = State::Ended;
                }
            }
            State::Established => self.handle_refresh_event(now, floor, transaction, event),
            _ => {}
        }
    }

    /// Lets due timers fire.
    pub fn handle_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if let State::Early(early) = &mut self.state {
            if early.expires_at.is_some_and(|at| at <= now) {
                return self.give_up(now, floor);
            }
            if let Some((response, remind_at)) = &mut early.ringing
                && *remind_at <= now
            {
                *remind_at = now + REMINDER;
                floor.layer.respond(now, early.invite, response);
            }
            return;
        }
        self.handle_ack_timeout(now, floor);
        if !matches!(self.state, State::Established) {
            return;
        }
        match self.timer.handle_timeout(now) {
            Some(Due::Expire) => self.end_with_bye(now, floor, EndCause::SessionExpired),
            Some(Due::Refresh) => self.refresh(now, floor),
            None => {}
        }
    }

    /// The connection is gone: the next request of ours has to open one.
    pub fn handle_connection_lost(&mut self, connection: ConnectionId) {
        self.dialog.handle_connection_lost(connection);
    }

    /// Takes news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When a timer is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Early(early) => {
                earliest(early.expires_at, early.ringing.as_ref().map(|(_, at)| *at))
            }
            State::Established => earliest(self.exchange.poll_timeout(), self.timer.poll_timeout()),
            State::Departing { .. } => self.exchange.poll_timeout(),
            State::Leaving { .. } | State::Ended => None,
        }
    }

    /// Claims that nothing more will come of it.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The peer relation.
    #[must_use]
    pub const fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    fn handle_bye(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
    ) {
        self.reply(now, floor, transaction, request, Status::OK);
        match self.state {
            State::Early(_) => self.give_up(now, floor),
            State::Established => {
                self.drop_asked(now, floor, None);
                let reason = request.headers.get(&HeaderName::Reason).cloned();
                self.end(EndCause::Bye { reason });
            }
            State::Departing { .. } => self.state = State::Ended,
            // Our own BYE crossed it and still waits for its answer.
            State::Leaving { .. } | State::Ended => {}
        }
    }

    fn handle_info(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
    ) {
        let is_spoken = match request.headers.content_type() {
            Ok(Some(kind)) => Info::is_spoken(&kind.main, &kind.sub),
            Ok(None) | Err(_) => false,
        };
        let status = if request.body.is_empty() {
            Status::OK
        } else if !is_spoken {
            Status::UNSUPPORTED_MEDIA_TYPE
        } else {
            match Info::parse(&request.body) {
                None => Status::BAD_REQUEST,
                Some(Info::OtherSignal) => Status::OK,
                Some(Info::Digit { digit, duration }) => {
                    self.events.push_back(Event::Digit {
                        dialog: self.id,
                        digit,
                        duration,
                    });
                    Status::OK
                }
            }
        };
        let mut response = floor
            .identity
            .response(request, status, self.dialog.local_tag());
        if status == Status::UNSUPPORTED_MEDIA_TYPE {
            response.headers.push(
                HeaderName::Accept,
                "application/dtmf-relay, application/dtmf",
            );
        }
        floor.layer.respond(now, transaction, &response);
    }

    /// 487 to an INVITE that its caller does not want any more.
    fn give_up(&mut self, now: Instant, floor: &mut Floor<'_>) {
        self.refuse(now, floor, Status::REQUEST_TERMINATED, Vec::new());
        self.events.push_back(Event::Canceled { dialog: self.id });
    }

    pub(super) fn end(&mut self, cause: EndCause) {
        self.state = State::Ended;
        self.events.push_back(Event::Ended {
            dialog: self.id,
            cause,
        });
    }

    pub(super) fn end_with_bye(&mut self, now: Instant, floor: &mut Floor<'_>, cause: EndCause) {
        self.end(cause);
        self.leave(now, floor, None);
    }

    pub(super) fn leave(&mut self, now: Instant, floor: &mut Floor<'_>, reason: Option<Bytes>) {
        self.drop_asked(now, floor, None);
        let mut bye = self.dialog.request(Method::Bye);
        if let Some(reason) = reason {
            bye.headers.push(HeaderName::Reason, reason);
        }
        let bye = self.send(now, floor, bye);
        self.state = State::Leaving { bye };
    }

    /// Sends a request of ours as a transaction of this usage.
    pub(super) fn send(
        &self,
        now: Instant,
        floor: &mut Floor<'_>,
        mut request: Request,
    ) -> TransactionId {
        floor
            .identity
            .sign(&mut request.headers, HeaderName::UserAgent);
        let hop = self.dialog.next_hop();
        let sent_by = floor.identity.advertised(hop);
        floor
            .layer
            .request(now, hop, sent_by, request, floor.rng, Some(self.id))
    }

    /// A response without more than it needs.
    pub(super) fn reply(
        &self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
        status: Status,
    ) {
        let mut response = floor
            .identity
            .response(request, status, self.dialog.local_tag());
        if matches!(status, Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED) {
            response.headers.push(HeaderName::Allow, ALLOW);
        }
        floor.layer.respond(now, transaction, &response);
    }

    /// A response that makes or refreshes the dialog (RFC 3261 §12.1.1, §13.3.1).
    pub(super) fn dialog_response(
        &self,
        floor: &Floor<'_>,
        request: &Request,
        status: Status,
    ) -> Response {
        let mut response = floor
            .identity
            .response(request, status, self.dialog.local_tag());
        for route in request.headers.get_all(&HeaderName::RecordRoute) {
            response
                .headers
                .push(HeaderName::RecordRoute, route.clone());
        }
        let contact = floor
            .identity
            .contact(self.dialog.hop(), self.user.as_deref());
        response.headers.push(HeaderName::Contact, contact);
        write_abilities(&mut response);
        response
    }
}

/// How often a caller that rings is told so again, lest a proxy gives up (RFC 3261 §13.3.1.1).
const REMINDER: Duration = Duration::from_secs(60);
