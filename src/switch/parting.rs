//! What becomes of those who are tied to a call when it is over: whom it dialed, who dialed it, who is
//! joined with it; and what is told of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::command::{BridgeId, ExternalId, SessionStats};
use uuid::Uuid;

use super::dial::DialId;
use super::filling::Filling;
use super::outgoing::Outgoing;
use super::report::Report;
use super::{Entry, Switch};
use crate::call::cause::{Cause, Why};
use crate::call::reason::{Fact, Reason, Sound};
use crate::flow::{Activeflow, FlowFailure};
use crate::ids::{ActiveflowId, CallId};
use crate::store::calls::{CallDirection, CallRecord};
use crate::store::timeline::{MediaMoment, PathStep, What};
use crate::time::Epoch;

/// What ties a call to others.
#[derive(Debug)]
pub(super) struct Ties {
    cause: Cause,
    /// The bridge it was in.
    pub bridge: Option<BridgeId>,
    outgoing: Option<Outgoing>,
    /// The dial that has made it.
    pub dial: Option<DialId>,
    /// The dial by which it was connected.
    pub connecting: Option<DialId>,
    /// Calls that are hung up with it.
    pub chained: Vec<CallId>,
    master: Option<CallId>,
    made_by: Option<ActiveflowId>,
    agents: Vec<Uuid>,
    externals: Vec<ExternalId>,
    groupcall: Option<Uuid>,
}

/// Ended calls whose cause another may be hung up with.
const ENDED: usize = 10_000;

impl Entry {
    /// Our RTP port is open.
    pub(super) fn opened(&mut self, at: Duration, port: u16) {
        self.port = Some(port);
        let opened = MediaMoment::Opened { port };
        self.timeline.push(at, What::Media(opened));
    }

    /// Notes where a call stands that has just come to be.
    pub(super) fn stands(&mut self, at: Duration) {
        self.timeline.push(at, What::Status(self.call.status()));
    }

    /// Its flow is over, and has gone this way.
    pub(super) fn walked(&mut self, flow: &Activeflow, epoch: Epoch) {
        let most = CallRecord::PATH as u64;
        let steps = flow.steps_after(flow.taken().saturating_sub(most));
        let steps = steps.map(|step| PathStep {
            action: step.id.clone(),
            name: step.name,
            at: epoch.since_1970(step.at),
        });
        self.path.extend(steps);
    }

    /// What was not as it should be.
    fn findings(&self, record: &CallRecord) -> Vec<Reason> {
        let is_answered = record.answered.is_some();
        let known = self.facts.findings(&record.reason, is_answered);
        let sound = Sound {
            stats: &record.stats,
            expected: self.expected.filter(|_| is_answered),
            port: self.port,
            talked: record.talked(),
        };
        known.chain(sound.findings()).collect()
    }

    /// Takes the ties of a call that is over.
    pub(super) fn cut(&mut self, fault: &Cause) -> Ties {
        self.meets = None;
        self.filling = Filling::default();
        Ties {
            cause: self.call.cause().unwrap_or(fault).clone(),
            bridge: self.call.bridge(),
            outgoing: self.outgoing.take(),
            dial: self.dial.take(),
            connecting: self.connecting.take(),
            chained: std::mem::take(&mut self.chained),
            master: self.call.master(),
            made_by: self.made_by.take(),
            agents: std::mem::take(&mut self.agents),
            externals: std::mem::take(&mut self.externals),
            groupcall: self.shown.groupcall,
        }
    }
}

impl Switch {
    /// Tells the world of a call that has left its table.
    pub(super) fn tell_ended(
        &mut self,
        now: Instant,
        entry: &mut Entry,
        cause: Cause,
        stats: Box<SessionStats>,
    ) {
        let timeline = std::mem::take(&mut entry.timeline);
        let path = std::mem::take(&mut entry.path);
        if let Some(mismatch) = entry.call.leg().mismatch() {
            entry.facts.add(Fact::Mismatch(Box::new(mismatch.clone())));
        }
        let call = &entry.call;
        let times = call.times();
        let moment = |at| self.epoch.since_1970(at);
        let record = CallRecord {
            id: call.id(),
            direction: match call.is_incoming() {
                true => CallDirection::Incoming,
                false => CallDirection::Outgoing,
            },
            source: Arc::clone(call.source()),
            destination: Arc::clone(call.destination()),
            master: call.master(),
            reason: Reason::of(&cause, &entry.facts),
            cause,
            began: moment(times.began),
            rang: times.rang.map(moment),
            answered: times.answered.map(moment),
            // One that has failed was never hung up.
            ended: moment(times.ended.unwrap_or(now)),
            status: timeline.status(),
            stats,
            findings: Vec::new(),
            path,
            timeline,
        };
        let findings = entry.findings(&record);
        let record = CallRecord { findings, ..record };
        let report = Report::CallEnded(Box::new(record));
        self.report(report);
    }

    /// A call is over: nothing reaches its party any more.
    pub(super) fn part(&mut self, now: Instant, id: CallId, mut ties: Ties) {
        self.hand_over(id, &mut ties);
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, ties.cause));
        // Before the calls to agents end that were made for it.
        self.leave_queues(now, id);
        self.conferences.call_over(id);
        self.agents_parted(&ties.agents);
        for external in ties.externals {
            self.end_external(now, external);
        }
        self.stop_trying(id, ties.outgoing);
        if let Some(run) = ties
            .made_by
            .and_then(|flow| self.activeflows.get_mut(&flow))
        {
            run.calls -= 1;
        }
        if let Some(master) = ties.master.and_then(|master| self.calls.get_mut(&master)) {
            master.chained.retain(|chained| *chained != id);
        }
        if let Some(dial) = ties.connecting {
            self.master_left(now, dial);
        }
        self.hang_up_legs(now, ties.chained, &Why::OtherEnded);
        if let Some(bridge) = ties.bridge {
            self.member_left(now, id, bridge);
        }
        if let Some(dial) = ties.dial {
            self.leg_over(now, dial, id);
        }
        if let Some(groupcall) = ties.groupcall {
            self.groupcall_shrinks(now, groupcall);
        }
    }
}

/// Why a flow could not go on, as a fact of its call.
pub(super) fn flow_fact(why: &FlowFailure) -> Fact {
    Fact::Flow {
        why: why.to_string().into(),
        is_limit: matches!(why, FlowFailure::Limit { .. }),
    }
}
