//! Provisional responses that are not lost, ours and the peer's (RFC 3262).

use std::time::Duration;

use super::kit::{ANSWER, Bench, Caller, OFFER, branch, order, reply, udp};
use crate::sip::message::{HeaderName, Message, Request, Response, Status};
use crate::sip::{Account, DialogId, Event};

const SECOND: Duration = Duration::from_secs(1);
const SUPPORTED: &str = "Supported: 100rel, timer\r\n";
const REQUIRED: &str = "Require: 100rel\r\n";

fn invited(bench: &mut Bench, caller: &mut Caller, headers: &str) -> DialogId {
    caller.headers = headers.into();
    bench.hear(&caller.invite(OFFER));
    bench.invited()
}

fn ring(bench: &mut Bench, dialog: DialogId, sdp: Option<&'static str>) {
    bench.act(|endpoint, now| endpoint.ring(now, dialog, sdp.map(Into::into)));
}

fn answer(bench: &mut Bench, dialog: DialogId) {
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
}

/// The RSeq of the only response that left.
fn numbered(bench: &mut Bench, caller: &mut Caller) -> (Response, u32) {
    let response = bench.response();
    assert_eq!(response.headers.tokens(&HeaderName::Require), ["100rel"]);
    caller.learn(&response);
    let number = response.headers.rseq().expect("a number");
    (response, number.expect("an RSeq"))
}

fn prack(caller: &mut Caller, number: u32) -> String {
    caller.next("PRACK", &format!("RAck: {number} 1 INVITE\r\n"), "")
}

fn ack(caller: &Caller) -> String {
    caller.write("ACK", "sip:menu@10.0.0.1", 1, 5000, "", "")
}

#[test]
fn a_description_is_sent_again_until_its_prack() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, SUPPORTED);
    ring(&mut bench, dialog, Some(ANSWER));
    let (progress, number) = numbered(&mut bench, &mut caller);
    assert_eq!(progress.status, Status::SESSION_PROGRESS);
    assert!(number > 0 && number < 1 << 31);
    bench.pass(8 * SECOND);
    let at: Vec<u64> = bench.timed_words().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [500, 1500, 3500, 7500]);
    bench.hear(&prack(&mut caller, number));
    assert_eq!(bench.words(), ["200 PRACK"]);
    bench.pass(40 * SECOND);
    assert!(bench.words().is_empty());
    ring(&mut bench, dialog, None);
    assert!(!bench.response().headers.has(&HeaderName::RSeq), "no need");
    answer(&mut bench, dialog);
    assert_eq!(bench.words(), ["200 INVITE"]);
    bench.hear(&ack(&caller));
    assert!(matches!(bench.events().as_slice(), [Event::Acked { .. }]));
}

#[test]
fn who_does_not_know_the_extension_is_not_bothered_with_it() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, "Supported: timer\r\n");
    ring(&mut bench, dialog, Some(ANSWER));
    let response = bench.response();
    assert!(!response.headers.has(&HeaderName::RSeq));
    assert!(!response.headers.has(&HeaderName::Require));
    bench.pass(30 * SECOND);
    assert!(bench.words().is_empty());
}

#[test]
fn who_requires_it_gets_everything_so_and_one_after_another() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, REQUIRED);
    ring(&mut bench, dialog, None);
    let (ringing, first) = numbered(&mut bench, &mut caller);
    assert_eq!(ringing.status, Status::RINGING);
    ring(&mut bench, dialog, Some(ANSWER));
    ring(&mut bench, dialog, None);
    assert!(bench.words().is_empty(), "they wait");
    bench.hear(&prack(&mut caller, first));
    let sent = bench.sent();
    let [
        (_, _, Message::Response(ok)),
        (_, _, Message::Response(progress)),
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(ok.status, Status::OK);
    assert_eq!(progress.status, Status::SESSION_PROGRESS);
    assert_eq!(progress.body, ANSWER, "the description is not lost");
    assert_eq!(progress.headers.rseq(), Ok(Some(first + 1)));
    bench.hear(&prack(&mut caller, first + 1));
    assert_eq!(bench.words(), ["200 PRACK"]);
    bench.pass(Duration::from_millis(60_100));
    let (reminder, third) = numbered(&mut bench, &mut caller);
    assert_eq!((third, reminder.body.len()), (first + 2, 0));
}

#[test]
fn a_prack_for_nothing_gets_481_and_one_that_says_nothing_400() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, REQUIRED);
    ring(&mut bench, dialog, None);
    let (_, number) = numbered(&mut bench, &mut caller);
    for (headers, wanted) in [
        (format!("RAck: {} 1 INVITE\r\n", number + 1), "481 PRACK"),
        (format!("RAck: {number} 2 INVITE\r\n"), "481 PRACK"),
        (format!("RAck: {number} 1 UPDATE\r\n"), "481 PRACK"),
        ("RAck: x\r\n".into(), "400 PRACK"),
        (String::new(), "400 PRACK"),
        (format!("RAck: {number} 1 INVITE\r\n"), "200 PRACK"),
        (format!("RAck: {number} 1 INVITE\r\n"), "481 PRACK"),
    ] {
        bench.hear(&caller.next("PRACK", &headers, ""));
        assert_eq!(bench.words(), [wanted], "{headers}");
    }
}

#[test]
fn the_200_waits_for_the_prack_of_a_description() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, SUPPORTED);
    ring(&mut bench, dialog, Some(ANSWER));
    let (_, number) = numbered(&mut bench, &mut caller);
    answer(&mut bench, dialog);
    ring(&mut bench, dialog, None);
    assert!(bench.words().is_empty());
    bench.hear(&prack(&mut caller, number));
    assert_eq!(bench.words(), ["200 PRACK", "200 INVITE"]);
    bench.hear(&ack(&caller));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty());
}

#[test]
fn a_200_that_waits_in_vain_leaves_after_4_s_and_the_late_prack_is_welcome() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, SUPPORTED);
    ring(&mut bench, dialog, Some(ANSWER));
    let (_, number) = numbered(&mut bench, &mut caller);
    answer(&mut bench, dialog);
    bench.pass(Duration::from_millis(4100));
    let words = bench.timed_words();
    assert_eq!(
        words.last(),
        Some(&(4000, "200 INVITE".into())),
        "{words:?}"
    );
    bench.hear(&prack(&mut caller, number));
    assert_eq!(bench.words(), ["200 PRACK"]);
    bench.hear(&ack(&caller));
    bench.pass(60 * SECOND);
    assert!(bench.words().is_empty(), "the 183 is not sent any more");
}

#[test]
fn a_caller_that_never_confirms_is_given_up_after_64_t1() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, REQUIRED);
    ring(&mut bench, dialog, None);
    bench.pass(Duration::from_millis(32_100));
    assert_eq!(
        bench.timed_words().last(),
        Some(&(32_000, "504 INVITE".into()))
    );
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Canceled { .. }]
    ));
    bench.pass(60 * SECOND);
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn a_cancel_or_refusal_ends_what_has_no_prack() {
    for cancels in [false, true] {
        let mut bench = Bench::new();
        let mut caller = Caller::new("a");
        let dialog = invited(&mut bench, &mut caller, SUPPORTED);
        ring(&mut bench, dialog, Some(ANSWER));
        answer(&mut bench, dialog);
        bench.sent();
        if cancels {
            bench.hear(&caller.cancel());
            assert_eq!(bench.words(), ["200 CANCEL", "487 INVITE"]);
        } else {
            bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
            assert_eq!(bench.words(), ["480 INVITE"]);
        }
        bench.hear(&caller.ack(""));
        bench.pass(60 * SECOND);
        assert!(bench.words().is_empty());
        assert_eq!(bench.endpoint.stats().dialogs, 0);
    }
}

#[test]
fn an_offer_in_a_prack_is_refused_and_the_response_confirmed() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = invited(&mut bench, &mut caller, SUPPORTED);
    ring(&mut bench, dialog, Some(ANSWER));
    let (_, number) = numbered(&mut bench, &mut caller);
    let rack = format!("RAck: {number} 1 INVITE\r\n");
    bench.hear(&caller.next("PRACK", &rack, OFFER));
    assert_eq!(bench.words(), ["488 PRACK"]);
    bench.pass(20 * SECOND);
    assert!(bench.words().is_empty() && bench.events().is_empty());
}

#[test]
fn a_caller_that_wants_our_offer_gets_it_in_the_200() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    caller.headers = SUPPORTED.into();
    bench.hear(&caller.invite(""));
    let dialog = bench.invited();
    ring(&mut bench, dialog, Some(ANSWER));
    let progress = bench.response();
    assert_eq!(progress.status, Status::SESSION_PROGRESS);
    assert!(progress.body.is_empty() && !progress.headers.has(&HeaderName::RSeq));
    answer(&mut bench, dialog);
    assert_eq!(bench.response().body, ANSWER);
}

fn with(response: String, headers: &str) -> String {
    response.replacen("\r\n", &format!("\r\n{headers}"), 1)
}

fn reliably(invite: &Request, status: u16, tag: &str, body: &str, number: u32) -> String {
    let headers = format!("Require: 100rel\r\nRSeq: {number}\r\n");
    with(branch(invite, status, tag, body), &headers)
}

/// RAck and target of the only PRACK that left.
fn confirmed(bench: &mut Bench) -> (String, String, Request) {
    let request = bench.request();
    let rack = request.headers.rack().expect("readable").expect("a RAck");
    (rack.to_string(), request.uri.to_string(), request)
}

#[test]
fn each_reliable_response_of_the_peer_is_confirmed_once_and_in_order() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    let supported = invite.headers.tokens(&HeaderName::Supported);
    assert!(supported.contains(&"100rel".to_owned()));
    bench.hear(&reliably(&invite, 183, "bob", ANSWER, 7));
    let (rack, uri, first) = confirmed(&mut bench);
    assert_eq!(
        (rack.as_str(), uri.as_str()),
        ("7 1 INVITE", "sip:bob@10.0.0.9:5070")
    );
    bench.hear(&reliably(&invite, 183, "bob", ANSWER, 7));
    bench.hear(&reliably(&invite, 180, "bob", "", 9));
    assert!(
        bench.words().is_empty(),
        "a repeat, and one before its turn"
    );
    bench.hear(&reliably(&invite, 180, "bob", "", 8));
    let (rack, _, second) = confirmed(&mut bench);
    assert_eq!(rack, "8 1 INVITE");
    let numbers = [first, second].map(|sent| sent.headers.cseq().expect("CSeq").number);
    assert_eq!(numbers, [2, 3]);
    let said: Vec<Status> = bench
        .events()
        .iter()
        .map(|event| match event {
            Event::Progress { status, .. } => *status,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, [Status::SESSION_PROGRESS, Status::RINGING]);
    bench.hear(&branch(&invite, 200, "bob", ""));
    let events = bench.events();
    let [Event::Accepted { sdp: Some(sdp), .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(sdp, ANSWER, "the answer came before");
}

#[test]
fn every_branch_counts_for_itself_and_the_same_news_is_confirmed_but_told_once() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    for (tag, number) in [("bob", 7), ("eve", 100), ("bob", 8), ("eve", 101)] {
        bench.hear(&reliably(&invite, 183, tag, ANSWER, number));
        let (rack, uri, _) = confirmed(&mut bench);
        assert_eq!(rack, format!("{number} 1 INVITE"));
        assert_eq!(uri, format!("sip:{tag}@10.0.0.9:5070"));
    }
    assert_eq!(bench.events().len(), 2);
}

#[test]
fn a_prack_that_fails_is_not_the_calls_concern() {
    for refusal in [Some(481), Some(500), None] {
        let mut bench = Bench::new();
        let (_, invite) = bench.dial(order(udp()));
        bench.hear(&reliably(&invite, 183, "bob", ANSWER, 1));
        let (_, _, prack) = confirmed(&mut bench);
        match refusal {
            Some(status) => bench.hear(&reply(&prack, status, "", "")),
            None => bench.pass(40 * SECOND),
        }
        bench.events();
        bench.sent();
        bench.hear(&branch(&invite, 200, "bob", ""));
        assert_eq!(bench.words(), ["ACK"]);
        assert!(matches!(
            bench.events().as_slice(),
            [Event::Accepted { .. }]
        ));
    }
}

#[test]
fn the_bye_of_a_call_goes_on_counting_after_its_pracks() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.hear(&reliably(&invite, 183, "bob", ANSWER, 1));
    bench.hear(&branch(&invite, 200, "bob", ""));
    bench.sent();
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.request().headers.cseq().expect("CSeq").number, 3);
}

#[test]
fn a_challenged_prack_is_sent_again_within_its_branch() {
    let mut bench = Bench::new();
    let mut invite = order(udp());
    invite.account = Some(Account {
        username: "us".into(),
        password: "secret".into(),
    });
    let (dialog, first) = bench.dial(invite);
    let challenge = "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n\", qop=\"auth\"";
    bench.hear(&reply(&first, 401, challenge, ""));
    let sent = bench.sent();
    let Some((_, _, Message::Request(invite))) = sent.last() else {
        panic!("{sent:?}");
    };
    bench.hear(&reliably(invite, 183, "bob", ANSWER, 1));
    let (_, _, prack) = confirmed(&mut bench);
    bench.hear(&reply(&prack, 401, challenge, ""));
    let (rack, _, proven) = confirmed(&mut bench);
    assert_eq!(rack, "1 2 INVITE");
    assert!(proven.headers.has(&HeaderName::Authorization));
    bench.hear(&reply(&proven, 200, "", ""));
    bench.hear(&branch(invite, 200, "bob", ""));
    bench.sent();
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let numbers =
        [&prack, &proven, &bench.request()].map(|sent| sent.headers.cseq().expect("CSeq").number);
    assert_eq!(numbers, [3, 4, 5]);
}

#[test]
fn a_reliable_response_to_an_offer_within_the_call_is_confirmed_too() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(order(udp()));
    bench.act(|endpoint, now| endpoint.offer(now, dialog, OFFER.into()));
    let offer = bench.request();
    for _ in 0..2 {
        let progress = reply(&offer, 183, "Require: 100rel\nRSeq: 5", "");
        bench.hear(&progress);
    }
    let (rack, ..) = confirmed(&mut bench);
    assert_eq!(rack, "5 2 INVITE");
    bench.hear(&reply(&offer, 200, "", ANSWER));
    assert_eq!(bench.words(), ["ACK"]);
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Answered { .. }]
    ));
}
