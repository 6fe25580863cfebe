//! What outlasts the process: documents, the outbox of webhooks, bindings and nodes, in SQLite or PostgreSQL.
//!
//! Nothing else knows SQL, and nothing in here knows what the documents say.
//!
//! ```text
//!  keep, post, bind ──> memory ── every 200 ms or 1,000 documents ──> Writer ── one transaction a batch ──> database
//!                         |                                                                                   |
//!                         '──────────> get, find, list, all: what waits wins over what is written <───────────'
//!  create, replace ───────────────────── a transaction of their own, at once ──────────────────────────────> database
//! ```
//!
//! So nothing that tells what happens ever waits for a disk, whoever asks sees what was told a moment ago, and a
//! batch costs one write to the disk however many calls it tells of. The price is that what was told in the last
//! 200 ms (and during a write) is lost when the process is killed. What has been written stays: SQLite runs with
//! its log synchronised at each commit, so a power failure takes no more than a kill does; of PostgreSQL the
//! server's `synchronous_commit` says so.
//!
//! A broken database stops nobody: what waits is held up to a bound, tried again with growing pauses, and what
//! does not fit is dropped oldest first, counted and warned of.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the clock to measure its own writes; what is written is timed by the caller"
)]

mod binding;
mod dirty;
mod document;
mod error;
mod micros;
mod node;
mod open;
mod outbox;
mod queue;
mod records;
mod sql;
mod statements;
mod waiting;
mod writer;

#[cfg(test)]
mod tests;

pub use binding::{BindingRow, Bindings};
pub use document::{Body, Document, Kind, ListQuery, Revision};
pub use error::{CreateError, DatabaseError};
pub use micros::{Micros, ParseMicrosError};
pub use node::NodeRow;
pub use open::Database;
pub use outbox::{Delivery, Outbox, OutboxStats};
pub use records::{Records, RecordsStats};
pub use writer::Writer;
