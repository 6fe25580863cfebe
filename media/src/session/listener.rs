//! The sound of the peer as an even flow of frames, and the keys in it.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::codec::Codec;
use crate::dsp::plc::Concealer;
use crate::dtmf::{Digit, ToneDetector};
use crate::frame::{FRAME_SAMPLES, Frame};
use crate::jitter::{JitterBuffer, Popped};
use crate::rtp::RtpHeader;

/// Samples of the longest packet that is heard: 200 ms, as the jitter buffer has it.
pub(super) const LONGEST_PACKET: usize = 1_600;

/// Decodes, orders and completes what one peer says.
///
/// Exists only while somebody listens, because it is by far the largest part of a session.
#[derive(Debug)]
pub(super) struct Listener {
    jitter: JitterBuffer,
    concealer: Concealer,
    detector: ToneDetector,
    shelf: Shelf,
    /// Sound beyond the last frame taken.
    ahead: [i16; LONGEST_PACKET + FRAME_SAMPLES],
    len: usize,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            jitter: JitterBuffer::new(),
            concealer: Concealer::new(),
            detector: ToneDetector::new(),
            shelf: Shelf::default(),
            ahead: [0; LONGEST_PACKET + FRAME_SAMPLES],
            len: 0,
        }
    }
}

impl Listener {
    /// Takes a packet; `false` when it came too late to be heard.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        codec: Codec,
        payload: &[u8],
    ) -> bool {
        let late = self.jitter.stats().late;
        let payload = self
            .shelf
            .put(&payload[..payload.len().min(LONGEST_PACKET)]);
        let tag = codec.static_payload_type();
        self.jitter
            .insert(header.sequence, header.timestamp, tag, payload, now);
        self.jitter.stats().late == late
    }

    /// Gives the next 20 ms; `false` when nobody speaks and it is silence.
    pub(super) fn pop(&mut self, now: Instant, frame: &mut Frame) -> bool {
        let mut is_heard = self.len > 0;
        while self.len < FRAME_SAMPLES {
            let space = &mut self.ahead[self.len..];
            let count = match self.jitter.pop(now) {
                Popped::Packet {
                    payload_type,
                    payload,
                    is_joined,
                } => {
                    is_heard = true;
                    let codec =
                        Codec::from_static_payload_type(payload_type).unwrap_or(Codec::Pcmu);
                    let count = codec.decode(&payload, space);
                    let sound = &mut space[..count];
                    if is_joined {
                        self.concealer.join(sound)
                    } else {
                        self.concealer.accept(sound)
                    }
                    count
                }
                Popped::Lost { samples } => {
                    is_heard = true;
                    let count = samples.min(space.len());
                    self.concealer.conceal(&mut space[..count]);
                    count
                }
                Popped::Silence { samples } => {
                    let count = samples.min(space.len());
                    space[..count].fill(0);
                    self.concealer.accept(&mut space[..count]);
                    count
                }
            };
            self.len += count;
        }
        frame.0.copy_from_slice(&self.ahead[..FRAME_SAMPLES]);
        self.ahead.copy_within(FRAME_SAMPLES..self.len, 0);
        self.len -= FRAME_SAMPLES;
        is_heard
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
        self.jitter.reset();
        self.concealer = Concealer::new();
        self.len = 0;
    }
}

/// Memory for payloads that wait in the jitter buffer.
///
/// Payloads are laid on one page until it is full, then on the other; by the time that one is full, all on
/// the first have been played and it is used again. Only a page that is held longer is replaced.
#[derive(Debug, Default)]
struct Shelf {
    pages: [BytesMut; 2],
}

impl Shelf {
    /// 256 ms of sound: more than the jitter buffer ever holds on purpose.
    const PAGE: usize = 2_048;

    fn put(&mut self, payload: &[u8]) -> Bytes {
        let [page, other] = &mut self.pages;
        if page.capacity() < payload.len() && !page.try_reclaim(Self::PAGE) {
            std::mem::swap(page, other);
            if page.capacity() < payload.len() && !page.try_reclaim(Self::PAGE) {
                *page = BytesMut::with_capacity(Self::PAGE);
            }
        }
        page.extend_from_slice(payload);
        page.split().freeze()
    }
}
