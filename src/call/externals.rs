//! The verbs of a call for those beside it who hear it or speak into it.

use flowswitch_media::command::{Command, ExternalConfig, ExternalId};

use super::call::Call;
use super::leg::Down;

impl Call {
    /// Lets an external in to the sound of the call, as early media where it is not answered. The engine
    /// tells its end. `false`: the call is over, and nothing will be told.
    #[must_use]
    pub fn open_external(
        &mut self,
        down: &mut Down<'_>,
        external: ExternalId,
        config: ExternalConfig,
    ) -> bool {
        let is_alive = self.is_alive();
        if is_alive {
            self.open_way(down);
            down.media.push_back(Command::OpenExternal {
                external,
                session: self.leg.session(),
                config,
            });
        }
        is_alive
    }

    /// Lets it out.
    pub fn close_external(&self, down: &mut Down<'_>, external: ExternalId) {
        if self.is_alive() {
            let session = self.leg.session();
            down.media
                .push_back(Command::CloseExternal { external, session });
        }
    }
}
