//! What stands for the media host: the engine, its ports, and the files of its recordings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, CommandId, Event, ExternalId, MediaError, SessionId};
use flowswitch_media::engine::{Engine, EngineConfig, Input, Output};

mod silent;

use self::silent::SilentEngine;

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
    core: Core,
    wake: Option<Instant>,
    ports: HashMap<u16, SessionId>,
    homes: HashMap<SessionId, u16>,
    free: VecDeque<u16>,
    answers: BTreeMap<(Instant, u64), Answer>,
    issued: u64,
    /// Orders that take time and have not finished.
    orders: BTreeSet<CommandId>,
    given: usize,
    /// Those that have; kept where there is sound, for there are fewer.
    finished: HashSet<CommandId>,
    /// Orders that finished twice, or were never given.
    strays: Vec<CommandId>,
    running: HashMap<CommandId, Recorded>,
    /// Externals, each of which says again what it hears.
    externals: BTreeSet<ExternalId>,
    outcome: VecDeque<Sent>,
}

/// What answers the orders.
#[derive(Debug)]
enum Core {
    Sounding(Box<Engine>),
    Silent(Box<SilentEngine>),
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
        Self::with_core(Core::Sounding(Box::new(Engine::new(&config))))
    }

    /// A room that carries no sound and keeps no history, and answers orders as any other.
    #[must_use]
    pub fn silent() -> Self {
        Self::with_core(Core::Silent(Box::default()))
    }

    fn with_core(core: Core) -> Self {
        Self {
            binding: Duration::ZERO,
            filing: Duration::ZERO,
            is_out_of_ports: false,
            recordings: Vec::new(),
            core,
            wake: None,
            ports: HashMap::new(),
            homes: HashMap::new(),
            free: (10_000..60_000).step_by(2).collect(),
            answers: BTreeMap::new(),
            issued: 0,
            orders: BTreeSet::new(),
            given: 0,
            finished: HashSet::new(),
            strays: Vec::new(),
            running: HashMap::new(),
            externals: BTreeSet::new(),
            outcome: VecDeque::new(),
        }
    }

    /// Takes an order of the switch.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        if let Command::Play { command, .. }
        | Command::SendDigits { command, .. }
        | Command::Echo { command, .. }
        | Command::Record { command, .. }
        | Command::RecordBridge { command, .. }
        | Command::DetectMachine { command, .. }
        | Command::Listen { command, .. } = &command
        {
            let is_new = self.orders.insert(*command) && !self.finished.contains(command);
            assert!(is_new, "order {command:?} was given twice");
            self.given += 1;
        }
        if let Command::OpenExternal { external, .. } = &command {
            let is_new = self.externals.insert(*external);
            assert!(is_new, "{external:?} was let in twice");
        }
        self.tell(now, Input::Command(command));
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
            arrival: now,
            bytes,
        };
        self.tell(now, input);
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
            self.tell(now, input);
        }
        if self.wake.is_some_and(|at| at <= now) {
            match &mut self.core {
                Core::Sounding(engine) => engine.handle_timeout(now),
                Core::Silent(engine) => engine.handle_timeout(now),
            }
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

    /// Orders that did not finish exactly once, and sessions, bridges and ports that are still open.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let orders = self.orders.iter();
        let orders = orders.map(|order| format!("{order:?} did not finish"));
        let strays = self.strays.iter();
        let strays = strays.map(|order| format!("{order:?} finished and did not run"));
        let open = match &self.core {
            Core::Sounding(engine) => engine.sessions().collect::<Vec<_>>(),
            Core::Silent(engine) => engine.sessions().collect(),
        };
        let sessions = open.into_iter().map(|session| format!("{session:?}"));
        let bridges = match &self.core {
            Core::Sounding(_) => 0,
            Core::Silent(engine) => engine.bridges(),
        };
        let bridges = (bridges > 0).then(|| format!("{bridges} bridges"));
        let externals = self.externals.iter();
        let externals = externals.map(|external| format!("{external:?} is still in"));
        let ports = self.homes.values().map(|port| format!("port {port}"));
        orders
            .chain(strays)
            .chain(sessions)
            .chain(bridges)
            .chain(ports)
            .chain(externals)
            .collect()
    }

    /// Orders given so far.
    #[must_use]
    pub const fn orders(&self) -> usize {
        self.given
    }

    /// Sessions now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        match &self.core {
            Core::Sounding(engine) => engine.stats().sessions,
            Core::Silent(engine) => engine.sessions().count(),
        }
    }

    fn tell(&mut self, now: Instant, input: Input<'_>) {
        match &mut self.core {
            Core::Sounding(engine) => engine.handle_input(now, input),
            Core::Silent(engine) => engine.handle_input(now, input),
        }
        self.drain(now);
    }

    fn finish(&mut self, command: CommandId) {
        if !self.orders.remove(&command) {
            self.strays.push(command);
        } else if matches!(self.core, Core::Sounding(_)) {
            self.finished.insert(command);
        }
    }

    fn answer(&mut self, at: Instant, answer: Answer) {
        self.issued += 1;
        self.answers.insert((at, self.issued), answer);
    }

    fn drain(&mut self, now: Instant) {
        let mut later = Vec::new();
        let mut said = Vec::new();
        loop {
            let output = match &mut self.core {
                Core::Sounding(engine) => engine.poll_output(),
                Core::Silent(engine) => engine.poll_output(),
            };
            match output {
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
                Output::Transmit {
                    session,
                    to,
                    bytes,
                    origin,
                    ..
                } => {
                    let bytes = bytes.to_vec();
                    self.outcome.push_back(Sent::Datagram { to, bytes });
                    if let (Core::Sounding(engine), Some(origin)) = (&mut self.core, origin) {
                        engine.sent(session, origin, now);
                    }
                }
                Output::RecordStart {
                    recording, target, ..
                } => {
                    let files = target.files.paths().cloned().collect();
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
                        recorded.heard.extend_from_slice(&heard.narrow.0);
                        said.iter()
                            .for_each(|said| recorded.said.extend_from_slice(&said.narrow.0));
                    }
                }
                Output::RecordEnd { recording, .. } => {
                    later.push((self.filing, Answer::Recorded(recording)));
                }
                Output::Event(event) => {
                    if let Event::Finished { command, .. } = &event {
                        self.finish(*command);
                    }
                    if let Event::ExternalClosed { external, .. } = &event {
                        assert!(self.externals.remove(external), "{external:?} ended twice");
                    }
                    if let (Core::Sounding(engine), Event::Digit { session, .. }) =
                        (&mut self.core, &event)
                    {
                        engine.told_digit(*session, now);
                    }
                    self.outcome.push_back(Sent::Event(event));
                }
                Output::ExternalTick {
                    external, heard, ..
                } => said.extend(heard.map(|heard| (external, heard.0))),
                Output::Encode { prompt, codec } => prompt.take_back(codec),
                Output::Pin { .. } | Output::Pace { .. } => {}
                Output::Timeout(at) => {
                    self.wake = at;
                    break;
                }
            }
        }
        if let Core::Sounding(engine) = &mut self.core {
            for (external, samples) in said {
                let samples = &samples;
                engine.handle_input(now, Input::ExternalSound { external, samples });
            }
        }
        for (delay, answer) in later {
            self.answer(now + delay, answer);
        }
    }
}
