//! Typed views of the header fields; made anew at each call, so ask once and keep.

use std::time::Duration;

use bytes::Bytes;

use super::digest::{Challenge, Credentials};
use super::error::ParseError;
use super::header_name::HeaderName;
use super::headers::Headers;
use super::name_addr::NameAddr;
use super::replaces::Replaces;
use super::token;
use super::values::{CSeq, Contacts, MediaType, RAck, SessionExpires, seconds_and_params};
use super::via::Via;

/// The most hops a message may name in one kind of list: twice the 70 that Max-Forwards starts with.
pub(super) const MAX_ELEMENTS: usize = 140;

impl Headers {
    /// Every Via, the top one first. Not empty.
    ///
    /// # Errors
    /// As [`Via::parse`]; [`ParseError::Missing`] when there is none.
    pub fn vias(&self) -> Result<Vec<Via>, ParseError> {
        let vias: Vec<Via> = self
            .elements(&HeaderName::Via)
            .map(|element| Via::parse(element?))
            .collect::<Result<_, _>>()?;
        if vias.is_empty() {
            return Err(ParseError::Missing("Via"));
        }
        Ok(vias)
    }

    /// The Via of the last hop.
    ///
    /// # Errors
    /// As [`Self::vias`], of the top one only.
    pub fn top_via(&self) -> Result<Via, ParseError> {
        let element = self.elements(&HeaderName::Via).next();
        Via::parse(element.ok_or(ParseError::Missing("Via"))??)
    }

    /// Puts `via` in the place of the top one; those below stay byte for byte.
    pub fn replace_top_via(&mut self, via: &Via) {
        let below = self.get(&HeaderName::Via).and_then(|value| {
            let comma = token::find_outside(value, b',', true)?;
            Some(value.slice(comma..))
        });
        let mut value = via.to_string().into_bytes();
        value.extend_from_slice(&below.unwrap_or_default());
        if !self.set_first(&HeaderName::Via, value.clone()) {
            self.insert_front(HeaderName::Via, value);
        }
    }

    /// Who the request is from.
    ///
    /// # Errors
    /// When the field is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, ParseError> {
        NameAddr::parse(self.needed(&HeaderName::From, "From")?)
    }

    /// Who the request is for.
    ///
    /// # Errors
    /// When the field is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, ParseError> {
        NameAddr::parse(self.needed(&HeaderName::To, "To")?)
    }

    /// The tag in From, read alone.
    #[must_use]
    pub fn from_tag(&self) -> Option<String> {
        NameAddr::tag_of(self.get(&HeaderName::From)?)
    }

    /// The tag in To, read alone.
    #[must_use]
    pub fn to_tag(&self) -> Option<String> {
        NameAddr::tag_of(self.get(&HeaderName::To)?)
    }

    /// The Call-ID, compared byte for byte.
    ///
    /// # Errors
    /// When the field is missing or empty.
    pub fn call_id(&self) -> Result<&Bytes, ParseError> {
        let value = self.needed(&HeaderName::CallId, "Call-ID")?;
        if value.is_empty() {
            return Err(ParseError::Malformed("Call-ID"));
        }
        Ok(value)
    }

    /// # Errors
    /// When the field is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq, ParseError> {
        CSeq::parse(self.needed(&HeaderName::CSeq, "CSeq")?)
    }

    /// All Contact fields as one.
    ///
    /// # Errors
    /// When an element is malformed or `*` does not stand alone.
    pub fn contacts(&self) -> Result<Contacts, ParseError> {
        let mut list = Vec::new();
        let mut has_wildcard = false;
        for element in self.elements(&HeaderName::Contact) {
            match element? {
                b"*" if !has_wildcard => has_wildcard = true,
                element => list.push(NameAddr::parse(element)?),
            }
        }
        match (has_wildcard, list.is_empty()) {
            (true, true) => Ok(Contacts::Wildcard),
            (true, false) => Err(ParseError::Malformed("Contact")),
            (false, true) => Ok(Contacts::None),
            (false, false) => Ok(Contacts::List(list)),
        }
    }

    /// The hops that the request still has to visit, the next one first.
    ///
    /// # Errors
    /// When an element is malformed.
    pub fn routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::Route)
    }

    /// The proxies that want to see the dialog, in header order.
    ///
    /// # Errors
    /// When an element is malformed.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::RecordRoute)
    }

    /// The hops between registrar and contact (RFC 3327).
    ///
    /// # Errors
    /// When an element is malformed.
    pub fn paths(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::Path)
    }

    /// Every address in a list header.
    ///
    /// # Errors
    /// When an element is malformed.
    pub fn addresses(&self, name: &HeaderName) -> Result<Vec<NameAddr>, ParseError> {
        self.elements(name)
            .map(|element| NameAddr::parse(element?))
            .collect()
    }

    /// # Errors
    /// When it is no number up to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, ParseError> {
        self.get(&HeaderName::MaxForwards)
            .map(|value| token::number(value, "Max-Forwards"))
            .transpose()
    }

    /// Seconds.
    ///
    /// # Errors
    /// When it is no number up to 2^32 − 1.
    pub fn expires(&self) -> Result<Option<u32>, ParseError> {
        self.get(&HeaderName::Expires)
            .map(|value| token::number(value, "Expires"))
            .transpose()
    }

    /// The shortest registration that is granted, in seconds (RFC 3261 §20.23).
    ///
    /// # Errors
    /// When it is no number up to 2^32 − 1.
    pub fn min_expires(&self) -> Result<Option<u32>, ParseError> {
        self.get(&HeaderName::MinExpires)
            .map(|value| token::number(value, "Min-Expires"))
            .transpose()
    }

    /// When the sender wants to be asked again (RFC 3261 §20.33), without the comment; `None` also when it
    /// cannot be read.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.get(&HeaderName::RetryAfter)?;
        let end = value.iter().position(|byte| !byte.is_ascii_digit());
        let seconds: u32 =
            token::number(&value[..end.unwrap_or(value.len())], "Retry-After").ok()?;
        Some(Duration::from_secs(seconds.into()))
    }

    /// # Errors
    /// When it is malformed.
    pub fn content_type(&self) -> Result<Option<MediaType>, ParseError> {
        self.get(&HeaderName::ContentType)
            .map(|value| MediaType::parse(value))
            .transpose()
    }

    /// The words of a list such as Require, Supported or Allow, without their parameters; empty and
    /// malformed ones are passed over.
    #[must_use]
    pub fn tokens(&self, name: &HeaderName) -> Vec<String> {
        self.get_all(name)
            .flat_map(|value| token::list(value))
            .map(|element| {
                let end = memchr::memchr(b';', element).unwrap_or(element.len());
                token::trim(&element[..end])
            })
            .filter(|word| token::is_token(word))
            .take(MAX_ELEMENTS)
            .map(token::text)
            .collect()
    }

    /// # Errors
    /// When it is malformed.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, ParseError> {
        self.get(&HeaderName::SessionExpires)
            .map(|value| SessionExpires::parse(value))
            .transpose()
    }

    /// Seconds.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn min_se(&self) -> Result<Option<u32>, ParseError> {
        self.get(&HeaderName::MinSe)
            .map(|value| seconds_and_params(value, "Min-SE").map(|(seconds, _)| seconds))
            .transpose()
    }

    /// The number of a reliable provisional response (RFC 3262 §7.1).
    ///
    /// # Errors
    /// When it is malformed.
    pub fn rseq(&self) -> Result<Option<u32>, ParseError> {
        self.get(&HeaderName::RSeq)
            .map(|value| token::number(value, "RSeq"))
            .transpose()
    }

    /// Which provisional response a PRACK is for.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn rack(&self) -> Result<Option<RAck>, ParseError> {
        self.get(&HeaderName::RAck).map(RAck::parse).transpose()
    }

    /// The call that an INVITE takes the place of (RFC 3891).
    ///
    /// # Errors
    /// When it is malformed.
    pub fn replaces(&self) -> Result<Option<Replaces>, ParseError> {
        self.get(&HeaderName::Replaces)
            .map(|value| Replaces::parse(value))
            .transpose()
    }

    /// The credentials in Authorization or Proxy-Authorization fields, one element a field.
    #[must_use]
    pub fn authorization(&self, name: &HeaderName) -> Vec<Result<Credentials, ParseError>> {
        self.get_all(name)
            .map(|value| Credentials::parse(value))
            .collect()
    }

    /// The strongest challenge of WWW-Authenticate or Proxy-Authenticate that can be answered, of equal ones
    /// the first (RFC 8760 §2.4); one element a field.
    #[must_use]
    pub fn challenge(&self, name: &HeaderName) -> Option<Challenge> {
        self.get_all(name)
            .filter_map(|value| Challenge::parse(value).ok())
            .reduce(|best, next| {
                if next.algorithm > best.algorithm {
                    next
                } else {
                    best
                }
            })
    }

    /// The elements of all fields of a comma list. A field without content has none; an empty element
    /// between commas is given out and fails where it is read.
    pub(super) fn elements<'a>(
        &'a self,
        name: &'a HeaderName,
    ) -> impl Iterator<Item = Result<&'a [u8], ParseError>> {
        self.get_all(name)
            .filter(|value| !value.is_empty())
            .flat_map(|value| token::list(value))
            .enumerate()
            .map(|(index, element)| {
                if index < MAX_ELEMENTS {
                    Ok(element)
                } else {
                    Err(ParseError::TooMany("list elements"))
                }
            })
    }

    fn needed(&self, name: &HeaderName, word: &'static str) -> Result<&Bytes, ParseError> {
        self.get(name).ok_or(ParseError::Missing(word))
    }
}
