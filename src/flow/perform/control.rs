//! What the actions do that only move the cursor or set a variable.

use super::{Fault, Step, Wait};
use crate::flow::action::{Branch, Target, flow_id};
use crate::flow::activeflow::Activeflow;
use crate::flow::command::FlowCommand;
use crate::flow::template::Template;
use crate::flow::variable::DIGITS;

impl Activeflow {
    /// Reads a variable, empties it, and jumps by what it was.
    pub(in crate::flow) fn branch(&mut self, branch: &Branch) -> Result<Step, Fault> {
        let name = branch.variable.fill(self.scope())?.into_owned();
        let name = if name.is_empty() { DIGITS } else { &name };
        let value = self.variables.value(name).unwrap_or_default().to_owned();
        self.set_variable(name.to_owned(), "");
        self.jump(branch.targets.get(&value).unwrap_or(&branch.default_target))
    }

    /// Runs another flow. A queue whose wait flow came to its end without any wait is waited in without it.
    pub(in crate::flow) fn fetch_flow(&mut self, wanted: &Template) -> Result<Step, Fault> {
        let wanted = flow_id(&wanted.fill(self.scope())?).unwrap_or_default();
        if let Some(queue) = self.cursor.wait_flow_is_idle(self.turn) {
            return Ok(Step::Wait(Wait::Queue { command: queue }));
        }
        let flow_id = wanted.clone();
        let command = self.order(|command| FlowCommand::FetchFlow { command, flow_id });
        Ok(Step::Wait(Wait::Flow {
            command,
            flow_id: wanted,
        }))
    }

    pub(in crate::flow) fn jump_unless(
        &mut self,
        is_true: bool,
        target: &Target,
    ) -> Result<Step, Fault> {
        if is_true {
            Ok(Step::Next)
        } else {
            self.jump(target)
        }
    }

    pub(in crate::flow) fn jump(&mut self, target: &Target) -> Result<Step, Fault> {
        let Some(id) = target.resolve(self.scope())? else {
            return Err(Fault::NoTarget(None));
        };
        match self.cursor.jump(&id) {
            Some(arrival) => Ok(Step::Arrived(arrival)),
            None => Err(Fault::NoTarget(Some(id))),
        }
    }
}
