//! What sessions hand up, held in buffers that are used again and again.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::command::{
    CommandId, Event, ExternalId, Outcome, RecordingEnd, RecordingTarget, SessionId,
};
use crate::delay::Origin;
use crate::frame::{Band, Frame, Sound};
use crate::prompt::Prompt;

/// What the engine wants done, in order; borrowed from its buffers.
#[derive(Debug)]
pub enum Output<'a> {
    /// Bind an RTP and an RTCP socket; answer with [`Input::Bound`](crate::engine::Input::Bound).
    Bind {
        /// For whom.
        session: SessionId,
        /// The address to bind.
        local: IpAddr,
    },
    /// The session is gone: close its sockets.
    Release {
        /// Whose.
        session: SessionId,
    },
    /// From now on RTP of this session comes from and goes to one address only (`None`: any again), so
    /// that a socket may be connected.
    Pin {
        /// Whose RTP socket.
        session: SessionId,
        /// The one address.
        source: Option<SocketAddr>,
    },
    /// How soon what comes on the RTP socket of this session is to be read, from now on; at once in the beginning.
    Pace {
        /// Whose RTP socket.
        session: SessionId,
        /// How soon.
        pace: Pace,
    },
    /// Send a datagram.
    Transmit {
        /// From whose socket.
        session: SessionId,
        /// Where to.
        to: SocketAddr,
        /// From the RTCP socket instead of the RTP socket.
        rtcp: bool,
        /// The datagram.
        bytes: &'a [u8],
        /// Where it comes from when its delay is measured: once it is sent, tell
        /// [`Engine::sent`](crate::engine::Engine::sent) when that was.
        origin: Option<Origin>,
    },
    /// Begin the files of a recording; a fault is told by [`Input::Recorded`](crate::engine::Input::Recorded)
    /// at any time.
    RecordStart {
        /// The recording.
        recording: CommandId,
        /// Its files.
        target: RecordingTarget,
        /// What its sound is at the beginning.
        band: Band,
    },
    /// 20 ms of a recording, both sides of the same time.
    RecordFrame {
        /// The recording.
        recording: CommandId,
        /// How many frames came before; a gap means that frames were dropped.
        position: u64,
        /// What the peer said; for a bridge what all of its members did.
        heard: &'a Sound,
        /// What the peer heard; `None` for a bridge.
        said: Option<&'a Sound>,
    },
    /// Complete the files; answer with [`Input::Recorded`](crate::engine::Input::Recorded).
    RecordEnd {
        /// The recording.
        recording: CommandId,
        /// Why it ends.
        end: RecordingEnd,
        /// How long it is.
        duration: Duration,
    },
    /// Let [`Prompt::encode`] make a prompt's packets in a codec, in the background; or, where it cannot be done
    /// now, [`Prompt::take_back`]. Until then they are encoded as they are played.
    Encode {
        /// Which.
        prompt: Arc<Prompt>,
        /// What in.
        codec: Codec,
    },
    /// 20 ms have passed for an external.
    ExternalTick {
        /// Whose.
        external: ExternalId,
        /// What it hears; `None` when it does not listen.
        heard: Option<&'a Frame>,
        /// How many of its samples wait no longer, since it was let in: heard, cleared or dropped.
        gone: u64,
    },
    /// News for whoever drives the engine.
    Event(Event),
    /// Nothing more to do; call `handle_timeout` at this time.
    Timeout(Option<Instant>),
}

/// How soon a datagram is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As it comes: it may be sent on at once, or hold a key.
    #[default]
    AtOnce,
    /// Before the next `handle_timeout`, which is what needs it: those of many sessions are then read together.
    ByTick,
}

/// An [`Output`] whose bytes and frames still lie in the [`Outbox`].
#[derive(Debug)]
pub(crate) enum Item {
    Bind {
        session: SessionId,
        local: IpAddr,
    },
    Release {
        session: SessionId,
    },
    Pin {
        session: SessionId,
        source: Option<SocketAddr>,
    },
    Pace {
        session: SessionId,
        pace: Pace,
    },
    Transmit {
        session: SessionId,
        to: SocketAddr,
        rtcp: bool,
        begin: usize,
        end: usize,
        origin: Option<Origin>,
    },
    RecordStart {
        recording: CommandId,
        target: RecordingTarget,
        band: Band,
    },
    RecordFrame {
        recording: CommandId,
        position: u64,
        frames: usize,
        has_two: bool,
    },
    RecordEnd {
        recording: CommandId,
        end: RecordingEnd,
        duration: Duration,
    },
    Encode {
        prompt: Arc<Prompt>,
        codec: Codec,
    },
    ExternalTick {
        external: ExternalId,
        frame: Option<usize>,
        gone: u64,
    },
    Event(Event),
}

/// A queue of [`Output`] whose bytes and sounds lie in buffers.
///
/// It is handed down to a session for the time of one call, because a queue per session would cost
/// memory and a copy per packet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    sounds: Vec<Sound>,
}

impl Outbox {
    /// Queues a datagram that `write` appends to the buffer; none, and `false`, when that says so.
    pub(crate) fn transmit(
        &mut self,
        session: SessionId,
        to: SocketAddr,
        rtcp: bool,
        origin: Option<Origin>,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let begin = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(begin);
            return false;
        }
        let end = self.bytes.len();
        self.items.push_back(Item::Transmit {
            session,
            to,
            rtcp,
            begin,
            end,
            origin,
        });
        true
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.items.push_back(Item::Event(event));
    }

    pub(crate) fn bind(&mut self, session: SessionId, local: IpAddr) {
        self.items.push_back(Item::Bind { session, local });
    }

    pub(crate) fn release(&mut self, session: SessionId) {
        self.items.push_back(Item::Release { session });
    }

    pub(crate) fn pin(&mut self, session: SessionId, source: Option<SocketAddr>) {
        self.items.push_back(Item::Pin { session, source });
    }

    pub(crate) fn pace(&mut self, session: SessionId, pace: Pace) {
        self.items.push_back(Item::Pace { session, pace });
    }

    pub(crate) fn record_start(
        &mut self,
        recording: CommandId,
        target: RecordingTarget,
        band: Band,
    ) {
        self.items.push_back(Item::RecordStart {
            recording,
            target,
            band,
        });
    }

    pub(crate) fn record_frame(
        &mut self,
        recording: CommandId,
        position: u64,
        heard: &Sound,
        said: Option<&Sound>,
    ) {
        let frames = self.sounds.len();
        self.sounds.push(heard.copied());
        self.sounds.extend(said.map(Sound::copied));
        self.items.push_back(Item::RecordFrame {
            recording,
            position,
            frames,
            has_two: said.is_some(),
        });
    }

    pub(crate) fn record_end(
        &mut self,
        recording: CommandId,
        end: RecordingEnd,
        duration: Duration,
    ) {
        self.items.push_back(Item::RecordEnd {
            recording,
            end,
            duration,
        });
    }

    pub(crate) fn encode(&mut self, prompt: &Arc<Prompt>, codec: Codec) {
        let prompt = Arc::clone(prompt);
        self.items.push_back(Item::Encode { prompt, codec });
    }

    pub(crate) fn external_tick(&mut self, external: ExternalId, heard: Option<&Frame>, gone: u64) {
        let frame = heard.map(|heard| {
            self.frames.push(*heard);
            self.frames.len() - 1
        });
        self.items.push_back(Item::ExternalTick {
            external,
            frame,
            gone,
        });
    }

    /// Queues the end of an order.
    pub(crate) fn finished(&mut self, command: CommandId, outcome: Outcome) {
        self.event(Event::Finished { command, outcome });
    }

    /// Takes what is next; once there is nothing, the buffers are free for new bytes.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front();
        if item.is_none() {
            self.bytes.clear();
            self.frames.clear();
            self.sounds.clear();
        }
        item
    }

    /// Dresses an item just taken with its bytes and frames.
    pub(crate) fn lend(&self, item: Item) -> Output<'_> {
        match item {
            Item::Bind { session, local } => Output::Bind { session, local },
            Item::Release { session } => Output::Release { session },
            Item::Pin { session, source } => Output::Pin { session, source },
            Item::Pace { session, pace } => Output::Pace { session, pace },
            Item::Transmit {
                session,
                to,
                rtcp,
                begin,
                end,
                origin,
            } => Output::Transmit {
                session,
                to,
                rtcp,
                bytes: &self.bytes[begin..end],
                origin,
            },
            Item::RecordStart {
                recording,
                target,
                band,
            } => Output::RecordStart {
                recording,
                target,
                band,
            },
            Item::RecordFrame {
                recording,
                position,
                frames,
                has_two,
            } => Output::RecordFrame {
                recording,
                position,
                heard: &self.sounds[frames],
                said: has_two.then(|| &self.sounds[frames + 1]),
            },
            Item::RecordEnd {
                recording,
                end,
                duration,
            } => Output::RecordEnd {
                recording,
                end,
                duration,
            },
            Item::Encode { prompt, codec } => Output::Encode { prompt, codec },
            Item::ExternalTick {
                external,
                frame,
                gone,
            } => Output::ExternalTick {
                external,
                heard: frame.map(|frame| &self.frames[frame]),
                gone,
            },
            Item::Event(event) => Output::Event(event),
        }
    }
}
