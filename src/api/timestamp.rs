//! Moments as the API writes them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::database::Micros;
use crate::time::Epoch;

/// A moment: RFC 3339 in UTC with microseconds, as `2024-07-11T01:14:00.000000Z`. Also read with a space for the
/// `T` and without the zone, as older clients write it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub Micros);

impl From<Micros> for Timestamp {
    fn from(micros: Micros) -> Self {
        Self(micros)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2024-07-11T01:14:00.000000Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}

/// What time it is; read by whoever the shell hands in.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Instant + Send + Sync>,
    epoch: Epoch,
}

impl Clock {
    /// A clock that `read` reads; `epoch` is the one that the switch goes by.
    pub fn new(read: impl Fn() -> Instant + Send + Sync + 'static, epoch: Epoch) -> Self {
        Self {
            read: Arc::new(read),
            epoch,
        }
    }

    /// The moment for deadlines and rates.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.read)()
    }

    /// The moment for everybody.
    #[must_use]
    pub fn wall(&self) -> Micros {
        Micros::since_1970(self.since_1970())
    }

    /// The moment for everybody, as reports carry it.
    #[must_use]
    pub fn since_1970(&self) -> Duration {
        self.epoch.since_1970(self.now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
