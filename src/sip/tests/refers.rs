//! Transfers: REFER and its NOTIFYs, Replaces, and messages within a call.

use std::time::Duration;

use super::kit::{Bench, Caller, OFFER, order, reply, udp};
use crate::sip::message::{HeaderName, Message, Replaces, Request, Response, Status};
use crate::sip::{DialogId, Event};

const SECOND: Duration = Duration::from_secs(1);
const BLIND: &str = "Refer-To: <sip:carol@example.com;user=phone?Subject=x&Call-Info=y>\r\n\
                     Referred-By: <sip:alice@10.0.0.9>\r\n";

fn text(request: &Request, name: &HeaderName) -> String {
    let value = request.headers.get(name).expect("the header");
    String::from_utf8_lossy(value).into_owned()
}

fn state(notify: &Request) -> (String, String, u32) {
    assert_eq!(text(notify, &HeaderName::Event), "refer");
    assert_eq!(
        text(notify, &HeaderName::ContentType),
        "message/sipfrag;version=2.0"
    );
    assert!(notify.headers.has(&HeaderName::Contact));
    let body = String::from_utf8_lossy(&notify.body).trim_end().to_owned();
    let cseq = notify.headers.cseq().expect("CSeq").number;
    (body, text(notify, &HeaderName::SubscriptionState), cseq)
}

/// A call whose peer has referred us, and our 202 with the first NOTIFY.
fn referred(bench: &mut Bench, caller: &mut Caller, headers: &str) -> (DialogId, Request) {
    let dialog = bench.call(caller);
    bench.hear(&caller.next("REFER", headers, ""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Referred { .. }]
    ));
    bench.act(|endpoint, now| endpoint.accept_refer(now, dialog));
    let sent = bench.sent();
    let [
        (_, _, Message::Response(accepted)),
        (_, hop, Message::Request(notify)),
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(accepted.status, Status::ACCEPTED);
    assert!(accepted.headers.has(&HeaderName::Contact));
    assert_eq!(*hop, udp());
    (dialog, notify.clone())
}

fn refused(bench: &mut Bench, caller: &mut Caller, headers: &str) -> Response {
    bench.hear(&caller.next("REFER", headers, ""));
    assert!(bench.events().is_empty(), "{headers}");
    bench.response()
}

#[test]
fn a_blind_transfer_is_told_of_until_its_end() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let (dialog, trying) = referred(&mut bench, &mut caller, BLIND);
    let expected = |body: &str, state: &str, cseq| (body.to_owned(), state.to_owned(), cseq);
    assert_eq!(
        state(&trying),
        expected("SIP/2.0 100 Trying", "active;expires=180", 1)
    );
    bench.hear(&reply(&trying, 200, "", ""));
    bench.pass(SECOND);
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::RINGING));
    let ringing = bench.request();
    assert_eq!(
        state(&ringing),
        expected("SIP/2.0 180 Ringing", "active;expires=179", 2)
    );
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::RINGING));
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::SESSION_PROGRESS));
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::OK));
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::BUSY_HERE));
    assert!(bench.words().is_empty(), "one at a time");
    bench.hear(&reply(&ringing, 200, "", ""));
    let last = bench.request();
    assert_eq!(
        state(&last),
        expected("SIP/2.0 200 OK", "terminated;reason=noresource", 3)
    );
    bench.hear(&reply(&last, 200, "", ""));
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::OK));
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn the_target_has_no_headers_and_its_replaces_stands_apart() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    let headers = "Refer-To: \"C\" <sip:carol@10.0.0.7:5080;transport=tcp;method=INVITE\
                   ?Subject=x&Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only>\r\n\
                   Referred-By: <sip:alice@10.0.0.9>;x=\"y\"\r\n";
    bench.hear(&caller.next("REFER", headers, ""));
    let events = bench.events();
    let [
        Event::Referred {
            target,
            replaces,
            referred_by,
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        target.to_string(),
        "\"C\" <sip:carol@10.0.0.7:5080;transport=tcp>"
    );
    let wanted = Replaces {
        call_id: "c@h".into(),
        to_tag: "1".into(),
        from_tag: "2".into(),
        early_only: true,
    };
    assert_eq!(replaces.as_ref(), Some(&wanted));
    assert_eq!(
        referred_by.as_deref(),
        Some(&b"<sip:alice@10.0.0.9>;x=\"y\""[..])
    );
}

#[test]
fn targets_that_are_no_call_are_refused_without_the_owner() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    for (headers, status) in [
        ("", Status::BAD_REQUEST),
        ("Refer-To: <sip:a@b\r\n", Status::BAD_REQUEST),
        ("Refer-To: <sip:a@b>, <sip:c@d>\r\n", Status::BAD_REQUEST),
        ("Refer-To: <sip:a@b?Replaces=x>\r\n", Status::BAD_REQUEST),
        ("Refer-To: <http://a.b>\r\n", Status::UNSUPPORTED_URI_SCHEME),
        ("Refer-To: <sip:a@b;method=BYE>\r\n", Status::DECLINE),
    ] {
        let response = refused(&mut bench, &mut caller, headers);
        assert_eq!(response.status, status, "{headers}");
    }
    bench.hear(&caller.next("REFER", "Refer-To: tel:+15551234\r\n", ""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Referred { .. }]
    ));
}

#[test]
fn without_a_subscription_nothing_is_told() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    let headers = format!("{BLIND}Refer-Sub: False;x=y\r\nSupported: norefersub\r\n");
    bench.hear(&caller.next("REFER", &headers, ""));
    bench.events();
    bench.act(|endpoint, now| endpoint.accept_refer(now, dialog));
    let accepted = bench.response();
    assert_eq!(accepted.status, Status::ACCEPTED);
    let refer_sub = accepted.headers.get(&HeaderName::ReferSub);
    assert_eq!(refer_sub.map(|value| &value[..]), Some(&b"false"[..]));
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::OK));
    bench.pass(300 * SECOND);
    assert!(bench.words().is_empty());
}

#[test]
fn one_refer_at_a_time_is_served_and_the_next_ones_notifies_name_it() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let (dialog, trying) = referred(&mut bench, &mut caller, BLIND);
    let response = refused(&mut bench, &mut caller, BLIND);
    assert_eq!(response.status, Status::REQUEST_PENDING);
    bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::BUSY_HERE));
    bench.hear(&reply(&trying, 200, "", ""));
    bench.request();
    bench.hear(&caller.next("REFER", BLIND, ""));
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Referred { .. }]
    ));
    let response = refused(&mut bench, &mut caller, BLIND);
    assert_eq!(response.status, Status::REQUEST_PENDING);
    bench.act(|endpoint, now| endpoint.accept_refer(now, dialog));
    let sent = bench.sent();
    let Some((_, _, Message::Request(notify))) = sent.last() else {
        panic!("{sent:?}");
    };
    assert_eq!(text(notify, &HeaderName::Event), "refer;id=4");
}

#[test]
fn a_refused_refer_changes_nothing_and_one_nobody_answers_gets_500_after_5_s() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("REFER", BLIND, ""));
    bench.act(|endpoint, now| endpoint.refuse_refer(now, dialog, Status::FORBIDDEN));
    assert_eq!(bench.words(), ["403 REFER"]);
    bench.act(|endpoint, now| endpoint.accept_refer(now, dialog));
    bench.hear(&caller.next("REFER", BLIND, ""));
    bench.pass(10 * SECOND);
    assert_eq!(bench.timed_words(), [(5000, "500 REFER".into())]);
    bench.hear(&caller.next("INFO", "", ""));
    assert_eq!(bench.words(), ["200 INFO"]);
}

#[test]
fn the_subscription_outlives_the_bye_of_who_referred_and_of_ours() {
    for ours in [false, true] {
        let mut bench = Bench::new();
        let mut caller = Caller::new("a");
        let (dialog, trying) = referred(&mut bench, &mut caller, BLIND);
        bench.hear(&reply(&trying, 200, "", ""));
        if ours {
            bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
            let bye = bench.request();
            bench.hear(&reply(&bye, 200, "", ""));
        } else {
            bench.hear(&caller.next("BYE", "", ""));
            assert_eq!(bench.words(), ["200 BYE"]);
            assert!(matches!(bench.events().as_slice(), [Event::Ended { .. }]));
            bench.hear(&caller.next("INFO", "", ""));
            assert_eq!(bench.words(), ["481 INFO"]);
        }
        bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::OK));
        let last = bench.request();
        assert!(text(&last, &HeaderName::SubscriptionState).starts_with("terminated"));
        assert_eq!(bench.endpoint.stats().dialogs, 0);
        bench.hear(&reply(&last, 200, "", ""));
        bench.pass(60 * SECOND);
        assert!(bench.words().is_empty() && bench.events().is_empty());
        assert_eq!(bench.endpoint.stats().transactions, 0);
    }
}

#[test]
fn a_subscription_ends_when_its_notify_fails_or_its_time_is_over() {
    for answer in [Some(481), Some(403), None] {
        let mut bench = Bench::new();
        let mut caller = Caller::new("a");
        let (dialog, trying) = referred(&mut bench, &mut caller, BLIND);
        bench.hear(&caller.next("BYE", "", ""));
        match answer {
            Some(status) => bench.hear(&reply(&trying, status, "", "")),
            None => bench.pass(33 * SECOND),
        }
        assert_eq!(bench.endpoint.stats().dialogs, 0, "{answer:?}");
        bench.sent();
        bench.act(|endpoint, now| endpoint.notify_refer(now, dialog, Status::OK));
        assert!(bench.words().is_empty());
    }
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let (_, trying) = referred(&mut bench, &mut caller, BLIND);
    bench.hear(&reply(&trying, 200, "", ""));
    bench.hear(&caller.next("BYE", "", ""));
    bench.sent();
    bench.pass(Duration::from_millis(180_100));
    let last = bench.request();
    assert_eq!(
        text(&last, &HeaderName::SubscriptionState),
        "terminated;reason=timeout"
    );
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn a_call_that_is_not_up_cannot_be_transferred() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.ring(now, dialog, None));
    caller.learn(&bench.response());
    let response = refused(&mut bench, &mut caller, BLIND);
    assert_eq!(response.status, Status::REQUEST_PENDING);
}

#[test]
fn a_callee_may_refer_too() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.outgoing(order(udp()));
    let from = invite.headers.from().expect("From");
    let mut callee = Caller::new("bob");
    callee.call_id = text(&invite, &HeaderName::CallId);
    callee.from_tag = "bob".into();
    callee.to_tag = from.tag().expect("our tag").to_owned();
    bench.hear(&callee.next("REFER", BLIND, ""));
    bench.act(|endpoint, now| endpoint.accept_refer(now, dialog));
    assert_eq!(bench.words(), ["202 REFER", "NOTIFY"]);
}

#[test]
fn replaces_finds_the_call_from_its_senders_side() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    let replaces = Replaces {
        call_id: caller.call_id.clone(),
        to_tag: caller.to_tag.clone(),
        from_tag: caller.from_tag.clone(),
        early_only: false,
    };
    assert_eq!(bench.endpoint.find_replaced(&replaces), Some(dialog));
    let turned = Replaces {
        to_tag: replaces.from_tag.clone(),
        from_tag: replaces.to_tag.clone(),
        ..replaces.clone()
    };
    let other = Replaces {
        call_id: "other".into(),
        ..replaces.clone()
    };
    let stranger = Replaces {
        from_tag: "0".into(),
        ..replaces.clone()
    };
    for wrong in [turned, other, stranger] {
        assert_eq!(bench.endpoint.find_replaced(&wrong), None);
    }
    let mut next = Caller::new("b");
    next.headers = format!("Require: replaces\r\nReplaces: {replaces}\r\n");
    bench.hear(&next.invite(OFFER));
    let events = bench.events();
    let [Event::Invited { request, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(request.headers.replaces(), Ok(Some(replaces.clone())));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_eq!(bench.endpoint.find_replaced(&replaces), None, "it is over");
    next = Caller::new("c");
    next.headers = "Replaces: nothing\r\n".into();
    bench.sent();
    bench.hear(&next.invite(OFFER));
    assert_eq!(bench.words(), ["400 INVITE"]);
}

#[test]
fn a_message_within_a_call_is_the_owners_to_answer() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    let headers = "Content-Type: text/plain\r\n";
    bench.hear(&caller.next("MESSAGE", headers, "hello"));
    let events = bench.events();
    let [
        Event::Request {
            request, message, ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    let ok = Response::to(message, Status::ACCEPTED);
    bench.act(|endpoint, now| endpoint.respond(now, *request, ok));
    let response = bench.response();
    assert_eq!(response.status, Status::ACCEPTED);
    let to = response.headers.to().expect("To");
    assert_eq!(to.tag(), Some(caller.to_tag.as_str()));
}
