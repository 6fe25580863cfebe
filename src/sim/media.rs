//! What stands for the media host: the engine, its ports, and the files of its recordings.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, CommandId, Event, MediaError, SessionId};
use flowswitch_media::engine::{Engine, EngineConfig, Input, Output};

/// The engine in a room of its own.
#[derive(Debug)]
pub struct MediaRoom {
    /// How long the system takes to bind a socket.
    pub binding: Duration,
    /// How long a disk takes to complete a recording.
    pub filing: Duration,
    /// The next sockets cannot be bound.
    pub is_out_of_ports: bool,
    /// Finished recordings: their files, frames from the party, frames to it.
    pub recordings: Vec<Recorded>,
    engine: Engine,
    wake: Option<Instant>,
    ports: HashMap<u16, SessionId>,
    homes: HashMap<SessionId, u16>,
    free: VecDeque<u16>,
    answers: BTreeMap<(Instant, u64), Answer>,
    issued: u64,
    /// Orders that take time, with how often each has finished.
    orders: BTreeMap<CommandId, u32>,
    running: HashMap<CommandId, Recorded>,
    outcome: VecDeque<Sent>,
}

/// What comes out of the room.
#[derive(Debug)]
pub enum Sent {
    /// News.
    Event(Event),
    /// RTP, or RTCP.
    Datagram {
        /// To.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
}

/// One recording as its files would have it.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Of the party, and of what the party heard.
    pub files: Vec<PathBuf>,
    /// What the party said.
    pub heard: Vec<i16>,
    /// What the party heard.
    pub said: Vec<i16>,
}

#[derive(Debug)]
enum Answer {
    Bound(SessionId, Result<u16, MediaError>),
    Recorded(CommandId),
}

impl MediaRoom {
    /// A room without sessions.
    #[must_use]
    pub fn new(start: Instant, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let config = EngineConfig {
            start,
            wall: Duration::from_secs(1_700_000_000),
            seed: bytes,
        };
        Self {
            binding: Duration::ZERO,
            filing: Duration::ZERO,
            is_out_of_ports: false,
            recordings: Vec::new(),
            engine: Engine::new(&config),
            wake: None,
            ports: HashMap::new(),
            homes: HashMap::new(),
            free: (10_000..60_000).step_by(2).collect(),
            answers: BTreeMap::new(),
            issued: 0,
            orders: BTreeMap::new(),
            running: HashMap::new(),
            outcome: VecDeque::new(),
        }
    }

    /// Takes an order of the switch.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        if let Command::Play { command, .. }
        | Command::SendDigits { command, .. }
        | Command::Echo { command, .. }
        | Command::Record { command, .. }
        | Command::DetectMachine { command, .. }
        | Command::Listen { command, .. } = &command
        {
            assert!(
                self.orders.insert(*command, 0).is_none(),
                "order {command:?} was given twice"
            );
        }
        self.engine.handle_input(now, Input::Command(command));
        self.drain(now);
    }

    /// Takes a datagram sent to one of our sockets; `false` where there is none.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let rtcp = to.port() % 2 == 1;
        let Some(session) = self.ports.get(&(to.port() & !1)).copied() else {
            return false;
        };
        let input = Input::Datagram {
            session,
            source,
            rtcp,
            bytes,
        };
        self.engine.handle_input(now, input);
        self.drain(now);
        true
    }

    /// Lets what is due happen.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self
            .answers
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let input = match entry.remove() {
                Answer::Bound(session, result) => {
                    if let Ok(port) = &result {
                        self.ports.insert(*port, session);
                    }
                    Input::Bound { session, result }
                }
                Answer::Recorded(recording) => {
                    self.recordings.extend(self.running.remove(&recording));
                    Input::Recorded {
                        recording,
                        result: Ok(()),
                    }
                }
            };
            self.engine.handle_input(now, input);
            self.drain(now);
        }
        if self.wake.is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            self.drain(now);
        }
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let answer = self.answers.keys().next().map(|(at, _)| *at);
        [answer, self.wake].into_iter().flatten().min()
    }

    /// Takes what came out.
    #[must_use]
    pub fn poll_sent(&mut self) -> Option<Sent> {
        self.outcome.pop_front()
    }

    /// Orders that did not finish exactly once, and sessions that are still open.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let orders = self.orders.iter().filter(|(_, finished)| **finished != 1);
        let orders = orders.map(|(order, finished)| format!("{order:?} finished {finished} times"));
        let sessions = self.engine.sessions().map(|session| format!("{session:?}"));
        let ports = self.homes.values().map(|port| format!("port {port}"));
        orders.chain(sessions).chain(ports).collect()
    }

    /// Orders given so far.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// Sessions now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.engine.stats().sessions
    }

    fn answer(&mut self, at: Instant, answer: Answer) {
        self.issued += 1;
        self.answers.insert((at, self.issued), answer);
    }

    fn drain(&mut self, now: Instant) {
        let mut later = Vec::new();
        loop {
            match self.engine.poll_output() {
                Output::Bind { session, .. } if self.is_out_of_ports => {
                    later.push((
                        self.binding,
                        Answer::Bound(session, Err(MediaError::NoPort)),
                    ));
                }
                Output::Bind { session, .. } => {
                    let port = self.free.pop_front().expect("ports are given back");
                    self.homes.insert(session, port);
                    later.push((self.binding, Answer::Bound(session, Ok(port))));
                }
                Output::Release { session } => {
                    if let Some(port) = self.homes.remove(&session) {
                        self.ports.remove(&port);
                        self.free.push_back(port);
                        // A socket that was bound too late is closed by the host.
                        self.answers.retain(
                            |_, answer| !matches!(answer, Answer::Bound(late, _) if *late == session),
                        );
                    }
                }
                Output::Transmit { to, bytes, .. } => {
                    let bytes = bytes.to_vec();
                    self.outcome.push_back(Sent::Datagram { to, bytes });
                }
                Output::RecordStart { recording, config } => {
                    let files = vec![config.file_in.clone(), config.file_out.clone()];
                    let recorded = Recorded {
                        files,
                        ..Recorded::default()
                    };
                    self.running.insert(recording, recorded);
                }
                Output::RecordFrame {
                    recording,
                    heard,
                    said,
                    ..
                } => {
                    if let Some(recorded) = self.running.get_mut(&recording) {
                        recorded.heard.extend_from_slice(&heard.0);
                        recorded.said.extend_from_slice(&said.0);
                    }
                }
                Output::RecordEnd { recording, .. } => {
                    later.push((self.filing, Answer::Recorded(recording)));
                }
                Output::Event(event) => {
                    if let Event::Finished { command, .. } = &event {
                        *self.orders.entry(*command).or_insert(0) += 1;
                    }
                    self.outcome.push_back(Sent::Event(event));
                }
                Output::Pin { .. } => {}
                Output::Timeout(at) => {
                    self.wake = at;
                    break;
                }
            }
        }
        for (delay, answer) in later {
            self.answer(now + delay, answer);
        }
    }
}
