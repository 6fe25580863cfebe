//! The files of one recording, from ticks of both sides.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::{MediaError, RecordingFiles, RecordingTarget};
use crate::dsp::resample::Doubler;
use crate::frame::{Band, FRAME_DURATION, Sound, WIDE_SAMPLES, WideFrame};
use crate::recording::{FileShape, Recorder, RecordingError};

/// How long what has come may not be in the file, should the process be killed; it comes 200 ms at a time.
const FLUSH_EVERY: Duration = Duration::from_millis(750);

/// Octets that go to the disk at once: what a file in the narrow band has come by when it is due.
const BUFFER: usize = 13_000;

/// A longer hole (an hour) is no hole but a fault.
const MAX_HOLE: u64 = 3_600_000 / FRAME_DURATION.as_millis() as u64;

/// What lies in which file.
pub(super) struct Tracks {
    layout: Layout,
    heard: Tuner,
    said: Tuner,
    position: u64,
    flushed_at: Instant,
    /// Samples of both sides by turns.
    interleaved: Vec<i16>,
}

enum Layout {
    Sides { heard: Track, said: Track },
    Mono(Track),
    Stereo(Track),
}

struct Track {
    path: PathBuf,
    recorder: Recorder<BufWriter<File>>,
}

/// Brings one side into the band of the files, whatever band it comes in.
struct Tuner {
    band: Band,
    doubler: Doubler,
    wide: WideFrame,
}

impl Tracks {
    /// Makes the files, and the folders they lie in.
    pub(super) fn create(target: &RecordingTarget, band: Band) -> Result<Self, MediaError> {
        let shape = FileShape {
            format: target.format,
            band: target.format.band(band),
            is_stereo: matches!(target.files, RecordingFiles::Stereo(_)),
        };
        let layout = match &target.files {
            RecordingFiles::Sides { heard, said } => Layout::Sides {
                heard: Track::create(heard, shape)?,
                said: Track::create(said, shape)?,
            },
            RecordingFiles::Mono(file) => Layout::Mono(Track::create(file, shape)?),
            RecordingFiles::Stereo(file) => Layout::Stereo(Track::create(file, shape)?),
        };
        Ok(Self {
            layout,
            heard: Tuner::new(shape.band),
            said: Tuner::new(shape.band),
            position: 0,
            flushed_at: Instant::now(),
            interleaved: Vec::with_capacity(2 * WIDE_SAMPLES),
        })
    }

    /// Writes the tick at `position`; what is missing before it is silence.
    pub(super) fn write(
        &mut self,
        position: u64,
        heard: &Sound,
        said: Option<&Sound>,
    ) -> Result<(), MediaError> {
        let hole = position.saturating_sub(self.position).min(MAX_HOLE);
        for _ in 0..hole {
            self.write_tick(&Sound::SILENCE, Some(&Sound::SILENCE))?;
        }
        self.position = position + 1;
        self.write_tick(heard, said)
    }

    /// Lets what was written reach the disk, if that is long ago.
    pub(super) fn flush_if_due(&mut self, now: Instant) -> Result<(), MediaError> {
        if now < self.flushed_at + FLUSH_EVERY {
            return Ok(());
        }
        self.flushed_at = now;
        match &mut self.layout {
            Layout::Sides { heard, said } => heard.flush().and(said.flush()),
            Layout::Mono(track) | Layout::Stereo(track) => track.flush(),
        }
    }

    /// Ends the files.
    pub(super) fn complete(self) -> Result<(), MediaError> {
        match self.layout {
            Layout::Sides { heard, said } => {
                let said = said.complete();
                heard.complete().and(said)
            }
            Layout::Mono(track) | Layout::Stereo(track) => track.complete(),
        }
    }

    fn write_tick(&mut self, heard: &Sound, said: Option<&Sound>) -> Result<(), MediaError> {
        let heard = self.heard.tune(heard);
        let said = said.map(|said| self.said.tune(said));
        match (&mut self.layout, said) {
            (Layout::Sides { heard: track, .. }, None) => track.write(heard),
            (
                Layout::Sides {
                    heard: one,
                    said: other,
                },
                Some(said),
            ) => {
                one.write(heard)?;
                other.write(said)
            }
            (Layout::Mono(track), None) => track.write(heard),
            (Layout::Mono(track), Some(said)) => {
                let both = heard.iter().zip(said);
                self.interleaved.clear();
                self.interleaved
                    .extend(both.map(|(heard, said)| heard.saturating_add(*said)));
                track.write(&self.interleaved)
            }
            (Layout::Stereo(track), said) => {
                let right = said.unwrap_or(&[]).iter().chain(std::iter::repeat(&0));
                self.interleaved.clear();
                self.interleaved.extend(
                    heard
                        .iter()
                        .zip(right)
                        .flat_map(|(left, right)| [*left, *right]),
                );
                track.write(&self.interleaved)
            }
        }
    }
}

impl Tuner {
    fn new(band: Band) -> Self {
        Self {
            band,
            doubler: Doubler::default(),
            wide: WideFrame::SILENCE,
        }
    }

    fn tune<'a>(&'a mut self, sound: &'a Sound) -> &'a [i16] {
        match (self.band, &sound.wide) {
            (Band::Narrow, _) => &sound.narrow.0,
            (Band::Wide, Some(wide)) => &wide.0,
            (Band::Wide, None) => {
                self.doubler.process(&sound.narrow.0, &mut self.wide.0);
                &self.wide.0
            }
        }
    }
}

impl Track {
    fn create(path: &Path, shape: FileShape) -> Result<Self, MediaError> {
        let make = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = BufWriter::with_capacity(BUFFER, File::create(path)?);
            Recorder::new(file, shape)
        };
        let recorder = make().map_err(|error| error_of(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            recorder,
        })
    }

    fn write(&mut self, samples: &[i16]) -> Result<(), MediaError> {
        self.recorder
            .write(samples)
            .map_err(|error| error_of(&self.path, &error))
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        self.recorder
            .flush()
            .map_err(|error| error_of(&self.path, &error))
    }

    fn complete(self) -> Result<(), MediaError> {
        let Self { path, recorder } = self;
        recorder.finish().map_err(|error| error_of(&path, &error))
    }
}

fn error_of(path: &Path, error: &RecordingError) -> MediaError {
    let kind = match error {
        RecordingError::Io(error) => error.kind(),
        RecordingError::Unsupported(_) => io::ErrorKind::Unsupported,
        RecordingError::Full => io::ErrorKind::FileTooLarge,
        RecordingError::Encoder => io::ErrorKind::Other,
    };
    MediaError::File {
        file: path.to_owned(),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::meter::frequency_power;
    use crate::dsp::tone::ToneGenerator;
    use crate::recording::FileFormat;

    /// Records a second of a tone from each side, and gives what lies in the channels of the files.
    fn recorded(files: RecordingFiles, band: Band, format: FileFormat) -> Vec<Vec<i16>> {
        let target = RecordingTarget { files, format };
        let mut tracks = Tracks::create(&target, band).unwrap();
        let (mut low, mut high) = (
            ToneGenerator::single(500.0, -10.0),
            ToneGenerator::single(1_200.0, -10.0),
        );
        for position in 0..50 {
            let (mut heard, mut said) = (Sound::SILENCE, Sound::SILENCE);
            low.fill(&mut heard.narrow.0);
            high.fill(&mut said.narrow.0);
            tracks.write(position, &heard, Some(&said)).unwrap();
        }
        tracks.complete().unwrap();
        let mut channels = Vec::new();
        for path in target.files.paths() {
            let mut wav = hound::WavReader::open(path).unwrap();
            assert_eq!(wav.spec().sample_rate, band.sample_rate());
            let count = usize::from(wav.spec().channels);
            let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
            for channel in 0..count {
                channels.push(
                    samples
                        .iter()
                        .skip(channel)
                        .step_by(count)
                        .copied()
                        .collect(),
                );
            }
        }
        channels
    }

    /// Which of the two tones a channel holds.
    fn tones(samples: &[i16], band: Band) -> [bool; 2] {
        let scale = 8_000.0 / band.sample_rate() as f32;
        [500.0, 1_200.0].map(|hertz| frequency_power(&samples[2_000..], hertz * scale) > -19.0)
    }

    #[test]
    fn each_layout_has_each_side_where_it_belongs_in_both_bands() {
        let folder = std::env::temp_dir().join(format!("tracks-{}", std::process::id()));
        for band in [Band::Narrow, Band::Wide] {
            let at = |name: &str| folder.join(format!("{band:?}/{name}.wav"));
            let found = |files| {
                let channels = recorded(files, band, FileFormat::Wav);
                let found = channels.iter().map(|channel| tones(channel, band));
                found.collect::<Vec<_>>()
            };
            let (heard, said) = (at("in"), at("out"));
            let alone = [[true, false], [false, true]];
            assert_eq!(found(RecordingFiles::Sides { heard, said }), alone);
            assert_eq!(found(RecordingFiles::Stereo(at("stereo"))), alone);
            assert_eq!(found(RecordingFiles::Mono(at("mono"))), [[true, true]]);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_missing_is_silence_of_the_same_length() {
        let folder = std::env::temp_dir().join(format!("tracks-hole-{}", std::process::id()));
        let target = RecordingTarget::mono(folder.join("hole.wav"));
        let mut tracks = Tracks::create(&target, Band::Narrow).unwrap();
        let mut sound = Sound::SILENCE;
        sound.narrow.0.fill(1_000);
        for position in [0, 5] {
            tracks.write(position, &sound, None).unwrap();
        }
        tracks.complete().unwrap();
        let path = folder.join("hole.wav");
        let samples = hound::WavReader::open(&path).unwrap().into_samples::<i16>();
        let levels: Vec<i16> = samples.map(Result::unwrap).step_by(160).collect();
        assert_eq!(levels, [1_000, 0, 0, 0, 0, 1_000]);
        fs::remove_dir_all(folder).unwrap();
    }
}
