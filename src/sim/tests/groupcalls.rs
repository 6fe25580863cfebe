//! Calls and groupcalls that somebody outside asks for.

use super::groups::registered;
use super::kit::*;
use super::*;
use crate::flow::variable::VariableError;
use crate::flow::{Address, CallFlow, NewCalls};
use crate::sim::phone::Called;
use crate::store::agents::RingMethod;
use crate::store::groupcalls::AnswerMethod;
use crate::switch::{Control, ControlError, Controlled, Input, Uncalled};
use uuid::Uuid;

/// The extensions 1001 and 1002, each with a telephone, and a flow that says 700 Hz for a second.
fn world(seed: u64) -> (World, [PhoneId; 2]) {
    let mut plan = trunk_plan(seed);
    plan.extensions = vec![("1001", "of 1001"), ("1002", "of 1002"), ("1003", "-")];
    let flow = json!([{"type": "talk", "option": {"text": "tone ${hertz} 1000"}}]);
    let mut world = plan.flow("say", flow).build();
    let first = registered(&mut world, "1001", "10.0.0.31");
    let second = registered(&mut world, "1002", "10.0.0.32");
    (world, [first, second])
}

fn address(kind: &str, target: &str) -> Address {
    Address {
        kind: kind.to_owned(),
        target: target.to_owned(),
        ..Address::default()
    }
}

fn calls_to(destinations: Vec<Address>, flow: &str) -> Box<NewCalls> {
    Box::new(NewCalls {
        source: Address::default(),
        destinations,
        flow: CallFlow::Stored(flow.to_owned()),
        chained: false,
        early_execution: false,
        anonymous: crate::flow::Anonymous::Auto,
    })
}

fn calls_of(extensions: &[&str], flow: &str) -> Box<NewCalls> {
    let extensions = extensions.iter().map(|name| address("extension", name));
    calls_to(extensions.collect(), flow)
}

fn hertz(hertz: u16) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("hertz", hertz.to_string()),
        pair("voipbin.call.id", "nobody's to say".to_owned()),
    ]
}

/// Asks for a groupcall to both.
fn groupcall(world: &mut World, rings: RingMethod, answer: AnswerMethod) -> Uuid {
    let made = world.controls(Control::CreateGroupcall {
        calls: calls_of(&["1001", "1002"], "say"),
        variables: hertz(700),
        ring_method: rings,
        answer_method: answer,
    });
    match made {
        Ok(Controlled::Groupcall(groupcall)) => groupcall,
        made => panic!("{made:?}"),
    }
}

#[test]
fn all_of_a_groupcall_ring_and_the_first_who_answers_meets_the_flow() {
    let (mut world, [first, second]) = world(810);
    world.when_called(first, Called::rings());
    world.when_called(second, Called::answers_after(1000));
    groupcall(&mut world, RingMethod::RingAll, AnswerMethod::HangupOthers);
    world.pass_ms(1500);
    assert_eq!(world.words(first), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.hears(second), Some(700));
    world.pass_ms(3000);
    assert_eq!(world.state(second), BY_SWITCH);
    world.settle();
    assert_eq!(world.records().len(), 2);
}

#[test]
fn a_linear_groupcall_goes_on_to_the_next_when_one_refuses() {
    let (mut world, [first, second]) = world(811);
    world.when_called(first, Called::refuses_after(500, 486));
    world.when_called(second, Called::answers_after(500));
    groupcall(&mut world, RingMethod::Linear, AnswerMethod::HangupOthers);
    world.pass_ms(300);
    assert_eq!(world.words(second), [""; 0]);
    world.pass_ms(1200);
    assert_eq!(world.words(first), ["INVITE", "ACK"]);
    assert_eq!(world.hears(second), Some(700));
    world.settle();
    assert_eq!(world.records().len(), 2);
}

#[test]
fn a_groupcall_whose_others_ring_on_is_met_by_all_who_answer() {
    let (mut world, [first, second]) = world(813);
    world.when_called(first, Called::answers_after(500));
    world.when_called(second, Called::answers_after(1000));
    groupcall(&mut world, RingMethod::RingAll, AnswerMethod::LetRing);
    world.pass_ms(1300);
    for phone in [first, second] {
        assert_eq!(world.hears(phone), Some(700));
    }
    world.settle();
    assert_eq!(world.records().len(), 2);
}

#[test]
fn a_groupcall_that_is_hung_up_ends_with_all_its_calls_whether_they_ring_or_talk() {
    for (rings, is_answered) in [
        (RingMethod::RingAll, false),
        (RingMethod::RingAll, true),
        (RingMethod::Linear, false),
    ] {
        let (mut world, [first, second]) = world(814);
        let called = match is_answered {
            true => Called::answers_after(200),
            false => Called::rings(),
        };
        world.when_called(first, called);
        world.when_called(second, Called::rings());
        let groupcall = groupcall(&mut world, rings, AnswerMethod::HangupOthers);
        world.pass_ms(600);
        let hang_up = Control::HangupGroupcall { groupcall };
        assert_eq!(world.control(hang_up.clone()), Ok(()));
        world.pass_ms(500);
        assert_eq!(world.switch.calls(), 0);
        let called = !world.words(second).is_empty();
        assert_eq!(called, rings == RingMethod::RingAll, "its turn never comes");
        let again = world.control(hang_up);
        assert_eq!(again, Err(ControlError::NoSuchGroupcall));
        world.settle();
    }
}

#[test]
fn each_of_the_calls_asked_for_meets_the_flow_by_itself_with_the_variables_given() {
    let (mut world, phones) = world(812);
    let carrier = world.trunk("carrier.example", "10.0.1.1");
    for phone in [phones[0], phones[1], carrier] {
        world.when_called(phone, Called::answers_after(500));
    }
    let mut calls = calls_of(&["1001", "4711", "1002"], "say");
    calls.destinations.push(address("tel", "+15551112222"));
    calls.destinations.push(address("line", "nobody"));
    let made = world.controls(Control::CreateCalls {
        calls,
        variables: hertz(900),
    });
    let Ok(Controlled::Calls { calls, groupcalls }) = made else {
        panic!("{made:?}");
    };
    assert_eq!((calls.len(), groupcalls.len()), (1, 2));
    assert_eq!(world.switch.call_with("+1555"), Some(calls[0]));
    world.pass_ms(1000);
    for phone in [phones[0], phones[1], carrier] {
        assert_eq!(world.hears(phone), Some(900));
    }
    world.settle();
}

#[test]
fn calls_that_cannot_be_made_are_refused_with_a_reason() {
    let (mut world, _) = world(815);
    let nobody = |why| Err(ControlError::NobodyToCall { why });
    let unknown = ControlError::NoSuchFlow {
        flow: "nowhere".to_owned(),
    };
    for (destinations, flow, answer) in [
        (vec![], "say", nobody(Uncalled::NoAddress)),
        (
            vec![address("extension", "1003")],
            "say",
            nobody(Uncalled::NotRegistered),
        ),
        (
            vec![address("extension", "4711")],
            "say",
            nobody(Uncalled::NoSuchExtension),
        ),
        (
            vec![address("agent", "ann")],
            "say",
            nobody(Uncalled::NoSuchAgent),
        ),
        (
            vec![address("email", "a@b.example")],
            "say",
            nobody(Uncalled::Kind),
        ),
        (
            vec![address("tel", "+15551112222")],
            "nowhere",
            Err(unknown),
        ),
    ] {
        let control = Control::CreateCalls {
            calls: calls_to(destinations, flow),
            variables: Vec::new(),
        };
        assert_eq!(world.control(control), answer);
    }
    let many = (0..101).map(|number| (number.to_string(), String::new()));
    let control = Control::CreateCalls {
        calls: calls_of(&["1001"], "say"),
        variables: many.collect(),
    };
    let too_many = ControlError::Variables(VariableError::TooMany);
    assert_eq!(world.control(control), Err(too_many));
    world.input(Input::Stop);
    let control = Control::CreateCalls {
        calls: calls_of(&["1001"], "say"),
        variables: Vec::new(),
    };
    assert_eq!(world.control(control), Err(ControlError::Stopping));
}
