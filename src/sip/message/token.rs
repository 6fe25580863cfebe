//! Lexing shared by every header: tokens, quoted strings, separators that respect them (RFC 3261 §25.1).

use std::fmt;

use bytes::Bytes;

use super::error::ParseError;

/// A word of the `token` grammar: ASCII without separators, so it can be written anywhere on the wire.
///
/// Equal and hashed byte for byte; who needs it without case compares [`Self::as_str`] so.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Bytes);

impl Token {
    /// Checks the grammar.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when `bytes` is empty or has a byte that a token must not have.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, ParseError> {
        let bytes = bytes.into();
        if is_token(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(ParseError::Malformed("token"))
        }
    }

    /// The word as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("token bytes are ASCII, checked by new")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which bytes a token may have; a table, because every header name and parameter is checked by it.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
            );
        byte += 1;
    }
    table
};

pub(super) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// The same bytes without white space around them. Values are unfolded before, so CR and LF do not occur.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Where `wanted` first stands outside quoted strings and, when `brackets_hide` is set, outside `<...>`.
pub(super) fn find_outside(bytes: &[u8], wanted: u8, brackets_hide: bool) -> Option<usize> {
    let hiding = if brackets_hide { b'<' } else { b'"' };
    let mut at = 0;
    loop {
        at += memchr::memchr3(wanted, b'"', hiding, bytes.get(at..)?)?;
        at += match bytes[at] {
            b'"' => quoted_len(&bytes[at..])?,
            b'<' => memchr::memchr(b'>', &bytes[at..])? + 1,
            _ => return Some(at),
        };
    }
}

/// Length of the quoted string at the start of `bytes`, both quotes counted; `None` when it has no end.
pub(super) fn quoted_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The elements of a comma list, trimmed; commas in quotes and in `<...>` do not separate. Empty elements
/// are given out too: some lists allow them, some do not.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(value, b',', true)
}

pub(super) fn split(
    value: &[u8],
    separator: u8,
    brackets_hide: bool,
) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let element = match find_outside(bytes, separator, brackets_hide) {
            Some(at) => {
                rest = Some(&bytes[at + 1..]);
                &bytes[..at]
            }
            None => {
                rest = None;
                bytes
            }
        };
        Some(trim(element))
    })
}

/// What peers mean by these bytes: UTF-8 as the RFC wants it, else Latin-1 as old telephones send it.
pub(super) fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The content of a quoted string, given without its outer quotes: every escape is undone.
pub(super) fn unescape_quoted(content: &[u8]) -> String {
    if memchr::memchr(b'\\', content).is_none() {
        return text(content);
    }
    let mut plain = Vec::with_capacity(content.len());
    let mut bytes = content.iter();
    while let Some(byte) = bytes.next() {
        let byte = if *byte == b'\\' {
            bytes.next()
        } else {
            Some(byte)
        };
        plain.extend(byte);
    }
    text(&plain)
}

/// Writes `text` as a quoted string. Control characters become spaces: CR, LF and NUL must never leave,
/// and no display name needs the others.
pub(super) fn write_quoted(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.write_char('\\')?;
                out.write_char(character)?;
            }
            control if control.is_control() => out.write_char(' ')?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

/// A decimal number without sign; too large a number is malformed.
pub(super) fn number<N: TryFrom<u64>>(digits: &[u8], what: &'static str) -> Result<N, ParseError> {
    let wrong = ParseError::Malformed(what);
    if digits.is_empty() {
        return Err(wrong);
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(wrong);
        }
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .ok_or(wrong)?;
    }
    N::try_from(value).map_err(|_| wrong)
}

/// A received value that could break the framing of a message becomes one that cannot: CR, LF and NUL
/// turn into spaces. Costs one scan when there is nothing to do.
pub(super) fn clean(value: Bytes) -> Bytes {
    if memchr::memchr3(b'\r', b'\n', 0, &value).is_none() {
        return value;
    }
    value
        .iter()
        .map(|byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            other => *other,
        })
        .collect::<Vec<u8>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(value: &str) -> Vec<String> {
        list(value.as_bytes()).map(text).collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        assert_eq!(
            elements(r#""a, \", <b>" <sip:x,y@h>;q=",", <sip:z@h> ,*"#),
            [r#""a, \", <b>" <sip:x,y@h>;q=",""#, "<sip:z@h>", "*"]
        );
        assert_eq!(elements(" , a,,"), ["", "a", "", ""]);
        assert_eq!(elements(r#""no end, a"#), [r#""no end, a"#]);
        assert_eq!(elements("<no end, a"), ["<no end, a"]);
    }

    #[test]
    fn a_quoted_string_ends_at_its_own_quote() {
        assert_eq!(quoted_len(br#""a\"b\\"c"#), Some(8));
        assert_eq!(quoted_len(br#""a\""#), None);
        assert_eq!(quoted_len(br#""a\"#), None);
        assert_eq!(unescape_quoted(br#"a\"b\\"#), r#"a"b\"#);
        assert_eq!(unescape_quoted(b"J\xfcrgen"), "J\u{fc}rgen");
    }

    #[test]
    fn a_written_quoted_string_is_read_as_the_same_text() {
        let name = r#"a "b" \c, <d>; é"#;
        let mut out = String::new();
        write_quoted(&mut out, name).unwrap();
        assert_eq!(quoted_len(out.as_bytes()), Some(out.len()));
        assert_eq!(unescape_quoted(&out.as_bytes()[1..out.len() - 1]), name);
    }

    #[test]
    fn numbers_neither_wrap_nor_have_signs() {
        assert_eq!(number::<u8>(b"0255", "n"), Ok(255));
        for wrong in ["", "256", "-1", "+1", "1 ", "0x1", "18446744073709551617"] {
            assert_eq!(
                number::<u8>(wrong.as_bytes(), "n"),
                Err(ParseError::Malformed("n"))
            );
        }
    }
}
