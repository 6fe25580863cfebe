//! The verbs of a call that join its sound with that of others.

use flowswitch_media::command::{BridgeId, Command, Part};

use super::call::Call;
use super::leg::Down;

impl Call {
    /// Takes the party into a bridge, out of the one it was in, or changes its part in the same one.
    /// Before the answer it is early media. `false`: the call is over.
    pub fn join(&mut self, down: &mut Down<'_>, bridge: BridgeId, part: Part) -> bool {
        if !self.is_alive() {
            return false;
        }
        self.open_way(down);
        self.bridge = Some(bridge);
        self.part = part;
        let session = self.leg.session();
        down.media.push_back(Command::Join {
            session,
            bridge,
            part,
        });
        true
    }

    /// Takes the party out of its bridge; one in none is left alone.
    pub fn leave(&mut self, down: &mut Down<'_>) {
        if self.bridge.take().is_some() && self.is_alive() {
            let session = self.leg.session();
            down.media.push_back(Command::Leave { session });
        }
    }

    /// What the party takes part in there.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// The bridge the party is in, or was in when the call ended.
    #[must_use]
    pub const fn bridge(&self) -> Option<BridgeId> {
        self.bridge
    }
}
