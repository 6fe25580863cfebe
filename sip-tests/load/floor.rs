//! The floor: the least that moving the packets of calls costs, as a program of its own.
//!
//! One thread, a socket for each call, an epoll, and for each packet one receive and one send. It knows nothing
//! of RTP. SIPp answers the calls in its place (`callee.xml`).

use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::parent_id;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use crate::talk::{PACKET, PTIME};

/// What it does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Each packet goes back.
    Echo,
    /// The first packet says where to; one is sent each 20 ms.
    Play,
    /// Each packet of a socket leaves by its neighbour.
    Pair,
}

/// Binds, prints its ports on one line, and moves packets until it is killed or who started it is gone.
pub fn run(kind: Kind, calls: usize) -> io::Result<()> {
    let sockets: Vec<UdpSocket> = (0..calls)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect::<io::Result<_>>()?;
    let ports: Vec<String> = sockets
        .iter()
        .map(|socket| Ok(socket.local_addr()?.port().to_string()))
        .collect::<io::Result<_>>()?;
    println!("{}", ports.join(" "));
    io::stdout().flush()?;
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (token, socket) in (0..).zip(&sockets) {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&poller, socket, data, epoll::EventFlags::IN)?;
    }
    let mut floor = Floor {
        peers: vec![None; calls],
        kind,
        sockets,
    };
    let starter = parent_id();
    let begin = Instant::now();
    let mut slot = 0;
    loop {
        let mut events = [const { MaybeUninit::uninit() }; 256];
        let pause = if kind == Kind::Play {
            let due = begin + SLOT * slot;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                floor.send(slot as usize);
                slot += 1;
                if slot.is_multiple_of(1000) && parent_id() != starter {
                    return Ok(());
                }
                continue;
            }
            left
        } else {
            Duration::from_secs(1)
        };
        let pause = Timespec {
            tv_sec: pause.as_secs() as i64,
            tv_nsec: i64::from(pause.subsec_nanos()),
        };
        if let Ok((events, _)) = epoll::wait(&poller, &mut events, Some(&pause)) {
            if events.is_empty() && parent_id() != starter {
                return Ok(());
            }
            for event in events {
                // Not by reference: the structure is packed.
                let data = event.data;
                floor.take(data.u64() as usize);
            }
        }
    }
}

struct Floor {
    kind: Kind,
    sockets: Vec<UdpSocket>,
    peers: Vec<Option<SocketAddr>>,
}

impl Floor {
    fn take(&mut self, at: usize) {
        let mut buffer = [0; 2048];
        let Ok((len, from)) = self.sockets[at].recv_from(&mut buffer) else {
            return;
        };
        let (way, to) = match self.kind {
            Kind::Echo => (at, Some(from)),
            Kind::Play => (at, None),
            Kind::Pair => (at ^ 1, self.peers.get(at ^ 1).copied().flatten()),
        };
        self.peers[at] = Some(from);
        if let Some(to) = to {
            // A full buffer at the peer is told by its count of lost packets.
            let _ = self.sockets[way].send_to(&buffer[..len], to);
        }
    }

    /// One packet of every call whose turn this slot is.
    fn send(&self, slot: usize) {
        for at in (slot % SLOTS..self.sockets.len()).step_by(SLOTS) {
            if let Some(peer) = self.peers[at] {
                let _ = self.sockets[at].send_to(&[0xFF; PACKET], peer);
            }
        }
    }
}

/// Calls are spread over the 20 ms by these.
const SLOT: Duration = Duration::from_millis(1);
const SLOTS: usize = (PTIME.as_millis() / SLOT.as_millis()) as usize;
