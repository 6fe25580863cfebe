//! A voice behind HTTP: `POST {model, input, voice, response_format, speed}` answered by a WAV file, as
//! OpenAI's `/v1/audio/speech` and the servers that imitate it do.

use std::time::Duration;

use serde::Serialize;

use super::script::Utterance;
use super::{ENGINE_CALLS_AT_ONCE, OCTETS_PER_SECOND, SYNTHESIS_TIME, SpeechError, decoded};
use crate::flow::Gender;
use crate::shell::fetch::{Provider, ProviderConfig, ProviderLimits};
use crate::shell::workers::Workers;

/// Which server, and what it is asked.
#[derive(Clone, Debug)]
pub struct HttpVoiceConfig {
    /// Where requests go: `https://…/v1/audio/speech`.
    pub server: ProviderConfig,
    /// The model.
    pub model: String,
    /// The voices.
    pub voices: VoiceNames,
}

impl HttpVoiceConfig {
    /// A server with OpenAI's names for model and voices.
    #[must_use]
    pub fn new(server: ProviderConfig) -> Self {
        Self {
            server,
            model: "tts-1".to_owned(),
            voices: VoiceNames::default(),
        }
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
    server: Provider,
    model: String,
    voices: VoiceNames,
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
        let limits = ProviderLimits {
            total: SYNTHESIS_TIME,
            bytes: OCTETS_PER_SECOND * (longest.as_secs() as usize + 1),
            concurrent: ENGINE_CALLS_AT_ONCE,
        };
        Ok(Self {
            server: Provider::new(config.server, limits)?,
            model: config.model,
            voices: config.voices,
            longest,
            workers,
        })
    }

    /// Says `utterance`; its language is the server's to hear from the words, and its pitch is left.
    pub(super) async fn say(&self, utterance: &Utterance) -> Result<Vec<i16>, SpeechError> {
        let voices = &self.voices;
        let rate = utterance.prosody.rate;
        let request = Request {
            model: &self.model,
            input: &utterance.text,
            voice: match utterance.voice.gender {
                Gender::Female => &voices.female,
                Gender::Male => &voices.male,
                Gender::Neutral => &voices.neutral,
            },
            response_format: "wav",
            speed: (rate.factor() != 1.0).then(|| rate.factor().max(0.25)),
        };
        let wav = self.server.post(|post| post.json(&request)).await?;
        decoded(&self.workers, wav, self.longest).await
    }
}
