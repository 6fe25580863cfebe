//! Dials of many, of whom one is wanted, as they stand at a moment.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::agents::RingMethod;
use crate::call::address::Address;
use crate::flow;
use crate::ids::CallId;

/// One groupcall at one moment. Its moments are times since 1970-01-01 UTC.
///
/// The telephones of an extension and the addresses of an agent are called as one group; the calls of all of
/// them are those of the groupcall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupcallState {
    /// Which.
    pub id: Uuid,
    /// Where it stands.
    pub status: GroupcallStatus,
    /// Who calls.
    pub source: Arc<Address>,
    /// Who is called, as it was asked for.
    pub destinations: Arc<[flow::Address]>,
    /// The flow that the one who answers meets, by id.
    pub flow: Option<Arc<str>>,
    /// The call that it is made for.
    pub master: Option<CallId>,
    /// All at once, or one after another.
    pub ring_method: RingMethod,
    /// What becomes of the others when one answers.
    pub answer_method: AnswerMethod,
    /// The calls it has made, in their order.
    pub calls: Vec<CallId>,
    /// How many of them are not over.
    pub living: usize,
    /// Who has answered first.
    pub answered: Option<CallId>,
    /// When it came to be.
    pub created: Duration,
    /// When this was told.
    pub updated: Duration,
}

/// Where a groupcall stands, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupcallStatus {
    /// It rings, or talks.
    Progressing,
    /// Its calls are being hung up.
    HangingUp,
    /// They are over.
    Hangup,
}

impl GroupcallStatus {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Progressing => "progressing",
            Self::HangingUp => "hangingup",
            Self::Hangup => "hangup",
        }
    }
}

/// What becomes of the others of a groupcall when one answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AnswerMethod {
    /// They are given up.
    #[default]
    HangupOthers,
    /// They ring on, and each who answers meets the flow; of an extension or agent still the first alone.
    LetRing,
}

impl AnswerMethod {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HangupOthers => "hangup_others",
            Self::LetRing => "",
        }
    }
}
