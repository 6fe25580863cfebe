//! The owner of sessions: takes orders, datagrams and the time, and gives up what is to be done.
//!
//! ```text
//!   Input::Command ----.     .------- one session ------.     .--> Output::Transmit, Record…
//!   Input::Datagram ---+---->| behind a wall: a panic   |-----+--> Output::Event
//!   handle_timeout ----'     | in it ends it alone      |     '--> Output::Timeout(at)
//!                            '--------------------------'
//! ```
//!
//! Drain [`Engine::poll_output`] to [`Output::Timeout`] after every input. Every order that takes time is
//! kept in a ledger from the moment it is accepted until its one [`Event::Finished`] leaves; a second one
//! cannot.

mod ledger;
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
use crate::command::{
    Command, CommandId, Event, MediaError, Outcome, RecordingEnd, SessionId, SessionStats,
};
use crate::outbox::{Item, Outbox};
use crate::prompt::Prompt;
use crate::rtp::NtpTime;
use crate::session::Session;

pub use crate::outbox::Output;

/// A tick later than this is counted as late.
const LATE: Duration = Duration::from_millis(2);

/// No order runs longer than a year, which keeps deadlines within what an `Instant` holds.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

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
        /// The datagram.
        bytes: &'a [u8],
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
    /// The latest.
    pub worst_lateness: Duration,
    /// Datagrams for no session.
    pub stray_datagrams: u64,
    /// Sessions ended by a fault of their own.
    pub faults: u64,
}

/// All sessions of one thread.
#[derive(Debug)]
pub struct Engine {
    sessions: HashMap<SessionId, Entry>,
    /// Sessions that are gone but for the files of their recordings.
    closing: HashMap<SessionId, SessionStats>,
    ledger: Ledger,
    wheel: Wheel,
    outbox: Outbox,
    beep: Arc<Prompt>,
    start: Instant,
    wall: Duration,
    rng: StdRng,
    stats: EngineStats,
}

#[derive(Debug)]
struct Entry {
    session: Box<Session>,
    is_bound: bool,
    /// The earliest deadline that lies on the wheel.
    armed: Option<Instant>,
}

impl Engine {
    /// An engine without sessions.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        Self {
            sessions: HashMap::new(),
            closing: HashMap::new(),
            ledger: Ledger::default(),
            wheel: Wheel::new(config.start),
            outbox: Outbox::default(),
            beep: Arc::new(Prompt::beep()),
            start: config.start,
            wall: config.wall,
            rng: StdRng::from_seed(config.seed),
            stats: EngineStats::default(),
        }
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Datagram {
                session,
                source,
                rtcp,
                bytes,
            } => {
                if !self.with_session(now, session, |session, out| {
                    session.handle_datagram(now, source, rtcp, bytes, out);
                }) {
                    self.stats.stray_datagrams += 1;
                }
            }
            Input::Command(command) => self.handle_command(now, command),
            Input::Bound { session, result } => self.handle_bound(session, result),
            Input::Recorded { recording, result } => self.handle_recorded(now, recording, result),
        }
    }

    /// Does what is due at `now`; harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let wall = self.ntp(now);
        while let Some(id) = self.wheel.take(now) {
            let Some(entry) = self.sessions.get_mut(&id) else {
                continue;
            };
            let Some(armed) = entry.armed.filter(|armed| *armed <= now) else {
                continue;
            };
            entry.armed = None;
            let lateness = now - armed;
            self.stats.ticks += 1;
            self.stats.late_ticks += u64::from(lateness > LATE);
            self.stats.worst_lateness = self.stats.worst_lateness.max(lateness);
            self.with_session(now, id, |session, out| {
                session.handle_timeout(now, wall, out)
            });
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
                    let Some(session) = self.ledger.settle(*command) else {
                        continue;
                    };
                    self.close_if_settled(session);
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

    /// Every session that is open now, in no order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// Whether no session is open and no file is being completed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.closing.is_empty()
    }

    /// Makes a session panic at its next touch.
    #[cfg(test)]
    fn poison(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.session.poison();
        }
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        let wall = self.ntp(now);
        match command {
            Command::Open { session, local } => self.open(now, session, local),
            Command::Configure { session, config } => {
                self.with_session(now, session, |session, out| {
                    session.configure(now, *config, out)
                });
            }
            Command::Close { session } => self.close(now, wall, session),
            Command::Play {
                command,
                session,
                prompts,
                stop_on_digit,
            } => {
                self.order(now, session, command, false, |session, out| {
                    session.play(command, prompts, stop_on_digit, out);
                });
            }
            Command::SendDigits {
                command,
                session,
                digits,
                tone,
                gap,
            } => {
                self.order(now, session, command, false, |session, out| {
                    session.send_digits(command, digits, (tone, gap), out);
                });
            }
            Command::Echo {
                command,
                session,
                duration,
                with_digits,
            } => {
                let until = now + duration.min(LONGEST);
                self.order(now, session, command, false, |session, out| {
                    session.echo(command, until, with_digits, out);
                });
            }
            Command::Record {
                command,
                session,
                config,
            } => {
                let beep = Arc::clone(&self.beep);
                self.order(now, session, command, true, |session, out| {
                    session.record(command, config, &beep, out);
                });
            }
            Command::DetectMachine {
                command,
                session,
                config,
            } => {
                self.order(now, session, command, false, |session, out| {
                    session.detect_machine(command, &config, out);
                });
            }
            Command::Listen {
                command,
                session,
                config,
            } => {
                self.order(now, session, command, false, |session, out| {
                    session.listen(command, &config, out);
                });
            }
            Command::Mute { session, direction } => {
                self.with_session(now, session, |session, _| session.mute(direction));
            }
            Command::Cancel { session, command } => {
                self.with_session(now, session, |session, out| session.cancel(command, out));
            }
        }
    }

    fn open(&mut self, now: Instant, id: SessionId, local: std::net::IpAddr) {
        if self.sessions.contains_key(&id) || self.closing.contains_key(&id) {
            tracing::warn!(session = id.0, "a media session was opened twice");
            return;
        }
        let session = Box::new(Session::new(id, now, &mut self.rng));
        self.sessions.insert(
            id,
            Entry {
                session,
                is_bound: false,
                armed: None,
            },
        );
        self.outbox.bind(id, local);
    }

    /// Enters an order that ends with one `Finished`, and lets the session begin it.
    fn order(
        &mut self,
        now: Instant,
        session: SessionId,
        command: CommandId,
        is_recording: bool,
        begin: impl FnOnce(&mut Session, &mut Outbox),
    ) {
        if !self.ledger.accept(session, command, is_recording) {
            tracing::warn!(command = command.0, "a media command was given twice");
            return;
        }
        if !self.with_session(now, session, begin) {
            self.outbox.finished(
                command,
                Outcome::Failed {
                    why: MediaError::UnknownSession,
                },
            );
        }
    }

    fn close(&mut self, now: Instant, wall: NtpTime, id: SessionId) {
        let mut stats = None;
        self.with_session(now, id, |session, out| {
            stats = Some(session.close(now, wall, out))
        });
        let Some(stats) = stats else { return };
        self.sessions.remove(&id);
        self.outbox.release(id);
        self.closing.insert(id, stats);
        self.close_if_settled(id);
    }

    /// Tells that a session is gone once nothing of it is left to end.
    fn close_if_settled(&mut self, session: SessionId) {
        if self.ledger.of(session).is_empty()
            && let Some(stats) = self.closing.remove(&session)
        {
            self.outbox.event(Event::Closed { session, stats });
        }
    }

    fn handle_bound(&mut self, session: SessionId, result: Result<u16, MediaError>) {
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
                self.sessions.remove(&session);
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
        let Some((session, progress)) = self.ledger.recording(recording) else {
            return;
        };
        match (result, progress) {
            (Ok(()), Progress::Completing(outcome)) => self.outbox.finished(recording, outcome),
            (Ok(()), Progress::Running) => {}
            (Err(why), _) => {
                self.outbox.finished(recording, Outcome::Failed { why });
                self.with_session(now, session, |session, _| session.drop_recording(recording));
            }
        }
    }

    /// Lets a session act behind a wall: a panic in it ends it and nothing else. `false` when there is no
    /// such session.
    fn with_session(
        &mut self,
        now: Instant,
        id: SessionId,
        act: impl FnOnce(&mut Session, &mut Outbox),
    ) -> bool {
        let Some(entry) = self.sessions.get_mut(&id) else {
            return false;
        };
        let (session, outbox, wheel) = (&mut *entry.session, &mut self.outbox, &self.wheel);
        // Sound: a session that panicked is never looked at again, and an outbox cut short holds whole items.
        let acted = catch_unwind(AssertUnwindSafe(|| {
            act(session, outbox);
            if session.wants_to_tick() {
                session.begin_ticking(now, wheel.quiet_slot(now));
            }
            session.poll_timeout()
        }));
        match acted {
            Ok(Some(due)) if entry.armed.is_none_or(|armed| due < armed) => {
                entry.armed = Some(due);
                self.wheel.arm(due, id);
            }
            Ok(_) => {}
            Err(_) => self.drop_faulty(id),
        }
        true
    }

    fn drop_faulty(&mut self, id: SessionId) {
        tracing::error!(session = id.0, "a media session failed and was closed");
        self.stats.faults += 1;
        self.sessions.remove(&id);
        self.outbox.release(id);
        self.fail_orders(id, &MediaError::Internal);
        self.closing.insert(id, SessionStats::default());
        self.close_if_settled(id);
    }

    /// Ends the orders of a session that ends without having a say in it.
    fn fail_orders(&mut self, session: SessionId, why: &MediaError) {
        for command in self.ledger.of(session) {
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

    fn ntp(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.wall + now.saturating_duration_since(self.start))
    }
}
