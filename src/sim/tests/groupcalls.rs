//! Calls and groupcalls that somebody outside asks for.

use super::groups::registered;
use super::kit::*;
use super::*;
use crate::flow::{Address, CallFlow, NewCalls};
use crate::ids::CallId;
use crate::sim::phone::Called;
use crate::store::agents::RingMethod;
use crate::switch::CallsRefused;

/// The extensions 1001 and 1002, each with a telephone, and a flow that says 700 Hz for a second.
fn world(seed: u64) -> (World, [PhoneId; 2]) {
    let mut plan = trunk_plan(seed);
    plan.extensions = vec![("1001", "of 1001"), ("1002", "of 1002")];
    let flow = json!([{"type": "talk", "option": {"text": "tone 700 1000"}}]);
    let mut world = plan.flow("say", flow).build();
    let first = registered(&mut world, "1001", "10.0.0.31");
    let second = registered(&mut world, "1002", "10.0.0.32");
    (world, [first, second])
}

fn calls_of(extensions: &[&str], flow: &str) -> NewCalls {
    let at = |extension: &&str| Address {
        kind: "extension".to_owned(),
        target: (*extension).to_owned(),
        ..Address::default()
    };
    NewCalls {
        source: Address::default(),
        destinations: extensions.iter().map(at).collect(),
        flow: CallFlow::Stored(flow.to_owned()),
        chained: false,
        early_execution: false,
        anonymous: crate::flow::Anonymous::Auto,
    }
}

/// Asks for a groupcall to both.
fn groupcall(world: &mut World, method: RingMethod) -> Vec<CallId> {
    let mut made = Vec::new();
    world.with_switch(|switch, now| {
        let calls = calls_of(&["1001", "1002"], "say");
        made = switch.create_groupcall(now, &calls, method).expect("calls");
    });
    made
}

#[test]
fn all_of_a_groupcall_ring_and_the_first_who_answers_meets_the_flow() {
    let (mut world, [first, second]) = world(810);
    world.when_called(first, Called::rings());
    world.when_called(second, Called::answers_after(1000));
    assert_eq!(groupcall(&mut world, RingMethod::RingAll).len(), 2);
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
    assert_eq!(groupcall(&mut world, RingMethod::Linear).len(), 1);
    world.pass_ms(300);
    assert_eq!(world.words(second), [""; 0]);
    world.pass_ms(1200);
    assert_eq!(world.words(first), ["INVITE", "ACK"]);
    assert_eq!(world.hears(second), Some(700));
    world.settle();
    assert_eq!(world.records().len(), 2);
}

#[test]
fn each_of_the_calls_asked_for_meets_the_flow_by_itself() {
    let (mut world, phones) = world(812);
    for phone in phones {
        world.when_called(phone, Called::answers_after(500));
    }
    world.with_switch(|switch, now| {
        let made = switch.create_calls(now, calls_of(&["1001", "1002"], "say"));
        assert_eq!(made.map(|calls| calls.len()), Ok(2));
        let unknown = switch.create_calls(now, calls_of(&["1001"], "nowhere"));
        assert_eq!(unknown, Err(CallsRefused::NoSuchFlow));
        let nobody = switch.create_calls(now, calls_of(&["4711"], "say"));
        assert_eq!(nobody, Err(CallsRefused::Nobody));
    });
    world.pass_ms(1000);
    for phone in phones {
        assert_eq!(world.hears(phone), Some(700));
    }
    world.settle();
}
