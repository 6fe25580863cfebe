//! What stands for DNS: hosts and where they are reached.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{SWITCH, World};
use crate::sip::message::Host;
use crate::sip::{Hop, SipHost, Transport};

/// Where hosts are reached, from text.
pub(super) fn table(
    hosts: &[(&'static str, Vec<(Transport, &'static str)>)],
) -> HashMap<String, Vec<(Transport, SocketAddr)>> {
    let read = |(transport, address): &(Transport, &'static str)| {
        (*transport, address.parse().expect("an address"))
    };
    hosts
        .iter()
        .map(|(name, hops)| (name.to_ascii_lowercase(), hops.iter().map(read).collect()))
        .collect()
}

impl World {
    /// The hops of a host: an address is itself, a name is looked up; a port or a transport that is named
    /// counts for all of them.
    pub(in crate::sim) fn resolve(&self, host: &SipHost) -> Vec<Hop> {
        let known = match (host.host.ip(), &host.host) {
            (Some(ip), _) => vec![(Transport::Udp, SocketAddr::new(ip, 5060))],
            (None, Host::Name(name)) => {
                let known = self.hosts.get(&name.to_ascii_lowercase());
                known.cloned().unwrap_or_default()
            }
            (None, _) => Vec::new(),
        };
        let hop = |(transport, mut remote): (Transport, SocketAddr)| {
            remote.set_port(host.port.unwrap_or(remote.port()));
            Hop {
                transport: host.transport.unwrap_or(transport),
                local: SWITCH.parse().expect("an address"),
                remote,
                connection: None,
            }
        };
        known.into_iter().map(hop).collect()
    }
}
