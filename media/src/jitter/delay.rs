//! How long packets are held: as long as nearly all of them need to be there in time.

use super::{FRAME, Ticks, ms};

/// Follows how late packets come, compared with the fastest one lately.
#[derive(Clone, Debug)]
pub(super) struct DelayEstimate {
    /// Smallest transit time in the running and in the last period, which follows a clock that drifts.
    fastest: (Ticks, Ticks),
    period_began: Ticks,
    /// How much of the packets came how late after `anchor`, in bins of [`Self::BIN`].
    bins: [f32; Self::BINS],
    /// Less than a bin before the fastest.
    anchor: Ticks,
    /// What the next packet counts: each more than the one before it, which is to forget the old ones.
    weight: f32,
    total: f32,
    /// The bin that all but a few packets do not come later than, and those few.
    usual: usize,
    late: f32,
    last: Ticks,
}

impl DelayEstimate {
    /// Less is not worth being so near to the edge.
    pub(super) const MIN: Ticks = ms(5);
    /// Beyond it a talk is no talk any more.
    pub(super) const MAX: Ticks = ms(200);
    /// What is held in the beginning, and how many packets that is worth.
    const FIRST: Ticks = ms(15);
    const FIRST_WEIGHT: f32 = 3.0;
    const BIN: Ticks = ms(5);
    const BINS: usize = (Self::MAX / Self::BIN) as usize;
    /// A packet counts e times less after 6 s.
    const MEMORY: f32 = 1.0 / ms(6_000) as f32;
    /// Part of packets that may come too late: they are concealed, and hardly heard.
    const LATE: f32 = 0.006;
    /// The fastest packet of one to two periods is what others are compared with.
    const PERIOD: Ticks = ms(5_000);
    /// Packets that come right behind each other were held up together: the first of them tells how long.
    const TOGETHER: Ticks = ms(2);

    pub(super) const fn new() -> Self {
        let mut bins = [0.0; Self::BINS];
        let usual = (Self::FIRST / Self::BIN) as usize;
        bins[usual] = Self::FIRST_WEIGHT;
        Self {
            fastest: (0, 0),
            period_began: 0,
            bins,
            anchor: 0,
            weight: 1.0,
            total: Self::FIRST_WEIGHT,
            usual,
            late: 0.0,
            last: Ticks::MIN / 2,
        }
    }

    /// Starts a new time line, on which a packet of this transit time is the fastest.
    pub(super) fn restart(&mut self, now: Ticks, transit: Ticks) {
        self.fastest = (transit, transit);
        self.anchor = transit;
        self.period_began = now;
    }

    /// How much later than the fastest a packet of this transit time comes.
    pub(super) fn lateness(&self, transit: Ticks) -> Ticks {
        transit - self.base()
    }

    /// Transit time of the fastest packet.
    pub(super) fn base(&self) -> Ticks {
        self.fastest.0.min(self.fastest.1)
    }

    /// How long a packet is held that came as fast as the fastest.
    pub(super) fn target(&self) -> Ticks {
        let usual = self.anchor + (self.usual as Ticks + 1) * Self::BIN;
        self.lateness(usual).clamp(Self::MIN, Self::MAX)
    }

    /// Takes the transit time of a packet that came and is so long.
    pub(super) fn update(&mut self, now: Ticks, transit: Ticks, len: Ticks) {
        if now - self.period_began >= Self::PERIOD {
            self.fastest = (transit, self.fastest.0);
            self.period_began = now;
        }
        self.fastest.0 = self.fastest.0.min(transit);
        self.follow();
        let is_alone = (now - self.last).abs() >= Self::TOGETHER;
        self.last = now;
        if is_alone {
            let bin = ((transit - self.anchor) / Self::BIN) as usize;
            self.count(bin.min(Self::BINS - 1), len);
        }
    }

    /// Keeps the bins where the fastest is. When it becomes slower, all others were less late than they seemed;
    /// when it becomes faster, by drift or on another way, so will the others.
    fn follow(&mut self) {
        let base = self.base();
        if base < self.anchor {
            self.anchor = base;
        } else if base >= self.anchor + Self::BIN {
            let by = ((base - self.anchor) / Self::BIN) as usize;
            self.anchor += by as Ticks * Self::BIN;
            let by = by.min(Self::BINS - 1);
            let early: f32 = self.bins[..by].iter().sum();
            self.bins.copy_within(by.., 0);
            self.bins[Self::BINS - by..].fill(0.0);
            self.bins[0] += early;
            self.recount();
        }
    }

    fn count(&mut self, bin: usize, len: Ticks) {
        // More than a number has room for soon, were it not taken back in time.
        const MOST: f32 = 1e6;
        self.weight *= 1.0 + len.min(6 * FRAME) as f32 * Self::MEMORY;
        self.bins[bin] += self.weight;
        self.total += self.weight;
        if bin > self.usual {
            self.late += self.weight;
        }
        if self.weight > MOST {
            self.bins.iter_mut().for_each(|part| *part /= MOST);
            self.weight /= MOST;
            return self.recount();
        }
        self.settle();
    }

    fn recount(&mut self) {
        self.total = self.bins.iter().sum();
        self.late = self.bins[self.usual + 1..].iter().sum();
        self.settle();
    }

    fn settle(&mut self) {
        let most = self.total * Self::LATE;
        while self.late > most && self.usual + 1 < Self::BINS {
            self.usual += 1;
            self.late -= self.bins[self.usual];
        }
        while self.usual > 0 && self.late + self.bins[self.usual] <= most {
            self.late += self.bins[self.usual];
            self.usual -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Chance;

    /// The target after so many packets of 20 ms, each as late as `lateness` says, in ms.
    fn target(
        estimate: &mut DelayEstimate,
        packets: std::ops::Range<i64>,
        mut lateness: impl FnMut(i64) -> f64,
    ) -> i64 {
        for at in packets {
            let late = (lateness(at) * 48.0) as Ticks;
            estimate.update(at * FRAME + late, late, FRAME);
        }
        estimate.target() / ms(1)
    }

    #[test]
    fn it_is_what_nearly_all_packets_need() {
        for (jitter, least, most) in [(0.0, 5, 5), (10.0, 9, 15), (40.0, 38, 45), (80.0, 78, 85)] {
            let mut chance = Chance::new(3);
            let mut estimate = DelayEstimate::new();
            let found = target(&mut estimate, 0..3_000, |_| jitter * chance.unit());
            assert!((least..=most).contains(&found), "{jitter} ms: {found} ms");
        }
    }

    #[test]
    fn it_falls_within_half_a_minute_when_the_jitter_ends() {
        let mut chance = Chance::new(5);
        let mut estimate = DelayEstimate::new();
        assert!(target(&mut estimate, 0..3_000, |_| 80.0 * chance.unit()) >= 78);
        assert_eq!(target(&mut estimate, 3_000..4_700, |_| 0.0), 5);
    }

    #[test]
    fn one_spike_that_holds_up_ten_packets_does_not_count_and_one_a_second_does() {
        let mut estimate = DelayEstimate::new();
        let spike = |at: i64, every: i64| match at % every {
            late @ 0..10 => (200 - 20 * late) as f64,
            _ => 0.0,
        };
        let once = target(&mut estimate, 1..1_510, |at| spike(at, 1_500));
        assert_eq!(once, 5);
        let often = target(&mut estimate, 1_510..3_000, |at| spike(at, 50));
        assert!(often >= 190, "{often}");
    }

    #[test]
    fn a_longer_way_is_the_usual_one_after_ten_seconds() {
        let mut estimate = DelayEstimate::new();
        target(&mut estimate, 0..1_000, |_| 0.0);
        assert!(target(&mut estimate, 1_000..1_100, |_| 100.0) >= 100);
        assert_eq!(target(&mut estimate, 1_100..1_600, |_| 100.0), 5);
        assert_eq!(target(&mut estimate, 1_600..1_700, |_| 0.0), 5);
    }

    #[test]
    fn weights_are_taken_back_before_they_overflow() {
        let mut chance = Chance::new(9);
        let mut estimate = DelayEstimate::new();
        let found = target(&mut estimate, 0..180_000, |_| 30.0 * chance.unit());
        assert!((29..=35).contains(&found), "{found}");
        assert!(estimate.total.is_finite() && estimate.total < 1e9);
    }
}
