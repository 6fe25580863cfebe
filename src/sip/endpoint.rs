//! The face of the SIP core: messages in, news and messages out, and the verbs of a call.
//!
//! ```text
//!   handle_message --> transaction layer --> invite usage --> poll_event
//!                        | resends end here     | in-dialog requests end here
//!   verbs ---------------|----------------------'
//!                        '--> poll_transmit
//! ```
//!
//! After each call: drain `poll_event` (and act on it), drain `poll_transmit`, arm `poll_timeout`.

mod answers;
mod ask;
mod calls;
mod incoming;
mod refer;
mod refusal;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::debug;

use self::ask::Asking;
use super::dialog::{Forks, Identity, InviteUsage, Owner, SessionPolicy, with_tag};
use super::event::{DialogId, Event, Invite, RequestId};
use super::hop::{ConnectionId, Hop, Transmit};
use super::message::{HeaderName, Message, MessageError, Response, Status};
use super::transaction::{TransactionId, TransactionLayer, earliest};
use crate::ids::{IdMap, IdState, Rng};
use crate::time::DeadlineQueue;

/// What the endpoint says of itself and how much it takes on.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Where the public internet reaches us; `None` when our own addresses are good everywhere.
    pub external_address: Option<IpAddr>,
    /// For Server and User-Agent; empty says nothing.
    pub user_agent: String,
    /// The session interval we ask for (RFC 4028); zero asks for none but honours the peer's.
    pub session_expires: Duration,
    /// The shortest session interval we allow.
    pub min_se: Duration,
    /// How much is taken on.
    pub limits: Limits,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            external_address: None,
            user_agent: "flowswitch".to_owned(),
            session_expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            limits: Limits::default(),
        }
    }
}

/// Bounds of the endpoint's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions beyond which nothing new is admitted; requests of known calls may fill as many again.
    pub transactions: usize,
    /// Calls beyond which an INVITE gets 503 and none of ours is made.
    pub dialogs: usize,
}

impl Default for Limits {
    /// Transactions of datagrams linger for 32 s, so 250 calls a second with INVITE and BYE keep 16,000.
    fn default() -> Self {
        Self {
            transactions: 20_000,
            dialogs: 5_000,
        }
    }
}

/// Counters since the beginning, and how much lives now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointStats {
    /// Messages that were no SIP or could not be answered.
    pub dropped: u64,
    /// Requests refused without the owner.
    pub refused: u64,
    /// Requests that would have been refused, but whose sender is not trusted.
    pub screened: u64,
    /// Requests turned away because a limit was reached.
    pub overloaded: u64,
    /// Responses to nothing of ours.
    pub stray_responses: u64,
    /// ACKs to nothing of ours.
    pub stray_acks: u64,
    /// Branches of INVITEs of ours beyond those that are remembered.
    pub surplus_forks: u64,
    /// Requests that came again.
    pub retransmissions_in: u64,
    /// Messages sent again by a transaction.
    pub retransmissions_out: u64,
    /// Transactions alive.
    pub transactions: usize,
    /// Calls alive, with those whose INVITE has no answer yet.
    pub dialogs: usize,
}

/// All transactions and calls of this process.
#[derive(Debug)]
pub struct Endpoint {
    identity: Identity,
    limits: Limits,
    rng: Rng,
    /// Makes the tags of answers given without state.
    secret: [u8; 32],
    layer: TransactionLayer<Owner>,
    slots: IdMap<DialogId, Box<Slot>>,
    /// INVITEs of ours whose call is over.
    forks: IdMap<DialogId, Forks>,
    /// Our tags, which are one per dialog.
    tags: HashMap<Box<str>, DialogId>,
    /// Which calls depend on which connection.
    connections: BTreeSet<(ConnectionId, DialogId)>,
    /// Requests of ours outside calls, by the transaction of their last attempt.
    asking: IdMap<TransactionId, Asking>,
    /// The call that the message under way belongs to.
    heard: Option<DialogId>,
    deadlines: DeadlineQueue<DialogId, IdState>,
    issued: u64,
    events: VecDeque<Event>,
    stats: EndpointStats,
}

#[derive(Debug)]
struct Slot {
    usage: InviteUsage,
    /// As it stands in [`Endpoint::connections`].
    connection: Option<ConnectionId>,
}

impl Endpoint {
    /// An endpoint without calls.
    #[must_use]
    pub fn new(config: EndpointConfig, mut rng: Rng) -> Self {
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(4) {
            chunk.copy_from_slice(&rng.next_u32().to_be_bytes());
        }
        Self {
            identity: Identity {
                external_address: config.external_address,
                user_agent: config.user_agent.into(),
                session: SessionPolicy {
                    interval: config.session_expires,
                    min: config.min_se,
                },
            },
            limits: config.limits,
            rng,
            secret,
            layer: TransactionLayer::new(),
            slots: IdMap::default(),
            forks: IdMap::default(),
            tags: HashMap::new(),
            connections: BTreeSet::new(),
            asking: IdMap::default(),
            heard: None,
            deadlines: DeadlineQueue::default(),
            issued: 0,
            events: VecDeque::new(),
            stats: EndpointStats::default(),
        }
    }

    /// Takes what came from `hop`, and says which call it belongs to, resent or not, if any.
    ///
    /// A sender that is not `trusted` gets no answer that the owner did not order: what is malformed,
    /// unsupported or for no call of ours is counted and dropped.
    pub fn handle_message(
        &mut self,
        now: Instant,
        hop: Hop,
        message: Result<Message, MessageError>,
        trusted: bool,
    ) -> Option<DialogId> {
        self.heard = None;
        match message {
            Ok(Message::Request(request)) => self.handle_request(now, hop, request, trusted),
            Ok(Message::Response(response)) => {
                self.layer.handle_response(now, response);
                self.heard = self.layer.heard().flatten();
                self.pump_from(now, Some(hop));
            }
            Err(MessageError::Refuse {
                request, status, ..
            }) => self.handle_unreadable(hop, *request, status, trusted),
            Err(_) => self.stats.dropped += 1,
        }
        self.heard
    }

    /// The connection of `hop` is gone, or a datagram to it came back.
    ///
    /// Requests of ours that wait there fail. A call goes on: its next request opens a connection.
    pub fn handle_transport_error(&mut self, now: Instant, hop: Hop) {
        self.layer.handle_transport_error(now, hop);
        self.pump(now);
        let Some(connection) = hop.connection else {
            return;
        };
        let all = (connection, DialogId(0))..=(connection, DialogId(u64::MAX));
        let calls: Vec<DialogId> = self.connections.range(all).map(|(_, call)| *call).collect();
        for call in calls {
            self.with(now, call, |usage, _| {
                usage.handle_connection_lost(connection)
            });
        }
    }

    /// Lets every due timer fire; harmless when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        self.pump(now);
        while let Some(dialog) = self.deadlines.poll(now) {
            self.with(now, dialog, |usage, floor| usage.handle_timeout(now, floor));
            self.touch_forks(now, dialog, |_, _| {});
        }
    }

    /// Takes a message that wants to leave.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.layer.poll_transmit()
    }

    /// [`Self::poll_transmit`], and the call that it belongs to, if any.
    #[must_use]
    pub fn poll_transmit_of(&mut self) -> Option<(Transmit, Option<DialogId>)> {
        let (transmit, owner) = self.layer.poll_transmit_of()?;
        Some((transmit, owner.flatten()))
    }

    /// Takes news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        earliest(self.layer.poll_timeout(), self.deadlines.poll_timeout())
    }

    /// Sends 180, or 183 with early media; only before the answer.
    pub fn ring(&mut self, now: Instant, dialog: DialogId, sdp: Option<Bytes>) {
        self.with(now, dialog, |usage, floor| usage.ring(now, floor, sdp));
    }

    /// Sends 200 to the INVITE, with the answer to its offer or, when it had none, with our offer.
    ///
    /// It is sent again until its ACK comes; after 64·T1 the call ends (RFC 3261 §13.3.1.4).
    pub fn answer(&mut self, now: Instant, dialog: DialogId, sdp: Bytes) {
        self.with(now, dialog, |usage, floor| usage.answer(now, floor, sdp));
    }

    /// Refuses an INVITE that was not answered yet, with any final status but 2xx and with `headers`.
    ///
    /// A 401 or 407 leaves no state behind and is not resent.
    pub fn refuse(
        &mut self,
        now: Instant,
        dialog: DialogId,
        status: Status,
        headers: Vec<(HeaderName, Bytes)>,
    ) {
        let status = if status.class() < 3 {
            Status::SERVER_INTERNAL_ERROR
        } else {
            status
        };
        self.with(now, dialog, |usage, floor| {
            usage.refuse(now, floor, status, headers)
        });
    }

    /// Forgets an INVITE that was not answered yet, without a word; for scanners.
    pub fn ignore(&mut self, now: Instant, dialog: DialogId) {
        self.with(now, dialog, |usage, floor| usage.ignore(floor));
    }

    /// Hangs up: BYE once the ACK of our 200 is there, before our answer 480, before the peer's CANCEL. No
    /// event follows, but for a canceled call: [`Event::Rejected`] or [`Event::Unanswered`], and an answer
    /// that crossed the CANCEL is hung up without a word.
    ///
    /// `reason` is the value of a Reason header, such as `Q.850;cause=16` (RFC 3326).
    pub fn bye(&mut self, now: Instant, dialog: DialogId, reason: Option<Bytes>) {
        self.with(now, dialog, |usage, floor| usage.bye(now, floor, reason));
    }

    /// Answers [`Event::Offered`] with 200; harmless when nothing is pending any more.
    pub fn answer_offer(&mut self, now: Instant, dialog: DialogId, sdp: Bytes) {
        self.with(now, dialog, |usage, floor| {
            usage.answer_offer(now, floor, sdp)
        });
    }

    /// Refuses [`Event::Offered`]; the call goes on as it was (RFC 3261 §14.2: 488 is the usual status).
    pub fn refuse_offer(&mut self, now: Instant, dialog: DialogId, status: Status) {
        let status = if status.class() < 3 {
            Status::NOT_ACCEPTABLE_HERE
        } else {
            status
        };
        self.with(now, dialog, |usage, floor| {
            usage.refuse_offer(now, floor, status)
        });
    }

    /// Calls somebody: [`Event::Progress`], then one of [`Event::Accepted`], [`Event::Rejected`] and
    /// [`Event::Unanswered`]. `None` when there are too many calls already.
    #[must_use]
    pub fn invite(&mut self, now: Instant, invite: Invite) -> Option<DialogId> {
        if self.slots.len() >= self.limits.dialogs || self.layer.count() >= self.limits.transactions
        {
            self.stats.overloaded += 1;
            return None;
        }
        let tag = self.rng.token(TAG_LENGTH);
        self.issued += 1;
        let id = DialogId(self.issued);
        debug!(dialog = id.0, hop = %invite.hop.remote, "calling");
        let usage = InviteUsage::dialing(now, &mut self.parts().2, id, invite, &tag);
        self.insert(now, id, &tag, usage);
        Some(id)
    }

    /// Offers a change of the session by re-INVITE (RFC 3261 §14.1), as soon as no other offer is open:
    /// [`Event::Answered`] or [`Event::OfferRefused`] follows, unless the call ends before. A newer offer
    /// takes the place of one that still waits.
    pub fn offer(&mut self, now: Instant, dialog: DialogId, sdp: Bytes) {
        self.with(now, dialog, |usage, _| usage.offer(sdp));
    }

    /// Answers [`Event::Request`]; `response` was made with [`Response::to`] and gets its To tag here.
    ///
    /// A 401 or 407 leaves no state behind.
    pub fn respond(&mut self, now: Instant, request: RequestId, mut response: Response) {
        let is_tagged = response.headers.to().is_ok_and(|to| to.tag().is_some());
        if !is_tagged && let Some(to) = response.headers.get(&HeaderName::To) {
            let to = with_tag(to, &self.rng.token(16));
            response.headers.set(HeaderName::To, to);
        }
        if !response.headers.has(&HeaderName::Server) {
            self.identity
                .sign(&mut response.headers, HeaderName::Server);
        }
        match response.status {
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED => {
                self.layer.respond_without_state(request.0, &response);
            }
            _ => self.layer.respond(now, request.0, &response),
        }
    }

    /// Forgets [`Event::Request`] without a word; for scanners.
    pub fn ignore_request(&mut self, request: RequestId) {
        self.layer.forget(request.0);
    }

    /// Our Contact as the peer at `hop` shall see it, for responses the owner makes itself.
    #[must_use]
    pub fn contact(&self, hop: Hop, user: Option<&str>) -> String {
        self.identity.contact(hop, user)
    }

    /// The address in our messages to `hop`.
    #[must_use]
    pub fn advertised(&self, hop: Hop) -> SocketAddr {
        self.identity.advertised(hop)
    }

    /// Counters since the beginning, and how much lives now.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        let layer = self.layer.stats();
        EndpointStats {
            stray_responses: layer.stray_responses,
            retransmissions_in: layer.retransmissions_in,
            retransmissions_out: layer.retransmissions_out,
            transactions: self.layer.count(),
            dialogs: self.slots.len(),
            ..self.stats
        }
    }
}

/// Five bits each: more than anyone can try within a call.
const TAG_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use crate::sip::tests::kit::{Bench, Caller, config, tcp};

    #[test]
    fn a_call_is_listed_under_its_connection_until_it_ends() {
        let mut bench = Bench::with(config(), tcp());
        let mut caller = Caller::new("a");
        bench.call(&mut caller);
        assert_eq!(bench.endpoint.connections.len(), 1);
        bench.hear(&caller.next("BYE", "", ""));
        assert!(bench.endpoint.connections.is_empty());
        assert!(bench.endpoint.tags.is_empty());
    }
}
