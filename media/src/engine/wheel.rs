//! When which session or bridge is next due, in steps of one millisecond.
//!
//! ```text
//!   now                            64 slots of 1 ms
//!    |  .--.--.--.--.--.--.- ... -.--.
//!    '->|  |s1|  |s2|s4|  |       |s3|   <- far: in order, what is due later
//!       '--'--'--'--'--'--'- ... -'--'
//! ```
//!
//! A session sends on the same slot of every packet time, so a newcomer is put on the emptiest slot of
//! the next few milliseconds: a thousand sessions do not all send in the same instant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How many slots lie ahead; must exceed the longest packet time (60 ms), so that a session in full
/// swing never lies far.
const SLOTS: u64 = 64;

/// Length of a slot.
const SLOT: Duration = Duration::from_millis(1);

/// Room of a slot from the start, so that a small engine never grows one.
const ROOM: usize = 16;

/// How many slots a newcomer may wait for a quiet one.
const PICK_AMONG: u64 = 5;

/// Deadlines of sessions and bridges, rounded up to a millisecond.
///
/// What fires although it is no longer wanted is ignored by its owner; but it wakes a thread, so it is better
/// taken off.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    start: Instant,
    /// First slot that has not been taken yet, counted from `start`.
    cursor: u64,
    slots: Vec<Vec<K>>,
    /// Bit `n` says that `slots[n]` holds something.
    occupied: u64,
    far: BTreeSet<(u64, K)>,
    /// The slot being handed out, and how much of it is gone.
    ready: Vec<K>,
    taken: usize,
}

impl<K: Copy + Ord> Wheel<K> {
    /// An empty wheel whose first slot begins at `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            cursor: 0,
            slots: (0..SLOTS).map(|_| Vec::with_capacity(ROOM)).collect(),
            occupied: 0,
            far: BTreeSet::new(),
            ready: Vec::with_capacity(ROOM),
            taken: 0,
        }
    }

    /// Puts `who` on the slot that begins at or after `at`; returns when that is.
    pub(crate) fn arm(&mut self, at: Instant, who: K) -> Instant {
        let slot = self.slot_at_or_after(at).max(self.cursor);
        if slot - self.cursor < SLOTS {
            self.put(slot, who);
        } else {
            self.far.insert((slot, who));
        }
        self.begin_of(slot)
    }

    /// Takes `who` off the slot that begins at or after `at`, where it was put for that time.
    pub(crate) fn disarm(&mut self, at: Instant, who: K) {
        let slot = self.slot_at_or_after(at);
        if self.far.remove(&(slot, who)) || !(self.cursor..self.cursor + SLOTS).contains(&slot) {
            return;
        }
        let near = &mut self.slots[Self::index(slot)];
        if let Some(at) = near.iter().position(|known| *known == who) {
            near.swap_remove(at);
            if near.is_empty() {
                self.occupied &= !(1 << Self::index(slot));
            }
        }
    }

    /// Takes the next one whose slot has begun by `now`, oldest slot first.
    pub(crate) fn take(&mut self, now: Instant) -> Option<K> {
        loop {
            if let Some(who) = self.ready.get(self.taken) {
                self.taken += 1;
                return Some(*who);
            }
            self.ready.clear();
            self.taken = 0;
            let last = self.slot_before_or_at(now)?;
            self.pull_far();
            match self.next_near() {
                Some(slot) if slot <= last => {
                    let index = Self::index(slot);
                    std::mem::swap(&mut self.ready, &mut self.slots[index]);
                    self.occupied &= !(1 << index);
                    self.cursor = slot + 1;
                }
                Some(_) => {
                    self.cursor = self.cursor.max(last + 1);
                    return None;
                }
                None => match self.far.first() {
                    Some((slot, _)) if *slot <= last => self.cursor = *slot,
                    _ => {
                        self.cursor = self.cursor.max(last + 1);
                        return None;
                    }
                },
            }
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let far = self.far.first().map(|(slot, _)| *slot);
        let slot = match (self.next_near(), far) {
            (Some(near), Some(far)) => near.min(far),
            (near, far) => near.or(far)?,
        };
        Some(self.begin_of(slot.max(self.cursor)))
    }

    /// The emptiest of the next few slots: where something periodic should begin.
    pub(crate) fn quiet_slot(&self, now: Instant) -> Instant {
        let first = self.slot_at_or_after(now).max(self.cursor);
        let quietest = (first..first + PICK_AMONG)
            .min_by_key(|slot| self.slots[Self::index(*slot)].len())
            .unwrap_or(first);
        self.begin_of(quietest)
    }

    fn put(&mut self, slot: u64, who: K) {
        let index = Self::index(slot);
        self.slots[index].push(who);
        self.occupied |= 1 << index;
    }

    fn pull_far(&mut self) {
        while let Some((slot, who)) = self.far.first().copied() {
            if slot >= self.cursor + SLOTS {
                break;
            }
            self.far.pop_first();
            self.put(slot.max(self.cursor), who);
        }
    }

    fn next_near(&self) -> Option<u64> {
        let turned = self.occupied.rotate_right((self.cursor % SLOTS) as u32);
        (turned != 0).then(|| self.cursor + u64::from(turned.trailing_zeros()))
    }

    fn begin_of(&self, slot: u64) -> Instant {
        self.start + Duration::from_millis(slot)
    }

    fn slot_at_or_after(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        since.as_nanos().div_ceil(SLOT.as_nanos()) as u64
    }

    fn slot_before_or_at(&self, now: Instant) -> Option<u64> {
        let since = now.checked_duration_since(self.start)?;
        Some(since.as_millis() as u64)
    }

    const fn index(slot: u64) -> usize {
        (slot % SLOTS) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::SessionId;
    use crate::sim::start;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn taken(wheel: &mut Wheel<SessionId>, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| wheel.take(now))
            .map(|session| session.0)
            .collect()
    }

    #[test]
    fn a_session_is_due_at_its_millisecond_and_not_before() {
        let mut wheel = Wheel::new(start());
        let due = wheel.arm(start() + Duration::from_micros(19_300), SessionId(1));
        assert_eq!(due, start() + ms(20));
        assert_eq!(wheel.next(), Some(start() + ms(20)));
        assert_eq!(taken(&mut wheel, start() + ms(19)), []);
        assert_eq!(taken(&mut wheel, start() + ms(20)), [1]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn far_and_near_deadlines_come_in_order_after_a_long_idle_time() {
        let mut wheel = Wheel::new(start());
        for (session, at) in [
            (1, 15_000),
            (2, 10),
            (3, 5_000),
            (4, 63),
            (5, 64),
            (6, 5_001),
        ] {
            wheel.arm(start() + ms(at), SessionId(session));
        }
        assert_eq!(taken(&mut wheel, start() + ms(6_000)), [2, 4, 5, 3, 6]);
        assert_eq!(wheel.next(), Some(start() + ms(15_000)));
        assert_eq!(taken(&mut wheel, start() + ms(15_000)), [1]);
    }

    #[test]
    fn what_is_taken_off_wakes_nobody_whether_it_was_near_or_far() {
        let mut wheel = Wheel::new(start());
        for at in [10, 5_000] {
            wheel.arm(start() + ms(at), SessionId(1));
            wheel.arm(start() + ms(at + 1), SessionId(1));
            wheel.arm(start() + ms(at + 1), SessionId(2));
        }
        for at in [10, 5_000, 11, 5_001] {
            wheel.disarm(start() + ms(at), SessionId(1));
            // Nothing is there any more, and nothing of another one is taken.
            wheel.disarm(start() + ms(at), SessionId(1));
            wheel.disarm(start() + ms(at), SessionId(3));
        }
        assert_eq!(wheel.next(), Some(start() + ms(11)));
        assert_eq!(taken(&mut wheel, start() + ms(4_999)), [2]);
        // What was far before has come near.
        wheel.arm(start() + ms(5_020), SessionId(4));
        wheel.disarm(start() + ms(5_020), SessionId(4));
        assert_eq!(taken(&mut wheel, start() + ms(6_000)), [2]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_deadline_in_the_past_is_due_at_the_next_slot() {
        let mut wheel = Wheel::new(start());
        assert_eq!(taken(&mut wheel, start() + ms(100)), []);
        let due = wheel.arm(start() + ms(3), SessionId(1));
        assert_eq!(due, start() + ms(101));
    }

    #[test]
    fn newcomers_spread_over_the_next_five_slots() {
        let mut wheel = Wheel::new(start());
        for session in 0..50 {
            let at = wheel.quiet_slot(start());
            wheel.arm(at, SessionId(session));
        }
        for slot in 0..5 {
            assert_eq!(taken(&mut wheel, start() + ms(slot)).len(), 10);
        }
    }

    #[test]
    fn a_session_that_rearms_every_ptime_is_due_exactly_once_a_ptime() {
        let mut wheel = Wheel::new(start());
        wheel.arm(start() + ms(7), SessionId(1));
        let mut fired = Vec::new();
        for now in 0..1_000 {
            while wheel.take(start() + ms(now)).is_some() {
                fired.push(now);
                wheel.arm(start() + ms(now + 20), SessionId(1));
            }
        }
        let expected: Vec<u64> = (0..50).map(|n| 7 + 20 * n).collect();
        assert_eq!(fired, expected);
    }
}
