//! Orders.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{
    BridgeConfig, BridgeId, BridgeRecordingConfig, CommandId, ExternalConfig, ExternalId,
    ListenConfig, Mute, Part, RecordingConfig, SessionConfig, SessionId,
};
use crate::amd::AmdConfig;
use crate::dtmf::Digit;
use crate::prompt::Prompt;

/// An order to the engine.
#[derive(Clone, Debug)]
pub enum Command {
    /// Bind sockets for a new session; answered by [`Event::Opened`](super::Event::Opened) or [`Event::OpenFailed`](super::Event::OpenFailed).
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
    /// End a session: BYE by RTCP, sockets closed, its commands finished, then [`Event::Closed`](super::Event::Closed).
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
    /// Say how a bridge that has a member mixes, until its last member leaves; an unknown one is left alone.
    ConfigureBridge {
        /// Which.
        bridge: BridgeId,
        /// How.
        config: BridgeConfig,
    },
    /// Record a bridge that has a member; finished when it is stopped, its time is over, or the last
    /// member has left.
    RecordBridge {
        /// Finished with [`Outcome::Recorded`](super::Outcome::Recorded).
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
        /// Finished with [`Outcome::Recorded`](super::Outcome::Recorded).
        command: CommandId,
        /// Of whom.
        session: SessionId,
        /// What and how long.
        config: Box<RecordingConfig>,
    },
    /// Find out whether a person or a machine has answered; a newer detection replaces an older one on the
    /// same session.
    DetectMachine {
        /// Finished with [`Outcome::Detected`](super::Outcome::Detected).
        command: CommandId,
        /// Who has answered.
        session: SessionId,
        /// What tells a machine from a person.
        config: Box<AmdConfig>,
    },
    /// Hand over what is said by [`Event::Utterance`](super::Event::Utterance), until canceled. Up to four may listen at once.
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
    /// Let an external in, up to five at once; answered by exactly one [`Event::ExternalClosed`](super::Event::ExternalClosed), when it
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
    /// [`Outcome::Canceled`](super::Outcome::Canceled) ([`Outcome::Recorded`](super::Outcome::Recorded) for a recording). An unknown or finished command is left
    /// alone.
    Cancel {
        /// Where it runs.
        session: SessionId,
        /// Which.
        command: CommandId,
    },
}
