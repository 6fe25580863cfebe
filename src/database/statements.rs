//! What is said to the database about documents.

use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::document::{Document, Kind, ListQuery, Revision};
use super::error::DatabaseError;
use super::micros::Micros;
use super::sql::{Pool, Statement, Transaction, Value};

/// Rows in one statement: SQLite takes at most 32,766 values, PostgreSQL 65,535.
const ROWS: usize = 500;

/// Of one age at most so many are shown beyond a full page.
const TWINS: u32 = 1000;

/// Changes read at once.
const CHANGES: u32 = 500;

#[derive(FromRow)]
struct Row {
    id: Uuid,
    key: Option<String>,
    parent: Option<Uuid>,
    created: i64,
    updated: i64,
    deleted: Option<i64>,
    body: String,
    hidden: Option<String>,
}

impl Row {
    fn document(self, kind: Kind) -> Document {
        Document {
            kind,
            id: self.id,
            key: self.key,
            parent: self.parent,
            created: Micros(self.created),
            updated: Micros(self.updated),
            deleted: self.deleted.map(Micros),
            body: self.body.into(),
            hidden: self.hidden.map(Into::into),
        }
    }
}

const SELECT: &str =
    "SELECT id, key, parent, created, updated, deleted, body, hidden FROM documents WHERE kind = ?";

fn select(kind: Kind) -> Statement {
    Statement::new(SELECT).bind(kind.name())
}

async fn documents(
    pool: &Pool,
    kind: Kind,
    statement: Statement,
) -> Result<Vec<Document>, DatabaseError> {
    let rows: Vec<Row> = pool.fetch(statement).await?;
    Ok(rows.into_iter().map(|row| row.document(kind)).collect())
}

pub(super) async fn get(
    pool: &Pool,
    kind: Kind,
    id: Uuid,
) -> Result<Option<Document>, DatabaseError> {
    let statement = select(kind).then(" AND id = ?").bind(id);
    Ok(documents(pool, kind, statement).await?.pop())
}

pub(super) async fn find(
    pool: &Pool,
    kind: Kind,
    key: &str,
) -> Result<Option<Document>, DatabaseError> {
    let statement = select(kind)
        .then(" AND deleted IS NULL AND key = ?")
        .bind(key);
    Ok(documents(pool, kind, statement).await?.pop())
}

pub(super) async fn all(pool: &Pool, kind: Kind) -> Result<Vec<Document>, DatabaseError> {
    let statement = select(kind).then(" AND deleted IS NULL");
    documents(pool, kind, statement).await
}

/// The first `limit` of the list, and all that are as old as the last of them.
pub(super) async fn list(
    pool: &Pool,
    query: &ListQuery,
    limit: u32,
) -> Result<Vec<Document>, DatabaseError> {
    let mut statement = select(query.kind).then(" AND deleted IS NULL");
    if let Some(parent) = query.parent {
        statement = statement.then(" AND parent = ?").bind(parent);
    }
    if let Some(before) = query.before {
        statement = statement.then(" AND created < ?").bind(before);
    }
    statement = statement.then(" ORDER BY created DESC LIMIT ?").bind(limit);
    let mut found = documents(pool, query.kind, statement).await?;
    let Some(oldest) = found.last().map(|last| last.created) else {
        return Ok(found);
    };
    if found.len() >= limit as usize {
        found.retain(|document| document.created > oldest);
        let mut twins = select(query.kind)
            .then(" AND deleted IS NULL AND created = ?")
            .bind(oldest);
        if let Some(parent) = query.parent {
            twins = twins.then(" AND parent = ?").bind(parent);
        }
        twins = twins.then(" LIMIT ?").bind(TWINS);
        found.extend(documents(pool, query.kind, twins).await?);
    }
    Ok(found)
}

#[derive(FromRow)]
struct Change {
    kind: String,
    node: String,
    revision: i64,
    #[sqlx(flatten)]
    row: Row,
}

/// What other nodes than `node` wrote of `kinds` after `after`, and how far that goes.
pub(super) async fn changes(
    pool: &Pool,
    node: &str,
    kinds: &[Kind],
    after: Revision,
) -> Result<(Vec<Document>, Revision), DatabaseError> {
    let (mut found, mut reached) = (Vec::new(), after);
    loop {
        let statement = Statement::new(
            "SELECT kind, node, revision, id, key, parent, created, updated, deleted, body, hidden \
             FROM documents WHERE revision > ? AND kind IN ",
        )
        .bind(reached.0)
        .among(kinds.iter().map(|kind| kind.name()))
        .then(" ORDER BY revision LIMIT ?")
        .bind(CHANGES);
        let page: Vec<Change> = pool.fetch(statement).await?;
        let is_last = page.len() < CHANGES as usize;
        for change in page {
            reached = Revision(change.revision);
            let kind = kinds.iter().find(|kind| kind.name() == change.kind);
            if let Some(kind) = kind.filter(|_| change.node != node) {
                found.push(change.row.document(*kind));
            }
        }
        if is_last {
            return Ok((found, reached));
        }
    }
}

pub(super) async fn revision(pool: &Pool) -> Result<Revision, DatabaseError> {
    let last: Vec<(i64,)> = pool
        .fetch(Statement::new("SELECT last FROM revisions"))
        .await?;
    Ok(last
        .first()
        .map_or(Revision::default(), |(last,)| Revision(*last)))
}

/// Takes `count` revisions, which nobody else gets or passes before `transaction` is over; gives the one before.
async fn revisions(transaction: &mut Transaction, count: usize) -> Result<i64, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: Vec<(i64,)> = transaction
        .fetch(Statement::new("UPDATE revisions SET last = last + ? RETURNING last").bind(count))
        .await?;
    Ok(last.first().map_or(0, |(last,)| last - count))
}

const INSERT: &str = "INSERT INTO documents \
    (kind, id, key, parent, created, updated, deleted, revision, node, body, hidden) VALUES ";

/// Leaves out what never changes, so that the indexes on it stay as they are.
const REPLACE: &str = " ON CONFLICT (kind, id) DO UPDATE SET key = excluded.key, \
    updated = excluded.updated, deleted = excluded.deleted, revision = excluded.revision, \
    node = excluded.node, body = excluded.body, hidden = excluded.hidden";

fn values(document: &Document, revision: i64, node: &Arc<str>) -> [Value; 11] {
    [
        document.kind.name().into(),
        document.id.into(),
        document.key.as_deref().into(),
        document.parent.into(),
        document.created.into(),
        document.updated.into(),
        document.deleted.into(),
        revision.into(),
        Arc::clone(node).into(),
        document.body.text().into(),
        document.hidden.clone().into(),
    ]
}

/// Writes one that must not be there.
pub(super) async fn create(
    pool: &Pool,
    node: &Arc<str>,
    document: &Document,
) -> Result<(), DatabaseError> {
    write_all(pool, node, std::iter::once(document), 1, "").await
}

/// Writes all of `batch` or none of it, each over what stands under its id; no id twice.
pub(super) async fn replace(
    pool: &Pool,
    node: &Arc<str>,
    batch: &[&Document],
) -> Result<(), DatabaseError> {
    let mut batch = batch.to_vec();
    // Those first that free a key; then by id, for two nodes that write the same rows in different orders would
    // wait for one another.
    batch.sort_unstable_by_key(|document| (document.deleted.is_none(), document.kind, document.id));
    let count = batch.len();
    write_all(pool, node, batch.into_iter(), count, REPLACE).await
}

async fn write_all<'d>(
    pool: &Pool,
    node: &Arc<str>,
    batch: impl Iterator<Item = &'d Document> + Clone,
    count: usize,
    otherwise: &'static str,
) -> Result<(), DatabaseError> {
    let mut transaction = pool.begin().await?;
    let shared = batch
        .clone()
        .filter(|document| document.kind.is_shared())
        .count();
    let mut revision = match shared {
        0 => 0,
        shared => revisions(&mut transaction, shared).await?,
    };
    let mut rows = batch.map(|document| {
        let of_this = if document.kind.is_shared() {
            revision += 1;
            revision
        } else {
            0
        };
        values(document, of_this, node)
    });
    for _ in 0..count.div_ceil(ROWS) {
        let statement = Statement::new(INSERT)
            .rows(rows.by_ref().take(ROWS))
            .then(otherwise);
        transaction.execute(statement).await?;
    }
    drop(rows);
    transaction.commit().await
}

/// Deletes up to `limit` of `kind` for good that came to be and last changed before `before`.
pub(super) async fn delete_older(
    pool: &Pool,
    kind: Kind,
    before: Micros,
    limit: u32,
) -> Result<u64, DatabaseError> {
    pool.execute(
        Statement::new(
            "DELETE FROM documents WHERE kind = ? AND id IN \
             (SELECT id FROM documents WHERE kind = ? AND created < ? AND updated < ? ORDER BY created LIMIT ?)",
        )
        .bind(kind.name())
        .bind(kind.name())
        .bind(before)
        .bind(before)
        .bind(limit),
    )
    .await
}

/// Deletes up to `limit` for good that were deleted before `before`.
pub(super) async fn delete_deleted(
    pool: &Pool,
    before: Micros,
    limit: u32,
) -> Result<u64, DatabaseError> {
    pool.execute(
        Statement::new(
            "DELETE FROM documents WHERE (kind, id) IN \
             (SELECT kind, id FROM documents WHERE deleted < ? ORDER BY deleted LIMIT ?)",
        )
        .bind(before)
        .bind(limit),
    )
    .await
}
