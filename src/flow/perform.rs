//! What each action does when the cursor comes to it.

use std::time::{Duration, Instant};

use tracing::debug;

use super::action::{
    ActionId, ActionKind, Branch, DigitsHandle, DigitsReceive, DigitsSend, RecordingStart, Talk,
    Target, flow_id,
};
use super::activeflow::Activeflow;
use super::command::{FlowCommand, FlowCommandId, Gender, RecordingOptions};
use super::cursor::Arrival;
use super::end::{FlowEnd, FlowFailure};
use super::template::{Late, Milliseconds, ResolveError, Template};
use super::variable::{DIGITS, MAX_SUBSTITUTED, VariableError};
use crate::status::CallStatus;

/// Where an action leads.
#[derive(Debug)]
pub(super) enum Step {
    /// On.
    Next,
    /// Somewhere else: the cursor is there already.
    Arrived(Arrival),
    /// Nowhere yet.
    Wait(Wait),
    /// To the end.
    End(FlowEnd),
}

/// What the cursor waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// The end of something that takes time.
    Command {
        command: FlowCommandId,
        stop_on_digit: bool,
    },
    /// Word that something has been done, or has begun.
    Begin { command: FlowCommandId },
    /// As `Begin`, for a recording, which may tell it first.
    Recording { command: FlowCommandId },
    /// The answered call, and what to say then.
    Answer {
        command: FlowCommandId,
        then: Option<Box<Speech>>,
    },
    /// A flow to enter.
    Flow {
        command: FlowCommandId,
        flow_id: String,
    },
    /// Digits.
    Digits {
        until: Instant,
        gap: Duration,
        wanted: WantedDigits,
    },
    /// A moment.
    Sleep { until: Instant },
    /// The end of the call.
    Hangup,
}

/// When a collection of digits is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WantedDigits {
    /// At so many; zero for no limit.
    pub(super) length: usize,
    /// At one of these.
    pub(super) keys: String,
}

impl WantedDigits {
    pub(super) fn are_in(&self, digits: &str) -> bool {
        (self.length > 0 && digits.chars().count() >= self.length)
            || digits.chars().any(|digit| self.keys.contains(digit))
    }
}

/// Why an action could not be done.
#[derive(Debug)]
pub(super) enum Fault {
    Option(ResolveError),
    NoTarget(Option<ActionId>),
}

impl Fault {
    pub(super) fn of(self, action: &ActionId) -> FlowFailure {
        let action = action.clone();
        match self {
            Self::Option(why) => FlowFailure::BadOption { action, why },
            Self::NoTarget(target) => FlowFailure::NoTarget { action, target },
        }
    }
}

impl From<ResolveError> for Fault {
    fn from(why: ResolveError) -> Self {
        Self::Option(why)
    }
}

impl From<VariableError> for Fault {
    fn from(why: VariableError) -> Self {
        Self::Option(why.into())
    }
}

/// A `talk`, its options resolved.
#[derive(Debug)]
pub(super) struct Speech {
    text: String,
    language: String,
    gender: Gender,
    stop_on_digit: bool,
    is_async: bool,
}

impl Activeflow {
    pub(super) fn perform(&mut self, now: Instant, kind: &ActionKind) -> Result<Step, Fault> {
        match kind {
            ActionKind::Answer => {
                let command = self.next_command();
                self.commands.push_back(FlowCommand::Answer { command });
                Ok(Step::Wait(Wait::Answer {
                    command,
                    then: None,
                }))
            }
            ActionKind::Talk(talk) => self.talk(talk),
            ActionKind::Play { urls } => self.play(urls),
            ActionKind::Beep => {
                let command = self.next_command();
                self.commands.push_back(FlowCommand::Beep { command });
                Ok(Step::Wait(Wait::Command {
                    command,
                    stop_on_digit: false,
                }))
            }
            ActionKind::DigitsReceive(receive) => self.digits_receive(now, receive),
            ActionKind::DigitsSend(send) => self.digits_send(send),
            ActionKind::Branch(branch) => self.branch(branch),
            ActionKind::Goto { target, loop_count } => {
                let loop_count = loop_count.resolve(&self.variables)?;
                let is_over = !self.cursor.count_jump(loop_count);
                self.jump_unless(is_over, target)
            }
            ActionKind::ConditionVariable(condition) => {
                self.jump_unless(condition.is_true(&self.variables)?, &condition.false_target)
            }
            ActionKind::ConditionDatetime(condition) => {
                let since_1970 = self.epoch.since_1970(now);
                let is_true = condition.is_true(since_1970, &self.variables)?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::ConditionCallDigits(condition) => {
                let digits = self.variables.value(DIGITS).unwrap_or_default();
                let is_true = condition.is_true(digits, &self.variables)?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::ConditionCallStatus(condition) => {
                let is_true = condition.is_true(self.call_status, &self.variables)?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::VariableSet { key, value } => {
                let key = key.fill(&self.variables)?;
                let value = value.fill(&self.variables)?.into_owned();
                let key = key.into_owned();
                self.variables.set(&key, &value)?;
                Ok(Step::Next)
            }
            ActionKind::Sleep { duration } => {
                let duration = duration.resolve(&self.variables)?.duration();
                Ok(if duration.is_zero() {
                    Step::Next
                } else {
                    Step::Wait(Wait::Sleep {
                        until: now + duration,
                    })
                })
            }
            ActionKind::Echo { duration } => self.echo(duration, false),
            ActionKind::StreamEcho { duration } => self.echo(duration, true),
            ActionKind::RecordingStart(start) => self.recording_start(start),
            ActionKind::RecordingStop => {
                let command = self.next_command();
                self.commands
                    .push_back(FlowCommand::StopRecording { command });
                Ok(Step::Wait(Wait::Begin { command }))
            }
            ActionKind::FetchFlow { flow_id } => self.fetch_flow(flow_id),
            ActionKind::Hangup { reason } => {
                let reason = reason.resolve(&self.variables).unwrap_or_default();
                self.commands.push_back(FlowCommand::Hangup { reason });
                Ok(Step::Wait(Wait::Hangup))
            }
            ActionKind::Stop => Ok(Step::End(FlowEnd::Stopped)),
            ActionKind::Empty => Ok(Step::Next),
        }
    }

    /// Speaks on an answered call.
    pub(super) fn speak(&mut self, speech: Speech) -> Step {
        let command = self.next_command();
        self.commands.push_back(FlowCommand::Talk {
            command,
            text: speech.text,
            language: speech.language,
            gender: speech.gender,
            stop_on_digit: speech.stop_on_digit,
        });
        if speech.is_async {
            Step::Next
        } else {
            Step::Wait(Wait::Command {
                command,
                stop_on_digit: speech.stop_on_digit,
            })
        }
    }

    fn talk(&mut self, talk: &Talk) -> Result<Step, Fault> {
        let variables = &self.variables;
        let speech = Speech {
            text: talk.text.fill(variables)?.into_owned(),
            language: talk.language.fill(variables)?.into_owned(),
            gender: talk.gender.resolve(variables)?,
            stop_on_digit: talk.digits_handle.resolve(variables)? == DigitsHandle::Next,
            is_async: talk.is_async.resolve(variables)?,
        };
        if self.call_status == CallStatus::Progressing {
            return Ok(self.speak(speech));
        }
        let command = self.next_command();
        self.commands.push_back(FlowCommand::Answer { command });
        Ok(Step::Wait(Wait::Answer {
            command,
            then: Some(Box::new(speech)),
        }))
    }

    fn play(&mut self, urls: &[Template]) -> Result<Step, Fault> {
        let (mut filled, mut total) = (Vec::new(), 0);
        for url in urls {
            let url = url.fill(&self.variables)?;
            total += url.len();
            if total > MAX_SUBSTITUTED {
                return Err(VariableError::TextTooLong.into());
            }
            if !url.is_empty() {
                filled.push(url.into_owned());
            }
        }
        if filled.is_empty() {
            return Ok(Step::Next);
        }
        let command = self.next_command();
        self.commands.push_back(FlowCommand::Play {
            command,
            urls: filled,
        });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    /// What was pressed before counts: it may be enough at once.
    fn digits_receive(&mut self, now: Instant, receive: &DigitsReceive) -> Result<Step, Fault> {
        let variables = &self.variables;
        let keys = receive.key.fill(variables)?.into_owned();
        let length = usize::try_from(receive.length.resolve(variables)?).unwrap_or(0);
        let is_unstated = length == 0 && keys.is_empty();
        let wanted = WantedDigits {
            length: if is_unstated { 1 } else { length },
            keys,
        };
        let gap = match &receive.duration {
            Some(duration) => duration.resolve(variables)?,
            None => DigitsReceive::DEFAULT_WAIT,
        }
        .duration();
        if gap.is_zero() || wanted.are_in(variables.value(DIGITS).unwrap_or_default()) {
            return Ok(Step::Next);
        }
        Ok(Step::Wait(Wait::Digits {
            until: now + gap,
            gap,
            wanted,
        }))
    }

    fn digits_send(&mut self, send: &DigitsSend) -> Result<Step, Fault> {
        const DEFAULT: Milliseconds = Milliseconds(100);
        let variables = &self.variables;
        let digits = send.digits.resolve(variables)?.0;
        let time = |option: &Option<Late<Milliseconds>>| {
            option
                .as_ref()
                .map_or(Ok(DEFAULT), |time| time.resolve(variables))
                .map(Milliseconds::duration)
        };
        let tone = time(&send.duration)?.clamp(Duration::from_millis(100), Duration::from_secs(1));
        let gap = time(&send.interval)?.min(Duration::from_secs(5));
        if digits.is_empty() {
            return Ok(Step::Next);
        }
        let command = self.next_command();
        self.commands.push_back(FlowCommand::SendDigits {
            command,
            digits,
            tone,
            gap,
        });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    /// Reads a variable, empties it, and jumps by what it was.
    fn branch(&mut self, branch: &Branch) -> Result<Step, Fault> {
        let name = branch.variable.fill(&self.variables)?.into_owned();
        let name = if name.is_empty() { DIGITS } else { &name };
        let value = self.variables.value(name).unwrap_or_default().to_owned();
        self.set_variable(name, "");
        self.jump(branch.targets.get(&value).unwrap_or(&branch.default_target))
    }

    fn echo(&mut self, duration: &Late<Milliseconds>, with_digits: bool) -> Result<Step, Fault> {
        const DEFAULT: Duration = Duration::from_secs(180);
        let duration = duration.resolve(&self.variables)?.duration();
        let duration = if duration.is_zero() {
            DEFAULT
        } else {
            duration
        };
        let command = self.next_command();
        self.commands.push_back(FlowCommand::Echo {
            command,
            duration,
            with_digits,
        });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    /// Only an answered call is recorded, and only once at a time.
    fn recording_start(&mut self, start: &RecordingStart) -> Result<Step, Fault> {
        let variables = &self.variables;
        let options = RecordingOptions {
            format: start.format.resolve(variables)?,
            end_of_silence: start.end_of_silence.resolve(variables)?.limit(),
            end_of_key: start.end_of_key.resolve(variables)?,
            duration: start.duration.resolve(variables)?.limit(),
            beep_start: start.beep_start.resolve(variables)?,
        };
        if self.call_status != CallStatus::Progressing || self.is_recording {
            debug!(activeflow = %self.id(), "not answered, or recording already");
            return Ok(Step::Next);
        }
        let command = self.next_command();
        self.commands
            .push_back(FlowCommand::StartRecording { command, options });
        Ok(Step::Wait(Wait::Recording { command }))
    }

    fn fetch_flow(&mut self, wanted: &Template) -> Result<Step, Fault> {
        let wanted = flow_id(&wanted.fill(&self.variables)?).unwrap_or_default();
        let command = self.next_command();
        self.commands.push_back(FlowCommand::FetchFlow {
            command,
            flow_id: wanted.clone(),
        });
        Ok(Step::Wait(Wait::Flow {
            command,
            flow_id: wanted,
        }))
    }

    fn jump_unless(&mut self, is_true: bool, target: &Target) -> Result<Step, Fault> {
        if is_true {
            Ok(Step::Next)
        } else {
            self.jump(target)
        }
    }

    fn jump(&mut self, target: &Target) -> Result<Step, Fault> {
        let Some(id) = target.resolve(&self.variables)? else {
            return Err(Fault::NoTarget(None));
        };
        match self.cursor.jump(&id) {
            Some(arrival) => Ok(Step::Arrived(arrival)),
            None => Err(Fault::NoTarget(Some(id))),
        }
    }
}
