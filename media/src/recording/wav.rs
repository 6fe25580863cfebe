//! Recordings as WAV.

use std::io::{Seek, SeekFrom, Write};

use super::{FileShape, RecordingError};

/// Octets before the samples.
const HEADER: usize = 44;

/// Octets of a sample.
const SAMPLE: usize = 2;

/// Samples of all channels together that lie behind a header.
const MAX_SAMPLES: u64 = (u32::MAX as u64 - HEADER as u64) / SAMPLE as u64;

/// After each second of sound the lengths in the header are made true.
pub(super) struct WavRecorder<W: Write + Seek> {
    file: W,
    shape: FileShape,
    written: u64,
    /// Samples of a second, of all channels.
    second: usize,
    /// Samples that the header does not count yet.
    uncounted: usize,
}

impl<W: Write + Seek> WavRecorder<W> {
    pub(super) fn new(file: W, shape: FileShape) -> Result<Self, RecordingError> {
        let mut recorder = Self {
            file,
            shape,
            written: 0,
            second: shape.band.sample_rate() as usize * shape.channels(),
            uncounted: 0,
        };
        recorder.file.write_all(&header(shape, 0))?;
        recorder.file.flush()?;
        Ok(recorder)
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<(), RecordingError> {
        for second in samples.chunks(self.second) {
            if self.written + second.len() as u64 > MAX_SAMPLES {
                return Err(RecordingError::Full);
            }
            for part in second.chunks(PART) {
                let mut octets = [0; SAMPLE * PART];
                let pairs = octets.as_chunks_mut().0;
                for (pair, sample) in pairs.iter_mut().zip(part) {
                    *pair = sample.to_le_bytes();
                }
                self.file.write_all(&octets[..SAMPLE * part.len()])?;
            }
            self.written += second.len() as u64;
            self.uncounted += second.len();
            if self.uncounted >= self.second {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), RecordingError> {
        if self.uncounted > 0 {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header(self.shape, self.written))?;
            let end = HEADER as u64 + SAMPLE as u64 * self.written;
            self.file.seek(SeekFrom::Start(end))?;
            self.uncounted = 0;
        }
        Ok(self.file.flush()?)
    }

    pub(super) fn finish(mut self) -> Result<(), RecordingError> {
        self.flush()
    }
}

impl<W: Write + Seek> Drop for WavRecorder<W> {
    fn drop(&mut self) {
        if self.uncounted > 0 {
            // Whoever wants to know of an error finishes it.
            let _ = self.flush();
        }
    }
}

/// Samples that become octets at once: 20 ms of the narrow band.
const PART: usize = 160;

/// RIFF, WAVE, and the chunks `fmt ` and `data` of linear sound with so many samples of all channels together.
fn header(shape: FileShape, samples: u64) -> [u8; HEADER] {
    // It has been seen to that they fit.
    let octets = (SAMPLE as u64 * samples) as u32;
    let (channels, rate) = (shape.channels() as u32, shape.band.sample_rate());
    let frame = SAMPLE as u32 * channels;
    let linear_channels = 1 | channels << 16;
    let frame_bits = frame | (8 * SAMPLE as u32) << 16;
    let mut header = [0; HEADER];
    let fields = [
        *b"RIFF",
        (octets + HEADER as u32 - 8).to_le_bytes(),
        *b"WAVE",
        *b"fmt ",
        16_u32.to_le_bytes(),
        linear_channels.to_le_bytes(),
        rate.to_le_bytes(),
        (rate * frame).to_le_bytes(),
        frame_bits.to_le_bytes(),
        *b"data",
        octets.to_le_bytes(),
    ];
    for (place, field) in header.as_chunks_mut().0.iter_mut().zip(fields) {
        *place = field;
    }
    header
}
