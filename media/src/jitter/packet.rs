//! What goes into the jitter buffer and what comes out of it.

use std::ops::AddAssign;
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
    /// Packet times, begun ones too, that were made up because the next packet, which was played after all, had
    /// not come.
    pub stalled: u64,
    /// Times the stream began anew.
    pub restarts: u64,
}

impl JitterStats {
    /// Packet times in which nothing was heard that the peer had sent for them.
    #[must_use]
    pub const fn unheard(&self) -> u64 {
        self.lost + self.discarded + self.stalled
    }

    /// Packet times in all.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.played + self.unheard()
    }
}

impl AddAssign for JitterStats {
    fn add_assign(&mut self, other: Self) {
        self.played += other.played;
        self.lost += other.lost;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.discarded += other.discarded;
        self.repeated += other.repeated;
        self.stalled += other.stalled;
        self.restarts += other.restarts;
    }
}
