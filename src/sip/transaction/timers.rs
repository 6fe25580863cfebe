//! Timer values of RFC 3261 §17 (table 4) and RFC 6026.

use std::time::{Duration, Instant};

/// Estimate of the round trip: the first resend comes this late.
pub const T1: Duration = Duration::from_millis(500);

/// Longest gap between resends of anything but an INVITE request.
pub const T2: Duration = Duration::from_secs(4);

/// Longest time a datagram stays in the network.
pub const T4: Duration = Duration::from_secs(5);

/// How long an unanswered message is repeated: Timers B, F, H, J, L and M.
pub const PATIENCE: Duration = Duration::from_secs(32);

/// Timer D: how long an INVITE client acknowledges repeated refusals over datagrams.
pub(super) const TIMER_D: Duration = Duration::from_secs(32);

/// When to say 100 to an INVITE whose user said nothing yet; the RFC wants it within 200 ms
/// (RFC 3261 §17.2.1), and waiting lets policy drop a request without a word.
pub(super) const TRYING_AFTER: Duration = Duration::from_millis(100);

/// Repetition over a transport that loses: when to send again, and how the gap grows.
///
/// ```text
/// INVITE (Timer A):  T1 2T1 4T1 8T1 ...      others (E, G, 2xx):  T1 2T1 4T1 ... T2 T2 T2
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    at: Option<Instant>,
    gap: Duration,
    longest: Duration,
}

impl Resend {
    /// First repetition at `now` + T1, the gap doubles up to `longest`.
    #[must_use]
    pub fn new(now: Instant, longest: Duration) -> Self {
        Self {
            at: Some(now + T1),
            gap: T1,
            longest,
        }
    }

    /// No repetition: the transport is reliable.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            at: None,
            gap: T1,
            longest: T1,
        }
    }

    /// [`Self::new`], or [`Self::never`] over a reliable transport.
    #[must_use]
    pub fn over(is_reliable: bool, now: Instant, longest: Duration) -> Self {
        if is_reliable {
            Self::never()
        } else {
            Self::new(now, longest)
        }
    }

    /// After the repetition that is set already, one every `gap` (RFC 3261 §17.1.2.2, Proceeding).
    pub const fn slow_down(&mut self, gap: Duration) {
        self.gap = gap;
        self.longest = gap;
    }

    /// Whether a repetition is due; when it is, the next one is set. A late call makes up for
    /// one repetition only.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let Some(at) = self.at.filter(|at| *at <= now) else {
            return false;
        };
        self.gap = (self.gap * 2).min(self.longest);
        let next = at + self.gap;
        self.at = Some(if next > now { next } else { now + self.gap });
        true
    }

    /// When the next repetition is due.
    #[must_use]
    pub const fn at(&self) -> Option<Instant> {
        self.at
    }
}

/// The earlier of two deadlines, where `None` is never.
#[must_use]
pub fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_double_from_t1_up_to_t2() {
        let start = crate::sim::start();
        let mut resend = Resend::new(start, T2);
        let mut at_ms = Vec::new();
        while let Some(at) = resend.at().filter(|at| *at < start + PATIENCE) {
            assert!(!resend.is_due(at - Duration::from_millis(1)));
            assert!(resend.is_due(at));
            at_ms.push((at - start).as_millis());
        }
        assert_eq!(
            at_ms,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
            ]
        );
    }

    #[test]
    fn a_late_call_makes_up_for_one_repetition_only() {
        let start = crate::sim::start();
        let mut resend = Resend::new(start, T2);
        let late = start + Duration::from_secs(20);
        assert!(resend.is_due(late));
        assert!(!resend.is_due(late));
        assert_eq!(resend.at(), Some(late + 2 * T1));
    }
}
