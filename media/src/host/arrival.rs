//! When a datagram came, told by the kernel in wall time and wanted as an instant.

use std::time::{Duration, Instant};

/// So much may the clocks drift apart between two readings without one having been set: twice the fastest
/// slew of NTP, and a reading that was interrupted.
const DRIFT_PER_MILLION: u32 = 1_000;
const INTERRUPTION: Duration = Duration::from_millis(1);

/// A datagram that seems to have waited longer was stamped by a clock that is wrong.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The two clocks, read together.
///
/// The kernel stamps with the wall clock, which can be set. A stamp from before it was set is worth nothing,
/// so stamps are passed over for [`LONGEST_WAIT`] after the two have gone apart. An arrival is never in the
/// future of its reading, whatever the stamp says.
#[derive(Debug)]
pub(super) struct ArrivalClock {
    now: Instant,
    /// Since the Unix epoch.
    wall: Duration,
    distrusted_until: Option<Instant>,
}

impl ArrivalClock {
    pub(super) const fn new(now: Instant, wall: Duration) -> Self {
        Self {
            now,
            wall,
            distrusted_until: None,
        }
    }

    /// Both clocks have been read again, at once.
    pub(super) fn read(&mut self, now: Instant, wall: Duration) {
        let elapsed = now.saturating_duration_since(self.now);
        let drift = wall.abs_diff(self.wall + elapsed);
        if drift > INTERRUPTION + elapsed / 1_000_000 * DRIFT_PER_MILLION {
            self.distrusted_until = Some(now + LONGEST_WAIT);
        }
        self.distrusted_until = self.distrusted_until.filter(|until| now < *until);
        (self.now, self.wall) = (now, wall);
    }

    /// When a datagram came that is read at `now` and was stamped so; `now` when the stamp cannot be true.
    pub(super) fn arrival(&self, now: Instant, stamp: Duration) -> Instant {
        if self.distrusted_until.is_some() {
            return now;
        }
        match self.wall.checked_sub(stamp) {
            Some(age) if age > LONGEST_WAIT => now,
            Some(age) => self.now.checked_sub(age).unwrap_or(now).min(now),
            None => self
                .now
                .checked_add(stamp - self.wall)
                .unwrap_or(now)
                .min(now),
        }
    }
}

/// Up to so many datagrams a second all are measured, which costs 4 % of an echo; of more, every
/// [`SAMPLED`]th is, which costs 1 % and still gives thousands of figures a second.
const ALL: u32 = 2_500;
const SAMPLED: u32 = 8;

/// Chooses the datagrams and ticks whose time is measured, by how many come.
#[derive(Debug)]
pub(super) struct Sampling {
    every: u32,
    until_next: u32,
    count: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            every: 1,
            until_next: 1,
            count: 0,
        }
    }
}

impl Sampling {
    /// Whether this one is measured.
    pub(super) const fn takes_next(&mut self) -> bool {
        self.count += 1;
        self.until_next -= 1;
        let is_taken = self.until_next == 0;
        if is_taken {
            self.until_next = self.every;
        }
        is_taken
    }

    /// So many figures come of the one that was taken last.
    pub(super) const fn weighs(&mut self, figures: u32) {
        self.count = self.count.saturating_add(figures);
    }

    /// A second is over.
    pub(super) const fn begin_second(&mut self) {
        self.every = if self.count > ALL { SAMPLED } else { 1 };
        (self.until_next, self.count) = (self.every, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::start;

    const WALL: Duration = Duration::from_secs(1_700_000_000);
    const MS: Duration = Duration::from_millis(1);

    fn clock() -> ArrivalClock {
        ArrivalClock::new(start(), WALL)
    }

    #[test]
    fn a_stamp_is_as_far_from_now_as_from_the_wall_time_read_with_it() {
        let mut clock = clock();
        let now = start() + 20 * MS;
        clock.read(now, WALL + 20 * MS);
        assert_eq!(clock.arrival(now, WALL + 17 * MS), now - 3 * MS);
        // It came while others of the batch were served.
        let later = now + 2 * MS;
        assert_eq!(clock.arrival(later, WALL + 21 * MS), now + MS);
    }

    #[test]
    fn an_arrival_is_never_later_than_its_reading() {
        let clock = clock();
        assert_eq!(clock.arrival(start(), WALL + MS), start());
        assert_eq!(clock.arrival(start(), Duration::MAX), start());
        assert_eq!(clock.arrival(start(), Duration::ZERO), start());
    }

    #[test]
    fn stamps_are_passed_over_while_those_from_before_the_clock_was_set_may_come() {
        for wall in [WALL + Duration::from_secs(2), WALL - Duration::from_secs(2)] {
            let mut clock = clock();
            clock.read(start() + MS, wall);
            let now = start() + 5_000 * MS;
            clock.read(now, wall + 4_999 * MS);
            assert_eq!(clock.arrival(now, wall + 4_998 * MS), now);
            let now = start() + 10_001 * MS;
            clock.read(now, wall + 10_000 * MS);
            assert_eq!(clock.arrival(now, wall + 9_999 * MS), now - MS);
        }
    }

    #[test]
    fn a_clock_that_is_slewed_is_still_believed() {
        let mut clock = clock();
        let mut wall = WALL;
        for seconds in 1..=100 {
            wall += Duration::from_micros(1_000_500);
            let now = start() + Duration::from_secs(seconds);
            clock.read(now, wall);
            assert_eq!(clock.arrival(now, wall - MS), now - MS);
        }
    }

    #[test]
    fn few_datagrams_are_all_measured_and_of_many_every_eighth() {
        let mut sampling = Sampling::default();
        let mut taken = |count: u32| {
            let taken = (0..count).filter(|_| sampling.takes_next()).count();
            sampling.begin_second();
            taken
        };
        assert_eq!(
            [2_500, 8_000, 8_000, 800, 800].map(&mut taken),
            [2_500, 8_000, 1_000, 100, 800]
        );
    }
}
