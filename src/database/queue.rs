//! Deliveries of this node, in the order they fall due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::dirty::{Dirty, Taken};
use super::micros::Micros;
use super::outbox::Delivery;

/// All deliveries that this node has still to make; bounded. Pure: what is written of it is the outbox's affair.
#[derive(Debug)]
pub(super) struct Queue {
    entries: HashMap<Uuid, Entry>,
    /// Those in nobody's hands, by when they are due, then by age.
    due: BTreeSet<(Micros, u64, Uuid)>,
    /// All, by age.
    ages: BTreeMap<u64, Uuid>,
    dirty: Dirty<Uuid>,
    issued: u64,
    octets: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    age: u64,
    /// Whether the database may hold it.
    is_stored: bool,
}

/// What is to be done about a delivery in the database.
#[derive(Debug, PartialEq)]
pub(super) enum Order {
    Put(Delivery),
    Remove(Uuid),
}

/// About a day of a busy switch's events to someone who does not answer, in memory and on disk.
const MOST: usize = 100_000;
const MOST_OCTETS: usize = 64 << 20;

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            due: BTreeSet::new(),
            ages: BTreeMap::new(),
            dirty: Dirty::new(),
            issued: 0,
            octets: 0,
            dropped: 0,
        }
    }

    /// Takes a new one in.
    pub(super) fn post(&mut self, delivery: Delivery) {
        if self.entries.contains_key(&delivery.id) {
            return;
        }
        self.dirty.mark(delivery.id);
        self.insert(delivery, false);
    }

    /// Takes in what the database holds, where it is not known already.
    pub(super) fn load(&mut self, delivery: Delivery) {
        if !self.entries.contains_key(&delivery.id) {
            self.insert(delivery, true);
        }
    }

    fn insert(&mut self, delivery: Delivery, is_stored: bool) {
        self.issued += 1;
        let (age, id) = (self.issued, delivery.id);
        self.octets += delivery.octets();
        self.due.insert((delivery.next_at, age, id));
        self.ages.insert(age, id);
        let entry = Entry {
            delivery,
            age,
            is_stored,
        };
        self.entries.insert(id, entry);
        while self.entries.len() > MOST || self.octets > MOST_OCTETS {
            let Some(oldest) = self.ages.first_key_value().map(|(_, id)| *id) else {
                break;
            };
            self.delivered(oldest);
            self.dropped += 1;
        }
    }

    /// Hands out up to `limit` that are due; they come again when they are postponed.
    pub(super) fn due(&mut self, now: Micros, limit: usize) -> Vec<Delivery> {
        let mut due = Vec::new();
        while due.len() < limit && self.due.first().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, _, id)) = self.due.pop_first() else {
                break;
            };
            due.extend(self.entries.get(&id).map(|entry| entry.delivery.clone()));
        }
        due
    }

    /// When the next one is due that nobody has.
    pub(super) fn next_at(&self) -> Option<Micros> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// Done, or given up.
    pub(super) fn delivered(&mut self, id: Uuid) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.octets -= entry.delivery.octets();
        self.ages.remove(&entry.age);
        self.due.remove(&(entry.delivery.next_at, entry.age, id));
        if entry.is_stored {
            self.dirty.mark(id);
        } else {
            self.dirty.forget(&id, self.dirty.last_serial());
        }
    }

    /// To be tried again at `next_at`.
    pub(super) fn postponed(&mut self, id: Uuid, attempts: u32, next_at: Micros) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        self.due.remove(&(entry.delivery.next_at, entry.age, id));
        entry.delivery.attempts = attempts;
        entry.delivery.next_at = next_at;
        self.due.insert((next_at, entry.age, id));
        self.dirty.mark(id);
    }

    /// Takes what the database has to hear.
    pub(super) fn take(&mut self, most: usize) -> Vec<(Taken<Uuid>, Order)> {
        let taken = self.dirty.take(most);
        taken
            .into_iter()
            .map(|taken| {
                let order = match self.entries.get_mut(&taken.key) {
                    Some(entry) => {
                        entry.is_stored = true;
                        Order::Put(entry.delivery.clone())
                    }
                    None => Order::Remove(taken.key),
                };
                (taken, order)
            })
            .collect()
    }

    pub(super) fn written(&mut self, taken: &Taken<Uuid>) {
        self.dirty.written(taken);
    }

    pub(super) fn put_back(&mut self, taken: Vec<Taken<Uuid>>) {
        self.dirty.put_back(taken);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How much the database has still to hear.
    pub(super) fn unwritten(&self) -> usize {
        self.dirty.len()
    }
}
