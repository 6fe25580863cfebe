//! Header values that are neither addresses nor credentials.

use std::fmt;

use bytes::Bytes;

use super::error::ParseError;
use super::method::Method;
use super::name_addr::NameAddr;
use super::params::Params;
use super::token;

/// The largest sequence number: 2^31 − 1 (RFC 3261 §8.1.1.5).
const MAX_CSEQ: u32 = (1 << 31) - 1;

/// Orders the requests of a dialog (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    pub(super) fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let (number, method) = Self::split(value)?;
        let method = Method::parse(value.slice_ref(method));
        Ok(Self {
            number,
            method: method.map_err(|_| ParseError::Malformed("CSeq"))?,
        })
    }

    /// Number and method, the number checked.
    pub(super) fn split(value: &[u8]) -> Result<(u32, &[u8]), ParseError> {
        let wrong = ParseError::Malformed("CSeq");
        let space = memchr::memchr2(b' ', b'\t', value).ok_or(wrong)?;
        let number: u32 = token::number(&value[..space], "CSeq")?;
        if number > MAX_CSEQ {
            return Err(wrong);
        }
        Ok((number, token::trim(&value[space..])))
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// The acknowledged provisional response (RFC 3262 §7.2): RSeq number, then CSeq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    pub response: u32,
    pub cseq: CSeq,
}

impl RAck {
    pub(super) fn parse(value: &Bytes) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("RAck");
        let space = memchr::memchr2(b' ', b'\t', value).ok_or(wrong)?;
        Ok(Self {
            response: token::number(&value[..space], "RAck")?,
            cseq: CSeq::parse(&value.slice_ref(token::trim(&value[space..]))).map_err(|_| wrong)?,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.response, self.cseq)
    }
}

/// What the Contact fields of a message say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// No Contact at all: in a REGISTER, the question which bindings there are.
    None,
    /// `*`: in a REGISTER with `Expires: 0`, away with all bindings (RFC 3261 §10.2.2).
    Wildcard,
    /// At least one.
    List(Vec<NameAddr>),
}

/// What a body is (RFC 3261 §20.15). Compare without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    pub main: String,
    pub sub: String,
    pub params: Params,
}

impl MediaType {
    /// Reads `main/sub;params`.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it breaks the grammar.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("media type");
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (essence, params) = value.split_at(end);
        let slash = memchr::memchr(b'/', essence).ok_or(wrong)?;
        let (main, sub) = (
            token::trim(&essence[..slash]),
            token::trim(&essence[slash + 1..]),
        );
        if !token::is_token(main) || !token::is_token(sub) {
            return Err(wrong);
        }
        Ok(Self {
            main: token::text(main),
            sub: token::text(sub),
            params: Params::parse_header(params)?,
        })
    }

    /// Is `main/sub`, whatever its parameters and case.
    #[must_use]
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main.eq_ignore_ascii_case(main) && self.sub.eq_ignore_ascii_case(sub)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.main, self.sub)?;
        self.params.write_header(f)
    }
}

/// The session timer as asked for or agreed (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

/// Who sends the refresh requests (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request which carries the header.
    Uac,
    /// The side that answers it.
    Uas,
}

impl SessionExpires {
    pub(super) fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let (seconds, params) = seconds_and_params(value, "Session-Expires")?;
        let refresher = match params.value("refresher") {
            None => None,
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(ParseError::Malformed("Session-Expires")),
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        };
        write!(f, "{}{refresher}", self.seconds)
    }
}

/// A number of seconds with parameters behind it, as in Session-Expires and Min-SE.
pub(super) fn seconds_and_params(
    value: &[u8],
    what: &'static str,
) -> Result<(u32, Params), ParseError> {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (seconds, params) = value.split_at(end);
    Ok((
        token::number(token::trim(seconds), what)?,
        Params::parse_header(params)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_end_below_2_to_the_31() {
        let parse = |text: &'static str| CSeq::parse(&Bytes::from_static(text.as_bytes()));
        assert_eq!(
            parse("0002147483647 \t INVITE").unwrap().to_string(),
            "2147483647 INVITE"
        );
        for wrong in [
            "",
            "1",
            "1 ",
            "INVITE",
            "2147483648 INVITE",
            "-1 INVITE",
            "1 IN VITE",
            "1INVITE",
        ] {
            assert_eq!(parse(wrong), Err(ParseError::Malformed("CSeq")), "{wrong}");
        }
        let rack = RAck::parse(&Bytes::from_static(b"776 1 INVITE")).unwrap();
        assert_eq!((rack.response, rack.cseq.number), (776, 1));
    }

    #[test]
    fn session_expires_knows_its_refresher() {
        let uas = SessionExpires::parse(b"90 ; Refresher=UAS;x").unwrap();
        assert_eq!((uas.seconds, uas.refresher), (90, Some(Refresher::Uas)));
        assert_eq!(uas.to_string(), "90;refresher=uas");
        for wrong in ["", "x", "90;refresher=me", "90 90", "99999999999"] {
            assert!(SessionExpires::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn media_types_are_compared_without_case() {
        let multipart = MediaType::parse(b"Multipart / Mixed;boundary=\"a b\"").unwrap();
        assert!(multipart.is("multipart", "mixed"));
        assert_eq!(multipart.params.value("boundary"), Some("a b"));
        assert_eq!(multipart.to_string(), "Multipart/Mixed;boundary=\"a b\"");
        assert!(MediaType::parse(b"text").is_err());
    }
}
