//! What every message must have before anything is done with it (RFC 3261 §8.1.1, §16.3).

use bytes::Bytes;

use super::head::Problem;
use super::header_name::HeaderName;
use super::headers::Headers;
use super::method::Method;
use super::name_addr::NameAddr;
use super::token;
use super::values::CSeq;
use super::via::Via;
use super::views::MAX_ELEMENTS;

/// Checks a request; Max-Forwards, the From tag and the branch may be absent, as RFC 2543 peers send.
pub(super) fn request(method: &Method, headers: &Headers) -> Result<(), Problem> {
    fields(headers, |name, value| {
        match name {
            HeaderName::CSeq if CSeq::split(value)?.1 != method.as_str().as_bytes() => {
                return Err(Problem::bad_request("CSeq of another method"));
            }
            HeaderName::MaxForwards => drop(token::number::<u8>(value, "Max-Forwards")?),
            HeaderName::Contact => contact(method, value)?,
            HeaderName::Route | HeaderName::RecordRoute | HeaderName::Path => addresses(value)?,
            _ => {}
        }
        Ok(())
    })
}

/// Checks a response: what brings it to its transaction. The rest is for the dialog to judge, which still
/// has to end the call when, say, the Contact of a 200 is unreadable.
pub(super) fn response(headers: &Headers) -> Result<(), Problem> {
    fields(headers, |name, value| {
        if *name == HeaderName::CSeq {
            CSeq::parse(value)?;
        }
        Ok(())
    })
}

/// Checks what every message has, and each field by `also`.
fn fields(
    headers: &Headers,
    also: impl Fn(&HeaderName, &Bytes) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut vias = 0;
    let mut seen = 0;
    for (name, value) in headers.iter() {
        let bit = single(name);
        if seen & bit != 0 {
            return Err(Problem::bad_request("header stands more than once"));
        }
        seen |= bit;
        match name {
            HeaderName::Via => {
                for element in token::list(value) {
                    Via::check(element)?;
                    vias += 1;
                }
            }
            HeaderName::From | HeaderName::To => NameAddr::check(value)?,
            HeaderName::CallId if !is_word(value) => return Err(Problem::bad_request("Call-ID")),
            _ => {}
        }
        also(name, value)?;
    }
    let is_missing = |name: &HeaderName| seen & single(name) == 0;
    let why = match vias {
        0 => "Via is missing",
        _ if vias > MAX_ELEMENTS => "too many Vias",
        _ if is_missing(&HeaderName::From) => "From is missing",
        _ if is_missing(&HeaderName::To) => "To is missing",
        _ if is_missing(&HeaderName::CallId) => "Call-ID is missing",
        _ if is_missing(&HeaderName::CSeq) => "CSeq is missing",
        _ => return Ok(()),
    };
    Err(Problem::bad_request(why))
}

/// A bit for each header that stands once: with two of them two readers could act on different ones.
const fn single(name: &HeaderName) -> u32 {
    let index = match name {
        HeaderName::From => 0,
        HeaderName::To => 1,
        HeaderName::CallId => 2,
        HeaderName::CSeq => 3,
        HeaderName::MaxForwards => 4,
        HeaderName::ContentLength => 5,
        HeaderName::ContentType => 6,
        HeaderName::Expires => 7,
        HeaderName::SessionExpires => 8,
        HeaderName::MinSe => 9,
        HeaderName::Event => 10,
        HeaderName::ReferTo => 11,
        HeaderName::Replaces => 12,
        HeaderName::RAck => 13,
        HeaderName::RSeq => 14,
        _ => return 0,
    };
    1 << index
}

fn is_word(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

fn contact(method: &Method, value: &[u8]) -> Result<(), Problem> {
    if value == b"*" {
        return if *method == Method::Register {
            Ok(())
        } else {
            Err(Problem::bad_request("Contact"))
        };
    }
    addresses(value)
}

/// A field that holds a list of addresses; one without content holds none.
fn addresses(value: &[u8]) -> Result<(), Problem> {
    if value.is_empty() {
        return Ok(());
    }
    for (index, element) in token::list(value).enumerate() {
        if index >= MAX_ELEMENTS {
            return Err(Problem::bad_request("too many addresses"));
        }
        NameAddr::check(element)?;
    }
    Ok(())
}
