//! Parameters of headers (`;name=value`, values may be quoted) and of URIs (escaped by `%`).

use std::fmt;

use super::error::ParseError;
use super::escape;
use super::token;

/// The most parameters one header element or URI may have; honest ones have under ten, a Contact with many
/// feature tags under twenty.
pub(super) const MAX_PARAMS: usize = 32;

/// Parameters in their order. Names have no case; values are kept plain, without quotes and escapes, and
/// are quoted or escaped again when written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<Param>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Param {
    name: String,
    value: Option<String>,
    /// Came in quotes, so it leaves in quotes: some peers ask for them where the grammar does not.
    is_quoted: bool,
}

impl Params {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// `None` when absent, `Some(None)` for a parameter without value such as `lr`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.find(name).map(|param| param.value.as_deref())
    }

    /// The value of a parameter that has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.find(name)?.value.as_deref()
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets or adds a parameter; `None` is one without value.
    pub fn set<'a>(&mut self, name: &str, value: impl Into<Option<&'a str>>) {
        let value = value.into().map(str::to_owned);
        let known = self
            .0
            .iter_mut()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        match known {
            Some(param) => param.value = value,
            None => self.0.push(Param {
                name: name.to_owned(),
                value,
                is_quoted: false,
            }),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0
            .retain(|param| !param.name.eq_ignore_ascii_case(name));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0
            .iter()
            .map(|param| (param.name.as_str(), param.value.as_deref()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.0
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Reads `;a=b;c` behind a header element; nothing at all is no parameter.
    pub(super) fn parse_header(bytes: &[u8]) -> Result<Self, ParseError> {
        header_params(bytes)
            .map(|param| {
                param.map(|(name, value, is_quoted)| Param {
                    name: token::text(name),
                    value: value.map(|value| plain(value, is_quoted)),
                    is_quoted,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads `a=b;c`, the part of a URI behind its first `;`.
    pub(super) fn parse_uri(bytes: &[u8]) -> Result<Self, ParseError> {
        uri_params(bytes)
            .map(|param| {
                param.map(|(name, value)| Param {
                    name: escape::decode(name),
                    value: value.map(escape::decode),
                    is_quoted: false,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn write_header(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for param in &self.0 {
            out.write_char(';')?;
            for byte in param
                .name
                .bytes()
                .filter(|byte| token::is_token_byte(*byte))
            {
                out.write_char(char::from(byte))?;
            }
            match &param.value {
                None => {}
                Some(value) if param.is_quoted || !is_bare(value) => {
                    out.write_char('=')?;
                    token::write_quoted(out, value)?;
                }
                Some(value) => write!(out, "={value}")?,
            }
        }
        Ok(())
    }

    pub(super) fn write_uri(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for param in &self.0 {
            out.write_char(';')?;
            escape::encode(out, &param.name, escape::is_param_byte)?;
            if let Some(value) = &param.value {
                out.write_char('=')?;
                escape::encode(out, value, escape::is_param_byte)?;
            }
        }
        Ok(())
    }
}

/// A token or a host (RFC 3261 §25.1 `gen-value`), also a bare IPv6 address as in `received`.
fn is_bare(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| token::is_token_byte(byte) || matches!(byte, b':' | b'[' | b']'))
}

type HeaderParam<'a> = (&'a [u8], Option<&'a [u8]>, bool);

/// The parameters behind a header element, checked but not copied.
pub(super) fn header_params(
    bytes: &[u8],
) -> impl Iterator<Item = Result<HeaderParam<'_>, ParseError>> {
    let mut rest = Some(token::trim(bytes)).filter(|bytes| !bytes.is_empty());
    let mut names = Names::new();
    std::iter::from_fn(move || {
        let Some((b';', bytes)) = rest.take()?.split_first() else {
            return Some(Err(ParseError::Malformed("parameter")));
        };
        let end = token::find_outside(bytes, b';', false);
        let (param, more) = bytes.split_at(end.unwrap_or(bytes.len()));
        rest = end.map(|_| more);
        Some(header_param(token::trim(param)).and_then(|param| {
            names.add(param.0, <[u8]>::eq_ignore_ascii_case)?;
            Ok(param)
        }))
    })
}

/// The value of one parameter behind a header element, as [`Params::value`] gives it; `None` where any of
/// them is malformed.
pub(super) fn header_param_value(bytes: &[u8], name: &[u8]) -> Option<String> {
    let mut found = None;
    for param in header_params(bytes) {
        let (known, value, is_quoted) = param.ok()?;
        if known.eq_ignore_ascii_case(name) {
            found = value.map(|value| plain(value, is_quoted));
        }
    }
    found
}

/// A value without quotes and escapes.
fn plain(value: &[u8], is_quoted: bool) -> String {
    if is_quoted {
        token::unescape_quoted(value)
    } else {
        token::text(value)
    }
}

/// The names so far: each may stand once (RFC 3261 §7.3.1, §19.1.1), or two readers could take two tags,
/// two branches or two transports for the one that counts.
struct Names<'a> {
    seen: [Option<&'a [u8]>; MAX_PARAMS],
    len: usize,
}

impl<'a> Names<'a> {
    const fn new() -> Self {
        Self {
            seen: [None; MAX_PARAMS],
            len: 0,
        }
    }

    fn add(
        &mut self,
        name: &'a [u8],
        is_same: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<(), ParseError> {
        let mut seen = self.seen[..self.len].iter().flatten();
        if seen.any(|seen| is_same(seen, name)) {
            return Err(ParseError::Malformed("parameter"));
        }
        let place = self.seen.get_mut(self.len);
        *place.ok_or(ParseError::TooMany("parameters"))? = Some(name);
        self.len += 1;
        Ok(())
    }
}

fn header_param(param: &[u8]) -> Result<HeaderParam<'_>, ParseError> {
    let wrong = ParseError::Malformed("parameter");
    let (name, value) = match memchr::memchr(b'=', param) {
        Some(at) => (token::trim(&param[..at]), token::trim(&param[at + 1..])),
        None => (param, &b""[..]),
    };
    if !token::is_token(name) {
        return Err(wrong);
    }
    match value {
        [] => Ok((name, None, false)),
        [b'"', ..] if token::quoted_len(value) == Some(value.len()) => {
            Ok((name, Some(&value[1..value.len() - 1]), true))
        }
        _ if value
            .iter()
            .all(|byte| *byte > b' ' && !matches!(byte, b'"' | b'<' | b'>' | b',' | 0x7f)) =>
        {
            Ok((name, Some(value), false))
        }
        _ => Err(wrong),
    }
}

type UriParam<'a> = (&'a [u8], Option<&'a [u8]>);

/// The parameters of a URI, checked but not copied.
pub(super) fn uri_params(bytes: &[u8]) -> impl Iterator<Item = Result<UriParam<'_>, ParseError>> {
    let mut rest = Some(bytes).filter(|bytes| !bytes.is_empty());
    let mut names = Names::new();
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        let end = memchr::memchr(b';', bytes);
        rest = end.map(|end| &bytes[end + 1..]);
        let param = uri_param(&bytes[..end.unwrap_or(bytes.len())]);
        Some(param.and_then(|param| {
            names.add(param.0, escape::is_same_name)?;
            Ok(param)
        }))
    })
}

fn uri_param(param: &[u8]) -> Result<UriParam<'_>, ParseError> {
    let (name, value) = match memchr::memchr(b'=', param) {
        Some(at) => (&param[..at], Some(&param[at + 1..])),
        None => (param, None),
    };
    if name.is_empty() {
        return Err(ParseError::Malformed("parameter"));
    }
    escape::check(name)?;
    value.map_or(Ok(()), escape::check)?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(params: &Params) -> String {
        let mut out = String::new();
        params.write_header(&mut out).unwrap();
        out
    }

    #[test]
    fn values_are_plain_inside_and_quoted_outside_where_needed() {
        let read = br#" ; tag = a1;lr ; text="say \"hi\", you;" ;received=2001:db8::1;Empty="#;
        let mut params = Params::parse_header(read).unwrap();
        assert_eq!(params.value("TEXT"), Some(r#"say "hi", you;"#));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.get("empty"), Some(None));
        assert_eq!(params.get("none"), None);
        params.set("tag", "needs quotes");
        params.set("new", None);
        params.remove("LR");
        assert_eq!(
            written(&params),
            r#";tag="needs quotes";text="say \"hi\", you;";received=2001:db8::1;Empty;new"#
        );
    }

    #[test]
    fn empty_and_broken_parameters_are_malformed() {
        for wrong in [
            ";",
            ";;a",
            "a",
            ";a;",
            ";=b",
            ";a b",
            ";a=b c",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=b\"",
            ";a=<b>",
            ";a=b,c",
            ";tag=a;x;TAG=b",
        ] {
            assert!(Params::parse_header(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let many: String = (0..=MAX_PARAMS).map(|index| format!(";a{index}")).collect();
        assert_eq!(
            Params::parse_header(many.as_bytes()),
            Err(ParseError::TooMany("parameters"))
        );
    }
}
