//! Who may call a flow.

use std::collections::HashMap;
use std::net::IpAddr;

use super::network::Network;

/// Whose calls are taken without further proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// Loopback and private networks, trunks, and registered extensions.
    #[default]
    Known,
    /// Everyone.
    Anyone,
}

/// A carrier or PBX that calls in from known addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// Where its calls come from.
    pub networks: Vec<Network>,
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
    trunks: Vec<Trunk>,
    passwords: HashMap<String, String>,
}

impl Access {
    /// Takes what the configuration says; extensions are pairs of name and password.
    #[must_use]
    pub fn new(accept: Accept, trunks: Vec<Trunk>, extensions: Vec<(String, String)>) -> Self {
        Self {
            accept,
            trunks,
            passwords: extensions.into_iter().collect(),
        }
    }

    /// What `source` says about a caller. Trunks come first, so that a trunk on a private network
    /// need not prove anything.
    #[must_use]
    pub fn origin(&self, source: IpAddr) -> Origin<'_> {
        let source = source.to_canonical();
        let trunk = self.trunks.iter().find(|trunk| {
            trunk
                .networks
                .iter()
                .any(|network| network.contains(source))
        });
        match trunk {
            Some(trunk) => Origin::Trunk(&trunk.name),
            None if self.accept == Accept::Anyone || is_private(source) => Origin::Known,
            None => Origin::Stranger,
        }
    }

    /// The password of an extension.
    #[must_use]
    pub fn password(&self, extension: &str) -> Option<&str> {
        self.passwords.get(extension).map(String::as_str)
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
}
