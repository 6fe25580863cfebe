//! A registration of ours at a trunk, for days.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::kit::{Bench, address, reply, request, udp};
use crate::ids::Rng;
use crate::sip::message::{HeaderName, Message, NameAddr, Request, Response, Status, Uri};
use crate::sip::registration::{Registration, RegistrationConfig, RegistrationEvent, Setback};
use crate::sip::{Account, Event, NoAnswer};

const CONTACT: &str = "<sip:line@10.0.0.1:5060>";

fn uri(text: &str) -> Uri {
    Uri::parse(text.as_bytes()).expect("a uri of the test")
}

fn config() -> RegistrationConfig {
    RegistrationConfig {
        registrar: uri("sip:trunk.example.com"),
        address: NameAddr::new(uri("sip:line@trunk.example.com")),
        account: Some(Account {
            username: "line".into(),
            password: "secret".into(),
        }),
        expires: Duration::from_secs(600),
    }
}

/// A registration, its clock, and the last REGISTER that left.
struct Line {
    registration: Registration,
    now: Instant,
    sent: u32,
    last: Option<Request>,
}

impl Line {
    fn started(seed: u64) -> Self {
        let mut registration = Registration::new(config(), Rng::from_number(seed));
        registration.start();
        let mut line = Self {
            registration,
            now: crate::sim::start(),
            sent: 0,
            last: None,
        };
        line.drain();
        line
    }

    fn drain(&mut self) {
        while self.registration.poll_wish() {
            let ask = self.registration.ask(udp(), CONTACT);
            assert_eq!(ask.uri, uri("sip:trunk.example.com"));
            let (call_id, cseq) = ask.sequence.expect("a registration numbers itself");
            let mut text = format!(
                "REGISTER {} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{cseq}\r\n\
                 From: {}\r\nTo: {}\r\nCSeq: {cseq} REGISTER\r\nCall-ID: {}\r\n",
                ask.uri,
                ask.from.with_tag("t"),
                ask.to,
                String::from_utf8_lossy(&call_id)
            );
            for (name, value) in ask.headers {
                text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(&value)));
            }
            self.last = Some(request(&format!("{text}\r\n")));
            self.sent += 1;
        }
    }

    fn hear(&mut self, status: u16, headers: &str) {
        let request = self.last.take().expect("a REGISTER is out");
        let text = reply(&request, status, headers, "");
        let Ok(Message::Response(response)) = Message::parse_datagram(text.into()) else {
            panic!("no response");
        };
        self.answer(Ok(response));
    }

    fn answer(&mut self, result: Result<Response, NoAnswer>) {
        let now = self.now;
        self.registration
            .handle_responded(now, &result.map(Arc::new));
        self.drain();
    }

    /// Goes to the next thing to do; says how many seconds that took.
    fn pass(&mut self) -> f64 {
        let at = self.registration.poll_timeout().expect("something is due");
        let waited = at - self.now;
        self.now = at;
        self.registration.handle_timeout(at);
        self.drain();
        waited.as_secs_f64()
    }

    fn header(&self, name: HeaderName) -> String {
        let request = self.last.as_ref().expect("a REGISTER is out");
        let value = request.headers.get(&name).expect("the header");
        String::from_utf8_lossy(value).into_owned()
    }

    fn events(&mut self) -> Vec<RegistrationEvent> {
        std::iter::from_fn(|| self.registration.poll_event()).collect()
    }

    fn is_registered(&self) -> bool {
        self.registration.is_registered(self.now)
    }
}

#[test]
fn a_registration_is_refreshed_at_80_to_90_percent_for_days() {
    let mut line = Line::started(1);
    assert_eq!(
        line.header(HeaderName::Contact),
        format!("{CONTACT};expires=600")
    );
    let call_id = line.header(HeaderName::CallId);
    let mut pauses = Vec::new();
    for _ in 0..500 {
        line.hear(
            200,
            &format!("Contact: <sip:old@10.0.0.2>;expires=9\r\nContact: {CONTACT};expires=300"),
        );
        assert!(line.is_registered());
        assert!(line.last.is_none());
        pauses.push(line.pass());
        assert!(line.is_registered(), "also while the refresh is out");
        assert_eq!(line.header(HeaderName::CallId), call_id);
    }
    assert!(
        pauses.iter().all(|pause| (240.0..=270.0).contains(pause)),
        "{pauses:?}"
    );
    assert!(pauses.iter().any(|pause| *pause < 250.0) && pauses.iter().any(|pause| *pause > 260.0));
    let expires = Duration::from_secs(300);
    assert_eq!(
        line.events(),
        vec![RegistrationEvent::Registered { expires }; 500]
    );
    assert_eq!(line.header(HeaderName::CSeq), "1501 REGISTER");
}

#[test]
fn the_time_granted_is_ours_then_everybodys_then_that_of_the_only_one_then_as_asked() {
    let ours = format!("Contact: {CONTACT};expires=100");
    for (headers, seconds) in [
        (format!("{ours}\r\nExpires: 200"), 100),
        (format!("Contact: {CONTACT}\r\nExpires: 200"), 200),
        ("Contact: <sip:line@203.0.113.7:1024>;expires=90".into(), 90),
        (
            "Contact: <sip:a@b>;expires=90\r\nContact: <sip:c@d>;expires=80".into(),
            600,
        ),
        (String::new(), 600),
        (format!("Contact: {CONTACT};expires=1"), 10),
    ] {
        let mut line = Line::started(1);
        line.hear(200, &headers);
        let expires = Duration::from_secs(seconds);
        assert_eq!(
            line.events(),
            [RegistrationEvent::Registered { expires }],
            "{headers}"
        );
    }
}

#[test]
fn an_interval_too_brief_is_raised_once() {
    let mut line = Line::started(1);
    line.hear(423, "Min-Expires: 3600");
    assert_eq!(line.header(HeaderName::Expires), "3600");
    assert!(line.events().is_empty());
    line.hear(423, "Min-Expires: 3600");
    assert!(line.last.is_none());
    assert!(matches!(
        line.events().as_slice(),
        [RegistrationEvent::Failed { .. }]
    ));
}

#[test]
fn failures_are_spaced_from_half_a_minute_to_ten_minutes_and_never_more() {
    for seed in 0..20 {
        let mut line = Line::started(seed);
        for failure in 0..12 {
            line.answer(Err(NoAnswer::TimedOut));
            let most = f64::from(60 << failure.min(4)).min(600.0);
            let pause = line.pass();
            assert!(
                pause >= most / 2.0 && pause <= most,
                "seed {seed}: {pause} of {most}"
            );
        }
        line.hear(200, "");
        line.pass();
        line.answer(Err(NoAnswer::TransportFailed));
        assert!(line.pass() <= 60.0, "seed {seed}: a success begins anew");
    }
}

#[test]
fn a_failure_says_why_and_a_failed_refresh_keeps_the_binding_until_its_end() {
    let mut line = Line::started(1);
    line.hear(200, "Expires: 60");
    line.pass();
    line.hear(403, "");
    let events = line.events();
    let why = Setback::Refused(Status::FORBIDDEN);
    assert!(
        matches!(events.as_slice(), [_, RegistrationEvent::Failed { why: w, .. }] if *w == why),
        "{events:?}"
    );
    assert!(line.is_registered());
    line.pass();
    assert!(!line.is_registered());
}

#[test]
fn retry_after_is_never_undercut_and_has_its_bounds() {
    for (asked, least, most) in [
        ("120 (soon)", 120.0, 132.0),
        ("0", 1.0, 1.1),
        ("99999999", 3600.0, 3960.0),
    ] {
        let mut line = Line::started(4);
        line.hear(503, &format!("Retry-After: {asked}"));
        let pause = line.pass();
        assert!((least..=most).contains(&pause), "{asked}: {pause}");
    }
    let mut line = Line::started(4);
    line.hear(503, "Retry-After: soon");
    assert!(line.pass() >= 30.0);
}

#[test]
fn stopping_says_so_to_the_registrar_and_ends_whatever_it_answers() {
    for answer in [200, 500] {
        let mut line = Line::started(1);
        line.hear(200, "");
        line.events();
        line.registration.stop();
        line.drain();
        assert_eq!(
            line.header(HeaderName::Contact),
            format!("{CONTACT};expires=0")
        );
        assert_eq!(line.header(HeaderName::Expires), "0");
        line.hear(answer, "");
        assert_eq!(line.events(), [RegistrationEvent::Unregistered]);
        assert!(!line.is_registered() && line.registration.is_idle());
        assert_eq!(line.registration.poll_timeout(), None);
    }
}

#[test]
fn stopping_while_the_answer_is_awaited_unregisters_when_it_has_come() {
    let mut line = Line::started(1);
    line.registration.stop();
    line.drain();
    assert_eq!(line.sent, 1);
    line.hear(200, "");
    assert_eq!(line.header(HeaderName::Expires), "0");
    line.hear(200, "");
    assert!(line.registration.is_idle());
    line.registration.start();
    line.drain();
    assert_eq!(line.header(HeaderName::Expires), "600");
}

#[test]
fn stopping_what_never_was_registered_is_silent() {
    let mut line = Line::started(1);
    line.answer(Err(NoAnswer::TimedOut));
    line.events();
    line.registration.stop();
    line.drain();
    assert_eq!(line.sent, 1);
    assert_eq!(line.events(), [RegistrationEvent::Unregistered]);
}

#[test]
fn a_registrar_without_an_address_is_tried_again() {
    let mut registration = Registration::new(config(), Rng::from_number(1));
    let now = crate::sim::start();
    registration.start();
    assert!(registration.poll_wish() && !registration.poll_wish());
    registration.handle_unreachable(now);
    let why = Setback::Unreachable;
    assert!(
        matches!(registration.poll_event(), Some(RegistrationEvent::Failed { why: w, .. }) if w == why)
    );
    registration.handle_timeout(now + Duration::from_secs(60));
    assert!(registration.poll_wish());
}

#[test]
fn a_lost_connection_to_the_registrar_is_made_good_within_seconds() {
    let mut line = Line::started(1);
    line.hear(200, "Service-Route: <sip:edge.example.com;lr>");
    assert_eq!(line.registration.service_route().len(), 1);
    line.registration
        .handle_connection_lost(line.now, address("10.0.0.8:5070"));
    let now = line.now;
    let at = line.registration.poll_timeout().expect("the refresh");
    assert!(at > now + Duration::from_secs(400), "another peer's");
    line.registration.handle_connection_lost(now, udp().remote);
    assert!((1.0..5.0).contains(&line.pass()));
    assert_eq!(line.sent, 2);
}

#[test]
fn a_late_or_unasked_answer_changes_nothing() {
    let mut line = Line::started(1);
    let again = line.last.clone();
    line.hear(200, "");
    line.events();
    line.last = again;
    line.hear(403, "");
    assert!(line.events().is_empty() && line.is_registered());
}

#[test]
fn a_challenged_registration_is_answered_by_the_endpoint_within_its_numbers() {
    let mut bench = Bench::new();
    let mut registration = Registration::new(config(), Rng::from_number(1));
    registration.start();
    let mut numbers = Vec::new();
    for _ in 0..2 {
        assert!(registration.poll_wish());
        let ask = registration.ask(bench.hop, &bench.endpoint.contact(bench.hop, Some("line")));
        let _ = bench.endpoint.ask(bench.now, ask);
        bench.drain();
        let first = bench.request();
        let challenge = "WWW-Authenticate: Digest realm=\"t\", nonce=\"n\", algorithm=MD5";
        bench.hear(&reply(&first, 401, challenge, ""));
        let second = bench.request();
        numbers.extend([&first, &second].map(|sent| sent.headers.cseq().expect("CSeq").number));
        assert!(second.headers.has(&HeaderName::Authorization));
        bench.hear(&reply(
            &second,
            200,
            "Contact: <sip:line@10.0.0.1:5060>;expires=60",
            "",
        ));
        let events = bench.events();
        let [Event::Responded { result, .. }] = events.as_slice() else {
            panic!("no answer: {events:?}");
        };
        registration.handle_responded(bench.now, result);
        assert!(registration.is_registered(bench.now));
        bench.now = registration.poll_timeout().expect("the refresh");
        registration.handle_timeout(bench.now);
    }
    assert_eq!(numbers, [1, 2, 4, 5]);
}
