//! Whether trunks answer: their calls show it, and where there are none, OPTIONS does.
//!
//! ```text
//!   every 30 s, unless the trunk was heard meanwhile:
//!     where is the host? -> OPTIONS to its addresses -> an answer: healthy
//!                                                    '- none within 5 s, or 408, 503: one failure
//!   two failures in a row, of OPTIONS, REGISTER or calls: unhealthy, until it is heard again
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Switch;
use super::outgoing::PATIENCE;
use super::route::Line;
use super::seeking::Seeker;
use crate::sip::message::{HeaderName, Host, Method, NameAddr, Response, SipUri, Status, Uri};
use crate::sip::{Ask, AskId, DialogId, Hop, NoAnswer};
use crate::store::trunks::{Health, TrunkId};

/// Signs of life of one trunk.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// When it is asked next.
    next: Option<Instant>,
    /// What is asked now.
    round: Option<Round>,
    /// In a row.
    failures: u32,
    /// When it last answered anything else.
    heard_at: Option<Instant>,
}

/// One question, put to several addresses.
#[derive(Debug)]
struct Round {
    until: Instant,
    /// Those that may still answer.
    asks: BTreeSet<AskId>,
}

/// Failures in a row that make a trunk unhealthy: one packet may be lost.
const FAILURES: u32 = 2;

/// Addresses of one trunk that are asked; with more, the best four.
const ADDRESSES: usize = 4;

impl Pulse {
    /// Nothing is known; it is asked at `next`.
    pub(super) fn beginning(next: Option<Instant>) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// Asks from now on, if it does not.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    /// Asks no more.
    pub(super) fn rest(&mut self) {
        self.next = None;
        self.round = None;
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let until = self.round.as_ref().map(|round| round.until);
        [self.next, until].into_iter().flatten().min()
    }

    /// Claims that the round is over without an answer.
    fn take_silence(&mut self, now: Instant) -> bool {
        self.round.take_if(|round| round.until <= now).is_some()
    }

    /// Claims that it is time to ask, which then is next after `pause`.
    fn take_turn(&mut self, now: Instant, pause: Duration) -> bool {
        if self.next.is_none_or(|next| now < next) {
            return false;
        }
        self.next = Some(now + pause);
        let was_heard = |at: Instant| now.saturating_duration_since(at) < pause;
        !self.heard_at.is_some_and(was_heard)
    }

    /// The answer to one of the questions; true when it makes the round fail.
    fn take_answer(&mut self, ask: AskId, is_good: bool) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        if !round.asks.remove(&ask) || is_good || !round.asks.is_empty() {
            return false;
        }
        self.round = None;
        true
    }
}

impl Switch {
    /// Lets what is due at trunks happen.
    pub(super) fn handle_carriers_timeout(&mut self, now: Instant) {
        while let Some(trunk) = self.carriers.poll(now) {
            let pause = self.next_pause();
            let turn = self.carriers.with(trunk, |carrier| {
                if let Some(enrolment) = &mut carrier.enrolment {
                    enrolment.registration.handle_timeout(now);
                }
                let is_silent = carrier.pulse.take_silence(now);
                let is_turn = pause.is_some_and(|pause| carrier.pulse.take_turn(now, pause));
                (is_silent, is_turn)
            });
            let (is_silent, is_turn) = turn.unwrap_or_default();
            if is_silent {
                self.falls_silent(trunk);
            }
            if is_turn {
                let host = self.config.directory.trunks.get(trunk).host.clone();
                self.seek(Seeker::Probe(trunk), host);
            }
            self.pursue(now, trunk);
        }
    }

    /// From 90 to 110 of a hundred, so that many trunks are not asked in one instant for ever.
    fn next_pause(&mut self) -> Option<Duration> {
        let every = self.carriers.probed_every?;
        Some(every * (90 + self.carriers.rng.below(21)) / 100)
    }

    /// The addresses of a trunk that is to be asked are known.
    pub(super) fn trunk_found(&mut self, now: Instant, trunk: TrunkId, mut hops: Vec<Hop>) {
        if self.carriers.is_leaving(trunk) {
            return;
        }
        hops.retain(|hop| hop.remote != hop.local);
        hops.truncate(ADDRESSES);
        if hops.is_empty() {
            return self.falls_silent(trunk);
        }
        let asks = hops.into_iter().map(|hop| self.probe(now, trunk, hop));
        let asks = asks.collect();
        let until = now + PATIENCE;
        let round = Some(Round { until, asks });
        self.carriers
            .with(trunk, |carrier| carrier.pulse.round = round);
    }

    fn probe(&mut self, now: Instant, trunk: TrunkId, hop: Hop) -> AskId {
        let host = &self.config.directory.trunks.get(trunk).host;
        let mut uri = SipUri::new(host.host.clone());
        uri.port = host.port;
        let uri = Uri::Sip(uri);
        let mut own = SipUri::new(Host::Ip(self.endpoint.advertised(hop).ip()));
        own.user = self.carriers.user(trunk).map(str::to_owned);
        let ask = Ask {
            method: Method::Options,
            hop,
            uri: uri.clone(),
            from: NameAddr::new(Uri::Sip(own)),
            to: NameAddr::new(uri),
            sequence: None,
            routes: Vec::new(),
            headers: vec![(HeaderName::Accept, "application/sdp".into())],
            body: None,
            // A challenge is an answer.
            account: None,
        };
        let ask = self.endpoint.ask(now, ask);
        self.asks.insert(ask, Seeker::Probe(trunk));
        ask
    }

    /// A trunk has answered OPTIONS, or has not.
    pub(super) fn probe_responded(
        &mut self,
        trunk: TrunkId,
        ask: AskId,
        result: &Result<Arc<Response>, NoAnswer>,
    ) {
        let is_good = result
            .as_ref()
            .is_ok_and(|response| is_sign_of_life(response.status));
        let has_failed = self
            .carriers
            .with(trunk, |carrier| carrier.pulse.take_answer(ask, is_good));
        if is_good {
            self.is_alive(trunk);
        } else if has_failed == Some(true) {
            self.falls_silent(trunk);
        }
    }

    /// What a trunk says to a request of ours other than OPTIONS, `None` where it says nothing. A 503 may
    /// be about this request alone.
    pub(super) fn heard_of(&mut self, now: Instant, trunk: TrunkId, status: Option<Status>) {
        match status {
            None => self.falls_silent(trunk),
            Some(status) if is_sign_of_life(status) => {
                self.carriers
                    .with(trunk, |carrier| carrier.pulse.heard_at = Some(now));
                self.is_alive(trunk);
            }
            Some(_) => {}
        }
    }

    /// What a peer that we call says; `None` where it says nothing.
    pub(super) fn call_heard(&mut self, now: Instant, dialog: DialogId, status: Option<Status>) {
        let session = self.dialogs.get(&dialog);
        let call = session.and_then(|session| self.sessions.get(session));
        let entry = call.and_then(|call| self.calls.get(call));
        let line = entry.and_then(|entry| entry.outgoing.as_ref()?.line());
        if let Some(trunk) = line.and_then(Line::trunk) {
            self.heard_of(now, trunk, status);
        }
    }

    fn is_alive(&mut self, trunk: TrunkId) {
        self.carriers.with(trunk, |carrier| {
            (carrier.pulse.failures, carrier.pulse.round) = (0, None);
        });
        let trunks = &mut self.config.directory.trunks;
        let before = trunks.health(trunk);
        trunks.set_health(trunk, Health::Healthy);
        let name = trunks.name(trunk);
        match before {
            Health::Healthy => {}
            Health::Unknown => tracing::debug!(trunk = name, "trunk answers"),
            Health::Unhealthy => tracing::info!(trunk = name, "trunk answers again"),
        }
    }

    fn falls_silent(&mut self, trunk: TrunkId) {
        let failures = self.carriers.with(trunk, |carrier| {
            let failures = &mut carrier.pulse.failures;
            *failures = failures.saturating_add(1);
            *failures
        });
        let trunks = &mut self.config.directory.trunks;
        let is_down = failures.is_some_and(|failures| failures >= FAILURES);
        if is_down && trunks.is_healthy(trunk) {
            trunks.set_health(trunk, Health::Unhealthy);
            tracing::warn!(
                trunk = trunks.name(trunk),
                "trunk does not answer: calls go by others first; see its `host` and whether it is up"
            );
        }
    }
}

/// Claims that whoever answers so takes requests.
fn is_sign_of_life(status: Status) -> bool {
    !matches!(
        status,
        Status::REQUEST_TIMEOUT | Status::SERVICE_UNAVAILABLE
    )
}
