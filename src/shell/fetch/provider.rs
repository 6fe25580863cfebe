//! A server that the operator names: a voice, a transcriber, a chat, a message gateway.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};
use tokio::sync::Semaphore;

use super::{FetchError, Timeouts, build_client, read_body};

/// Which server, and what proves that we may ask it.
///
/// The operator names it, not a flow, so it may stand on any network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The whole URL.
    pub url: String,
    /// Sent as a bearer token when there is one.
    pub key: Option<ApiKey>,
}

/// A secret: what prints it prints dots.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProviderLimits {
    /// From asking to the last octet, waiting for a place with it.
    pub(crate) total: Duration,
    /// Octets of an answer.
    pub(crate) bytes: usize,
    /// Requests at one time; further ones wait.
    pub(crate) concurrent: usize,
}

/// The client of one server.
#[derive(Debug)]
pub(crate) struct Provider {
    client: Client,
    url: Url,
    key: Option<ApiKey>,
    limits: ProviderLimits,
    places: Semaphore,
}

impl Provider {
    /// # Errors
    /// [`FetchError::Url`], and [`FetchError::Unavailable`] when TLS cannot be set up at all.
    pub(crate) fn new(config: ProviderConfig, limits: ProviderLimits) -> Result<Self, FetchError> {
        let timeouts = Timeouts {
            connect: CONNECT,
            idle: limits.total,
        };
        let url = Url::parse(&config.url).ok();
        Ok(Self {
            url: url
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or(FetchError::Url)?,
            client: build_client(timeouts, |builder| builder)?,
            key: config.key,
            limits,
            places: Semaphore::new(limits.concurrent),
        })
    }

    /// Posts what `fill` makes of the request, and gives the body of a 2xx answer.
    pub(crate) async fn post(
        &self,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Vec<u8>, FetchError> {
        let asking = async {
            let _place = self
                .places
                .acquire()
                .await
                .map_err(|_| FetchError::Unavailable)?;
            let mut request = fill(self.client.post(self.url.clone()));
            if let Some(ApiKey(key)) = &self.key {
                request = request.bearer_auth(key);
            }
            let response = request
                .send()
                .await
                .map_err(|error| FetchError::of(&error))?;
            if !response.status().is_success() {
                return Err(FetchError::Status {
                    code: response.status().as_u16(),
                });
            }
            read_body(response, self.limits.bytes).await
        };
        tokio::time::timeout(self.limits.total, asking)
            .await
            .map_err(|_| FetchError::TimedOut)?
    }
}

/// To a TCP and TLS connection.
const CONNECT: Duration = Duration::from_secs(5);
