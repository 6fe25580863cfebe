//! Tests of whole messages; those of one noun stand at the foot of its file.

use bytes::Bytes;

use super::{Message, MessageError, Request, Response};

mod framing;
mod messages;
mod mutation;
mod oracle;
mod torture;

/// An INVITE as an honest peer sends it.
fn invite() -> Bytes {
    Bytes::from_static(
        b"INVITE sip:menu@127.0.0.1:5060;transport=udp SIP/2.0\r\n\
          Via: SIP/2.0/UDP 192.0.2.10:5080;rport;branch=z9hG4bKabc123\r\n\
          Max-Forwards: 70\r\n\
          From: \"Ann Test\" <sip:ann@192.0.2.10>;tag=from1\r\n\
          To: <sip:menu@127.0.0.1>\r\n\
          Call-ID: call-1@192.0.2.10\r\n\
          CSeq: 1 INVITE\r\n\
          Contact: <sip:ann@192.0.2.10:5080>\r\n\
          Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\n\
          Supported: timer, replaces\r\n\
          Session-Expires: 1800;refresher=uac\r\n\
          User-Agent: some phone\r\n\
          Content-Type: application/sdp\r\n\
          Content-Length: 10\r\n\
          \r\n\
          v=0\r\no=- 1",
    )
}

fn request(bytes: impl Into<Bytes>) -> Request {
    match Message::parse_datagram(bytes.into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}

fn response(bytes: impl Into<Bytes>) -> Response {
    match Message::parse_datagram(bytes.into()) {
        Ok(Message::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    }
}

fn refusal(bytes: impl Into<Bytes>) -> (Request, u16, &'static str) {
    match Message::parse_datagram(bytes.into()) {
        Err(MessageError::Refuse {
            request,
            status,
            why,
        }) => (*request, status.code(), why),
        other => panic!("not refused: {other:?}"),
    }
}
