//! Writes what waits, in batches, for as long as it takes.

use std::time::{Duration, Instant};

use tracing::{info, warn};
use uuid::Uuid;

use super::binding;
use super::dirty::Taken;
use super::document::{Document, Kind};
use super::error::DatabaseError;
use super::outbox;
use super::records::{BATCH, Memory, Records, locked};
use super::statements;

/// The task that writes what was kept, posted and bound.
pub struct Writer {
    records: Records,
}

/// So long may something wait before it is written.
const INTERVAL: Duration = Duration::from_millis(200);

/// Pauses after the first failure and after many.
const PAUSES: (Duration, Duration) = (INTERVAL, Duration::from_secs(10));

/// At the end it is tried for so long before what is left is given up.
const FAREWELL: Duration = Duration::from_secs(10);

/// While it fails a warning is written so often.
const WARNING: Duration = Duration::from_secs(60);

impl Writer {
    pub(super) fn new(records: Records) -> Self {
        Self { records }
    }

    /// Writes until [`Records::close`] is called and everything is written. What cannot be written within ten
    /// seconds then is lost, with a warning.
    pub async fn run(self) {
        let memory = &self.records.memory;
        tokio::select! {
            biased;
            () = self.write_on() => {}
            () = memory.closing.notified() => {}
        }
        let end = tokio::time::timeout(FAREWELL, async {
            let mut pause = PAUSES.0;
            while memory.waiting() > 0 {
                if self.write().await.is_err() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        });
        if end.await.is_err() {
            warn!(
                waiting = memory.waiting(),
                "the database is not there at the end: what waits for it is lost"
            );
        }
    }

    async fn write_on(&self) {
        let memory = &self.records.memory;
        let mut trouble = Trouble::new();
        while let Err(error) = self.records.outbox().load().await {
            self.pause(&mut trouble, &error).await;
        }
        loop {
            if memory.waiting() == 0 {
                memory.wake.notified().await;
            }
            if memory.waiting() < BATCH {
                // The time or the number, whichever comes first.
                let _ = tokio::time::timeout(INTERVAL, memory.full.notified()).await;
            }
            let mut trouble = Trouble::new();
            while let Err(error) = self.write().await {
                self.pause(&mut trouble, &error).await;
            }
            if trouble.warned.is_some() {
                info!(after = ?trouble.begun.elapsed(), "the database can be written again");
            }
        }
    }

    async fn write(&self) -> Result<(), DatabaseError> {
        self.records.write_batch().await
    }

    /// Counts a failure, says so now and then, and waits before the next try, longer each time.
    async fn pause(&self, trouble: &mut Trouble, error: &DatabaseError) {
        locked(&self.records.memory.counts).failed += 1;
        if trouble.warned.is_none_or(|at| at.elapsed() >= WARNING) {
            trouble.warned = Some(Instant::now());
            let stats = self.records.stats();
            warn!(%error, waiting = stats.waiting, dropped = stats.dropped, "cannot write to the database: trying again");
        }
        tokio::time::sleep(trouble.pause).await;
        trouble.pause = (trouble.pause * 2).min(PAUSES.1);
    }
}

/// Failures in a row.
struct Trouble {
    pause: Duration,
    begun: Instant,
    warned: Option<Instant>,
}

impl Trouble {
    fn new() -> Self {
        Self {
            pause: PAUSES.0,
            begun: Instant::now(),
            warned: None,
        }
    }
}

impl Records {
    /// Writes one batch of each sort of what waits; what the database refuses for what it says is dropped.
    pub(super) async fn write_batch(&self) -> Result<(), DatabaseError> {
        self.write_documents().await?;
        outbox::write(&self.memory).await?;
        binding::write(&self.memory).await
    }

    async fn write_documents(&self) -> Result<(), DatabaseError> {
        let memory = &self.memory;
        let _turn = memory.writing.lock().await;
        let mut batch = TakenBatch::take(memory);
        let mut parts = vec![batch.documents.len()];
        while let Some(size) = parts.pop() {
            let part: Vec<&Document> = batch.documents[..size]
                .iter()
                .map(|(_, document)| document)
                .collect();
            if part.is_empty() {
                continue;
            }
            let begun = Instant::now();
            let done = statements::replace(&memory.database.pool, &memory.node, &part).await;
            match done {
                Ok(()) => {
                    let mut counts = locked(&memory.counts);
                    counts.written += size as u64;
                    counts.batches += 1;
                    counts.slowest = counts.slowest.max(begun.elapsed());
                }
                // One of them is at fault: halves are tried until it is alone.
                Err(error) if error.is_of_the_data() && size > 1 => {
                    parts.extend([size - size / 2, size / 2]);
                    continue;
                }
                Err(error) if error.is_of_the_data() => {
                    locked(&memory.counts).refused += 1;
                    let (document, kind) = (part[0].id, part[0].kind.name());
                    warn!(%document, kind, %error, "the database refuses a document: it is lost");
                }
                Err(error) => return Err(error),
            }
            batch.settle(size);
        }
        Ok(())
    }
}

/// Documents on their way; those that did not arrive wait again, also when the writing is given up halfway.
struct TakenBatch<'m> {
    memory: &'m Memory,
    documents: Vec<(Taken<(Kind, Uuid)>, Document)>,
}

impl<'m> TakenBatch<'m> {
    fn take(memory: &'m Memory) -> Self {
        let documents = locked(&memory.documents).take(BATCH);
        Self { memory, documents }
    }

    /// States that the first `count` have found their end.
    fn settle(&mut self, count: usize) {
        let mut waiting = locked(&self.memory.documents);
        for (taken, _) in self.documents.drain(..count) {
            waiting.written(&taken);
        }
    }
}

impl Drop for TakenBatch<'_> {
    fn drop(&mut self) {
        let left = self.documents.drain(..).map(|(taken, _)| taken).collect();
        locked(&self.memory.documents).put_back(left);
    }
}
