//! Calls and groupcalls that are asked for from outside.

use std::time::Instant;

use super::{ControlError, Controlled, InitialVariables};
use crate::flow::NewCalls;
use crate::flow::variable::injected;
use crate::store::agents::RingMethod;
use crate::store::groupcalls::AnswerMethod;
use crate::switch::Switch;
use crate::switch::calls::{CallsMade, OnBehalf};

impl Switch {
    pub(super) fn create_calls(
        &mut self,
        now: Instant,
        calls: &NewCalls,
        variables: InitialVariables,
    ) -> Result<Controlled, ControlError> {
        self.has_room()?;
        let variables = injected(variables)?;
        let behalf = OnBehalf::default();
        let CallsMade { calls, groupcalls } = self.make_calls(now, behalf, calls, variables)?;
        Ok(Controlled::Calls { calls, groupcalls })
    }

    pub(super) fn create_groupcall(
        &mut self,
        now: Instant,
        calls: &NewCalls,
        variables: InitialVariables,
        methods: (RingMethod, AnswerMethod),
    ) -> Result<Controlled, ControlError> {
        self.has_room()?;
        let variables = injected(variables)?;
        let groupcall = self.make_groupcall(now, calls, variables, methods)?;
        Ok(Controlled::Groupcall(groupcall))
    }

    /// Whether calls can be made at all.
    fn has_room(&self) -> Result<(), ControlError> {
        let limit = self.config.calls;
        if self.stopping.is_some() {
            Err(ControlError::Stopping)
        } else if self.calls.len() + self.arrivals.len() >= limit {
            Err(ControlError::TooManyCalls { limit })
        } else {
            Ok(())
        }
    }
}
