//! Where an activeflow stands, and where it goes.
//!
//! A flow that fetches another stands in both: the fetched one lies on top, and its end returns to the
//! action that fetched it. A target is searched from the top downward; what lies above it is left for
//! good. Nothing ever searches upward.
//!
//! ```text
//!   top     [x, y, z]      end of z: leave this stack, go on after B
//!              |
//!   bottom  [A, B, C]      end of C: finish
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use super::action::{Action, ActionId, Actions};
use super::command::FlowCommandId;
use super::variable::Variables;

/// Stack and place in it.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Never empty: the bottom one is never left.
    stacks: Vec<Stack>,
}

#[derive(Debug)]
struct Stack {
    actions: Arc<Actions>,
    /// Index of the current action; `None` before the first.
    at: Option<usize>,
    /// Jumps made so far by the `goto` of each index. Lives as long as the stack does, so a loop that is
    /// over stays over.
    jumps: HashMap<usize, i64>,
    queue: Option<QueueFrame>,
}

/// What makes a stack that of a queue.
#[derive(Debug)]
struct QueueFrame {
    /// The order to wait in it.
    command: FlowCommandId,
    /// Where an agent is met.
    bridge: ActionId,
    is_served: bool,
    /// The turn in which the wait flow was last begun.
    begun_in: Option<u64>,
}

impl Stack {
    fn new(actions: Arc<Actions>) -> Self {
        Self {
            actions,
            at: None,
            jumps: HashMap::new(),
            queue: None,
        }
    }

    fn current(&self) -> Option<&Action> {
        self.actions.get(self.at?)
    }
}

/// Where a move led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// On an action.
    Action,
    /// At the end of the activeflow.
    Finish,
}

impl Cursor {
    /// Before the first of `actions`.
    pub(super) fn new(actions: Arc<Actions>) -> Self {
        Self {
            stacks: vec![Stack::new(actions)],
        }
    }

    /// Moves on: by `next_id` when there is one, else to the following action, else back to where this
    /// stack was entered and on from there. A `next_id` that stands nowhere is the end, not an error.
    pub(super) fn advance(&mut self) -> Arrival {
        loop {
            let Some(stack) = self.stacks.last_mut() else {
                return Arrival::Finish;
            };
            let next_id = stack.current().and_then(|action| action.next_id.clone());
            if let Some(next_id) = next_id {
                return self.jump(&next_id).unwrap_or(Arrival::Finish);
            }
            let next = stack.at.map_or(0, |at| at + 1);
            if next < stack.actions.len() {
                stack.at = Some(next);
                return Arrival::Action;
            }
            if self.stacks.len() == 1 {
                return Arrival::Finish;
            }
            self.stacks.pop();
        }
    }

    /// Moves to the action of this id, in this stack or one below; `None` when it stands in none.
    pub(super) fn jump(&mut self, id: &ActionId) -> Option<Arrival> {
        let found = self
            .stacks
            .iter()
            .enumerate()
            .rev()
            .find_map(|(depth, stack)| stack.actions.find(id).map(|at| (depth, at)));
        if let Some((depth, at)) = found {
            self.stacks.truncate(depth + 1);
            self.stacks[depth].at = Some(at);
            return Some(Arrival::Action);
        }
        if id.is(ActionId::START) {
            self.stacks.last_mut()?.at = None;
            return Some(self.advance());
        }
        id.is(ActionId::FINISH).then_some(Arrival::Finish)
    }

    /// Enters `actions`, to return to the current action at their end.
    pub(super) fn push(&mut self, actions: Arc<Actions>) {
        self.stacks.push(Stack::new(actions));
    }

    /// Enters the stack of a queue, which [`serve`](Self::serve) and [`leave`](Self::leave) know by its
    /// `command`; `bridge` is the action where an agent is met.
    pub(super) fn push_queue(
        &mut self,
        actions: Arc<Actions>,
        command: FlowCommandId,
        bridge: ActionId,
    ) {
        self.stacks.push(Stack {
            queue: Some(QueueFrame {
                command,
                bridge,
                is_served: false,
                begun_in: None,
            }),
            ..Stack::new(actions)
        });
    }

    /// Jumps to where an agent is met, unless that has been done; `false` when this queue is left.
    pub(super) fn serve(&mut self, command: FlowCommandId) -> bool {
        let Some(depth) = self.depth_of(command) else {
            return false;
        };
        let stack = &mut self.stacks[depth];
        let Some(queue) = stack.queue.as_mut().filter(|queue| !queue.is_served) else {
            return false;
        };
        let Some(at) = stack.actions.find(&queue.bridge) else {
            return false;
        };
        queue.is_served = true;
        stack.at = Some(at);
        self.stacks.truncate(depth + 1);
        true
    }

    /// Leaves the stack of a queue and all above it; `false` when it is left already.
    pub(super) fn leave(&mut self, command: FlowCommandId) -> bool {
        let depth = self.depth_of(command);
        if let Some(depth) = depth {
            self.stacks.truncate(depth);
        }
        depth.is_some()
    }

    /// Whether the cursor is in the stack of this queue, or in one above.
    pub(super) fn holds(&self, command: FlowCommandId) -> bool {
        self.depth_of(command).is_some()
    }

    /// Whether what runs is to pass the time until an agent comes.
    pub(super) fn waits_in_queue(&self) -> bool {
        let mut queues = self.stacks.iter().filter_map(|stack| stack.queue.as_ref());
        queues.any(|queue| !queue.is_served)
    }

    /// The queue of the current stack when its wait flow, which is to begin now, has begun in this very
    /// turn before: it waits for nothing.
    pub(super) fn wait_flow_is_idle(&mut self, turn: u64) -> Option<FlowCommandId> {
        let queue = self.stacks.last_mut()?.queue.as_mut()?;
        let is_idle = queue.begun_in.replace(turn) == Some(turn);
        is_idle.then_some(queue.command)
    }

    /// The queue whose stack is the current one.
    pub(super) fn queue(&self) -> Option<FlowCommandId> {
        Some(self.stacks.last()?.queue.as_ref()?.command)
    }

    fn depth_of(&self, command: FlowCommandId) -> Option<usize> {
        self.stacks.iter().position(|stack| {
            let queue = stack.queue.as_ref();
            queue.is_some_and(|queue| queue.command == command)
        })
    }

    /// The variables that the current actions are bound to, if they are.
    pub(super) fn scope(&self) -> Option<&Arc<Variables>> {
        self.stacks.last()?.actions.scope()
    }

    /// Whether the `goto` the cursor stands on may jump once more; counts it if so.
    pub(super) fn count_jump(&mut self, loop_count: i64) -> bool {
        let Some(stack) = self.stacks.last_mut() else {
            return false;
        };
        let Some(at) = stack.at else {
            return false;
        };
        let made = stack.jumps.entry(at).or_insert(0);
        let may = *made < loop_count;
        if may {
            *made += 1;
        }
        may
    }

    /// The action the cursor stands on: its stack's actions, and its index in them.
    pub(super) fn current(&self) -> Option<(Arc<Actions>, usize)> {
        let stack = self.stacks.last()?;
        Some((stack.actions.clone(), stack.at?))
    }

    /// Stacks that lie on each other now.
    pub(super) fn depth(&self) -> usize {
        self.stacks.len()
    }
}

#[cfg(test)]
mod tests;
