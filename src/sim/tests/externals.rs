//! Calls whose sound goes to other hosts and comes back from there: in this world every such host returns
//! what it hears.

use super::*;
use crate::flow::{Direction, ExternalMedia};
use crate::switch::{
    CallVerb, Control, ControlError, ControlId, ExternalOrder, ExternalStatus, Input, Report,
    Switch,
};

/// Answers, then starts external media as `options` say, and waits.
fn flow_of(options: &[Value]) -> Value {
    let mut actions = vec![json!({"type": "answer"})];
    actions.extend(
        options
            .iter()
            .map(|option| json!({"type": "external_media_start", "option": option})),
    );
    actions.push(json!({"type": "sleep", "option": {"duration": 3_000}}));
    actions.push(json!({"type": "external_media_stop"}));
    actions.push(json!({"type": "talk", "option": {"text": "tone 500 1000"}}));
    Value::Array(actions)
}

/// What external media were told: connections, keys, ends.
fn told(world: &World) -> (usize, String, usize) {
    let (mut connects, mut keys, mut ends) = (0, String::new(), 0);
    for (_, order) in &world.externals {
        match order {
            ExternalOrder::Connect(_) => connects += 1,
            ExternalOrder::Digit(digit) => keys.push(digit.to_char()),
            ExternalOrder::Disconnect => ends += 1,
        }
    }
    (connects, keys, ends)
}

fn statuses(world: &World) -> Vec<(ExternalStatus, bool)> {
    let reports = world.reports.iter();
    let reports = reports.filter_map(|report| match report {
        Report::ExternalMedia(told) => Some((told.status, told.local.is_some())),
        _ => None,
    });
    reports.collect()
}

#[test]
fn caller_hears_itself_by_way_of_another_host_and_the_flow_goes_on_when_that_stops() {
    let option =
        json!({"external_host": "h:1", "direction_listen": "in", "direction_speak": "out"});
    let plan = Plan::new(480).flow("external", flow_of(&[option]));
    let mut world = plan.build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "external");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(2_000);
    assert_eq!(world.hears(phone), Some(900));
    world.press(phone, '5', Key::Event);
    world.pass_ms(2_000);
    assert_eq!(world.hears(phone), Some(500));
    assert_eq!(told(&world), (1, "5".to_owned(), 1));
    let (running, over) = (ExternalStatus::Running, ExternalStatus::Terminated);
    assert_eq!(
        statuses(&world),
        [(running, false), (running, true), (over, true)]
    );
    world.pass_ms(3_000);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}

#[test]
fn sixth_fails_and_all_end_with_the_call() {
    let option = json!({"external_host": "h:1", "direction_listen": "in"});
    let options = vec![option; 6];
    let mut world = Plan::new(481).flow("six", flow_of(&options)).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "six");
    world.pass_ms(1_000);
    assert_eq!(told(&world), (5, String::new(), 0));
    world.hang_up(phone);
    world.pass_ms(500);
    assert_eq!(told(&world), (5, String::new(), 5));
    world.settle();
}

#[test]
fn what_cannot_be_carried_or_connected_lets_the_flow_go_on() {
    let options = [
        json!({"external_host": "h:1", "transport": "tcp", "encapsulation": "rtp"}),
        json!({"external_host": "h:1", "connection_type": "server"}),
        json!({"external_host": "h:1", "format": "opus"}),
        json!({"external_host": "${nothing}"}),
        json!({"external_host": "h:1", "transport": "websocket"}),
    ];
    let mut world = Plan::new(482).flow("wrong", flow_of(&options)).build();
    world.has_externals = false;
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "wrong");
    world.pass_ms(4_000);
    assert_eq!(world.hears(phone), Some(500));
    assert_eq!(told(&world), (1, String::new(), 1));
    world.hang_up(phone);
    world.pass_ms(500);
    world.settle();
}

#[test]
fn they_are_started_and_stopped_from_outside_too() {
    let flow = json!([{"type": "answer"}, {"type": "sleep", "option": {"duration": 60_000}}]);
    let mut world = Plan::new(483).flow("wait", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "wait");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(500);
    let call = world.switch.names().0[0];
    let ask = |world: &mut World, verb| {
        let request = ControlId(world.controlled.len() as u64);
        let control = Control::Call { call, verb };
        world.input(Input::Control { request, control });
        world.controlled.last().unwrap().1.clone().map(|_| ())
    };
    let media = ExternalMedia {
        external_host: "h:1".to_owned(),
        listen: Some(Direction::Both),
        speak: Some(Direction::Out),
        ..ExternalMedia::default()
    };
    let start = |media| CallVerb::StartExternalMedia { media };
    let none = Err(ControlError::NoExternalMedia);
    assert_eq!(ask(&mut world, CallVerb::StopExternalMedia), none);
    let nowhere = ExternalMedia::default();
    let bad = Err(ControlError::BadExternalMedia {
        why: "there is no external_host",
    });
    assert_eq!(ask(&mut world, start(nowhere)), bad);
    assert_eq!(ask(&mut world, start(media.clone())), Ok(()));
    world.pass_ms(1_000);
    assert_eq!(world.hears(phone), Some(900));
    for _ in 0..4 {
        assert_eq!(ask(&mut world, start(media.clone())), Ok(()));
    }
    let full = Err(ControlError::TooManyExternalMedia {
        of_call: 5,
        of_all: 2_000,
    });
    assert_eq!(ask(&mut world, start(media)), full);
    world.pass_ms(500);
    assert_eq!(ask(&mut world, CallVerb::StopExternalMedia), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.hears(phone), None);
    world.hang_up(phone);
    world.pass_ms(500);
    world.settle();
}

#[test]
fn a_call_that_fails_takes_them_along() {
    let option = json!({"external_host": "h:1"});
    let mut world = Plan::new(484).flow("external", flow_of(&[option])).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "external");
    world.pass_ms(1_000);
    world.with_switch(Switch::poison);
    world.pass_ms(1_000);
    assert_eq!(told(&world), (1, String::new(), 1));
    world.settle();
}
