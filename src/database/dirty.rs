//! What has to be written, each thing once however often it changes.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Keys of what changed, in the order of their first change since they were last taken.
///
/// ```text
///   mark ──> queued ── take ──> taken ── written ──> gone
///              ^                  |  \── written, but marked since: stays queued
///              '──── put_back ────'
/// ```
#[derive(Debug)]
pub(super) struct Dirty<K> {
    marks: HashMap<K, Mark>,
    /// Keys with the ticket they stand here by; those whose mark has another are passed over.
    order: VecDeque<(K, u64)>,
    issued: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// When it last changed.
    serial: u64,
    /// Its place in the order, unless it is taken.
    ticket: Option<u64>,
}

/// A key as it was when it was taken.
#[derive(Clone, Debug)]
pub(super) struct Taken<K> {
    pub(super) key: K,
    serial: u64,
}

impl<K: Clone + Eq + Hash> Dirty<K> {
    pub(super) fn new() -> Self {
        Self {
            marks: HashMap::new(),
            order: VecDeque::new(),
            issued: 0,
        }
    }

    /// States that `key` has changed.
    pub(super) fn mark(&mut self, key: K) {
        self.issued += 1;
        let serial = self.issued;
        match self.marks.get_mut(&key) {
            Some(mark) if mark.ticket.is_some() => mark.serial = serial,
            _ => {
                let ticket = Some(serial);
                self.marks.insert(key.clone(), Mark { serial, ticket });
                self.order.push_back((key, serial));
            }
        }
    }

    /// Takes up to `most`, those first that wait longest.
    pub(super) fn take(&mut self, most: usize) -> Vec<Taken<K>> {
        let mut taken = Vec::with_capacity(most.min(self.order.len()));
        while taken.len() < most {
            let Some((key, ticket)) = self.order.pop_front() else {
                break;
            };
            let mark = self.marks.get_mut(&key);
            if let Some(mark) = mark.filter(|mark| mark.ticket == Some(ticket)) {
                mark.ticket = None;
                let serial = mark.serial;
                taken.push(Taken { key, serial });
            }
        }
        taken
    }

    /// States that what was taken is written; whether nothing newer waits under its key.
    pub(super) fn written(&mut self, taken: &Taken<K>) -> bool {
        let is_same = self.serial(&taken.key) == Some(taken.serial);
        if is_same {
            self.remove(&taken.key);
        }
        is_same
    }

    /// Returns what was not written to where it stood; what has been written or forgotten stays so.
    pub(super) fn put_back(&mut self, taken: Vec<Taken<K>>) {
        for Taken { key, .. } in taken.into_iter().rev() {
            if let Some(mark) = self
                .marks
                .get_mut(&key)
                .filter(|mark| mark.ticket.is_none())
            {
                self.issued += 1;
                mark.ticket = Some(self.issued);
                self.order.push_front((key, self.issued));
            }
        }
    }

    /// Lets `key` go unwritten, unless it was marked after `serial`; whether it did.
    pub(super) fn forget(&mut self, key: &K, serial: u64) -> bool {
        let is_old = self.serial(key).is_some_and(|known| known <= serial);
        if is_old {
            self.remove(key);
        }
        is_old
    }

    /// Lets the one go unwritten that waits longest, and gives its key.
    pub(super) fn forget_oldest(&mut self) -> Option<K> {
        let oldest = self.take(1).pop()?;
        self.marks.remove(&oldest.key);
        Some(oldest.key)
    }

    fn remove(&mut self, key: &K) {
        self.marks.remove(key);
        if self.order.len() > 2 * self.marks.len() + 64 {
            let marks = &self.marks;
            self.order.retain(|(key, ticket)| {
                marks
                    .get(key)
                    .is_some_and(|mark| mark.ticket == Some(*ticket))
            });
        }
    }

    /// The number of the last mark.
    pub(super) fn last_serial(&self) -> u64 {
        self.issued
    }

    /// How many wait, taken or not.
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    fn serial(&self, key: &K) -> Option<u64> {
        self.marks.get(key).map(|mark| mark.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(taken: &[Taken<u8>]) -> Vec<u8> {
        taken.iter().map(|taken| taken.key).collect()
    }

    #[test]
    fn what_changes_often_is_taken_once_in_the_order_of_its_first_change() {
        let mut dirty = Dirty::new();
        [1, 2, 1, 3, 2].into_iter().for_each(|key| dirty.mark(key));
        assert_eq!(keys(&dirty.take(2)), [1, 2]);
        assert_eq!(keys(&dirty.take(9)), [3]);
    }

    #[test]
    fn what_changes_while_it_is_written_is_written_again() {
        let mut dirty = Dirty::new();
        dirty.mark(1);
        let taken = dirty.take(9);
        dirty.mark(1);
        assert!(!dirty.written(&taken[0]));
        let again = dirty.take(9);
        assert_eq!(keys(&again), [1]);
        assert!(dirty.written(&again[0]));
        assert_eq!(dirty.len(), 0);
    }

    #[test]
    fn what_could_not_be_written_comes_first_the_next_time() {
        let mut dirty = Dirty::new();
        [1, 2].into_iter().for_each(|key| dirty.mark(key));
        let taken = dirty.take(9);
        dirty.mark(3);
        dirty.mark(1);
        dirty.put_back(taken);
        assert_eq!(keys(&dirty.take(9)), [2, 3, 1]);
    }

    #[test]
    fn what_is_forgotten_is_not_taken_unless_it_changed_since() {
        let mut dirty = Dirty::new();
        [1, 2].into_iter().for_each(|key| dirty.mark(key));
        let serial = dirty.last_serial();
        dirty.mark(2);
        assert!(dirty.forget(&1, serial));
        assert!(!dirty.forget(&2, serial));
        assert_eq!(dirty.forget_oldest(), Some(2));
        assert_eq!(dirty.len(), 0);
        assert_eq!(keys(&dirty.take(9)), [0; 0]);
    }

    #[test]
    fn what_comes_and_goes_untaken_leaves_nothing_behind() {
        let mut dirty = Dirty::new();
        dirty.mark(0_u64);
        for key in 1..10_000 {
            dirty.mark(key);
            assert!(dirty.forget(&key, dirty.last_serial()));
        }
        assert!(dirty.order.len() < 100, "{}", dirty.order.len());
        assert_eq!(dirty.forget_oldest(), Some(0));
    }
}
