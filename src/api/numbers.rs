//! Numbers of ours, and the flows that answer them.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::configured::{FlowFile, Origin, id_of_name};
use super::flows::id_of_reference;
use super::json::Json;
use super::made::reference;
use super::parameters::{Id, Page};
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Listed, Listing, Resource as _, Shown, Stamp, resource};
use super::timestamp::Timestamp;
use crate::database::Kind;
use crate::store;

/// A number of ours.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Number {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// In E.164, with `+`.
    #[schema(example = "+15551112222")]
    pub number: String,
    /// Whether it is of the telephone network.
    #[serde(rename = "type")]
    pub kind: NumberType,
    /// The flow that answers calls; nil for none.
    pub call_flow_id: Uuid,
    /// The flow that answers messages; nil for none.
    pub message_flow_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// Whether it is ours.
    pub status: NumberStatus,
    /// Whether it takes faxes by T.38: never here.
    pub t38_enabled: bool,
    /// Whether emergency calls have it as their caller: never here.
    pub emergency_enabled: bool,
    /// When it came to be ours.
    pub tm_purchase: Option<Timestamp>,
    /// When that was last prolonged.
    pub tm_renew: Option<Timestamp>,
}

/// Where a number is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NumberType {
    /// In the telephone network.
    #[default]
    Normal,
    /// Here alone: +899001000000 to +899999999999.
    Virtual,
}

/// What became of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NumberStatus {
    /// It is ours.
    #[default]
    Active,
    /// It was.
    Deleted,
}

resource!(Number: Kind::shared("number"), missing NumberNotFound, key |number| Some(number.number.clone()),
    bury |number| number.status = NumberStatus::Deleted);

/// What a client says of a new number.
#[derive(Deserialize, ToSchema)]
struct CreateNumber {
    /// In E.164; spaces, hyphens and parentheses are left out.
    #[schema(example = "+15551112222")]
    number: String,
    /// Whether it is of the telephone network.
    #[serde(default, rename = "type")]
    kind: NumberType,
    #[serde(flatten)]
    written: UpdateNumber,
}

/// What a client says of a number.
#[derive(Deserialize, ToSchema)]
struct UpdateNumber {
    /// The flow that answers calls.
    #[serde(default)]
    call_flow_id: Option<Uuid>,
    /// The flow that answers messages.
    #[serde(default)]
    message_flow_id: Option<Uuid>,
    /// Its name.
    #[serde(default)]
    name: String,
    /// Its description.
    #[serde(default)]
    detail: String,
}

/// Which flows answer.
#[derive(Deserialize, ToSchema)]
struct UpdateNumberFlows {
    /// Calls.
    #[serde(default)]
    call_flow_id: Option<Uuid>,
    /// Messages.
    #[serde(default)]
    message_flow_id: Option<Uuid>,
}

/// Every route of numbers.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
        .routes(routes!(replace_flows))
}

/// List numbers
#[utoipa::path(get, path = "/numbers", params(Page), responses((status = 200, body = Listed<Number>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Number>> {
    api.list(page).await
}

/// Take a number
#[utoipa::path(post, path = "/numbers", request_body = CreateNumber, responses((status = 200, body = Number)))]
async fn create(
    State(api): State<Arc<Api>>,
    Json(wanted): Json<CreateNumber>,
) -> Answer<Shown<Number>> {
    let stamp = api.stamp();
    let mut number = Number {
        stamp,
        number: e164(&wanted.number, wanted.kind)?,
        kind: wanted.kind,
        status: NumberStatus::Active,
        tm_purchase: Some(stamp.tm_create),
        ..Number::bare(stamp)
    };
    number.write(wanted.written);
    api.create(number).await
}

/// Get a number
#[utoipa::path(get, path = "/numbers/{id}", params(Id), responses((status = 200, body = Number)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Number>> {
    api.get(id).await
}

/// Replace what is said of a number
#[utoipa::path(put, path = "/numbers/{id}", params(Id), request_body = UpdateNumber, responses((status = 200, body = Number)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<UpdateNumber>,
) -> Answer<Shown<Number>> {
    let replace = |number: &mut Number| {
        number.write(written);
        Ok(())
    };
    api.change(id, replace).await
}

/// Replace the flows of a number
#[utoipa::path(put, path = "/numbers/{id}/flow_ids", params(Id), request_body = UpdateNumberFlows, responses((status = 200, body = Number)))]
async fn replace_flows(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(flows): Json<UpdateNumberFlows>,
) -> Answer<Shown<Number>> {
    let replace = |number: &mut Number| {
        number.call_flow_id = flows.call_flow_id.unwrap_or_default();
        number.message_flow_id = flows.message_flow_id.unwrap_or_default();
        Ok(())
    };
    api.change(id, replace).await
}

/// Give a number back
#[utoipa::path(delete, path = "/numbers/{id}", params(Id), responses((status = 200, body = Number)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Number>> {
    api.delete(id).await
}

impl Number {
    const fn bare(stamp: Stamp) -> Self {
        Self {
            stamp,
            number: String::new(),
            kind: NumberType::Normal,
            call_flow_id: Uuid::nil(),
            message_flow_id: Uuid::nil(),
            name: String::new(),
            detail: String::new(),
            status: NumberStatus::Active,
            t38_enabled: false,
            emergency_enabled: false,
            tm_purchase: None,
            tm_renew: None,
        }
    }

    /// One of `[[numbers]]`.
    pub(super) fn of_file(
        origin: Origin,
        number: &store::flows::Number,
        flows: &[FlowFile],
    ) -> Self {
        Self {
            number: number.number.clone(),
            call_flow_id: id_of_reference(flows, number.call_flow.as_deref()),
            message_flow_id: id_of_reference(flows, number.message_flow.as_deref()),
            ..Self::bare(origin.stamp(id_of_name(Self::KIND, &number.number)))
        }
    }

    /// As the switch goes by it; `files` are the flows of the directory.
    pub(super) fn to_store(&self, files: &[FlowFile]) -> store::flows::Number {
        store::flows::Number {
            number: self.number.clone(),
            call_flow: reference(self.call_flow_id, files),
            message_flow: reference(self.message_flow_id, files),
        }
    }

    fn write(&mut self, written: UpdateNumber) {
        self.call_flow_id = written.call_flow_id.unwrap_or_default();
        self.message_flow_id = written.message_flow_id.unwrap_or_default();
        self.name = written.name;
        self.detail = written.detail;
    }
}

/// The number as it is kept: `+` and 7 to 15 digits (ITU-T E.164 §6).
fn e164(text: &str, kind: NumberType) -> Answer<String> {
    const VIRTUAL: std::ops::RangeInclusive<u64> = 899_001_000_000..=899_999_999_999;
    let wrong = |message: &'static str| Refusal::new(Reason::InvalidArgument, message);
    let is_visual = |c: &char| matches!(c, ' ' | '-' | '.' | '(' | ')');
    let plain: String = text.trim().chars().filter(|c| !is_visual(c)).collect();
    let digits = plain.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong("number: expected + and 7 to 15 digits"));
    }
    let is_virtual = digits.len() == 12 && digits.parse().is_ok_and(|it| VIRTUAL.contains(&it));
    if kind == NumberType::Virtual && !is_virtual {
        let message = "number: a virtual number is one of +899001000000 to +899999999999";
        return Err(wrong(message));
    }
    Ok(plain)
}
