//! `%`-escapes of URIs (RFC 3261 §19.1.2), exact for every byte.

use std::fmt;

use super::error::ParseError;

/// A byte that is no part of UTF-8 stands in a decoded string as this character plus its value, in the
/// private use area, and is written as the byte it was. So a URI that a peer gave us, of whatever bytes, goes
/// back to it unchanged.
const RAW_BYTE: u32 = 0xF700;

/// Nothing that could end a URI or a line, and every `%` begins an escape.
pub(super) fn check(part: &[u8]) -> Result<(), ParseError> {
    let wrong = Err(ParseError::Malformed("URI"));
    let mut at = 0;
    while at < part.len() {
        match part[at] {
            b'%' => match part.get(at + 1..at + 3) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => at += 2,
                _ => return wrong,
            },
            0..=b' ' | b'"' | b'<' | b'>' | b'@' | 0x7f => return wrong,
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The bytes of a part with its escapes undone.
fn plain_bytes(part: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let escaped = match rest {
            [b'%', high, low, ..] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        let (byte, len) = match escaped {
            Some((high, low)) => (high << 4 | low, 3),
            None => (*rest.first()?, 1),
        };
        rest = &rest[len..];
        Some(byte)
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// The same name, whatever its case and however it is escaped.
pub(super) fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |name| plain_bytes(name).map(|byte: u8| byte.to_ascii_lowercase());
    plain(one).eq(plain(other))
}

/// Undoes the escapes of a part that passed [`check`].
pub(super) fn decode(part: &[u8]) -> String {
    let plain = match memchr::memchr(b'%', part) {
        Some(_) => plain_bytes(part).collect(),
        None => part.to_vec(),
    };
    match String::from_utf8(plain) {
        Ok(text) if !text.chars().any(|c| raw_byte(c).is_some()) => text,
        Ok(text) => mark_raw_bytes(text.as_bytes()),
        Err(error) => mark_raw_bytes(error.as_bytes()),
    }
}

fn mark_raw_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mark = |text: &mut String, byte: u8| {
        text.extend(char::from_u32(RAW_BYTE + u32::from(byte)));
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if raw_byte(character).is_some() {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    mark(&mut text, byte);
                }
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            mark(&mut text, *byte);
        }
    }
    text
}

/// The byte that a marked character stands for.
fn raw_byte(character: char) -> Option<u8> {
    let byte = u32::from(character).checked_sub(RAW_BYTE)?;
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

/// Writes `text`, every byte that `may_stand` refuses as an escape.
pub(super) fn encode(
    out: &mut impl fmt::Write,
    text: &str,
    may_stand: impl Fn(u8) -> bool,
) -> fmt::Result {
    for character in text.chars() {
        match raw_byte(character) {
            Some(byte) => write!(out, "%{byte:02X}")?,
            None => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    if byte.is_ascii() && may_stand(byte) {
                        out.write_char(char::from(byte))?;
                    } else {
                        write!(out, "%{byte:02X}")?;
                    }
                }
            }
        }
    }
    Ok(())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

pub(super) const fn is_user_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

pub(super) const fn is_password_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',')
}

pub(super) const fn is_param_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

pub(super) const fn is_header_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$')
}

/// What may stand bare in a URI of a scheme that is not read: all that a URI of any scheme may have.
pub(super) const fn is_opaque_byte(byte: u8) -> bool {
    byte > b' ' && byte < 0x7f && !matches!(byte, b'<' | b'>' | b'"')
}
