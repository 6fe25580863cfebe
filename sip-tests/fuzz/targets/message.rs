//! Any bytes as a datagram: read, looked at from all sides, written, and read again as the same.
#![no_main]

use bytes::Bytes;
use flowswitch::sip::message::{HeaderName, Headers, Message, MessageError, Response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Message::parse_datagram(Bytes::copy_from_slice(bytes)) {
        Ok(message) => {
            match &message {
                Message::Request(request) => look_at(&request.headers),
                Message::Response(response) => look_at(&response.headers),
            }
            let written = message.to_bytes();
            let again = Message::parse_datagram(written.clone()).expect("what we write, we read");
            assert_eq!(again.to_bytes(), written);
        }
        Err(MessageError::Refuse {
            request, status, ..
        }) => {
            look_at(&request.headers);
            let answer = Response::to(&request, status).to_bytes();
            let lines = answer.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(
                answer.windows(2).filter(|pair| pair == b"\r\n").count(),
                lines
            );
        }
        Err(_) => {}
    }
});

fn look_at(headers: &Headers) {
    for via in headers.vias().into_iter().flatten() {
        assert!(!via.to_string().contains(['\r', '\n', '\0']));
        let _ = (via.rport(), via.received());
    }
    for address in [headers.from(), headers.to()].into_iter().flatten() {
        assert!(!address.to_string().contains(['\r', '\n', '\0']));
        assert!(address.uri.is_equivalent(&address.uri));
    }
    let _ = (headers.cseq(), headers.contacts(), headers.routes());
    let _ = (headers.session_expires(), headers.min_se(), headers.rack());
    let _ = (headers.content_type(), headers.tokens(&HeaderName::Require));
    for credentials in headers.authorization(&HeaderName::Authorization) {
        let _ = credentials.map(|credentials| credentials.to_string());
    }
}
