//! Why a call ended: one value from which every outward number and word follows.

use std::fmt;

use super::q850::Q850;
use crate::sip::message::Status;
use crate::status::{CallStatus, HangupReason};

/// Who hung up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangupBy {
    /// The peer.
    Remote,
    /// Us: the flow, a limit, or an operator.
    Local,
}

/// What happened, in our own words; each has a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The peer sent BYE.
    #[error("the peer hung up")]
    PeerHungUp,
    /// The peer sent CANCEL.
    #[error("the caller gave up before the answer")]
    Canceled,
    /// A `hangup` action, or the flow came to its end.
    #[error("the flow hung up")]
    FlowEnded,
    /// Somebody asked for it who controls calls from outside.
    #[error("hung up from outside")]
    Asked,
    /// The flow could not go on.
    #[error("the flow failed")]
    FlowFailed,
    /// The peer that we called refused.
    #[error("the peer refused with {0}")]
    Refused(u16),
    /// The peer that we called never said anything, wherever we tried.
    #[error("the peer does not answer: check its address and that it can be reached")]
    NoResponse,
    /// The peer that we called did not answer while we let it ring.
    #[error("nobody answered in time")]
    NobodyAnswered,
    /// There is no way to the party.
    #[error("there is no way to the party: {0}")]
    NoWay(NoWay),
    /// Another of those who were called has answered.
    #[error("another one answered")]
    AnsweredElsewhere,
    /// The call that dialed this one, or that it was joined with, is over.
    #[error("the call it belongs to is over")]
    OtherEnded,
    /// The call that it was to take the place of is gone, or may not be replaced; its INVITE is refused
    /// with this status.
    #[error("there is no call to take over")]
    NothingToReplace(u16),
    /// Another one talks in its place now.
    #[error("it was transferred")]
    Transferred,
    /// Hung up as another call was.
    #[error("hung up as another call was")]
    Relayed,
    /// No ACK came for our 200.
    #[error("no ACK for 32 s after our 200: check that the peer can reach the Contact we sent")]
    NoAck,
    /// The peer's answer to our offer could not be followed.
    #[error("the peer sent no SDP answer that we can follow")]
    BadAnswer,
    /// No refresh came in time.
    #[error("the session timer ran out without a refresh")]
    SessionExpired,
    /// The connection broke, or the peer no longer knows the dialog.
    #[error("the peer is gone: its connection broke or it no longer knows the call")]
    PeerGone,
    /// The longest call duration passed.
    #[error("the longest call duration was reached")]
    TooLong,
    /// The media engine gave the session up.
    #[error("the media session failed")]
    MediaFailed,
    /// The switch is stopping.
    #[error("the switch is stopping")]
    Stopping,
    /// A fault in the switch; this call was ended so that the others go on.
    #[error("a fault of the switch ended this call")]
    Internal,
}

/// Why a party cannot even be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoWay {
    /// No trunk takes the number.
    #[error("no trunk has a prefix of the number: see `prefixes` of [[trunk]]")]
    NoTrunk,
    /// All trunks that take it have reached a limit.
    #[error("every trunk for the number has reached its `channels`, `cps` or `calls_per_day`")]
    Barred,
    /// The host may not be called.
    #[error("the host is no trunk, not in a private network, and not in `[sip] dial_allow`")]
    NotAllowed,
    /// The host cannot be found.
    #[error("its host cannot be found")]
    Unresolved,
    /// The address makes no sense.
    #[error("its address makes no sense")]
    BadAddress,
    /// There are too many calls.
    #[error("there are too many calls")]
    TooManyCalls,
    /// It would be ourselves.
    #[error("its host is this switch itself")]
    Ourselves,
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who hung up first.
    pub by: HangupBy,
    /// The outward reason.
    pub reason: HangupReason,
    /// What happened.
    pub why: Why,
    /// The cause value behind the reason.
    pub value: Q850,
}

impl Cause {
    /// We end the call.
    #[must_use]
    pub const fn local(reason: HangupReason, why: Why) -> Self {
        Self {
            by: HangupBy::Local,
            reason,
            why,
            value: Q850(reason.q850()),
        }
    }

    /// The peer ended it.
    #[must_use]
    pub const fn remote(why: Why) -> Self {
        Self {
            by: HangupBy::Remote,
            reason: HangupReason::Normal,
            why,
            value: Q850::NORMAL,
        }
    }

    /// The peer sent BYE, with this value of a Reason header (RFC 3326) or none.
    #[must_use]
    pub fn bye(reason: Option<&[u8]>) -> Self {
        let value = reason.and_then(Q850::of_reason).unwrap_or(Q850::NORMAL);
        Self {
            value,
            ..Self::remote(Why::PeerHungUp)
        }
    }

    /// A call that we made came to nothing in `last`; the cause value says why.
    #[must_use]
    pub const fn undialed(last: CallStatus, value: Q850, why: Why) -> Self {
        Self {
            by: HangupBy::Remote,
            reason: value.reason(false, last),
            why,
            value,
        }
    }

    /// As another call ended, for one that is hung up by us.
    #[must_use]
    pub const fn relayed(&self, is_incoming: bool, last: CallStatus) -> Self {
        Self {
            by: HangupBy::Local,
            reason: self.value.reason(is_incoming, last),
            why: Why::Relayed,
            value: self.value,
        }
    }

    /// The SIP status that it ended with, when it did with one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.why {
            Why::Refused(status) => Some(status),
            _ => None,
        }
    }

    /// The status that refuses the INVITE when the call was not answered.
    #[must_use]
    pub fn refusal(&self) -> Status {
        let code = match self.why {
            Why::NothingToReplace(status) => status,
            Why::Stopping => 503,
            Why::FlowFailed | Why::MediaFailed | Why::Internal => 500,
            Why::Relayed => self.value.refusal(),
            _ => self.reason.refusal(),
        };
        Status::new(code).unwrap_or(Status::SERVER_INTERNAL_ERROR)
    }

    /// The Reason header of our BYE (RFC 3326 §2).
    #[must_use]
    pub fn reason_header(&self) -> String {
        let value = match self.value {
            Q850(value @ 1..=127) => value,
            Q850(_) => self.reason.q850(),
        };
        format!("Q.850;cause={value}")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            HangupBy::Remote => "remote",
            HangupBy::Local => "local",
        };
        write!(f, "{} by {by}: {}", self.reason.as_str(), self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_here_is_told_apart_from_a_plain_refusal() {
        assert_eq!(
            Cause::local(HangupReason::Failed, Why::Stopping)
                .refusal()
                .code(),
            503
        );
        assert_eq!(
            Cause::remote(Why::PeerHungUp).reason_header(),
            "Q.850;cause=16"
        );
    }
}
