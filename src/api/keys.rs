//! Who asks: access keys, and the tokens that agents get for their password.
//!
//! Both are random and kept as SHA-256 alone: whoever reads the database can use neither, and what is looked up is
//! the hash, so that nobody learns a key by how long an answer takes.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Api;
use super::accesskeys::Accesskey;
use super::agents::Agent;
use super::login::Token;
use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::{Answer, Resource as _};

/// The hash of a key or token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// As it is looked up by.
    #[must_use]
    pub fn key(self) -> String {
        hex::encode(self.0)
    }

    fn is(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

/// How an access key begins.
pub const PREFIX: &str = "vb_";
/// Characters behind it: 160 bits.
const LENGTH: usize = 32;
/// Longer than any key or token.
const LONGEST: usize = 256;
/// What one request may present: more is not looked at.
const PRESENTED: usize = 8;

/// A new access key.
#[must_use]
pub fn new_key(rng: &mut crate::ids::Rng) -> String {
    format!("{PREFIX}{}", rng.token(LENGTH))
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A program with an access key: may do everything.
    Key,
    /// An agent who has logged in.
    Agent {
        /// Which.
        id: Uuid,
        /// What it may, as the API tells it.
        permission: u32,
    },
}

/// Permissions of an agent that let it do everything: super admin, admin, manager.
const GOVERNS: u32 = 1 | 32 | 64;

impl Caller {
    /// That this caller may do it. Whoever does not govern sees what there is, but for keys, and changes itself.
    fn may(self, method: &Method, path: &str) -> Answer<()> {
        let Self::Agent { id, permission } = self else {
            return Ok(());
        };
        if permission & GOVERNS != 0 {
            return Ok(());
        }
        let kind = path
            .split('/')
            .find(|segment| !segment.is_empty() && *segment != "v1.0");
        let is_own = || path.contains(&id.to_string()) && !path.ends_with("/permission");
        let is_open = match kind {
            Some("accesskeys" | "extensions" | "trunks" | "providers") => false,
            Some("me" | "ws") => true,
            Some("agents") if method == Method::PUT => is_own(),
            _ => method == Method::GET,
        };
        is_open
            .then_some(())
            .ok_or_else(|| Reason::PermissionDenied.into())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Self>().copied();
        caller.ok_or_else(|| Reason::AuthenticationRequired.into())
    }
}

/// Lets a request pass when it comes with a key or token that may do it.
pub(super) async fn admit(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Response {
    let presented = presented(request.uri(), request.headers());
    let caller = match api.recognise(&presented).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    if let Err(refusal) = caller.may(request.method(), request.uri().path()) {
        return refusal.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

impl Api {
    /// Who presents one of these.
    async fn recognise(&self, presented: &[String]) -> Answer<Caller> {
        if presented.is_empty() {
            return Err(Reason::AuthenticationRequired.into());
        }
        for secret in presented {
            if secret.len() > LONGEST {
                continue;
            }
            let caller = if secret.starts_with(PREFIX) {
                self.of_key(Hash::of(secret)).await?
            } else {
                self.of_token(Hash::of(secret)).await?
            };
            if let Some(caller) = caller {
                return Ok(caller);
            }
        }
        Err(Reason::InvalidCredentials.into())
    }

    async fn of_key(&self, hash: Hash) -> Answer<Option<Caller>> {
        if self.keys.iter().any(|known| known.is(hash)) {
            return Ok(Some(Caller::Key));
        }
        let Some(document) = self.records.find(Accesskey::KIND, &hash.key()).await? else {
            return Ok(None);
        };
        let key = Accesskey::read(&document)?;
        Ok(key.is_valid_at(self.clock.wall()).then_some(Caller::Key))
    }

    async fn of_token(&self, hash: Hash) -> Answer<Option<Caller>> {
        let Some(document) = self.records.find(Token::KIND, &hash.key()).await? else {
            return Ok(None);
        };
        let token = Token::read(&document)?;
        if token.tm_expire.0 <= self.clock.wall() {
            return Ok(None);
        }
        let agent = self.records.get(Agent::KIND, token.agent_id).await?;
        let Some(agent) = agent.filter(|agent| agent.deleted.is_none()) else {
            return Ok(None);
        };
        Ok(Some(Caller::Agent {
            id: token.agent_id,
            permission: Agent::read(&agent)?.permission,
        }))
    }
}

/// All keys and tokens of a request, in the order in which they are tried: header, query, cookies.
fn presented(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, secret)| secret.trim().to_owned());
    let query: Vec<(String, String)> = axum::extract::Query::try_from_uri(uri)
        .map(|axum::extract::Query(pairs)| pairs)
        .unwrap_or_default();
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let is_secret = |name: &str| matches!(name, "accesskey" | "token");
    bearer
        .into_iter()
        .chain(
            query
                .into_iter()
                .chain(cookies)
                .filter_map(|(name, value)| is_secret(&name).then_some(value)),
        )
        .filter(|secret| !secret.is_empty())
        .take(PRESENTED)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_vb_and_thirty_two_characters() {
        let key = new_key(&mut crate::ids::Rng::from_number(1));
        assert_eq!(key.len(), 35);
        assert!(key.starts_with("vb_"));
        assert_eq!(Hash::of("vb_x").key(), hex::encode(Sha256::digest(b"vb_x")));
    }

    #[test]
    fn keys_are_taken_from_header_query_and_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "bearer one".parse().unwrap());
        headers.insert(COOKIE, "a=b; accesskey=three; token=four".parse().unwrap());
        let uri = "/v1.0/flows?accesskey=t%77o&page_size=1".parse().unwrap();
        assert_eq!(presented(&uri, &headers), ["one", "two", "three", "four"]);
        assert!(presented(&"/?accesskey=".parse().unwrap(), &HeaderMap::new()).is_empty());
    }

    #[test]
    fn an_agent_that_does_not_govern_changes_itself_alone() {
        let id = Uuid::from_u128(7);
        let agent = |permission| Caller::Agent { id, permission };
        let own = format!("/v1.0/agents/{id}/status");
        let other = format!("/v1.0/agents/{}/status", Uuid::from_u128(8));
        for (method, path, is_open) in [
            (Method::GET, "/v1.0/flows", true),
            (Method::POST, "/v1.0/flows", false),
            (Method::GET, "/v1.0/accesskeys", false),
            (Method::PUT, own.as_str(), true),
            (Method::PUT, other.as_str(), false),
            (Method::GET, "/v1.0/me", true),
        ] {
            assert_eq!(agent(16).may(&method, path).is_ok(), is_open, "{path}");
            assert!(agent(32).may(&method, path).is_ok());
            assert!(Caller::Key.may(&method, path).is_ok());
        }
    }
}
