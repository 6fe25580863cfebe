//! One dial of many: whoever answers first is meant.
//!
//! ```text
//!   dial ── group (all at once) ──┬── call
//!                                 ├── group of an agent (one after another) ──┬── call
//!                                 │                                           └── group of an extension
//!                                 └── group of an extension (all at once) ──── call, call
//! ```
//!
//! A group whose calls have all come to nothing has come to nothing itself, up to the dial. Who asked is told
//! when somebody answers, and when nobody will.

use std::collections::VecDeque;
use std::time::Instant;

use flowswitch_media::command::BridgeId;
use uuid::Uuid;

use super::connect::Connect;
use super::identity::Caller;
use super::outgoing::NewCall;
use super::route::{Destination, Group, Party};
use super::{Meeting, Switch};
use crate::call::CallEvent;
use crate::call::cause::{Cause, Why};
use crate::call::reason::Fact;
use crate::flow;
use crate::ids::{ActiveflowId, CallId};
use crate::status::{CallStatus, HangupReason};
use crate::store::agents::RingMethod;
use crate::store::groupcalls::AnswerMethod;
use crate::store::trunks::TrunkId;

/// One dial; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DialId(pub(super) u64);

/// A dial under way (outward: groupcall), from its first call until nobody will answer or who has answered is
/// gone.
#[derive(Debug)]
pub(super) struct Dialing {
    /// Its outward name.
    pub(super) groupcall: Uuid,
    purpose: DialFor,
    made: Made,
    groups: Vec<Ringing>,
    legs: Vec<Leg>,
    /// Who has answered first.
    pub(super) winner: Option<CallId>,
    /// All who have.
    answered: Vec<CallId>,
    /// Parties that may still be called.
    left: usize,
}

/// Who asked for a dial.
#[derive(Debug)]
pub(super) enum DialFor {
    /// A `connect` of a flow.
    Connect(Connect),
    /// Calls that meet a flow of their own.
    Calls(AnswerMethod),
    /// An agent for a place in a queue.
    Queue(Uuid),
    /// Somebody whom one of two in this bridge is given to.
    Transfer(BridgeId),
}

/// What is the same for all calls that one order makes.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub caller: Caller,
    /// The call they are made for, and hung up with.
    pub master: Option<CallId>,
    /// The activeflow whose count they are on.
    pub flow: Option<ActiveflowId>,
    /// What each of them meets.
    pub meets: Option<Meeting>,
}

#[derive(Debug)]
struct Leg {
    call: CallId,
    group: usize,
}

/// A group that is being called.
#[derive(Debug)]
struct Ringing {
    parent: Option<usize>,
    agent: Option<Uuid>,
    /// Whose turn has not come.
    waiting: VecDeque<Destination>,
    /// Calls and groups in it that may still answer.
    living: usize,
}

/// Parties in one dial.
pub(super) const DESTINATIONS: usize = 50;
/// Calls at once that one activeflow has made.
const CALLS: usize = 100;

impl Dialing {
    /// The connection that it is for.
    pub(super) fn connect(&mut self) -> Option<&mut Connect> {
        match &mut self.purpose {
            DialFor::Connect(connect) => Some(connect),
            DialFor::Calls(_) | DialFor::Queue(_) | DialFor::Transfer(_) => None,
        }
    }

    /// Forgets a call: what becomes of it is none of this dial any more. `false`: it is none of its calls.
    pub(super) fn release(&mut self, call: CallId) -> bool {
        let before = self.legs.len();
        self.legs.retain(|leg| leg.call != call);
        self.legs.len() < before
    }

    /// Lets another call stand for one that rings. `false`: that is none of its calls.
    pub(super) fn add_beside(&mut self, ringing: CallId, call: CallId) -> bool {
        let Some(group) = self.legs.iter().find(|leg| leg.call == ringing) else {
            return false;
        };
        let group = group.group;
        self.legs.push(Leg { call, group });
        self.groups[group].living += 1;
        true
    }

    /// The trunks that those who have not been called yet may be reached by.
    pub(super) fn trunks(&self) -> Vec<TrunkId> {
        let mut trunks = Vec::new();
        let mut left: Vec<&Destination> = self.groups.iter().flat_map(|one| &one.waiting).collect();
        while let Some(destination) = left.pop() {
            match destination {
                Destination::Party(party) => {
                    let ways = party.ways.iter().flatten();
                    trunks.extend(ways.filter_map(|way| way.line.trunk()));
                }
                Destination::Group(group) => left.extend(&group.members),
                Destination::Conference(_) => {}
            }
        }
        trunks
    }

    /// The calls under way, in the order in which they were made.
    pub(super) fn calls(&self) -> Vec<CallId> {
        self.legs.iter().map(|leg| leg.call).collect()
    }

    /// Those whom the answer of `call` makes needless.
    fn rivals(&self, call: CallId) -> Vec<CallId> {
        let others = self.legs.iter().filter(|leg| leg.call != call);
        let lets_ring = matches!(self.purpose, DialFor::Calls(AnswerMethod::LetRing));
        let member = match self.legs.iter().find(|leg| leg.call == call) {
            Some(leg) if lets_ring => self.member(leg.group),
            _ => return others.map(|leg| leg.call).collect(),
        };
        let is_same = |leg: &&Leg| member.is_some() && self.member(leg.group) == member;
        others.filter(is_same).map(|leg| leg.call).collect()
    }

    /// The group right below the outermost one that `group` is in; `None` for the outermost itself.
    fn member(&self, group: usize) -> Option<usize> {
        let mut at = group;
        while let Some(parent) = self.groups[at].parent {
            if self.groups[parent].parent.is_none() {
                return Some(at);
            }
            at = parent;
        }
        None
    }
}

impl Switch {
    /// Whom these addresses mean. Those of a kind that cannot be called are left out, and so is what would
    /// be too much for one dial.
    pub(super) fn destinations(&self, addresses: &[flow::Address]) -> Vec<Destination> {
        if addresses.len() > DESTINATIONS {
            tracing::warn!(
                destinations = addresses.len(),
                most = DESTINATIONS,
                "too many destinations: those over are not called"
            );
        }
        let known = |address: &flow::Address| {
            let found = self.destination(address);
            if found.is_none() {
                tracing::warn!(kind = %address.kind, "an address of this kind is not called, or is nobody's");
            }
            found
        };
        addresses
            .iter()
            .take(DESTINATIONS)
            .filter_map(known)
            .collect()
    }

    /// Calls whom `destinations` mean until one answers: all at once, or one after another. Nobody is told
    /// of it within this call.
    pub(super) fn dial(
        &mut self,
        now: Instant,
        purpose: DialFor,
        made: Made,
        method: RingMethod,
        destinations: Vec<Destination>,
    ) -> DialId {
        let id = DialId(self.next_number());
        let groupcall = self.rng.uuid();
        let names = (groupcall, id);
        self.name_groupcall(now, names, (&purpose, &made), method, &destinations);
        self.dials.insert(
            id,
            Dialing {
                groupcall,
                purpose,
                made,
                groups: Vec::new(),
                legs: Vec::new(),
                winner: None,
                answered: Vec::new(),
                left: DESTINATIONS,
            },
        );
        let group = Group {
            method,
            members: destinations,
            agent: None,
        };
        self.ring_group(now, id, None, group);
        self.groupcall_begun(groupcall);
        id
    }

    /// Calls one party under the limits of one activeflow and of the switch.
    pub(super) fn call_party(
        &mut self,
        now: Instant,
        party: Party,
        made: &Made,
        dial: Option<DialId>,
    ) -> Option<CallId> {
        let run = made.flow.and_then(|flow| self.activeflows.get(&flow));
        let why = if self.stopping.is_some() {
            "the switch is stopping"
        } else if self.calls.len() + self.arrivals.len() >= self.config.calls {
            "the switch has as many calls as it may have"
        } else if run.is_some_and(|run| run.calls >= CALLS) {
            "the activeflow has made as many calls as it may have at once"
        } else {
            ""
        };
        if !why.is_empty() {
            if let Some(others) = self.limits.pass(now) {
                tracing::warn!(others, "not called: {why}");
            }
            if let Some(call) = made.master.or_else(|| run.and_then(|run| run.call)) {
                self.know(call, Fact::Limit(why));
            }
            return None;
        }
        let meets = made.meets.clone();
        let id = self.make_call(
            now,
            NewCall {
                party,
                caller: made.caller.clone(),
                master: made.master,
                // One that meets a flow of its own is joined with nobody yet.
                beside: made.master.filter(|_| meets.is_none()),
                early_execution: meets.as_ref().is_some_and(|meets| meets.is_early),
            },
        );
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.shown.flow = meets.as_ref().map(|meets| meets.flow.id.as_str().into());
            entry.dial = dial;
            entry.meets = meets;
            entry.made_by = made.flow;
        }
        if let Some(dialing) = dial.and_then(|dial| self.dials.get(&dial)) {
            self.groupcall_grows(dialing.groupcall, id);
        }
        if let Some(run) = made.flow.and_then(|flow| self.activeflows.get_mut(&flow)) {
            run.calls += 1;
        }
        if let Some(master) = made.master.and_then(|master| self.calls.get_mut(&master)) {
            master.chained.push(id);
        }
        if let Some(master) = made.master {
            self.show_chained(master, id);
        }
        self.tell_created(now, id);
        Some(id)
    }

    /// Adds a group and calls whom it begins with; `false`: there is nobody to wait for.
    fn ring_group(
        &mut self,
        now: Instant,
        id: DialId,
        parent: Option<usize>,
        group: Group,
    ) -> bool {
        let Some(dial) = self.dials.get_mut(&id) else {
            return false;
        };
        let at = dial.groups.len();
        dial.groups.push(Ringing {
            parent,
            agent: group.agent,
            waiting: group.members.into(),
            living: 0,
        });
        if let Some(agent) = group.agent {
            self.agent_rings(agent);
        }
        match group.method {
            RingMethod::RingAll => while self.ring_next(now, id, at).is_some() {},
            RingMethod::Linear => while self.ring_next(now, id, at) == Some(false) {},
        }
        let dial = self.dials.get(&id);
        let has_begun = dial.is_some_and(|dial| dial.groups[at].living > 0);
        if !has_begun && let Some(agent) = group.agent {
            self.agent_unanswered(agent);
        }
        has_begun
    }

    /// Calls the next of a group; whether there is somebody to wait for. `None`: it has no more.
    fn ring_next(&mut self, now: Instant, id: DialId, group: usize) -> Option<bool> {
        let dial = self.dials.get_mut(&id)?;
        let next = dial.groups[group].waiting.pop_front()?;
        let is_ringing = match next {
            Destination::Party(party) => {
                let made = dial.made.clone();
                if dial.left == 0 {
                    tracing::warn!(
                        most = DESTINATIONS,
                        "too many destinations: those over are not called"
                    );
                    return Some(false);
                }
                dial.left -= 1;
                let call = self.call_party(now, party, &made, Some(id));
                if let (Some(call), Some(dial)) = (call, self.dials.get_mut(&id)) {
                    dial.legs.push(Leg { call, group });
                }
                call.is_some()
            }
            Destination::Group(inner) => self.ring_group(now, id, Some(group), inner),
            // It has no party; whoever dials enters it alone.
            Destination::Conference(_) => false,
        };
        if is_ringing && let Some(dial) = self.dials.get_mut(&id) {
            dial.groups[group].living += 1;
        }
        Some(is_ringing)
    }

    /// Whether anybody may still answer.
    pub(super) fn is_ringing(&self, id: DialId) -> bool {
        let dial = self.dials.get(&id);
        dial.is_some_and(|dial| dial.groups.first().is_some_and(|group| group.living > 0))
    }

    /// News of a call that was dialed.
    pub(super) fn leg_news(&mut self, now: Instant, call: CallId, event: &CallEvent) {
        let Some(id) = self.calls.get(&call).and_then(|entry| entry.dial) else {
            return;
        };
        match event {
            CallEvent::Status(CallStatus::Ringing) => match self.dials.get(&id) {
                Some(Dialing {
                    purpose: DialFor::Transfer(bridge),
                    ..
                }) => self.transferee_rings(now, *bridge),
                _ => self.leg_rings(now, id),
            },
            CallEvent::EarlyMedia => self.leg_sounds(now, id, call),
            CallEvent::Status(CallStatus::Progressing) => self.leg_answered(now, id, call),
            _ => {}
        }
    }

    /// The first answer: the others are given up, unless they shall ring on, and the one who asked has whom
    /// it wanted.
    fn leg_answered(&mut self, now: Instant, id: DialId, call: CallId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let rivals = dial.rivals(call);
        if dial
            .answered
            .iter()
            .any(|answered| rivals.contains(answered))
        {
            // It has answered while it was being given up.
            let cause = Cause::local(HangupReason::Normal, Why::AnsweredElsewhere);
            return self.with_call(now, call, |call, down| call.hangup(down, cause));
        }
        dial.winner.get_or_insert(call);
        dial.answered.push(call);
        let groupcall = dial.groupcall;
        self.groupcall_answered(now, groupcall, call);
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let mut at = dial
            .legs
            .iter()
            .find(|leg| leg.call == call)
            .map(|leg| leg.group);
        let mut busy = Vec::new();
        while let Some(group) = at.and_then(|at| dial.groups.get(at)) {
            busy.extend(group.agent);
            at = group.parent;
        }
        let lets_ring = matches!(dial.purpose, DialFor::Calls(AnswerMethod::LetRing));
        let agents: Vec<Uuid> = dial.groups.iter().filter_map(|group| group.agent).collect();
        for group in &mut dial.groups {
            group.waiting.clear();
        }
        for agent in agents {
            if busy.contains(&agent) {
                self.agent_answered(agent, call);
            } else if !lets_ring {
                self.agent_unanswered(agent);
            }
        }
        for other in rivals {
            let cause = Cause::local(HangupReason::Cancel, Why::AnsweredElsewhere);
            self.with_call(now, other, |call, down| call.hangup(down, cause));
        }
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        match dial.purpose {
            DialFor::Connect(_) => self.connected(now, id, call),
            // The call meets its flow by itself.
            DialFor::Calls(_) => {}
            DialFor::Queue(place) => self.agent_came(now, id, place, call),
            DialFor::Transfer(bridge) => self.transferee_came(now, id, bridge, call),
        }
    }

    /// A call that was dialed is over.
    pub(super) fn leg_over(&mut self, now: Instant, id: DialId, call: CallId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let Some(at) = dial.legs.iter().position(|leg| leg.call == call) else {
            return;
        };
        let mut group = dial.legs.remove(at).group;
        let lets_ring = matches!(dial.purpose, DialFor::Calls(AnswerMethod::LetRing));
        if dial.winner.is_some() && !lets_ring {
            return self.leg_parted(now, id, call);
        }
        if let DialFor::Transfer(bridge) = dial.purpose {
            self.transferee_lost(bridge, call);
        }
        // Up from its group, as far as one has come to nothing by it.
        loop {
            let Some(dial) = self.dials.get_mut(&id) else {
                return;
            };
            dial.groups[group].living -= 1;
            if dial.groups[group].living > 0 {
                return self.leg_silent(now, id, call);
            }
            // Of a group that rings one after another it is the next one's turn.
            while self.ring_next(now, id, group) == Some(false) {}
            let Some(dial) = self.dials.get(&id) else {
                return;
            };
            let over = &dial.groups[group];
            if over.living > 0 {
                return self.leg_silent(now, id, call);
            }
            let parent = over.parent;
            if let Some(agent) = over.agent {
                self.agent_unanswered(agent);
            }
            match parent {
                Some(parent) => group = parent,
                None => return self.dial_over(now, id),
            }
        }
    }

    /// Nobody will answer any more.
    fn dial_over(&mut self, now: Instant, id: DialId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        match dial.purpose {
            DialFor::Connect(_) => self.connect_over(now, id),
            DialFor::Calls(_) => {
                self.forget_dial(id);
            }
            DialFor::Queue(place) => self.agent_missed(now, id, place),
            DialFor::Transfer(bridge) => self.transferee_missed(now, id, bridge),
        }
    }

    /// Forgets a dial; its calls go on for themselves.
    pub(super) fn forget_dial(&mut self, id: DialId) -> Option<Dialing> {
        let dial = self.dials.remove(&id)?;
        for leg in &dial.legs {
            if let Some(entry) = self.calls.get_mut(&leg.call) {
                entry.dial = None;
            }
        }
        // Those of one that was answered have been told by then.
        if dial.winner.is_none() {
            let agents = dial.groups.iter().filter_map(|group| group.agent);
            for agent in agents.collect::<Vec<Uuid>>() {
                self.agent_unanswered(agent);
            }
        }
        Some(dial)
    }

    /// Gives up a dial with all its calls, answered or not. `false`: there is none of that outward name.
    pub(super) fn hang_up_groupcall(&mut self, now: Instant, groupcall: Uuid) -> bool {
        let is_it = |dial: &&mut Dialing| dial.groupcall == groupcall;
        let Some(dial) = self.dials.values_mut().find(is_it) else {
            return false;
        };
        for group in &mut dial.groups {
            group.waiting.clear();
        }
        let legs = dial.calls();
        self.groupcall_hangs_up(groupcall);
        self.hang_up_legs(now, legs, &Why::Asked);
        true
    }

    /// Gives up all calls of a dial.
    pub(super) fn hang_up_legs(&mut self, now: Instant, legs: Vec<CallId>, why: &Why) {
        for leg in legs {
            let cause = Cause::local(HangupReason::Normal, why.clone());
            self.with_call(now, leg, |call, down| call.hangup(down, cause));
        }
    }
}
