//! The switch as a service: REST, events and metrics. Outward JSON, and nothing is decided here.
//!
//! ```text
//!   server --> frame --> keys --> handler --> Records        what is configured, what has been
//!            id, time,   who       |    '---> Events         for webhooks and the websocket
//!            envelope    asks      '--> Line --> the switch --> Desk --> Records, Events
//! ```
//!
//! A resource is one file: its struct, its handlers and its `routes()`; see [`resource`]. What an operation looks
//! like is documented from the code ([`openapi`]), and what all of them have in common is added there.

pub mod accesskeys;
pub mod address;
pub mod agents;
pub mod configured;
pub mod desk;
pub mod events;
pub mod extensions;
pub mod flows;
pub mod frame;
pub mod health;
pub mod json;
pub mod keys;
pub mod ladder;
pub mod limit;
pub mod line;
pub mod login;
pub mod made;
pub mod numbers;
pub mod openapi;
pub mod parameters;
pub mod reason;
pub mod refusal;
pub mod resource;
pub mod server;
pub mod tags;
pub mod timeline;
pub mod timestamp;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::{Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::database::Records;
use crate::ids::Rng;

pub use configured::{Configured, Files, FlowFile, Origin, id_of_name};
pub use desk::Desk;
pub use events::{Event, Events};
pub use health::Readiness;
pub use keys::{Hash, PREFIX as KEY_PREFIX, new_key};
pub use limit::{Limiter, Rate};
pub use line::{Asked, Line, LineEnds, LineError, News, NewsReceiver, NewsSender, Reply, news};
pub use made::{Made, MadeReader};
pub use server::Server;
pub use timestamp::{Clock, Timestamp};

/// What the handlers share.
pub struct Api {
    records: Records,
    line: Line,
    events: Events,
    clock: Clock,
    customer: Uuid,
    configured: watch::Receiver<Arc<Configured>>,
    keys: Vec<Hash>,
    readiness: Arc<Readiness>,
    limits: Limits,
    permits: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    hashing: Semaphore,
    rng: Mutex<Rng>,
}

/// What the API needs of the shell.
pub struct ApiConfig {
    /// What is kept.
    pub records: Records,
    /// The way to the switch.
    pub line: Line,
    /// Where it is told what happened.
    pub events: Events,
    /// What time it is.
    pub clock: Clock,
    /// Whose everything is.
    pub customer: Uuid,
    /// What the files say.
    pub configured: watch::Receiver<Arc<Configured>>,
    /// Access keys beside those that the API gives out.
    pub keys: Vec<Hash>,
    /// What the shell knows of itself.
    pub readiness: Arc<Readiness>,
    /// How often one address may ask, but for logins.
    pub rate: Rate,
    /// Whether flows may reach an address.
    pub permits: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// For ids, keys and tokens.
    pub rng: Rng,
}

/// How often one address may ask.
#[derive(Debug)]
struct Limits {
    auth: Limiter,
    all: Limiter,
}

/// Logins: enough for people, too few for guessing.
const LOGINS: Rate = Rate {
    per_second: 10,
    burst: 20,
};
/// Passwords that are hashed at once; each takes a core and 19 MiB.
const HASHING: usize = 2;

impl Api {
    /// An API that nobody asks yet.
    #[must_use]
    pub fn new(config: ApiConfig) -> Arc<Self> {
        Arc::new(Self {
            records: config.records,
            line: config.line,
            events: config.events,
            clock: config.clock,
            customer: config.customer,
            configured: config.configured,
            keys: config.keys,
            readiness: config.readiness,
            limits: Limits {
                auth: Limiter::new(LOGINS),
                all: Limiter::new(config.rate),
            },
            permits: config.permits,
            hashing: Semaphore::new(HASHING),
            rng: Mutex::new(config.rng),
        })
    }

    /// All routes.
    ///
    /// # Errors
    /// The description of the API cannot be written, which is a mistake of ours.
    pub fn router(self: &Arc<Self>) -> Result<Router, serde_json::Error> {
        let admitted = OpenApiRouter::new()
            .nest(openapi::VERSION, resources())
            .route_layer(from_fn_with_state(Arc::clone(self), keys::admit));
        let (router, mut described) = OpenApiRouter::with_openapi(openapi::head())
            .merge(admitted)
            .nest(openapi::VERSION, login::routes())
            .merge(login::routes())
            .merge(health::routes())
            .split_for_parts();
        openapi::complete(&mut described);
        let refused = |reason: reason::Reason| async move { refusal::Refusal::from(reason) };
        Ok(router
            .merge(openapi::routes(&described)?)
            .fallback(move || refused(reason::Reason::RouteNotFound))
            .method_not_allowed_fallback(move || refused(reason::Reason::MethodNotAllowed))
            .layer(from_fn_with_state(Arc::clone(self), frame::frame))
            .with_state(Arc::clone(self)))
    }

    fn configured(&self) -> Arc<Configured> {
        Arc::clone(&self.configured.borrow())
    }

    fn uuid(&self) -> Uuid {
        self.with_rng(Rng::uuid)
    }

    fn secret(&self, length: usize) -> String {
        self.with_rng(|rng| rng.token(length))
    }

    fn fill(&self, octets: &mut [u8]) {
        self.with_rng(|rng| rng.fill(octets));
    }

    fn with_rng<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

/// Everything that wants a key: one line a resource.
fn resources() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .merge(accesskeys::routes())
        .merge(agents::routes())
        .merge(extensions::routes())
        .merge(flows::routes())
        .merge(numbers::routes())
        .merge(tags::routes())
}

#[cfg(test)]
mod tests;
