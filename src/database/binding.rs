//! Where the phones of all nodes are.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;
use tracing::warn;

use super::dirty::{Dirty, Taken};
use super::error::DatabaseError;
use super::micros::Micros;
use super::records::{BATCH, Memory, locked};
use super::sql::{Statement, Value};

/// One contact under which an extension is reached, as the node keeps it where it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// Whose it is.
    pub extension: Arc<str>,
    /// What tells it from the other contacts of the extension.
    pub contact: Arc<str>,
    /// The node that holds it; a phone that registers elsewhere moves there.
    pub node: Arc<str>,
    /// When it ends.
    pub expires: Micros,
    /// All there is to know of it, as JSON.
    pub body: Arc<str>,
}

/// The bindings; cheap to clone. What is put and removed is written within about 200 ms and seen here at once.
#[derive(Clone)]
pub struct Bindings {
    memory: Arc<Memory>,
}

impl Bindings {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory }
    }

    /// States that this node holds a binding of `extension` until `expires`. Never waits.
    pub fn put(&self, extension: &str, contact: &str, expires: Micros, body: impl Into<Arc<str>>) {
        let row = BindingRow {
            extension: extension.into(),
            contact: contact.into(),
            node: Arc::clone(&self.memory.node),
            expires,
            body: body.into(),
        };
        let key = (Arc::clone(&row.extension), Arc::clone(&row.contact));
        self.change(key, Some(row));
    }

    /// States that this node holds it no more; one that has moved to another node stays. Never waits.
    pub fn remove(&self, extension: &str, contact: &str) {
        self.change((extension.into(), contact.into()), None);
    }

    /// What this node holds, expired ones too: to be taken up again at the start.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn of_this_node(&self) -> Result<Vec<BindingRow>, DatabaseError> {
        let node = Arc::clone(&self.memory.node);
        let statement = Statement::new(SELECT).then("node = ?").bind(node);
        self.found(statement, None, Micros(i64::MIN)).await
    }

    /// What `extension` has at any node and has not expired by `now`.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn of_extension(
        &self,
        extension: &str,
        now: Micros,
    ) -> Result<Vec<BindingRow>, DatabaseError> {
        let statement = Statement::new(SELECT)
            .then("extension = ? AND expires > ?")
            .bind(extension)
            .bind(now);
        self.found(statement, Some(extension), now).await
    }

    /// All that have not expired by `now`.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn all_alive(&self, now: Micros) -> Result<Vec<BindingRow>, DatabaseError> {
        let statement = Statement::new(SELECT).then("expires > ?").bind(now);
        self.found(statement, None, now).await
    }

    /// Removes what expired before `before`, of all nodes; how many it was.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_expired(&self, before: Micros) -> Result<u64, DatabaseError> {
        let statement = Statement::new("DELETE FROM bindings WHERE expires < ?").bind(before);
        self.memory.database.pool.execute(statement).await
    }

    fn change(&self, key: Key, row: Option<BindingRow>) {
        let (before, after) = {
            let mut bindings = locked(&self.memory.bindings);
            let before = bindings.len();
            bindings.change(key, row);
            (before, bindings.len())
        };
        self.memory.tell_writer(before, after);
    }

    /// What `statement` finds, and what waits of `extension`, or of all, and has not expired by `now`.
    async fn found(
        &self,
        statement: Statement,
        extension: Option<&str>,
        now: Micros,
    ) -> Result<Vec<BindingRow>, DatabaseError> {
        let waiting: HashMap<Key, Option<BindingRow>> = locked(&self.memory.bindings)
            .rows
            .iter()
            .filter(|((of, _), _)| extension.is_none_or(|extension| **of == *extension))
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect();
        let rows: Vec<Row> = self.memory.database.pool.fetch(statement).await?;
        let mut found: Vec<BindingRow> = rows.into_iter().map(Into::into).collect();
        found.retain(|row| {
            let key = (Arc::clone(&row.extension), Arc::clone(&row.contact));
            match waiting.get(&key) {
                Some(Some(_)) => false,
                Some(None) => row.node != self.memory.node,
                None => true,
            }
        });
        let waiting = waiting.into_values().flatten();
        found.extend(waiting.filter(|row| row.expires > now));
        Ok(found)
    }
}

type Key = (Arc<str>, Arc<str>);

/// Changes that are not written yet; bounded.
pub(super) struct WaitingBindings {
    /// Nothing for what was removed.
    rows: HashMap<Key, Option<BindingRow>>,
    dirty: Dirty<Key>,
}

/// More than a node holds; when the oldest is dropped its phone comes again by itself.
const MOST: usize = 200_000;

type Change = (Taken<Key>, Option<BindingRow>);

impl WaitingBindings {
    pub(super) fn new() -> Self {
        Self {
            rows: HashMap::new(),
            dirty: Dirty::new(),
        }
    }

    fn change(&mut self, key: Key, row: Option<BindingRow>) {
        self.dirty.mark(key.clone());
        self.rows.insert(key, row);
        if self.dirty.len() > MOST
            && let Some(oldest) = self.dirty.forget_oldest()
        {
            self.rows.remove(&oldest);
        }
    }

    fn take(&mut self, most: usize) -> Vec<Change> {
        let taken = self.dirty.take(most);
        taken
            .into_iter()
            .filter_map(|taken| {
                let row = self.rows.get(&taken.key)?.clone();
                Some((taken, row))
            })
            .collect()
    }

    fn written(&mut self, taken: &Taken<Key>) {
        if self.dirty.written(taken) {
            self.rows.remove(&taken.key);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.dirty.len()
    }
}

const SELECT: &str = "SELECT extension, contact, node, expires, body FROM bindings WHERE ";

#[derive(FromRow)]
struct Row {
    extension: String,
    contact: String,
    node: String,
    expires: i64,
    body: String,
}

impl From<Row> for BindingRow {
    fn from(row: Row) -> Self {
        Self {
            extension: row.extension.into(),
            contact: row.contact.into(),
            node: row.node.into(),
            expires: Micros(row.expires),
            body: row.body.into(),
        }
    }
}

/// Writes up to a batch of what waits, in one transaction.
pub(super) async fn write(memory: &Memory) -> Result<(), DatabaseError> {
    let mut batch = Batch::take(memory);
    if batch.changes.is_empty() {
        return Ok(());
    }
    match write_all(memory, &batch.changes).await {
        Err(error) if error.is_of_the_data() => {
            // No name of a phone brings this about, so they are not sifted: they come again by themselves.
            warn!(bindings = batch.changes.len(), %error, "the database refuses bindings: other nodes do not see them");
        }
        done => done?,
    }
    batch.settle();
    Ok(())
}

async fn write_all(memory: &Memory, changes: &[Change]) -> Result<(), DatabaseError> {
    let mut transaction = memory.database.pool.begin().await?;
    // In the order of their keys, so that two nodes do not wait for one another.
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_unstable_by(|(one, _), (other, _)| one.key.cmp(&other.key));
    for (taken, _) in changes.iter().filter(|(_, row)| row.is_none()) {
        let statement =
            Statement::new("DELETE FROM bindings WHERE extension = ? AND contact = ? AND node = ?")
                .bind(Arc::clone(&taken.key.0))
                .bind(Arc::clone(&taken.key.1))
                .bind(Arc::clone(&memory.node));
        transaction.execute(statement).await?;
    }
    let rows: Vec<[Value; 5]> = changes
        .iter()
        .filter_map(|(_, row)| row.as_ref().map(values))
        .collect();
    if !rows.is_empty() {
        let statement = Statement::new(
            "INSERT INTO bindings (extension, contact, node, expires, body) VALUES ",
        )
        .rows(rows)
        .then(
            " ON CONFLICT (extension, contact) DO UPDATE SET node = excluded.node, \
             expires = excluded.expires, body = excluded.body",
        );
        transaction.execute(statement).await?;
    }
    transaction.commit().await
}

fn values(row: &BindingRow) -> [Value; 5] {
    [
        Arc::clone(&row.extension).into(),
        Arc::clone(&row.contact).into(),
        Arc::clone(&row.node).into(),
        row.expires.into(),
        Arc::clone(&row.body).into(),
    ]
}

/// Changes on their way to the database; those that did not arrive wait again.
struct Batch<'m> {
    memory: &'m Memory,
    changes: Vec<Change>,
}

impl<'m> Batch<'m> {
    fn take(memory: &'m Memory) -> Self {
        let changes = locked(&memory.bindings).take(BATCH);
        Self { memory, changes }
    }

    fn settle(&mut self) {
        let mut bindings = locked(&self.memory.bindings);
        for (taken, _) in self.changes.drain(..) {
            bindings.written(&taken);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let left = self.changes.drain(..).map(|(taken, _)| taken).collect();
        locked(&self.memory.bindings).dirty.put_back(left);
    }
}
