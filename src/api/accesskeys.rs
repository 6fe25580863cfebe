//! Access keys: what programs present.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::json::Json;
use super::keys::Hash;
use super::parameters::{Id, Page};
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Listed, Listing, Resource as _, Shown, Stamp, resource};
use super::timestamp::Timestamp;
use crate::database::{Kind, Micros};

/// A key for programs, as it is shown ever after.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accesskey {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub detail: String,
    /// How the key begins, to know it again by.
    pub token_prefix: String,
    /// From when on it is worth nothing; null for never.
    #[serde(default)]
    #[schema(required)]
    pub tm_expire: Option<Timestamp>,
}

resource!(Accesskey: Kind::shared("accesskey"));

impl Accesskey {
    /// Claims that it opens at that time.
    #[must_use]
    pub fn is_valid_at(&self, now: Micros) -> bool {
        self.tm_expire.is_none_or(|end| now < end.0)
    }
}

/// A key right after it was made: the one time that it is shown whole.
#[derive(Debug, Serialize, ToSchema)]
struct NewAccesskey {
    #[serde(flatten)]
    accesskey: Accesskey,
    /// The key itself.
    #[schema(example = "vb_0123456789abcdefghijkmnpqrstuvwx")]
    token: String,
}

/// What a client wants of a new key.
#[derive(Deserialize, ToSchema)]
struct CreateAccesskey {
    /// Its name.
    #[serde(default)]
    name: String,
    /// What it is for.
    #[serde(default)]
    detail: String,
    /// Seconds from now on for which it opens; 0 for ever.
    #[serde(default)]
    #[schema(maximum = 3_153_600_000_u64)]
    expire: u64,
}

/// What a client says of a key later.
#[derive(Deserialize, ToSchema)]
struct UpdateAccesskey {
    /// Its name.
    name: String,
    /// What it is for.
    #[serde(default)]
    detail: String,
}

/// A hundred years, in seconds.
const LONGEST: u64 = 3_153_600_000;
/// Characters of a key that are shown later: enough to know it again, too few to guess it.
const SHOWN: usize = 11;

/// Every route of access keys.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
}

/// List access keys
#[utoipa::path(get, path = "/accesskeys", params(Page), responses((status = 200, body = Listed<Accesskey>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Accesskey>> {
    api.list(page).await
}

/// Create an access key
///
/// The answer is the only one that holds the key itself.
#[utoipa::path(post, path = "/accesskeys", request_body = CreateAccesskey, responses((status = 200, body = NewAccesskey)))]
async fn create(
    State(api): State<Arc<Api>>,
    Json(wanted): Json<CreateAccesskey>,
) -> Answer<Json<NewAccesskey>> {
    if wanted.expire > LONGEST {
        let message = "expire is at most a hundred years";
        return Err(Refusal::new(Reason::InvalidArgument, message));
    }
    let token = api.with_rng(super::keys::new_key);
    let stamp = api.stamp();
    let lifetime = Duration::from_secs(wanted.expire);
    let accesskey = Accesskey {
        stamp,
        name: wanted.name,
        detail: wanted.detail,
        token_prefix: token.chars().take(SHOWN).collect(),
        tm_expire: (wanted.expire > 0).then(|| stamp.tm_create.0.after(lifetime).into()),
    };
    let mut document = accesskey.document();
    document.key = Some(Hash::of(&token).key());
    api.keep_new::<Accesskey>(document).await?;
    Ok(Json(NewAccesskey { accesskey, token }))
}

/// Get an access key
#[utoipa::path(get, path = "/accesskeys/{id}", params(Id), responses((status = 200, body = Accesskey)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Accesskey>> {
    api.get(id).await
}

/// Replace what is said of an access key
#[utoipa::path(put, path = "/accesskeys/{id}", params(Id), request_body = UpdateAccesskey, responses((status = 200, body = Accesskey)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<UpdateAccesskey>,
) -> Answer<Shown<Accesskey>> {
    let replace = |key: &mut Accesskey| {
        key.name = written.name;
        key.detail = written.detail;
        Ok(())
    };
    api.change(id, replace).await
}

/// Delete an access key
///
/// It opens nothing from then on.
#[utoipa::path(delete, path = "/accesskeys/{id}", params(Id), responses((status = 200, body = Accesskey)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Accesskey>> {
    api.delete(id).await
}
