//! Sessions that move from one media thread to another.
//!
//! ```text
//!              Expect            .------------------.
//!   send() ------------------->  | to: orders wait  |   Adopt     orders that waited
//!     |        Surrender         '------------------'<------.     are done, in order
//!     '----------------------> from: lets go, drains, -------'
//!                              packs sockets and orders
//! ```
//!
//! Sockets are moved open, so a datagram that comes meanwhile waits in the kernel. A recording is written to the
//! end by the writer that began it, and what that one reports follows the session.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Instant;

use super::Mailbox;
use super::external::Port;
use super::poller::Poller;
use super::routes::{bridge_of, session_of};
use super::socket::SocketPair;
use super::thread::{MediaThread, Message};
use super::writer::WriterLink;
use crate::command::{BridgeId, Command, CommandId, ExternalId, MediaError, SessionId};
use crate::engine::{Departure, Input};

/// A session and all that belongs to it.
#[derive(Debug)]
pub(super) struct Luggage {
    departure: Departure,
    sockets: Option<SocketPair>,
    writers: Vec<(CommandId, WriterLink)>,
    externals: Vec<(ExternalId, Port)>,
}

/// What is under way to this thread and from it.
#[derive(Debug, Default)]
pub(super) struct Moves {
    arrivals: Vec<Arrival>,
    /// Writers of recordings that began elsewhere.
    writers: HashMap<CommandId, WriterLink>,
    /// Where recordings went from here, each time: what is reported of them follows on the same way.
    departed: HashMap<CommandId, VecDeque<Mailbox>>,
}

/// A session that will come, and what waits for it.
#[derive(Debug)]
struct Arrival {
    session: SessionId,
    bridge: BridgeId,
    waiting: Vec<Message>,
}

impl Moves {
    /// Whether nothing is under way.
    pub(super) fn are_over(&self) -> bool {
        self.arrivals.is_empty() && self.departed.is_empty()
    }

    pub(super) fn expect(&mut self, session: SessionId, bridge: BridgeId) {
        self.arrivals.push(Arrival {
            session,
            bridge,
            waiting: Vec::new(),
        });
    }

    /// Keeps what has to wait for a session that will come; gives back all else.
    pub(super) fn hold_back(&mut self, message: Message) -> Option<Message> {
        let (session, bridge) = match &message {
            Message::Command { command, .. } => (session_of(command), bridge_of(command)),
            Message::Open { session, .. } => (Some(*session), None),
            Message::Expect { session, .. }
            | Message::Surrender { session, .. }
            | Message::Attach { session, .. } => (Some(*session), None),
            Message::Recorded { .. } | Message::Adopt { .. } | Message::Stop => {
                return Some(message);
            }
        };
        let mut arrivals = self.arrivals.iter_mut();
        let arrival = match (session, bridge) {
            (Some(session), _) => arrivals.find(|arrival| arrival.session == session),
            // An order of a bridge waits for all who were to join it before, of whom the last comes last.
            (None, Some(bridge)) => arrivals.rfind(|arrival| arrival.bridge == bridge),
            (None, None) => None,
        };
        match arrival {
            Some(arrival) => {
                arrival.waiting.push(message);
                None
            }
            None => Some(message),
        }
    }

    /// Where what is reported of a recording goes on to.
    fn next_hop(&mut self, recording: CommandId) -> Option<Mailbox> {
        let hops = self.departed.get_mut(&recording)?;
        let next = hops.pop_front();
        if hops.is_empty() {
            self.departed.remove(&recording);
        }
        next
    }

    /// The writer of a recording, when it is not this thread's.
    pub(super) fn writer_of(&self, recording: CommandId) -> Option<&WriterLink> {
        self.writers.get(&recording)
    }
}

impl MediaThread {
    /// Hands a session over to another thread.
    pub(super) fn surrender(&mut self, now: Instant, session: SessionId, to: &Mailbox) {
        let departure = self.engine.release(now, session);
        self.drain(now);
        let luggage = departure.map(|departure| Box::new(self.pack(departure, to)));
        if let Err(Message::Adopt {
            luggage: Some(luggage),
            ..
        }) = to.post(Message::Adopt { session, luggage })
        {
            // The other one is gone: it ends here.
            self.unpack(now, *luggage);
            self.close(now, session);
        }
    }

    /// Takes a session in, and does what waited for it.
    pub(super) fn adopt(
        &mut self,
        now: Instant,
        session: SessionId,
        luggage: Option<Box<Luggage>>,
    ) {
        match luggage {
            Some(luggage) => self.unpack(now, *luggage),
            None => self.sink.forget(session),
        }
        if self.stop_by.is_some() {
            self.close(now, session);
        }
        let mut arrivals = self.moves.arrivals.iter();
        let arrival = arrivals.position(|arrival| arrival.session == session);
        let arrival = arrival.map(|at| self.moves.arrivals.remove(at));
        for message in arrival.into_iter().flat_map(|arrival| arrival.waiting) {
            self.handle_message(now, message);
        }
    }

    /// Takes what a writer says of a recording, or sends it after the session.
    pub(super) fn handle_recorded(
        &mut self,
        now: Instant,
        recording: CommandId,
        result: Result<(), MediaError>,
    ) {
        if let Some(mailbox) = self.moves.next_hop(recording) {
            // A thread that is gone no longer waits for its files.
            let _ = mailbox.post(Message::Recorded { recording, result });
            return;
        }
        self.moves.writers.remove(&recording);
        self.writer.forget(recording);
        self.engine
            .handle_input(now, Input::Recorded { recording, result });
        self.drain(now);
    }

    fn pack(&mut self, departure: Departure, to: &Mailbox) -> Luggage {
        let mut sockets = self.sockets.remove(&departure.session());
        if let Some(pair) = &mut sockets {
            self.poller.forget_pair(pair);
            self.deferred -= usize::from(std::mem::take(&mut pair.is_deferred));
        }
        let mut writers = Vec::new();
        for recording in departure.recordings() {
            let elsewhere = self.moves.writers.remove(&recording);
            self.writer.hand_over(elsewhere.as_ref(), recording);
            writers.extend(
                elsewhere
                    .or_else(|| self.writer.link())
                    .map(|link| (recording, link)),
            );
            let hops = self.moves.departed.entry(recording).or_default();
            hops.push_back(to.clone());
        }
        let mut externals = Vec::new();
        for external in departure.externals() {
            let port = self.externals.remove(external);
            externals.extend(port.map(|port| (*external, port)));
        }
        Luggage {
            departure,
            sockets,
            writers,
            externals,
        }
    }

    fn unpack(&mut self, now: Instant, luggage: Luggage) {
        let Luggage {
            departure,
            sockets,
            writers,
            externals,
        } = luggage;
        self.externals.extend(externals);
        let session = departure.session();
        if let Some(pair) = sockets {
            if let Err(error) = self.poller.watch_pair(session, &pair) {
                tracing::error!(%error, session = session.0, "the sockets of a session that moved cannot be watched");
            }
            self.sockets.insert(session, pair);
        }
        for (recording, link) in writers {
            self.moves.writers.insert(recording, link);
        }
        self.engine.adopt(now, departure);
        self.drain(now);
    }

    fn close(&mut self, now: Instant, session: SessionId) {
        let close = Command::Close { session };
        self.engine.handle_input(now, Input::Command(close));
        self.drain(now);
    }
}

impl Poller {
    /// Watches what is bound of the sockets of a session.
    pub(super) fn watch_pair(&self, session: SessionId, pair: &SocketPair) -> io::Result<()> {
        for rtcp in [false, true] {
            if let Some(socket) = pair.socket(rtcp) {
                self.watch(socket, token(session, rtcp))?;
            }
        }
        Ok(())
    }

    /// Watches them no longer.
    fn forget_pair(&self, pair: &SocketPair) {
        for rtcp in [false, true] {
            let Some(socket) = pair.socket(rtcp) else {
                continue;
            };
            // One that was never watched need not be forgotten.
            let _ = match pair.is_deferred && !rtcp {
                true => self.forget_deferred(socket),
                false => self.forget(socket),
            };
        }
    }
}

/// By which the poller names a socket.
pub(super) const fn token(session: SessionId, rtcp: bool) -> u64 {
    session.0 << 1 | rtcp as u64
}
