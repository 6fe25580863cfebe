//! Who may call a flow, and where flows may call.

use std::collections::HashMap;
use std::net::IpAddr;

use super::network::Network;
use super::trunks::Trunk;
use crate::sip::message::Host;

/// Whose calls are taken without further proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// Loopback and private networks, trunks, and registered extensions.
    #[default]
    Known,
    /// Everyone.
    Anyone,
}

/// What a source address says about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A configured trunk, by name; it may present any caller.
    Trunk(&'a str),
    /// Trusted for its address; if it claims to be an extension it must prove it.
    Known,
    /// Nothing is known about it.
    Stranger,
}

/// Trunks, extensions and the policy for everyone else.
#[derive(Clone, Debug, Default)]
pub struct Access {
    accept: Accept,
    /// Trunks by name with the networks they call from.
    trunks: Vec<(String, Vec<Network>)>,
    passwords: HashMap<String, String>,
}

impl Access {
    /// Takes what the configuration says; extensions are pairs of name and password.
    #[must_use]
    pub fn new(accept: Accept, trunks: Vec<Trunk>, extensions: Vec<(String, String)>) -> Self {
        let source = |trunk: Trunk| (trunk.name, trunk.networks);
        Self {
            accept,
            trunks: trunks.into_iter().map(source).collect(),
            passwords: extensions.into_iter().collect(),
        }
    }

    /// What `source` says about a caller. Trunks come first, so that a trunk on a private network
    /// need not prove anything.
    #[must_use]
    pub fn origin(&self, source: IpAddr) -> Origin<'_> {
        let source = source.to_canonical();
        let calls_from = |networks: &[Network]| networks.iter().any(|one| one.contains(source));
        let trunk = self
            .trunks
            .iter()
            .find(|(_, networks)| calls_from(networks));
        match trunk {
            Some((name, _)) => Origin::Trunk(name),
            None if self.accept == Accept::Anyone || is_private(source) => Origin::Known,
            None => Origin::Stranger,
        }
    }

    /// The network of a trunk that `source` is nearest to: its trunk, it, and how many bits they share at the
    /// beginning, eight at least.
    #[must_use]
    pub fn nearest(&self, source: IpAddr) -> Option<(&str, Network, u32)> {
        let source = source.to_canonical();
        let networks = self.trunks.iter().flat_map(|(name, networks)| {
            let shared =
                move |network: &Network| Some((name.as_str(), *network, network.shared(source)?));
            networks.iter().filter_map(shared)
        });
        // Of equals the first: the last of those that are turned round.
        let networks: Vec<_> = networks.filter(|(.., bits)| *bits >= 8).collect();
        networks.into_iter().rev().max_by_key(|(.., bits)| *bits)
    }

    /// The password of an extension.
    #[must_use]
    pub fn password(&self, extension: &str) -> Option<&str> {
        self.passwords.get(extension).map(String::as_str)
    }
}

/// Hosts of `sip:` targets that flows, REFER and redirections may name beside trunks and private
/// networks; none, unless the configuration says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialAllow {
    networks: Vec<Network>,
    names: Vec<String>,
}

impl DialAllow {
    /// Takes networks, and names of hosts; a name is that host alone and nothing below it.
    #[must_use]
    pub fn new(networks: Vec<Network>, names: Vec<String>) -> Self {
        Self { networks, names }
    }

    /// Claims that a target may name `host`. A name that is not allowed may still have an address that
    /// is: see [`Self::allows_address`].
    #[must_use]
    pub fn allows(&self, host: &Host) -> bool {
        match host {
            Host::Ip(address) => self.allows_address(*address),
            Host::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                self.names
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(name))
            }
        }
    }

    /// Claims that a target may be at `address`.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }
}

/// Loopback, link-local and private use (RFC 1918, RFC 3927, RFC 4193, RFC 4291). Shared address space
/// (RFC 6598) is not: behind a carrier's NAT live strangers.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(accept: Accept) -> Access {
        let carrier = Trunk {
            name: "carrier".to_owned(),
            networks: vec![
                "198.51.100.0/24".parse().unwrap(),
                "10.9.0.1".parse().unwrap(),
            ],
            out: None,
        };
        Access::new(
            accept,
            vec![carrier],
            vec![("1000".to_owned(), "secret".to_owned())],
        )
    }

    #[test]
    fn a_trunk_is_known_by_its_network_even_on_a_private_one() {
        let access = access(Accept::Known);
        let carrier = Origin::Trunk("carrier");
        assert_eq!(access.origin("198.51.100.77".parse().unwrap()), carrier);
        assert_eq!(
            access.origin("::ffff:198.51.100.77".parse().unwrap()),
            carrier
        );
        assert_eq!(access.origin("10.9.0.1".parse().unwrap()), carrier);
    }

    #[test]
    fn loopback_and_private_networks_are_known_and_others_are_strangers() {
        let access = access(Accept::Known);
        for known in [
            "127.0.0.1",
            "::1",
            "192.168.1.2",
            "10.9.0.2",
            "172.31.0.1",
            "169.254.1.1",
            "fd00::1",
            "fe80::1",
        ] {
            assert_eq!(
                access.origin(known.parse().unwrap()),
                Origin::Known,
                "{known}"
            );
        }
        for stranger in [
            "203.0.113.5",
            "100.64.0.1",
            "172.32.0.1",
            "2001:db8::1",
            "::ffff:203.0.113.5",
        ] {
            assert_eq!(
                access.origin(stranger.parse().unwrap()),
                Origin::Stranger,
                "{stranger}"
            );
        }
    }

    #[test]
    fn anyone_is_known_when_the_configuration_says_so() {
        let access = access(Accept::Anyone);
        assert_eq!(access.origin("203.0.113.5".parse().unwrap()), Origin::Known);
        assert_eq!(access.password("1000"), Some("secret"));
        assert_eq!(access.password("1001"), None);
    }

    #[test]
    fn a_target_is_allowed_by_its_name_or_its_network_and_nothing_is_by_default() {
        let host = |text: &str| Host::parse(text.as_bytes()).unwrap();
        let networks = vec!["203.0.113.0/24".parse().unwrap()];
        let allow = DialAllow::new(networks, vec!["pbx.example.com".to_owned()]);
        for (text, wanted) in [
            ("PBX.example.com", true),
            ("pbx.example.com.", true),
            ("evil.pbx.example.com", false),
            ("example.com", false),
            ("203.0.113.9", true),
            ("203.0.114.9", false),
            ("[::ffff:203.0.113.9]", true),
        ] {
            assert_eq!(allow.allows(&host(text)), wanted, "{text}");
            assert!(!DialAllow::default().allows(&host(text)));
        }
    }
}
