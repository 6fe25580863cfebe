//! How durations are spread, counted in buckets of even relative width.
//!
//! ```text
//!   1 us     2 us          4 us                        8 us        ...   8.6 s       17.2 s
//!    |-|-|-|-|--|--|--|--|-----|-----|-----|-----|-----  ...  -----|------ ... ------|
//!     STEPS    STEPS          STEPS buckets an octave                      24 octaves
//! ```
//!
//! Counting costs a shift and an addition. Nothing is allocated, so a histogram may lie in a session, and
//! those of several threads add up to one.

use std::time::Duration;

/// Powers of two that are told apart: 1,024 ns to 17.2 s.
const OCTAVES: usize = 24;

/// Below so many binary digits of nanoseconds (1,024 ns) all is one.
const FINEST: u32 = 10;

/// Durations of a whole thread or process: 64-bit counts, a percentile is at most 6.3 % off. 1.6 KB.
pub type Histogram = Buckets<u64, 8>;

/// Durations of one session: 32-bit counts, which a session fills in two years at the earliest; a percentile
/// is at most 12.5 % off. 416 octets.
pub type SmallHistogram = Buckets<u32, 4>;

/// Durations between 1 µs and 17 s, counted in `STEPS` buckets of equal width an octave.
///
/// What is shorter counts in the first bucket, what is longer in the last; the longest is kept exactly, and so
/// is the sum, to the nanosecond. `STEPS` is a power of two. No count overflows: it stays at its largest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets<C, const STEPS: usize> {
    counts: [[C; STEPS]; OCTAVES],
    count: u64,
    /// Nanoseconds.
    sum: u64,
    max: u64,
}

/// What a bucket counts with.
pub trait Count: Copy + Default + Into<u64> + sealed::Sealed {
    /// Adds, at most to the largest number there is.
    fn add(&mut self, more: u64);
}

impl Count for u32 {
    fn add(&mut self, more: u64) {
        *self = self.saturating_add(Self::try_from(more).unwrap_or(Self::MAX));
    }
}

impl Count for u64 {
    fn add(&mut self, more: u64) {
        *self = self.saturating_add(more);
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

impl<C: Count, const STEPS: usize> Buckets<C, STEPS> {
    /// Binary digits below the highest one that choose the bucket of an octave.
    const STEP_DIGITS: u32 = {
        assert!(STEPS.is_power_of_two() && STEPS <= 1 << FINEST);
        STEPS.trailing_zeros()
    };

    /// One that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: [[C::default(); STEPS]; OCTAVES],
            count: 0,
            sum: 0,
            max: 0,
        }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = nanos_of(duration);
        let (octave, step) = Self::place(nanos);
        self.counts[octave][step].add(1);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(nanos);
        self.max = self.max.max(nanos);
    }

    /// Adds what another one has counted, of whatever count.
    pub fn merge<D: Count>(&mut self, other: &Buckets<D, STEPS>) {
        let ours = self.counts.as_flattened_mut().iter_mut();
        for (ours, theirs) in ours.zip(other.counts.as_flattened()) {
            ours.add((*theirs).into());
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The longest, exactly; zero when nothing was counted.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The sum of all, exactly.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The mean, exactly; zero when nothing was counted.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// What `part` of all (0.5: the median, 0.99) do not exceed, read between the edges of a bucket as if
    /// those in it were spread evenly; never longer than the longest. Zero when nothing was counted.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Duration {
        if self.is_empty() {
            return Duration::ZERO;
        }
        let rank = (self.count as f64 * part.clamp(0.0, 1.0)).ceil().max(1.0);
        let mut below = 0_u64;
        for (low, high, count) in self.buckets() {
            let upto = below.saturating_add(count);
            if upto as f64 >= rank {
                let within = (rank - below as f64 - 0.5) / count as f64;
                // What is shorter than the finest is rare where it is not all there is.
                let low = low.max(Duration::from_nanos(1 << FINEST));
                return (low + (high - low).mul_f64(within)).min(self.max());
            }
            below = upto;
        }
        self.max()
    }

    /// Every bucket that has counted something, the shortest first: from (in it), to (no longer in it), how
    /// many.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u64)> + '_ {
        let counts = self.counts.as_flattened().iter().enumerate();
        counts
            .map(|(at, count)| (at, (*count).into()))
            .filter(|(_, count)| *count > 0)
            .map(|(at, count)| (Self::edge(at), Self::edge(at + 1), count))
    }

    /// Octave and step of a duration.
    fn place(nanos: u64) -> (usize, usize) {
        let top = nanos.checked_ilog2().unwrap_or(0);
        let Some(octave) = top.checked_sub(FINEST) else {
            return (0, 0);
        };
        if octave as usize >= OCTAVES {
            return (OCTAVES - 1, STEPS - 1);
        }
        let step = (nanos >> (top - Self::STEP_DIGITS)) as usize & (STEPS - 1);
        (octave as usize, step)
    }

    /// Where the bucket at this place of all begins.
    fn edge(at: usize) -> Duration {
        if at == 0 {
            return Duration::ZERO;
        }
        let (octave, step) = (at / STEPS, at % STEPS);
        let steps = (STEPS + step) as u64;
        Duration::from_nanos(steps << (octave as u32 + FINEST - Self::STEP_DIGITS))
    }
}

impl<C: Count, const STEPS: usize> Default for Buckets<C, STEPS> {
    fn default() -> Self {
        Self::new()
    }
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn error(found: Duration, truth: Duration) -> f64 {
        (found.as_secs_f64() / truth.as_secs_f64() - 1.0).abs()
    }

    #[test]
    fn a_lonely_duration_is_read_within_the_stated_error() {
        // 3 % apart from 1.1 us to 15 s.
        let mut nanos = 1_100.0_f64;
        while nanos < 15e9 {
            let duration = Duration::from_nanos(nanos as u64);
            let (mut fine, mut coarse) = (Histogram::new(), SmallHistogram::new());
            for _ in 0..3 {
                fine.record(duration);
                coarse.record(duration);
            }
            let (fine, coarse) = (fine.percentile(0.5), coarse.percentile(0.5));
            assert!(error(fine, duration) <= 0.063, "{fine:?} for {duration:?}");
            assert!(
                error(coarse, duration) <= 0.125,
                "{coarse:?} for {duration:?}"
            );
            nanos *= 1.03;
        }
    }

    #[test]
    fn percentiles_of_an_even_spread_are_where_they_belong() {
        let mut histogram = SmallHistogram::new();
        (1..=10_000).for_each(|n| histogram.record(micros(n)));
        for (part, truth) in [(0.01, 100), (0.5, 5_000), (0.99, 9_900)] {
            let found = histogram.percentile(part);
            assert!(error(found, micros(truth)) < 0.02, "{part}: {found:?}");
        }
        assert_eq!(histogram.percentile(1.0), micros(10_000));
        assert_eq!(histogram.mean(), Duration::from_nanos(5_000_500));
        assert_eq!(
            (histogram.count(), histogram.max()),
            (10_000, micros(10_000))
        );
    }

    #[test]
    fn what_is_too_short_or_too_long_counts_at_the_ends() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_nanos(1));
        histogram.record(Duration::from_secs(3_600));
        histogram.record(Duration::MAX);
        let counts: Vec<u64> = histogram.buckets().map(|(.., count)| count).collect();
        assert_eq!(counts, [2, 2]);
        assert_eq!(histogram.max(), Duration::from_nanos(u64::MAX));
        assert!(histogram.percentile(0.1) <= micros(2));
    }

    #[test]
    fn nothing_counted_reads_as_zero() {
        let histogram = Histogram::new();
        assert!(histogram.is_empty());
        let zero = Duration::ZERO;
        assert_eq!(
            (
                histogram.percentile(0.99),
                histogram.mean(),
                histogram.max()
            ),
            (zero, zero, zero)
        );
    }

    #[test]
    fn two_that_are_merged_are_as_one_that_counted_all() {
        let (mut all, mut one, mut other) =
            (Histogram::new(), Histogram::new(), Buckets::<u32, 8>::new());
        for n in 0..1_000 {
            all.record(micros(n * n));
            match n % 3 {
                0 => one.record(micros(n * n)),
                _ => other.record(micros(n * n)),
            }
        }
        one.merge(&other);
        assert_eq!(one, all);
    }

    #[test]
    fn buckets_lie_side_by_side() {
        let mut histogram = SmallHistogram::new();
        (0..=160_000).for_each(|n| histogram.record(Duration::from_nanos(n * 100)));
        let edges: Vec<_> = histogram.buckets().collect();
        let gap = edges.windows(2).find(|pair| pair[0].1 != pair[1].0);
        assert_eq!((gap, edges[0].0), (None, Duration::ZERO));
        assert_eq!(edges.iter().map(|bucket| bucket.2).sum::<u64>(), 160_001);
    }
}
