//! Calls that are made to meet a flow of their own: the `call` of a flow, and what is asked from outside.

use std::time::Instant;

use uuid::Uuid;

use super::control::{ControlError, Uncalled};
use super::dial::{DialFor, Made};
use super::route::Destination;
use super::{Meeting, Switch};
use crate::flow::{Address, FlowCommandId, FlowEvent, FlowOutcome, NewCalls};
use crate::ids::{ActiveflowId, CallId};
use crate::status::CallStatus;
use crate::store::agents::RingMethod;
use crate::store::groupcalls::AnswerMethod;

/// What comes of an order to call several: in the order of its destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CallsMade {
    /// Of numbers and SIP addresses.
    pub calls: Vec<CallId>,
    /// Of extensions and agents.
    pub groupcalls: Vec<Uuid>,
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
        let outcome = match self.make_calls(now, behalf, &calls, Vec::new()) {
            Ok(made) => {
                let (calls, groupcalls) = (made.calls.len(), made.groupcalls.len());
                tracing::debug!(activeflow = %id, calls, groupcalls, "calls are made");
                FlowOutcome::Done
            }
            Err(ControlError::NoSuchFlow { .. }) => FlowOutcome::Failed {
                why: "there is no such flow for the calls",
            },
            Err(_) => FlowOutcome::Failed {
                why: "none of the destinations can be called",
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    /// Makes calls, each of which meets a flow with these variables: one for each number and SIP address; of
    /// an extension or agent all telephones ring, and the first who answers gets it. What cannot be called
    /// is passed over.
    pub(super) fn make_calls(
        &mut self,
        now: Instant,
        behalf: OnBehalf,
        calls: &NewCalls,
        variables: Vec<(String, String)>,
    ) -> Result<CallsMade, ControlError> {
        let (made, destinations) = self.prepare(behalf, calls, variables)?;
        let usual = (RingMethod::RingAll, AnswerMethod::HangupOthers);
        let mut created = CallsMade::default();
        for destination in destinations {
            match destination {
                Destination::Party(party) => {
                    let call = self.call_party(now, party, &made, None);
                    created.calls.extend(call);
                }
                group @ Destination::Group(_) => {
                    let groupcall = self.group(now, made.clone(), usual, vec![group]);
                    created.groupcalls.extend(groupcall);
                }
                Destination::Conference(_) => {
                    tracing::warn!("a conference cannot be called: it is joined");
                }
            }
        }
        if created == CallsMade::default() {
            let why = self.why_not(&calls.destinations);
            return Err(ControlError::NobodyToCall { why });
        }
        Ok(created)
    }

    /// Makes a groupcall for somebody outside: the destinations ring all at once or one after another, and
    /// whoever answers meets a flow with these variables.
    pub(super) fn make_groupcall(
        &mut self,
        now: Instant,
        calls: &NewCalls,
        variables: Vec<(String, String)>,
        methods: (RingMethod, AnswerMethod),
    ) -> Result<Uuid, ControlError> {
        let (made, destinations) = self.prepare(OnBehalf::default(), calls, variables)?;
        let groupcall = self.group(now, made, methods, destinations);
        groupcall.ok_or_else(|| ControlError::NobodyToCall {
            why: self.why_not(&calls.destinations),
        })
    }

    /// What speaks against calling the first of these, when none could be called.
    pub(super) fn why_not(&self, addresses: &[Address]) -> Uncalled {
        let Some(address) = addresses.first() else {
            return Uncalled::NoAddress;
        };
        let is_extension = |name: &String| self.config.access.password(name).is_some();
        match address.kind.as_str() {
            "extension"
                if [&address.target, &address.target_name].map(is_extension) == [false; 2] =>
            {
                Uncalled::NoSuchExtension
            }
            "extension" => Uncalled::NotRegistered,
            "agent" if self.config.directory.agents.find(&address.target).is_none() => {
                Uncalled::NoSuchAgent
            }
            "agent" => Uncalled::AgentUnreachable,
            "conference" => Uncalled::Conference,
            "tel" | "sip" => Uncalled::Limit,
            _ => Uncalled::Kind,
        }
    }

    fn prepare(
        &self,
        behalf: OnBehalf,
        calls: &NewCalls,
        variables: Vec<(String, String)>,
    ) -> Result<(Made, Vec<Destination>), ControlError> {
        let flow = self.flow_to_meet(&calls.flow)?;
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
                variables: variables.into(),
                is_early: calls.early_execution,
            }),
        };
        Ok((made, self.destinations(&calls.destinations)))
    }

    /// Calls several of whom one is wanted; `None` when nobody could be called.
    fn group(
        &mut self,
        now: Instant,
        made: Made,
        (rings, answer): (RingMethod, AnswerMethod),
        destinations: Vec<Destination>,
    ) -> Option<Uuid> {
        let dial = self.dial(now, DialFor::Calls(answer), made, rings, destinations);
        if !self.is_ringing(dial) {
            self.forget_dial(dial);
        }
        self.dials.get(&dial).map(|dial| dial.groupcall)
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
        self.start_flow(now, id, &meeting.flow, &meeting.variables, Some(first));
    }
}
