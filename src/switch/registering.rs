//! Keeps us registered at trunks: finds the registrar, goes on to its next address where one is silent,
//! and tells the operator once of each change.

use std::sync::Arc;
use std::time::Instant;

use super::Switch;
use super::carriers::Told;
use super::seeking::Seeker;
use crate::call::address::dialled;
use crate::sip::message::{HeaderName, Request, Response, Status, Uri};
use crate::sip::registration::{RegistrationEvent, Setback};
use crate::sip::{Hop, NoAnswer};
use crate::store::access::Origin;
use crate::store::trunks::TrunkId;

/// Who was dialled, where a registrar has put our Contact into the request URI (RFC 7315 §4.2).
const P_CALLED_PARTY_ID: &[u8] = b"P-Called-Party-ID";

impl Switch {
    /// Where a message comes from: a trunk by `allowed_ips`; else a trunk that we are registered at by the
    /// addresses of its host, unless a telephone of ours has registered from just there.
    pub(super) fn origin(&self, now: Instant, hop: &Hop) -> Origin<'_> {
        let address = hop.remote.ip();
        let origin = self.config.access.origin(address);
        if matches!(origin, Origin::Trunk(_)) || self.registrar.is_source_registered(hop.remote) {
            return origin;
        }
        let trunk = self.carriers.at(now, address);
        trunk.map_or(origin, |trunk| {
            Origin::Trunk(self.config.directory.trunks.name(trunk))
        })
    }

    /// Whom a request is for: its request URI, but where a trunk that we are registered at has put our
    /// Contact there, the number that was dialled, if it is one that `is_known`.
    pub(super) fn meant(
        &self,
        now: Instant,
        request: &Request,
        hop: &Hop,
        is_known: impl Fn(&str) -> bool,
    ) -> Uri {
        let asked = &request.uri;
        let user = dialled(asked).unwrap_or_default();
        let is_ours = match self.origin(now, hop) {
            Origin::Trunk(name) => {
                let trunk = self.config.directory.trunks.find(name);
                let ours = trunk.and_then(|trunk| self.carriers.user(trunk));
                ours.is_some_and(|ours| ours == user)
            }
            _ => false,
        };
        if is_known(user) || !is_ours {
            return asked.clone();
        }
        let called = HeaderName::parse(P_CALLED_PARTY_ID).ok();
        let called = called.and_then(|name| request.headers.addresses(&name).ok()?.pop());
        let others: Vec<Uri> = [called, request.headers.to().ok()]
            .into_iter()
            .flatten()
            .map(|party| party.uri)
            .filter(|uri| dialled(uri).is_some_and(|user| !user.is_empty()))
            .collect();
        let known = others
            .iter()
            .find(|uri| dialled(uri).is_some_and(&is_known));
        known.or(others.first()).unwrap_or(asked).clone()
    }

    /// Does what the registration at a trunk wishes, and tells what it has to tell.
    pub(super) fn pursue(&mut self, now: Instant, trunk: TrunkId) {
        let is_leaving = self.carriers.is_leaving(trunk);
        let wish = self.carriers.with_enrolment(trunk, |enrolment| {
            let is_wishing = enrolment.registration.poll_wish();
            // It is where we are known that has to forget us.
            is_wishing.then_some(enrolment.home.filter(|_| is_leaving))
        });
        match wish.flatten() {
            Some(Some(home)) => self.register_at(now, trunk, home),
            Some(None) => {
                let host = self.config.directory.trunks.get(trunk).host.clone();
                self.seek(Seeker::Registration(trunk), host);
            }
            None => {}
        }
        while let Some(event) = self
            .carriers
            .with_enrolment(trunk, |enrolment| enrolment.registration.poll_event())
            .flatten()
        {
            self.tell_registration(now, trunk, event);
        }
    }

    /// The addresses of a registrar are known.
    pub(super) fn registrar_found(&mut self, now: Instant, trunk: TrunkId, mut hops: Vec<Hop>) {
        hops.retain(|hop| hop.remote != hop.local);
        let silent_hops = &mut self.silent_hops;
        let is_leaving = self.carriers.is_leaving(trunk);
        let first = self.carriers.with_enrolment(trunk, |enrolment| {
            if is_leaving {
                // It is not to hear of us any more; where we are known is known.
                enrolment.registration.handle_unreachable(now);
                while enrolment.registration.poll_event().is_some() {}
                enrolment.registration.stop();
                return None;
            }
            if hops.is_empty() {
                // Where DNS fails, who knows us may still be there.
                enrolment.hops.extend(enrolment.home);
            } else {
                enrolment.found(hops, |hop| silent_hops.has(now, hop));
            }
            let first = enrolment.hops.pop_front();
            if first.is_none() {
                enrolment.registration.handle_unreachable(now);
            }
            first
        });
        match first.flatten() {
            Some(hop) => self.register_at(now, trunk, hop),
            None => self.pursue(now, trunk),
        }
    }

    fn register_at(&mut self, now: Instant, trunk: TrunkId, hop: Hop) {
        let user = self.carriers.user(trunk).unwrap_or_default();
        let contact = self.endpoint.contact(hop, Some(user));
        let ask = self.carriers.with_enrolment(trunk, |enrolment| {
            enrolment.hop = Some(hop);
            enrolment.registration.ask(hop, &contact)
        });
        if let Some(ask) = ask {
            let ask = self.endpoint.ask(now, ask);
            self.asks.insert(ask, Seeker::Registration(trunk));
        }
    }

    /// A registrar has answered, or has not.
    pub(super) fn registrar_responded(
        &mut self,
        now: Instant,
        trunk: TrunkId,
        result: &Result<Arc<Response>, NoAnswer>,
    ) {
        let status = result.as_ref().ok().map(|response| response.status);
        let is_of_hop = status.is_none_or(|status| status == Status::SERVICE_UNAVAILABLE);
        let silent_hops = &mut self.silent_hops;
        let next = self.carriers.with_enrolment(trunk, |enrolment| {
            if is_of_hop && let Some(hop) = enrolment.hop {
                silent_hops.add(now, hop);
            }
            if is_of_hop && let Some(next) = enrolment.hops.pop_front() {
                return Some(next);
            }
            if status.is_some_and(Status::is_success) {
                enrolment.home = enrolment.hop;
            }
            enrolment.registration.handle_responded(now, result);
            None
        });
        if let Some(hop) = next.flatten() {
            return self.register_at(now, trunk, hop);
        }
        self.heard_of(now, trunk, status);
        self.pursue(now, trunk);
    }

    fn tell_registration(&mut self, now: Instant, trunk: TrunkId, event: RegistrationEvent) {
        let name = self.config.directory.trunks.name(trunk);
        let told = match event {
            RegistrationEvent::Registered { .. } => Some(Told::Registered),
            RegistrationEvent::Failed { why, .. } => Some(Told::Failed(why)),
            RegistrationEvent::Unregistered => None,
        };
        let news = self.carriers.with_enrolment(trunk, |enrolment| {
            let before = std::mem::replace(&mut enrolment.told, told);
            (before != told, enrolment.registration.is_registered(now))
        });
        let Some((is_news, is_registered)) = news else {
            return;
        };
        match event {
            RegistrationEvent::Registered { expires } if is_news => {
                tracing::info!(trunk = name, ?expires, "registered");
            }
            RegistrationEvent::Registered { expires } => {
                tracing::debug!(trunk = name, ?expires, "registered again");
            }
            RegistrationEvent::Failed { why, retry_in } if is_news => {
                let remedy = remedy(why);
                tracing::warn!(trunk = name, %why, is_registered, ?retry_in, "not registered: {remedy}");
            }
            RegistrationEvent::Failed { why, retry_in } => {
                tracing::debug!(trunk = name, %why, ?retry_in, "still not registered");
            }
            RegistrationEvent::Unregistered if is_news => {
                tracing::info!(trunk = name, "no longer registered");
            }
            RegistrationEvent::Unregistered => {}
        }
    }
}

/// What the operator can do about it.
const fn remedy(why: Setback) -> &'static str {
    match why {
        Setback::Refused(status) => match status.code() {
            401 | 407 => "see `username` and `password` of the trunk",
            403 | 404 => {
                "see `username` and `host` of the trunk, and whether its carrier lets us register"
            }
            423 => "its carrier wants registrations that last longer than a day",
            _ => "it is tried again; if it stays so, ask its carrier",
        },
        Setback::NoAnswer(_) => {
            "see `host` and `transport` of the trunk, and the firewall; it is tried again"
        }
        _ => "its `host` is not found: see its spelling, and DNS; it is tried again",
    }
}
