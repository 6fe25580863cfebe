//! More than the switch can take: every refusal says when to come again.

use super::*;
use crate::sip::message::{HeaderName, Message};
use crate::switch::Input;

fn is_sent_away(world: &World, phone: PhoneId) -> bool {
    let Some(seen) = world.at(phone).last("503 INVITE") else {
        return false;
    };
    matches!(&seen.message, Message::Response(response) if response.headers.has(&HeaderName::RetryAfter))
}

#[test]
fn caller_for_whom_no_port_is_free_gets_503() {
    let mut world = menu_world(80);
    world.media.is_out_of_ports = true;
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(100);
    assert_eq!(world.words(phone), ["503 INVITE"]);
    assert!(is_sent_away(&world, phone));
    world.settle();
    world.media.is_out_of_ports = false;
    let phone = world.phone("caller", "10.0.0.22");
    world.dial(phone, "menu");
    world.pass_ms(500);
    assert_eq!(world.hears(phone), Some(400));
    world.settle();
}

#[test]
fn overload_refuses_new_calls_keeps_the_old_and_passes() {
    let mut world = menu_world(81);
    let phones = world.phones(3);
    world.dial(phones[0], "menu");
    world.pass_ms(200);
    world.input(Input::Overload(true));
    world.dial(phones[1], "menu");
    world.pass_ms(300);
    assert!(is_sent_away(&world, phones[1]));
    assert_eq!(world.hears(phones[0]), Some(400));
    world.input(Input::Overload(false));
    world.dial(phones[2], "menu");
    world.pass_ms(300);
    assert_eq!(world.state(phones[2]), PhoneState::Answered);
    world.settle();
}

#[test]
fn more_calls_than_allowed_are_refused_until_one_ends() {
    let mut plan = Plan::new(82).flow("patience", patience());
    plan.calls = 3;
    let mut world = plan.build();
    // Sockets that open late: calls that arrive count too.
    world.media.binding = Duration::from_millis(50);
    let phones = world.phones(5);
    for phone in &phones[..4] {
        world.dial(*phone, "patience");
    }
    world.pass_ms(200);
    let answered = |world: &World| {
        phones
            .iter()
            .filter(|phone| world.state(**phone) == PhoneState::Answered)
            .count()
    };
    assert_eq!(answered(&world), 3);
    assert!(is_sent_away(&world, phones[3]));
    world.hang_up(phones[0]);
    world.pass_ms(100);
    world.dial(phones[4], "patience");
    world.pass_ms(200);
    assert_eq!(answered(&world), 3);
    for phone in &phones {
        world.hang_up(*phone);
    }
    world.settle();
}
