//! SIP, SIPS and tel URIs, and those of any other scheme (RFC 3261 §19.1, RFC 3966).

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::error::ParseError;
use super::escape;
use super::host::{Host, HostRef};
use super::params::{self, Params};
use super::token;

/// Where a request goes or who a party is.
///
/// Whatever its fields hold, what is written is one word without white space, brackets or quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    Sip(SipUri),
    Tel(TelUri),
    /// A scheme that is not read, such as `urn`; also what was unreadable in a refused request, then with
    /// an empty scheme.
    Other {
        scheme: String,
        rest: Bytes,
    },
}

/// A `sip:` or `sips:` URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`
    pub secure: bool,
    /// Unescaped. A byte that is no UTF-8 stands as a character of the private use area and is written
    /// back as that byte.
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
    /// What stands behind `?`, unescaped, in its order.
    pub headers: Vec<(String, String)>,
}

/// A telephone number (RFC 3966).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelUri {
    /// As dialed: digits, `*`, `#`, letters and a leading `+`; without visual separators, which mean
    /// nothing (RFC 3966 §5.1.1).
    pub number: String,
    pub params: Params,
}

impl Uri {
    /// Reads a URI that has nothing around it.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it has no scheme, when a `sip:`, `sips:` or `tel:` URI breaks its
    /// grammar, or when white space, brackets or quotes stand in it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        match UriParts::split(bytes)? {
            UriParts::Sip(parts) => Ok(Self::Sip(SipUri {
                secure: parts.secure,
                user: parts.user.map(escape::decode),
                password: parts.password.map(escape::decode),
                host: parts.host.to_host(),
                port: parts.port,
                params: Params::parse_uri(parts.params)?,
                headers: uri_headers(parts.headers)
                    .map(|header| {
                        header.map(|(name, value)| (escape::decode(name), escape::decode(value)))
                    })
                    .collect::<Result<_, _>>()?,
            })),
            UriParts::Tel { number, params } => Ok(Self::Tel(TelUri {
                number: number
                    .iter()
                    .filter(|byte| !is_visual_separator(**byte))
                    .map(|byte| char::from(*byte))
                    .collect(),
                params: Params::parse_uri(params)?,
            })),
            UriParts::Other { scheme, rest } => Ok(Self::Other {
                scheme: token::text(scheme),
                rest: Bytes::copy_from_slice(rest),
            }),
        }
    }

    /// Checks the grammar as [`Self::parse`] does, without making anything.
    pub(super) fn check(bytes: &[u8]) -> Result<(), ParseError> {
        match UriParts::split(bytes)? {
            UriParts::Sip(parts) => {
                params::uri_params(parts.params).try_for_each(|param| param.map(drop))?;
                uri_headers(parts.headers).try_for_each(|header| header.map(drop))
            }
            UriParts::Tel { params, .. } => {
                params::uri_params(params).try_for_each(|param| param.map(drop))
            }
            UriParts::Other { .. } => Ok(()),
        }
    }

    /// What stands in a refused request whose URI could not be read.
    pub(super) fn unreadable(bytes: Bytes) -> Self {
        Self::Other {
            scheme: String::new(),
            rest: bytes,
        }
    }

    /// Who is meant at the host: the user of a SIP URI, the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Sip(uri) => uri.user.as_deref(),
            Self::Tel(uri) => Some(&uri.number),
            Self::Other { .. } => None,
        }
    }

    #[must_use]
    pub const fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Equal in meaning (RFC 3261 §19.1.4, RFC 3966 §4).
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(one), Self::Sip(other)) => one.is_equivalent(other),
            (Self::Tel(one), Self::Tel(other)) => {
                one.number.eq_ignore_ascii_case(&other.number)
                    && includes(&one.params, &other.params, |_| true)
                    && includes(&other.params, &one.params, |_| true)
            }
            (
                Self::Other { scheme, rest },
                Self::Other {
                    scheme: other_scheme,
                    rest: other_rest,
                },
            ) => scheme.eq_ignore_ascii_case(other_scheme) && rest == other_rest,
            _ => false,
        }
    }
}

impl SipUri {
    /// `sip:host` with nothing else.
    #[must_use]
    pub const fn new(host: Host) -> Self {
        Self {
            secure: false,
            user: None,
            password: None,
            host,
            port: None,
            params: Params::new(),
            headers: Vec::new(),
        }
    }

    /// The same with this user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The same with this port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Has `lr`: the element routes by the Route header and not by the request URI (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Equal in meaning (RFC 3261 §19.1.4): an absent port is not port 5060, and `user`, `ttl`, `method`,
    /// `maddr` and `transport` must stand in both or in none.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        let must_stand_in_both = |name: &str| {
            ["user", "ttl", "method", "maddr", "transport"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        self.secure == other.secure
            && self.user == other.user
            && self.password == other.password
            && self.host.is_equivalent(&other.host)
            && self.port == other.port
            && includes(&self.params, &other.params, must_stand_in_both)
            && includes(&other.params, &self.params, must_stand_in_both)
            && self.headers.len() == other.headers.len()
            && self.headers.iter().all(|(name, value)| {
                let same = |(known, theirs): &(String, String)| {
                    known.eq_ignore_ascii_case(name) && theirs == value
                };
                other.headers.iter().any(same)
            })
    }
}

/// Every parameter of `one` that stands in `other` has the same value there, and those that `needed`
/// names do stand there.
fn includes(other: &Params, one: &Params, needed: impl Fn(&str) -> bool) -> bool {
    one.iter()
        .all(|(name, value)| match (other.get(name), value) {
            (None, _) => !needed(name),
            (Some(None), None) => true,
            (Some(Some(theirs)), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
            (Some(_), _) => false,
        })
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other { scheme, rest } => {
                if !scheme.is_empty() {
                    escape::encode(f, scheme, token::is_token_byte)?;
                    f.write_char(':')?;
                }
                rest.iter().try_for_each(|byte| {
                    if escape::is_opaque_byte(*byte) {
                        f.write_char(char::from(*byte))
                    } else {
                        write!(f, "%{byte:02X}")
                    }
                })
            }
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            escape::encode(f, user, escape::is_user_byte)?;
            if let Some(password) = &self.password {
                f.write_char(':')?;
                escape::encode(f, password, escape::is_password_byte)?;
            }
            f.write_char('@')?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.write_uri(f)?;
        for (index, (name, value)) in self.headers.iter().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            escape::encode(f, name, escape::is_header_byte)?;
            f.write_char('=')?;
            escape::encode(f, value, escape::is_header_byte)?;
        }
        Ok(())
    }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tel:")?;
        escape::encode(f, &self.number, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'*' | b'#')
        })?;
        self.params.write_uri(f)
    }
}

enum UriParts<'a> {
    Sip(SipParts<'a>),
    Tel { number: &'a [u8], params: &'a [u8] },
    Other { scheme: &'a [u8], rest: &'a [u8] },
}

struct SipParts<'a> {
    secure: bool,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: HostRef<'a>,
    port: Option<u16>,
    params: &'a [u8],
    headers: &'a [u8],
}

impl<'a> UriParts<'a> {
    fn split(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("URI");
        let colon = memchr::memchr(b':', bytes).ok_or(wrong)?;
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        if scheme.eq_ignore_ascii_case(b"sip") {
            return SipParts::split(rest, false).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"sips") {
            return SipParts::split(rest, true).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"tel") {
            let (number, params) = cut(rest, b';');
            let is_number = number.iter().any(u8::is_ascii_alphanumeric)
                || number.iter().any(|byte| matches!(byte, b'*' | b'#'));
            let is_dialable = |byte: &u8| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'+' | b'*' | b'#')
                    || is_visual_separator(*byte)
            };
            return if is_number && number.iter().all(is_dialable) {
                Ok(Self::Tel {
                    number,
                    params: params.unwrap_or_default(),
                })
            } else {
                Err(wrong)
            };
        }
        let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let is_word = |byte: &u8| escape::is_opaque_byte(*byte) || !byte.is_ascii();
        if is_scheme && !rest.is_empty() && rest.iter().all(is_word) {
            Ok(Self::Other { scheme, rest })
        } else {
            Err(wrong)
        }
    }
}

impl<'a> SipParts<'a> {
    fn split(bytes: &'a [u8], secure: bool) -> Result<Self, ParseError> {
        let (user, password, rest) = match memchr::memchr(b'@', bytes) {
            None => (None, None, bytes),
            Some(at) => {
                let (user, password) = cut(&bytes[..at], b':');
                if user.is_empty() {
                    return Err(ParseError::Malformed("URI"));
                }
                escape::check(user)?;
                password.map_or(Ok(()), escape::check)?;
                (Some(user), password, &bytes[at + 1..])
            }
        };
        let (rest, headers) = cut(rest, b'?');
        let (host_port, params) = cut(rest, b';');
        if params.is_some_and(<[u8]>::is_empty) || headers.is_some_and(<[u8]>::is_empty) {
            return Err(ParseError::Malformed("URI"));
        }
        let (host, port) = HostRef::parse_with_port(host_port)?;
        Ok(Self {
            secure,
            user,
            password,
            host,
            port,
            params: params.unwrap_or_default(),
            headers: headers.unwrap_or_default(),
        })
    }
}

fn uri_headers(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), ParseError>> {
    let headers = (!bytes.is_empty()).then(|| bytes.split(|byte| *byte == b'&'));
    headers
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, header)| {
            if index >= params::MAX_PARAMS {
                return Err(ParseError::TooMany("URI headers"));
            }
            let (name, value) = cut(header, b'=');
            let value = value.ok_or(ParseError::Malformed("URI header"))?;
            escape::check(name)?;
            escape::check(value)?;
            if name.is_empty() {
                return Err(ParseError::Malformed("URI header"));
            }
            Ok((name, value))
        })
}

const fn is_visual_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// What stands before and behind the first `separator`.
fn cut(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, bytes) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

#[cfg(test)]
mod tests;
