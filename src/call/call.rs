//! One party: its status, the verbs on it, and what it reports.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::command::{
    BridgeId, Command, CommandId, Mute, Outcome, Part, RecordingConfig, SessionStats,
};
use flowswitch_media::dtmf::Digit;

use super::address::Address;
use super::cause::{Cause, HangupBy, Why};
use super::digits::{DigitFilter, DigitPath};
use super::event::{CallEvent, RecordRefused};
use super::filling::Filling;
use super::leg::{Agreed, Down, Leg};
use super::playing::Playbacks;
use super::sending::Sending;
use super::times::Times;
use crate::ids::CallId;
use crate::sip::message::HeaderName;
use crate::status::{CallStatus, HangupReason};

/// A call with one party. Every verb that takes time carries a [`CommandId`] and is reported back by
/// exactly one [`CallEvent::Finished`].
#[derive(Debug)]
pub struct Call {
    id: CallId,
    pub(super) leg: Leg,
    status: CallStatus,
    is_incoming: bool,
    master: Option<CallId>,
    source: Arc<Address>,
    destination: Arc<Address>,
    times: Times,
    answering: Option<CommandId>,
    /// The sound that fills silence.
    pub(super) filling: Option<Filling>,
    pub(super) bridge: Option<BridgeId>,
    /// What it takes part in there.
    pub(super) part: Part,
    /// The party was told last that it holds us.
    pub(super) holds_us: bool,
    pub(super) playbacks: Playbacks,
    pub(super) sending: Sending,
    recording: Option<Recording>,
    pub(super) muted: Mute,
    digits: DigitFilter,
    cause: Option<Cause>,
    /// What the session did, once it is gone.
    /// What the media session did, once it is gone.
    stats: Option<Box<SessionStats>>,
    events: VecDeque<CallEvent>,
}

/// The running recording.
#[derive(Debug)]
struct Recording {
    command: CommandId,
    end_of_key: Vec<Digit>,
}

/// How long a party is called: ten rings and more.
const DIALING: Duration = Duration::from_secs(60);

/// The longest call, both directions: longer ones are nearly always forgotten ones.
const LONGEST: Duration = Duration::from_secs(3600);

impl Call {
    /// An incoming call; it rings from the start.
    #[must_use]
    pub fn incoming(
        now: Instant,
        id: CallId,
        leg: Leg,
        source: impl Into<Arc<Address>>,
        destination: impl Into<Arc<Address>>,
    ) -> Self {
        let mut call = Self::outgoing(now, id, leg, source, destination, None);
        call.times.enter(now, CallStatus::Ringing);
        Self {
            status: CallStatus::Ringing,
            is_incoming: true,
            ..call
        }
    }

    /// A call that we are about to make, for `master` when that is a call; see [`Call::dial`].
    #[must_use]
    pub fn outgoing(
        now: Instant,
        id: CallId,
        leg: Leg,
        source: impl Into<Arc<Address>>,
        destination: impl Into<Arc<Address>>,
        master: Option<CallId>,
    ) -> Self {
        Self {
            id,
            leg,
            status: CallStatus::Dialing,
            is_incoming: false,
            master,
            source: source.into(),
            destination: destination.into(),
            times: Times::new(now),
            answering: None,
            filling: None,
            bridge: None,
            part: Part::NONE,
            holds_us: false,
            playbacks: Playbacks::default(),
            sending: Sending::default(),
            recording: None,
            muted: Mute::Off,
            digits: DigitFilter::default(),
            cause: None,
            stats: None,
            events: VecDeque::new(),
        }
    }

    /// Takes the next piece of news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<CallEvent> {
        self.events.pop_front()
    }

    /// When the call has lasted too long, or the party has not answered in time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let most = if self.is_dialing() { DIALING } else { LONGEST };
        self.is_alive().then(|| self.times.began + most)
    }

    /// Ends the call when it has lasted too long, or nobody has answered in time.
    pub fn handle_timeout(&mut self, down: &mut Down<'_>) {
        if self.poll_timeout().is_none_or(|at| at > down.now) {
            return;
        }
        let (reason, why) = match self.status {
            CallStatus::Dialing => (HangupReason::Dialout, Why::NoResponse),
            _ if self.is_dialing() => (HangupReason::NoAnswer, Why::NobodyAnswered),
            _ => (HangupReason::Timeout, Why::TooLong),
        };
        self.hangup(down, Cause::local(reason, why));
    }

    // Verbs.

    /// Says that we are alerting, unless more has been said already.
    pub fn ring(&mut self, down: &mut Down<'_>) {
        if self.is_incoming && self.is_alive() && self.status == CallStatus::Ringing {
            self.leg.ring(down);
        }
    }

    /// Answers; finished when the peer's side of the media is known. Harmless on an answered call; a
    /// party that we call answers itself, and is waited for.
    pub fn answer(&mut self, down: &mut Down<'_>, command: CommandId) {
        match self.status {
            _ if self.is_dialing() || self.answering.is_some() => {
                // Asked again: both wait for the same, so the first is done.
                if let Some(earlier) = self.answering.replace(command) {
                    self.finish(earlier, Outcome::Done);
                }
                return;
            }
            CallStatus::Dialing | CallStatus::Ringing => match self.leg.answer(down) {
                Agreed::Now => self.finish(command, Outcome::Done),
                Agreed::WithAck => self.answering = Some(command),
            },
            CallStatus::Progressing => return self.finish(command, Outcome::Done),
            CallStatus::Terminating | CallStatus::Canceling | CallStatus::Hangup => {
                return self.finish(command, Outcome::Canceled);
            }
        }
        self.enter(down.now, CallStatus::Progressing);
        self.tell_held();
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
        if !self.cancel_play(down, command)
            && !self.cancel_digits(down, command)
            && !self.cancel_filling(down, command)
        {
            let session = self.leg.session();
            down.media.push_back(Command::Cancel { session, command });
        }
    }

    /// Ends the call: BYE when it is answered; before, a refusal of one that came in, and CANCEL of one
    /// that we make.
    pub fn hangup(&mut self, down: &mut Down<'_>, cause: Cause) {
        if !self.is_alive() {
            return;
        }
        let cause = self.fitting(cause);
        let reason = Bytes::from(cause.reason_header());
        match self.leg.dialog() {
            Some(dialog) if self.is_incoming && self.status != CallStatus::Progressing => {
                let headers = vec![(HeaderName::Reason, reason)];
                down.endpoint
                    .refuse(down.now, dialog, cause.refusal(), headers);
            }
            Some(dialog) => down.endpoint.bye(down.now, dialog, Some(reason)),
            None => {}
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
        self.handle_agreed(down);
        self.tell_held();
    }

    /// It is known where to send sound to.
    pub(super) fn handle_agreed(&mut self, down: &mut Down<'_>) {
        if let Some(command) = self.answering.take() {
            self.finish(command, Outcome::Done);
        }
        self.play_next(down);
        self.send_next(down);
    }

    /// The party wants to change the session.
    pub fn handle_offered(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        if self.is_alive() {
            self.leg.handle_offered(down, sdp);
            self.tell_held();
        }
    }

    /// The party answered an offer of ours within the call with a description, perhaps of a new address.
    pub fn handle_answered(&mut self, down: &mut Down<'_>, sdp: &Bytes) {
        if self.is_alive() {
            self.leg.take_answer(down, sdp);
            self.tell_held();
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
    ///
    /// `false`: it is known already, by another way, or comes too late.
    pub fn handle_digit(&mut self, down: &mut Down<'_>, digit: Digit, path: DigitPath) -> bool {
        if !self.is_alive() || !self.digits.is_new(down.now, digit, path) {
            return false;
        }
        self.events.push_back(CallEvent::Digit(digit));
        let ends_recording = |recording: &Recording| recording.end_of_key.contains(&digit);
        if path == DigitPath::Info && self.recording.as_ref().is_some_and(ends_recording) {
            self.stop_recording(down);
        }
        self.interrupt_play(down, digit, path);
        true
    }

    /// The engine finished an order; what waited for it has its turn.
    pub fn handle_finished(&mut self, down: &mut Down<'_>, command: CommandId, outcome: Outcome) {
        let outcome = self.playbacks.ended(command, outcome);
        self.filling.take_if(|filling| filling.is_for(command));
        self.sending.ended(command);
        self.recording
            .take_if(|recording| recording.command == command);
        self.finish(command, outcome);
        self.play_next(down);
        self.send_next(down);
    }

    /// The media session is gone: after our close, or because the engine gave it up.
    pub fn handle_closed(&mut self, down: &mut Down<'_>, stats: Box<SessionStats>) {
        self.leg.handle_open_failed();
        self.stats = Some(stats);
        if self.is_alive() {
            self.hangup(down, Cause::local(HangupReason::Failed, Why::MediaFailed));
        } else {
            self.end(down.now);
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

    /// Claims that the party called us, not we it.
    #[must_use]
    pub const fn is_incoming(&self) -> bool {
        self.is_incoming
    }

    /// Claims that we call the party, and it has not answered.
    #[must_use]
    pub const fn is_dialing(&self) -> bool {
        !self.is_incoming && matches!(self.status, CallStatus::Dialing | CallStatus::Ringing)
    }

    /// The call that this one was made for.
    #[must_use]
    pub const fn master(&self) -> Option<CallId> {
        self.master
    }

    /// Why it is over; it is not while there is none.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Who calls.
    #[must_use]
    pub const fn source(&self) -> &Arc<Address> {
        &self.source
    }

    /// Who is called.
    #[must_use]
    pub const fn destination(&self) -> &Arc<Address> {
        &self.destination
    }

    /// When it came where.
    #[must_use]
    pub const fn times(&self) -> Times {
        self.times
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
            self.open_way(down);
            down.media.push_back(order);
        } else {
            self.finish(command, Outcome::Canceled);
        }
    }

    /// Lets sound flow before the answer, as far as the party allows it.
    pub(super) fn open_way(&mut self, down: &mut Down<'_>) {
        match self.status {
            CallStatus::Ringing if self.is_incoming => self.leg.ring_with_media(down),
            CallStatus::Dialing | CallStatus::Ringing => self.leg.run_unheard(down),
            _ => {}
        }
    }

    /// A call that we make says no more of its end than that it was hung up by us, but for an answering
    /// machine, too long a call and a fault of our own.
    fn fitting(&self, cause: Cause) -> Cause {
        if self.is_incoming || cause.by == HangupBy::Remote {
            return cause;
        }
        let reason = match (&cause.why, cause.reason) {
            (
                Why::MediaFailed
                | Why::Internal
                | Why::BadAnswer
                | Why::NobodyAnswered
                | Why::NoResponse,
                told,
            ) => told,
            _ if self.is_dialing() => HangupReason::Cancel,
            (_, told @ (HangupReason::Amd | HangupReason::Timeout)) => told,
            _ => HangupReason::Normal,
        };
        Cause { reason, ..cause }
    }

    /// The party is told; what still runs ends. Who hung up shows in the status: only our own hanging
    /// up is a state of its own.
    pub(super) fn close(&mut self, down: &mut Down<'_>, cause: Cause) {
        if cause.by == HangupBy::Local && self.is_dialing() {
            self.enter(down.now, CallStatus::Canceling);
        } else if cause.by == HangupBy::Local {
            self.enter(down.now, CallStatus::Terminating);
        }
        self.cause = Some(cause);
        self.times.ended = Some(down.now);
        self.events.push_back(CallEvent::HungUp);
        if let Some(command) = self.answering.take() {
            self.finish(command, Outcome::Canceled);
        }
        self.cancel_unheard();
        self.cancel_unsent();
        self.cancel_unfilled();
        if !self.leg.close(down) {
            self.end(down.now);
        }
    }

    fn end(&mut self, now: Instant) {
        if self.status == CallStatus::Hangup {
            return;
        }
        if let Some(cause) = self.cause.clone() {
            self.enter(now, CallStatus::Hangup);
            let stats = self.stats.take().unwrap_or_default();
            self.events.push_back(CallEvent::Ended { cause, stats });
        }
    }

    pub(super) fn enter(&mut self, now: Instant, status: CallStatus) {
        if self.status.may_become(status) {
            tracing::debug!(call = %self.id, from = ?self.status, to = ?status, "status");
            self.status = status;
            self.times.enter(now, status);
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
