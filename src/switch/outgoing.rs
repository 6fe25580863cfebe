//! One call that we make, over as many trunks and addresses as it takes.
//!
//! ```text
//!   ways:  trunk a, trunk b, ...        one after another, where the rule lets it go on
//!            |  resolve
//!   hops:  address 1, address 2, ...    one after another: silent, unreachable, 503
//!            |  media port, INVITE
//!            v
//!   Progress, Accepted | Rejected, Unanswered --> next hop, next way, or the end
//! ```
//!
//! A call keeps its name through all of that, and nobody but this file knows how often it was tried.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::command::{Direction, SessionId};

use super::identity::Caller;
use super::io::ResolveId;
use super::route::{Destination, Line, Party, Routes, Target, Way, reachable};
use super::seeking::Seeker;
use super::{Entry, Switch};
use crate::call::cause::{Cause, NoWay, Why};
use crate::call::q850::Q850;
use crate::call::reason::Fact;
use crate::call::{Call, Leg};
use crate::flow;
use crate::ids::CallId;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::LocalCrypto;
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::LocalEnd;
use crate::sip::message::{HeaderName, NameAddr, Response, Status};
use crate::sip::{DialogId, Hop, Invite, NoAnswer};
use crate::status::CallStatus;
use crate::store::trunks::TrunkId;

/// How a call that we make is tried, until it is answered.
#[derive(Debug)]
pub(super) struct Outgoing {
    caller: Caller,
    early_execution: bool,
    /// Still to be tried.
    ways: VecDeque<Way>,
    /// The one that is tried.
    way: Option<Way>,
    /// Its addresses, still to be tried.
    hops: VecDeque<Hop>,
    /// Those of all ways that were silent lately: tried when nothing else is left.
    doubtful: VecDeque<(Way, Hop)>,
    /// The address that is tried.
    hop: Option<Hop>,
    resolving: Option<ResolveId>,
    /// Our side of the media session, once that has been asked for.
    side: Option<IpAddr>,
    is_open: bool,
    /// Its channel is taken.
    trunk: Option<TrunkId>,
    is_redirected: bool,
    /// Why the last try came to nothing.
    last: Option<(Q850, Why)>,
}

/// How long an address may say nothing at all, not even 100.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

impl Outgoing {
    /// Goes on with these ways before those that are left. `false`: it has been sent on before.
    pub(super) fn send_on(&mut self, ways: Vec<Way>) -> bool {
        if self.is_redirected {
            return false;
        }
        self.is_redirected = true;
        self.hops.clear();
        for way in ways.into_iter().rev() {
            self.ways.push_front(way);
        }
        true
    }

    /// What stands behind the way that is tried.
    pub(super) fn line(&self) -> Option<Line> {
        self.way.as_ref().map(|way| way.line)
    }

    pub(super) fn new(caller: Caller, early_execution: bool, ways: Vec<Way>) -> Self {
        Self {
            caller,
            early_execution,
            ways: ways.into(),
            way: None,
            hops: VecDeque::new(),
            doubtful: VecDeque::new(),
            hop: None,
            resolving: None,
            side: None,
            is_open: false,
            trunk: None,
            is_redirected: false,
            last: None,
        }
    }

    /// The trunks that it goes by, or may.
    pub(super) fn trunks(&self) -> impl Iterator<Item = TrunkId> {
        let doubtful = self.doubtful.iter().map(|(way, _)| way);
        let ways = self.ways.iter().chain(&self.way).chain(doubtful);
        ways.filter_map(|way| way.line.trunk()).chain(self.trunk)
    }

    /// Claims that the call goes to a telephone where that has registered.
    pub(super) fn is_at_extension(&self) -> bool {
        let way = self.way.as_ref();
        way.is_some_and(|way| way.line == Line::Extension)
    }
}

/// A call to be made.
pub(super) struct NewCall {
    pub party: Party,
    pub caller: Caller,
    pub master: Option<CallId>,
    /// With whom it will be joined.
    pub beside: Option<CallId>,
    pub early_execution: bool,
}

impl Switch {
    /// Makes a call. It is there from now on, and ends by itself when there is no way to the party.
    pub(super) fn make_call(&mut self, now: Instant, new: NewCall) -> CallId {
        let id = CallId(self.rng.uuid());
        let NewCall {
            party,
            caller,
            master,
            beside,
            early_execution,
        } = new;
        let session = self.next_session(beside);
        let leg = Leg::outgoing(session);
        let call = Call::outgoing(
            now,
            id,
            leg,
            Arc::clone(&caller.address),
            party.address,
            master,
        );
        tracing::info!(call = %id, kind = call.destination().kind.as_str(), "calling");
        let mut entry = Box::new(Entry::new(call));
        entry.is_private = caller.is_private;
        let (ways, last) = match party.ways {
            Ok(ways) => (ways, None),
            Err(why) => {
                let target = entry.call.destination().target.as_str();
                entry.facts.add(Fact::Host(target.into()));
                (Vec::new(), Some((Q850::NO_ROUTE, Why::NoWay(why))))
            }
        };
        let mut outgoing = Outgoing::new(caller, early_execution, ways);
        outgoing.last = last;
        entry.outgoing = Some(outgoing);
        entry.stands(self.tap.at);
        self.sessions.insert(session, id);
        self.calls.insert(id, entry);
        self.counts.outgoing += 1;
        // Arms the deadline.
        self.with_call(now, id, |_, _| {});
        self.try_next(now, id);
        id
    }

    /// Goes on to the next address, the next way, or the end.
    fn try_next(&mut self, now: Instant, id: CallId) {
        loop {
            let Some(outgoing) = self.outgoing(id) else {
                return;
            };
            outgoing.hop = None;
            if let Some(hop) = outgoing.hops.pop_front() {
                let way = outgoing.way.clone();
                if self.silent_hops.has(now, &hop)
                    && let Some(way) = way.filter(|way| way.line != Line::Extension)
                {
                    if let Some(outgoing) = self.outgoing(id) {
                        outgoing.doubtful.push_back((way, hop));
                    }
                    continue;
                }
                return self.turn_to(now, id, hop);
            }
            if let Some(way) = outgoing.ways.pop_front() {
                if self.enter(now, id, way) {
                    return;
                }
                continue;
            }
            if let Some((way, hop)) = outgoing.doubtful.pop_front() {
                if self.take_channel(now, id, way.line) {
                    if let Some(outgoing) = self.outgoing(id) {
                        outgoing.way = Some(way);
                    }
                    return self.turn_to(now, id, hop);
                }
                continue;
            }
            let unknown = (Q850::NO_ROUTE, Why::NoWay(NoWay::Unresolved));
            let (value, why) = outgoing.last.take().unwrap_or(unknown);
            return self.give_up(now, id, value, why);
        }
    }

    /// Begins with a way. `false`: it is closed now.
    fn enter(&mut self, now: Instant, id: CallId, way: Way) -> bool {
        if !self.take_channel(now, id, way.line) {
            return false;
        }
        let Some(outgoing) = self.outgoing(id) else {
            return true;
        };
        let target = way.target.clone();
        outgoing.way = Some(way);
        match target {
            Target::Hop(hop) => {
                outgoing.hops.push_back(hop);
                false
            }
            Target::Host(host) => {
                let resolve = self.seek(Seeker::Call(id), host);
                if let Some(outgoing) = self.outgoing(id) {
                    outgoing.resolving = Some(resolve);
                }
                true
            }
        }
    }

    /// Takes a channel of the trunk behind a way, and gives back that of the one before.
    fn take_channel(&mut self, now: Instant, id: CallId, line: Line) -> bool {
        let held = self.outgoing(id).and_then(|outgoing| outgoing.trunk);
        if held.is_some() && held == line.trunk() {
            return true;
        }
        self.release_channel(id);
        let Some(trunk) = line.trunk() else {
            return true;
        };
        let day = self.epoch.since_1970(now).as_secs() / 86_400;
        let trunks = &mut self.config.directory.trunks;
        let admitted = trunks.admit(now, day, trunk);
        let name = trunks.name(trunk).to_owned();
        let Some(outgoing) = self.outgoing(id) else {
            return false;
        };
        match admitted {
            Ok(()) => {
                outgoing.trunk = Some(trunk);
                tracing::debug!(call = %id, trunk = name, "by trunk");
                true
            }
            Err(limit) => {
                outgoing.last = Some((Q850::CONGESTION, Why::NoWay(NoWay::Barred)));
                let barred = Fact::TrunkBarred {
                    trunk: name.as_str().into(),
                    limit: limit.to_string().into(),
                };
                self.know(id, barred);
                if let Some(others) = self.limits.pass(now) {
                    tracing::warn!(call = %id, trunk = name, %limit, others, "trunk has reached a limit");
                }
                false
            }
        }
    }

    /// Gives back the channel of a trunk that a call holds.
    pub(super) fn release_channel(&mut self, id: CallId) {
        let trunk = self.outgoing(id).and_then(|outgoing| outgoing.trunk.take());
        if let Some(trunk) = trunk {
            self.config.directory.trunks.release(trunk);
        }
    }

    /// The addresses of a host are known.
    pub(super) fn callee_found(&mut self, now: Instant, id: CallId, hops: Vec<Hop>) {
        let allow = self.config.directory.dial_allow.clone();
        let Some(outgoing) = self.outgoing(id) else {
            return;
        };
        let Some(line) = outgoing.way.as_ref().map(|way| way.line) else {
            return;
        };
        outgoing.resolving = None;
        let host = outgoing.way.as_ref().and_then(|way| match &way.target {
            Target::Host(host) => Some(host.host.to_string()),
            Target::Hop(_) => None,
        });
        let is_found = !hops.is_empty();
        match reachable(line, hops, &allow) {
            Ok(hops) => outgoing.hops = hops.into(),
            Err(why) => outgoing.last = Some((Q850::NO_ROUTE, Why::NoWay(why))),
        }
        let is_lost = !is_found || outgoing.hops.is_empty();
        if let Some(host) = host.filter(|_| is_lost) {
            self.know(id, Fact::Host(host.into()));
        }
        self.try_next(now, id);
    }

    /// Sends the INVITE to an address, once there is a media port on that side of ours.
    fn turn_to(&mut self, now: Instant, id: CallId, hop: Hop) {
        let session = self.next_session(Some(id));
        let side = hop.local.ip();
        let Some(outgoing) = self.outgoing(id) else {
            return;
        };
        outgoing.hop = Some(hop);
        if outgoing.side == Some(side) {
            if outgoing.is_open {
                self.invite(now, id);
            }
            return;
        }
        outgoing.side = Some(side);
        outgoing.is_open = false;
        let mut opened = session;
        self.with_call(now, id, |call, down| {
            opened = call.open(down, session, side)
        });
        self.sessions.insert(opened, id);
    }

    /// The media port of a call that we make is there.
    pub(super) fn handle_port(&mut self, now: Instant, id: CallId, session: SessionId, port: u16) {
        let is_current =
            |entry: &Entry| entry.call.is_alive() && entry.call.leg().session() == session;
        let hop = self.calls.get_mut(&id).filter(|entry| is_current(entry));
        let Some(hop) = hop.and_then(|entry| {
            let outgoing = entry.outgoing.as_mut()?;
            outgoing.is_open = true;
            outgoing.hop
        }) else {
            return;
        };
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.opened(self.tap.at, port);
        }
        let local = LocalEnd {
            address: self.endpoint.advertised(hop).ip(),
            port,
            session_id: u64::from(self.rng.next_u32()),
            version: 1,
            cname: self.rng.token(16),
            peer: hop.remote.ip(),
            direction: Direction::SendRecv,
            codecs: self.config.codecs.usual.clone(),
            payload_types: PayloadTypes::default(),
            crypto: LocalCrypto::default(),
        };
        self.with_call(now, id, |call, _| call.handle_opened(local));
        self.invite(now, id);
    }

    fn invite(&mut self, now: Instant, id: CallId) {
        let Some(entry) = self.calls.get(&id) else {
            return;
        };
        let Some((outgoing, hop, way)) = entry
            .outgoing
            .as_ref()
            .and_then(|outgoing| Some((outgoing, outgoing.hop?, outgoing.way.as_ref()?)))
        else {
            return;
        };
        let trunks = &self.config.directory.trunks;
        let here = self.endpoint.advertised(hop);
        let identity = outgoing.caller.identity(way, trunks, here);
        let account = match way.line {
            Line::Trunk(trunk) if way.is_to(trunks.get(trunk)) => trunks.get(trunk).account.clone(),
            _ => None,
        };
        let invite = Invite {
            hop,
            uri: way.uri.clone(),
            from: identity.from,
            to: NameAddr::new(way.uri.clone()),
            contact_user: identity.contact_user,
            routes: self.routes_of(way),
            headers: identity.headers,
            sdp: Bytes::new(),
            account,
            patience: PATIENCE,
        };
        let session = entry.call.leg().session();
        let codecs = self.codecs_for(&entry.call, way.line);
        let trunk = way.line.trunk().map(|trunk| trunks.name(trunk));
        let srtp = self.config.directory.protection.of(trunk);
        let mut dialog = None;
        self.with_call(now, id, |call, down| {
            if call.dial(down, (hop.remote.ip(), srtp), codecs, invite) {
                dialog = call.leg().dialog();
            }
        });
        match dialog {
            Some(dialog) => {
                self.dialogs.insert(dialog, session);
                self.show_dialed(now, id);
            }
            None => {
                let why = Why::NoWay(NoWay::TooManyCalls);
                self.give_up(now, id, Q850::CONGESTION, why);
            }
        }
    }

    /// What a party is offered: first what spares us work beside the one it is called for.
    fn codecs_for(&self, call: &Call, line: Line) -> Codecs {
        let trunks = &self.config.directory.trunks;
        let codecs = self
            .config
            .codecs
            .with(line.trunk().map(|trunk| trunks.name(trunk)));
        let master = call.master().and_then(|master| self.calls.get(&master));
        match master.and_then(|master| master.call.leg().codec()) {
            Some(codec) => codecs.beside(codec),
            None => codecs.clone(),
        }
    }

    /// A peer that we called has refused.
    pub(super) fn handle_rejected(&mut self, now: Instant, dialog: DialogId, response: &Response) {
        let Some((id, hop)) = self.undialed(now, dialog) else {
            return;
        };
        let status = response.status;
        tracing::debug!(call = %id, remote = %hop.remote, status = status.code(), "refused");
        if status.class() == 3 && self.redirect(id, response) {
            return self.try_next(now, id);
        }
        let header = response.headers.get(&HeaderName::Reason);
        let told = header.and_then(|header| Q850::of_reason(header));
        let value = told.unwrap_or_else(|| Q850::of_status(status));
        if status == Status::SERVICE_UNAVAILABLE {
            self.silent_hops.add(now, hop);
        }
        self.go_on(
            now,
            id,
            status == Status::SERVICE_UNAVAILABLE,
            value,
            Why::Refused(status.code()),
        );
    }

    /// A peer that we called has said nothing, or cannot be reached.
    pub(super) fn handle_unanswered(&mut self, now: Instant, dialog: DialogId, why: NoAnswer) {
        let Some((id, hop)) = self.undialed(now, dialog) else {
            return;
        };
        tracing::info!(call = %id, remote = %hop.remote, %why, "no answer");
        self.silent_hops.add(now, hop);
        self.know(id, Fact::Silent(hop.remote));
        let value = match why {
            NoAnswer::TransportFailed => Q850::CONGESTION,
            _ => Q850::NO_RESPONSE,
        };
        self.go_on(now, id, true, value, Why::NoResponse);
    }

    /// Forgets the INVITE of a dialog that is gone; its call, while that still wants to reach somebody.
    fn undialed(&mut self, now: Instant, dialog: DialogId) -> Option<(CallId, Hop)> {
        let session = self.part_dialog(dialog)?;
        let id = *self.sessions.get(&session)?;
        let mut is_dialing = false;
        self.with_call(now, id, |call, _| {
            is_dialing = call.is_alive() && call.is_dialing();
            call.handle_undialed();
        });
        let hop = self.outgoing(id)?.hop?;
        is_dialing.then_some((id, hop))
    }

    /// Tries the next address of the host where the fault is that of the address, and the next way where
    /// the called one itself has not decided; else the call ends.
    fn go_on(&mut self, now: Instant, id: CallId, is_of_hop: bool, value: Q850, why: Why) {
        let status = self.calls.get(&id).map(|entry| entry.call.status());
        let Some(outgoing) = self.outgoing(id) else {
            return;
        };
        let has_begun = outgoing.early_execution && status == Some(CallStatus::Ringing);
        if has_begun || !value.may_be_tried_elsewhere() {
            return self.give_up(now, id, value, why);
        }
        if !is_of_hop {
            outgoing.hops.clear();
        }
        outgoing.last = Some((value, why));
        self.try_next(now, id);
    }

    /// Ends a call that cannot be made.
    fn give_up(&mut self, now: Instant, id: CallId, value: Q850, why: Why) {
        if let Why::NoWay(why) = &why {
            tracing::warn!(call = %id, %why, "not called");
        }
        self.with_call(now, id, |call, down| {
            let cause = Cause::undialed(call.status(), value, why);
            call.fail(down, cause);
        });
    }

    /// The proxies that a request goes through: those of the way, and of a trunk those that its registrar
    /// has named.
    pub(super) fn routes_of(&self, way: &Way) -> Vec<NameAddr> {
        match way.line {
            Line::Trunk(trunk) if !way.is_redirect => self.carriers.service_route(trunk).to_vec(),
            _ => way.routes.clone(),
        }
    }

    pub(super) fn outgoing(&mut self, id: CallId) -> Option<&mut Outgoing> {
        self.calls.get_mut(&id)?.outgoing.as_mut()
    }

    /// What becomes of the search and the channel of a call that is over.
    pub(super) fn stop_trying(&mut self, id: CallId, outgoing: Option<Outgoing>) {
        let Some(outgoing) = outgoing else {
            return;
        };
        if let Some(resolve) = outgoing.resolving {
            self.resolves.remove(&resolve);
        }
        if let Some(trunk) = outgoing.trunk {
            tracing::trace!(call = %id, "channel is free");
            self.config.directory.trunks.release(trunk);
        }
    }

    /// Whom an address of a flow means now.
    pub(super) fn destination(&self, address: &flow::Address) -> Option<Destination> {
        let routes = Routes {
            directory: &self.config.directory,
            registrar: &self.registrar,
            access: &self.config.access,
        };
        routes.destination(address)
    }
}
