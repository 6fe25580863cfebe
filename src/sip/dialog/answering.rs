//! The invite usage of an incoming call up to its answer (RFC 3261 §13.3).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::content;
use super::dialog::Dialog;
use super::floor::Floor;
use super::identity::{takes_updates, write_abilities};
use super::invite::{InviteUsage, State};
use super::refresh::Agreed;
use super::reliable::Reliable;
use crate::sip::event::{DialogId, Event};
use crate::sip::message::{HeaderName, Request, Response, Status};
use crate::sip::transaction::{TransactionId, earliest};

/// An INVITE without a final response.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) invite: TransactionId,
    request: Arc<Request>,
    agreed: Option<Agreed>,
    /// What to say again and when, lest a proxy gives up (RFC 3261 §13.3.1.1).
    ringing: Option<Ringing>,
    /// The caller's Expires (RFC 3261 §13.3.1).
    expires_at: Option<Instant>,
}

/// The last 180 or 183.
#[derive(Clone, Debug)]
struct Ringing {
    status: Status,
    /// Not what was sent reliably: that has arrived.
    sdp: Option<Bytes>,
    remind_at: Instant,
}

impl Early {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let remind_at = self.ringing.as_ref().map(|ringing| ringing.remind_at);
        earliest(self.expires_at, remind_at)
    }
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
        let user = request.uri.user().map(Into::into);
        let peer_takes_updates = takes_updates(&request.headers);
        let reliable = Reliable::of(&request);
        let early = Early {
            invite,
            request,
            agreed,
            ringing: None,
            expires_at: expires.map(|seconds| now + Duration::from_secs(seconds.into())),
        };
        Self {
            user,
            peer_takes_updates,
            reliable,
            ..Self::in_state(id, dialog, State::Early(early))
        }
    }

    /// Sends 180, or 183 when there is early media; nothing once the call is answered or over.
    ///
    /// To an INVITE that wants our offer the description waits for the 200: the caller could not answer it
    /// before (RFC 3261 §13.2.1).
    pub fn ring(&mut self, now: Instant, floor: &mut Floor<'_>, sdp: Option<Bytes>) {
        let State::Early(early) = &self.state else {
            return;
        };
        if self.is_answer_held() {
            return;
        }
        let status = if sdp.is_some() {
            Status::SESSION_PROGRESS
        } else {
            Status::RINGING
        };
        let has_offer = matches!(content::sdp(&early.request), Ok(Some(_)));
        self.say(now, floor, status, sdp.filter(|_| has_offer));
    }

    /// Sends a provisional response, and says it again each minute.
    pub(super) fn say(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        status: Status,
        sdp: Option<Bytes>,
    ) {
        let State::Early(early) = &self.state else {
            return;
        };
        let (invite, request) = (early.invite, Arc::clone(&early.request));
        let again = sdp.clone();
        let is_reliable = self.send_provisional(now, floor, (invite, &request), status, sdp);
        if let State::Early(early) = &mut self.state {
            early.ringing = Some(Ringing {
                status,
                sdp: again.filter(|_| !is_reliable),
                remind_at: now + REMINDER,
            });
        }
    }

    /// Sends the 200; nothing once the call is answered or over.
    pub fn answer(&mut self, now: Instant, floor: &mut Floor<'_>, sdp: Bytes) {
        if !matches!(self.state, State::Early(_)) || self.hold_answer(now, &sdp) {
            return;
        }
        self.reliable.stop();
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

    /// Says again that it rings, or gives up as the caller told.
    pub(super) fn handle_early_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        let State::Early(early) = &mut self.state else {
            return;
        };
        if early.expires_at.is_some_and(|at| at <= now) {
            return self.give_up(now, floor, Status::REQUEST_TERMINATED);
        }
        let due = early.ringing.take_if(|ringing| ringing.remind_at <= now);
        if let Some(Ringing { status, sdp, .. }) = due {
            self.say(now, floor, status, sdp);
        }
        self.handle_reliable_timeout(now, floor);
    }

    /// Refuses an INVITE that its caller does not want any more, or that has lost its caller.
    pub(super) fn give_up(&mut self, now: Instant, floor: &mut Floor<'_>, status: Status) {
        self.refuse(now, floor, status, Vec::new());
        self.events.push_back(Event::Canceled { dialog: self.id });
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
        write_abilities(&mut response.headers);
        response
    }
}

/// How often a caller that rings is told so again, lest a proxy gives up (RFC 3261 §13.3.1.1).
const REMINDER: Duration = Duration::from_secs(60);
