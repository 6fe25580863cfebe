//! Activeflows that are asked for from outside, and what they can be asked.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::{ControlError, Controlled, InitialVariables};
use crate::flow::variable::injected;
use crate::flow::{ActionId, Activeflow, CallFlow, Flow, FlowEvent, Reference, ReferenceType};
use crate::ids::ActiveflowId;
use crate::switch::Switch;

/// What an activeflow can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowVerb {
    /// Go on behind the `block` where it stands.
    Resume {
        /// Where it is believed to stand; wherever it stands when `None`.
        current_action: Option<ActionId>,
    },
    /// End; its call is hung up, and the flow that follows it starts.
    Stop,
    /// Tell its variables.
    Variables,
}

impl Switch {
    /// Runs a flow that belongs to no call.
    pub(super) fn create_activeflow(
        &mut self,
        now: Instant,
        id: Option<ActiveflowId>,
        flow: &CallFlow,
        variables: InitialVariables,
    ) -> Result<Controlled, ControlError> {
        let limit = self.config.calls;
        if self.stopping.is_some() {
            return Err(ControlError::Stopping);
        }
        if self.activeflows.len() >= limit {
            return Err(ControlError::TooManyActiveflows { limit });
        }
        let id = id.unwrap_or_else(|| ActiveflowId(self.rng.uuid()));
        if self.activeflows.contains_key(&id) {
            return Err(ControlError::ActiveflowExists);
        }
        let flow = self.flow_to_meet(flow)?;
        let variables = injected(variables)?;
        let reference = Reference {
            kind: ReferenceType::Api,
            id: Uuid::nil(),
        };
        tracing::debug!(activeflow = %id, flow = %flow.name, "flow asked for from outside");
        let (epoch, limits) = (self.epoch, self.config.flow_limits);
        let rng = self.rng.fork();
        let activeflow = Activeflow::new(id, &flow, reference, variables, epoch, limits, rng);
        self.run(now, activeflow, None, 0, None);
        Ok(Controlled::Activeflow(id))
    }

    /// The flow that is meant.
    pub(in crate::switch) fn flow_to_meet(
        &self,
        flow: &CallFlow,
    ) -> Result<Arc<Flow>, ControlError> {
        match flow {
            CallFlow::Inline(flow) => Ok(Arc::clone(flow)),
            CallFlow::Stored(flow) => {
                let found = self.flows.find(flow).cloned();
                found.ok_or_else(|| ControlError::NoSuchFlow { flow: flow.clone() })
            }
        }
    }

    pub(super) fn control_flow(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        verb: FlowVerb,
    ) -> Result<Controlled, ControlError> {
        let run = self.activeflows.get(&id);
        let flow = &run.ok_or(ControlError::NoSuchActiveflow)?.activeflow;
        let event = match verb {
            FlowVerb::Resume { current_action } => {
                if !flow.is_blocked() {
                    return Err(ControlError::NotBlocked);
                }
                let stands_at = flow.current_action().map(|action| &action.id);
                if current_action.is_some() && current_action.as_ref() != stands_at {
                    return Err(ControlError::AtOtherAction);
                }
                FlowEvent::Resume { current_action }
            }
            FlowVerb::Stop => FlowEvent::Stop,
            FlowVerb::Variables => {
                let variables = flow.variables().iter();
                let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                return Ok(Controlled::Variables(owned.collect()));
            }
        };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
        Ok(Controlled::Done)
    }
}
