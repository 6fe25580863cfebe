//! Registrations: told as they come and go, and taken back by a switch that starts anew.

use super::*;
use crate::sim::tests::groups::registered;
use crate::sip::message::Method;
use crate::store::bindings::{BindingState, BindingTransport};

fn plan(seed: u64) -> Plan {
    let mut plan = Plan::new(seed);
    plan.extensions = vec![("1000", "of 1000"), ("1001", "of 1001")];
    plan
}

fn told(world: &World) -> Vec<&BindingState> {
    let mut told = Vec::new();
    for report in &world.reports {
        if let Report::Binding { binding, .. } = report {
            told.push(binding.as_ref());
        }
    }
    told
}

#[test]
fn registration_is_told_when_it_is_made_refreshed_and_taken_back() {
    let mut world = plan(1220).build();
    let phone = registered(&mut world, "1001", "10.0.0.31");
    for expires in [600, 0] {
        world.pass_ms(60_000);
        world.with(phone, |phone, now| {
            let contact = format!(
                "Contact: <sip:{}@{}>\r\nExpires: {expires}\r\n",
                phone.user, phone.sip
            );
            phone.ask(now, Method::Register, &contact);
        });
        world.pass_ms(100);
    }
    let wanted = [
        "binding made 1001",
        "binding refreshed 1001",
        "binding removed 1001",
    ];
    assert_eq!(story(&world), wanted);
    let bindings = told(&world);
    let (made, refreshed) = (bindings[0], bindings[1]);
    assert_eq!(made.contact, format!("sip:1001@{}", made.remote));
    assert_eq!(made.remote.ip().to_string(), "10.0.0.31");
    assert_eq!(made.transport, BindingTransport::Udp);
    assert_eq!((made.preference, &made.path[..]), (1000, &[][..]));
    assert!(!made.call_id.is_empty() && refreshed.cseq > 0);
    let later = refreshed.expires + Duration::from_secs(3600 - 600);
    assert_eq!((later - made.expires).as_secs(), 60);
}

#[test]
fn registration_that_runs_out_is_told_as_removed() {
    let mut world = plan(1221).build();
    registered(&mut world, "1001", "10.0.0.31");
    world.pass(Duration::from_secs(3600));
    assert_eq!(story(&world), ["binding made 1001", "binding removed 1001"]);
}

#[test]
fn telephone_is_reached_by_a_switch_that_was_told_where_it_had_registered() {
    let mut world = plan(1222).build();
    registered(&mut world, "1001", "10.0.0.31");
    let kept = told(&world)[0].clone();

    let mut world = plan(1223).build();
    let phone = world.phone("1001", "10.0.0.31");
    let caller = registered(&mut world, "1000", "10.0.0.30");
    world.when_called(phone, Called::answers_after(200));
    let unknown = BindingState {
        extension: "4711".to_owned(),
        ..kept.clone()
    };
    let unreadable = BindingState {
        contact: "nowhere".to_owned(),
        ..kept.clone()
    };
    world.input(Input::Bindings(vec![unknown, unreadable, kept.clone()]));
    assert_eq!(told(&world).len(), 1, "that of the caller");
    world.dial(caller, "1001");
    world.pass_ms(1000);
    assert_eq!(world.state(phone), PhoneState::Answered);
    world.hang_up(caller);
    world.settle();

    let over = BindingState {
        expires: Duration::ZERO,
        ..kept
    };
    world.input(Input::Bindings(vec![over]));
    world.dial(caller, "1001");
    world.pass_ms(1000);
    assert_eq!(
        world
            .words(phone)
            .iter()
            .filter(|word| **word == "INVITE")
            .count(),
        1
    );
    world.settle();
}
