//! A call without a phone: one flow, a caller that keeps to a script, and the time of both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::log::{End, EndedBy, Log};
use super::script::{Caller, Deed, StartedBy, Test, When};
use crate::flow::{
    Activeflow, Address, CallVariables, Flow, FlowCommandId, FlowEvent, FlowOutcome, Limits,
    MessageVariables, Pair, Reference, ReferenceType,
};
use crate::ids::{ActiveflowId, CallId, Rng};
use crate::status::{CallStatus, HangupReason};
use crate::time::Epoch;

/// Finds the flows that a flow fetches, by id or name.
pub type Flows<'a> = dyn Fn(&str) -> Option<Arc<Flow>> + 'a;

/// Longest virtual time of one test.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Most things that happen in one test.
const MOST: usize = 100_000;
/// From one key to the next of a caller who presses several.
const BETWEEN_KEYS: Duration = Duration::from_millis(250);

/// A test under way.
pub(super) struct Run<'t> {
    pub(super) test: &'t Test,
    pub(super) flows: &'t Flows<'t>,
    pub(super) flow: Activeflow,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) log: Log,
    pub(super) status: CallStatus,
    pub(super) recording: Option<super::perform::Running>,
    pub(super) callees_asked: usize,
    pub(super) due: BTreeMap<(Instant, u64), Due>,
    serial: u64,
    step: usize,
    last_step_at: Instant,
    prompts_used: usize,
    pub(super) is_over: bool,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Due {
    /// News for the flow.
    News(FlowEvent),
    /// A command comes to its end.
    Done {
        command: FlowCommandId,
        outcome: FlowOutcome,
    },
    /// The call is answered.
    Answered,
    /// The caller presses a key.
    Key(char),
    /// The recording has reached one of its limits.
    RecordingOver(FlowCommandId),
}

impl<'t> Run<'t> {
    pub(super) fn new(flow: &Flow, flows: &'t Flows<'t>, test: &'t Test, start: Instant) -> Self {
        let mut rng = Rng::from_number(1);
        let call = CallId(rng.uuid());
        let status = match test.started_by {
            StartedBy::AnsweredCall => CallStatus::Progressing,
            _ => CallStatus::Ringing,
        };
        let activeflow = Activeflow::new(
            ActiveflowId(rng.uuid()),
            flow,
            reference(test, call),
            variables(test, call, status),
            Epoch::new(start, test.now),
            Limits::default(),
            rng.fork(),
        );
        Self {
            test,
            flows,
            flow: activeflow,
            start,
            now: start,
            rng,
            log: Log::default(),
            status,
            recording: None,
            callees_asked: 0,
            due: BTreeMap::new(),
            serial: 0,
            step: 0,
            last_step_at: start,
            prompts_used: 0,
            is_over: false,
        }
    }

    /// Runs to the end of the flow, or until nothing more can happen.
    pub(super) fn run(mut self) -> Log {
        if self.status == CallStatus::Progressing {
            self.log.is_answered = true;
            let status = self.status;
            self.flow
                .handle_event(self.now, FlowEvent::CallStatus { status });
        }
        self.flow.start(self.now);
        self.carry_out();
        let mut happened = 0;
        while !self.is_over && happened < MOST && self.move_on() {
            happened += 1;
        }
        let left = self.test.script.iter().skip(self.step);
        self.log.steps_left = left
            .filter(|step| step.deed != Deed::HangUp || !self.is_over)
            .cloned()
            .collect();
        self.log.lasted = self.now - self.start;
        let lasted = self.log.lasted;
        self.log.prompts.retain(|prompt| prompt.at <= lasted);
        let path = self
            .flow
            .executed_actions()
            .chain(self.flow.current_action());
        self.log.path = path
            .map(|action| (action.at - self.start, action.clone()))
            .collect();
        let variables = self.flow.variables().iter();
        self.log.variables = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self.log
    }

    /// Goes to the next thing that happens; `false` when there is none.
    fn move_on(&mut self) -> bool {
        let due = self.due.keys().next().map(|(at, _)| *at);
        let timeout = self.flow.poll_timeout();
        let step = self.next_step_at();
        let Some(next) = [due, timeout, step].into_iter().flatten().min() else {
            return false;
        };
        if next - self.start > LONGEST {
            return false;
        }
        self.now = self.now.max(next);
        if due == Some(next) {
            if let Some((_, due)) = self.due.pop_first() {
                self.happen(due);
            }
        } else if timeout == Some(next) {
            self.flow.handle_timeout(self.now);
        } else {
            self.take_step();
        }
        self.carry_out();
        true
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::News(event) => self.tell(event),
            Due::Done { command, outcome } => self.finish(command, outcome),
            Due::Answered => self.become_answered(),
            Due::Key(digit) => self.press(digit),
            Due::RecordingOver(command) => {
                if self
                    .recording
                    .as_ref()
                    .is_some_and(|running| running.command == command)
                {
                    self.end_recording();
                }
            }
        }
    }

    pub(super) fn tell(&mut self, event: FlowEvent) {
        self.flow.handle_event(self.now, event);
    }

    /// What runs under this command is over now.
    pub(super) fn finish(&mut self, command: FlowCommandId, outcome: FlowOutcome) {
        self.log.prompt_ends(command, self.now - self.start);
        self.tell(FlowEvent::Finished { command, outcome });
    }

    pub(super) fn become_answered(&mut self) {
        if self.status != CallStatus::Progressing {
            self.status = CallStatus::Progressing;
            self.log.is_answered = true;
            self.tell(FlowEvent::CallStatus {
                status: CallStatus::Progressing,
            });
        }
    }

    pub(super) fn later(&mut self, after: Duration, due: Due) {
        self.serial += 1;
        self.due.insert((self.now + after, self.serial), due);
    }

    pub(super) fn done_after(&mut self, after: Duration, command: FlowCommandId) {
        let outcome = FlowOutcome::Done;
        self.later(after, Due::Done { command, outcome });
    }

    /// Ends what runs under this command; whether there was something.
    pub(super) fn cancel(&mut self, cancelled: FlowCommandId) -> bool {
        let before = self.due.len();
        self.due
            .retain(|_, due| !matches!(due, Due::Done { command, .. } if *command == cancelled));
        self.due.len() < before
    }

    /// The call is over, and with it the flow of a call.
    pub(super) fn hang_up(&mut self, by: EndedBy, reason: HangupReason) {
        self.log.ended_by.get_or_insert(by);
        self.log.reason.get_or_insert(reason);
        self.status = CallStatus::Hangup;
        self.end_recording();
        self.tell(FlowEvent::CallEnded);
    }

    fn press(&mut self, digit: char) {
        if self
            .recording
            .as_ref()
            .is_some_and(|running| running.ends_with(digit))
        {
            self.end_recording();
        }
        self.tell(FlowEvent::Digit { digit });
    }

    /// When the next step of the script is taken, as far as that is known now.
    fn next_step_at(&self) -> Option<Instant> {
        let step = self.test.script.get(self.step)?;
        let from = match &step.when {
            When::Before => self.last_step_at,
            When::Start => self.start,
            When::PromptEnds(text) => {
                let (_, prompt) = self.log.prompt_with(text, self.prompts_used)?;
                self.start + prompt.ended?
            }
            When::PromptBegins(text) => {
                let (_, prompt) = self.log.prompt_with(text, self.prompts_used)?;
                self.start + prompt.at
            }
        };
        Some((from + step.delay).max(self.last_step_at))
    }

    fn take_step(&mut self) {
        let Some(step) = self.test.script.get(self.step) else {
            return;
        };
        if let When::PromptEnds(text) | When::PromptBegins(text) = &step.when
            && let Some((index, _)) = self.log.prompt_with(text, self.prompts_used)
        {
            self.prompts_used = index + 1;
        }
        self.step += 1;
        self.last_step_at = self.now;
        match &step.deed {
            Deed::Press(keys) => {
                let mut after = Duration::ZERO;
                for key in keys {
                    self.later(after, Due::Key(*key));
                    after += BETWEEN_KEYS;
                }
                self.last_step_at = self.now + after.saturating_sub(BETWEEN_KEYS);
            }
            Deed::HangUp => {
                let reason = match self.status {
                    CallStatus::Progressing => HangupReason::Normal,
                    _ => HangupReason::Cancel,
                };
                self.hang_up(EndedBy::Caller, reason);
            }
            Deed::Stop => {
                self.log.ended_by.get_or_insert(EndedBy::Outside);
                self.tell(FlowEvent::Stop);
            }
            Deed::Resume => self.tell(FlowEvent::Resume {
                current_action: None,
            }),
            Deed::Say(text) => self.tell(FlowEvent::Transcribed { text: text.clone() }),
        }
    }

    fn carry_out(&mut self) {
        while let Some(command) = self.flow.poll_command() {
            self.perform(command);
        }
    }

    pub(super) fn ended(&mut self, end: End, on_complete: Option<String>) {
        self.log.end = Some(end);
        self.log.on_complete = on_complete;
        self.log.ended_by.get_or_insert(EndedBy::Flow);
        if self.test.is_call() {
            self.log.reason.get_or_insert(HangupReason::Normal);
        }
        self.end_recording();
        self.is_over = true;
    }
}

impl Test {
    pub(super) const fn is_call(&self) -> bool {
        matches!(self.started_by, StartedBy::Call | StartedBy::AnsweredCall)
    }
}

fn reference(test: &Test, call: CallId) -> Reference {
    let (kind, id) = match test.started_by {
        StartedBy::Call | StartedBy::AnsweredCall => (ReferenceType::Call, call.0),
        StartedBy::Api => (ReferenceType::Api, Uuid::nil()),
        StartedBy::Message(_) => (ReferenceType::Conversation, call.0),
    };
    Reference { kind, id }
}

/// Those of the call or message, and then the test's own.
fn variables(test: &Test, call: CallId, status: CallStatus) -> Vec<Pair> {
    let Caller { target, name } = &test.caller;
    let (source, destination) = (address(target, name), address(&test.dial, ""));
    let mut variables = match &test.started_by {
        StartedBy::Api => Vec::new(),
        StartedBy::Message(text) => MessageVariables {
            conversation: call.0,
            owner: Uuid::nil(),
            id: call.0,
            text: text.clone(),
            own: destination,
            peer: source,
            is_incoming: true,
        }
        .to_pairs(),
        StartedBy::Call | StartedBy::AnsweredCall => CallVariables {
            id: call,
            source,
            destination,
            is_incoming: test.started_by == StartedBy::Call,
            master: None,
            status,
        }
        .to_pairs(),
    };
    let own = test.variables.iter().cloned();
    variables.extend(own.map(|(name, value)| (name.into(), value)));
    variables
}

fn address(target: &str, name: &str) -> Address {
    let is_number = target
        .strip_prefix('+')
        .unwrap_or(target)
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    Address {
        kind: if is_number { "tel" } else { "sip" }.to_owned(),
        target: target.to_owned(),
        name: name.to_owned(),
        ..Address::default()
    }
}
