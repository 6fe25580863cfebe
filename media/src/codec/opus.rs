//! Opus (RFC 6716) as telephony wants it: mono, the wide band, made for speech, with repetition against loss.
//!
//! By default all of it is Rust (`opus-rs`); with the feature `libopus` it is the reference library.

use std::fmt;

#[cfg(not(feature = "libopus"))]
mod pure;
#[cfg(not(feature = "libopus"))]
use self::pure as engine;

#[cfg(feature = "libopus")]
mod library;
#[cfg(feature = "libopus")]
use self::library as engine;

mod packet;

use self::packet::{MAX_SAMPLES, Packet};

/// Samples a second, both ways.
const RATE: usize = 16_000;
/// Bits a second: the wide band in good quality, repetition included.
const BITRATE: u32 = 24_000;
/// Of ten: most of what there is to be heard for half of what it costs.
const COMPLEXITY: u8 = 5;
/// The loss to be ready for, in per cent: from it follows how much is spent on repetition.
const EXPECTED_LOSS: u8 = 10;

/// One stream to packets.
pub struct OpusEncoder(engine::Encoder);

/// Packets of one stream to sound.
pub struct OpusDecoder(engine::Decoder);

impl OpusEncoder {
    /// Encodes 10, 20, 40 or 60 ms: there are no other frames; 0 for anything else.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        const MS: usize = RATE / 1_000;
        if [10, 20, 40, 60].contains(&(samples.len() / MS)) && samples.len().is_multiple_of(MS) {
            self.0.encode(samples, out)
        } else {
            0
        }
    }
}

impl OpusDecoder {
    /// Decodes a packet into as many samples as fit, and says how many; 0 when it is malformed.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match Packet::parse(payload) {
            Some(packet) => self.0.decode(&packet, out),
            None => 0,
        }
    }

    /// Fills `out` with what may have been in a lost packet, as far as it is whole steps of 2.5 ms; what is
    /// left is silence.
    pub(super) fn conceal(&mut self, out: &mut [i16]) {
        let (whole, rest) = out.split_at_mut(out.len() / STEP * STEP);
        rest.fill(0);
        for piece in whole.chunks_mut(MAX_SAMPLES) {
            self.0.conceal(piece);
        }
    }

    /// The packet before `next`, as long as `out`, out of what `next` repeats of it; what it does not repeat is
    /// concealed. 0 when it repeats nothing.
    pub(super) fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        let wanted = out.len().min(MAX_SAMPLES) / STEP * STEP;
        match Packet::parse(next) {
            Some(packet) if (1..=wanted).contains(&packet.repeated()) => {
                self.0.recover(&packet, &mut out[..wanted])
            }
            _ => 0,
        }
    }
}

/// Samples that a packet holds; 0 when it is malformed.
pub(super) fn samples(payload: &[u8]) -> usize {
    Packet::parse(payload).map_or(0, |packet| packet.samples())
}

/// The shortest frame, 2.5 ms, in samples.
const STEP: usize = RATE / 400;

impl Default for OpusEncoder {
    fn default() -> Self {
        Self(engine::Encoder::new())
    }
}

impl Default for OpusDecoder {
    fn default() -> Self {
        Self(engine::Decoder::new())
    }
}

impl fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusEncoder").finish_non_exhaustive()
    }
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder").finish_non_exhaustive()
    }
}
