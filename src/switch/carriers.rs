//! What is kept up with each trunk beside its calls: our registration there, and whether it answers.
//!
//! A trunk that we are registered at calls us from wherever its host is found: these addresses are its
//! origin as those of `allowed_ips` are, for as long as it knows us. It calls us by the user part of our
//! Contact, which is the name of the account, and says in P-Called-Party-ID or To which number was dialled.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::probing::Pulse;
use crate::ids::Rng;
use crate::sip::Hop;
use crate::sip::message::{NameAddr, SipUri, Uri};
use crate::sip::registration::{Registration, RegistrationConfig, Setback};
use crate::store::trunks::{TrunkId, TrunkOut, TrunkTable};
use crate::time::DeadlineQueue;

/// All trunks that can be called.
#[derive(Debug)]
pub(super) struct Carriers {
    carriers: BTreeMap<TrunkId, Carrier>,
    deadlines: DeadlineQueue<TrunkId>,
    /// For the times at which trunks are asked how they are.
    pub rng: Rng,
    /// How often they are; never where it is `None`.
    pub probed_every: Option<Duration>,
    is_stopping: bool,
}

/// What is kept up with one trunk.
#[derive(Debug)]
pub(super) struct Carrier {
    pub enrolment: Option<Enrolment>,
    pub pulse: Pulse,
    /// It is called no more.
    is_leaving: bool,
}

/// Our registration at a trunk, and where it is kept.
#[derive(Debug)]
pub(super) struct Enrolment {
    pub registration: Registration,
    /// User part of our Contact.
    pub user: String,
    /// Addresses that are still to be tried.
    pub hops: VecDeque<Hop>,
    /// The one that is tried.
    pub hop: Option<Hop>,
    /// The one that knows us.
    pub home: Option<Hop>,
    /// All of the trunk, as found last.
    addresses: Vec<IpAddr>,
    /// What was logged last.
    pub told: Option<Told>,
}

/// What the log says of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Registered,
    Failed(Setback),
}

/// For how long we ask to be known: a trunk that has lost us does without us no longer than this.
const EXPIRES: Duration = Duration::from_secs(600);

impl Carriers {
    /// Those of a table, with nothing said to any of them yet; the first call of
    /// [`Switch::handle_timeout`](super::Switch::handle_timeout) begins.
    pub(super) fn new(
        now: Instant,
        trunks: &TrunkTable,
        probed_every: Option<Duration>,
        rng: Rng,
    ) -> Self {
        let mut carriers = Self {
            carriers: BTreeMap::new(),
            deadlines: DeadlineQueue::new(),
            rng,
            probed_every,
            is_stopping: false,
        };
        for trunk in trunks.ids() {
            carriers.add(now, trunk, trunks.get(trunk));
        }
        carriers
    }

    /// Begins with a trunk: nothing is known of it yet.
    pub(super) fn add(&mut self, now: Instant, trunk: TrunkId, out: &TrunkOut) {
        let rng = &mut self.rng;
        let enrolment = out.register.then(|| Enrolment::new(out, rng.fork()));
        let probed_every = self.probed_every.filter(|_| out.probe);
        let spread = probed_every.map(|every| every / 3 * rng.below(101) / 100);
        let carrier = Carrier {
            enrolment,
            pulse: Pulse::beginning(spread.map(|spread| now + spread)),
            is_leaving: false,
        };
        let begin = carrier.enrolment.as_ref().map(|_| now);
        let at = [begin, carrier.pulse.poll_timeout()];
        self.deadlines.set(trunk, at.into_iter().flatten().min());
        self.carriers.insert(trunk, carrier);
    }

    /// Goes on with our registration at a trunk by another account or way. `false`: there is none, or it is
    /// somebody else who is to be registered.
    pub(super) fn renew(&mut self, trunk: TrunkId, out: &TrunkOut) -> bool {
        let (registrar, _, address) = who_registers(out);
        let is_renewed = self.with_enrolment(trunk, |enrolment| {
            let is_same = out.register && *enrolment.registration.address() == address;
            if is_same {
                (enrolment.home, enrolment.told) = (None, None);
                enrolment.hops.clear();
                enrolment.registration.renew(registrar, out.account.clone());
            }
            is_same
        });
        is_renewed == Some(true)
    }

    /// Lets a trunk be asked how it is, or no more, where that is another than before.
    pub(super) fn ask_or_leave(&mut self, now: Instant, trunk: TrunkId, out: &TrunkOut) {
        let is_asked = self.probed_every.is_some() && out.probe;
        self.with(trunk, |carrier| match is_asked {
            true => carrier.pulse.begin(now),
            false => carrier.pulse.rest(),
        });
    }

    /// Ends what is kept up with a trunk that is called no more, under the id by which that is finished.
    /// `false`: there is nothing to be finished.
    pub(super) fn leave(&mut self, trunk: TrunkId, under: TrunkId) -> bool {
        self.deadlines.set(trunk, None);
        let carrier = self.carriers.remove(&trunk);
        let Some(mut enrolment) = carrier.and_then(|carrier| carrier.enrolment) else {
            return false;
        };
        enrolment.hops.clear();
        enrolment.registration.stop();
        let carrier = Carrier {
            enrolment: Some(enrolment),
            pulse: Pulse::default(),
            is_leaving: true,
        };
        self.carriers.insert(under, carrier);
        true
    }

    /// Forgets those that are called no more and at which nothing is left to be done.
    pub(super) fn forget_left(&mut self) {
        let Self {
            carriers,
            deadlines,
            ..
        } = self;
        carriers.retain(|trunk, carrier| {
            let is_over = carrier.is_leaving && carrier.is_idle();
            if is_over {
                deadlines.set(*trunk, None);
            }
            !is_over
        });
    }

    /// Claims that something is kept up with a trunk, or is being ended.
    pub(super) fn has(&self, trunk: TrunkId) -> bool {
        self.carriers.contains_key(&trunk)
    }

    /// Claims that our registration there is being ended.
    pub(super) fn is_leaving(&self, trunk: TrunkId) -> bool {
        let carrier = self.carriers.get(&trunk);
        self.is_stopping || carrier.is_some_and(|carrier| carrier.is_leaving)
    }

    /// Lets all registrations be ended, and nobody be asked any more how it is; gives the trunks that now
    /// want something.
    pub(super) fn stop(&mut self) -> Vec<TrunkId> {
        self.is_stopping = true;
        for carrier in self.carriers.values_mut() {
            carrier.pulse.rest();
            if let Some(enrolment) = &mut carrier.enrolment {
                enrolment.hops.clear();
                enrolment.registration.stop();
            }
        }
        self.carriers.keys().copied().collect()
    }

    /// Takes a trunk for which it is time.
    pub(super) fn poll(&mut self, now: Instant) -> Option<TrunkId> {
        self.deadlines.poll(now)
    }

    /// When [`Self::poll`] is wanted next.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadlines.poll_timeout()
    }

    /// Lets something happen to a trunk, and arms its deadline.
    pub(super) fn with<T>(
        &mut self,
        trunk: TrunkId,
        act: impl FnOnce(&mut Carrier) -> T,
    ) -> Option<T> {
        let carrier = self.carriers.get_mut(&trunk)?;
        let done = act(carrier);
        self.deadlines.set(trunk, carrier.poll_timeout());
        Some(done)
    }

    /// [`Self::with`] our registration there.
    pub(super) fn with_enrolment<T>(
        &mut self,
        trunk: TrunkId,
        act: impl FnOnce(&mut Enrolment) -> T,
    ) -> Option<T> {
        self.with(trunk, |carrier| carrier.enrolment.as_mut().map(act))?
    }

    /// A connection is gone.
    pub(super) fn handle_connection_lost(&mut self, now: Instant, remote: SocketAddr) {
        let Self {
            carriers,
            deadlines,
            ..
        } = self;
        for (trunk, carrier) in carriers {
            if let Some(enrolment) = &mut carrier.enrolment {
                enrolment.registration.handle_connection_lost(now, remote);
                deadlines.set(*trunk, carrier.poll_timeout());
            }
        }
    }

    /// The trunk that knows us and whose host is found at this address.
    pub(super) fn at(&self, now: Instant, address: IpAddr) -> Option<TrunkId> {
        let address = address.to_canonical();
        let is_there = |enrolment: &Enrolment| {
            let home = enrolment.home.map(|hop| hop.remote.ip().to_canonical());
            let is_its_own = home == Some(address) || enrolment.addresses.contains(&address);
            is_its_own && enrolment.registration.is_registered(now)
        };
        let mut carriers = self.carriers.iter();
        let found = carriers.find(|(_, carrier)| carrier.enrolment.as_ref().is_some_and(is_there));
        found.map(|(trunk, _)| *trunk)
    }

    /// The user part by which a trunk that we are registered at calls us.
    pub(super) fn user(&self, trunk: TrunkId) -> Option<&str> {
        let enrolment = self.carriers.get(&trunk)?.enrolment.as_ref()?;
        Some(&enrolment.user)
    }

    /// The proxies that our requests to a trunk have to go through (RFC 3608).
    pub(super) fn service_route(&self, trunk: TrunkId) -> &[NameAddr] {
        let carrier = self.carriers.get(&trunk);
        let enrolment = carrier.and_then(|carrier| carrier.enrolment.as_ref());
        enrolment.map_or(&[], |enrolment| enrolment.registration.service_route())
    }

    /// Claims that no trunk knows us, nor is asked to.
    pub(super) fn is_idle(&self) -> bool {
        self.carriers.values().all(Carrier::is_idle)
    }
}

impl Carrier {
    fn is_idle(&self) -> bool {
        let enrolment = self.enrolment.as_ref();
        enrolment.is_none_or(|enrolment| enrolment.registration.is_idle())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let enrolment = self.enrolment.as_ref();
        let registration = enrolment.and_then(|enrolment| enrolment.registration.poll_timeout());
        let both = [registration, self.pulse.poll_timeout()];
        both.into_iter().flatten().min()
    }
}

impl Enrolment {
    fn new(out: &TrunkOut, rng: Rng) -> Self {
        let (registrar, user, address) = who_registers(out);
        let config = RegistrationConfig {
            registrar,
            address,
            account: out.account.clone(),
            expires: EXPIRES,
        };
        let mut registration = Registration::new(config, rng);
        registration.start();
        Self {
            registration,
            user,
            hops: VecDeque::new(),
            hop: None,
            home: None,
            addresses: Vec::new(),
            told: None,
        }
    }

    /// The host is found at these addresses, the best first.
    pub(super) fn found(&mut self, hops: Vec<Hop>, mut is_silent: impl FnMut(&Hop) -> bool) {
        let addresses = hops.iter().map(|hop| hop.remote.ip().to_canonical());
        self.addresses = addresses.collect();
        let mut hops = hops;
        // The one that knows us keeps us, so that calls come from one address; sorting is stable.
        let home = self.home;
        hops.sort_by_cached_key(|hop| (is_silent(hop), Some(*hop) != home));
        self.hops = hops.into();
    }
}

/// The registrar of a trunk, the user part of our Contact there, and who is registered.
fn who_registers(out: &TrunkOut) -> (Uri, String, NameAddr) {
    let name = out
        .account
        .as_ref()
        .map(|account| account.username.as_str());
    let (user, address) = own_address(out, name.unwrap_or_default());
    let mut registrar = SipUri::new(out.host.host.clone());
    registrar.port = out.host.port;
    (Uri::Sip(registrar), user, address)
}

/// Who we are at a trunk: the user part and the whole address. An account may be named with its domain.
fn own_address(out: &TrunkOut, account: &str) -> (String, NameAddr) {
    let text = format!("sip:{account}");
    let whole = account.contains('@').then(|| Uri::parse(text.as_bytes()));
    let uri = match whole {
        Some(Ok(Uri::Sip(uri))) if uri.user.is_some() => uri,
        _ => SipUri::new(out.host.host.clone()).with_user(account),
    };
    let user = uri.user.clone().unwrap_or_default();
    (user, NameAddr::new(Uri::Sip(uri)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Host;
    use crate::sip::{SipHost, Transport};

    fn out() -> TrunkOut {
        TrunkOut::new(SipHost {
            host: Host::Name("sip.example.com".to_owned()),
            port: Some(5070),
            transport: Some(Transport::Udp),
        })
    }

    #[test]
    fn account_is_an_address_at_the_host_unless_it_names_its_domain() {
        for (account, user, address) in [
            ("line1", "line1", "<sip:line1@sip.example.com>"),
            ("+4930123", "+4930123", "<sip:+4930123@sip.example.com>"),
            ("line1@voip.example", "line1", "<sip:line1@voip.example>"),
            ("a@b@c", "a@b@c", "<sip:a%40b%40c@sip.example.com>"),
        ] {
            let (own, whole) = own_address(&out(), account);
            assert_eq!((own.as_str(), whole.to_string().as_str()), (user, address));
        }
    }
}
