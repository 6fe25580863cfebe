//! Hosts: names, IPv4 addresses, and IPv6 references in brackets (RFC 3261 §25.1).

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::ParseError;
use super::token;

/// The host part of a URI or a Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    Name(String),
    /// Written in brackets when it is IPv6.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host; IPv6 only in brackets.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it is neither a name nor an address.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        HostRef::parse(bytes).map(HostRef::to_host)
    }

    /// The address, when it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    /// The same host; names have no case.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::Ip(one), Self::Ip(other)) => one == other,
            _ => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name
                .bytes()
                .filter(|byte| is_host_byte(*byte))
                .try_for_each(|byte| f.write_char(char::from(byte))),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A host that is still a part of the bytes it came in.
#[derive(Clone, Copy)]
pub(super) enum HostRef<'a> {
    Name(&'a str),
    Ip(IpAddr),
}

impl<'a> HostRef<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("host");
        let text = str::from_utf8(bytes).map_err(|_| wrong)?;
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(wrong)?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| wrong)?;
            return Ok(Self::Ip(ip.into()));
        }
        if bytes.is_empty() || !bytes.iter().all(|byte| is_host_byte(*byte)) {
            return Err(wrong);
        }
        if bytes[0].is_ascii_digit()
            && let Ok(ip) = text.parse::<Ipv4Addr>()
        {
            return Ok(Self::Ip(ip.into()));
        }
        Ok(Self::Name(text))
    }

    /// Reads `host` or `host:port`, white space around the colon allowed as in a Via.
    pub(super) fn parse_with_port(bytes: &'a [u8]) -> Result<(Self, Option<u16>), ParseError> {
        let after = if bytes.first() == Some(&b'[') {
            memchr::memchr(b']', bytes).ok_or(ParseError::Malformed("host"))? + 1
        } else {
            memchr::memchr(b':', bytes).unwrap_or(bytes.len())
        };
        let (host, port) = bytes.split_at(after);
        let port = match token::trim(port) {
            [] => None,
            [b':', digits @ ..] => match token::number::<u16>(token::trim(digits), "port")? {
                0 => return Err(ParseError::Malformed("port")),
                port => Some(port),
            },
            _ => return Err(ParseError::Malformed("port")),
        };
        Ok((Self::parse(token::trim(host))?, port))
    }

    pub(super) fn to_host(self) -> Host {
        match self {
            Self::Name(name) => Host::Name(name.to_owned()),
            Self::Ip(ip) => Host::Ip(ip),
        }
    }
}

/// Underscore is no letter of a host name, but names in use have it.
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}
