//! Calls that leave by trunks: which one, in whose name, how often, and what is tried when it fails.

use super::kit::*;
use super::*;
use crate::sim::phone::{Called, Challenge, Say};
use crate::sip::Account;
use crate::sip::message::{HeaderName, Message};
use crate::store::trunks::TrunkOut;

/// A caller who dials `out`, which connects as `option` says, and the trunks `a.example` and `b.example`,
/// of which the second is tried after the first.
fn two_trunks(seed: u64, option: Value) -> (World, PhoneId, [PhoneId; 2]) {
    let second = TrunkOut {
        priority: 2,
        ..out("b.example")
    };
    let mut world = plan_with(seed, vec![out("a.example"), second])
        .flow("out", connect_then_talk(&option))
        .build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunks = [
        world.trunk("a.example", "10.0.1.1"),
        world.trunk("b.example", "10.0.1.2"),
    ];
    (world, caller, trunks)
}

/// One trunk, and a caller who dials `out`, which connects as `option` says.
fn one_trunk(seed: u64, trunk: TrunkOut, option: Value) -> (World, PhoneId, PhoneId) {
    let host = trunk.host.host.to_string();
    let mut world = plan_with(seed, vec![trunk])
        .flow("out", connect_then_talk(&option))
        .build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunk = world.trunk(&host, "10.0.1.1");
    (world, caller, trunk)
}

impl World {
    /// A header of the newest INVITE that a telephone got.
    fn invited(&self, phone: PhoneId, name: &HeaderName) -> Option<String> {
        let invite = self.at(phone).last("INVITE").expect("it was called");
        let Message::Request(request) = &invite.message else {
            return None;
        };
        let value = request.headers.get(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The request URI of the newest INVITE that a telephone got.
    fn asked_for(&self, phone: PhoneId) -> String {
        let invite = self.at(phone).last("INVITE").expect("it was called");
        match &invite.message {
            Message::Request(request) => request.uri.to_string(),
            Message::Response(_) => String::new(),
        }
    }
}

#[test]
fn challenge_of_a_trunk_is_answered_with_its_account() {
    for is_proxy in [false, true] {
        let trunk = TrunkOut {
            account: Some(Account {
                username: "us".to_owned(),
                password: "secret".to_owned(),
            }),
            ..out("a.example")
        };
        let (mut world, caller, trunk) = one_trunk(540, trunk, json!({}));
        world.with(trunk, |phone, _| {
            phone.habits.challenge = Some(Challenge {
                is_proxy,
                ..Challenge::new("a.example", "us", "secret")
            });
        });
        world.when_called(trunk, Called::answers_after(300));
        world.dial(caller, "out");
        world.pass_ms(1000);
        assert_eq!(world.words(trunk), ["INVITE", "ACK", "INVITE", "ACK"]);
        assert_eq!(world.state(caller), PhoneState::Answered);
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn next_trunk_is_tried_after_503_404_and_silence_and_not_after_what_the_callee_decided() {
    for (called, is_next) in [
        (Called::refuses(503), true),
        (Called::refuses(404), true),
        (Called::refuses(500), true),
        (Called::is_dead(), true),
        (Called::refuses(486), false),
        (Called::refuses(480), false),
        (Called::refuses(403), false),
        (Called::refuses(603), false),
    ] {
        let (mut world, caller, [first, second]) = two_trunks(541, json!({}));
        world.when_called(first, called.clone());
        world.when_called(second, Called::answers_after(300));
        world.dial(caller, "out");
        world.pass_ms(7000);
        let was_called = !world.words(second).is_empty();
        assert_eq!(was_called, is_next, "{called:?}");
        if is_next {
            assert_eq!(world.state(second), PhoneState::Answered, "{called:?}");
        }
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn silent_trunk_is_given_up_after_five_seconds_and_passed_over_for_a_minute() {
    let (mut world, caller, [first, second]) = two_trunks(542, json!({}));
    world.when_called(first, Called::is_dead());
    world.when_called(second, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(4900);
    assert_eq!(world.words(second), [""; 0]);
    world.pass_ms(300);
    assert_eq!(world.state(second), PhoneState::Answered);
    world.hang_up(caller);
    world.pass_ms(500);
    let tried = world.words(first).len();
    world.dial(caller, "out");
    world.pass_ms(300);
    assert_eq!(world.state(second), PhoneState::Answered);
    assert_eq!(world.words(first).len(), tried, "not tried again so soon");
    world.hang_up(caller);
    world.pass(Duration::from_secs(65));
    world.when_called(first, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(300);
    assert_eq!(world.state(first), PhoneState::Answered);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn all_addresses_of_a_trunk_are_tried_before_the_next_trunk() {
    let (mut world, caller, [first, second]) = two_trunks(543, json!({}));
    let more = world.trunk("a.example", "10.0.1.9");
    world.when_called(first, Called::refuses(503));
    world.when_called(more, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(500);
    assert_eq!(world.state(more), PhoneState::Answered);
    assert_eq!(world.words(second), [""; 0]);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn only_trunk_is_tried_although_it_was_silent_a_moment_ago() {
    let (mut world, caller, trunk) = one_trunk(544, out("a.example"), json!({}));
    world.when_called(trunk, Called::refuses(503));
    world.dial(caller, "out");
    world.pass(Duration::from_secs(5));
    world.when_called(trunk, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(500);
    assert_eq!(world.state(trunk), PhoneState::Answered);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn trunk_gets_its_prefix_postfix_headers_and_a_number_to_show() {
    let trunk = TrunkOut {
        tech_prefix: "99#".to_owned(),
        tech_postfix: "-x".to_owned(),
        headers: vec![(HeaderName::parse("X-Token").unwrap(), "abc".into())],
        caller_id: Some("+15550001111".to_owned()),
        ..out("a.example")
    };
    for (source, from) in [
        (json!({}), "sip:+15550001111@10.0.0.1"),
        (
            json!({"type": "tel", "target": "+1 (555) 987-6543"}),
            "sip:+15559876543@10.0.0.1",
        ),
        (
            json!({"type": "extension", "target": "1000"}),
            "sip:+15550001111@10.0.0.1",
        ),
    ] {
        let (mut world, caller, trunk) = one_trunk(545, trunk.clone(), json!({"source": source}));
        world.dial(caller, "out");
        world.pass_ms(500);
        let token = HeaderName::parse("X-Token").unwrap();
        assert_eq!(world.invited(trunk, &token).as_deref(), Some("abc"));
        assert!(world.asked_for(trunk).contains("+15551112222-x@a.example"));
        let shown = world.invited(trunk, &HeaderName::From).unwrap();
        assert!(shown.contains(from), "{shown}");
        assert_eq!(world.invited(trunk, &HeaderName::Privacy), None);
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn anonymous_caller_is_unknown_to_all_but_the_trunk_which_asserts_it() {
    let source = json!({"type": "tel", "target": "+15559876543"});
    for (wish, asked, is_private) in [
        ("yes", "", true),
        ("no", "Privacy: id\r\n", false),
        ("auto", "Privacy: id\r\n", true),
        ("auto", "Privacy: none\r\n", false),
        ("", "Privacy: user;header\r\n", true),
        ("", "", false),
    ] {
        let option = json!({"source": source, "anonymous": wish, "destinations": [
            {"type": "tel", "target": "+15551112222"},
            {"type": "sip", "target": "bob@10.0.2.1"},
        ]});
        let (mut world, caller, trunk) = one_trunk(546, out("a.example"), option);
        let bob = world.trunk("bob", "10.0.2.1");
        world.with(caller, |phone, _| phone.habits.headers = asked.to_owned());
        world.dial(caller, "out");
        world.pass_ms(500);
        for (phone, is_trunk) in [(trunk, true), (bob, false)] {
            let from = world.invited(phone, &HeaderName::From).unwrap();
            let is_hidden = from.contains("\"Anonymous\" <sip:anonymous@anonymous.invalid>");
            assert_eq!(is_hidden, is_private, "{wish} {asked} {from}");
            let asserted = world.invited(phone, &HeaderName::PAssertedIdentity);
            let wanted = (is_private && is_trunk).then_some("<sip:+15559876543@10.0.0.1>");
            assert_eq!(asserted.as_deref(), wanted, "{wish} {asked}");
            let privacy = world.invited(phone, &HeaderName::Privacy);
            assert_eq!(privacy.as_deref(), is_private.then_some("id"));
            let whole = format!("{:?}", world.at(phone).last("INVITE").unwrap().message);
            let tells = whole.contains("9876543") || whole.contains("alice");
            assert_eq!(tells, !is_private || is_trunk, "{wish} {asked}");
        }
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn limits_of_a_trunk_hold_and_its_channels_come_back() {
    let table: [(TrunkOut, &str); 4] = [
        (
            TrunkOut {
                channels: 1,
                ..out("a.example")
            },
            "channels",
        ),
        (
            TrunkOut {
                cps: 1,
                ..out("a.example")
            },
            "cps",
        ),
        (
            TrunkOut {
                calls_per_day: 1,
                ..out("a.example")
            },
            "calls_per_day",
        ),
        (
            TrunkOut {
                prefixes: vec!["+49".to_owned()],
                ..out("a.example")
            },
            "no trunk has a prefix",
        ),
    ];
    for (trunk, told) in table {
        let most = usize::from(told != "no trunk has a prefix");
        let (mut world, caller, trunk) = one_trunk(547, trunk, json!({"relay_reason": true}));
        let other = world.phone("other", "10.0.0.22");
        world.when_called(trunk, Called::answers_after(0));
        let log = logged(|| {
            world.dial(caller, "out");
            world.dial(other, "out");
            world.pass_ms(800);
        });
        let told_of = [log, world.ends().join("\n")];
        let is_told = told_of.iter().any(|text| text.contains(told));
        assert!(is_told, "{told}: {told_of:?}");
        let calls = world
            .words(trunk)
            .iter()
            .filter(|word| **word == "INVITE")
            .count();
        assert_eq!(calls, most, "{told}");
        let refusal = if most == 0 {
            "404 INVITE"
        } else {
            "503 INVITE"
        };
        assert_eq!(world.words(other).last(), Some(&refusal), "{told}");
        world.hang_up(caller);
        world.pass(Duration::from_secs(2));
        world.dial(other, "out");
        world.pass_ms(500);
        let is_answered = world.state(other) == PhoneState::Answered;
        assert_eq!(is_answered, matches!(told, "channels" | "cps"), "{told}");
        world.hang_up(other);
        world.settle();
    }
}

#[test]
fn host_that_is_neither_trunk_nor_private_nor_allowed_is_not_called() {
    for (target, is_called) in [
        ("bob@10.0.2.1", true),
        ("bob@pbx.example", true),
        ("bob@a.example", true),
        ("+15550000000@a.example", true),
        ("+4930000000@a.example", false),
        ("bob@203.0.113.9", false),
        ("bob@evil.example", false),
        ("bob@nowhere.example", false),
        ("bob@10.0.0.1", false),
        ("bob@10.0.2.1;transport=tls", false),
        ("bob@evil.example;maddr=10.0.2.1", false),
    ] {
        let option = json!({"destinations": [{"type": "sip", "target": target}]});
        let trunk = TrunkOut {
            prefixes: vec!["+1".to_owned()],
            ..out("a.example")
        };
        let (mut world, caller, trunk) = one_trunk(548, trunk, option);
        let phones = [
            world.trunk("pbx.example", "10.0.2.1"),
            world.trunk("evil.example", "203.0.113.9"),
        ];
        world.dial(caller, "out");
        world.pass_ms(800);
        let reached = phones
            .iter()
            .chain([&trunk])
            .any(|phone| !world.words(*phone).is_empty());
        assert_eq!(reached, is_called, "{target}");
        assert_eq!(world.words(phones[1]), [""; 0], "{target}");
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn redirection_is_followed_where_the_policy_allows_it_and_without_the_account() {
    for contact in [
        "sip:eve@10.0.2.1",
        "sip:eve@203.0.113.9",
        "sip:+15550000000@b.example",
    ] {
        let trunk = TrunkOut {
            account: Some(Account {
                username: "us".to_owned(),
                password: "secret".to_owned(),
            }),
            ..out("a.example")
        };
        let mut world = plan_with(549, vec![trunk, out("b.example")])
            .flow("out", connect_then_talk(&json!({})))
            .build();
        let caller = world.phone("alice", "10.0.0.21");
        let first = world.trunk("a.example", "10.0.1.1");
        let others = [
            world.trunk("eve", "10.0.2.1"),
            world.trunk("b.example", "10.0.1.2"),
            world.trunk("stranger", "203.0.113.9"),
        ];
        world.when_called(first, Called::redirects(contact));
        for other in others {
            world.with(other, |phone, _| {
                phone.habits.challenge = Some(Challenge::new("a.example", "us", "secret"));
            });
            world.when_called(other, Called::answers_after(0));
        }
        world.dial(caller, "out");
        world.pass_ms(1000);
        let eve = !world.words(others[0]).is_empty();
        assert_eq!(eve, contact.contains("10.0.2.1"), "{contact}");
        for other in others {
            let calls = world
                .words(other)
                .iter()
                .filter(|word| **word == "INVITE")
                .count();
            assert!(calls <= 1, "{contact}: no proof was given");
        }
        assert_eq!(world.words(others[2]), [""; 0], "{contact}");
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn redirection_of_a_redirection_is_not_followed() {
    let (mut world, caller, [first, _]) = two_trunks(550, json!({}));
    let eve = world.trunk("eve", "10.0.2.1");
    let mallory = world.trunk("mallory", "10.0.2.2");
    world.when_called(first, Called::redirects("sip:eve@10.0.2.1"));
    world.when_called(eve, Called::redirects("sip:mallory@10.0.2.2"));
    world.dial(caller, "out");
    world.pass_ms(1000);
    assert_eq!(world.words(eve), ["INVITE", "ACK"]);
    assert_eq!(world.words(mallory), [""; 0]);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn next_trunk_is_tried_after_503_also_when_it_has_rung() {
    let (mut world, caller, [first, second]) = two_trunks(551, json!({}));
    let called = Called::says([(0, Say::Ringing), (3000, Say::Refuse(503, String::new()))]);
    world.when_called(first, called);
    world.when_called(second, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(4000);
    assert_eq!(world.state(second), PhoneState::Answered);
    world.hang_up(caller);
    world.settle();
}
