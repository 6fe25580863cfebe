//! A voice behind HTTP: `POST {model, input, voice, response_format, speed}` answered by a WAV file, as
//! OpenAI's `/v1/audio/speech` and the servers that imitate it do.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Serialize;

use super::script::Utterance;
use super::{OCTETS_PER_SECOND, SYNTHESIS_TIME, SpeechError, decoded};
use crate::flow::Gender;
use crate::shell::fetch::{FetchError, Timeouts, build_client, read_body};
use crate::shell::workers::Workers;

/// Which server, and what it is asked.
///
/// The operator names it, not a flow, so it may stand on any network.
#[derive(Clone, Debug)]
pub struct HttpVoiceConfig {
    /// Where requests go: `https://…/v1/audio/speech`.
    pub url: String,
    /// Sent as a bearer token when there is one.
    pub key: Option<ApiKey>,
    /// The model.
    pub model: String,
    /// The voices.
    pub voices: VoiceNames,
}

impl HttpVoiceConfig {
    /// A server with OpenAI's names for model and voices.
    #[must_use]
    pub fn new(url: String, key: Option<ApiKey>) -> Self {
        Self {
            url,
            key,
            model: "tts-1".to_owned(),
            voices: VoiceNames::default(),
        }
    }
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

/// The server's voice for each gender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceNames {
    /// A woman's.
    pub female: String,
    /// A man's.
    pub male: String,
    /// Either.
    pub neutral: String,
}

impl Default for VoiceNames {
    fn default() -> Self {
        Self {
            female: "nova".to_owned(),
            male: "onyx".to_owned(),
            neutral: "alloy".to_owned(),
        }
    }
}

/// The client of one server.
#[derive(Debug)]
pub(super) struct HttpVoice {
    client: Client,
    config: HttpVoiceConfig,
    longest: Duration,
    workers: Workers,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a str,
    voice: &'a str,
    response_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
}

impl HttpVoice {
    pub(super) fn new(
        config: HttpVoiceConfig,
        longest: Duration,
        workers: Workers,
    ) -> Result<Self, SpeechError> {
        let url = Url::parse(&config.url).ok();
        url.filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(FetchError::Url)?;
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            idle: SYNTHESIS_TIME,
        };
        Ok(Self {
            client: build_client(timeouts, |builder| builder)?,
            config,
            longest,
            workers,
        })
    }

    /// Says `utterance`; its language is the server's to hear from the words, and its pitch is left.
    pub(super) async fn say(&self, utterance: &Utterance) -> Result<Vec<i16>, SpeechError> {
        let voices = &self.config.voices;
        let rate = utterance.prosody.rate;
        let request = Request {
            model: &self.config.model,
            input: &utterance.text,
            voice: match utterance.voice.gender {
                Gender::Female => &voices.female,
                Gender::Male => &voices.male,
                Gender::Neutral => &voices.neutral,
            },
            response_format: "wav",
            speed: (rate.factor() != 1.0).then(|| rate.factor().max(0.25)),
        };
        let mut post = self.client.post(&self.config.url).json(&request);
        if let Some(ApiKey(key)) = &self.config.key {
            post = post.bearer_auth(key);
        }
        let response = post.send().await.map_err(|error| FetchError::of(&error))?;
        if response.status() != StatusCode::OK {
            let code = response.status().as_u16();
            return Err(FetchError::Status { code }.into());
        }
        let most = OCTETS_PER_SECOND * (self.longest.as_secs() as usize + 1);
        let wav = read_body(response, most).await?;
        decoded(&self.workers, wav, self.longest).await
    }
}
