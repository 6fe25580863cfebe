//! The verb of a call that silences it.

use flowswitch_media::command::{Command, Mute};

use super::call::Call;
use super::leg::Down;

impl Call {
    /// Silences the party (in), what it would hear (out), or both, at once and beside what is silenced
    /// already; it stays so for the rest of the call. Without effect on a call that is over.
    pub fn mute(&mut self, down: &mut Down<'_>, more: Mute) {
        self.muted = self.muted.and(more);
        if self.is_alive() {
            down.media.push_back(Command::Mute {
                session: self.leg().session(),
                direction: self.muted,
            });
        }
    }
}
