//! All transactions and their deadlines. What is resent ends here, in both directions.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ClientEvent;
use super::client_invite::ClientInvite;
use super::client_request::ClientRequest;
use super::key::{MergeKey, ServerKey, new_branch};
use super::machine::Machine;
use super::server_invite::ServerInvite;
use super::server_request::ServerRequest;
use crate::ids::{IdMap, IdState, Rng};
use crate::sip::hop::{Hop, Transmit};
use crate::sip::message::{HeaderName, Host, Method, Params, Request, Response, Status, Via};
use crate::time::DeadlineQueue;

/// One transaction of the layer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// What a request that came in is to the layer.
#[derive(Debug, PartialEq, Eq)]
pub enum Matched<O> {
    /// It was known and has been dealt with.
    Absorbed,
    /// No transaction knows it; open one with this key, or answer it without.
    Unknown(ServerKey),
    /// A CANCEL of a known INVITE; its own transaction is to be opened with this key.
    Cancel {
        /// Of the CANCEL itself.
        key: ServerKey,
        /// The transaction to be canceled.
        invite: TransactionId,
        /// Whose it is.
        owner: O,
    },
    /// An ACK that no transaction takes: it belongs to a dialog, or to nothing.
    Ack,
}

/// News about a request of ours.
#[derive(Debug)]
pub struct ClientNews<O> {
    /// The transaction that [`TransactionLayer::request`] gave.
    pub transaction: TransactionId,
    /// Whose it is.
    pub owner: O,
    /// What happened.
    pub event: ClientEvent,
}

/// Counters of the layer, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionStats {
    /// Requests that came again and were answered without their user.
    pub retransmissions_in: u64,
    /// Messages sent again by a timer or because their request came again.
    pub retransmissions_out: u64,
    /// Responses that belong to no request of ours.
    pub stray_responses: u64,
}

/// Owns every transaction; `O` says whose each is.
#[derive(Debug)]
pub struct TransactionLayer<O> {
    slots: IdMap<TransactionId, Slot<O>>,
    servers: HashMap<ServerKey, TransactionId>,
    clients: HashMap<ClientKey, TransactionId>,
    merging: HashMap<MergeKey, TransactionId>,
    deadlines: DeadlineQueue<TransactionId, IdState>,
    /// The first time there was one; those that only linger end in steps of [`TOGETHER`] from here.
    began: Option<Instant>,
    issued: u64,
    transmits: VecDeque<(Transmit, Option<O>)>,
    /// Whose the transaction was that the last message belonged to.
    heard: Option<O>,
    news: VecDeque<ClientNews<O>>,
    stats: TransactionStats,
}

#[derive(Debug)]
struct Slot<O> {
    machine: Machine,
    hop: Hop,
    owner: O,
    key: SlotKey,
}

#[derive(Debug)]
enum SlotKey {
    Server(ServerKey, Option<MergeKey>),
    Client(ClientKey),
}

/// Branch and CSeq method (RFC 3261 §17.1.3).
type ClientKey = (Box<str>, Method);

impl<O: Copy> TransactionLayer<O> {
    /// A layer without transactions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: IdMap::default(),
            servers: HashMap::new(),
            clients: HashMap::new(),
            merging: HashMap::new(),
            deadlines: DeadlineQueue::default(),
            began: None,
            issued: 0,
            transmits: VecDeque::new(),
            heard: None,
            news: VecDeque::new(),
            stats: TransactionStats::default(),
        }
    }

    /// Finds the transaction of `request`, whose top Via is `via` as received, and lets it deal with
    /// what it knows.
    pub fn handle_request(&mut self, now: Instant, request: &Request, via: &Via) -> Matched<O> {
        self.heard = None;
        if request.method == Method::Ack {
            return self.handle_ack(now, request, via);
        }
        let key = ServerKey::of(request, via);
        if let Some(id) = self.servers.get(&key).copied() {
            self.stats.retransmissions_in += 1;
            if let Some(slot) = self.slots.get_mut(&id) {
                self.heard = Some(slot.owner);
                match &mut slot.machine {
                    Machine::ServerInvite(invite) => invite.handle_resent_invite(),
                    Machine::ServerRequest(server) => server.handle_resent_request(),
                    Machine::ClientInvite(_) | Machine::ClientRequest(_) => {}
                }
            }
            self.settle(now, id, true);
            return Matched::Absorbed;
        }
        if request.method == Method::Cancel {
            let invite = self.find_invite(request, via);
            if let Some((invite, slot)) = invite.and_then(|id| Some((id, self.slots.get(&id)?))) {
                return Matched::Cancel {
                    key,
                    invite,
                    owner: slot.owner,
                };
            }
        }
        Matched::Unknown(key)
    }

    /// Opens the server transaction of a request that was unknown; responses go to `hop`.
    pub fn open(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Arc<Request>,
        hop: Hop,
        owner: O,
    ) -> TransactionId {
        let is_reliable = hop.transport.is_reliable();
        let machine = if request.method == Method::Invite {
            Machine::ServerInvite(ServerInvite::new(now, Arc::clone(request), is_reliable))
        } else {
            Machine::ServerRequest(ServerRequest::new(now, is_reliable))
        };
        let id = self.issue();
        let merge = MergeKey::of(request);
        if let Some(merge) = merge.clone() {
            self.merging.insert(merge, id);
        }
        self.servers.insert(key.clone(), id);
        let key = SlotKey::Server(key, merge);
        self.insert(
            now,
            id,
            Slot {
                machine,
                hop,
                owner,
                key,
            },
        );
        id
    }

    /// Gives a server transaction a response to send; one that is gone sends nothing.
    pub fn respond(&mut self, now: Instant, id: TransactionId, response: &Response) {
        self.respond_bytes(now, id, response.status, response.to_bytes());
    }

    /// [`Self::respond`] with the bytes of the response made already.
    pub fn respond_bytes(&mut self, now: Instant, id: TransactionId, status: Status, bytes: Bytes) {
        if let Some(slot) = self.slots.get_mut(&id) {
            match &mut slot.machine {
                Machine::ServerInvite(invite) => invite.respond(now, status, bytes),
                Machine::ServerRequest(server) => server.respond(now, status, bytes),
                Machine::ClientInvite(_) | Machine::ClientRequest(_) => {}
            }
        }
        self.settle(now, id, false);
    }

    /// Answers once and forgets: the request is new again when it is resent (RFC 3261 §8.2.7).
    ///
    /// For challenges: whoever has not shown who it is gets one answer for one request and no memory.
    pub fn respond_without_state(&mut self, id: TransactionId, response: &Response) {
        if let Some(slot) = self.slots.get(&id) {
            let transmit = Transmit {
                hop: slot.hop,
                bytes: response.to_bytes(),
            };
            self.transmits.push_back((transmit, Some(slot.owner)));
        }
        self.forget(id);
    }

    /// Sends `request` with a Via of its own as a client transaction.
    ///
    /// `sent_by` is the address the peer shall answer to.
    pub fn request(
        &mut self,
        now: Instant,
        hop: Hop,
        sent_by: SocketAddr,
        mut request: Request,
        rng: &mut Rng,
        owner: O,
    ) -> TransactionId {
        let branch = push_via(&mut request, hop, sent_by, rng);
        let key: ClientKey = (branch.into_boxed_str(), request.method.clone());
        let is_reliable = hop.transport.is_reliable();
        let machine = if request.method == Method::Invite {
            Machine::ClientInvite(ClientInvite::new(now, Arc::new(request), is_reliable))
        } else {
            Machine::ClientRequest(ClientRequest::new(now, &request, is_reliable))
        };
        let id = self.issue();
        self.clients.insert(key.clone(), id);
        let key = SlotKey::Client(key);
        self.insert(
            now,
            id,
            Slot {
                machine,
                hop,
                owner,
                key,
            },
        );
        id
    }

    /// Sends the CANCEL of an INVITE of ours, with a Reason (RFC 3326) when there is one.
    ///
    /// Nothing before its first provisional response (RFC 3261 §9.1) and after its final one. An INVITE that
    /// has no final response 64·T1 later has timed out.
    pub fn cancel(&mut self, now: Instant, invite: TransactionId, reason: Option<Bytes>) {
        let Some(slot) = self.slots.get_mut(&invite) else {
            return;
        };
        let (Machine::ClientInvite(client), SlotKey::Client((branch, _))) =
            (&mut slot.machine, &slot.key)
        else {
            return;
        };
        let key: ClientKey = (branch.clone(), Method::Cancel);
        if self.clients.contains_key(&key) {
            return;
        }
        let Some(mut cancel) = client.cancel(now) else {
            return;
        };
        if let Some(reason) = reason {
            cancel.headers.push(HeaderName::Reason, reason);
        }
        let (hop, owner) = (slot.hop, slot.owner);
        self.settle(now, invite, false);
        let is_reliable = hop.transport.is_reliable();
        let machine = Machine::ClientRequest(ClientRequest::new(now, &cancel, is_reliable));
        let id = self.issue();
        self.clients.insert(key.clone(), id);
        let key = SlotKey::Client(key);
        self.insert(
            now,
            id,
            Slot {
                machine,
                hop,
                owner,
                key,
            },
        );
    }

    /// Nobody waits for the answer to an INVITE of ours any more: it is not sent again and does not live for
    /// ever. An answer may still come.
    pub fn abandon(&mut self, now: Instant, invite: TransactionId) {
        if let Some(slot) = self.slots.get_mut(&invite)
            && let Machine::ClientInvite(client) = &mut slot.machine
        {
            client.abandon(now);
        }
        self.settle(now, invite, false);
    }

    /// Sends a message that no transaction repeats: the ACK to a 2xx, or an answer given without state.
    pub fn send(&mut self, hop: Hop, bytes: Bytes, owner: Option<O>) {
        self.transmits.push_back((Transmit { hop, bytes }, owner));
    }

    /// Forgets a transaction without another word.
    pub fn forget(&mut self, id: TransactionId) {
        let Some(slot) = self.slots.remove(&id) else {
            return;
        };
        self.deadlines.set(id, None);
        match slot.key {
            SlotKey::Client(key) => {
                self.clients.remove(&key);
            }
            SlotKey::Server(key, merge) => {
                self.servers.remove(&key);
                if let Some(merge) = merge.filter(|merge| self.merging.get(merge) == Some(&id)) {
                    self.merging.remove(&merge);
                }
            }
        }
    }

    /// Takes a response; one that answers nothing of ours is counted and dropped.
    pub fn handle_response(&mut self, now: Instant, response: Response) {
        let id = response.headers.top_via().ok().and_then(|via| {
            let method = response.headers.cseq().ok()?.method;
            let key: ClientKey = (via.branch()?.into(), method);
            self.clients.get(&key).copied()
        });
        self.heard = None;
        let Some((id, slot)) = id.and_then(|id| Some((id, self.slots.get_mut(&id)?))) else {
            self.stats.stray_responses += 1;
            return;
        };
        self.heard = Some(slot.owner);
        let response = Arc::new(response);
        match &mut slot.machine {
            Machine::ClientInvite(client) => client.handle_response(now, response),
            Machine::ClientRequest(client) => client.handle_response(now, response),
            Machine::ServerInvite(_) | Machine::ServerRequest(_) => {}
        }
        self.settle(now, id, false);
    }

    /// The way to `hop` failed: requests of ours that wait there end (RFC 3261 §17.1.4).
    ///
    /// With a connection all that went by it; without one, all that went to that address as datagrams,
    /// or waits there for a connection to be opened.
    pub fn handle_transport_error(&mut self, now: Instant, hop: Hop) {
        let mut failed: Vec<TransactionId> = self
            .clients
            .values()
            .filter(|id| {
                self.slots
                    .get(id)
                    .is_some_and(|slot| went_by(slot.hop, hop))
            })
            .copied()
            .collect();
        failed.sort_unstable();
        for id in failed {
            if let Some(slot) = self.slots.get_mut(&id) {
                match &mut slot.machine {
                    Machine::ClientInvite(client) => client.handle_transport_error(),
                    Machine::ClientRequest(client) => client.handle_transport_error(),
                    Machine::ServerInvite(_) | Machine::ServerRequest(_) => {}
                }
            }
            self.settle(now, id, false);
        }
    }

    /// Lets every due timer fire.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.poll(now) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.machine.handle_timeout(now);
            }
            self.settle(now, id, true);
        }
    }

    /// Takes a message that wants to leave.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.poll_transmit_of().map(|(transmit, _)| transmit)
    }

    /// [`Self::poll_transmit`], and whose it is.
    #[must_use]
    pub fn poll_transmit_of(&mut self) -> Option<(Transmit, Option<O>)> {
        self.transmits.pop_front()
    }

    /// Whose the transaction is that the last message belonged to which came in; `None` for none.
    #[must_use]
    pub const fn heard(&self) -> Option<O> {
        self.heard
    }

    /// Takes news about a request of ours.
    #[must_use]
    pub fn poll_news(&mut self) -> Option<ClientNews<O>> {
        self.news.pop_front()
    }

    /// When a timer is due next.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadlines.poll_timeout()
    }

    /// Claims that a live transaction carries the same request by another branch (RFC 3261 §8.2.2.2).
    #[must_use]
    pub fn is_merged(&self, request: &Request) -> bool {
        MergeKey::of(request).is_some_and(|key| self.merging.contains_key(&key))
    }

    /// How many transactions live.
    #[must_use]
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Counters since the beginning.
    #[must_use]
    pub const fn stats(&self) -> &TransactionStats {
        &self.stats
    }

    fn handle_ack(&mut self, now: Instant, ack: &Request, via: &Via) -> Matched<O> {
        let Some(id) = self.find_invite(ack, via) else {
            return Matched::Ack;
        };
        let mut took = false;
        if let Some(slot) = self.slots.get_mut(&id) {
            self.heard = Some(slot.owner);
            if let Machine::ServerInvite(invite) = &mut slot.machine {
                took = invite.handle_ack(now);
            }
        }
        self.settle(now, id, false);
        if took {
            Matched::Absorbed
        } else {
            Matched::Ack
        }
    }

    fn find_invite(&self, request: &Request, via: &Via) -> Option<TransactionId> {
        let mut keys = ServerKey::of_invite(request, via);
        keys.find_map(|key| self.servers.get(&key).copied())
    }

    fn issue(&mut self) -> TransactionId {
        self.issued += 1;
        TransactionId(self.issued)
    }

    fn insert(&mut self, now: Instant, id: TransactionId, slot: Slot<O>) {
        self.slots.insert(id, slot);
        self.settle(now, id, false);
    }

    /// Brings out what the machine has to say, arms its timer, and forgets it at its end.
    fn settle(&mut self, now: Instant, id: TransactionId, is_resend: bool) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        while let Some(bytes) = slot.machine.poll_transmit() {
            self.stats.retransmissions_out += u64::from(is_resend);
            let transmit = Transmit {
                hop: slot.hop,
                bytes,
            };
            self.transmits.push_back((transmit, Some(slot.owner)));
        }
        // Over a reliable transport the last timers are zero: they fire here and say nothing.
        if slot.hop.transport.is_reliable() && slot.machine.poll_timeout() == Some(now) {
            slot.machine.handle_timeout(now);
        }
        while let Some(event) = slot.machine.poll_event() {
            self.news.push_back(ClientNews {
                transaction: id,
                owner: slot.owner,
                event,
            });
        }
        if slot.machine.is_terminated() {
            self.forget(id);
        } else {
            let mut at = slot.machine.poll_timeout();
            if slot.machine.lingers() {
                let began = *self.began.get_or_insert(now);
                at = at.map(|at| stepped(began, at));
            }
            self.deadlines.set(id, at);
        }
    }
}

/// Transactions that wait for nothing but their end end together with others, not each in its own millisecond:
/// a late end harms nobody, and every time somebody is woken costs as much as a message does.
const TOGETHER: Duration = Duration::from_millis(50);

/// The end of the step in which `at` lies.
fn stepped(began: Instant, at: Instant) -> Instant {
    let steps = at
        .saturating_duration_since(began)
        .as_nanos()
        .div_ceil(TOGETHER.as_nanos());
    u32::try_from(steps).map_or(at, |steps| began + TOGETHER * steps)
}

impl<O: Copy> Default for TransactionLayer<O> {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts our Via on top (RFC 3261 §18.1.1, RFC 3581 §3) and returns its branch.
pub fn push_via(request: &mut Request, hop: Hop, sent_by: SocketAddr, rng: &mut Rng) -> String {
    let branch = new_branch(rng);
    let mut via = Via {
        transport: hop.transport.token().into(),
        host: Host::Ip(sent_by.ip()),
        port: Some(sent_by.port()),
        params: Params::default(),
    };
    via.params.set("branch", branch.as_str());
    via.params.set("rport", None);
    request
        .headers
        .insert_front(HeaderName::Via, via.to_string());
    branch
}

fn went_by(sent: Hop, failed: Hop) -> bool {
    sent.connection == failed.connection
        && (failed.connection.is_some()
            || (sent.transport == failed.transport && sent.remote == failed.remote))
}
