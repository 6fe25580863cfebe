//! The one owner: it holds the SIP core, all calls and all activeflows, and joins them.
//!
//! ```text
//!   Input ──> Switch ──┬── sip::Endpoint ── Event ──> arrive ──> Call
//!                      ├── Call ─────────── CallEvent ──────> perform ──> Activeflow
//!                      ├── Activeflow ───── FlowCommand ────> perform ──> Call
//!                      └── Control ─────────────────────────> control ──> Call, Activeflow
//!   Output <── what they want sent, played, fetched; one Timeout when all are content
//! ```
//!
//! One input is handled to its end before the next: `settle` turns the news of each into verbs of the
//! others until nobody has any.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, CommandId, Event as MediaEvent, SessionId};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;
use uuid::Uuid;

use crate::call::cause::{Cause, Why};
use crate::call::digits::DigitPath;
use crate::call::{Call, Down};
use crate::flow::{Activeflow, FlowCommandId, OnComplete};
use crate::ids::{ActiveflowId, CallId, RecordingId, Rng};
use crate::sip::auth::Authenticator;
use crate::sip::registrar::Registrar;
use crate::sip::{DialogId, EndCause, Endpoint, Event as SipEvent};
use crate::status::HangupReason;
use crate::store::access::Access;
use crate::store::flows::FlowTable;
use crate::store::messages::MessageTable;
use crate::store::recordings::RecordingTable;
use crate::store::transcripts::TranscriptTable;
use crate::time::{DeadlineQueue, Epoch, Seldom};

mod arrive;
mod ask;
mod control;
mod io;
mod messaging;
mod outside;
mod perform;
mod recording;
mod register;
mod summing;
mod talk;
mod talking;
mod transcribing;
mod wall;

#[cfg(test)]
mod tests;

pub use control::{CallVerb, Control, ControlError, ControlId, FlowVerb};
pub use io::{Input, Output, Report, Source};
pub use outside::{
    Assistant, ChatMessage, ChatRole, Mail, OrderId, OutsideAnswer, OutsideFailure, OutsideRequest,
    Providers, Sound, TextMessage,
};

/// What the switch is told once.
pub struct SwitchConfig {
    /// Where recordings go.
    pub recordings: PathBuf,
    /// What `recording_start` and `beep` play.
    pub beep: Arc<Prompt>,
    /// The digest realm (RFC 7616 §3.3).
    pub realm: String,
    /// The limits of one activeflow.
    pub flow_limits: crate::flow::Limits,
    /// Calls at once; more are refused with 503.
    pub calls: usize,
    /// Which servers there are outside.
    pub providers: Providers,
    /// Who talks with callers.
    pub assistant: Assistant,
}

/// The whole switch as a value: inputs in, outputs polled.
pub struct Switch {
    config: SwitchConfig,
    epoch: Epoch,
    rng: Rng,
    endpoint: Endpoint,
    registrar: Registrar,
    authenticator: Authenticator,
    access: Access,
    flows: FlowTable,
    arrivals: HashMap<SessionId, arrive::Arrival>,
    calls: HashMap<CallId, Entry>,
    dialogs: HashMap<DialogId, SessionId>,
    sessions: HashMap<SessionId, CallId>,
    activeflows: HashMap<ActiveflowId, Run>,
    orders: HashMap<CommandId, Order>,
    /// Orders to the world outside.
    asked: HashMap<OrderId, ask::Asker>,
    /// Those that could not be given.
    unasked: VecDeque<(OrderId, OutsideFailure)>,
    transcriptions: HashMap<Uuid, transcribing::Transcription>,
    recordings: RecordingTable,
    transcripts: TranscriptTable,
    messages: MessageTable,
    /// Why the newest calls ended.
    ended: VecDeque<(CallId, HangupReason)>,
    deadlines: DeadlineQueue<Deadline>,
    news: BTreeSet<News>,
    media: VecDeque<Command>,
    outputs: VecDeque<Output>,
    issued: u64,
    stopping: Option<Instant>,
    is_overloaded: bool,
    refusals: Seldom,
    bars: Seldom,
}

/// A call, and what the switch knows of it.
struct Entry {
    call: Call,
    activeflow: Option<ActiveflowId>,
    recording: Option<CommandId>,
    transcribing: Option<Uuid>,
    /// `recording_stop` actions that wait for the files.
    waiting_for_recording: Vec<(ActiveflowId, FlowCommandId)>,
    /// The flow that follows once the call's files are complete.
    after: Option<OnComplete>,
}

/// An activeflow, and what it acts on.
struct Run {
    activeflow: Activeflow,
    /// One started by a message or another end than a call's has none.
    call: Option<CallId>,
    running: Vec<(FlowCommandId, CommandId)>,
    talking: Option<talking::Talking>,
    /// How many flows followed one another up to this one, each at the end of a transcription or a
    /// summary of the one before.
    generation: u32,
}

/// A verb under way.
struct Order {
    call: CallId,
    purpose: Purpose,
}

/// What a verb is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// A command of a flow.
    Flow(ActiveflowId, FlowCommandId),
    /// A recording of the call.
    Recording(RecordingId),
    /// A transcription of the call.
    Transcribing(Uuid),
    /// The talk of a flow.
    Talking(ActiveflowId),
    /// Asked for from outside: its end is told to nobody.
    Control,
}

/// Who wants to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Deadline {
    Call(CallId),
    Flow(ActiveflowId),
    Talk(ActiveflowId),
}

/// Who has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Call(CallId),
    Flow(ActiveflowId),
}

/// How long a stopping switch waits for peers to answer its BYEs: four resends.
const STOP_PATIENCE: Duration = Duration::from_secs(4);

impl Switch {
    /// A switch that knows nobody's flows yet.
    #[must_use]
    pub fn new(
        now: Instant,
        config: SwitchConfig,
        endpoint: Endpoint,
        access: Access,
        epoch: Epoch,
        mut rng: Rng,
    ) -> Self {
        Self {
            registrar: Registrar::new(),
            authenticator: Authenticator::new(now, config.realm.clone(), rng.fork()),
            config,
            epoch,
            rng,
            endpoint,
            access,
            flows: FlowTable::default(),
            arrivals: HashMap::new(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            sessions: HashMap::new(),
            activeflows: HashMap::new(),
            orders: HashMap::new(),
            asked: HashMap::new(),
            unasked: VecDeque::new(),
            transcriptions: HashMap::new(),
            recordings: RecordingTable::default(),
            transcripts: TranscriptTable::default(),
            messages: MessageTable::default(),
            ended: VecDeque::new(),
            deadlines: DeadlineQueue::new(),
            news: BTreeSet::new(),
            media: VecDeque::new(),
            outputs: VecDeque::new(),
            issued: 0,
            stopping: None,
            is_overloaded: false,
            refusals: Seldom::default(),
            bars: Seldom::default(),
        }
    }

    /// Takes one input to its end.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip { hop, message } => {
                let trusted = self.is_trusted(&hop);
                self.endpoint.handle_message(now, hop, message, trusted);
            }
            Input::SipClosed { hop } => {
                self.registrar.handle_connection_lost(hop);
                self.endpoint.handle_transport_error(now, hop);
            }
            Input::Media(event) => self.handle_media(now, event),
            Input::Fetched { command, prompts } => self.handle_fetched(now, command, prompts),
            Input::Outside { order, answer } => self.handle_outside(now, order, answer),
            Input::Control { request, control } => self.handle_control(now, request, control),
            Input::Message {
                source,
                destination,
                text,
                flow,
            } => self.handle_message(now, source, destination, text, flow.as_deref()),
            Input::Flows(flows) => self.flows = flows,
            Input::Overload(is_overloaded) => self.is_overloaded = is_overloaded,
            Input::Stop => self.stop(now),
        }
        self.settle(now);
    }

    /// Lets everything act that is due; early or double calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.registrar.handle_timeout(now);
        while let Some(deadline) = self.deadlines.poll(now) {
            match deadline {
                Deadline::Call(id) => {
                    self.with_call(now, id, |call, down| call.handle_timeout(down))
                }
                Deadline::Flow(id) => {
                    self.with_flow(now, id, |flow| flow.handle_timeout(now));
                }
                Deadline::Talk(id) => {
                    self.with_current_talk(now, id, |talk| talk.handle_timeout(now));
                }
            }
        }
        self.settle(now);
    }

    /// Takes the next output; drain until [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self, now: Instant) -> Output {
        if let Some(transmit) = self.endpoint.poll_transmit() {
            return Output::Transmit(transmit);
        }
        if let Some(command) = self.media.pop_front() {
            return Output::Media(command);
        }
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.is_stopped(now) {
            return Output::Stopped;
        }
        let deadlines = [
            self.endpoint.poll_timeout(),
            self.registrar.poll_timeout(),
            self.deadlines.poll_timeout(),
            self.stopping,
        ];
        Output::Timeout(deadlines.into_iter().flatten().min())
    }

    /// Calls that are not over.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn stop(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!(
            calls = self.calls.len(),
            "stopping: no new calls, ending those there are"
        );
        self.stopping = Some(now + STOP_PATIENCE);
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        let arrivals: Vec<SessionId> = self.arrivals.keys().copied().collect();
        for session in arrivals {
            self.send_away(now, session);
            self.media.push_back(Command::Close { session });
        }
        for id in ids {
            let cause = Cause::local(HangupReason::Normal, Why::Stopping);
            self.with_call(now, id, |call, down| call.hangup(down, cause));
        }
    }

    fn is_stopped(&self, now: Instant) -> bool {
        let Some(until) = self.stopping else {
            return false;
        };
        // A dialog of the endpoint outlives its call while a BYE waits for the ACK or its answer.
        until <= now || self.calls.is_empty() && self.endpoint.stats().dialogs == 0
    }

    /// Turns news into verbs until there is none.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                self.handle_sip(now, event);
            } else if let Some((order, failure)) = self.unasked.pop_front() {
                self.handle_outside(now, order, OutsideAnswer::Failed(failure));
            } else if let Some(news) = self.news.pop_first() {
                match news {
                    News::Call(id) => self.drain_call(now, id),
                    News::Flow(id) => self.drain_flow(now, id),
                }
            } else {
                return;
            }
        }
    }

    fn handle_sip(&mut self, now: Instant, event: SipEvent) {
        match event {
            SipEvent::Invited {
                dialog,
                request,
                hop,
            } => self.handle_invited(now, dialog, &request, hop),
            SipEvent::Request {
                request,
                message,
                hop,
            } => self.handle_request(now, request, &message, hop),
            SipEvent::Acked { dialog, sdp } => {
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_acked(down, sdp.as_ref())
                });
            }
            SipEvent::Offered { dialog, sdp, .. } => {
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_offered(down, sdp.as_ref())
                });
            }
            SipEvent::Answered { dialog, sdp } => {
                self.with_dialog(now, dialog, |call, down| call.handle_answered(down, &sdp));
            }
            SipEvent::Digit { dialog, digit, .. } => {
                if let Some(digit) = Digit::from_char(digit) {
                    self.with_dialog(now, dialog, |call, down| {
                        call.handle_digit(down, digit, DigitPath::Info)
                    });
                }
            }
            SipEvent::Canceled { dialog } => {
                let mut cause = Cause::remote(Why::Canceled);
                cause.reason = HangupReason::Cancel;
                self.handle_gone(now, dialog, cause);
            }
            SipEvent::Ended { dialog, cause } => {
                let cause = match cause {
                    EndCause::Bye { .. } => Cause::remote(Why::PeerHungUp),
                    EndCause::NoAck => Cause::local(HangupReason::Failed, Why::NoAck),
                    EndCause::SessionExpired => {
                        Cause::local(HangupReason::Timeout, Why::SessionExpired)
                    }
                    _ => Cause::remote(Why::PeerGone),
                };
                self.handle_gone(now, dialog, cause);
            }
        }
    }

    fn handle_gone(&mut self, now: Instant, dialog: DialogId, cause: Cause) {
        let Some(session) = self.dialogs.remove(&dialog) else {
            return;
        };
        if self.arrivals.remove(&session).is_some() {
            self.media.push_back(Command::Close { session });
        } else if let Some(id) = self.sessions.get(&session).copied() {
            self.with_call(now, id, |call, down| call.handle_gone(down, cause));
        }
    }

    fn handle_media(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Opened { session, port } => self.handle_opened(now, session, port),
            MediaEvent::OpenFailed { session, why } => self.handle_open_failed(now, session, &why),
            MediaEvent::Digit {
                session,
                digit,
                source,
            } => {
                if let Some(id) = self.sessions.get(&session).copied() {
                    let path = DigitPath::from(source);
                    self.with_call(now, id, |call, down| call.handle_digit(down, digit, path));
                }
            }
            MediaEvent::Finished { command, outcome } => {
                if let Some(id) = self.orders.get(&command).map(|order| order.call) {
                    self.with_call(now, id, |call, down| {
                        call.handle_finished(down, command, outcome);
                    });
                }
            }
            MediaEvent::Utterance(said) => {
                if let Some(id) = self.sessions.get(&said.session).copied() {
                    self.with_call(now, id, |call, _| call.handle_utterance(said));
                }
            }
            MediaEvent::Closed { session, stats } => {
                if let Some(id) = self.sessions.get(&session).copied() {
                    self.with_call(now, id, |call, down| call.handle_closed(down, stats));
                }
            }
        }
    }

    fn with_dialog(
        &mut self,
        now: Instant,
        dialog: DialogId,
        act: impl FnOnce(&mut Call, &mut Down<'_>),
    ) {
        let session = self.dialogs.get(&dialog);
        if let Some(id) = session
            .and_then(|session| self.sessions.get(session))
            .copied()
        {
            self.with_call(now, id, act);
        }
    }

    fn drain_call(&mut self, now: Instant, id: CallId) {
        while let Some(event) = self
            .calls
            .get_mut(&id)
            .and_then(|entry| entry.call.poll_event())
        {
            self.handle_call(now, id, event);
        }
    }

    fn drain_flow(&mut self, now: Instant, id: ActiveflowId) {
        while let Some(command) = self
            .activeflows
            .get_mut(&id)
            .and_then(|run| run.activeflow.poll_command())
        {
            self.perform(now, id, command);
        }
        let at = self
            .activeflows
            .get(&id)
            .and_then(|run| run.activeflow.poll_timeout());
        self.deadlines.set(Deadline::Flow(id), at);
    }

    fn next_number(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }
}
