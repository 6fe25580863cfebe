//! The invite usage: the call part of a dialog, from its INVITE to the last BYE (RFC 3261 §13, §15).
//!
//! ```text
//!     INVITE in                INVITE out
//!         |                        |
//!         v                        v
//!       Early                   Dialing ---- canceled, and a 2xx crossed: ACK, BYE out --.
//!         |  \__ refused, CANCEL      |  \__ refused, nothing --------> Ended             |
//!         |       --------> Ended     |                                                  |
//!         | answer: 200 out           | 2xx in: ACK out                                  |
//!         v                           |     BYE in, transport gone                       |
//!    Established <--------------------'    .----------------------> Ended                |
//!      |      \___________________________/                           ^                  |
//!      |       \__ bye, no ACK, session expired: BYE out --> Leaving -'<-----------------'
//!      |                                                     ^    BYE answered or given up
//!      | bye while an ACK is awaited                         |
//!      '--> Departing -- ACK came, or 64*T1 without ---------'
//! ```
//!
//! What is before the answer is in [`super::answering`] and [`super::dialing`], offers of the peer and the
//! ACKs of 200s in [`super::exchange`], those of ours and the session refresh in [`super::proposal`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::answering::Early;
use super::dialing::Dialing;
use super::dialog::Dialog;
use super::exchange::Exchange;
use super::floor::Floor;
use super::forks::Forks;
use super::identity::{ALLOW, write_abilities};
use super::proof::{Proof, Sent, Shown};
use super::proposal::{Proposed, Waiting};
use super::refer::Referral;
use super::refresh::{Due, SessionTimer};
use super::reliable::{Confirmed, Reliable};
use crate::sip::event::{DialogId, EndCause, Event, RequestId};
use crate::sip::hop::{ConnectionId, Hop};
use crate::sip::message::{HeaderName, Method, Request, Status};
use crate::sip::transaction::{ClientEvent, TransactionId, earliest};

/// The call part of a dialog, whoever opened it.
#[derive(Debug)]
pub struct InviteUsage {
    pub(super) id: DialogId,
    pub(super) dialog: Dialog,
    /// The user part of our Contact: the one that was called, or as who we call.
    pub(super) user: Option<Box<str>>,
    pub(super) peer_takes_updates: bool,
    pub(super) state: State,
    pub(super) exchange: Exchange,
    pub(super) proposed: Option<Proposed>,
    pub(super) waiting: Option<Waiting>,
    pub(super) timer: SessionTimer,
    /// The body of our last offer or answer, for a refresh that changes nothing.
    pub(super) last_sdp: Bytes,
    /// Our account at the peer, for a call of ours.
    pub(super) proof: Option<Proof>,
    /// Requests within the call that the peer may challenge.
    pub(super) sent: Vec<Sent>,
    /// What the ACK of the re-INVITE with this CSeq has to repeat.
    pub(super) shown: Option<(u32, Shown)>,
    /// What may still come of the INVITE of a call of ours.
    pub(super) forks: Option<Forks>,
    /// What the peer has asked us to do in its place.
    pub(super) referral: Referral,
    /// Provisional responses of ours that must arrive.
    pub(super) reliable: Reliable,
    /// Those of the peer to a re-INVITE of ours.
    pub(super) confirmed: Confirmed,
    pub(super) events: VecDeque<Event>,
}

#[derive(Debug)]
pub(super) enum State {
    Early(Early),
    Dialing(Box<Dialing>),
    Established,
    Departing { reason: Option<Bytes> },
    Leaving { bye: TransactionId },
    Ended,
}

impl InviteUsage {
    /// A usage without session, timer or news.
    pub(super) fn in_state(id: DialogId, dialog: Dialog, state: State) -> Self {
        Self {
            id,
            dialog,
            user: None,
            peer_takes_updates: false,
            state,
            exchange: Exchange::Idle,
            proposed: None,
            waiting: None,
            timer: SessionTimer::off(),
            last_sdp: Bytes::new(),
            proof: None,
            sent: Vec::new(),
            shown: None,
            forks: None,
            referral: Referral::default(),
            reliable: Reliable::default(),
            confirmed: Confirmed::default(),
            events: VecDeque::new(),
        }
    }

    /// Ends the call: 480 or CANCEL before the answer, else BYE, which waits for the ACK of our 200
    /// (RFC 3261 §15). `reason` is the value of a Reason header (RFC 3326). Nothing is reported after it.
    pub fn bye(&mut self, now: Instant, floor: &mut Floor<'_>, reason: Option<Bytes>) {
        match &self.state {
            State::Early(_) => {
                let headers = reason.map(|reason| (HeaderName::Reason, reason));
                let headers = headers.into_iter().collect();
                self.refuse(now, floor, Status::TEMPORARILY_UNAVAILABLE, headers);
            }
            State::Dialing(_) => self.cancel(now, floor, reason),
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
            State::Early(early) if early.invite == invite => {
                self.give_up(now, floor, Status::REQUEST_TERMINATED)
            }
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
        self.enter_branch(request.headers.from_tag().as_deref());
        self.handle_ordered(now, floor, transaction, request, hop);
        self.leave_branch();
    }

    fn handle_ordered(
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
            (_, Method::Prack) => self.handle_prack(now, floor, transaction, request),
            (_, Method::Refer) => self.handle_refer(now, floor, transaction, request),
            // A message is as good within a call as outside (RFC 3428 §8); who may send it and what becomes
            // of it is decided in one place.
            (_, Method::Message) => self.events.push_back(Event::Request {
                request: RequestId(transaction),
                message: Arc::clone(request),
                hop,
            }),
            (_, Method::Options) => {
                let mut ok = floor
                    .identity
                    .response(request, Status::OK, self.dialog.local_tag());
                write_abilities(&mut ok.headers);
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
        if matches!(&self.state, State::Dialing(dialing) if dialing.is_of(transaction)) {
            return self.handle_dialing_event(now, floor, event);
        }
        if let Some(forks) = self.forks.as_mut().filter(|forks| forks.is_of(transaction)) {
            return forks.handle_event(now, floor, event);
        }
        let Some(transaction) = self.handle_challenge(now, floor, transaction, event) else {
            return;
        };
        if self.referral.is_of(transaction) {
            return self.handle_notify_event(now, floor, event);
        }
        if let ClientEvent::Response(response) = event {
            if response.status.is_success() {
                self.acknowledge(floor, response);
            } else if let (_, Some(rack)) = self.confirmed.take(response) {
                self.confirm(now, floor, &rack);
            }
        }
        match &self.state {
            State::Leaving { bye } if *bye == transaction => {
                let is_open =
                    matches!(event, ClientEvent::Response(response) if !response.status.is_final());
                if !is_open {
                    self.state = State::Ended;
                }
            }
            State::Established => self.handle_proposal_event(now, floor, transaction, event),
            _ => {}
        }
    }

    /// Lets due timers fire.
    pub fn handle_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        self.handle_refer_timeout(now, floor);
        match &self.state {
            State::Early(_) => return self.handle_early_timeout(now, floor),
            State::Dialing(_) => return self.handle_dialing_timeout(now, floor),
            _ => {}
        }
        if let Some(forks) = &mut self.forks
            && forks.handle_timeout(now, floor)
        {
            self.forks = None;
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
        self.handle_proposal_timeout(now, floor);
    }

    /// A response of the peer came by this connection: later requests do as well.
    pub fn handle_connection(&mut self, hop: Hop) {
        self.dialog.handle_connection(hop);
    }

    /// The connection is gone: the next request of ours has to open one.
    pub fn handle_connection_lost(&mut self, connection: ConnectionId) {
        self.dialog.handle_connection_lost(connection);
        if let State::Dialing(dialing) = &mut self.state {
            dialing.handle_connection_lost(connection);
        }
    }

    /// Takes news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When a timer is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Early(early) => earliest(early.poll_timeout(), self.reliable.poll_timeout()),
            State::Dialing(dialing) => dialing.poll_timeout(),
            State::Established => {
                let exchange = earliest(self.exchange.poll_timeout(), self.poll_proposal());
                earliest(exchange, self.timer.poll_timeout())
            }
            State::Departing { .. } => self.exchange.poll_timeout(),
            State::Leaving { .. } | State::Ended => None,
        };
        let forks = self.forks.as_ref().map(Forks::poll_timeout);
        earliest(earliest(own, forks), self.referral.poll_timeout())
    }

    /// Claims that nothing more will come of it.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended) && self.referral.is_over()
    }

    /// Claims that there is a call, answered or not, that nobody has ended.
    #[must_use]
    pub const fn is_living(&self) -> bool {
        matches!(
            self.state,
            State::Early(_) | State::Dialing(_) | State::Established
        )
    }

    /// Claims that a request with this Call-ID and tag of the peer belongs here.
    #[must_use]
    pub fn is_of(&self, call_id: &[u8], remote_tag: Option<&str>) -> bool {
        match &self.state {
            State::Dialing(dialing) => dialing.is_of_dialog(call_id, remote_tag),
            _ => self.dialog.is_of(call_id, remote_tag),
        }
    }

    /// What may still come of the INVITE of a call of ours that is over.
    pub fn take_forks(&mut self) -> Option<Forks> {
        self.forks.take()
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
        let reason = request.headers.get(&HeaderName::Reason).cloned();
        match &mut self.state {
            State::Early(_) => self.give_up(now, floor, Status::REQUEST_TERMINATED),
            State::Dialing(dialing) => dialing.handle_bye(reason),
            State::Established => {
                self.drop_asked(now, floor, None);
                self.end(EndCause::Bye { reason });
            }
            State::Departing { .. } => self.state = State::Ended,
            // Our own BYE crossed it and still waits for its answer.
            State::Leaving { .. } | State::Ended => {}
        }
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

    /// Sends a request of ours as a transaction of this usage; a challenge to it is answered by itself, and
    /// the transaction keeps its name.
    pub(super) fn send(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        request: Request,
    ) -> TransactionId {
        let hop = self.dialog.next_hop();
        if self.proof.is_none() {
            return floor.request(now, hop, request, Some(self.id));
        }
        let transaction = floor.request(now, hop, request.clone(), Some(self.id));
        self.sent.push(Sent::new(transaction, hop, request));
        transaction
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
}
