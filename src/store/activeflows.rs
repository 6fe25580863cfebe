//! Runs of flows as they stand at a moment.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::{ActionId, FlowEnd, Reference};
use crate::ids::ActiveflowId;

/// One run of a flow at one moment. Its moments are times since 1970-01-01 UTC.
///
/// A jump is made the moment it is asked for, so there is no action that one is still to be made to
/// (VoIPBIN: `forward_action_id` is always nil).
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveflowState {
    /// Which.
    pub id: ActiveflowId,
    /// What it runs: the id that its file or its maker gave it.
    pub flow: Arc<str>,
    /// What started it.
    pub reference: Reference,
    /// The run that it follows.
    pub parent: Option<ActiveflowId>,
    /// The flow that follows it, by id or name.
    pub on_complete_flow: Option<Arc<str>>,
    /// Where it stands.
    pub status: ActiveflowStatus,
    /// The action where it stands; `None` before the first and after the end.
    pub current: Option<ActionState>,
    /// The actions that were left since the last news of it, oldest first: whoever wants all of them adds
    /// these to what it has. At most [`Activeflow::HISTORY`](crate::flow::Activeflow::HISTORY).
    pub executed: Vec<ActionState>,
    /// How it ended; `None` also of one that broke down.
    pub end: Option<FlowEnd>,
    /// When it came to be.
    pub created: Duration,
    /// When this was told.
    pub updated: Duration,
}

/// Whether a run is over, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActiveflowStatus {
    /// It goes on.
    Running,
    /// It is over.
    Ended,
}

impl ActiveflowStatus {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }
}

/// An action that a cursor has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionState {
    /// Which.
    pub id: ActionId,
    /// Where it leads on to, when it says so.
    pub next_id: Option<ActionId>,
    /// Its type: `talk`.
    pub kind: &'static str,
    /// Its options as the flow has them, a JSON object: see [`Action::option`](crate::flow::Action::option).
    pub option: Arc<str>,
    /// When the cursor came to it, since 1970-01-01 UTC.
    pub executed: Duration,
}
