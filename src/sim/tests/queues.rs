//! Callers who wait for agents: in which order they are served, what they hear, and how every place ends.

use uuid::Uuid;

use super::kit::speaking;
use super::*;
use crate::flow::Address;
use crate::sim::phone::Called;
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod, Tag};
use crate::store::queues::{Queue, QueueCounts, QueueTable};
use crate::switch::{CallVerb, Control, ControlError, ControlId, Input, QueuecallStatus, Report};

mod crowds;

const SALES: Uuid = Uuid::from_u128(1);

/// An agent who is reached at the host of the same name.
fn agent(number: u128, name: &str) -> Agent {
    Agent {
        id: Uuid::from_u128(number),
        name: name.to_owned(),
        status: AgentStatus::Available,
        ring_method: RingMethod::RingAll,
        tags: vec![Tag::from("sales")],
        addresses: vec![Address {
            kind: "sip".to_owned(),
            target: format!("{name}@{name}.example"),
            ..Address::default()
        }],
    }
}

/// The queue `sales` with music of 300 Hz; what its callers meet; its agents.
fn plan(seed: u64, wait: u64, service: u64, agents: Vec<Agent>) -> Plan {
    let mut plan = Plan::new(seed).flow("line", line()).flow(
        "music",
        json!([{"type": "talk", "option": {"text": "tone 300 3000"}}]),
    );
    plan.directory.queues = QueueTable::new(vec![Queue {
        id: SALES,
        name: "sales".to_owned(),
        detail: "who buys".to_owned(),
        wait_flow: Some("music".to_owned()),
        wait_timeout: Duration::from_secs(wait),
        service_timeout: Duration::from_secs(service),
        tags: vec![Tag::from("sales")],
    }]);
    plan.directory.agents = AgentTable::new(agents);
    plan
}

/// Waits in the queue; says 700 Hz behind it and hangs up.
fn line() -> Value {
    json!([
        {"type": "answer"},
        {"type": "queue_join", "option": {"queue_id": "sales"}},
        {"type": "talk", "option": {"text": "tone 700 2000"}},
        {"type": "hangup"},
    ])
}

/// The telephone of an agent, which says a tone.
fn desk(world: &mut World, name: &str, ip: &str, hertz: u16, called: Called) -> PhoneId {
    let phone = world.trunk(&format!("{name}.example"), ip);
    world.with(phone, |phone, _| phone.habits.tone = Some(hertz));
    world.when_called(phone, called);
    phone
}

/// One queue, the agent ann who says 500 Hz and behaves like this, a caller who says 400 Hz.
pub(super) fn shop(
    seed: u64,
    wait: u64,
    service: u64,
    called: Called,
) -> (World, PhoneId, PhoneId) {
    let mut world = plan(seed, wait, service, vec![agent(11, "ann")]).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let ann = desk(&mut world, "ann", "10.0.1.1", 500, called);
    (world, caller, ann)
}

fn ask(world: &mut World, control: Control) -> Result<(), ControlError> {
    let request = ControlId(world.controlled.len() as u64 + 1);
    world.input(Input::Control { request, control });
    let (answered, result) = world.controlled.last().expect("it is answered");
    assert_eq!(*answered, request);
    result.clone().map(|_| ())
}

impl World {
    /// What the places in queues went through, each by itself, in the order of their taking.
    fn queuecalls(&self) -> Vec<Vec<&'static str>> {
        let mut places: Vec<(Uuid, Vec<&'static str>)> = Vec::new();
        for report in &self.reports {
            let Report::Queuecall {
                queuecall: told, ..
            } = report
            else {
                continue;
            };
            match places.iter_mut().find(|(id, _)| *id == told.id) {
                Some((_, statuses)) => statuses.push(told.status.as_str()),
                None => places.push((told.id, vec![told.status.as_str()])),
            }
        }
        places.into_iter().map(|(_, statuses)| statuses).collect()
    }

    fn queuecall(&self) -> Uuid {
        let told = self.reports.iter().find_map(|report| match report {
            Report::Queuecall {
                queuecall: told, ..
            } => Some(told.id),
            _ => None,
        });
        told.expect("somebody has waited")
    }

    fn agent_statuses(&self) -> Vec<&'static str> {
        let told = self.reports.iter().filter_map(|report| match report {
            Report::Agent { status, .. } => Some(status.as_str()),
            _ => None,
        });
        told.collect()
    }

    fn counts(&self) -> (u64, u64, u64) {
        let QueueCounts {
            incoming,
            serviced,
            abandoned,
        } = self.switch.directory().queues.counts(SALES);
        (incoming, serviced, abandoned)
    }
}

const SERVED: [&str; 5] = ["initiating", "waiting", "connecting", "service", "done"];

#[test]
fn caller_hears_the_music_until_the_agent_answers_and_then_both_hear_each_other() {
    let (mut world, caller, ann) = shop(600, 0, 0, Called::answers_after(4000));
    world.dial(caller, "line");
    world.pass_ms(1000);
    assert_eq!(world.chord(caller), [300]);
    assert_eq!(world.state(ann), PhoneState::Called);
    assert_eq!(world.agent_statuses(), ["ringing"]);
    world.pass_ms(2500);
    assert_eq!(world.chord(caller), [300], "also while the agent rings");
    world.pass_ms(1000);
    assert_eq!(
        (world.chord(caller), world.chord(ann)),
        (vec![500], vec![400])
    );
    assert_eq!(world.agent_statuses(), ["ringing", "busy"]);
    world.hang_up(ann);
    world.pass_ms(800);
    assert_eq!(
        world.chord(caller),
        [700],
        "the flow goes on behind the queue"
    );
    world.settle();
    assert_eq!(world.queuecalls(), [SERVED]);
    assert_eq!(world.agent_statuses(), ["ringing", "busy", "available"]);
    assert_eq!(world.counts(), (1, 1, 0));
    let told = world.reports.iter().rev().find_map(|report| match report {
        Report::Queuecall {
            queuecall: told, ..
        } => Some(**told),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!(told.agent, Some(Uuid::from_u128(11)));
    let tenths = |time: Duration| time.as_millis() / 100;
    assert_eq!((tenths(told.waiting), tenths(told.service)), (40, 4));
}

#[test]
fn callers_are_served_in_the_order_of_their_coming_and_the_agent_comes_back_by_itself() {
    let (mut world, _, ann) = shop(601, 0, 0, Called::answers_for(500, 5000));
    let tones = [400, 600, 800];
    let callers = tones.map(|hertz| speaking(&mut world, "caller", "10.0.0.22", hertz));
    for caller in callers {
        world.dial(caller, "line");
        world.pass_ms(500);
    }
    for (caller, hertz) in callers.into_iter().zip(tones) {
        world.pass_ms(1000);
        assert_eq!(world.chord(ann), [hertz]);
        assert_eq!(world.chord(caller), [500]);
        world.pass_ms(4800);
    }
    world.settle();
    assert_eq!(world.queuecalls(), [SERVED; 3]);
    assert_eq!(world.counts(), (3, 3, 0));
}

#[test]
fn agent_that_refuses_is_left_in_peace_and_another_is_called() {
    for seed in [602, 603, 604] {
        let agents = vec![agent(11, "ann"), agent(12, "bob")];
        let mut world = plan(seed, 0, 0, agents).build();
        let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
        let ann = desk(
            &mut world,
            "ann",
            "10.0.1.1",
            500,
            Called::refuses_after(300, 486),
        );
        let bob = desk(
            &mut world,
            "bob",
            "10.0.1.2",
            600,
            Called::answers_after(500),
        );
        world.dial(caller, "line");
        world.pass_ms(2500);
        assert_eq!(world.chord(caller), [600]);
        assert!(world.words(ann).len() <= 2, "{:?}", world.words(ann));
        world.hang_up(bob);
        world.settle();
    }
}

#[test]
fn only_agent_that_does_not_answer_is_called_again_after_a_rest() {
    let (mut world, caller, ann) = shop(605, 0, 0, Called::rings());
    world.dial(caller, "line");
    world.pass_ms(29_000);
    assert_eq!(world.words(ann), ["INVITE"]);
    world.pass_ms(2000);
    assert_eq!(world.words(ann), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.agent_statuses(), ["ringing", "available"]);
    assert_eq!(world.chord(caller), [300], "the caller stays where it is");
    world.when_called(ann, Called::answers_after(1000));
    world.pass_ms(7000);
    assert_eq!(world.words(ann).len(), 3, "it rests");
    world.pass_ms(4000);
    assert_eq!(world.chord(caller), [500]);
    world.hang_up(caller);
    world.settle();
    let statuses = ["initiating", "waiting", "connecting", "waiting"];
    let wanted: Vec<&str> = statuses
        .into_iter()
        .chain(SERVED.into_iter().skip(2))
        .collect();
    assert_eq!(world.queuecalls(), [wanted]);
    assert_eq!(
        world.words(ann).last(),
        Some(&"BYE"),
        "the agent goes with the caller"
    );
}

#[test]
fn wait_that_is_too_long_goes_on_behind_the_queue_and_gives_the_agent_up() {
    let (mut world, caller, ann) = shop(606, 5, 0, Called::rings());
    world.dial(caller, "line");
    world.pass_ms(4900);
    assert_eq!(world.chord(caller), [300]);
    world.pass_ms(600);
    assert_eq!(world.chord(caller), [700]);
    assert_eq!(world.words(ann), ["INVITE", "CANCEL", "ACK"]);
    world.settle();
    let wanted = ["initiating", "waiting", "connecting", "abandoned"];
    assert_eq!(world.queuecalls(), [wanted]);
    assert_eq!(world.counts(), (1, 0, 1));
}

#[test]
fn service_that_is_too_long_is_ended_and_the_caller_goes_on() {
    let (mut world, caller, ann) = shop(607, 2, 10, Called::answers_after(500));
    world.dial(caller, "line");
    world.pass_ms(10_000);
    assert_eq!(world.chord(caller), [500], "the wait has no end in service");
    world.pass_ms(1200);
    assert_eq!(world.chord(caller), [700]);
    assert_eq!(world.words(ann).last(), Some(&"BYE"));
    world.settle();
    assert_eq!(world.queuecalls(), [SERVED]);
}

#[test]
fn caller_that_hangs_up_leaves_nothing_behind_in_whatever_phase() {
    let phases: [(u64, Called, &[&str]); 3] = [
        (
            300,
            Called::refuses(486),
            &["waiting", "connecting", "waiting"],
        ),
        (2000, Called::rings(), &["waiting", "connecting"]),
        (
            3000,
            Called::answers_after(1000),
            &["waiting", "connecting", "service"],
        ),
    ];
    for (after, called, phase) in phases {
        let (mut world, caller, ann) = shop(608, 0, 0, called);
        world.dial(caller, "line");
        world.pass_ms(after);
        world.hang_up(caller);
        world.pass_ms(500);
        assert_eq!(world.agent_statuses().last(), Some(&"available"));
        let is_served = phase.contains(&"service");
        let end = if is_served { "done" } else { "abandoned" };
        let wanted: Vec<&str> = ["initiating"]
            .iter()
            .chain(phase)
            .copied()
            .chain([end])
            .collect();
        assert_eq!(world.queuecalls(), [wanted]);
        assert_eq!(
            world.counts(),
            (1, u64::from(is_served), u64::from(!is_served))
        );
        let gone = [PhoneState::Idle, BY_SWITCH, BY_ITSELF];
        assert!(gone.contains(&world.state(ann)), "{:?}", world.state(ann));
        world.settle();
    }
}

#[test]
fn kick_leaves_the_wait_flow_wherever_it_is_and_parts_two_who_talk() {
    for (after, by_call) in [(1500, false), (1500, true), (8000, false), (8000, true)] {
        let (mut world, caller, ann) = shop(609, 0, 0, Called::answers_after(5000));
        world.dial(caller, "line");
        world.pass_ms(after);
        let queuecall = world.queuecall();
        let kick = Control::KickQueuecall { queuecall };
        let told = world.reports.iter().find_map(|report| match report {
            Report::Queuecall {
                queuecall: told, ..
            } => Some(told.call),
            _ => None,
        });
        let by_its_call = Control::Call {
            call: told.unwrap(),
            verb: CallVerb::LeaveQueue,
        };
        let asked = if by_call {
            by_its_call.clone()
        } else {
            kick.clone()
        };
        assert_eq!(ask(&mut world, asked), Ok(()));
        for again in [kick, by_its_call] {
            assert_eq!(ask(&mut world, again), Err(ControlError::NoSuchQueuecall));
        }
        world.pass_ms(800);
        assert_eq!(world.chord(caller), [700]);
        let last = if after < 5000 { "ACK" } else { "BYE" };
        assert_eq!(world.words(ann).last(), Some(&last));
        world.settle();
    }
}

#[test]
fn place_has_its_variables_as_long_as_it_is_taken() {
    let asks = |name: &str| {
        json!({"type": "condition_variable", "option": {
            "variable": format!("${{{name}}}"), "condition": "!=", "value_type": "string",
            "value_string": "", "false_target_id": "none",
        }})
    };
    let mut plan = plan(610, 7, 9, vec![agent(11, "ann")]);
    plan.flows.retain(|(name, _)| *name == "line");
    plan.flows[0].1 = json!([
        {"type": "answer"},
        {"type": "queue_join", "option": {"queue_id": SALES.to_string()}},
        asks("voipbin.queuecall.id"),
        {"type": "talk", "option": {"text": "tone 900 2000"}},
        {"id": "none", "type": "talk", "option": {"text": "tone 700 2000"}},
    ]);
    let mut plan = plan.flow("music", json!([
        {"type": "webhook_send", "option": {"uri": "http://x/${voipbin.queue.name}", "method": "POST",
            "data": "${voipbin.queue.id} ${voipbin.queue.detail} ${voipbin.queuecall.timeout_wait} ${voipbin.queuecall.timeout_service}"}},
        {"type": "sleep", "option": {"duration": 60_000}},
    ]));
    plan.directory.agents = AgentTable::default();
    let mut world = plan.build();
    let caller = world.phone("alice", "10.0.0.21");
    world.dial(caller, "line");
    world.pass_ms(7500);
    let asked = format!("{:?}", world.asked);
    assert!(asked.contains("http://x/sales"), "{asked}");
    assert!(
        asked.contains(&format!("{SALES} who buys 7000 9000")),
        "{asked}"
    );
    assert_eq!(world.chord(caller), [700], "they are gone behind it");
    world.settle();
}

#[test]
fn agent_without_time_is_not_called_until_somebody_says_that_it_has() {
    let mut ann = agent(11, "ann");
    ann.status = AgentStatus::Away;
    let mut world = plan(611, 0, 0, vec![ann]).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let phone = desk(
        &mut world,
        "ann",
        "10.0.1.1",
        500,
        Called::answers_after(500),
    );
    world.dial(caller, "line");
    world.pass_ms(60_000);
    assert_eq!(world.words(phone), [""; 0]);
    let agent = Uuid::from_u128(11);
    let set = |status| Control::SetAgent { agent, status };
    assert_eq!(
        ask(&mut world, set(AgentStatus::Ringing)),
        Err(ControlError::BadAgentStatus {
            status: AgentStatus::Ringing
        })
    );
    assert_eq!(ask(&mut world, set(AgentStatus::Available)), Ok(()));
    world.pass_ms(1000);
    assert_eq!(world.chord(caller), [500]);
    assert_eq!(ask(&mut world, set(AgentStatus::Offline)), Ok(()));
    world.hang_up(caller);
    world.pass_ms(500);
    let statuses = ["available", "ringing", "busy", "offline"];
    assert_eq!(world.agent_statuses(), statuses, "what was said stays");
    let nobody = Control::SetAgent {
        agent: Uuid::nil(),
        status: AgentStatus::Away,
    };
    assert_eq!(ask(&mut world, nobody), Err(ControlError::NoSuchAgent));
    world.settle();
}

#[test]
fn caller_that_was_not_answered_is_answered_when_the_agent_is() {
    let mut plan = plan(612, 0, 0, vec![agent(11, "ann")]);
    plan.flows[0].1 = json!([{"type": "queue_join", "option": {"queue_id": "sales"}}]);
    plan.flows[1].1 = json!([{"type": "sleep", "option": {"duration": 60_000}}]);
    let mut world = plan.build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let ann = desk(
        &mut world,
        "ann",
        "10.0.1.1",
        500,
        Called::answers_after(2000),
    );
    world.dial(caller, "line");
    world.pass_ms(1500);
    assert_eq!(world.words(caller), ["180 INVITE"]);
    world.pass_ms(1500);
    assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE"]);
    assert_eq!(
        (world.chord(caller), world.chord(ann)),
        (vec![500], vec![400])
    );
    world.hang_up(ann);
    world.pass_ms(500);
    assert_eq!(world.state(caller), BY_SWITCH);
    world.settle();
}

#[test]
fn queue_without_agents_telephones_keeps_trying_them_in_peace() {
    let mut lost = agent(11, "lost");
    lost.addresses.clear();
    let mut world = plan(613, 45, 0, vec![lost]).build();
    let caller = world.phone("alice", "10.0.0.21");
    world.dial(caller, "line");
    world.pass_ms(46_000);
    assert_eq!(world.chord(caller), [700]);
    let tries = world
        .agent_statuses()
        .iter()
        .filter(|status| **status == "ringing")
        .count();
    assert_eq!(tries, 5, "one in ten seconds");
    world.settle();
}

#[test]
fn queue_without_a_wait_flow_that_is_there_plays_music_until_the_agent_comes() {
    let mut plan = plan(617, 0, 0, vec![agent(11, "ann")]);
    plan.flows.retain(|(name, _)| *name == "line");
    let mut world = plan.build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let ann = desk(
        &mut world,
        "ann",
        "10.0.1.1",
        500,
        Called::answers_after(20_000),
    );
    world.dial(caller, "line");
    for _ in 0..4 {
        world.pass_ms(4500);
        assert!(!world.is_silent(caller));
    }
    world.pass_ms(4000);
    assert_eq!(
        (world.chord(caller), world.chord(ann)),
        (vec![500], vec![400])
    );
    world.hang_up(ann);
    world.pass_ms(800);
    assert_eq!(world.chord(caller), [700]);
    world.settle();
}

#[test]
fn wait_flow_that_leads_elsewhere_gives_up_the_place_and_the_agent() {
    let mut plan = plan(614, 0, 0, vec![agent(11, "ann")]);
    plan.flows[0].1[2]["id"] = json!("out");
    plan.flows[1].1 = json!([
        {"type": "sleep", "option": {"duration": 2000}},
        {"type": "goto", "option": {"target_id": "out", "loop_count": 1}},
    ]);
    let mut world = plan.build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let ann = desk(&mut world, "ann", "10.0.1.1", 500, Called::rings());
    world.dial(caller, "line");
    world.pass_ms(2800);
    assert_eq!(world.chord(caller), [700]);
    assert_eq!(world.words(ann), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.agent_statuses(), ["ringing", "available"]);
    world.settle();
    assert_eq!(world.counts(), (1, 0, 1));
}
