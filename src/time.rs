//! Deadlines and the wall clock, both without reading a clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::{Duration, Instant, SystemTime};

/// Many deadlines, one per key; the earliest is known at once.
///
/// Setting a key again moves it. A moved or removed deadline stays in the heap until it comes to the
/// top, so every operation costs `O(log n)` and the heap is rebuilt once the stale entries outnumber
/// the live ones.
///
/// `S` hashes the keys; a quick one will do where nobody outside can choose them.
#[derive(Debug)]
pub struct DeadlineQueue<K, S = RandomState> {
    live: HashMap<K, (Instant, u64), S>,
    heap: BinaryHeap<Reverse<(Instant, u64, K)>>,
    issued: u64,
}

impl<K: Clone + Eq + Hash + Ord> DeadlineQueue<K> {
    /// A queue without deadlines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<K: Clone + Eq + Hash + Ord, S: BuildHasher> DeadlineQueue<K, S> {
    /// Sets or moves the deadline of `key`; `None` removes it.
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        let Some(at) = at else {
            self.live.remove(&key);
            self.shrink();
            return;
        };
        if self.live.get(&key).is_some_and(|(known, _)| *known == at) {
            return;
        }
        self.issued += 1;
        self.live.insert(key.clone(), (at, self.issued));
        self.heap.push(Reverse((at, self.issued, key)));
        self.shrink();
    }

    /// Takes one key whose deadline is not after `now`, in order of time, then of setting.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Option<K> {
        self.drop_stale();
        if self.heap.peek().is_none_or(|Reverse((at, _, _))| *at > now) {
            return None;
        }
        let Reverse((_, _, key)) = self.heap.pop()?;
        self.live.remove(&key);
        Some(key)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.drop_stale();
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    fn drop_stale(&mut self) {
        while let Some(Reverse((_, serial, key))) = self.heap.peek() {
            if self.live.get(key).is_some_and(|(_, live)| live == serial) {
                return;
            }
            self.heap.pop();
        }
    }

    fn shrink(&mut self) {
        if self.heap.len() > 2 * self.live.len() + 64 {
            let live = &self.live;
            self.heap.retain(|Reverse((_, serial, key))| {
                live.get(key).is_some_and(|(_, current)| current == serial)
            });
        }
    }
}

impl<K, S: Default> Default for DeadlineQueue<K, S>
where
    K: Clone + Eq + Hash + Ord,
{
    fn default() -> Self {
        Self {
            live: HashMap::default(),
            heap: BinaryHeap::new(),
            issued: 0,
        }
    }
}

/// Where an [`Instant`] lies on the wall clock: one pair of readings, taken by the shell at start.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    instant: Instant,
    wall: SystemTime,
}

impl Epoch {
    /// States that `instant` and `wall` are the same moment.
    #[must_use]
    pub const fn new(instant: Instant, wall: SystemTime) -> Self {
        Self { instant, wall }
    }

    /// The wall time of `at`.
    #[must_use]
    pub fn wall(&self, at: Instant) -> SystemTime {
        if at >= self.instant {
            self.wall + at.duration_since(self.instant)
        } else {
            self.wall - self.instant.duration_since(at)
        }
    }

    /// Time since 1970-01-01 UTC; zero for a wall clock set before it.
    #[must_use]
    pub fn since_1970(&self, at: Instant) -> Duration {
        self.wall(at)
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}

/// Lets one through in a second and counts the others: for what a flood must not write to the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seldom {
    next: Option<Instant>,
    held: u64,
}

impl Seldom {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// `Some` when this one may pass: how many were held back since the last one that did.
    #[must_use]
    pub fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.held += 1;
            return None;
        }
        self.next = Some(now + Self::INTERVAL);
        Some(std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_in_order_of_time_and_not_before_it() {
        let start = crate::sim::start();
        let mut queue = DeadlineQueue::new();
        queue.set("late", Some(start + Duration::from_secs(2)));
        queue.set("soon", Some(start + Duration::from_secs(1)));
        assert_eq!(queue.poll(start), None);
        assert_eq!(queue.poll_timeout(), Some(start + Duration::from_secs(1)));
        let end = start + Duration::from_secs(3);
        assert_eq!(
            [queue.poll(end), queue.poll(end), queue.poll(end)],
            [Some("soon"), Some("late"), None]
        );
    }

    #[test]
    fn moved_and_removed_deadlines_do_not_fire() {
        let start = crate::sim::start();
        let mut queue = DeadlineQueue::new();
        queue.set(1, Some(start));
        queue.set(1, Some(start + Duration::from_secs(5)));
        queue.set(2, Some(start));
        queue.set(2, None);
        assert_eq!(queue.poll(start + Duration::from_secs(4)), None);
        assert_eq!(queue.poll(start + Duration::from_secs(5)), Some(1));
    }

    #[test]
    fn one_in_a_second_passes_and_tells_how_many_did_not() {
        let start = crate::sim::start();
        let mut seldom = Seldom::default();
        let passed: Vec<Option<u64>> = [0, 10, 999, 1000, 1001]
            .map(|millis| seldom.pass(start + Duration::from_millis(millis)))
            .into();
        assert_eq!(passed, [Some(0), None, None, Some(2), None]);
    }

    #[test]
    fn a_deadline_moved_a_million_times_keeps_the_heap_small() {
        let start = crate::sim::start();
        let mut queue = DeadlineQueue::new();
        for step in 0..1_000_000u64 {
            queue.set(7, Some(start + Duration::from_micros(step)));
        }
        assert!(queue.heap.len() < 100);
    }
}
