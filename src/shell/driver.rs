//! The one task that owns the switch: one input, drain what it wants, arm the timer.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::codec::Codec;
use flowswitch_media::command::{Command, CommandId, SessionStats};
use flowswitch_media::host::{MediaHost, Told};
use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::external::Externals;
use super::outside::Outside;
use super::prompts::Prompts;
use super::resolver::Resolver;
use super::transport::Transports;
use crate::api::{Asked, News, NewsSender, Reply};
use crate::ids::CallId;
use crate::sip::SipHost;
use crate::store::calls::CallRecord;
use crate::store::transcripts::Transcript;
use crate::switch::{
    ConfbridgeNews, Conferencecall, ControlId, Delivery, Input, OrderId, Output, OutsideAnswer,
    OutsideFailure, OutsideRequest, Queuecall, Report, ResolveId, Source, Switch, TranscribeNews,
};

/// The switch with the world around it.
pub struct Driver {
    /// The switch.
    pub switch: Switch,
    /// Where its messages go.
    pub transports: Transports,
    /// Where its media orders go.
    pub media: MediaHost,
    /// What finds the hosts it wants to reach.
    pub resolver: Arc<Resolver>,
    /// What makes its prompts.
    pub prompts: Arc<Prompts>,
    /// What does the rest of its errands.
    pub outside: Arc<Outside>,
    /// What carries sound to other hosts.
    pub externals: Externals,
    /// Where its errands run, which may keep a thread busy.
    pub errands: Handle,
    /// What happens, but for media.
    pub inputs: mpsc::Receiver<Input>,
    /// For answers that come later.
    pub answers: mpsc::Sender<Input>,
    /// Answers that were there at once.
    pub ready: VecDeque<Input>,
    /// What is asked by REST.
    pub asked: mpsc::Receiver<Asked>,
    /// Who waits for the answer of the switch, by the number of the request.
    pub replies: Replies,
    /// Whom all news goes to.
    pub desk: NewsSender,
    /// What happens in the media engine; never dropped, and bounded by the orders that were given.
    pub events: mpsc::UnboundedReceiver<Told>,
}

/// Requests that the switch has not answered.
#[derive(Debug, Default)]
pub struct Replies {
    waiting: HashMap<ControlId, Reply>,
    issued: u64,
}

impl Replies {
    fn expect(&mut self, reply: Reply) -> ControlId {
        self.issued += 1;
        let request = ControlId(self.issued);
        self.waiting.insert(request, reply);
        request
    }
}

impl Driver {
    /// Runs until everything asked for by [`Input::Stop`] is done.
    pub async fn run(mut self) {
        let mut is_overloaded = false;
        let mut errands = JoinSet::new();
        let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
        let mut row = 0;
        while let Some(deadline) = self.drain(&mut errands) {
            while errands.try_join_next().is_some() {}
            row += 1;
            let is_idle = self.ready.is_empty()
                && self.events.is_empty()
                && self.inputs.is_empty()
                && self.asked.is_empty();
            if row == ROW || is_idle {
                self.media.flush();
                row = 0;
            }
            if let Some(input) = self.ready.pop_front() {
                self.switch.handle_input(Instant::now(), input);
                continue;
            }
            let input = tokio::select! {
                biased;
                Some(told) = self.events.recv() => Input::Media(told.take(Instant::now())),
                () = until(&mut alarm, deadline) => {
                    self.switch.handle_timeout(Instant::now());
                    continue;
                }
                Some(input) = self.inputs.recv() => input,
                Some(Asked { control, reply }) = self.asked.recv() => {
                    let request = self.replies.expect(reply);
                    Input::Control { request, control }
                }
            };
            let now = Instant::now();
            let waiting = self.inputs.len();
            let (many, few) = (
                self.inputs.max_capacity() / 2,
                self.inputs.max_capacity() / 8,
            );
            let untold = self.desk.waiting();
            let is_much = waiting > many || untold > UNTOLD;
            let is_little = waiting < few && untold < UNTOLD / 4;
            if (!is_overloaded && is_much) || (is_overloaded && is_little) {
                is_overloaded = !is_overloaded;
                tracing::warn!(is_overloaded, waiting, untold, "queues of the switch");
                self.switch
                    .handle_input(now, Input::Overload(is_overloaded));
            }
            self.switch.handle_input(now, input);
        }
        let finishing = async {
            while errands.join_next().await.is_some() {}
            self.outside.finish().await;
        };
        if tokio::time::timeout(LAST_ERRANDS, finishing).await.is_err() {
            tracing::warn!("webhooks or mails are left undelivered");
        }
        // Sessions are closed and files complete when this returns; it may wait for a disk.
        let mut media = self.media;
        let stopped = tokio::task::spawn_blocking(move || media.stop()).await;
        if stopped.is_err() {
            tracing::error!("the media engine did not stop in order");
        }
    }

    /// Carries out what the switch wants; `None` when it has stopped.
    fn drain(&mut self, errands: &mut JoinSet<()>) -> Option<Option<Instant>> {
        let now = Instant::now();
        loop {
            match self.switch.poll_output(now) {
                Output::Transmit(transmit) => self.transports.send(transmit),
                Output::Media(Command::OpenExternal {
                    external,
                    session,
                    config,
                }) => self
                    .externals
                    .let_in(&mut self.media, external, session, config),
                Output::Media(command) => self.media.post(command),
                Output::External { external, order } => self.externals.order(external, order),
                Output::Fetch { command, sources } => self.fetch(command, sources),
                Output::Outside { order, request } => {
                    errands.spawn_on(self.carry_out(order, request), &self.errands);
                }
                Output::Resolve { resolve, host } => self.resolve(resolve, host),
                Output::Controlled { request, result } => {
                    if let Some(reply) = self.replies.waiting.remove(&request) {
                        self.desk.tell(News::Answered { reply, result });
                    }
                }
                Output::Report(report) => {
                    tell(&report);
                    self.desk.tell(News::Report(report));
                }
                Output::Stopped => return None,
                Output::Timeout(at) => return Some(at),
            }
        }
    }

    /// One errand outside, and its one answer, however it ends.
    fn carry_out(
        &self,
        order: OrderId,
        request: OutsideRequest,
    ) -> impl Future<Output = ()> + use<> {
        let outside = Arc::clone(&self.outside);
        let answers = self.answers.clone();
        async move {
            if let OutsideRequest::Webhook {
                uri,
                method,
                content_type,
                body,
            } = request
            {
                let begun = outside.begin_webhook((&uri, &method), &content_type, body);
                return deliver(order, begun, &answers).await;
            }
            let errand = AssertUnwindSafe(outside.carry_out(request)).catch_unwind();
            let answer = errand.await.unwrap_or_else(|_| {
                tracing::error!(
                    order = order.0,
                    "an errand outside failed; please report this"
                );
                OutsideAnswer::Failed(OutsideFailure::Unavailable)
            });
            // Nobody waits for it when the switch has stopped.
            let _ = answers.send(Input::Outside { order, answer }).await;
        }
    }

    /// One search, and its one answer, however it ends.
    fn resolve(&mut self, resolve: ResolveId, host: SipHost) {
        if let Some(hops) = self.resolver.resolve_address(&host) {
            self.ready.push_back(Input::Resolved { resolve, hops });
            return;
        }
        let resolver = Arc::clone(&self.resolver);
        self.begin(async move {
            let search = AssertUnwindSafe(resolver.resolve(&host)).catch_unwind();
            let hops = search.await.unwrap_or_else(|_| {
                tracing::error!(host = %host.host, "a search for a host failed; please report this");
                Vec::new()
            });
            Input::Resolved { resolve, hops }
        });
    }

    fn fetch(&mut self, command: CommandId, sources: Vec<Source>) {
        let prompts = Arc::clone(&self.prompts);
        self.begin(async move {
            let mut loaded = Vec::with_capacity(sources.len());
            for source in sources {
                match prompts.load(&source).await {
                    Ok(prompt) => loaded.push(prompt),
                    Err(error) => {
                        tracing::warn!(order = command.0, %error, "a sound is left out");
                    }
                }
            }
            let prompts = (!loaded.is_empty()).then_some(loaded);
            Input::Fetched { command, prompts }
        });
    }

    /// Begins to find an answer. What is known already (a sound that was played before) is found right
    /// here, and wakes nobody.
    fn begin(&mut self, errand: impl Future<Output = Input> + Send + 'static) {
        let mut errand = Box::pin(errand);
        let runtime = self.errands.enter();
        let found = errand.as_mut().now_or_never();
        drop(runtime);
        match found {
            Some(answer) => self.ready.push_back(answer),
            None => {
                let answers = self.answers.clone();
                self.errands.spawn(async move {
                    // Nobody waits for it when the switch has stopped.
                    let _ = answers.send(errand.await).await;
                });
            }
        }
    }
}

/// A webhook is answered when it is taken over, and told of when it is delivered or given up.
async fn deliver(
    order: OrderId,
    begun: Result<oneshot::Receiver<Delivery>, OutsideFailure>,
    answers: &mpsc::Sender<Input>,
) {
    let (answer, outcome) = match begun {
        Ok(outcome) => (OutsideAnswer::Done, Some(outcome)),
        Err(failure) => (OutsideAnswer::Failed(failure), None),
    };
    // Nobody waits for it when the switch has stopped.
    let _ = answers.send(Input::Outside { order, answer }).await;
    if let Some(outcome) = outcome {
        let delivery = outcome.await.unwrap_or_default();
        let _ = answers.send(Input::Delivered { order, delivery }).await;
    }
}

/// What is known of calls is in the log; what was said in them is not.
fn tell(report: &Report) {
    match report {
        Report::CallEnded(record) => tell_call(record),
        Report::Refused(refused) => {
            let (status, remote) = (refused.status, refused.remote);
            tracing::info!(
                call = %refused.id, %remote, status, code = %refused.reason.code, others = refused.others,
                "refused: {}", refused.reason.sentence
            );
        }
        Report::Message { message, .. } => {
            tracing::info!(message = %message.id, status = message.status().as_str(), "message");
        }
        Report::Transcript(transcript) => {
            let Transcript {
                transcribe,
                call,
                direction,
                at,
                text,
                ..
            } = &**transcript;
            let direction = direction.as_str();
            tracing::info!(%call, %transcribe, direction, ?at, length = text.len(), "transcript");
            tracing::trace!(%call, text, "transcript");
        }
        Report::Transcribe {
            news: TranscribeNews::Done,
            transcribe,
        } => {
            tracing::info!(transcribe = %transcribe.id, of = ?transcribe.of, "transcription is over");
        }
        Report::Queuecall { queuecall, .. } => {
            let Queuecall {
                id,
                queue,
                call,
                status,
                ..
            } = **queuecall;
            tracing::info!(%call, %queue, queuecall = %id, status = status.as_str(), "queuecall");
        }
        Report::Conferencecall {
            conferencecall:
                Conferencecall {
                    id,
                    conference,
                    call,
                    status,
                    ..
                },
            ..
        } => {
            let status = status.as_str();
            tracing::info!(%call, %conference, conferencecall = %id, status, "conferencecall");
        }
        Report::Agent { agent, status } => {
            tracing::info!(%agent, status = status.as_str(), "agent");
        }
        Report::ExternalMedia(report) => {
            let (call, external) = (report.call, report.id);
            tracing::debug!(%call, %external, status = report.status.as_str(), "external media");
        }
        Report::Confbridge {
            news: ConfbridgeNews::Joined(call),
            confbridge,
        } => tracing::debug!(%call, confbridge = %confbridge.id, "in the bridge"),
        Report::Confbridge {
            news: ConfbridgeNews::Leaved(call),
            confbridge,
        } => tracing::debug!(%call, confbridge = %confbridge.id, "out of the bridge"),
        // The switch has logged what there is to say of these.
        _ => {}
    }
}

fn tell_call(record: &CallRecord) {
    tracing::info!(
        call = %record.id, direction = record.direction.as_str(), cause = %record.cause,
        q850 = record.cause.value.0, status = record.cause.status(),
        code = %record.reason.code, reached = record.reached().as_str(), lasted = ?record.lasted(), talked = ?record.talked(),
        "call ended"
    );
    let stats = &record.stats;
    if stats.sent_packets + stats.received_packets > 0 {
        tell_media(record.id, stats);
    }
}

/// How the media of a call was: what came, what the jitter buffer made of it, what the peer says of what it got,
/// how long it was under way inside of us, and what all of it comes to for the ears at both ends.
fn tell_media(call: CallId, stats: &SessionStats) {
    let peer = stats.peer.unwrap_or_default();
    let buffer = &stats.jitter;
    tracing::info!(
        %call, codec = stats.codec.map(Codec::name),
        sent = stats.sent_packets, received = stats.received_packets,
        lost = stats.lost_packets, dropped = stats.dropped_datagrams,
        jitter = ?stats.mean_jitter, max_jitter = ?stats.max_jitter,
        played = buffer.played, unheard = buffer.unheard(), late = buffer.late,
        discarded = buffer.discarded, repeated = buffer.repeated,
        concealed = ?stats.playout.concealed,
        shortened = ?stats.playout.shortened, lengthened = ?stats.playout.lengthened,
        round_trip = stats.round_trip.map(debug),
        peer_lost = peer.lost_packets, peer_jitter = ?peer.max_jitter,
        delays = %stats.delays,
        heard_mos = stats.heard_mos.map(display), said_mos = stats.said_mos.map(display),
        "call media"
    );
}

/// News that the desk has not taken; more than that, and nobody keeps up with what calls do.
const UNTOLD: usize = 50_000;

/// Inputs in a row whose media orders may wait for one another, so that a thread is woken once for all.
const ROW: u32 = 16;

/// How long the end waits for mails and webhooks that are under way: a try and the next.
const LAST_ERRANDS: Duration = Duration::from_secs(5);

/// Waits for the deadline by an alarm that is set anew only when it has changed.
async fn until(alarm: &mut Pin<&mut Sleep>, deadline: Option<Instant>) {
    let Some(at) = deadline else {
        return std::future::pending().await;
    };
    if alarm.deadline() != at.into() {
        alarm.as_mut().reset(at.into());
    }
    alarm.as_mut().await;
}
