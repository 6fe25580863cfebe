//! The one playback of a call, from the moment its prompts are asked for.

use std::sync::Arc;

use flowswitch_media::command::{CommandId, Outcome};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;

/// What plays, or will.
#[derive(Debug)]
pub(super) struct Playing {
    command: CommandId,
    stop_on_digit: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The prompts are being made.
    Loading,
    /// The prompts are there, but where to send them comes with the ACK.
    Ready(Vec<Arc<Prompt>>),
    /// The engine has it.
    Started,
    /// The engine has been told to stop it, for a digit that it did not hear itself.
    Interrupted(Digit),
}

impl Playing {
    /// A playback whose prompts are being made.
    pub(super) const fn loading(command: CommandId, stop_on_digit: bool) -> Self {
        Self {
            command,
            stop_on_digit,
            state: State::Loading,
        }
    }

    /// The order it belongs to.
    pub(super) const fn command(&self) -> CommandId {
        self.command
    }

    /// Whether a digit ends it.
    pub(super) const fn stops_on_digit(&self) -> bool {
        self.stop_on_digit
    }

    /// Whether it waits for its prompts.
    pub(super) const fn is_loading(&self) -> bool {
        matches!(self.state, State::Loading)
    }

    /// Whether the engine knows of it.
    pub(super) const fn is_started(&self) -> bool {
        matches!(self.state, State::Started | State::Interrupted(_))
    }

    /// The prompts are there, but cannot be sent yet.
    pub(super) fn park(&mut self, prompts: Vec<Arc<Prompt>>) {
        self.state = State::Ready(prompts);
    }

    /// Takes parked prompts; the engine has them from now on.
    pub(super) fn unpark(&mut self) -> Option<Vec<Arc<Prompt>>> {
        if !matches!(self.state, State::Ready(_)) {
            return None;
        }
        match std::mem::replace(&mut self.state, State::Started) {
            State::Ready(prompts) => Some(prompts),
            _ => None,
        }
    }

    /// The engine was told to stop it for `digit`.
    pub(super) fn interrupt(&mut self, digit: Digit) {
        self.state = State::Interrupted(digit);
    }

    /// How it ended, given what the engine says: one that was canceled for a digit was interrupted.
    pub(super) fn outcome(&self, reported: Outcome) -> Outcome {
        match (&self.state, reported) {
            (State::Interrupted(digit), Outcome::Canceled) => {
                Outcome::Interrupted { digit: *digit }
            }
            (_, reported) => reported,
        }
    }
}
