//! One party: its status, the verbs on it, and what it reports.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::command::{Command, CommandId, Mute, Outcome, RecordingConfig, SessionStats};
use flowswitch_media::dtmf::Digit;

use super::address::Address;
use super::cause::{Cause, HangupBy, Why};
use super::digits::{DigitFilter, DigitPath};
use super::event::{CallEvent, RecordRefused};
use super::leg::{Agreed, Down, Leg};
use super::playing::Playbacks;
use super::sending::Sending;
use crate::ids::CallId;
use crate::sip::message::{HeaderName, Status};
use crate::status::{CallStatus, HangupReason};

/// A call with one party. Every verb that takes time carries a [`CommandId`] and is reported back by
/// exactly one [`CallEvent::Finished`].
#[derive(Debug)]
pub struct Call {
    id: CallId,
    pub(super) leg: Leg,
    status: CallStatus,
    source: Address,
    destination: Address,
    started: Instant,
    answering: Option<CommandId>,
    pub(super) playbacks: Playbacks,
    pub(super) sending: Sending,
    recording: Option<Recording>,
    pub(super) muted: Mute,
    digits: DigitFilter,
    cause: Option<Cause>,
    events: VecDeque<CallEvent>,
}

/// The running recording.
#[derive(Debug)]
struct Recording {
    command: CommandId,
    end_of_key: Vec<Digit>,
}

/// The longest call, both directions: longer ones are nearly always forgotten ones.
const LONGEST: Duration = Duration::from_secs(3600);

impl Call {
    /// An incoming call; it rings from the start.
    #[must_use]
    pub fn incoming(
        now: Instant,
        id: CallId,
        leg: Leg,
        source: Address,
        destination: Address,
    ) -> Self {
        Self {
            id,
            leg,
            status: CallStatus::Ringing,
            source,
            destination,
            started: now,
            answering: None,
            playbacks: Playbacks::default(),
            sending: Sending::default(),
            recording: None,
            muted: Mute::Off,
            digits: DigitFilter::default(),
            cause: None,
            events: VecDeque::new(),
        }
    }

    /// Takes the next piece of news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<CallEvent> {
        self.events.pop_front()
    }

    /// When the call has lasted too long.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.is_alive().then(|| self.started + LONGEST)
    }

    /// Ends the call when it has lasted too long.
    pub fn handle_timeout(&mut self, down: &mut Down<'_>) {
        if self.poll_timeout().is_some_and(|at| at <= down.now) {
            self.hangup(down, Cause::local(HangupReason::Timeout, Why::TooLong));
        }
    }

    // Verbs.

    /// Says that we are alerting, unless more has been said already.
    pub fn ring(&mut self, down: &mut Down<'_>) {
        if self.status == CallStatus::Ringing {
            self.leg.ring(down);
        }
    }

    /// Answers; finished when the peer's side of the media is known. Harmless on an answered call.
    pub fn answer(&mut self, down: &mut Down<'_>, command: CommandId) {
        match self.status {
            CallStatus::Dialing | CallStatus::Ringing => match self.leg.answer(down) {
                Agreed::Now => self.finish(command, Outcome::Done),
                Agreed::WithAck => self.answering = Some(command),
            },
            CallStatus::Progressing if self.answering.is_some() => {
                // Asked again before the ACK: both wait for the same one, so the first is done.
                if let Some(earlier) = self.answering.replace(command) {
                    self.finish(earlier, Outcome::Done);
                }
                return;
            }
            CallStatus::Progressing => return self.finish(command, Outcome::Done),
            CallStatus::Terminating | CallStatus::Canceling | CallStatus::Hangup => {
                return self.finish(command, Outcome::Canceled);
            }
        }
        self.enter(CallStatus::Progressing);
    }

    /// Returns the party's audio.
    pub fn echo(
        &mut self,
        down: &mut Down<'_>,
        command: CommandId,
        duration: Duration,
        with_digits: bool,
    ) {
        let session = self.leg.session();
        self.order(
            down,
            command,
            Command::Echo {
                command,
                session,
                duration,
                with_digits,
            },
        );
    }

    /// Starts the recording of an answered call.
    pub fn record(
        &mut self,
        down: &mut Down<'_>,
        command: CommandId,
        config: RecordingConfig,
    ) -> Result<(), RecordRefused> {
        if self.status != CallStatus::Progressing {
            return Err(RecordRefused::NotProgressing);
        }
        if self.recording.is_some() {
            return Err(RecordRefused::AlreadyRecording);
        }
        let end_of_key = config.end_of_key.clone();
        self.recording = Some(Recording {
            command,
            end_of_key,
        });
        let session = self.leg.session();
        down.media.push_back(Command::Record {
            command,
            session,
            config: Box::new(config),
        });
        Ok(())
    }

    /// Stops the running recording, if there is one.
    pub fn stop_recording(&mut self, down: &mut Down<'_>) {
        if let Some(command) = self.recording.as_ref().map(|recording| recording.command) {
            down.media.push_back(Command::Cancel {
                session: self.leg.session(),
                command,
            });
        }
    }

    /// Ends a verb now.
    pub fn cancel(&mut self, down: &mut Down<'_>, command: CommandId) {
        if !self.cancel_play(down, command) && !self.cancel_digits(down, command) {
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        }
    }

    /// Ends the call: BYE when it is answered, a refusal when it is not.
    pub fn hangup(&mut self, down: &mut Down<'_>, cause: Cause) {
        if !self.is_alive() {
            return;
        }
        let reason = Bytes::from(cause.reason_header());
        if self.status == CallStatus::Progressing {
            down.endpoint.bye(down.now, self.leg.dialog(), Some(reason));
        } else {
            let headers = vec![(HeaderName::Reason, reason)];
            let status = Status::new(cause.refusal()).unwrap_or(Status::SERVER_INTERNAL_ERROR);
            down.endpoint
                .refuse(down.now, self.leg.dialog(), status, headers);
        }
        self.close(down, cause);
    }

    // News from below.

    /// The first ACK of our 200.
    pub fn handle_acked(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        if !self.is_alive() {
            return;
        }
        if !self.leg.handle_acked(down, sdp) {
            return self.hangup(down, Cause::local(HangupReason::Failed, Why::BadAnswer));
        }
        if let Some(command) = self.answering.take() {
            self.finish(command, Outcome::Done);
            self.play_next(down);
            self.send_next(down);
        }
    }

    /// The party wants to change the session.
    pub fn handle_offered(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        if self.is_alive() {
            self.leg.handle_offered(down, sdp);
        }
    }

    /// The party answered a refresh of ours with a description, perhaps of a new address.
    pub fn handle_answered(&mut self, down: &mut Down<'_>, sdp: &Bytes) {
        if self.is_alive() {
            self.leg.handle_answered(down, sdp);
        }
    }

    /// The dialog is over; nothing more can be said to the party.
    pub fn handle_gone(&mut self, down: &mut Down<'_>, cause: Cause) {
        if self.is_alive() {
            self.close(down, cause);
        }
    }

    /// The party pressed a key. The engine ends a playback or recording for the keys it hears itself;
    /// for one that came by INFO, or while the prompts are still being made, that is done here.
    pub fn handle_digit(&mut self, down: &mut Down<'_>, digit: Digit, path: DigitPath) {
        if !self.is_alive() || !self.digits.is_new(down.now, digit, path) {
            return;
        }
        self.events.push_back(CallEvent::Digit(digit));
        let ends_recording = |recording: &Recording| recording.end_of_key.contains(&digit);
        if path == DigitPath::Info && self.recording.as_ref().is_some_and(ends_recording) {
            self.stop_recording(down);
        }
        self.interrupt_play(down, digit, path);
    }

    /// The engine finished an order; what waited for it has its turn.
    pub fn handle_finished(&mut self, down: &mut Down<'_>, command: CommandId, outcome: Outcome) {
        let outcome = self.playbacks.ended(command, outcome);
        self.sending.ended(command);
        self.recording
            .take_if(|recording| recording.command == command);
        self.finish(command, outcome);
        self.play_next(down);
        self.send_next(down);
    }

    /// The media session is gone: after our close, or because the engine gave it up.
    pub fn handle_closed(&mut self, down: &mut Down<'_>, stats: SessionStats) {
        self.hangup(down, Cause::local(HangupReason::Failed, Why::MediaFailed));
        if let Some(cause) = self.cause.clone() {
            self.enter(CallStatus::Hangup);
            self.events.push_back(CallEvent::Ended { cause, stats });
        }
    }

    // What it is.

    /// Our name of it.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// Dialog and session.
    #[must_use]
    pub const fn leg(&self) -> &Leg {
        &self.leg
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> CallStatus {
        self.status
    }

    /// Who calls.
    #[must_use]
    pub const fn source(&self) -> &Address {
        &self.source
    }

    /// Who is called.
    #[must_use]
    pub const fn destination(&self) -> &Address {
        &self.destination
    }

    /// When it came to be.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Whether verbs still reach the party.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.cause.is_none()
    }

    // Inside.

    /// Whether the answer is out and the ACK, which says where to send sound to, is not there yet.
    pub(super) const fn is_answering(&self) -> bool {
        self.answering.is_some()
    }

    /// Gives an order to the engine, as early media where the call is not answered; a call that is over
    /// has no session to give it to.
    pub(super) fn order(&mut self, down: &mut Down<'_>, command: CommandId, order: Command) {
        if self.is_alive() {
            if self.status == CallStatus::Ringing {
                self.leg.ring_with_media(down);
            }
            down.media.push_back(order);
        } else {
            self.finish(command, Outcome::Canceled);
        }
    }

    /// The party is told; what still runs ends. Who hung up shows in the status: only our own hanging
    /// up is a state of its own.
    fn close(&mut self, down: &mut Down<'_>, cause: Cause) {
        if cause.by == HangupBy::Local {
            self.enter(CallStatus::Terminating);
        }
        self.cause = Some(cause);
        self.events.push_back(CallEvent::HungUp);
        if let Some(command) = self.answering.take() {
            self.finish(command, Outcome::Canceled);
        }
        self.cancel_unheard();
        self.cancel_unsent();
        self.leg.close(down);
    }

    fn enter(&mut self, status: CallStatus) {
        if self.status.may_become(status) {
            tracing::debug!(call = %self.id, from = ?self.status, to = ?status, "status");
            self.status = status;
            self.events.push_back(CallEvent::Status(status));
        }
    }

    pub(super) fn report(&mut self, event: CallEvent) {
        self.events.push_back(event);
    }

    pub(super) fn finish(&mut self, command: CommandId, outcome: Outcome) {
        self.events
            .push_back(CallEvent::Finished { command, outcome });
    }
}
