//! Header names: known ones as variants, compact forms on reading, case of no meaning (RFC 3261 §7.3).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use bytes::Bytes;

use super::error::ParseError;
use super::token::Token;

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?,)*) => {
        /// The name of a header field. Made from bytes only by [`HeaderName::parse`], so that a known
        /// name never hides in [`HeaderName::Other`].
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum HeaderName {
            $($variant,)*
            /// A name without a variant; compared without case.
            Other(ExtensionName),
        }

        impl HeaderName {
            /// The full name as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name.0.as_str(),
                }
            }

            const fn of_compact(letter: u8) -> Option<Self> {
                match letter.to_ascii_lowercase() {
                    $($($compact => Some(Self::$variant),)?)*
                    _ => None,
                }
            }
        }

        const KNOWN: &[(&str, HeaderName)] = &[$(($name, HeaderName::$variant),)*];
    };
}

header_names! {
    Accept "Accept",
    AcceptContact "Accept-Contact" b'a',
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AlertInfo "Alert-Info",
    Allow "Allow",
    AllowEvents "Allow-Events" b'u',
    AuthenticationInfo "Authentication-Info",
    Authorization "Authorization",
    CSeq "CSeq",
    CallId "Call-ID" b'i',
    CallInfo "Call-Info",
    Contact "Contact" b'm',
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding" b'e',
    ContentLanguage "Content-Language",
    ContentLength "Content-Length" b'l',
    ContentType "Content-Type" b'c',
    Date "Date",
    Diversion "Diversion",
    ErrorInfo "Error-Info",
    Event "Event" b'o',
    Expires "Expires",
    From "From" b'f',
    Geolocation "Geolocation",
    HistoryInfo "History-Info",
    Identity "Identity" b'y',
    InReplyTo "In-Reply-To",
    InfoPackage "Info-Package",
    Join "Join",
    MaxBreadth "Max-Breadth",
    MaxForwards "Max-Forwards",
    MimeVersion "MIME-Version",
    MinExpires "Min-Expires",
    MinSe "Min-SE",
    Organization "Organization",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    Path "Path",
    Priority "Priority",
    Privacy "Privacy",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require",
    RAck "RAck",
    RSeq "RSeq",
    Reason "Reason",
    RecordRoute "Record-Route",
    RecvInfo "Recv-Info",
    ReferSub "Refer-Sub",
    ReferTo "Refer-To" b'r',
    ReferredBy "Referred-By" b'b',
    RejectContact "Reject-Contact" b'j',
    RemotePartyId "Remote-Party-ID",
    Replaces "Replaces",
    ReplyTo "Reply-To",
    RequestDisposition "Request-Disposition" b'd',
    Require "Require",
    RetryAfter "Retry-After",
    Route "Route",
    Server "Server",
    ServiceRoute "Service-Route",
    SessionExpires "Session-Expires" b'x',
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    Subject "Subject" b's',
    SubscriptionState "Subscription-State",
    Supported "Supported" b'k',
    Timestamp "Timestamp",
    To "To" b't',
    Unsupported "Unsupported",
    UserAgent "User-Agent",
    Via "Via" b'v',
    Warning "Warning",
    WwwAuthenticate "WWW-Authenticate",
}

/// The name of a header that has no variant in [`HeaderName`].
#[derive(Clone, Debug)]
pub struct ExtensionName(Box<Token>);

impl HeaderName {
    /// Reads a full or compact name.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it is not a token. Nothing is repaired here: a name with a control
    /// character is not another spelling of the clean one.
    pub fn parse(name: impl Into<Bytes>) -> Result<Self, ParseError> {
        let name = name.into();
        Self::known(&name).map_or_else(|| Self::extension(name), Ok)
    }

    /// The same for a part of `all`, which is shared only when the name has to be kept.
    pub(super) fn parse_in(all: &Bytes, name: &[u8]) -> Result<Self, ParseError> {
        Self::known(name).map_or_else(|| Self::extension(all.slice_ref(name)), Ok)
    }

    fn extension(name: Bytes) -> Result<Self, ParseError> {
        let token = Token::new(name).map_err(|_| ParseError::Malformed("header name"))?;
        Ok(Self::Other(ExtensionName(Box::new(token))))
    }

    fn known(name: &[u8]) -> Option<Self> {
        if let [letter] = name {
            return Self::of_compact(*letter);
        }
        // the first letter, in either case, tells most names of one length apart
        let (first, last) = *BY_LENGTH.get(name.len())?;
        IN_ORDER[first..last]
            .iter()
            .map(|index| &KNOWN[*index])
            .find(|(known, _)| {
                let known = known.as_bytes();
                known[0] | 0x20 == name[0] | 0x20
                    && (known == name || known.eq_ignore_ascii_case(name))
            })
            .map(|(_, header)| header.clone())
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(one), Self::Other(other)) => {
                one.0.as_str().eq_ignore_ascii_case(other.0.as_str())
            }
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        if let Self::Other(name) = self {
            for byte in name.0.as_str().bytes() {
                state.write_u8(byte.to_ascii_lowercase());
            }
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const LONGEST: usize = 24;

/// Indices into [`KNOWN`], names of one length side by side, so that a lookup compares a handful.
const IN_ORDER: [usize; KNOWN.len()] = {
    let mut order = [0; KNOWN.len()];
    let (mut filled, mut length) = (0, 0);
    while length <= LONGEST {
        let mut index = 0;
        while index < KNOWN.len() {
            if KNOWN[index].0.len() == length {
                order[filled] = index;
                filled += 1;
            }
            index += 1;
        }
        length += 1;
    }
    assert!(filled == KNOWN.len(), "LONGEST is shorter than a name");
    order
};

/// Where the names of each length stand in [`IN_ORDER`].
const BY_LENGTH: [(usize, usize); LONGEST + 1] = {
    let mut ranges = [(0, 0); LONGEST + 1];
    let (mut at, mut length) = (0, 0);
    while length <= LONGEST {
        let first = at;
        while at < KNOWN.len() && KNOWN[IN_ORDER[at]].0.len() == length {
            at += 1;
        }
        ranges[length] = (first, at);
        length += 1;
    }
    ranges
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (name, header) in KNOWN {
            assert_eq!(HeaderName::parse(*name).as_ref(), Ok(header));
            assert_eq!(HeaderName::parse(name.to_uppercase()).as_ref(), Ok(header));
            assert_eq!(header.as_str(), *name);
        }
        assert_eq!(HeaderName::parse("V"), Ok(HeaderName::Via));
        assert_eq!(HeaderName::parse("x"), Ok(HeaderName::SessionExpires));
    }

    #[test]
    fn unknown_names_are_kept_as_they_came_and_compared_without_case() {
        let name = HeaderName::parse("X-Own").unwrap();
        assert_eq!(name.as_str(), "X-Own");
        assert_eq!(name, HeaderName::parse("x-oWN").unwrap());
        assert_ne!(name, HeaderName::parse("X-Owm").unwrap());
        for wrong in ["", "Via ", "Vi\ta", "Via\0", "From\x01", "X:Y", "\u{fc}"] {
            assert!(HeaderName::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
