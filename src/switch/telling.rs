//! Calls and activeflows as they are told outside: what is kept of each to be told, and when that is.
//!
//! Whoever changes something that is shown marks it. The first telling behind that tells it: that of a new
//! status, or at the end of the input one `Updated` of each that is still marked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::command::{BridgeId, Mute};
use uuid::Uuid;

use super::bridges::Bridges;
use super::groupcalls::Groupcall;
use super::report::{CallNews, Change, Report};
use super::{Entry, Output, Run, Switch};
use crate::call::cause::Cause;
use crate::flow::{Direction, ExecutedAction, FlowEnd};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::status::CallStatus;
use crate::store::activeflows::{ActionState, ActiveflowState, ActiveflowStatus};
use crate::store::call_state::{CallKind, CallState};
use crate::store::calls::CallDirection;
use crate::time::Epoch;

/// What is still to be told, and who is told of by nobody else.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// What has changed since it was told, in the order of its first change.
    changed: Vec<Changed>,
    /// Those that are not over.
    pub groupcalls: HashMap<Uuid, Groupcall>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Changed {
    Call(CallId),
    Flow(ActiveflowId),
    Groupcall(Uuid),
}

impl Telling {
    /// Changes that are still to be told.
    #[cfg(test)]
    pub(super) fn changes(&self) -> usize {
        self.changed.len()
    }

    /// Has a groupcall told at the end of the input.
    pub(super) fn mark_groupcall(&mut self, id: Uuid) {
        if let Some(groupcall) = self.groupcalls.get_mut(&id)
            && !std::mem::replace(&mut groupcall.is_marked, true)
        {
            self.changed.push(Changed::Groupcall(id));
        }
    }

    /// Has something told at the end of the input, that is not marked yet.
    pub(super) fn mark(&mut self, is_marked: &mut bool, changed: Changed) {
        if !std::mem::replace(is_marked, true) {
            self.changed.push(changed);
        }
    }
}

/// What is kept of a call to be told.
#[derive(Debug)]
pub(super) struct Shown {
    has_begun: bool,
    pub is_marked: bool,
    pub kind: CallKind,
    pub flow: Option<Arc<str>>,
    activeflow: Option<ActiveflowId>,
    action: Option<ActionState>,
    chained: Vec<CallId>,
    pub groupcall: Option<Uuid>,
    recording: Option<RecordingId>,
    recordings: Vec<RecordingId>,
    trunks: Vec<Arc<str>>,
    has_dialed: bool,
    // As told last.
    muted: Mute,
    bridge: Option<BridgeId>,
    is_held: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            has_begun: false,
            is_marked: false,
            kind: CallKind::Flow,
            flow: None,
            activeflow: None,
            action: None,
            chained: Vec::new(),
            groupcall: None,
            recording: None,
            recordings: Vec::new(),
            trunks: Vec::new(),
            has_dialed: false,
            muted: Mute::Off,
            bridge: None,
            is_held: false,
        }
    }
}

impl Shown {
    /// Adds to what there are, of which the newest `most` are told.
    fn add<T>(list: &mut Vec<T>, one: T, most: usize) {
        if list.len() == most {
            list.remove(0);
        }
        list.push(one);
    }
}

/// What is kept of a run to be told.
#[derive(Debug)]
pub(super) struct RunShown {
    created: Duration,
    is_marked: bool,
    /// Steps that have been looked at.
    seen: u64,
    /// Actions left that have been told.
    told: u64,
}

impl RunShown {
    pub(super) const fn new(created: Duration) -> Self {
        Self {
            created,
            is_marked: false,
            seen: 0,
            told: 0,
        }
    }
}

impl Entry {
    /// Claims that the call itself is another than was told.
    pub(super) fn has_changed(&self) -> bool {
        let Shown {
            muted,
            bridge,
            is_held,
            ..
        } = self.shown;
        let call = &self.call;
        (call.muted(), call.bridge(), self.holding.is_held) != (muted, bridge, is_held)
    }

    /// Where the call stood when it came to be.
    const fn first_status(&self) -> CallStatus {
        match self.call.is_incoming() {
            true => CallStatus::Ringing,
            false => CallStatus::Dialing,
        }
    }

    /// The call as it stands with this status, which counts as told.
    fn state(
        &mut self,
        bridges: &Bridges,
        epoch: Epoch,
        now: Instant,
        status: CallStatus,
    ) -> CallState {
        let Self {
            call,
            shown,
            holding,
            ..
        } = self;
        shown.is_marked = false;
        shown.is_held = holding.is_held;
        (shown.muted, shown.bridge) = (call.muted(), call.bridge());
        let room = shown.bridge.and_then(|bridge| bridges.get(bridge));
        let room = room.filter(|room| room.has(call.id()));
        let times = call.times();
        let moment = |at| epoch.since_1970(at);
        let is_over = status == CallStatus::Hangup;
        let has_rung = status != CallStatus::Dialing;
        let may_be_answered = !matches!(status, CallStatus::Dialing | CallStatus::Ringing);
        CallState {
            id: call.id(),
            kind: shown.kind,
            direction: match call.is_incoming() {
                true => CallDirection::Incoming,
                false => CallDirection::Outgoing,
            },
            status,
            flow: shown.flow.clone(),
            activeflow: shown.activeflow,
            action: shown.action.clone(),
            master: call.master(),
            chained: shown.chained.clone(),
            groupcall: shown.groupcall,
            confbridge: room.map(|room| room.confbridge),
            recording: shown.recording,
            recordings: shown.recordings.clone(),
            source: Arc::clone(call.source()),
            destination: Arc::clone(call.destination()),
            trunks: shown.trunks.clone(),
            muted: match shown.muted {
                Mute::Off => None,
                Mute::Both => Some(Direction::Both),
                Mute::In => Some(Direction::In),
                Mute::Out => Some(Direction::Out),
            },
            is_held: shown.is_held,
            cause: call.cause().filter(|_| is_over).cloned(),
            created: moment(times.began),
            rang: times.rang.filter(|_| has_rung).map(moment),
            answered: times.answered.filter(|_| may_be_answered).map(moment),
            hungup: times.ended.filter(|_| is_over).map(moment),
            updated: moment(now),
        }
    }
}

impl Run {
    /// The run as it stands, which counts as told.
    fn state(&mut self, epoch: Epoch, now: Instant) -> ActiveflowState {
        let Self {
            activeflow, shown, ..
        } = self;
        shown.is_marked = false;
        let current = activeflow.current_action();
        let left = activeflow.taken() - u64::from(current.is_some());
        let news = left.saturating_sub(shown.told);
        let news = usize::try_from(news).unwrap_or(usize::MAX);
        shown.told = left;
        let executed = activeflow.executed_actions();
        let known = executed.len().saturating_sub(news);
        ActiveflowState {
            id: activeflow.id(),
            flow: Arc::clone(activeflow.flow_id()),
            reference: activeflow.reference(),
            parent: activeflow.parent(),
            on_complete_flow: activeflow.on_complete_flow_id().cloned(),
            status: match activeflow.is_ended() {
                true => ActiveflowStatus::Ended,
                false => ActiveflowStatus::Running,
            },
            current: current.map(|action| told(action, epoch)),
            executed: executed
                .skip(known)
                .map(|action| told(action, epoch))
                .collect(),
            end: None,
            created: shown.created,
            updated: epoch.since_1970(now),
        }
    }
}

impl Switch {
    pub(super) fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }

    /// Tells that a call is there, unless that has been told.
    pub(super) fn tell_created(&mut self, now: Instant, id: CallId) {
        let entry = self.calls.get_mut(&id);
        if let Some(entry) = entry.filter(|entry| !entry.shown.has_begun) {
            entry.shown.has_begun = true;
            // One that cannot be made is over by now, which is told behind this.
            let status = entry.first_status();
            let call = Box::new(entry.state(&self.bridges, self.epoch, now, status));
            let news = CallNews::Created;
            self.report(Report::Call { news, call });
        }
    }

    /// Tells that a call has come to a status; that it is over is told when it has left its table.
    pub(super) fn tell_status(&mut self, now: Instant, id: CallId, status: CallStatus) {
        let entry = self.calls.get_mut(&id);
        if let Some(entry) = entry.filter(|_| status != CallStatus::Hangup) {
            let call = Box::new(entry.state(&self.bridges, self.epoch, now, status));
            let news = CallNews::of(status);
            self.report(Report::Call { news, call });
        }
    }

    /// Tells that a call is over that has left its table.
    pub(super) fn tell_hangup(&mut self, now: Instant, entry: &mut Entry, cause: &Cause) {
        let has_begun = std::mem::replace(&mut entry.shown.has_begun, true);
        let mut call = entry.state(&self.bridges, self.epoch, now, CallStatus::Hangup);
        // One that has failed was never hung up.
        call.cause.get_or_insert_with(|| cause.clone());
        call.hungup.get_or_insert(call.updated);
        if !has_begun {
            let status = entry.first_status();
            let call = Box::new(entry.state(&self.bridges, self.epoch, now, status));
            let news = CallNews::Created;
            self.report(Report::Call { news, call });
        }
        let (news, call) = (CallNews::Hangup, Box::new(call));
        self.report(Report::Call { news, call });
    }

    /// Changes what is kept of a call to be told, and has it told.
    pub(super) fn show(&mut self, id: CallId, change: impl FnOnce(&mut Shown)) {
        if let Some(entry) = self.calls.get_mut(&id) {
            change(&mut entry.shown);
            self.telling
                .mark(&mut entry.shown.is_marked, Changed::Call(id));
        }
    }

    /// Another call was made for one.
    pub(super) fn show_chained(&mut self, master: CallId, id: CallId) {
        self.show(master, |shown| {
            Shown::add(&mut shown.chained, id, CallState::CHAINED);
        });
    }

    /// A call is recorded from now on.
    pub(super) fn show_recording(&mut self, call: CallId, id: RecordingId) {
        self.show(call, |shown| {
            shown.recording = Some(id);
            Shown::add(&mut shown.recordings, id, CallState::RECORDINGS);
        });
    }

    /// A call is recorded no more.
    pub(super) fn show_recording_over(&mut self, call: CallId) {
        self.show(call, |shown| shown.recording = None);
    }

    /// The INVITE of a call is on its way, the first one or by another trunk.
    pub(super) fn show_dialed(&mut self, now: Instant, id: CallId) {
        let line = self.outgoing(id).and_then(|outgoing| outgoing.line());
        let trunk = line.and_then(|line| line.trunk());
        let name = trunk.map(|trunk| self.config.directory.trunks.name(trunk));
        let Some(entry) = self.calls.get_mut(&id) else {
            return;
        };
        let last = entry.shown.trunks.last().map(|last| &**last);
        if let Some(name) = name.filter(|name| last != Some(*name)) {
            entry.shown.trunks.push(name.into());
            self.telling
                .mark(&mut entry.shown.is_marked, Changed::Call(id));
        }
        if !std::mem::replace(&mut entry.shown.has_dialed, true) {
            self.tell_status(now, id, CallStatus::Dialing);
        }
    }

    /// The flow of a call begins: that is the first that is told of a call, where it rings.
    pub(super) fn show_flow(
        &mut self,
        now: Instant,
        call: CallId,
        id: ActiveflowId,
        flow: &Arc<str>,
    ) {
        self.show(call, |shown| {
            shown.flow = Some(Arc::clone(flow));
            shown.activeflow = Some(id);
        });
        self.tell_created(now, call);
    }

    /// Tells of a run that is about to start.
    pub(super) fn tell_started(&mut self, now: Instant, id: ActiveflowId) {
        self.tell_run(now, id, Change::Created);
    }

    /// Looks whether a run has come to another action.
    pub(super) fn look_at_flow(&mut self, id: ActiveflowId) {
        let Some(run) = self.activeflows.get_mut(&id) else {
            return;
        };
        let taken = run.activeflow.taken();
        if std::mem::replace(&mut run.shown.seen, taken) == taken {
            return;
        }
        self.telling
            .mark(&mut run.shown.is_marked, Changed::Flow(id));
        let entry = run.call.and_then(|call| self.calls.get_mut(&call));
        let Some(entry) = entry.filter(|entry| entry.activeflow == Some(id)) else {
            return;
        };
        let action = run.activeflow.last_action();
        entry.shown.action = action.map(|action| told(action, self.epoch));
        let call = Changed::Call(entry.call.id());
        self.telling.mark(&mut entry.shown.is_marked, call);
    }

    /// Tells that a run is over that has left its table.
    pub(super) fn tell_flow_ended(&mut self, now: Instant, run: &mut Run, end: Option<&FlowEnd>) {
        let mut activeflow = run.state(self.epoch, now);
        activeflow.status = ActiveflowStatus::Ended;
        activeflow.current = None;
        activeflow.end = end.cloned();
        self.report(Report::Activeflow {
            news: Change::Updated,
            activeflow: Box::new(activeflow),
        });
    }

    /// Tells what has changed since it was told.
    pub(super) fn tell_changes(&mut self, now: Instant) {
        let mut changed = std::mem::take(&mut self.telling.changed);
        for one in changed.drain(..) {
            match one {
                Changed::Call(id) => self.tell_call(now, id),
                Changed::Flow(id) => self.tell_run(now, id, Change::Updated),
                Changed::Groupcall(id) => self.tell_groupcall(now, id),
            }
        }
        self.telling.changed = changed;
    }

    fn tell_call(&mut self, now: Instant, id: CallId) {
        let entry = self.calls.get_mut(&id);
        if let Some(entry) = entry.filter(|entry| entry.shown.is_marked) {
            let status = entry.call.status();
            let call = Box::new(entry.state(&self.bridges, self.epoch, now, status));
            let news = CallNews::Updated;
            self.report(Report::Call { news, call });
        }
    }

    fn tell_run(&mut self, now: Instant, id: ActiveflowId, news: Change) {
        let is_told = |run: &&mut Box<Run>| news == Change::Created || run.shown.is_marked;
        if let Some(run) = self.activeflows.get_mut(&id).filter(is_told) {
            let activeflow = Box::new(run.state(self.epoch, now));
            self.report(Report::Activeflow { news, activeflow });
        }
    }
}

fn told(action: &ExecutedAction, epoch: Epoch) -> ActionState {
    ActionState {
        id: action.id.clone(),
        next_id: action.next_id.clone(),
        kind: action.name,
        option: Arc::clone(&action.option),
        executed: epoch.since_1970(action.at),
    }
}
