//! Session timers of a call of ours (RFC 4028): who refreshes it, how often, and what becomes of it else.

use std::time::Duration;

use super::kit::{ANSWER, Bench, OFFER, branch, config, order, reply, udp};
use super::outgoing::{assert_nothing_is_left, told};
use super::within::{hold, next_request};
use crate::sip::message::{HeaderName, Message, Method};
use crate::sip::{DialogId, EndpointConfig};

const SECOND: Duration = Duration::from_secs(1);

/// Whose calls of ours have a session timer of half an hour.
pub(super) fn with_timer() -> Bench {
    let config = EndpointConfig {
        session_expires: Duration::from_secs(1800),
        ..config()
    };
    Bench::with(config, udp())
}

/// A call of ours whose 200 has these headers.
pub(super) fn timed_call(bench: &mut Bench, headers: &str) -> DialogId {
    let (dialog, invite) = bench.dial(order(udp()));
    assert_eq!(
        invite.headers.get(&HeaderName::SessionExpires),
        Some(&"1800".into()),
        "who refreshes is left to the peer"
    );
    let ok = branch(&invite, 200, "bob", ANSWER);
    bench.hear(&ok.replacen("\r\n", &format!("\r\n{headers}"), 1));
    assert_eq!(bench.words(), ["ACK"]);
    bench.events();
    dialog
}

#[test]
fn we_refresh_a_call_of_ours_when_the_peer_leaves_it_to_us_or_knows_no_timer() {
    for (headers, at, method) in [
        (
            "Allow: UPDATE\r\nRequire: timer\r\nSession-Expires: 600;refresher=uac\r\n",
            300_000,
            Method::Update,
        ),
        ("Session-Expires: 400\r\n", 200_000, Method::Invite),
        ("", 900_000, Method::Invite),
    ] {
        let mut bench = with_timer();
        timed_call(&mut bench, headers);
        let (sent_at, refresh) = next_request(&mut bench);
        assert_eq!((sent_at, &refresh.method), (at, &method));
        let expires = refresh.headers.session_expires().expect("readable");
        assert!(expires.is_some_and(|it| it.refresher.is_some()));
        if method == Method::Invite {
            assert_eq!(refresh.body, OFFER.as_bytes(), "what was offered before");
        }
    }
}

#[test]
fn a_peer_that_is_to_refresh_a_call_of_ours_and_does_not_loses_it() {
    let mut bench = with_timer();
    timed_call(&mut bench, "Session-Expires: 600;refresher=uas\r\n");
    let (at, bye) = next_request(&mut bench);
    assert_eq!((at, bye.method), ((600 - 32) * 1000, Method::Bye));
    assert_eq!(told(&mut bench), ["ended SessionExpired"]);
}

#[test]
fn an_offer_keeps_the_refresher_and_begins_the_interval_anew() {
    let mut bench = with_timer();
    let dialog = timed_call(&mut bench, "Session-Expires: 600;refresher=uas\r\n");
    bench.pass(300 * SECOND);
    let ours = hold(&mut bench, dialog);
    let value = ours.headers.get(&HeaderName::SessionExpires);
    assert_eq!(value, Some(&"600;refresher=uas".into()));
    bench.hear(&reply(
        &ours,
        200,
        "Session-Expires: 600;refresher=uas",
        ANSWER,
    ));
    let (at, _) = next_request(&mut bench);
    assert_eq!(at, (300 + 600 - 32) * 1000);
}

#[test]
fn an_interval_that_is_too_short_is_raised_once() {
    let mut bench = with_timer();
    let (_, first) = bench.dial(order(udp()));
    bench.hear(&branch(&first, 422, "bob", "").replacen("\r\n", "\r\nMin-SE: 3600\r\n", 1));
    let sent = bench.sent();
    let [
        (_, _, Message::Request(ack)),
        (_, _, Message::Request(second)),
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(ack.method, Method::Ack);
    let value = |name| second.headers.get(&name).map(|value| value.to_vec());
    assert_eq!(value(HeaderName::SessionExpires), Some(b"3600".to_vec()));
    assert_eq!(value(HeaderName::MinSe), Some(b"3600".to_vec()));
    assert_eq!(value(HeaderName::CSeq), Some(b"2 INVITE".to_vec()));
    let is_same = |name| first.headers.get(&name) == second.headers.get(&name);
    assert!(is_same(HeaderName::CallId) && is_same(HeaderName::From));
    assert!(!is_same(HeaderName::Via));
    bench.hear(&branch(second, 422, "bob", "").replacen("\r\n", "\r\nMin-SE: 7200\r\n", 1));
    assert_eq!(told(&mut bench), ["rejected 422"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn no_interval_of_ours_asks_for_none() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.outgoing(order(udp()));
    assert!(!invite.headers.has(&HeaderName::SessionExpires));
    let ours = hold(&mut bench, dialog);
    assert!(!ours.headers.has(&HeaderName::SessionExpires));
    bench.hear(&reply(&ours, 200, "", ANSWER));
    bench.sent();
    bench.pass(Duration::from_secs(100_000));
    assert!(bench.sent().is_empty());
}
