//! Where messages come from and go to: a socket pair, or one connection of the shell.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::message::{HeaderName, Headers, Host, Via};

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: the transaction layer resends.
    Udp,
    /// A stream: nothing is resent but the 2xx to an INVITE.
    Tcp,
}

impl Transport {
    /// The token a Via header carries (RFC 3261 §20.42).
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// Claims that the transport itself resends what is lost (RFC 3261 §17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }
}

/// One stream connection of the shell; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Where a message came from, or where it goes to.
///
/// `local` is always a concrete address: the shell replaces a wildcard by the address the datagram
/// was sent to, or by the one the peer is reached from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// What carries it.
    pub transport: Transport,
    /// Our side.
    pub local: SocketAddr,
    /// The peer's side.
    pub remote: SocketAddr,
    /// The connection it came by; `None` for a datagram, or when a connection must be opened first.
    pub connection: Option<ConnectionId>,
}

/// A host that SIP is spoken with, as configured or as a URI names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipHost {
    /// Name or address.
    pub host: Host,
    /// Without it, DNS says (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// Without it, DNS says (RFC 3263 §4.1).
    pub transport: Option<Transport>,
}

/// Bytes on their way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub hop: Hop,
    /// One whole message.
    pub bytes: Bytes,
}

/// Where the response to a request that came from `hop` with this top Via goes.
///
/// By the same connection; over datagrams to the source, at the port it came from when `rport` asks for
/// that (RFC 3581 §4), else at the port of sent-by (RFC 3261 §18.2.2). `maddr` is not followed: it would
/// let anyone point our answers at someone else.
#[must_use]
pub(super) fn response_hop(hop: Hop, via: &Via) -> Hop {
    if hop.transport.is_reliable() || via.rport().is_some() {
        return hop;
    }
    Hop {
        remote: SocketAddr::new(hop.remote.ip(), via.port.unwrap_or(DEFAULT_PORT)),
        ..hop
    }
}

/// Writes into the top Via of `headers`, which reads as `via`, where the request really came from
/// (RFC 3261 §18.2.1, RFC 3581 §4).
///
/// The rest of the text stays as it came: a peer may compare more of its Via than the branch.
pub(super) fn stamp(headers: &mut Headers, via: &Via, hop: Hop) {
    let asks_for_port = via.rport().is_some();
    if !asks_for_port && via.host.ip() == Some(hop.remote.ip()) {
        return;
    }
    let port = hop.remote.port().to_string();
    let address = hop.remote.ip().to_string();
    let raw = headers.get(&HeaderName::Via);
    if let Some(raw) = raw.filter(|raw| !raw.contains(&b'"') && !via.params.has("received")) {
        let end = memchr::memchr(b',', raw).unwrap_or(raw.len());
        let (top, below) = raw.split_at(end);
        let added = port.len() + ";rport=;received=".len() + address.len();
        let mut stamped = Vec::with_capacity(raw.len() + added);
        for part in top.split(|byte| *byte == b';') {
            let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
            if name.trim_ascii().eq_ignore_ascii_case(b"rport") {
                stamped.extend_from_slice(b"rport=");
                stamped.extend_from_slice(port.as_bytes());
            } else {
                stamped.extend_from_slice(part);
            }
            stamped.push(b';');
        }
        stamped.extend_from_slice(b"received=");
        stamped.extend_from_slice(address.as_bytes());
        stamped.extend_from_slice(below);
        headers.set_first(&HeaderName::Via, stamped);
        return;
    }
    let mut via = via.clone();
    if asks_for_port {
        via.params.set("rport", port.as_str());
    }
    via.params.set("received", address.as_str());
    headers.replace_top_via(&via);
}

/// Claims that an address is not of the public internet: loopback, private (RFC 1918, RFC 4193),
/// shared (RFC 6598) or link-local.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let is_shared = a == 100 && b & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The SIP port of an address without one (RFC 3261 §18.2.2, §19.1.2).
pub(super) const DEFAULT_PORT: u16 = 5060;

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(via: &str) -> String {
        let hop = Hop {
            transport: Transport::Udp,
            local: SocketAddr::from(([10, 0, 0, 1], 5060)),
            remote: SocketAddr::from(([10, 0, 0, 9], 5070)),
            connection: None,
        };
        let mut headers = Headers::new();
        headers.push(HeaderName::Via, via.to_owned());
        let top = headers.top_via().expect("a Via of the test");
        stamp(&mut headers, &top, hop);
        String::from_utf8_lossy(headers.get(&HeaderName::Via).expect("still there")).into_owned()
    }

    #[test]
    fn a_via_keeps_its_text_beside_where_it_came_from() {
        for (via, wanted) in [
            (
                "SIP/2.0/UDP 10.0.0.9;branch=a@b",
                "SIP/2.0/UDP 10.0.0.9;branch=a@b",
            ),
            (
                "SIP/2.0/UDP 10.0.0.9;rport;branch=a@b, SIP/2.0/UDP x;rport",
                "SIP/2.0/UDP 10.0.0.9;rport=5070;branch=a@b;received=10.0.0.9, SIP/2.0/UDP x;rport",
            ),
            (
                "SIP / 2.0 / UDP pc.example.com ; branch=a",
                "SIP / 2.0 / UDP pc.example.com ; branch=a;received=10.0.0.9",
            ),
            (
                "SIP/2.0/UDP pc;received=1.2.3.4;branch=a",
                "SIP/2.0/UDP pc;received=10.0.0.9;branch=a",
            ),
        ] {
            assert_eq!(stamped(via), wanted);
        }
    }

    #[test]
    fn private_addresses_are_those_of_no_public_net() {
        for (address, wanted) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("169.254.1.1", true),
            ("203.0.113.1", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
        ] {
            assert_eq!(
                is_private(address.parse().expect("an address")),
                wanted,
                "{address}"
            );
        }
    }
}
