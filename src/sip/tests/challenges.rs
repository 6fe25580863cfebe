//! Challenges to calls of ours: answered for the peer the account is for, and for nobody else.

use super::kit::{ANSWER, Bench, branch, order, reply, udp};
use super::outgoing::{assert_nothing_is_left, told};
use crate::sip::message::{Credentials, HeaderName, Message, Method, Request, Uri};
use crate::sip::{Account, Event, Hop, Invite};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"trunk\", nonce=\"n1\", qop=\"auth\"";

fn with_account() -> Invite {
    Invite {
        account: Some(Account {
            username: "us".into(),
            password: "secret".into(),
        }),
        ..order(udp())
    }
}

fn proxy(realm: &str, nonce: &str, more: &str) -> String {
    format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"{more}")
}

/// What a request proves, if it does, with the right password.
fn proven(request: &Request, name: &HeaderName) -> Option<Credentials> {
    let found = request.headers.authorization(name);
    assert!(found.len() <= 1);
    let credentials = found.into_iter().next()?.expect("readable");
    assert!(credentials.is_proven_by(&request.method, "secret"));
    assert_eq!(credentials.uri, request.uri.to_string());
    Some(credentials)
}

fn shows_nothing(request: &Request) -> bool {
    !request.headers.has(&HeaderName::Authorization)
        && !request.headers.has(&HeaderName::ProxyAuthorization)
}

/// The last request that left.
fn last(bench: &mut Bench) -> (Hop, Request) {
    match bench.sent().pop() {
        Some((_, hop, Message::Request(request))) => (hop, request),
        other => panic!("no request: {other:?}"),
    }
}

/// A call whose INVITE was challenged by the realm `trunk`, up and acknowledged, with the ACK.
fn call(bench: &mut Bench, contact: &str) -> (crate::sip::DialogId, (Hop, Request)) {
    let (dialog, first) = bench.dial(with_account());
    bench.hear(&reply(&first, 401, CHALLENGE, ""));
    let (_, second) = last(bench);
    let ok = branch(&second, 200, "bob", ANSWER).replace("sip:bob@10.0.0.9:5070", contact);
    bench.hear(&ok);
    assert_eq!(told(bench), ["accepted sdp"]);
    (dialog, last(bench))
}

#[test]
fn a_challenge_is_answered_in_the_same_call_and_its_ack_proves_the_same() {
    let mut bench = Bench::new();
    let (_, first) = bench.dial(with_account());
    assert!(shows_nothing(&first));
    bench.hear(&reply(&first, 100, "", ""));
    bench.hear(&reply(&first, 401, CHALLENGE, ""));
    let (_, second) = last(&mut bench);
    let credentials = proven(&second, &HeaderName::Authorization).expect("answered");
    assert_eq!(
        (credentials.nonce.as_str(), credentials.username.as_str()),
        ("n1", "us")
    );
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::To] {
        assert_eq!(first.headers.get(&name), second.headers.get(&name));
    }
    assert_ne!(
        first.headers.get(&HeaderName::Via),
        second.headers.get(&HeaderName::Via)
    );
    assert_eq!(
        second.headers.get(&HeaderName::CSeq),
        Some(&"2 INVITE".into())
    );
    assert_eq!(first.body, second.body);
    bench.hear(&branch(&second, 200, "bob", ANSWER));
    let (_, ack) = last(&mut bench);
    assert_eq!(ack.headers.get(&HeaderName::CSeq), Some(&"2 ACK".into()));
    assert_eq!(
        ack.headers.get(&HeaderName::Authorization),
        second.headers.get(&HeaderName::Authorization)
    );
    assert_eq!(told(&mut bench), ["accepted sdp"]);
}

#[test]
fn a_refused_answer_is_told_and_only_a_stale_nonce_is_tried_again_twice() {
    let mut bench = Bench::new();
    let (_, first) = bench.dial(with_account());
    bench.hear(&reply(&first, 407, &proxy("trunk", "n1", ""), ""));
    let (_, second) = last(&mut bench);
    assert!(proven(&second, &HeaderName::ProxyAuthorization).is_some());
    bench.hear(&reply(&second, 407, &proxy("trunk", "n2", ""), ""));
    assert_eq!(told(&mut bench), ["rejected 407"]);
    assert_nothing_is_left(&mut bench);

    let mut bench = Bench::new();
    let (_, mut invite) = bench.dial(with_account());
    for nonce in ["n1", "n2", "n3"] {
        let challenge = proxy("trunk", nonce, ", stale=true");
        bench.hear(&reply(&invite, 407, &challenge, ""));
        (_, invite) = last(&mut bench);
        let credentials = proven(&invite, &HeaderName::ProxyAuthorization).expect("answered");
        assert_eq!(credentials.nonce, nonce);
    }
    let challenge = proxy("trunk", "n4", ", stale=true");
    bench.hear(&reply(&invite, 407, &challenge, ""));
    assert_eq!(told(&mut bench), ["rejected 407"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn one_nonce_is_answered_once_and_a_second_realm_not_at_all() {
    for second_challenge in [
        proxy("trunk", "n1", ", stale=true"),
        proxy("elsewhere", "n2", ", stale=true"),
    ] {
        let mut bench = Bench::new();
        let (_, first) = bench.dial(with_account());
        bench.hear(&reply(&first, 407, &proxy("trunk", "n1", ""), ""));
        let (_, second) = last(&mut bench);
        bench.hear(&reply(&second, 407, &second_challenge, ""));
        assert_eq!(told(&mut bench), ["rejected 407"]);
    }
}

#[test]
fn without_an_account_or_with_a_challenge_that_cannot_be_read_the_call_is_rejected() {
    for (order, challenge) in [
        (order(udp()), CHALLENGE),
        (with_account(), "WWW-Authenticate: Basic realm=\"trunk\""),
        (with_account(), "Server: none"),
    ] {
        let mut bench = Bench::new();
        let (_, first) = bench.dial(order);
        bench.hear(&reply(&first, 401, challenge, ""));
        assert_eq!(told(&mut bench), ["rejected 401"]);
    }
}

#[test]
fn an_unwanted_call_answers_no_challenge() {
    let mut bench = Bench::new();
    let (dialog, first) = bench.dial(with_account());
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    bench.hear(&reply(&first, 401, CHALLENGE, ""));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(told(&mut bench), ["rejected 401"]);
}

#[test]
fn a_call_hung_up_after_its_challenge_waits_for_the_second_invite_to_be_heard() {
    let mut bench = Bench::new();
    let (dialog, first) = bench.dial(with_account());
    bench.hear(&reply(&first, 100, "", ""));
    bench.hear(&reply(&first, 401, CHALLENGE, ""));
    let (_, second) = last(&mut bench);
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert!(bench.sent().is_empty());
    bench.hear(&reply(&second, 100, "", ""));
    let (_, cancel) = last(&mut bench);
    assert_eq!(
        cancel.headers.get(&HeaderName::CSeq),
        Some(&"2 CANCEL".into())
    );
    bench.hear(&branch(&second, 487, "bob", ""));
    assert_eq!(told(&mut bench), ["rejected 487"]);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn requests_within_the_call_are_proven_to_the_realm_of_the_invite() {
    let mut bench = Bench::new();
    let (dialog, _) = call(&mut bench, "sip:bob@10.0.0.9:5070");
    bench.act(|endpoint, now| endpoint.offer(now, dialog, ANSWER.into()));
    let (_, first) = last(&mut bench);
    assert!(shows_nothing(&first));
    bench.hear(&reply(&first, 407, &proxy("trunk", "n2", ""), ""));
    let (_, second) = last(&mut bench);
    assert!(proven(&second, &HeaderName::ProxyAuthorization).is_some());
    assert_eq!(second.body, first.body);
    let ok = reply(&second, 200, "", ANSWER);
    for _ in 0..2 {
        bench.hear(&ok);
        let (_, ack) = last(&mut bench);
        assert_eq!(ack.method, Method::Ack);
        assert_eq!(
            ack.headers.get(&HeaderName::ProxyAuthorization),
            second.headers.get(&HeaderName::ProxyAuthorization)
        );
    }
    assert!(matches!(
        bench.events().as_slice(),
        [Event::Answered { .. }]
    ));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let (_, bye) = last(&mut bench);
    bench.hear(&reply(&bye, 401, &CHALLENGE.replace("n1", "n3"), ""));
    let (_, bye) = last(&mut bench);
    assert!(proven(&bye, &HeaderName::Authorization).is_some());
    assert_eq!(bye.headers.get(&HeaderName::CSeq), Some(&"6 BYE".into()));
    bench.hear(&reply(&bye, 200, "", ""));
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_callee_that_moves_the_call_to_itself_gets_no_proof_of_ours() {
    let rogue = "sip:bob@10.6.6.6:5060";
    let mut bench = Bench::new();
    let (dialog, (hop, ack)) = call(&mut bench, rogue);
    assert_eq!(hop.remote.ip().to_string(), "10.6.6.6");
    assert!(shows_nothing(&ack), "nor with the ACK");
    bench.act(|endpoint, now| endpoint.offer(now, dialog, ANSWER.into()));
    let (hop, invite) = last(&mut bench);
    assert_eq!(hop.remote.ip().to_string(), "10.6.6.6");
    bench.hear_from(
        hop,
        &reply(&invite, 407, &proxy("trunk", "n2", ""), ""),
        true,
    );
    assert_eq!(bench.words(), ["ACK"], "and no second INVITE");
    assert!(matches!(
        bench.events().as_slice(),
        [Event::OfferRefused { .. }]
    ));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let (hop, bye) = last(&mut bench);
    bench.hear_from(
        hop,
        &reply(&bye, 401, &CHALLENGE.replace("n1", "n2"), ""),
        true,
    );
    assert!(bench.sent().is_empty());
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_callee_behind_the_trunk_that_asks_in_its_own_name_gets_no_proof_of_ours() {
    let mut bench = Bench::new();
    let (dialog, _) = call(&mut bench, "sip:bob@10.0.0.9:5070");
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let (_, bye) = last(&mut bench);
    bench.hear(&reply(&bye, 401, &CHALLENGE.replace("trunk", "rogue"), ""));
    assert!(bench.sent().is_empty());
    assert_nothing_is_left(&mut bench);
}

#[test]
fn a_callee_gets_no_proof_when_the_invite_needed_none() {
    let mut bench = Bench::new();
    let (dialog, _) = bench.outgoing(with_account());
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    bench.hear(&reply(&bye, 401, CHALLENGE, ""));
    assert!(bench.sent().is_empty());
    assert_nothing_is_left(&mut bench);
}

#[test]
fn the_account_is_for_the_hop_also_when_the_uri_names_another() {
    let mut bench = Bench::new();
    let mut order = with_account();
    order.uri = Uri::parse(b"sip:+1555@trunk.example").expect("a URI");
    let (_, first) = bench.dial(order);
    bench.hear(&reply(&first, 401, CHALLENGE, ""));
    let (hop, second) = last(&mut bench);
    assert_eq!(hop, udp());
    assert!(proven(&second, &HeaderName::Authorization).is_some());
}
