//! The rules of RFC 3261 §10.3.

use std::time::{Duration, Instant};

use super::{MAX_BINDINGS, Registrar};
use crate::sip::Hop;
use crate::sip::message::{HeaderName, Response, Status};
use crate::sip::tests::kit::{Caller, address, request, tcp, udp};

const SECOND: Duration = Duration::from_secs(1);

struct Phone {
    registrar: Registrar,
    caller: Caller,
    now: Instant,
    hop: Hop,
}

impl Phone {
    fn new() -> Self {
        Self {
            registrar: Registrar::new(),
            caller: Caller::new("a"),
            now: crate::sim::start(),
            hop: udp(),
        }
    }

    fn register(&mut self, headers: &str) -> Response {
        let text = self.caller.next("REGISTER", headers, "");
        self.apply(&text)
    }

    /// A REGISTER without Contact.
    fn ask(&mut self) -> Response {
        let text = self.caller.next("REGISTER", "", "");
        self.apply(&text.replace("Contact: <sip:alice@10.0.0.9:5070>\r\n", ""))
    }

    fn apply(&mut self, text: &str) -> Response {
        self.registrar
            .handle_register(self.now, "1000", &request(text), self.hop)
    }

    fn bound(&self) -> Vec<String> {
        let bindings = self.registrar.bindings("1000");
        bindings
            .iter()
            .map(|binding| binding.contact.to_string())
            .collect()
    }
}

fn contacts(response: &Response) -> Vec<String> {
    let contacts = response.headers.get_all(&HeaderName::Contact);
    contacts
        .map(|contact| String::from_utf8_lossy(contact).into_owned())
        .collect()
}

#[test]
fn a_contact_is_bound_for_an_hour_unless_it_says_otherwise() {
    let mut phone = Phone::new();
    let response = phone.register("Contact: <sip:a@10.0.0.9>\r\n");
    assert_eq!(contacts(&response), ["<sip:a@10.0.0.9>;expires=3600"]);
    let response = phone.register("Contact: <sip:a@10.0.0.9>;expires=120\r\nExpires: 600\r\n");
    assert_eq!(
        contacts(&response),
        ["<sip:a@10.0.0.9>;expires=120"],
        "its own word first"
    );
    let response = phone.register("Contact: <sip:a@10.0.0.9>\r\nExpires: 99999\r\n");
    assert_eq!(contacts(&response), ["<sip:a@10.0.0.9>;expires=7200"]);
}

#[test]
fn bindings_are_listed_with_the_time_they_have_left() {
    let mut phone = Phone::new();
    phone.register("Contact: <sip:a@10.0.0.9>;q=0.5, <sip:b@10.0.0.8>;expires=100\r\n");
    phone.now += 40 * SECOND;
    let listed = contacts(&phone.ask());
    assert_eq!(
        listed,
        [
            "<sip:b@10.0.0.8>;expires=60",
            "<sip:a@10.0.0.9>;expires=3560"
        ]
    );
}

#[test]
fn a_binding_ends_by_itself() {
    let mut phone = Phone::new();
    phone.register("Contact: <sip:a@10.0.0.9>;expires=60, <sip:b@10.0.0.8>;expires=90\r\n");
    let end = phone.now + 60 * SECOND;
    assert_eq!(phone.registrar.poll_timeout(), Some(end));
    phone.registrar.handle_timeout(end);
    assert_eq!(phone.bound(), ["sip:b@10.0.0.8"]);
    assert_eq!(phone.registrar.poll_timeout(), Some(end + 30 * SECOND));
    phone.registrar.handle_timeout(end + 30 * SECOND);
    assert!(phone.registrar.is_empty());
    assert_eq!(phone.registrar.poll_timeout(), None);
    assert!(!phone.registrar.is_source_registered(phone.hop.remote));
}

#[test]
fn expires_zero_removes_one_and_the_wildcard_all() {
    let mut phone = Phone::new();
    phone.register("Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.8>, <sip:c@10.0.0.7>\r\n");
    phone.register("Contact: <sip:b@10.0.0.8>;expires=0\r\n");
    assert_eq!(phone.bound(), ["sip:a@10.0.0.9", "sip:c@10.0.0.7"]);
    for wrong in ["Contact: *\r\n", "Contact: *\r\nExpires: 60\r\n"] {
        assert_eq!(phone.register(wrong).status, Status::BAD_REQUEST);
    }
    assert_eq!(phone.bound().len(), 2);
    let response = phone.register("Contact: *\r\nExpires: 0\r\n");
    assert_eq!((response.status, contacts(&response)), (Status::OK, vec![]));
    assert!(phone.bound().is_empty());
}

#[test]
fn an_interval_under_a_minute_is_too_brief() {
    let mut phone = Phone::new();
    let response = phone.register("Contact: <sip:a@10.0.0.9>\r\nExpires: 59\r\n");
    assert_eq!(response.status, Status::INTERVAL_TOO_BRIEF);
    let min = response.headers.get(&HeaderName::MinExpires);
    assert_eq!(min.map(AsRef::as_ref), Some(&b"60"[..]));
}

#[test]
fn a_request_is_applied_wholly_or_not_at_all() {
    let mut phone = Phone::new();
    phone.register("Contact: <sip:a@10.0.0.9>\r\n");
    let brief =
        "Contact: <sip:a@10.0.0.9>;expires=0, <sip:b@10.0.0.8>, <sip:c@10.0.0.7>;expires=5\r\n";
    assert_eq!(phone.register(brief).status, Status::INTERVAL_TOO_BRIEF);
    assert_eq!(phone.bound(), ["sip:a@10.0.0.9"]);
    let foreign = "Contact: <sip:b@10.0.0.8>, <mailto:a@b.example>\r\n";
    assert_eq!(phone.register(foreign).status, Status::BAD_REQUEST);
    assert_eq!(phone.bound(), ["sip:a@10.0.0.9"]);
}

#[test]
fn an_older_request_changes_nothing() {
    let mut phone = Phone::new();
    let late = phone
        .caller
        .next("REGISTER", "Contact: <sip:a@10.0.0.9>;expires=0\r\n", "");
    let late_wildcard = phone
        .caller
        .next("REGISTER", "Contact: *\r\nExpires: 0\r\n", "");
    phone.register("Contact: <sip:a@10.0.0.9>\r\n");
    for text in [late, late_wildcard] {
        assert_eq!(phone.apply(&text).status, Status::SERVER_INTERNAL_ERROR);
    }
    assert_eq!(phone.bound(), ["sip:a@10.0.0.9"]);
    phone.caller = Caller::new("restarted");
    let response = phone.register("Contact: <sip:a@10.0.0.9>;expires=0\r\n");
    assert_eq!(
        response.status,
        Status::OK,
        "another Call-ID has an order of its own"
    );
    assert!(phone.bound().is_empty());
}

#[test]
fn the_same_place_written_otherwise_is_one_binding() {
    let mut phone = Phone::new();
    phone.register("Contact: <sip:a@Phone.Example.com>\r\n");
    phone.register("Contact: \"Alice\" <sip:%61@phone.example.com>\r\n");
    assert_eq!(phone.bound().len(), 1);
    phone.register("Contact: <sip:a@10.0.0.9:5062>;+sip.instance=\"<urn:uuid:1>\"\r\n");
    phone.register("Contact: <sip:a@10.0.0.9:5063>;+sip.instance=\"<urn:uuid:1>\"\r\n");
    assert_eq!(phone.bound().len(), 2, "a device that moved is bound once");
}

#[test]
fn bindings_of_one_extension_are_bounded() {
    let mut phone = Phone::new();
    for port in 0..MAX_BINDINGS {
        let contact = format!("Contact: <sip:a@10.0.0.9:{}>\r\n", 6000 + port);
        assert_eq!(phone.register(&contact).status, Status::OK);
    }
    assert_eq!(
        phone.register("Contact: <sip:a@10.0.0.9:7000>\r\n").status,
        Status::FORBIDDEN
    );
    assert_eq!(phone.bound().len(), MAX_BINDINGS);
}

#[test]
fn path_and_source_are_kept_for_calls_to_the_phone() {
    let mut phone = Phone::new();
    phone.hop.remote = address("203.0.113.5:40000");
    let response = phone.register(
        "Contact: <sip:a@192.168.1.9>\r\nSupported: path\r\nPath: <sip:edge.example.com;lr>\r\n",
    );
    assert!(response.headers.has(&HeaderName::Path));
    let binding = &phone.registrar.bindings("1000")[0];
    assert_eq!(binding.hop, phone.hop);
    assert_eq!(binding.path.len(), 1);
    assert!(phone.registrar.is_source_registered(phone.hop.remote));
    assert!(
        !phone
            .registrar
            .is_source_registered(address("203.0.113.5:40001"))
    );
}

#[test]
fn a_lost_connection_is_taken_off_its_bindings_only() {
    let mut phone = Phone::new();
    phone.hop = tcp();
    phone.register("Contact: <sip:a@10.0.0.9;transport=tcp>\r\n");
    let other = Hop {
        connection: Some(crate::sip::ConnectionId(8)),
        ..tcp()
    };
    phone.registrar.handle_connection_lost(other);
    assert_eq!(phone.registrar.bindings("1000")[0].hop, tcp());
    phone.registrar.handle_connection_lost(tcp());
    assert_eq!(phone.registrar.bindings("1000")[0].hop.connection, None);
}
