//! Whether a body is one we read (RFC 3261 §8.2.3).

use bytes::Bytes;

use crate::sip::message::{HeaderName, Headers, Request, Response, Status};

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Not SDP, and not marked optional: 415 with Accept.
    #[error("body is not application/sdp")]
    NotSdp,
    /// Compressed: 415 with Accept-Encoding.
    #[error("body is encoded")]
    Encoded,
    /// Larger than any description: 413.
    #[error("body is too large")]
    TooLarge,
}

/// The SDP a request carries, if any.
///
/// # Errors
/// [`ContentError`], each a refusal.
pub fn sdp(request: &Request) -> Result<Option<Bytes>, ContentError> {
    description(&request.headers, &request.body)
}

/// The SDP a response carries; what is not read is as if it were not there.
pub(super) fn answer(response: &Response) -> Option<Bytes> {
    description(&response.headers, &response.body)
        .ok()
        .flatten()
}

fn description(headers: &Headers, body: &Bytes) -> Result<Option<Bytes>, ContentError> {
    if body.is_empty() {
        return Ok(None);
    }
    let is_optional = headers
        .get(&HeaderName::ContentDisposition)
        .map(|value| String::from_utf8_lossy(value).to_ascii_lowercase())
        .is_some_and(|value| value.replace([' ', '\t'], "").contains("handling=optional"));
    let encodings = headers.tokens(&HeaderName::ContentEncoding);
    let is_sdp = match headers.content_type() {
        // A body without a type next to an INVITE is what it always is.
        Ok(None) => true,
        Ok(Some(kind)) => kind.is("application", "sdp"),
        Err(_) => false,
    };
    if body.len() > LARGEST {
        Err(ContentError::TooLarge)
    } else if !is_sdp {
        if is_optional {
            Ok(None)
        } else {
            Err(ContentError::NotSdp)
        }
    } else if encodings
        .iter()
        .any(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        Err(ContentError::Encoded)
    } else {
        Ok(Some(body.clone()))
    }
}

impl ContentError {
    /// What the peer is answered with.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::NotSdp | Self::Encoded => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => Status::REQUEST_ENTITY_TOO_LARGE,
        }
    }

    /// Says what would have been taken.
    pub fn explain(self, response: &mut Response) {
        match self {
            Self::NotSdp => response.headers.push(HeaderName::Accept, "application/sdp"),
            Self::Encoded => response
                .headers
                .push(HeaderName::AcceptEncoding, "identity"),
            Self::TooLarge => {}
        }
    }
}

/// Bytes; a description with every codec and candidate known has under 8 KiB.
const LARGEST: usize = 32 * 1024;
