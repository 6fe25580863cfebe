//! Values in URIs and SIP addresses.

use std::fmt::Write as _;

use crate::flow::template::ResolveError;
use crate::flow::variable::Piece;

/// Inserts a value where `filled` ends and `rest` goes on.
///
/// A URI that begins with a placeholder is whatever its value says. Anywhere else the value is percent-
/// encoded (RFC 3986 §2.1) to be no more than a part: a label or port of the host, a segment, a query
/// value. Right behind a host that is written out it can only begin the path.
///
/// # Errors
/// A segment `.` or `..`, which every reader of URIs would take for a way up.
pub(super) fn insert(
    filled: &mut String,
    value: &str,
    rest: &[Piece<'_>],
) -> Result<(), ResolveError> {
    if filled.is_empty() {
        encode(filled, value, RESERVED);
        return Ok(());
    }
    let Some((_, after)) = filled.split_once("://") else {
        encode(filled, value, "");
        return Ok(());
    };
    if let Some(end) = after.find(['/', '?', '#', '\\']) {
        let in_path = !after[end..].contains(['?', '#']);
        if in_path && is_way_up(value) {
            return Err(NO_SEGMENT);
        }
        encode(filled, value, "");
        return Ok(());
    }
    match host_place(after, rest) {
        HostPlace::Whole => encode(filled, value, ":[]"),
        HostPlace::Part => encode(filled, value, ""),
        HostPlace::Behind if value.is_empty() => {}
        HostPlace::Behind => {
            if value.split(['/', '\\']).any(is_way_up) {
                return Err(NO_SEGMENT);
            }
            if !value.starts_with('/') {
                filled.push('/');
            }
            encode(filled, value, "/");
        }
    }
    Ok(())
}

/// The same for `user@host;parameters`.
///
/// # Errors
/// A value right behind a host that is written out.
pub(super) fn insert_sip(
    filled: &mut String,
    value: &str,
    rest: &[Piece<'_>],
) -> Result<(), ResolveError> {
    let user_follows = rest
        .iter()
        .any(|piece| matches!(piece, Piece::Plain(plain) if plain.contains('@')));
    let scheme = filled.to_ascii_lowercase();
    let Some((_, after)) = filled.rsplit_once('@') else {
        if !user_follows && matches!(scheme.as_str(), "" | "sip:" | "sips:") {
            let kept = |c: &char| !c.is_control() && !c.is_whitespace() && !"<>\"".contains(*c);
            filled.extend(value.chars().filter(kept));
        } else {
            encode(filled, value, "!*'()+");
        }
        return Ok(());
    };
    if after.contains([';', '?']) {
        encode(filled, value, "");
        return Ok(());
    }
    match host_place(after, rest) {
        HostPlace::Whole => encode(filled, value, ":[]"),
        HostPlace::Part => encode(filled, value, ""),
        HostPlace::Behind if value.is_empty() => {}
        HostPlace::Behind => {
            return Err(ResolveError::NotReadable {
                expected: "a SIP address",
            });
        }
    }
    Ok(())
}

/// Writes `value` with all but letters, digits, `-._~` and the characters of `kept` percent-encoded.
pub(super) fn encode(filled: &mut String, value: &str, kept: &str) {
    for byte in value.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) {
            filled.push(c);
        } else {
            let _ = write!(filled, "%{byte:02X}");
        }
    }
}

/// How a value stands to a host.
enum HostPlace {
    /// It is the host, perhaps with its port.
    Whole,
    /// It is one of several parts: a label before others, a port, a user name.
    Part,
    /// It follows the whole of it.
    Behind,
}

fn host_place(before: &str, rest: &[Piece<'_>]) -> HostPlace {
    if matches!(rest.first(), Some(Piece::Plain(next)) if ends_a_user(next)) {
        return HostPlace::Part;
    }
    if before.is_empty() || before.ends_with('@') {
        return HostPlace::Whole;
    }
    let goes_on = match rest.first() {
        Some(Piece::Plain(next)) => !next.starts_with(['/', '?', '#', '\\', ':', ';']),
        _ => false,
    };
    if goes_on || before.ends_with([':', '.']) {
        HostPlace::Part
    } else {
        HostPlace::Behind
    }
}

/// Whether a user name, and not a host, comes before this.
fn ends_a_user(next: &str) -> bool {
    let end = next.find(['/', '?', '#', '\\', '@']);
    end.is_some_and(|end| next.as_bytes()[end] == b'@')
}

fn is_way_up(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

const NO_SEGMENT: ResolveError = ResolveError::NotReadable {
    expected: "a part of a path",
};

/// What a whole URI is made of besides letters, digits and `-._~` (RFC 3986 §2.2), and the percent sign.
const RESERVED: &str = ":/?#[]@!$&'()*+,;=%";
