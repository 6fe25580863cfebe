//! Speech: a script in, samples at 8 kHz out, by the engine that the operator has chosen.
//!
//! ```text
//!  text -- ssml::read --> Script -- Speech::render --> one engine call per utterance --> 8 kHz
//!                                                      silence, bleep                    one loudness
//! ```
//!
//! Engines know nothing of markup: a script says of every utterance in which voice and how it is said,
//! and pauses are ours. So all engines honour the same SSML as far as their voice can.

use std::collections::HashSet;
use std::f32::consts::TAU;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flowswitch_media::frame::SAMPLE_RATE;
use flowswitch_media::prompt::{Prompt, PromptLimits};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::shell::fetch::FetchError;
use crate::shell::workers::Workers;

mod edges;
#[cfg(feature = "speech")]
mod embedded;
mod espeak;
mod http;
mod loudness;
mod program;
pub mod script;
pub mod ssml;
#[cfg(test)]
mod tests;

pub use http::{HttpVoiceConfig, VoiceNames};

use script::{Segment, Utterance};

/// Which engine speaks.
#[derive(Clone, Debug)]
pub enum SpeechConfig {
    /// The one inside this program; needs nothing, and the feature `speech`.
    Embedded,
    /// The program `espeak-ng`, one process per utterance.
    Program {
        /// A name on the search path, or a path.
        program: PathBuf,
    },
    /// A server that speaks as OpenAI's `/v1/audio/speech` does.
    Http(HttpVoiceConfig),
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// This program was built without the feature `speech`; another engine has to be chosen.
    #[error("built without the embedded voice")]
    NotBuilt,
    /// The data of the embedded voice can be written nowhere.
    #[error("cannot unpack the embedded voice: {kind}")]
    Unpack {
        /// The system's error.
        kind: io::ErrorKind,
    },
    /// The engine gave up on this text.
    #[error("the speech engine failed")]
    Engine,
    /// The program cannot be run; it has to be installed.
    #[error("cannot run {program}: {kind}", program = program.display())]
    Program {
        /// Which.
        program: PathBuf,
        /// The system's error.
        kind: io::ErrorKind,
    },
    /// The server did not deliver.
    #[error("speech server: {0}")]
    Server(#[from] FetchError),
    /// What came is no sound.
    #[error("the engine delivered no sound that can be read")]
    Undecodable,
    /// Took longer than a caller would wait.
    #[error("speech took longer than {SYNTHESIS_TIME:?}")]
    TimedOut,
}

/// The engine, warm.
#[derive(Debug)]
pub struct Speech {
    engine: Engine,
    places: Semaphore,
    workers: Workers,
    longest: usize,
}

/// The engines; a closed set, so a match and not a trait.
#[derive(Debug)]
enum Engine {
    #[cfg(feature = "speech")]
    Embedded(embedded::Embedded),
    Program(program::Program),
    Http(Box<http::HttpVoice>),
}

impl Speech {
    /// Starts the engine: the embedded one unpacks its data under `data_dir` when it is not there yet
    /// (once), and says a word to itself.
    ///
    /// Nothing rendered is longer than `longest`.
    ///
    /// # Errors
    /// When the engine cannot be used at all; a server or a program that is missing shows later.
    pub(crate) fn new(
        config: SpeechConfig,
        data_dir: &Path,
        longest: Duration,
        workers: &Workers,
    ) -> Result<Self, SpeechError> {
        let engine = match config {
            #[cfg(feature = "speech")]
            SpeechConfig::Embedded => {
                Engine::Embedded(embedded::Embedded::start(data_dir, workers.clone())?)
            }
            #[cfg(not(feature = "speech"))]
            SpeechConfig::Embedded => {
                let _ = data_dir;
                return Err(SpeechError::NotBuilt);
            }
            SpeechConfig::Program { program } => {
                Engine::Program(program::Program::new(program, longest, workers.clone()))
            }
            SpeechConfig::Http(config) => {
                let voice = http::HttpVoice::new(config, longest, workers.clone())?;
                Engine::Http(Box::new(voice))
            }
        };
        Ok(Self {
            engine,
            places: Semaphore::new(ENGINE_CALLS_AT_ONCE),
            workers: workers.clone(),
            longest: samples_of(longest),
        })
    }

    /// Renders `segments` one after another; sound files among them are left out.
    ///
    /// What is longer than allowed loses its end rather than being refused: a caller should hear
    /// something.
    ///
    /// # Errors
    /// When one utterance cannot be said.
    pub async fn render(&self, segments: &[Segment]) -> Result<Vec<i16>, SpeechError> {
        let rendered = stream::iter(0..segments.len()).map(|at| self.segment(&segments[at]));
        let mut rendered = std::pin::pin!(rendered.buffered(UTTERANCES_AT_ONCE));
        let mut samples = Vec::new();
        while let Some(mut more) = rendered.try_next().await? {
            more.truncate(self.longest - samples.len());
            samples.append(&mut more);
            if samples.len() == self.longest {
                warn!("speech is longer than allowed and loses its end");
                break;
            }
        }
        Ok(samples)
    }

    async fn segment(&self, segment: &Segment) -> Result<Vec<i16>, SpeechError> {
        match segment {
            Segment::Speech(utterance) => self.say(utterance).await,
            Segment::Silence(pause) => Ok(vec![0; samples_of(*pause).min(self.longest)]),
            Segment::Bleep(length) => Ok(bleep(*length)),
            Segment::Audio { .. } => Ok(Vec::new()),
        }
    }

    async fn say(&self, utterance: &Utterance) -> Result<Vec<i16>, SpeechError> {
        let saying = async {
            let _place = self
                .places
                .acquire()
                .await
                .map_err(|_| SpeechError::Engine)?;
            match &self.engine {
                #[cfg(feature = "speech")]
                Engine::Embedded(engine) => engine.say(utterance).await,
                Engine::Program(engine) => engine.say(utterance).await,
                Engine::Http(engine) => engine.say(utterance).await,
            }
        };
        let mut samples = tokio::time::timeout(SYNTHESIS_TIME, saying)
            .await
            .map_err(|_| SpeechError::TimedOut)??;
        let Utterance { text, prosody, .. } = utterance.clone();
        let finishing = self.workers.run(move || {
            edges::trim(&mut samples, &text);
            loudness::level(&mut samples, prosody.volume);
            samples
        });
        finishing.await.map_err(|_| SpeechError::Engine)
    }
}

/// Languages that an engine has no voice for, so that each is told once.
#[derive(Debug, Default)]
struct Missing(Mutex<HashSet<String>>);

impl Missing {
    /// Tells the operator that `language` is said by an English voice.
    fn note(&self, language: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < 64 && known.insert(language.to_owned()) {
            warn!(
                language,
                "no voice for this language: an English voice speaks instead"
            );
        }
    }
}

/// The samples of a WAV file that an engine delivered. What is too long is not refused here: it will be
/// cut.
async fn decoded(
    workers: &Workers,
    wav: Vec<u8>,
    longest: Duration,
) -> Result<Vec<i16>, SpeechError> {
    let limits = PromptLimits {
        max_duration: longest * 8,
    };
    let decoding = workers.run(move || Prompt::decode(wav, Some("wav"), limits));
    match decoding.await {
        Ok(Ok(prompt)) => Ok(prompt.samples().to_vec()),
        _ => Err(SpeechError::Undecodable),
    }
}

fn samples_of(duration: Duration) -> usize {
    (duration.as_secs_f64() * f64::from(SAMPLE_RATE)) as usize
}

/// 1 kHz at the level of the speech around it.
fn bleep(length: Duration) -> Vec<i16> {
    let step = TAU * 1000.0 / SAMPLE_RATE as f32;
    let sample = |n: usize| (5_800.0 * (step * n as f32).sin()) as i16;
    (0..samples_of(length)).map(sample).collect()
}

/// What a caller waits for one utterance at most, as VoIPBIN's `talk` does.
const SYNTHESIS_TIME: Duration = Duration::from_secs(10);

/// Utterances of one script rendered ahead: hides the delay of a server without flooding it.
const UTTERANCES_AT_ONCE: usize = 4;

/// Calls of the engine for all callers together: processes, requests. Further ones wait.
const ENGINE_CALLS_AT_ONCE: usize = 16;

/// Octets a second of the widest sound an engine delivers: 48 kHz, 16 bits, mono.
const OCTETS_PER_SECOND: usize = 96_000;
