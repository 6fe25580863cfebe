//! flowswitch: one process that terminates SIP, runs the media itself, and moves a flow's cursor from
//! media events. This page is the plan of the house.
//!
//! # Three cores, one owner, one shell
//!
//! The cores are plain values that do no I/O and read no clock: [`sip::Endpoint`] (transactions and
//! dialogs), [`flow::Activeflow`] (actions and cursor), [`flowswitch_media::engine::Engine`] (RTP). The
//! owner, [`switch::Switch`], is such a value too. The [`shell`], the [`api`] and the [`database`] are all that is async.
//!
//! **One law: orders go down as method calls, news comes up by polling.** Nothing below holds a handle,
//! a callback or a channel to something above. So the same code runs live and in a simulated world, where
//! hours of calls pass in a second.
//!
//! # Floors: a room uses lower floors only
//!
//! ```text
//! 8  main.rs     flags, settings, run
//! 7  shell       sockets, clock, HTTP out, speech, disk, threads  <- with api and database the only async
//! 6  api         REST, webhooks, websocket, metrics: outward JSON only
//! 5  database    what outlasts the process: the only SQL  |  dryrun  a flow with a scripted caller: uses flow only
//! 4  switch      the one owner: joins calls and flows; Input and Output
//! 3  call        one party  <  store  what is configured, what has been
//! 2  sdp         |  sip  message < transaction < dialog < endpoint  |  flow
//! 1  media (crate)  |  time  |  ids  |  status
//! ```
//!
//! The test in `floors.rs` reads the imports of every file and fails when a room looks up, when a core
//! names a socket, a clock, a thread, a task, a file or a lock, or when something is imported from where it
//! does not live. The clock and the starting of threads and tasks are forbidden to the cores by clippy
//! too (`.clippy.toml`).
//!
//! | room | holds |
//! |---|---|
//! | [`time`], [`ids`], [`status`] | deadlines and the wall clock as values; names and randomness; words of the API that calls and flows share |
//! | [`sip::message`] | bytes to types and back, tolerant in, strict out; a body stays bytes |
//! | [`sip`] | transactions, dialogs and the endpoint over them; beside them [`sip::registrar`], [`sip::registration`] and [`sip::auth`] |
//! | [`sdp`] | descriptions, [`sdp::codecs`]: what we speak, [`sdp::negotiate`]: offer and answer to a media configuration, and [`sdp::crypto`]: keys for SRTP |
//! | [`flow`] | [`flow::dialect`]: JSON to typed actions; [`flow::lint`]: what is wrong with it; [`flow::Activeflow`]: one run; knows no call |
//! | [`call`] | one party: dialog and media session with status, verbs and a cause; knows no flow |
//! | [`store`] | flows by name and number, who may call, whom we call (trunks, agents, queues, conferences), networks; calls, recordings, transcripts and messages that have been |
//! | [`switch`] | who calls whom, who is joined with whom, who waits for whom, who holds and transfers whom, flow order to call verb and back, what is asked from outside, messages, registrations on both sides, how trunks are |
//! | [`dryrun`] | tests of flows without a phone: script, world, comparison, coverage |
//! | [`database`] | documents, the outbox of webhooks, bindings and nodes, in SQLite or PostgreSQL; knows none of what it keeps |
//! | [`api`] | requests to controls, reports to resources and events; [`api::resource`]: what all resources have in common |
//! | [`shell`] | sockets, finding hosts, settings, the flows directory, prompts and speech, errands outside, external media, the driver |
//!
//! # Data flows
//!
//! **SIP packet to flow event.** [`shell::transport`] receives and parses, a bounded queue, the
//! [`shell::driver`]: [`switch::Input::Sip`] → [`sip::Endpoint::handle_message`] (a resend is answered and
//! ends in the transaction layer) → [`sip::Event`] → the switch finds the [`call::Call`], or lets a new
//! caller in → [`call::CallEvent`] → [`flow::FlowEvent`] → the cursor moves → [`flow::FlowCommand`] → a
//! verb of the call → [`sip::Endpoint::answer`] and the like. The driver drains
//! [`switch::Switch::poll_output`] until [`switch::Output::Timeout`] arms the one timer.
//!
//! **RTP packet to echo, recording, digit.** A thread of [`flowswitch_media::host`] reads a batch under
//! one `now`, and right before a tick what nobody needs sooner → the engine → parse, latch, statistics → a digit, an echo that leaves at once, or the jitter
//! buffer → on the session's tick: decode or conceal → recording.
//!
//! **Flow action to media order to completion.** `talk` → [`flow::FlowCommand::Talk`], the cursor waits →
//! [`call::Call::begin_play`] and [`switch::Output::Fetch`] → [`shell::prompts`] →
//! [`switch::Input::Fetched`] → [`flowswitch_media::command::Command::Play`] →
//! [`flowswitch_media::command::Event::Finished`] → the cursor moves. Each order gets exactly one
//! `Finished`, also when its session dies; one that no cursor waits for moves nothing. A call plays one
//! thing after another, in the order they were asked for, and sends digits likewise.
//!
//! **Caller to agent.** `queue_join` → [`flow::FlowCommand::JoinQueue`] → a place in line, while the wait flow
//! goes on → an agent with time is called, as anybody is → its answer: the agent is in a bridge →
//! [`flow::FlowEvent::QueueServed`] → the caller's flow comes there → [`flow::FlowCommand::JoinConfbridge`]. A
//! conference is such a bridge with a door. What becomes of places, participants and agents is told by
//! [`switch::Report`].
//!
//! **End of a call to its record.** [`call::CallEvent::Ended`] → [`store::calls::CallRecord`] →
//! [`switch::Report::CallEnded`], once for every call that came to be, also for one that has failed. It says what
//! happened in the call ([`store::timeline`]: what goes in and out of the switch is tapped) and why it ended
//! ([`call::reason`]); an INVITE that never became a call is told of by [`switch::Report::Refused`].
//!
//! **Everything to whoever watches.** Each change of a call, activeflow, groupcall, bridge, recording, place in a
//! queue, … → one [`switch::Report`] with the whole of it as it stands then ([`store::call_state`] and its like).
//! Nobody outside asks the switch how something is.
//!
//! **Message in and out.** MESSAGE → [`sip::Event::Request`] → who sends it is proven as a caller is → the flow of
//! the number, or the telephones of the extension. [`flow::FlowCommand::SendMessage`] → to each target by its ways,
//! as a call would go → [`sip::Endpoint::ask`] → [`sip::Event::Responded`] → the next way, or what became of it:
//! [`switch::Report::Message`]. So do registrations of ours ([`sip::registration`]) and questions how trunks are.
//!
//! **Request from outside, beside the flow.** [`switch::Input::Control`] → the same verbs of the
//! [`call::Call`] that flows use, under orders that no cursor waits for, or news for the activeflow (resume,
//! stop) → one [`switch::Output::Controlled`]: taken on, or why not. The flow hears of a recording or
//! transcription by its variables; its cursor stays where it is.
//!
//! **Request of a program to its answer.** [`api::server`] → [`api::frame`] (id, rate, time, envelope) → [`api::keys`]
//! (who asks) → a handler → [`database::Records`], where it is kept or found; or [`api::line`] → the [`shell::driver`] →
//! [`switch::Input::Control`] → the answer by the [`api::desk`], behind all that the switch has told before it. What is
//! configured that way is told to the switch by [`shell::configuring`] before the program has its answer.
//!
//! **Change of the configuration while calls run.** Settings or stored objects → [`switch::Input::Configure`] with
//! the whole [`switch::Configuration`] → what bears the same id or name goes on (who waits, who talks, what a trunk
//! carries, our registrations) → what is gone ends in order. Flows and numbers come by [`switch::Input::Flows`],
//! those of files and stored ones side by side ([`store::flows::FlowSources`]).
//!
//! **Hold and transfer, beside the flow too.** A verb, or a re-INVITE of the party → what the call takes part in
//! ([`flowswitch_media::command::Part`]) and what fills its silence → Join and Play. A transfer, asked for from
//! outside or by REFER → the bridge is kept while somebody is dialed → the new partner joins it, or whoever is
//! alone goes on as after a talk: the action that began the first talk is over with the last.
//!
//! **Flow action to a second leg and back.** `connect`, `call` → the switch's route (an address to parties,
//! a party to trunks and hosts) → [`switch::Output::Resolve`] → [`switch::Input::Resolved`] → a media port →
//! [`call::Call::dial`] → [`sip::Endpoint::invite`] → 18x, 200 or a refusal → the next address, the next
//! trunk, or the one who asked: a bridge ([`flowswitch_media::command::Command::Join`]), a flow of its own, or
//! the caller's next action.
//!
//! **Flow action to the world outside and back.** `webhook_send`, `fetch`, `email_send`, … →
//! [`flow::FlowCommand`] → [`switch::Output::Outside`] → [`shell::outside`] (the one gate, SMTP, providers) →
//! [`switch::Input::Outside`] → the asker: a flow, a message, a transcription, a talk. `transcribe_start` and
//! `ai_talk` listen: [`flowswitch_media::command::Event::Utterance`] → an order to transcribe → words.
//!
//! **Call to another host and back.** `external_media_start` → [`flow::FlowCommand::StartExternalMedia`] →
//! [`switch::Output::External`] → [`shell::external`] connects by RTP, AudioSocket or WebSocket →
//! [`switch::Input::External`] → [`flowswitch_media::command::Command::OpenExternal`]: the session is mixed
//! from then on, and each 20 ms the engine hands over what the other side hears and how much of what it said
//! is gone, by which the shell paces what it says next.
//!
//! # Who owns what
//!
//! | state | owner | runs on | reached by |
//! |---|---|---|---|
//! | transactions, dialogs, calls, activeflows, signalling deadlines | the [`switch::Switch`] | one task, on the thread of the SIP sockets | inputs and outputs, bounded queues |
//! | media sessions, jitter buffers, playbacks | engine *k* | media thread *k* | [`flowswitch_media::command`] |
//! | SIP sockets; RTP sockets | transport tasks; host *k* | the thread of the switch; thread *k* | queues; same thread |
//! | free RTP ports | the host | the thread of the switch | same thread |
//! | prompts, settings, flows | nobody: immutable `Arc` | shared | by value |
//! | what the API keeps, in memory until it is written | [`database::Records`] | its writer, a task of tokio | cheap clones |
//! | HTTP, speech, files, external media | tasks of the shell | tokio | an order's id out, the result back as an input |
//!
//! A call is taken out of its table while it acts: if it panics, that call ends and the switch goes on; a
//! media session likewise.

pub mod ids;
pub mod status;
pub mod time;

pub mod flow;
pub mod sdp;
pub mod sip;

pub mod call;
pub mod store;

pub mod switch;

pub mod database;
pub mod dryrun;

pub mod api;

pub mod shell;

#[cfg(test)]
mod floors;
#[cfg(test)]
pub mod sim;
