//! `POST /auth/login`: a password for a token.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::agents::Agent;
use super::json::Json;
use super::keys::Hash;
use super::parameters::Page;
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Resource as _, Stamp, resource};
use super::timestamp::Timestamp;
use crate::database::Kind;

/// How long a token is good for.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Characters of one: 200 bits.
const LENGTH: usize = 40;
/// Longest password that is hashed, in bytes.
pub(super) const LONGEST_PASSWORD: usize = 128;
/// Shortest password of an agent, in characters.
pub(super) const SHORTEST_PASSWORD: usize = 8;

/// The route outside of the version.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(login))
}

/// A name and its password.
#[derive(Deserialize, ToSchema)]
struct LoginBody {
    /// The username of an agent.
    username: String,
    /// Its password.
    #[schema(format = Password)]
    password: String,
}

/// What the name and the password are worth.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// As given.
    username: String,
    /// For the header `Authorization: Bearer`, good for seven days; also in the cookie `token`.
    token: String,
}

/// A token that was given out; the key is its hash.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Token {
    #[serde(flatten)]
    stamp: Stamp,
    /// To whom.
    pub(super) agent_id: Uuid,
    /// Until when.
    pub(super) tm_expire: Timestamp,
}

resource!(Token: Kind::record("token"), parent |token| Some(token.agent_id));

/// Log in as an agent
///
/// Wrong names and wrong passwords are answered alike.
#[utoipa::path(post, path = "/auth/login", responses((status = 200, body = LoggedIn)))]
async fn login(State(api): State<Arc<Api>>, Json(login): Json<LoginBody>) -> Answer<Response> {
    let agent = api.records.find(Agent::KIND, &login.username).await?;
    let hash = agent.as_ref().and_then(|agent| agent.hidden.clone());
    let is_right = api.is_password(login.password, hash).await?;
    let Some(agent) = agent.filter(|_| is_right) else {
        return Err(Reason::WrongPassword.into());
    };
    let token = api.give_token(agent.id).await?;
    let cookie = format!(
        "token={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
        LIFETIME.as_secs()
    );
    let username = login.username;
    Ok(([(SET_COOKIE, cookie)], Json(LoggedIn { username, token })).into_response())
}

impl Api {
    async fn give_token(&self, agent: Uuid) -> Answer<String> {
        self.forget_tokens(agent).await?;
        let token = self.secret(LENGTH);
        let stamp = self.stamp();
        let given = Token {
            tm_expire: stamp.tm_create.0.after(LIFETIME).into(),
            agent_id: agent,
            stamp,
        };
        let mut document = given.document();
        document.key = Some(Hash::of(&token).key());
        self.records.create(document).await?;
        Ok(token)
    }

    /// Deletes those that have expired, and the oldest when an agent has too many.
    async fn forget_tokens(&self, agent: Uuid) -> Answer<()> {
        const MOST: usize = 50;
        let page = Page {
            size: Page::SIZE,
            before: None,
        };
        let known = self.list_of::<Token>(agent, page).await?.0;
        let now = self.clock.wall();
        for (index, mut document) in known.into_iter().enumerate() {
            if index + 1 >= MOST || Token::read(&document)?.tm_expire.0 <= now {
                document.deleted = Some(now);
                self.records.replace(document).await?;
            }
        }
        Ok(())
    }

    /// Deletes all tokens of an agent: whoever has one logs in again.
    pub(super) async fn forget_all_tokens(&self, agent: Uuid) -> Answer<()> {
        let page = Page {
            size: Page::SIZE,
            before: None,
        };
        for mut document in self.list_of::<Token>(agent, page).await?.0 {
            document.deleted = Some(self.clock.wall());
            self.records.replace(document).await?;
        }
        Ok(())
    }

    /// Hashes a password of an agent.
    pub(super) async fn hash_password(&self, password: String) -> Answer<Arc<str>> {
        if password.chars().count() < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
            let message = "a password has 8 characters at least, and 128 bytes at most";
            return Err(Refusal::new(Reason::InvalidArgument, message));
        }
        let mut salt = [0; 16];
        self.fill(&mut salt);
        let hashed = self.with_a_core(move || {
            let salt = SaltString::encode_b64(&salt).ok()?;
            let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
            Some(Arc::from(hash.ok()?.to_string()))
        });
        hashed.await?.ok_or_else(|| Reason::Internal.into())
    }

    /// Whether this is the password of that hash. Without a hash it takes as long and is not.
    async fn is_password(&self, password: String, hash: Option<Arc<str>>) -> Answer<bool> {
        if password.len() > LONGEST_PASSWORD {
            return Ok(false);
        }
        let is_right = self.with_a_core(move || {
            let verify = |hash: &str| {
                PasswordHash::new(hash).is_ok_and(|hash| {
                    Argon2::default()
                        .verify_password(password.as_bytes(), &hash)
                        .is_ok()
                })
            };
            match hash {
                Some(hash) => verify(&hash),
                None => {
                    verify(NOBODY);
                    false
                }
            }
        });
        is_right.await
    }

    /// Runs what takes a core for some ten milliseconds and much memory: few at once, and none beside them.
    #[expect(
        clippy::disallowed_methods,
        reason = "on a thread of the runtime it would hold up other requests"
    )]
    async fn with_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Answer<T> {
        let Ok(_turn) = self.hashing.acquire().await else {
            return Err(Reason::ServiceUnavailable.into());
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| Reason::Internal.into())
    }
}

/// The hash of no password, made as all are, so that an unknown name takes as long as a known one.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm8$vF0tYJ7DBh9r0rF2WZbq6mZbE4J4q1m0xk0yqQk3n7E";
