//! The configuration changes while calls run: what is configured again goes on, and what is gone ends in order.

use uuid::Uuid;

use super::groups::registered;
use super::kit::*;
use super::*;
use crate::flow::Address;
use crate::sim::phone::{Called, Challenge};
use crate::sip::Account;
use crate::sip::message::{HeaderName, Message};
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod};
use crate::store::queues::{Queue, QueueCounts, QueueTable};
use crate::store::trunks::{Health, Trunk, TrunkOut, TrunkTable};
use crate::switch::{Control, Input, QueuecallStatus};

mod rooms;

const HOST: &str = "carrier.example";
const SALES: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);

/// What a world is to be configured as from now on.
fn configure(world: &mut World, plan: &Plan) {
    world.input(Input::Configure(Box::new(plan.configuration())));
}

fn with_trunks(plan: &Plan, trunks: Vec<(&str, TrunkOut)>) -> Plan {
    let mut plan = plan.clone();
    let trunk = |(name, out): (&str, TrunkOut)| Trunk {
        name: name.to_owned(),
        networks: Vec::new(),
        out: Some(out),
    };
    plan.directory.trunks = TrunkTable::new(trunks.into_iter().map(trunk).collect());
    plan
}

fn as_user(username: &str, password: &str) -> TrunkOut {
    TrunkOut {
        account: Some(Account {
            username: username.to_owned(),
            password: password.to_owned(),
        }),
        register: true,
        ..out(HOST)
    }
}

/// `Expires` of each REGISTER, and for whom it was.
fn registers(world: &World, trunk: PhoneId) -> Vec<String> {
    let seen = world.at(trunk).seen.iter();
    let registers = seen.filter(|seen| seen.word == "REGISTER");
    let told = registers.filter_map(|seen| match &seen.message {
        Message::Request(request) => {
            let expires = request.headers.get(&HeaderName::Expires)?;
            let to = request.headers.to().ok()?.uri.to_string();
            Some(format!("{to} {}", String::from_utf8_lossy(expires)))
        }
        Message::Response(_) => None,
    });
    told.collect()
}

/// A world that is registered at its one trunk, called `line`, as `us`.
fn registered_line(seed: u64) -> (World, PhoneId, Plan) {
    let plan = with_trunks(&Plan::new(seed), vec![("line", as_user("us", "secret"))]);
    let mut world = plan.clone().build();
    let trunk = world.trunk(HOST, "203.0.113.5");
    world.with(trunk, |phone, _| {
        phone.habits.registered = (200, "Expires: 600\r\n".to_owned());
    });
    world.pass_ms(500);
    assert_eq!(registers(&world, trunk), ["sip:us@carrier.example 600"]);
    (world, trunk, plan)
}

#[test]
fn a_registration_that_is_configured_again_stays_as_it_is() {
    let (mut world, trunk, plan) = registered_line(920);
    let other = TrunkOut {
        channels: 7,
        priority: 3,
        ..as_user("us", "secret")
    };
    let more = with_trunks(&plan, vec![("new", out("b.example")), ("line", other)]);
    for plan in [&plan, &more, &plan] {
        configure(&mut world, plan);
        world.pass(Duration::from_secs(20));
    }
    assert_eq!(registers(&world, trunk).len(), 1);
    world.pass(Duration::from_secs(600));
    assert!(
        registers(&world, trunk).len() > 1,
        "it is refreshed as ever"
    );
    world.settle();
}

#[test]
fn a_registration_with_another_password_is_renewed_and_never_ended() {
    let (mut world, trunk, plan) = registered_line(921);
    world.with(trunk, |phone, _| {
        phone.habits.challenge = Some(Challenge::new(HOST, "us", "newer"));
    });
    let plan = with_trunks(&plan, vec![("line", as_user("us", "newer"))]);
    let log = logged(|| {
        configure(&mut world, &plan);
        world.pass_ms(500);
    });
    // The second is asked for a proof.
    let wanted = ["sip:us@carrier.example 600"; 3];
    assert_eq!(registers(&world, trunk), wanted);
    assert!(log.contains("registered") && !log.contains("WARN"), "{log}");
    world.settle();
}

#[test]
fn a_registration_of_somebody_else_takes_the_place_of_the_old_one_which_is_ended() {
    let (mut world, trunk, plan) = registered_line(922);
    let plan = with_trunks(&plan, vec![("line", as_user("them", "secret"))]);
    configure(&mut world, &plan);
    world.pass_ms(500);
    let mut told = registers(&world, trunk);
    told.sort_unstable();
    let wanted = [
        "sip:them@carrier.example 600",
        "sip:us@carrier.example 0",
        "sip:us@carrier.example 600",
    ];
    assert_eq!(told, wanted);
    world.settle();
}

#[test]
fn a_registration_that_is_not_configured_any_more_is_ended_also_in_the_middle_of_being_made() {
    let (mut world, trunk, plan) = registered_line(923);
    let none = with_trunks(&plan, Vec::new());
    configure(&mut world, &none);
    world.pass_ms(500);
    let told = registers(&world, trunk);
    assert_eq!(told[1..], ["sip:us@carrier.example 0"]);
    // Asked for, looked for, asked, and gone before the answer.
    for ms in [0, 5, 12, 16] {
        world.with(trunk, |phone, _| phone.seen.clear());
        configure(&mut world, &plan);
        world.pass_ms(ms);
        configure(&mut world, &none);
        world.pass(Duration::from_secs(40));
        let told = registers(&world, trunk);
        let last = told.last().map(String::as_str);
        assert!(
            last.is_none_or(|last| last == "sip:us@carrier.example 0"),
            "{ms} ms: {told:?}"
        );
    }
    world.pass(Duration::from_secs(1200));
    configure(&mut world, &none);
    world.settle();
}

#[test]
fn calls_of_a_trunk_go_on_and_are_counted_when_it_is_configured_again_or_gone() {
    let narrow = TrunkOut {
        channels: 1,
        ..out(HOST)
    };
    let plan = Plan::new(924).flow("out", connect_then_talk(&json!({})));
    let mut plan = with_trunks(&plan, vec![("line", narrow.clone())]);
    plan.trunks_probed_every = None;
    let mut world = plan.clone().build();
    let trunk = world.trunk(HOST, "10.0.1.1");
    world.when_called(trunk, Called::answers_after(100));
    let alice = speaking(&mut world, "alice", "10.0.0.21", 400);
    let bob = speaking(&mut world, "bob", "10.0.0.22", 500);
    world.dial(alice, "out");
    world.pass_ms(1000);
    let other = with_trunks(&plan, vec![("other", out("b.example")), ("line", narrow)]);
    configure(&mut world, &other);
    world.dial(bob, "out");
    world.pass_ms(1000);
    assert_eq!(world.words(trunk).len(), 2, "its one channel is taken");
    world.pass_ms(4000);
    let trunks = &world.switch.directory().trunks;
    let line = trunks.find("line").expect("it is there");
    assert_eq!(
        (trunks.calls(line), trunks.health(line)),
        (1, Health::Healthy)
    );
    let none = with_trunks(&plan, Vec::new());
    configure(&mut world, &none);
    world.pass_ms(1000);
    assert_eq!(world.state(alice), PhoneState::Answered);
    world.hang_up(alice);
    world.pass_ms(500);
    configure(&mut world, &plan);
    world.dial(bob, "out");
    world.pass_ms(1000);
    assert_eq!(world.state(bob), PhoneState::Answered);
    world.hang_up(bob);
    world.settle();
}

fn sales(name: &str) -> Queue {
    Queue {
        id: SALES,
        name: name.to_owned(),
        detail: String::new(),
        wait_flow: None,
        wait_timeout: Duration::ZERO,
        service_timeout: Duration::ZERO,
        tags: Vec::new(),
    }
}

fn ann(status: AgentStatus) -> Agent {
    Agent {
        id: ANN,
        name: "ann".to_owned(),
        status,
        ring_method: RingMethod::RingAll,
        tags: Vec::new(),
        addresses: vec![Address {
            kind: "sip".to_owned(),
            target: "ann@ann.example".to_owned(),
            ..Address::default()
        }],
    }
}

/// The queue `sales` with the agent ann; behind it callers hear 700 Hz.
fn shop(seed: u64, status: AgentStatus) -> Plan {
    let line = json!([
        {"type": "answer"},
        {"type": "queue_join", "option": {"queue_id": SALES.to_string()}},
        {"type": "talk", "option": {"text": "tone 700 2000"}},
    ]);
    let mut plan = Plan::new(seed).flow("line", line);
    plan.directory.queues = QueueTable::new(vec![sales("sales")]);
    plan.directory.agents = AgentTable::new(vec![ann(status)]);
    plan
}

fn last_place(world: &World) -> Option<QueuecallStatus> {
    let mut reports = world.reports.iter().rev();
    reports.find_map(|report| match report {
        Report::Queuecall { queuecall, .. } => Some(queuecall.status),
        _ => None,
    })
}

#[test]
fn callers_keep_their_turn_while_their_queue_stays_and_go_on_when_it_is_gone() {
    let plan = shop(925, AgentStatus::Away);
    let mut world = plan.clone().build();
    let desk = world.trunk("ann.example", "10.0.1.1");
    world.when_called(desk, Called::answers_after(100));
    let phones = [
        speaking(&mut world, "alice", "10.0.0.21", 400),
        speaking(&mut world, "bob", "10.0.0.22", 500),
    ];
    for phone in phones {
        world.dial(phone, "line");
        world.pass_ms(500);
    }
    let mut other = plan.clone();
    other.directory.queues = QueueTable::new(vec![sales("renamed")]);
    other.directory.agents = AgentTable::new(vec![ann(AgentStatus::Available)]);
    configure(&mut world, &other);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.words(desk), [""; 0], "ann is away as she was");
    let set = Control::SetAgent {
        agent: ANN,
        status: AgentStatus::Available,
    };
    assert_eq!(world.control(set), Ok(()));
    world.pass_ms(1000);
    assert_eq!(world.hears(desk), Some(400), "alice was first");
    // The queue is gone: bob is sent on, and alice talks on, even when ann is gone too.
    let mut gone = plan.clone();
    gone.directory.queues = QueueTable::default();
    configure(&mut world, &gone);
    world.pass_ms(500);
    assert_eq!(last_place(&world), Some(QueuecallStatus::Abandoned));
    assert_eq!(world.hears(phones[1]), Some(700));
    assert_eq!(world.hears(desk), Some(400));
    gone.directory.agents = AgentTable::default();
    configure(&mut world, &gone);
    world.pass_ms(500);
    assert_eq!(world.hears(desk), Some(400));
    configure(&mut world, &plan);
    world.hang_up(desk);
    world.pass_ms(500);
    assert_eq!(last_place(&world), Some(QueuecallStatus::Done));
    assert_eq!(world.hears(phones[0]), Some(700));
    world.settle();
}

#[test]
fn counters_of_a_queue_go_on_and_a_busy_agent_stays_so_until_its_call_is_over() {
    let plan = shop(926, AgentStatus::Available);
    let mut world = plan.clone().build();
    let desk = world.trunk("ann.example", "10.0.1.1");
    world.when_called(desk, Called::answers_after(100));
    let alice = speaking(&mut world, "alice", "10.0.0.21", 400);
    world.dial(alice, "line");
    world.pass_ms(1000);
    configure(&mut world, &plan);
    assert_eq!(world.switch.agent("ann"), AgentStatus::Busy);
    world.hang_up(alice);
    world.pass_ms(500);
    assert_eq!(world.switch.agent("ann"), AgentStatus::Available);
    configure(&mut world, &plan);
    let counts = QueueCounts {
        incoming: 1,
        serviced: 1,
        abandoned: 0,
    };
    assert_eq!(world.switch.directory().queues.counts(SALES), counts);
    world.settle();
}

#[test]
fn an_agent_that_is_gone_is_called_no_more_and_the_next_one_is() {
    let plan = shop(927, AgentStatus::Available);
    let mut world = plan.clone().build();
    let desk = world.trunk("ann.example", "10.0.1.1");
    world.when_called(desk, Called::rings());
    let alice = speaking(&mut world, "alice", "10.0.0.21", 400);
    world.dial(alice, "line");
    world.pass_ms(1000);
    assert_eq!(world.words(desk), ["INVITE"]);
    let other = world.trunk("bea.example", "10.0.1.2");
    world.when_called(other, Called::answers_after(100));
    let mut bea = ann(AgentStatus::Available);
    (bea.id, bea.name) = (Uuid::from_u128(12), "bea".to_owned());
    bea.addresses[0].target = "bea@bea.example".to_owned();
    let mut changed = plan.clone();
    changed.directory.agents = AgentTable::new(vec![bea]);
    configure(&mut world, &changed);
    world.pass_ms(1000);
    assert_eq!(world.words(desk), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.hears(other), Some(400));
    world.hang_up(alice);
    world.settle();
}

#[test]
fn an_extension_that_is_gone_is_reached_no_more_and_its_call_goes_on() {
    let mut plan = trunk_plan(931).flow("menu", patience());
    plan.extensions = vec![("1001", "of 1001"), ("1002", "of 1002")];
    let mut world = plan.clone().build();
    let first = registered(&mut world, "1001", "10.0.0.31");
    let second = registered(&mut world, "1002", "10.0.0.32");
    for phone in [first, second] {
        world.when_called(phone, Called::answers_after(100));
    }
    world.dial(first, "menu");
    world.pass_ms(500);
    plan.extensions = vec![("1002", "another")];
    configure(&mut world, &plan);
    world.pass_ms(500);
    assert_eq!(world.state(first), PhoneState::Answered);
    assert_eq!(world.switch.reached("1001"), 0);
    assert_eq!(world.switch.reached("1002"), 1, "until it registers again");
    world.hang_up(first);
    world.settle();
}

#[test]
fn limits_and_codecs_hold_for_what_begins_from_then_on() {
    let mut plan = Plan::new(932).flow("menu", patience());
    let mut world = plan.clone().build();
    let phones = world.phones(3);
    world.dial(phones[0], "menu");
    world.pass_ms(500);
    plan.calls = 1;
    configure(&mut world, &plan);
    world.dial(phones[1], "menu");
    world.pass_ms(500);
    assert_eq!(world.state(phones[0]), PhoneState::Answered);
    assert!(world.words(phones[1]).contains(&"503 INVITE"));
    plan.calls = 2;
    configure(&mut world, &plan);
    world.dial(phones[2], "menu");
    world.pass_ms(500);
    assert_eq!(world.state(phones[2]), PhoneState::Answered);
    for phone in [phones[0], phones[2]] {
        world.hang_up(phone);
    }
    world.settle();
}
