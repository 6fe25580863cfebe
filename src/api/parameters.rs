//! What stands in the path and in the query.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use uuid::Uuid;

use super::reason::Reason;
use super::refusal::Refusal;
use crate::database::Micros;

/// The id at the end of a path, as `/flows/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(names("id"), parameter_in = Path)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| uuid(&text));
        id.map(Self).ok_or_else(|| Reason::InvalidId.into())
    }
}

/// Two ids in a path, as `/outdials/{id}/targets/{target_id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids(pub Uuid, pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let ids = path
            .ok()
            .and_then(|Path((one, other))| Some(Self(uuid(&one)?, uuid(&other)?)));
        ids.ok_or_else(|| Reason::InvalidId.into())
    }
}

/// An id as clients write it: with hyphens, and in no other of its spellings.
fn uuid(text: &str) -> Option<Uuid> {
    const LENGTH: usize = 36;
    (text.len() == LENGTH)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// The query of a request.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        AxumQuery::try_from_uri(&parts.uri)
            .map(|AxumQuery(query)| Self(query))
            .map_err(|error| Refusal::new(Reason::InvalidRequestParameter, error.body_text()))
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Items at most.
    pub size: u32,
    /// Only what is older: the token of the page before.
    pub before: Option<Micros>,
}

impl Page {
    /// Items of a page, unless fewer are wished for; more are never given.
    pub const SIZE: u32 = 100;
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct WrittenPage {
    page_size: Option<String>,
    page_token: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(written) = Query::<WrittenPage>::from_request_parts(parts, state).await?;
        let wished = written.page_size.and_then(|text| text.parse().ok());
        let size = wished
            .filter(|size| (1..=Self::SIZE).contains(size))
            .unwrap_or(Self::SIZE);
        let token = written.page_token.filter(|token| !token.is_empty());
        let before = token.map(|token| token.parse()).transpose().map_err(|_| {
            let message = "page_token is the next_page_token of the page before";
            Refusal::new(Reason::InvalidRequestParameter, message)
        })?;
        Ok(Self { size, before })
    }
}

impl IntoParams for Page {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = |format: Option<&str>| {
            let format = format.map(|name| SchemaFormat::Custom(name.to_owned()));
            let text = ObjectBuilder::new().schema_type(Type::String);
            Schema::Object(text.format(format).build())
        };
        let parameter = |name: &str, description: &str, schema: Schema| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build()
        };
        vec![
            parameter(
                "page_size",
                "Items at most: 1 to 100; 100 when it is left out or anything else.",
                text(None),
            ),
            parameter(
                "page_token",
                "The next_page_token of the page before; the newest items when it is left out.",
                text(Some("date-time")),
            ),
        ]
    }
}
