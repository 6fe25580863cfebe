//! The one joint between the media engine and whoever drives it: orders down, news up.
//!
//! Every order that takes time carries a [`CommandId`] and is answered by exactly one
//! [`Event::Finished`], also when its session dies.

mod config;
mod news;
mod order;
mod srtp;

pub use self::config::{
    BridgeConfig, BridgeRecordingConfig, Direction, ExternalConfig, ListenConfig, Mute, Part,
    RecordingConfig, RecordingFiles, RecordingTarget, SessionConfig, Side, Sides, TelephoneEvent,
};
pub use self::news::{
    DigitSource, Event, ExternalStats, MediaError, Outcome, PeerStats, RecordingEnd, SessionStats,
    Utterance,
};
pub use self::order::Command;
pub use self::srtp::{SrtpConfig, SrtpKey, SrtpSuite};

/// One RTP session: one `m=` line with its sockets.
///
/// Its low octet is its lane. Sessions and bridges of one lane are on one media thread, so those who will be
/// joined are best put on the same: they need not move then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The session of this number on a lane; numbers stay below 2^55.
    #[must_use]
    pub const fn on(lane: u8, number: u64) -> Self {
        Self(number << u8::BITS | lane as u64)
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(self) -> u8 {
        self.0 as u8
    }
}

/// One order that ends some time later; chosen by whoever gives the order, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// Somebody beside a session who hears it or speaks into it; chosen by whoever lets him in, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalId(pub u64);

/// What joins sessions so that they hear each other.
///
/// It is there from its first member to its last. Two of one codec, or both of G.711, are joined packet by
/// packet; more, or one that is recorded, listened to or played to, are mixed, in the wide band for those who
/// have it. Its low octet is its lane, as that of a [`SessionId`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BridgeId(pub u64);

impl BridgeId {
    /// The bridge of this number on a lane.
    #[must_use]
    pub const fn on(lane: u8, number: u64) -> Self {
        Self(number << u8::BITS | lane as u64)
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(self) -> u8 {
        self.0 as u8
    }
}
