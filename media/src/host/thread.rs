//! One media thread: sockets in, engine, sockets out.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::external::{Port, Ports};
use super::moving::{Berth, Luggage, Moves};
use super::poller::{Poller, Ready, Waker};
use super::ports::PortPool;
use super::socket::SocketPair;
use super::writer::Writer;
use super::{Counters, Mailbox, Sink};
use crate::command::{BridgeId, Command, CommandId, Event, ExternalId, MediaError, SessionId};
use crate::engine::{Engine, Input, Output};

/// What comes into a thread beside datagrams.
#[derive(Debug)]
pub(super) enum Message {
    Command(Command),
    Recorded {
        recording: CommandId,
        result: Result<(), MediaError>,
    },
    /// A session will come for a bridge: what is ordered of it waits.
    Expect {
        session: SessionId,
        bridge: BridgeId,
    },
    /// Hand a session over.
    Surrender {
        session: SessionId,
        to: Mailbox,
    },
    /// Take a session; without luggage it was not where it was thought to be.
    Adopt {
        session: SessionId,
        luggage: Option<Box<Luggage>>,
    },
    /// The ways of an external that is about to be let in.
    Attach {
        session: SessionId,
        external: ExternalId,
        port: Box<Port>,
    },
    /// The ports of a session that had moved are free again.
    PortBack(u16),
    /// Close every session and end.
    Stop,
}

/// Longer than any datagram of a sane peer; a longer one is cut and then judged by what is left.
const DATAGRAM: usize = 2_048;

/// How many pairs found in use by somebody else are passed over for one session.
const MAX_TRIES: usize = 64;

/// How long files may take to complete at the end.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// How often counters are published and told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A thread about to run.
pub(super) struct MediaThread {
    pub(super) engine: Engine,
    pub(super) poller: Poller,
    waker: Arc<Waker>,
    inbox: mpsc::Receiver<Message>,
    pub(super) sockets: HashMap<SessionId, Berth>,
    pub(super) ports: PortPool,
    pub(super) externals: Ports,
    pub(super) writer: Writer,
    /// The way into this thread.
    pub(super) mailbox: Mailbox,
    pub(super) moves: Moves,
    pub(super) sink: Arc<Sink>,
    counters: Arc<Counters>,
    deadline: Option<Instant>,
    socket_errors: u64,
    told: Told,
    pub(super) stop_by: Option<Instant>,
}

/// What has been told of the counters.
#[derive(Debug)]
struct Told {
    at: Instant,
    late_ticks: u64,
}

impl MediaThread {
    pub(super) fn new(
        engine: Engine,
        ports: PortPool,
        (inbox, waker): (mpsc::Receiver<Message>, Arc<Waker>),
        writer: Writer,
        mailbox: Mailbox,
        sink: Arc<Sink>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        Ok(Self {
            engine,
            poller: Poller::new(&waker)?,
            waker,
            inbox,
            sockets: HashMap::new(),
            ports,
            externals: Ports::new(),
            writer,
            mailbox,
            moves: Moves::default(),
            sink,
            counters,
            deadline: None,
            socket_errors: 0,
            told: Told {
                at: Instant::now(),
                late_ticks: 0,
            },
            stop_by: None,
        })
    }

    /// Runs until it is told to stop. A fault outside of any session costs one turn and no more.
    pub(super) fn run(mut self) {
        let mut ready = Vec::new();
        let mut buffer = [0; DATAGRAM];
        loop {
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(&mut ready, &mut buffer)));
            match turn {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(error)) => {
                    tracing::error!(%error, "a media thread cannot wait for its sockets");
                    break;
                }
                Err(_) => tracing::error!("a turn of a media thread failed"),
            }
        }
    }

    /// Waits once and does all that is to be done; `false` when there will be nothing more.
    fn turn(&mut self, ready: &mut Vec<Ready>, buffer: &mut [u8]) -> io::Result<bool> {
        let now = Instant::now();
        if self
            .stop_by
            .is_some_and(|by| (self.engine.is_idle() && self.moves.are_over()) || now >= by)
        {
            return Ok(false);
        }
        let deadline = [self.deadline, self.stop_by].into_iter().flatten().min();
        self.poller.wait(now, deadline, &self.waker, ready)?;
        let now = Instant::now();
        for what in ready.drain(..) {
            match what {
                Ready::Socket(token) => self.receive(now, token, buffer),
                Ready::Woken => self.read_inbox(now),
                Ready::Deadline => {}
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.feed(now);
            self.engine.handle_timeout(now);
            self.drain(now);
        }
        self.publish(now);
        Ok(true)
    }

    fn read_inbox(&mut self, now: Instant) {
        while let Ok(message) = self.inbox.try_recv() {
            self.handle_message(now, message);
        }
    }

    pub(super) fn handle_message(&mut self, now: Instant, message: Message) {
        let Some(message) = self.moves.hold_back(message) else {
            return;
        };
        match message {
            Message::Command(command) => {
                self.engine.handle_input(now, Input::Command(command));
                self.drain(now);
            }
            Message::Recorded { recording, result } => self.handle_recorded(now, recording, result),
            Message::Expect { session, bridge } => self.moves.expect(session, bridge),
            Message::Surrender { session, to } => self.surrender(now, session, &to),
            Message::Adopt { session, luggage } => self.adopt(now, session, luggage),
            Message::Attach { external, port, .. } => {
                self.externals.insert(external, *port);
            }
            Message::PortBack(port) => self.ports.give_back(port, now),
            Message::Stop => self.stop(now),
        }
    }

    fn stop(&mut self, now: Instant) {
        self.stop_by = Some(now + STOP_WITHIN);
        let sessions: Vec<SessionId> = self.engine.sessions().collect();
        for session in sessions {
            self.engine
                .handle_input(now, Input::Command(Command::Close { session }));
            self.drain(now);
        }
    }

    /// Reads one datagram; more of them are told by the next wait.
    fn receive(&mut self, now: Instant, token: u64, buffer: &mut [u8]) {
        let (session, rtcp) = (SessionId(token >> 1), token & 1 == 1);
        let Some(sockets) = self.sockets.get(&session) else {
            return;
        };
        match sockets.pair.socket(rtcp).recv_from(buffer) {
            Ok((len, source)) => {
                let bytes = &buffer[..len];
                self.engine.handle_input(
                    now,
                    Input::Datagram {
                        session,
                        source,
                        rtcp,
                        bytes,
                    },
                );
                self.drain(now);
            }
            // Announced but gone: its checksum was wrong.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A port of the peer is closed, says ICMP about a datagram of ours.
            Err(_) => self.socket_errors += 1,
        }
    }

    pub(super) fn drain(&mut self, now: Instant) {
        loop {
            match self.engine.poll_output() {
                Output::Transmit {
                    session,
                    to,
                    rtcp,
                    bytes,
                } => {
                    if let Some(sockets) = self.sockets.get(&session)
                        && sockets.pair.send(rtcp, to, bytes).is_err()
                    {
                        self.socket_errors += 1;
                    }
                }
                Output::ExternalTick {
                    external,
                    heard,
                    gone,
                } => {
                    if let Some(port) = self.externals.get_mut(&external) {
                        port.tick(heard, gone);
                    }
                }
                Output::Event(event) => {
                    if let Event::ExternalClosed { external, .. } = &event {
                        self.externals.remove(external);
                    }
                    self.sink.tell(event);
                }
                Output::RecordFrame {
                    recording,
                    position,
                    heard,
                    said,
                } => {
                    let elsewhere = self.moves.writer_of(recording);
                    let place = (recording, position);
                    self.writer.frame(elsewhere, place, heard, said);
                }
                Output::RecordStart { recording, files } => {
                    let is_taken = self.writer.begin(recording, files);
                    self.fail_unless(is_taken, now, recording);
                }
                Output::RecordEnd { recording, .. } => {
                    let is_taken = self.writer.end(self.moves.writer_of(recording), recording);
                    self.fail_unless(is_taken, now, recording);
                }
                Output::Bind { session, local } => {
                    let result = self.bind(now, session, local);
                    self.engine
                        .handle_input(now, Input::Bound { session, result });
                }
                Output::Release { session } => {
                    if let Some(sockets) = self.sockets.remove(&session) {
                        self.free_port(now, sockets);
                    }
                }
                Output::Pin { session, source } => {
                    if let Some(sockets) = self.sockets.get_mut(&session) {
                        sockets.pair.pin(source);
                    }
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    break;
                }
            }
        }
    }

    /// Ends a recording whose writer is gone.
    fn fail_unless(&mut self, is_taken: bool, now: Instant, recording: CommandId) {
        if !is_taken {
            let result = Err(MediaError::Internal);
            self.engine
                .handle_input(now, Input::Recorded { recording, result });
        }
    }

    /// Binds the first free pair that nobody else has taken.
    fn bind(&mut self, now: Instant, session: SessionId, local: IpAddr) -> Result<u16, MediaError> {
        for _ in 0..self.ports.free().min(MAX_TRIES) {
            let Some(port) = self.ports.take(now) else {
                break;
            };
            match SocketPair::bind(local, port).and_then(|sockets| self.watch(session, sockets)) {
                Ok(()) => return Ok(port),
                Err(error) => {
                    self.ports.give_back(port, now);
                    if error.kind() != io::ErrorKind::AddrInUse {
                        return Err(MediaError::Socket { kind: error.kind() });
                    }
                }
            }
        }
        Err(MediaError::NoPort)
    }

    fn watch(&mut self, session: SessionId, pair: SocketPair) -> io::Result<()> {
        self.poller.watch_pair(session, &pair)?;
        self.sockets.insert(session, Berth { pair, home: None });
        Ok(())
    }

    /// Makes the counters visible once a second, and tells of late ticks when there were any.
    fn publish(&mut self, now: Instant) {
        let stats = self.engine.stats();
        self.counters
            .sessions
            .store(stats.sessions as u64, Ordering::Relaxed);
        if now < self.told.at + REPORT_EVERY {
            return;
        }
        let late = stats.late_ticks - self.told.late_ticks;
        self.told = Told {
            at: now,
            late_ticks: stats.late_ticks,
        };
        self.counters.ticks.store(stats.ticks, Ordering::Relaxed);
        self.counters
            .late_ticks
            .store(stats.late_ticks, Ordering::Relaxed);
        self.counters.faults.store(stats.faults, Ordering::Relaxed);
        self.counters
            .socket_errors
            .store(self.socket_errors, Ordering::Relaxed);
        self.counters
            .dropped_frames
            .store(self.writer.dropped_frames(), Ordering::Relaxed);
        if late > 0 {
            tracing::debug!(late, worst = ?stats.worst_lateness, sessions = stats.sessions, "late media ticks");
        }
    }
}
