//! An engine without sound, for worlds of so many calls that sound would cost too much: it answers each
//! order as the engine would, when the engine would, and carries no packet.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use flowswitch_media::amd::{AmdCause, Answerer};
use flowswitch_media::command::{
    BridgeId, Command, CommandId, Event, ExternalId, ExternalStats, MediaError, Outcome,
    RecordingEnd, SessionId,
};
use flowswitch_media::engine::{Input, Output};

/// The engine of a silent room: the inputs and outputs of the real one.
#[derive(Debug, Default)]
pub(super) struct SilentEngine {
    sessions: HashMap<SessionId, Session>,
    bridges: HashMap<BridgeId, Bridge>,
    orders: HashMap<CommandId, Order>,
    ends: BTreeMap<(Instant, CommandId), Outcome>,
    externals: HashMap<ExternalId, SessionId>,
    out: VecDeque<Output<'static>>,
}

#[derive(Debug, Default)]
struct Session {
    is_bound: bool,
    bridge: Option<BridgeId>,
    orders: HashSet<CommandId>,
    /// One playback and one detection at a time: the newer replaces the older.
    playing: Option<CommandId>,
    detecting: Option<CommandId>,
    recording: Option<CommandId>,
}

#[derive(Debug, Default)]
struct Bridge {
    members: usize,
    recordings: HashSet<CommandId>,
}

/// An order that runs.
#[derive(Debug)]
struct Order {
    owner: Owner,
    began: Instant,
    ends_at: Option<Instant>,
    is_recording: bool,
}

#[derive(Clone, Copy, Debug)]
enum Owner {
    Session(SessionId),
    Bridge(BridgeId),
}

impl SilentEngine {
    /// Takes an order, or the answer to one of its own.
    pub(super) fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Command(command) => self.handle_command(now, command),
            Input::Bound { session, result } => self.handle_bound(session, result),
            Input::Datagram { .. }
            | Input::ExternalSound { .. }
            | Input::ExternalClear { .. }
            | Input::Recorded { .. } => {}
        }
    }

    /// Lets what is due happen.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, command), outcome) = entry.remove_entry();
            if let Some(order) = self.orders.get_mut(&command) {
                order.ends_at = None;
            }
            self.finish(at, command, outcome);
        }
    }

    /// Takes what came out.
    pub(super) fn poll_output(&mut self) -> Output<'static> {
        let next = self.ends.keys().next().map(|(at, _)| *at);
        self.out.pop_front().unwrap_or(Output::Timeout(next))
    }

    /// Those that are open.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    /// Bridges that have members or records.
    pub(super) fn bridges(&self) -> usize {
        self.bridges.len()
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open { session, local } => {
                self.sessions.insert(session, Session::default());
                self.out.push_back(Output::Bind { session, local });
            }
            Command::Configure { .. } | Command::ConfigureBridge { .. } | Command::Mute { .. } => {}
            Command::OpenExternal {
                external, session, ..
            } => match self.sessions.contains_key(&session) {
                true => drop(self.externals.insert(external, session)),
                false => self.close_external(external, Err(MediaError::UnknownSession)),
            },
            Command::CloseExternal { external, .. } => {
                if self.externals.remove(&external).is_some() {
                    self.close_external(external, Ok(ExternalStats::default()));
                }
            }
            Command::Close { session } => self.close(now, session),
            Command::Join {
                session, bridge, ..
            } => self.join(now, session, bridge),
            Command::Leave { session } => self.leave(now, session),
            Command::RecordBridge {
                command,
                bridge,
                config,
            } => match self.bridges.get_mut(&bridge) {
                Some(known) => {
                    known.recordings.insert(command);
                    let owner = Owner::Bridge(bridge);
                    self.begin_recording(now, command, owner, config.duration);
                }
                None => self.fail(command, MediaError::UnknownBridge),
            },
            Command::StopBridgeRecording { command, .. } | Command::Cancel { command, .. } => {
                self.finish(now, command, Outcome::Canceled);
            }
            Command::Play {
                command,
                session,
                prompts,
                is_endless,
                ..
            } => {
                let length = prompts.iter().map(|prompt| prompt.duration()).sum();
                let length = (!is_endless).then_some(length);
                if self.begin(now, command, session, length, Outcome::Done) {
                    let older = self.replace(session, |session| &mut session.playing, command);
                    self.cancel(now, older);
                }
            }
            Command::SendDigits {
                command,
                session,
                digits,
                tone,
                gap,
            } => {
                let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
                self.begin(
                    now,
                    command,
                    session,
                    Some((tone + gap) * count),
                    Outcome::Done,
                );
            }
            Command::Echo {
                command,
                session,
                duration,
                ..
            } => {
                self.begin(now, command, session, Some(duration), Outcome::Done);
            }
            Command::Record {
                command,
                session,
                config,
            } => self.record(now, command, session, config.duration),
            Command::DetectMachine {
                command,
                session,
                config,
            } => {
                let unsure = Outcome::Detected {
                    result: Answerer::Unsure,
                    cause: AmdCause::Timeout,
                };
                if self.begin(now, command, session, Some(config.total), unsure) {
                    let older = self.replace(session, |session| &mut session.detecting, command);
                    self.cancel(now, older);
                }
            }
            Command::Listen {
                command, session, ..
            } => {
                self.begin(now, command, session, None, Outcome::Canceled);
            }
        }
    }

    fn handle_bound(&mut self, id: SessionId, result: Result<u16, MediaError>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let event = match result {
            Ok(port) => {
                session.is_bound = true;
                Event::Opened { session: id, port }
            }
            Err(why) => {
                self.sessions.remove(&id);
                Event::OpenFailed { session: id, why }
            }
        };
        self.out.push_back(Output::Event(event));
    }

    fn close(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let mut orders: Vec<CommandId> = session.orders.iter().copied().collect();
        orders.sort_unstable();
        for command in orders {
            self.finish(now, command, Outcome::Canceled);
        }
        self.leave(now, id);
        self.sessions.remove(&id);
        let mut left: Vec<ExternalId> = self
            .externals
            .extract_if(|_, at| *at == id)
            .map(|(external, _)| external)
            .collect();
        left.sort_unstable();
        for external in left {
            self.close_external(external, Ok(ExternalStats::default()));
        }
        self.out.push_back(Output::Release { session: id });
        let stats = Box::default();
        let closed = Event::Closed { session: id, stats };
        self.out.push_back(Output::Event(closed));
    }

    fn close_external(&mut self, external: ExternalId, result: Result<ExternalStats, MediaError>) {
        let closed = Event::ExternalClosed { external, result };
        self.out.push_back(Output::Event(closed));
    }

    fn join(&mut self, now: Instant, id: SessionId, bridge: BridgeId) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        if session.bridge == Some(bridge) {
            return;
        }
        self.leave(now, id);
        self.bridges.entry(bridge).or_default().members += 1;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.bridge = Some(bridge);
        }
    }

    fn leave(&mut self, now: Instant, id: SessionId) {
        let session = self.sessions.get_mut(&id);
        let Some(bridge) = session.and_then(|session| session.bridge.take()) else {
            return;
        };
        let known = self.bridges.get_mut(&bridge).expect("it has a member");
        known.members -= 1;
        if known.members > 0 {
            return;
        }
        let mut recordings: Vec<CommandId> = known.recordings.iter().copied().collect();
        recordings.sort_unstable();
        for command in recordings {
            self.finish(now, command, Outcome::Canceled);
        }
        self.bridges.remove(&bridge);
    }

    /// Begins an order of a session that ends by itself after `length`; claims that it could.
    fn begin(
        &mut self,
        now: Instant,
        command: CommandId,
        session: SessionId,
        length: Option<Duration>,
        outcome: Outcome,
    ) -> bool {
        let Some(known) = self.sessions.get_mut(&session) else {
            self.fail(command, MediaError::UnknownSession);
            return false;
        };
        known.orders.insert(command);
        let owner = Owner::Session(session);
        self.start(now, command, owner, length.map(|length| (length, outcome)));
        true
    }

    fn record(
        &mut self,
        now: Instant,
        command: CommandId,
        session: SessionId,
        length: Option<Duration>,
    ) {
        match self.sessions.get_mut(&session) {
            None => self.fail(command, MediaError::UnknownSession),
            Some(known) if known.recording.is_some() => {
                self.fail(command, MediaError::AlreadyRecording);
            }
            Some(known) => {
                known.recording = Some(command);
                known.orders.insert(command);
                self.begin_recording(now, command, Owner::Session(session), length);
            }
        }
    }

    fn begin_recording(
        &mut self,
        now: Instant,
        command: CommandId,
        owner: Owner,
        length: Option<Duration>,
    ) {
        let end = length.map(|duration| {
            let end = RecordingEnd::Duration;
            (duration, Outcome::Recorded { end, duration })
        });
        self.start(now, command, owner, end);
        if let Some(order) = self.orders.get_mut(&command) {
            order.is_recording = true;
        }
    }

    fn start(
        &mut self,
        now: Instant,
        command: CommandId,
        owner: Owner,
        end: Option<(Duration, Outcome)>,
    ) {
        let ends_at = end.as_ref().map(|(length, _)| now + *length);
        if let Some((length, outcome)) = end {
            self.ends.insert((now + length, command), outcome);
        }
        let order = Order {
            owner,
            began: now,
            ends_at,
            is_recording: false,
        };
        self.orders.insert(command, order);
    }

    fn replace(
        &mut self,
        session: SessionId,
        place: impl FnOnce(&mut Session) -> &mut Option<CommandId>,
        command: CommandId,
    ) -> Option<CommandId> {
        place(self.sessions.get_mut(&session)?).replace(command)
    }

    fn cancel(&mut self, now: Instant, command: Option<CommandId>) {
        if let Some(command) = command {
            self.finish(now, command, Outcome::Canceled);
        }
    }

    /// Ends an order that runs; another is left alone.
    fn finish(&mut self, now: Instant, command: CommandId, outcome: Outcome) {
        let Some(order) = self.orders.remove(&command) else {
            return;
        };
        if let Some(at) = order.ends_at {
            self.ends.remove(&(at, command));
        }
        match order.owner {
            Owner::Session(session) => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.orders.remove(&command);
                    for place in [
                        &mut session.playing,
                        &mut session.detecting,
                        &mut session.recording,
                    ] {
                        place.take_if(|known| *known == command);
                    }
                }
            }
            Owner::Bridge(bridge) => {
                if let Some(bridge) = self.bridges.get_mut(&bridge) {
                    bridge.recordings.remove(&command);
                }
            }
        }
        let outcome = match outcome {
            Outcome::Canceled if order.is_recording => Outcome::Recorded {
                end: RecordingEnd::Stopped,
                duration: now.saturating_duration_since(order.began),
            },
            outcome => outcome,
        };
        self.out
            .push_back(Output::Event(Event::Finished { command, outcome }));
    }

    fn fail(&mut self, command: CommandId, why: MediaError) {
        let outcome = Outcome::Failed { why };
        self.out
            .push_back(Output::Event(Event::Finished { command, outcome }));
    }
}
