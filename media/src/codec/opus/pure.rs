//! Opus by `opus-rs`, which is all Rust.

use opus_rs::{Application, OpusDecoder, OpusEncoder};

use super::packet::{MAX_SAMPLES, Packet};
use super::{BITRATE, COMPLEXITY, EXPECTED_LOSS, RATE};
use crate::frame::to_sample;

/// One stream to packets.
pub(super) struct Encoder {
    encoder: OpusEncoder,
    /// Samples of its last packet, once there is one.
    len: Option<usize>,
}

/// Packets of one stream to sound.
pub(super) struct Decoder {
    decoder: OpusDecoder,
    /// What the decoder gives: full scale is one.
    decoded: [f32; MAX_SAMPLES],
}

impl Encoder {
    pub(super) fn new() -> Self {
        let mut encoder = OpusEncoder::new(RATE as i32, 1, Application::Voip)
            .expect("16 kHz mono is a rate of Opus");
        encoder.bitrate_bps = BITRATE as i32;
        encoder.complexity = i32::from(COMPLEXITY);
        encoder.use_inband_fec = true;
        encoder.packet_loss_perc = i32::from(EXPECTED_LOSS);
        Self { encoder, len: None }
    }

    /// Begins anew with packets of another length: what is kept of one cannot be used for the other.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let len = Some(samples.len());
        if self.len.is_some() && self.len != len {
            *self = Self::new();
        }
        self.len = len;
        let encoded = self.encoder.encode_i16(samples, samples.len(), out);
        encoded.unwrap_or_default()
    }
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            decoder: OpusDecoder::new(RATE as i32, 1).expect("16 kHz mono is a rate of Opus"),
            decoded: [0.0; MAX_SAMPLES],
        }
    }

    pub(super) fn decode(&mut self, packet: &Packet<'_>, out: &mut [i16]) -> usize {
        let decoded = &mut self.decoded[..packet.samples()];
        let done = self
            .decoder
            .decode(packet.octets(), decoded.len(), decoded)
            .unwrap_or_default();
        give(decoded.get(..done).unwrap_or_default(), out)
    }

    pub(super) fn conceal(&mut self, out: &mut [i16]) {
        let decoded = &mut self.decoded[..out.len()];
        if self.decoder.decode(&[], decoded.len(), decoded).is_err() {
            decoded.fill(0.0);
        }
        give(decoded, out);
    }

    pub(super) fn recover(&mut self, next: &Packet<'_>, out: &mut [i16]) -> usize {
        let decoded = &mut self.decoded[..out.len()];
        let done = self
            .decoder
            .decode_fec(next.octets(), decoded.len(), decoded)
            .unwrap_or_default();
        give(decoded.get(..done).unwrap_or_default(), out)
    }
}

/// Samples of the range of one to those of 16 bits, as many as fit.
fn give(decoded: &[f32], out: &mut [i16]) -> usize {
    for (sample, decoded) in out.iter_mut().zip(decoded) {
        *sample = to_sample(decoded * 32_768.0);
    }
    decoded.len().min(out.len())
}
