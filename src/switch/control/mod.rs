//! What is asked of the switch from outside. What concerns a live call or activeflow is done beside its flow:
//! the cursor stays where it is.
//!
//! A request is answered at once and exactly once, when what it asks for has been taken on or refused; what
//! was taken on may take its time then, and its end is told by reports. Its orders have a purpose of their
//! own, so that no activeflow takes their end for the end of an action.

use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::conferencing::ConferenceVerb;
use super::io::Output;
use super::transfer::TransferKind;
use crate::flow::{Address, CallFlow, NewCalls, TranscribeOptions};
use crate::ids::{ActiveflowId, CallId};
use crate::store::agents::{AgentStatus, RingMethod};
use crate::store::groupcalls::AnswerMethod;
use crate::store::transcripts::TranscribeOf;

mod answer;
mod call;
mod create;
mod error;
mod flow;

pub use answer::Controlled;
pub use call::CallVerb;
pub(super) use call::mute_of;
pub use error::{ControlError, Uncalled};
pub use flow::FlowVerb;

/// One request from outside; chosen by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ControlId(pub u64);

/// Names and values that a flow begins with. Names are trimmed; empty ones and those of the engine
/// (`voipbin.`) are left out; over a cap ([`crate::flow::variable::injected`]) the request is refused.
pub type InitialVariables = Vec<(String, String)>;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Control {
    /// Of a call.
    Call {
        /// Which.
        call: CallId,
        /// What.
        verb: CallVerb,
    },
    /// Make calls that meet a flow: one for each number and SIP address, a groupcall for each extension and
    /// agent, whose telephones ring all at once. What cannot be called is passed over while anything is left.
    CreateCalls {
        /// Who calls whom, and what they meet when they answer; `chained` means nothing here.
        calls: Box<NewCalls>,
        /// For the flow of each of them.
        variables: InitialVariables,
    },
    /// Make a groupcall: whoever of the destinations answers meets a flow.
    CreateGroupcall {
        /// Who calls whom, and what is met; `chained` means nothing here.
        calls: Box<NewCalls>,
        /// For the flow.
        variables: InitialVariables,
        /// All at once, or one after another.
        ring_method: RingMethod,
        /// What becomes of the others when one answers.
        answer_method: AnswerMethod,
    },
    /// Give up a groupcall: all its calls end, those that are answered too.
    HangupGroupcall {
        /// Which.
        groupcall: Uuid,
    },
    /// Run a flow without a call; its media actions are passed over.
    CreateActiveflow {
        /// Its id, if it is to have this one; of those that run, none has it.
        id: Option<ActiveflowId>,
        /// Which flow.
        flow: CallFlow,
        /// To begin with.
        variables: InitialVariables,
    },
    /// Of an activeflow.
    Activeflow {
        /// Which.
        activeflow: ActiveflowId,
        /// What.
        verb: FlowVerb,
    },
    /// Give the one whom a call talks with to whoever of others answers first.
    Transfer {
        /// At once, or after a talk with the new partner.
        kind: TransferKind,
        /// Who gives.
        transferer: CallId,
        /// To whom: they ring all at once.
        transferees: Vec<Address>,
    },
    /// Send a short message.
    SendMessage {
        /// From whom.
        source: Address,
        /// To whom: 1 to 100.
        destinations: Vec<Address>,
        /// What it says, at most 16 KiB.
        text: String,
    },
    /// Write down what is said in a call or a bridge from now on, or what a recording holds.
    StartTranscribe {
        /// Of what.
        of: TranscribeOf,
        /// In which language, and whose words.
        options: TranscribeOptions,
    },
    /// Stop writing down; what has been said is still put into words.
    StopTranscribe {
        /// Which.
        transcribe: Uuid,
    },
    /// Send a caller out of its place in a queue, also while it talks with the agent; its flow goes on behind
    /// the queue.
    KickQueuecall {
        /// Which place.
        queuecall: Uuid,
    },
    /// Send somebody out of a conference; its flow goes on behind it.
    KickConferencecall {
        /// Whom.
        conferencecall: Uuid,
    },
    /// Of a conference.
    Conference {
        /// Which.
        conference: Uuid,
        /// What.
        verb: ConferenceVerb,
    },
    /// Say whether an agent has time.
    SetAgent {
        /// Which.
        agent: Uuid,
        /// That it rings is nobody's to say.
        status: AgentStatus,
    },
}

impl Switch {
    pub(super) fn handle_control(&mut self, now: Instant, request: ControlId, control: Control) {
        let result = self.control(now, control);
        tracing::debug!(request = request.0, ?result, "asked from outside");
        // Whoever has the answer has been told what has changed by it.
        self.settle(now);
        self.outputs
            .push_back(Output::Controlled { request, result });
    }

    fn control(&mut self, now: Instant, control: Control) -> Result<Controlled, ControlError> {
        match control {
            Control::Call { call, verb } => {
                self.reachable(call)?;
                self.control_call(now, call, verb)
            }
            Control::CreateCalls { calls, variables } => self.create_calls(now, &calls, variables),
            Control::CreateGroupcall {
                calls,
                variables,
                ring_method,
                answer_method,
            } => self.create_groupcall(now, &calls, variables, (ring_method, answer_method)),
            Control::HangupGroupcall { groupcall } => {
                let is_there = self.hang_up_groupcall(now, groupcall);
                done(is_there, ControlError::NoSuchGroupcall)
            }
            Control::CreateActiveflow {
                id,
                flow,
                variables,
            } => self.create_activeflow(now, id, &flow, variables),
            Control::Activeflow { activeflow, verb } => self.control_flow(now, activeflow, verb),
            Control::Transfer {
                kind,
                transferer,
                transferees,
            } => {
                self.reachable(transferer)?;
                let begun = self.transfer(now, kind, transferer, &transferees, None)?;
                Ok(Controlled::Transfer(begun))
            }
            Control::SendMessage {
                source,
                destinations,
                text,
            } => {
                let message = self.send_for_control(now, (source, destinations), text)?;
                Ok(Controlled::Messages(vec![message]))
            }
            Control::StartTranscribe { of, options } => {
                let transcribe = self.start_transcribe_of(now, of, options)?;
                Ok(Controlled::Transcribe(transcribe))
            }
            Control::StopTranscribe { transcribe } => {
                let is_running = self.stop_transcription(now, transcribe);
                done(is_running, ControlError::NotTranscribing)
            }
            Control::KickQueuecall { queuecall } => {
                let is_taken = self.queues.kick(now, queuecall);
                done(is_taken, ControlError::NoSuchQueuecall)
            }
            Control::KickConferencecall { conferencecall } => {
                let is_there = self.conferences.kick(conferencecall);
                done(is_there, ControlError::NoSuchConferencecall)
            }
            Control::Conference { conference, verb } => {
                self.control_conference(now, conference, verb)
            }
            Control::SetAgent {
                status: status @ AgentStatus::Ringing,
                ..
            } => Err(ControlError::BadAgentStatus { status }),
            Control::SetAgent { agent, status } => {
                let is_known = self.set_agent(agent, status);
                done(is_known, ControlError::NoSuchAgent)
            }
        }
    }

    /// Whether verbs still reach the party of a call.
    pub(super) fn reachable(&self, id: CallId) -> Result<(), ControlError> {
        match self.calls.get(&id) {
            Some(entry) if entry.call.is_alive() => Ok(()),
            Some(_) => Err(ControlError::CallIsOver),
            None if self.ended.iter().any(|(ended, _)| *ended == id) => {
                Err(ControlError::CallIsOver)
            }
            None => Err(ControlError::NoSuchCall),
        }
    }
}

fn done(is_done: bool, why_not: ControlError) -> Result<Controlled, ControlError> {
    is_done.then_some(Controlled::Done).ok_or(why_not)
}
