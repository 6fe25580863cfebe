//! From an INVITE to a call with a running flow: who calls, what is dialled, where the sound goes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use flowswitch_media::command::{Command, Direction, MediaError, SessionId};

use super::direct::dialled_kind;
use super::identity::asks_for_privacy;
use super::refusing::Turned;
use super::telling::RunShown;
use super::{Entry, Run, Switch};
use crate::call::address::{Address, dialled};
use crate::call::cause::{Cause, Why};
use crate::call::reason::{Mismatch, NotTaken};
use crate::call::{Call, Leg};
use crate::flow::{
    self, Activeflow, CallVariables, Flow, FlowEvent, OnComplete, Reference, ReferenceType,
};
use crate::ids::{ActiveflowId, CallId};
use crate::sdp::SessionDescription;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::{LocalCrypto, SrtpPolicy};
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::LocalEnd;
use crate::sip::auth::Verdict;
use crate::sip::dialog::sdp;
use crate::sip::message::{HeaderName, Request, Status, Uri};
use crate::sip::{DialogId, Hop};
use crate::status::{CallStatus, HangupReason};
use crate::store::access::Origin;
use crate::store::call_state::CallKind;
use crate::store::timeline::Timeline;

/// A caller who is let in and waits for its RTP port.
pub(super) struct Arrival {
    pub(super) dialog: DialogId,
    meets: Meets,
    offer: Option<SessionDescription>,
    pub(super) source: Address,
    pub(super) destination: Address,
    advertised: IpAddr,
    pub(super) remote: SocketAddr,
    codecs: Codecs,
    is_private: bool,
    srtp: SrtpPolicy,
    kind: CallKind,
    pub(super) timeline: Timeline,
}

/// What a caller meets.
enum Meets {
    Flow(Arc<Flow>),
    /// The partner of the one whose dialog it replaces.
    Place(DialogId),
}

/// Why a caller, or who sends a message, is not let in.
pub(super) enum Refusal {
    /// Nothing is said: a scanner learns nothing.
    Silence,
    /// The request is refused.
    Status(Status, Vec<(HeaderName, Bytes)>),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status, Vec::new())
    }
}

/// When to try again after a 503: a burst is over by then.
const RETRY_AFTER: &str = "5";

impl Switch {
    /// Whether the endpoint may answer this peer's mistakes.
    pub(super) fn is_trusted(&self, now: Instant, hop: &Hop) -> bool {
        let address = hop.remote.ip();
        self.config.access.origin(address) != Origin::Stranger
            || self.registrar.is_source_registered(hop.remote)
            || self.carriers.at(now, address).is_some()
    }

    pub(super) fn handle_invited(
        &mut self,
        now: Instant,
        dialog: DialogId,
        request: &Request,
        hop: Hop,
    ) {
        let failed = self.authenticator.stats().failed;
        let admitted = self.admit(now, dialog, request, &hop);
        let has_failed = self.authenticator.stats().failed > failed;
        let refusal = match admitted {
            Ok(mut arrival) => {
                let session = self.next_session(None);
                if let Some(message) = self.take_fresh(dialog) {
                    arrival.timeline.push_sip(self.tap.at, message);
                }
                self.dialogs.insert(dialog, session);
                self.arrivals.insert(session, arrival);
                let local = hop.local.ip();
                self.media.push_back(Command::Open { session, local });
                return;
            }
            Err(Turned(refusal, mismatch)) => {
                let status = match &refusal {
                    Refusal::Silence => None,
                    Refusal::Status(status, _) => Some(*status),
                };
                self.turned(dialog, request, &hop, (status, mismatch), has_failed);
                refusal
            }
        };
        match refusal {
            Refusal::Silence => self.endpoint.ignore(now, dialog),
            Refusal::Status(status, headers) => {
                tracing::debug!(?dialog, remote = %hop.remote, status = status.code(), "call refused");
                self.endpoint.refuse(now, dialog, status, headers);
            }
        }
    }

    fn admit(
        &mut self,
        now: Instant,
        dialog: DialogId,
        request: &Request,
        hop: &Hop,
    ) -> Result<Arrival, Turned> {
        let extension = self.identify(now, request, hop)?;
        let is_full = self.calls.len() + self.arrivals.len() >= self.config.calls;
        if self.stopping.is_some() || self.is_overloaded || is_full {
            return Err(Refusal::Status(Status::SERVICE_UNAVAILABLE, later()).into());
        }
        let is_known = |user: &str| self.flows.claimed(user).is_some();
        let meant = self.meant(now, request, hop, is_known);
        let meets = self.met_by(request, &meant, extension.is_some())?;
        // What is not SDP was refused by the endpoint, unless it is marked optional.
        let offer = sdp(request).ok().flatten();
        let offer = offer
            .map(|sdp| SessionDescription::parse(&sdp).map_err(|_| Status::BAD_REQUEST))
            .transpose()?;
        let advertised = self.endpoint.advertised(*hop).ip();
        let codecs = match self.origin(now, hop) {
            Origin::Trunk(name) => self.config.codecs.with(Some(name)),
            _ => self.config.codecs.with(None),
        };
        let srtp = self.protection_of(now, hop);
        let check = |offer| Leg::check(offer, advertised, codecs, srtp, &mut self.rng);
        if let Some(Err(error)) = offer.as_ref().map(check) {
            tracing::info!(?dialog, remote = %hop.remote, %error, "call refused with 488");
            let warning = (HeaderName::Warning, Bytes::from(error.warning()));
            let ours = codecs.names();
            let refusal = Refusal::Status(Status::NOT_ACCEPTABLE_HERE, vec![warning]);
            return Err(Turned(refusal, Some(Box::new(Mismatch { error, ours }))));
        }
        let source = match extension {
            Some(extension) => Address::extension(&extension),
            None => Address::from_sip(&request.headers.from().map_err(|_| Status::BAD_REQUEST)?),
        };
        let destination = Address::from_uri(&meant);
        Ok(Arrival {
            dialog,
            meets,
            offer,
            source,
            destination,
            advertised,
            remote: hop.remote,
            codecs: codecs.clone(),
            is_private: asks_for_privacy(&request.headers),
            srtp,
            kind: self.kind_of(&meant),
            timeline: Timeline::new(),
        })
    }

    /// What a caller meets: the flow of what is dialled, or the call that it wants to take over.
    fn met_by(
        &mut self,
        request: &Request,
        meant: &Uri,
        is_extension: bool,
    ) -> Result<Meets, Status> {
        let replaces = request.headers.replaces();
        match replaces.map_err(|_| Status::BAD_REQUEST)? {
            Some(_) if !is_extension => return Err(Status::FORBIDDEN),
            Some(replaces) => return self.replaced(&replaces).map(Meets::Place),
            None => {}
        }
        let user = dialled(meant).unwrap_or_default();
        if let Some(flow) = self.flows.route(user) {
            return Ok(Meets::Flow(Arc::clone(flow)));
        }
        // Who has proven to be one of ours may dial out without a flow; nobody else may.
        let direct = is_extension.then(|| self.direct_flow(meant));
        direct.flatten().map(Meets::Flow).ok_or(Status::NOT_FOUND)
    }

    /// What a call is for: a conference where that is dialled without a flow.
    fn kind_of(&self, meant: &Uri) -> CallKind {
        let has_flow = dialled(meant).is_some_and(|user| self.flows.route(user).is_some());
        match (!has_flow).then(|| dialled_kind(meant)).flatten() {
            Some(("conference", _)) => CallKind::Conference,
            _ => CallKind::Flow,
        }
    }

    /// Who calls: an extension, by digest, when the caller says it is one; nobody in particular when
    /// its address is known. A stranger must have registered from there, and prove who it is again.
    pub(super) fn identify(
        &mut self,
        now: Instant,
        request: &Request,
        hop: &Hop,
    ) -> Result<Option<String>, Refusal> {
        let is_stranger = match self.origin(now, hop) {
            Origin::Trunk(_) => return Ok(None),
            origin => origin == Origin::Stranger,
        };
        if is_stranger && !self.registrar.is_source_registered(hop.remote) {
            return Err(Refusal::Silence);
        }
        let from = request.headers.from().map_err(|_| Status::BAD_REQUEST)?;
        let claimed = dialled(&from.uri).unwrap_or_default();
        if !is_stranger && self.config.access.password(claimed).is_none() {
            return Ok(None);
        }
        let access = &self.config.access;
        let source = hop.remote.ip();
        match self
            .authenticator
            .check(now, request, source, |user| access.password(user))
        {
            Verdict::Accepted { username } => Ok(Some(username)),
            Verdict::Challenge(challenges) => {
                let headers = challenges
                    .into_iter()
                    .map(|value| (HeaderName::WwwAuthenticate, value));
                Err(Refusal::Status(Status::UNAUTHORIZED, headers.collect()))
            }
            Verdict::Barred => Err(Refusal::Silence),
        }
    }

    /// Whether the sound of who calls from there is to be protected.
    fn protection_of(&self, now: Instant, hop: &Hop) -> SrtpPolicy {
        let trunk = match self.origin(now, hop) {
            Origin::Trunk(name) => Some(name),
            Origin::Known | Origin::Stranger => None,
        };
        self.config.directory.protection.of(trunk)
    }

    pub(super) fn handle_opened(&mut self, now: Instant, session: SessionId, port: u16) {
        let Some(arrival) = self.arrivals.remove(&session) else {
            if let Some(id) = self.sessions.get(&session).copied() {
                self.handle_port(now, id, session, port);
            }
            return;
        };
        let local = LocalEnd {
            address: arrival.advertised,
            port,
            session_id: u64::from(self.rng.next_u32()),
            version: 1,
            cname: self.rng.token(16),
            peer: arrival.remote.ip(),
            direction: Direction::SendRecv,
            codecs: arrival.codecs,
            payload_types: PayloadTypes::default(),
            crypto: LocalCrypto::new(arrival.srtp),
        };
        let leg = Leg::new(arrival.dialog, session, local, arrival.offer);
        let id = CallId(self.rng.uuid());
        let call = Call::incoming(now, id, leg, arrival.source, arrival.destination);
        self.sessions.insert(session, id);
        let mut entry = Box::new(Entry::new(call));
        entry.is_private = arrival.is_private;
        entry.shown.kind = arrival.kind;
        entry.timeline = arrival.timeline;
        entry.opened(self.tap.at, port);
        entry.stands(self.tap.at);
        self.calls.insert(id, entry);
        self.counts.incoming += 1;
        match arrival.meets {
            Meets::Flow(flow) => {
                tracing::info!(call = %id, flow = %flow.name, "call arrived");
                self.start_flow(now, id, &flow, &[], None);
            }
            Meets::Place(replaced) => {
                tracing::info!(call = %id, "call arrived, in place of another");
                self.tell_created(now, id);
                if let Err(status) = self.replace(now, id, replaced) {
                    let cause =
                        Cause::local(HangupReason::Failed, Why::NothingToReplace(status.code()));
                    self.with_call(now, id, |call, down| call.hangup(down, cause));
                }
            }
        }
        // What the flow wants said first, an answer or early media, is said before the ringing. One that
        // is being connected rings when somebody does.
        self.settle(now);
        let call = self.calls.get(&id);
        if call.is_some_and(|entry| entry.connecting.is_none()) {
            self.with_call(now, id, Call::ring);
        }
    }

    pub(super) fn handle_open_failed(
        &mut self,
        now: Instant,
        session: SessionId,
        why: &MediaError,
    ) {
        if let Some(others) = self.refusals.pass(now) {
            tracing::warn!(%why, others, "there is no port for a call");
        }
        if let Some(id) = self.sessions.get(&session).copied() {
            let call = self.calls.get(&id);
            if call.is_some_and(|entry| entry.call.leg().session() == session) {
                self.with_call(now, id, |call, down| call.handle_open_failed(down));
            } else {
                self.sessions.remove(&session);
            }
            return;
        }
        self.send_away(now, session);
    }

    /// Refuses a caller that waits for its port, and says when to come again.
    pub(super) fn send_away(&mut self, now: Instant, session: SessionId) {
        let Some(arrival) = self.arrivals.remove(&session) else {
            return;
        };
        let dialog = arrival.dialog;
        self.dialogs.remove(&dialog);
        let status = Status::SERVICE_UNAVAILABLE;
        let why = match self.stopping {
            Some(_) => NotTaken::Stopping,
            None => NotTaken::NoPort,
        };
        self.gone_before(arrival, Some(status), &why);
        self.endpoint.refuse(now, dialog, status, later());
    }

    /// Starts the flow of a call with its own and `more` variables, one that does not ring with its status as
    /// the first news.
    pub(super) fn start_flow(
        &mut self,
        now: Instant,
        call: CallId,
        flow: &Flow,
        more: &[(String, String)],
        first: Option<FlowEvent>,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        let id = ActiveflowId(self.rng.uuid());
        entry.activeflow = Some(id);
        let more = more
            .iter()
            .cloned()
            .map(|(name, value)| (name.into(), value));
        let mut variables = variables(&entry.call).to_pairs();
        variables.extend(more);
        let limits = self.config.flow_limits;
        let activeflow = Activeflow::new(
            id,
            flow,
            call_reference(call),
            variables,
            self.epoch,
            limits,
            self.rng.fork(),
        );
        self.show_flow(now, call, id, activeflow.flow_id());
        self.run(now, activeflow, Some(call), 0, first);
    }

    /// Starts the flow that follows one whose call is over; its media actions are passed over.
    pub(super) fn start_on_complete(
        &mut self,
        now: Instant,
        reference: Reference,
        after: OnComplete,
    ) {
        let Some(flow) = self.flows.find(&after.flow_id).cloned() else {
            tracing::warn!(reference = %reference.id, flow = %after.flow_id, "there is no such on-complete flow");
            return;
        };
        let id = ActiveflowId(self.rng.uuid());
        tracing::debug!(activeflow = %id, flow = %flow.name, "on-complete flow");
        let limits = self.config.flow_limits;
        let activeflow = Activeflow::following(
            id,
            &flow,
            reference,
            after,
            self.epoch,
            limits,
            self.rng.fork(),
        );
        let call = (reference.kind == ReferenceType::Call).then_some(CallId(reference.id));
        let status = CallStatus::Hangup;
        let first = call.map(|_| FlowEvent::CallStatus { status });
        self.run(now, activeflow, call, 0, first);
    }

    /// Starts a flow that belongs to no call; its media actions are passed over.
    pub(super) fn start_without_call(
        &mut self,
        now: Instant,
        flow: &str,
        reference: Reference,
        variables: Vec<(String, String)>,
        generation: u32,
    ) {
        if self.activeflows.len() >= self.config.calls
            || generation >= self.config.flow_limits.chain
        {
            tracing::warn!(
                flow,
                generation,
                "not started: too many flows run, or follow one another"
            );
            return;
        }
        let Some(flow) = self.flows.find(flow).cloned() else {
            tracing::warn!(flow, "not started: there is no such flow");
            return;
        };
        let id = ActiveflowId(self.rng.uuid());
        tracing::debug!(activeflow = %id, flow = %flow.name, kind = reference.kind.as_str(), "flow without a call");
        let limits = self.config.flow_limits;
        let rng = self.rng.fork();
        let activeflow = Activeflow::new(id, &flow, reference, variables, self.epoch, limits, rng);
        self.run(now, activeflow, None, generation, None);
    }

    /// Starts a run of a flow, after the first news.
    pub(super) fn run(
        &mut self,
        now: Instant,
        activeflow: Activeflow,
        call: Option<CallId>,
        generation: u32,
        first: Option<FlowEvent>,
    ) {
        let id = activeflow.id();
        let running = Vec::new();
        self.activeflows.insert(
            id,
            Box::new(Run {
                activeflow,
                call,
                running,
                talking: None,
                generation,
                calls: 0,
                shown: RunShown::new(self.epoch.since_1970(now)),
                noted: 0,
            }),
        );
        self.tell_started(now, id);
        self.with_flow(now, id, |flow| {
            if let Some(event) = first {
                flow.handle_event(now, event);
            }
            flow.start(now);
        });
    }
}

/// What a 503 says beside itself.
pub(super) fn later() -> Vec<(HeaderName, Bytes)> {
    vec![(
        HeaderName::RetryAfter,
        Bytes::from_static(RETRY_AFTER.as_bytes()),
    )]
}

pub(super) fn call_reference(call: CallId) -> Reference {
    Reference {
        kind: ReferenceType::Call,
        id: call.0,
    }
}

/// A party as flows write it.
pub(super) fn as_of_flows(address: &Address) -> flow::Address {
    flow::Address {
        kind: address.kind.as_str().to_owned(),
        target: address.target.clone(),
        target_name: address.target_name.clone(),
        name: match address.name.is_empty() {
            true => address.target_name.clone(),
            false => address.name.clone(),
        },
        detail: address.detail.clone(),
    }
}

/// What a flow knows of its call from the start.
fn variables(call: &Call) -> CallVariables {
    CallVariables {
        id: call.id(),
        source: as_of_flows(call.source()),
        destination: as_of_flows(call.destination()),
        is_incoming: call.is_incoming(),
        master: call.master(),
        status: call.status(),
    }
}
