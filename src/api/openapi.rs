//! The description of the API, made of its code, and the page to try it.

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder};
use utoipa::openapi::security::{SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, PathItem, Ref, ResponseBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::json::text_response;
use super::reason::Reason;
use super::refusal::{Envelope, ErrorBody};

/// Where the description is.
const PATH: &str = "/openapi.json";
/// Under which everything wants a key.
pub(super) const VERSION: &str = "/v1.0";

/// What stands above the operations.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "flowswitch",
        description = "A softswitch in one process: calls, flows and everything around them.\n\n\
            Ids are UUIDs; the nil UUID stands for none. Times are RFC 3339 in UTC with microseconds. A list is \
            newest first; its `next_page_token` is the `page_token` of the next page, and an empty list is the end.",
    ),
    components(schemas(Envelope, ErrorBody))
)]
struct Head;

/// An empty description, to be filled by the routes.
pub(super) fn head() -> OpenApi {
    let mut api = Head::openapi();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    api
}

/// Adds what all operations have in common: names, tags, who may ask, and how errors look.
pub(super) fn complete(api: &mut OpenApi) {
    for (path, item) in &mut api.paths.paths {
        let name = path
            .split('/')
            .find(|segment| !segment.is_empty() && !VERSION.ends_with(segment))
            .unwrap_or("root")
            .trim_end_matches(".json")
            .to_owned();
        let wants_key = path.starts_with(VERSION) && name != "auth";
        for operation in operations(item) {
            let verb = operation.operation_id.take().unwrap_or_default();
            let mut id = format!("{name}_{verb}");
            if path.starts_with(VERSION) && !wants_key {
                id.push_str("_versioned");
            }
            operation.operation_id = Some(id);
            operation.tags = Some(vec![name.clone()]);
            operation.responses.responses.insert(
                "default".to_owned(),
                Ref::from_response_name("Refused").into(),
            );
            operation.security = Some(if wants_key { schemes() } else { Vec::new() });
        }
    }
    let components = api.components.get_or_insert_with(Components::new);
    components
        .responses
        .insert("Refused".to_owned(), refused().into());
    for (name, scheme) in [
        (
            "key",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("accesskey"))),
        ),
        (
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("accesskey"))),
        ),
        (
            "token",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("token"))),
        ),
        (
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        ),
    ] {
        components
            .security_schemes
            .insert(name.to_owned(), scheme.into());
    }
}

fn schemes() -> Vec<SecurityRequirement> {
    ["bearer", "key", "cookie", "token"]
        .map(|name| SecurityRequirement::new(name, [] as [&str; 0]))
        .into()
}

/// The one response of everything that is refused, with the catalogue of its reasons.
fn refused() -> utoipa::openapi::Response {
    let rows = Reason::ALL.iter().map(|reason| {
        format!(
            "| {} | {} | {} | {} |\n",
            reason.code().as_u16(),
            reason.status().as_str(),
            reason.as_str(),
            reason.meaning()
        )
    });
    let table: String = rows.collect();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Envelope")))
        .build();
    ResponseBuilder::new()
        .description(format!(
            "The request is refused.\n\n| code | status | reason | meaning |\n|---|---|---|---|\n{table}"
        ))
        .content("application/json", content)
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}

/// The description as a file, and the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    api: &OpenApi,
) -> Result<Router<S>, serde_json::Error> {
    let text = axum::body::Bytes::from(serde_json::to_vec(api)?);
    let page = SwaggerUi::new("/docs").config(
        Config::from(PATH)
            .persist_authorization(true)
            .display_request_duration(true),
    );
    Ok(Router::from(page).route(
        PATH,
        get(move || {
            let text = text.clone();
            async move { text_response(text) }
        }),
    ))
}
