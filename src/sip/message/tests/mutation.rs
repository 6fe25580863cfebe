//! Messages with random damage: nothing panics, and what is read and written again stays what it is.

use bytes::Bytes;

use super::invite;
use crate::ids::Rng;
use crate::sip::message::{HeaderName, Message, MessageError, StreamFramer, digest};

/// Pieces that mean something to a reader, to be put where they do not belong.
const PIECES: [&[u8]; 32] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b"\"",
    b"\\",
    b"<",
    b">",
    b",",
    b";",
    b":",
    b"@",
    b"=",
    b"%",
    b"%0",
    b"%00",
    b"[",
    b"]",
    b"[::1]",
    b"?",
    b"&",
    b"/",
    b"*",
    b"sip:",
    b"tel:+1",
    b"SIP/2.0",
    b"\xff",
    b"\xc3\xa9",
    b"99999999999999999999",
    b"Content-Length: 5\r\n",
];

fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=rng.below(2) {
        let len = u32::try_from(bytes.len()).unwrap();
        let at = rng.below(len + 1) as usize;
        let end = (at + rng.below(12) as usize).min(bytes.len());
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 if at < end => bytes[at] = rng.next_u32().to_le_bytes()[0],
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.below(len + 1) as usize;
                bytes.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[rng.below(32) as usize];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// Asks for everything that can be asked.
fn look_at(message: &Message) {
    let headers = match message {
        Message::Request(request) => {
            assert!(!request.uri.to_string().contains([' ', '\r', '\n', '<']));
            assert!(request.uri.is_equivalent(&request.uri));
            &request.headers
        }
        Message::Response(response) => &response.headers,
    };
    for via in headers.vias().unwrap() {
        let _ = (via.branch(), via.rport(), via.received(), via.to_string());
    }
    let _ = (
        headers.from().unwrap().to_string(),
        headers.to().unwrap().to_string(),
    );
    let _ = (
        headers.call_id().unwrap(),
        headers.cseq().unwrap().to_string(),
    );
    let _ = (
        headers.contacts(),
        headers.routes(),
        headers.record_routes(),
        headers.paths(),
    );
    let _ = (
        headers.max_forwards(),
        headers.expires(),
        headers.content_type(),
    );
    let _ = (
        headers.session_expires(),
        headers.min_se(),
        headers.rseq(),
        headers.rack(),
    );
    let _ = headers.tokens(&HeaderName::Supported);
    let _ = headers.authorization(&HeaderName::Authorization);
}

fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = vec![invite().to_vec()];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/torture");
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        if bytes.len() < 4000 {
            corpus.push(bytes);
        }
    }
    corpus.sort();
    corpus
}

#[test]
fn forty_thousand_damaged_messages_are_read_without_panic_and_written_to_a_fixpoint() {
    let seed = 4475;
    println!("seed {seed}");
    let mut rng = Rng::from_number(seed);
    let corpus = corpus();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..40_000 {
        let mut bytes = corpus[rng.below(u32::try_from(corpus.len()).unwrap()) as usize].clone();
        damage(&mut rng, &mut bytes);
        let mut framer = StreamFramer::with_max_message(8192);
        framer.push(&bytes);
        while framer.poll_frame().is_some() {}
        match Message::parse_datagram(Bytes::from(bytes)) {
            Ok(message) => {
                read += 1;
                look_at(&message);
                let written = message.to_bytes();
                let again =
                    Message::parse_datagram(written.clone()).expect("what we write, we read");
                assert_eq!(again.to_bytes(), written);
            }
            Err(MessageError::Refuse {
                request, status, ..
            }) => {
                refused += 1;
                let written = crate::sip::message::Response::to(&request, status).to_bytes();
                assert!(written.ends_with(b"\r\n\r\n"));
            }
            Err(MessageError::Drop { .. }) => {}
        }
    }
    assert!(
        read > 2_000 && refused > 2_000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn damaged_credentials_are_read_without_panic() {
    let seed = 7616;
    println!("seed {seed}");
    let mut rng = Rng::from_number(seed);
    let good = br#"Digest username="a\"b", realm=r, nonce="n", uri="sip:a", response="00ff", qop=auth, nc=00000001, cnonce="c""#;
    for _ in 0..20_000 {
        let mut bytes = good.to_vec();
        damage(&mut rng, &mut bytes);
        if let Ok(credentials) = digest::Credentials::parse(&bytes) {
            let written = credentials.to_string();
            let again =
                digest::Credentials::parse(written.as_bytes()).expect("what we write, we read");
            assert_eq!(again.to_string(), written);
        }
    }
}
