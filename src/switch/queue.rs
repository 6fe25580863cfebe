//! Queues: callers who wait, in the order of their coming, and the agent that is called for each.
//!
//! ```text
//!   join ──> line of a queue ──┐ whose head waits longest
//!   join ──> line of a queue ──┴──> an agent with time and a tag of the queue, by chance ──> Ring
//!                 ^                                                                           |
//!                 '── unanswered: at its old turn; the agent rests ──────────────────────────-'
//! ```
//!
//! It knows no call and no bridge: whoever owns it dials agents, joins callers, and says what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::ids::{CallId, Rng};
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod};
use crate::store::queues::{Queue, QueueNews, QueueTable};
use crate::time::DeadlineQueue;

mod place;
#[cfg(test)]
mod tests;

pub(super) use place::Ticket;
use place::{Place, State};
pub use place::{Queuecall, QueuecallStatus};

/// All places that are taken, and who of the agents is left in peace for a while.
#[derive(Debug, Default)]
pub(super) struct Queues {
    places: HashMap<Uuid, Place>,
    /// Those of each call, in the order of their taking.
    of_calls: BTreeSet<(CallId, u64, Uuid)>,
    /// Queues with somebody who waits for an agent.
    lines: HashMap<Uuid, Line>,
    /// Agents that did not answer, until when they are not called.
    resting: HashMap<Uuid, Instant>,
    deadlines: DeadlineQueue<Uuid>,
    /// When an agent may be found where there was none.
    again: Option<Instant>,
    /// Something has changed since no agent was found.
    is_stirred: bool,
    turns: u64,
    events: VecDeque<QueueEvent>,
}

/// Those who wait in one queue.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<u64, Uuid>,
    /// Not before then is an agent called.
    rested: Option<Instant>,
}

/// What a queue wants done, or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueueEvent {
    /// The agent is called, or has answered, in vain: give it up.
    StopRinging(Ticket),
    /// The place is gone: the caller's flow goes on behind it, if it is still in it.
    Dismiss(Ticket),
    /// Somebody came, was served, or was not.
    Count(Uuid, QueueNews),
    /// A place stands elsewhere.
    Moved(Queuecall),
}

/// As many wait in a queue as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub(super) struct QueueFull;

/// Callers that wait in one queue: more would wait for hours.
const WAITING: usize = 1000;
/// How long all telephones of an agent ring for one caller: six rings, then others have their turn.
const RINGING: Duration = Duration::from_secs(30);
/// The longest for an agent whose addresses are called one after another.
const RINGING_IN_TURN: Duration = Duration::from_secs(180);
/// How long an agent that did not answer is left in peace.
const REST: Duration = Duration::from_secs(10);
/// Between two calls to agents for one queue.
const PACE: Duration = Duration::from_millis(100);

impl Queues {
    /// Takes a caller in at the end of the line.
    pub(super) fn join(
        &mut self,
        now: Instant,
        queue: &Queue,
        ticket: Ticket,
    ) -> Result<(), QueueFull> {
        let line = self.lines.entry(queue.id).or_default();
        if line.waiting.len() >= WAITING {
            return Err(QueueFull);
        }
        self.turns += 1;
        line.waiting.insert(self.turns, ticket.place);
        let place = Place::new(now, ticket, queue, self.turns);
        self.events
            .push_back(QueueEvent::Count(queue.id, QueueNews::Incoming));
        for status in [QueuecallStatus::Initiating, QueuecallStatus::Waiting] {
            self.events
                .push_back(QueueEvent::Moved(place.told(now, status)));
        }
        self.deadlines.set(ticket.place, place.poll_timeout());
        self.of_calls
            .insert((ticket.call, self.turns, ticket.place));
        self.places.insert(ticket.place, place);
        self.is_stirred = true;
        Ok(())
    }

    /// Finds an agent for the one who has waited longest of those for whom there is one: whose place, and
    /// which agent. It counts as being called from now on.
    #[must_use]
    pub(super) fn poll_ring(
        &mut self,
        now: Instant,
        queues: &QueueTable,
        agents: &AgentTable,
        rng: &mut Rng,
    ) -> Option<(Uuid, Uuid)> {
        if !self.is_stirred {
            return None;
        }
        self.resting.retain(|_, until| *until > now);
        self.again = None;
        let mut heads: Vec<(u64, Uuid)> = self.lines.iter().filter_map(head).collect();
        heads.sort_unstable();
        for (turn, queue) in heads {
            let Some(queue) = queues.get(queue) else {
                continue;
            };
            match self.choose(now, queue, agents, rng) {
                Ok(agent) => return self.begin_ringing(now, queue.id, turn, agent),
                Err(again) => self.again = [self.again, again].into_iter().flatten().min(),
            }
        }
        self.is_stirred = false;
        None
    }

    /// The agent called for a place has not answered, and nobody calls it any more: the caller waits on at
    /// its turn.
    pub(super) fn unanswered(&mut self, now: Instant, id: Uuid) {
        let Some(place) = self.places.get_mut(&id) else {
            return;
        };
        let State::Ringing { agent, .. } = place.state else {
            return;
        };
        place.state = State::Waiting;
        self.resting.insert(agent, now + REST);
        self.deadlines.set(id, place.poll_timeout());
        let told = place.told(now, QueuecallStatus::Waiting);
        self.events.push_back(QueueEvent::Moved(told));
        let line = self.lines.entry(place.queue).or_default();
        line.waiting.insert(place.turn, id);
        self.is_stirred = true;
    }

    /// The agent has answered: where the caller is to come to, if it is still there.
    pub(super) fn answered(&mut self, id: Uuid) -> Option<Ticket> {
        let place = self.places.get_mut(&id)?;
        let State::Ringing { agent, .. } = place.state else {
            return None;
        };
        place.state = State::Met { agent };
        self.deadlines.set(id, None);
        Some(place.ticket)
    }

    /// The caller has come to the agent.
    pub(super) fn served(&mut self, now: Instant, id: Uuid) {
        let Some(place) = self.places.get_mut(&id) else {
            return;
        };
        let State::Met { agent } = place.state else {
            return;
        };
        place.state = State::Service { agent, since: now };
        self.deadlines.set(id, place.poll_timeout());
        let told = place.told(now, QueuecallStatus::Service);
        self.events
            .push_back(QueueEvent::Count(place.queue, QueueNews::Serviced));
        self.events.push_back(QueueEvent::Moved(told));
    }

    /// The caller is out of its place by itself, or one of the two has left the other.
    pub(super) fn left(&mut self, now: Instant, id: Uuid) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        self.deadlines.set(id, None);
        self.of_calls.remove(&(place.ticket.call, place.turn, id));
        let status = match place.state {
            State::Service { .. } => QueuecallStatus::Done,
            _ => QueuecallStatus::Abandoned,
        };
        if status == QueuecallStatus::Abandoned {
            self.events
                .push_back(QueueEvent::Count(place.queue, QueueNews::Abandoned));
        }
        match place.state {
            State::Waiting => {
                if let Some(line) = self.lines.get_mut(&place.queue) {
                    line.waiting.remove(&place.turn);
                }
            }
            State::Ringing { .. } | State::Met { .. } => {
                self.events.push_back(QueueEvent::StopRinging(place.ticket));
            }
            State::Service { .. } => {}
        }
        let told = place.told(now, status);
        self.events.push_back(QueueEvent::Moved(told));
        self.events.push_back(QueueEvent::Dismiss(place.ticket));
    }

    /// Sends the caller of a place away, or takes the two apart. `false`: there is no such place any more.
    pub(super) fn kick(&mut self, now: Instant, id: Uuid) -> bool {
        let is_taken = self.places.contains_key(&id);
        self.left(now, id);
        is_taken
    }

    /// Queues and agents are others now. Who waits in a queue that is gone is sent away, who talks there talks
    /// on; an agent that is gone is called no more.
    pub(super) fn reconfigure(&mut self, now: Instant, queues: &QueueTable, agents: &AgentTable) {
        let places = self.places.iter();
        let mut moved: Vec<(u64, Uuid, bool)> = places
            .filter_map(|(id, place)| {
                let is_there = queues.get(place.queue).is_some();
                let is_called = match place.state {
                    State::Waiting => true,
                    State::Ringing { agent, .. } => agents.get(agent).is_some(),
                    State::Met { .. } | State::Service { .. } => return None,
                };
                (!is_there || !is_called).then_some((place.turn, *id, is_there))
            })
            .collect();
        moved.sort_unstable();
        for (_, id, is_there) in moved {
            match self.places.get(&id).map(|place| place.ticket) {
                Some(ticket) if is_there => {
                    self.events.push_back(QueueEvent::StopRinging(ticket));
                    self.unanswered(now, id);
                }
                _ => self.left(now, id),
            }
        }
        self.lines.retain(|queue, _| queues.get(*queue).is_some());
        self.is_stirred = true;
    }

    /// An agent has another status, told by whoever may: one that has time need not rest.
    pub(super) fn handle_agent(&mut self, agent: Uuid, status: AgentStatus) {
        if status == AgentStatus::Available {
            self.resting.remove(&agent);
        }
        self.is_stirred = true;
    }

    /// Somebody has time again.
    pub(super) fn stir(&mut self) {
        self.is_stirred = true;
    }

    /// Lets time pass; early or twice is harmless.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            self.is_stirred = true;
        }
        while let Some(id) = self.deadlines.poll(now) {
            let Some(place) = self.places.get(&id) else {
                continue;
            };
            match place.state {
                State::Ringing { .. } if !place.is_too_long(now) => {
                    self.events.push_back(QueueEvent::StopRinging(place.ticket));
                    self.unanswered(now, id);
                }
                _ => self.left(now, id),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let deadline = self.deadlines.poll_timeout();
        [deadline, self.again].into_iter().flatten().min()
    }

    /// Takes the next thing to be done.
    #[must_use]
    pub(super) fn poll_event(&mut self) -> Option<QueueEvent> {
        self.events.pop_front()
    }

    /// The places of a call, the oldest first.
    pub(super) fn of_call(&self, call: CallId) -> impl DoubleEndedIterator<Item = Ticket> {
        let own = (call, 0, Uuid::nil())..=(call, u64::MAX, Uuid::max());
        let places = self.of_calls.range(own);
        places.filter_map(|(_, _, id)| Some(self.places.get(id)?.ticket))
    }

    /// Who has a place.
    pub(super) fn ticket(&self, id: Uuid) -> Option<Ticket> {
        Some(self.places.get(&id)?.ticket)
    }

    /// Places that are taken.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// An agent for the head of a line; else when there may be one, if that is a matter of time.
    fn choose<'a>(
        &self,
        now: Instant,
        queue: &'a Queue,
        agents: &'a AgentTable,
        rng: &mut Rng,
    ) -> Result<&'a Agent, Option<Instant>> {
        let rested = self.lines.get(&queue.id).and_then(|line| line.rested);
        if rested.is_some_and(|rested| rested > now) {
            return Err(rested);
        }
        let (mut fresh, mut again) = (Vec::new(), None);
        for agent in agents.available(&queue.tags) {
            match self.resting.get(&agent.id) {
                None => fresh.push(agent),
                Some(until) => again = [again, Some(*until)].into_iter().flatten().min(),
            }
        }
        let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        let chosen = fresh.get(rng.below(count) as usize);
        chosen.copied().ok_or(again)
    }

    fn begin_ringing(
        &mut self,
        now: Instant,
        queue: Uuid,
        turn: u64,
        agent: &Agent,
    ) -> Option<(Uuid, Uuid)> {
        let line = self.lines.get_mut(&queue)?;
        line.rested = Some(now + PACE);
        let id = line.waiting.remove(&turn)?;
        let place = self.places.get_mut(&id)?;
        let time = match agent.ring_method {
            RingMethod::RingAll => RINGING,
            RingMethod::Linear => RINGING_IN_TURN,
        };
        place.state = State::Ringing {
            agent: agent.id,
            until: now + time,
        };
        self.deadlines.set(id, place.poll_timeout());
        let told = place.told(now, QueuecallStatus::Connecting);
        self.events.push_back(QueueEvent::Moved(told));
        Some((id, agent.id))
    }
}

/// Who has waited longest in a queue.
fn head((queue, line): (&Uuid, &Line)) -> Option<(u64, Uuid)> {
    let (turn, _) = line.waiting.first_key_value()?;
    Some((*turn, *queue))
}
