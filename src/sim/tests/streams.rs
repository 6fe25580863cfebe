//! Calls over TCP, and connections that break.

use super::*;
use crate::sip::ConnectionId;
use crate::switch::Input;

fn over_tcp(world: &mut World, number: u64) -> PhoneId {
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.stream = Some(ConnectionId(number)));
    phone
}

#[test]
fn call_over_tcp_runs_its_menu_while_datagrams_are_lost() {
    let mut world = menu_world(170);
    world.sip.weather.lost = 100;
    let phone = over_tcp(&mut world, 7);
    world.dial(phone, "menu");
    world.pass_ms(700);
    world.press(phone, '1', Key::Info);
    world.pass_ms(2500);
    assert_eq!(world.at(phone).tones(), [400, 500]);
    assert_eq!(world.words(phone), ["200 INVITE", "200 INFO", "BYE"]);
    assert_eq!(world.at(phone).seen[0].times, 1);
    world.settle();
}

#[test]
fn call_outlives_its_connection_and_its_bye_opens_another() {
    let mut world = menu_world(171);
    let phone = over_tcp(&mut world, 7);
    world.dial(phone, "menu");
    world.pass_ms(700);
    let hop = world.hop(phone);
    world.input(Input::SipClosed { hop });
    world.pass_ms(500);
    assert_eq!(world.hears(phone), Some(400));
    world.pass(Duration::from_secs(6));
    assert_eq!(world.state(phone), BY_SWITCH);
    assert!(world.opened >= 1);
    world.settle();
}

#[test]
fn bye_that_cannot_be_carried_leaves_nothing() {
    let mut world = menu_world(172);
    let phone = over_tcp(&mut world, 7);
    world.dial(phone, "menu");
    world.pass_ms(700);
    let hop = world.hop(phone);
    world.with(phone, |phone, _| phone.habits.is_deaf = true);
    world.input(Input::SipClosed { hop });
    world.pass(Duration::from_secs(6));
    let hop = crate::sip::Hop {
        connection: None,
        ..hop
    };
    world.input(Input::SipClosed { hop });
    assert_eq!(world.switch.calls(), 0);
    world.settle();
}
