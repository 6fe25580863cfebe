//! Whether the process lives, and whether it takes calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::json::Json;
use super::resource::Resource as _;
use super::tags::Tag;

/// Longest wait for the database, less than a prober's patience.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the shell knows of itself.
#[derive(Debug, Default)]
pub struct Readiness {
    /// All SIP sockets are bound.
    pub is_listening: AtomicBool,
    /// No more calls are taken: it ends when those there are do.
    pub is_draining: AtomicBool,
}

/// The routes without a key.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// That the process lives.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// Always `ok`.
    status: &'static str,
}

/// What taking calls needs.
#[derive(Serialize, ToSchema)]
struct Ready {
    /// All of them.
    ready: bool,
    /// The database answers.
    database: bool,
    /// The SIP sockets are bound.
    sip: bool,
    /// The switch runs.
    switch: bool,
    /// No more calls are taken.
    draining: bool,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = Alive)))]
async fn healthz() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Whether it takes calls
#[utoipa::path(get, path = "/readyz", responses(
    (status = 200, description = "It does", body = Ready),
    (status = 503, description = "It does not", body = Ready),
))]
async fn readyz(State(api): State<Arc<Api>>) -> Response {
    let probe = api.records.get(Tag::KIND, Uuid::nil());
    let database = matches!(tokio::time::timeout(PATIENCE, probe).await, Ok(Ok(_)));
    let sip = api.readiness.is_listening.load(Ordering::Relaxed);
    let draining = api.readiness.is_draining.load(Ordering::Relaxed);
    let switch = api.line.is_open();
    let ready = database && sip && switch && !draining;
    let answer = Ready {
        ready,
        database,
        sip,
        switch,
        draining,
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = Json(answer).into_response();
    *response.status_mut() = status;
    response
}
