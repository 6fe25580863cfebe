//! Calls that have been: what is told of each when it is over.

use std::time::Duration;

use flowswitch_media::command::SessionStats;

use crate::call::address::Address;
use crate::call::cause::Cause;
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
    pub source: Address,
    /// Who was called.
    pub destination: Address,
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
}

impl CallRecord {
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
