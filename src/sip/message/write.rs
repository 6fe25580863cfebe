//! Messages to bytes: full header names, CRLF, and always a Content-Length of our own count.

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::header_name::HeaderName;
use super::headers::Headers;
use super::parse::Message;
use super::request::Request;
use super::response::Response;
use super::token;

impl Message {
    /// The bytes that go on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

impl Request {
    /// The bytes that go on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(room(&self.headers, &self.body));
        put_display(
            &mut out,
            format_args!("{} {} SIP/2.0\r\n", self.method, self.uri),
        );
        finish(out, &self.headers, &self.body)
    }
}

impl Response {
    /// The bytes that go on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(room(&self.headers, &self.body));
        put_display(&mut out, format_args!("SIP/2.0 {} ", self.status));
        out.put(token::clean(self.reason.clone()));
        out.put_slice(b"\r\n");
        finish(out, &self.headers, &self.body)
    }
}

fn finish(mut out: BytesMut, headers: &Headers, body: &Bytes) -> Bytes {
    for (name, value) in headers.iter() {
        if *name != HeaderName::ContentLength {
            out.put_slice(name.as_str().as_bytes());
            out.put_slice(b": ");
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
    }
    put_display(
        &mut out,
        format_args!("Content-Length: {}\r\n\r\n", body.len()),
    );
    out.put_slice(body);
    out.freeze()
}

fn put_display(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("BytesMut grows, and no Display of this room fails");
}

/// An estimate that saves growing: the start line and Content-Length take the constant.
fn room(headers: &Headers, body: &Bytes) -> usize {
    let fields: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    fields + body.len() + 160
}
