//! The end of the switch: no new calls, BYE to the old ones, and nobody shall send us any more.

use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, SessionId};

use super::Switch;
use crate::call::cause::{Cause, Why};
use crate::ids::CallId;
use crate::status::HangupReason;

/// How long a stopping switch waits for peers to answer its BYEs, and for registrars: four resends.
const PATIENCE: Duration = Duration::from_secs(4);

impl Switch {
    pub(super) fn stop(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!(
            calls = self.calls.len(),
            "stopping: no new calls, ending those there are"
        );
        self.stopping = Some(now + PATIENCE);
        for trunk in self.carriers.stop() {
            self.pursue(now, trunk);
        }
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        let arrivals: Vec<SessionId> = self.arrivals.keys().copied().collect();
        for session in arrivals {
            self.send_away(now, session);
            self.media.push_back(Command::Close { session });
        }
        for id in ids {
            let cause = Cause::local(HangupReason::Normal, Why::Stopping);
            self.with_call(now, id, |call, down| call.hangup(down, cause));
        }
    }

    pub(super) fn is_stopped(&self, now: Instant) -> bool {
        let Some(until) = self.stopping else {
            return false;
        };
        // A dialog of the endpoint outlives its call while a BYE waits for the ACK or its answer.
        let is_quiet = self.calls.is_empty() && self.endpoint.stats().dialogs == 0;
        until <= now || is_quiet && self.carriers.is_idle() && self.texts.is_empty()
    }
}
