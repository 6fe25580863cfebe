//! Dials of many as they are told outside (VoIPBIN: groupcall).
//!
//! A dial that may ring more than one telephone is one, and so is each that somebody outside asks for. It
//! lasts until the last of its calls is over, longer than the dial, which ends with the first answer.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::arrive::as_of_flows;
use super::dial::{DialFor, DialId, Made};
use super::report::{GroupcallNews, Report};
use super::route::{Destination, Group};
use crate::flow::Address;
use crate::ids::CallId;
use crate::store::agents::RingMethod;
use crate::store::groupcalls::{AnswerMethod, GroupcallState, GroupcallStatus};

/// A groupcall that is not over.
#[derive(Debug)]
pub(super) struct Groupcall {
    state: GroupcallState,
    dial: DialId,
    pub is_marked: bool,
}

impl Switch {
    /// Takes note of a dial that is about to begin, if it is one of many, or somebody outside is told its name.
    pub(super) fn name_groupcall(
        &mut self,
        now: Instant,
        (id, dial): (Uuid, DialId),
        (purpose, made): (&DialFor, &Made),
        ring_method: RingMethod,
        destinations: &[Destination],
    ) {
        let is_one = matches!(destinations, [Destination::Party(_)]);
        let answer_method = match purpose {
            DialFor::Connect(_) | DialFor::Queue(_) if is_one => return,
            DialFor::Calls(method) => *method,
            _ => AnswerMethod::HangupOthers,
        };
        let created = self.epoch.since_1970(now);
        let state = GroupcallState {
            id,
            status: GroupcallStatus::Progressing,
            source: Arc::clone(&made.caller.address),
            destinations: destinations.iter().filter_map(named).collect(),
            flow: made
                .meets
                .as_ref()
                .map(|meets| meets.flow.id.as_str().into()),
            master: made.master,
            ring_method,
            answer_method,
            calls: Vec::new(),
            living: 0,
            answered: None,
            created,
            updated: created,
        };
        // Marked, so that nothing is told of it before it has begun.
        let is_marked = true;
        let groupcall = Groupcall {
            state,
            dial,
            is_marked,
        };
        self.telling.groupcalls.insert(id, groupcall);
    }

    /// Tells of a groupcall when its first calls are made; one that has none is forgotten.
    pub(super) fn groupcall_begun(&mut self, id: Uuid) {
        let Some(groupcall) = self.telling.groupcalls.get_mut(&id) else {
            return;
        };
        if groupcall.state.calls.is_empty() {
            self.telling.groupcalls.remove(&id);
            return;
        }
        groupcall.is_marked = false;
        let news = GroupcallNews::Created;
        let groupcall = Box::new(groupcall.state.clone());
        self.report(Report::Groupcall { news, groupcall });
    }

    /// A groupcall has made a call.
    pub(super) fn groupcall_grows(&mut self, id: Uuid, call: CallId) {
        let (Some(entry), Some(groupcall)) = (
            self.calls.get_mut(&call),
            self.telling.groupcalls.get_mut(&id),
        ) else {
            return;
        };
        entry.shown.groupcall = Some(id);
        groupcall.state.calls.push(call);
        groupcall.state.living += 1;
        self.telling.mark_groupcall(id);
    }

    /// One has answered: of the groupcall, or in place of one of it. It is told of the first.
    pub(super) fn groupcall_answered(&mut self, now: Instant, id: Uuid, call: CallId) {
        let known = self.telling.groupcalls.get(&id);
        if known.is_some_and(|known| !known.state.calls.contains(&call)) {
            self.groupcall_grows(id, call);
        }
        let updated = self.epoch.since_1970(now);
        let known = self.telling.groupcalls.get_mut(&id);
        if let Some(groupcall) = known.filter(|known| known.state.answered.is_none()) {
            groupcall.state.answered = Some(call);
            groupcall.state.updated = updated;
            groupcall.is_marked = false;
            let news = GroupcallNews::Progressing;
            let groupcall = Box::new(groupcall.state.clone());
            self.report(Report::Groupcall { news, groupcall });
        }
    }

    /// Its calls are being hung up.
    pub(super) fn groupcall_hangs_up(&mut self, id: Uuid) {
        if let Some(groupcall) = self.telling.groupcalls.get_mut(&id) {
            groupcall.state.status = GroupcallStatus::HangingUp;
        }
        self.telling.mark_groupcall(id);
    }

    /// One of its calls is over.
    pub(super) fn groupcall_shrinks(&mut self, now: Instant, id: Uuid) {
        let Some(groupcall) = self.telling.groupcalls.get_mut(&id) else {
            return;
        };
        groupcall.state.living = groupcall.state.living.saturating_sub(1);
        let Groupcall { state, dial, .. } = groupcall;
        let (living, has_answered, dial) = (state.living, state.answered.is_some(), *dial);
        if living > 0 || !has_answered && self.is_ringing(dial) {
            return self.telling.mark_groupcall(id);
        }
        if let Some(mut groupcall) = self.telling.groupcalls.remove(&id) {
            groupcall.state.status = GroupcallStatus::Hangup;
            groupcall.state.updated = self.epoch.since_1970(now);
            self.report(Report::Groupcall {
                news: GroupcallNews::Hangup,
                groupcall: Box::new(groupcall.state),
            });
        }
    }

    /// Tells what has changed in a groupcall.
    pub(super) fn tell_groupcall(&mut self, now: Instant, id: Uuid) {
        let updated = self.epoch.since_1970(now);
        let groupcall = self.telling.groupcalls.get_mut(&id);
        if let Some(groupcall) = groupcall.filter(|groupcall| groupcall.is_marked) {
            groupcall.is_marked = false;
            groupcall.state.updated = updated;
            let news = GroupcallNews::Updated;
            let groupcall = Box::new(groupcall.state.clone());
            self.report(Report::Groupcall { news, groupcall });
        }
    }
}

/// Whom a destination means, in the words of flows; `None` where nobody is left of it.
fn named(destination: &Destination) -> Option<Address> {
    match destination {
        Destination::Party(party) => Some(as_of_flows(&party.address)),
        Destination::Group(Group {
            agent: Some(agent), ..
        }) => Some(Address {
            kind: "agent".to_owned(),
            target: agent.to_string(),
            ..Address::default()
        }),
        Destination::Group(group) => group.members.first().and_then(named),
        Destination::Conference(conference) => Some(Address {
            kind: "conference".to_owned(),
            target: conference.to_string(),
            ..Address::default()
        }),
    }
}
