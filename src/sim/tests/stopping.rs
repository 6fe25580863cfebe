//! SIGTERM: no new calls, BYE to the old ones, an end in time.

use super::*;
use crate::switch::Input;

fn stopped_after(world: &World, since: std::time::Instant) -> Option<u128> {
    world.stopped_at.map(|at| (at - since).as_millis())
}

#[test]
fn stop_says_bye_to_all_refuses_new_calls_and_ends_when_the_byes_are_answered() {
    let mut world = Plan::new(90)
        .flow("patience", patience())
        .flow("ringing", ringing())
        .build();
    let phones = world.phones(10);
    for phone in &phones[..8] {
        world.dial(*phone, "patience");
    }
    world.dial(phones[8], "ringing");
    world.pass_ms(500);
    let since = world.now;
    world.input(Input::Stop);
    world.dial(phones[9], "patience");
    assert_eq!(world.stopped_at, None);
    world.pass_ms(100);
    for phone in &phones[..8] {
        assert_eq!(world.words(*phone), ["200 INVITE", "BYE"]);
    }
    assert_eq!(world.words(phones[8]), ["180 INVITE", "503 INVITE"]);
    let after = stopped_after(&world, since).expect("all is answered");
    assert!((10..=20).contains(&after), "{after} ms: one way and back");
}

#[test]
fn new_call_is_refused_with_503_while_stopping() {
    let mut world = Plan::new(91).flow("patience", patience()).build();
    let [old, new] = [
        world.phone("old", "10.0.0.21"),
        world.phone("new", "10.0.0.22"),
    ];
    world.dial(old, "patience");
    world.pass_ms(200);
    world.with(old, |phone, _| phone.habits.answers = false);
    world.input(Input::Stop);
    world.dial(new, "patience");
    world.pass_ms(200);
    assert_eq!(world.words(new), ["503 INVITE"]);
}

#[test]
fn stop_waits_no_longer_than_four_seconds_for_a_peer_that_is_silent() {
    let mut world = Plan::new(92).flow("patience", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass_ms(200);
    world.with(phone, |phone, _| phone.habits.answers = false);
    let since = world.now;
    world.input(Input::Stop);
    world.pass(Duration::from_secs(10));
    assert_eq!(stopped_after(&world, since), Some(4000));
    assert!(world.at(phone).last("BYE").unwrap().times >= 4);
}

#[test]
fn stop_without_calls_is_done_at_once() {
    let mut world = menu_world(93);
    let since = world.now;
    world.input(Input::Stop);
    assert_eq!(stopped_after(&world, since), Some(0));
}

#[test]
fn caller_whose_socket_opens_during_the_stop_is_refused() {
    let mut world = Plan::new(94).flow("patience", patience()).build();
    world.media.binding = Duration::from_millis(200);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass_ms(100);
    let since = world.now;
    world.input(Input::Stop);
    world.pass_ms(1000);
    assert_eq!(world.words(phone).last(), Some(&"503 INVITE"));
    assert!(stopped_after(&world, since).is_some_and(|after| after < 500));
    assert_eq!(world.media.sessions(), 0);
}

#[test]
fn stop_waits_for_the_ack_that_a_bye_waits_for() {
    let mut world = Plan::new(95).flow("patience", patience()).build();
    world.sip.weather.delay = Duration::from_millis(200);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    // The 200 is on its way; no ACK yet.
    world.pass_ms(300);
    let since = world.now;
    world.input(Input::Stop);
    world.pass_ms(3000);
    assert_eq!(world.words(phone).last(), Some(&"BYE"));
    let after = stopped_after(&world, since).expect("the BYE is answered");
    assert!((600..1000).contains(&after), "{after} ms");
}
