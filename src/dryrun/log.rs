//! What happened in a test.

use std::time::Duration;

use super::script::Step;
use crate::flow::{ExecutedAction, FlowCommandId};
use crate::status::HangupReason;

/// What happened, with the time since the start.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) prompts: Vec<Prompt>,
    pub(super) path: Vec<(Duration, ExecutedAction)>,
    pub(super) webhooks: Vec<(Duration, String)>,
    pub(super) messages: Vec<(Duration, String)>,
    pub(super) emails: Vec<(Duration, String)>,
    pub(super) calls: Vec<(Duration, String)>,
    pub(super) digits_sent: Vec<(Duration, String)>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) recordings: usize,
    pub(super) is_answered: bool,
    /// `None` while the flow still waits for something that never comes.
    pub(super) end: Option<End>,
    pub(super) ended_by: Option<EndedBy>,
    pub(super) reason: Option<HangupReason>,
    pub(super) on_complete: Option<String>,
    pub(super) steps_left: Vec<Step>,
    pub(super) lasted: Duration,
}

/// Something the caller heard.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) command: FlowCommandId,
    pub(super) at: Duration,
    pub(super) ended: Option<Duration>,
    pub(super) text: String,
}

/// How the flow ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) word: &'static str,
    pub(super) failure: Option<String>,
}

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    Flow,
    Caller,
    Outside,
}

impl EndedBy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Caller => "caller",
            Self::Outside => "outside",
        }
    }
}

impl Log {
    /// The prompts of a command are over; those that would have come later are not heard.
    pub(super) fn prompt_ends(&mut self, command: FlowCommandId, at: Duration) {
        self.prompts
            .retain(|prompt| prompt.command != command || prompt.at <= at);
        let heard = self.prompts.iter_mut();
        for prompt in heard.filter(|prompt| prompt.command == command) {
            prompt.ended.get_or_insert(at);
        }
    }

    /// The first prompt that contains `text`, from the one at `from` on.
    pub(super) fn prompt_with(&self, text: &str, from: usize) -> Option<(usize, &Prompt)> {
        let prompts = self.prompts.iter().enumerate().skip(from);
        prompts
            .into_iter()
            .find(|(_, prompt)| prompt.text.contains(text))
    }
}
