//! A caller and whom it is connected with: who hears whom, who ends it, and how both flows go on.

use super::kit::*;
use super::*;
use crate::sim::phone::{Called, Say};

/// A world where `connect` calls +15551112222 by a trunk, then says 700 Hz and hangs up; the caller, and the
/// trunk that behaves like this.
fn connected(seed: u64, option: Value, called: Called) -> (World, PhoneId, PhoneId) {
    let mut world = trunk_plan(seed)
        .flow("out", connect_then_talk(&option))
        .build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.with(trunk, |phone, _| phone.habits.tone = Some(500));
    world.when_called(trunk, called);
    (world, caller, trunk)
}

#[test]
fn answered_connection_is_heard_both_ways_and_goes_on_when_the_callee_leaves() {
    let (mut world, caller, trunk) = connected(500, json!({}), Called::answers_after(1000));
    world.dial(caller, "out");
    world.pass_ms(500);
    assert_eq!(world.words(caller), ["180 INVITE"]);
    world.pass_ms(1500);
    assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE"]);
    assert_eq!(
        (world.chord(caller), world.chord(trunk)),
        (vec![500], vec![400])
    );
    world.hang_up(trunk);
    world.pass_ms(800);
    assert_eq!(world.chord(caller), [700], "the next action");
    world.pass_ms(3000);
    assert_eq!(world.state(caller), BY_SWITCH);
    assert_eq!(world.words(trunk), ["INVITE", "ACK", "200 BYE"]);
    world.settle();
}

#[test]
fn two_who_are_connected_are_on_one_lane_from_the_start_and_another_two_on_the_next() {
    let (mut world, caller, _) = connected(505, json!({}), Called::answers_after(1000));
    world.dial(caller, "out");
    world.pass_ms(500);
    let first = world.switch.lanes();
    assert_eq!(first.len(), 1, "{first:?}");
    world.pass_ms(1500);
    assert_eq!(world.switch.lanes(), first, "in their bridge");
    let other = world.phone("bob", "10.0.0.22");
    world.dial(other, "out");
    world.pass_ms(2000);
    assert_eq!(world.switch.lanes().len(), 2);
    world.hang_up(caller);
    world.hang_up(other);
    world.settle();
}

#[test]
fn caller_who_hangs_up_first_ends_the_callee_and_its_own_flow() {
    let (mut world, caller, trunk) = connected(501, json!({}), Called::answers_after(200));
    world.dial(caller, "out");
    world.pass_ms(2000);
    world.hang_up(caller);
    world.pass_ms(500);
    assert_eq!(world.words(trunk), ["INVITE", "ACK", "BYE"]);
    assert_eq!(world.state(trunk), BY_SWITCH);
    let ends = [
        "normal by remote: the peer hung up",
        "normal by local: the call it belongs to is over",
    ];
    assert_eq!(world.ends(), ends);
    world.settle();
}

#[test]
fn busy_callee_lets_the_flow_of_an_unanswered_caller_go_on() {
    let (mut world, caller, _) = connected(502, json!({}), Called::refuses(486));
    world.dial(caller, "out");
    world.pass_ms(1000);
    assert_eq!(world.ends(), ["busy by remote: the peer refused with 486"]);
    assert_eq!(world.words(caller), ["200 INVITE"], "never rang");
    assert_eq!(world.chord(caller), [700]);
    world.settle();
}

#[test]
fn nobody_answers_for_a_minute_and_the_reason_says_whether_it_rang() {
    for (called, reason) in [
        (
            Called::rings(),
            "noanswer by local: nobody answered in time",
        ),
        (
            Called::says([(0, Say::Trying)]),
            "dialout by local: the peer does not answer",
        ),
    ] {
        let (mut world, caller, trunk) = connected(503, json!({}), called);
        world.dial(caller, "out");
        world.pass(Duration::from_secs(61));
        assert!(world.ends()[0].starts_with(reason), "{:?}", world.ends());
        assert_eq!(world.words(trunk), ["INVITE", "CANCEL", "ACK"]);
        assert_eq!(world.chord(caller), [700]);
        world.settle();
    }
}

#[test]
fn caller_who_gives_up_cancels_whom_it_called() {
    let (mut world, caller, trunk) = connected(504, json!({}), Called::rings());
    world.dial(caller, "out");
    world.pass_ms(2000);
    world.hang_up(caller);
    world.pass_ms(500);
    assert_eq!(world.words(trunk), ["INVITE", "CANCEL", "ACK"]);
    let ends = [
        "normal by remote: the caller gave up before the answer",
        "cancel by local: the call it belongs to is over",
    ];
    assert_eq!(world.ends(), ends);
    world.settle();
}

#[test]
fn relayed_reason_reaches_the_caller_as_the_status_that_the_callee_gave() {
    for (status, told) in [
        (486, "486"),
        (404, "404"),
        (480, "480"),
        (503, "503"),
        (603, "403"),
    ] {
        let option = json!({"relay_reason": true});
        let (mut world, caller, _) = connected(505, option, Called::refuses_after(500, status));
        world.dial(caller, "out");
        world.pass_ms(1500);
        assert_eq!(
            world.words(caller).last(),
            Some(&format!("{told} INVITE").as_str()),
            "{status}"
        );
        world.settle();
    }
}

#[test]
fn callee_is_heard_before_its_answer_where_the_flow_wants_that() {
    for early in [true, false] {
        let option = json!({"early_media": early});
        let called = Called::early_then_answers_after(2000);
        let (mut world, caller, _) = connected(506, option, called);
        world.dial(caller, "out");
        world.pass_ms(1500);
        let (words, heard) = match early {
            true => (vec!["183 INVITE"], vec![500]),
            false => (vec!["180 INVITE"], vec![]),
        };
        assert_eq!(world.words(caller), words);
        assert_eq!(world.chord(caller), heard);
        world.pass_ms(1500);
        assert_eq!(world.words(caller).last(), Some(&"200 INVITE"));
        assert_eq!(world.chord(caller), [500]);
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn answered_caller_hears_ringback_until_the_callee_answers() {
    let flow = json!([
        {"type": "answer"},
        {"type": "connect", "option": {"destinations": [{"type": "tel", "target": "+15551112222"}]}},
    ]);
    let mut world = trunk_plan(507).flow("out", flow).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.with(trunk, |phone, _| phone.habits.tone = Some(500));
    world.when_called(trunk, Called::answers_after(9000));
    world.dial(caller, "out");
    let rings = |world: &World| [440, 480].map(|hertz| world.level(caller, hertz) > -35.0);
    world.pass_ms(1500);
    assert_eq!(rings(&world), [true, true]);
    world.pass_ms(2000);
    assert!(world.is_silent(caller));
    world.pass_ms(4000);
    assert_eq!(rings(&world), [true, true], "over and over");
    world.pass_ms(3000);
    assert_eq!(world.chord(caller), [500]);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn three_are_called_and_whoever_answers_first_is_meant() {
    for winner in 0..3 {
        let option = json!({"destinations": [
            {"type": "sip", "target": "a@10.0.2.1:5060"},
            {"type": "sip", "target": "b@10.0.2.2:5060"},
            {"type": "sip", "target": "c@10.0.2.3:5060"},
        ]});
        let mut world = trunk_plan(508)
            .flow("out", connect_then_talk(&option))
            .build();
        let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
        let callees: Vec<PhoneId> = (1..=3)
            .map(|at| world.trunk(&format!("{at}"), &format!("10.0.2.{at}")))
            .collect();
        for (at, callee) in callees.iter().enumerate() {
            let ms = if at == winner { 1000 } else { 1500 };
            world.when_called(*callee, Called::answers_after(ms));
        }
        world.dial(caller, "out");
        world.pass_ms(3000);
        for (at, callee) in callees.iter().enumerate() {
            let words: &[&str] = match at == winner {
                true => &["INVITE", "ACK"],
                false => &["INVITE", "CANCEL", "ACK"],
            };
            assert_eq!(world.words(*callee), words, "{at} of {winner}");
        }
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn two_answers_at_once_leave_one_who_is_meant_and_one_who_is_hung_up() {
    for gap in 0..12 {
        let option = json!({"destinations": [
            {"type": "sip", "target": "a@10.0.2.1"},
            {"type": "sip", "target": "b@10.0.2.2"},
        ]});
        let mut world = trunk_plan(509)
            .flow("out", connect_then_talk(&option))
            .build();
        let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
        let callees: Vec<PhoneId> = (1..=2)
            .map(|at| world.trunk(&format!("{at}"), &format!("10.0.2.{at}")))
            .collect();
        world.when_called(callees[0], Called::answers_after(1000));
        world.when_called(callees[1], Called::answers_after(1000 + gap));
        world.dial(caller, "out");
        world.pass_ms(3000);
        let talking = callees
            .iter()
            .filter(|callee| world.state(**callee) == PhoneState::Answered);
        assert_eq!(talking.count(), 1, "{gap} ms apart");
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn callee_in_a_fault_leaves_the_caller_to_its_flow() {
    let (mut world, caller, _) = connected(510, json!({}), Called::answers_after(200));
    world.dial(caller, "out");
    world.pass_ms(1000);
    world.with_switch(|switch, now| switch.poison_where(now, |is_incoming| !is_incoming));
    world.pass_ms(800);
    assert_eq!(world.chord(caller), [700]);
    world.settle();
}

#[test]
fn caller_in_a_fault_ends_the_callee() {
    let (mut world, caller, trunk) = connected(511, json!({}), Called::answers_after(200));
    world.dial(caller, "out");
    world.pass_ms(1000);
    world.with_switch(|switch, now| switch.poison_where(now, |is_incoming| is_incoming));
    world.pass_ms(500);
    assert_eq!(world.state(trunk), BY_SWITCH);
    world.settle();
}

#[test]
fn digit_by_info_goes_on_to_the_other() {
    let (mut world, caller, trunk) = connected(512, json!({}), Called::answers_after(200));
    world.dial(caller, "out");
    world.pass_ms(1000);
    world.press(caller, '5', Key::Info);
    world.pass_ms(500);
    assert_eq!(world.at(trunk).voice().keys, "5");
    world.press(trunk, '#', Key::Info);
    world.pass_ms(500);
    assert_eq!(world.at(caller).voice().keys, "#");
    world.hang_up(caller);
    world.settle();
}

#[test]
fn two_flows_that_name_one_bridge_hear_each_other() {
    let name = "0b1e3f6a-8a56-4a1f-8c12-3b8b2e1f0a77";
    let join = json!([
        {"type": "answer"},
        {"type": "confbridge_join", "option": {"confbridge_id": name}},
    ]);
    let mut world = Plan::new(513).flow("room", join).build();
    let one = speaking(&mut world, "one", "10.0.0.21", 400);
    let two = speaking(&mut world, "two", "10.0.0.22", 500);
    world.dial(one, "room");
    world.dial(two, "room");
    world.pass_ms(1500);
    assert_eq!((world.chord(one), world.chord(two)), (vec![500], vec![400]));
    world.hang_up(one);
    world.pass_ms(500);
    assert_eq!(
        world.state(two),
        PhoneState::Answered,
        "it waits for others"
    );
    world.hang_up(two);
    world.settle();
}
