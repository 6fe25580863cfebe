//! The Via header: the way a response goes back (RFC 3261 §20.42, RFC 3581).

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::error::ParseError;
use super::host::{Host, HostRef};
use super::params::{self, Params};
use super::token;

/// One hop that a request went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, … as it came; compare without case.
    pub transport: String,
    /// Sent-by: where the sender says it listens.
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
}

impl Via {
    /// Reads one element of a Via list.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it breaks the grammar or is of a protocol other than SIP/2.0.
    pub fn parse(element: &[u8]) -> Result<Self, ParseError> {
        let parts = ViaParts::split(element)?;
        Ok(Self {
            transport: token::text(parts.transport),
            host: parts.host.to_host(),
            port: parts.port,
            params: Params::parse_header(parts.params)?,
        })
    }

    /// Checks the grammar as [`Self::parse`] does, without making anything.
    pub(super) fn check(element: &[u8]) -> Result<(), ParseError> {
        let parts = ViaParts::split(element)?;
        params::header_params(parts.params).try_for_each(|param| param.map(drop))
    }

    /// Names the transaction when it begins with the magic cookie `z9hG4bK` (RFC 3261 §8.1.1.7).
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The port that the response is wanted at: `Some(None)` asks for it, `Some(Some(port))` tells it.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params
            .get("rport")
            .map(|port| port.and_then(|port| port.parse().ok()))
    }

    /// The address that the request really came from, with or without brackets when it is IPv6.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.value("received")?;
        let inner = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        inner.unwrap_or(text).parse().ok()
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SIP/2.0/")?;
        for byte in self
            .transport
            .bytes()
            .filter(|byte| token::is_token_byte(*byte))
        {
            f.write_char(char::from(byte))?;
        }
        write!(f, " {}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.write_header(f)
    }
}

struct ViaParts<'a> {
    transport: &'a [u8],
    host: HostRef<'a>,
    port: Option<u16>,
    params: &'a [u8],
}

impl<'a> ViaParts<'a> {
    fn split(element: &'a [u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("Via");
        let (name, rest) = until_slash(element).ok_or(wrong)?;
        let (version, rest) = until_slash(rest).ok_or(wrong)?;
        if !name.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return Err(wrong);
        }
        let rest = token::trim(rest);
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t'))
            .ok_or(wrong)?;
        let (transport, rest) = rest.split_at(end);
        if !token::is_token(transport) {
            return Err(wrong);
        }
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        let (host, port) = HostRef::parse_with_port(token::trim(sent_by))?;
        Ok(Self {
            transport,
            host,
            port,
            params,
        })
    }
}

fn until_slash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'/', bytes)?;
    Some((token::trim(&bytes[..at]), &bytes[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_may_stand_between_all_parts() {
        let via = Via::parse(b"SIP  / 2.0 /\tUDP   first.example : 4000 ; ttl=16 ; branch = z9hG4bKa ;rport=5;received=[::1]");
        let via = via.unwrap();
        assert_eq!(
            (via.transport.as_str(), via.port, via.rport()),
            ("UDP", Some(4000), Some(Some(5)))
        );
        assert_eq!(via.received(), "::1".parse().ok());
        assert_eq!(
            via.to_string(),
            "SIP/2.0/UDP first.example:4000;ttl=16;branch=z9hG4bKa;rport=5;received=[::1]"
        );
    }

    #[test]
    fn what_names_no_way_back_is_malformed() {
        for wrong in [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP ;branch=1",
            "SIP/2.0 h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/U(P h",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP h h",
            "SIP/2.0/UDP h;;",
        ] {
            assert!(Via::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(Via::check(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
