//! Calls that are made to meet a flow of their own: the `call` of a flow, and what is asked from outside.

use std::sync::Arc;
use std::time::Instant;

use super::dial::{DialFor, Dialing, Made};
use super::route::Destination;
use super::{Meeting, Switch};
use crate::flow::{CallFlow, FlowCommandId, FlowEvent, FlowOutcome, NewCalls};
use crate::ids::{ActiveflowId, CallId};
use crate::status::CallStatus;
use crate::store::agents::RingMethod;

/// Why no call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallsRefused {
    /// The flow that they shall meet does not exist.
    #[error("there is no such flow")]
    NoSuchFlow,
    /// Nobody to call is among the destinations, or a limit was reached.
    #[error("none of the destinations can be called")]
    Nobody,
}

/// On whose behalf calls are made; nobody's who is known here, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OnBehalf {
    /// The activeflow that asks.
    pub flow: Option<ActiveflowId>,
    /// The call they are chained to: they are hung up with it.
    pub master: Option<CallId>,
    /// The call whose wish to stay unknown they share.
    pub caller: Option<CallId>,
}

impl Switch {
    /// Makes calls for somebody outside: one for each number and SIP address; of an extension or agent all
    /// telephones ring, and the first who answers gets it. `chained` means nothing here. The calls that
    /// were made so far are returned; each runs its flow when it is answered.
    ///
    /// # Errors
    /// When there is none.
    pub fn create_calls(
        &mut self,
        now: Instant,
        calls: NewCalls,
    ) -> Result<Vec<CallId>, CallsRefused> {
        let made = self.make_calls(now, OnBehalf::default(), &calls);
        self.settle(now);
        made
    }

    /// Makes a groupcall for somebody outside: the destinations ring all at once or one after another, the
    /// first who answers meets the flow, and the others are given up. The calls that were made so far are
    /// returned.
    ///
    /// # Errors
    /// When there is none.
    pub fn create_groupcall(
        &mut self,
        now: Instant,
        calls: &NewCalls,
        method: RingMethod,
    ) -> Result<Vec<CallId>, CallsRefused> {
        let (made, destinations) = self.prepare(OnBehalf::default(), calls)?;
        let created = self.group(now, made, method, destinations);
        self.settle(now);
        if created.is_empty() {
            return Err(CallsRefused::Nobody);
        }
        Ok(created)
    }

    /// Carries out the `call` of a flow.
    pub(super) fn call_others(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        calls: NewCalls,
    ) {
        let caller = self.call_of(id);
        let behalf = OnBehalf {
            flow: Some(id),
            master: caller.filter(|_| calls.chained),
            caller,
        };
        let outcome = match self.make_calls(now, behalf, &calls) {
            Ok(made) => {
                tracing::debug!(activeflow = %id, calls = made.len(), "calls are made");
                FlowOutcome::Done
            }
            Err(CallsRefused::NoSuchFlow) => FlowOutcome::Failed {
                why: "there is no such flow for the calls",
            },
            Err(CallsRefused::Nobody) => FlowOutcome::Failed {
                why: "none of the destinations can be called",
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    fn make_calls(
        &mut self,
        now: Instant,
        behalf: OnBehalf,
        calls: &NewCalls,
    ) -> Result<Vec<CallId>, CallsRefused> {
        let (made, destinations) = self.prepare(behalf, calls)?;
        let mut created = Vec::new();
        for destination in destinations {
            match destination {
                Destination::Party(party) => {
                    created.extend(self.call_party(now, party, &made, None));
                }
                group @ Destination::Group(_) => {
                    created.extend(self.group(now, made.clone(), RingMethod::RingAll, vec![group]));
                }
                Destination::Conference(_) => {
                    tracing::warn!("a conference cannot be called: it is joined");
                }
            }
        }
        if created.is_empty() {
            return Err(CallsRefused::Nobody);
        }
        Ok(created)
    }

    fn prepare(
        &self,
        behalf: OnBehalf,
        calls: &NewCalls,
    ) -> Result<(Made, Vec<Destination>), CallsRefused> {
        let flow = match &calls.flow {
            CallFlow::Inline(flow) => Arc::clone(flow),
            CallFlow::Stored(id) => {
                let found = self.flows.find(id).cloned();
                found.ok_or(CallsRefused::NoSuchFlow)?
            }
        };
        // A call that can take no more of them has none that are chained to it.
        let is_alive = |master: &CallId| {
            let entry = self.calls.get(master);
            entry.is_some_and(|entry| entry.call.is_alive())
        };
        let made = Made {
            caller: self.caller(behalf.caller, &calls.source, calls.anonymous),
            master: behalf.master.filter(is_alive),
            flow: behalf.flow,
            meets: Some(Meeting {
                flow,
                is_early: calls.early_execution,
            }),
        };
        Ok((made, self.destinations(&calls.destinations)))
    }

    fn group(
        &mut self,
        now: Instant,
        made: Made,
        method: RingMethod,
        destinations: Vec<Destination>,
    ) -> Vec<CallId> {
        let dial = self.dial(now, DialFor::Calls, made, method, destinations);
        if !self.is_ringing(dial) {
            self.forget_dial(dial);
        }
        self.dials
            .get(&dial)
            .map(Dialing::calls)
            .unwrap_or_default()
    }

    /// Starts the flow that a called party meets, when it has answered or, if that is wanted, when it rings.
    pub(super) fn meet(&mut self, now: Instant, id: CallId, status: CallStatus) {
        let Some(entry) = self.calls.get_mut(&id) else {
            return;
        };
        let is_answered = status == CallStatus::Progressing;
        let is_time = |meeting: &mut Meeting| {
            is_answered || meeting.is_early && status == CallStatus::Ringing
        };
        let Some(meeting) = entry.meets.take_if(is_time) else {
            return;
        };
        let first = FlowEvent::CallStatus { status };
        self.start_flow(now, id, &meeting.flow, Some(first));
    }
}
