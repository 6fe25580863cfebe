//! The two sockets of a session.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Room for two seconds of one peer's packets, which the kernel counts with their overhead.
const BUFFER: usize = 128 * 1024;

/// Expedited forwarding (RFC 3246), the mark that networks give voice.
const DSCP_EF: u32 = 46 << 2;

/// An RTP socket on an even port and an RTCP socket on the next.
#[derive(Debug)]
pub(super) struct SocketPair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    pinned: Option<SocketAddr>,
}

impl SocketPair {
    /// Binds both, or neither.
    pub(super) fn bind(local: IpAddr, port: u16) -> io::Result<Self> {
        let rtp = bind(SocketAddr::new(local, port))?;
        let rtcp = bind(SocketAddr::new(local, port + 1))?;
        Ok(Self {
            rtp,
            rtcp,
            port,
            pinned: None,
        })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn socket(&self, rtcp: bool) -> &UdpSocket {
        if rtcp { &self.rtcp } else { &self.rtp }
    }

    /// Connects the RTP socket to the one address it speaks with, or frees it again.
    ///
    /// A connected socket saves the kernel a route look-up per packet, and turns strangers away there. A
    /// refusal is harmless: the session judges every source itself.
    pub(super) fn pin(&mut self, source: Option<SocketAddr>) {
        self.pinned = match source {
            Some(source) => self.rtp.connect(source).is_ok().then_some(source),
            None => {
                if self.pinned.is_some() && rustix::net::connect_unspec(&self.rtp).is_err() {
                    tracing::warn!(
                        port = self.port,
                        "an RTP socket stays connected to its old peer"
                    );
                }
                None
            }
        };
    }

    /// Sends one datagram without waiting.
    pub(super) fn send(&self, rtcp: bool, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        if !rtcp && self.pinned == Some(to) {
            return match self.rtp.send(bytes) {
                // What an earlier packet met is told in place of sending this one.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.rtp.send(bytes).map(drop)
                }
                result => result.map(drop),
            };
        }
        self.socket(rtcp).send_to(bytes, to).map(drop)
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        // A network that forbids marking still carries unmarked packets.
        let _ = socket.set_tclass_v6(DSCP_EF);
    } else {
        let _ = socket.set_tos_v4(DSCP_EF);
    }
    // The kernel may grant less; then its own limit holds.
    let _ = socket.set_recv_buffer_size(BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    fn peer(local: IpAddr) -> UdpSocket {
        let socket = UdpSocket::bind((local, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket
    }

    /// A pair on ports that were free a moment ago.
    fn pair(local: IpAddr) -> SocketPair {
        (0..100)
            .find_map(|_| {
                let port = peer(local).local_addr().unwrap().port() & !1;
                SocketPair::bind(local, port).ok()
            })
            .unwrap()
    }

    fn hears(pair: &SocketPair) -> bool {
        let mut buffer = [0; 16];
        (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            pair.socket(false).recv_from(&mut buffer).is_ok()
        })
    }

    #[test]
    fn a_pinned_socket_hears_its_peer_only_and_everyone_again_once_it_is_free() {
        for local in [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            if UdpSocket::bind((local, 0)).is_err() {
                continue;
            }
            let (mut pair, known, stranger) = (pair(local), peer(local), peer(local));
            let to = SocketAddr::new(local, pair.port());
            let known_at = known.local_addr().unwrap();
            pair.pin(Some(known_at));
            stranger.send_to(b"stranger", to).unwrap();
            assert!(!hears(&pair));
            known.send_to(b"known", to).unwrap();
            assert!(hears(&pair));
            pair.send(false, known_at, b"answer").unwrap();
            known.recv(&mut [0; 16]).unwrap();
            pair.pin(None);
            stranger.send_to(b"stranger", to).unwrap();
            assert!(hears(&pair));
            pair.send(true, stranger.local_addr().unwrap(), b"report")
                .unwrap();
            let (_, from) = stranger.recv_from(&mut [0; 16]).unwrap();
            assert_eq!(from.port(), pair.port() + 1);
        }
    }

    #[test]
    fn a_closed_port_at_the_peer_does_not_stop_later_packets() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (mut pair, known) = (pair(local), peer(local));
        let at = known.local_addr().unwrap();
        pair.pin(Some(at));
        drop(known);
        // The second and later ones find the refusal of the one before.
        (0..3).for_each(|_| drop(pair.send(false, at, b"into the void")));
        let known = UdpSocket::bind(at).unwrap();
        pair.send(false, at, b"heard").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(known.recv(&mut buffer).unwrap(), 5);
    }
}
