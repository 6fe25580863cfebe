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

use flowswitch_media::command::{BridgeId, Command, CommandId, ExternalId, SessionId};
use flowswitch_media::prompt::Prompt;
use uuid::Uuid;

use crate::call::Call;
use crate::call::cause::Cause;
use crate::flow::{Activeflow, Flow, FlowCommandId, OnComplete};
use crate::ids::{ActiveflowId, CallId, RecordingId, Rng};
use crate::sip::auth::Authenticator;
use crate::sip::message::Algorithm;
use crate::sip::registrar::Registrar;
use crate::sip::{AskId, DialogId, Endpoint};
use crate::store::access::Access;
use crate::store::calls::CallCounts;
use crate::store::codecs::CodecTable;
use crate::store::directory::Directory;
use crate::store::flows::FlowTable;
use crate::store::messages::MessageTable;
use crate::store::recordings::RecordingTable;
use crate::store::transcripts::TranscriptTable;
use crate::time::{DeadlineQueue, Epoch, Seldom};

mod agents;
mod arrive;
mod ask;
mod bridges;
mod calls;
mod carriers;
mod conference;
mod conferencing;
mod connect;
mod control;
mod dial;
mod direct;
mod external;
mod filling;
mod hold;
mod identity;
mod io;
mod messaging;
mod news;
mod outgoing;
mod outside;
mod parting;
mod perform;
mod probing;
mod queue;
mod queueing;
mod receiving;
mod recording;
mod redirect;
mod refer;
mod register;
mod registering;
mod replace;
mod route;
mod seeking;
mod silent_hops;
mod stopping;
mod summing;
mod talk;
mod talking;
mod texting;
mod texts;
mod throttle;
mod transcribing;
mod transfer;
mod wall;

use dial::DialId;

#[cfg(test)]
mod tests;

pub use calls::CallsRefused;
pub use conference::{Conferencecall, ConferencecallStatus};
pub use conferencing::ConferenceVerb;
pub use control::{CallVerb, Control, ControlError, ControlId, FlowVerb};
pub use external::{
    ExternalMediaReport, ExternalNews, ExternalOrder, ExternalStatus, ExternalTarget,
};
pub use io::{Input, Output, Report, ResolveId, Source};
pub use outside::{
    Assistant, ChatMessage, ChatRole, Mail, OrderId, OutsideAnswer, OutsideFailure, OutsideRequest,
    Providers, Sound, TextMessage,
};

pub use queue::{Queuecall, QueuecallStatus};
pub use transfer::TransferKind;

/// What the switch is told once.
pub struct SwitchConfig {
    /// Where recordings go.
    pub recordings: PathBuf,
    /// What `recording_start` and `beep` play.
    pub beep: Arc<Prompt>,
    /// The digest realm (RFC 7616 §3.3).
    pub realm: String,
    /// What telephones may prove themselves by, first what is offered first.
    pub digest: Vec<Algorithm>,
    /// The limits of one activeflow.
    pub flow_limits: crate::flow::Limits,
    /// Calls at once; more are refused with 503.
    pub calls: usize,
    /// Which servers there are outside.
    pub providers: Providers,
    /// Who talks with callers.
    pub assistant: Assistant,
    /// What it speaks with whom.
    pub codecs: CodecTable,
    /// Whom it can call.
    pub directory: Directory,
    /// How often trunks are asked how they are, where no call shows it; never where it is `None`.
    pub trunks_probed_every: Option<Duration>,
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
    calls: HashMap<CallId, Box<Entry>>,
    dialogs: HashMap<DialogId, SessionId>,
    sessions: HashMap<SessionId, CallId>,
    activeflows: HashMap<ActiveflowId, Box<Run>>,
    orders: HashMap<CommandId, Order>,
    /// Orders to the world outside.
    asked: HashMap<OrderId, ask::Asker>,
    /// Those that could not be given.
    unasked: VecDeque<(OrderId, OutsideFailure)>,
    transcriptions: HashMap<Uuid, transcribing::Transcription>,
    recordings: RecordingTable,
    transcripts: TranscriptTable,
    messages: MessageTable,
    dials: HashMap<DialId, dial::Dialing>,
    bridges: bridges::Bridges,
    transfers: HashMap<BridgeId, transfer::Transfer>,
    /// Hosts that are looked for.
    resolves: HashMap<ResolveId, seeking::Seeker>,
    /// Requests of ours outside of calls.
    asks: HashMap<AskId, seeking::Seeker>,
    carriers: carriers::Carriers,
    /// Messages on their way.
    texts: HashMap<Uuid, texts::Text>,
    throttle: throttle::Throttle,
    silent_hops: silent_hops::SilentHops,
    queues: queue::Queues,
    /// Dials of agents, by the place they are for.
    ringing: HashMap<Uuid, DialId>,
    attendance: agents::Attendance,
    conferences: conference::Conferences,
    bridge_recordings: HashMap<CommandId, conferencing::BridgeRecording>,
    externals: external::Externals,
    ringback: Arc<Prompt>,
    hold_music: Arc<Prompt>,
    counts: CallCounts,
    /// Why the newest calls ended.
    ended: VecDeque<(CallId, Cause)>,
    deadlines: DeadlineQueue<Deadline>,
    news: BTreeSet<News>,
    media: VecDeque<Command>,
    outputs: VecDeque<Output>,
    issued: u64,
    opened: u64,
    stopping: Option<Instant>,
    is_overloaded: bool,
    refusals: Seldom,
    bars: Seldom,
    limits: Seldom,
    floods: Seldom,
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
    /// Claims that the party wants to stay unknown.
    is_private: bool,
    /// How a call that we make is tried.
    outgoing: Option<outgoing::Outgoing>,
    /// The flow that a called party meets.
    meets: Option<Meeting>,
    /// The dial that it was made by.
    dial: Option<DialId>,
    /// The dial by which it is being connected, or was.
    connecting: Option<DialId>,
    /// Calls that are hung up with it.
    chained: Vec<CallId>,
    /// The activeflow on whose count it is.
    made_by: Option<ActiveflowId>,
    /// What fills its silence.
    filling: filling::Filling,
    /// What keeps it from taking full part in its bridge.
    holding: hold::Holding,
    /// Agents that have answered by it.
    agents: Vec<Uuid>,
    /// Its external media.
    externals: Vec<ExternalId>,
}

impl Entry {
    /// A call that nothing is known of yet.
    fn new(call: Call) -> Self {
        Self {
            call,
            activeflow: None,
            recording: None,
            transcribing: None,
            waiting_for_recording: Vec::new(),
            after: None,
            is_private: false,
            outgoing: None,
            meets: None,
            dial: None,
            connecting: None,
            chained: Vec::new(),
            made_by: None,
            filling: filling::Filling::default(),
            holding: hold::Holding::default(),
            agents: Vec::new(),
            externals: Vec::new(),
        }
    }
}

/// A flow that a called party meets.
#[derive(Clone, Debug)]
struct Meeting {
    flow: Arc<Flow>,
    /// When it rings, not only when it answers.
    is_early: bool,
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
    /// Calls at the moment that it has made.
    calls: usize,
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
    /// What fills the silence of the call.
    Filling,
    /// Asked for from outside, or by the switch itself: its end is told to nobody.
    Control,
}

/// Who wants to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Deadline {
    Call(CallId),
    Flow(ActiveflowId),
    Talk(ActiveflowId),
    Text(Uuid),
}

/// Who has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Call(CallId),
    Flow(ActiveflowId),
    /// It rings, unless its flow had more to say.
    Ring(CallId),
}

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
            carriers: carriers::Carriers::new(
                now,
                &config.directory.trunks,
                config.trunks_probed_every,
                rng.fork(),
            ),
            registrar: Registrar::new(),
            authenticator: Authenticator::new(now, config.realm.clone(), rng.fork())
                .with_algorithms(config.digest.clone()),
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
            dials: HashMap::new(),
            bridges: bridges::Bridges::default(),
            transfers: HashMap::new(),
            resolves: HashMap::new(),
            asks: HashMap::new(),
            texts: HashMap::new(),
            throttle: throttle::Throttle::default(),
            silent_hops: silent_hops::SilentHops::default(),
            queues: queue::Queues::default(),
            ringing: HashMap::new(),
            attendance: agents::Attendance::default(),
            conferences: conference::Conferences::default(),
            bridge_recordings: HashMap::new(),
            ringback: Arc::new(Prompt::ringback()),
            hold_music: Arc::new(Prompt::hold_music()),
            counts: CallCounts::default(),
            externals: external::Externals::new(),
            ended: VecDeque::new(),
            deadlines: DeadlineQueue::new(),
            news: BTreeSet::new(),
            media: VecDeque::new(),
            outputs: VecDeque::new(),
            issued: 0,
            opened: 0,
            stopping: None,
            is_overloaded: false,
            refusals: Seldom::default(),
            bars: Seldom::default(),
            limits: Seldom::default(),
            floods: Seldom::default(),
        }
    }

    /// Takes one input to its end.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip { hop, message } => {
                let trusted = self.is_trusted(now, &hop);
                self.endpoint.handle_message(now, hop, message, trusted);
            }
            Input::SipClosed { hop } => {
                self.registrar.handle_connection_lost(hop);
                self.carriers.handle_connection_lost(now, hop.remote);
                self.endpoint.handle_transport_error(now, hop);
            }
            Input::Media(event) => self.handle_media(now, event),
            Input::Fetched { command, prompts } => self.handle_fetched(now, command, prompts),
            Input::External { external, news } => self.handle_external(now, external, news),
            Input::Outside { order, answer } => self.handle_outside(now, order, answer),
            Input::Control { request, control } => self.handle_control(now, request, control),
            Input::Message {
                source,
                destination,
                text,
                flow,
            } => self.handle_message(now, source, destination, text, flow.as_deref()),
            Input::Resolved { resolve, hops } => self.handle_resolved(now, resolve, hops),
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
                Deadline::Text(id) => self.handle_text_timeout(now, id),
            }
        }
        self.handle_carriers_timeout(now);
        self.queues.handle_timeout(now);
        self.conferences.handle_timeout(now);
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
            self.carriers.poll_timeout(),
            self.queues.poll_timeout(),
            self.conferences.poll_timeout(),
            self.stopping,
        ];
        Output::Timeout(deadlines.into_iter().flatten().min())
    }

    /// Calls that are not over.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Calls so far; each gets its [`Report::CallEnded`].
    #[must_use]
    pub const fn counts(&self) -> CallCounts {
        self.counts
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
                    News::Ring(id) => self.with_call(now, id, Call::ring),
                }
            } else if let Some(event) = self.queues.poll_event() {
                self.handle_queue(now, event);
            } else if let Some(event) = self.conferences.poll_event() {
                self.handle_conference(now, event);
            } else if !self.ring_agents(now) {
                return;
            }
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

    /// Sessions are counted alone, so that they are spread evenly over the media threads.
    fn next_session(&mut self) -> SessionId {
        self.opened += 1;
        SessionId(self.opened)
    }
}
