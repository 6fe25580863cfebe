//! One run of a flow.
//!
//! ```text
//!            start           command given, or a deadline set
//!   Created ------> moving ------------------------------------> Waiting
//!      |               | ^                                          |
//!      |               | '------ Finished, Fetched, digit, deadline '
//!      | CallEnded,    v
//!      '--- Stop ---> Ended: end of actions, stop, call over, failure, limit
//! ```
//!
//! Moving takes no time: each step either goes on, jumps, waits or ends. An *execution* is one such run,
//! from the start or from what ended a wait to the next wait. An answer that only says that something
//! has begun (the call is answered, a recording runs, a flow was found) carries the same execution on.
//!
//! While a call waits in a queue the executions of its wait flow are not counted: that is to be repeated.
//!
//! What goes wrong in a control action (branch, goto, condition), in a fetch, or before a connection, an
//! assistant or a queue could be reached ends the activeflow; what goes wrong in any other is logged, and
//! the cursor goes on.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, warn};
use uuid::Uuid;

use super::action::{Action, ActionId, Flow, Needs, Severity, is_digit};
use super::command::{FlowCommand, FlowCommandId};
use super::cursor::{Arrival, Cursor};
use super::end::{FlowEnd, FlowFailure, Limit, Limits, OnComplete};
use super::event::FlowEvent;
use super::perform::{Detection, Step, Wait};
use super::reference::{Reference, ReferenceType};
use super::variable::{ACTIVEFLOW, CALL_STATUS, Variables};
use crate::ids::{ActiveflowId, Rng};
use crate::status::CallStatus;
use crate::time::Epoch;

mod news;

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedAction {
    /// Which action.
    pub id: ActionId,
    /// Where it leads on to, when it says so.
    pub next_id: Option<ActionId>,
    /// Its type.
    pub name: &'static str,
    /// Its options: see [`Action::option`].
    pub option: Arc<str>,
    /// When the cursor came to it.
    pub at: Instant,
}

/// One run of a flow: see the [module](super).
#[derive(Debug)]
pub struct Activeflow {
    id: ActiveflowId,
    pub(super) rng: Rng,
    pub(super) reference: Reference,
    parent: Option<ActiveflowId>,
    flow_id: Arc<str>,
    on_complete_flow_id: Option<Arc<str>>,
    complete_count: u32,
    pub(super) epoch: Epoch,
    pub(super) limits: Limits,
    pub(super) cursor: Cursor,
    pub(super) variables: Variables,
    pub(super) call_status: CallStatus,
    pub(super) is_recording: bool,
    /// The queues whose stacks the cursor is in.
    queues: Vec<FlowCommandId>,
    pub(super) detection: Option<Detection>,
    /// The talk with an assistant that goes on.
    ai_talk: Option<FlowCommandId>,
    state: State,
    /// Executions begun, the uncounted ones too.
    pub(super) turn: u64,
    executions: u32,
    steps: u32,
    issued: u64,
    pub(super) commands: VecDeque<FlowCommand>,
    current: Option<ExecutedAction>,
    executed: VecDeque<ExecutedAction>,
    /// Steps taken, those that are not remembered any more among them.
    taken: u64,
}

#[derive(Debug)]
enum State {
    Created,
    Moving,
    Waiting(Wait),
    Ended,
}

impl Activeflow {
    /// Steps that [`executed_actions`](Self::executed_actions) remembers.
    pub const HISTORY: usize = 1000;

    /// A run of `flow` with `variables` to begin with (those of the call: see
    /// [`CallVariables`](super::CallVariables)). A call is taken to be ringing until a
    /// [`FlowEvent::CallStatus`] says otherwise; it may come before the start. `rng` makes the ids of
    /// actions that bear none.
    #[must_use]
    pub fn new(
        id: ActiveflowId,
        flow: &Flow,
        reference: Reference,
        variables: impl IntoIterator<Item = (impl Into<Cow<'static, str>>, String)>,
        epoch: Epoch,
        limits: Limits,
        rng: Rng,
    ) -> Self {
        let mut activeflow = Self {
            id,
            rng,
            reference,
            parent: None,
            flow_id: flow.id.as_str().into(),
            on_complete_flow_id: flow.on_complete_flow_id.as_deref().map(Arc::from),
            complete_count: 0,
            epoch,
            limits,
            cursor: Cursor::new(flow.actions.clone()),
            variables: Variables::default(),
            call_status: CallStatus::Ringing,
            is_recording: false,
            queues: Vec::new(),
            detection: None,
            ai_talk: None,
            state: State::Created,
            turn: 0,
            executions: 0,
            steps: 0,
            issued: 0,
            commands: VecDeque::new(),
            current: None,
            executed: VecDeque::new(),
            taken: 0,
        };
        for (name, value) in variables {
            activeflow.set_variable(name, value);
        }
        activeflow
    }

    /// The run that follows another's [`OnComplete`], with what it inherits. When it belongs to a call
    /// that is over, say so by [`FlowEvent::CallStatus`] before the start: its media actions are passed
    /// over then.
    #[must_use]
    pub fn following(
        id: ActiveflowId,
        flow: &Flow,
        reference: Reference,
        on_complete: OnComplete,
        epoch: Epoch,
        limits: Limits,
        rng: Rng,
    ) -> Self {
        let mut activeflow = Self::new(
            id,
            flow,
            reference,
            on_complete.variables,
            epoch,
            limits,
            rng,
        );
        activeflow.parent = Some(on_complete.parent);
        activeflow.complete_count = on_complete.complete_count;
        activeflow
    }

    /// Takes the first steps; a second start does nothing.
    pub fn start(&mut self, now: Instant) {
        if !matches!(self.state, State::Created) {
            return;
        }
        let parent = self.parent.map_or(Uuid::nil(), |parent| parent.0);
        let created = jiff::Timestamp::try_from(self.epoch.wall(now)).map(|at| at.to_string());
        for (name, value) in [
            ("voipbin.activeflow.id", self.id.to_string()),
            (
                "voipbin.activeflow.reference_type",
                self.reference.kind.as_str().to_owned(),
            ),
            (
                "voipbin.activeflow.reference_id",
                self.reference.id.to_string(),
            ),
            (
                "voipbin.activeflow.reference_activeflow_id",
                parent.to_string(),
            ),
            ("voipbin.activeflow.flow_id", self.flow_id.to_string()),
            (
                "voipbin.activeflow.complete_count",
                self.complete_count.to_string(),
            ),
            ("voipbin.activeflow.tm_create", created.unwrap_or_default()),
        ] {
            self.set_variable(name, value);
        }
        if self.reference.kind == ReferenceType::Call {
            self.set_variable(CALL_STATUS, self.call_status.as_str());
        }
        debug!(activeflow = %self.id, flow = %self.flow_id, "flow started");
        self.execute(now, Step::Next);
    }

    /// Takes news. After the end nothing is taken.
    pub fn handle_event(&mut self, now: Instant, event: FlowEvent) {
        if self.is_ended() {
            return;
        }
        match event {
            FlowEvent::Finished { command, outcome } => self.handle_finished(now, command, outcome),
            FlowEvent::Digit { digit } if is_digit(digit) => self.handle_digit(now, digit),
            FlowEvent::Digit { .. } => {}
            FlowEvent::CallStatus { status } => self.set_call_status(status),
            FlowEvent::Fetched { command, flow } => self.handle_fetched(now, command, flow),
            FlowEvent::FetchedActions { command, body } => {
                self.handle_fetched_actions(now, command, body);
            }
            FlowEvent::RecordingStarted { recording } => self.handle_recording(now, &recording),
            FlowEvent::RecordingEnded => self.is_recording = false,
            FlowEvent::MachineDetected { command, result } => {
                self.handle_detected(now, command, result);
            }
            FlowEvent::Dialed { command, calls } => self.handle_dialed(command, &calls),
            FlowEvent::ConferenceFound {
                command,
                confbridge_id,
                pre_flow_id,
            } => self.handle_conference(now, command, &confbridge_id, pre_flow_id.as_deref()),
            FlowEvent::Queued { command, place } => self.handle_queued(now, command, &place),
            FlowEvent::QueueServed { command } => self.handle_served(now, command),
            FlowEvent::Resume { current_action } => self.handle_resume(now, current_action),
            FlowEvent::CallEnded => {
                self.set_call_status(CallStatus::Hangup);
                if self.reference.kind == ReferenceType::Call {
                    self.end(FlowEnd::CallEnded);
                }
            }
            FlowEvent::Stop => self.end(FlowEnd::Stopped),
            told @ (FlowEvent::TranscribeStarted { .. }
            | FlowEvent::Transcribed { .. }
            | FlowEvent::AiTalkStarted { .. }
            | FlowEvent::SummaryMade { .. }) => self.handle_told(now, told),
        }
    }

    /// Lets time pass; early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            self.execute(now, Step::Next);
        }
    }

    /// The next order, to be carried out in this order.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<FlowCommand> {
        self.commands.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(Wait::Digits { until, .. } | Wait::Sleep { until }) => Some(*until),
            _ => None,
        }
    }

    /// Which run this is.
    #[must_use]
    pub const fn id(&self) -> ActiveflowId {
        self.id
    }

    /// What it runs: [`Flow::id`].
    #[must_use]
    pub const fn flow_id(&self) -> &Arc<str> {
        &self.flow_id
    }

    /// What follows it: [`Flow::on_complete_flow_id`].
    #[must_use]
    pub const fn on_complete_flow_id(&self) -> Option<&Arc<str>> {
        self.on_complete_flow_id.as_ref()
    }

    /// The run that this one follows.
    #[must_use]
    pub const fn parent(&self) -> Option<ActiveflowId> {
        self.parent
    }

    /// What started it.
    #[must_use]
    pub const fn reference(&self) -> Reference {
        self.reference
    }

    /// Its variables.
    #[must_use]
    pub const fn variables(&self) -> &Variables {
        &self.variables
    }

    /// What a run inherits that follows this one: all variables but those of the activeflow itself.
    #[must_use]
    pub fn inheritance(&self) -> Vec<(String, String)> {
        let all = self.variables.iter();
        all.filter(|(name, _)| !name.starts_with(ACTIVEFLOW))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Where the cursor is; `None` before the start and after the end.
    #[must_use]
    pub const fn current_action(&self) -> Option<&ExecutedAction> {
        self.current.as_ref()
    }

    /// Where the cursor is, or where it was last.
    #[must_use]
    pub fn last_action(&self) -> Option<&ExecutedAction> {
        self.current.as_ref().or_else(|| self.executed.back())
    }

    /// The steps before the current one, oldest first; the last [`HISTORY`](Self::HISTORY) of them.
    pub fn executed_actions(&self) -> impl ExactSizeIterator<Item = &ExecutedAction> {
        self.executed.iter()
    }

    /// Steps taken so far.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// The steps behind the first so many of all that were taken, as far as they are remembered.
    pub fn steps_after(&self, taken: u64) -> impl Iterator<Item = &ExecutedAction> {
        let new = usize::try_from(self.taken.saturating_sub(taken)).unwrap_or(usize::MAX);
        let filed = new.saturating_sub(usize::from(self.current.is_some()));
        let from = self.executed.len().saturating_sub(filed);
        let current = self.current.as_ref().filter(|_| new > 0);
        self.executed.range(from..).chain(current)
    }

    /// Whether it stands at a `block` and can be [resumed](FlowEvent::Resume).
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        matches!(self.state, State::Waiting(Wait::Block))
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Begins a new execution by `step`; one that only passes the time in a queue is not counted.
    fn execute(&mut self, now: Instant, step: Step) {
        self.turn += 1;
        self.steps = 0;
        if !self.cursor.waits_in_queue() {
            self.executions += 1;
        }
        if self.executions > self.limits.executions {
            self.fail_at(Limit::Executions(self.limits.executions));
        } else {
            self.go_on(now, step);
        }
    }

    /// Moves until there is something to wait for.
    fn go_on(&mut self, now: Instant, mut step: Step) {
        self.state = State::Moving;
        loop {
            let arrival = match step {
                Step::Next => self.cursor.advance(),
                Step::Arrived(arrival) => arrival,
                Step::Wait(wait) => {
                    self.state = State::Waiting(wait);
                    return;
                }
                Step::End(why) => return self.end(why),
            };
            let (Arrival::Action, Some((actions, at))) = (arrival, self.cursor.current()) else {
                return self.end(FlowEnd::Finished);
            };
            self.leave_queues();
            self.steps += 1;
            if self.steps > self.limits.steps {
                return self.fail_at(Limit::Steps(self.limits.steps));
            }
            let action = &actions[at];
            self.remember(now, action);
            step = match self.take(now, action) {
                Ok(step) => step,
                Err(why) => return self.end(FlowEnd::Failed { why }),
            };
        }
    }

    /// One step: an action that does not fit is passed over, a failure that may pass is logged.
    fn take(&mut self, now: Instant, action: &Action) -> Result<Step, FlowFailure> {
        let is_call = self.reference.kind == ReferenceType::Call;
        let fits = match action.kind.needs() {
            Needs::Nothing => true,
            Needs::Call => is_call,
            Needs::LiveCall => is_call && self.call_status != CallStatus::Hangup,
            Needs::NoCall => !is_call && self.reference.kind != ReferenceType::None,
        };
        if !fits {
            debug!(activeflow = %self.id, action = %action.id, kind = action.kind.name(), "passed over");
            return Ok(Step::Next);
        }
        debug!(activeflow = %self.id, action = %action.id, kind = action.kind.name(), "action");
        let taken = self
            .perform(now, &action.kind)
            .map_err(|fault| fault.of(&action.id));
        match (taken, action.kind.severity()) {
            (Err(why), Severity::Passing) => {
                warn!(activeflow = %self.id, action = %action.id, %why, "action failed");
                Ok(Step::Next)
            }
            (taken, _) => taken,
        }
    }

    fn set_call_status(&mut self, status: CallStatus) {
        self.call_status = status;
        if self.reference.kind == ReferenceType::Call {
            self.set_variable(CALL_STATUS, status.as_str());
        }
    }

    /// Sets a variable, or logs why not.
    pub(super) fn set_variable(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) {
        if let Err(why) = self.variables.set(name, value) {
            debug!(activeflow = %self.id, %why, "variable not set");
        }
    }

    pub(super) fn next_command(&mut self) -> FlowCommandId {
        self.issued += 1;
        FlowCommandId(self.issued)
    }

    fn remember(&mut self, now: Instant, action: &Action) {
        let current = ExecutedAction {
            id: action.id.clone(),
            next_id: action.next_id.clone(),
            name: action.kind.name(),
            option: Arc::clone(&action.option),
            at: now,
        };
        self.taken += 1;
        if let Some(before) = self.current.replace(current) {
            self.file(before);
        }
    }

    fn file(&mut self, executed: ExecutedAction) {
        if self.executed.len() == Self::HISTORY {
            self.executed.pop_front();
        }
        self.executed.push_back(executed);
    }

    fn fail_at(&mut self, limit: Limit) {
        self.end(FlowEnd::Failed {
            why: FlowFailure::Limit { limit },
        });
    }

    fn end(&mut self, why: FlowEnd) {
        match &why {
            FlowEnd::Failed { why } => {
                warn!(activeflow = %self.id, flow = %self.flow_id, %why, "flow failed")
            }
            why => debug!(activeflow = %self.id, flow = %self.flow_id, ?why, "flow ended"),
        }
        self.state = State::Ended;
        if let Some(last) = self.current.take() {
            self.file(last);
        }
        let on_complete = match &why {
            FlowEnd::Failed { .. } => None,
            _ => self.on_complete(),
        };
        self.commands
            .push_back(FlowCommand::Ended { why, on_complete });
    }

    fn on_complete(&self) -> Option<OnComplete> {
        let complete_count = self.complete_count + 1;
        let flow_id = self.on_complete_flow_id.clone()?;
        if complete_count >= self.limits.chain {
            debug!(activeflow = %self.id, limit = self.limits.chain, "chain of flows is at its limit");
            return None;
        }
        Some(OnComplete {
            flow_id: flow_id.to_string(),
            parent: self.id,
            variables: self.inheritance(),
            complete_count,
        })
    }
}

#[cfg(test)]
mod tests;
