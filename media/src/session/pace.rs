//! How soon what a peer sends has to be read: at once where it is sent on as it comes, and where a key in it
//! may end a prompt; by the next tick where that is the first to need it.

use super::Session;
use crate::bridge::Link;
use crate::outbox::Pace;

impl Session {
    /// How soon its host is to read what comes, where that has changed since this was asked last.
    pub(crate) fn next_pace(&mut self) -> Option<Pace> {
        let pace = self.wanted_pace();
        (std::mem::replace(&mut self.pace, pace) != pace).then_some(pace)
    }

    /// It has come to another host, which reads at once so far.
    pub(crate) const fn forget_pace(&mut self) {
        self.pace = Pace::AtOnce;
    }

    /// By the tick only while there is one every 20 ms, so that nothing waits longer.
    fn wanted_pace(&self) -> Pace {
        let has_ticks = match self.link {
            Link::Mixed { .. } => true,
            Link::Relay { .. } => false,
            Link::Apart if self.is_mixed_alone() => self.alone.due().is_some(),
            Link::Apart => {
                self.echo.is_none() && self.needs_sound() && self.inbound.ticking.due().is_some()
            }
        };
        match has_ticks {
            true => Pace::ByTick,
            false => Pace::AtOnce,
        }
    }
}
