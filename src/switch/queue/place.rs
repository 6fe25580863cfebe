//! One caller's place in a queue (VoIPBIN: queuecall).
//!
//! ```text
//!              an agent is chosen            it answers       the caller comes
//!   Waiting -----------------------> Ringing ---------> Met ------------------> Service
//!    |   ^                            |   |              |                         |
//!    |   '--- no answer, refusal -----'   |              |                         |
//!    | hangup, wait_timeout, kick,        |              |      one of them leaves,
//!    | its wait flow leads elsewhere      |              |   service_timeout, kick |
//!    v                                    v              v                         v
//!   abandoned <------------------------------------------'                       done
//! ```
//!
//! While an agent is called the caller stays in its wait flow and keeps its turn.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::flow::FlowCommandId;
use crate::ids::{ActiveflowId, CallId};
use crate::store::queues::Queue;

/// What is known of a caller who comes to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switch) struct Ticket {
    /// The place it takes.
    pub place: Uuid,
    /// Its call.
    pub call: CallId,
    /// What waits for it.
    pub order: (ActiveflowId, FlowCommandId),
    /// Where it will meet the agent.
    pub confbridge: Uuid,
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Place {
    pub ticket: Ticket,
    pub queue: Uuid,
    /// Who came earlier has a lower one.
    pub turn: u64,
    came: Instant,
    /// When the caller has waited too long.
    patience: Option<Instant>,
    longest_service: Duration,
    pub state: State,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// For an agent.
    Waiting,
    /// An agent is called.
    Ringing { agent: Uuid, until: Instant },
    /// The agent has answered, and the caller is on its way.
    Met { agent: Uuid },
    /// They talk.
    Service { agent: Uuid, since: Instant },
}

/// A place as the API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queuecall {
    /// Which.
    pub id: Uuid,
    /// Of which queue.
    pub queue: Uuid,
    /// Whose.
    pub call: CallId,
    /// The run of a flow that waits.
    pub activeflow: ActiveflowId,
    /// The bridge where caller and agent meet.
    pub confbridge: Uuid,
    /// Where it stands.
    pub status: QueuecallStatus,
    /// Who is called, or serves.
    pub agent: Option<Uuid>,
    /// How long the caller has waited for the agent, so far or in all.
    pub waiting: Duration,
    /// How long they have talked.
    pub service: Duration,
}

/// Where a place in a queue stands, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueuecallStatus {
    /// It has just been taken.
    Initiating,
    /// The caller waits.
    Waiting,
    /// The caller waits while an agent is called.
    Connecting,
    /// Ticket and agent talk.
    Service,
    /// They have.
    Done,
    /// The caller has left, or was sent away, before an agent came.
    Abandoned,
}

impl QueuecallStatus {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiating => "initiating",
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Service => "service",
            Self::Done => "done",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Place {
    pub(super) fn new(now: Instant, ticket: Ticket, queue: &Queue, turn: u64) -> Self {
        let patience = (!queue.wait_timeout.is_zero()).then(|| now + queue.wait_timeout);
        Self {
            ticket,
            queue: queue.id,
            turn,
            came: now,
            patience,
            longest_service: queue.service_timeout,
            state: State::Waiting,
        }
    }

    /// When it has to move by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting => self.patience,
            State::Ringing { until, .. } => {
                Some(self.patience.map_or(until, |patience| patience.min(until)))
            }
            State::Met { .. } => None,
            State::Service { since, .. } => {
                (!self.longest_service.is_zero()).then(|| since + self.longest_service)
            }
        }
    }

    /// Claims that the caller has waited too long.
    pub(super) fn is_too_long(&self, now: Instant) -> bool {
        let is_waiting = matches!(self.state, State::Waiting | State::Ringing { .. });
        is_waiting && self.patience.is_some_and(|patience| patience <= now)
    }

    /// What the API tells of it now, with this status.
    pub(super) fn told(&self, now: Instant, status: QueuecallStatus) -> Queuecall {
        let (agent, served) = match self.state {
            State::Waiting => (None, None),
            State::Ringing { agent, .. } | State::Met { agent } => (Some(agent), None),
            State::Service { agent, since } => (Some(agent), Some(since)),
        };
        Queuecall {
            id: self.ticket.place,
            queue: self.queue,
            call: self.ticket.call,
            activeflow: self.ticket.order.0,
            confbridge: self.ticket.confbridge,
            status,
            agent,
            waiting: served.unwrap_or(now).saturating_duration_since(self.came),
            service: served.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
        }
    }
}
