//! One media thread: sockets in, engine, sockets out.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::arrival::{ArrivalClock, Sampling};
use super::encoding::Encoding;
use super::external::{Port, Ports};
use super::moving::{Luggage, Moves};
use super::poller::{Poller, Ready, Waker};
use super::reading::{complete, wall};
use super::socket::{SocketPair, space_for_stamp};
use super::told::Sink;
use super::writer::Writer;
use super::{Counters, Mailbox};
use crate::command::{BridgeId, Command, CommandId, Event, ExternalId, MediaError, SessionId};
use crate::engine::{Engine, EngineStats, Input, Output};
use crate::histogram::Histogram;

/// What comes into a thread beside datagrams.
#[derive(Debug)]
pub(super) enum Message {
    Command {
        command: Command,
        sent: Instant,
    },
    /// A session whose port the host has told already.
    Open {
        session: SessionId,
        local: IpAddr,
        pair: SocketPair,
    },
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
    /// Close every session and end.
    Stop,
}

/// Longer than any datagram of a sane peer; a longer one is cut and then judged by what is left.
const DATAGRAM: usize = 2_048;

/// How long files may take to complete at the end.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// How often counters are published and told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A tick as late as this is heard: jitter buffers are made for less.
const AUDIBLE: Duration = Duration::from_millis(20);

/// A disk that is so far behind may soon lose frames.
const LONG_BACKLOG: Duration = Duration::from_secs(1);

/// A thread about to run.
pub(super) struct MediaThread {
    pub(super) engine: Engine,
    pub(super) poller: Poller,
    waker: Arc<Waker>,
    inbox: mpsc::Receiver<Message>,
    pub(super) sockets: HashMap<SessionId, SocketPair>,
    /// Those of the session that is being opened.
    opening: Option<SocketPair>,
    pub(super) externals: Ports,
    pub(super) writer: Writer,
    encoding: Encoding,
    pub(super) moves: Moves,
    pub(super) sink: Arc<Sink>,
    /// Takes ports that are closed.
    freed: mpsc::Sender<(u16, Instant)>,
    counters: Arc<Counters>,
    deadline: Option<Instant>,
    pub(super) arrivals: ArrivalClock,
    pub(super) stamp_space: Vec<u8>,
    pub(super) datagrams: Sampling,
    ticks: Sampling,
    /// What this tick has sent that could be measured.
    mixes: u32,
    /// What is sent now is measured.
    pub(super) is_measured: bool,
    /// Sessions whose RTP is read by the tick.
    pub(super) deferred: usize,
    inbox_ages: Histogram,
    /// Since it was told last.
    worst_inbox_age: Duration,
    pub(super) socket_errors: u64,
    told: Told,
    pub(super) stop_by: Option<Instant>,
}

/// What has been told of the counters.
#[derive(Debug)]
struct Told {
    at: Instant,
    late_ticks: u64,
    dropped_frames: u64,
}

impl MediaThread {
    pub(super) fn new(
        engine: Engine,
        (inbox, waker): (mpsc::Receiver<Message>, Arc<Waker>),
        (writer, encoding): (Writer, Encoding),
        (sink, freed): (Arc<Sink>, mpsc::Sender<(u16, Instant)>),
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            engine,
            poller: Poller::new(&waker)?,
            waker,
            inbox,
            sockets: HashMap::new(),
            opening: None,
            externals: Ports::new(),
            writer,
            encoding,
            moves: Moves::default(),
            sink,
            freed,
            counters,
            deadline: None,
            arrivals: ArrivalClock::new(now, wall()),
            stamp_space: space_for_stamp(),
            datagrams: Sampling::default(),
            ticks: Sampling::default(),
            mixes: 0,
            is_measured: true,
            deferred: 0,
            inbox_ages: Histogram::new(),
            worst_inbox_age: Duration::ZERO,
            socket_errors: 0,
            told: Told {
                at: now,
                late_ticks: 0,
                dropped_frames: 0,
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
                Ready::Socket(token) => self.read_at_once(now, token, buffer),
                Ready::Woken => self.read_inbox(now),
                Ready::Deadline => {}
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.read_deferred(now, ready, buffer)?;
            self.feed(now);
            self.is_measured = self.ticks.takes_next();
            self.engine.handle_timeout(now);
            self.mixes = 0;
            self.drain(now);
            self.ticks.weighs(self.mixes);
            self.is_measured = true;
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
            Message::Command { command, sent } => {
                let age = now.saturating_duration_since(sent);
                self.inbox_ages.record(age);
                self.worst_inbox_age = self.worst_inbox_age.max(age);
                self.engine.handle_input(now, Input::Command(command));
                self.drain(now);
            }
            Message::Open {
                session,
                local,
                pair,
            } => {
                self.opening = Some(pair);
                let open = Command::Open { session, local };
                self.engine.handle_input(now, Input::Command(open));
                self.drain(now);
                // Still there when the engine would not open it.
                let unused = self.opening.take();
                self.release(now, unused);
            }
            Message::Recorded { recording, result } => self.handle_recorded(now, recording, result),
            Message::Expect { session, bridge } => self.moves.expect(session, bridge),
            Message::Surrender { session, to } => self.surrender(now, session, &to),
            Message::Adopt { session, luggage } => self.adopt(now, session, luggage),
            Message::Attach { external, port, .. } => {
                self.externals.insert(external, *port);
            }
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

    pub(super) fn drain(&mut self, now: Instant) {
        loop {
            match self.engine.poll_output() {
                Output::Transmit {
                    session,
                    to,
                    rtcp,
                    bytes,
                    origin,
                } => {
                    let Some(sockets) = self.sockets.get_mut(&session) else {
                        continue;
                    };
                    complete(&self.poller, session, sockets);
                    if sockets.send(rtcp, to, bytes).is_err() {
                        self.socket_errors += 1;
                    }
                    self.mixes += u32::from(origin.is_some());
                    if let Some(origin) = origin.filter(|_| self.is_measured) {
                        self.engine.sent(session, origin, Instant::now());
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
                // The host has told it already.
                Output::Event(Event::Opened { .. }) => {}
                Output::Event(event) => {
                    if let Event::ExternalClosed { external, .. } = &event {
                        self.externals.remove(external);
                    }
                    let digit = match &event {
                        Event::Digit { session, .. } => Some(*session),
                        _ => None,
                    };
                    self.sink.tell(event);
                    if let Some(session) = digit {
                        self.engine.told_digit(session, Instant::now());
                    }
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
                Output::RecordStart {
                    recording,
                    target,
                    band,
                } => {
                    let is_taken = self.writer.begin(recording, target, band);
                    self.fail_unless(is_taken, now, recording);
                }
                Output::RecordEnd { recording, .. } => {
                    let is_taken = self.writer.end(self.moves.writer_of(recording), recording);
                    self.fail_unless(is_taken, now, recording);
                }
                Output::Encode { prompt, codec } => self.encoding.encode(prompt, codec),
                Output::Bind { session, .. } => {
                    let result = self.watch(now, session);
                    self.engine
                        .handle_input(now, Input::Bound { session, result });
                }
                Output::Release { session } => {
                    let sockets = self.sockets.remove(&session);
                    self.release(now, sockets);
                }
                Output::Pin { session, source } => {
                    if let Some(sockets) = self.sockets.get_mut(&session) {
                        sockets.pin(source);
                    }
                }
                Output::Pace { session, pace } => self.set_pace(session, pace),
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

    /// Takes the sockets of the session that is being opened.
    fn watch(&mut self, now: Instant, session: SessionId) -> Result<u16, MediaError> {
        let pair = self.opening.take().ok_or(MediaError::NoPort)?;
        let port = pair.port();
        if let Err(error) = self.poller.watch_pair(session, &pair) {
            self.release(now, Some(pair));
            return Err(MediaError::Socket { kind: error.kind() });
        }
        self.sockets.insert(session, pair);
        Ok(port)
    }

    /// Closes sockets and gives their ports back.
    fn release(&mut self, now: Instant, sockets: Option<SocketPair>) {
        if let Some(pair) = sockets {
            self.deferred -= usize::from(pair.is_deferred);
            let port = pair.port();
            // Closed before anybody can bind it anew.
            drop(pair);
            // Without a host nobody needs it.
            let _ = self.freed.send((port, now));
        }
    }

    /// Makes counters and figures visible once a second, and tells of late ticks and of what waited long when
    /// there was any.
    fn publish(&mut self, now: Instant) {
        let stats = self.engine.stats();
        self.counters
            .sessions
            .store(stats.sessions as u64, Ordering::Relaxed);
        if now < self.told.at + REPORT_EVERY {
            return;
        }
        self.datagrams.begin_second();
        self.ticks.begin_second();
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
        let mut backlog = Duration::ZERO;
        self.counters.figures.publish(|figures| {
            figures.engine.clone_from(self.engine.figures());
            figures.inbox.clone_from(&self.inbox_ages);
            backlog = self.writer.backlog().look(&mut figures.backlog);
        });
        self.tell(now, &stats, backlog);
    }

    /// Tells what was slow since it was told last.
    fn tell(&mut self, now: Instant, stats: &EngineStats, backlog: Duration) {
        let told = Told {
            at: now,
            late_ticks: stats.late_ticks,
            dropped_frames: self.writer.dropped_frames(),
        };
        let before = std::mem::replace(&mut self.told, told);
        let late = stats.late_ticks - before.late_ticks;
        let dropped = self.told.dropped_frames - before.dropped_frames;
        let worst = self.engine.take_worst_lateness();
        let inbox = std::mem::take(&mut self.worst_inbox_age);
        // Those of all threads, told by the first that looks.
        let events = self.sink.ages().take_worst();
        if worst >= AUDIBLE || dropped > 0 {
            tracing::warn!(
                late,
                ?worst,
                ?inbox,
                ?backlog,
                ?events,
                dropped,
                sessions = stats.sessions,
                "a media thread does not keep up"
            );
        } else if late > 0 || inbox.max(events) >= AUDIBLE || backlog >= LONG_BACKLOG {
            tracing::debug!(
                late,
                ?worst,
                ?inbox,
                ?backlog,
                ?events,
                sessions = stats.sessions,
                "a media thread was late"
            );
        }
    }
}
