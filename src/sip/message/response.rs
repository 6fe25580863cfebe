//! Responses (RFC 3261 §7.2).

use bytes::Bytes;

use super::header_name::HeaderName;
use super::headers::Headers;
use super::request::Request;
use super::status::Status;

/// A response as it came or as it will leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: Status,
    /// For humans; may be empty.
    pub reason: Bytes,
    pub headers: Headers,
    pub body: Bytes,
}

impl Response {
    /// A response with its usual phrase and without any header.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            reason: Bytes::from_static(status.reason_phrase().as_bytes()),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The response to `request`: every Via, From, To, Call-ID and CSeq byte for byte, and in a 100 the
    /// Timestamp (RFC 3261 §8.2.6). The tag of To is the caller's to add.
    ///
    /// Of a field that stands more often than it may, the first is taken.
    #[must_use]
    pub fn to(request: &Request, status: Status) -> Self {
        let mut headers = Headers::with_capacity(12);
        for via in request.headers.get_all(&HeaderName::Via) {
            headers.push_received(HeaderName::Via, via.clone());
        }
        let copied = [
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
            HeaderName::Timestamp,
        ];
        for name in copied {
            if name == HeaderName::Timestamp && status != Status::TRYING {
                continue;
            }
            if let Some(value) = request.headers.get(&name) {
                headers.push_received(name, value.clone());
            }
        }
        Self {
            headers,
            ..Self::new(status)
        }
    }
}
