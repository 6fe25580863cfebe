//! What goes wrong with a database, by what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::error::ErrorKind;

/// Why the database could not be opened or asked; never shows a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Neither kind of URL.
    #[error(
        "a database is named as sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME: name one of these"
    )]
    Url,
    /// The file cannot be made or written.
    #[error(
        "cannot write the database file {path}: {source}; let the user of this process write it and its directory"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not an SQLite database: name another file, or move it away")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Nobody answers there.
    #[error(
        "the database server at {host}:{port} cannot be reached: is it running, and may this host connect?"
    )]
    Unreachable {
        /// The host, or the directory of the socket.
        host: String,
        /// The TCP port.
        port: u16,
        /// What the attempt said.
        source: Box<sqlx::Error>,
    },
    /// It answers, and does not let us in.
    #[error(
        "the database server at {host}:{port} refuses the user {user}: check user, password and pg_hba.conf"
    )]
    Refused {
        /// The host, or the directory of the socket.
        host: String,
        /// The TCP port.
        port: u16,
        /// Who we said we are.
        user: String,
    },
    /// The server has no such database.
    #[error(
        "the server at {host}:{port} has no database {name}: create it, as with createdb {name}"
    )]
    NoSuchDatabase {
        /// The host, or the directory of the socket.
        host: String,
        /// The TCP port.
        port: u16,
        /// The database in the URL.
        name: String,
    },
    /// A newer version has been here.
    #[error("the database has schema {found}, this version knows {known}: run the newer version")]
    Newer {
        /// What stands in the database.
        found: usize,
        /// The newest that we know.
        known: usize,
    },
    /// It took too long; whether it was done is not known.
    #[error("the database did not answer within {0:?}")]
    Slow(Duration),
    /// A statement or the connection failed.
    #[error("the database failed: {0}")]
    Failed(#[source] sqlx::Error),
}

impl DatabaseError {
    /// Whether the data themselves are refused, so that trying again is in vain.
    pub(super) fn is_of_the_data(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else {
            return matches!(self, Self::Failed(sqlx::Error::Encode(_)));
        };
        if !matches!(error.kind(), ErrorKind::Other) {
            return true;
        }
        match error.code().as_deref() {
            // PostgreSQL: data exception, integrity constraint violation, program limit exceeded.
            Some(state) if state.len() == 5 => ["22", "23", "54"]
                .iter()
                .any(|class| state.starts_with(class)),
            // SQLite: too big, constraint, mismatch, range; the extended code holds the plain one in its low octet.
            Some(code) => code
                .parse::<i32>()
                .is_ok_and(|code| [18, 19, 20, 25].contains(&(code & 0xff))),
            None => false,
        }
    }

    /// Whether something with that id or key is there already.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Failed(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a document was not created or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Another living one of its kind has the key, or any the id; answer 409.
    #[error("another one has this name")]
    Taken,
    /// The database does not do it; answer 503.
    #[error(transparent)]
    Database(DatabaseError),
}

impl From<DatabaseError> for CreateError {
    fn from(error: DatabaseError) -> Self {
        if error.is_taken() {
            Self::Taken
        } else {
            Self::Database(error)
        }
    }
}
