//! What the actions do that a call carries out.

use std::time::{Duration, Instant};

use tracing::debug;

use super::{Detection, Fault, Speech, Step, Wait, WantedDigits};
use crate::flow::action::{
    Amd, DigitsHandle, DigitsReceive, DigitsSend, MachineHandle, RecordingStart, Talk, flow_id,
};
use crate::flow::activeflow::Activeflow;
use crate::flow::command::{FlowCommand, RecordingOptions};
use crate::flow::insert::{Grammar, fill_speech};
use crate::flow::template::{Late, Milliseconds, Template};
use crate::flow::variable::{DIGITS, MAX_SUBSTITUTED, VariableError};
use crate::ids::CallId;
use crate::status::{CallStatus, HangupReason};

impl Activeflow {
    /// Speaks on an answered call.
    pub(in crate::flow) fn speak(&mut self, speech: Speech) -> Step {
        let command = self.order(|command| FlowCommand::Talk {
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

    pub(in crate::flow) fn talk(&mut self, talk: &Talk) -> Result<Step, Fault> {
        let variables = self.scope();
        let speech = Speech {
            text: fill_speech(talk.text.as_str(), variables)?,
            language: talk
                .language
                .fill_as(Grammar::Line, variables)?
                .into_owned(),
            gender: talk.gender.resolve(variables)?,
            stop_on_digit: talk.digits_handle.resolve(variables)? == DigitsHandle::Next,
            is_async: talk.is_async.resolve(variables)?,
        };
        if self.call_status == CallStatus::Progressing {
            return Ok(self.speak(speech));
        }
        let command = self.order(|command| FlowCommand::Answer { command });
        Ok(Step::Wait(Wait::Answer {
            command,
            then: Some(Box::new(speech)),
        }))
    }

    pub(in crate::flow) fn play(&mut self, urls: &[Template]) -> Result<Step, Fault> {
        let (mut filled, mut total) = (Vec::new(), 0);
        for url in urls {
            let grammar = if url.as_str().contains("://") {
                Grammar::Uri
            } else {
                Grammar::Line
            };
            let url = url.fill_as(grammar, self.scope())?;
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
        let command = self.order(|command| FlowCommand::Play {
            command,
            urls: filled,
        });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    /// What was pressed before counts: it may be enough at once.
    pub(in crate::flow) fn digits_receive(
        &mut self,
        now: Instant,
        receive: &DigitsReceive,
    ) -> Result<Step, Fault> {
        let variables = self.scope();
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
        if gap.is_zero() || wanted.are_in(self.variables.value(DIGITS).unwrap_or_default()) {
            return Ok(Step::Next);
        }
        Ok(Step::Wait(Wait::Digits {
            until: now + gap,
            gap,
            wanted,
        }))
    }

    pub(in crate::flow) fn digits_send(&mut self, send: &DigitsSend) -> Result<Step, Fault> {
        const DEFAULT: Milliseconds = Milliseconds(100);
        let variables = self.scope();
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
        let command = self.order(|command| FlowCommand::SendDigits {
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

    pub(in crate::flow) fn echo(
        &mut self,
        duration: &Late<Milliseconds>,
        with_digits: bool,
    ) -> Result<Step, Fault> {
        const DEFAULT: Duration = Duration::from_secs(180);
        let duration = duration.resolve(self.scope())?.duration();
        let duration = if duration.is_zero() {
            DEFAULT
        } else {
            duration
        };
        let command = self.order(|command| FlowCommand::Echo {
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
    pub(in crate::flow) fn recording_start(
        &mut self,
        start: &RecordingStart,
    ) -> Result<Step, Fault> {
        let variables = self.scope();
        let after = start.on_end_flow_id.fill_as(Grammar::Line, variables)?;
        let options = RecordingOptions {
            format: start.format.resolve(variables)?,
            layout: start.layout.resolve(variables)?,
            end_of_silence: start.end_of_silence.resolve(variables)?.limit(),
            end_of_key: start.end_of_key.resolve(variables)?,
            duration: start.duration.resolve(variables)?.limit(),
            beep_start: start.beep_start.resolve(variables)?,
            on_end_flow_id: flow_id(&after),
        };
        if self.call_status != CallStatus::Progressing || self.is_recording {
            debug!(activeflow = %self.id(), "not answered, or recording already");
            return Ok(Step::Next);
        }
        let command = self.order(|command| FlowCommand::StartRecording { command, options });
        Ok(Step::Wait(Wait::Recording { command }))
    }

    /// One detection runs at a time: a new one takes the place of the one before.
    pub(in crate::flow) fn amd(&mut self, amd: &Amd) -> Result<Step, Fault> {
        let scope = self.scope();
        let hangs_up = amd.machine_handle.resolve(scope)? == MachineHandle::Hangup;
        let is_async = match &amd.is_sync {
            Some(is_sync) => !is_sync.resolve(scope)?,
            None => amd.is_async.resolve(scope)?,
        };
        if let Some(before) = self.detection.take() {
            self.commands.push_back(FlowCommand::Cancel {
                command: before.command,
            });
        }
        let wait = !is_async;
        let command = self.order(|command| FlowCommand::DetectMachine { command, wait });
        self.detection = Some(Detection { command, hangs_up });
        Ok(if is_async {
            Step::Next
        } else {
            Step::Wait(Wait::Command {
                command,
                stop_on_digit: false,
            })
        })
    }

    /// Hangs up as the call `reference` was hung up when that is an id, else for `reason`. A wrong option
    /// does not keep a call from being hung up.
    pub(in crate::flow) fn hangup(
        &mut self,
        reason: &Late<HangupReason>,
        reference: &Template,
    ) -> Step {
        let scope = self.scope();
        let reference = reference.fill(scope).ok();
        let reference = reference.and_then(|text| uuid::Uuid::try_parse(&text).ok());
        let order = match reference.filter(|id| !id.is_nil()) {
            Some(id) => FlowCommand::HangupRelay {
                reference: CallId(id),
            },
            None => FlowCommand::Hangup {
                reason: reason.resolve(scope).unwrap_or_default(),
            },
        };
        self.commands.push_back(order);
        Step::Wait(Wait::Hangup)
    }
}
