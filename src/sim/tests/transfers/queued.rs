//! Transfers by agents: the place of the caller is served until its last talk is over.

use uuid::Uuid;

use super::*;
use crate::flow::Address;
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod};
use crate::store::queues::{Queue, QueueTable};

const SALES: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);

/// With a queue whose agent is bob. Behind it its callers hear 700 Hz.
pub(super) fn queue_plan(seed: u64) -> Plan {
    let line = json!([
        {"type": "answer"},
        {"id": "queue", "type": "queue_join", "option": {"queue_id": "sales"}},
        {"id": "after", "type": "talk", "option": {"text": "tone 700 1000"}},
        {"type": "hangup"},
    ]);
    let mut plan = talks_plan(seed).flow("line", line);
    plan.directory.queues = QueueTable::new(vec![Queue {
        id: SALES,
        name: "sales".to_owned(),
        detail: String::new(),
        wait_flow: None,
        wait_timeout: Duration::from_secs(60),
        service_timeout: Duration::from_secs(600),
        tags: Vec::new(),
    }]);
    plan.directory.agents = AgentTable::new(vec![Agent {
        id: ANN,
        name: "ann".to_owned(),
        status: AgentStatus::Available,
        ring_method: RingMethod::RingAll,
        tags: Vec::new(),
        addresses: vec![Address {
            kind: "extension".to_owned(),
            target: BOB.to_owned(),
            ..Address::default()
        }],
    }]);
    plan
}

/// Alice has waited in the queue and talks with its agent.
fn served(seed: u64) -> Talks {
    let mut t = before_talks(queue_plan(seed));
    t.world.dial(t.alice, "line");
    t.world.pass_ms(2500);
    t.hear([Some(500), Some(400), None]);
    t
}

fn status(t: &Talks) -> AgentStatus {
    let agents = &t.world.switch.directory().agents;
    agents.get(ANN).unwrap().status
}

#[test]
fn agent_that_has_given_its_caller_away_has_time_while_the_place_is_served() {
    for kind in [Blind, Attended] {
        let mut t = served(780);
        assert_eq!(status(&t), AgentStatus::Busy);
        assert_eq!(t.transfer(kind, BOB, CAROL), Ok(()));
        t.world.pass_ms(2000);
        t.hang_up_all(t.bob);
        t.world.pass_ms(500);
        t.hear([Some(600), None, Some(400)]);
        assert_eq!(status(&t), AgentStatus::Available);
        assert_ne!(t.cursor(), "after");
        t.world.hang_up(t.carol);
        t.world.pass_ms(500);
        assert_eq!(t.cursor(), "after");
        let served = t.world.switch.directory().queues.counts(SALES).serviced;
        assert_eq!(served, 1);
        t.rest();
        assert_eq!(t.times_after(), 1);
    }
}

#[test]
fn caller_whom_nobody_takes_from_an_agent_goes_on_behind_the_queue() {
    let mut t = served(781);
    t.world
        .when_called(t.carol, Called::refuses_after(300, 486));
    assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(1000);
    assert_eq!(t.cursor(), "after");
    t.rest();
    assert_eq!(t.times_after(), 1);
}

#[test]
fn caller_that_transfers_its_agent_leaves_the_queue() {
    let mut t = served(782);
    assert_eq!(t.transfer(Blind, ALICE, CAROL), Ok(()));
    t.world.pass_ms(2000);
    assert_eq!(t.world.state(t.alice), BY_SWITCH);
    t.hear([None, Some(600), Some(500)]);
    t.world.hang_up(t.carol);
    t.world.pass_ms(500);
    assert_eq!(t.world.state(t.bob), BY_SWITCH);
    t.rest();
}

#[test]
fn agent_that_asks_somebody_first_joins_the_two_by_refer() {
    for by in 0..2 {
        let mut t = served(783);
        let first = t.world.line(t.bob).id;
        t.world
            .with(t.bob, |phone, now| phone.hold(now, "sendonly"));
        t.world.pass_ms(300);
        t.world.dial(t.bob, CAROL);
        t.world.pass_ms(2500);
        assert!(t.world.hears_music(t.alice));
        let lines = [first, t.world.line(t.bob).id];
        t.world.with(t.bob, |phone, now| {
            phone.take_up(lines[by]);
            phone.refer_into(now, lines[1 - by]);
        });
        t.world.pass_ms(700);
        t.hear([Some(600), None, Some(400)]);
        assert_eq!(status(&t), AgentStatus::Available);
        t.world.hang_up(t.carol);
        t.world.pass_ms(500);
        assert_eq!(t.cursor(), "after");
        t.rest();
        assert_eq!(t.times_after(), 1);
    }
}
