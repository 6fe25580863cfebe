//! One way to say a statement to either database.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::encode::Encode;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::types::Type;
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite};
use uuid::Uuid;

use super::error::DatabaseError;
use super::micros::Micros;

/// The connections to one of the two.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Longer than this no statement or transaction takes: then its connection is given up.
const PATIENCE: Duration = Duration::from_secs(30);

impl Pool {
    /// The rows that `statement` gives.
    pub(super) async fn fetch<T: Read>(
        &self,
        statement: Statement,
    ) -> Result<Vec<T>, DatabaseError> {
        in_time(async {
            match self {
                Self::Sqlite(pool) => read(statement.for_sqlite().fetch_all(pool).await?),
                Self::Postgres(pool) => read(statement.for_postgres().fetch_all(pool).await?),
            }
        })
        .await
    }

    /// How many rows `statement` changed, in a transaction of its own.
    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, DatabaseError> {
        let mut transaction = self.begin().await?;
        let changed = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&self) -> Result<Transaction, DatabaseError> {
        in_time(async {
            Ok(match self {
                // Asks for the right to write at once: to ask for it later, after a read, can fail for good.
                Self::Sqlite(pool) => {
                    Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)
                }
                Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
            })
        })
        .await
    }
}

/// What is done all or not at all; not at all when it is dropped.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// How many rows `statement` changed.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<u64, DatabaseError> {
        in_time(async {
            Ok(match self {
                Self::Sqlite(inside) => statement
                    .for_sqlite()
                    .execute(&mut **inside)
                    .await?
                    .rows_affected(),
                Self::Postgres(inside) => statement
                    .for_postgres()
                    .execute(&mut **inside)
                    .await?
                    .rows_affected(),
            })
        })
        .await
    }

    /// The rows that `statement` gives.
    pub(super) async fn fetch<T: Read>(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<T>, DatabaseError> {
        in_time(async {
            match self {
                Self::Sqlite(inside) => {
                    read(statement.for_sqlite().fetch_all(&mut **inside).await?)
                }
                Self::Postgres(inside) => {
                    read(statement.for_postgres().fetch_all(&mut **inside).await?)
                }
            }
        })
        .await
    }

    /// Several statements that take and give nothing.
    pub(super) async fn run(&mut self, script: &'static str) -> Result<(), DatabaseError> {
        in_time(async {
            match self {
                Self::Sqlite(inside) => {
                    sqlx::raw_sql(script).execute(&mut **inside).await?;
                }
                Self::Postgres(inside) => {
                    sqlx::raw_sql(script).execute(&mut **inside).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes it last.
    pub(super) async fn commit(self) -> Result<(), DatabaseError> {
        in_time(async {
            match self {
                Self::Sqlite(inside) => inside.commit().await?,
                Self::Postgres(inside) => inside.commit().await?,
            }
            Ok(())
        })
        .await
    }
}

async fn in_time<T>(
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(DatabaseError::Slow(PATIENCE)))
}

/// What a row of either database is read into.
pub(super) trait Read:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Read for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

fn read<T, R>(rows: Vec<R>) -> Result<Vec<T>, DatabaseError>
where
    T: for<'r> FromRow<'r, R>,
    R: sqlx::Row,
{
    let rows: Result<Vec<T>, sqlx::Error> = rows.iter().map(T::from_row).collect();
    Ok(rows?)
}

/// A statement with its values, each where a `?` stands.
pub(super) struct Statement {
    text: String,
    values: Vec<Value>,
    /// Whether its text comes again and again, so that the connection had better remember it.
    recurs: bool,
}

impl Statement {
    /// The statement `text`.
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
            recurs: true,
        }
    }

    /// Gives the next `?` its value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Goes on with `text`.
    pub(super) fn then(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a list of values in parentheses, which `IN` finds nothing in when there is none.
    pub(super) fn among<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let before = self.values.len();
        self.values.extend(values.into_iter().map(Into::into));
        self.recurs = false;
        match self.values.len() - before {
            0 => self.text.push_str("(NULL)"),
            count => self.push_marks(count),
        }
        self
    }

    /// Goes on with a row of values in parentheses for each of `rows`, between commas.
    pub(super) fn rows<const N: usize>(
        mut self,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Self {
        self.recurs = false;
        for (nth, row) in rows.into_iter().enumerate() {
            if nth > 0 {
                self.text.push_str(", ");
            }
            self.values.extend(row);
            self.push_marks(N);
        }
        self
    }

    fn push_marks(&mut self, count: usize) {
        self.text.push('(');
        for nth in 0..count {
            self.text.push_str(if nth > 0 { ",?" } else { "?" });
        }
        self.text.push(')');
    }

    fn for_sqlite(self) -> Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments> {
        bound(self.text, self.values, self.recurs)
    }

    fn for_postgres(self) -> Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments> {
        bound(numbered(&self.text), self.values, self.recurs)
    }
}

/// The same with `$1`, `$2`, … for the question marks; none of our statements has one in a literal.
fn numbered(text: &str) -> String {
    use std::fmt::Write as _;

    let mut numbered = String::with_capacity(text.len() * 2);
    let mut parts = text.split('?');
    numbered.extend(parts.next());
    for (nth, part) in parts.enumerate() {
        // Writing to a string does not fail.
        let _ = write!(numbered, "${}{part}", nth + 1);
    }
    numbered
}

fn bound<D>(text: String, values: Vec<Value>, recurs: bool) -> Query<'static, D, D::Arguments>
where
    D: sqlx::Database + sqlx::database::HasStatementCache,
    Option<i64>: Encode<'static, D> + Type<D>,
    Option<Arc<str>>: Encode<'static, D> + Type<D>,
    Option<Uuid>: Encode<'static, D> + Type<D>,
{
    // The text is put together of literals and marks alone, see `Statement`.
    values.into_iter().fold(
        sqlx::query(AssertSqlSafe(text)).persistent(recurs),
        |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Id(id) => query.bind(id),
        },
    )
}

/// What a column may hold.
pub(super) enum Value {
    Number(Option<i64>),
    Text(Option<Arc<str>>),
    Id(Option<Uuid>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<Micros> for Value {
    fn from(at: Micros) -> Self {
        Self::Number(Some(at.0))
    }
}

impl From<Option<Micros>> for Value {
    fn from(at: Option<Micros>) -> Self {
        Self::Number(at.map(|at| at.0))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<Arc<str>>> for Value {
    fn from(text: Option<Arc<str>>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Id(Some(id))
    }
}

impl From<Option<Uuid>> for Value {
    fn from(id: Option<Uuid>) -> Self {
        Self::Id(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_numbered_for_postgres_in_the_order_of_their_values() {
        let statement = Statement::new("SELECT a FROM t WHERE b = ? AND c IN ")
            .bind(1_i64)
            .among([2_i64, 3])
            .then(" AND d < ?")
            .bind("x");
        assert_eq!(statement.values.len(), 4);
        assert_eq!(
            numbered(&statement.text),
            "SELECT a FROM t WHERE b = $1 AND c IN ($2,$3) AND d < $4"
        );
    }
}
