//! Requests that never become a call, and what their sender hears (RFC 3261 §8.2).

use super::kit::{Bench, Caller, OFFER, config};
use crate::sip::message::{HeaderName, Response, Status};
use crate::sip::{EndpointConfig, Event, Limits};

fn refused(text: &str) -> Response {
    let mut bench = Bench::new();
    bench.hear(text);
    assert!(bench.events().is_empty());
    let response = bench.response();
    assert!(
        response.headers.to().is_ok_and(|to| to.tag().is_some()),
        "a To tag"
    );
    bench.hear_from(bench.hop, text, false);
    assert!(bench.sent().is_empty(), "a stranger hears nothing");
    let stats = bench.endpoint.stats();
    assert_eq!(
        (stats.refused, stats.screened, stats.transactions),
        (1, 1, 0)
    );
    response
}

fn with(headers: &str) -> String {
    let mut caller = Caller::new("a");
    caller.headers = headers.into();
    caller.invite(OFFER)
}

fn text_of(response: &Response, name: &HeaderName) -> String {
    let value = response.headers.get(name).expect("the header");
    String::from_utf8_lossy(value).into_owned()
}

#[test]
fn a_required_extension_is_named_in_420() {
    let response = refused(&with("Require: timer, 100rel, foo, replaces, bar\r\n"));
    assert_eq!(response.status, Status::BAD_EXTENSION);
    assert_eq!(text_of(&response, &HeaderName::Unsupported), "foo, bar");
}

#[test]
fn a_body_that_is_no_sdp_gets_415_unless_it_is_optional() {
    let html = "Content-Type: text/html\r\n";
    let response = refused(&with(html));
    assert_eq!(response.status, Status::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(text_of(&response, &HeaderName::Accept), "application/sdp");
    let mut bench = Bench::new();
    bench.hear(&with(&format!(
        "{html}Content-Disposition: render; handling=optional\r\n"
    )));
    bench.invited();
    let response = refused(&with("Content-Encoding: gzip\r\n"));
    assert!(response.headers.has(&HeaderName::AcceptEncoding));
}

#[test]
fn a_huge_body_gets_413() {
    let text = Caller::new("a").invite(&"a".repeat(40_000));
    assert_eq!(refused(&text).status, Status::REQUEST_ENTITY_TOO_LARGE);
}

#[test]
fn an_unknown_scheme_gets_416_and_a_tel_uri_is_a_call() {
    let text = with("").replace("INVITE sip:menu@10.0.0.1", "INVITE nobody:menu");
    assert_eq!(refused(&text).status, Status::UNSUPPORTED_URI_SCHEME);
    let mut bench = Bench::new();
    bench.hear(&with("").replace("INVITE sip:menu@10.0.0.1", "INVITE tel:+15551234"));
    bench.invited();
}

#[test]
fn methods_are_refused_by_whether_they_are_known() {
    for (method, status) in [
        ("SUBSCRIBE", Status::METHOD_NOT_ALLOWED),
        ("PUBLISH", Status::METHOD_NOT_ALLOWED),
        ("NOTIFY", Status::METHOD_NOT_ALLOWED),
        ("FOO", Status::NOT_IMPLEMENTED),
        ("BYE", Status::CALL_DOES_NOT_EXIST),
        ("INFO", Status::CALL_DOES_NOT_EXIST),
        ("PRACK", Status::CALL_DOES_NOT_EXIST),
        ("REFER", Status::FORBIDDEN),
    ] {
        let response = refused(&Caller::new("a").next(method, "", ""));
        assert_eq!(response.status, status, "{method}");
        let is_about_methods =
            matches!(status, Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED);
        assert_eq!(response.headers.has(&HeaderName::Allow), is_about_methods);
    }
}

#[test]
fn requests_for_a_call_that_is_not_here_get_481_and_an_ack_nothing() {
    let mut caller = Caller::new("a");
    caller.to_tag = "gone".into();
    for method in ["BYE", "INFO", "UPDATE", "INVITE", "OPTIONS", "NOTIFY"] {
        let response = refused(&caller.next(method, "", ""));
        assert_eq!(response.status, Status::CALL_DOES_NOT_EXIST, "{method}");
    }
    let mut bench = Bench::new();
    bench.hear(&caller.ack(""));
    assert!(bench.sent().is_empty());
    assert_eq!(bench.endpoint.stats().stray_acks, 1);
}

#[test]
fn a_request_that_came_by_two_ways_is_taken_once() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    bench.hear(&caller.invite(OFFER));
    bench.invited();
    caller.branch += 1;
    bench.hear(&caller.invite(OFFER));
    assert_eq!(bench.words(), ["482 INVITE"]);
    assert!(bench.events().is_empty());
}

#[test]
fn max_forwards_of_zero_is_no_obstacle_at_the_end_of_the_way() {
    let mut bench = Bench::new();
    bench.hear(&with("").replace("Max-Forwards: 70", "Max-Forwards: 0"));
    bench.invited();
}

#[test]
fn malformed_requests_get_400_and_hopeless_ones_silence() {
    let text = with("").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    assert_eq!(refused(&text).status, Status::BAD_REQUEST);
    let no_contact = with("").replace("Contact: <sip:alice@10.0.0.9:5070>\r\n", "");
    assert_eq!(refused(&no_contact).status, Status::BAD_REQUEST);
    let mut bench = Bench::new();
    bench.hear("garbage\r\n\r\n");
    bench.hear("INVITE sip:a@b SIP/2.0\r\n\r\n");
    assert!(bench.sent().is_empty());
    assert_eq!(bench.endpoint.stats().dropped, 2);
}

#[test]
fn a_session_interval_under_the_minimum_gets_422() {
    let response = refused(&with("Supported: timer\r\nSession-Expires: 60\r\n"));
    assert_eq!(response.status, Status::SESSION_INTERVAL_TOO_SMALL);
    assert_eq!(text_of(&response, &HeaderName::MinSe), "90");
}

#[test]
fn calls_beyond_the_limit_get_503_with_retry_after_and_running_ones_are_served() {
    let limits = Limits {
        transactions: 8,
        dialogs: 2,
    };
    let mut bench = Bench::with(EndpointConfig { limits, ..config() }, super::kit::udp());
    let mut caller = Caller::new("a");
    bench.call(&mut caller);
    bench.hear(&Caller::new("b").invite(OFFER));
    bench.invited();
    bench.hear(&Caller::new("c").invite(OFFER));
    let response = bench.response();
    assert_eq!(response.status, Status::SERVICE_UNAVAILABLE);
    assert!(response.headers.has(&HeaderName::RetryAfter));
    for number in 0..20 {
        bench.hear(&Caller::new(&format!("o{number}")).next("OPTIONS", "", ""));
    }
    assert_eq!(bench.endpoint.stats().transactions, 8);
    bench.sent();
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
    assert!(bench.endpoint.stats().overloaded > 10);
}

#[test]
fn options_register_and_message_are_the_owners_to_answer() {
    let mut bench = Bench::new();
    let options = Caller::new("a").next("OPTIONS", "", "");
    bench.hear(&options);
    let request = bench.asked();
    let message = super::kit::request(&options);
    let ok = Response::to(&message, Status::OK);
    bench.act(|endpoint, now| endpoint.respond(now, request, ok));
    bench.hear(&options);
    assert_eq!(bench.words(), ["200 OPTIONS", "200 OPTIONS"]);

    let register = Caller::new("b").next("REGISTER", "", "");
    bench.hear(&register);
    assert!(matches!(bench.events().as_slice(), [Event::Request { .. }]));
    bench.hear(&register);
    assert!(bench.events().is_empty(), "a resend waits like its first");

    bench.hear(&Caller::new("c").next("OPTIONS", "", ""));
    let request = bench.asked();
    bench.act(|endpoint, _| endpoint.ignore_request(request));
    assert!(bench.sent().is_empty());

    let headers = "Content-Type: text/plain;charset=utf-8\r\n";
    bench.hear(&Caller::new("d").next("MESSAGE", headers, "hällo"));
    let events = bench.events();
    let [Event::Request { message, .. }] = events.as_slice() else {
        panic!("no message: {events:?}");
    };
    assert_eq!(message.body, "hällo".as_bytes());
}
