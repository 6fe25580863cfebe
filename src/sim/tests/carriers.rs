//! Trunks that we are registered at, and trunks that are asked how they are.

use super::kit::*;
use super::*;
use crate::sim::phone::{Called, Challenge, Phone};
use crate::sip::Account;
use crate::sip::message::{HeaderName, Message};
use crate::store::trunks::{Health, TrunkOut};
use crate::switch::Input;

const HOST: &str = "carrier.example";

/// A trunk where we register as `us`.
fn registering() -> TrunkOut {
    TrunkOut {
        account: Some(Account {
            username: "us".to_owned(),
            password: "secret".to_owned(),
        }),
        register: true,
        ..out(HOST)
    }
}

/// A world where we register at one trunk, on the public internet, that takes us for ten minutes.
fn registered(seed: u64) -> (World, PhoneId) {
    let mut world = plan_with(seed, vec![registering()])
        .flow("menu", menu())
        .flow("out", connect_then_talk(&json!({})))
        .build();
    let trunk = world.trunk(HOST, "203.0.113.5");
    takes_for(&mut world, trunk, 600);
    (world, trunk)
}

fn takes_for(world: &mut World, trunk: PhoneId, seconds: u32) {
    says(world, trunk, 200, &format!("Expires: {seconds}\r\n"));
}

fn says(world: &mut World, trunk: PhoneId, status: u16, headers: &str) {
    let registered = (status, headers.to_owned());
    world.with(trunk, |phone, _| phone.habits.registered = registered);
}

fn seconds(world: &mut World, seconds: u64) {
    world.pass(Duration::from_secs(seconds));
}

fn stop_asking(world: &mut World) {
    world.with_switch(|switch, _| switch.leave_trunks_alone());
}

impl World {
    /// A header of each REGISTER that a trunk got.
    fn registers(&self, trunk: PhoneId, name: &HeaderName) -> Vec<String> {
        let value = |message: &Message| match message {
            Message::Request(request) => {
                let value = request.headers.get(name)?;
                Some(String::from_utf8_lossy(value).into_owned())
            }
            Message::Response(_) => None,
        };
        let seen = self.at(trunk).seen.iter();
        let registers = seen.filter(|seen| seen.word == "REGISTER");
        registers.filter_map(|seen| value(&seen.message)).collect()
    }

    fn count(&self, phone: PhoneId, word: &str) -> usize {
        let words = self.words(phone).into_iter();
        words.filter(|one| *one == word).count()
    }

    fn health(&self, name: &str) -> Health {
        let trunks = &self.switch.directory().trunks;
        trunks.health(trunks.find(name).expect("a trunk"))
    }
}

#[test]
fn registration_is_proven_refreshed_in_time_and_told_once() {
    let (mut world, trunk) = registered(700);
    world.with(trunk, |phone, _| {
        phone.habits.challenge = Some(Challenge::new(HOST, "us", "secret"));
    });
    let log = logged(|| seconds(&mut world, 3600));
    let contacts = world.registers(trunk, &HeaderName::Contact);
    assert_eq!(contacts[0], "<sip:us@10.0.0.1:5060>;expires=600");
    let whose = world.registers(trunk, &HeaderName::To);
    assert!(whose.iter().all(|to| to == "<sip:us@carrier.example>"));
    let calls = world.registers(trunk, &HeaderName::CallId);
    assert!(calls.iter().all(|call| *call == calls[0]));
    // Each is asked for a proof: twelve to fourteen in an hour.
    assert!((12..=16).contains(&contacts.len()), "{}", contacts.len());
    let seen: Vec<_> = world.at(trunk).seen.iter().map(|seen| seen.at).collect();
    assert!(
        seen.windows(2)
            .all(|two| two[1] - two[0] < Duration::from_secs(546))
    );
    assert_eq!(log.matches("INFO").count(), 1, "{log}");
    assert_eq!(log.matches("WARN").count(), 0, "{log}");
    world.settle();
}

#[test]
fn loss_of_a_registration_is_told_once_with_its_reason_and_a_remedy() {
    let (mut world, trunk) = registered(701);
    seconds(&mut world, 60);
    says(&mut world, trunk, 403, "");
    let log = logged(|| seconds(&mut world, 3600));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(
        log.contains("refused with 403") && log.contains("see `username`"),
        "{log}"
    );
    assert!(world.count(trunk, "REGISTER") > 5, "it is tried again");
    takes_for(&mut world, trunk, 600);
    let log = logged(|| seconds(&mut world, 700));
    assert_eq!(log.matches("INFO").count(), 1, "{log}");
    world.settle();
}

#[test]
fn wrong_password_is_not_tried_twice_with_the_same_challenge() {
    let (mut world, trunk) = registered(702);
    world.with(trunk, |phone, _| {
        phone.habits.challenge = Some(Challenge::new(HOST, "us", "another"));
    });
    let log = logged(|| seconds(&mut world, 20));
    assert_eq!(world.count(trunk, "REGISTER"), 2);
    assert!(log.contains("see `username` and `password`"), "{log}");
    world.settle();
}

#[test]
fn registrar_that_wants_longer_registrations_or_a_pause_gets_them() {
    let (mut world, trunk) = registered(703);
    says(&mut world, trunk, 423, "Min-Expires: 1800\r\n");
    world.pass_ms(200);
    assert_eq!(
        world.registers(trunk, &HeaderName::Expires),
        ["600", "1800"]
    );
    says(&mut world, trunk, 503, "Retry-After: 300\r\n");
    seconds(&mut world, 61);
    assert_eq!(world.count(trunk, "REGISTER"), 3);
    takes_for(&mut world, trunk, 1800);
    seconds(&mut world, 240);
    assert_eq!(world.count(trunk, "REGISTER"), 3, "not sooner than it said");
    seconds(&mut world, 100);
    assert_eq!(world.count(trunk, "REGISTER"), 4);
    world.settle();
}

#[test]
fn registration_goes_on_to_the_next_address_and_stays_where_it_was_taken() {
    for is_silent in [true, false] {
        let (mut world, first) = registered(704);
        let second = world.trunk(HOST, "203.0.113.6");
        takes_for(&mut world, second, 600);
        says(&mut world, first, 503, "");
        world.with(first, |phone, _| phone.habits.answers = !is_silent);
        seconds(&mut world, 40);
        let sent = [
            world.count(first, "REGISTER"),
            world.count(second, "REGISTER"),
        ];
        assert_eq!(sent, [1, 1]);
        seconds(&mut world, 1800);
        assert_eq!(
            world.count(first, "REGISTER"),
            1,
            "it is known at the second"
        );
        assert!(world.count(second, "REGISTER") > 3);
        world.with(second, |phone, _| phone.habits.answers = false);
        world.with(first, |phone, _| phone.habits.answers = true);
        takes_for(&mut world, first, 600);
        seconds(&mut world, 650);
        assert!(world.count(first, "REGISTER") > 1, "the second is gone");
        world.pass(Duration::from_secs(40));
        world.settle();
    }
}

#[test]
fn host_that_cannot_be_found_is_told_and_looked_for_again() {
    let mut world = plan_with(705, vec![registering()]).build();
    let log = logged(|| seconds(&mut world, 100));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("DNS"), "{log}");
    let trunk = world.trunk(HOST, "203.0.113.5");
    takes_for(&mut world, trunk, 600);
    seconds(&mut world, 300);
    assert_eq!(world.count(trunk, "REGISTER"), 1);
    world.hosts.clear();
    let log = logged(|| seconds(&mut world, 1800));
    assert!(world.count(trunk, "REGISTER") >= 4, "it is still there");
    assert_eq!(log.matches("WARN").count(), 0, "{log}");
    world.settle();
}

#[test]
fn registration_over_a_stream_is_renewed_when_the_stream_breaks() {
    let mut trunk = registering();
    trunk.host.transport = Some(crate::sip::Transport::Tcp);
    let mut world = plan_with(706, vec![trunk]).build();
    let trunk = world.trunk(HOST, "203.0.113.5");
    takes_for(&mut world, trunk, 600);
    seconds(&mut world, 10);
    let contact = &world.registers(trunk, &HeaderName::Contact)[0];
    assert_eq!(contact, "<sip:us@10.0.0.1:5060;transport=tcp>;expires=600");
    let hop = world.hop(trunk);
    world.with(trunk, |phone, _| phone.stream = None);
    world.input(Input::SipClosed { hop });
    seconds(&mut world, 10);
    assert_eq!(world.count(trunk, "REGISTER"), 2);
    world.settle();
}

#[test]
fn stop_ends_the_registration_and_waits_four_seconds_for_it_at_most() {
    for (answers, wait) in [(true, 5..=30), (false, 4000..=4000)] {
        let (mut world, trunk) = registered(707);
        seconds(&mut world, 10);
        world.with(trunk, |phone, _| phone.habits.answers = answers);
        let since = world.now;
        let log = logged(|| {
            world.input(Input::Stop);
            seconds(&mut world, 10);
        });
        let expires = world.registers(trunk, &HeaderName::Expires);
        assert_eq!(expires, ["600", "0"]);
        let after = world.stopped_at.expect("it stops") - since;
        assert!(wait.contains(&after.as_millis()), "{after:?}");
        assert_eq!(log.contains("no longer registered"), answers, "{log}");
        assert!(!log.contains("WARN"), "{log}");
    }
}

#[test]
fn stop_while_the_registrar_is_looked_for_or_asked_leaves_no_registration() {
    for (ms, sent) in [(5, &[][..]), (12, &["600", "0"])] {
        let (mut world, trunk) = registered(708);
        world.pass_ms(ms);
        world.input(Input::Stop);
        seconds(&mut world, 10);
        assert_eq!(world.registers(trunk, &HeaderName::Expires), sent);
        assert!(world.stopped_at.is_some());
    }
}

#[test]
fn trunk_calls_from_where_we_are_registered_and_only_while_we_are() {
    let (mut world, trunk) = registered(710);
    let more = world.trunk(HOST, "203.0.113.6");
    let stranger = world.phone("stranger", "203.0.113.7");
    says(&mut world, trunk, 403, "");
    says(&mut world, more, 403, "");
    world.pass_ms(100);
    world.dial(trunk, "menu");
    seconds(&mut world, 35);
    assert!(
        !world.words(trunk).contains(&"200 INVITE"),
        "not registered yet"
    );
    takes_for(&mut world, trunk, 600);
    seconds(&mut world, 65);
    for (caller, is_taken) in [(trunk, true), (more, true), (stranger, false)] {
        world.dial(caller, "menu");
        world.pass_ms(500);
        assert_eq!(world.words(caller).contains(&"200 INVITE"), is_taken);
        world.hang_up(caller);
    }
    assert_eq!(world.words(stranger), [""; 0], "not a word");
    says(&mut world, trunk, 403, "");
    seconds(&mut world, 700);
    let before = world.words(more).len();
    world.dial(more, "menu");
    seconds(&mut world, 2);
    assert_eq!(world.words(more).len(), before, "it has forgotten us");
    seconds(&mut world, 40);
    world.settle();
}

#[test]
fn number_dialled_at_a_trunk_that_calls_us_by_our_account_is_found() {
    let mut plan = plan_with(711, vec![registering()])
        .flow("menu", menu())
        .flow("patience", patience());
    plan.numbers.push(("+15551112222", "patience"));
    let mut world = plan.build();
    let trunk = world.trunk(HOST, "203.0.113.5");
    takes_for(&mut world, trunk, 600);
    seconds(&mut world, 1);
    let party = "P-Called-Party-ID: <sip:+15551112222@carrier.example>\r\n";
    world.with(trunk, |phone, now| phone.dial_with(now, "us", party));
    world.pass_ms(200);
    assert_eq!(world.state(trunk), PhoneState::Answered);
    let dialled = world.switch.variable("voipbin.call.destination.target");
    assert_eq!(dialled, Some("+15551112222"));
    world.hang_up(trunk);
    world.pass_ms(200);
    // By To, which is all that many trunks have.
    let invite = world.with(trunk, Phone::sample_invite);
    let invite = invite
        .replace("INVITE sip:menu@", "INVITE sip:us@")
        .replace(
            "To: <sip:menu@10.0.0.1:5060>",
            "To: <sip:+15551112222@carrier.example>",
        );
    world.inject(trunk, invite.into());
    world.pass_ms(200);
    let dialled = world.switch.variable("voipbin.call.destination.target");
    assert_eq!(dialled, Some("+15551112222"));
    seconds(&mut world, 100);
    // Nobody else can choose so.
    world.with(trunk, |phone, now| phone.dial_with(now, "other", party));
    world.pass_ms(200);
    assert_eq!(world.words(trunk).last(), Some(&"404 INVITE"));
    world.settle();
}

#[test]
fn calls_go_by_the_proxies_that_the_registrar_names() {
    let (mut world, trunk) = registered(712);
    let route = "<sip:edge.carrier.example;lr>";
    let headers = format!("Expires: 600\r\nService-Route: {route}\r\n");
    says(&mut world, trunk, 200, &headers);
    let caller = world.phone("alice", "10.0.0.21");
    seconds(&mut world, 1);
    world.dial(caller, "out");
    world.pass_ms(100);
    let invite = world.at(trunk).last("INVITE").expect("it was called");
    let Message::Request(invite) = &invite.message else {
        panic!("a request");
    };
    let routes = invite.headers.get(&HeaderName::Route).expect("a route");
    assert_eq!(routes, route);
    world.hang_up(caller);
    world.settle();
}

/// The trunks `a.example` and `b.example`, asked every half a minute, and a caller who dials `out`.
fn probed(seed: u64, every: Duration) -> (World, PhoneId, [PhoneId; 2]) {
    let second = TrunkOut {
        priority: 2,
        ..out("b.example")
    };
    let mut plan =
        plan_with(seed, vec![out("a.example"), second]).flow("out", connect_then_talk(&json!({})));
    plan.trunks_probed_every = Some(every);
    let mut world = plan.build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunks = [
        world.trunk("a.example", "10.0.1.1"),
        world.trunk("b.example", "10.0.1.2"),
    ];
    (world, caller, trunks)
}

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

#[test]
fn trunks_are_asked_every_half_a_minute_and_not_all_in_one_instant() {
    let (mut world, _, [first, second]) = probed(720, HALF_A_MINUTE);
    seconds(&mut world, 3600);
    for trunk in [first, second] {
        let times: Vec<_> = world.at(trunk).seen.iter().map(|seen| seen.at).collect();
        assert!((105..=135).contains(&times.len()), "{}", times.len());
        let gap = |two: &[std::time::Instant]| (two[1] - two[0]).as_millis();
        assert!(
            times
                .windows(2)
                .map(gap)
                .all(|ms| (26_900..=33_100).contains(&ms))
        );
    }
    assert_ne!(world.at(first).seen[50].at, world.at(second).seen[50].at);
    assert_eq!(world.health("a.example"), Health::Healthy);
    stop_asking(&mut world);
    world.settle();
}

#[test]
fn silent_trunk_is_the_last_to_be_called_until_it_answers_again() {
    let (mut world, caller, [first, second]) = probed(721, HALF_A_MINUTE);
    seconds(&mut world, 15);
    assert_eq!(world.health("a.example"), Health::Healthy);
    world.with(first, |phone, _| phone.habits.is_deaf = true);
    let log = logged(|| seconds(&mut world, 300));
    assert_eq!(world.health("a.example"), Health::Unhealthy);
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    world.when_called(second, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(300);
    assert_eq!(world.state(second), PhoneState::Answered, "at once");
    world.hang_up(caller);
    world.with(first, |phone, _| phone.habits.is_deaf = false);
    let log = logged(|| seconds(&mut world, 300));
    assert_eq!(world.health("a.example"), Health::Healthy);
    assert_eq!(log.matches("answers again").count(), 1, "{log}");
    world.when_called(first, Called::answers_after(0));
    world.dial(caller, "out");
    world.pass_ms(300);
    assert_eq!(world.state(first), PhoneState::Answered);
    world.hang_up(caller);
    stop_asking(&mut world);
    world.settle();
}

#[test]
fn any_answer_but_408_and_503_is_a_sign_of_life() {
    for (status, health) in [
        (200, Health::Healthy),
        (401, Health::Healthy),
        (404, Health::Healthy),
        (405, Health::Healthy),
        (486, Health::Healthy),
        (500, Health::Healthy),
        (603, Health::Healthy),
        (408, Health::Unhealthy),
        (503, Health::Unhealthy),
    ] {
        let (mut world, _, [first, _]) = probed(722, HALF_A_MINUTE);
        world.with(first, |phone, _| phone.habits.asked = status);
        seconds(&mut world, 11);
        let after_one = match health {
            Health::Unhealthy => Health::Unknown,
            known => known,
        };
        assert_eq!(world.health("a.example"), after_one, "{status}");
        seconds(&mut world, 60);
        assert_eq!(world.health("a.example"), health, "{status}");
        stop_asking(&mut world);
        world.settle();
    }
}

#[test]
fn one_address_that_answers_is_enough() {
    let (mut world, _, [first, _]) = probed(723, HALF_A_MINUTE);
    world.trunk("a.example", "10.0.1.9");
    world.with(first, |phone, _| phone.habits.answers = false);
    seconds(&mut world, 200);
    assert_eq!(world.health("a.example"), Health::Healthy);
    stop_asking(&mut world);
    seconds(&mut world, 40);
    world.settle();
}

#[test]
fn trunk_whose_calls_get_through_is_not_asked() {
    let (mut world, caller, [first, second]) = probed(724, HALF_A_MINUTE);
    world.when_called(first, Called::answers_for(100, 500));
    for _ in 0..30 {
        world.dial(caller, "out");
        seconds(&mut world, 8);
    }
    assert!(world.count(first, "OPTIONS") <= 1, "before its first call");
    assert!(world.count(second, "OPTIONS") >= 7);
    assert_eq!(world.health("a.example"), Health::Healthy);
    stop_asking(&mut world);
    world.settle();
}

#[test]
fn calls_that_a_trunk_does_not_answer_count_and_one_that_it_answers_forgives() {
    let (mut world, caller, [first, _]) = probed(725, HALF_A_MINUTE);
    stop_asking(&mut world);
    for (is_dead, health) in [
        (true, Health::Unknown),
        (false, Health::Healthy),
        (true, Health::Healthy),
        (true, Health::Unhealthy),
    ] {
        world.with(first, |phone, _| phone.habits.is_deaf = is_dead);
        world.dial(caller, "out");
        seconds(&mut world, 7);
        world.hang_up(caller);
        seconds(&mut world, 70);
        assert_eq!(world.health("a.example"), health);
    }
    world.settle();
}

#[test]
fn stopping_switch_asks_nobody() {
    let (mut world, caller, [first, _]) = probed(726, Duration::from_secs(1));
    world.when_called(first, Called::answers_after(0));
    seconds(&mut world, 1);
    world.dial(caller, "out");
    seconds(&mut world, 2);
    world.with(caller, |phone, _| phone.habits.answers = false);
    let second = world.trunk("b.example", "10.0.1.2");
    world.input(Input::Stop);
    world.pass_ms(100);
    let before = world.count(second, "OPTIONS");
    seconds(&mut world, 5);
    assert_eq!(world.count(second, "OPTIONS"), before);
    assert!(world.stopped_at.is_some());
}
