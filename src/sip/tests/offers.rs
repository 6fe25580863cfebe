//! Offers and answers after the first INVITE, and what else comes within a call.

use std::time::Duration;

use super::kit::{ANSWER, Bench, Caller, OFFER};
use crate::sip::Event;
use crate::sip::message::{HeaderName, Status};

const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.9\r\ns=-\r\na=sendonly\r\n";

fn offered(bench: &mut Bench) -> (Option<String>, bool) {
    match bench.events().as_slice() {
        [Event::Offered { sdp, update, .. }] => {
            let text = sdp
                .as_ref()
                .map(|sdp| String::from_utf8_lossy(sdp).into_owned());
            (text, *update)
        }
        other => panic!("no offer: {other:?}"),
    }
}

#[test]
fn a_delayed_offer_is_ours_in_the_200_and_its_answer_comes_with_the_ack() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(""));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, OFFER.into()));
    caller.learn(&bench.response());
    bench.hear(&caller.next("UPDATE", "", HOLD));
    assert_eq!(bench.words(), ["491 UPDATE"], "our offer is still open");
    caller.cseq -= 1;
    bench.hear(&caller.ack(ANSWER));
    match bench.events().as_slice() {
        [Event::Acked { sdp: Some(sdp), .. }] => assert_eq!(sdp, ANSWER.as_bytes()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reinvite_that_holds_is_answered_and_acknowledged() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    assert_eq!(offered(&mut bench), (Some(HOLD.to_owned()), false));
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    bench.pass(Duration::from_millis(600));
    assert_eq!(
        bench.timed_words(),
        [(0, "200 INVITE".into()), (500, "200 INVITE".into())]
    );
    bench.hear(&caller.ack(""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Acked { sdp: None, .. }]
    ));
    bench.pass(Duration::from_secs(60));
    assert!(bench.words().is_empty());
}

#[test]
fn a_reinvite_without_offer_gets_ours() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", ""));
    assert_eq!(offered(&mut bench), (None, false));
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, OFFER.into()));
    assert_eq!(bench.response().body, OFFER.as_bytes());
    bench.hear(&caller.ack(ANSWER));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Acked { sdp: Some(_), .. }]
    ));
}

#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.act(|endpoint, now| endpoint.refuse_offer(now, dialog, Status::NOT_ACCEPTABLE_HERE));
    assert_eq!(bench.words(), ["488 INVITE"]);
    let branch = caller.branch;
    let ack = caller.write("ACK", "sip:menu@10.0.0.1", caller.cseq, branch, "", "");
    bench.hear(&ack);
    bench.events();
    bench.hear(&caller.next("INFO", "", ""));
    assert_eq!(bench.words(), ["200 INFO"]);
}

#[test]
fn an_unacknowledged_reinvite_ends_the_call() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.events();
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    bench.pass(Duration::from_millis(32_000));
    assert!(matches!(bench.events().as_slice(), [Event::Ended { .. }]));
    assert_eq!(bench.words().last().map(String::as_str), Some("BYE"));
}

#[test]
fn a_second_reinvite_before_the_first_is_answered_gets_500_with_retry_after() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.hear(&caller.next("INVITE", "", HOLD));
    let response = bench.response();
    assert_eq!(response.status, Status::SERVER_INTERNAL_ERROR);
    assert!(response.headers.has(&HeaderName::RetryAfter));
    bench.hear(&caller.next("UPDATE", "", HOLD));
    assert_eq!(bench.words(), ["500 UPDATE"]);
}

#[test]
fn a_canceled_reinvite_gets_487_and_the_call_goes_on() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.hear(&caller.cancel());
    assert_eq!(bench.words(), ["200 CANCEL", "487 INVITE"]);
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    assert!(bench.words().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 1);
}

#[test]
fn a_bye_ends_a_reinvite_that_waits_for_us() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "", HOLD));
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE", "487 INVITE"]);
}

#[test]
fn an_update_with_an_offer_is_answered_and_needs_no_ack() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("UPDATE", "", HOLD));
    assert_eq!(offered(&mut bench), (Some(HOLD.to_owned()), true));
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    assert_eq!(bench.response().body, ANSWER.as_bytes());
    bench.pass(Duration::from_secs(60));
    assert!(bench.words().is_empty());
}

#[test]
fn an_update_without_a_body_is_answered_at_once() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("UPDATE", "", ""));
    assert_eq!(bench.words(), ["200 UPDATE"]);
    assert!(bench.events().is_empty());
}

#[test]
fn an_update_before_the_answer_waits_when_it_offers() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    caller.learn(&bench.response());
    bench.hear(&caller.next("UPDATE", "", HOLD));
    bench.hear(&caller.next("UPDATE", "", ""));
    assert_eq!(bench.words(), ["500 UPDATE", "200 UPDATE"]);
}

#[test]
fn digits_come_by_both_info_bodies() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    let relay = "Content-Type: application/dtmf-relay\r\n";
    bench.hear(&caller.next("INFO", relay, "Signal=5\r\nDuration=160\r\n"));
    bench.hear(&caller.next("INFO", "Content-Type: application/dtmf\r\n", "#"));
    assert_eq!(bench.words(), ["200 INFO", "200 INFO"]);
    let digits: Vec<_> = bench
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Digit {
                digit, duration, ..
            } => (digit, duration.as_millis()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(digits, [('5', 160), ('#', 100)]);
}

#[test]
fn other_info_bodies_are_refused_with_what_would_be_read() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("INFO", "Content-Type: application/xml\r\n", "<x/>"));
    let response = bench.response();
    assert_eq!(response.status, Status::UNSUPPORTED_MEDIA_TYPE);
    assert!(response.headers.has(&HeaderName::Accept));
    bench.hear(&caller.next(
        "INFO",
        "Content-Type: application/dtmf-relay\r\n",
        "Signal=Q",
    ));
    assert_eq!(bench.words(), ["400 INFO"]);
}

#[test]
fn requests_out_of_order_get_500() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    caller.cseq = 10;
    bench.call(&mut caller);
    caller.cseq = 4;
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["500 BYE"]);
    assert_eq!(bench.endpoint.stats().dialogs, 1);
}

#[test]
fn options_within_a_call_tell_what_we_can_and_others_are_refused() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("OPTIONS", "", ""));
    let ok = bench.response();
    assert!(ok.headers.has(&HeaderName::Allow) && ok.headers.has(&HeaderName::Accept));
    for (method, word) in [("NOTIFY", "405 NOTIFY"), ("FOO", "501 FOO")] {
        bench.hear(&caller.next(method, "", ""));
        assert_eq!(bench.words(), [word]);
    }
}

#[test]
fn a_reinvite_with_another_body_gets_415_and_one_with_an_extension_420() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&caller.next("INVITE", "Content-Type: text/plain\r\n", "hello"));
    bench.hear(&caller.next("INVITE", "Require: foo\r\n", HOLD));
    assert_eq!(bench.words(), ["415 INVITE", "420 INVITE"]);
    assert!(bench.events().is_empty());
}
