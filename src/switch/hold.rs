//! Who of those that are joined takes no full part: on hold, with music, in silence, or set aside while
//! others speak of it.
//!
//! ```text
//!                      heard by the others   hears the others   hears in their place
//!   held by us                 no                   no           nothing; what it is played
//!   with music                 yes                  no           music, endlessly
//!   silenced                   yes                  no           nothing; what it is played
//!   holds us                   no            (sends for none)
//!   the other holds us         yes                 yes           music, where two talk
//! ```
//!
//! Each is asked for and lifted for itself, in any order, and what a call takes part in follows from all of
//! them. Hold concerns the talk alone: what a flow or somebody outside plays to a call is heard on hold too,
//! in turn with the music, and the flow's cursor goes its way.
//!
//! What a telephone still sends while it holds us, which may be music of its own, is not passed on: no
//! conference is to hear it, and where two talk ours is played.

use std::time::Instant;

use flowswitch_media::command::{BridgeId, Part};

use super::bridges::BridgeKind;
use super::telling::Changed;
use super::{ControlError, Entry, Switch};
use crate::call::Call;
use crate::ids::CallId;
use crate::status::CallStatus;

/// What keeps a call from taking full part in its bridge, beside the party itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    /// Somebody has put it on hold.
    pub is_held: bool,
    /// It is to hear music in place of the others.
    pub has_music: bool,
    /// It is to hear nothing of the others.
    pub is_silenced: bool,
    /// It waits while the others speak, or is on its way out.
    pub is_aside: bool,
}

impl Entry {
    fn part(&self) -> Part {
        let Holding {
            is_held,
            has_music,
            is_silenced,
            is_aside,
        } = self.holding;
        Part {
            speaks: !is_held && !is_aside && !self.call.holds_us(),
            hears: !is_held && !is_aside && !has_music && !is_silenced,
        }
    }
}

impl Switch {
    /// Puts the party of an answered call on hold, or takes it back.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        call: CallId,
        is_held: bool,
    ) -> Result<(), ControlError> {
        let entry = self.calls.get(&call).ok_or(ControlError::NoSuchCall)?;
        if entry.call.status() != CallStatus::Progressing {
            return Err(ControlError::NotAnswered);
        }
        let verb = if is_held { Call::hold } else { Call::unhold };
        self.with_call(now, call, verb);
        self.set_holding(now, call, |holding| holding.is_held = is_held);
        Ok(())
    }

    /// Changes what keeps a call from taking full part.
    pub(super) fn set_holding(
        &mut self,
        now: Instant,
        call: CallId,
        change: impl FnOnce(&mut Holding),
    ) {
        if let Some(entry) = self.calls.get_mut(&call) {
            change(&mut entry.holding);
            if entry.has_changed() {
                let changed = Changed::Call(call);
                self.telling.mark(&mut entry.shown.is_marked, changed);
            }
            self.retune(now, call);
        }
    }

    /// What a call takes part in, when `wished` for.
    pub(super) fn part_of(&self, call: CallId, wished: Part) -> Part {
        let part = self.calls.get(&call).map_or(wished, |entry| entry.part());
        Part {
            speaks: part.speaks && wished.speaks,
            hears: part.hears && wished.hears,
        }
    }

    /// The party of a call has put us on hold, or taken us back.
    pub(super) fn party_held(&mut self, now: Instant, call: CallId) {
        let partner = self.partner_of(call);
        self.retune(now, call);
        if let Some(partner) = partner {
            self.retune(now, partner);
        }
    }

    /// Gives a call the part and the sound that it is to have now.
    pub(super) fn retune(&mut self, now: Instant, call: CallId) {
        let part = self.part_of(call, Part::FULL);
        if let Some(bridge) = self.bridge_of(call)
            && let Some(entry) = self.calls.get(&call)
            && entry.call.part() != part
        {
            self.with_call(now, call, |call, down| {
                call.join(down, bridge, part);
            });
        }
        self.refill(now, call);
    }

    /// Others have come to a bridge or left it: whether one hears music for another may have changed.
    pub(super) fn retune_bridge(&mut self, now: Instant, bridge: BridgeId) {
        let room = self.bridges.get(bridge);
        // Of more than two none does, nor did it before the last two of them were there.
        let members: Vec<CallId> =
            room.map_or_else(Vec::new, |room| room.members().take(4).collect());
        if members.len() <= 3 {
            for member in members {
                self.refill(now, member);
            }
        }
    }

    /// Claims that the one whom a call talks with has put us on hold, and the call with it.
    pub(super) fn is_left_on_hold(&self, call: CallId) -> bool {
        let is_talk = |bridge| {
            let room = self.bridges.get(bridge);
            room.is_some_and(|room| !matches!(room.kind, BridgeKind::Conference(_)))
        };
        let other = self.bridge_of(call).filter(|bridge| is_talk(*bridge));
        let other = other.and_then(|_| self.partner_of(call));
        let other = other.and_then(|other| self.calls.get(&other));
        other.is_some_and(|other| other.call.holds_us() && !other.holding.is_aside)
    }
}
