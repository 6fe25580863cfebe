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
}

impl Stack {
    fn new(actions: Arc<Actions>) -> Self {
        Self {
            actions,
            at: None,
            jumps: HashMap::new(),
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
mod tests {
    use super::*;
    use crate::flow::action::ActionKind;
    use crate::flow::template::Scalar;

    fn id(text: &str) -> ActionId {
        Option::from_text(text).flatten().expect("an id")
    }

    /// `"A B>D C"`: three actions, the second with a `next_id`.
    fn actions(text: &str) -> Arc<Actions> {
        let actions = text
            .split_whitespace()
            .map(|word| {
                let (name, next) = word
                    .split_once('>')
                    .map_or((word, None), |(n, x)| (n, Some(x)));
                Action {
                    id: id(name),
                    next_id: next.map(id),
                    kind: ActionKind::Empty,
                }
            })
            .collect();
        Arc::new(actions)
    }

    fn place(cursor: &Cursor) -> String {
        cursor
            .current()
            .map_or_else(String::new, |(actions, at)| actions[at].id.to_string())
    }

    /// The ids met until the end, at most twelve.
    fn walk(cursor: &mut Cursor) -> String {
        let mut met = Vec::new();
        while met.len() < 12 && cursor.advance() == Arrival::Action {
            met.push(place(cursor));
        }
        met.join(" ")
    }

    #[test]
    fn without_next_ids_the_order_is_that_of_the_array() {
        assert_eq!(walk(&mut Cursor::new(actions("A B C"))), "A B C");
        assert_eq!(walk(&mut Cursor::new(actions(""))), "");
    }

    #[test]
    fn a_next_id_skips_and_one_that_stands_nowhere_finishes() {
        assert_eq!(walk(&mut Cursor::new(actions("A>C B C"))), "A C");
        assert_eq!(walk(&mut Cursor::new(actions("A>Z B C"))), "A");
    }

    #[test]
    fn the_end_of_a_stack_returns_after_the_action_that_entered_it() {
        let mut cursor = Cursor::new(actions("A B C"));
        cursor.jump(&id("B"));
        cursor.push(actions("x y z"));
        assert_eq!(walk(&mut cursor), "x y z C");
        assert_eq!(cursor.depth(), 1);
    }

    #[test]
    fn the_next_id_of_the_entering_action_is_honoured_on_return() {
        let mut cursor = Cursor::new(actions("A>C B C"));
        cursor.jump(&id("A"));
        cursor.push(actions("x"));
        assert_eq!(walk(&mut cursor), "x C");
    }

    #[test]
    fn targets_are_searched_from_the_top_downward_and_leave_what_lies_above() {
        let mut cursor = Cursor::new(actions("A B C"));
        cursor.jump(&id("A"));
        cursor.push(actions("x B y"));
        cursor.advance();
        assert_eq!(cursor.jump(&id("B")), Some(Arrival::Action));
        assert_eq!(cursor.depth(), 2, "the B of the top stack");
        assert_eq!(cursor.jump(&id("C")), Some(Arrival::Action));
        assert_eq!((cursor.depth(), place(&cursor)), (1, "C".to_owned()));
        assert_eq!(cursor.jump(&id("x")), None, "never upward");
    }

    #[test]
    fn a_next_id_may_leave_the_stack() {
        let mut cursor = Cursor::new(actions("A B C"));
        cursor.jump(&id("A"));
        cursor.push(actions("x>C y"));
        assert_eq!(walk(&mut cursor), "x C");
    }

    #[test]
    fn reserved_ids_start_again_and_finish_unless_an_action_bears_them() {
        let (start, finish) = (
            ActionId::from(ActionId::START),
            ActionId::from(ActionId::FINISH),
        );
        let mut cursor = Cursor::new(actions("A B"));
        cursor.jump(&id("B"));
        assert_eq!(cursor.jump(&start), Some(Arrival::Action));
        assert_eq!(place(&cursor), "A");
        assert_eq!(cursor.jump(&finish), Some(Arrival::Finish));
        let mut cursor = Cursor::new(actions("A 00000000-0000-0000-0000-000000000001"));
        cursor.jump(&start);
        assert_eq!(place(&cursor), start.as_str());
    }

    #[test]
    fn a_goto_jumps_exactly_so_often_and_is_never_armed_again() {
        let mut cursor = Cursor::new(actions("A G"));
        cursor.jump(&id("G"));
        let jumps: Vec<bool> = (0..5).map(|_| cursor.count_jump(2)).collect();
        assert_eq!(jumps, [true, true, false, false, false]);
        assert!(!cursor.count_jump(0));
        cursor.push(actions("H"));
        cursor.advance();
        assert!(cursor.count_jump(1), "another stack counts for itself");
    }
}
