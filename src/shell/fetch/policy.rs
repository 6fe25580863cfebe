//! Which addresses a flow may make this machine connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::store::network::Network;

/// The public internet, and beside it the networks the operator allows.
///
/// A flow is written by people who may not see the network this machine stands in: without this rule
/// `http://169.254.169.254/…` in a `play` would read the machine's cloud credentials aloud.
#[derive(Clone, Debug, Default)]
pub struct OutboundPolicy {
    /// Networks that may be reached although they are not public.
    pub allow: Vec<Network>,
}

impl OutboundPolicy {
    /// Whether a connection to `address` is allowed.
    ///
    /// An IPv6 address that carries an IPv4 address (mapped, 6to4, NAT64) is judged by that one; every
    /// other IPv6 address outside the global unicast block (RFC 4291 §2.4) is refused.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allow.iter().any(|network| network.contains(address)) {
            return true;
        }
        match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => match embedded_v4(address) {
                Some(inside) => self.permits(IpAddr::V4(inside)),
                None => is_public_v6(address),
            },
        }
    }
}

/// Not a special-purpose address (RFC 6890 and the IANA registry it began).
fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4
        .iter()
        .any(|(network, prefix)| same_prefix_v4(address, *network, *prefix))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    same_prefix_v6(address, GLOBAL_UNICAST.0, GLOBAL_UNICAST.1)
        && !NOT_PUBLIC_V6
            .iter()
            .any(|(network, prefix)| same_prefix_v6(address, *network, *prefix))
}

/// The IPv4 address a packet to this 6to4 (RFC 3056) or NAT64 (RFC 6052) address ends up at.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    match address.segments() {
        [0x2002, ..] => Some(bits >> 80),
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(bits),
        _ => None,
    }
    .map(|bits| Ipv4Addr::from_bits((bits & u128::from(u32::MAX)) as u32))
}

fn same_prefix_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= prefix
}

fn same_prefix_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= prefix
}

const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8), // this network; Linux takes 0.0.0.0 for loopback
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // carrier-grade NAT, with Alibaba's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's metadata, public in form only
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local, with most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments, with Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, broadcast
];

const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, ORCHID, benchmarks
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation (RFC 9637)
];

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(allow: &[&str], address: &str) -> bool {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        OutboundPolicy { allow }.permits(address.parse().unwrap())
    }

    #[test]
    fn the_public_internet_is_reached() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(permits(&[], address), "{address}");
        }
    }

    #[test]
    fn no_special_address_is_reached_in_any_of_its_spellings() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!permits(&[], address), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached_in_every_spelling_and_no_other() {
        let allow = ["10.0.0.0/8", "fd00::/8"];
        for address in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "fd12::1",
        ] {
            assert!(permits(&allow, address), "{address}");
        }
        for address in ["127.0.0.1", "192.168.0.1", "fc00::1", "::1"] {
            assert!(!permits(&allow, address), "{address}");
        }
    }
}
