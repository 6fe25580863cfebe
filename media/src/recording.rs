//! A recording: WAV, mono, 16 bit, 8 kHz, a playable file at every moment.

use std::io::{self, Seek, Write};
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::frame::{SAMPLE_RATE, duration_of};

/// Writes samples as they come. After each second of sound the lengths in the header are made true,
/// so that a killed process loses at most that second.
pub struct Recorder<W: Write + Seek> {
    wav: WavWriter<W>,
    written: u64,
    /// Samples that the header does not count yet.
    uncounted: u32,
}

/// Why a recording cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file could not be written.
    #[error("cannot write the recording")]
    Io(#[from] io::Error),
    /// The file has reached 4 GiB, the most a WAV can say it holds: 74 hours.
    #[error("the recording is full")]
    Full,
}

impl<W: Write + Seek> Recorder<W> {
    /// Starts a recording and writes its header.
    ///
    /// # Errors
    ///
    /// When the header cannot be written.
    pub fn new(file: W) -> Result<Self, RecordingError> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut wav = WavWriter::new(file, spec)?;
        wav.flush()?;
        Ok(Self {
            wav,
            written: 0,
            uncounted: 0,
        })
    }

    /// Adds samples.
    ///
    /// # Errors
    ///
    /// When they cannot be written; what was written before remains playable.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        for second in samples.chunks(SAMPLE_RATE as usize) {
            if self.written + second.len() as u64 > Self::MAX_SAMPLES {
                return Err(RecordingError::Full);
            }
            let mut writer = self.wav.get_i16_writer(second.len() as u32);
            second
                .iter()
                .for_each(|sample| writer.write_sample(*sample));
            writer.flush()?;
            self.written += second.len() as u64;
            self.uncounted += second.len() as u32;
            if self.uncounted >= SAMPLE_RATE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Makes everything written so far playable.
    ///
    /// # Errors
    ///
    /// When the header cannot be written.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        self.uncounted = 0;
        Ok(self.wav.flush()?)
    }

    /// Ends the recording; dropping it does the same but tells no error.
    ///
    /// # Errors
    ///
    /// When the header cannot be written.
    pub fn finish(self) -> Result<(), RecordingError> {
        Ok(self.wav.finalize()?)
    }

    /// How long it is.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration_of(self.written)
    }

    /// What fits beside a header of 44 octets.
    const MAX_SAMPLES: u64 = (u32::MAX as u64 - 44) / 2;
}

impl From<hound::Error> for RecordingError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => Self::Io(error),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{Cursor, SeekFrom};
    use std::rc::Rc;

    use super::*;
    use crate::dsp::tone::burst;
    use crate::prompt::{Prompt, PromptLimits};

    /// A file that others can look into while it is written.
    #[derive(Clone, Default)]
    struct SharedFile(Rc<RefCell<Cursor<Vec<u8>>>>);

    impl SharedFile {
        fn samples(&self) -> Vec<i16> {
            let bytes = self.0.borrow().get_ref().clone();
            hound::WavReader::new(Cursor::new(bytes))
                .unwrap()
                .into_samples()
                .map(Result::unwrap)
                .collect()
        }
    }

    impl Write for SharedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for SharedFile {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.borrow_mut().seek(to)
        }
    }

    #[test]
    fn a_recording_is_playable_at_every_moment_and_lacks_less_than_a_second() {
        let file = SharedFile::default();
        let mut recorder = Recorder::new(file.clone()).unwrap();
        assert_eq!(file.samples(), []);
        let sound = burst(440.0, -10.0, Duration::from_secs(3));
        for (at, frame) in sound.chunks(160).enumerate() {
            recorder.write(frame).unwrap();
            let written = (at + 1) * 160;
            let playable = file.samples();
            assert!(written - playable.len() < 8_000);
            assert_eq!(playable, sound[..playable.len()]);
        }
        assert_eq!(recorder.duration(), Duration::from_secs(3));
        recorder.write(&sound[..100]).unwrap();
        drop(recorder);
        assert_eq!(file.samples().len(), sound.len() + 100);
    }

    #[test]
    fn a_recording_plays_as_a_prompt() {
        let file = SharedFile::default();
        let sound = burst(440.0, -10.0, Duration::from_millis(700));
        let mut recorder = Recorder::new(file.clone()).unwrap();
        recorder.write(&sound).unwrap();
        recorder.finish().unwrap();
        let bytes = file.0.borrow().get_ref().clone();
        let prompt = Prompt::decode(bytes, Some("wav"), PromptLimits::default()).unwrap();
        assert_eq!(prompt.samples(), sound);
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_panic() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Full {
            fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
                Ok(0)
            }
        }
        assert!(
            matches!(Recorder::new(Full), Err(RecordingError::Io(error)) if error.kind() == io::ErrorKind::StorageFull)
        );
    }
}
