//! The verb of a call that sends digits: one order after another, so that none cuts another short.

use std::collections::VecDeque;
use std::time::Duration;

use flowswitch_media::command::{Command, CommandId, Outcome};
use flowswitch_media::dtmf::Digit;

use super::call::Call;
use super::event::SendRefused;
use super::leg::Down;

/// Orders that may wait behind the one that is being sent.
const WAITING: usize = 16;

impl Call {
    /// Sends digits to the party, each as long as `tone` and `gap` apart, behind those asked for before.
    /// An order that is refused is finished at once.
    pub fn send_digits(
        &mut self,
        down: &mut Down<'_>,
        command: CommandId,
        digits: Vec<Digit>,
        tone: Duration,
        gap: Duration,
    ) -> Result<(), SendRefused> {
        let refused = if !self.is_alive() {
            Some(SendRefused::CallIsOver)
        } else if self.sending.queue.len() > WAITING {
            Some(SendRefused::TooMany)
        } else {
            None
        };
        if let Some(why) = refused {
            self.finish(command, Outcome::Canceled);
            return Err(why);
        }
        self.sending.queue.push_back(Keys {
            command,
            digits,
            tone,
            gap,
        });
        self.send_next(down);
        Ok(())
    }

    /// Gives the first order to the engine, unless it has it, or where to send to comes with the ACK.
    pub(super) fn send_next(&mut self, down: &mut Down<'_>) {
        if !self.is_alive() || self.is_answering() || self.sending.is_started {
            return;
        }
        let Some(keys) = self.sending.queue.front_mut() else {
            return;
        };
        let (command, tone, gap) = (keys.command, keys.tone, keys.gap);
        let digits = std::mem::take(&mut keys.digits);
        self.sending.is_started = true;
        let order = Command::SendDigits {
            command,
            session: self.leg.session(),
            digits,
            tone,
            gap,
        };
        self.order(down, command, order);
    }

    /// Ends an order to send digits now, if it is one; the next has its turn at once.
    pub(super) fn cancel_digits(&mut self, down: &mut Down<'_>, command: CommandId) -> bool {
        let Some(was_started) = self.sending.take(command) else {
            return false;
        };
        if was_started {
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        } else {
            self.finish(command, Outcome::Canceled);
        }
        self.send_next(down);
        true
    }

    /// Finishes the orders that the engine does not know of, for good.
    pub(super) fn cancel_unsent(&mut self) {
        let known = usize::from(self.sending.is_started);
        for keys in self.sending.queue.split_off(known) {
            self.finish(keys.command, Outcome::Canceled);
        }
    }
}

/// What is being sent, and what waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Sending {
    queue: VecDeque<Keys>,
    /// Whether the engine has the first.
    is_started: bool,
}

#[derive(Debug)]
struct Keys {
    command: CommandId,
    digits: Vec<Digit>,
    tone: Duration,
    gap: Duration,
}

impl Sending {
    /// The engine has finished an order, perhaps one of these.
    pub(super) fn ended(&mut self, command: CommandId) {
        self.take(command);
    }

    /// Takes an order out; whether the engine has it.
    fn take(&mut self, command: CommandId) -> Option<bool> {
        let at = self.queue.iter().position(|keys| keys.command == command)?;
        self.queue.remove(at);
        let was_started = at == 0 && self.is_started;
        self.is_started &= !was_started;
        Some(was_started)
    }
}
