//! Calls that have been: what is told of each when it is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flowswitch_media::command::SessionStats;

use super::timeline::{PathStep, Timeline};
use crate::call::address::Address;
use crate::call::cause::Cause;
use crate::call::reason::Reason;
use crate::ids::CallId;
use crate::status::CallStatus;

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallDirection {
    /// The party called us.
    Incoming,
    /// We called the party.
    Outgoing,
}

impl CallDirection {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// How many calls there were since the start, those that are not over among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// That came in.
    pub incoming: u64,
    /// That we made.
    pub outgoing: u64,
}

/// One call that is over. Its moments are times since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Which.
    pub id: CallId,
    /// Who began it.
    pub direction: CallDirection,
    /// Who called.
    pub source: Arc<Address>,
    /// Who was called.
    pub destination: Arc<Address>,
    /// The call that it was made for.
    pub master: Option<CallId>,
    /// Who hung up, and why: SIP status, Q.850 value and outward reason.
    pub cause: Cause,
    /// When it came to be.
    pub began: Duration,
    /// When the party was alerted, as far as is known; a call that comes in rings from the start.
    pub rang: Option<Duration>,
    /// When it was answered.
    pub answered: Option<Duration>,
    /// When it was hung up.
    pub ended: Duration,
    /// What its last media session did; nothing is known of one that broke down.
    pub stats: Box<SessionStats>,
    /// The final status of its INVITE: what was really sent or came. Before that there is none, nor is there one
    /// of a caller that gave up and was gone before 487 could be sent.
    pub status: Option<u16>,
    /// Why it ended, for the operator.
    pub reason: Reason,
    /// What was not as it should be beside that.
    pub findings: Vec<Reason>,
    /// The steps of its flow, the newest [`CallRecord::PATH`] of them.
    pub path: Vec<PathStep>,
    /// What happened in it. What comes after its media are closed, as the answer to our BYE, is not in it.
    pub timeline: Timeline,
}

/// An INVITE that never became a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCall {
    /// Ours, as a call would have one.
    pub id: CallId,
    /// When it was refused, since 1970-01-01 UTC.
    pub at: Duration,
    /// Where it came from.
    pub remote: SocketAddr,
    /// Who it says is calling.
    pub source: Option<Address>,
    /// Who was called.
    pub destination: Address,
    /// What it was answered with; nothing was said where it is `None`.
    pub status: Option<u16>,
    /// Why.
    pub reason: Reason,
    /// Its messages.
    pub timeline: Box<Timeline>,
    /// How many were refused since the last one that was told of, and are not told of.
    pub others: u64,
}

impl CallRecord {
    /// Steps of its flow that are kept.
    pub const PATH: usize = 256;

    /// Where it stood when it was hung up: dialing, ringing or progressing.
    #[must_use]
    pub const fn reached(&self) -> CallStatus {
        match (self.answered, self.rang) {
            (Some(_), _) => CallStatus::Progressing,
            (None, Some(_)) => CallStatus::Ringing,
            (None, None) => CallStatus::Dialing,
        }
    }

    /// From the beginning to the end.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }

    /// From the answer to the end: what is paid for.
    #[must_use]
    pub fn talked(&self) -> Duration {
        let talked = |answered| self.ended.saturating_sub(answered);
        self.answered.map(talked).unwrap_or_default()
    }
}
