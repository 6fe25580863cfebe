//! What sessions hand up, held in buffers that are used again and again.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::command::{CommandId, Event, Outcome, RecordingConfig, RecordingEnd, SessionId};
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
        config: Box<RecordingConfig>,
    },
    /// 20 ms of a recording, both sides of the same time.
    RecordFrame {
        /// The recording.
        recording: CommandId,
        /// How many frames came before; a gap means that frames were dropped.
        position: u64,
        /// What the peer said.
        heard: &'a Frame,
        /// What the peer heard.
        said: &'a Frame,
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
    /// News for whoever drives the engine.
    Event(Event),
    /// Nothing more to do; call `handle_timeout` at this time.
    Timeout(Option<Instant>),
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
        config: Box<RecordingConfig>,
    },
    RecordFrame {
        recording: CommandId,
        position: u64,
        frames: usize,
    },
    RecordEnd {
        recording: CommandId,
        end: RecordingEnd,
        duration: Duration,
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

    pub(crate) fn record_start(&mut self, recording: CommandId, config: Box<RecordingConfig>) {
        self.items
            .push_back(Item::RecordStart { recording, config });
    }

    pub(crate) fn record_frame(
        &mut self,
        recording: CommandId,
        position: u64,
        heard: &Frame,
        said: &Frame,
    ) {
        let frames = self.frames.len();
        self.frames.push(*heard);
        self.frames.push(*said);
        self.items.push_back(Item::RecordFrame {
            recording,
            position,
            frames,
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
            Item::RecordStart { recording, config } => Output::RecordStart { recording, config },
            Item::RecordFrame {
                recording,
                position,
                frames,
            } => Output::RecordFrame {
                recording,
                position,
                heard: &self.frames[frames],
                said: &self.frames[frames + 1],
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
            Item::Event(event) => Output::Event(event),
        }
    }
}
