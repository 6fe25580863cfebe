//! A party with its display name: From, To, Contact, Route and their kind (RFC 3261 §20.10).

use std::fmt;

use super::error::ParseError;
use super::params::{self, Params};
use super::token;
use super::uri::Uri;

/// `"Name" <uri>;params`, or a bare URI, whose `;` parameters then belong to the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Without quotes and escapes; bytes that are not UTF-8 are read as Latin-1.
    pub display_name: Option<String>,
    pub uri: Uri,
    pub params: Params,
}

impl NameAddr {
    /// A party without name and parameters.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self {
            display_name: None,
            uri,
            params: Params::new(),
        }
    }

    /// The same with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// Reads one element.
    ///
    /// White space inside `<...>` is passed over and a display name may have any character, as peers in
    /// use send both (RFC 4475 §3.1.2.14, §3.1.2.15).
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when a quote or bracket has no end, the URI or a parameter breaks its
    /// grammar, or a URI with `?` stands without brackets (RFC 3261 §20.10).
    pub fn parse(element: &[u8]) -> Result<Self, ParseError> {
        let parts = Parts::split(element)?;
        Ok(Self {
            display_name: match parts.display_name {
                [] => None,
                [b'"', content @ .., b'"'] => Some(token::unescape_quoted(content)),
                words => Some(token::text(words)),
            },
            uri: Uri::parse(parts.uri)?,
            params: Params::parse_header(parts.params)?,
        })
    }

    /// Checks the grammar as [`Self::parse`] does, without making anything.
    pub(super) fn check(element: &[u8]) -> Result<(), ParseError> {
        let parts = Parts::split(element)?;
        Uri::check(parts.uri)?;
        params::header_params(parts.params).try_for_each(|param| param.map(drop))
    }

    /// The tag of an element whose grammar was checked, without making the rest of it.
    pub(super) fn tag_of(element: &[u8]) -> Option<String> {
        let parts = Parts::split(element).ok()?;
        params::header_param_value(parts.params, b"tag")
    }

    /// Names one end of a dialog.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            token::write_quoted(f, name)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>", self.uri)?;
        self.params.write_header(f)
    }
}

struct Parts<'a> {
    /// With its quotes when it has them.
    display_name: &'a [u8],
    uri: &'a [u8],
    params: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(element: &'a [u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("address");
        let element = token::trim(element);
        let name_len = match element.first() {
            Some(b'"') => token::quoted_len(element).ok_or(wrong)?,
            _ => 0,
        };
        let rest = &element[name_len..];
        let Some(open) =
            memchr::memchr(b'<', rest).filter(|open| *open == 0 || is_name(rest, *open))
        else {
            return if name_len == 0 {
                Self::bare(element)
            } else {
                Err(wrong)
            };
        };
        let between = token::trim(&rest[..open]);
        if name_len > 0 && !between.is_empty() {
            return Err(wrong);
        }
        let close = open + memchr::memchr(b'>', &rest[open..]).ok_or(wrong)?;
        Ok(Self {
            display_name: if name_len > 0 {
                &element[..name_len]
            } else {
                between
            },
            uri: token::trim(&rest[open + 1..close]),
            params: &rest[close + 1..],
        })
    }

    fn bare(element: &'a [u8]) -> Result<Self, ParseError> {
        let end = memchr::memchr(b';', element).unwrap_or(element.len());
        let (uri, params) = element.split_at(end);
        let uri = token::trim(uri);
        if memchr::memchr2(b'?', b',', uri).is_some() {
            return Err(ParseError::Malformed("address"));
        }
        Ok(Self {
            display_name: b"",
            uri,
            params,
        })
    }
}

/// What stands before `<` is words and no quoted string; a `"` there would hide where the URI begins.
fn is_name(rest: &[u8], open: usize) -> bool {
    memchr::memchr(b'"', &rest[..open]).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> NameAddr {
        NameAddr::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn names_are_read_with_and_without_quotes() {
        for (text, name) in [
            (
                r#""A \"B\" <sip:evil@h>" <sip:a@h>;tag=1"#,
                Some(r#"A "B" <sip:evil@h>"#),
            ),
            ("Ann B<sip:a@h>;tag=1", Some("Ann B")),
            ("Doe, Ann <sip:a@h> ;tag=1", Some("Doe, Ann")),
            (r#""" < sip:a@h >;tag=1"#, Some("")),
            ("<sip:a@h>; tag=1", None),
            ("sip:a@h ;tag=1", None),
        ] {
            let address = parse(text);
            assert_eq!(address.display_name.as_deref(), name, "{text}");
            assert_eq!(address.uri.to_string(), "sip:a@h", "{text}");
            assert_eq!(address.tag(), Some("1"), "{text}");
            assert_eq!(parse(&address.to_string()), address);
        }
    }

    #[test]
    fn parameters_of_a_bare_uri_are_of_the_header() {
        assert_eq!(parse("sip:a@h;lr").uri.to_string(), "sip:a@h");
        assert_eq!(parse("<sip:a@h;lr>").uri.to_string(), "sip:a@h;lr");
        assert_eq!(parse("tel:+1;tag=x").tag(), Some("x"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_malformed() {
        for wrong in [
            "",
            "*",
            "Ann",
            "<sip:a@h",
            "sip:a@h>",
            "\"Ann <sip:a@h>",
            "\"A\" b <sip:a@h>",
            "\"A\" sip:a@h",
            "sip:a@h?x=y",
            "<sip:a@h>, <sip:b@h>",
            "<sip:a@h>x",
            "<sip:a@h>;",
            "sip:a,b@h",
            "A \"<sip:a@h>\" <sip:b@h>",
            "<>",
        ] {
            assert!(NameAddr::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(NameAddr::check(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
