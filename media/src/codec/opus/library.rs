//! Opus by the reference library, libopus.

use audiopus::coder::{Decoder as OpusDecoder, Encoder as OpusEncoder};
use audiopus::packet::Packet as OpusPacket;
use audiopus::{Application, Bitrate, Channels, MutSignals, SampleRate};

use super::packet::{MAX_SAMPLES, Packet};
use super::{BITRATE, COMPLEXITY, EXPECTED_LOSS};

/// One stream to packets.
pub(super) struct Encoder(OpusEncoder);

/// Packets of one stream to sound.
pub(super) struct Decoder {
    decoder: OpusDecoder,
    decoded: [i16; MAX_SAMPLES],
}

impl Encoder {
    pub(super) fn new() -> Self {
        let mut encoder = OpusEncoder::new(SampleRate::Hz16000, Channels::Mono, Application::Voip)
            .expect("16 kHz mono is a rate of Opus, and there is memory");
        let set = encoder
            .set_bitrate(Bitrate::BitsPerSecond(BITRATE as i32))
            .and_then(|()| encoder.set_complexity(COMPLEXITY))
            .and_then(|()| encoder.set_inband_fec(true))
            .and_then(|()| encoder.set_packet_loss_perc(EXPECTED_LOSS));
        set.expect("constants within the ranges of libopus");
        Self(encoder)
    }

    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        self.0.encode(samples, out).unwrap_or_default()
    }
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            decoder: OpusDecoder::new(SampleRate::Hz16000, Channels::Mono)
                .expect("16 kHz mono is a rate of Opus, and there is memory"),
            decoded: [0; MAX_SAMPLES],
        }
    }

    pub(super) fn decode(&mut self, packet: &Packet<'_>, out: &mut [i16]) -> usize {
        let done = self.run(Some(packet), packet.samples(), false);
        self.give(done, out)
    }

    pub(super) fn conceal(&mut self, out: &mut [i16]) {
        let done = self.run(None, out.len(), false);
        let given = self.give(done, out);
        out[given..].fill(0);
    }

    pub(super) fn recover(&mut self, next: &Packet<'_>, out: &mut [i16]) -> usize {
        let done = self.run(Some(next), out.len(), true);
        self.give(done, out)
    }

    /// Decodes, conceals or recovers so many samples at most.
    fn run(&mut self, packet: Option<&Packet<'_>>, samples: usize, repeated: bool) -> usize {
        let packet = packet.and_then(|packet| OpusPacket::try_from(packet.octets()).ok());
        let decoded = MutSignals::try_from(&mut self.decoded[..samples]);
        decoded
            .and_then(|decoded| self.decoder.decode(packet, decoded, repeated))
            .unwrap_or_default()
    }

    fn give(&self, done: usize, out: &mut [i16]) -> usize {
        let decoded = self.decoded.get(..done).unwrap_or_default();
        let given = decoded.len().min(out.len());
        out[..given].copy_from_slice(&decoded[..given]);
        given
    }
}
