//! The voice inside this program: a pure-Rust eSpeak NG with its data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use espeak_ng::{BUNDLED_LANGUAGES, EspeakNg, Parameter};
use flowswitch_media::dsp::resample::resample;
use flowswitch_media::frame::SAMPLE_RATE;
use tempfile::TempDir;
use tracing::warn;

use super::script::{Prosody, Utterance, Voice};
use super::{Missing, SpeechError, espeak};
use crate::flow::Gender;
use crate::shell::workers::Workers;

/// The engine and where its data lies.
#[derive(Debug)]
pub(super) struct Embedded {
    data: Arc<VoiceData>,
    missing: Missing,
    workers: Workers,
}

/// The directory the engine reads from.
#[derive(Debug)]
enum VoiceData {
    /// Unpacked under the data directory, for this and later runs.
    Kept(PathBuf),
    /// The data directory cannot be used: unpacked for this run alone.
    Temporary(TempDir),
}

impl Embedded {
    pub(super) fn start(data_dir: &Path, workers: Workers) -> Result<Self, SpeechError> {
        let data = match kept(data_dir).and_then(warmed) {
            Ok(data) => data,
            Err(error) => {
                warn!(
                    %error, data_dir = %data_dir.display(),
                    "the voice is unpacked to a temporary directory"
                );
                temporary()
                    .and_then(warmed)
                    .map_err(|error| SpeechError::Unpack { kind: error.kind() })?
            }
        };
        Ok(Self {
            data: Arc::new(data),
            missing: Missing::default(),
            workers,
        })
    }

    /// Says `utterance`; in English when its language is not among [`BUNDLED_LANGUAGES`].
    pub(super) async fn say(&self, utterance: &Utterance) -> Result<Vec<i16>, SpeechError> {
        let mut tag = utterance.voice.tag();
        let primary = utterance.voice.primary_language();
        if !BUNDLED_LANGUAGES.contains(&primary.as_str()) {
            self.missing.note(&primary);
            tag = FALLBACK.to_owned();
        }
        let Utterance {
            text,
            voice,
            prosody,
        } = utterance.clone();
        let data = Arc::clone(&self.data);
        let saying = self.workers.run(move || {
            // A region that the engine does not know is said as its language is said elsewhere.
            synthesize(data.path(), &tag, &voice, prosody, &text)
                .or_else(|_| synthesize(data.path(), &primary, &voice, prosody, &text))
        });
        saying.await.map_err(|_| SpeechError::Engine)?
    }
}

impl VoiceData {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

fn synthesize(
    data: &Path,
    tag: &str,
    voice: &Voice,
    prosody: Prosody,
    text: &str,
) -> Result<Vec<i16>, SpeechError> {
    let name = format!("{tag}{}", espeak::variant(voice.gender));
    let mut engine = EspeakNg::with_data_dir(&name, data).map_err(|_| SpeechError::Engine)?;
    engine.set_no_final_pause(true);
    engine.set_parameter(Parameter::Rate, espeak::words_per_minute(prosody.rate));
    engine.set_parameter(Parameter::Pitch, espeak::pitch(prosody.pitch));
    let (samples, rate) = engine.synth(text).map_err(|_| SpeechError::Engine)?;
    resample(&samples, rate, SAMPLE_RATE).map_err(|_| SpeechError::Engine)
}

/// The data under `data_dir`, unpacked now when it is not there.
///
/// It is unpacked beside its place and then renamed into it, so that a start that was interrupted
/// leaves nothing half done, and of two starts at once one wins and both are served.
fn kept(data_dir: &Path) -> io::Result<VoiceData> {
    let home = data_dir.join("speech");
    let place = home.join(DATA_NAME);
    if !place.is_dir() {
        fs::create_dir_all(&home)?;
        let fresh = tempfile::Builder::new()
            .prefix(".unpack-")
            .tempdir_in(&home)?;
        let inside = fresh.path().join(DATA_NAME);
        unpack(&inside)?;
        if let Err(error) = fs::rename(&inside, &place)
            && !place.is_dir()
        {
            return Err(error);
        }
    }
    Ok(VoiceData::Kept(place))
}

fn temporary() -> io::Result<VoiceData> {
    let directory = tempfile::Builder::new()
        .prefix("flowswitch-speech-")
        .tempdir()?;
    unpack(directory.path())?;
    Ok(VoiceData::Temporary(directory))
}

fn unpack(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    espeak_ng::install_bundled_languages(directory, BUNDLED_LANGUAGES)
}

/// Gives the data back when every language and every variant of it speaks.
fn warmed(data: VoiceData) -> io::Result<VoiceData> {
    let languages = BUNDLED_LANGUAGES
        .iter()
        .map(|language| (*language, Gender::Neutral));
    let variants = [Gender::Female, Gender::Male].map(|gender| (FALLBACK, gender));
    for (language, gender) in languages.chain(variants) {
        let voice = Voice {
            language: language.to_owned(),
            gender,
        };
        let said = synthesize(data.path(), language, &voice, Prosody::default(), "2");
        if !said.is_ok_and(|samples| samples.iter().any(|sample| sample.unsigned_abs() > 500)) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
    Ok(data)
}

/// Changes with the engine, so that a new one does not read the data of an old one.
const DATA_NAME: &str = "espeak-ng-0.2";

const FALLBACK: &str = "en-us";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_unpacked_once_and_two_starts_at_once_are_both_served() {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let starts: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| kept(directory.path()).unwrap().path().to_owned()))
                .collect();
            for start in starts {
                assert!(start.join().unwrap().join("phondata").is_file());
            }
        });
        let left: Vec<_> = fs::read_dir(directory.path().join("speech"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn spoiled_data_and_a_directory_that_cannot_be_made_are_replaced_for_this_run() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("speech").join(DATA_NAME);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("phondata"), b"spoiled").unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        for data_dir in [directory.path(), &file] {
            let engine = Embedded::start(data_dir, Workers::new()).unwrap();
            assert!(matches!(*engine.data, VoiceData::Temporary(_)));
        }
    }
}
