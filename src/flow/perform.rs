//! What each action does when the cursor comes to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::action::{ActionId, ActionKind};
use super::activeflow::Activeflow;
use super::command::{FlowCommand, FlowCommandId, Gender};
use super::cursor::Arrival;
use super::end::{FlowEnd, FlowFailure};
use super::template::{Late, ResolveError};
use super::variable::{DIGITS, VariableError, Variables};
use crate::ids::CallId;

mod control;
mod legs;
mod media;
mod outward;

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
    /// As `Begin`, for a transcription, which may tell it first.
    Transcribe { command: FlowCommandId },
    /// Actions to enter.
    Fetch { command: FlowCommandId },
    /// The parting of a connection.
    Connect {
        command: FlowCommandId,
        relays: bool,
        first: Option<CallId>,
    },
    /// The particulars of a conference.
    Conference { command: FlowCommandId },
    /// A place in a queue, or its end; in both nothing else is done.
    Queue { command: FlowCommandId },
    /// Somebody outside.
    Block,
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

impl Wait {
    /// The command that ends it.
    pub(super) const fn command(&self) -> Option<FlowCommandId> {
        match self {
            Self::Command { command, .. }
            | Self::Begin { command }
            | Self::Recording { command }
            | Self::Answer { command, .. }
            | Self::Transcribe { command }
            | Self::Fetch { command }
            | Self::Connect { command, .. }
            | Self::Conference { command }
            | Self::Queue { command }
            | Self::Flow { command, .. } => Some(*command),
            Self::Block | Self::Digits { .. } | Self::Sleep { .. } | Self::Hangup => None,
        }
    }
}

/// A detection of machines that runs.
#[derive(Debug)]
pub(super) struct Detection {
    pub(super) command: FlowCommandId,
    /// Whether a machine ends the call.
    pub(super) hangs_up: bool,
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
    NotDone(&'static str),
}

impl Fault {
    pub(super) fn of(self, action: &ActionId) -> FlowFailure {
        let action = action.clone();
        match self {
            Self::Option(why) => FlowFailure::BadOption { action, why },
            Self::NoTarget(target) => FlowFailure::NoTarget { action, target },
            Self::NotDone(why) => FlowFailure::NotDone { action, why },
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
                let command = self.order(|command| FlowCommand::Answer { command });
                Ok(Step::Wait(Wait::Answer {
                    command,
                    then: None,
                }))
            }
            ActionKind::Talk(talk) => self.talk(talk),
            ActionKind::Play { urls } => self.play(urls),
            ActionKind::Beep => {
                let command = self.order(|command| FlowCommand::Beep { command });
                Ok(Step::Wait(Wait::Command {
                    command,
                    stop_on_digit: false,
                }))
            }
            ActionKind::DigitsReceive(receive) => self.digits_receive(now, receive),
            ActionKind::DigitsSend(send) => self.digits_send(send),
            ActionKind::Branch(branch) => self.branch(branch),
            ActionKind::Goto { target, loop_count } => {
                let loop_count = loop_count.resolve(self.scope())?;
                let is_over = !self.cursor.count_jump(loop_count);
                self.jump_unless(is_over, target)
            }
            ActionKind::ConditionVariable(condition) => {
                let is_true = condition.is_true(self.scope(), &self.variables)?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::ConditionDatetime(condition) => {
                let since_1970 = self.epoch.since_1970(now);
                let is_true = condition.is_true(since_1970, self.scope())?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::ConditionCallDigits(condition) => {
                let digits = self.variables.value(DIGITS).unwrap_or_default();
                let is_true = condition.is_true(digits, self.scope())?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::ConditionCallStatus(condition) => {
                let is_true = condition.is_true(self.call_status, self.scope())?;
                self.jump_unless(is_true, &condition.false_target)
            }
            ActionKind::VariableSet { key, value } => {
                let key = key.fill(self.scope())?.into_owned();
                let value = value.fill(self.scope())?.into_owned();
                self.variables.set(key, value)?;
                Ok(Step::Next)
            }
            ActionKind::Sleep { duration } => {
                let duration = duration.resolve(self.scope())?.duration();
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
                let command = self.order(|command| FlowCommand::StopRecording { command });
                Ok(Step::Wait(Wait::Begin { command }))
            }
            ActionKind::FetchFlow { flow_id } => self.fetch_flow(flow_id),
            ActionKind::Hangup { reason, reference } => Ok(self.hangup(reason, reference)),
            ActionKind::HangupRelay { reference } => Ok(self.hangup(&Late::default(), reference)),
            ActionKind::Stop => Ok(Step::End(FlowEnd::Stopped)),
            ActionKind::Empty => Ok(Step::Next),
            ActionKind::Block => Ok(Step::Wait(Wait::Block)),
            ActionKind::Mute { direction } => {
                let direction = direction.resolve(self.scope())?;
                let command = self.order(|command| FlowCommand::Mute { command, direction });
                Ok(Step::Wait(Wait::Begin { command }))
            }
            ActionKind::Amd(amd) => self.amd(amd),
            ActionKind::Fetch(fetch) => self.fetch(fetch),
            ActionKind::WebhookSend(send) => self.webhook_send(send),
            ActionKind::EmailSend(send) => self.email_send(send),
            ActionKind::MessageSend(send) => self.message_send(send),
            ActionKind::ConversationSend(send) => self.conversation_send(send),
            ActionKind::TranscribeStart(start) => self.transcribe_start(start),
            ActionKind::TranscribeStop => {
                let command = self.order(|command| FlowCommand::StopTranscribe { command });
                Ok(Step::Wait(Wait::Begin { command }))
            }
            ActionKind::TranscribeRecording(start) => self.transcribe_recording(start),
            ActionKind::AiTalk(start) | ActionKind::ChatbotTalk(start) => self.ai_talk(start),
            ActionKind::AiTask(start) => self.ai_task(start),
            ActionKind::AiSummary(start) => self.ai_summary(start),
            ActionKind::CaseCreate => Err(Fault::NotDone("there is no contact centre here")),
            ActionKind::Connect(connect) => self.connect(connect),
            ActionKind::AgentCall { agent_id } => self.agent_call(agent_id),
            ActionKind::Call(start) => self.call(start),
            ActionKind::ConferenceJoin { conference_id } => self.conference_join(conference_id),
            ActionKind::ConfbridgeJoin { confbridge_id } => self.confbridge_join(confbridge_id),
            ActionKind::QueueJoin { queue_id } => self.queue_join(queue_id),
            ActionKind::ExternalMediaStart(start) => self.external_media_start(start),
            ActionKind::ExternalMediaStop => {
                let command = self.order(|command| FlowCommand::StopExternalMedia { command });
                Ok(Step::Wait(Wait::Begin { command }))
            }
        }
    }

    /// Gives an order under a number of its own.
    fn order(&mut self, order: impl FnOnce(FlowCommandId) -> FlowCommand) -> FlowCommandId {
        let command = self.next_command();
        self.commands.push_back(order(command));
        command
    }

    /// What the placeholders of the current actions are filled from.
    fn scope(&self) -> &Variables {
        self.cursor.scope().map_or(&self.variables, Arc::as_ref)
    }
}
