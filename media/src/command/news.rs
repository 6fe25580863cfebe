//! News, and how orders end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{BridgeId, CommandId, ExternalId, SessionId, Side};
use crate::amd::{AmdCause, Answerer};
use crate::codec::Codec;
use crate::delay::DelaySummary;
use crate::dtmf::Digit;
use crate::jitter::{JitterStats, PlayoutStats};
use crate::quality::Mos;

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
    /// Datagrams dropped: not RTP, a wrong source, an unknown payload type, or one that SRTP did not take.
    pub dropped_datagrams: u64,
    /// Where the last one of them came from.
    pub stray: Option<SocketAddr>,
    /// Of those, what SRTP did not take: not authentic, or here before.
    pub srtp_failures: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1), as a mean of what it was at every packet.
    pub mean_jitter: Duration,
    /// Largest interarrival jitter seen.
    pub max_jitter: Duration,
    /// What became of the packets that were played here, all streams together: those of a call that is recorded,
    /// mixed or listened to. What is passed on as it comes has no jitter buffer here.
    pub jitter: JitterStats,
    /// What was made of them.
    pub playout: PlayoutStats,
    /// Mean round trip to the peer and back, as RTCP has it (RFC 3550 §6.4.1), when the peer reports.
    pub round_trip: Option<Duration>,
    /// Longest round trip.
    pub max_round_trip: Option<Duration>,
    /// What the peer has reported of the stream we send.
    pub peer: Option<PeerStats>,
    /// How long what the peer sent was under way inside of this machine.
    pub delays: DelaySummary,
    /// What was sent last was coded with this; `None` when nothing was agreed on.
    pub codec: Option<Codec>,
    /// How well the peer is heard by an [estimate](crate::quality), when enough of it came to say so.
    pub heard_mos: Option<Mos>,
    /// How well the peer hears us by such an estimate, when it reports that.
    pub said_mos: Option<Mos>,
}

/// What a peer has reported of the stream it hears from us (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Reports that came.
    pub reports: u64,
    /// Packets it has missed since the start; none when it got more than were sent.
    pub lost_packets: u64,
    /// Interarrival jitter by its last report.
    pub jitter: Duration,
    /// Largest interarrival jitter it has reported.
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
    /// The peer is heard for the first time since its address was agreed on, or from another address than
    /// before.
    Latched {
        /// Where.
        session: SessionId,
        /// Where its packets come from.
        source: SocketAddr,
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
    /// Another one speaks in a bridge that tells it, three times a second at most.
    ActiveSpeaker {
        /// Where.
        bridge: BridgeId,
        /// Who; nobody for two seconds when `None`.
        session: Option<SessionId>,
    },
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
        stats: Box<SessionStats>,
    },
}
