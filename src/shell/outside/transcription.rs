//! Speech to text behind HTTP: a form with `file`, `model`, `language` and `response_format`, as OpenAI's
//! `/v1/audio/transcriptions` and the servers that imitate it take it.

mod pieces;

use std::path::Path;

use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::sync::Semaphore;

use self::pieces::{Piece, Pieces};
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
    /// Places for files.
    files: Semaphore,
}

/// Files at one time; of each there are 25 megabytes at most in memory, or 50 and what they decode to.
const FILES: usize = 2;
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
            Sound::Samples(samples) => {
                let mut pieces = Pieces::of_samples(samples);
                self.pieces(&mut pieces, language, Path::new("")).await?
            }
            Sound::File(file) => {
                let _place = self
                    .files
                    .acquire()
                    .await
                    .map_err(|_| OutsideFailure::Unavailable)?;
                let pieces = Pieces::of_file(&file, &self.workers).await;
                let mut pieces = pieces.map_err(|error| unreadable(&file, &error))?;
                self.pieces(&mut pieces, language, &file).await?
            }
        };
        Ok(OutsideAnswer::Text(text))
    }

    async fn pieces(
        &self,
        pieces: &mut Pieces,
        language: &str,
        file: &Path,
    ) -> Result<String, OutsideFailure> {
        let mut texts = Vec::new();
        while let Some(piece) = pieces
            .next()
            .await
            .map_err(|error| unreadable(file, &error))?
        {
            let text = self.piece(piece, language).await?;
            texts.push(text.trim().to_owned());
        }
        let mut text = texts.join(" ");
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        Ok(text)
    }

    async fn piece(&self, piece: Piece, language: &str) -> Result<String, OutsideFailure> {
        let Piece { name, kind, body } = piece;
        let length = body.len() as u64;
        let file = Part::stream_with_length(Body::from(body), length)
            .file_name(name)
            .mime_str(kind)
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

fn unreadable(file: &Path, error: &std::io::Error) -> OutsideFailure {
    tracing::warn!(file = %file.display(), %error, "recording cannot be transcribed");
    OutsideFailure::Refused
}

/// The first part of a language tag (RFC 5646 §2.2.1), which is all that these servers know.
fn primary_language(tag: &str) -> Option<String> {
    let first = tag.split(['-', '_']).next().unwrap_or_default();
    let is_language =
        matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_alphabetic());
    is_language.then(|| first.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
