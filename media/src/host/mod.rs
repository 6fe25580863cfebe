//! The shell of the engine: threads with sockets, a clock and files.
//!
//! ```text
//!            send(Command)              .--- thread k -----------------------.
//!   switch ----------------- wake ----->| epoll: sockets of its sessions,    |
//!     ^                                 | a timer, the waker; one engine     |--- frames --> writer: files
//!     '---- sink(Told) -----------------'------------------------------------'<-- recorded --'
//! ```
//!
//! A session gets its RTP socket and port at once, from whoever opens it. It lives on the thread its lane
//! falls to, and moves to that of its bridge when it joins one elsewhere, with its sockets and its orders. A thread reads a
//! batch of datagrams under one `now`, hands each to its engine and sends what comes of it before it reads the
//! next, so an echo leaves at once; what is mixed or recorded it reads right before the tick. It never waits for a disk or for whoever takes its events. Linux only:
//! epoll, eventfd and timerfd.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of the engine: here the clock is read and threads are started"
)]

mod arrival;
mod batch;
mod encoding;
mod external;
mod figures;
mod moving;
mod poller;
mod ports;
mod reading;
mod routes;
mod socket;
#[cfg(test)]
mod tests;
mod thread;
mod told;
mod tracks;
mod writer;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::encoding::Encoding;
pub use self::external::Inlet;
use self::figures::Board;
pub use self::figures::MediaFigures;
use self::poller::Waker;
use self::ports::PortPool;
use self::routes::{Route, Routes, session_of};
use self::socket::SocketPair;
use self::thread::{MediaThread, Message};
use self::told::Sink;
pub use self::told::Told;
use self::writer::Writer;
use crate::command::{BridgeId, Command, CommandId, Event, MediaError, Outcome, SessionId};
use crate::engine::{Engine, EngineConfig};

/// What a host starts from.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// How many media threads; at least one.
    pub threads: usize,
    /// UDP ports for RTP and RTCP.
    pub ports: RangeInclusive<u16>,
    /// Begin of the names of the threads; a number follows.
    pub name: String,
    /// Seed of SSRCs, sequence numbers and the order of ports, from the operating system.
    pub seed: [u8; 32],
}

/// Numbers of all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Sessions now.
    pub sessions: u64,
    /// Ticks of sessions.
    pub ticks: u64,
    /// Of those, more than 2 ms late.
    pub late_ticks: u64,
    /// Datagrams that could not be sent, or whose port was closed at the peer.
    pub socket_errors: u64,
    /// Recording frames that were left out because the disk did not keep up.
    pub dropped_frames: u64,
    /// Sessions ended by a fault of their own.
    pub faults: u64,
}

/// The threads of the media engine. Dropping it closes every session, completes every file and joins.
pub struct MediaHost {
    threads: Vec<Thread>,
    routes: Routes,
    ports: PortPool,
    /// Sessions whose threads have not heard of them yet.
    fresh: HashMap<SessionId, (IpAddr, SocketPair)>,
    /// Ports that threads have closed, and when.
    freed: mpsc::Receiver<(u16, Instant)>,
    sink: Arc<Sink>,
}

#[derive(Debug)]
struct Thread {
    mailbox: Mailbox,
    /// There are orders that it has not been woken for.
    has_orders: bool,
    counters: Arc<Counters>,
    handle: Option<JoinHandle<()>>,
}

/// The way into a thread.
#[derive(Clone, Debug)]
struct Mailbox {
    messages: mpsc::Sender<Message>,
    waker: Arc<Waker>,
}

/// What a thread counts for [`HostStats`].
#[derive(Debug, Default)]
struct Counters {
    sessions: AtomicU64,
    ticks: AtomicU64,
    late_ticks: AtomicU64,
    socket_errors: AtomicU64,
    dropped_frames: AtomicU64,
    faults: AtomicU64,
    figures: Board,
}

/// How many ports found in use by somebody else are passed over for one session.
const MAX_TRIES: usize = 64;

impl MediaHost {
    /// Starts the threads. `sink` is called on them and must not block; events of one session come in order. How
    /// long each waits then is counted when it is [taken](Told::take).
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread, an epoll, a timer or an eventfd.
    pub fn start(
        config: HostConfig,
        sink: impl Fn(Told) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut rng = StdRng::from_seed(config.seed);
        let count = config.threads.max(1);
        let (routes, gone) = Routes::new(count);
        let sink = Arc::new(Sink::new(sink, gone));
        let encoding = Encoding::start(format!("{}-prompts", config.name))?;
        let (give_back, freed) = mpsc::channel();
        let mut host = Self {
            threads: Vec::new(),
            routes,
            ports: PortPool::new(config.ports, &mut rng),
            fresh: HashMap::new(),
            freed,
            sink,
        };
        for index in 0..count {
            let name = format!("{}-{index}", config.name);
            let ends = (encoding.clone(), give_back.clone());
            let thread = host.start_thread(&name, rng.random(), ends)?;
            host.threads.push(thread);
        }
        Ok(host)
    }

    /// Gives an order and wakes its thread, as [`Self::post`] and [`Self::flush`] do.
    pub fn send(&mut self, command: Command) {
        self.post(command);
        self.flush();
    }

    /// Wakes the threads that have got orders.
    pub fn flush(&mut self) {
        for thread in &mut self.threads {
            if std::mem::take(&mut thread.has_orders) {
                thread.mailbox.waker.wake();
            }
        }
    }

    /// Gives an order, which may not be begun before the next [`Self::flush`]; never waits. One owner gives them
    /// all, because their order tells where each session is. Never lost: an order that no thread can take any
    /// more ends with [`MediaError::Internal`] right here.
    ///
    /// The port of a session is told before this returns. Its thread hears of it with the next order for it and
    /// is not woken before: what comes until then is not heard, as nothing is agreed.
    pub fn post(&mut self, command: Command) {
        if let Some(session) = session_of(&command) {
            self.introduce(session);
        }
        if let Command::Open { session, local } = command {
            return self.open(session, local);
        }
        let at = match self.routes.route(&command) {
            Route::To(at) => at,
            Route::Move {
                session,
                bridge,
                from,
                to,
            } => {
                self.move_session(session, bridge, (from, to));
                to
            }
        };
        let sent = Instant::now();
        if let Err(Message::Command { command, .. }) =
            self.leave(at, Message::Command { command, sent })
            && let Some(event) = refusal(&command)
        {
            self.sink.tell(event);
        }
    }

    /// Leaves a message at a thread that is woken later; gives it back when the thread is gone.
    fn leave(&mut self, at: usize, message: Message) -> Result<(), Message> {
        let thread = &mut self.threads[at];
        thread.mailbox.leave(message)?;
        thread.has_orders = true;
        Ok(())
    }

    /// Binds the first free port that nobody else has taken, and tells it.
    fn open(&mut self, session: SessionId, local: IpAddr) {
        while let Ok((port, since)) = self.freed.try_recv() {
            self.ports.give_back(port, since);
        }
        let thread = &self.threads[self.routes.place_of(session)].handle;
        let opened = if thread.as_ref().is_none_or(JoinHandle::is_finished) {
            Err(MediaError::Internal)
        } else {
            self.bind(local).map(|pair| {
                let port = pair.port();
                self.fresh.insert(session, (local, pair));
                port
            })
        };
        self.sink.tell(match opened {
            Ok(port) => Event::Opened { session, port },
            Err(why) => Event::OpenFailed { session, why },
        });
    }

    /// Tells a thread of a session that is its own from now on.
    fn introduce(&mut self, session: SessionId) {
        let Some((local, pair)) = self.fresh.remove(&session) else {
            return;
        };
        pair.forget_all();
        let port = pair.port();
        let open = Message::Open {
            session,
            local,
            pair,
        };
        if self.leave(self.routes.place_of(session), open).is_err() {
            self.ports.give_back(port, Instant::now());
        }
    }

    fn bind(&mut self, local: IpAddr) -> Result<SocketPair, MediaError> {
        for _ in 0..self.ports.free().min(MAX_TRIES) {
            let now = Instant::now();
            let Some(port) = self.ports.take(now) else {
                break;
            };
            match SocketPair::bind(local, port) {
                Ok(pair) => return Ok(pair),
                Err(error) => {
                    self.ports.give_back(port, now);
                    if error.kind() != io::ErrorKind::AddrInUse {
                        return Err(MediaError::Socket { kind: error.kind() });
                    }
                }
            }
        }
        Err(MediaError::NoPort)
    }

    /// Lets a session go from one thread to another. What is sent to the new one meanwhile waits there.
    fn move_session(&mut self, session: SessionId, bridge: BridgeId, (from, to): (usize, usize)) {
        if self.leave(to, Message::Expect { session, bridge }).is_err() {
            return;
        }
        let surrender = Message::Surrender {
            session,
            to: self.threads[to].mailbox.clone(),
        };
        if self.leave(from, surrender).is_err() {
            // It ended with its thread. If the new one is gone as well, it waits for nobody.
            let luggage = None;
            let _ = self.leave(to, Message::Adopt { session, luggage });
        }
    }

    /// Closes every session, completes every file and joins the threads; further orders are refused.
    pub fn stop(&mut self) {
        let fresh: Vec<SessionId> = self.fresh.keys().copied().collect();
        fresh
            .into_iter()
            .for_each(|session| self.introduce(session));
        for thread in &self.threads {
            // A thread that is gone has nothing left to stop.
            let _ = thread.mailbox.post(Message::Stop);
        }
        let handles = self.threads.iter_mut();
        for handle in handles.filter_map(|thread| thread.handle.take()) {
            if handle.join().is_err() {
                tracing::error!("a media thread had failed");
            }
        }
    }

    /// The numbers of all threads.
    #[must_use]
    pub fn stats(&self) -> HostStats {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            self.threads
                .iter()
                .map(|thread| counter(&thread.counters).load(Ordering::Relaxed))
                .sum()
        };
        HostStats {
            sessions: sum(|counters| &counters.sessions),
            ticks: sum(|counters| &counters.ticks),
            late_ticks: sum(|counters| &counters.late_ticks),
            socket_errors: sum(|counters| &counters.socket_errors),
            dropped_frames: sum(|counters| &counters.dropped_frames),
            faults: sum(|counters| &counters.faults),
        }
    }

    /// How long things took in all threads; a second old at most.
    #[must_use]
    pub fn figures(&self) -> MediaFigures {
        let mut all = MediaFigures::default();
        for thread in &self.threads {
            thread.counters.figures.read_into(&mut all);
        }
        self.sink.ages().read_into(&mut all.events);
        all
    }

    fn start_thread(
        &self,
        name: &str,
        seed: [u8; 32],
        (encoding, freed): (Encoding, mpsc::Sender<(u16, Instant)>),
    ) -> io::Result<Thread> {
        let (messages, inbox) = mpsc::channel();
        let waker = Arc::new(Waker::new()?);
        let mailbox = Mailbox {
            messages,
            waker: Arc::clone(&waker),
        };
        let counters = Arc::new(Counters::default());
        let start = Instant::now();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let engine = Engine::new(&EngineConfig { start, wall, seed });
        let writer = Writer::start(format!("{name}-files"), mailbox.clone())?;
        let thread = MediaThread::new(
            engine,
            (inbox, waker),
            (writer, encoding),
            (Arc::clone(&self.sink), freed),
            Arc::clone(&counters),
        )?;
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || thread.run())?;
        Ok(Thread {
            mailbox,
            has_orders: false,
            counters,
            handle: Some(handle),
        })
    }
}

impl Drop for MediaHost {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for MediaHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaHost")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl Mailbox {
    /// Leaves a message and wakes the thread; gives it back when the thread is gone.
    fn post(&self, message: Message) -> Result<(), Message> {
        self.leave(message)?;
        self.waker.wake();
        Ok(())
    }

    /// Leaves a message; gives it back when the thread is gone.
    fn leave(&self, message: Message) -> Result<(), Message> {
        self.messages.send(message).map_err(|refused| refused.0)
    }
}

/// What an order comes to when its thread is gone.
fn refusal(command: &Command) -> Option<Event> {
    let finished = |command: CommandId| Event::Finished {
        command,
        outcome: Outcome::Failed {
            why: MediaError::Internal,
        },
    };
    match command {
        Command::Open { session, .. } => Some(Event::OpenFailed {
            session: *session,
            why: MediaError::Internal,
        }),
        Command::Close { session } => Some(Event::Closed {
            session: *session,
            stats: Box::default(),
        }),
        Command::OpenExternal { external, .. } => Some(Event::ExternalClosed {
            external: *external,
            result: Err(MediaError::Internal),
        }),
        Command::Play { command, .. }
        | Command::SendDigits { command, .. }
        | Command::Echo { command, .. }
        | Command::Record { command, .. }
        | Command::DetectMachine { command, .. }
        | Command::Listen { command, .. }
        | Command::RecordBridge { command, .. } => Some(finished(*command)),
        Command::Configure { .. }
        | Command::CloseExternal { .. }
        | Command::Mute { .. }
        | Command::Cancel { .. }
        | Command::Join { .. }
        | Command::Leave { .. }
        | Command::ConfigureBridge { .. }
        | Command::StopBridgeRecording { .. } => None,
    }
}
