//! What sessions hand up, held in buffers that are used again and again.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::command::{
    CommandId, Event, ExternalId, Outcome, RecordingConfig, RecordingEnd, SessionId,
};
use crate::frame::Frame;

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
    },
    /// Begin the files of a recording; a fault is told by [`Input::Recorded`](crate::engine::Input::Recorded)
    /// at any time.
    RecordStart {
        /// The recording.
        recording: CommandId,
        /// Its files.
        files: RecordingFiles,
    },
    /// 20 ms of a recording, both sides of the same time.
    RecordFrame {
        /// The recording.
        recording: CommandId,
        /// How many frames came before; a gap means that frames were dropped.
        position: u64,
        /// What the peer said; for a bridge what all of its members did.
        heard: &'a Frame,
        /// What the peer heard; `None` for a bridge.
        said: Option<&'a Frame>,
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

/// Where a recording is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingFiles {
    /// Of a session: each side in its own file.
    Sides {
        /// What the peer says.
        heard: PathBuf,
        /// What the peer hears.
        said: PathBuf,
    },
    /// Of a bridge: all in one.
    Mix(PathBuf),
}

impl RecordingFiles {
    /// The files in an order: what is heard, and what is said if that is a file of its own.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let (first, second) = match self {
            Self::Sides { heard, said } => (heard, Some(said)),
            Self::Mix(file) => (file, None),
        };
        std::iter::once(first).chain(second)
    }
}

impl From<&RecordingConfig> for RecordingFiles {
    fn from(config: &RecordingConfig) -> Self {
        Self::Sides {
            heard: config.file_in.clone(),
            said: config.file_out.clone(),
        }
    }
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
    Transmit {
        session: SessionId,
        to: SocketAddr,
        rtcp: bool,
        begin: usize,
        end: usize,
    },
    RecordStart {
        recording: CommandId,
        files: RecordingFiles,
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
    ExternalTick {
        external: ExternalId,
        frame: Option<usize>,
        gone: u64,
    },
    Event(Event),
}

/// A queue of [`Output`] whose bytes and frames lie in two buffers.
///
/// It is handed down to a session for the time of one call, because a queue per session would cost
/// memory and a copy per packet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

impl Outbox {
    /// Queues a datagram that `write` appends to the buffer.
    pub(crate) fn transmit(
        &mut self,
        session: SessionId,
        to: SocketAddr,
        rtcp: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        self.items.push_back(Item::Transmit {
            session,
            to,
            rtcp,
            begin,
            end,
        });
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

    pub(crate) fn record_start(&mut self, recording: CommandId, files: RecordingFiles) {
        self.items.push_back(Item::RecordStart { recording, files });
    }

    pub(crate) fn record_frame(
        &mut self,
        recording: CommandId,
        position: u64,
        heard: &Frame,
        said: Option<&Frame>,
    ) {
        let frames = self.frames.len();
        self.frames.push(*heard);
        self.frames.extend(said);
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
        }
        item
    }

    /// Dresses an item just taken with its bytes and frames.
    pub(crate) fn lend(&self, item: Item) -> Output<'_> {
        match item {
            Item::Bind { session, local } => Output::Bind { session, local },
            Item::Release { session } => Output::Release { session },
            Item::Pin { session, source } => Output::Pin { session, source },
            Item::Transmit {
                session,
                to,
                rtcp,
                begin,
                end,
            } => Output::Transmit {
                session,
                to,
                rtcp,
                bytes: &self.bytes[begin..end],
            },
            Item::RecordStart { recording, files } => Output::RecordStart { recording, files },
            Item::RecordFrame {
                recording,
                position,
                frames,
                has_two,
            } => Output::RecordFrame {
                recording,
                position,
                heard: &self.frames[frames],
                said: has_two.then(|| &self.frames[frames + 1]),
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
