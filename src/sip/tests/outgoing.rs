//! Calls of ours up to their answer: every way the figure of `dialog/dialing.rs` shows.

use std::time::Duration;

use super::kit::{ANSWER, Bench, branch, order, reply, tcp, udp};
use crate::sip::message::{HeaderName, Message, Method, Request, Status};
use crate::sip::{DialogId, Event};

const SECOND: Duration = Duration::from_secs(1);

fn header(request: &Request, name: &HeaderName) -> String {
    let value = request.headers.get(name).map_or(&[][..], |value| value);
    String::from_utf8_lossy(value).into_owned()
}

/// What was told of a call, in short.
pub(super) fn told(bench: &mut Bench) -> Vec<String> {
    let text = |sdp: &Option<bytes::Bytes>| if sdp.is_some() { " sdp" } else { "" };
    bench
        .events()
        .iter()
        .map(|event| match event {
            Event::Progress { status, sdp, .. } => format!("progress {status}{}", text(sdp)),
            Event::Accepted { sdp, .. } => format!("accepted{}", text(sdp)),
            Event::Rejected { response, .. } => format!("rejected {}", response.status),
            Event::Unanswered { why, .. } => format!("unanswered {why:?}"),
            Event::Ended { cause, .. } => format!("ended {cause:?}"),
            other => format!("{other:?}"),
        })
        .collect()
}

fn hang_up(bench: &mut Bench, dialog: DialogId) {
    bench.act(|endpoint, now| endpoint.bye(now, dialog, Some("Q.850;cause=16".into())));
}

/// After the last timer nothing is left of any call.
pub(super) fn assert_nothing_is_left(bench: &mut Bench) {
    bench.pass(70 * SECOND);
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    assert_eq!(bench.endpoint.stats().transactions, 0);
    assert_eq!(bench.endpoint.poll_timeout(), None);
    assert!(bench.events().is_empty());
}

#[test]
fn a_call_of_ours_rings_is_answered_acknowledged_and_hung_up_by_us() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 100, "x", ""));
    bench.hear(&branch(&invite, 180, "bob", ""));
    bench.hear(&branch(&invite, 183, "bob", ANSWER));
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    assert_eq!(
        told(&mut bench),
        ["progress 180", "progress 183 sdp", "accepted sdp"]
    );
    let ack = bench.request();
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(ack.uri.to_string(), "sip:bob@10.0.0.9:5070");
    assert_eq!(header(&ack, &HeaderName::CSeq), "1 ACK");
    assert!(header(&ack, &HeaderName::To).ends_with(";tag=bob"));
    hang_up(&mut bench, dialog);
    let bye = bench.request();
    assert_eq!(header(&bye, &HeaderName::CSeq), "2 BYE");
    assert_eq!(header(&bye, &HeaderName::Reason), "Q.850;cause=16");
    bench.hear(&reply(&bye, 200, "", ""));
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn the_invite_says_who_calls_whom_and_what_we_can() {
    let mut bench = Bench::new();
    let mut order = order(udp());
    order.headers = vec![(HeaderName::PAssertedIdentity, "<tel:+1555>".into())];
    let (_, invite) = bench.dial(order);
    let expected = [
        (HeaderName::MaxForwards, "70"),
        (HeaderName::To, "<sip:bob@10.0.0.9>"),
        (HeaderName::CSeq, "1 INVITE"),
        (HeaderName::Contact, "<sip:menu@10.0.0.1:5060>"),
        (HeaderName::Allow, crate::sip::ALLOW),
        (HeaderName::Supported, crate::sip::SUPPORTED),
        (HeaderName::UserAgent, "flowswitch"),
        (HeaderName::PAssertedIdentity, "<tel:+1555>"),
        (HeaderName::ContentType, "application/sdp"),
    ];
    for (name, value) in expected {
        assert_eq!(header(&invite, &name), value);
    }
    assert!(header(&invite, &HeaderName::From).starts_with("\"Menu\" <sip:menu@10.0.0.1>;tag="));
    assert!(header(&invite, &HeaderName::CallId).len() > 20);
    assert_eq!(invite.body, super::kit::OFFER.as_bytes());
}

#[test]
fn a_refused_call_is_told_with_its_response() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 180, "bob", ""));
    bench.hear(&branch(&invite, 486, "bob", ""));
    assert_eq!(told(&mut bench), ["progress 180", "rejected 486"]);
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_peer_that_says_nothing_is_given_up_after_our_patience() {
    let mut bench = Bench::new();
    bench.dial(order(udp()));
    bench.pass(4 * SECOND);
    assert!(bench.events().is_empty());
    bench.pass(SECOND);
    assert_eq!(told(&mut bench), ["unanswered TimedOut"]);
    bench.sent();
    bench.pass(SECOND * 30);
    assert!(bench.sent().is_empty(), "it is not asked any more");
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_peer_that_comes_to_life_after_our_patience_is_canceled_or_hung_up() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    bench.pass(6 * SECOND);
    bench.sent();
    bench.hear(&branch(&invite, 180, "bob", ""));
    assert_eq!(bench.words(), ["CANCEL"]);
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    assert_eq!(bench.words(), ["ACK", "BYE"]);
    assert_eq!(told(&mut bench), ["unanswered TimedOut"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn without_patience_timer_b_ends_the_call() {
    let mut bench = Bench::new();
    let mut order = order(udp());
    order.patience = Duration::from_secs(600);
    bench.dial(order);
    bench.pass(32 * SECOND);
    assert_eq!(told(&mut bench), ["unanswered TimedOut"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_way_that_fails_is_told_at_once() {
    for hop in [udp(), tcp()] {
        let mut bench = Bench::with(super::kit::config(), hop);
        bench.dial(order(hop));
        bench.act(|endpoint, now| endpoint.handle_transport_error(now, hop));
        assert_eq!(told(&mut bench), ["unanswered TransportFailed"]);
        assert_nothing_is_left(&mut bench);
    }
}

#[test]
fn hanging_up_a_ringing_call_cancels_it() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 180, "bob", ""));
    hang_up(&mut bench, dialog);
    let cancel = bench.request();
    assert_eq!(cancel.method, Method::Cancel);
    assert_eq!(cancel.uri, invite.uri);
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        assert_eq!(header(&cancel, &name), header(&invite, &name));
    }
    assert_eq!(header(&cancel, &HeaderName::CSeq), "1 CANCEL");
    assert_eq!(header(&cancel, &HeaderName::Reason), "Q.850;cause=16");
    bench.hear(&reply(&cancel, 200, "", ""));
    bench.hear(&branch(&invite, 487, "bob", ""));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(told(&mut bench), ["progress 180", "rejected 487"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_cancel_waits_for_the_first_word_of_the_peer() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    hang_up(&mut bench, dialog);
    hang_up(&mut bench, dialog);
    assert!(bench.sent().is_empty());
    bench.hear(&branch(&invite, 100, "x", ""));
    bench.hear(&branch(&invite, 180, "bob", ""));
    assert_eq!(bench.words(), ["CANCEL"]);
    bench.hear(&branch(&invite, 487, "bob", ""));
    assert_eq!(told(&mut bench), ["rejected 487"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn an_unwanted_call_that_stays_silent_or_is_refused_ends() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.dial(order(udp()));
    hang_up(&mut bench, dialog);
    bench.pass(6 * SECOND);
    assert_eq!(told(&mut bench), ["unanswered TimedOut"]);
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    hang_up(&mut bench, dialog);
    bench.hear(&branch(&invite, 486, "bob", ""));
    assert_eq!(told(&mut bench), ["rejected 486"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up_without_a_word() {
    for heard in [180, 0] {
        let mut bench = Bench::new();
        let (dialog, invite) = bench.dial(order(udp()));
        if heard > 0 {
            bench.hear(&branch(&invite, heard, "bob", ""));
        }
        bench.events();
        hang_up(&mut bench, dialog);
        bench.sent();
        bench.hear(&branch(&invite, 200, "bob", ANSWER));
        let sent = bench.sent();
        let [(_, _, Message::Request(ack)), (_, _, Message::Request(bye))] = sent.as_slice() else {
            panic!("{sent:?}");
        };
        assert_eq!((&ack.method, &bye.method), (&Method::Ack, &Method::Bye));
        assert_eq!(header(bye, &HeaderName::Reason), "Q.850;cause=16");
        assert_eq!(bench.endpoint.stats().dialogs, 1);
        bench.hear(&reply(bye, 200, "", ""));
        assert_eq!(bench.endpoint.stats().dialogs, 0);
        bench.hear(&branch(&invite, 200, "bob", ANSWER));
        assert_eq!(bench.words(), ["ACK"], "and again when it comes again");
        assert!(bench.events().is_empty());
        assert_nothing_is_left(&mut bench);
    }
}

#[test]
fn a_canceled_call_without_a_final_response_is_given_up_after_64_t1() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 180, "bob", ""));
    bench.pass(10 * SECOND);
    hang_up(&mut bench, dialog);
    bench.pass(31 * SECOND);
    assert_eq!(told(&mut bench), ["progress 180"]);
    bench.pass(SECOND);
    assert_eq!(told(&mut bench), ["unanswered TimedOut"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_provisional_that_comes_again_is_told_once() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    for _ in 0..3 {
        bench.hear(&branch(&invite, 183, "bob", ANSWER));
    }
    bench.hear(&branch(&invite, 180, "bob", ""));
    bench.hear(&branch(&invite, 200, "bob", ""));
    assert_eq!(
        told(&mut bench),
        ["progress 183 sdp", "progress 180", "accepted sdp"],
        "an answer that came before counts"
    );
}

#[test]
fn an_answer_without_any_description_is_told_as_it_is() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 200, "bob", ""));
    assert_eq!(told(&mut bench), ["accepted"]);
}

#[test]
fn a_redirection_is_for_the_owner_to_judge() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 302, "bob", ""));
    match bench.events().as_slice() {
        [Event::Rejected { response, .. }] => {
            assert_eq!(response.status, Status::MOVED_TEMPORARILY);
            assert!(response.headers.has(&HeaderName::Contact));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_of_ours_are_limited_as_the_others_are() {
    let mut config = super::kit::config();
    config.limits.dialogs = 1;
    let mut bench = Bench::with(config, udp());
    bench.dial(order(udp()));
    assert_eq!(bench.endpoint.invite(bench.now, order(udp())), None);
    assert_eq!(bench.endpoint.stats().overloaded, 1);
}

#[test]
fn a_reinvite_that_outlives_its_call_is_forgotten_also_when_it_rings_later() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    bench.act(|endpoint, now| endpoint.offer(now, dialog, ANSWER.into()));
    let reinvite = bench.request();
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    bench.hear(&reply(&bye, 200, "", ""));
    bench.pass(SECOND);
    bench.hear(&reply(&reinvite, 180, "", ""));
    assert_nothing_is_left(&mut bench);
}
