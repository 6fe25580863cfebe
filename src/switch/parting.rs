//! What becomes of those who are tied to a call when it is over: whom it dialed, who dialed it, who is
//! joined with it; and what is told of it.

use std::time::Instant;

use flowswitch_media::command::{BridgeId, ExternalId, SessionStats};
use uuid::Uuid;

use super::dial::DialId;
use super::filling::Filling;
use super::outgoing::Outgoing;
use super::{Entry, Output, Report, Switch};
use crate::call::Call;
use crate::call::cause::{Cause, Why};
use crate::ids::{ActiveflowId, CallId};
use crate::store::calls::{CallDirection, CallRecord};

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
}

/// Ended calls whose cause another may be hung up with.
const ENDED: usize = 10_000;

impl Entry {
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
        }
    }
}

impl Switch {
    /// Tells the world of a call that has left its table.
    pub(super) fn tell_ended(
        &mut self,
        now: Instant,
        call: &Call,
        cause: Cause,
        stats: Box<SessionStats>,
    ) {
        let times = call.times();
        let moment = |at| self.epoch.since_1970(at);
        let record = CallRecord {
            id: call.id(),
            direction: match call.is_incoming() {
                true => CallDirection::Incoming,
                false => CallDirection::Outgoing,
            },
            source: call.source().clone(),
            destination: call.destination().clone(),
            master: call.master(),
            cause,
            began: moment(times.began),
            rang: times.rang.map(moment),
            answered: times.answered.map(moment),
            // One that has failed was never hung up.
            ended: moment(times.ended.unwrap_or(now)),
            stats,
        };
        let report = Report::CallEnded(Box::new(record));
        self.outputs.push_back(Output::Report(report));
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
    }
}
