//! Requests of ours outside calls, and the challenges they meet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::kit::{Bench, config, reply, tcp, udp};
use crate::ids::Rng;
use crate::sip::auth::{Authenticator, Verdict};
use crate::sip::message::{
    Credentials, HeaderName, Method, NameAddr, Request, Response, Status, Uri,
};
use crate::sip::{Account, Ask, AskId, EndpointConfig, Event, Hop, Limits, NoAnswer};

fn uri(text: &str) -> Uri {
    Uri::parse(text.as_bytes()).expect("a uri of the test")
}

fn message(hop: Hop) -> Ask {
    Ask {
        method: Method::Message,
        hop,
        uri: uri("sip:bob@example.com"),
        from: NameAddr::new(uri("sip:ann@example.com")),
        to: NameAddr::new(uri("sip:bob@example.com")),
        sequence: None,
        routes: Vec::new(),
        headers: vec![(HeaderName::Subject, "hi".into())],
        body: Some(("text/plain".into(), "hello".into())),
        account: Some(Account {
            username: "ann".into(),
            password: "secret".into(),
        }),
    }
}

fn ask(bench: &mut Bench, ask: Ask) -> AskId {
    let id = bench.endpoint.ask(bench.now, ask);
    bench.drain();
    id
}

fn answered(bench: &mut Bench, wanted: AskId) -> Result<Arc<Response>, NoAnswer> {
    match bench.events().as_slice() {
        [Event::Responded { ask, result }] if *ask == wanted => result.clone(),
        other => panic!("no answer: {other:?}"),
    }
}

fn digest(realm: &str, nonce: &str) -> String {
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"")
}

fn shown(request: &Request, name: HeaderName) -> Credentials {
    let mut all = request.headers.authorization(&name);
    assert_eq!(all.len(), 1, "one {name}");
    all.remove(0).expect("credentials of ours")
}

#[test]
fn a_message_leaves_whole_and_its_answer_comes_once() {
    let mut bench = Bench::new();
    let id = ask(&mut bench, message(udp()));
    let sent = bench.request();
    let header = |name| sent.headers.get(&name).map(|value| value.to_vec());
    assert_eq!(sent.uri.to_string(), "sip:bob@example.com");
    assert_eq!(header(HeaderName::CSeq), Some(b"1 MESSAGE".to_vec()));
    assert_eq!(
        header(HeaderName::ContentType),
        Some(b"text/plain".to_vec())
    );
    assert_eq!(header(HeaderName::Subject), Some(b"hi".to_vec()));
    assert_eq!(header(HeaderName::UserAgent), Some(b"flowswitch".to_vec()));
    assert!(header(HeaderName::CallId).is_some() && header(HeaderName::MaxForwards).is_some());
    assert!(sent.headers.from().is_ok_and(|from| from.tag().is_some()));
    assert_eq!(sent.body, "hello");
    bench.hear(&reply(&sent, 100, "", ""));
    bench.hear(&reply(&sent, 202, "", ""));
    bench.hear(&reply(&sent, 202, "", ""));
    let response = answered(&mut bench, id).expect("an answer");
    assert_eq!(response.status, Status::ACCEPTED);
    bench.pass(Duration::from_secs(40));
    assert!(bench.events().is_empty() && bench.words().is_empty());
    assert_eq!(bench.endpoint.stats().transactions, 0);
}

#[test]
fn a_challenge_is_answered_with_the_next_cseq_and_all_else_alike() {
    let mut bench = Bench::new();
    let id = ask(&mut bench, message(udp()));
    let first = bench.request();
    bench.hear(&reply(
        &first,
        407,
        &format!("Proxy-Authenticate: {}", digest("p", "n")),
        "",
    ));
    let second = bench.request();
    let credentials = shown(&second, HeaderName::ProxyAuthorization);
    assert!(credentials.is_proven_by(&Method::Message, "secret"));
    assert_eq!(credentials.uri, "sip:bob@example.com");
    assert_eq!(second.headers.cseq().expect("CSeq").number, 2);
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::To] {
        assert_eq!(
            first.headers.get(&name),
            second.headers.get(&name),
            "{name}"
        );
    }
    assert_ne!(
        first.headers.top_via().expect("Via").branch(),
        second.headers.top_via().expect("Via").branch()
    );
    assert!(bench.events().is_empty());
    bench.hear(&reply(&second, 200, "", ""));
    assert!(answered(&mut bench, id).is_ok());
    assert!(bench.endpoint.stats().transactions <= 2);
}

#[test]
fn a_proxy_and_the_server_behind_it_are_both_answered_and_a_third_is_not() {
    let mut bench = Bench::new();
    let id = ask(&mut bench, message(udp()));
    let first = bench.request();
    let proxy = format!("Proxy-Authenticate: {}", digest("p", "n"));
    bench.hear(&reply(&first, 407, &proxy, ""));
    let second = bench.request();
    let server = format!("WWW-Authenticate: {}", digest("s", "m"));
    bench.hear(&reply(&second, 401, &server, ""));
    let third = bench.request();
    assert_eq!(
        shown(&third, HeaderName::ProxyAuthorization)
            .qop
            .map(|qop| qop.nc),
        Some(2)
    );
    assert_eq!(shown(&third, HeaderName::Authorization).realm, "s");
    let other = format!("WWW-Authenticate: {}", digest("t", "m"));
    bench.hear(&reply(&third, 401, &other, ""));
    assert!(bench.words().is_empty());
    let response = answered(&mut bench, id).expect("the last challenge");
    assert_eq!(response.status, Status::UNAUTHORIZED);
}

#[test]
fn a_wrong_password_is_said_once_and_a_stale_nonce_is_renewed() {
    for (stale, goes_on) in [("", false), (", stale=true", true)] {
        let mut bench = Bench::new();
        let id = ask(&mut bench, message(udp()));
        let first = bench.request();
        let challenge = |nonce| format!("WWW-Authenticate: {}", digest("s", nonce));
        bench.hear(&reply(&first, 401, &challenge("n"), ""));
        let second = bench.request();
        bench.hear(&reply(
            &second,
            401,
            &format!("{}{stale}", challenge("m")),
            "",
        ));
        if goes_on {
            let third = bench.request();
            let credentials = shown(&third, HeaderName::Authorization);
            assert_eq!(
                (
                    credentials.nonce.as_str(),
                    credentials.qop.map(|qop| qop.nc)
                ),
                ("m", Some(1))
            );
        } else {
            assert!(bench.words().is_empty());
            assert!(answered(&mut bench, id).is_ok_and(|last| last.status == Status::UNAUTHORIZED));
        }
    }
}

#[test]
fn the_strongest_challenge_we_speak_is_answered() {
    let mut bench = Bench::new();
    ask(&mut bench, message(udp()));
    let first = bench.request();
    let headers = format!(
        "WWW-Authenticate: {md5}\r\nWWW-Authenticate: {md5}, algorithm=SHA-512-256\r\n\
         WWW-Authenticate: {md5}, algorithm=SHA-256",
        md5 = digest("s", "n")
    );
    bench.hear(&reply(&first, 401, &headers, ""));
    let second = bench.request();
    assert_eq!(
        shown(&second, HeaderName::Authorization).algorithm.as_str(),
        "SHA-256"
    );
}

#[test]
fn without_an_account_or_a_readable_challenge_the_401_is_the_answer() {
    for (account, headers) in [
        (false, digest("s", "n")),
        (true, "Basic realm=\"s\"".into()),
    ] {
        let mut bench = Bench::new();
        let mut asked = message(udp());
        asked.account = asked.account.filter(|_| account);
        let id = ask(&mut bench, asked);
        let sent = bench.request();
        bench.hear(&reply(
            &sent,
            401,
            &format!("WWW-Authenticate: {headers}"),
            "",
        ));
        assert!(bench.words().is_empty());
        assert!(answered(&mut bench, id).is_ok());
    }
}

#[test]
fn our_own_authenticator_accepts_our_answer() {
    let mut bench = Bench::new();
    let mut server = Authenticator::new(bench.now, "switch", Rng::from_number(3));
    let id = ask(&mut bench, message(udp()));
    let first = bench.request();
    let source = udp().local.ip();
    let check = |server: &mut Authenticator, request: &Request| {
        let password = |user: &str| (user == "ann").then_some("secret");
        server.check(crate::sim::start(), request, source, password)
    };
    let Verdict::Challenge(challenges) = check(&mut server, &first) else {
        panic!("no challenge");
    };
    let headers: Vec<String> = challenges
        .iter()
        .map(|value| format!("WWW-Authenticate: {}", String::from_utf8_lossy(value)))
        .collect();
    bench.hear(&reply(&first, 401, &headers.join("\r\n"), ""));
    let second = bench.request();
    let username = "ann".to_owned();
    assert_eq!(check(&mut server, &second), Verdict::Accepted { username });
    bench.hear(&reply(&second, 200, "", ""));
    assert!(answered(&mut bench, id).is_ok());
}

#[test]
fn silence_and_a_lost_way_are_told_once() {
    let mut bench = Bench::new();
    let id = ask(&mut bench, message(udp()));
    bench.pass(Duration::from_secs(60));
    let events = bench.timed_events();
    assert!(
        matches!(events.as_slice(), [(32_000, Event::Responded { ask, result: Err(NoAnswer::TimedOut) })] if *ask == id),
        "{events:?}"
    );
    let mut bench = Bench::with(config(), tcp());
    let id = ask(&mut bench, message(tcp()));
    bench.act(|endpoint, now| endpoint.handle_transport_error(now, tcp()));
    assert_eq!(
        answered(&mut bench, id).err(),
        Some(NoAnswer::TransportFailed)
    );
    assert_eq!(bench.endpoint.stats().transactions, 0);
}

#[test]
fn a_registration_goes_on_with_its_call_id_and_number_by_its_routes() {
    let mut bench = Bench::new();
    let mut register = message(udp());
    register.method = Method::Register;
    register.sequence = Some(("reg-1".into(), 41));
    register.routes = vec![NameAddr::new(uri("sip:edge.example.com;lr"))];
    ask(&mut bench, register);
    let sent = bench.request();
    let header = |name| sent.headers.get(&name).cloned();
    assert_eq!(header(HeaderName::CallId), Some(Bytes::from("reg-1")));
    assert_eq!(header(HeaderName::CSeq), Some(Bytes::from("41 REGISTER")));
    assert_eq!(
        header(HeaderName::Route),
        Some(Bytes::from("<sip:edge.example.com;lr>"))
    );
}

#[test]
fn beyond_the_limit_and_for_methods_of_calls_the_answer_is_no() {
    let limits = Limits {
        transactions: 1,
        dialogs: 1,
    };
    let mut bench = Bench::with(EndpointConfig { limits, ..config() }, udp());
    let mut cancel = message(udp());
    cancel.method = Method::Cancel;
    let id = ask(&mut bench, cancel);
    assert_eq!(
        answered(&mut bench, id).err(),
        Some(NoAnswer::TransportFailed)
    );
    ask(&mut bench, message(udp()));
    let id = ask(&mut bench, message(udp()));
    assert_eq!(
        answered(&mut bench, id).err(),
        Some(NoAnswer::TransportFailed)
    );
    assert_eq!(bench.words(), ["MESSAGE"]);
}

#[test]
fn nothing_in_an_ask_can_add_a_header() {
    let mut bench = Bench::new();
    let mut asked = message(udp());
    let evil = "a\r\nX-Evil: 1\r\n\r\n";
    asked.from.display_name = Some(evil.into());
    asked.uri =
        Uri::Sip(crate::sip::message::SipUri::new(udp().remote.ip().into()).with_user(evil));
    asked.headers = vec![(HeaderName::Subject, evil.into())];
    asked.body = Some((evil.into(), Bytes::new()));
    asked.sequence = Some((evil.into(), 1));
    bench.is_strict = false;
    let _ = bench.endpoint.ask(bench.now, asked);
    let bytes = bench.endpoint.poll_transmit().expect("it leaves").bytes;
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.lines().all(|line| !line.starts_with("X-Evil")),
        "{text}"
    );
}
