//! ITU-T G.722 at 64 kbit/s: two sub-bands, each by adaptive differences, one octet for two samples.
//!
//! The arithmetic is that of the crate `audio-codec`, bit for bit the reference's; here are the edges.

use std::fmt;

use audio_codec::{Decoder as _, Encoder as _, g722};

/// One stream to octets.
#[derive(Default)]
pub struct G722Encoder(g722::G722Encoder);

/// Octets of one stream to sound.
#[derive(Default)]
pub struct G722Decoder(g722::G722Decoder);

impl G722Encoder {
    /// One octet for each two samples, as many as fit.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let octets = (samples.len() / 2).min(out.len());
        // It fails when there is no room only.
        let encoded = self.0.encode_into(&samples[..2 * octets], out);
        encoded.unwrap_or_default()
    }
}

impl G722Decoder {
    /// Two samples for each octet, as many as fit; there is no octet without a meaning.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let octets = payload.len().min(out.len() / 2);
        // It fails when there is no room only.
        let decoded = self.0.decode_into(&payload[..octets], out);
        decoded.unwrap_or_default()
    }
}

impl fmt::Debug for G722Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("G722Encoder").finish_non_exhaustive()
    }
}

impl fmt::Debug for G722Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("G722Decoder").finish_non_exhaustive()
    }
}
