//! The room as a whole, on SQLite always and on PostgreSQL where `FLOWSWITCH_TEST_POSTGRES` names one by its URL.

mod documents;
mod failing;
mod killing;
mod model;
mod neighbours;
mod opening;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::*;

const CALL: Kind = Kind::record("call");
const FLOW: Kind = Kind::shared("flow");
const AGENT: Kind = Kind::shared("agent");

/// Runs `story` with the URL of an empty database of each kind there is.
async fn on_each(story: impl AsyncFn(&str)) {
    let directory = tempfile::tempdir().unwrap();
    story(&format!(
        "sqlite:{}/flowswitch.db",
        directory.path().display()
    ))
    .await;
    let Ok(server) = std::env::var("FLOWSWITCH_TEST_POSTGRES") else {
        return;
    };
    let schema = format!("test_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    say(&mut connection, format!("CREATE SCHEMA {schema}")).await;
    let separator = if server.contains('?') { '&' } else { '?' };
    story(&format!(
        "{server}{separator}options=-csearch_path%3D{schema}"
    ))
    .await;
    say(&mut connection, format!("DROP SCHEMA {schema} CASCADE")).await;
}

async fn say(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .unwrap();
}

/// The documents of `node`, without a writer: what is kept is written by a flush alone.
async fn records(url: &str, node: &str) -> Records {
    Records::new(Database::open(url).await.unwrap(), node).0
}

fn document(kind: Kind, number: u128, body: &str) -> Document {
    let created = Micros(i64::try_from(number).unwrap());
    Document::new(kind, Uuid::from_u128(number), created, body)
}

fn keyed(kind: Kind, number: u128, key: &str) -> Document {
    Document {
        key: Some(key.to_owned()),
        ..document(kind, number, "{}")
    }
}

fn deleted(document: &Document) -> Document {
    Document {
        deleted: Some(Micros(999)),
        ..document.clone()
    }
}

fn newest(kind: Kind, limit: u32) -> ListQuery {
    ListQuery {
        kind,
        parent: None,
        before: None,
        limit,
    }
}

fn numbers(documents: &[Document]) -> Vec<u128> {
    documents
        .iter()
        .map(|document| document.id.as_u128())
        .collect()
}
