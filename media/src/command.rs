//! The one joint between the media engine and whoever drives it: orders down, news up.
//!
//! Every order that takes time carries a [`CommandId`] and is answered by exactly one
//! [`Event::Finished`], also when its session dies.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::amd::{AmdCause, AmdConfig, Answerer};
use crate::codec::Codec;
use crate::dsp::utterance::UtteranceLimits;
use crate::dtmf::Digit;
use crate::prompt::Prompt;

/// One RTP session: one `m=` line with its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// One order that ends some time later; chosen by whoever gives the order, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// Somebody beside a session who hears it or speaks into it; chosen by whoever lets him in, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalId(pub u64);

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

/// What joins sessions so that they hear each other.
///
/// It is there from its first member to its last. Two of one codec are joined packet by packet; more, or
/// one that is recorded, listened to or played to, are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BridgeId(pub u64);

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
    /// Payload type of `telephone-event/8000` (RFC 4733), when both sides have it.
    pub telephone_event: Option<u8>,
    /// Which way media flows.
    pub direction: Direction,
    /// Packet time of what we send.
    pub ptime: Duration,
    /// Canonical name for RTCP SDES (RFC 7022): random, the same for the whole call.
    pub cname: String,
}

/// What to record and when to stop by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingConfig {
    /// File of what the peer says.
    pub file_in: PathBuf,
    /// File of what the peer hears.
    pub file_out: PathBuf,
    /// Ends after this much silence from the peer.
    pub end_of_silence: Option<Duration>,
    /// Ends on one of these digits; empty for none.
    pub end_of_key: Vec<Digit>,
    /// Ends after this long.
    pub duration: Option<Duration>,
    /// Plays a beep to the peer first.
    pub beep_start: bool,
}

/// A recording of all that is said in a bridge, in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeRecordingConfig {
    /// The file.
    pub file: PathBuf,
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

/// What an external did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExternalStats {
    /// Frames it was given.
    pub frames: u64,
    /// Samples it said that were heard.
    pub heard_samples: u64,
    /// Samples that were dropped because more waited than may.
    pub dropped_samples: u64,
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

/// What somebody said without a longer pause.
#[derive(Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Where.
    pub session: SessionId,
    /// The order to listen.
    pub command: CommandId,
    /// Who said it.
    pub side: Side,
    /// When it began, counted from the order.
    pub start: Duration,
    /// What was said: 8 kHz, mono.
    pub samples: Arc<[i16]>,
}

impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Utterance")
            .field("session", &self.session)
            .field("command", &self.command)
            .field("side", &self.side)
            .field("start", &self.start)
            .field("samples", &self.samples.len())
            .finish()
    }
}

/// An order to the engine.
#[derive(Clone, Debug)]
pub enum Command {
    /// Bind sockets for a new session; answered by [`Event::Opened`] or [`Event::OpenFailed`].
    Open {
        /// The new session.
        session: SessionId,
        /// Address family and interface to bind.
        local: IpAddr,
    },
    /// Apply what was negotiated, first or again; a new `remote` unlocks the latch.
    Configure {
        /// An open session.
        session: SessionId,
        /// What was agreed.
        config: Box<SessionConfig>,
    },
    /// End a session: BYE by RTCP, sockets closed, its commands finished, then [`Event::Closed`].
    Close {
        /// The session.
        session: SessionId,
    },
    /// Take a session into a bridge, out of the one it was in; or change its part in the same one. What a
    /// member is played, it hears over the others; keys that it is sent, in their place. Two pass their keys
    /// on to each other, as events or tones, whichever the other one knows; among more they are only told.
    Join {
        /// Who.
        session: SessionId,
        /// Where.
        bridge: BridgeId,
        /// How.
        part: Part,
    },
    /// Take a session out of its bridge; one in none is left alone.
    Leave {
        /// Who.
        session: SessionId,
    },
    /// Record a bridge that has a member; finished when it is stopped, its time is over, or the last
    /// member has left.
    RecordBridge {
        /// Finished with [`Outcome::Recorded`].
        command: CommandId,
        /// Which.
        bridge: BridgeId,
        /// Where to.
        config: Box<BridgeRecordingConfig>,
    },
    /// End the recording of a bridge; an unknown or finished one is left alone.
    StopBridgeRecording {
        /// Which bridge.
        bridge: BridgeId,
        /// Which order.
        command: CommandId,
    },
    /// Play prompts one after another; a newer playback replaces an older one on the same session.
    Play {
        /// Finished when the last one has been sent.
        command: CommandId,
        /// Where to.
        session: SessionId,
        /// What.
        prompts: Vec<Arc<Prompt>>,
        /// Whether a digit ends it.
        stop_on_digit: bool,
        /// Whether it begins anew when it is over, until it is canceled: music on hold, ringback.
        is_endless: bool,
    },
    /// Send digits as RFC 4733 events, or as tones when the peer has no `telephone-event`.
    SendDigits {
        /// Finished when the last one has been sent.
        command: CommandId,
        /// Where to.
        session: SessionId,
        /// Which.
        digits: Vec<Digit>,
        /// Length of each.
        tone: Duration,
        /// Silence between two.
        gap: Duration,
    },
    /// Return the peer's own audio as it arrives. In a bridge it takes the session out of the sound of the
    /// others for its time.
    Echo {
        /// Finished when `duration` is over.
        command: CommandId,
        /// Where.
        session: SessionId,
        /// How long.
        duration: Duration,
        /// Whether telephone-event packets are returned too.
        with_digits: bool,
    },
    /// Start a recording; finished when it ends for any reason.
    Record {
        /// Finished with [`Outcome::Recorded`].
        command: CommandId,
        /// Of whom.
        session: SessionId,
        /// What and how long.
        config: Box<RecordingConfig>,
    },
    /// Find out whether a person or a machine has answered; a newer detection replaces an older one on the
    /// same session.
    DetectMachine {
        /// Finished with [`Outcome::Detected`].
        command: CommandId,
        /// Who has answered.
        session: SessionId,
        /// What tells a machine from a person.
        config: Box<AmdConfig>,
    },
    /// Hand over what is said by [`Event::Utterance`], until canceled. Up to four may listen at once.
    Listen {
        /// Finished when it is canceled, after what had been said till then.
        command: CommandId,
        /// Where.
        session: SessionId,
        /// To whom.
        config: ListenConfig,
    },
    /// Silence a session from now on, in place of what was silenced before; an unknown one is left alone.
    Mute {
        /// Which.
        session: SessionId,
        /// Which way.
        direction: Mute,
    },
    /// Let an external in, up to five at once; answered by exactly one [`Event::ExternalClosed`], when it
    /// is let out again or cannot be let in. A session with one is mixed, alone or in a bridge.
    OpenExternal {
        /// Who.
        external: ExternalId,
        /// Where.
        session: SessionId,
        /// What it does there.
        config: ExternalConfig,
    },
    /// Let an external out; an unknown one is left alone.
    CloseExternal {
        /// Who.
        external: ExternalId,
        /// Where it was let in.
        session: SessionId,
    },
    /// End a playback, digits, echo, recording, detection or listening now; its `Finished` says
    /// [`Outcome::Canceled`] ([`Outcome::Recorded`] for a recording). An unknown or finished command is left
    /// alone.
    Cancel {
        /// Where it runs.
        session: SessionId,
        /// Which.
        command: CommandId,
    },
}

/// Why a recording ended by itself or was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingEnd {
    /// `Cancel`, or the session closed.
    Stopped,
    /// `end_of_silence` passed.
    Silence,
    /// A digit of `end_of_key`.
    Key,
    /// `duration` passed.
    Duration,
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// A digit ended it.
    Interrupted {
        /// The digit.
        digit: Digit,
    },
    /// It was canceled, replaced, or its session closed.
    Canceled,
    /// A recording ended and its files are complete.
    Recorded {
        /// Why it ended.
        end: RecordingEnd,
        /// How long it is.
        duration: Duration,
    },
    /// It is known who has answered, or that it cannot be.
    Detected {
        /// Who.
        result: Answerer,
        /// Why that is thought.
        cause: AmdCause,
    },
    /// It could not be done.
    Failed {
        /// Why, as a decision for whoever asked.
        why: MediaError,
    },
}

/// Why an order failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The session is not open.
    #[error("no such media session")]
    UnknownSession,
    /// Every port of the configured range is in use.
    #[error("no free RTP port")]
    NoPort,
    /// The operating system refused a socket.
    #[error("cannot bind an RTP socket: {kind}")]
    Socket {
        /// The system's error.
        kind: std::io::ErrorKind,
    },
    /// A recording file could not be made or written.
    #[error("cannot write {file}: {kind}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The system's error.
        kind: std::io::ErrorKind,
    },
    /// The bridge has no members.
    #[error("no such bridge")]
    UnknownBridge,
    /// The session or the bridge already records.
    #[error("a recording is already running")]
    AlreadyRecording,
    /// As many listen already as may.
    #[error("too many listen to this session")]
    TooManyListeners,
    /// As many externals are there already as may be.
    #[error("too many externals in this session")]
    TooManyExternals,
    /// The engine dropped the session after a fault of its own.
    #[error("the media session failed")]
    Internal,
}

/// How a digit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitSource {
    /// As a telephone-event (RFC 4733).
    Event,
    /// As a tone in the audio.
    Tone,
}

/// What a session did, for its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// RTP packets and payload octets sent.
    pub sent_packets: u64,
    /// Payload octets sent.
    pub sent_octets: u64,
    /// RTP packets taken from the peer.
    pub received_packets: u64,
    /// Payload octets taken.
    pub received_octets: u64,
    /// Packets that never came (RFC 3550 §A.3).
    pub lost_packets: u64,
    /// Packets that came too late to be played.
    pub late_packets: u64,
    /// Datagrams dropped: not RTP, a wrong source, an unknown payload type.
    pub dropped_datagrams: u64,
    /// Largest interarrival jitter seen (RFC 3550 §6.4.1).
    pub max_jitter: Duration,
}

/// News from the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session has its sockets.
    Opened {
        /// The session.
        session: SessionId,
        /// RTP port; RTCP is on the one after it.
        port: u16,
    },
    /// A session could not be opened.
    OpenFailed {
        /// The session.
        session: SessionId,
        /// Why.
        why: MediaError,
    },
    /// The peer pressed a key, told once per key however long it is held: a telephone-event at its
    /// first packet, a tone when it has lasted long enough to be one.
    Digit {
        /// Where.
        session: SessionId,
        /// Which.
        digit: Digit,
        /// How it came.
        source: DigitSource,
    },
    /// An order ended.
    Finished {
        /// Which.
        command: CommandId,
        /// How.
        outcome: Outcome,
    },
    /// Somebody has said something to an order to listen.
    Utterance(Utterance),
    /// An external is out, or was not let in.
    ExternalClosed {
        /// Who.
        external: ExternalId,
        /// What it did; or why it was not let in, or its session ended in disorder.
        result: Result<ExternalStats, MediaError>,
    },
    /// A session is gone.
    Closed {
        /// The session.
        session: SessionId,
        /// What it did.
        stats: SessionStats,
    },
}
