//! Each machine along its figure, with the time of every datagram.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client_invite::ClientInvite;
use super::client_request::ClientRequest;
use super::key::ServerKey;
use super::layer::{Matched, TransactionLayer};
use super::server_invite::ServerInvite;
use super::server_request::ServerRequest;
use super::timers::PATIENCE;
use super::{ClientEvent, T4};
use crate::ids::Rng;
use crate::sip::message::{Message, Method, Request, Response, Status};
use crate::sip::tests::kit::{Caller, OFFER, request, udp};

/// Fires every timer at its instant and notes in milliseconds what left; ends when no timer is left.
macro_rules! sent_at_ms {
    ($machine:expr, $start:expr) => {{
        let mut at_ms = Vec::new();
        let mut now = $start;
        loop {
            while $machine.poll_transmit().is_some() {
                at_ms.push((now - $start).as_millis());
            }
            let Some(at) = $machine.poll_timeout() else {
                break;
            };
            now = at;
            $machine.handle_timeout(now);
        }
        (at_ms, (now - $start).as_millis())
    }};
}

fn invite() -> Arc<Request> {
    Arc::new(request(&Caller::new("a").invite(OFFER)))
}

fn bye() -> Request {
    request(&Caller::new("a").next("BYE", "", ""))
}

fn response(request: &Request, status: Status) -> Arc<Response> {
    Arc::new(Response::to(request, status))
}

fn status_of(event: Option<ClientEvent>) -> Option<Status> {
    match event {
        Some(ClientEvent::Response(response)) => Some(response.status),
        _ => None,
    }
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[test]
fn invite_is_sent_seven_times_then_times_out_after_64_t1() {
    let start = crate::sim::start();
    let mut client = ClientInvite::new(start, invite(), false);
    let (sent, ended) = sent_at_ms!(client, start);
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(ended, 32_000);
    assert!(matches!(client.poll_event(), Some(ClientEvent::TimedOut)));
    assert!(client.is_terminated());
}

#[test]
fn invite_over_a_connection_is_sent_once_and_times_out_too() {
    let start = crate::sim::start();
    let mut client = ClientInvite::new(start, invite(), true);
    assert_eq!(sent_at_ms!(client, start), (vec![0], 32_000));
}

#[test]
fn a_ringing_invite_is_not_resent_and_has_no_timer() {
    let start = crate::sim::start();
    let request = invite();
    let mut client = ClientInvite::new(start, Arc::clone(&request), false);
    client.handle_response(start + ms(100), response(&request, Status::RINGING));
    assert_eq!(status_of(client.poll_event()), Some(Status::RINGING));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn each_2xx_reaches_the_user_until_timer_m() {
    let start = crate::sim::start();
    let request = invite();
    let mut client = ClientInvite::new(start, Arc::clone(&request), false);
    let _ = client.poll_transmit();
    for _ in 0..3 {
        client.handle_response(start, response(&request, Status::OK));
        assert_eq!(status_of(client.poll_event()), Some(Status::OK));
    }
    client.handle_response(start, response(&request, Status::BUSY_HERE));
    assert!(client.poll_event().is_none());
    assert_eq!(
        client.poll_transmit(),
        None,
        "the ACK to a 2xx is the user's"
    );
    assert_eq!(sent_at_ms!(client, start), (vec![], 32_000));
}

#[test]
fn a_refusal_is_acknowledged_each_time_it_comes_until_timer_d() {
    let start = crate::sim::start();
    let request = invite();
    let mut client = ClientInvite::new(start, Arc::clone(&request), false);
    let _ = client.poll_transmit();
    for _ in 0..2 {
        client.handle_response(start, response(&request, Status::BUSY_HERE));
        let ack = client.poll_transmit().expect("an ACK");
        let Ok(Message::Request(ack)) = Message::parse_datagram(ack) else {
            panic!("our ACK is no request");
        };
        assert_eq!(ack.method, Method::Ack);
        assert_eq!(ack.headers.top_via(), request.headers.top_via());
        assert_eq!(ack.headers.cseq().map(|cseq| cseq.number), Ok(1));
    }
    assert_eq!(status_of(client.poll_event()), Some(Status::BUSY_HERE));
    assert!(client.poll_event().is_none(), "only the first is news");
    assert_eq!(sent_at_ms!(client, start), (vec![], 32_000));
}

#[test]
fn a_request_is_sent_eleven_times_then_times_out_after_64_t1() {
    let start = crate::sim::start();
    let mut client = ClientRequest::new(start, &bye(), false);
    let (sent, ended) = sent_at_ms!(client, start);
    let wanted = [
        0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ];
    assert_eq!(sent, wanted);
    assert_eq!(ended, 32_000);
    assert!(matches!(client.poll_event(), Some(ClientEvent::TimedOut)));
}

#[test]
fn a_provisional_response_slows_a_request_down_to_t2() {
    let start = crate::sim::start();
    let request = bye();
    let mut client = ClientRequest::new(start, &request, false);
    let _ = client.poll_transmit();
    client.handle_response(start, response(&request, Status::TRYING));
    let (sent, ended) = sent_at_ms!(client, start);
    assert_eq!(sent, [500, 4500, 8500, 12500, 16500, 20500, 24500, 28500]);
    assert_eq!(ended, 32_000);
}

#[test]
fn a_final_response_ends_the_resends_and_timer_k_absorbs_copies() {
    let start = crate::sim::start();
    let request = bye();
    let mut client = ClientRequest::new(start, &request, false);
    let _ = client.poll_transmit();
    client.handle_response(start, response(&request, Status::OK));
    client.handle_response(start, response(&request, Status::OK));
    assert_eq!(status_of(client.poll_event()), Some(Status::OK));
    assert!(client.poll_event().is_none());
    assert_eq!(sent_at_ms!(client, start), (vec![], T4.as_millis()));
}

#[test]
fn a_lost_connection_ends_a_request() {
    let start = crate::sim::start();
    let mut client = ClientRequest::new(start, &bye(), true);
    client.handle_transport_error();
    assert!(matches!(
        client.poll_event(),
        Some(ClientEvent::TransportFailed)
    ));
    assert!(client.is_terminated());
}

#[test]
fn trying_is_said_after_100_ms_of_silence() {
    let start = crate::sim::start();
    let mut server = ServerInvite::new(start, invite(), false);
    assert_eq!(sent_at_ms!(server, start), (vec![100], 100));
    server.handle_resent_invite();
    assert!(
        server.poll_transmit().is_some(),
        "and again to a resent INVITE"
    );
}

#[test]
fn no_trying_when_the_user_was_faster() {
    let start = crate::sim::start();
    let mut server = ServerInvite::new(start, invite(), false);
    server.respond(start, Status::RINGING, Bytes::from_static(b"180"));
    assert_eq!(server.poll_transmit().as_deref(), Some(&b"180"[..]));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_refusal_is_resent_by_timer_g_until_timer_h() {
    let start = crate::sim::start();
    let mut server = ServerInvite::new(start, invite(), false);
    server.respond(start, Status::BUSY_HERE, Bytes::from_static(b"486"));
    let (sent, ended) = sent_at_ms!(server, start);
    let wanted = [
        0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ];
    assert_eq!(sent, wanted);
    assert_eq!(ended, 32_000);
}

#[test]
fn the_ack_silences_a_refusal_and_timer_i_absorbs_copies() {
    let start = crate::sim::start();
    let mut server = ServerInvite::new(start, invite(), false);
    server.respond(start, Status::BUSY_HERE, Bytes::from_static(b"486"));
    let _ = server.poll_transmit();
    assert!(server.handle_ack(start));
    assert!(server.handle_ack(start));
    server.handle_resent_invite();
    assert_eq!(sent_at_ms!(server, start), (vec![], T4.as_millis()));
    assert!(server.is_terminated());
}

#[test]
fn an_accepted_invite_absorbs_resends_and_lets_only_2xx_through_until_timer_l() {
    let start = crate::sim::start();
    let mut server = ServerInvite::new(start, invite(), false);
    let ok = Bytes::from_static(b"200");
    server.respond(start, Status::OK, ok.clone());
    assert_eq!(server.poll_transmit(), Some(ok.clone()));
    server.handle_resent_invite();
    server.respond(start, Status::BUSY_HERE, Bytes::from_static(b"486"));
    assert_eq!(server.poll_transmit(), None);
    server.respond(start, Status::OK, ok.clone());
    assert_eq!(server.poll_transmit(), Some(ok));
    assert!(!server.handle_ack(start), "its ACK is the user's");
    assert_eq!(sent_at_ms!(server, start), (vec![], 32_000));
}

#[test]
fn a_resent_request_gets_the_same_response_until_timer_j() {
    let start = crate::sim::start();
    let mut server = ServerRequest::new(start, false);
    server.handle_resent_request();
    assert_eq!(server.poll_transmit(), None);
    server.respond(start, Status::OK, Bytes::from_static(b"200"));
    let _ = server.poll_transmit();
    server.handle_resent_request();
    assert_eq!(server.poll_transmit().as_deref(), Some(&b"200"[..]));
    server.respond(start, Status::BUSY_HERE, Bytes::from_static(b"486"));
    assert_eq!(server.poll_transmit(), None, "one final response");
    assert_eq!(sent_at_ms!(server, start), (vec![], 32_000));
}

#[test]
fn a_request_that_is_never_answered_is_forgotten_after_64_t1() {
    let start = crate::sim::start();
    let mut server = ServerRequest::new(start, true);
    assert_eq!(sent_at_ms!(server, start), (vec![], 32_000));
    assert!(server.is_terminated());
}

fn opened(text: &str) -> (TransactionLayer<u8>, Instant) {
    let now = crate::sim::start();
    let mut layer = TransactionLayer::new();
    let request = Arc::new(request(text));
    let via = request.headers.top_via().expect("a Via");
    let Matched::Unknown(key) = layer.handle_request(now, &request, &via) else {
        panic!("known already");
    };
    layer.open(now, key, &request, udp(), 1);
    (layer, now)
}

fn matched(layer: &mut TransactionLayer<u8>, now: Instant, text: &str) -> Matched<u8> {
    let request = request(text);
    let via = request.headers.top_via().expect("a Via");
    layer.handle_request(now, &request, &via)
}

#[test]
fn sent_by_is_part_of_the_key() {
    let caller = Caller::new("a");
    let (mut layer, now) = opened(&caller.invite(OFFER));
    assert_eq!(
        matched(&mut layer, now, &caller.invite(OFFER)),
        Matched::Absorbed
    );
    let elsewhere = caller
        .invite(OFFER)
        .replace("UDP 10.0.0.9:5070", "UDP 10.0.0.8:5070");
    assert!(matches!(
        matched(&mut layer, now, &elsewhere),
        Matched::Unknown(_)
    ));
}

#[test]
fn a_cancel_finds_its_invite_and_no_other() {
    let mut caller = Caller::new("a");
    let (mut layer, now) = opened(&caller.invite(OFFER));
    let found = matched(&mut layer, now, &caller.cancel());
    assert!(matches!(found, Matched::Cancel { owner: 1, .. }));
    caller.branch += 1;
    assert!(matches!(
        matched(&mut layer, now, &caller.cancel()),
        Matched::Unknown(_)
    ));
}

#[test]
fn branches_without_the_cookie_match_as_rfc_2543_did() {
    let old = |text: String| text.replace("z9hG4bK-", "old-");
    let mut caller = Caller::new("a");
    let (mut layer, now) = opened(&old(caller.invite(OFFER)));
    assert_eq!(
        matched(&mut layer, now, &old(caller.invite(OFFER))),
        Matched::Absorbed
    );
    let found = matched(&mut layer, now, &old(caller.cancel()));
    assert!(matches!(found, Matched::Cancel { owner: 1, .. }));
    let via = request(&old(caller.invite(OFFER)))
        .headers
        .top_via()
        .expect("a Via");
    let key = ServerKey::of(&request(&old(caller.invite(OFFER))), &via);
    caller.call_id.push('x');
    let other = request(&old(caller.invite(OFFER)));
    assert_ne!(key, ServerKey::of(&other, &via));
}

#[test]
fn an_old_ack_matches_although_it_carries_our_tag() {
    let old = |text: String| text.replace("z9hG4bK-", "old-");
    let mut caller = Caller::new("a");
    let text = old(caller.invite(OFFER));
    let now = crate::sim::start();
    let mut layer = TransactionLayer::<u8>::new();
    let invite = Arc::new(request(&text));
    let via = invite.headers.top_via().expect("a Via");
    let id = layer.open(now, ServerKey::of(&invite, &via), &invite, udp(), 1);
    layer.respond(now, id, &Response::to(&invite, Status::BUSY_HERE));
    let branch = caller.branch;
    caller.to_tag = "ours".into();
    let ack = caller.write("ACK", "sip:menu@10.0.0.1", 1, branch, "", "");
    assert_eq!(matched(&mut layer, now, &old(ack)), Matched::Absorbed);
}

#[test]
fn a_response_to_nothing_is_counted_and_dropped() {
    let now = crate::sim::start();
    let mut layer = TransactionLayer::<u8>::new();
    layer.handle_response(now, Response::to(&bye(), Status::OK));
    assert_eq!(layer.stats().stray_responses, 1);
    assert!(layer.poll_news().is_none());
}

#[test]
fn a_response_finds_its_request_by_branch_and_method() {
    let now = crate::sim::start();
    let mut layer = TransactionLayer::<u8>::new();
    let mut rng = Rng::from_number(2);
    let mut plain = bye();
    plain.headers.remove(&crate::sip::message::HeaderName::Via);
    let id = layer.request(now, udp(), udp().local, plain, &mut rng, 9);
    let sent = layer.poll_transmit().expect("the request");
    let Ok(Message::Request(sent)) = Message::parse_datagram(sent.bytes) else {
        panic!("our request is none");
    };
    let mut wrong = Response::to(&sent, Status::OK);
    wrong
        .headers
        .set(crate::sip::message::HeaderName::CSeq, "2 INFO");
    layer.handle_response(now, wrong);
    assert!(layer.poll_news().is_none());
    layer.handle_response(now, Response::to(&sent, Status::OK));
    let news = layer.poll_news().expect("an answer");
    assert_eq!((news.transaction, news.owner), (id, 9));
    layer.handle_timeout(now + T4);
    assert_eq!(layer.count(), 0);
}

#[test]
fn transactions_that_only_linger_end_together_and_not_before_their_time() {
    let start = crate::sim::start();
    let mut layer = TransactionLayer::<u8>::new();
    let ms = Duration::from_millis;
    for at in [0, 10, 49, 50, 51, 120] {
        let now = start + ms(at);
        let request = Arc::new(request(&format!(
            "BYE sip:x@10.0.0.1 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{at}\r\nFrom: <sip:a@10.0.0.9>;tag=1\r\n\
            To: <sip:x@10.0.0.1>;tag=2\r\nCall-ID: {at}\r\nCSeq: 2 BYE\r\n\r\n"
        )));
        let via = request.headers.top_via().expect("a Via");
        let key = ServerKey::of(&request, &via);
        let id = layer.open(now, key, &request, udp(), 1);
        layer.respond(now, id, &Response::to(&request, Status::OK));
    }
    let mut ends = Vec::new();
    while let Some(at) = layer.poll_timeout() {
        layer.handle_timeout(at);
        ends.push(((at - start - PATIENCE).as_millis(), layer.count()));
    }
    assert_eq!(ends, [(0, 5), (50, 2), (100, 1), (150, 0)]);
}

#[test]
fn over_a_connection_nothing_lingers_after_the_answer() {
    let now = crate::sim::start();
    let mut layer = TransactionLayer::<u8>::new();
    let request = Arc::new(bye());
    let via = request.headers.top_via().expect("a Via");
    let key = ServerKey::of(&request, &via);
    let id = layer.open(now, key, &request, crate::sip::tests::kit::tcp(), 1);
    layer.respond(now, id, &Response::to(&request, Status::OK));
    assert!(layer.poll_transmit().is_some());
    assert_eq!((layer.count(), layer.poll_timeout()), (0, None));
}
