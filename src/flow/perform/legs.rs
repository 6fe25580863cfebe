//! What the actions do that call others, or join the call with them.

use std::sync::Arc;

use super::outward::Filler;
use super::{Fault, Step, Wait};
use crate::flow::action::{
    Action, ActionId, ActionKind, Actions, CallStart, Connect, ExternalMediaStart, Flow, flow_id,
};
use crate::flow::activeflow::Activeflow;
use crate::flow::command::FlowCommand;
use crate::flow::insert::Grammar;
use crate::flow::outward::{CallFlow, Dial, Direction, ExternalMedia, NewCalls};
use crate::flow::reference::Address;
use crate::flow::template::Template;

impl Activeflow {
    pub(super) fn connect(&mut self, connect: &Connect) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let dial = Dial {
            source: filler.address(&connect.source)?,
            destinations: filler.addresses(&connect.destinations)?,
            early_media: connect.early_media.resolve(filler.scope)?,
            relay_reason: connect.relay_reason.resolve(filler.scope)?,
            anonymous: connect.anonymous.resolve(filler.scope)?,
        };
        self.dial(dial)
    }

    pub(super) fn agent_call(&mut self, agent_id: &Template) -> Result<Step, Fault> {
        let agent = Address {
            kind: "agent".to_owned(),
            target: Filler::new(self.scope()).fill(Grammar::Line, agent_id)?,
            ..Address::default()
        };
        let destinations = if agent.target.is_empty() {
            Vec::new()
        } else {
            vec![agent]
        };
        self.dial(Dial {
            destinations,
            ..Dial::default()
        })
    }

    fn dial(&mut self, dial: Dial) -> Result<Step, Fault> {
        if dial.destinations.is_empty() {
            return Err(NOBODY);
        }
        let relays = dial.relay_reason;
        let command = self.order(|command| FlowCommand::Connect { command, dial });
        Ok(Step::Wait(Wait::Connect {
            command,
            relays,
            first: None,
        }))
    }

    /// Actions that stand in the option are bound to the variables of this activeflow: it is this one
    /// that their placeholders speak of.
    pub(super) fn call(&mut self, start: &CallStart) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let source = filler.address(&start.source)?;
        let destinations = filler.addresses(&start.destinations)?;
        let stored = flow_id(&filler.fill(Grammar::Line, &start.flow_id)?);
        let chained = start.chained.resolve(filler.scope)?;
        let early_execution = start.early_execution.resolve(filler.scope)?;
        let anonymous = start.anonymous.resolve(filler.scope)?;
        if destinations.is_empty() {
            return Err(NOBODY);
        }
        let flow = match stored {
            Some(id) => CallFlow::Stored(id),
            None => {
                let scope = self
                    .cursor
                    .scope()
                    .map_or_else(|| Arc::new(self.variables.clone()), Arc::clone);
                CallFlow::Inline(Arc::new(Flow {
                    id: self.rng.uuid().to_string(),
                    name: String::new(),
                    numbers: Vec::new(),
                    actions: Arc::new(start.actions.bound_to(scope)),
                    on_complete_flow_id: None,
                }))
            }
        };
        let calls = NewCalls {
            source,
            destinations,
            flow,
            chained,
            early_execution,
            anonymous,
        };
        let command = self.order(|command| FlowCommand::Call { command, calls });
        Ok(Step::Wait(Wait::Begin { command }))
    }

    pub(super) fn conference_join(&mut self, conference_id: &Template) -> Result<Step, Fault> {
        let conference_id = Filler::new(self.scope()).fill(Grammar::Line, conference_id)?;
        let command = self.order(|command| FlowCommand::JoinConference {
            command,
            conference_id,
        });
        Ok(Step::Wait(Wait::Conference { command }))
    }

    pub(super) fn confbridge_join(&mut self, confbridge_id: &Template) -> Result<Step, Fault> {
        let confbridge_id = Filler::new(self.scope()).fill(Grammar::Line, confbridge_id)?;
        let command = self.order(|command| FlowCommand::JoinConfbridge {
            command,
            confbridge_id,
        });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    pub(super) fn queue_join(&mut self, queue_id: &Template) -> Result<Step, Fault> {
        let queue_id = Filler::new(self.scope()).fill(Grammar::Line, queue_id)?;
        let command = self.order(|command| FlowCommand::JoinQueue { command, queue_id });
        Ok(Step::Wait(Wait::Queue { command }))
    }

    pub(super) fn external_media_start(
        &mut self,
        start: &ExternalMediaStart,
    ) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let or = |template: &Template, usual: &str| {
            filler.fill(Grammar::Line, template).map(|text| {
                if text.is_empty() {
                    usual.to_owned()
                } else {
                    text
                }
            })
        };
        let both = start.direction.resolve(filler.scope)?;
        let is_split = start.direction_listen.is_some() || start.direction_speak.is_some();
        let way = |given: &Option<crate::flow::template::Late<Direction>>| match given {
            Some(way) => way.resolve(filler.scope).map(Some),
            None => Ok((!is_split).then_some(both)),
        };
        let media = ExternalMedia {
            external_host: or(&start.external_host, "")?,
            encapsulation: or(&start.encapsulation, "")?,
            transport: or(&start.transport, "")?,
            connection_type: or(&start.connection_type, "client")?,
            format: or(&start.format, "ulaw")?,
            listen: way(&start.direction_listen)?,
            speak: way(&start.direction_speak)?,
            data: or(&start.data, "")?,
            transport_data: or(&start.transport_data, "")?,
        };
        let command = self.order(|command| FlowCommand::StartExternalMedia { command, media });
        Ok(Step::Wait(Wait::Begin { command }))
    }

    /// What a caller meets in a conference: its introduction, then the bridge.
    pub(in crate::flow) fn conference_stack(
        &mut self,
        confbridge_id: &str,
        pre_flow_id: Option<&str>,
    ) -> Arc<Actions> {
        let intro = pre_flow_id.map(|id| {
            self.made(ActionKind::FetchFlow {
                flow_id: Template::new(id),
            })
        });
        let join = self.made(ActionKind::ConfbridgeJoin {
            confbridge_id: Template::new(confbridge_id),
        });
        Arc::new(intro.into_iter().chain([join]).collect())
    }

    /// What a caller meets in a queue: its wait flow, over and over, and the bridge, which only a jump
    /// leads to. Gives the id of the latter too.
    pub(in crate::flow) fn queue_stack(
        &mut self,
        confbridge_id: &str,
        wait_flow_id: Option<&str>,
    ) -> (Arc<Actions>, ActionId) {
        let mut actions = Vec::new();
        if let Some(id) = wait_flow_id {
            let fetch = self.made(ActionKind::FetchFlow {
                flow_id: Template::new(id),
            });
            let mut again = self.made(ActionKind::Empty);
            again.next_id = Some(fetch.id.clone());
            actions.extend([fetch, again]);
        }
        let join = self.made(ActionKind::ConfbridgeJoin {
            confbridge_id: Template::new(confbridge_id),
        });
        let id = join.id.clone();
        actions.push(join);
        (Arc::new(actions.into_iter().collect()), id)
    }

    fn made(&mut self, kind: ActionKind) -> Action {
        Action {
            id: ActionId::random(&mut self.rng),
            next_id: None,
            kind,
            option: Action::no_option(),
        }
    }
}

const NOBODY: Fault = Fault::NotDone("there is nobody to call");
