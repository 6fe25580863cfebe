//! Session timers through hours of virtual time (RFC 4028).

use std::time::Duration;

use super::kit::{ANSWER, Bench, Caller, OFFER, config, reply, udp};
use crate::sip::message::{HeaderName, Message, Method, Request, Response};
use crate::sip::{DialogId, EndCause, EndpointConfig, Event};

const SECOND: Duration = Duration::from_secs(1);
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

fn bench() -> Bench {
    let config = EndpointConfig {
        session_expires: HALF_AN_HOUR,
        ..config()
    };
    Bench::with(config, udp())
}

/// A call whose INVITE had these headers, with the 200 it got.
fn call(bench: &mut Bench, caller: &mut Caller, headers: &str) -> (DialogId, Response) {
    caller.headers = headers.into();
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    let ok = bench.response();
    caller.learn(&ok);
    bench.hear(&caller.ack(""));
    bench.events();
    (dialog, ok)
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    let value = response.headers.get(name)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Lets time pass until we send a request, which is returned with its second.
fn next_request(bench: &mut Bench) -> (u64, Request) {
    for _ in 0..100_000 {
        bench.pass(SECOND);
        let sent = bench.sent();
        if let Some((at, _, Message::Request(request))) = sent.into_iter().next()
            && request.method != Method::Ack
        {
            return (at / 1000, request);
        }
    }
    panic!("we never sent a request");
}

fn ended(bench: &mut Bench) -> EndCause {
    match bench.events().as_slice() {
        [Event::Ended { cause, .. }] => cause.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn we_refresh_by_update_at_half_the_interval_for_hours() {
    let mut bench = bench();
    let headers =
        "Supported: timer\r\nAllow: INVITE, UPDATE\r\nSession-Expires: 1800;refresher=uas\r\n";
    let (_, ok) = call(&mut bench, &mut Caller::new("a"), headers);
    assert_eq!(
        header(&ok, &HeaderName::SessionExpires).as_deref(),
        Some("1800;refresher=uas")
    );
    assert_eq!(header(&ok, &HeaderName::Require).as_deref(), Some("timer"));
    for round in 1..=10 {
        let (at, update) = next_request(&mut bench);
        assert_eq!((at, &update.method), (900 * round, &Method::Update));
        assert!(update.body.is_empty());
        let asked = update
            .headers
            .session_expires()
            .expect("readable")
            .expect("there");
        assert_eq!(
            asked.to_string(),
            "1800;refresher=uac",
            "roles are those of the refresh itself"
        );
        bench.hear(&reply(
            &update,
            200,
            "Session-Expires: 1800;refresher=uac",
            "",
        ));
    }
    assert!(bench.events().is_empty());
}

#[test]
fn we_refresh_by_reinvite_with_our_last_body_when_the_peer_takes_no_update() {
    let mut bench = bench();
    let (_, ok) = call(&mut bench, &mut Caller::new("a"), "Allow: INVITE, BYE\r\n");
    assert_eq!(
        header(&ok, &HeaderName::SessionExpires).as_deref(),
        Some("1800;refresher=uas")
    );
    assert_eq!(
        header(&ok, &HeaderName::Require),
        None,
        "the peer knows no timers"
    );
    let (at, invite) = next_request(&mut bench);
    assert_eq!((at, &invite.method), (900, &Method::Invite));
    assert_eq!(invite.body, ANSWER.as_bytes());
    for _ in 0..2 {
        bench.hear(&reply(
            &invite,
            200,
            "Contact: <sip:alice@10.0.0.9:5070>",
            OFFER,
        ));
        let ack = bench.request();
        assert_eq!(ack.method, Method::Ack);
        assert_ne!(ack.headers.top_via(), invite.headers.top_via());
        assert_eq!(ack.headers.cseq().map(|cseq| cseq.number), Ok(1));
    }
    let answers = bench.events();
    assert!(matches!(answers.as_slice(), [Event::Answered { sdp, .. }] if sdp == OFFER.as_bytes()));
    assert_eq!(next_request(&mut bench).0, 1800);
}

#[test]
fn a_peer_that_stops_refreshing_loses_the_call_before_the_interval_ends() {
    let mut bench = bench();
    let mut caller = Caller::new("a");
    let headers = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
    let (_, ok) = call(&mut bench, &mut caller, headers);
    assert_eq!(
        header(&ok, &HeaderName::SessionExpires).as_deref(),
        Some("600;refresher=uac")
    );
    for _ in 0..12 {
        bench.pass(300 * SECOND);
        let headers = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
        bench.hear(&caller.next("UPDATE", headers, ""));
        let ok = bench.response();
        assert_eq!(
            header(&ok, &HeaderName::SessionExpires).as_deref(),
            Some("600;refresher=uac")
        );
    }
    let (at, bye) = next_request(&mut bench);
    assert_eq!((at, bye.method), (3600 + 600 - 32, Method::Bye));
    assert_eq!(ended(&mut bench), EndCause::SessionExpired);
}

#[test]
fn a_reinvite_of_the_peer_begins_the_interval_anew() {
    let mut bench = bench();
    let mut caller = Caller::new("a");
    let headers = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    let (dialog, _) = call(&mut bench, &mut caller, headers);
    bench.pass(45 * SECOND);
    bench.hear(&caller.next("INVITE", headers, OFFER));
    bench.act(|endpoint, now| endpoint.answer_offer(now, dialog, ANSWER.into()));
    bench.hear(&caller.ack(""));
    bench.sent();
    bench.events();
    let (at, _) = next_request(&mut bench);
    assert_eq!(at, 45 + 60, "a third of 90 s is less than 32 s");
    assert_eq!(ended(&mut bench), EndCause::SessionExpired);
}

#[test]
fn a_peer_that_wants_a_longer_interval_gets_it() {
    let mut bench = bench();
    let headers = "Supported: timer\r\nAllow: UPDATE\r\nSession-Expires: 1800;refresher=uas\r\n";
    call(&mut bench, &mut Caller::new("a"), headers);
    let (_, update) = next_request(&mut bench);
    bench.hear(&reply(&update, 422, "Min-SE: 3000", ""));
    let (at, update) = next_request(&mut bench);
    assert_eq!(at, 900);
    assert_eq!(update.headers.min_se(), Ok(Some(3000)));
    assert!(
        update
            .headers
            .session_expires()
            .is_ok_and(|asked| asked.is_some_and(|s| s.seconds == 3000))
    );
}

#[test]
fn a_peer_that_does_not_know_update_is_refreshed_by_reinvite() {
    let mut bench = bench();
    call(&mut bench, &mut Caller::new("a"), "Allow: UPDATE\r\n");
    let (_, update) = next_request(&mut bench);
    bench.hear(&reply(&update, 501, "", ""));
    let (at, invite) = next_request(&mut bench);
    assert_eq!((at, invite.method), (900, Method::Invite));
}

#[test]
fn a_glare_is_tried_again_within_two_seconds_and_ours_is_491_to_the_peer() {
    let mut bench = bench();
    let mut caller = Caller::new("a");
    call(&mut bench, &mut caller, "");
    let (_, invite) = next_request(&mut bench);
    bench.hear(&caller.next("INVITE", "", OFFER));
    assert_eq!(bench.words(), ["491 INVITE"]);
    bench.hear(&reply(&invite, 491, "", ""));
    assert_eq!(bench.words(), ["ACK"]);
    let (at, again) = next_request(&mut bench);
    assert_eq!(again.method, Method::Invite);
    assert!((900..=903).contains(&at), "{at}");
}

#[test]
fn a_refresh_that_finds_no_call_ends_it() {
    for (status, cause) in [(481, Some(481)), (408, Some(408))] {
        let mut bench = bench();
        call(&mut bench, &mut Caller::new("a"), "Allow: UPDATE\r\n");
        let (_, update) = next_request(&mut bench);
        bench.hear(&reply(&update, status, "", ""));
        assert_eq!(bench.words(), ["BYE"]);
        let EndCause::RefreshFailed { status } = ended(&mut bench) else {
            panic!("another cause");
        };
        assert_eq!(status.map(|status| status.code()), cause);
    }
}

#[test]
fn a_peer_that_is_gone_is_noticed_by_the_refresh() {
    let mut bench = bench();
    call(&mut bench, &mut Caller::new("a"), "Allow: UPDATE\r\n");
    next_request(&mut bench);
    bench.pass(33 * SECOND);
    assert_eq!(ended(&mut bench), EndCause::RefreshFailed { status: None });
    bench.pass(33 * SECOND);
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn our_bye_while_a_refresh_is_out_ends_all() {
    let mut bench = bench();
    let (dialog, _) = call(&mut bench, &mut Caller::new("a"), "");
    let (_, invite) = next_request(&mut bench);
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    bench.hear(&reply(&invite, 200, "", OFFER));
    assert_eq!(
        bench.words(),
        ["ACK"],
        "its 200 is acknowledged all the same"
    );
    bench.hear(&reply(&bye, 200, "", ""));
    assert!(bench.events().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 0);
}

#[test]
fn no_interval_of_ours_and_none_of_the_peers_is_no_timer() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.pass(Duration::from_secs(100_000));
    assert!(bench.sent().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 1);
}

#[test]
fn a_refused_refresh_is_tried_again_when_the_peer_says_until_the_session_ends() {
    let mut bench = bench();
    call(&mut bench, &mut Caller::new("a"), "");
    let (_, invite) = next_request(&mut bench);
    bench.hear(&reply(&invite, 500, "Retry-After: 5 (busy)", ""));
    let (at, invite) = next_request(&mut bench);
    assert_eq!((at, &invite.method), (905, &Method::Invite));
    bench.hear(&reply(&invite, 488, "", ""));
    let (mut at, mut request) = next_request(&mut bench);
    assert_eq!(at, 965);
    while request.method == Method::Invite {
        bench.hear(&reply(&request, 488, "", ""));
        (at, request) = next_request(&mut bench);
    }
    assert_eq!((at, request.method), (1800 - 32, Method::Bye));
    assert_eq!(ended(&mut bench), EndCause::SessionExpired);
}
