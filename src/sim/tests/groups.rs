//! Extensions and agents, who are reached at several places, and calls that meet a flow of their own.

use super::kit::*;
use super::*;
use crate::flow;
use crate::sim::phone::Called;
use crate::sip::message::Method;
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod};

/// A telephone of an extension, registered.
pub(super) fn registered(world: &mut World, extension: &str, ip: &str) -> PhoneId {
    let phone = world.phone(extension, ip);
    world.with(phone, |phone, now| {
        phone.habits.password = Some(format!("of {}", phone.user));
        let contact = format!(
            "Contact: <sip:{}@{}>\r\nExpires: 3600\r\n",
            phone.user, phone.sip
        );
        phone.ask(now, Method::Register, &contact);
    });
    world.pass_ms(100);
    assert_eq!(world.words(phone), ["401 REGISTER", "200 REGISTER"]);
    world.with(phone, |phone, _| phone.seen.clear());
    phone
}

fn plan(seed: u64) -> Plan {
    let mut plan = trunk_plan(seed);
    plan.extensions = vec![
        ("1000", "of 1000"),
        ("1001", "of 1001"),
        ("1002", "of 1002"),
    ];
    plan
}

/// A flow that connects with an address of this kind, then says 700 Hz.
fn connect_to(kind: &str, target: &str) -> Value {
    connect_then_talk(&json!({"destinations": [{"type": kind, "target": target}]}))
}

/// An agent at the extensions 1001 and 1002.
fn agent(method: RingMethod) -> AgentTable {
    let at = |extension: &str| flow::Address {
        kind: "extension".to_owned(),
        target: extension.to_owned(),
        ..flow::Address::default()
    };
    AgentTable::new(vec![Agent {
        id: uuid::Uuid::from_u128(7),
        name: "bob".to_owned(),
        status: AgentStatus::Available,
        ring_method: method,
        tags: Vec::new(),
        addresses: vec![at("1001"), at("1002")],
    }])
}

#[test]
fn all_telephones_of_an_extension_ring_and_the_first_who_answers_gets_the_call() {
    let plan = plan(570).flow("out", connect_to("extension", "1001"));
    let mut world = plan.build();
    let desk = registered(&mut world, "1001", "10.0.0.31");
    let mobile = registered(&mut world, "1001", "10.0.0.32");
    world.when_called(desk, Called::rings());
    world.when_called(mobile, Called::answers_after(1000));
    let caller = world.phone("alice", "10.0.0.21");
    world.dial(caller, "out");
    world.pass_ms(2000);
    assert_eq!(world.words(desk), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.words(mobile), ["INVITE", "ACK"]);
    assert_eq!(world.state(caller), PhoneState::Answered);
    world.hang_up(mobile);
    world.pass_ms(5000);
    assert_eq!(world.state(caller), BY_SWITCH);
    world.with_switch(|_, _| {});
    world.settle();
}

#[test]
fn extension_that_is_nowhere_or_nobody_lets_the_flow_go_on_at_once() {
    for name in ["1001", "nobody"] {
        let mut world = plan(571).flow("out", connect_to("extension", name)).build();
        let caller = world.phone("alice", "10.0.0.21");
        world.dial(caller, "out");
        world.pass_ms(800);
        assert_eq!(world.words(caller), ["200 INVITE"]);
        assert_eq!(world.hears(caller), Some(700));
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn agent_is_called_at_one_place_after_another_or_at_all_at_once() {
    for method in [RingMethod::Linear, RingMethod::RingAll] {
        let mut plan = plan(572).flow("out", connect_to("agent", "bob"));
        plan.directory.agents = agent(method);
        let mut world = plan.build();
        let first = registered(&mut world, "1001", "10.0.0.31");
        let second = registered(&mut world, "1002", "10.0.0.32");
        world.when_called(first, Called::refuses_after(2000, 486));
        world.when_called(second, Called::answers_after(3000));
        let caller = world.phone("alice", "10.0.0.21");
        world.dial(caller, "out");
        world.pass_ms(1000);
        let is_called = !world.words(second).is_empty();
        assert_eq!(is_called, method == RingMethod::RingAll);
        assert_eq!(world.switch.agent("bob"), AgentStatus::Ringing);
        world.pass_ms(5000);
        assert_eq!(world.state(second), PhoneState::Answered);
        assert_eq!(world.switch.agent("bob"), AgentStatus::Busy);
        world.hang_up(caller);
        world.settle();
    }
}

#[test]
fn agent_who_does_not_answer_has_time_again() {
    let mut plan = plan(573).flow("out", connect_to("agent", "bob"));
    plan.directory.agents = agent(RingMethod::Linear);
    let mut world = plan.build();
    let first = registered(&mut world, "1001", "10.0.0.31");
    world.when_called(first, Called::refuses_after(500, 486));
    let caller = world.phone("alice", "10.0.0.21");
    world.dial(caller, "out");
    world.pass_ms(2000);
    assert_eq!(world.hears(caller), Some(700));
    assert_eq!(world.switch.agent("bob"), AgentStatus::Available);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn called_party_meets_its_own_flow_while_the_caller_goes_on() {
    let call = json!([
        {"type": "answer"},
        {"type": "call", "option": {
            "source": {"type": "tel", "target": "+15550000000"},
            "destinations": [{"type": "tel", "target": "+15551112222"}],
            "actions": [
                {"type": "variable_set", "option": {"key": "who", "value": "${voipbin.call.id}"}},
                {"type": "talk", "option": {"text": "tone 900 3000"}},
            ],
        }},
        {"type": "talk", "option": {"text": "tone 700 5000"}},
    ]);
    let mut world = plan(574).flow("out", call).build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, Called::answers_after(500));
    world.dial(caller, "out");
    world.pass_ms(2000);
    assert_eq!(world.hears(caller), Some(700));
    assert_eq!(world.hears(trunk), Some(900));
    world.hang_up(caller);
    world.pass_ms(500);
    assert_eq!(world.hears(trunk), Some(900), "it is not chained");
    world.pass_ms(3000);
    assert_eq!(world.state(trunk), BY_SWITCH, "its flow is over");
    world.settle();
}

#[test]
fn chained_call_is_hung_up_with_its_master_and_early_execution_begins_at_ringing() {
    for (is_early, called) in [(true, Called::rings()), (false, Called::answers_after(200))] {
        let call = json!([
            {"type": "answer"},
            {"type": "call", "option": {
                "destinations": [{"type": "tel", "target": "+15551112222"}],
                "flow_id": "callee", "chained": true, "early_execution": is_early,
            }},
            {"type": "sleep", "option": {"duration": 60_000}},
        ]);
        let callee = json!([{"type": "sleep", "option": {"duration": 600_000}}]);
        let plan = plan(575).flow("out", call).flow("callee", callee);
        let mut world = plan.build();
        let caller = world.phone("alice", "10.0.0.21");
        let trunk = world.trunk("carrier.example", "10.0.1.1");
        world.when_called(trunk, called);
        world.dial(caller, "out");
        world.pass_ms(1500);
        assert_eq!(world.switch.activeflows(), 2, "{is_early}");
        world.hang_up(caller);
        world.pass_ms(500);
        assert_eq!(world.state(trunk), BY_SWITCH, "{is_early}");
        assert_eq!(world.switch.calls(), 0, "{is_early}");
        world.settle();
    }
}

#[test]
fn extension_in_a_call_action_rings_everywhere_and_the_first_answer_ends_the_others() {
    let call = json!([
        {"type": "call", "option": {
            "destinations": [
                {"type": "extension", "target": "1001"},
                {"type": "tel", "target": "+15551112222"},
            ],
            "actions": [{"type": "sleep", "option": {"duration": 2000}}],
        }},
        {"type": "sleep", "option": {"duration": 5000}},
    ]);
    let mut world = plan(576).flow("out", call).build();
    let desk = registered(&mut world, "1001", "10.0.0.31");
    let mobile = registered(&mut world, "1001", "10.0.0.32");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(desk, Called::rings());
    world.when_called(mobile, Called::answers_after(500));
    world.when_called(trunk, Called::answers_after(1000));
    let caller = world.phone("alice", "10.0.0.21");
    world.dial(caller, "out");
    world.pass_ms(1700);
    assert_eq!(world.words(desk), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.state(mobile), PhoneState::Answered);
    assert_eq!(world.state(trunk), PhoneState::Answered, "another call");
    world.hang_up(caller);
    world.settle();
}

#[test]
fn one_activeflow_makes_a_hundred_calls_at_once_and_one_dial_has_fifty() {
    let destinations: Vec<Value> = (0..60)
        .map(|at| json!({"type": "tel", "target": format!("+1555111{at:04}")}))
        .collect();
    let call = json!({"type": "call", "option": {
        "destinations": destinations,
        "actions": [{"type": "sleep", "option": {"duration": 2000}}],
    }});
    let one = json!({"type": "call", "option": {
        "destinations": [{"type": "tel", "target": "+15552220000"}],
    }});
    let flow = json!([call, one, call, {"type": "sleep", "option": {"duration": 5000}}]);
    let trunk = crate::store::trunks::TrunkOut {
        cps: 1000,
        channels: 1000,
        ..out("carrier.example")
    };
    let mut world = plan_with(577, vec![trunk]).flow("out", flow).build();
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, Called::rings());
    let caller = world.phone("alice", "10.0.0.21");
    let log = logged(|| {
        world.dial(caller, "out");
        world.pass_ms(1000);
    });
    assert_eq!(world.switch.calls(), 101, "{log}");
    assert!(log.contains("those over are not called"), "{log}");
    assert!(
        log.contains("as many calls as it may have at once"),
        "{log}"
    );
    world.hang_up(caller);
    world.settle();
}

#[test]
fn registered_telephone_dials_numbers_extensions_and_agents_without_a_flow() {
    let mut plan = plan(578);
    plan.directory.agents = agent(RingMethod::RingAll);
    let mut world = plan.build();
    let caller = registered(&mut world, "1000", "10.0.0.30");
    let desk = registered(&mut world, "1001", "10.0.0.31");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    for phone in [desk, trunk] {
        world.when_called(phone, Called::answers_after(200));
    }
    for (dialled, callee) in [
        ("+15551112222", trunk),
        ("1001", desk),
        ("sip:agent:bob@10.0.0.1", desk),
        ("sip:tel:+15551112222@10.0.0.1", trunk),
    ] {
        world.dial(caller, dialled);
        world.pass_ms(1000);
        assert_eq!(world.state(callee), PhoneState::Answered, "{dialled}");
        assert_eq!(world.state(caller), PhoneState::Answered, "{dialled}");
        world.hang_up(caller);
        world.pass_ms(500);
    }
    world.settle();
}

#[test]
fn number_that_is_busy_tells_the_telephone_so_and_extension_that_is_away_too() {
    let mut world = plan(579).build();
    let caller = registered(&mut world, "1000", "10.0.0.30");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, Called::refuses(486));
    for (dialled, answer) in [
        ("+15551112222", "486 INVITE"),
        ("1001", "480 INVITE"),
        ("1999", "404 INVITE"),
        ("sip:${x}@10.0.0.1", "404 INVITE"),
        ("sip:agent:nobody@10.0.0.1", "404 INVITE"),
    ] {
        world.dial(caller, dialled);
        world.pass_ms(500);
        assert_eq!(world.words(caller).last(), Some(&answer), "{dialled}");
    }
    world.settle();
}

#[test]
fn nobody_dials_out_who_has_not_proven_to_be_an_extension() {
    let mut plan = plan(580).flow("menu", menu());
    plan.trunks = vec![("carrier", "198.51.100.0/24")];
    let mut world = plan.build();
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    let neighbour = world.phone("neighbour", "10.0.0.40");
    let liar = world.phone("1000", "10.0.0.41");
    let carrier = world.phone("+15553334444", "198.51.100.7");
    let stranger = world.phone("1000", "203.0.113.5");
    for (phone, answers) in [
        (neighbour, vec!["404 INVITE"]),
        (liar, vec!["401 INVITE"]),
        (carrier, vec!["404 INVITE"]),
        (stranger, vec![]),
    ] {
        for dialled in ["+15551112222", "1001", "sip:tel:+15551112222@10.0.0.1"] {
            world.dial(phone, dialled);
            world.pass_ms(500);
            world.with(phone, |phone, _| {
                let words: Vec<_> = phone.seen.drain(..).map(|seen| seen.word).collect();
                assert_eq!(words, answers, "{dialled}");
            });
        }
    }
    assert_eq!(world.words(trunk), [""; 0]);
    world.pass(Duration::from_secs(40));
    world.settle();
}
