//! What an activeflow makes of the news it is told.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tracing::{debug, warn};

use super::{Activeflow, State};
use crate::flow::Flow;
use crate::flow::action::{ActionId, Actions, Severity};
use crate::flow::command::{FlowCommand, FlowCommandId};
use crate::flow::cursor::Arrival;
use crate::flow::dialect::parse_fetched;
use crate::flow::end::{FetchError, FlowEnd, FlowFailure, Limit};
use crate::flow::event::{FlowEvent, FlowOutcome, Recording};
use crate::flow::outward::{MachineResult, QueuePlace};
use crate::flow::perform::{Step, Wait};
use crate::flow::reference::{Pair, queue_pairs, told_pairs};
use crate::flow::variable::{AICALL_STATUS, AMD_RESULT, DIGITS, QUEUE};
use crate::ids::CallId;
use crate::status::{CallStatus, HangupReason};

impl Activeflow {
    pub(super) fn handle_finished(
        &mut self,
        now: Instant,
        finished: FlowCommandId,
        outcome: FlowOutcome,
    ) {
        self.detection
            .take_if(|running| running.command == finished);
        if self.ai_talk.take_if(|talk| *talk == finished).is_some() {
            self.set_variable(AICALL_STATUS, "terminated");
        }
        if let FlowOutcome::Failed { why } = outcome {
            debug!(activeflow = %self.id, command = finished.0, why, "command failed");
        }
        if self.is_hanging_up() {
            return;
        }
        if self.cursor.holds(finished) {
            return self.leave_queue(now, finished);
        }
        let Some(wait) = self.take_wait(finished) else {
            return;
        };
        if let FlowOutcome::Failed { why } = outcome
            && let Some(why) = self.failure(&wait, why)
        {
            return self.end(FlowEnd::Failed { why });
        }
        match wait {
            Wait::Begin { .. } | Wait::Recording { .. } | Wait::Transcribe { .. } => {
                self.go_on(now, Step::Next);
            }
            Wait::Answer { then, .. } => {
                let has_failed = matches!(outcome, FlowOutcome::Failed { .. });
                let then = then.filter(|_| !has_failed);
                if !has_failed
                    && matches!(self.call_status, CallStatus::Dialing | CallStatus::Ringing)
                {
                    self.set_call_status(CallStatus::Progressing);
                }
                let step = then.map_or(Step::Next, |speech| self.speak(*speech));
                self.go_on(now, step);
            }
            Wait::Flow { flow_id, .. } => self.miss(flow_id),
            Wait::Connect {
                relays: true,
                first: Some(reference),
                ..
            } => {
                self.commands
                    .push_back(FlowCommand::HangupRelay { reference });
                self.execute(now, Step::Wait(Wait::Hangup));
            }
            _ => self.execute(now, Step::Next),
        }
    }

    /// What a failed command ends the activeflow with, if it does.
    fn failure(&self, wait: &Wait, why: &'static str) -> Option<FlowFailure> {
        let action = self.current.as_ref()?.id.clone();
        match wait {
            Wait::Flow { .. } => return None,
            Wait::Fetch { .. } => {
                let why = FetchError::Refused(why);
                return Some(FlowFailure::NotFetched { action, why });
            }
            _ => {}
        }
        let (actions, at) = self.cursor.current()?;
        let is_fatal = actions[at].kind.severity() == Severity::Fatal;
        is_fatal.then_some(FlowFailure::NotDone { action, why })
    }

    /// Inside `digits_receive` a digit is added, anywhere else it replaces what was there.
    pub(super) fn handle_digit(&mut self, now: Instant, digit: char) {
        if let State::Waiting(Wait::Digits { until, gap, wanted }) = &mut self.state {
            *until = now + *gap;
            let mut digits = self.variables.value(DIGITS).unwrap_or_default().to_owned();
            digits.push(digit);
            let is_complete = wanted.are_in(&digits);
            self.set_variable(DIGITS, digits);
            if is_complete {
                self.execute(now, Step::Next);
            }
            return;
        }
        self.set_variable(DIGITS, digit);
        if let State::Waiting(Wait::Command {
            command,
            stop_on_digit: true,
        }) = self.state
        {
            self.commands.push_back(FlowCommand::Cancel { command });
            self.execute(now, Step::Next);
        }
    }

    pub(super) fn handle_fetched(
        &mut self,
        now: Instant,
        fetched: FlowCommandId,
        flow: Option<Arc<Flow>>,
    ) {
        if !matches!(self.state, State::Waiting(Wait::Flow { .. })) {
            return;
        }
        let Some(Wait::Flow { flow_id, .. }) = self.take_wait(fetched) else {
            return;
        };
        match flow {
            Some(flow) => self.enter(now, Arc::clone(&flow.actions)),
            None => self.miss(flow_id),
        }
    }

    /// A flow is not there. Without its wait flow a queue is plain waiting; any other is needed.
    fn miss(&mut self, flow_id: String) {
        if let Some(command) = self.cursor.queue() {
            warn!(activeflow = %self.id, flow = flow_id, "there is no such wait flow");
            self.state = State::Waiting(Wait::Queue { command });
        } else {
            let why = FlowFailure::NoFlow { flow_id };
            self.end(FlowEnd::Failed { why });
        }
    }

    pub(super) fn handle_fetched_actions(
        &mut self,
        now: Instant,
        fetched: FlowCommandId,
        body: Result<Bytes, &'static str>,
    ) {
        let is_awaited =
            matches!(&self.state, State::Waiting(Wait::Fetch { command }) if *command == fetched);
        let Some(current) = self.current.as_ref().filter(|_| is_awaited) else {
            return;
        };
        let action = current.id.clone();
        let read = body
            .map_err(FetchError::Refused)
            .and_then(|body| parse_fetched(&body, &mut self.rng).map_err(FetchError::Malformed));
        match read {
            Ok((actions, left_out)) => {
                if left_out > 0 {
                    warn!(activeflow = %self.id, %action, left_out, "fetched actions that are wrong");
                }
                self.enter(now, Arc::new(actions));
            }
            Err(why) => self.end(FlowEnd::Failed {
                why: FlowFailure::NotFetched { action, why },
            }),
        }
    }

    /// Goes on in other actions, to come back to here.
    fn enter(&mut self, now: Instant, actions: Arc<Actions>) {
        if self.cursor.depth() > self.limits.stacks {
            return self.fail_at(Limit::Stacks(self.limits.stacks));
        }
        if !actions.is_empty() {
            self.cursor.push(actions);
        }
        self.go_on(now, Step::Next);
    }

    pub(super) fn handle_recording(&mut self, now: Instant, recording: &Recording) {
        self.is_recording = true;
        self.set_variables(recording.variables("call", self.reference.id));
        if matches!(self.state, State::Waiting(Wait::Recording { .. })) {
            self.go_on(now, Step::Next);
        }
    }

    pub(super) fn handle_told(&mut self, now: Instant, event: FlowEvent) {
        let has_begun = matches!(event, FlowEvent::TranscribeStarted { .. });
        if let (FlowEvent::AiTalkStarted { .. }, State::Waiting(wait), Some(current)) =
            (&event, &self.state, &self.current)
            && matches!(current.name, "ai_talk" | "chatbot_talk" | "ai_task")
        {
            self.ai_talk = wait.command();
        }
        self.set_variables(told_pairs(event));
        if has_begun && matches!(self.state, State::Waiting(Wait::Transcribe { .. })) {
            self.go_on(now, Step::Next);
        }
    }

    /// Tells the result, and hangs up on a machine where that is asked for.
    pub(super) fn handle_detected(
        &mut self,
        now: Instant,
        command: FlowCommandId,
        result: MachineResult,
    ) {
        let Some(detection) = self.detection.take_if(|running| running.command == command) else {
            return;
        };
        self.set_variable(AMD_RESULT, result.as_str());
        let was_awaited = self.take_wait(command).is_some();
        if self.is_hanging_up() {
            return;
        }
        if detection.hangs_up && result == MachineResult::Machine {
            let reason = HangupReason::Amd;
            self.abandon();
            self.commands.push_back(FlowCommand::Hangup { reason });
            self.state = State::Waiting(Wait::Hangup);
        } else if was_awaited {
            self.execute(now, Step::Next);
        }
    }

    pub(super) fn handle_dialed(&mut self, dialed: FlowCommandId, calls: &[CallId]) {
        if let State::Waiting(Wait::Connect { command, first, .. }) = &mut self.state
            && *command == dialed
        {
            *first = calls.first().copied();
        }
    }

    pub(super) fn handle_conference(
        &mut self,
        now: Instant,
        found: FlowCommandId,
        confbridge_id: &str,
        pre_flow_id: Option<&str>,
    ) {
        let is_awaited = matches!(&self.state, State::Waiting(Wait::Conference { command }) if *command == found);
        if is_awaited {
            let stack = self.conference_stack(confbridge_id, pre_flow_id);
            self.enter(now, stack);
        }
    }

    pub(super) fn handle_queued(
        &mut self,
        now: Instant,
        queued: FlowCommandId,
        place: &QueuePlace,
    ) {
        let is_awaited =
            matches!(&self.state, State::Waiting(Wait::Queue { command }) if *command == queued);
        if !is_awaited || self.cursor.holds(queued) {
            return;
        }
        if self.cursor.depth() > self.limits.stacks {
            return self.fail_at(Limit::Stacks(self.limits.stacks));
        }
        self.set_variables(queue_pairs(place));
        let wait_flow = place.wait_flow_id.as_deref();
        let (stack, bridge) = self.queue_stack(&place.confbridge_id, wait_flow);
        self.cursor.push_queue(stack, queued, bridge);
        self.queues.push(queued);
        if wait_flow.is_some() {
            self.go_on(now, Step::Next);
        }
    }

    /// Leaves the wait flow at once, wherever it is.
    pub(super) fn handle_served(&mut self, now: Instant, command: FlowCommandId) {
        if !self.is_hanging_up() && self.cursor.serve(command) {
            self.abandon();
            self.execute(now, Step::Arrived(Arrival::Action));
        }
    }

    /// The place in a queue is gone: goes on behind the action that took it.
    fn leave_queue(&mut self, now: Instant, command: FlowCommandId) {
        if self.cursor.leave(command) {
            self.abandon();
            self.queues.retain(|queue| *queue != command);
            self.forget_queue();
            self.execute(now, Step::Next);
        }
    }

    /// Gives up the place in every queue that the cursor has left by itself.
    pub(super) fn leave_queues(&mut self) {
        let (cursor, commands) = (&self.cursor, &mut self.commands);
        let before = self.queues.len();
        self.queues.retain(|command| {
            let stays = cursor.holds(*command);
            if !stays {
                commands.push_back(FlowCommand::Cancel { command: *command });
            }
            stays
        });
        if self.queues.len() < before {
            self.forget_queue();
        }
    }

    fn forget_queue(&mut self) {
        for prefix in QUEUE {
            self.variables.forget(prefix);
        }
    }

    pub(super) fn handle_resume(&mut self, now: Instant, believed: Option<ActionId>) {
        let stands_there = match (&believed, &self.current) {
            (Some(believed), Some(current)) => *believed == current.id,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if self.is_blocked() && stands_there {
            self.execute(now, Step::Next);
        }
    }

    /// Whether only the end of the call is waited for.
    const fn is_hanging_up(&self) -> bool {
        matches!(self.state, State::Waiting(Wait::Hangup))
    }

    /// What the cursor waits for, if it waits for this command; it waits for nothing then.
    fn take_wait(&mut self, command: FlowCommandId) -> Option<Wait> {
        match &self.state {
            State::Waiting(wait) if wait.command() == Some(command) => {
                match mem::replace(&mut self.state, State::Moving) {
                    State::Waiting(wait) => Some(wait),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Ends what the cursor waits for and will wait for no longer.
    fn abandon(&mut self) {
        if let State::Waiting(wait @ (Wait::Command { .. } | Wait::Connect { .. })) = &self.state
            && let Some(command) = wait.command()
        {
            self.commands.push_back(FlowCommand::Cancel { command });
        }
    }

    fn set_variables(&mut self, pairs: Vec<Pair>) {
        for (name, value) in pairs {
            self.set_variable(name, value);
        }
    }
}
