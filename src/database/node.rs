//! The nodes of one database, and what they have in common.

use std::sync::Arc;

use sqlx::FromRow;

use super::error::DatabaseError;
use super::micros::Micros;
use super::sql::{Pool, Statement};

/// A node that said it lives.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// Where its SIP is reached.
    pub sip_address: String,
    /// When it said so.
    #[sqlx(try_from = "i64")]
    pub seen: Micros,
}

pub(super) async fn announce(
    pool: &Pool,
    node: &Arc<str>,
    sip_address: &str,
    now: Micros,
) -> Result<(), DatabaseError> {
    let statement = Statement::new(
        "INSERT INTO nodes (node, sip_address, seen) VALUES (?, ?, ?) \
         ON CONFLICT (node) DO UPDATE SET sip_address = excluded.sip_address, seen = excluded.seen",
    )
    .bind(Arc::clone(node))
    .bind(sip_address)
    .bind(now);
    pool.execute(statement).await.map(drop)
}

pub(super) async fn alive(pool: &Pool, since: Micros) -> Result<Vec<NodeRow>, DatabaseError> {
    let statement =
        Statement::new("SELECT node, sip_address, seen FROM nodes WHERE seen >= ? ORDER BY node")
            .bind(since);
    pool.fetch(statement).await
}

pub(super) async fn get_or_insert(
    pool: &Pool,
    key: &str,
    value: &str,
) -> Result<String, DatabaseError> {
    let select = || Statement::new("SELECT value FROM meta WHERE key = ?").bind(key);
    let mut found: Vec<(String,)> = pool.fetch(select()).await?;
    if found.is_empty() {
        let insert = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING";
        pool.execute(Statement::new(insert).bind(key).bind(value))
            .await?;
        found = pool.fetch(select()).await?;
    }
    Ok(found
        .pop()
        .map_or_else(|| value.to_owned(), |(stored,)| stored))
}
