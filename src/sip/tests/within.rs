//! A call of ours after its answer, and what its peer asks before: the same call as one of the peer's.

use std::time::Duration;

use super::kit::{ANSWER, Bench, OFFER, branch, config, order, reply, tcp, udp};
use super::outgoing::{assert_nothing_is_left, told};
use super::timers::{timed_call, with_timer};
use crate::sip::message::{HeaderName, Message, Method, Request, Status};
use crate::sip::{ConnectionId, DialogId, EndCause, Event, Hop};

const SECOND: Duration = Duration::from_secs(1);
const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns=-\r\na=sendonly\r\n";

/// The peer of a call of ours, who writes requests within it.
pub(super) struct Callee {
    invite: Request,
    pub(super) tag: &'static str,
    cseq: u32,
}

impl Callee {
    pub(super) fn of(invite: &Request) -> Self {
        Self {
            invite: invite.clone(),
            tag: "bob",
            cseq: 100,
        }
    }

    pub(super) fn next(&mut self, method: &str, headers: &str, body: &str) -> String {
        self.cseq += 1;
        let value = |name| {
            let value = self.invite.headers.get(&name).map_or(&[][..], |v| v);
            String::from_utf8_lossy(value).into_owned()
        };
        let kind = if body.is_empty() || headers.contains("Content-Type") {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} sip:menu@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;rport;branch=z9hG4bK-{0}-{1}\r\n\
             Max-Forwards: 70\r\nCall-ID: {2}\r\nFrom: {3};tag={0}\r\nTo: {4}\r\nCSeq: {1} {method}\r\n\
             Contact: <sip:{0}@10.0.0.9:5070>\r\n{headers}{kind}Content-Length: {5}\r\n\r\n{body}",
            self.tag,
            self.cseq,
            value(HeaderName::CallId),
            value(HeaderName::To),
            value(HeaderName::From),
            body.len(),
        )
    }
}

pub(super) fn hold(bench: &mut Bench, dialog: DialogId) -> Request {
    bench.act(|endpoint, now| endpoint.offer(now, dialog, HOLD.into()));
    let invite = bench.request();
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(invite.body, HOLD.as_bytes());
    invite
}

/// Lets time pass until a request other than ACK leaves; with its milliseconds.
pub(super) fn next_request(bench: &mut Bench) -> (u64, Request) {
    for _ in 0..2_000_000 {
        bench.pass(Duration::from_millis(10));
        for (at, _, message) in bench.sent() {
            if let Message::Request(request) = message
                && request.method != Method::Ack
            {
                return (at, request);
            }
        }
    }
    panic!("we never sent a request");
}

#[test]
fn the_peer_hangs_up() {
    let mut bench = Bench::new();
    let (_, invite) = bench.outgoing(order(udp()));
    bench.hear(&Callee::of(&invite).next("BYE", "Reason: Q.850;cause=16\r\n", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    let cause = EndCause::Bye {
        reason: Some("Q.850;cause=16".into()),
    };
    assert_eq!(told(&mut bench), [format!("ended {cause:?}")]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_reinvite_and_an_info_of_the_peer_are_served_as_in_any_call() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.outgoing(order(udp()));
    let mut bob = Callee::of(&invite);
    bench.hear(&bob.next("INVITE", "", HOLD));
    assert!(matches!(bench.events().as_slice(), [Event::Offered { .. }]));
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    let ok = bench.response();
    assert_eq!(ok.status, Status::OK);
    assert!(ok.headers.has(&HeaderName::Contact));
    bob.cseq -= 1;
    bench.hear(&bob.next("ACK", "", "").replace("bob-", "bob-ack-"));
    assert!(matches!(bench.events().as_slice(), [Event::Acked { .. }]));
    let info = "Content-Type: application/dtmf\r\n";
    bench.hear(&bob.next("INFO", info, "5"));
    assert_eq!(bench.words(), ["200 INFO"]);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Digit { digit: '5', .. }]
    ));
}

#[test]
fn a_branch_may_ask_before_its_answer_and_each_counts_by_itself() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    let mut bob = Callee::of(&invite);
    let mut ann = Callee {
        tag: "ann",
        cseq: 5,
        ..Callee::of(&invite)
    };
    bench.hear(&bob.next("UPDATE", "", ""));
    assert_eq!(bench.words(), ["481 UPDATE"], "nobody of that tag yet");
    bench.hear(&branch(&invite, 183, "bob", ANSWER));
    bench.hear(&branch(&invite, 180, "ann", ""));
    bench.events();
    bench.hear(&bob.next("UPDATE", "", ""));
    bench.hear(&ann.next("UPDATE", "", ""));
    bench.hear(&bob.next("UPDATE", "", HOLD));
    bench.hear(&ann.next("INVITE", "", HOLD));
    bench.hear(&bob.next("INFO", "Content-Type: application/dtmf\r\n", "7"));
    bench.hear(&ann.next("OPTIONS", "", ""));
    ann.cseq = 1;
    bench.hear(&ann.next("INFO", "", ""));
    assert_eq!(
        bench.words(),
        [
            "200 UPDATE",
            "200 UPDATE",
            "491 UPDATE",
            "491 INVITE",
            "200 INFO",
            "200 OPTIONS",
            "500 INFO"
        ]
    );
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Digit { digit: '7', .. }]
    ));
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    bench.sent();
    bench.hear(&ann.next("INFO", "", ""));
    bob.cseq = 101;
    bench.hear(&bob.next("INFO", "", ""));
    assert_eq!(
        bench.words(),
        ["481 INFO", "500 INFO"],
        "the branch keeps its count as the call"
    );
}

#[test]
fn a_bye_that_overtakes_the_answer_ends_the_call_when_that_comes() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 180, "bob", ""));
    bench.hear(&Callee::of(&invite).next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    assert_eq!(bench.words(), ["ACK"]);
    let cause = EndCause::Bye { reason: None };
    assert_eq!(
        told(&mut bench),
        [
            "progress 180".to_owned(),
            "accepted sdp".into(),
            format!("ended {cause:?}")
        ]
    );
    assert_nothing_is_left(&mut bench);
}

#[test]
fn an_offer_of_ours_is_a_reinvite_and_its_answer_is_acknowledged_and_told() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    let invite = hold(&mut bench, dialog);
    assert_eq!(invite.uri.to_string(), "sip:bob@10.0.0.9:5070");
    assert!(invite.headers.has(&HeaderName::Contact));
    bench.hear(&reply(&invite, 100, "", ""));
    let ok = reply(&invite, 200, "Contact: <sip:bob@10.0.0.9:6000>", ANSWER);
    bench.hear(&ok);
    bench.hear(&ok);
    assert_eq!(bench.words(), ["ACK", "ACK"]);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Answered { sdp, .. }] if sdp == ANSWER.as_bytes()
    ));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.request().uri.to_string(), "sip:bob@10.0.0.9:6000");
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_refused_offer_and_an_answer_without_description_leave_the_call_as_it_was() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    for status in [488, 200] {
        let invite = hold(&mut bench, dialog);
        bench.hear(&reply(&invite, status, "", ""));
        assert_eq!(bench.words(), ["ACK"]);
        match bench.events().as_slice() {
            [Event::OfferRefused { status: said, .. }] => assert_eq!(said.code(), status),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.endpoint.stats().dialogs, 1);
}

#[test]
fn an_offer_waits_while_another_exchange_is_open_and_a_newer_one_takes_its_place() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.act(|endpoint, now| endpoint.offer(now, dialog, OFFER.into()));
    assert!(bench.sent().is_empty(), "not before the answer");
    bench.act(|endpoint, now| endpoint.offer(now, dialog, HOLD.into()));
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    let sent = bench.sent();
    let [_, (_, _, Message::Request(first))] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(first.body, HOLD.as_bytes());
    bench.act(|endpoint, now| endpoint.offer(now, dialog, OFFER.into()));
    assert!(bench.sent().is_empty(), "one at a time");
    bench.hear(&reply(first, 200, "", ANSWER));
    assert_eq!(bench.words(), ["ACK", "INVITE"]);
    let mut bob = Callee::of(&invite);
    let mut bench = Bench::new();
    let (dialog, invite) = bench.outgoing(order(udp()));
    bob.invite = invite;
    bench.hear(&bob.next("INVITE", "", HOLD));
    bench.act(|endpoint, now| endpoint.offer(now, dialog, OFFER.into()));
    assert!(bench.sent().is_empty(), "the peer's comes first");
    bench.act(|endpoint, now| endpoint.refuse_offer(now, dialog, Status::NOT_ACCEPTABLE_HERE));
    assert_eq!(bench.words(), ["488 INVITE", "INVITE"]);
}

#[test]
fn an_offer_to_a_caller_waits_for_its_ack() {
    let mut bench = Bench::new();
    let mut caller = super::kit::Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    caller.learn(&bench.response());
    bench.act(|endpoint, now| endpoint.offer(now, dialog, HOLD.into()));
    assert!(bench.sent().is_empty());
    bench.hear(&caller.ack(""));
    let invite = bench.request();
    assert_eq!(invite.body, HOLD.as_bytes());
}

#[test]
fn glare_is_tried_again_after_the_pause_of_whose_call_it_is() {
    for seed in 0..20 {
        let mut bench = Bench::new();
        bench.endpoint = crate::sip::Endpoint::new(config(), crate::ids::Rng::from_number(seed));
        let (dialog, invite) = bench.outgoing(order(udp()));
        let ours = hold(&mut bench, dialog);
        bench.hear(&Callee::of(&invite).next("INVITE", "", HOLD));
        assert_eq!(bench.words(), ["491 INVITE"]);
        bench.hear(&reply(&ours, 491, "", ""));
        assert_eq!(bench.words(), ["ACK"]);
        let (at, again) = next_request(&mut bench);
        assert_eq!(again.body, HOLD.as_bytes());
        assert!((2100..=4000).contains(&at), "seed {seed}: {at}");

        let mut bench = Bench::new();
        let dialog = bench.call(&mut super::kit::Caller::new("a"));
        let ours = hold(&mut bench, dialog);
        bench.hear(&reply(&ours, 491, "", ""));
        let (at, _) = next_request(&mut bench);
        assert!(at <= 2000, "seed {seed}: {at}");
    }
}

#[test]
fn a_peer_that_never_lets_us_offer_is_asked_eight_times() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    let mut ours = hold(&mut bench, dialog);
    for _ in 0..7 {
        bench.hear(&reply(&ours, 491, "", ""));
        assert!(bench.events().is_empty());
        ours = next_request(&mut bench).1;
    }
    bench.hear(&reply(&ours, 491, "", ""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::OfferRefused {
            status: Status::REQUEST_PENDING,
            ..
        }]
    ));
}

#[test]
fn an_offer_that_finds_no_call_ends_it() {
    for status in [481, 408] {
        let mut bench = Bench::new();
        let (dialog, _) = bench.outgoing(order(udp()));
        let ours = hold(&mut bench, dialog);
        bench.hear(&reply(&ours, status, "", ""));
        assert_eq!(bench.words(), ["ACK", "BYE"]);
        assert!(matches!(
            bench.events().as_slice(),
            [Event::Ended { cause: EndCause::RefreshFailed { status: Some(said) }, .. }]
                if said.code() == status
        ));
        assert_nothing_is_left(&mut bench);
    }
}

#[test]
fn a_reinvite_that_is_pondered_over_for_ever_is_canceled() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    let ours = hold(&mut bench, dialog);
    bench.hear(&reply(&ours, 100, "", ""));
    let (at, cancel) = next_request(&mut bench);
    assert_eq!((at, &cancel.method), (120_000, &Method::Cancel));
    bench.hear(&reply(&ours, 487, "", ""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::OfferRefused { .. }]
    ));
    assert_eq!(bench.words(), ["ACK"]);
    let ours = hold(&mut bench, dialog);
    bench.hear(&reply(&ours, 100, "", ""));
    bench.pass(152 * SECOND);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Ended {
            cause: EndCause::RefreshFailed { status: None },
            ..
        }]
    ));
    assert_nothing_is_left(&mut bench);
}

#[test]
fn an_open_offer_of_the_peer_ends_with_a_call_whose_way_is_gone() {
    let mut bench = with_timer();
    timed_call(
        &mut bench,
        "Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n",
    );
    let (_, update) = next_request(&mut bench);
    let mut caller = super::kit::Caller::new("a");
    let value = |name| {
        let value = update.headers.get(&name).map_or(&[][..], |value| value);
        String::from_utf8_lossy(value).into_owned()
    };
    caller.call_id = value(HeaderName::CallId);
    caller.from_tag = "bob".into();
    let ours = value(HeaderName::From);
    caller.to_tag = ours.split(";tag=").last().expect("a tag").to_owned();
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.events();
    bench.act(|endpoint, now| endpoint.handle_transport_error(now, udp()));
    assert_eq!(bench.words(), ["487 INVITE"]);
    assert_eq!(told(&mut bench), ["ended TransportFailed"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_reinvite_that_is_open_when_the_call_ends_does_not_live_for_ever() {
    for by_peer in [true, false] {
        let mut bench = Bench::new();
        let (dialog, invite) = bench.outgoing(order(udp()));
        let ours = hold(&mut bench, dialog);
        bench.hear(&reply(&ours, 100, "", ""));
        if by_peer {
            bench.hear(&Callee::of(&invite).next("BYE", "", ""));
        } else {
            bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
        }
        bench.events();
        assert_nothing_is_left(&mut bench);
    }
}

#[test]
fn a_call_over_a_connection_that_its_invite_opened_goes_on_by_it() {
    let unopened = Hop {
        connection: None,
        ..tcp()
    };
    let mut bench = Bench::with(config(), unopened);
    let (dialog, invite) = bench.dial(order(unopened));
    let opened = Hop {
        connection: Some(ConnectionId(9)),
        ..unopened
    };
    let contact = "sip:bob@10.0.0.9:5070;transport=tcp";
    let ok = branch(&invite, 200, "bob", ANSWER).replace("sip:bob@10.0.0.9:5070", contact);
    bench.hear_from(opened, &ok, true);
    assert_eq!(bench.sent().remove(0).1, opened);
    bench.act(|endpoint, now| endpoint.handle_transport_error(now, opened));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.sent().remove(0).1, unopened);
}
