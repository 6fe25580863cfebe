//! Finding, opening and preparing the database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::error::DatabaseError;
use super::sql::{Pool, Statement, Transaction};

/// An open database with our tables: one SQLite file of this process, or a PostgreSQL that several nodes share.
/// Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(super) pool: Pool,
}

/// What makes the tables, in order; what stands here once never changes.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001.sql")];

/// Readers of an SQLite file beside its one writer, and connections to a server.
const CONNECTIONS: u32 = 8;

/// How long a connection may take to come about, or to become free.
const CONNECT: Duration = Duration::from_secs(10);

impl Database {
    /// Opens `sqlite:PATH` (made with its directory when it is not there; `sqlite::memory:` lasts as long as the
    /// value does) or `postgres://USER:PASSWORD@HOST:PORT/NAME`, and brings its tables up to this version. When
    /// several nodes come at once, one does so and the others wait.
    ///
    /// # Errors
    ///
    /// Says what is wrong and what to do about it.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        let pool = if let Some(path) = url.strip_prefix("sqlite:") {
            open_sqlite(path.strip_prefix("//").unwrap_or(path)).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url).await?
        } else {
            return Err(DatabaseError::Url);
        };
        migrate(&pool).await?;
        Ok(Self { pool })
    }

    /// Ends all connections, after what they are doing.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl fmt::Debug for Database {
    /// Which of the two, and no more: options hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.pool {
            Pool::Sqlite(_) => "SQLite",
            Pool::Postgres(_) => "PostgreSQL",
        })
    }
}

async fn open_sqlite(path: &str) -> Result<Pool, DatabaseError> {
    let options = SqliteConnectOptions::new()
        .disable_statement_logging()
        .busy_timeout(CONNECT)
        .pragma("temp_store", "memory");
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(CONNECT)
        .max_lifetime(None)
        .test_before_acquire(false);
    if path == ":memory:" {
        // Each connection would have a database of its own, and it would go with the connection.
        let one = pool
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None);
        return Ok(Pool::Sqlite(
            one.connect_with(options.in_memory(true)).await?,
        ));
    }
    let path = PathBuf::from(path);
    make_private(&path)
        .await
        .map_err(|source| DatabaseError::File {
            path: path.clone(),
            source,
        })?;
    let options = options
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        // What is committed stays, also when the power fails; a sync for each batch is a few a second.
        .synchronous(SqliteSynchronous::Full)
        // Kibioctets, for the negative sign. Our rows are large, and lists jump among them.
        .pragma("cache_size", "-16384")
        // Pages of the log that are taken over at once, and what is left of the log after a burst.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864");
    pool.max_connections(CONNECTIONS)
        .connect_with(options)
        .await
        .map(Pool::Sqlite)
        .map_err(|error| match &error {
            sqlx::Error::Database(inside) if inside.code().as_deref() == Some("26") => {
                DatabaseError::NotADatabase { path }
            }
            _ => error.into(),
        })
}

/// Makes the file and its directory when they are not there, for the eyes of our user alone: it holds secrets.
async fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await.map(drop)
}

async fn open_postgres(url: &str) -> Result<Pool, DatabaseError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| DatabaseError::Url)?
        .application_name("flowswitch")
        .disable_statement_logging();
    // The pool hides why it gets no connection; so the first is made without it.
    let first = tokio::time::timeout(CONNECT, PgConnection::connect_with(&options))
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|error| why_not_connected(&options, error))?;
    // It has served its purpose, however its farewell goes.
    let _ = first.close().await;
    Ok(Pool::Postgres(
        PgPoolOptions::new()
            .acquire_timeout(CONNECT)
            .max_connections(CONNECTIONS)
            .connect_lazy_with(options),
    ))
}

fn why_not_connected(options: &PgConnectOptions, error: sqlx::Error) -> DatabaseError {
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let host = options
        .get_socket()
        .map_or(host, |path| path.display().to_string());
    let state = match &error {
        sqlx::Error::Database(inside) => inside.code().map(|code| code.into_owned()),
        _ => None,
    };
    match (state.as_deref(), error) {
        (Some("28000" | "28P01"), _) => DatabaseError::Refused {
            host,
            port,
            user: options.get_username().to_owned(),
        },
        (Some("3D000"), _) => DatabaseError::NoSuchDatabase {
            host,
            port,
            name: options
                .get_database()
                .unwrap_or(options.get_username())
                .to_owned(),
        },
        (None, source) => DatabaseError::Unreachable {
            host,
            port,
            source: Box::new(source),
        },
        (Some(_), error) => error.into(),
    }
}

async fn migrate(pool: &Pool) -> Result<(), DatabaseError> {
    let mut transaction = pool.begin().await?;
    if matches!(transaction, Transaction::Postgres(_)) {
        // Held until the commit; the number is ours alone ("flowswtc"). SQLite has but one writer anyway.
        transaction
            .run("SELECT pg_advisory_xact_lock(7380961277022565475)")
            .await?;
    }
    transaction
        .run("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .await?;
    let found: Vec<(String,)> = transaction
        .fetch(Statement::new(
            "SELECT value FROM meta WHERE key = 'schema'",
        ))
        .await?;
    let found = found
        .first()
        .and_then(|(version,)| version.parse().ok())
        .unwrap_or(0);
    let known = MIGRATIONS.len();
    if found > known {
        return Err(DatabaseError::Newer { found, known });
    }
    for script in &MIGRATIONS[found..] {
        transaction.run(script).await?;
    }
    if found < known {
        let version = known.to_string();
        transaction
            .execute(
                Statement::new("INSERT INTO meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
                    .bind(version.as_str()),
            )
            .await?;
    }
    transaction.commit().await
}
