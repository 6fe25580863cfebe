//! Orders on their way to the one they are for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Engine, Entry, Owner};
use crate::command::{Command, CommandId, MediaError, Outcome, SessionId};
use crate::outbox::Outbox;
use crate::session::Session;

/// No order runs longer than a year, which keeps deadlines within what an `Instant` holds.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

impl Engine {
    pub(super) fn handle_command(&mut self, now: Instant, command: Command) {
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
                is_endless,
            } => {
                self.order(now, session, command, false, |session, out| {
                    session.play(command, prompts, (stop_on_digit, is_endless), out);
                });
            }
            Command::Join {
                session,
                bridge,
                part,
            } => self.join(now, session, bridge, part),
            Command::Leave { session } => self.leave(now, session),
            Command::ConfigureBridge { bridge, config } => {
                self.configure_bridge(now, bridge, config);
            }
            Command::RecordBridge {
                command,
                bridge,
                config,
            } => self.record_bridge(now, command, bridge, *config),
            Command::StopBridgeRecording { bridge, command } => {
                self.stop_bridge_recording(now, bridge, command);
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
                    session.echo(now, command, (until, with_digits), out);
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
            Command::OpenExternal {
                external,
                session,
                config,
            } => self.open_external(now, external, session, config),
            Command::CloseExternal { external, session } => {
                self.with_session(now, session, |session, out| {
                    session.close_external(now, external, out)
                });
            }
            Command::Mute { session, direction } => {
                self.with_session(now, session, |session, out| {
                    session.mute(now, direction, out)
                });
            }
            Command::Cancel { session, command } => {
                self.with_session(now, session, |session, out| {
                    session.cancel(now, command, out)
                });
            }
        }
    }

    fn open(&mut self, now: Instant, id: SessionId, local: IpAddr) {
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
                bridge: None,
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
        if !self
            .ledger
            .accept(Owner::Session(session), command, is_recording)
        {
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
}
