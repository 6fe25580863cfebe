//! What is told of INVITEs that never become a call: a few in a second, the others are counted.

use std::net::IpAddr;

use super::arrive::{Arrival, Refusal};
use super::{Output, Report, Switch};
use crate::call::address::{Address, dialled};
use crate::call::reason::{Mismatch, NearMiss, NotTaken, Resemblance};
use crate::ids::CallId;
use crate::sip::message::{Request, Status};
use crate::sip::{DialogId, Hop};
use crate::store::access::Origin;
use crate::store::calls::RefusedCall;
use crate::store::timeline::{SipMoment, Timeline};

/// Refusals that are told of in a second: a scanner tries a thousand.
const TOLD: u32 = 5;

/// How many refusals were told of lately.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Since 1970.
    second: u64,
    told: u32,
    others: u64,
}

impl Budget {
    /// How many were not told of since the last one, when this one may be.
    fn pass(&mut self, second: u64) -> Option<u64> {
        if self.second != second {
            (self.second, self.told) = (second, 0);
        }
        if self.told == TOLD {
            self.others += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.others))
    }
}

/// Why an INVITE is turned away, and what of its offer stands against it.
pub(super) struct Turned(pub Refusal, pub Option<Box<Mismatch>>);

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        Self(refusal, None)
    }
}

impl From<Status> for Turned {
    fn from(status: Status) -> Self {
        Self(status.into(), None)
    }
}

impl Switch {
    /// Tells of an INVITE that is turned away; not of the challenge that begins every proof. `has_failed`: what
    /// it has proven itself by is wrong.
    pub(super) fn turned(
        &mut self,
        dialog: DialogId,
        request: &Request,
        hop: &Hop,
        (status, mismatch): (Option<Status>, Option<Box<Mismatch>>),
        has_failed: bool,
    ) {
        let fresh = self.take_fresh(dialog);
        if status == Some(Status::UNAUTHORIZED) && !has_failed {
            return;
        }
        let Some(others) = self.refusals_told.pass(self.tap.at.as_secs()) else {
            return;
        };
        let why = self.why_turned(request, hop, status, mismatch);
        let from = request.headers.from().ok();
        let mut timeline = Box::new(Timeline::new());
        if let Some(message) = fresh {
            timeline.push_sip(self.tap.at, message);
        }
        let refused = RefusedCall {
            id: CallId(self.rng.uuid()),
            at: self.tap.at,
            remote: hop.remote,
            source: from.as_ref().map(Address::from_sip),
            destination: Address::from_uri(&request.uri),
            status: status.map(Status::code),
            reason: why.reason(),
            timeline,
            others,
        };
        self.turned_away.push_back((dialog, Box::new(refused)));
    }

    /// Tells of a caller that was let in, and for whom there is no call all the same.
    pub(super) fn gone_before(&mut self, arrival: Arrival, status: Option<Status>, why: &NotTaken) {
        let Some(others) = self.refusals_told.pass(self.tap.at.as_secs()) else {
            return;
        };
        let refused = RefusedCall {
            id: CallId(self.rng.uuid()),
            at: self.tap.at,
            remote: arrival.remote,
            source: Some(arrival.source),
            destination: arrival.destination,
            status: status.map(Status::code),
            reason: why.reason(),
            timeline: Box::new(arrival.timeline),
            others,
        };
        let dialog = arrival.dialog;
        self.turned_away.push_back((dialog, Box::new(refused)));
    }

    /// What an INVITE that is turned away is answered with.
    pub(super) fn refused_answered(&mut self, dialog: DialogId, message: SipMoment) {
        let mut turned = self.turned_away.iter_mut();
        if let Some((_, refused)) = turned.find(|(known, _)| *known == dialog) {
            refused.timeline.push_sip(self.tap.at, message);
        }
    }

    /// Takes a refusal that is to be told of, once its answer has left.
    pub(super) fn poll_refused(&mut self) -> Option<Output> {
        let (_, refused) = self.turned_away.pop_front()?;
        Some(Output::Report(Report::Refused(refused)))
    }

    fn why_turned(
        &self,
        request: &Request,
        hop: &Hop,
        status: Option<Status>,
        mismatch: Option<Box<Mismatch>>,
    ) -> NotTaken {
        if let Some(mismatch) = mismatch {
            return NotTaken::Offer(*mismatch);
        }
        let source = hop.remote.ip();
        let Some(status) = status else {
            let is_stranger = self.config.access.origin(source) == Origin::Stranger
                && !self.registrar.is_source_registered(hop.remote);
            return match is_stranger {
                true => NotTaken::Stranger {
                    source,
                    nearest: self.nearest(source, request),
                },
                false => NotTaken::Barred,
            };
        };
        let wants_place = !matches!(request.headers.replaces(), Ok(None));
        match status {
            Status::UNAUTHORIZED => {
                let from = request.headers.from().ok();
                let claimed = from.as_ref().and_then(|from| dialled(&from.uri));
                NotTaken::WrongPassword {
                    claimed: claimed.unwrap_or_default().to_owned(),
                }
            }
            Status::SERVICE_UNAVAILABLE if self.stopping.is_some() => NotTaken::Stopping,
            Status::SERVICE_UNAVAILABLE if self.is_overloaded => NotTaken::Overloaded,
            Status::SERVICE_UNAVAILABLE => NotTaken::Full {
                calls: self.config.calls,
            },
            Status::BAD_REQUEST => NotTaken::Malformed,
            status if wants_place => NotTaken::Replaces {
                status: status.code(),
            },
            _ => NotTaken::NoFlow {
                dialled: dialled(&request.uri).unwrap_or_default().to_owned(),
            },
        }
    }

    /// The trunk that a stranger is most like.
    fn nearest(&self, source: IpAddr, request: &Request) -> Option<NearMiss> {
        let trunks = &self.config.directory.trunks;
        let called = dialled(&request.uri).unwrap_or_default();
        let from = request.headers.from().ok();
        let from = from.as_ref().and_then(|from| match &from.uri {
            crate::sip::message::Uri::Sip(uri) => Some(&uri.host),
            _ => None,
        });
        let digits = |text: &str| text.trim_start_matches('+').to_owned();
        let by_name = trunks.ids().find_map(|id| {
            let out = trunks.get(id);
            let number = out.caller_id.as_deref();
            let like = if self.carriers.user(id).is_some_and(|user| user == called) {
                Resemblance::Account(called.to_owned())
            } else if let Some(number) = number.filter(|own| digits(own) == digits(called)) {
                Resemblance::CallerId(number.to_owned())
            } else if from == Some(&out.host.host) {
                Resemblance::Host(out.host.host.to_string())
            } else {
                return None;
            };
            let trunk = trunks.name(id).to_owned();
            Some(NearMiss { trunk, like })
        });
        by_name.or_else(|| {
            let (trunk, network, bits) = self.config.access.nearest(source)?;
            let network = network.to_string();
            Some(NearMiss {
                trunk: trunk.to_owned(),
                like: Resemblance::Network { network, bits },
            })
        })
    }
}
