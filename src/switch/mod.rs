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
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{BridgeId, Command, CommandId, ExternalId, SessionId};
use flowswitch_media::prompt::Prompt;
use uuid::Uuid;

use crate::call::Call;
use crate::call::cause::Cause;
use crate::call::reason::Facts;
use crate::flow::{Activeflow, Flow, FlowCommandId, OnComplete};
use crate::ids::{ActiveflowId, CallId, IdMap, IdState, RecordingId, Rng};
use crate::sip::auth::Authenticator;
use crate::sip::registrar::Registrar;
use crate::sip::{AskId, DialogId, Endpoint};
use crate::store::calls::{CallCounts, RefusedCall};
use crate::store::flows::FlowTable;
use crate::store::messages::MessageTable;
use crate::store::recordings::RecordingTable;
use crate::store::timeline::{PathStep, Timeline};
use crate::store::transcripts::TranscriptTable;
use crate::time::{DeadlineQueue, Epoch, Seldom};

mod agents;
mod arrive;
mod ask;
mod binding;
mod bridges;
mod calls;
mod carriers;
mod conference;
mod conferencing;
mod configure;
mod connect;
mod control;
mod dial;
mod direct;
mod exchanges;
mod external;
mod filling;
mod groupcalls;
mod hold;
mod identity;
mod io;
mod messaging;
mod news;
mod outgoing;
mod outside;
mod overhearing;
mod parting;
mod perform;
mod probing;
mod queue;
mod queueing;
mod receiving;
mod recording;
mod redirect;
mod refer;
mod refusing;
mod register;
mod registering;
mod replace;
mod report;
mod route;
mod seeking;
mod silent_hops;
mod stopping;
mod summing;
mod talk;
mod talking;
mod tap;
mod telling;
mod texting;
mod texts;
mod throttle;
mod transcribing;
mod transfer;
mod wall;

use dial::DialId;

#[cfg(test)]
mod tests;

pub use conference::{Conferencecall, ConferencecallStatus};
pub use conferencing::{ConferenceRecording, ConferenceVerb};
pub use configure::Configuration;
pub use control::{
    CallVerb, Control, ControlError, ControlId, Controlled, FlowVerb, InitialVariables, Uncalled,
};
pub use external::{
    ExternalMediaReport, ExternalNews, ExternalOrder, ExternalStatus, ExternalTarget,
};
pub use io::{Input, Output, ResolveId, Source};
pub use outside::{
    Assistant, ChatMessage, ChatRole, Delivery, Mail, OrderId, OutsideAnswer, OutsideFailure,
    OutsideRequest, Providers, Sound, TextMessage,
};

pub use queue::{Queuecall, QueuecallStatus};
pub use report::{
    BindingNews, CallNews, Change, ConfbridgeNews, GroupcallNews, RecordingNews, Report,
    TranscribeNews, TransferNews,
};
pub use transfer::TransferKind;

/// What the switch is told once.
pub struct SwitchConfig {
    /// Where recordings go.
    pub recordings: PathBuf,
    /// What `recording_start` and `beep` play.
    pub beep: Arc<Prompt>,
    /// The digest realm (RFC 7616 §3.3).
    pub realm: String,
    /// What can change while it runs, to begin with.
    pub configuration: Configuration,
}

/// The whole switch as a value: inputs in, outputs polled.
pub struct Switch {
    config: Configuration,
    recordings_dir: PathBuf,
    beep: Arc<Prompt>,
    epoch: Epoch,
    rng: Rng,
    endpoint: Endpoint,
    registrar: Registrar,
    authenticator: Authenticator,
    flows: FlowTable,
    arrivals: IdMap<SessionId, arrive::Arrival>,
    calls: IdMap<CallId, Box<Entry>>,
    dialogs: IdMap<DialogId, SessionId>,
    sessions: IdMap<SessionId, CallId>,
    activeflows: IdMap<ActiveflowId, Box<Run>>,
    orders: IdMap<CommandId, Order>,
    /// Orders to the world outside.
    asked: IdMap<OrderId, ask::Asker>,
    /// Those that could not be given.
    unasked: VecDeque<(OrderId, OutsideFailure)>,
    transcriptions: HashMap<Uuid, transcribing::Transcription>,
    recordings: RecordingTable,
    transcripts: TranscriptTable,
    messages: MessageTable,
    dials: IdMap<DialId, dial::Dialing>,
    bridges: bridges::Bridges,
    transfers: IdMap<BridgeId, transfer::Transfer>,
    /// Hosts that are looked for.
    resolves: IdMap<ResolveId, seeking::Seeker>,
    /// Requests of ours outside of calls.
    asks: IdMap<AskId, seeking::Seeker>,
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
    bridge_recordings: IdMap<CommandId, conferencing::BridgeRecording>,
    externals: external::Externals,
    ringback: Arc<Prompt>,
    hold_music: Arc<Prompt>,
    counts: CallCounts,
    /// What of the input under way is needed until it is handled.
    tap: tap::Tap,
    /// INVITEs that never became a call, to be told of.
    turned_away: VecDeque<(DialogId, Box<RefusedCall>)>,
    refusals_told: refusing::Budget,
    /// Requests to servers under way for calls.
    exchanges: HashMap<OrderId, exchanges::Exchange>,
    /// Why the newest calls ended.
    ended: VecDeque<(CallId, Cause)>,
    telling: telling::Telling,
    deadlines: DeadlineQueue<Deadline, IdState>,
    news: BTreeSet<News>,
    media: VecDeque<Command>,
    outputs: VecDeque<Output>,
    issued: u64,
    /// Where the newest session was put that was to be beside none.
    lane: u8,
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
    /// The transcription of its bridge, which hears it.
    overheard: Option<Uuid>,
    /// The flow that follows its recording.
    after_recording: Option<recording::AfterRecording>,
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
    /// What is told of it.
    shown: telling::Shown,
    /// What has happened in it.
    timeline: Timeline,
    /// What may explain its end.
    facts: Facts,
    /// Where RTP is expected from.
    expected: Option<SocketAddr>,
    /// Our RTP port.
    port: Option<u16>,
    /// The steps that its flow has taken, once that is over.
    path: Vec<PathStep>,
}

impl Entry {
    /// A call that nothing is known of yet.
    fn new(call: Call) -> Self {
        Self {
            call,
            activeflow: None,
            recording: None,
            transcribing: None,
            overheard: None,
            after_recording: None,
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
            shown: telling::Shown::default(),
            timeline: Timeline::new(),
            facts: Facts::default(),
            expected: None,
            port: None,
            path: Vec::new(),
        }
    }
}

/// A flow that a called party meets.
#[derive(Clone, Debug)]
struct Meeting {
    flow: Arc<Flow>,
    /// What it begins with beside what it knows of its call.
    variables: Arc<[(String, String)]>,
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
    /// What is told of it.
    shown: telling::RunShown,
    /// Steps of it that stand in the timeline of the call.
    noted: u64,
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
        epoch: Epoch,
        mut rng: Rng,
    ) -> Self {
        let SwitchConfig {
            recordings,
            beep,
            realm,
            configuration: config,
        } = config;
        Self {
            carriers: carriers::Carriers::new(
                now,
                &config.directory.trunks,
                config.trunks_probed_every,
                rng.fork(),
            ),
            registrar: Registrar::new(),
            authenticator: Authenticator::new(now, realm, rng.fork())
                .with_algorithms(config.digest.clone()),
            config,
            recordings_dir: recordings,
            beep,
            epoch,
            rng,
            endpoint,
            flows: FlowTable::default(),
            arrivals: IdMap::default(),
            calls: IdMap::default(),
            dialogs: IdMap::default(),
            sessions: IdMap::default(),
            activeflows: IdMap::default(),
            orders: IdMap::default(),
            asked: IdMap::default(),
            unasked: VecDeque::new(),
            transcriptions: HashMap::new(),
            recordings: RecordingTable::default(),
            transcripts: TranscriptTable::default(),
            messages: MessageTable::default(),
            dials: IdMap::default(),
            bridges: bridges::Bridges::default(),
            transfers: IdMap::default(),
            resolves: IdMap::default(),
            asks: IdMap::default(),
            texts: HashMap::new(),
            throttle: throttle::Throttle::default(),
            silent_hops: silent_hops::SilentHops::default(),
            queues: queue::Queues::default(),
            ringing: HashMap::new(),
            attendance: agents::Attendance::default(),
            conferences: conference::Conferences::default(),
            bridge_recordings: IdMap::default(),
            ringback: Arc::new(Prompt::ringback()),
            hold_music: Arc::new(Prompt::hold_music()),
            counts: CallCounts::default(),
            externals: external::Externals::new(),
            tap: tap::Tap::default(),
            turned_away: VecDeque::new(),
            refusals_told: refusing::Budget::default(),
            exchanges: HashMap::new(),
            ended: VecDeque::new(),
            telling: telling::Telling::default(),
            deadlines: DeadlineQueue::default(),
            news: BTreeSet::new(),
            media: VecDeque::new(),
            outputs: VecDeque::new(),
            issued: 0,
            lane: 0,
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
        self.begin(now);
        match input {
            Input::Sip { hop, message } => {
                let trusted = self.is_trusted(now, &hop);
                let heard = tap::heard(hop.remote, &message);
                let dialog = self.endpoint.handle_message(now, hop, message, trusted);
                if let (Some(dialog), Some(heard)) = (dialog, heard) {
                    self.sip_heard(dialog, heard);
                }
            }
            Input::SipClosed { hop } => {
                self.registrar.handle_connection_lost(hop);
                self.carriers.handle_connection_lost(now, hop.remote);
                self.endpoint.handle_transport_error(now, hop);
            }
            Input::Media(event) => self.handle_media(now, event),
            Input::Fetched { command, prompts } => self.handle_fetched(now, command, prompts),
            Input::External { external, news } => self.handle_external(now, external, news),
            Input::Outside { order, answer } => {
                self.exchange_answered(order, &answer);
                self.handle_outside(now, order, answer);
            }
            Input::Delivered { order, delivery } => self.delivered(order, delivery),
            Input::Control { request, control } => self.handle_control(now, request, control),
            Input::Message {
                source,
                destination,
                text,
                flow,
            } => self.handle_message(now, source, destination, text, flow.as_deref()),
            Input::Resolved { resolve, hops } => self.handle_resolved(now, resolve, hops),
            Input::Bindings(bindings) => self.restore_bindings(now, bindings),
            Input::Flows(flows) => self.flows = flows,
            Input::Configure(configuration) => self.configure(now, *configuration),
            Input::Overload(is_overloaded) => self.is_overloaded = is_overloaded,
            Input::Stop => self.stop(now),
        }
        self.settle(now);
    }

    /// Lets everything act that is due; early or double calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.begin(now);
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
        if let Some((transmit, dialog)) = self.endpoint.poll_transmit_of() {
            if let Some(dialog) = dialog {
                self.sip_sent(dialog, &transmit);
            }
            return Output::Transmit(transmit);
        }
        if let Some(command) = self.media.pop_front() {
            self.media_ordered(&command);
            return Output::Media(command);
        }
        if let Some(refused) = self.poll_refused() {
            return refused;
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
                let answer = OutsideAnswer::Failed(failure);
                self.exchange_answered(order, &answer);
                self.handle_outside(now, order, answer);
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
                self.tell_bindings();
                return self.tell_changes(now);
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
        self.note_steps(id);
        self.look_at_flow(id);
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

    /// A session on the lane of the call that it will be joined with, so that neither has to move; else on the
    /// next, so that they are spread evenly over the media threads.
    fn next_session(&mut self, beside: Option<CallId>) -> SessionId {
        let lane = beside.and_then(|call| self.lane_of(call));
        let lane = lane.unwrap_or_else(|| {
            self.lane = self.lane.wrapping_add(1);
            self.lane
        });
        SessionId::on(lane, self.next_number())
    }

    /// The lane that the sound of a call began on.
    fn lane_of(&self, call: CallId) -> Option<u8> {
        let entry = self.calls.get(&call)?;
        Some(entry.call.leg().session().lane())
    }
}
