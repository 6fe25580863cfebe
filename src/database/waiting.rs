//! Documents that are told of and not yet written.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::dirty::{Dirty, Taken};
use super::document::{Document, Kind, ListQuery};

/// The newest of each document that waits to be written; bounded.
#[derive(Debug)]
pub(super) struct Waiting {
    kinds: BTreeMap<Kind, HashMap<Uuid, Document>>,
    dirty: Dirty<(Kind, Uuid)>,
    octets: usize,
    dropped: u64,
    most: Bound,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) documents: usize,
    pub(super) octets: usize,
}

impl Bound {
    /// Several minutes of a busy switch, so that a database may be started anew.
    pub(super) const DEFAULT: Self = Self {
        documents: 200_000,
        octets: 256 << 20,
    };
}

/// A document with the mark under which it was taken.
pub(super) type TakenDocument = (Taken<(Kind, Uuid)>, Document);

/// What a list has to know of what waits.
pub(super) struct Overlay {
    /// What belongs into the list, newest first, no more of it than the list has.
    pub(super) documents: Vec<Document>,
    /// All that the database knows older, or not at all.
    pub(super) ids: HashSet<Uuid>,
    /// How many of them are deleted, so that the database may show them in vain.
    pub(super) hidden: usize,
}

impl Waiting {
    pub(super) fn new(most: Bound) -> Self {
        Self {
            kinds: BTreeMap::new(),
            dirty: Dirty::new(),
            octets: 0,
            dropped: 0,
            most,
        }
    }

    /// Takes `document` in; gives what it replaces, to be let go of where nobody waits for that.
    #[must_use]
    pub(super) fn keep(&mut self, document: Document) -> Option<Document> {
        self.dirty.mark((document.kind, document.id));
        self.octets += octets(&document);
        let of_kind = self.kinds.entry(document.kind).or_default();
        let replaced = of_kind.insert(document.id, document);
        self.octets -= replaced.as_ref().map_or(0, octets);
        while self.len() > self.most.documents || self.octets > self.most.octets {
            let Some(oldest) = self.dirty.forget_oldest() else {
                break;
            };
            self.remove(&oldest);
            self.dropped += 1;
        }
        replaced
    }

    /// Takes up to `most` to be written; they stay readable here until then.
    pub(super) fn take(&mut self, most: usize) -> Vec<TakenDocument> {
        let taken = self.dirty.take(most);
        taken
            .into_iter()
            .filter_map(|taken| {
                let (kind, id) = taken.key;
                let document = self.get(kind, id)?.clone();
                Some((taken, document))
            })
            .collect()
    }

    /// States that what was taken stands in the database, or never will.
    pub(super) fn written(&mut self, taken: &Taken<(Kind, Uuid)>) {
        if self.dirty.written(taken) {
            self.remove(&taken.key);
        }
    }

    /// Returns what was taken and not written.
    pub(super) fn put_back(&mut self, taken: Vec<Taken<(Kind, Uuid)>>) {
        self.dirty.put_back(taken);
    }

    /// Lets what waits under this id go, unless it came after `serial`: the database knows better.
    pub(super) fn forget(&mut self, kind: Kind, id: Uuid, serial: u64) {
        if self.dirty.forget(&(kind, id), serial) {
            self.remove(&(kind, id));
        }
    }

    pub(super) fn get(&self, kind: Kind, id: Uuid) -> Option<&Document> {
        self.kinds.get(&kind)?.get(&id)
    }

    /// The living one with `key`.
    pub(super) fn find(&self, kind: Kind, key: &str) -> Option<&Document> {
        self.of(kind)
            .find(|document| document.key.as_deref() == Some(key) && document.deleted.is_none())
    }

    /// Whether any of this kind waits, which may have a key, or have had one that is free now.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.of(kind).next().is_some()
    }

    /// What a list has to know.
    pub(super) fn overlay(&self, query: &ListQuery) -> Overlay {
        let covered: Vec<&Document> = self
            .of(query.kind)
            .filter(|document| document.deleted.is_some() || query.covers(document))
            .collect();
        let mut matching: Vec<&Document> = covered
            .iter()
            .copied()
            .filter(|document| query.matches(document))
            .collect();
        let hidden = covered.len() - matching.len();
        newest_first(&mut matching, query.limit, |document| document);
        Overlay {
            documents: matching.into_iter().cloned().collect(),
            ids: covered.iter().map(|document| document.id).collect(),
            hidden,
        }
    }

    pub(super) fn last_serial(&self) -> u64 {
        self.dirty.last_serial()
    }

    pub(super) fn len(&self) -> usize {
        self.dirty.len()
    }

    /// How many were let go of unwritten since the beginning.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Document> {
        self.kinds.get(&kind).into_iter().flat_map(HashMap::values)
    }

    fn remove(&mut self, (kind, id): &(Kind, Uuid)) {
        let removed = self
            .kinds
            .get_mut(kind)
            .and_then(|of_kind| of_kind.remove(id));
        self.octets -= removed.as_ref().map_or(0, octets);
    }
}

/// Brings `list` into the order of lists and cuts it after `limit`, but not between two of one age.
pub(super) fn newest_first<T>(list: &mut Vec<T>, limit: u32, document: impl Fn(&T) -> &Document) {
    list.sort_unstable_by(|one, other| {
        let (one, other) = (document(one), document(other));
        (other.created, other.id).cmp(&(one.created, one.id))
    });
    let limit = limit as usize;
    let Some(last) = limit.checked_sub(1).and_then(|last| list.get(last)) else {
        list.truncate(limit);
        return;
    };
    let oldest = document(last).created;
    let end = list.partition_point(|one| document(one).created >= oldest);
    list.truncate(end);
}

/// About how much memory `document` takes here.
fn octets(document: &Document) -> usize {
    /// The document itself and its places in the tables.
    const FRAME: usize = 400;
    FRAME
        + document.body.octets()
        + document.hidden.as_ref().map_or(0, |hidden| hidden.len())
        + document.key.as_ref().map_or(0, String::len)
}
