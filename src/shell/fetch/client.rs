//! What every HTTP client of this process has in common: TLS set-up and a bounded body.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tracing::warn;

use super::FetchError;

/// Chooses ring as the one cryptography of this process; later calls change nothing.
///
/// Has to be called before anything speaks TLS; [`Gate::new`](super::Gate::new) does so too.
pub fn install_tls() {
    // Refused when a provider is already there, and then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that goes where it is told and nowhere else: no redirect is followed, no proxy of the
/// environment is used, no cookie and no referrer is kept.
///
/// Without certificate authorities on this machine `https` cannot be trusted: it is told once, every
/// `https` request then fails, and `http` works.
pub(crate) fn build_client(
    timeouts: Timeouts,
    configure: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<Client, FetchError> {
    install_tls();
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!("flowswitch/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(Duration::from_secs(30));
        configure(builder)
    };
    builder().build().or_else(|error| {
        warn!(%error, "no certificate authorities can be used (install ca-certificates): https will fail");
        builder()
            .tls_certs_only([])
            .build()
            .map_err(|_| FetchError::Unavailable)
    })
}

/// How long parts of an exchange may take; its whole is bounded by whoever asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// To a TCP and TLS connection, names resolved.
    pub(crate) connect: Duration,
    /// Between two reads.
    pub(crate) idle: Duration,
}

/// Reads a body as it comes, and gives up at `limit` octets whatever its length claims to be.
///
/// A body with a `Content-Encoding` is refused: none was asked for, and none is unpacked.
pub(crate) async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    let too_large = FetchError::TooLarge { limit };
    let encoding = response.headers().get(reqwest::header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Encoded);
    }
    let claimed = response.content_length().unwrap_or(0);
    if claimed > limit as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| FetchError::of(&error))?
    {
        if body.len() + chunk.len() > limit {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
