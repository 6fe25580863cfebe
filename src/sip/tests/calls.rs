//! Set-up and tear-down of a call, with what goes wrong on the way.

use std::time::Duration;

use super::kit::{ANSWER, Bench, Caller, OFFER, reply, tcp};
use crate::sip::message::{HeaderName, Message, Method, Status};
use crate::sip::{EndCause, Event, Transport};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_call_is_rung_answered_acknowledged_and_hung_up_by_the_peer() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    bench.act(|endpoint, now| endpoint.ring(now, dialog, Some(ANSWER.into())));
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    let said: Vec<_> = bench
        .learned(&mut caller)
        .into_iter()
        .map(|(_, word)| word)
        .collect();
    assert_eq!(said, ["180 INVITE", "183 INVITE", "200 INVITE"]);
    let tag = std::mem::take(&mut caller.to_tag);
    bench.hear(&caller.invite(OFFER));
    assert!(bench.words().is_empty(), "the accepted INVITE is absorbed");
    caller.to_tag = tag;
    bench.hear(&caller.ack(""));
    bench.hear(&caller.next("BYE", "Reason: Q.850;cause=16\r\n", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    let events = bench.events();
    assert!(matches!(&events[0], Event::Acked { dialog: d, sdp: None } if *d == dialog));
    let cause = EndCause::Bye {
        reason: Some("Q.850;cause=16".into()),
    };
    assert!(
        matches!(&events[1], Event::Ended { cause: c, .. } if *c == cause),
        "{events:?}"
    );
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn the_200_names_us_and_what_we_can() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    let ok = bench.response();
    let header = |name| {
        ok.headers
            .get(&name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(
        header(HeaderName::Contact).as_deref(),
        Some("<sip:menu@10.0.0.1:5060>")
    );
    assert_eq!(header(HeaderName::Server).as_deref(), Some("flowswitch"));
    assert_eq!(
        header(HeaderName::ContentType).as_deref(),
        Some("application/sdp")
    );
    assert!(header(HeaderName::Allow).is_some_and(|allow| allow.contains("UPDATE")));
    assert_eq!(ok.body, ANSWER.as_bytes());
    let via = ok.headers.top_via().expect("the caller's");
    assert_eq!(via.rport(), Some(Some(5070)));
    assert_eq!(
        via.received().map(|ip| ip.to_string()).as_deref(),
        Some("10.0.0.9")
    );
}

#[test]
fn an_invite_the_owner_is_slow_with_gets_100_within_200_ms() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    bench.pass(SECOND);
    assert_eq!(bench.timed_words(), [(100, "100 INVITE".into())]);
    bench.hear(&caller.invite(OFFER));
    assert_eq!(bench.words(), ["100 INVITE"]);
}

#[test]
fn an_ignored_invite_gets_no_word_at_all() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    for _ in 0..2 {
        bench.hear(&caller.invite(OFFER));
        let dialog = bench.invited();
        bench.act(|endpoint, now| endpoint.ignore(now, dialog));
        bench.pass(SECOND);
    }
    bench.hear_from(bench.hop, &caller.cancel(), false);
    assert!(bench.words().is_empty());
    let stats = bench.endpoint.stats();
    assert_eq!(
        (stats.dialogs, stats.transactions, stats.screened),
        (0, 0, 1)
    );
}

#[test]
fn a_200_is_resent_until_its_ack() {
    for hop in [super::kit::udp(), tcp()] {
        let mut bench = Bench::with(super::kit::config(), hop);
        let mut caller = Caller::new("a");
        bench.hear(&caller.invite(OFFER));
        let dialog = bench.invited();
        bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
        bench.pass(5 * SECOND);
        let at: Vec<u64> = bench
            .learned(&mut caller)
            .iter()
            .map(|(at, _)| *at)
            .collect();
        assert_eq!(at, [0, 500, 1500, 3500], "over any transport");
        bench.hear(&caller.ack(""));
        bench.hear(&caller.ack(""));
        bench.pass(60 * SECOND);
        assert!(bench.words().is_empty());
        assert_eq!(bench.events().len(), 1, "one Acked");
    }
}

#[test]
fn a_200_that_is_never_acknowledged_ends_with_bye_after_64_t1() {
    let mut bench = Bench::new();
    bench.hear(&Caller::new("a").invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    bench.pass(Duration::from_millis(32_100));
    let events = bench.timed_events();
    assert!(
        matches!(
            events.as_slice(),
            [(
                32_000,
                Event::Ended {
                    cause: EndCause::NoAck { .. },
                    ..
                }
            )]
        ),
        "{events:?}"
    );
    assert_eq!(bench.timed_words().last(), Some(&(32_000, "BYE".into())));
    bench.pass(60 * SECOND);
    assert_eq!(
        bench.endpoint.stats().dialogs,
        0,
        "also when nobody answers the BYE"
    );
    assert!(bench.events().is_empty());
}

#[test]
fn our_bye_waits_for_the_ack_of_the_200() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    caller.learn(&bench.response());
    bench.act(|endpoint, now| endpoint.bye(now, dialog, Some("Q.850;cause=16".into())));
    assert!(bench.words().is_empty());
    bench.hear(&caller.ack(""));
    let bye = bench.request();
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:alice@10.0.0.9:5070");
    assert!(bye.headers.has(&HeaderName::Reason));
    bench.hear(&reply(&bye, 200, "", ""));
    assert!(bench.events().is_empty(), "who hangs up hears nothing more");
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn our_bye_is_resent_until_it_is_answered() {
    let mut bench = Bench::new();
    let dialog = bench.call(&mut Caller::new("a"));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    bench.pass(2 * SECOND);
    let sent = bench.sent();
    let at: Vec<u64> = sent.iter().map(|(at, ..)| *at).collect();
    assert_eq!(at, [0, 500, 1500]);
    let (_, _, Message::Request(bye)) = &sent[2] else {
        panic!("no BYE");
    };
    bench.hear(&reply(bye, 481, "", ""));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn a_resent_bye_gets_the_same_answer() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    let bye = caller.next("BYE", "", "");
    bench.hear(&bye);
    bench.hear(&bye);
    assert_eq!(bench.words(), ["200 BYE", "200 BYE"]);
    assert_eq!(bench.events().len(), 1);
    bench.pass(33 * SECOND);
    bench.hear(&bye);
    assert_eq!(bench.words(), ["481 BYE"], "after Timer J it is a new one");
}

#[test]
fn byes_that_cross_are_both_answered() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    bench.hear(&reply(&bye, 200, "", ""));
    assert!(bench.events().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn a_cancel_before_the_answer_gets_200_and_the_invite_487() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.hear(&caller.cancel());
    let sent = bench.sent();
    let tags: Vec<_> = sent
        .iter()
        .map(|(_, _, message)| match message {
            Message::Response(response) => response.headers.to().expect("To"),
            Message::Request(_) => panic!("no response"),
        })
        .collect();
    assert_eq!(tags[0], tags[1], "one To tag in both");
    assert_eq!(super::kit::word(&sent[0].2), "200 CANCEL");
    assert_eq!(super::kit::word(&sent[1].2), "487 INVITE");
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Canceled { .. }]
    ));
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    bench.hear(&caller.ack(""));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty());
    let stats = bench.endpoint.stats();
    assert_eq!((stats.dialogs, stats.transactions), (0, 0));
}

#[test]
fn a_cancel_that_comes_after_the_200_changes_nothing() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    caller.learn(&bench.response());
    let tag = std::mem::take(&mut caller.to_tag);
    bench.hear(&caller.cancel());
    assert_eq!(bench.words(), ["200 CANCEL"]);
    assert!(bench.events().is_empty());
    caller.to_tag = tag;
    bench.hear(&caller.ack(""));
    assert!(matches!(bench.events().as_slice(), [Event::Acked { .. }]));
}

#[test]
fn a_cancel_for_nothing_gets_481() {
    let mut bench = Bench::new();
    bench.hear(&Caller::new("a").cancel());
    assert_eq!(bench.words(), ["481 CANCEL"]);
}

#[test]
fn a_bye_before_the_answer_ends_the_invite_with_487() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    caller.learn(&bench.response());
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE", "487 INVITE"]);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Canceled { .. }]
    ));
}

#[test]
fn an_invite_expires_when_its_caller_said_so() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    caller.headers = "Expires: 20\r\n".into();
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    bench.sent();
    bench.pass(Duration::from_millis(20_100));
    assert_eq!(bench.timed_words(), [(20_000, "487 INVITE".into())]);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Canceled { .. }]
    ));
}

#[test]
fn ringing_is_repeated_every_minute() {
    let mut bench = Bench::new();
    bench.hear(&Caller::new("a").invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    bench.pass(130 * SECOND);
    let at: Vec<u64> = bench.timed_words().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 60_000, 120_000]);
}

#[test]
fn a_refusal_carries_the_headers_it_was_given_and_is_resent_until_its_ack() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    let headers = vec![(HeaderName::RetryAfter, "5".into())];
    bench.act(|endpoint, now| endpoint.refuse(now, dialog, Status::BUSY_HERE, headers));
    bench.pass(SECOND);
    assert_eq!(
        bench.timed_words(),
        [(0, "486 INVITE".into()), (500, "486 INVITE".into())]
    );
    bench.hear(&caller.ack(""));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty());
    assert_eq!(bench.endpoint.stats().transactions, 0);
}

#[test]
fn a_challenge_leaves_no_state_and_is_not_resent() {
    let mut bench = Bench::new();
    let caller = Caller::new("a");
    let mut tags = Vec::new();
    for _ in 0..2 {
        bench.hear(&caller.invite(OFFER));
        let dialog = bench.invited();
        let headers = vec![(HeaderName::WwwAuthenticate, "Digest".into())];
        bench.act(|endpoint, now| endpoint.refuse(now, dialog, Status::UNAUTHORIZED, headers));
        let response = bench.response();
        tags.push(response.headers.to().expect("To").tag().map(str::to_owned));
    }
    assert_eq!(tags[0], tags[1], "the same tag whenever the request comes");
    bench.hear(&caller.ack(""));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty());
    let stats = bench.endpoint.stats();
    assert_eq!((stats.dialogs, stats.transactions), (0, 0));
}

#[test]
fn hanging_up_before_the_answer_refuses_with_480() {
    let mut bench = Bench::new();
    bench.hear(&Caller::new("a").invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.words(), ["480 INVITE"]);
    assert!(bench.events().is_empty());
}

#[test]
fn two_calls_with_one_call_id_and_different_tags_are_two_calls() {
    let mut bench = Bench::new();
    let (mut one, mut other) = (Caller::new("a"), Caller::new("a"));
    other.from_tag = "other".into();
    other.branch = 50;
    let first = bench.call(&mut one);
    let second = bench.call(&mut other);
    assert_ne!(first, second);
    bench.hear(&one.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    let ended = bench.events();
    assert!(matches!(ended.as_slice(), [Event::Ended { dialog, .. }] if *dialog == first));
    bench.hear(&other.next("INFO", "", ""));
    assert_eq!(bench.words(), ["200 INFO"]);
}

#[test]
fn a_lost_connection_keeps_the_call_and_the_bye_opens_a_new_one() {
    let mut bench = Bench::with(super::kit::config(), tcp());
    let mut caller = Caller::new("a");
    caller.via = "SIP/2.0/TCP 10.0.0.9:5070".into();
    let dialog = bench.call(&mut caller);
    let hop = bench.hop;
    bench.act(|endpoint, now| endpoint.handle_transport_error(now, hop));
    assert!(bench.events().is_empty());
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let sent = bench.sent();
    let (_, hop, _) = &sent[0];
    assert_eq!((hop.transport, hop.connection), (Transport::Tcp, None));
    let hop = *hop;
    bench.act(|endpoint, now| endpoint.handle_transport_error(now, hop));
    assert_eq!(
        bench.endpoint.stats().dialogs,
        0,
        "nobody is left to say BYE to"
    );
}

#[test]
fn a_caller_of_rfc_2543_without_branch_tag_and_contact_is_served() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let old = |text: String| {
        text.replace(";branch=z9hG4bK-a@10.0.0.9-0", "")
            .replace(";tag=tag-a", "")
            .replace("Contact: <sip:alice@10.0.0.9:5070>\r\n", "")
            .replace("Max-Forwards: 70\r\n", "")
    };
    bench.hear(&old(caller.invite(OFFER)));
    let dialog = bench.invited();
    bench.hear(&old(caller.invite(OFFER)));
    assert!(bench.events().is_empty(), "its resend is known");
    bench.sent();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    caller.learn(&bench.response());
    bench.hear(&old(caller.write("ACK", "sip:menu@10.0.0.1", 1, 0, "", "")));
    assert!(matches!(bench.events().as_slice(), [Event::Acked { .. }]));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.request().uri.to_string(), "sip:alice@10.0.0.9");
}
