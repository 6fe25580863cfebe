//! Documents as the rest of the house sees them: what is told is there at once, what waits and what is written is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use super::binding::{Bindings, WaitingBindings};
use super::document::{Document, Kind, ListQuery, Revision};
use super::error::{CreateError, DatabaseError};
use super::micros::Micros;
use super::node::{self, NodeRow};
use super::open::Database;
use super::outbox::Outbox;
use super::queue::Queue;
use super::statements;
use super::waiting::{Bound, Waiting, newest_first};
use super::writer::Writer;

/// The documents of one node; cheap to clone, each clone sees the same.
#[derive(Clone)]
pub struct Records {
    pub(super) memory: Arc<Memory>,
}

/// What waits to be written, and where it goes.
pub(super) struct Memory {
    pub(super) database: Database,
    pub(super) node: Arc<str>,
    pub(super) documents: Mutex<Waiting>,
    pub(super) queue: Mutex<Queue>,
    pub(super) bindings: Mutex<WaitingBindings>,
    pub(super) counts: Mutex<Counts>,
    /// Held by whoever writes documents: so an older one never comes after a newer one.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// Something waits where nothing did.
    pub(super) wake: Notify,
    /// So much waits that it is time.
    pub(super) full: Notify,
    /// Something is to be delivered where nothing was.
    pub(super) posted: Notify,
    /// The end has come.
    pub(super) closing: Notify,
}

/// What has been written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) written: u64,
    pub(super) batches: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) slowest: Duration,
}

/// How the writing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsStats {
    /// Documents that are not written yet.
    pub waiting: usize,
    /// Documents that were written, each as often as it was.
    pub written: u64,
    /// Transactions that wrote documents.
    pub batches: u64,
    /// How long the slowest of them took.
    pub slowest: Duration,
    /// Tries of the writer that failed.
    pub failed: u64,
    /// Documents that were lost: there was no room for them, or the database refused what they say.
    pub dropped: u64,
}

/// So many documents are written in a transaction at most.
pub(super) const BATCH: usize = 1000;

impl Records {
    /// The documents in `database`, as `node` reads and writes them: a name that no other node has, and that this
    /// one keeps when it is started again. Nothing is written before the writer runs.
    #[must_use]
    pub fn new(database: Database, node: &str) -> (Self, Writer) {
        Self::bounded(database, node, Bound::DEFAULT)
    }

    pub(super) fn bounded(database: Database, node: &str, bound: Bound) -> (Self, Writer) {
        let records = Self {
            memory: Arc::new(Memory {
                database,
                node: node.into(),
                documents: Mutex::new(Waiting::new(bound)),
                queue: Mutex::new(Queue::new()),
                bindings: Mutex::new(WaitingBindings::new()),
                counts: Mutex::default(),
                writing: tokio::sync::Mutex::new(()),
                wake: Notify::new(),
                full: Notify::new(),
                posted: Notify::new(),
                closing: Notify::new(),
            }),
        };
        (records.clone(), Writer::new(records))
    }

    /// What is to be delivered to others.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::clone(&self.memory))
    }

    /// Where the phones of all nodes are.
    #[must_use]
    pub fn bindings(&self) -> Bindings {
        Bindings::new(Arc::clone(&self.memory))
    }

    /// Takes `document` in: it is read from now on, and written within about 200 ms. The newest of an id wins.
    /// Never waits. A document whose key another living one has is refused when it is written, and counted.
    pub fn keep(&self, document: Document) {
        let mut documents = self.documents();
        let before = documents.len();
        let replaced = documents.keep(document);
        let after = documents.len();
        drop(documents);
        self.memory.tell_writer(before, after);
        drop(replaced);
    }

    /// The document, also when it is deleted.
    ///
    /// # Errors
    ///
    /// When the database fails; what waits is found all the same.
    pub async fn get(&self, kind: Kind, id: Uuid) -> Result<Option<Document>, DatabaseError> {
        let waiting = self.documents().get(kind, id).cloned();
        if waiting.is_some() {
            return Ok(waiting);
        }
        statements::get(&self.memory.database.pool, kind, id).await
    }

    /// The living one with `key`.
    ///
    /// # Errors
    ///
    /// When the database fails; what waits is found all the same.
    pub async fn find(&self, kind: Kind, key: &str) -> Result<Option<Document>, DatabaseError> {
        let waiting = self.documents().find(kind, key).cloned();
        if waiting.is_some() {
            return Ok(waiting);
        }
        let found = statements::find(&self.memory.database.pool, kind, key).await?;
        // What waits under its id has another key by now, or is deleted.
        Ok(found.filter(|found| self.documents().get(kind, found.id).is_none()))
    }

    /// The living ones that `query` asks for, newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<Document>, DatabaseError> {
        let overlay = self.documents().overlay(query);
        let hidden = u32::try_from(overlay.hidden).unwrap_or(u32::MAX);
        let limit = query.limit.saturating_add(hidden);
        let mut list = statements::list(&self.memory.database.pool, query, limit).await?;
        list.retain(|document| !overlay.ids.contains(&document.id));
        list.extend(overlay.documents);
        newest_first(&mut list, query.limit, |document| document);
        Ok(list)
    }

    /// All living ones, newest first: for what is configured, not for what happened.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn all(&self, kind: Kind) -> Result<Vec<Document>, DatabaseError> {
        let everything = ListQuery {
            kind,
            parent: None,
            before: None,
            limit: u32::MAX,
        };
        let overlay = self.documents().overlay(&everything);
        let mut all = statements::all(&self.memory.database.pool, kind).await?;
        all.retain(|document| !overlay.ids.contains(&document.id));
        all.extend(overlay.documents);
        newest_first(&mut all, u32::MAX, |document| document);
        Ok(all)
    }

    /// Writes a new document at once; when this returns it stays.
    ///
    /// # Errors
    ///
    /// [`CreateError::Taken`] when its id is there, or another living one of its kind has its key.
    pub async fn create(&self, document: Document) -> Result<(), CreateError> {
        let _turn = self.turn(document.kind).await?;
        let memory = &self.memory;
        if self.documents().get(document.kind, document.id).is_some() {
            return Err(CreateError::Taken);
        }
        Ok(statements::create(&memory.database.pool, &memory.node, &document).await?)
    }

    /// Writes `document` at once over what stands under its id, if anything does; when this returns it stays.
    ///
    /// # Errors
    ///
    /// [`CreateError::Taken`] when another living one of its kind has its key.
    pub async fn replace(&self, document: Document) -> Result<(), CreateError> {
        let _turn = self.turn(document.kind).await?;
        let memory = &self.memory;
        let serial = self.documents().last_serial();
        statements::replace(&memory.database.pool, &memory.node, &[&document]).await?;
        self.documents().forget(document.kind, document.id, serial);
        Ok(())
    }

    /// What other nodes wrote of `kinds` after `after`, deleted ones too, in the order they wrote it, and how far
    /// that goes. Only shared kinds have changes.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn changes(
        &self,
        kinds: &[Kind],
        after: Revision,
    ) -> Result<(Vec<Document>, Revision), DatabaseError> {
        let memory = &self.memory;
        statements::changes(&memory.database.pool, &memory.node, kinds, after).await
    }

    /// Where changes stand: to be taken before reading all, so that what comes between is told as a change.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn revision(&self) -> Result<Revision, DatabaseError> {
        statements::revision(&self.memory.database.pool).await
    }

    /// Deletes up to `limit` documents of `kinds` for good that came to be and last changed before `before`; how
    /// many it were. To be asked again while it is `limit`, with a pause, so that others get their turn.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn delete_older_than(
        &self,
        kinds: &[Kind],
        before: Micros,
        limit: u32,
    ) -> Result<u64, DatabaseError> {
        let pool = &self.memory.database.pool;
        let mut deleted = 0;
        for kind in kinds {
            let left = u64::from(limit).saturating_sub(deleted);
            if left == 0 {
                break;
            }
            let left = u32::try_from(left).unwrap_or(limit);
            deleted += statements::delete_older(pool, *kind, before, left).await?;
        }
        Ok(deleted)
    }

    /// Removes up to `limit` documents of any kind that were deleted before `before`; how many it were.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_deleted(&self, before: Micros, limit: u32) -> Result<u64, DatabaseError> {
        statements::delete_deleted(&self.memory.database.pool, before, limit).await
    }

    /// Writes all that waits now, of documents, outbox and bindings, and waits for it.
    ///
    /// # Errors
    ///
    /// When the database fails; then it goes on waiting.
    pub async fn flush(&self) -> Result<(), DatabaseError> {
        let batches = self.memory.waiting() / BATCH + 1;
        for _ in 0..batches {
            self.write_batch().await?;
        }
        Ok(())
    }

    /// How the writing goes.
    #[must_use]
    pub fn stats(&self) -> RecordsStats {
        let counts = *locked(&self.memory.counts);
        let documents = self.documents();
        RecordsStats {
            waiting: documents.len(),
            written: counts.written,
            batches: counts.batches,
            slowest: counts.slowest,
            failed: counts.failed,
            dropped: documents.dropped() + counts.refused,
        }
    }

    /// Tells the writer to write what waits and to end.
    pub fn close(&self) {
        self.memory.closing.notify_one();
    }

    /// Says that this node lives and where its SIP is reached; to be repeated. The clocks of all nodes must agree
    /// within a few seconds.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn announce(&self, sip_address: &str, now: Micros) -> Result<(), DatabaseError> {
        let memory = &self.memory;
        node::announce(&memory.database.pool, &memory.node, sip_address, now).await
    }

    /// The nodes that said so after `since`, this one among them.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn alive(&self, since: Micros) -> Result<Vec<NodeRow>, DatabaseError> {
        node::alive(&self.memory.database.pool, since).await
    }

    /// What stands under `key` for all nodes, which is `value` when nothing stood there: the first one wins.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn get_or_insert(&self, key: &str, value: &str) -> Result<String, DatabaseError> {
        node::get_or_insert(&self.memory.database.pool, key, value).await
    }

    pub(super) fn documents(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.memory.documents)
    }

    /// The right to write documents, once those of `kind` are written that wait: they may have or free a key.
    async fn turn(&self, kind: Kind) -> Result<tokio::sync::MutexGuard<'_, ()>, DatabaseError> {
        let batches = self.documents().len() / BATCH + 1;
        for _ in 0..batches {
            if !self.documents().has(kind) {
                break;
            }
            self.write_batch().await?;
        }
        Ok(self.memory.writing.lock().await)
    }
}

impl Memory {
    /// How much waits, of everything.
    pub(super) fn waiting(&self) -> usize {
        locked(&self.documents).len()
            + locked(&self.queue).unwritten()
            + locked(&self.bindings).len()
    }

    /// Wakes the writer when what waits has become more than nothing, or enough.
    pub(super) fn tell_writer(&self, before: usize, after: usize) {
        if before == 0 && after > 0 {
            self.wake.notify_one();
        }
        if before < BATCH && after >= BATCH {
            self.full.notify_one();
        }
    }
}

/// Nothing in here is left half done by a panic, so what it guards is as good as before.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
