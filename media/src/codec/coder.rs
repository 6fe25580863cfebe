//! Encoders and decoders with the memory their codec needs.

use super::g722::{G722Decoder, G722Encoder};
use super::opus::{self, OpusDecoder, OpusEncoder};
use super::{Codec, G711};
use crate::frame::Ptime;

/// Octets of the longest payload we send: 60 ms of L16 in the wide band.
pub const MAX_PAYLOAD: usize = 2 * 2 * Ptime::MAX.samples();

/// Sound of one stream to payloads, in the band of its codec.
#[derive(Debug)]
pub enum Encoder {
    /// One octet a sample.
    G711(G711),
    /// Two octets a sample, high octet first (RFC 3551 §4.5.11).
    L16(Codec),
    /// One octet for two samples.
    G722(Box<G722Encoder>),
    /// As many octets as the sound is worth.
    Opus(Box<OpusEncoder>),
}

/// Payloads of one stream to sound, in the band of its codec.
#[derive(Debug)]
pub enum Decoder {
    /// One octet a sample.
    G711(G711),
    /// Two octets a sample.
    L16(Codec),
    /// One octet for two samples.
    G722(Box<G722Decoder>),
    /// 2.5 to 120 ms a packet.
    Opus(Box<OpusDecoder>),
}

impl Encoder {
    /// An encoder that begins a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::G711(G711::Ulaw),
            Codec::Pcma => Self::G711(G711::Alaw),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(Box::default()),
            Codec::L16 | Codec::L16Wide => Self::L16(codec),
        }
    }

    /// Encodes one packet, 10 to 60 ms in the band of the codec, and says how many octets it is.
    ///
    /// Opus has no packets of one frame of 30 or 50 ms: that makes 0 octets.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::G711(law) => law.encode(samples, out),
            Self::L16(_) => {
                let pairs = out.as_chunks_mut().0;
                for (pair, sample) in pairs.iter_mut().zip(samples) {
                    *pair = sample.to_be_bytes();
                }
                2 * samples.len().min(pairs.len())
            }
            Self::G722(encoder) => encoder.encode(samples, out),
            Self::Opus(encoder) => encoder.encode(samples, out),
        }
    }
}

impl Decoder {
    /// A decoder that waits for a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::G711(G711::Ulaw),
            Codec::Pcma => Self::G711(G711::Alaw),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(Box::default()),
            Codec::L16 | Codec::L16Wide => Self::L16(codec),
        }
    }

    /// Samples that a payload holds, found without decoding it; 0 when it is malformed.
    #[must_use]
    pub fn samples(&self, payload: &[u8]) -> usize {
        match self {
            Self::G711(_) => payload.len(),
            Self::L16(_) => payload.len() / 2,
            Self::G722(_) => 2 * payload.len(),
            Self::Opus(_) => opus::samples(payload),
        }
    }

    /// Decodes one payload into as many samples as fit, and says how many; 0 when it cannot be decoded.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::G711(law) => law.decode(payload, out),
            Self::L16(_) => {
                let pairs = payload.as_chunks().0;
                for (sample, pair) in out.iter_mut().zip(pairs) {
                    *sample = i16::from_be_bytes(*pair);
                }
                pairs.len().min(out.len())
            }
            Self::G722(decoder) => decoder.decode(payload, out),
            Self::Opus(decoder) => decoder.decode(payload, out),
        }
    }

    /// Fills `out` with what may have been in a packet that is lost, and says whether the codec has a way to
    /// (Opus alone); otherwise `out` is left as it is.
    ///
    /// The codec goes on from there: what it has filled in must be played.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        match self {
            Self::Opus(decoder) => {
                decoder.conceal(out);
                true
            }
            Self::G711(_) | Self::L16(_) | Self::G722(_) => false,
        }
    }

    /// Fills `out`, as long as the lost packet, out of what the packet after it repeats (RFC 6716 §4.2.4), and
    /// says how many samples that are; 0 when it repeats nothing.
    ///
    /// `next` itself is to be decoded after that.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::Opus(decoder) => decoder.recover(next, out),
            Self::G711(_) | Self::L16(_) | Self::G722(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
