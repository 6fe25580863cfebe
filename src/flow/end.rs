//! How an activeflow ends: by itself, from outside, or because it cannot go on.

use super::action::ActionId;
use super::dialect::FlowErrors;
use super::template::ResolveError;
use crate::ids::ActiveflowId;

/// Why an activeflow is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEnd {
    /// The cursor came to the end of the actions.
    Finished,
    /// A `stop` action, or [`FlowEvent::Stop`](super::FlowEvent::Stop).
    Stopped,
    /// The call ended.
    CallEnded,
    /// Something went wrong that a flow cannot go on after.
    Failed {
        /// What.
        why: FlowFailure,
    },
}

/// How far an activeflow may go before it is taken for a loop. The defaults are VoIPBIN's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Executions of one activeflow.
    pub executions: u32,
    /// Steps of one execution, passed-over actions included.
    pub steps: u32,
    /// Flows fetched into each other.
    pub stacks: usize,
    /// Activeflows that follow each other by `on_complete_flow_id`, the first included.
    pub chain: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            executions: 100,
            steps: 1000,
            stacks: 100,
            chain: 5,
        }
    }
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// [`Limits::executions`].
    #[error("{0} executions of one activeflow")]
    Executions(u32),
    /// [`Limits::steps`].
    #[error("{0} steps without a wait")]
    Steps(u32),
    /// [`Limits::stacks`].
    #[error("{0} flows fetched into each other")]
    Stacks(usize),
}

/// Why an activeflow could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlowFailure {
    /// A limit was passed.
    #[error("limit of {limit} passed")]
    Limit {
        /// Which.
        limit: Limit,
    },
    /// A jump to an action that is nowhere, or to none.
    #[error("action {action}: no action {target:?} to go to", target = target.as_ref().map_or("", ActionId::as_str))]
    NoTarget {
        /// Which action jumps.
        action: ActionId,
        /// Where to; `None` when it does not say.
        target: Option<ActionId>,
    },
    /// A flow to fetch that does not exist.
    #[error("no flow {flow_id:?}")]
    NoFlow {
        /// Which.
        flow_id: String,
    },
    /// What was fetched is no list of actions, or nothing came.
    #[error("action {action}: nothing fetched: {why}")]
    NotFetched {
        /// Which action fetches.
        action: ActionId,
        /// Why.
        why: FetchError,
    },
    /// Something without which the flow makes no sense could not be begun.
    #[error("action {action}: {why}")]
    NotDone {
        /// Which action asked for it.
        action: ActionId,
        /// In words for the log.
        why: &'static str,
    },
    /// An option has no value that makes sense.
    #[error("action {action}: {why}")]
    BadOption {
        /// Of which action.
        action: ActionId,
        /// What is wrong with it.
        why: ResolveError,
    },
}

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server did not give it.
    #[error("{0}")]
    Refused(&'static str),
    /// What it gave is no list of actions.
    #[error(transparent)]
    Malformed(FlowErrors),
}

/// The flow to run after an activeflow, and what it inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnComplete {
    /// Which flow.
    pub flow_id: String,
    /// The activeflow that ended.
    pub parent: ActiveflowId,
    /// All variables but those of the activeflow itself.
    pub variables: Vec<(String, String)>,
    /// Place in the chain: one after the parent's.
    pub complete_count: u32,
}
