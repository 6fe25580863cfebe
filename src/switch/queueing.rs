//! Queues at work: callers are taken in, agents are called for them, and the two are joined.
//!
//! ```text
//!   JoinQueue ──> Queues ──> agent dialed ──> answered: agent in the bridge ──> QueueServed
//!       ^                                                                           |
//!       |                                    caller in the bridge <── JoinConfbridge'
//!       '── Finished, once, however the place ended
//! ```
//!
//! A caller's agent is a call that is made for the caller's: it runs no flow, and goes when the caller does.

use std::time::Instant;

use flowswitch_media::command::Part;
use uuid::Uuid;

use super::bridges::BridgeKind;
use super::dial::{DialFor, DialId, Made};
use super::queue::{QueueEvent, QueueFull, Ticket};
use super::report::Report;
use super::{Purpose, Switch};
use crate::call::cause::{Cause, Why};
use crate::flow::{Address, Anonymous, FlowCommandId, FlowEvent, FlowOutcome, QueuePlace};
use crate::ids::{ActiveflowId, CallId};
use crate::status::HangupReason;
use crate::store::agents::RingMethod;
use crate::store::queues::QueueNews;

impl Switch {
    /// The call of a flow takes a place in a queue.
    pub(super) fn join_queue(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        queue: &str,
    ) {
        let (call, queue) = (self.call_of(id), self.config.directory.queues.find(queue));
        let (Some(call), Some(queue)) = (call, queue.cloned()) else {
            let why = "there is no call, or no such queue";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let ticket = Ticket {
            place: self.rng.uuid(),
            call,
            order: (id, command),
            confbridge: self.rng.uuid(),
        };
        if let Err(QueueFull) = self.queues.join(now, &queue, ticket) {
            tracing::warn!(%call, queue = %queue.name, "the queue is full: the flow goes on behind it");
            for news in [QueueNews::Incoming, QueueNews::Abandoned] {
                self.count_queue(queue.id, news);
            }
            return self.finish_flow_command(now, id, command, FlowOutcome::Done);
        }
        tracing::info!(%call, queue = %queue.name, queuecall = %ticket.place, "waits in queue");
        let wait_flow_id = self.known_flow(queue.wait_flow, &queue.name);
        if wait_flow_id.is_none() {
            let music = self.hold_music.clone();
            self.fill(now, call, music);
        }
        let place = QueuePlace {
            id: ticket.place,
            queue_id: queue.id,
            name: queue.name,
            detail: queue.detail,
            timeout_wait: queue.wait_timeout,
            timeout_service: queue.service_timeout,
            wait_flow_id,
            confbridge_id: ticket.confbridge.to_string(),
        };
        let event = FlowEvent::Queued { command, place };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
    }

    /// The flow has left its place. `false`: it had none under this order.
    pub(super) fn leave_queue(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) -> bool {
        let Some(call) = self.call_of(id) else {
            return false;
        };
        let of_order = |ticket: &Ticket| ticket.order == (id, command);
        let Some(ticket) = self.queues.of_call(call).find(of_order) else {
            return false;
        };
        self.stop_music(now, call);
        self.queues.left(now, ticket.place);
        true
    }

    /// A call is over, and with it every place it had.
    pub(super) fn leave_queues(&mut self, now: Instant, call: CallId) {
        let places: Vec<Uuid> = self
            .queues
            .of_call(call)
            .map(|ticket| ticket.place)
            .collect();
        for place in places {
            self.queues.left(now, place);
        }
    }

    /// Calls an agent for somebody who waits; `false` when nobody is to be called now.
    pub(super) fn ring_agents(&mut self, now: Instant) -> bool {
        let directory = &self.config.directory;
        let (queues, agents) = (&directory.queues, &directory.agents);
        let ring = self.queues.poll_ring(now, queues, agents, &mut self.rng);
        let Some((place, agent)) = ring else {
            return false;
        };
        let Some(ticket) = self.queues.ticket(place) else {
            return true;
        };
        let address = Address {
            kind: "agent".to_owned(),
            target: agent.to_string(),
            ..Address::default()
        };
        let destinations = self.destinations(&[address]);
        let made = Made {
            caller: self.caller(Some(ticket.call), &Address::default(), Anonymous::Auto),
            master: Some(ticket.call),
            flow: Some(ticket.order.0),
            meets: None,
        };
        tracing::debug!(call = %ticket.call, %agent, "an agent is called");
        let purpose = DialFor::Queue(place);
        let dial = self.dial(now, purpose, made, RingMethod::RingAll, destinations);
        if self.is_ringing(dial) {
            self.ringing.insert(place, dial);
        } else {
            self.forget_dial(dial);
            self.queues.unanswered(now, place);
        }
        true
    }

    /// Nobody answers for an agent any more.
    pub(super) fn agent_missed(&mut self, now: Instant, dial: DialId, place: Uuid) {
        self.forget_dial(dial);
        self.ringing.remove(&place);
        self.queues.unanswered(now, place);
    }

    /// An agent has answered: the caller leaves its wait flow for it at once.
    pub(super) fn agent_came(&mut self, now: Instant, dial: DialId, place: Uuid, call: CallId) {
        self.forget_dial(dial);
        self.ringing.remove(&place);
        let Some(ticket) = self.queues.answered(place) else {
            return self.hang_up_legs(now, vec![call], &Why::OtherEnded);
        };
        tracing::info!(call = %ticket.call, agent = %call, "an agent has answered");
        let kind = BridgeKind::Queue(place);
        let bridge = self.new_bridge(now, ticket.confbridge, kind, ticket.call);
        self.join_bridge(now, call, bridge, Part::FULL, None);
        self.stop_music(now, ticket.call);
        let order = self.new_order(ticket.call, Purpose::Control);
        self.with_call(now, ticket.call, |call, down| call.answer(down, order));
        let (flow, command) = ticket.order;
        let event = FlowEvent::QueueServed { command };
        self.with_flow(now, flow, |flow| flow.handle_event(now, event));
    }

    /// Somebody is in the bridge of a place: its caller, or the agent before it.
    pub(super) fn came_to_service(&mut self, now: Instant, place: Uuid, call: CallId) {
        let ticket = self.queues.ticket(place);
        if ticket.is_some_and(|ticket| ticket.call == call) {
            self.queues.served(now, place);
        }
    }

    /// Somebody has left the bridge of a place. The service is over when it is the caller, or when one is
    /// left alone: the caller's flow goes on then, and an agent's call is hung up.
    pub(super) fn left_service(
        &mut self,
        now: Instant,
        place: Uuid,
        left: CallId,
        alone: Option<CallId>,
    ) {
        let caller = self.queues.ticket(place).map(|ticket| ticket.call);
        if caller == Some(left) || alone.is_some() {
            self.queues.left(now, place);
        }
        if let Some(alone) = alone {
            self.connection_parted(now, alone);
        }
    }

    /// Does what a queue wants done.
    pub(super) fn handle_queue(&mut self, now: Instant, event: QueueEvent) {
        match event {
            QueueEvent::StopRinging(ticket) => self.give_up_agent(now, ticket),
            QueueEvent::Dismiss(ticket) => {
                self.stop_music(now, ticket.call);
                let (flow, command) = ticket.order;
                self.finish_flow_command(now, flow, command, FlowOutcome::Done);
            }
            QueueEvent::Count(queue, news) => self.count_queue(queue, news),
            QueueEvent::Moved(queuecall) => {
                let (queuecall, updated) = (Box::new(queuecall), self.epoch.since_1970(now));
                self.report(Report::Queuecall { queuecall, updated });
            }
        }
    }

    fn count_queue(&mut self, queue: Uuid, news: QueueNews) {
        let queues = &mut self.config.directory.queues;
        queues.count(queue, news);
        let counts = queues.counts(queue);
        self.report(Report::Queue { queue, counts });
    }

    fn give_up_agent(&mut self, now: Instant, ticket: Ticket) {
        let legs = match self.ringing.remove(&ticket.place) {
            Some(dial) => self.forget_dial(dial).map(|dial| dial.calls()),
            // It has answered, and waits alone for the caller.
            None => {
                let bridge = self.bridges.find(ticket.confbridge);
                let room = bridge.and_then(|bridge| self.bridges.get(bridge));
                room.map(|room| room.members().collect())
            }
        };
        for leg in legs.unwrap_or_default() {
            let cause = Cause::local(HangupReason::Cancel, Why::OtherEnded);
            self.with_call(now, leg, |call, down| call.hangup(down, cause));
        }
    }

    fn stop_music(&mut self, now: Instant, call: CallId) {
        let entry = self.calls.get(&call);
        if entry.is_some_and(|entry| entry.is_filled_with(&self.hold_music)) {
            self.stop_filling(now, call);
        }
    }

    /// A flow that a queue or a conference names, where it is known.
    pub(super) fn known_flow(&self, name: Option<String>, place: &str) -> Option<String> {
        let name = name?;
        if self.flows.find(&name).is_none() {
            tracing::warn!(flow = %name, place, "there is no such flow: the caller goes without");
            return None;
        }
        Some(name)
    }
}
