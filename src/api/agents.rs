//! Agents: people who take calls, and who log in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::address::Address;
use super::configured::{Origin, id_of_name};
use super::json::Json;
use super::keys::Caller;
use super::parameters::{Id, Page};
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Listed, Listing, Resource as _, Shown, Stamp, resource};
use super::tags::Tag;
use crate::database::Kind;
use crate::store;

/// Somebody who takes calls.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// What every resource begins with.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// By which it logs in; empty for one of the file, which does not.
    pub username: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// In which order its addresses are called.
    pub ring_method: RingMethod,
    /// Whether it has time.
    pub status: AgentStatus,
    /// What it may: a sum of 1 (super admin), 16 (agent), 32 (admin), 64 (manager).
    pub permission: u32,
    /// What it is for.
    pub tag_ids: Vec<Uuid>,
    /// Where it is reached.
    pub addresses: Vec<Address>,
}

/// In which order the addresses of an agent are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RingMethod {
    /// All at once.
    #[default]
    RingAll,
    /// One after another.
    Linear,
}

/// Whether an agent has time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentStatus {
    /// May be called by a queue.
    Available,
    /// Is somewhere else.
    Away,
    /// Talks.
    Busy,
    /// Does not work.
    #[default]
    Offline,
    /// Is being called.
    Ringing,
}

resource!(Agent: Kind::shared("agent"), key |agent| (!agent.username.is_empty()).then(|| agent.username.clone()));

/// What a client says of a new agent.
#[derive(Deserialize, ToSchema)]
struct CreateAgent {
    /// By which it logs in.
    #[schema(min_length = 1, max_length = 255)]
    username: String,
    /// For that: 8 characters at least.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
    /// What it may.
    #[serde(default = "agent_alone")]
    permission: u32,
    /// What it is for.
    #[serde(default)]
    tag_ids: Vec<Uuid>,
    /// Where it is reached.
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(flatten)]
    written: UpdateAgent,
}

/// What a client says of an agent.
#[derive(Deserialize, ToSchema)]
struct UpdateAgent {
    /// Its name.
    #[serde(default)]
    name: String,
    /// Its description.
    #[serde(default)]
    detail: String,
    /// In which order its addresses are called.
    #[serde(default)]
    ring_method: RingMethod,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
struct UpdateAgentPassword {
    /// 8 characters at least.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
}

/// A new permission.
#[derive(Deserialize, ToSchema)]
struct UpdateAgentPermission {
    /// A sum of 1 (super admin), 16 (agent), 32 (admin), 64 (manager).
    permission: u32,
}

/// An agent that may do what agents do.
const fn agent_alone() -> u32 {
    16
}

/// Every route of agents.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, delete))
        .routes(routes!(replace_password))
        .routes(routes!(replace_permission))
        .routes(routes!(me))
}

/// List agents
#[utoipa::path(get, path = "/agents", params(Page), responses((status = 200, body = Listed<Agent>)))]
async fn list(State(api): State<Arc<Api>>, page: Page) -> Answer<Listing<Agent>> {
    api.list(page).await
}

/// Create an agent
#[utoipa::path(post, path = "/agents", request_body = CreateAgent, responses((status = 201, body = Agent)))]
async fn create(
    State(api): State<Arc<Api>>,
    Json(wanted): Json<CreateAgent>,
) -> Answer<(StatusCode, Shown<Agent>)> {
    if wanted.username.trim().is_empty() || wanted.username.len() > 255 {
        let message = "username: expected 1 to 255 bytes";
        return Err(Refusal::new(Reason::InvalidArgument, message));
    }
    let addresses = wanted.addresses.into_iter().map(Address::normal);
    let agent = Agent {
        stamp: api.stamp(),
        username: wanted.username,
        name: wanted.written.name,
        detail: wanted.written.detail,
        ring_method: wanted.written.ring_method,
        status: AgentStatus::default(),
        permission: wanted.permission,
        tag_ids: wanted.tag_ids,
        addresses: addresses.collect::<Answer<_>>()?,
    };
    let mut document = agent.document();
    document.hidden = Some(api.hash_password(wanted.password).await?);
    let shown = api.keep_new(document).await?;
    Ok((StatusCode::CREATED, shown))
}

/// Get an agent
#[utoipa::path(get, path = "/agents/{id}", params(Id), responses((status = 200, body = Agent)))]
async fn get(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Agent>> {
    api.get(id).await
}

/// Replace what is said of an agent
#[utoipa::path(put, path = "/agents/{id}", params(Id), request_body = UpdateAgent, responses((status = 200, body = Agent)))]
async fn replace(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(written): Json<UpdateAgent>,
) -> Answer<Shown<Agent>> {
    let replace = |agent: &mut Agent| {
        agent.name = written.name;
        agent.detail = written.detail;
        agent.ring_method = written.ring_method;
        Ok(())
    };
    api.change(id, replace).await
}

/// Replace the password of an agent
#[utoipa::path(put, path = "/agents/{id}/password", params(Id), request_body = UpdateAgentPassword, responses((status = 200, body = Agent)))]
async fn replace_password(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(wanted): Json<UpdateAgentPassword>,
) -> Answer<Shown<Agent>> {
    let hash = api.hash_password(wanted.password).await?;
    let replace = |_: &mut Agent, hidden: &mut Option<Arc<str>>| {
        *hidden = Some(hash);
        Ok(())
    };
    let shown = api.change_hidden(id, replace).await?;
    api.forget_all_tokens(id).await?;
    Ok(shown)
}

/// Replace the permission of an agent
#[utoipa::path(put, path = "/agents/{id}/permission", params(Id), request_body = UpdateAgentPermission, responses((status = 200, body = Agent)))]
async fn replace_permission(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Json(wanted): Json<UpdateAgentPermission>,
) -> Answer<Shown<Agent>> {
    let replace = |agent: &mut Agent| {
        agent.permission = wanted.permission;
        Ok(())
    };
    api.change(id, replace).await
}

/// Delete an agent
///
/// Its tokens are worth nothing from then on.
#[utoipa::path(delete, path = "/agents/{id}", params(Id), responses((status = 200, body = Agent)))]
async fn delete(State(api): State<Arc<Api>>, Id(id): Id) -> Answer<Shown<Agent>> {
    api.delete(id).await
}

/// The agent who asks
///
/// There is none behind an access key.
#[utoipa::path(get, path = "/me", responses((status = 200, body = Agent)))]
async fn me(State(api): State<Arc<Api>>, caller: Caller) -> Answer<Shown<Agent>> {
    match caller {
        Caller::Agent { id, .. } => api.get(id).await,
        Caller::Key => {
            let message = "an access key is nobody; log in as an agent";
            Err(Refusal::new(Reason::ResourceNotFound, message))
        }
    }
}

impl Agent {
    /// One of `[[agents]]`.
    pub(super) fn of_file(origin: Origin, agent: &store::agents::Agent) -> Self {
        let tag_id = |tag: &store::agents::Tag| {
            Uuid::try_parse(tag.as_str()).unwrap_or_else(|_| id_of_name(Tag::KIND, tag.as_str()))
        };
        Self {
            stamp: origin.stamp(agent.id),
            username: String::new(),
            name: agent.name.clone(),
            detail: String::new(),
            ring_method: match agent.ring_method {
                store::agents::RingMethod::RingAll => RingMethod::RingAll,
                store::agents::RingMethod::Linear => RingMethod::Linear,
            },
            status: agent.status.into(),
            permission: agent_alone(),
            tag_ids: agent.tags.iter().map(tag_id).collect(),
            addresses: agent.addresses.iter().map(Address::from).collect(),
        }
    }
}

impl Agent {
    /// As the switch goes by it.
    pub(super) fn to_store(&self) -> store::agents::Agent {
        let tag = |id: &Uuid| store::agents::Tag::from(id.to_string().as_str());
        store::agents::Agent {
            id: self.stamp.id,
            name: self.name.clone(),
            status: self.status.into(),
            ring_method: match self.ring_method {
                RingMethod::RingAll => store::agents::RingMethod::RingAll,
                RingMethod::Linear => store::agents::RingMethod::Linear,
            },
            tags: self.tag_ids.iter().map(tag).collect(),
            addresses: self.addresses.iter().map(Address::to_flow).collect(),
        }
    }
}

impl From<AgentStatus> for store::agents::AgentStatus {
    fn from(status: AgentStatus) -> Self {
        match status {
            AgentStatus::Available => Self::Available,
            AgentStatus::Away => Self::Away,
            AgentStatus::Busy => Self::Busy,
            AgentStatus::Offline => Self::Offline,
            AgentStatus::Ringing => Self::Ringing,
        }
    }
}

impl From<store::agents::AgentStatus> for AgentStatus {
    fn from(status: store::agents::AgentStatus) -> Self {
        use store::agents::AgentStatus as Known;
        match status {
            Known::Available => Self::Available,
            Known::Away => Self::Away,
            Known::Busy => Self::Busy,
            Known::Offline => Self::Offline,
            Known::Ringing => Self::Ringing,
        }
    }
}
