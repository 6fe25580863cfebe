//! Which RTP ports are free.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::seq::SliceRandom;

/// How long a closed pair rests while others are free, so that a new call does not hear the late packets
/// of an old one.
const QUARANTINE: Duration = Duration::from_secs(10);

/// Pairs of an even RTP port and the odd RTCP port after it (RFC 3550 §11).
///
/// The order is random, so that a port of a call tells nothing about the next one. The pair that has been
/// closed longest is used first; only when every free one is still in quarantine is it used early.
#[derive(Debug)]
pub(super) struct PortPool {
    fresh: Vec<u16>,
    closed: VecDeque<(u16, Instant)>,
}

impl PortPool {
    /// The pairs in `range`.
    pub(super) fn new(range: RangeInclusive<u16>, rng: &mut impl Rng) -> Self {
        let (first, last) = (
            u32::from(*range.start()).next_multiple_of(2),
            u32::from(*range.end()),
        );
        let mut fresh: Vec<u16> = (first.max(2)..last)
            .step_by(2)
            .filter_map(|port| u16::try_from(port).ok())
            .collect();
        fresh.shuffle(rng);
        Self {
            fresh,
            closed: VecDeque::new(),
        }
    }

    /// Takes the RTP port of a free pair.
    pub(super) fn take(&mut self, now: Instant) -> Option<u16> {
        let rested = self
            .closed
            .front()
            .is_some_and(|(_, since)| now.saturating_duration_since(*since) >= QUARANTINE);
        if rested || self.fresh.is_empty() {
            return self.closed.pop_front().map(|(port, _)| port);
        }
        self.fresh.pop()
    }

    /// Gives a pair back, closed at `now` or found in use by somebody else.
    pub(super) fn give_back(&mut self, port: u16, now: Instant) {
        self.closed.push_back((port, now));
    }

    /// How many pairs are free, in quarantine or not.
    pub(super) fn free(&self) -> usize {
        self.fresh.len() + self.closed.len()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::sim::start;

    fn pool(range: RangeInclusive<u16>) -> PortPool {
        PortPool::new(range, &mut StdRng::seed_from_u64(1))
    }

    fn drain(pool: &mut PortPool, now: Instant) -> Vec<u16> {
        let mut ports: Vec<u16> = std::iter::from_fn(|| pool.take(now)).collect();
        ports.sort_unstable();
        ports
    }

    #[test]
    fn pairs_begin_at_even_ports_and_end_inside_the_range() {
        assert_eq!(
            drain(&mut pool(10_001..=10_008), start()),
            [10_002, 10_004, 10_006]
        );
        assert_eq!(drain(&mut pool(10_000..=10_001), start()), [10_000]);
        assert_eq!(
            drain(&mut pool(65_530..=65_535), start()),
            [65_530, 65_532, 65_534]
        );
        assert!(drain(&mut pool(10_000..=10_000), start()).is_empty());
    }

    #[test]
    fn a_closed_pair_rests_while_another_is_free() {
        let mut pool = pool(10_000..=10_003);
        let first = pool.take(start()).unwrap();
        pool.give_back(first, start());
        let second = pool.take(start() + QUARANTINE / 2).unwrap();
        assert_ne!(second, first);
        pool.give_back(second, start() + QUARANTINE / 2);
        assert_eq!(pool.take(start() + QUARANTINE), Some(first));
    }

    #[test]
    fn when_every_free_pair_rests_the_longest_closed_is_used() {
        let mut pool = pool(10_000..=10_003);
        let (first, second) = (pool.take(start()).unwrap(), pool.take(start()).unwrap());
        assert_eq!(pool.take(start()), None);
        pool.give_back(second, start());
        pool.give_back(first, start());
        assert_eq!(pool.take(start()), Some(second));
        assert_eq!(pool.free(), 1);
    }
}
