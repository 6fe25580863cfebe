//! Recordings as WAV.

use std::io::{self, Seek, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::{FileShape, RecordingError};

/// Samples of all channels together that lie behind a header of 44 octets.
const MAX_SAMPLES: u64 = (u32::MAX as u64 - 44) / 2;

/// After each second of sound the lengths in the header are made true.
pub(super) struct WavRecorder<W: Write + Seek> {
    wav: WavWriter<W>,
    written: u64,
    /// Samples of a second, of all channels.
    second: usize,
    /// Samples that the header does not count yet.
    uncounted: usize,
}

impl<W: Write + Seek> WavRecorder<W> {
    pub(super) fn new(file: W, shape: FileShape) -> Result<Self, RecordingError> {
        let spec = WavSpec {
            channels: shape.channels() as u16,
            sample_rate: shape.band.sample_rate(),
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut wav = WavWriter::new(file, spec)?;
        wav.flush()?;
        Ok(Self {
            wav,
            written: 0,
            second: shape.band.sample_rate() as usize * shape.channels(),
            uncounted: 0,
        })
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        for second in samples.chunks(self.second) {
            if self.written + second.len() as u64 > MAX_SAMPLES {
                return Err(RecordingError::Full);
            }
            let mut writer = self.wav.get_i16_writer(second.len() as u32);
            second
                .iter()
                .for_each(|sample| writer.write_sample(*sample));
            writer.flush()?;
            self.written += second.len() as u64;
            self.uncounted += second.len();
            if self.uncounted >= self.second {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        self.uncounted = 0;
        Ok(self.wav.flush()?)
    }

    pub(super) fn finish(self) -> Result<(), RecordingError> {
        Ok(self.wav.finalize()?)
    }
}

impl From<hound::Error> for RecordingError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => Self::Io(error),
            other => Self::Io(io::Error::other(other)),
        }
    }
}
