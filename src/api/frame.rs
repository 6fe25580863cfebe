//! What surrounds every request: its id, its time, its share of what an address may ask, and the envelope of what is
//! refused. A handler that panics is a 500 of its own request and of nothing else.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;

use super::Api;
use super::json::{JSON, Json};
use super::reason::Reason;
use super::refusal::Refusal;

/// Whom a request comes from; put in by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The id of a request, in its log, its errors and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// A handler that takes longer is broken off. What it asked of the switch may be done nevertheless.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest id that is taken over from a client.
const LONGEST_ID: usize = 64;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NOSNIFF: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-content-type-options"),
    HeaderValue::from_static("nosniff"),
);
const NO_REFERRER: (HeaderName, HeaderValue) = (
    HeaderName::from_static("referrer-policy"),
    HeaderValue::from_static("no-referrer"),
);
/// The page to try the API loads from here alone; its styles are partly inline.
const ONLY_OURS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Takes a request through all of that.
pub(super) async fn frame(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(&api, &request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = match pass(&api, &request, &path) {
        Ok(()) => run(request, next).await,
        Err(wait) => come_back_after(wait),
    };
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let is_told = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == JSON);
    if is_error && !is_told {
        response = in_envelope(response, &id);
    }
    tracing::debug!(request = %id, %method, path, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [NOSNIFF, NO_REFERRER] {
        headers.insert(name, value);
    }
    if path.starts_with("/docs") {
        headers.insert(CONTENT_SECURITY_POLICY, ONLY_OURS);
    } else if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// That the address has not asked too much; else how long it waits.
fn pass(api: &Api, request: &Request, path: &str) -> Result<(), Duration> {
    let Some(Peer(address)) = request.extensions().get::<Peer>() else {
        return Ok(());
    };
    let limiter = match path {
        "/healthz" | "/readyz" | "/metrics" => return Ok(()),
        path if path.contains("/auth/") => &api.limits.auth,
        _ => &api.limits.all,
    };
    limiter.pass(api.clock.now(), *address)
}

/// The answer to whoever has asked too much.
fn come_back_after(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = Refusal::from(Reason::RateLimitExceeded).into_response();
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

async fn run(request: Request, next: Next) -> Response {
    let handling = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(LONGEST, handling).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a request failed; please report this");
            Refusal::from(Reason::Internal).into_response()
        }
        Err(_) => Refusal::from(Reason::RequestTimeout).into_response(),
    }
}

/// An error with its reason, or with the one that its status tells; other headers stay.
fn in_envelope(mut response: Response, id: &str) -> Response {
    let refusal = response.extensions_mut().remove::<Refusal>();
    let refusal = refusal.unwrap_or_else(|| Refusal::of_code(response.status()));
    let (head, _) = response.into_parts();
    let mut enveloped = Json(refusal.envelope(id)).into_response();
    *enveloped.status_mut() = head.status;
    for (name, value) in &head.headers {
        let is_of_the_body = name == CONTENT_TYPE || name == CONTENT_LENGTH;
        if !is_of_the_body {
            enveloped.headers_mut().insert(name, value.clone());
        }
    }
    enveloped
}

/// The client's own, when it can stand in a log; else a new one.
fn request_id(api: &Api, request: &Request) -> Arc<str> {
    let is_plain = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    let given = request.headers().get(REQUEST_ID);
    match given.and_then(|id| id.to_str().ok()).filter(is_plain) {
        Some(id) => id.into(),
        None => api.uuid().to_string().into(),
    }
}
