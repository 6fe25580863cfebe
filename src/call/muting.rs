//! The verbs of a call that silence it, and lift that.

use flowswitch_media::command::{Command, Mute};

use super::call::Call;
use super::leg::Down;

impl Call {
    /// What is silenced.
    #[must_use]
    pub const fn muted(&self) -> Mute {
        self.muted
    }

    /// Silences the party (in), what it would hear (out), or both, at once and beside what is silenced
    /// already, until [`unmute`](Self::unmute). Without effect on a call that is over.
    pub fn mute(&mut self, down: &mut Down<'_>, more: Mute) {
        self.muted = self.muted.and(more);
        self.tell_muted(down);
    }

    /// Lifts what [`mute`](Self::mute) did, whoever asked for it; what is not silenced stays as it is.
    /// Without effect on a call that is over.
    pub fn unmute(&mut self, down: &mut Down<'_>, less: Mute) {
        let is_in = self.muted.has_in() && !less.has_in();
        let is_out = self.muted.has_out() && !less.has_out();
        self.muted = match (is_in, is_out) {
            (false, false) => Mute::Off,
            (true, false) => Mute::In,
            (false, true) => Mute::Out,
            (true, true) => Mute::Both,
        };
        self.tell_muted(down);
    }

    fn tell_muted(&self, down: &mut Down<'_>) {
        if self.is_alive() {
            down.media.push_back(Command::Mute {
                session: self.leg().session(),
                direction: self.muted,
            });
        }
    }
}
