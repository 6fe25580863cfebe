//! Extensions: names that telephones register with.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::configured::{Origin, id_of_name};
use super::json::Json;
use super::parameters::{Id, Page};
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Listed, Listing, Resource as _, Shown, Stamp, resource};
use crate::database::Kind;

/// A name that telephones register with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// Its name for people.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// What is dialled.
    #[schema(example = "1000")]
    pub extension: String,
    /// The realm of its digest; telephones take any domain of ours.
    pub domain_name: String,
    /// The same as `extension`, as telephones ask for it.
    pub username: String,
    /// What telephones prove themselves by.
    pub password: String,
}

resource!(Extension: Kind::shared("extension"), key |extension| Some(extension.extension.clone()));

/// The realm of all of them.
const DOMAIN: &str = "flowswitch";
/// Longest name and longest password.
const LONGEST: usize = 64;

/// What a client says of a new extension.
#[derive(Deserialize, ToSchema)]
struct CreateExtension {
    /// What is dialled: letters, digits, and - _ . +
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._+-]+$")]
    extension: String,
    #[serde(flatten)]
    written: UpdateExtension,
}

/// What a client says of an extension.
#[derive(Deserialize, ToSchema)]
struct UpdateExtension {
    /// What telephones prove themselves by; one is made where it is empty or left out.
    #[serde(default)]
    #[schema(max_length = 64)]
    password: String,
    /// Its name for people.
    #[serde(default)]
    name: String,
    /// Its description.
    #[serde(default)]
    detail: String,
}

/// Every route of extensions.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
}

/// List extensions
#[utoipa::path(get, path = "/extensions", params(Page), responses((status = 200, body = Listed<Extension>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Extension>> {
    api.list(page).await
}

/// Create an extension
#[utoipa::path(post, path = "/extensions", request_body = CreateExtension, responses((status = 200, body = Extension)))]
async fn create(
    State(api): State<Arc<Api>>,
    Json(wanted): Json<CreateExtension>,
) -> Answer<Shown<Extension>> {
    let name = wanted.extension;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
        let message = "extension: expected up to 64 letters, digits, and - _ . +";
        return Err(Refusal::new(Reason::InvalidArgument, message));
    }
    let mut extension = Extension {
        username: name.clone(),
        extension: name,
        ..Extension::bare(api.stamp())
    };
    let password = api.password(&wanted.written)?;
    extension.write(wanted.written, password);
    api.create(extension).await
}

/// Get an extension
#[utoipa::path(get, path = "/extensions/{id}", params(Id), responses((status = 200, body = Extension)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Extension>> {
    api.get(id).await
}

/// Replace what is said of an extension
#[utoipa::path(put, path = "/extensions/{id}", params(Id), request_body = UpdateExtension, responses((status = 200, body = Extension)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<UpdateExtension>,
) -> Answer<Shown<Extension>> {
    let password = api.password(&written)?;
    let replace = |extension: &mut Extension| {
        extension.write(written, password);
        Ok(())
    };
    api.change(id, replace).await
}

/// Delete an extension
///
/// Its telephones are reached no more; their calls go on.
#[utoipa::path(delete, path = "/extensions/{id}", params(Id), responses((status = 200, body = Extension)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Extension>> {
    api.delete(id).await
}

impl Extension {
    fn bare(stamp: Stamp) -> Self {
        Self {
            stamp,
            name: String::new(),
            detail: String::new(),
            extension: String::new(),
            domain_name: DOMAIN.to_owned(),
            username: String::new(),
            password: String::new(),
        }
    }

    /// One of `[[extensions]]`.
    pub(super) fn of_file(origin: Origin, name: &str, password: &str) -> Self {
        Self {
            extension: name.to_owned(),
            username: name.to_owned(),
            password: password.to_owned(),
            ..Self::bare(origin.stamp(id_of_name(Self::KIND, name)))
        }
    }

    fn write(&mut self, written: UpdateExtension, password: String) {
        self.name = written.name;
        self.detail = written.detail;
        self.password = password;
    }
}

impl Api {
    /// The password that is wanted, or one of 80 bits.
    fn password(&self, written: &UpdateExtension) -> Answer<String> {
        const LENGTH: usize = 16;
        let password = &written.password;
        if password.is_empty() {
            return Ok(self.secret(LENGTH));
        }
        if password.len() > LONGEST || password.contains(char::is_control) {
            let message = "password: expected up to 64 characters";
            return Err(Refusal::new(Reason::InvalidArgument, message));
        }
        Ok(password.clone())
    }
}
