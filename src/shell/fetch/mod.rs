//! The one gate through which servers that flows name are reached.
//!
//! ```text
//!   url -- http or https? -- literal address permitted? --.
//!    ^                                                    v
//!    |                        every address of the name permitted? -- connect to one of these
//!    |                                                                        |
//!    '---- redirect (at most 3, never https to http) -------------------------+--- body, bounded
//! ```
//!
//! A name is resolved once per connection, and the connection goes to an address that was checked: a
//! name that answers differently the second time gains nothing.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::Semaphore;

mod client;
mod policy;
mod provider;
mod request;
#[cfg(test)]
mod tests;

pub use client::install_tls;
pub(crate) use client::{Timeouts, build_client, read_body};
pub use policy::OutboundPolicy;
pub use provider::{ApiKey, ProviderConfig};
pub(crate) use provider::{Provider, ProviderLimits};
pub use request::{Request, Validators};

/// Asks servers that flows name, within [`OutboundPolicy`] and [`FetchLimits`].
#[derive(Debug)]
pub struct Gate {
    client: Client,
    policy: Arc<OutboundPolicy>,
    limits: FetchLimits,
    slots: Semaphore,
}

/// What one fetch may cost.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Octets of a body.
    pub bytes: usize,
    /// From the call of the gate to the last octet, redirects and waiting for a slot with it.
    pub total: Duration,
    /// To a connection.
    pub connect: Duration,
    /// Between two octets.
    pub idle: Duration,
    /// Redirects followed.
    pub redirects: usize,
    /// Fetches at one time; further ones wait.
    pub concurrent: usize,
}

/// A body that was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The octets.
    pub body: Vec<u8>,
    /// Where they came from after redirects.
    pub url: Url,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// How long it stays fresh by `Cache-Control` (RFC 9111 §5.2.2); `None` when nothing is said.
    pub max_age: Option<Duration>,
    /// Whether it may be kept at all: not when `Cache-Control` says `no-store`.
    pub may_be_kept: bool,
    /// What asks for a change of it later.
    pub validators: Validators,
}

/// What came of asking for a change.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is the same (RFC 9110 §15.4.5), and fresh again for so long if that is said.
    None {
        /// As [`Fetched::max_age`].
        max_age: Option<Duration>,
    },
    /// It is another.
    New(Box<Fetched>),
}

/// Why something could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an `http` or `https` URL; the flow is wrong.
    #[error("not an http or https URL")]
    Url,
    /// A method that flows may not use; the flow is wrong.
    #[error("not a method that may be used")]
    Method,
    /// A content type that is none; the flow is wrong.
    #[error("not a content type")]
    ContentType,
    /// The policy forbids the address; the operator may allow its network.
    #[error("address {address} is not allowed (see outbound_http.allow)")]
    Refused {
        /// The first address that is forbidden.
        address: IpAddr,
    },
    /// The name has no address.
    #[error("name cannot be resolved")]
    Unresolved,
    /// No connection, or no trust in the one that was made.
    #[error("cannot connect")]
    Connect,
    /// Took longer than allowed.
    #[error("timed out")]
    TimedOut,
    /// The server answered, but not with the file.
    #[error("answered with status {code}")]
    Status {
        /// HTTP status (RFC 9110 §15).
        code: u16,
    },
    /// One redirect more than is followed, or one that leads nowhere.
    #[error("too many redirects, or a broken one")]
    Redirect,
    /// A redirect from `https` to `http`.
    #[error("redirected from https to http")]
    Downgrade,
    /// The body is larger than allowed.
    #[error("larger than {limit} octets")]
    TooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// The body is compressed although that was not asked for.
    #[error("body has a content encoding")]
    Encoded,
    /// The connection broke, or what came is not HTTP.
    #[error("connection broke")]
    Broken,
    /// No client can be made on this machine.
    #[error("http is not available")]
    Unavailable,
}

impl Gate {
    /// A gate with its own connections.
    ///
    /// # Errors
    /// [`FetchError::Unavailable`] when TLS cannot be set up at all.
    pub fn new(policy: OutboundPolicy, limits: FetchLimits) -> Result<Self, FetchError> {
        let policy = Arc::new(policy);
        let timeouts = Timeouts {
            connect: limits.connect,
            idle: limits.idle,
        };
        let client = build_client(timeouts, |builder| {
            builder.dns_resolver(Arc::new(CheckedResolver(Arc::clone(&policy))))
        })?;
        Ok(Self {
            client,
            policy,
            limits,
            slots: Semaphore::new(limits.concurrent),
        })
    }

    /// Fetches `url` by GET.
    ///
    /// # Errors
    /// As [`Gate::fetch`].
    pub async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        self.fetch(Request::get(url)?).await
    }

    /// Fetches `url` by GET, if it is not what the server gave with `validators` any more.
    ///
    /// # Errors
    /// As [`Gate::fetch`].
    pub async fn get_if_changed(
        &self,
        url: &str,
        validators: Validators,
    ) -> Result<Change, FetchError> {
        let request = Request::get_if_changed(url, validators)?;
        self.bounded(async {
            let (url, response) = self.follow(request).await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                let max_age = max_age(response.headers());
                return Ok(Change::None { max_age });
            }
            Ok(Change::New(Box::new(self.take(url, response).await?)))
        })
        .await
    }

    /// Asks, and takes the body of a 200.
    ///
    /// # Errors
    /// Any but [`FetchError::Unavailable`].
    pub async fn fetch(&self, request: Request) -> Result<Fetched, FetchError> {
        self.bounded(async {
            let (url, response) = self.follow(request).await?;
            self.take(url, response).await
        })
        .await
    }

    /// Asks, and leaves the body of the answer; gives its status (RFC 9110 §15).
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn deliver(&self, request: Request) -> Result<u16, FetchError> {
        self.bounded(async { Ok(self.follow(request).await?.1.status().as_u16()) })
            .await
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let work = async {
            let _slot = self
                .slots
                .acquire()
                .await
                .map_err(|_| FetchError::Unavailable)?;
            work.await
        };
        tokio::time::timeout(self.limits.total, work)
            .await
            .map_err(|_| FetchError::TimedOut)?
    }

    async fn follow(&self, mut request: Request) -> Result<(Url, Response), FetchError> {
        for _ in 0..=self.limits.redirects {
            let response = self.ask(&request).await?;
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return Ok((request.url, response));
            }
            let next = redirected(&request.url, response.headers())?;
            request = request.redirected(status, next);
        }
        Err(FetchError::Redirect)
    }

    async fn ask(&self, request: &Request) -> Result<Response, FetchError> {
        let url = &request.url;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Url);
        }
        let host = url.host_str().ok_or(FetchError::Url)?;
        // A literal address is never resolved. The URL has already been brought into normal form:
        // `2130706433`, `0x7f.1` and `127.1` all stand here as `127.0.0.1`.
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            self.check(address)?;
        }
        let mut asking = self
            .client
            .request(request.method.clone(), url.clone())
            .header(ACCEPT_ENCODING, "identity");
        for (condition, value) in request.validators.conditions() {
            asking = asking.header(condition, value);
        }
        if let Some((content_type, body)) = &request.content {
            asking = asking.header(CONTENT_TYPE, content_type).body(body.clone());
        }
        let response = asking
            .send()
            .await
            .map_err(|error| FetchError::of(&error))?;
        if let Some(peer) = response.remote_addr() {
            self.check(peer.ip())?;
        }
        Ok(response)
    }

    async fn take(&self, url: Url, response: Response) -> Result<Fetched, FetchError> {
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status {
                code: response.status().as_u16(),
            });
        }
        let headers = response.headers();
        let content_type = headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let is_forbidden = directives(headers).any(|told| told == "no-store");
        Ok(Fetched {
            url,
            content_type: content_type.map(str::to_owned),
            max_age: max_age(headers),
            may_be_kept: !is_forbidden,
            validators: Validators::of(headers),
            body: read_body(response, self.limits.bytes).await?,
        })
    }

    fn check(&self, address: IpAddr) -> Result<(), FetchError> {
        if self.policy.permits(address) {
            Ok(())
        } else {
            Err(FetchError::Refused { address })
        }
    }
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes: 10 << 20,
            total: Duration::from_secs(15),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            redirects: 3,
            concurrent: 64,
        }
    }
}

impl FetchError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unresolved
            | Self::Connect
            | Self::TimedOut
            | Self::Broken
            | Self::Unavailable => true,
            Self::Status { code } => matches!(code, 408 | 425 | 429 | 500..),
            Self::Url
            | Self::Method
            | Self::ContentType
            | Self::Refused { .. }
            | Self::Redirect
            | Self::Downgrade
            | Self::TooLarge { .. }
            | Self::Encoded => false,
        }
    }

    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(known) = inner.downcast_ref::<Self>() {
                return known.clone();
            }
            source = inner.source();
        }
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::Broken
        }
    }
}

/// Resolves a name and gives its addresses only when all of them are permitted: a name that has a
/// public and a private address is more likely an attack than a host.
#[derive(Debug)]
struct CheckedResolver(Arc<OutboundPolicy>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found = permitted_addresses(&policy, name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a host, name or literal, when there are any and all of them are permitted.
///
/// # Errors
/// [`FetchError::Unresolved`], [`FetchError::Refused`].
pub(crate) async fn permitted_addresses(
    policy: &OutboundPolicy,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, FetchError> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| FetchError::Unresolved)?
        .collect();
    if let Some(refused) = found.iter().find(|found| !policy.permits(found.ip())) {
        return Err(FetchError::Refused {
            address: refused.ip(),
        });
    }
    if found.is_empty() {
        return Err(FetchError::Unresolved);
    }
    Ok(found)
}

/// Where a redirect leads (RFC 9110 §10.2.2).
fn redirected(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let next = location
        .and_then(|location| from.join(location).ok())
        .ok_or(FetchError::Redirect)?;
    if from.scheme() == "https" && next.scheme() == "http" {
        return Err(FetchError::Downgrade);
    }
    Ok(next)
}

/// How long what came stays fresh (RFC 9111 §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for directive in directives(headers) {
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            let seconds = seconds.trim_matches('"').parse().ok();
            found = seconds.map(Duration::from_secs);
        }
    }
    found
}

/// What `Cache-Control` says, in lower case.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CACHE_CONTROL).into_iter();
    values
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
}
