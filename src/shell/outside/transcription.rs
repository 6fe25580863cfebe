//! Speech to text behind HTTP: a form with `file`, `model`, `language` and `response_format`, as OpenAI's
//! `/v1/audio/transcriptions` and the servers that imitate it take it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowswitch_media::frame::SAMPLE_RATE;
use flowswitch_media::prompt::{Prompt, PromptLimits};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::failure;
use crate::shell::fetch::{Provider, ProviderConfig};
use crate::shell::workers::Workers;
use crate::switch::{OutsideAnswer, OutsideFailure, Sound};

/// Which server, and which of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptionConfig {
    /// Where requests go: `https://…/v1/audio/transcriptions`.
    pub server: ProviderConfig,
    /// The model.
    pub model: String,
}

/// The client of one server.
#[derive(Debug)]
pub(super) struct Transcription {
    server: Provider,
    model: String,
    workers: Workers,
    /// Files in memory.
    files: Semaphore,
}

/// One request: under ten megabytes, where servers commonly take twenty-five.
const PIECE: usize = 600 * SAMPLE_RATE as usize;
/// Two recordings of an hour are 120 megabytes of memory.
const FILES: usize = 2;
/// The longest call, with room for its last second.
const LONGEST: Duration = Duration::from_secs(3660);
/// Octets of that call at 16 bits.
const LONGEST_FILE: u64 = 3700 * 2 * SAMPLE_RATE as u64;
/// Letters of a text; an hour of fast speech.
const LONGEST_TEXT: usize = 100_000;

#[derive(Deserialize)]
struct Answer {
    text: String,
}

impl Transcription {
    pub(super) const fn new(server: Provider, model: String, workers: Workers) -> Self {
        Self {
            server,
            model,
            workers,
            files: Semaphore::const_new(FILES),
        }
    }

    /// What is said in `sound`.
    pub(super) async fn transcribe(
        &self,
        sound: Sound,
        language: &str,
    ) -> Result<OutsideAnswer, OutsideFailure> {
        let text = match sound {
            Sound::Samples(samples) => self.pieces(&samples, language).await?,
            Sound::File(file) => {
                let _place = self
                    .files
                    .acquire()
                    .await
                    .map_err(|_| OutsideFailure::Unavailable)?;
                let samples = self.read(&file).await?;
                self.pieces(&samples, language).await?
            }
        };
        Ok(OutsideAnswer::Text(text))
    }

    async fn read(&self, file: &Path) -> Result<Arc<[i16]>, OutsideFailure> {
        let unreadable = |error: std::io::Error| {
            tracing::warn!(file = %file.display(), %error, "recording cannot be transcribed");
            OutsideFailure::Refused
        };
        let length = tokio::fs::metadata(file).await.map_err(unreadable)?.len();
        if length > LONGEST_FILE {
            return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
        }
        let wav = tokio::fs::read(file).await.map_err(unreadable)?;
        let limits = PromptLimits {
            max_duration: LONGEST,
        };
        let decoding = self
            .workers
            .run(move || Prompt::decode(wav, Some("wav"), limits));
        match decoding.await {
            Ok(Ok(prompt)) => Ok(prompt.samples().into()),
            _ => Err(unreadable(std::io::ErrorKind::InvalidData.into())),
        }
    }

    async fn pieces(&self, samples: &[i16], language: &str) -> Result<String, OutsideFailure> {
        let mut texts = Vec::new();
        for piece in samples.chunks(PIECE) {
            let text = self.piece(piece, language).await?;
            texts.push(text.trim().to_owned());
        }
        let mut text = texts.join(" ");
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        Ok(text)
    }

    async fn piece(&self, samples: &[i16], language: &str) -> Result<String, OutsideFailure> {
        let wav = wav(samples);
        let length = wav.len() as u64;
        let file = Part::stream_with_length(Body::from(wav), length)
            .file_name("speech.wav")
            .mime_str("audio/wav")
            .map_err(|_| OutsideFailure::Refused)?;
        let mut form = Form::new()
            .part("file", file)
            .text("model", self.model.clone())
            .text("response_format", "json");
        if let Some(language) = primary_language(language) {
            form = form.text("language", language);
        }
        let body = self.server.post(|post| post.multipart(form)).await;
        let body = body.map_err(|error| {
            tracing::warn!(%error, "the transcription server did not answer");
            failure(&error)
        })?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
            tracing::warn!("what the transcription server answered is no transcription");
            OutsideFailure::Unavailable
        })?;
        Ok(answer.text)
    }
}

/// The first part of a language tag (RFC 5646 §2.2.1), which is all that these servers know.
fn primary_language(tag: &str) -> Option<String> {
    let first = tag.split(['-', '_']).next().unwrap_or_default();
    let is_language =
        matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_alphabetic());
    is_language.then(|| first.to_ascii_lowercase())
}

/// A RIFF WAVE file: 16 bits, mono, 8 kHz.
fn wav(samples: &[i16]) -> Bytes {
    let octets = u32::try_from(samples.len() * 2).expect("a piece is ten minutes at most");
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + octets).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    wav.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&octets.to_le_bytes());
    for sample in samples {
        wav.extend_from_slice(&sample.to_le_bytes());
    }
    wav.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::server::{Asked, Server};
    use super::super::{Outside, OutsideConfig};
    use super::*;
    use crate::shell::fetch::ApiKey;
    use crate::switch::OutsideRequest;

    /// Name of each part of a form with its file name, type and content.
    type Parts = BTreeMap<String, (Option<String>, Option<String>, Vec<u8>)>;

    /// Reads a form as RFC 7578 has it, octet by octet.
    fn parts(asked: &Asked) -> Parts {
        let boundary = asked.header("content-type").unwrap();
        let boundary = boundary
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        let body = [b"\r\n", &asked.body[..]].concat();
        let starts: Vec<usize> = memchr::memmem::find_iter(&body, &delimiter).collect();
        assert_eq!(
            &body[starts[starts.len() - 1] + delimiter.len()..],
            b"--\r\n"
        );
        let part = |pair: &[usize]| {
            let part = &body[pair[0] + delimiter.len() + 2..pair[1]];
            let end = memchr::memmem::find(part, b"\r\n\r\n").unwrap();
            let head = String::from_utf8(part[..end].to_vec()).unwrap();
            let quoted = |key: &str| {
                let (_, rest) = head.split_once(&format!("{key}=\""))?;
                Some(rest.split('"').next()?.to_owned())
            };
            let kind = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-type: ")
                    .map(str::to_owned)
            });
            (
                quoted(" name").unwrap(),
                (quoted("filename"), kind, part[end + 4..].to_vec()),
            )
        };
        starts.windows(2).map(part).collect()
    }

    async fn transcribe(server: &Server, sound: Sound, language: &str) -> OutsideAnswer {
        let config = OutsideConfig {
            transcription: Some(TranscriptionConfig {
                server: ProviderConfig {
                    url: server.url("/v1/audio/transcriptions"),
                    key: Some(ApiKey::from("secret".to_owned())),
                },
                model: "whisper-1".to_owned(),
            }),
            ..OutsideConfig::default()
        };
        let language = language.to_owned();
        let request = OutsideRequest::Transcribe { sound, language };
        Outside::new(config).unwrap().carry_out(request).await
    }

    fn said(text: &str) -> Vec<u8> {
        let text = serde_json::json!({"text": text}).to_string();
        Server::ok("application/json", text.as_bytes())
    }

    #[tokio::test]
    async fn speech_is_sent_as_a_wav_file_in_a_form_and_its_text_comes_back() {
        let server = Server::start(|_| said(" Good morning. ")).await;
        let samples: Arc<[i16]> = (0..800).collect();
        let answer = transcribe(&server, Sound::Samples(Arc::clone(&samples)), "en-US").await;
        assert_eq!(answer, OutsideAnswer::Text("Good morning.".to_owned()));

        let asked = server.requests().remove(0);
        assert_eq!(asked.line, "POST /v1/audio/transcriptions HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some("Bearer secret"));
        let parts = parts(&asked);
        let text = |name: &str| String::from_utf8(parts[name].2.clone()).unwrap();
        assert_eq!(text("model"), "whisper-1");
        assert_eq!(text("language"), "en");
        assert_eq!(text("response_format"), "json");
        let (name, kind, file) = &parts["file"];
        assert_eq!(name.as_deref(), Some("speech.wav"));
        assert_eq!(kind.as_deref(), Some("audio/wav"));
        let limits = PromptLimits {
            max_duration: LONGEST,
        };
        let heard = Prompt::decode(file.clone(), Some("wav"), limits).unwrap();
        assert_eq!(heard.samples(), &samples[..]);
        assert_eq!(parts.len(), 4);
    }

    #[tokio::test]
    async fn language_that_is_none_is_left_to_the_server() {
        let server = Server::start(|_| said("hallo")).await;
        for (language, sent) in [("", None), ("deutsch", None), ("DE_de", Some("de"))] {
            let _ = transcribe(&server, Sound::Samples(Arc::new([0; 80])), language).await;
            let parts = parts(server.requests().last().unwrap());
            let found = parts.get("language").map(|part| part.2.clone());
            assert_eq!(
                found,
                sent.map(|sent| sent.as_bytes().to_vec()),
                "{language}"
            );
        }
    }

    #[tokio::test]
    async fn recording_is_read_from_its_file_and_sent_in_pieces_of_ten_minutes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("call_in.wav");
        std::fs::write(&file, wav(&vec![5; PIECE + 800])).unwrap();
        let server = Server::start(|asked| said(&asked.body.len().to_string())).await;
        let answer = transcribe(&server, Sound::File(file), "").await;
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        let lengths: Vec<String> = requests
            .iter()
            .map(|asked| asked.body.len().to_string())
            .collect();
        assert_eq!(answer, OutsideAnswer::Text(lengths.join(" ")));
        assert_eq!(parts(&requests[1])["file"].2.len(), 44 + 1600);
    }

    #[tokio::test]
    async fn file_that_is_not_there_or_no_sound_is_refused_and_a_server_that_fails_may_do_better() {
        let place = tempfile::tempdir().unwrap();
        let noise = place.path().join("noise.wav");
        std::fs::write(&noise, "noise").unwrap();
        let server = Server::start(|_| Server::status(500)).await;
        let refused = OutsideAnswer::Failed(OutsideFailure::Refused);
        for file in [noise, place.path().join("nothing.wav")] {
            assert_eq!(transcribe(&server, Sound::File(file), "").await, refused);
        }
        assert!(server.requests().is_empty());
        let sound = Sound::Samples(Arc::new([0; 80]));
        let failed = OutsideAnswer::Failed(OutsideFailure::Unavailable);
        assert_eq!(transcribe(&server, sound.clone(), "").await, failed);
        let nonsense = Server::start(|_| Server::ok("text/plain", b"hello")).await;
        assert_eq!(transcribe(&nonsense, sound, "").await, failed);
    }
}
