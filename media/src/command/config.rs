//! How sessions, recordings and listeners are to be.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use super::SrtpConfig;
use crate::codec::Codec;
use crate::dsp::utterance::UtteranceLimits;
use crate::dtmf::Digit;
use crate::recording::FileFormat;

/// Which way media flows, seen from us (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send only: the peer has put us on hold to listen.
    SendOnly,
    /// We receive only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// What both of two wishes allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        ) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether we may send RTP.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether we listen to RTP.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// What a member of a bridge takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The others hear it.
    pub speaks: bool,
    /// It hears the others.
    pub hears: bool,
}

impl Part {
    /// Both.
    pub const FULL: Self = Self {
        speaks: true,
        hears: true,
    };
    /// Neither: the member keeps its place while it is on hold.
    pub const NONE: Self = Self {
        speaks: false,
        hears: false,
    };
}

impl Default for Part {
    fn default() -> Self {
        Self::FULL
    }
}

/// How the members of a bridge are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// Voices are brought to a level near to each other, by -6 to +12 dB, wherever more than two take part.
    pub level: bool,
    /// Only so many are heard at a time, the loudest of those who speak; all when `None`.
    pub loudest: Option<NonZeroU8>,
    /// Who speaks is told by [`Event::ActiveSpeaker`](super::Event::ActiveSpeaker). Two are mixed for it.
    pub tells_speaker: bool,
}

impl Default for BridgeConfig {
    /// Leveled, all are heard, and nothing is told.
    fn default() -> Self {
        Self {
            level: true,
            loudest: None,
            tells_speaker: false,
        }
    }
}

/// Keys as packets of their own (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Its payload type.
    pub payload_type: u8,
    /// Ticks a second of its durations: that of the codec beside it (RFC 4733 §2.1), where the peer has it so.
    pub clock_rate: u32,
}

impl TelephoneEvent {
    /// Beside a codec of the narrow band.
    #[must_use]
    pub const fn narrow(payload_type: u8) -> Self {
        Self {
            payload_type,
            clock_rate: 8_000,
        }
    }
}

/// What offer and answer agreed on for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Where the peer says it listens; the session latches on the true source (RFC 4961).
    pub remote: SocketAddr,
    /// Where the peer wants RTCP when not on the port after RTP (RFC 3605).
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share one port (RFC 5761).
    pub rtcp_mux: bool,
    /// What we send, and the payload type it has.
    pub send: (u8, Codec),
    /// Every codec the peer may send, by payload type; `send` is one of them.
    pub receive: Vec<(u8, Codec)>,
    /// How we send keys (RFC 4733), when both sides have it.
    pub telephone_event: Option<TelephoneEvent>,
    /// Every payload type by which the peer may send keys.
    pub receive_events: Vec<u8>,
    /// The payload type by which the peer may repeat what it has sent before (RFC 2198).
    pub red: Option<u8>,
    /// Secrets, when packets are to be protected.
    pub srtp: Option<Box<SrtpConfig>>,
    /// Which way media flows.
    pub direction: Direction,
    /// Packet time of what we send.
    pub ptime: Duration,
    /// Canonical name for RTCP SDES (RFC 7022): random, the same for the whole call.
    pub cname: String,
}

/// Where a recording is written, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingTarget {
    /// Its files.
    pub files: RecordingFiles,
    /// What they are.
    pub format: FileFormat,
}

/// The files of a recording, and which side lies in which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingFiles {
    /// Each side in a file of its own.
    Sides {
        /// What the peer says.
        heard: PathBuf,
        /// What the peer hears.
        said: PathBuf,
    },
    /// All in one channel: both sides of a session, or everybody in a bridge.
    Mono(PathBuf),
    /// What the peer says on the left, what it hears on the right.
    Stereo(PathBuf),
}

impl RecordingTarget {
    /// Each side in a WAV of its own.
    #[must_use]
    pub const fn sides(heard: PathBuf, said: PathBuf) -> Self {
        Self {
            files: RecordingFiles::Sides { heard, said },
            format: FileFormat::Wav,
        }
    }

    /// One WAV with one channel.
    #[must_use]
    pub const fn mono(file: PathBuf) -> Self {
        Self {
            files: RecordingFiles::Mono(file),
            format: FileFormat::Wav,
        }
    }
}

impl RecordingFiles {
    /// The files: what is heard first, then what is said if that is a file of its own.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let (first, second) = match self {
            Self::Sides { heard, said } => (heard, Some(said)),
            Self::Mono(file) | Self::Stereo(file) => (file, None),
        };
        std::iter::once(first).chain(second)
    }
}

/// What to record and when to stop by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Where to.
    pub target: RecordingTarget,
    /// Ends after this much silence from the peer.
    pub end_of_silence: Option<Duration>,
    /// Ends on one of these digits; empty for none.
    pub end_of_key: Vec<Digit>,
    /// Ends after this long.
    pub duration: Option<Duration>,
    /// Plays a beep to the peer first.
    pub beep_start: bool,
}

/// A recording of all that is said in a bridge, in one file of the wide band whoever is in it: a file cannot
/// change its band when somebody with a better telephone comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeRecordingConfig {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    pub format: FileFormat,
    /// Ends after this long.
    pub duration: Option<Duration>,
}

/// One of the two who speak in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The peer: what comes in.
    Peer,
    /// We: what the peer hears of us.
    Us,
}

/// Who is listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sides {
    /// The peer alone.
    #[default]
    Peer,
    /// Us alone.
    Us,
    /// Both, each for itself.
    Both,
}

impl Sides {
    /// Whether the peer is listened to.
    #[must_use]
    pub const fn has_peer(self) -> bool {
        matches!(self, Self::Peer | Self::Both)
    }

    /// Whether we are.
    #[must_use]
    pub const fn has_us(self) -> bool {
        matches!(self, Self::Us | Self::Both)
    }
}

/// Whom to listen to, and where utterances begin and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenConfig {
    /// Whom.
    pub sides: Sides,
    /// Of each side.
    pub limits: UtteranceLimits,
}

/// What an external hears, and who hears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExternalConfig {
    /// Whose sound it is given, both in one and never its own; `None` for nobody's.
    pub listen: Option<Sides>,
    /// In whose place it speaks, over what is said there: in the peer's it is recorded, listened to and heard in
    /// the bridge, in ours the peer hears it. `None`: it is silent.
    pub speak: Option<Sides>,
}

/// Which way of a session is silenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mute {
    /// Neither.
    #[default]
    Off,
    /// What the peer says: its sound counts as silence, its telephone-events (RFC 4733) as ever.
    In,
    /// What the peer would hear of us: it runs on and is not sent. Reports, and the silence that holds
    /// an idle path open (RFC 6263), are.
    Out,
    /// Both.
    Both,
}

impl Mute {
    /// Whether what the peer says is silenced.
    #[must_use]
    pub const fn has_in(self) -> bool {
        matches!(self, Self::In | Self::Both)
    }

    /// Whether what we say is.
    #[must_use]
    pub const fn has_out(self) -> bool {
        matches!(self, Self::Out | Self::Both)
    }

    /// Silences what either does.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (
            self.has_in() || other.has_in(),
            self.has_out() || other.has_out(),
        ) {
            (false, false) => Self::Off,
            (true, false) => Self::In,
            (false, true) => Self::Out,
            (true, true) => Self::Both,
        }
    }
}
