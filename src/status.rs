//! The words of the API that calls and flows share: where a call stands, and what it says of its end.

/// Where a call stands, and the only ways from there.
///
/// ```text
///   dialing --> ringing --> progressing --> terminating --> hangup
///      \___________\__________________________________________^
///       \___________\--> canceling ---------------------------'
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// We are calling, and nothing has been heard.
    Dialing,
    /// The peer alerts, or an incoming call is not answered yet.
    Ringing,
    /// Answered.
    Progressing,
    /// We are hanging up an answered call, or refuse an incoming one.
    Terminating,
    /// We are giving up an outgoing call before its answer.
    Canceling,
    /// Over.
    Hangup,
}

impl CallStatus {
    /// Whether a call may go from here to `next`; nothing goes to itself.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use CallStatus::{Canceling, Dialing, Hangup, Progressing, Ringing, Terminating};
        match self {
            Dialing => matches!(
                next,
                Ringing | Progressing | Terminating | Canceling | Hangup
            ),
            Ringing => matches!(next, Progressing | Terminating | Canceling | Hangup),
            Progressing => matches!(next, Terminating | Hangup),
            Terminating | Canceling => matches!(next, Hangup),
            Hangup => false,
        }
    }

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Progressing => "progressing",
            Self::Terminating => "terminating",
            Self::Canceling => "canceling",
            Self::Hangup => "hangup",
        }
    }
}

/// The reason a call shows to the outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HangupReason {
    /// Ended after the answer, or refused in the ordinary way.
    #[default]
    Normal,
    /// Could not be carried out.
    Failed,
    /// Busy here.
    Busy,
    /// The originator gave up before the answer.
    Cancel,
    /// The longest call duration passed.
    Timeout,
    /// Nobody answered.
    NoAnswer,
    /// The dialing time passed before anything was heard.
    Dialout,
    /// The answering machine detection hung up.
    Amd,
}

impl HangupReason {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::Cancel => "cancel",
            Self::Timeout => "timeout",
            Self::NoAnswer => "noanswer",
            Self::Dialout => "dialout",
            Self::Amd => "amd",
        }
    }

    /// The cause value for the Reason header (ITU-T Q.850, RFC 3326).
    #[must_use]
    pub const fn q850(self) -> u8 {
        match self {
            Self::Normal | Self::Cancel | Self::Timeout | Self::Amd => 16,
            Self::Busy => 17,
            Self::Failed => 18,
            Self::NoAnswer | Self::Dialout => 19,
        }
    }

    /// The status that refuses an INVITE for this reason: busy 486, no answer 480, failure 408, and
    /// 603 where the call is simply not wanted.
    #[must_use]
    pub const fn refusal(self) -> u16 {
        match self {
            Self::Busy => 486,
            Self::NoAnswer | Self::Dialout => 480,
            Self::Failed => 408,
            Self::Normal | Self::Cancel | Self::Timeout | Self::Amd => 603,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallStatus::{Canceling, Dialing, Hangup, Progressing, Ringing, Terminating};
    use super::HangupReason;

    #[test]
    fn only_the_drawn_ways_are_open() {
        let all = [
            Dialing,
            Ringing,
            Progressing,
            Terminating,
            Canceling,
            Hangup,
        ];
        let open: Vec<(usize, usize)> = (0..6)
            .flat_map(|from| (0..6).map(move |to| (from, to)))
            .filter(|(from, to)| all[*from].may_become(all[*to]))
            .collect();
        let drawn = [
            (0, 1),
            (0, 2),
            (0, 3),
            (0, 4),
            (0, 5),
            (1, 2),
            (1, 3),
            (1, 4),
            (1, 5),
            (2, 3),
            (2, 5),
            (3, 5),
            (4, 5),
        ];
        assert_eq!(open, drawn);
    }

    #[test]
    fn each_reason_has_the_cause_value_and_refusal_of_its_kind() {
        for (reason, q850, refusal) in [
            (HangupReason::Normal, 16, 603),
            (HangupReason::Busy, 17, 486),
            (HangupReason::Failed, 18, 408),
            (HangupReason::NoAnswer, 19, 480),
            (HangupReason::Dialout, 19, 480),
            (HangupReason::Timeout, 16, 603),
        ] {
            assert_eq!(
                (reason.q850(), reason.refusal()),
                (q850, refusal),
                "{reason:?}"
            );
        }
    }
}
