//! Cause values of the telephone network (ITU-T Q.850), and what they mean in SIP and to the API.

use crate::sip::message::Status;
use crate::status::{CallStatus, HangupReason};

/// Why a call ended, as a number. Above 127 they are ours alone and never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Q850(pub u8);

impl Q850 {
    /// Nothing is known: the peer never said anything.
    pub const UNKNOWN: Self = Self(0);
    /// No route to the destination.
    pub const NO_ROUTE: Self = Self(3);
    /// The ordinary end.
    pub const NORMAL: Self = Self(16);
    /// Busy.
    pub const BUSY: Self = Self(17);
    /// No response at all.
    pub const NO_RESPONSE: Self = Self(18);
    /// It rang, and nobody answered.
    pub const NO_ANSWER: Self = Self(19);
    /// Refused.
    pub const REJECTED: Self = Self(21);
    /// Answered somewhere else.
    pub const ELSEWHERE: Self = Self(26);
    /// Congestion.
    pub const CONGESTION: Self = Self(34);
    /// What was offered cannot be spoken.
    pub const INCOMPATIBLE: Self = Self(58);
    /// The longest duration was reached.
    pub const TOO_LONG: Self = Self(200);
    /// A machine has answered.
    pub const MACHINE: Self = Self(201);

    /// What a final status that refuses a call stands for.
    #[must_use]
    pub const fn of_status(status: Status) -> Self {
        Self(match status.code() {
            404 | 485 | 604 => 1,
            486 | 600 => 17,
            408 => 18,
            480 | 483 => 19,
            401 | 403 | 407 | 603 | 607 | 608 => 21,
            410 => 22,
            502 => 27,
            484 => 28,
            501 => 29,
            503 => 34,
            500 => 38,
            415 | 488 | 606 => 58,
            504 => 102,
            505..=599 => 34,
            _ => 127,
        })
    }

    /// The value in a Reason header (RFC 3326 §2), if it holds one of Q.850.
    #[must_use]
    pub fn of_reason(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        text.split(',').find_map(|reason| {
            let (protocol, params) = reason.split_once(';')?;
            if !protocol.trim().eq_ignore_ascii_case("Q.850") {
                return None;
            }
            let cause = params.split(';').find_map(|param| {
                let (name, value) = param.split_once('=')?;
                name.trim()
                    .eq_ignore_ascii_case("cause")
                    .then(|| value.trim().parse::<u8>().ok())?
            })?;
            (1..=127).contains(&cause).then_some(Self(cause))
        })
    }

    /// The status that refuses a call for it.
    #[must_use]
    pub const fn refusal(self) -> u16 {
        match self.0 {
            1..=3 => 404,
            17 => 486,
            18 => 408,
            19 | 20 | 31 => 480,
            21 => 403,
            22 => 410,
            27 => 502,
            28 => 484,
            29 => 501,
            34 | 42 | 66 => 503,
            38 | 127 => 500,
            58 => 488,
            102 => 504,
            _ => 603,
        }
    }

    /// What the API says of a call that ended in `last` with this.
    #[must_use]
    pub const fn reason(self, is_incoming: bool, last: CallStatus) -> HangupReason {
        use CallStatus::{Canceling, Dialing, Progressing, Ringing, Terminating};
        match (is_incoming, last, self.0) {
            (_, Progressing, 200) => HangupReason::Timeout,
            (true, Dialing | Ringing, 19) | (false, Dialing | Ringing, 19 | 21) => {
                HangupReason::NoAnswer
            }
            (_, Dialing | Ringing, 17) => HangupReason::Busy,
            (false, Dialing | Ringing, 16 | 26) => HangupReason::Normal,
            (false, Dialing | Ringing, 0) => HangupReason::Dialout,
            (false, Dialing | Ringing, _) => HangupReason::Failed,
            (false, Terminating, 201) => HangupReason::Amd,
            (false, Canceling, _) => HangupReason::Cancel,
            _ => HangupReason::Normal,
        }
    }

    /// Whether another provider may be tried: what the called one itself has decided is final.
    #[must_use]
    pub const fn may_be_tried_elsewhere(self) -> bool {
        !matches!(self.0, 16 | 17 | 19 | 21 | 26 | 200 | 201)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_follows_from_direction_last_status_and_cause() {
        use CallStatus::{Canceling, Dialing, Hangup, Progressing, Ringing, Terminating};
        use HangupReason::{Amd, Busy, Cancel, Dialout, Failed, NoAnswer, Normal, Timeout};
        let table: [(bool, &[CallStatus], &[u8], HangupReason); 17] = [
            (true, &[Dialing, Ringing], &[19], NoAnswer),
            (true, &[Dialing, Ringing], &[17], Busy),
            (true, &[Dialing, Ringing], &[0, 1, 16, 21, 200, 201], Normal),
            (true, &[Progressing], &[200], Timeout),
            (true, &[Progressing], &[0, 16, 17, 19, 201], Normal),
            (
                true,
                &[Terminating, Canceling, Hangup],
                &[0, 17, 200, 201],
                Normal,
            ),
            (false, &[Dialing, Ringing], &[19, 21], NoAnswer),
            (false, &[Dialing, Ringing], &[17], Busy),
            (false, &[Dialing, Ringing], &[16, 26], Normal),
            (false, &[Dialing, Ringing], &[0], Dialout),
            (
                false,
                &[Dialing, Ringing],
                &[1, 18, 34, 38, 127, 200],
                Failed,
            ),
            (false, &[Progressing], &[200], Timeout),
            (false, &[Progressing], &[0, 16, 17, 19, 201], Normal),
            (false, &[Terminating], &[201], Amd),
            (false, &[Terminating], &[0, 16, 17, 200], Normal),
            (false, &[Canceling], &[0, 16, 17, 19, 201], Cancel),
            (false, &[Hangup], &[0, 17, 201], Normal),
        ];
        for (is_incoming, last, causes, reason) in table {
            for (last, cause) in last
                .iter()
                .flat_map(|last| causes.iter().map(move |cause| (*last, *cause)))
            {
                let told = Q850(cause).reason(is_incoming, last);
                assert_eq!(told, reason, "{is_incoming} {last:?} {cause}");
            }
        }
    }

    #[test]
    fn statuses_and_causes_go_over_into_each_other() {
        let table: [(u16, &[u8]); 12] = [
            (404, &[1, 2, 3]),
            (486, &[17]),
            (408, &[18]),
            (480, &[19, 20, 31]),
            (403, &[21]),
            (410, &[22]),
            (502, &[27]),
            (484, &[28]),
            (501, &[29]),
            (503, &[34, 42, 66]),
            (500, &[38, 127]),
            (488, &[58]),
        ];
        for (code, causes) in table {
            for cause in causes {
                assert_eq!(Q850(*cause).refusal(), code, "{cause}");
            }
            let status = Status::new(code).unwrap();
            assert_eq!(Q850::of_status(status), Q850(causes[0]), "{code}");
        }
    }

    #[test]
    fn reason_header_speaks_when_it_holds_a_value_of_q850() {
        for (header, cause) in [
            ("Q.850;cause=17", Some(17)),
            (
                "SIP;cause=200;text=\"x\", q.850 ; cause = 21 ;text=\"no\"",
                Some(21),
            ),
            ("SIP;cause=486", None),
            ("Q.850;cause=201", None),
            ("Q.850;cause=x", None),
            ("Q.850", None),
        ] {
            let read = Q850::of_reason(header.as_bytes()).map(|value| value.0);
            assert_eq!(read, cause, "{header}");
        }
    }
}
