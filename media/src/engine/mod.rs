//! The owner of sessions and bridges: takes orders, datagrams and the time, and gives up what is to be done.
//!
//! ```text
//!   Input::Command ----.     .------- one session ------.     .--> Output::Transmit, Record…
//!   Input::Datagram ---+---->| behind a wall: a panic   |-----+--> Output::Event
//!   handle_timeout ----'     | in it ends it alone      |     '--> Output::Timeout(at)
//!                            '--------------------------'
//! ```
//!
//! What a session does for another one of its bridge is handed over here, so that each acts behind its own
//! wall. Drain [`Engine::poll_output`] to [`Output::Timeout`] after every input. Every order that takes time is
//! kept in a ledger from the moment it is accepted until its one [`Event::Finished`] leaves; a second one
//! cannot.

mod bridges;
mod commands;
mod externals;
mod ledger;
mod moving;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::ledger::{Ledger, Progress};
use self::wheel::Wheel;
use crate::bridge::Bridge;
use crate::command::{
    BridgeId, Command, CommandId, Event, ExternalId, MediaError, Outcome, RecordingEnd, SessionId,
    SessionStats,
};
use crate::delay::{Delays, Origin, Path};
use crate::histogram::Histogram;
use crate::outbox::{Item, Outbox};
use crate::prompt::Prompt;
use crate::rtp::NtpTime;
use crate::session::Session;

pub use self::moving::Departure;
pub use crate::outbox::{Output, Pace};

/// A tick later than this is counted as late.
const LATE: Duration = Duration::from_millis(2);

/// What an engine starts from.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The first instant it is called with.
    pub start: Instant,
    /// Wall time at `start`, since the Unix epoch; for RTCP.
    pub wall: Duration,
    /// Seed of SSRCs, first sequence numbers and timestamps, report times.
    pub seed: [u8; 32],
}

/// What happens to an engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// An order.
    Command(Command),
    /// Answers [`Output::Bind`].
    Bound {
        /// Whose sockets.
        session: SessionId,
        /// The RTP port, or why there is none.
        result: Result<u16, MediaError>,
    },
    /// A datagram came.
    Datagram {
        /// On whose socket.
        session: SessionId,
        /// From where.
        source: SocketAddr,
        /// On the RTCP socket instead of the RTP socket.
        rtcp: bool,
        /// When the machine received it, which is before it was read: at most `now`. Jitter and delay are
        /// measured from here.
        arrival: Instant,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// An external says something; an unknown one is not heard.
    ExternalSound {
        /// Who.
        external: ExternalId,
        /// What: any length; of more than 200 ms that wait the oldest are dropped.
        samples: &'a [i16],
    },
    /// An external takes back what it has said and nobody has heard yet.
    ExternalClear {
        /// Who.
        external: ExternalId,
    },
    /// Answers [`Output::RecordEnd`], or comes before it when the files failed.
    Recorded {
        /// Which.
        recording: CommandId,
        /// Whether its files are complete.
        result: Result<(), MediaError>,
    },
}

/// Numbers for whoever operates an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Sessions now.
    pub sessions: usize,
    /// Ticks of sessions.
    pub ticks: u64,
    /// Of those, more than 2 ms late.
    pub late_ticks: u64,
    /// Datagrams for no session.
    pub stray_datagrams: u64,
    /// Sessions ended by a fault of their own.
    pub faults: u64,
}

/// How long things took in an engine, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFigures {
    /// What peers sent, by what was done with it.
    pub delays: Delays,
    /// How much later than it was due each tick began.
    pub lateness: Histogram,
}

/// All sessions and bridges of one thread.
#[derive(Debug)]
pub struct Engine {
    sessions: HashMap<SessionId, Entry>,
    /// A bridge is taken out of its place while it mixes.
    bridges: HashMap<BridgeId, Option<Box<Bridge>>>,
    /// Sessions that are gone but for the files of their recordings.
    closing: HashMap<SessionId, Box<SessionStats>>,
    ledger: Ledger,
    /// Where externals are, until the end of each is told.
    externals: HashMap<ExternalId, SessionId>,
    wheel: Wheel<Owner>,
    outbox: Outbox,
    /// Room for a datagram that is opened.
    plain: Vec<u8>,
    beep: Arc<Prompt>,
    start: Instant,
    wall: Duration,
    rng: StdRng,
    stats: EngineStats,
    figures: EngineFigures,
    worst_lateness: Duration,
}

#[derive(Debug)]
struct Entry {
    session: Box<Session>,
    is_bound: bool,
    bridge: Option<BridgeId>,
    /// The earliest deadline that lies on the wheel.
    armed: Option<Instant>,
}

/// Whose a deadline or an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Owner {
    Session(SessionId),
    Bridge(BridgeId),
}

/// How a session came out of what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touched {
    Well,
    /// Others of its bridge have to know of it.
    Changed(BridgeId),
    /// It panicked.
    Broken,
}

impl Engine {
    /// An engine without sessions.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        Self {
            sessions: HashMap::new(),
            bridges: HashMap::new(),
            closing: HashMap::new(),
            ledger: Ledger::default(),
            externals: HashMap::new(),
            wheel: Wheel::new(config.start),
            outbox: Outbox::default(),
            plain: Vec::new(),
            beep: Arc::new(Prompt::beep()),
            start: config.start,
            wall: config.wall,
            rng: StdRng::from_seed(config.seed),
            stats: EngineStats::default(),
            figures: EngineFigures::default(),
            worst_lateness: Duration::ZERO,
        }
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram {
                session,
                source,
                rtcp,
                arrival,
                bytes,
            } => self.handle_datagram((now, arrival.min(now)), session, source, (rtcp, bytes)),
            Input::Command(command) => self.handle_command(now, command),
            Input::ExternalSound { external, samples } => {
                self.handle_external(now, external, Some(samples));
            }
            Input::ExternalClear { external } => self.handle_external(now, external, None),
            Input::Bound { session, result } => self.handle_bound(now, session, result),
            Input::Recorded { recording, result } => self.handle_recorded(now, recording, result),
        }
    }

    /// Does what is due at `now`; harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let wall = self.ntp(now);
        while let Some(owner) = self.wheel.take(now) {
            match owner {
                Owner::Bridge(id) => self.tick_bridge(now, id),
                Owner::Session(id) => {
                    let Some(entry) = self.sessions.get_mut(&id) else {
                        continue;
                    };
                    let Some(armed) = entry.armed.filter(|armed| *armed <= now) else {
                        continue;
                    };
                    entry.armed = None;
                    self.count_tick(now - armed);
                    self.with_session(now, id, |session, out| {
                        session.handle_timeout(now, wall, out)
                    });
                }
            }
        }
    }

    /// Gives up what is to be done, and at last when to come back.
    #[must_use]
    pub fn poll_output(&mut self) -> Output<'_> {
        loop {
            let Some(item) = self.outbox.pop() else {
                return Output::Timeout(self.wheel.next());
            };
            match &item {
                Item::Event(Event::Finished { command, .. }) => {
                    // What a fault made end twice, or what was ended by it already, does not leave again.
                    match self.ledger.settle(*command) {
                        None => continue,
                        Some(Owner::Session(session)) => self.close_if_settled(session),
                        Some(Owner::Bridge(_)) => {}
                    }
                }
                // It ends once, also when a fault ends it again.
                Item::Event(Event::ExternalClosed { external, .. })
                    if self.externals.remove(external).is_none() =>
                {
                    continue;
                }
                Item::RecordEnd {
                    recording,
                    end,
                    duration,
                } => {
                    let outcome = Outcome::Recorded {
                        end: *end,
                        duration: *duration,
                    };
                    self.ledger.complete(*recording, outcome);
                }
                _ => {}
            }
            return self.outbox.lend(item);
        }
    }

    /// Its numbers so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        EngineStats {
            sessions: self.sessions.len(),
            ..self.stats
        }
    }

    /// How long things took so far.
    #[must_use]
    pub const fn figures(&self) -> &EngineFigures {
        &self.figures
    }

    /// How much later than it was due the latest tick began, since this was asked last.
    pub const fn take_worst_lateness(&mut self) -> Duration {
        std::mem::replace(&mut self.worst_lateness, Duration::ZERO)
    }

    /// A datagram with an origin has been given to the network at `at`.
    pub fn sent(&mut self, session: SessionId, origin: Origin, at: Instant) {
        let delay = at.saturating_duration_since(origin.arrival);
        self.figures.delays.record(origin.path, delay);
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.session.record_delay(origin.path, delay);
        }
    }

    /// An [`Event::Digit`] has been told at `at`.
    pub fn told_digit(&mut self, session: SessionId, at: Instant) {
        let entry = self.sessions.get_mut(&session);
        if let Some(arrival) = entry.and_then(|entry| entry.session.take_key_arrival()) {
            let path = Path::Digit;
            self.sent(session, Origin { path, arrival }, at);
        }
    }

    /// Every session that is open now, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// Whether no session is open, no bridge is left and no file is being completed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.closing.is_empty() && self.ledger.is_empty()
    }

    /// Makes a session panic at its next touch.
    #[cfg(test)]
    fn poison(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.session.poison();
        }
    }

    fn close(&mut self, now: Instant, wall: NtpTime, id: SessionId) {
        self.leave(now, id);
        let mut stats = None;
        self.with_session(now, id, |session, out| {
            stats = Some(session.close(now, wall, out))
        });
        let Some(stats) = stats else { return };
        self.remove(id);
        self.outbox.release(id);
        self.closing.insert(id, Box::new(stats));
        self.close_if_settled(id);
    }

    /// Tells that a session is gone once nothing of it is left to end.
    fn close_if_settled(&mut self, session: SessionId) {
        if self.ledger.of(Owner::Session(session)).is_empty()
            && let Some(stats) = self.closing.remove(&session)
        {
            self.outbox.event(Event::Closed { session, stats });
        }
    }

    fn handle_bound(&mut self, now: Instant, session: SessionId, result: Result<u16, MediaError>) {
        let Some(entry) = self
            .sessions
            .get_mut(&session)
            .filter(|entry| !entry.is_bound)
        else {
            return;
        };
        match result {
            Ok(port) => {
                entry.is_bound = true;
                self.outbox.event(Event::Opened { session, port });
            }
            Err(why) => {
                self.leave(now, session);
                self.remove(session);
                self.fail_orders(session, &why);
                self.outbox.event(Event::OpenFailed { session, why });
            }
        }
    }

    fn handle_recorded(
        &mut self,
        now: Instant,
        recording: CommandId,
        result: Result<(), MediaError>,
    ) {
        let Some((owner, progress)) = self.ledger.recording(recording) else {
            return;
        };
        match (result, progress) {
            (Ok(()), Progress::Completing(outcome)) => self.outbox.finished(recording, outcome),
            (Ok(()), Progress::Running) => {}
            (Err(why), _) => {
                self.outbox.finished(recording, Outcome::Failed { why });
                match owner {
                    Owner::Session(session) => {
                        self.with_session(now, session, |session, _| {
                            session.drop_recording(recording)
                        });
                    }
                    Owner::Bridge(bridge) => self.drop_bridge_recording(now, bridge, recording),
                }
            }
        }
    }

    /// Lets a session act, and its bridge follow. `false` when there is no such session.
    fn with_session(
        &mut self,
        now: Instant,
        id: SessionId,
        act: impl FnOnce(&mut Session, &mut Outbox),
    ) -> bool {
        match self.touch(now, id, act) {
            None => return false,
            Some(Touched::Well) => {}
            Some(Touched::Changed(bridge)) => self.follow(now, bridge, id),
            Some(Touched::Broken) => self.drop_faulty(now, id),
        }
        true
    }

    /// Lets a session act behind a wall: a panic in it is its own. `None` when there is no such session.
    fn touch(
        &mut self,
        now: Instant,
        id: SessionId,
        act: impl FnOnce(&mut Session, &mut Outbox),
    ) -> Option<Touched> {
        let entry = self.sessions.get_mut(&id)?;
        let (session, outbox, wheel) = (&mut *entry.session, &mut self.outbox, &self.wheel);
        let bridge = entry.bridge;
        // Sound: a session that panicked is never looked at again, and an outbox cut short holds whole items.
        let acted = catch_unwind(AssertUnwindSafe(|| {
            act(session, outbox);
            session.forget_cause();
            if session.wants_to_tick() {
                session.begin_ticking(now, wheel.quiet_slot(now));
            }
            if let Some(pace) = session.next_pace() {
                outbox.pace(id, pace);
            }
            let changed = bridge.filter(|_| session.has_news());
            (session.poll_timeout(), changed)
        }));
        let Ok((due, changed)) = acted else {
            return Some(Touched::Broken);
        };
        // What was due before it could be known is not late.
        if let Some(due) = due.map(|due| due.max(now))
            && entry.armed.is_none_or(|armed| due < armed)
        {
            if let Some(later) = entry.armed.replace(due) {
                self.wheel.disarm(later, Owner::Session(id));
            }
            self.wheel.arm(due, Owner::Session(id));
        }
        Some(changed.map_or(Touched::Well, Touched::Changed))
    }

    /// Takes a session out, and its deadline off the wheel.
    fn remove(&mut self, id: SessionId) -> Option<Entry> {
        let entry = self.sessions.remove(&id)?;
        if let Some(at) = entry.armed {
            self.wheel.disarm(at, Owner::Session(id));
        }
        Some(entry)
    }

    fn drop_faulty(&mut self, now: Instant, id: SessionId) {
        tracing::error!(session = id.0, "a media session failed and was closed");
        self.stats.faults += 1;
        let bridge = self.remove(id).and_then(|entry| entry.bridge);
        self.outbox.release(id);
        self.fail_orders(id, &MediaError::Internal);
        self.closing.insert(id, Box::default());
        self.close_if_settled(id);
        if let Some(bridge) = bridge {
            self.drop_member(now, bridge, id);
        }
    }

    /// Ends the orders and externals of a session that ends without having a say in it.
    fn fail_orders(&mut self, session: SessionId, why: &MediaError) {
        self.fail_externals(session, why);
        for command in self.ledger.of(Owner::Session(session)) {
            match self.ledger.recording(*command) {
                // Its files are being completed, and its end comes with them.
                Some((_, Progress::Completing(_))) => continue,
                Some((_, Progress::Running)) => {
                    self.outbox
                        .record_end(*command, RecordingEnd::Stopped, Duration::ZERO);
                }
                None => {}
            }
            self.outbox
                .finished(*command, Outcome::Failed { why: why.clone() });
        }
    }

    fn count_tick(&mut self, lateness: Duration) {
        self.stats.ticks += 1;
        self.stats.late_ticks += u64::from(lateness > LATE);
        self.figures.lateness.record(lateness);
        self.worst_lateness = self.worst_lateness.max(lateness);
    }

    fn ntp(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.wall + now.saturating_duration_since(self.start))
    }
}
