//! The rules of RFC 3263 §4 and RFC 2782 without the asking: what to ask DNS for, and in which order its
//! answers are to be tried.

use std::net::IpAddr;

use crate::ids::Rng;
use crate::sip::message::Host;
use crate::sip::{SipHost, Transport};

/// The port of both transports where nothing says another (RFC 3261 §19.1.2).
const PORT: u16 = 5060;
/// Servers of one host that are tried; whoever names more answers from one of these or not at all.
pub(super) const SERVERS: usize = 10;
/// Addresses of one server that are tried.
pub(super) const ADDRESSES: usize = 4;

/// Where the search for a host begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Transport and port are known.
    Target(Target),
    /// The transport is known: its SRV records say the rest.
    Services(Vec<Service>),
    /// Nothing is known: NAPTR records say which services there are.
    Naptr,
}

/// A set of SRV records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// What its servers speak.
    pub(super) transport: Transport,
    /// Where it stands in DNS; absolute.
    pub(super) name: String,
}

/// A server whose addresses are to be asked for, unless it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) transport: Transport,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// A NAPTR record (RFC 3403 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naptr {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) flags: String,
    pub(super) services: String,
    /// Claims that there is a regular expression instead of a replacement.
    pub(super) has_regexp: bool,
    pub(super) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// The server; `.` where the service is not offered at all.
    pub(super) target: String,
}

/// What the SRV records of a host come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Servers {
    /// Try these.
    Targets(Vec<Target>),
    /// There are none: the host itself is the server.
    Itself(Transport),
    /// The host says that it does not offer any of the services.
    Declined,
}

/// Where to begin; `spoken` are our transports, the preferred one first. `None` when the host is to be
/// reached by one that we do not speak.
pub(super) fn start(host: &SipHost, spoken: &[Transport]) -> Option<Start> {
    let transport = match host.transport {
        Some(transport) => spoken.contains(&transport).then_some(transport)?,
        None => *spoken.first()?,
    };
    let target = |port| {
        Start::Target(Target {
            transport,
            host: host.host.clone(),
            port,
        })
    };
    Some(match (&host.host, host.port, host.transport) {
        (_, Some(port), _) => target(port),
        (Host::Ip(_), None, _) => target(PORT),
        (Host::Name(name), None, Some(transport)) => Start::Services(services(name, &[transport])),
        (Host::Name(_), None, None) => Start::Naptr,
    })
}

/// The services of a host by their usual names (RFC 3263 §4.2).
pub(super) fn services(host: &str, transports: &[Transport]) -> Vec<Service> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let service = |transport: &Transport| Service {
        transport: *transport,
        name: format!("_sip._{}.{host}.", transport.token().to_ascii_lowercase()),
    };
    transports.iter().map(service).collect()
}

/// The services that NAPTR records name, the preferred one first; those of transports that we do not
/// speak, TLS among them, are passed over (RFC 3263 §4.1).
pub(super) fn services_of(mut records: Vec<Naptr>, spoken: &[Transport]) -> Vec<Service> {
    records.sort_by_key(|record| (record.order, record.preference));
    let service = |record: Naptr| {
        let transport = match record.services.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            _ => return None,
        };
        let is_final = record.flags.eq_ignore_ascii_case("s") && !record.has_regexp;
        let name = record.replacement;
        let is_usable = is_final && name != "." && spoken.contains(&transport);
        is_usable.then_some(Service { transport, name })
    };
    let mut found: Vec<Service> = Vec::new();
    for service in records.into_iter().filter_map(service) {
        if found.len() < SERVERS && !found.contains(&service) {
            found.push(service);
        }
    }
    found
}

/// The servers to try, in order: those of the first service before those of the next, and of each by
/// priority and weight. A service whose only record is `.` is not offered (RFC 2782, *Target*).
pub(super) fn servers(answers: Vec<(Service, Vec<Srv>)>, rng: &mut Rng) -> Servers {
    let mut targets = Vec::new();
    let mut unknown = None;
    for (Service { transport, .. }, records) in answers {
        if records.is_empty() {
            unknown = unknown.or(Some(transport));
        }
        let usable = records
            .into_iter()
            .filter(|record| record.target != "." && record.port != 0);
        targets.extend(
            in_order(usable.collect(), rng)
                .into_iter()
                .map(|record| Target {
                    transport,
                    host: Host::Name(record.target),
                    port: record.port,
                }),
        );
    }
    targets.truncate(SERVERS);
    match (targets.is_empty(), unknown) {
        (false, _) => Servers::Targets(targets),
        (true, Some(transport)) => Servers::Itself(transport),
        (true, None) => Servers::Declined,
    }
}

/// The host as its own server.
pub(super) fn itself(host: &Host, transport: Transport) -> Target {
    Target {
        transport,
        host: host.clone(),
        port: PORT,
    }
}

/// By priority, and within one by chance, so that a server is the first as often as its weight says
/// (RFC 2782, *Weight*).
fn in_order(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    // Those without a weight come first, or they would never be chosen.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let end = records.partition_point(|record| record.priority == priority);
        let total: u32 = records[..end]
            .iter()
            .map(|record| u32::from(record.weight))
            .sum();
        let chosen = rng.below(total + 1);
        let mut sum = 0;
        let at = records[..end].iter().position(|record| {
            sum += u32::from(record.weight);
            sum >= chosen
        });
        ordered.push(records.remove(at.unwrap_or(0)));
    }
    ordered
}

/// The addresses of one server that are worth a try: the families in turn, IPv6 first (RFC 6724 §2.1,
/// RFC 8305 §4), each address once, and none that means no host or many.
pub(super) fn addresses(found: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (mut six, mut four) = (Vec::new(), Vec::new());
    for address in found.into_iter().map(|address| address.to_canonical()) {
        let family = if address.is_ipv6() {
            &mut six
        } else {
            &mut four
        };
        if is_one_host(address) && !family.contains(&address) && family.len() < ADDRESSES {
            family.push(address);
        }
    }
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            ordered.truncate(ADDRESSES);
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Claims that an address is of one host: not "this host", not a group, not everybody.
pub(super) fn is_one_host(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let first = address.octets()[0];
            first != 0 && first < 224
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

#[cfg(test)]
mod tests;
