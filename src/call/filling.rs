//! The sound that fills the silence of a call: ringback, music on hold.
//!
//! It has no end of its own and gives way to every playback. The engine knows one playback at a time, so
//! one that begins ends it, and whoever wants it asks again under a new number.

use std::sync::Arc;

use flowswitch_media::command::{Command, CommandId, Outcome};
use flowswitch_media::prompt::Prompt;

use super::call::Call;
use super::leg::Down;

/// What fills the silence.
#[derive(Debug)]
pub(super) struct Filling {
    command: CommandId,
    /// Until the engine has it.
    prompt: Option<Arc<Prompt>>,
}

impl Filling {
    /// Claims that the order is this one.
    pub(super) fn is_for(&self, command: CommandId) -> bool {
        self.command == command
    }
}

impl Call {
    /// Plays a sound over and over whenever nothing else plays, until it is canceled, replaced, or a
    /// playback begins; then it is finished, and may be asked for again at once.
    pub fn fill(&mut self, down: &mut Down<'_>, command: CommandId, prompt: Arc<Prompt>) {
        if let Some(earlier) = self.filling.as_ref().map(|filling| filling.command) {
            self.cancel_filling(down, earlier);
        }
        if !self.is_alive() {
            return self.finish(command, Outcome::Canceled);
        }
        let prompt = Some(prompt);
        self.filling = Some(Filling { command, prompt });
        self.fill_silence(down);
    }

    /// Starts it if nothing plays.
    pub(super) fn fill_silence(&mut self, down: &mut Down<'_>) {
        if !self.is_alive() || self.is_answering() || !self.playbacks.is_silent() {
            return;
        }
        let Some(filling) = self.filling.as_mut() else {
            return;
        };
        let (Some(prompt), command) = (filling.prompt.take(), filling.command) else {
            return;
        };
        self.open_way(down);
        down.media.push_back(Command::Play {
            command,
            session: self.leg.session(),
            prompts: vec![prompt],
            stop_on_digit: false,
            is_endless: true,
        });
    }

    /// Ends it, if the order is this one.
    pub(super) fn cancel_filling(&mut self, down: &mut Down<'_>, command: CommandId) -> bool {
        let Some(filling) = self.filling.take_if(|filling| filling.is_for(command)) else {
            return false;
        };
        if filling.prompt.is_none() {
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        } else {
            self.finish(command, Outcome::Canceled);
        }
        true
    }

    /// Finishes one that the engine does not know of, for good.
    pub(super) fn cancel_unfilled(&mut self) {
        let unheard = self.filling.take_if(|filling| filling.prompt.is_some());
        if let Some(filling) = unheard {
            self.finish(filling.command, Outcome::Canceled);
        }
    }
}
