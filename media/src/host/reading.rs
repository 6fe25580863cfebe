//! Reading what has come for sessions.
//!
//! ```text
//!   at once      wait, and one datagram of each socket that is ready: what is sent on as it comes, and keys
//!   by the tick  right before a tick, all that has come: what is mixed or recorded, which needs it no sooner
//! ```
//!
//! A thread with a conference on it so wakes once a tick for all members, instead of once for nearly every packet.
//! When each packet came is known by its stamp, whenever it is read.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::moving::token;
use super::poller::{Poller, Ready};
use super::socket::{Received, SocketPair};
use super::thread::MediaThread;
use crate::command::SessionId;
use crate::engine::{Input, Pace};

/// Datagrams that are read of one socket before a tick: whoever sends more of them waits for the next one, so that
/// nobody keeps the others from theirs.
const MAX_ROUNDS: usize = 32;

impl MediaThread {
    /// Reads one datagram; more of them are told by the next wait.
    pub(super) fn read_at_once(&mut self, now: Instant, token: u64, buffer: &mut [u8]) {
        self.is_measured = self.datagrams.takes_next();
        self.read(now, token, buffer, self.is_measured);
        self.is_measured = true;
    }

    /// Reads what has come for those who wait for a tick.
    pub(super) fn read_deferred(
        &mut self,
        now: Instant,
        ready: &mut Vec<Ready>,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if self.deferred == 0 {
            return Ok(());
        }
        self.arrivals.read(Instant::now(), wall());
        for _ in 0..MAX_ROUNDS {
            self.poller.take_deferred(ready)?;
            if ready.is_empty() {
                break;
            }
            for what in ready.drain(..) {
                if let Ready::Socket(token) = what {
                    self.read(now, token, buffer, true);
                }
            }
        }
        Ok(())
    }

    /// Reads the RTP of a session at another pace from now on. Without stamps it is read at once.
    pub(super) fn set_pace(&mut self, session: SessionId, pace: Pace) {
        let Some(sockets) = self.sockets.get_mut(&session) else {
            return;
        };
        let is_deferred = pace == Pace::ByTick && sockets.is_stamped();
        let Some(rtp) = sockets
            .socket(false)
            .filter(|_| is_deferred != sockets.is_deferred)
        else {
            return;
        };
        let token = token(session, false);
        let turned = match is_deferred {
            true => self.poller.defer(rtp, token),
            false => self.poller.hurry(rtp, token),
        };
        if let Err(error) = turned {
            // It is read as before.
            tracing::warn!(%error, session = session.0, "a session is not read at its pace");
            return;
        }
        sockets.is_deferred = is_deferred;
        match is_deferred {
            true => self.deferred += 1,
            false => self.deferred -= 1,
        }
    }

    /// Reads one datagram, with the time when it came if that `is_stamped`.
    fn read(&mut self, now: Instant, token: u64, buffer: &mut [u8], is_stamped: bool) {
        let (session, rtcp) = (SessionId(token >> 1), token & 1 == 1);
        let Some(sockets) = self.sockets.get_mut(&session) else {
            return;
        };
        complete(&self.poller, session, sockets);
        let is_deferred = sockets.is_deferred;
        let space = is_stamped.then_some(&mut self.stamp_space);
        match sockets.receive(rtcp, buffer, space) {
            Ok(Received { len, source, stamp }) => {
                let bytes = &buffer[..len];
                let arrival = match stamp {
                    Some(stamp) => {
                        if !is_deferred {
                            self.arrivals.read(Instant::now(), wall());
                        }
                        self.arrivals.arrival(now, stamp)
                    }
                    None => now,
                };
                let input = Input::Datagram {
                    session,
                    source,
                    rtcp,
                    arrival,
                    bytes,
                };
                self.engine.handle_input(now, input);
                self.drain(now);
            }
            // Announced but gone: its checksum was wrong.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A port of the peer is closed, says ICMP about a datagram of ours.
            Err(_) => self.socket_errors += 1,
        }
    }
}

/// Wall time since the Unix epoch.
pub(super) fn wall() -> Duration {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    wall.unwrap_or_default()
}

/// Binds and watches the RTCP socket, at the first packet of a session.
pub(super) fn complete(poller: &Poller, session: SessionId, sockets: &mut SocketPair) {
    if let Some(socket) = sockets.complete()
        && let Err(error) = poller.watch(socket, token(session, true))
    {
        tracing::warn!(%error, session = session.0, "the reports of a peer are not heard");
    }
}
