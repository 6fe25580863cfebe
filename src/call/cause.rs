//! Why a call ended: one value from which every outward number and word follows.

use std::fmt;

use crate::status::HangupReason;

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
    /// No ACK came for our 200.
    #[error("no ACK for 32 s after our 200: check that the peer can reach the Contact we sent")]
    NoAck,
    /// The peer's answer, in the ACK, could not be followed.
    #[error("the ACK had no SDP answer that we can follow")]
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

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who hung up first.
    pub by: HangupBy,
    /// The outward reason.
    pub reason: HangupReason,
    /// What happened.
    pub why: Why,
}

impl Cause {
    /// We end the call.
    #[must_use]
    pub const fn local(reason: HangupReason, why: Why) -> Self {
        Self {
            by: HangupBy::Local,
            reason,
            why,
        }
    }

    /// The peer ended it.
    #[must_use]
    pub const fn remote(why: Why) -> Self {
        Self {
            by: HangupBy::Remote,
            reason: HangupReason::Normal,
            why,
        }
    }

    /// The status that refuses the INVITE when the call was not answered.
    #[must_use]
    pub const fn refusal(&self) -> u16 {
        match self.why {
            Why::Stopping => 503,
            Why::FlowFailed | Why::MediaFailed | Why::Internal => 500,
            _ => self.reason.refusal(),
        }
    }

    /// The Reason header of our BYE (RFC 3326 §2).
    #[must_use]
    pub fn reason_header(&self) -> String {
        format!("Q.850;cause={}", self.reason.q850())
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
            Cause::local(HangupReason::Failed, Why::Stopping).refusal(),
            503
        );
        assert_eq!(
            Cause::remote(Why::PeerHungUp).reason_header(),
            "Q.850;cause=16"
        );
    }
}
