//! Messages by SIP: who may send them, whom they reach, and what their senders are told.

use super::kit::*;
use super::*;
use crate::sip::Account;
use crate::sip::message::{HeaderName, Message, Request};
use crate::store::messages::MessageDirection;
use crate::store::trunks::TrunkOut;
use crate::switch::{Input, OutsideRequest, Report};

mod sending;

const NUMBER: &str = "+15550100";

/// A world with the extensions 1000 and 1001, and a number whose messages are answered with `thank you`
/// and told to a webhook.
fn texting(seed: u64, trunks: Vec<TrunkOut>) -> Plan {
    let sms = json!([
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST",
            "data": "${voipbin.message.source.number}: ${voipbin.message.text}",
        }},
        {"type": "conversation_send", "option": {
            "conversation_id": "${voipbin.conversation.id}", "text": "thank you", "sync": true,
        }},
    ]);
    let mut plan = plan_with(seed, trunks).flow("sms", sms);
    plan.numbers.push((NUMBER, "sms"));
    plan.extensions = vec![("1000", "first"), ("1001", "second")];
    plan.trunks = vec![("trunk", "203.0.113.0/24")];
    plan.providers.message = false;
    plan
}

/// A telephone that has registered.
fn extension(world: &mut World, name: &str, password: &str, ip: &str) -> PhoneId {
    let phone = world.phone(name, ip);
    world.with(phone, |phone, now| {
        phone.habits.password = Some(password.to_owned());
        phone.register(now);
    });
    world.pass_ms(50);
    assert_eq!(world.words(phone), ["401 REGISTER", "200 REGISTER"]);
    phone
}

fn text(world: &mut World, phone: PhoneId, name: &str, text: &str) {
    world.with(phone, |phone, now| phone.message(now, name, text));
    world.pass_ms(50);
}

/// A MESSAGE as somebody without any name would write it.
fn raw(number: u32, uri: &str, headers: &str, body: &[u8]) -> bytes::Bytes {
    let head = format!(
        "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bKraw{number}\r\n\
         From: <sip:nobody@10.0.0.9>;tag=a\r\nTo: <{uri}>\r\nCall-ID: raw{number}\r\n\
         CSeq: {number} MESSAGE\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

impl World {
    /// What became of the newest message that left, at each of its targets.
    fn standings(&self) -> Vec<&'static str> {
        let newest = self.reports.iter().rev().find_map(|report| match report {
            Report::Message { message, .. } if message.direction == MessageDirection::Outbound => {
                Some(message)
            }
            _ => None,
        });
        let targets = &newest.expect("a message has left").targets;
        targets
            .iter()
            .map(|target| target.status.as_str())
            .collect()
    }

    /// The newest MESSAGE that a telephone got.
    fn messaged(&self, phone: PhoneId) -> &Request {
        let seen = self.at(phone).last("MESSAGE").expect("it got a message");
        match &seen.message {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request"),
        }
    }

    /// The bodies of webhooks.
    fn told(&self) -> Vec<String> {
        let body = |request: &'_ OutsideRequest| match request {
            OutsideRequest::Webhook { body, .. } => Some(body.clone()),
            _ => None,
        };
        self.asked.iter().filter_map(body).collect()
    }
}

#[test]
fn message_of_an_extension_runs_the_flow_of_the_number_which_answers_it() {
    let mut world = texting(740, Vec::new()).build();
    let alice = extension(&mut world, "1000", "first", "10.0.0.21");
    text(&mut world, alice, NUMBER, "are you open?");
    world.pass_ms(1000);
    assert_eq!(world.told(), ["1000: are you open?"]);
    assert_eq!(
        world.words(alice)[2..],
        ["401 MESSAGE", "200 MESSAGE", "MESSAGE"]
    );
    assert_eq!(world.at(alice).texts(), ["thank you"]);
    let answer = world.messaged(alice);
    let from = answer.headers.from().unwrap().uri.to_string();
    assert_eq!(from, "sip:+15550100@10.0.0.1");
    let kind = answer.headers.get(&HeaderName::ContentType).unwrap();
    assert_eq!(kind, "text/plain;charset=UTF-8");
    assert!(!answer.headers.has(&HeaderName::Contact), "RFC 3428 §4");
    assert_eq!(world.standings(), ["delivered"]);
    world.settle();
}

#[test]
fn who_sends_a_message_must_be_known_and_prove_the_extension_it_claims() {
    let mut world = texting(741, Vec::new()).build();
    let impostor = world.phone("1000", "10.0.0.22");
    let liar = world.phone("1000", "10.0.0.23");
    world.with(liar, |phone, _| {
        phone.habits.password = Some("guess".to_owned())
    });
    let stranger = world.phone("1000", "198.51.100.9");
    let neighbour = world.phone("bob", "10.0.0.24");
    let trunk = world.phone("+15559990000", "203.0.113.5");
    for phone in [impostor, liar, stranger, neighbour, trunk] {
        text(&mut world, phone, NUMBER, "hello");
    }
    world.pass_ms(1000);
    assert_eq!(world.words(impostor), ["401 MESSAGE"]);
    assert_eq!(world.words(liar), ["401 MESSAGE"; 2]);
    assert_eq!(world.words(stranger), [""; 0]);
    assert_eq!(world.words(neighbour)[0], "200 MESSAGE");
    assert_eq!(world.words(trunk)[0], "200 MESSAGE");
    let told = ["bob@10.0.0.24: hello", "+15559990000: hello"];
    assert_eq!(world.told(), told);
    world.settle();
}

#[test]
fn only_text_of_reasonable_length_is_taken() {
    let plain = "Content-Type: text/plain\r\n";
    let long = vec![b'a'; (16 << 10) + 1];
    let table: [(&str, &[u8], &str); 11] = [
        (plain, b"hi", "200 MESSAGE"),
        (
            "Content-Type: TEXT/Plain;charset=\"UTF-8\"\r\n",
            "h\u{e9}".as_bytes(),
            "200 MESSAGE",
        ),
        (plain, &long[1..], "200 MESSAGE"),
        (plain, &long, "413 MESSAGE"),
        (plain, b"", "400 MESSAGE"),
        (plain, b" \r\n", "400 MESSAGE"),
        (plain, b"\xff\xfe", "400 MESSAGE"),
        (
            "Content-Type: text/plain;charset=latin1\r\n",
            b"hi",
            "415 MESSAGE",
        ),
        ("Content-Type: text/html\r\n", b"<b>hi</b>", "415 MESSAGE"),
        (
            "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
            b"hi",
            "415 MESSAGE",
        ),
        ("", b"hi", "400 MESSAGE"),
    ];
    let mut world = texting(742, Vec::new()).build();
    let phone = world.phone("nobody", "10.0.0.9");
    for (number, (headers, body, answer)) in (1..).zip(table) {
        let message = raw(number, "sip:+15550100@10.0.0.1", headers, body);
        world.inject(phone, message);
        world.pass_ms(20);
        let words = world.words(phone).into_iter();
        let answers: Vec<&str> = words.filter(|word| word.ends_with("MESSAGE")).collect();
        let last = answers.iter().rev().find(|word| **word != "MESSAGE");
        assert_eq!(last, Some(&answer), "{headers:?} {}", body.len());
        if answer.starts_with("415") && !headers.contains("gzip") {
            let seen = world.at(phone).last(answer).unwrap();
            assert!(format!("{:?}", seen.message).contains("text/plain;charset=UTF-8"));
        }
    }
    world.settle();
}

#[test]
fn message_between_extensions_is_answered_as_its_telephones_answer() {
    for (answers, told, standing) in [
        (&[200][..], "200 MESSAGE", "delivered"),
        (&[202], "200 MESSAGE", "sent"),
        (&[486, 200], "200 MESSAGE", "delivered"),
        (&[486], "486 MESSAGE", "failed"),
        (&[603], "603 MESSAGE", "failed"),
        (&[405], "480 MESSAGE", "failed"),
        (&[], "480 MESSAGE", "failed"),
    ] {
        let mut world = texting(743, Vec::new()).build();
        let alice = extension(&mut world, "1000", "first", "10.0.0.21");
        for (status, ip) in answers.iter().zip(["10.0.0.31", "10.0.0.32"]) {
            let bob = extension(&mut world, "1001", "second", ip);
            world.with(bob, |phone, _| phone.habits.messaged = *status);
        }
        text(&mut world, alice, "1001", "lunch?");
        assert_eq!(world.words(alice).last(), Some(&told), "{answers:?}");
        assert_eq!(world.standings(), [standing], "{answers:?}");
        world.settle();
    }
}

#[test]
fn message_for_a_silent_telephone_is_accepted_after_ten_seconds_and_fails_later() {
    let mut world = texting(744, Vec::new()).build();
    let alice = extension(&mut world, "1000", "first", "10.0.0.21");
    let bob = extension(&mut world, "1001", "second", "10.0.0.31");
    world.with(bob, |phone, _| phone.habits.answers = false);
    text(&mut world, alice, "1001", "lunch?");
    let since = world.now;
    world.pass(Duration::from_secs(9));
    assert_eq!(world.words(alice).last(), Some(&"401 MESSAGE"));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.words(alice).last(), Some(&"202 MESSAGE"));
    assert_eq!(world.standings(), ["queued"]);
    let told = world.at(alice).last("202 MESSAGE").unwrap().at - since;
    assert!((9900..10_000).contains(&told.as_millis()), "{told:?}");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.standings(), ["failed"]);
    assert_eq!(world.words(alice).last(), Some(&"202 MESSAGE"));
    assert_eq!(world.at(bob).texts(), ["lunch?"], "one message, sent again");
    world.settle();
}

#[test]
fn extension_gets_messages_of_trunks_and_not_of_unknown_neighbours() {
    let mut world = texting(745, Vec::new()).build();
    let bob = extension(&mut world, "1001", "second", "10.0.0.31");
    let neighbour = world.phone("neighbour", "10.0.0.24");
    let trunk = world.phone("+15559990000", "203.0.113.5");
    text(&mut world, neighbour, "1001", "spam");
    text(&mut world, trunk, "1001", "hello");
    text(&mut world, trunk, "1002", "hello");
    assert_eq!(world.words(neighbour), ["404 MESSAGE"]);
    assert_eq!(world.words(trunk), ["200 MESSAGE", "404 MESSAGE"]);
    assert_eq!(world.at(bob).texts(), ["hello"]);
    let from = world.messaged(bob).headers.from().unwrap().uri.to_string();
    assert_eq!(from, "sip:+15559990000@10.0.0.1");
    world.settle();
}

#[test]
fn trunk_that_we_are_registered_at_sends_messages_for_the_number_in_to() {
    let trunk = TrunkOut {
        account: Some(Account {
            username: "us".to_owned(),
            password: "secret".to_owned(),
        }),
        register: true,
        ..out("carrier.example")
    };
    let mut world = texting(746, vec![trunk]).build();
    let trunk = world.trunk("carrier.example", "198.51.100.5");
    world.with(trunk, |phone, _| {
        phone.habits.registered = (200, "Expires: 600\r\n".to_owned());
    });
    world.pass_ms(200);
    let message = raw(
        1,
        "sip:us@10.0.0.1",
        "Content-Type: text/plain\r\n",
        b"hello",
    );
    let message = String::from_utf8(message.to_vec()).unwrap();
    let message = message.replace(
        "To: <sip:us@10.0.0.1>",
        "To: <sip:+15550100@carrier.example>",
    );
    world.inject(trunk, message.into());
    world.pass_ms(500);
    assert_eq!(world.told(), ["nobody@10.0.0.9: hello"]);
    world.settle();
}

#[test]
fn flood_of_messages_is_cut_off_and_nothing_of_it_is_kept() {
    let mut world = texting(747, Vec::new()).build();
    let phone = world.phone("nobody", "10.0.0.9");
    let other = world.phone("other", "10.0.0.10");
    let log = logged(|| {
        for number in 1..=2000 {
            let headers = "Content-Type: text/html\r\n";
            world.inject(phone, raw(number, "sip:+15550100@10.0.0.1", headers, b"x"));
        }
    });
    world.pass_ms(100);
    assert_eq!(world.words(phone).len(), 100, "a burst is answered");
    assert_eq!(log.matches("too many messages").count(), 1);
    text(&mut world, other, NUMBER, "hello");
    assert_eq!(
        world.words(other)[0],
        "200 MESSAGE",
        "others are not held up"
    );
    let left = world.switch.leftovers();
    let transactions = left
        .iter()
        .find(|(what, _)| what.starts_with("transactions"));
    assert!(
        transactions.is_some_and(|(_, count)| *count < 150),
        "{left:?}"
    );
    world.settle();
}

#[test]
fn stopping_and_overloaded_switch_take_no_messages() {
    let mut world = texting(748, Vec::new()).build();
    let phone = world.phone("nobody", "10.0.0.9");
    world.input(Input::Overload(true));
    text(&mut world, phone, NUMBER, "hello");
    assert_eq!(world.words(phone), ["503 MESSAGE"]);
    world.settle();
}

#[test]
fn lost_doubled_and_late_messages_are_one_message() {
    let mut world = texting(755, Vec::new()).build();
    let alice = extension(&mut world, "1000", "first", "10.0.0.21");
    let bob = extension(&mut world, "1001", "second", "10.0.0.31");
    world.sip.weather.lost = 30;
    world.sip.weather.doubled = 30;
    world.sip.weather.spread = Duration::from_millis(300);
    for number in 0..50 {
        world.with(alice, |phone, now| {
            phone.message(now, "1001", &number.to_string())
        });
        world.pass(Duration::from_secs(2));
    }
    world.pass(Duration::from_secs(40));
    let mut texts = world.at(bob).texts();
    texts.sort_unstable();
    let before = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), before, "none came as two");
    assert!(before >= 45, "{before} of 50");
    world.sip.weather = crate::sim::net::Weather::default();
    world.settle();
}
