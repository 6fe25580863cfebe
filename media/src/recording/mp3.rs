//! Recordings as MP3, by LAME.

use std::io::{Seek, Write};

use mp3lame_encoder::{
    Bitrate, Builder, Encoder, FlushGap, InterleavedPcm, Mode, MonoPcm, Quality,
    max_required_buffer_size,
};

use super::{FileFormat, FileShape, RecordingError};
use crate::frame::Band;

/// What LAME needs to end a stream (lame.h: `lame_encode_flush`).
const FLUSH: usize = 7_200;

/// Frames as LAME makes them, a constant number of octets each; nothing is ever written twice.
pub(super) struct Mp3Recorder<W: Write + Seek> {
    file: W,
    encoder: Encoder,
    is_stereo: bool,
    /// Encoded octets on their way into the file.
    octets: Vec<u8>,
}

impl<W: Write + Seek> Mp3Recorder<W> {
    pub(super) fn new(file: W, shape: FileShape) -> Result<Self, RecordingError> {
        let builder = Builder::new().ok_or(RecordingError::Unsupported(FileFormat::Mp3))?;
        let encoder = builder
            .with_num_channels(shape.channels() as u8)
            .and_then(|builder| builder.with_sample_rate(shape.band.sample_rate()))
            .and_then(|builder| builder.with_brate(bitrate(shape)))
            // Sides that are coded together would be heard in each other.
            .and_then(|builder| match shape.is_stereo {
                true => builder.with_mode(Mode::Stereo),
                false => builder.with_mode(Mode::Mono),
            })
            .and_then(|builder| builder.with_quality(Quality::Decent))
            // It would have to be written over the beginning at the end.
            .and_then(|builder| builder.with_to_write_vbr_tag(false))
            .and_then(Builder::build)
            .map_err(|_| RecordingError::Encoder)?;
        Ok(Self {
            file,
            encoder,
            is_stereo: shape.is_stereo,
            octets: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        self.octets.clear();
        let frames = samples.len() / if self.is_stereo { 2 } else { 1 };
        self.octets.reserve(max_required_buffer_size(frames));
        let encoded = if self.is_stereo {
            self.encoder
                .encode_to_vec(InterleavedPcm(samples), &mut self.octets)
        } else {
            self.encoder
                .encode_to_vec(MonoPcm(samples), &mut self.octets)
        };
        encoded.map_err(|_| RecordingError::Encoder)?;
        Ok(self.file.write_all(&self.octets)?)
    }

    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        Ok(self.file.flush()?)
    }

    pub(super) fn finish(mut self) -> Result<(), RecordingError> {
        self.octets.clear();
        self.octets.reserve(FLUSH);
        self.encoder
            .flush_to_vec::<FlushGap>(&mut self.octets)
            .map_err(|_| RecordingError::Encoder)?;
        self.file.write_all(&self.octets)?;
        Ok(self.file.flush()?)
    }
}

/// What speech needs: 24 kbit/s of a narrow channel, twice that of a wide one.
const fn bitrate(shape: FileShape) -> Bitrate {
    match (shape.band, shape.is_stereo) {
        (Band::Narrow, false) => Bitrate::Kbps24,
        (Band::Narrow, true) | (Band::Wide, false) => Bitrate::Kbps48,
        (Band::Wide, true) => Bitrate::Kbps96,
    }
}
