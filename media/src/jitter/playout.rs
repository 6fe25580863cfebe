//! The sound of one stream, tick by tick: packets are decoded, what is lost is concealed, what comes too early
//! or too late is made up for by the length of the sound, and pauses sound like the line.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use super::buffer::JitterBuffer;
use super::packet::{JitterStats, Packet, Popped};
use super::voice::{Voice, decoder_of, per_sample};
use super::{TICK_RATE, Ticks};
use crate::codec::Codec;
use crate::dsp::resample::{Doubler, Halver};
use crate::frame::{Band, Sound, WideFrame};
use crate::rtp::RtpHeader;

/// Ticks a second of the timestamps of comfort noise with the static payload type (RFC 3389 §4).
const NOISE_RATE: u32 = 8_000;

/// Plays one stream, whatever comes of it, in the band that is wanted.
#[derive(Debug)]
pub struct Playout {
    buffer: JitterBuffer,
    voice: Voice,
    /// The band its sound is wanted in.
    band: Band,
    halver: Option<Box<Halver>>,
    doubler: Option<Box<Doubler>>,
    /// When the packet came whose sound was given last.
    arrival: Option<Instant>,
}

/// What was made of the packets of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutStats {
    /// Sound that was made up in place of packets, also where a talkspurt just ended.
    pub concealed: Duration,
    /// By how much the delay was shortened and lengthened while sound flowed.
    pub shortened: Duration,
    /// See [`Self::shortened`].
    pub lengthened: Duration,
}

impl Playout {
    /// Plays nothing yet.
    #[must_use]
    pub fn new(band: Band) -> Self {
        Self {
            buffer: JitterBuffer::new(),
            voice: Voice::new(),
            band,
            halver: None,
            doubler: None,
            arrival: None,
        }
    }

    /// Gives sound in another band from now on.
    pub fn set_band(&mut self, band: Band) {
        self.band = band;
    }

    /// Takes a packet of sound that came at `arrival`; `false` when that is too late to be heard.
    pub fn insert(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &[u8],
    ) -> bool {
        match self.packet(arrival, header, codec, payload) {
            Some(packet) => self.buffer.insert(&packet),
            None => {
                self.buffer.pass(header.sequence);
                true
            }
        }
    }

    /// Takes what a packet, just inserted, repeats of the one `back` places before it (RFC 2198); `header` is
    /// that packet's own, with the time of what is repeated.
    pub fn insert_redundant(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &[u8],
    ) {
        if let Some(packet) = self.packet(arrival, header, codec, payload) {
            self.buffer.insert_redundant(&packet);
        }
    }

    /// Takes a packet of comfort noise (RFC 3389).
    pub fn insert_noise(&mut self, arrival: Instant, header: &RtpHeader, payload: &[u8]) {
        let stamp = (header.timestamp, NOISE_RATE);
        self.buffer
            .insert_noise(header.sequence, stamp, payload, arrival);
    }

    /// Notes a packet of the stream that is no sound: what it says is heard elsewhere.
    pub fn pass(&mut self, header: &RtpHeader) {
        self.buffer.pass(header.sequence);
    }

    /// Gives the next 20 ms; `false` when nobody speaks and it is silence.
    pub fn pop(&mut self, now: Instant, sound: &mut Sound) -> bool {
        self.arrival = None;
        let mut is_heard = self.voice.len > 0;
        while self.voice.len < self.voice.band.frame_samples() {
            let popped = self.buffer.pop(now, self.voice.ahead());
            if let Popped::Packet { arrival, .. } = popped {
                self.arrival = arrival;
            }
            is_heard |= self.voice.take(popped);
        }
        if is_heard {
            self.give(sound);
        } else {
            *sound = Sound::SILENCE;
            sound.wide = (self.band == Band::Wide).then_some(WideFrame::SILENCE);
            if let Some(halver) = &mut self.halver {
                halver.reset();
            }
            if let Some(doubler) = &mut self.doubler {
                doubler.reset();
            }
        }
        self.voice.shift();
        is_heard
    }

    /// The peer has begun another stream: what is left of this one fades.
    pub fn reset(&mut self) {
        self.buffer.reset();
    }

    /// When the packet came whose sound was given last; `None` when that was made up or silence.
    #[must_use]
    pub const fn arrival(&self) -> Option<Instant> {
        self.arrival
    }

    /// Whether the last sound given was of packets, or stood in for some.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        !self.voice.is_pausing
    }

    /// How long the sound given last was held, compared with the fastest packet.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.buffer.delay()
    }

    /// How long sound is meant to be held.
    #[must_use]
    pub fn target(&self) -> Duration {
        self.buffer.target()
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn packets(&self) -> &JitterStats {
        self.buffer.stats()
    }

    /// What was made of them.
    #[must_use]
    pub fn stats(&self) -> PlayoutStats {
        let [concealed, shortened, lengthened] = [
            self.voice.concealed,
            self.voice.shortened,
            self.voice.lengthened,
        ]
        .map(|ticks| Duration::from_micros(ticks * 1_000_000 / u64::from(TICK_RATE)));
        PlayoutStats {
            concealed,
            shortened,
            lengthened,
        }
    }

    /// Octets it has beside itself, without those of codecs with a memory.
    #[cfg(test)]
    fn heap_octets(&self) -> usize {
        self.buffer.heap_octets()
            + 2 * (self.voice.ahead.capacity() + self.voice.concealer.capacity())
            + self.halver.as_ref().map_or(0, |_| size_of::<Halver>())
            + self.doubler.as_ref().map_or(0, |_| size_of::<Doubler>())
    }

    /// A packet with what can be known of it before it is decoded; `None` when it holds no sound.
    fn packet<'a>(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &'a [u8],
    ) -> Option<Packet<'a>> {
        let samples = match codec.law() {
            Some(_) => payload.len(),
            None => decoder_of(&mut self.voice.decoders, codec).samples(payload),
        };
        if samples == 0 {
            return None;
        }
        let ticks = samples as Ticks * per_sample(codec.band());
        let most = JitterBuffer::MAX_LEN;
        // What is longer than any packet ought to be is cut.
        let payload = match ticks > most {
            true => &payload[..payload.len() * most as usize / ticks as usize],
            false => payload,
        };
        Some(Packet {
            sequence: header.sequence,
            timestamp: header.timestamp,
            codec,
            ticks: ticks.min(most),
            payload,
            arrival,
        })
    }

    /// Writes the next frame in the bands that are wanted.
    fn give(&mut self, sound: &mut Sound) {
        let frame = &self.voice.ahead[..self.voice.band.frame_samples()];
        let wants_wide = self.band == Band::Wide;
        match self.voice.band {
            Band::Narrow => {
                sound.narrow.0.copy_from_slice(frame);
                sound.wide = wants_wide.then(|| {
                    let mut wide = WideFrame::SILENCE;
                    let doubler = self.doubler.get_or_insert_default();
                    doubler.process(frame, &mut wide.0);
                    wide
                });
            }
            Band::Wide => {
                let halver = self.halver.get_or_insert_default();
                halver.process(frame, &mut sound.narrow.0);
                sound.wide = wants_wide.then(|| {
                    let mut wide = WideFrame::SILENCE;
                    wide.0.copy_from_slice(frame);
                    wide
                });
            }
        }
    }
}

impl AddAssign for PlayoutStats {
    fn add_assign(&mut self, other: Self) {
        self.concealed += other.concealed;
        self.shortened += other.shortened;
        self.lengthened += other.lengthened;
    }
}

#[cfg(test)]
mod tests;
