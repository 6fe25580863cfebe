//! Flows: those that the API keeps, and beside them those of the directory, which are read-only here.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::configured::{FlowFile, Origin, id_of_name};
use super::json::{self, Json};
use super::parameters::{Id, Page};
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Listed, Listing, Resource as _, Shown, Stamp, resource};
use crate::database::Kind;
use crate::flow::dialect::{FlowErrorKind, FlowErrors, Support, parse_flow};
use crate::flow::lint::{self, Severity, Surroundings};
use crate::flow::{self};
use crate::ids::Rng;

/// A script of actions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: FlowType,
    /// Its name, by which it can be dialled where no other has it.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// What a caller meets, in order.
    pub actions: Vec<Action>,
    /// The flow that runs when a run of this one is over; nil for none.
    pub on_complete_flow_id: Uuid,
}

/// What a flow is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlowType {
    /// Calls and everything else.
    #[default]
    Flow,
}

/// One step of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// Its name, for jumps: a UUID, or another text of up to 64 characters. One is made where there is none.
    #[serde(default, deserialize_with = "some")]
    pub id: String,
    /// Where to go on instead of at the next one; nil for the next one.
    #[serde(default = "nil", deserialize_with = "some")]
    pub next_id: String,
    /// What to do.
    #[serde(rename = "type")]
    #[schema(example = "talk")]
    pub kind: String,
    /// How, by the type of the action.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Object)]
    pub option: Map<String, Value>,
}

resource!(Flow: Kind::shared("flow"), missing FlowNotFound);

/// What a client says of a flow.
#[derive(Deserialize, ToSchema)]
struct FlowBody {
    /// Its name.
    #[serde(default)]
    name: String,
    /// Its description.
    #[serde(default)]
    detail: String,
    /// What a caller meets, in order.
    actions: Vec<Action>,
    /// The flow that runs when a run of this one is over.
    #[serde(default)]
    on_complete_flow_id: Option<Uuid>,
}

/// What the linter says of a flow.
#[derive(Serialize, ToSchema)]
struct FlowFindings {
    /// Whether it would be taken and nothing in it is an error.
    valid: bool,
    /// In the order of the text.
    findings: Vec<FlowFinding>,
}

/// One thing that is wrong or odd.
#[derive(Serialize, ToSchema)]
struct FlowFinding {
    /// Of its rule; never given to another one.
    #[schema(example = "F010")]
    code: &'static str,
    /// The rule's name.
    #[schema(example = "unknown-action")]
    rule: &'static str,
    /// `error`, `warning` or `note`.
    severity: &'static str,
    /// Where, from the root.
    #[schema(example = "actions[2].option.duration")]
    path: String,
    /// From one.
    line: usize,
    /// In characters, from one.
    column: usize,
    /// What is wrong.
    message: String,
    /// What to do about it.
    remedy: String,
}

/// Every route of flows.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(validate))
        .routes(routes!(get, replace, delete))
}

/// List flows
#[utoipa::path(get, path = "/flows", params(Page), responses((status = 200, body = Listed<Flow>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Flow>> {
    api.list(page).await
}

/// Create a flow
///
/// It is refused when the switch could not run it; `details.errors` tells where.
#[utoipa::path(post, path = "/flows", request_body = FlowBody, responses((status = 200, body = Flow)))]
async fn create(State(api): State<Arc<Api>>, Json(written): Json<FlowBody>) -> Answer<Shown<Flow>> {
    let flow = Flow {
        stamp: api.stamp(),
        kind: FlowType::Flow,
        name: written.name,
        detail: written.detail,
        actions: api.named(written.actions),
        on_complete_flow_id: written.on_complete_flow_id.unwrap_or_default(),
    };
    flow.check()?;
    api.create(flow).await
}

/// Say what is wrong with a flow
///
/// Takes what creating one takes, or a bare array of actions, and keeps nothing.
#[utoipa::path(post, path = "/flows/validate", request_body = FlowBody, responses((status = 200, body = FlowFindings)))]
async fn validate(State(api): State<Arc<Api>>, request: Request) -> Answer<Json<FlowFindings>> {
    let text = json::read(request).await?;
    let flows = api.flow_names().await?;
    let findings = lint::check(
        &text,
        &Surroundings {
            flows: Some(&flows),
            is_fetched: false,
            outer_ids: &BTreeSet::new(),
            outer_targets: &BTreeSet::new(),
            permits: &*api.permits,
        },
    );
    let is_error = |finding: &lint::Finding| finding.rule.severity() == Severity::Error;
    Ok(Json(FlowFindings {
        valid: !findings.iter().any(is_error),
        findings: findings.into_iter().map(FlowFinding::from).collect(),
    }))
}

/// Get a flow
#[utoipa::path(get, path = "/flows/{id}", params(Id), responses((status = 200, body = Flow)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Flow>> {
    api.get(id).await
}

/// Replace a flow
///
/// Runs that have begun keep the actions they began with.
#[utoipa::path(put, path = "/flows/{id}", params(Id), request_body = FlowBody, responses((status = 200, body = Flow)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<FlowBody>,
) -> Answer<Shown<Flow>> {
    let actions = api.named(written.actions);
    let replace = |flow: &mut Flow| {
        flow.name = written.name;
        flow.detail = written.detail;
        flow.actions = actions;
        flow.on_complete_flow_id = written.on_complete_flow_id.unwrap_or_default();
        flow.check()
    };
    api.change(id, replace).await
}

/// Delete a flow
///
/// Runs that have begun go on.
#[utoipa::path(delete, path = "/flows/{id}", params(Id), responses((status = 200, body = Flow)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Flow>> {
    api.delete(id).await
}

impl Flow {
    /// A flow of the directory: its text with the ids that its actions have.
    #[must_use]
    pub(super) fn of_file(origin: Origin, file: &FlowFile, all: &[FlowFile]) -> Option<Self> {
        let mut root: Value = serde_json::from_str(&file.text).ok()?;
        let detail = root["detail"].as_str().unwrap_or_default().to_owned();
        let list = match &mut root {
            Value::Array(_) => root.take(),
            _ => root["actions"].take(),
        };
        let mut actions: Vec<Action> = serde_json::from_value(list).ok()?;
        for (action, read) in actions.iter_mut().zip(file.flow.actions.iter()) {
            action.id = read.id.to_string();
        }
        let after = file.flow.on_complete_flow_id.as_deref();
        Some(Self {
            stamp: origin.stamp(id_of_file(file)),
            kind: FlowType::Flow,
            name: file.flow.name.clone(),
            detail,
            actions,
            on_complete_flow_id: id_of_reference(all, after),
        })
    }

    /// That the switch can run it. What is kept is what the switch reads.
    fn check(&self) -> Answer<()> {
        check_actions(self.document().body.text().as_bytes())
    }
}

/// That the switch can run the flow in this text.
pub(super) fn check_actions(flow: &[u8]) -> Answer<()> {
    match parse_flow(flow, "", &mut Rng::from_number(0), Support::Live) {
        Ok(_) => Ok(()),
        Err(errors) => Err(refused(&errors)),
    }
}

fn refused(errors: &FlowErrors) -> Refusal {
    let reason_of = |error: &flow::dialect::FlowError| match error.kind {
        FlowErrorKind::UnknownAction { .. } | FlowErrorKind::NotSupported { .. } => {
            Reason::InvalidActionType
        }
        _ if error.path.ends_with(".anonymous") => Reason::InvalidAnonymousValue,
        _ => Reason::InvalidArgument,
    };
    let telling = errors
        .iter()
        .find(|error| reason_of(error) != Reason::InvalidArgument)
        .or_else(|| errors.iter().next());
    let (reason, message) = telling.map_or_else(
        || (Reason::InvalidArgument, String::new()),
        |error| (reason_of(error), format!("{}: {}", error.path, error.kind)),
    );
    let list: Vec<Value> = errors
        .iter()
        .map(|error| serde_json::json!({"path": error.path, "message": error.kind.to_string()}))
        .collect();
    Refusal::new(reason, message).with(serde_json::json!({ "errors": list }))
}

impl Api {
    /// The actions, each with an id.
    pub(super) fn named(&self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if is_none(&action.id) {
                action.id = self.uuid().to_string();
            }
            if is_none(&action.next_id) {
                action.next_id = nil();
            }
            if let Some(inner) = action.option.get_mut("actions") {
                self.name_inner(inner);
            }
        }
        actions
    }

    /// The actions that a `call` brings along.
    fn name_inner(&self, actions: &mut Value) {
        for action in actions.as_array_mut().into_iter().flatten() {
            let Some(action) = action.as_object_mut() else {
                continue;
            };
            if action.get("id").and_then(Value::as_str).is_none_or(is_none) {
                action.insert("id".to_owned(), self.uuid().to_string().into());
            }
            if let Some(inner) = action
                .get_mut("option")
                .and_then(|option| option.get_mut("actions"))
            {
                self.name_inner(inner);
            }
        }
    }

    /// By what flows may call one another.
    async fn flow_names(&self) -> Answer<BTreeSet<String>> {
        let mut documents = self.records.all(Flow::KIND).await?;
        documents.extend(self.configured().of(Flow::KIND).iter().cloned());
        let mut names = BTreeSet::new();
        for document in &documents {
            names.insert(document.id.to_string());
            names.insert(Flow::read(document)?.name);
        }
        Ok(names)
    }
}

impl From<lint::Finding> for FlowFinding {
    fn from(finding: lint::Finding) -> Self {
        Self {
            code: finding.rule.code(),
            rule: finding.rule.name(),
            severity: finding.rule.severity().as_str(),
            path: finding.path,
            line: finding.line,
            column: finding.column,
            message: finding.sentence,
            remedy: finding.remedy,
        }
    }
}

/// The id of a flow of the directory, also where its file calls it by a text that is no UUID.
pub(super) fn id_of_file(file: &FlowFile) -> Uuid {
    Uuid::try_parse(&file.flow.id).unwrap_or_else(|_| id_of_name(Flow::KIND, &file.flow.id))
}

/// The flow that an id or name of a file refers to; nil for none.
pub(super) fn id_of_reference(all: &[FlowFile], reference: Option<&str>) -> Uuid {
    let Some(reference) = reference else {
        return Uuid::nil();
    };
    let is_it = |file: &&FlowFile| {
        let names = [&file.flow.id, &file.flow.name, &file.stem];
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(reference))
    };
    let found = all.iter().find(is_it).map(id_of_file);
    found
        .or_else(|| Uuid::try_parse(reference).ok())
        .unwrap_or_default()
}

fn is_none(id: &str) -> bool {
    id.is_empty() || Uuid::try_parse(id).is_ok_and(|id| id.is_nil())
}

fn nil() -> String {
    Uuid::nil().to_string()
}

/// A value, or its default for `null`.
pub(super) fn some<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
