//! The RTP of all calls: one thread that speaks for each, a packet every 20 ms, and counts what it hears.
//!
//! ```text
//!   SIPp's log --> up: where a call's sound goes; end: silence
//!                      |
//!   slot of 1 ms --> speak for a twentieth of the calls --> read what has come for a hundredth
//! ```
//!
//! It shares the machine with what it measures, so it never waits on a socket: the kernel keeps what comes and
//! stamps when it came, and each socket is read ten times a second.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSliceMut, Read as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

use crate::heard::{Heard, Line};
use crate::voice::{Speech, Voice};

/// What a packet takes: 20 ms of G.711 and the header.
pub const PACKET: usize = HEADER + FRAME;
pub const HEADER: usize = 12;
pub const FRAME: usize = 160;
pub const PTIME: Duration = Duration::from_millis(20);

/// The parties of all calls of a round; they fall silent when dropped.
pub struct Talkers {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Heard>>,
}

#[derive(Default)]
struct Shared {
    up: AtomicUsize,
    ended: AtomicUsize,
    is_over: AtomicBool,
}

/// Sockets that wait for their calls.
pub struct Seats {
    sockets: Vec<UdpSocket>,
    pub ports: Vec<u16>,
}

impl Seats {
    pub fn bind(count: usize) -> io::Result<Self> {
        let sockets: Vec<UdpSocket> = (0..count).map(|_| bind()).collect::<io::Result<_>>()?;
        let ports = sockets
            .iter()
            .map(|socket| Ok(socket.local_addr()?.port()))
            .collect::<io::Result<_>>()?;
        Ok(Self { sockets, ports })
    }

    /// Speaks and listens from now on, for the calls that `told` tells of. The first `callers` are those who
    /// call; others are called.
    pub fn talk(self, told: Vec<PathBuf>, callers: usize, speech: Speech) -> Talkers {
        let shared = Arc::new(Shared::default());
        let mut talk = Talk {
            of_port: (0..)
                .zip(&self.ports)
                .map(|(at, port)| (*port, at))
                .collect(),
            parties: self.sockets.into_iter().map(Party::new).collect(),
            told: told.into_iter().map(Told::new).collect(),
            voice: Voice::new(speech),
            callers,
            shared: Arc::clone(&shared),
        };
        Talkers {
            shared,
            thread: Some(thread::spawn(move || talk.run())),
        }
    }
}

impl Talkers {
    /// Callers whose call was answered.
    pub fn up(&self) -> usize {
        self.shared.up.load(Ordering::Relaxed)
    }

    /// Callers whose call is over.
    pub fn ended(&self) -> usize {
        self.shared.ended.load(Ordering::Relaxed)
    }

    /// Falls silent; what was heard in all.
    pub fn stop(mut self) -> Heard {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let heard = self.thread.take().map(JoinHandle::join);
        heard.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Talkers {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

struct Talk {
    parties: Vec<Party>,
    of_port: HashMap<u16, usize>,
    told: Vec<Told>,
    voice: Voice,
    callers: usize,
    shared: Arc<Shared>,
}

struct Party {
    socket: UdpSocket,
    is_up: bool,
    /// Packets that it has sent, in this call.
    sent: u32,
    line: Line,
}

impl Party {
    fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
            is_up: false,
            sent: 0,
            line: Line::default(),
        }
    }
}

impl Talk {
    fn run(&mut self) -> Heard {
        let begin = Instant::now();
        for slot in 0.. {
            let due = begin + SLOT * slot;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.shared.is_over.load(Ordering::Relaxed) {
                break;
            }
            let slot = slot as usize;
            if slot.is_multiple_of(NEWS_EVERY) {
                self.hear_news();
            }
            for at in (slot % SPOKEN_OVER..self.parties.len()).step_by(SPOKEN_OVER) {
                self.speak(at);
            }
            for at in (slot % READ_OVER..self.parties.len()).step_by(READ_OVER) {
                self.read(at);
            }
        }
        for at in 0..self.parties.len() {
            self.read(at);
        }
        let mut heard = Heard::default();
        for party in &self.parties {
            heard.add(&party.line);
        }
        heard
    }

    fn hear_news(&mut self) {
        let news: Vec<News> = self.told.iter_mut().flat_map(Told::news).collect();
        for News { ours, theirs } in news {
            let Some(at) = self.of_port.get(&ours).copied() else {
                continue;
            };
            let party = &mut self.parties[at];
            let is_caller = at < self.callers;
            let Some(theirs) = theirs else {
                party.is_up = false;
                self.shared
                    .ended
                    .fetch_add(usize::from(is_caller), Ordering::Relaxed);
                continue;
            };
            // What still comes from another peer belongs to a call that is over.
            party.is_up = party.socket.connect((Ipv4Addr::LOCALHOST, theirs)).is_ok();
            party.sent = 0;
            party.line = Line::default();
            self.shared
                .up
                .fetch_add(usize::from(is_caller), Ordering::Relaxed);
        }
    }

    fn speak(&mut self, at: usize) {
        let party = &mut self.parties[at];
        if !party.is_up {
            return;
        }
        let mut packets = 0;
        self.voice.packets(at, party.sent, |packet| {
            // A full buffer at the peer is told by the count of lost packets.
            let _ = party.socket.send(packet);
            packets += 1;
        });
        party.sent += 1;
        party.line.sent += packets;
    }

    fn read(&mut self, at: usize) {
        let party = &mut self.parties[at];
        let mut buffer = [0; 2048];
        let mut stamp = nix::cmsg_space!(TimeSpec);
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let Ok(message) = recvmsg::<()>(
                party.socket.as_raw_fd(),
                &mut parts,
                Some(&mut stamp),
                MsgFlags::MSG_DONTWAIT,
            ) else {
                // Nothing more, or the peer's port is closed.
                return;
            };
            let came = message.cmsgs().find_map(|part| match part {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            let length = message.bytes;
            if party.is_up {
                party.line.hear(&buffer[..length], came);
            }
        }
    }
}

/// A log of SIPp that grows.
struct Told {
    path: PathBuf,
    file: Option<File>,
    rest: String,
}

/// A call of one of ours is up, or over when nobody is there any more.
#[derive(Debug, PartialEq, Eq)]
struct News {
    ours: u16,
    theirs: Option<u16>,
}

impl Told {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            rest: String::new(),
        }
    }

    fn news(&mut self) -> Vec<News> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            let mut bytes = Vec::new();
            // It fails only when the disk does; then nothing more is told, and the round says so.
            let _ = file.read_to_end(&mut bytes);
            self.rest.push_str(&String::from_utf8_lossy(&bytes));
        }
        let whole = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let lines: String = self.rest.drain(..whole).collect();
        lines.lines().filter_map(News::read).collect()
    }
}

impl News {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let what = words.next()?;
        let ours = words.next()?.parse().ok()?;
        match what {
            "up" => Some(Self {
                ours,
                theirs: Some(words.next()?.parse().ok()?),
            }),
            "end" => Some(Self { ours, theirs: None }),
            _ => None,
        }
    }
}

fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    setsockopt(socket.as_raw_fd(), ReceiveTimestampns, &true)?;
    Ok(socket)
}

/// Each does its part of the work in one of these.
const SLOT: Duration = Duration::from_millis(1);
/// Slots over which the calls are spread that speak; together they are the packet time.
const SPOKEN_OVER: usize = (PTIME.as_millis() / SLOT.as_millis()) as usize;
/// Slots until a socket is read again: 5 packets, far from what its buffer holds.
const READ_OVER: usize = 100;
/// Slots until the logs are read again.
const NEWS_EVERY: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_who_talks_to_whom() {
        let up = News::read("up 40000 16384 7 2026-01-01");
        assert_eq!(
            up,
            Some(News {
                ours: 40_000,
                theirs: Some(16_384)
            })
        );
        assert_eq!(
            News::read("end 40000"),
            Some(News {
                ours: 40_000,
                theirs: None
            })
        );
        assert_eq!(News::read("up 40000"), None);
        assert_eq!(News::read("out 7 2026-01-01"), None);
    }
}
