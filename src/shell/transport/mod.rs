//! SIP sockets: bytes in become [`Input`]s, transmits become bytes out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

use crate::sip::{Hop, Transmit, Transport};
use crate::switch::Input;

mod tcp;
mod udp;

/// All SIP sockets of the process.
pub struct Transports {
    udp: Vec<udp::Listener>,
    tcp: tcp::Connections,
    listening: Vec<(Transport, SocketAddr)>,
}

/// Why SIP cannot be listened to; one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}:{address}: {}", .transport.token().to_ascii_lowercase(), explain(.error))]
pub struct BindError {
    transport: Transport,
    address: SocketAddr,
    error: std::io::Error,
}

fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is in use; stop who has it or choose another with --sip".to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
        _ => error.to_string(),
    }
}

impl Transports {
    /// Binds every address and starts to receive; what comes goes to `inputs`.
    pub async fn bind(
        listen: &[(Transport, SocketAddr)],
        inputs: &mpsc::Sender<Input>,
        counters: &Arc<Counters>,
    ) -> Result<Self, BindError> {
        let mut udp = Vec::new();
        let mut listening = Vec::new();
        let tcp = tcp::Connections::new(inputs.clone(), Arc::clone(counters));
        for &(transport, address) in listen {
            let fail = |error| BindError {
                transport,
                address,
                error,
            };
            let bound = match transport {
                Transport::Udp => {
                    let listener = udp::Listener::bind(address).map_err(fail)?;
                    let bound = listener.address();
                    listener.receive(inputs.clone(), Arc::clone(counters));
                    udp.push(listener);
                    bound
                }
                Transport::Tcp => tcp.listen(address).await.map_err(fail)?,
            };
            listening.push((transport, bound));
        }
        Ok(Self {
            udp,
            tcp,
            listening,
        })
    }

    /// What is listened to, with the ports the system chose.
    #[must_use]
    pub fn listening(&self) -> &[(Transport, SocketAddr)] {
        &self.listening
    }

    /// What leaves by these sockets, for whoever chooses hops.
    #[must_use]
    pub fn outlets(&self) -> Outlets {
        Outlets::new(self.listening.clone())
    }

    /// Sends without waiting. What a full socket refuses is lost as a datagram may be; a stream that
    /// does not keep up is closed.
    pub fn send(&self, transmit: Transmit) {
        match transmit.hop.transport {
            Transport::Tcp => self.tcp.send(transmit),
            Transport::Udp => {
                if let Some(listener) = self.listener(&transmit.hop) {
                    listener.send(&transmit);
                }
            }
        }
    }

    fn listener(&self, hop: &Hop) -> Option<&udp::Listener> {
        let exact = self
            .udp
            .iter()
            .find(|listener| listener.address() == hop.local);
        exact.or_else(|| {
            self.udp.iter().find(|listener| {
                let address = listener.address();
                address.port() == hop.local.port() && address.is_ipv4() == hop.local.is_ipv4()
            })
        })
    }
}

/// The addresses that messages leave from.
#[derive(Debug)]
pub struct Outlets {
    listening: Vec<(Transport, SocketAddr)>,
    ways: Mutex<Ways>,
}

/// The address that the system would use towards peers, as it was a moment ago.
#[derive(Debug, Default)]
struct Ways {
    since: Option<Instant>,
    known: HashMap<IpAddr, Option<IpAddr>>,
}

/// So long a way is taken as it was: the system is asked once for many calls, and a change is seen at once.
const WAY_KEPT: Duration = Duration::from_secs(1);

impl Outlets {
    /// Takes what is listened to.
    #[must_use]
    pub fn new(listening: Vec<(Transport, SocketAddr)>) -> Self {
        let ways = Mutex::default();
        Self { listening, ways }
    }

    /// Our transports, UDP first: it is the one that every peer speaks (RFC 3261 §18).
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        let is_spoken =
            |transport: &Transport| self.listening.iter().any(|(ours, _)| ours == transport);
        [Transport::Udp, Transport::Tcp]
            .into_iter()
            .filter(is_spoken)
            .collect()
    }

    /// Whether there are IPv4 and IPv6 addresses among them.
    #[must_use]
    pub fn families(&self) -> (bool, bool) {
        let has = |is_four: bool| {
            let mut addresses = self.listening.iter();
            addresses.any(|(_, ours)| ours.is_ipv4() == is_four)
        };
        (has(true), has(false))
    }

    /// The way to `remote`, without a connection yet; `None` when none of our sockets has its family, or
    /// the system knows no way there.
    ///
    /// Of several sockets it is the one at the address that the system would use towards the peer, else
    /// one that is bound to all addresses, else any from which there is a way.
    #[must_use]
    pub fn hop(&self, transport: Transport, remote: SocketAddr) -> Option<Hop> {
        let is_fit = |(ours, bound): &&(Transport, SocketAddr)| {
            *ours == transport && bound.is_ipv4() == remote.is_ipv4()
        };
        let fit: Vec<SocketAddr> = self
            .listening
            .iter()
            .filter(is_fit)
            .map(|(_, bound)| *bound)
            .collect();
        let ours = self.way(Instant::now(), remote.ip())?;
        let exact = fit.iter().find(|bound| bound.ip() == ours);
        let open = || fit.iter().find(|bound| bound.ip().is_unspecified());
        let other = || {
            let reaches = |bound: &&SocketAddr| ask(remote.ip(), bound.ip()).is_some();
            fit.iter().find(reaches)
        };
        let bound = *exact.or_else(open).or_else(other)?;
        let ip = if bound.ip().is_unspecified() {
            ours
        } else {
            bound.ip()
        };
        Some(Hop {
            transport,
            local: SocketAddr::new(ip, bound.port()),
            remote,
            connection: None,
        })
    }

    fn way(&self, now: Instant, peer: IpAddr) -> Option<IpAddr> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |since: Instant| now.saturating_duration_since(since) >= WAY_KEPT;
        if ways.since.is_none_or(is_old) || ways.known.len() == PEERS {
            ways.known.clear();
            ways.since = Some(now);
        }
        let any: IpAddr = match peer {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        *ways.known.entry(peer).or_insert_with(|| ask(peer, any))
    }
}

/// What the sockets counted; read for the log.
#[derive(Debug, Default)]
pub struct Counters {
    /// Datagrams that found the queue to the switch full.
    pub dropped_datagrams: AtomicU64,
    /// Connections refused because there were too many, or closed for what they sent.
    pub refused_connections: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The address a peer is reached from, for sockets bound to all of them.
#[derive(Debug, Default)]
struct LocalAddresses(HashMap<IpAddr, IpAddr>);

/// Peers remembered at once; a flood of forged sources makes the memory start anew, not grow.
const PEERS: usize = 4096;

impl LocalAddresses {
    /// `bound`, with a wildcard replaced by the address that the system would use towards `peer`.
    fn towards(&mut self, peer: IpAddr, bound: SocketAddr) -> SocketAddr {
        if !bound.ip().is_unspecified() {
            return bound;
        }
        if let Some(local) = self.0.get(&peer) {
            return SocketAddr::new(*local, bound.port());
        }
        let local = ask(peer, bound.ip()).unwrap_or(bound.ip());
        if self.0.len() == PEERS {
            self.0.clear();
        }
        self.0.insert(peer, local);
        SocketAddr::new(local, bound.port())
    }
}

/// The address that the system would use towards `peer`, from one of ours or any: connecting a datagram socket
/// sends nothing and makes the system choose.
fn ask(peer: IpAddr, ours: IpAddr) -> Option<IpAddr> {
    let peer = SocketAddr::new(peer, 9);
    let probe = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP)).ok()?;
    if !ours.is_unspecified() {
        probe.bind(&SocketAddr::new(ours, 0).into()).ok()?;
    }
    probe.connect(&peer.into()).ok()?;
    Some(probe.local_addr().ok()?.as_socket()?.ip())
}
