//! The program `espeak-ng` as a voice: one process per utterance, the text on its standard input.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::script::Utterance;
use super::{Missing, OCTETS_PER_SECOND, SpeechError, decoded, espeak};
use crate::shell::workers::Workers;

/// How the program is run.
#[derive(Debug)]
pub(super) struct Program {
    program: PathBuf,
    longest: Duration,
    missing: Missing,
    workers: Workers,
}

impl Program {
    pub(super) fn new(program: PathBuf, longest: Duration, workers: Workers) -> Self {
        Self {
            program,
            longest,
            missing: Missing::default(),
            workers,
        }
    }

    /// Says `utterance` in its language, else in that of another region, else in English.
    pub(super) async fn say(&self, utterance: &Utterance) -> Result<Vec<i16>, SpeechError> {
        let primary = utterance.voice.primary_language();
        for tag in [utterance.voice.tag(), primary.clone(), "en-us".to_owned()] {
            if tag == "en-us" && primary != "en" {
                self.missing.note(&primary);
            }
            let (status, wav) =
                self.run(&tag, utterance)
                    .await
                    .map_err(|error| SpeechError::Program {
                        program: self.program.clone(),
                        kind: error.kind(),
                    })?;
            if status.success() || !wav.is_empty() {
                return decoded(&self.workers, wav, self.longest).await;
            }
        }
        Err(SpeechError::Engine)
    }

    /// The process is killed when nobody waits for it any more.
    async fn run(&self, tag: &str, utterance: &Utterance) -> io::Result<(ExitStatus, Vec<u8>)> {
        let mut child = Command::new(&self.program)
            .args(arguments(tag, utterance))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut stdin = child.stdin.take().ok_or_else(broken)?;
        let stdout = child.stdout.take().ok_or_else(broken)?;
        let most = OCTETS_PER_SECOND * (self.longest.as_secs() as usize + 1);
        let mut wav = Vec::new();
        let feeding = async {
            // A program that does not read to the end says so by how it exits.
            let _ = stdin.write_all(utterance.text.as_bytes()).await;
            drop(stdin);
            std::future::pending::<()>().await;
        };
        let mut stdout = stdout.take(most as u64);
        tokio::select! {
            read = stdout.read_to_end(&mut wav) => read?,
            () = feeding => 0,
        };
        drop(stdout);
        Ok((child.wait().await?, wav))
    }
}

fn arguments(tag: &str, utterance: &Utterance) -> Vec<String> {
    let variant = espeak::variant(utterance.voice.gender);
    [
        ("-v", format!("{tag}{variant}")),
        (
            "-s",
            espeak::words_per_minute(utterance.prosody.rate).to_string(),
        ),
        ("-p", espeak::pitch(utterance.prosody.pitch).to_string()),
        ("-b", "1".to_owned()), // UTF-8
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value])
    .chain(["-z", "--stdin", "--stdout"].map(str::to_owned))
    .collect()
}
