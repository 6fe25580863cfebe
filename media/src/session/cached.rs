//! Prompts in codecs with a memory: sent as they were encoded once, where that can be done.
//!
//! ```text
//!   prompt   | live | live | live | cached | cached | ... | cached |  what comes then
//!             the decoder gets to where                             the encoder is brought to
//!             the cached ones begin                                 where they ended
//! ```
//!
//! What a packet sounds like depends on those before it. Encoders of the same sound agree after a few packets,
//! whatever they knew before; so those are encoded live wherever one kind of packet goes over into the other.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::last::Last;
use super::outbound::{Outbound, packet_time};
use crate::codec::{Codec, Encoder};
use crate::command::SessionConfig;
use crate::frame::Ptime;
use crate::outbox::Outbox;

/// Packets in which encoders come to agree: 60 ms.
const LEAD: usize = 3;

impl Outbound {
    /// Nothing is encoded for now: what the encoder knew is not what the peer will have heard.
    pub(super) fn drop_encoder(&mut self) {
        (self.encoder, self.cached, self.led) = (None, None, 0);
    }

    /// The encoder of the stream.
    pub(super) fn encoder(&mut self, codec: Codec) -> &mut Encoder {
        let is_other = |(known, _): &(Codec, Encoder)| *known != codec;
        if self.encoder.as_ref().is_some_and(is_other) {
            self.drop_encoder();
        }
        let (_, encoder) = self
            .encoder
            .get_or_insert_with(|| (codec, Encoder::new(codec)));
        encoder
    }

    /// Something else follows a packet that was encoded before: brings the encoder to where the peer's decoder is,
    /// and what is doubled to where it would be.
    pub(super) fn settle(&mut self) {
        let Some((prompt, packet)) = self.cached.take() else {
            return;
        };
        let Some((codec, encoder)) = &mut self.encoder else {
            return;
        };
        *encoder = Encoder::new(*codec);
        let first = (packet + 1).saturating_sub(LEAD);
        let ran = prompt.run(encoder, first..packet + 1);
        self.last = Some(Last::Sample(ran.last));
        if let Some((doubler, narrow)) = ran.doubled {
            self.voices.resume_doubling(doubler, narrow);
        }
    }
}

impl Session {
    /// Sends the packet of a playback that is encoded already; `false` when there is none.
    pub(super) fn send_cached(
        &mut self,
        now: Instant,
        due: Instant,
        config: &SessionConfig,
        out: &mut Outbox,
    ) -> bool {
        let codec = config.send.1;
        let is_plain = packet_time(config) == Ptime::DEFAULT
            && self.outbound.parcel.is_none()
            && self.said.is_none();
        if !codec.has_memory() || !is_plain {
            return false;
        }
        let Some(reader) = self.outbound.voices.playback() else {
            return false;
        };
        let Some((prompt, at)) = reader.place() else {
            return false;
        };
        if prompt.packets(codec).is_none() && prompt.ask(codec) {
            out.encode(prompt, codec);
        }
        let prompt = Arc::clone(prompt);
        let packet = prompt.packets(codec).and_then(|packets| packets.get(at));
        let follows = match &self.outbound.cached {
            Some((known, before)) => Arc::ptr_eq(known, &prompt) && at == before + 1,
            None => at >= LEAD && self.outbound.led >= LEAD,
        };
        let Some(packet) = packet.filter(|_| follows) else {
            return false;
        };
        let Some(reader) = self.outbound.voices.playback() else {
            return false;
        };
        reader.skip_packet();
        if self.can_be_heard(config) {
            let stamp = self.outbound.clock.stamp(due, codec.clock_rate() / 50);
            self.send_audio(now, config.send, stamp, packet, out);
            self.outbound.cached = Some((prompt, at));
        } else {
            self.outbound.drop_encoder();
        }
        true
    }
}
