//! What a telephone writes: requests and responses, by hand.

use std::fmt::Write as _;

use bytes::Bytes;

use super::Phone;
use super::line::{Draft, Line};
use crate::sip::message::{HeaderName, Method, Request};

impl Phone {
    pub(super) const fn is_stream(&self) -> bool {
        self.is_streaming || self.stream.is_some()
    }

    pub(super) fn own_address(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.sip.ip())
    }

    pub(super) fn contact(&self) -> String {
        let transport = match self.is_stream() {
            true => ";transport=tcp",
            false => "",
        };
        format!("<sip:{}@{}{transport}>", self.user, self.sip)
    }

    pub(super) fn new_branch(&mut self) -> String {
        format!("z9hG4bK{}", self.rng.token(12))
    }

    /// A request.
    pub(super) fn write(&self, line: &Line, draft: &Draft) -> String {
        let Draft {
            method,
            uri,
            to,
            cseq,
            branch,
            headers,
            body,
        } = draft;
        let transport = if self.is_stream() { "TCP" } else { "UDP" };
        let mut text = format!("{method} {uri} SIP/2.0\r\n");
        let _ = write!(
            text,
            "Via: SIP/2.0/{transport} {};rport;branch={branch}\r\n\
             From: {};tag={}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Max-Forwards: 70\r\n{headers}",
            self.sip, line.local, line.local_tag, line.call_id
        );
        let has_contact = !matches!(method, Method::Ack | Method::Cancel | Method::Bye);
        if has_contact && !headers.contains("Contact:") && *method != Method::Message {
            let _ = write!(text, "Contact: {}\r\n", self.contact());
        }
        if !body.is_empty() && !headers.contains("Content-Type:") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }

    /// A response; `tag` is put to a To that has none.
    pub(super) fn reply(
        &self,
        request: &Request,
        status: u16,
        tag: &str,
        headers: &str,
        body: &str,
    ) -> Bytes {
        let mut text = format!("SIP/2.0 {status} {}\r\n", phrase(status));
        let copied = [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ];
        for name in &copied {
            for value in request.headers.get_all(name) {
                let value = String::from_utf8_lossy(value);
                let _ = write!(text, "{}: {value}", name.as_str());
                let has_tag = request.headers.to().is_ok_and(|to| to.tag().is_some());
                if *name == HeaderName::To && !has_tag && !tag.is_empty() {
                    let _ = write!(text, ";tag={tag}");
                }
                text.push_str("\r\n");
            }
        }
        text.push_str(headers);
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text.into()
    }
}

const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        401 => "Unauthorized",
        486 => "Busy Here",
        _ => "As Told",
    }
}
