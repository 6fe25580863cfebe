//! What a session listens with: the sound of the peer as an even flow of frames, and the keys in it.

use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::dtmf::{Digit, ToneDetector};
use crate::frame::{Band, Frame, Sound};
use crate::jitter::{JitterStats, Playout, PlayoutStats};
use crate::rtp::RtpHeader;

/// Samples of the longest packet that is heard: 200 ms, as the jitter buffer has it.
pub(super) const LONGEST_PACKET: usize = 1_600;

/// Orders, decodes and completes what one peer says.
///
/// Exists only while somebody listens, because it is by far the largest part of a session.
#[derive(Debug)]
pub(super) struct Listener {
    playout: Playout,
    detector: ToneDetector,
}

impl Listener {
    /// A listener that gives sound in a band.
    pub(super) fn new(band: Band) -> Self {
        Self {
            playout: Playout::new(band),
            detector: ToneDetector::new(),
        }
    }

    /// Gives sound in another band from now on.
    pub(super) fn set_band(&mut self, band: Band) {
        self.playout.set_band(band);
    }

    /// Takes a packet that came at `arrival`.
    pub(super) fn insert(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &[u8],
    ) {
        self.playout.insert(arrival, header, codec, payload);
    }

    /// Takes what a packet repeats of an earlier one, of which `header` is (RFC 2198).
    pub(super) fn insert_redundant(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &[u8],
    ) {
        self.playout
            .insert_redundant(arrival, header, codec, payload);
    }

    /// Takes a packet of comfort noise (RFC 3389).
    pub(super) fn insert_noise(&mut self, arrival: Instant, header: &RtpHeader, payload: &[u8]) {
        self.playout.insert_noise(arrival, header, payload);
    }

    /// Notes a packet that is no sound, so that it is not missed.
    pub(super) fn pass(&mut self, header: &RtpHeader) {
        self.playout.pass(header);
    }

    /// Gives the next 20 ms; `false` when nobody speaks and it is silence.
    pub(super) fn pop(&mut self, now: Instant, sound: &mut Sound) -> bool {
        self.playout.pop(now, sound)
    }

    /// Whether the frame just taken is what the peer says, and not what its pauses sound like.
    pub(super) const fn is_speaking(&self) -> bool {
        self.playout.is_speaking()
    }

    /// When the packet came whose sound was given last; `None` when that was made up or silence.
    pub(super) const fn arrival(&self) -> Option<Instant> {
        self.playout.arrival()
    }

    /// How long the sound given last was held, compared with the fastest packet.
    pub(super) fn delay(&self) -> Duration {
        self.playout.delay()
    }

    /// How long sound is meant to be held.
    pub(super) fn target(&self) -> Duration {
        self.playout.target()
    }

    /// What became of the packets, and what was made of them.
    pub(super) fn stats(&self) -> (JitterStats, PlayoutStats) {
        (*self.playout.packets(), self.playout.stats())
    }

    /// Looks for a key in the frame just taken.
    pub(super) fn detect(&mut self, frame: &Frame) -> Option<Digit> {
        self.detector.push(&frame.0)
    }

    /// Whether a key is held down.
    pub(super) const fn holds_key(&self) -> bool {
        self.detector.is_pressed()
    }

    /// The peer has begun another stream.
    pub(super) fn reset(&mut self) {
        self.playout.reset();
    }
}
