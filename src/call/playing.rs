//! What a call plays: one playback after another, in the order they were asked for.
//!
//! ```text
//!   begin_play        prompts fetched       all before it have ended       the engine says so
//!   ----------> Loading ----------> Ready ---------------------------> Started ----------> Finished
//! ```
//!
//! Only the first of them plays; the prompts of those behind it are fetched meanwhile. So an announcement
//! from outside never ends what a flow is saying, nor the other way round.

use std::collections::VecDeque;
use std::sync::Arc;

use flowswitch_media::command::{Command, CommandId, Outcome};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;

use super::call::Call;
use super::digits::DigitPath;
use super::event::PlayRefused;
use super::leg::Down;

/// Playbacks that may wait behind the one that plays: more than anybody would listen to.
const WAITING: usize = 16;

impl Call {
    /// Begins a playback whose prompts are still being made. It waits for those begun before it; a digit
    /// may end it once it is the first. One that is refused is finished at once.
    pub fn begin_play(
        &mut self,
        command: CommandId,
        stop_on_digit: bool,
    ) -> Result<(), PlayRefused> {
        let begun = if self.is_alive() {
            self.playbacks.push(command, stop_on_digit)
        } else {
            Err(PlayRefused::CallIsOver)
        };
        if begun.is_err() {
            self.finish(command, Outcome::Canceled);
        }
        begun
    }

    /// Plays the prompts of a playback begun before, when its turn comes; early media where the call is
    /// not answered. Those of a playback that has ended meanwhile are not wanted any more.
    pub fn play(&mut self, down: &mut Down<'_>, command: CommandId, prompts: Vec<Arc<Prompt>>) {
        self.playbacks.park(command, prompts);
        self.play_next(down);
    }

    /// Forgets a playback whose prompts could not be made, without a report. `false`: it had ended.
    #[must_use]
    pub fn forget_play(&mut self, down: &mut Down<'_>, command: CommandId) -> bool {
        let is_forgotten = self.playbacks.forget_loading(command);
        self.play_next(down);
        is_forgotten
    }

    /// Gives the first playback to the engine if it is ready; before the answer it is early media, but
    /// where our offer is out there is nowhere to send it to until the ACK.
    pub(super) fn play_next(&mut self, down: &mut Down<'_>) {
        if !self.is_alive() || self.is_answering() {
            return;
        }
        let Some((command, stop_on_digit, prompts)) = self.playbacks.start_next() else {
            return self.fill_silence(down);
        };
        self.open_way(down);
        down.media.push_back(Command::Play {
            command,
            session: self.leg.session(),
            prompts,
            stop_on_digit,
            is_endless: false,
        });
    }

    /// Ends a playback now, if it is one; the next has its turn at once.
    pub(super) fn cancel_play(&mut self, down: &mut Down<'_>, command: CommandId) -> bool {
        let Some(playing) = self.playbacks.take(command) else {
            return false;
        };
        if playing.is_started() {
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        } else {
            self.finish(command, Outcome::Canceled);
        }
        self.play_next(down);
        true
    }

    /// Ends the first playback for a digit, if it stops for one. The engine does so itself for the digits
    /// that it hears.
    pub(super) fn interrupt_play(&mut self, down: &mut Down<'_>, digit: Digit, path: DigitPath) {
        let first = self.playbacks.first_mut();
        let Some(playing) = first.filter(|playing| playing.stop_on_digit) else {
            return;
        };
        let command = playing.command;
        if !playing.is_started() {
            self.playbacks.take(command);
            self.finish(command, Outcome::Interrupted { digit });
            self.play_next(down);
        } else if path == DigitPath::Info {
            playing.state = State::Interrupted(digit);
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        }
    }

    /// Finishes what the engine does not know of, for good.
    pub(super) fn cancel_unheard(&mut self) {
        for command in self.playbacks.take_unheard() {
            self.finish(command, Outcome::Canceled);
        }
    }
}

/// What plays, and what waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Playbacks {
    queue: VecDeque<Playing>,
}

/// One of them.
#[derive(Debug)]
struct Playing {
    command: CommandId,
    stop_on_digit: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The prompts are being made.
    Loading,
    /// The prompts are there, and wait for their turn, or for the ACK that says where to send them.
    Ready(Vec<Arc<Prompt>>),
    /// The engine has it.
    Started,
    /// The engine has been told to stop it, for a digit that it did not hear itself.
    Interrupted(Digit),
}

impl Playbacks {
    /// How the playback of this order ended, given what the engine says; the order is returned as it came
    /// where it is none.
    pub(super) fn ended(&mut self, command: CommandId, reported: Outcome) -> Outcome {
        match self.take(command) {
            Some(playing) => playing.outcome(reported),
            None => reported,
        }
    }

    /// Whether the engine plays nothing of these.
    pub(super) fn is_silent(&self) -> bool {
        self.queue
            .front()
            .is_none_or(|playing| !playing.is_started())
    }

    fn push(&mut self, command: CommandId, stop_on_digit: bool) -> Result<(), PlayRefused> {
        if self.queue.len() > WAITING {
            return Err(PlayRefused::TooMany);
        }
        self.queue.push_back(Playing {
            command,
            stop_on_digit,
            state: State::Loading,
        });
        Ok(())
    }

    fn park(&mut self, command: CommandId, prompts: Vec<Arc<Prompt>>) {
        let loading = self.queue.iter_mut().find(|one| one.is_loading(command));
        if let Some(playing) = loading {
            playing.state = State::Ready(prompts);
        }
    }

    fn forget_loading(&mut self, command: CommandId) -> bool {
        let before = self.queue.len();
        self.queue.retain(|playing| !playing.is_loading(command));
        self.queue.len() < before
    }

    fn first_mut(&mut self) -> Option<&mut Playing> {
        self.queue.front_mut()
    }

    /// Takes the prompts of the first one, if they are there; the engine has them from now on.
    fn start_next(&mut self) -> Option<(CommandId, bool, Vec<Arc<Prompt>>)> {
        let playing = self.queue.front_mut()?;
        match &mut playing.state {
            State::Ready(prompts) => {
                let prompts = std::mem::take(prompts);
                playing.state = State::Started;
                Some((playing.command, playing.stop_on_digit, prompts))
            }
            _ => None,
        }
    }

    fn take(&mut self, command: CommandId) -> Option<Playing> {
        let at = self.queue.iter().position(|one| one.command == command)?;
        self.queue.remove(at)
    }

    /// Takes all that have not begun; the engine finishes the others.
    fn take_unheard(&mut self) -> Vec<CommandId> {
        let mut unheard = Vec::new();
        self.queue.retain(|playing| {
            if !playing.is_started() {
                unheard.push(playing.command);
            }
            playing.is_started()
        });
        unheard
    }
}

impl Playing {
    const fn is_loading(&self, command: CommandId) -> bool {
        self.command.0 == command.0 && matches!(self.state, State::Loading)
    }

    /// Whether the engine knows of it.
    const fn is_started(&self) -> bool {
        matches!(self.state, State::Started | State::Interrupted(_))
    }

    /// How it ended, given what the engine says: one that was canceled for a digit was interrupted.
    fn outcome(&self, reported: Outcome) -> Outcome {
        match (&self.state, reported) {
            (State::Interrupted(digit), Outcome::Canceled) => {
                Outcome::Interrupted { digit: *digit }
            }
            (_, reported) => reported,
        }
    }
}
