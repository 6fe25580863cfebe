//! Streams cut at every place.

use super::invite;
use crate::sip::message::{Frame, FramingError, Message, MessageError, StreamFramer};

fn drain(framer: &mut StreamFramer) -> Vec<Result<Frame, FramingError>> {
    std::iter::from_fn(|| framer.poll_frame()).collect()
}

fn frames(pieces: &[&[u8]]) -> Vec<Result<Frame, FramingError>> {
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        frames.extend(drain(&mut framer));
    }
    frames
}

fn message() -> Result<Frame, FramingError> {
    Ok(Frame::Message(Message::parse_datagram(invite())))
}

#[test]
fn two_messages_and_pings_are_found_however_the_stream_is_cut() {
    let stream = [
        b"\r\n\r\n",
        &invite()[..],
        b"\r\n",
        &invite()[..],
        b"\r\n\r\n",
    ]
    .concat();
    let wanted = [
        Ok(Frame::Ping),
        message(),
        Ok(Frame::Pong),
        message(),
        Ok(Frame::Ping),
    ];
    assert_eq!(frames(&[&stream]), wanted);
    for cut in 0..stream.len() {
        let (one, other) = stream.split_at(cut);
        assert_eq!(frames(&[one, other]), wanted, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames(&bytes), wanted);
}

#[test]
fn a_length_with_space_before_its_colon_or_on_a_second_line_is_seen() {
    for length in ["Content-Length : 10", "l\t:\r\n 10", "CONTENT-LENGTH:\t10"] {
        let text = str::from_utf8(&invite())
            .unwrap()
            .replace("Content-Length: 10", length);
        let stream = [text.as_bytes(), text.as_bytes()].concat();
        assert_eq!(frames(&[&stream]).len(), 2, "{length:?}");
        assert!(
            frames(&[&stream])
                .iter()
                .all(|frame| matches!(frame, Ok(Frame::Message(Ok(_)))))
        );
    }
}

#[test]
fn a_request_of_unknown_length_is_refused_and_then_the_stream_is_over() {
    for length in [
        "Content-Length: -1",
        "Content-Length: 5, 5",
        "X-Length: 10",
        "l: 1\r\nl: 2",
        "l\x01: 10",
    ] {
        let text = str::from_utf8(&invite())
            .unwrap()
            .replace("Content-Length: 10", length);
        let found = frames(&[text.as_bytes(), b"BYE sip:a SIP/2.0\r\n\r\n"]);
        assert!(
            matches!(&found[0], Ok(Frame::Message(Err(MessageError::Refuse { status, .. }))) if status.code() == 400),
            "{length:?}: {found:?}"
        );
        assert_eq!(found[1..], [Err(FramingError::NoLength)], "{length:?}");
    }
}

#[test]
fn a_message_over_the_limit_is_refused_before_its_body_is_taken_in() {
    let text = str::from_utf8(&invite())
        .unwrap()
        .replace("Length: 10", "Length: 18446744073709551615");
    let found = frames(&[text.as_bytes()]);
    assert!(
        matches!(&found[0], Ok(Frame::Message(Err(MessageError::Refuse { status, .. }))) if status.code() == 513)
    );
    assert_eq!(found[1..], [Err(FramingError::MessageTooLong)]);
}

#[test]
fn a_header_block_without_end_closes_the_stream_at_the_limit() {
    let mut framer = StreamFramer::with_max_message(4096);
    framer.push(b"OPTIONS sip:a SIP/2.0\r\n");
    for _ in 0..40 {
        assert_eq!(framer.poll_frame(), None);
        framer.push(&[b'x'; 100]);
    }
    framer.push(&[b'x'; 100]);
    assert_eq!(drain(&mut framer), [Err(FramingError::HeadTooLong)]);
    framer.push(&invite());
    assert_eq!(drain(&mut framer), []);
}

#[test]
fn what_is_no_sip_closes_the_stream() {
    let found = frames(&[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert_eq!(found, [Err(FramingError::NotSip)]);
}
