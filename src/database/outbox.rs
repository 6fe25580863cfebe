//! What others are to be told, until they have been.

use std::sync::Arc;

use sqlx::FromRow;
use tracing::warn;
use uuid::Uuid;

use super::dirty::Taken;
use super::error::DatabaseError;
use super::micros::Micros;
use super::queue::{Order, Queue};
use super::records::{BATCH, Memory, locked};
use super::sql::{Statement, Value};

/// Deliveries of this node: at least once each, also after a kill when they were posted 200 ms before it.
///
/// All are in memory, so what is due is known without asking the database; what is delivered at once is not
/// written at all. No more than 100,000, nor 64 MiB, wait: then the oldest are dropped and counted. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    memory: Arc<Memory>,
}

/// One request to somebody else's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: Uuid,
    /// Where to.
    pub url: Arc<str>,
    /// The HTTP method.
    pub method: Arc<str>,
    /// Names and values of the header fields.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Arc<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this.
    pub next_at: Micros,
}

impl Delivery {
    /// About how much memory it takes.
    pub(super) fn octets(&self) -> usize {
        /// The delivery itself and its places in the tables.
        const FRAME: usize = 400;
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 48)
            .sum();
        FRAME + self.url.len() + self.body.len() + headers
    }
}

/// How the outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxStats {
    /// Deliveries that have still to be made.
    pub waiting: usize,
    /// About how much memory they take.
    pub octets: usize,
    /// Deliveries that were never made for want of room.
    pub dropped: u64,
}

impl Outbox {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory }
    }

    /// Takes `delivery` in; it is due at its `next_at`, and written within about 200 ms if it waits so long.
    /// Never waits.
    pub fn post(&self, delivery: Delivery) {
        self.change(|queue| queue.post(delivery));
        self.memory.posted.notify_one();
    }

    /// Hands out up to `limit` that are due, the longest due first. Each comes back by [`Self::delivered`] or
    /// [`Self::postponed`], or after the next start.
    #[must_use]
    pub fn due(&self, now: Micros, limit: usize) -> Vec<Delivery> {
        locked(&self.memory.queue).due(now, limit)
    }

    /// Until something was posted, loaded or adopted since this last returned.
    pub async fn posted(&self) {
        self.memory.posted.notified().await;
    }

    /// When the next one is due that nobody has in hand.
    #[must_use]
    pub fn next_at(&self) -> Option<Micros> {
        locked(&self.memory.queue).next_at()
    }

    /// States that these were made, or given up.
    pub fn delivered(&self, ids: &[Uuid]) {
        self.change(|queue| ids.iter().for_each(|id| queue.delivered(*id)));
    }

    /// States that this one failed and is due again at `next_at`.
    pub fn postponed(&self, id: Uuid, attempts: u32, next_at: Micros) {
        self.change(|queue| queue.postponed(id, attempts, next_at));
    }

    /// How many have still to be made, those in hand among them.
    #[must_use]
    pub fn count(&self) -> usize {
        locked(&self.memory.queue).len()
    }

    /// How the outbox stands.
    #[must_use]
    pub fn stats(&self) -> OutboxStats {
        let queue = locked(&self.memory.queue);
        OutboxStats {
            waiting: queue.len(),
            octets: queue.octets(),
            dropped: queue.dropped(),
        }
    }

    /// Takes over up to `limit` deliveries of nodes that were not seen since `since`; how many it is. A node that
    /// only slept makes them too when it wakes.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn adopt(&self, since: Micros, limit: u32) -> Result<usize, DatabaseError> {
        let node = &self.memory.node;
        let mut transaction = self.memory.database.pool.begin().await?;
        let adopted: Vec<Row> = transaction
            .fetch(
                Statement::new(
                    "UPDATE outbox SET node = ? WHERE id IN (SELECT id FROM outbox WHERE node <> ? \
                     AND node NOT IN (SELECT node FROM nodes WHERE seen >= ?) ORDER BY posted LIMIT ?) \
                     RETURNING id, posted, url, method, headers, body, attempts, next_at",
                )
                .bind(Arc::clone(node))
                .bind(Arc::clone(node))
                .bind(since)
                .bind(limit),
            )
            .await?;
        transaction.commit().await?;
        let count = adopted.len();
        self.take_in(adopted);
        Ok(count)
    }

    /// Takes in what the database holds for this node.
    pub(super) async fn load(&self) -> Result<(), DatabaseError> {
        let mut after = (i64::MIN, Uuid::nil());
        loop {
            let page: Vec<Row> = self
                .memory
                .database
                .pool
                .fetch(
                    Statement::new(
                        "SELECT id, posted, url, method, headers, body, attempts, next_at FROM outbox \
                         WHERE node = ? AND (posted > ? OR (posted = ? AND id > ?)) ORDER BY posted, id LIMIT 1000",
                    )
                    .bind(Arc::clone(&self.memory.node))
                    .bind(after.0)
                    .bind(after.0)
                    .bind(after.1),
                )
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (last.posted, last.id);
            self.take_in(page);
        }
    }

    fn take_in(&self, rows: Vec<Row>) {
        let mut queue = locked(&self.memory.queue);
        for row in rows {
            queue.load(row.into());
        }
        drop(queue);
        self.memory.posted.notify_one();
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let (before, after) = {
            let mut queue = locked(&self.memory.queue);
            let before = queue.unwritten();
            change(&mut queue);
            (before, queue.unwritten())
        };
        self.memory.tell_writer(before, after);
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    posted: i64,
    url: String,
    method: String,
    headers: String,
    body: String,
    attempts: i64,
    next_at: i64,
}

impl From<Row> for Delivery {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            url: row.url.into(),
            method: row.method.into(),
            headers: serde_json::from_str(&row.headers).unwrap_or_default(),
            body: row.body.into(),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            next_at: Micros(row.next_at),
        }
    }
}

/// Writes up to a batch of what the database has still to hear, in one transaction.
pub(super) async fn write(memory: &Memory) -> Result<(), DatabaseError> {
    let mut batch = Batch::take(memory);
    if batch.orders.is_empty() {
        return Ok(());
    }
    match write_all(memory, &batch.orders).await {
        Err(error) if error.is_of_the_data() => {
            // No URL and no JSON text brings this about, so they are not sifted: they are made, and not remembered.
            warn!(deliveries = batch.orders.len(), %error, "the database refuses deliveries: a restart would lose them");
        }
        done => done?,
    }
    batch.settle();
    Ok(())
}

async fn write_all(memory: &Memory, orders: &[(Taken<Uuid>, Order)]) -> Result<(), DatabaseError> {
    let mut transaction = memory.database.pool.begin().await?;
    let gone: Vec<Uuid> = orders
        .iter()
        .filter_map(|(_, order)| match order {
            Order::Remove(id) => Some(*id),
            Order::Put(_) => None,
        })
        .collect();
    if !gone.is_empty() {
        let statement = Statement::new("DELETE FROM outbox WHERE id IN ").among(gone);
        transaction.execute(statement).await?;
    }
    let rows: Vec<[Value; 9]> = orders
        .iter()
        .filter_map(|(_, order)| match order {
            Order::Put(delivery) => Some(values(delivery, &memory.node)),
            Order::Remove(_) => None,
        })
        .collect();
    if !rows.is_empty() {
        let statement = Statement::new(
            "INSERT INTO outbox (id, node, posted, url, method, headers, body, attempts, next_at) VALUES ",
        )
        .rows(rows)
        .then(" ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, next_at = excluded.next_at");
        transaction.execute(statement).await?;
    }
    transaction.commit().await
}

/// A new one is due at once, so that its `next_at` tells when it was posted.
fn values(delivery: &Delivery, node: &Arc<str>) -> [Value; 9] {
    let headers = serde_json::to_string(&delivery.headers).unwrap_or_default();
    [
        delivery.id.into(),
        Arc::clone(node).into(),
        delivery.next_at.into(),
        Arc::clone(&delivery.url).into(),
        Arc::clone(&delivery.method).into(),
        headers.as_str().into(),
        Arc::clone(&delivery.body).into(),
        delivery.attempts.into(),
        delivery.next_at.into(),
    ]
}

/// Orders on their way to the database; those that did not arrive wait again.
struct Batch<'m> {
    memory: &'m Memory,
    orders: Vec<(Taken<Uuid>, Order)>,
}

impl<'m> Batch<'m> {
    fn take(memory: &'m Memory) -> Self {
        let orders = locked(&memory.queue).take(BATCH);
        Self { memory, orders }
    }

    fn settle(&mut self) {
        let mut queue = locked(&self.memory.queue);
        for (taken, _) in self.orders.drain(..) {
            queue.written(&taken);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let left = self.orders.drain(..).map(|(taken, _)| taken).collect();
        locked(&self.memory.queue).put_back(left);
    }
}
