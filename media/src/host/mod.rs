//! The shell of the engine: threads with sockets, a clock and files.
//!
//! ```text
//!            send(Command)              .--- thread k -----------------------.
//!   switch ----------------- wake ----->| epoll: sockets of its sessions,    |
//!     ^                                 | a timer, the waker; one engine     |--- frames --> writer: files
//!     '---- sink(Event) ----------------'------------------------------------'<-- recorded --'
//! ```
//!
//! A session lives on the thread its id falls to, and moves to that of its bridge when it joins one, with
//! its sockets and its orders. A thread reads a batch of datagrams under one `now`, hands
//! each to its engine and sends what comes of it before it reads the next, so an echo leaves at once. It
//! never waits for a disk or for whoever takes its events. Linux only: epoll, eventfd and timerfd.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of the engine: here the clock is read and threads are started"
)]

mod external;
mod moving;
mod poller;
mod ports;
mod routes;
mod socket;
#[cfg(test)]
mod tests;
mod thread;
mod writer;

use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use self::external::Inlet;
use self::poller::Waker;
use self::ports::PortPool;
use self::routes::{Route, Routes};
use self::thread::{MediaThread, Message};
use self::writer::Writer;
use crate::command::{BridgeId, Command, CommandId, Event, MediaError, Outcome, SessionId};
use crate::engine::{Engine, EngineConfig};

/// What a host starts from.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// How many media threads; at least one.
    pub threads: usize,
    /// UDP ports for RTP and RTCP; every thread has its share of the pairs in it.
    pub ports: RangeInclusive<u16>,
    /// Begin of the names of the threads; a number follows.
    pub name: String,
    /// Seed of SSRCs, sequence numbers and the order of ports, from the operating system.
    pub seed: [u8; 32],
}

/// Takes events on a media thread.
struct Sink {
    events: Box<dyn Fn(Event) + Send + Sync>,
    gone: mpsc::Sender<SessionId>,
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
    sink: Arc<Sink>,
}

#[derive(Debug)]
struct Thread {
    mailbox: Mailbox,
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
}

impl MediaHost {
    /// Starts the threads. `sink` is called on them and must not block; events of one session come in order.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread, an epoll, a timer or an eventfd.
    pub fn start(
        config: HostConfig,
        sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut rng = StdRng::from_seed(config.seed);
        let count = config.threads.max(1);
        let (routes, gone) = Routes::new(count);
        let sink = Arc::new(Sink {
            events: Box::new(sink),
            gone,
        });
        let mut host = Self {
            threads: Vec::new(),
            routes,
            sink,
        };
        for index in 0..count {
            let ports = PortPool::new(config.ports.clone(), index, count, &mut rng);
            let thread = host.start_thread(&config.name, index, ports, rng.random())?;
            host.threads.push(thread);
        }
        Ok(host)
    }

    /// Gives an order; wakes its thread at once and never waits. One owner gives them all, because their order
    /// tells where each session is. Never lost: an order that no thread can
    /// take any more ends with [`MediaError::Internal`] right here.
    pub fn send(&mut self, command: Command) {
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
        let mailbox = &self.threads[at].mailbox;
        if let Err(Message::Command(command)) = mailbox.post(Message::Command(command))
            && let Some(event) = refusal(&command)
        {
            self.sink.tell(event);
        }
    }

    /// Lets a session go from one thread to another. What is sent to the new one meanwhile waits there.
    fn move_session(&self, session: SessionId, bridge: BridgeId, (from, to): (usize, usize)) {
        let (from, to) = (&self.threads[from].mailbox, &self.threads[to].mailbox);
        if to.post(Message::Expect { session, bridge }).is_err() {
            return;
        }
        let surrender = Message::Surrender {
            session,
            to: to.clone(),
        };
        if from.post(surrender).is_err() {
            // It ended with its thread. If the new one is gone as well, it waits for nobody.
            let luggage = None;
            let _ = to.post(Message::Adopt { session, luggage });
        }
    }

    /// Closes every session, completes every file and joins the threads; further orders are refused.
    pub fn stop(&mut self) {
        for thread in &self.threads {
            // A thread that is gone has nothing left to stop.
            let _ = thread.mailbox.post(Message::Stop);
        }
        for handle in self
            .threads
            .iter_mut()
            .filter_map(|thread| thread.handle.take())
        {
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

    fn start_thread(
        &self,
        name: &str,
        index: usize,
        ports: PortPool,
        seed: [u8; 32],
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
        let writer = Writer::start(format!("{name}-{index}-files"), mailbox.clone())?;
        let thread = MediaThread::new(
            engine,
            ports,
            (inbox, waker),
            writer,
            mailbox.clone(),
            Arc::clone(&self.sink),
            Arc::clone(&counters),
        )?;
        let handle = std::thread::Builder::new()
            .name(format!("{name}-{index}"))
            .spawn(move || thread.run())?;
        Ok(Thread {
            mailbox,
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

impl Sink {
    fn tell(&self, event: Event) {
        if let Event::Closed { session, .. } | Event::OpenFailed { session, .. } = &event {
            self.forget(*session);
        }
        (self.events)(event);
    }

    /// There is no such session any more.
    fn forget(&self, session: SessionId) {
        // Without a host there is nobody left to route for.
        let _ = self.gone.send(session);
    }
}

impl Mailbox {
    /// Leaves a message and wakes the thread; gives it back when the thread is gone.
    fn post(&self, message: Message) -> Result<(), Message> {
        self.messages.send(message).map_err(|refused| refused.0)?;
        self.waker.wake();
        Ok(())
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
            stats: crate::command::SessionStats::default(),
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
        | Command::StopBridgeRecording { .. } => None,
    }
}
