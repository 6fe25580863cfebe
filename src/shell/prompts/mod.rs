//! What a flow wants heard, as sound: a text, a file or a URL, cached and made once.
//!
//! ```text
//!  Text --ssml--> runs of speech --[cache by words, voice, prosody]-- Speech --.
//!           '---> audio ---.                                                   v
//!  Url  ------------------- +--- name --[cache by path, time, length]-- file --+--> one Prompt
//!                           '--- http --[cache by URL, an hour at most]-- gate-'
//! ```
//!
//! What a URL gave is asked for again after its time, and sent again only if it has changed. While its server
//! fails, what it gave last is played.
//!
//! However many calls ask for the same sound at once, it is made once. What failed is not remembered:
//! the next call tries again.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::frame::SAMPLE_RATE;
use flowswitch_media::prompt::{self, Prompt};
use futures_util::{StreamExt, TryStreamExt, stream};
use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tracing::{debug, warn};

use super::fetch::{Change, FetchError, FetchLimits, Fetched, Gate, OutboundPolicy, Validators};
use super::speech::script::{Segment, Voice};
use super::speech::{Speech, SpeechConfig, SpeechError, ssml};
use super::workers::Workers;
use crate::switch::Source;

mod file;
#[cfg(test)]
mod tests;

use file::{Located, locate};

/// Where prompts come from and what they may cost.
#[derive(Clone, Debug)]
pub struct PromptsConfig {
    /// Files without a scheme are found here.
    pub flows_dir: PathBuf,
    /// The embedded voice keeps its data here.
    pub data_dir: PathBuf,
    /// Who speaks.
    pub speech: SpeechConfig,
    /// What URLs may reach.
    pub outbound: OutboundPolicy,
    /// What it may cost.
    pub limits: PromptLimits,
}

/// What prompts may cost.
#[derive(Clone, Copy, Debug)]
pub struct PromptLimits {
    /// Octets of a file.
    pub file_bytes: usize,
    /// Length of one prompt.
    pub length: Duration,
    /// Octets of all cached prompts together; the least recently used go first.
    pub cache_bytes: u64,
    /// How long what a URL gave is used without asking again; `Cache-Control` can shorten it.
    pub url_age: Duration,
    /// What a caller waits for one prompt, however many parts it has.
    pub patience: Duration,
    /// A fetch.
    pub fetch: FetchLimits,
}

impl Default for PromptLimits {
    fn default() -> Self {
        Self {
            file_bytes: 10 << 20,
            length: Duration::from_secs(600),
            cache_bytes: 256 << 20,
            url_age: Duration::from_secs(3600),
            patience: Duration::from_secs(20),
            fetch: FetchLimits::default(),
        }
    }
}

/// Why there is no sound; the flow decides whether it goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The text cannot be spoken.
    #[error(transparent)]
    Speech(#[from] SpeechError),
    /// The URL cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A scheme that is never played, such as `data:`.
    #[error("only files of the flows directory, http and https can be played")]
    Scheme,
    /// The name leads out of the flows directory.
    #[error("not in the flows directory")]
    Outside,
    /// The file cannot be read.
    #[error("cannot read the file: {kind}")]
    Unreadable {
        /// The system's error.
        kind: io::ErrorKind,
    },
    /// The file is larger than allowed.
    #[error("larger than {limit} octets")]
    TooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// The file is no sound that can be read.
    #[error("cannot decode the sound: {0}")]
    Sound(prompt::PromptError),
    /// Took longer than a caller would wait.
    #[error("timed out")]
    TimedOut,
    /// The decoder gave up in a way it should not.
    #[error("the decoder failed")]
    Decoder,
}

/// Makes prompts and keeps them.
#[derive(Debug)]
pub struct Prompts {
    cache: Cache<Key, Kept>,
    /// What URLs gave, beyond the time it was fresh.
    former: Cache<Arc<str>, Former>,
    speech: Speech,
    gate: Gate,
    workers: Workers,
    flows_dir: PathBuf,
    limits: PromptLimits,
}

/// What makes two prompts the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Words(Arc<[Segment]>),
    File(Located),
    Url(Arc<str>),
}

/// A prompt and how long it may be used; for ever when nothing is said.
#[derive(Clone, Debug)]
struct Kept {
    prompt: Arc<Prompt>,
    fresh: Option<Duration>,
}

/// What a URL gave last.
#[derive(Clone, Debug)]
struct Former {
    prompt: Arc<Prompt>,
    validators: Validators,
}

/// Ends each entry by its own time.
struct Freshness;

/// How long what a URL gave may be asked for by its validators, or stand in for what cannot be fetched.
const FORMER: Duration = Duration::from_secs(24 * 3600);

/// When a server that failed is asked again.
const RETRY: Duration = Duration::from_secs(60);

type Loading<'a> = Pin<Box<dyn Future<Output = Result<Vec<Arc<Prompt>>, PromptError>> + Send + 'a>>;

impl Prompts {
    /// Starts the voice and opens the gate; blocks for as long as the voice takes to unpack and warm up
    /// (a quarter of a second in a release build).
    ///
    /// # Errors
    /// When no voice can be had, or no HTTP.
    pub fn new(config: PromptsConfig) -> Result<Self, PromptError> {
        let workers = Workers::new();
        let PromptsConfig {
            flows_dir,
            data_dir,
            speech,
            outbound,
            limits,
        } = config;
        Ok(Self {
            cache: Cache::builder()
                .max_capacity(limits.cache_bytes)
                .weigher(|_, kept: &Kept| weight(&kept.prompt))
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(Freshness)
                .build(),
            // Mostly the same prompts, which are held once.
            former: Cache::builder()
                .max_capacity(limits.cache_bytes / 2)
                .weigher(|_, former: &Former| weight(&former.prompt))
                .time_to_live(FORMER)
                .build(),
            speech: Speech::new(speech, &data_dir, limits.length, &workers)?,
            gate: Gate::new(outbound, limits.fetch)?,
            workers,
            flows_dir,
            limits,
        })
    }

    /// The sound of `source`, from the cache when it is there.
    ///
    /// # Errors
    /// When there is none. A text whose markup is wrong, or one of whose sound files is missing, is
    /// still spoken.
    pub async fn load(&self, source: &Source) -> Result<Arc<Prompt>, PromptError> {
        let loading = async {
            match source {
                Source::Url(url) => self.sound(url).await,
                Source::Text {
                    text,
                    language,
                    gender,
                } => {
                    let voice = Voice {
                        language: language.clone(),
                        gender: *gender,
                    };
                    self.text(text, &voice).await
                }
            }
        };
        tokio::time::timeout(self.limits.patience, loading)
            .await
            .map_err(|_| PromptError::TimedOut)?
    }

    async fn text(&self, text: &str, voice: &Voice) -> Result<Arc<Prompt>, PromptError> {
        let script = ssml::read(text, voice);
        if let Some(fault) = script.fault {
            warn!(%fault, "ssml is said without its markup");
        }
        if script.is_cut {
            warn!("text is longer than allowed and loses its end");
        }
        let parts = self.script(&script.segments).await?;
        self.joined(parts).await
    }

    /// The prompts of a script, in order.
    fn script<'a>(&'a self, segments: &'a [Segment]) -> Loading<'a> {
        let is_audio = |segment: &Segment| matches!(segment, Segment::Audio { .. });
        let runs: Vec<&[Segment]> = segments
            .chunk_by(|one, next| !is_audio(one) && !is_audio(next))
            .collect();
        Box::pin(async move {
            let parts = stream::iter(0..runs.len()).map(|at| self.run(runs[at]));
            parts.buffered(PARTS_AT_ONCE).try_concat().await
        })
    }

    /// The prompts of one sound file, or of its contents where it fails; or of a run of speech.
    async fn run(&self, run: &[Segment]) -> Result<Vec<Arc<Prompt>>, PromptError> {
        let [Segment::Audio { url, fallback }] = run else {
            return Ok(vec![self.words(run).await?]);
        };
        match self.sound(url).await {
            Ok(prompt) => Ok(vec![prompt]),
            Err(error) => {
                warn!(%error, "an audio element is replaced by its contents");
                self.script(fallback).await
            }
        }
    }

    async fn words(&self, run: &[Segment]) -> Result<Arc<Prompt>, PromptError> {
        let run: Arc<[Segment]> = run.into();
        let making = async {
            let samples = self.speech.render(&run).await?;
            let prompt = self
                .off_the_loop(move || Prompt::from_samples(samples))
                .await?;
            Ok((Arc::new(prompt), None))
        };
        self.cached(Key::Words(Arc::clone(&run)), making).await
    }

    /// The sound that a flow calls `url`.
    async fn sound(&self, url: &str) -> Result<Arc<Prompt>, PromptError> {
        let url = url.trim();
        match scheme(url) {
            Some(("http" | "https", _)) => {
                let url: Arc<str> = url.into();
                let making = self.fetched(Arc::clone(&url));
                self.cached(Key::Url(url), making).await
            }
            Some(("file", name)) => self.file(name).await,
            Some(_) => Err(PromptError::Scheme),
            None => self.file(url).await,
        }
    }

    /// What a URL gives now, and how long that is fresh.
    async fn fetched(&self, url: Arc<str>) -> Result<(Arc<Prompt>, Option<Duration>), PromptError> {
        let fresh = |told: Option<Duration>| {
            let age = self.limits.url_age;
            Some(told.map_or(age, |told| told.min(age)))
        };
        let former = self.former.get(&url).await;
        let validators = former.as_ref().map(|former| former.validators.clone());
        let change = self
            .gate
            .get_if_changed(&url, validators.unwrap_or_default());
        match (change.await, former) {
            (Ok(Change::New(fetched)), _) => {
                let (age, extension) = (fresh(fetched.max_age), extension_of(&fetched).to_owned());
                let Fetched {
                    body,
                    may_be_kept,
                    validators,
                    ..
                } = *fetched;
                let prompt = Arc::new(self.decoded(body, extension).await?);
                if may_be_kept {
                    let prompt = Arc::clone(&prompt);
                    let former = Former { prompt, validators };
                    self.former.insert(url, former).await;
                } else {
                    self.former.invalidate(&url).await;
                }
                Ok((prompt, age))
            }
            (Ok(Change::None { max_age }), Some(former)) => Ok((former.prompt, fresh(max_age))),
            // Nobody asked whether anything had changed.
            (Ok(Change::None { .. }), None) => Err(FetchError::Status { code: 304 }.into()),
            (Err(error), Some(former)) if error.may_pass() => {
                warn!(%error, "a sound is played as it was fetched last");
                Ok((former.prompt, Some(RETRY)))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn file(&self, name: &str) -> Result<Arc<Prompt>, PromptError> {
        let (root, name) = (self.flows_dir.clone(), name.to_owned());
        let located = self.off_the_loop(move || locate(&root, &name)).await??;
        let making = async {
            let limit = self.limits.file_bytes;
            let extension = located.extension().to_owned();
            let file = located.clone();
            let bytes = self.off_the_loop(move || file.read(limit)).await??;
            let prompt = self.decoded(bytes, extension).await?;
            Ok((Arc::new(prompt), None))
        };
        self.cached(Key::File(located.clone()), making).await
    }

    async fn decoded(&self, bytes: Vec<u8>, extension: String) -> Result<Prompt, PromptError> {
        let limits = prompt::PromptLimits {
            max_duration: self.limits.length,
        };
        self.off_the_loop(move || Prompt::decode(bytes, Some(&extension), limits))
            .await?
            .map_err(PromptError::Sound)
    }

    async fn off_the_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PromptError> {
        self.workers
            .run(work)
            .await
            .map_err(|_| PromptError::Decoder)
    }

    /// What is kept for `key`, made by `making` when nothing is; by one caller for all who wait.
    async fn cached(
        &self,
        key: Key,
        making: impl Future<Output = Result<(Arc<Prompt>, Option<Duration>), PromptError>>,
    ) -> Result<Arc<Prompt>, PromptError> {
        let making = async {
            let (prompt, fresh) = making.await?;
            debug!(samples = prompt.samples().len(), "prompt made");
            Ok(Kept { prompt, fresh })
        };
        let kept = self.cache.try_get_with(key, making).await;
        kept.map(|kept| kept.prompt)
            .map_err(|error: Arc<PromptError>| (*error).clone())
    }

    /// One prompt of many, its end left off where it would be too long.
    async fn joined(&self, mut parts: Vec<Arc<Prompt>>) -> Result<Arc<Prompt>, PromptError> {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let longest = self.limits.length.as_secs() as usize * SAMPLE_RATE as usize;
        self.off_the_loop(move || {
            let mut samples = Vec::new();
            for part in &parts {
                let left = longest - samples.len();
                let part = part.samples();
                samples.extend_from_slice(&part[..part.len().min(left)]);
            }
            Arc::new(Prompt::from_samples(samples))
        })
        .await
    }
}

impl Expiry<Key, Kept> for Freshness {
    fn expire_after_create(&self, _: &Key, kept: &Kept, _: Instant) -> Option<Duration> {
        kept.fresh
    }
}

/// Octets that a prompt holds: samples of its bands, and two encoded forms.
fn weight(prompt: &Prompt) -> u32 {
    let wide = prompt.wide().map_or(0, <[i16]>::len);
    u32::try_from(prompt.samples().len() * 4 + wide * 2 + 256).unwrap_or(u32::MAX)
}

/// The scheme of a URL (RFC 3986 §3.1) in lower case where it is one that is played, and what follows.
fn scheme(url: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let known = ["http", "https", "file"];
    let found = known
        .iter()
        .find(|known| scheme.eq_ignore_ascii_case(known));
    is_scheme.then(|| (found.copied().unwrap_or("other"), rest))
}

/// What kind of sound a server says it sent: by its type, else by the URL's last name.
fn extension_of(fetched: &Fetched) -> &str {
    let kind = fetched.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" | "audio/mpeg3" => "mp3",
        "audio/ogg" | "audio/opus" | "application/ogg" | "audio/vorbis" => "ogg",
        "audio/flac" | "audio/x-flac" => "flac",
        _ => {
            let name = fetched.url.path().rsplit('/').next().unwrap_or_default();
            name.rsplit_once('.').map_or("", |(_, extension)| extension)
        }
    }
}

/// Parts of one text made at one time: hides the delay of servers.
const PARTS_AT_ONCE: usize = 8;
