use super::*;
use crate::flow::FlowCommandId;
use crate::ids::ActiveflowId;
use crate::sim;
use crate::store::agents::{Agent, Tag};

/// Queues and agents in virtual time, with what is said in words.
struct Office {
    queues: Queues,
    table: QueueTable,
    agents: AgentTable,
    rng: Rng,
    now: Instant,
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::from(*name)).collect()
}

fn queue(number: u128, wait: u64, service: u64, names: &[&str]) -> Queue {
    Queue {
        id: Uuid::from_u128(number),
        name: number.to_string(),
        detail: String::new(),
        wait_flow: None,
        wait_timeout: Duration::from_secs(wait),
        service_timeout: Duration::from_secs(service),
        tags: tags(names),
    }
}

fn agent(number: u128, names: &[&str]) -> Agent {
    Agent {
        id: Uuid::from_u128(number),
        name: number.to_string(),
        status: AgentStatus::Available,
        ring_method: RingMethod::RingAll,
        tags: tags(names),
        addresses: Vec::new(),
    }
}

impl Office {
    fn new(queues: Vec<Queue>, agents: Vec<Agent>) -> Self {
        Self {
            queues: Queues::default(),
            table: QueueTable::new(queues),
            agents: AgentTable::new(agents),
            rng: Rng::from_number(7),
            now: sim::start(),
        }
    }

    fn join(&mut self, queue: u128, place: u128) {
        let queue = self.table.get(Uuid::from_u128(queue)).unwrap();
        let id = Uuid::from_u128(place);
        let ticket = Ticket {
            place: id,
            call: CallId(id),
            order: (ActiveflowId(id), FlowCommandId(1)),
            confbridge: id,
        };
        self.queues.join(self.now, queue, ticket).unwrap();
    }

    /// Who is called for whom now: `place>agent`.
    fn rings(&mut self) -> Vec<String> {
        let mut rings = Vec::new();
        while let Some((place, agent)) =
            self.queues
                .poll_ring(self.now, &self.table, &self.agents, &mut self.rng)
        {
            self.agents.begin_ringing(agent);
            rings.push(format!("{}>{}", place.as_u128(), agent.as_u128()));
        }
        rings
    }

    fn refuse(&mut self, place: u128, agent: u128) {
        self.agents.unanswered(Uuid::from_u128(agent));
        self.queues.unanswered(self.now, Uuid::from_u128(place));
    }

    fn answer(&mut self, place: u128, agent: u128) {
        self.agents.answered(Uuid::from_u128(agent));
        let id = Uuid::from_u128(place);
        assert_eq!(self.queues.answered(id).unwrap().place, id);
        self.queues.served(self.now, id);
    }

    fn free(&mut self, agent: u128) {
        let id = Uuid::from_u128(agent);
        self.agents.set_status(id, AgentStatus::Available);
        self.queues.handle_agent(id, AgentStatus::Available);
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.queues.handle_timeout(self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1000);
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(event) = self.queues.poll_event() {
            said.push(match event {
                QueueEvent::StopRinging(ticket) => format!("stop {}", ticket.place.as_u128()),
                QueueEvent::Dismiss(ticket) => format!("dismiss {}", ticket.place.as_u128()),
                QueueEvent::Count(_, news) => format!("{news:?}"),
                QueueEvent::Moved(told) => {
                    let (id, status) = (told.id.as_u128(), told.status.as_str());
                    let (waiting, service) = (told.waiting.as_secs(), told.service.as_secs());
                    format!("{id} {status} {waiting}+{service}")
                }
            });
        }
        said
    }
}

#[test]
fn callers_are_served_in_the_order_of_their_coming() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], vec![agent(50, &[])]);
    for place in [10, 11, 12] {
        office.join(1, place);
    }
    assert_eq!(office.rings(), ["10>50"]);
    office.answer(10, 50);
    office.pass(60);
    assert_eq!(office.rings(), [""; 0]);
    for (left, next) in [(10, "11>50"), (11, "12>50")] {
        office.queues.left(office.now, Uuid::from_u128(left));
        office.free(50);
        assert_eq!(office.rings(), [next]);
        office.answer(left + 1, 50);
        office.pass(1);
    }
}

#[test]
fn place_goes_through_its_statuses_and_tells_how_long_they_took() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], vec![agent(50, &[])]);
    office.join(1, 10);
    assert_eq!(
        office.said(),
        ["Incoming", "10 initiating 0+0", "10 waiting 0+0"]
    );
    office.pass(5);
    office.rings();
    assert_eq!(office.said(), ["10 connecting 5+0"]);
    office.pass(3);
    office.answer(10, 50);
    assert_eq!(office.said(), ["Serviced", "10 service 8+0"]);
    office.pass(20);
    office.queues.left(office.now, Uuid::from_u128(10));
    assert_eq!(office.said(), ["10 done 8+20", "dismiss 10"]);
    assert_eq!(office.queues.len(), 0);
    assert_eq!(office.queues.poll_timeout(), None);
}

#[test]
fn caller_whose_agent_does_not_answer_keeps_its_turn_and_another_agent_is_called() {
    let agents = vec![agent(50, &[]), agent(51, &[])];
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], agents);
    office.join(1, 10);
    let first = office.rings();
    let called = if first == ["10>50"] { 50 } else { 51 };
    let other = 101 - called;
    office.join(1, 11);
    office.pass_ms(100);
    assert_eq!(office.rings(), [format!("11>{other}")]);
    office.refuse(11, other);
    office.refuse(10, called);
    assert_eq!(office.rings(), [""; 0], "both are left in peace");
    let said = office.said();
    assert_eq!(said[said.len() - 1], "10 waiting 0+0");
    office.pass_ms(9_900);
    assert_eq!(office.rings(), [""; 0]);
    office.pass_ms(100);
    let again = office.rings();
    assert!(again[0].starts_with("10>"), "the first is first: {again:?}");
}

#[test]
fn agent_rings_for_half_a_minute_and_then_rests() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], vec![agent(50, &[])]);
    office.join(1, 10);
    office.rings();
    office.said();
    office.pass(29);
    assert_eq!(office.said(), [""; 0]);
    office.pass(1);
    assert_eq!(office.said(), ["stop 10", "10 waiting 30+0"]);
    office.agents.unanswered(Uuid::from_u128(50));
    assert_eq!(office.rings(), [""; 0]);
    let again = office.now + REST;
    assert_eq!(office.queues.poll_timeout(), Some(again));
    office.pass(10);
    assert_eq!(office.rings(), ["10>50"]);
}

#[test]
fn agent_that_says_it_has_time_is_called_without_rest() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], vec![agent(50, &[])]);
    office.join(1, 10);
    office.rings();
    office.refuse(10, 50);
    office.pass_ms(100);
    assert_eq!(office.rings(), [""; 0]);
    office.free(50);
    assert_eq!(office.rings(), ["10>50"]);
}

#[test]
fn only_agents_with_a_tag_of_the_queue_are_called_and_without_tags_all() {
    let queues = vec![queue(1, 0, 0, &["sales"]), queue(2, 0, 0, &[])];
    let agents = vec![agent(50, &["support"]), agent(51, &[])];
    let mut office = Office::new(queues, agents);
    office.join(1, 10);
    assert_eq!(office.rings(), [""; 0]);
    office.join(2, 11);
    office.join(2, 12);
    assert_eq!(office.rings().len(), 1, "one in a tenth of a second");
    office.pass_ms(100);
    assert_eq!(office.rings().len(), 1);
}

#[test]
fn agent_of_two_queues_is_called_for_whoever_waits_longest() {
    let queues = vec![queue(1, 0, 0, &["a"]), queue(2, 0, 0, &["b"])];
    let mut office = Office::new(queues, vec![agent(50, &["a", "b"])]);
    office
        .agents
        .set_status(Uuid::from_u128(50), AgentStatus::Away);
    office.join(2, 10);
    office.join(1, 11);
    assert_eq!(office.rings(), [""; 0]);
    office.free(50);
    assert_eq!(office.rings(), ["10>50"]);
}

#[test]
fn wait_that_is_too_long_ends_also_while_an_agent_rings_and_not_in_service() {
    let mut office = Office::new(vec![queue(1, 20, 0, &[])], vec![agent(50, &[])]);
    for place in [10, 11, 12] {
        office.join(1, place);
    }
    office.rings();
    office.answer(10, 50);
    office.said();
    office.pass(15);
    office.free(50);
    office.rings();
    office.said();
    office.pass(5);
    let said = office.said();
    assert_eq!(
        said,
        [
            "Abandoned",
            "stop 11",
            "11 abandoned 20+0",
            "dismiss 11",
            "Abandoned",
            "12 abandoned 20+0",
            "dismiss 12"
        ]
    );
    office.pass(1000);
    assert_eq!(office.said(), [""; 0]);
    assert_eq!(office.queues.len(), 1);
}

#[test]
fn service_that_is_too_long_is_parted() {
    let mut office = Office::new(vec![queue(1, 5, 60, &[])], vec![agent(50, &[])]);
    office.join(1, 10);
    office.rings();
    office.answer(10, 50);
    office.said();
    office.pass(59);
    assert_eq!(office.said(), [""; 0]);
    office.pass(1);
    assert_eq!(office.said(), ["10 done 0+60", "dismiss 10"]);
}

#[test]
fn kick_sends_a_waiting_caller_away_parts_two_and_knows_no_place_twice() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], vec![agent(50, &[])]);
    office.join(1, 10);
    office.rings();
    office.answer(10, 50);
    office.join(1, 11);
    office.said();
    for (place, told) in [(10, "10 done 0+0"), (11, "11 abandoned 0+0")] {
        let id = Uuid::from_u128(place);
        assert!(office.queues.kick(office.now, id));
        assert!(
            office
                .said()
                .ends_with(&[told.to_owned(), format!("dismiss {place}")])
        );
        assert!(!office.queues.kick(office.now, id));
    }
    assert_eq!(office.rings(), [""; 0]);
}

#[test]
fn caller_that_leaves_while_an_agent_rings_or_has_just_answered_has_abandoned() {
    let agents = vec![agent(50, &[]), agent(51, &[])];
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], agents);
    office.join(1, 10);
    office.rings();
    office.queues.left(office.now, Uuid::from_u128(10));
    assert_eq!(office.queues.answered(Uuid::from_u128(10)), None);
    office.join(1, 11);
    office.pass_ms(100);
    office.rings();
    assert!(office.queues.answered(Uuid::from_u128(11)).is_some());
    office.said();
    office.queues.left(office.now, Uuid::from_u128(11));
    assert_eq!(
        office.said(),
        ["Abandoned", "stop 11", "11 abandoned 0+0", "dismiss 11"]
    );
}

#[test]
fn queue_that_is_full_takes_nobody_in() {
    let mut office = Office::new(vec![queue(1, 0, 0, &[])], Vec::new());
    for place in 0..1000 {
        office.join(1, place);
    }
    let queue = office.table.get(Uuid::from_u128(1)).unwrap();
    let id = Uuid::from_u128(5000);
    let ticket = Ticket {
        place: id,
        call: CallId(id),
        order: (ActiveflowId(id), FlowCommandId(1)),
        confbridge: id,
    };
    assert_eq!(
        office.queues.join(office.now, queue, ticket),
        Err(QueueFull)
    );
    office.queues.left(office.now, Uuid::from_u128(3));
    assert_eq!(office.queues.join(office.now, queue, ticket), Ok(()));
}

#[test]
fn places_of_a_call_are_known_in_the_order_of_their_taking() {
    let queues = vec![queue(1, 0, 0, &[]), queue(2, 0, 0, &[])];
    let mut office = Office::new(queues, Vec::new());
    let call = CallId(Uuid::from_u128(9));
    for (queue, place) in [(1, 10), (2, 11)] {
        let ticket = Ticket {
            place: Uuid::from_u128(place),
            call,
            order: (ActiveflowId(call.0), FlowCommandId(1)),
            confbridge: call.0,
        };
        let queue = office.table.get(Uuid::from_u128(queue)).unwrap();
        office.queues.join(office.now, queue, ticket).unwrap();
    }
    let of = |office: &Office, call| -> Vec<u128> {
        let own = office.queues.of_call(call);
        own.map(|ticket| ticket.place.as_u128()).collect()
    };
    assert_eq!(of(&office, call), [10, 11]);
    assert_eq!(of(&office, CallId(Uuid::nil())), [0; 0]);
    office.queues.left(office.now, Uuid::from_u128(10));
    assert_eq!(of(&office, call), [11]);
}
