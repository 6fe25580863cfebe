//! Requests (RFC 3261 §7.1).

use bytes::Bytes;

use super::headers::Headers;
use super::method::Method;
use super::uri::Uri;

/// A request as it came or as it will leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Bytes,
}

impl Request {
    /// A request without any header.
    #[must_use]
    pub const fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }
}
