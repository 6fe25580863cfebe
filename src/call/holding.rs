//! The verbs of a call that put its party on hold, and what is known of a party that holds us.
//!
//! ```text
//!   hold   -- re-INVITE, sendonly --> the party shows that it is held, and sends nothing
//!   unhold -- re-INVITE, sendrecv --> it talks again
//!   the party: sendonly, inactive, c=0.0.0.0 -- answered in kind --> Held: it holds us
//! ```
//!
//! Either side holds for itself: while both do, nothing flows, whoever takes the other back first.

use flowswitch_media::command::Direction;

use super::call::Call;
use super::event::CallEvent;
use super::leg::Down;
use crate::status::CallStatus;

impl Call {
    /// Tells the party of an answered call that it is on hold: what we send it still hears. A party that
    /// refuses to be told is heard on; whoever it talks with must not be let hear it. Harmless when it is
    /// held already.
    pub fn hold(&mut self, down: &mut Down<'_>) {
        self.want(down, Direction::SendOnly);
    }

    /// Takes the party back; harmless when it is not held.
    pub fn unhold(&mut self, down: &mut Down<'_>) {
        self.want(down, Direction::SendRecv);
    }

    /// The party refused to be put on hold, or to be taken back.
    pub fn handle_offer_refused(&mut self) {
        self.leg.handle_proposal_refused();
    }

    /// Claims that the party of an answered call has put us on hold.
    #[must_use]
    pub const fn holds_us(&self) -> bool {
        self.holds_us
    }

    fn want(&mut self, down: &mut Down<'_>, direction: Direction) {
        if self.is_alive() && self.status() == CallStatus::Progressing {
            self.leg.propose(down, direction);
        }
    }

    /// Reports when the party holds us from now on, or no longer. Before the answer a description that
    /// wants nothing means nothing.
    pub(super) fn tell_held(&mut self) {
        let holds_us = self.status() == CallStatus::Progressing && self.leg.is_held_by_peer();
        if self.holds_us != holds_us {
            self.holds_us = holds_us;
            self.report(CallEvent::Held);
        }
    }
}
