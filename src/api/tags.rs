//! Tags: what agents are for, and what queues want.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::json::Json;
use super::parameters::{Id, Page};
use super::resource::{Answer, Listed, Listing, Shown, Stamp, resource};
use crate::database::Kind;

/// A name for what agents are for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Its name.
    pub name: String,
    /// Its description.
    pub detail: String,
}

resource!(Tag: Kind::shared("tag"));

/// What a client says of a tag.
#[derive(Deserialize, ToSchema)]
struct TagBody {
    /// Its name.
    name: String,
    /// Its description.
    #[serde(default)]
    detail: String,
}

/// Every route of tags.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
}

/// List tags
#[utoipa::path(get, path = "/tags", params(Page), responses((status = 200, body = Listed<Tag>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Tag>> {
    api.list(page).await
}

/// Create a tag
#[utoipa::path(post, path = "/tags", request_body = TagBody, responses((status = 200, body = Tag)))]
async fn create(State(api): State<Arc<Api>>, Json(tag): Json<TagBody>) -> Answer<Shown<Tag>> {
    let TagBody { name, detail } = tag;
    let stamp = api.stamp();
    api.create(Tag {
        stamp,
        name,
        detail,
    })
    .await
}

/// Get a tag
#[utoipa::path(get, path = "/tags/{id}", params(Id), responses((status = 200, body = Tag)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Tag>> {
    api.get(id).await
}

/// Replace a tag
#[utoipa::path(put, path = "/tags/{id}", params(Id), request_body = TagBody, responses((status = 200, body = Tag)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<TagBody>,
) -> Answer<Shown<Tag>> {
    let replace = |tag: &mut Tag| {
        tag.name = written.name;
        tag.detail = written.detail;
        Ok(())
    };
    api.change(id, replace).await
}

/// Delete a tag
#[utoipa::path(delete, path = "/tags/{id}", params(Id), responses((status = 200, body = Tag)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Tag>> {
    api.delete(id).await
}
