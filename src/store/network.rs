//! A range of IP addresses as a configuration names it: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Every address that begins with the same `prefix` bits (RFC 4632, RFC 4291 §2.3).
///
/// An IPv4 address that came over an IPv6 socket (`::ffff:10.0.0.1`) is the IPv4 address it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text names no network; the configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// What stands before the slash is no IP address.
    #[error("not an IP address or network")]
    Address,
    /// What stands after the slash is no number, or more bits than the address has.
    #[error("not a prefix length between 0 and {most}")]
    Prefix {
        /// Bits of the address.
        most: u8,
    },
    /// Bits are set after the prefix: a typing error opens more than was meant, so it is not guessed at.
    #[error("has bits set after its prefix; {meant} would be that network")]
    HostBits {
        /// The network that the address lies in.
        meant: Network,
    },
}

impl Network {
    /// The network of the first `prefix` bits of `address`.
    ///
    /// # Errors
    /// When the address has fewer bits, or has bits set after the prefix.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most {
            return Err(NetworkError::Prefix { most });
        }
        let meant = Self {
            address: masked(address, prefix),
            prefix,
        };
        if meant.address == address {
            Ok(meant)
        } else {
            Err(NetworkError::HostBits { meant })
        }
    }

    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// How many bits `address` shares with it at the beginning, up to its prefix; `None` for an address of the
    /// other family.
    #[must_use]
    pub fn shared(&self, address: IpAddr) -> Option<u32> {
        let bits = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return None,
        };
        Some(bits.min(self.prefix.into()))
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let Some(prefix) = prefix else {
            return Ok(Self::from(address));
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix
            .parse()
            .ok()
            .filter(|_| is_number)
            .ok_or(NetworkError::Prefix { most })?;
        Self::new(address, prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn contains(text: &str, address: &str) -> bool {
        network(text).contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_no_neighbour() {
        assert!(contains("10.0.0.0/8", "10.0.0.0"));
        assert!(contains("10.0.0.0/8", "10.255.255.255"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(!contains("10.0.0.0/8", "9.255.255.255"));
        assert!(contains("198.51.100.64/26", "198.51.100.127"));
        assert!(!contains("198.51.100.64/26", "198.51.100.128"));
        assert!(contains("fd00::/8", "fdff::1"));
        assert!(!contains("fd00::/8", "fe00::1"));
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
        assert!(contains("::1", "::1"));
        assert!(!contains("192.0.2.7", "192.0.2.8"));
    }

    #[test]
    fn prefix_zero_holds_every_address_of_its_family_only() {
        assert!(contains("0.0.0.0/0", "203.0.113.1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1"));
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("::/0", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:192.0.2.1", "192.0.2.1"));
    }

    #[test]
    fn a_wrong_network_says_what_is_wrong() {
        let error = |text: &str| text.parse::<Network>().unwrap_err();
        for text in [
            "",
            "ten",
            "10.0.0/8",
            "10.0.0.0.0/8",
            " 10.0.0.0/8",
            "[::1]",
        ] {
            assert_eq!(error(text), NetworkError::Address, "{text:?}");
        }
        for text in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(error(text), NetworkError::Prefix { most: 32 }, "{text:?}");
        }
        assert_eq!(error("::/129"), NetworkError::Prefix { most: 128 });
        assert_eq!(
            error("10.1.2.3/8").to_string(),
            "has bits set after its prefix; 10.0.0.0/8 would be that network"
        );
    }
}
