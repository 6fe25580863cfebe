//! What goes into the jitter buffer and what comes out of it.

use std::time::Instant;

use super::Ticks;
use crate::codec::Codec;
use crate::rtp::{MediaTime, SeqNo};

/// A packet of sound that came.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its place in the stream.
    pub sequence: SeqNo,
    /// When its first sample was taken, by the clock of its codec.
    pub timestamp: MediaTime,
    /// How to read it.
    pub codec: Codec,
    /// How much sound it holds.
    pub ticks: Ticks,
    /// Its payload.
    pub payload: &'a [u8],
    /// When it came.
    pub arrival: Instant,
}

/// What to play next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Popped<'a> {
    /// A packet.
    Packet {
        /// How to read it.
        codec: Codec,
        /// Its payload.
        payload: &'a [u8],
        /// How much sound it holds.
        ticks: Ticks,
        /// When it came.
        arrival: Option<Instant>,
        /// Whether sound before it was skipped: smooth the joint.
        is_joined: bool,
        /// So much longer than need be is the delay; negative when so much shorter.
        surplus: Ticks,
    },
    /// Sound is missing: conceal it.
    Lost {
        /// How much.
        ticks: Ticks,
        /// The packet right after it, which may repeat some of it.
        next: Option<(Codec, &'a [u8])>,
    },
    /// From here on nobody speaks, and this is what it sounds like (RFC 3389); take what comes after it.
    Noise {
        /// Its level and its spectrum.
        payload: &'a [u8],
    },
    /// Nobody speaks.
    Silence {
        /// For so long.
        ticks: Ticks,
    },
}

/// What became of the packets of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets played.
    pub played: u64,
    /// Packets that had not come when they were due.
    pub lost: u64,
    /// Packets of those that came after all.
    pub late: u64,
    /// Packets that had come before.
    pub duplicate: u64,
    /// Packets left out: a backlog, or numbers from nowhere.
    pub discarded: u64,
    /// Packets that had not come but were repeated in a later one (RFC 2198).
    pub repeated: u64,
    /// Times the stream began anew.
    pub restarts: u64,
}
