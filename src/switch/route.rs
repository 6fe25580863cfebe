//! Whom an address means, and by which ways that party is reached.
//!
//! ```text
//!   tel ---------> number --> trunks whose prefixes it has, the best first
//!   sip ---------> its host, as far as the policy allows
//!   extension ---> a group: every place where it is registered
//!   agent -------> a group: its addresses, each one of the above
//!   conference --> no party: the caller itself enters
//! ```
//!
//! Numbers leave by trunks and by nothing else.

use std::net::IpAddr;

use uuid::Uuid;

use crate::call::address::{Address, AddressKind};
use crate::call::cause::NoWay;
use crate::flow;
use crate::sip::message::{Host, NameAddr, SipUri, Uri};
use crate::sip::registrar::{Binding, Registrar};
use crate::sip::{Hop, SipHost, Transport, is_private};
use crate::store::access::{Access, DialAllow};
use crate::store::agents::RingMethod;
use crate::store::directory::Directory;
use crate::store::trunks::{TrunkId, TrunkOut, TrunkTable};

/// Whom an address means.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// One party.
    Party(Party),
    /// Several, of whom the first who answers is meant.
    Group(Group),
    /// A conference.
    Conference(Uuid),
}

/// One party to call.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// As flows and records name it.
    pub address: Address,
    /// How it is reached, the best way first; never empty.
    pub ways: Result<Vec<Way>, NoWay>,
}

/// Parties and groups of whom one is wanted.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// All at once, or one after another.
    pub method: RingMethod,
    /// Whom; may be empty, when nobody is there.
    pub members: Vec<Destination>,
    /// The agent it stands for.
    pub agent: Option<Uuid>,
}

/// One way to a party.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Where the INVITE goes.
    pub target: Target,
    /// Its request URI.
    pub uri: Uri,
    /// Proxies to go through first.
    pub routes: Vec<NameAddr>,
    /// What stands behind it.
    pub line: Line,
    /// A peer has sent us there: no account of ours is shown to it.
    pub is_redirect: bool,
}

/// Where an INVITE goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// To a host that is still to be found.
    Host(SipHost),
    /// There.
    Hop(Hop),
}

/// What stands behind a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A trunk, for a number: its account, its headers, its limits.
    Trunk(TrunkId),
    /// The host of a trunk, named by a `sip:` address: its limits alone.
    TrunkHost(TrunkId),
    /// A telephone that has registered.
    Extension,
    /// Another host.
    Host(Leave),
}

/// Whether a host may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It is allowed by its name or address.
    Always,
    /// Only at an address that is allowed.
    ByAddress,
}

impl Line {
    /// The trunk whose limits count.
    pub(super) const fn trunk(self) -> Option<TrunkId> {
        match self {
            Self::Trunk(trunk) | Self::TrunkHost(trunk) => Some(trunk),
            Self::Extension | Self::Host(_) => None,
        }
    }
}

impl Way {
    /// Claims that it leads to where a trunk is: the account of the trunk may be shown there.
    pub(super) fn is_to(&self, out: &TrunkOut) -> bool {
        !self.is_redirect && matches!(&self.target, Target::Host(host) if *host == out.host)
    }

    /// Claims that nobody has said that datagrams are wanted there.
    pub(super) fn may_stream(&self) -> bool {
        match &self.target {
            Target::Host(host) => host.transport != Some(Transport::Udp),
            Target::Hop(hop) => hop.transport == Transport::Tcp,
        }
    }
}

/// What addresses are looked up in.
#[derive(Clone, Copy)]
pub(super) struct Routes<'a> {
    pub directory: &'a Directory,
    pub registrar: &'a Registrar,
    pub access: &'a Access,
}

/// Where a `sip:` target, a redirection or a REFER may lead: to a trunk, into a private network, or where
/// `[sip] dial_allow` says. `None` is nowhere.
pub(super) fn may_dial(uri: &SipUri, trunks: &TrunkTable, allow: &DialAllow) -> Option<Line> {
    let is_same = |trunk: &TrunkId| trunks.get(*trunk).host.host.is_equivalent(&uri.host);
    if let Some(trunk) = trunks.ids().find(is_same) {
        // A number goes there as any number does: only with a prefix that the trunk is open for.
        let user = uri.user.as_deref().unwrap_or_default();
        let number = user.strip_prefix('+').unwrap_or(user);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_open = !is_number || trunks.route(user).contains(&trunk);
        return is_open.then_some(Line::TrunkHost(trunk));
    }
    if allow.allows(&uri.host) {
        return Some(Line::Host(Leave::Always));
    }
    match &uri.host {
        Host::Ip(address) => is_private(*address).then_some(Line::Host(Leave::Always)),
        // Its address decides, once it is known.
        Host::Name(_) => Some(Line::Host(Leave::ByAddress)),
    }
}

/// Whether a host may be called at this address.
pub(super) fn may_reach(line: Line, address: IpAddr, allow: &DialAllow) -> bool {
    match line {
        Line::Host(Leave::ByAddress) => is_private(address) || allow.allows_address(address),
        _ => true,
    }
}

/// The addresses of a host that may be called, at least one.
pub(super) fn reachable(line: Line, hops: Vec<Hop>, allow: &DialAllow) -> Result<Vec<Hop>, NoWay> {
    let mut refused = NoWay::Unresolved;
    let mut is_good = |hop: &Hop| {
        let why = if hop.remote == hop.local {
            NoWay::Ourselves
        } else if may_reach(line, hop.remote.ip(), allow) {
            return true;
        } else {
            NoWay::NotAllowed
        };
        refused = why;
        false
    };
    let good: Vec<Hop> = hops.into_iter().filter(|hop| is_good(hop)).collect();
    if good.is_empty() {
        return Err(refused);
    }
    Ok(good)
}

impl Routes<'_> {
    /// Whom an address of a flow means; `None` for a kind that cannot be called.
    pub(super) fn destination(&self, address: &flow::Address) -> Option<Destination> {
        match address.kind.as_str() {
            "tel" => Some(Destination::Party(self.number(address))),
            "sip" => Some(Destination::Party(self.host(address))),
            "extension" => Some(Destination::Group(self.extension(address))),
            "agent" => Some(Destination::Group(self.agent(&address.target))),
            "conference" => {
                let conference = self.directory.conferences.find(&address.target)?;
                Some(Destination::Conference(conference.id))
            }
            _ => None,
        }
    }

    fn number(&self, address: &flow::Address) -> Party {
        let number = normal_number(&address.target);
        let ways = self.ways_to_number(&number);
        Party {
            address: named(AddressKind::Tel, number, address),
            ways,
        }
    }

    /// The trunks that take a number.
    pub(super) fn ways_to_number(&self, number: &str) -> Result<Vec<Way>, NoWay> {
        let trunks = &self.directory.trunks;
        let ways: Vec<Way> = trunks
            .route(number)
            .into_iter()
            .map(|trunk| {
                let out = trunks.get(trunk);
                let mut uri = SipUri::new(out.host.host.clone()).with_user(out.user(number));
                uri.port = out.host.port;
                if let Some(transport) = out.host.transport {
                    let token = transport.token().to_ascii_lowercase();
                    uri.params.set("transport", token.as_str());
                }
                Way {
                    target: Target::Host(out.host.clone()),
                    uri: Uri::Sip(uri),
                    routes: Vec::new(),
                    line: Line::Trunk(trunk),
                    is_redirect: false,
                }
            })
            .collect();
        if ways.is_empty() {
            return Err(NoWay::NoTrunk);
        }
        Ok(ways)
    }

    fn host(&self, address: &flow::Address) -> Party {
        let target = address.target.trim();
        let text = match target.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case("sip:") => target.to_owned(),
            _ => format!("sip:{target}"),
        };
        let way = match Uri::parse(text.as_bytes()) {
            Ok(Uri::Sip(uri)) => self.way_to(uri),
            _ => Err(NoWay::BadAddress),
        };
        Party {
            address: named(AddressKind::Sip, target.to_owned(), address),
            ways: way.map(|way| vec![way]),
        }
    }

    /// The way to a host that somebody names, as far as the policy allows.
    pub(super) fn way_to(&self, mut uri: SipUri) -> Result<Way, NoWay> {
        let Directory {
            trunks, dial_allow, ..
        } = self.directory;
        let transport = match uri.params.value("transport") {
            None => None,
            Some(token) if token.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
            Some(token) if token.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
            Some(_) => return Err(NoWay::BadAddress),
        };
        if uri.secure {
            return Err(NoWay::BadAddress);
        }
        let line = may_dial(&uri, trunks, dial_allow).ok_or(NoWay::NotAllowed)?;
        // Headers of the URI would be ours to send, and `maddr` would lead past the policy.
        uri.headers.clear();
        uri.params.remove("maddr");
        let host = SipHost {
            host: uri.host.clone(),
            port: uri.port,
            transport,
        };
        Ok(Way {
            target: Target::Host(host),
            uri: Uri::Sip(uri),
            routes: Vec::new(),
            line,
            is_redirect: false,
        })
    }

    /// All telephones of an extension; where its id is given, its name stands beside it.
    fn extension(&self, address: &flow::Address) -> Group {
        let name = [&address.target, &address.target_name]
            .into_iter()
            .find(|name| self.access.password(name).is_some());
        let Some(name) = name else {
            tracing::warn!(extension = %address.target, "there is no such extension");
            return Group::of(Vec::new());
        };
        let party = |binding: &Binding| {
            let way = Way {
                target: Target::Hop(binding.hop),
                uri: binding.contact.clone(),
                routes: binding.path.clone(),
                line: Line::Extension,
                is_redirect: false,
            };
            Destination::Party(Party {
                address: Address::extension(name),
                ways: Ok(vec![way]),
            })
        };
        Group::of(self.registrar.bindings(name).iter().map(party).collect())
    }

    fn agent(&self, reference: &str) -> Group {
        let Some(agent) = self.directory.agents.find(reference) else {
            tracing::warn!(agent = %reference, "there is no such agent");
            return Group::of(Vec::new());
        };
        // An agent is reached where it is, not by way of others.
        let is_place =
            |address: &&flow::Address| matches!(address.kind.as_str(), "tel" | "sip" | "extension");
        let addresses = agent.addresses.iter().filter(is_place);
        Group {
            method: agent.ring_method,
            members: addresses
                .filter_map(|address| self.destination(address))
                .collect(),
            agent: Some(agent.id),
        }
    }
}

impl Group {
    /// A group that rings all at once.
    const fn of(members: Vec<Destination>) -> Self {
        Self {
            method: RingMethod::RingAll,
            members,
            agent: None,
        }
    }
}

/// A telephone number as it is looked up: `+` where it leads, and digits. What holds no digit stays.
pub(super) fn normal_number(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match text.starts_with('+') {
        _ if digits.is_empty() => text.to_owned(),
        true => format!("+{digits}"),
        false => digits,
    }
}

fn named(kind: AddressKind, target: String, address: &flow::Address) -> Address {
    let name = [&address.target_name, &address.name]
        .into_iter()
        .find(|name| !name.is_empty());
    Address {
        kind,
        target,
        target_name: name.cloned().unwrap_or_default(),
        name: address.name.clone(),
        detail: address.detail.clone(),
    }
}
