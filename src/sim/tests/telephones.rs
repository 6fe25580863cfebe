//! Telephones among themselves, without the switch: what the stories rest on.

use super::*;
use crate::sim::phone::{Called, Challenge, Say, Session};
use crate::sip::Transport;
use crate::sip::message::{Algorithm, Method};

/// A caller and a telephone that is called, and behaves like this.
fn pair(seed: u64, called: Called) -> (World, PhoneId, PhoneId) {
    let mut world = Plan::new(seed).build();
    let caller = world.phone("alice", "10.0.0.21");
    let callee = world.phone("bob", "10.0.0.22");
    world.when_called(callee, called);
    world.with(caller, |phone, _| phone.habits.tone = Some(400));
    world.with(callee, |phone, _| phone.habits.tone = Some(500));
    (world, caller, callee)
}

/// Lets every timer run out and asserts that neither waits for anything.
fn rest(world: &mut World) {
    world.pass(Duration::from_secs(70));
    assert_eq!(world.phone_leftovers(), [""; 0]);
    world.settle();
}

#[test]
fn the_called_rings_answers_and_is_heard_and_either_hangs_up() {
    for is_caller in [true, false] {
        let (mut world, caller, callee) = pair(400, Called::answers_after(1000));
        world.dial_straight(caller, callee);
        world.pass_ms(500);
        assert_eq!(world.state(callee), PhoneState::Called);
        world.pass_ms(1000);
        assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE"]);
        assert_eq!(world.ms_of(caller, "200 INVITE"), 1010);
        assert_eq!(
            (world.chord(caller), world.chord(callee)),
            (vec![500], vec![400])
        );
        world.hang_up(if is_caller { caller } else { callee });
        world.pass_ms(300);
        assert!(world.is_silent(caller) && world.is_silent(callee));
        let states = (world.state(caller), world.state(callee));
        let wanted = if is_caller {
            (BY_ITSELF, BY_SWITCH)
        } else {
            (BY_SWITCH, BY_ITSELF)
        };
        assert_eq!(states, wanted);
        rest(&mut world);
    }
}

#[test]
fn early_sound_is_heard_before_the_answer() {
    let (mut world, caller, callee) = pair(401, Called::early_then_answers_after(2000));
    world.dial_straight(caller, callee);
    world.pass_ms(1000);
    assert_eq!(world.chord(caller), [500]);
    assert_eq!(world.words(caller), ["183 INVITE"]);
    world.hang_up(caller);
    rest(&mut world);
    assert_eq!(
        world.words(caller),
        ["183 INVITE", "200 CANCEL", "487 INVITE"]
    );
    assert_eq!(world.words(callee), ["INVITE", "CANCEL", "ACK"]);
}

#[test]
fn the_called_refuses_with_any_status_and_as_often_as_it_must() {
    for status in [486, 480, 503, 603] {
        let (mut world, caller, callee) = pair(402, Called::refuses_after(300, status));
        world.sip.weather.lost = 40;
        world.dial_straight(caller, callee);
        rest(&mut world);
        assert_eq!(world.state(caller), BY_SWITCH);
        assert!(
            world
                .words(caller)
                .contains(&format!("{status} INVITE").as_str())
        );
        assert!(world.words(callee).contains(&"ACK"));
    }
    let (mut world, caller, callee) = pair(403, Called::redirects("sip:eve@10.0.0.66"));
    world.dial_straight(caller, callee);
    rest(&mut world);
    let moved = world.at(caller).last("302 INVITE").unwrap();
    assert!(format!("{:?}", moved.message).contains("sip:eve@10.0.0.66"));
}

#[test]
fn the_called_is_dead_or_hears_only_the_third_copy() {
    let (mut world, caller, callee) = pair(404, Called::is_dead());
    world.dial_straight(caller, callee);
    world.pass_ms(33_000);
    assert_eq!(world.state(caller), BY_SWITCH);
    assert_eq!(world.at(callee).seen[0].times, 7);
    let called = Called {
        ignores: 2,
        ..Called::answers_after(100)
    };
    let (mut world, caller, callee) = pair(405, called);
    world.dial_straight(caller, callee);
    world.pass_ms(2000);
    assert_eq!(world.ms_of(caller, "180 INVITE"), 1510);
    world.hang_up(caller);
    rest(&mut world);
}

#[test]
fn an_answer_that_crosses_a_cancel_is_hung_up() {
    let called = Called {
        outruns_cancel: true,
        ..Called::rings()
    };
    let (mut world, caller, callee) = pair(406, called);
    world.dial_straight(caller, callee);
    world.pass_ms(500);
    world.hang_up(caller);
    rest(&mut world);
    assert_eq!(
        world.words(caller),
        ["180 INVITE", "200 CANCEL", "200 INVITE", "200 BYE"]
    );
    assert_eq!(world.words(callee), ["INVITE", "CANCEL", "ACK", "BYE"]);
}

#[test]
fn of_two_forks_that_answer_the_second_is_hung_up() {
    let called = Called::says([(0, Say::Ringing), (500, Say::Answer)])
        .and_says([(10, Say::Ringing), (520, Say::Answer)])
        .and_says([(20, Say::Ringing)]);
    let (mut world, caller, callee) = pair(407, called);
    world.dial_straight(caller, callee);
    world.pass_ms(1500);
    let states: Vec<PhoneState> = world.at(callee).lines().map(|line| line.state).collect();
    assert_eq!(states, [PhoneState::Answered, BY_SWITCH, BY_ITSELF]);
    assert_eq!(world.state(caller), PhoneState::Answered);
    world.hang_up(caller);
    rest(&mut world);
}

#[test]
fn reliable_responses_wait_for_their_prack_and_are_resent_until_then() {
    let called = Called::says([(0, Say::Ringing), (0, Say::Early), (0, Say::Answer)]).reliably();
    let (mut world, caller, callee) = pair(408, called.clone());
    world.with(caller, |phone, _| phone.habits.takes_reliable = true);
    world.dial_straight(caller, callee);
    world.pass_ms(500);
    assert_eq!(
        world.words(caller),
        [
            "180 INVITE",
            "200 PRACK",
            "183 INVITE",
            "200 PRACK",
            "200 INVITE"
        ]
    );
    world.hang_up(caller);
    rest(&mut world);
    let (mut world, caller, callee) = pair(409, called.clone());
    world.with(caller, |phone, _| {
        phone.habits.headers = "Supported: 100rel\r\n".to_owned()
    });
    world.dial_straight(caller, callee);
    rest(&mut world);
    assert_eq!(world.words(caller), ["180 INVITE", "504 INVITE"]);
    assert_eq!(world.at(caller).seen[0].times, 7);
    let (mut world, caller, callee) = pair(410, called);
    world.dial_straight(caller, callee);
    rest(&mut world);
    assert_eq!(world.words(caller), ["421 INVITE"]);
}

#[test]
fn the_called_wants_a_proof_in_every_dialect() {
    for (algorithm, has_qop, is_proxy, is_stale_once) in [
        (Algorithm::Md5, false, false, false),
        (Algorithm::Md5, true, true, false),
        (Algorithm::Sha256, true, false, true),
        (Algorithm::Sha256, false, true, true),
    ] {
        let (mut world, caller, callee) = pair(411, Called::answers_after(100));
        world.with(callee, |phone, _| {
            phone.habits.challenge = Some(Challenge {
                algorithm,
                has_qop,
                is_proxy,
                is_stale_once,
                is_everywhere: true,
                ..Challenge::new("carrier", "alice", "secret")
            });
        });
        world.with(caller, |phone, _| {
            phone.habits.password = Some("secret".to_owned())
        });
        world.dial_straight(caller, callee);
        world.pass_ms(500);
        assert_eq!(world.state(caller), PhoneState::Answered);
        world.with(caller, |phone, now| phone.hold(now, "sendonly"));
        world.pass_ms(500);
        assert!(world.is_silent(caller));
        assert_eq!(world.chord(callee), [400]);
        world.hang_up(caller);
        rest(&mut world);
        let asked = if is_proxy { "407 INVITE" } else { "401 INVITE" };
        let times = world
            .words(caller)
            .iter()
            .filter(|word| **word == asked)
            .count();
        assert_eq!(times, if is_stale_once { 3 } else { 2 });
        assert_eq!(world.state(callee), BY_SWITCH);
    }
    let (mut world, caller, callee) = pair(412, Called::answers_after(100));
    world.with(callee, |phone, _| {
        phone.habits.challenge = Some(Challenge::new("carrier", "alice", "secret"));
    });
    world.with(caller, |phone, _| {
        phone.habits.password = Some("wrong".to_owned())
    });
    world.dial_straight(caller, callee);
    rest(&mut world);
    assert_eq!(world.words(caller), ["401 INVITE", "401 INVITE"]);
    assert_eq!(world.state(callee), PhoneState::Idle);
}

#[test]
fn an_answer_without_ack_is_resent_and_then_hung_up() {
    let (mut world, caller, callee) = pair(413, Called::answers_after(0));
    world.with(caller, |phone, _| phone.habits.acks = false);
    world.dial_straight(caller, callee);
    world.pass_ms(33_000);
    let answer = world.at(caller).last("200 INVITE").unwrap();
    assert_eq!(answer.times, 11);
    assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE", "BYE"]);
    rest(&mut world);
}

#[test]
fn session_timers_are_refreshed_by_the_called_or_kill_the_call() {
    let session = Session {
        expires: Duration::from_secs(100),
        min: Duration::from_secs(90),
        refreshes: true,
    };
    let called = Called {
        session: Some(session),
        ..Called::answers_after(0)
    };
    let (mut world, caller, callee) = pair(414, called);
    world.dial_straight(caller, callee);
    world.pass(Duration::from_secs(220));
    let refreshes = world
        .words(caller)
        .iter()
        .filter(|word| **word == "INVITE")
        .count();
    assert_eq!((refreshes, world.state(caller)), (4, PhoneState::Answered));
    world.hang_up(caller);
    rest(&mut world);
    let session = Session {
        refreshes: false,
        ..session
    };
    let called = Called {
        session: Some(session),
        ..Called::answers_after(0)
    };
    let (mut world, caller, callee) = pair(415, called.clone());
    world.dial_straight(caller, callee);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.state(caller), PhoneState::Answered);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.state(callee), BY_ITSELF);
    rest(&mut world);
    let (mut world, caller, callee) = pair(416, called);
    world.with(caller, |phone, _| {
        phone.habits.headers = "Session-Expires: 60\r\n".to_owned()
    });
    world.dial_straight(caller, callee);
    rest(&mut world);
    assert_eq!(world.words(caller), ["422 INVITE"]);
}

#[test]
fn two_offers_that_meet_are_both_refused_and_tried_again() {
    let (mut world, caller, callee) = pair(417, Called::answers_after(0));
    world.dial_straight(caller, callee);
    world.pass_ms(100);
    world.with(caller, |phone, now| phone.hold(now, "sendonly"));
    world.with(callee, |phone, now| phone.hold(now, "sendrecv"));
    world.pass_ms(8000);
    for phone in [caller, callee] {
        assert!(world.words(phone).contains(&"491 INVITE"));
        let again = world.at(phone).last("200 INVITE").unwrap();
        assert_eq!(again.times, 1);
    }
    assert!(world.is_silent(caller));
    world.hang_up(callee);
    rest(&mut world);
}

#[test]
fn a_telephone_has_two_calls_and_sends_one_into_the_other() {
    let (mut world, caller, callee) = pair(418, Called::answers_after(0));
    let third = world.phone("carol", "10.0.0.23");
    world.with(third, |phone, _| phone.habits.tone = Some(600));
    world.dial_straight(caller, callee);
    world.pass_ms(100);
    let first = world.line(caller).id;
    world.with(caller, |phone, now| phone.hold(now, "inactive"));
    world.dial_straight(caller, third);
    world.pass_ms(1500);
    assert_eq!(world.chord(caller), [600]);
    let second = world.line(caller).id;
    world.with(caller, |phone, now| {
        phone.take_up(first);
        phone.refer_into(now, second);
    });
    world.pass_ms(100);
    let refer = world.at(callee).last("REFER").unwrap();
    assert!(format!("{:?}", refer.message).contains("?Replaces="));
    assert!(world.is_silent(caller) && world.is_silent(callee));
    world.hang_up(caller);
    world.with(caller, |phone, now| phone.hang_up_line(now, second));
    rest(&mut world);
}

#[test]
fn messages_and_questions_are_answered_outside_of_calls_and_within() {
    let (mut world, caller, callee) = pair(419, Called::answers_after(0));
    let sip = world.at(callee).sip;
    world.with(callee, |phone, _| phone.habits.messaged = 202);
    world.with(caller, |phone, now| {
        phone.proxy = sip;
        phone.message(now, "bob", "hello");
        phone.ask(now, Method::Options, "");
    });
    world.pass_ms(100);
    assert_eq!(world.at(callee).texts(), ["hello"]);
    assert_eq!(world.words(caller), ["202 MESSAGE", "200 OPTIONS"]);
    world.dial_straight(caller, callee);
    world.pass_ms(100);
    let frag = "SIP/2.0 100 Trying\r\n";
    let headers = "Event: refer\r\nContent-Type: message/sipfrag\r\nSubscription-State: active\r\n";
    world.with(caller, |phone, now| {
        phone.request(now, Method::Notify, headers, frag);
        phone.request(now, Method::Info, "", "");
    });
    world.pass_ms(100);
    assert_eq!(world.at(callee).notified(), ["SIP/2.0 100 Trying"]);
    assert_eq!(world.words(caller)[4..], ["200 NOTIFY", "200 INFO"]);
    world.hang_up(callee);
    rest(&mut world);
}

#[test]
fn telephones_without_history_forget_their_calls() {
    let called = Called::answers_for(50, 200);
    let (mut world, caller, callee) = pair(420, called);
    for phone in [caller, callee] {
        world.with(phone, |phone, _| phone.habits.keeps_history = false);
    }
    for _ in 0..20 {
        world.dial_straight(caller, callee);
        world.pass_ms(700);
        assert_eq!(world.state(caller), BY_SWITCH);
    }
    rest(&mut world);
    for phone in [caller, callee] {
        assert_eq!(world.at(phone).lines().count(), 1);
        assert!(world.at(phone).seen.is_empty());
    }
}

#[test]
fn hosts_resolve_to_what_the_table_says_and_addresses_to_themselves() {
    let mut plan = Plan::new(421);
    plan.hosts = vec![(
        "Carrier.example",
        vec![
            (Transport::Udp, "10.0.0.5:5080"),
            (Transport::Tcp, "10.0.0.6:5060"),
        ],
    )];
    let world = plan.build();
    let hops = |text: &str, port, transport| {
        let host = crate::sip::SipHost {
            port,
            transport,
            ..crate::sim::plan::host(text)
        };
        let hops = world.resolve(&host).into_iter();
        hops.map(|hop| format!("{:?} {}", hop.transport, hop.remote))
            .collect::<Vec<_>>()
    };
    let both = ["Udp 10.0.0.5:5080", "Tcp 10.0.0.6:5060"];
    assert_eq!(hops("carrier.EXAMPLE", None, None), both);
    assert_eq!(hops("10.1.2.3", None, None), ["Udp 10.1.2.3:5060"]);
    let tcp = Some(Transport::Tcp);
    assert_eq!(hops("10.1.2.3", Some(5070), tcp), ["Tcp 10.1.2.3:5070"]);
    assert_eq!(hops("nowhere.example", None, None), [""; 0]);
}
