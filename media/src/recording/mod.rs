//! A recording on its way into a file: WAV, MP3 or Ogg Opus, one channel or two.

#[cfg(feature = "mp3")]
mod mp3;
mod ogg_opus;
#[cfg(test)]
mod tests;
mod wav;

use std::io::{self, Seek, Write};
use std::time::Duration;

use self::ogg_opus::OggOpusRecorder;
use self::wav::WavRecorder;
use crate::frame::Band;

/// What kind of file a recording is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// RIFF WAVE with 16 bit samples: 16 kB a second of a narrow channel.
    #[default]
    Wav,
    /// MPEG layer 3: 3 kB a second of a narrow channel. Needs the feature `mp3`.
    Mp3,
    /// Opus in Ogg (RFC 7845): 3 kB a second of a channel, and the least work to play in a browser.
    OggOpus,
}

impl FileFormat {
    /// What its files are called, behind the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::OggOpus => "ogg",
        }
    }

    /// Whether this build can write it.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        match self {
            Self::Wav | Self::OggOpus => true,
            Self::Mp3 => cfg!(feature = "mp3"),
        }
    }

    /// The band of a file of a sound in `band`.
    #[must_use]
    pub const fn band(self, band: Band) -> Band {
        match self {
            Self::Wav | Self::Mp3 => band,
            Self::OggOpus => Band::Wide,
        }
    }
}

/// What a file is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileShape {
    /// Its kind.
    pub format: FileFormat,
    /// The band of its samples: [`FileFormat::band`] of what is recorded.
    pub band: Band,
    /// Two sides, one left and one right, rather than one.
    pub is_stereo: bool,
}

impl FileShape {
    /// Its channels.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self.is_stereo {
            false => 1,
            true => 2,
        }
    }
}

/// Why a recording cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file could not be written.
    #[error("cannot write the recording")]
    Io(#[from] io::Error),
    /// The file is as long as its format allows: 4 GiB of WAV, 74 hours of one narrow channel.
    #[error("the recording is full")]
    Full,
    /// This build has no encoder for the format.
    #[error("this build cannot write {}", .0.extension())]
    Unsupported(FileFormat),
    /// The encoder refused what it was given.
    #[error("the encoder failed")]
    Encoder,
}

/// Writes samples as they come into a file that is playable at every moment but for its last second, so
/// that a killed process loses no more.
pub struct Recorder<W: Write + Seek> {
    writer: FormatWriter<W>,
    shape: FileShape,
    /// Samples of each channel.
    written: u64,
}

enum FormatWriter<W: Write + Seek> {
    Wav(WavRecorder<W>),
    #[cfg(feature = "mp3")]
    Mp3(mp3::Mp3Recorder<W>),
    OggOpus(Box<OggOpusRecorder<W>>),
}

impl<W: Write + Seek> Recorder<W> {
    /// Starts a recording and writes its header.
    ///
    /// # Errors
    ///
    /// When the header cannot be written, or this build cannot write the format.
    pub fn new(file: W, shape: FileShape) -> Result<Self, RecordingError> {
        let writer = match shape.format {
            FileFormat::Wav => FormatWriter::Wav(WavRecorder::new(file, shape)?),
            #[cfg(feature = "mp3")]
            FileFormat::Mp3 => FormatWriter::Mp3(mp3::Mp3Recorder::new(file, shape)?),
            #[cfg(not(feature = "mp3"))]
            FileFormat::Mp3 => return Err(RecordingError::Unsupported(shape.format)),
            FileFormat::OggOpus => {
                FormatWriter::OggOpus(Box::new(OggOpusRecorder::new(file, shape)?))
            }
        };
        Ok(Self {
            writer,
            shape,
            written: 0,
        })
    }

    /// Adds samples, those of two channels by turns.
    ///
    /// # Errors
    ///
    /// When they cannot be written; what was written before remains playable.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        match &mut self.writer {
            FormatWriter::Wav(wav) => wav.write(samples)?,
            #[cfg(feature = "mp3")]
            FormatWriter::Mp3(mp3) => mp3.write(samples)?,
            FormatWriter::OggOpus(opus) => opus.write(samples)?,
        }
        self.written += (samples.len() / self.shape.channels()) as u64;
        Ok(())
    }

    /// Makes everything written so far playable, as far as the format allows.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        match &mut self.writer {
            FormatWriter::Wav(wav) => wav.flush(),
            #[cfg(feature = "mp3")]
            FormatWriter::Mp3(mp3) => mp3.flush(),
            FormatWriter::OggOpus(opus) => opus.flush(),
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// When the end cannot be written.
    pub fn finish(self) -> Result<(), RecordingError> {
        match self.writer {
            FormatWriter::Wav(wav) => wav.finish(),
            #[cfg(feature = "mp3")]
            FormatWriter::Mp3(mp3) => mp3.finish(),
            FormatWriter::OggOpus(opus) => opus.finish(),
        }
    }

    /// What the file is.
    #[must_use]
    pub const fn shape(&self) -> FileShape {
        self.shape
    }

    /// How long it is.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let rate = u64::from(self.shape.band.sample_rate());
        let rest = self.written % rate * 1_000_000 / rate;
        Duration::from_secs(self.written / rate) + Duration::from_micros(rest)
    }
}
