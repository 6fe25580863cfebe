//! What flows ask of the world outside: fetched actions, webhooks, mail, messages, transcription, chat.
//!
//! ```text
//!   OutsideRequest --+-- Fetch ------- gate ------------> a server that the flow names
//!                    +-- Webhook ----- gate, 3 tries ---> a server that the flow names
//!                    +-- Email ------- SMTP ------------> [smtp]
//!                    +-- Message ----- HTTP ------------> [message]
//!                    +-- Transcribe -- HTTP ------------> [transcription]
//!                    '-- Chat -------- HTTP ------------> [chat]
//!   OutsideAnswer <--'
//! ```
//!
//! Whatever a server does, each request gets one answer within bounded time and bounded memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::fetch::{
    FetchError, FetchLimits, Gate, OutboundPolicy, Provider, ProviderConfig, ProviderLimits,
    Request,
};
use super::workers::Workers;
use crate::switch::{Delivery, OutsideAnswer, OutsideFailure, OutsideRequest, Providers};

mod chat;
mod mail;
mod message;
#[cfg(test)]
mod server;
mod transcription;
mod webhook;

pub use chat::ChatConfig;
pub use mail::{SmtpConfig, SmtpError};
pub use transcription::TranscriptionConfig;

use chat::Chat;
use mail::Mailer;
use message::MessageGateway;
use transcription::Transcription;
use webhook::Webhooks;

/// Which servers there are, and what flows may reach beside them.
#[derive(Clone, Debug, Default)]
pub struct OutsideConfig {
    /// What the URLs of flows may reach.
    pub outbound: OutboundPolicy,
    /// Sends mail.
    pub smtp: Option<SmtpConfig>,
    /// Sends messages.
    pub message: Option<ProviderConfig>,
    /// Turns speech into text.
    pub transcription: Option<TranscriptionConfig>,
    /// Talks.
    pub chat: Option<ChatConfig>,
}

impl OutsideConfig {
    /// Which of the servers are named.
    #[must_use]
    pub const fn providers(&self) -> Providers {
        Providers {
            email: self.smtp.is_some(),
            message: self.message.is_some(),
            transcription: self.transcription.is_some(),
            chat: self.chat.is_some(),
        }
    }
}

/// Why nothing outside can be reached at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// The URL of this section is no http or https URL, or HTTP cannot be set up.
    #[error("{section}: {why}")]
    Http {
        /// Section of the settings.
        section: &'static str,
        /// Why.
        why: FetchError,
    },
    /// The settings of the mail server are wrong.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
}

/// The clients of the servers outside.
#[derive(Debug)]
pub struct Outside {
    gate: Arc<Gate>,
    webhooks: Webhooks,
    mail: Option<Mailer>,
    messages: Option<MessageGateway>,
    transcription: Option<Transcription>,
    chat: Option<Chat>,
}

impl Outside {
    /// Clients that have not connected yet.
    ///
    /// # Errors
    /// When a URL of the settings is wrong, or TLS cannot be set up.
    pub fn new(config: OutsideConfig) -> Result<Self, OutsideError> {
        Self::with_limits(config, FETCH_LIMITS)
    }

    fn with_limits(config: OutsideConfig, limits: FetchLimits) -> Result<Self, OutsideError> {
        let http = |section| move |why| OutsideError::Http { section, why };
        let gate = Gate::new(config.outbound, limits).map_err(http("outbound_http"))?;
        let gate = Arc::new(gate);
        let provider =
            |section, server| Provider::new(server, PROVIDER_LIMITS).map_err(http(section));
        let transcription = config.transcription.map(|config| {
            let server = provider("transcription.url", config.server)?;
            Ok::<_, OutsideError>(Transcription::new(server, config.model, Workers::new()))
        });
        let chat = config.chat.map(|config| {
            let server = provider("chat.url", config.server)?;
            Ok::<_, OutsideError>(Chat::new(server, config.model))
        });
        let messages = config.message.map(|server| {
            Ok::<_, OutsideError>(MessageGateway::new(provider("message.url", server)?))
        });
        Ok(Self {
            webhooks: Webhooks::new(Arc::clone(&gate)),
            gate,
            mail: config.smtp.as_ref().map(Mailer::new).transpose()?,
            messages: messages.transpose()?,
            transcription: transcription.transpose()?,
            chat: chat.transpose()?,
        })
    }

    /// Carries out one request; a webhook is answered when its delivery begins.
    pub async fn carry_out(&self, request: OutsideRequest) -> OutsideAnswer {
        let missing = |section| Err(OutsideFailure::NotConfigured { section });
        let answer = match request {
            OutsideRequest::Fetch { url, method, body } => self.fetch(&url, &method, body).await,
            OutsideRequest::Webhook {
                uri,
                method,
                content_type,
                body,
            } => {
                let taken = self.webhooks.take(&uri, &method, &content_type, body);
                taken.map(|_| OutsideAnswer::Done)
            }
            OutsideRequest::Email(mail) => match &self.mail {
                Some(mailer) => mailer.send(mail).await,
                None => missing("smtp"),
            },
            OutsideRequest::Message(message) => match &self.messages {
                Some(gateway) => gateway.send(&message).await,
                None => missing("message"),
            },
            OutsideRequest::Transcribe { sound, language } => match &self.transcription {
                Some(server) => server.transcribe(sound, &language).await,
                None => missing("transcription"),
            },
            OutsideRequest::Chat { messages } => match &self.chat {
                Some(server) => server.reply(&messages).await,
                None => missing("chat"),
            },
        };
        answer.unwrap_or_else(OutsideAnswer::Failed)
    }

    /// Begins the delivery of a webhook; what becomes of it is told by what is returned.
    ///
    /// # Errors
    /// When it is not taken over.
    pub fn begin_webhook(
        &self,
        (uri, method): (&str, &str),
        content_type: &str,
        body: String,
    ) -> Result<oneshot::Receiver<Delivery>, OutsideFailure> {
        self.webhooks.take(uri, method, content_type, body)
    }

    /// Waits until the webhooks taken over have been delivered or given up.
    pub async fn finish(&self) {
        self.webhooks.finish().await;
    }

    async fn fetch(
        &self,
        url: &str,
        method: &str,
        body: String,
    ) -> Result<OutsideAnswer, OutsideFailure> {
        let method = if method.is_empty() { "GET" } else { method };
        let content_type = "application/json; charset=utf-8";
        let asking = async {
            let request = Request::new(url, method, content_type, Bytes::from(body))?;
            self.gate.fetch(request).await
        };
        match asking.await {
            Ok(fetched) => Ok(OutsideAnswer::Body(Bytes::from(fetched.body))),
            Err(error) => {
                tracing::warn!(host = host_of(url), %error, "no actions fetched");
                Err(match error {
                    FetchError::Status { code } => OutsideFailure::Answered { status: code },
                    error => failure(&error),
                })
            }
        }
    }
}

/// What the switch makes of it: ask again, or not.
fn failure(error: &FetchError) -> OutsideFailure {
    if error.may_pass() {
        OutsideFailure::Unavailable
    } else {
        OutsideFailure::Refused
    }
}

/// The part of a URL that may be logged: paths and queries hold tokens.
fn host_of(url: &str) -> String {
    let url = reqwest::Url::parse(url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A list of actions is a few kilobytes, and a caller waits for it.
const FETCH_LIMITS: FetchLimits = FetchLimits {
    bytes: 1 << 20,
    total: Duration::from_secs(10),
    connect: Duration::from_secs(5),
    idle: Duration::from_secs(10),
    redirects: 3,
    concurrent: 64,
};

/// Transcribing some minutes and a long answer of a chat take seconds; their text is short.
const PROVIDER_LIMITS: ProviderLimits = ProviderLimits {
    total: Duration::from_secs(30),
    bytes: 1 << 20,
    concurrent: 32,
};

#[cfg(test)]
mod tests {
    use super::server::Server;
    use super::*;

    fn fetch(url: String) -> OutsideRequest {
        OutsideRequest::Fetch {
            url,
            method: String::new(),
            body: r#"{"activeflow_id":"a","reference_id":"b"}"#.to_owned(),
        }
    }

    fn outside(allow: &[&str], limits: FetchLimits) -> Outside {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        let config = OutsideConfig {
            outbound: OutboundPolicy { allow },
            ..OutsideConfig::default()
        };
        Outside::with_limits(config, limits).unwrap()
    }

    #[tokio::test]
    async fn fetch_asks_with_its_body_by_get_and_takes_the_actions_of_a_200() {
        let server = Server::start(|_| Server::ok("application/json", b"[]")).await;
        let outside = outside(&["127.0.0.1"], FETCH_LIMITS);
        let answer = outside.carry_out(fetch(server.url("/flow"))).await;
        assert_eq!(answer, OutsideAnswer::Body(Bytes::from_static(b"[]")));
        let asked = server.requests().remove(0);
        assert_eq!(asked.line, "GET /flow HTTP/1.1");
        assert_eq!(
            asked.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(asked.body, br#"{"activeflow_id":"a","reference_id":"b"}"#);
    }

    #[tokio::test]
    async fn fetch_from_where_flows_may_not_reach_is_refused_before_anything_is_sent() {
        let server = Server::start(|_| Server::ok("application/json", b"[]")).await;
        let outside = outside(&[], FETCH_LIMITS);
        let answer = outside.carry_out(fetch(server.url("/"))).await;
        assert_eq!(answer, OutsideAnswer::Failed(OutsideFailure::Refused));
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn fetch_fails_on_any_status_but_200_on_too_much_and_on_silence() {
        let limits = FetchLimits {
            bytes: 1000,
            total: Duration::from_millis(400),
            ..FETCH_LIMITS
        };
        let server = Server::start(|request| match request.path() {
            "/created" => b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n[]".to_vec(),
            "/error" => Server::status(503),
            "/much" => Server::ok("application/json", &[b' '; 1001]),
            _ => Server::silence(),
        })
        .await;
        let outside = outside(&["127.0.0.1"], limits);
        for (path, failure) in [
            ("/created", OutsideFailure::Answered { status: 201 }),
            ("/error", OutsideFailure::Answered { status: 503 }),
            ("/much", OutsideFailure::Refused),
            ("/silent", OutsideFailure::Unavailable),
        ] {
            let answer = outside.carry_out(fetch(server.url(path))).await;
            assert_eq!(answer, OutsideAnswer::Failed(failure), "{path}");
        }
    }

    #[tokio::test]
    async fn what_no_server_is_configured_for_fails_with_the_name_of_its_section() {
        let outside = outside(&[], FETCH_LIMITS);
        let request = OutsideRequest::Chat {
            messages: Vec::new(),
        };
        let failure = outside.carry_out(request).await;
        let section = "chat";
        assert_eq!(
            failure,
            OutsideAnswer::Failed(OutsideFailure::NotConfigured { section })
        );
        let text = OutsideFailure::NotConfigured { section }.to_string();
        assert_eq!(text, "not configured: [chat]");
    }
}
