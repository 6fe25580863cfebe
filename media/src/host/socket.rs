//! The two sockets of a session.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// Room for two seconds of one peer's packets, which the kernel counts with their overhead.
const BUFFER: usize = 128 * 1024;

/// What the kernel counts for the smallest datagram, at least.
const LEAST: usize = 512;

/// Expedited forwarding (RFC 3246), the mark that networks give voice.
const DSCP_EF: u32 = 46 << 2;

/// A datagram that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) len: usize,
    pub(super) source: SocketAddr,
    /// Wall time at which the kernel received it, since the Unix epoch; of RTP only.
    pub(super) stamp: Option<Duration>,
}

/// Room for the time stamp of one datagram.
pub(super) fn space_for_stamp() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec)
}

/// An RTP socket on an even port and an RTCP socket on the next.
///
/// The second is not bound before the first packet of the session comes or goes: many calls end before that.
#[derive(Debug)]
pub(super) struct SocketPair {
    rtp: UdpSocket,
    rtcp: Rtcp,
    local: SocketAddr,
    pinned: Option<SocketAddr>,
    /// The kernel says when RTP came.
    is_stamped: bool,
    /// RTP is read by the tick.
    pub(super) is_deferred: bool,
}

/// The RTCP socket.
#[derive(Debug)]
enum Rtcp {
    Unbound,
    Bound(UdpSocket),
    /// Somebody else has the port: the session goes without reports.
    Refused,
}

impl SocketPair {
    /// Binds the RTP socket.
    pub(super) fn bind(local: IpAddr, port: u16) -> io::Result<Self> {
        let local = SocketAddr::new(local, port);
        let rtp = bind(local)?;
        // Without stamps a datagram counts as come when it is read.
        let stamped = setsockopt(rtp.as_raw_fd(), sockopt::ReceiveTimestampns, &true);
        Ok(Self {
            rtp,
            rtcp: Rtcp::Unbound,
            local,
            pinned: None,
            is_stamped: stamped.is_ok(),
            is_deferred: false,
        })
    }

    /// Binds the RTCP socket when that has not been tried; `Some` when it is there since now.
    pub(super) fn complete(&mut self) -> Option<&UdpSocket> {
        if !matches!(self.rtcp, Rtcp::Unbound) {
            return None;
        }
        let local = SocketAddr::new(self.local.ip(), self.local.port() + 1);
        self.rtcp = match bind(local) {
            Ok(socket) => Rtcp::Bound(socket),
            Err(error) => {
                tracing::debug!(%local, %error, "no RTCP for a session");
                Rtcp::Refused
            }
        };
        self.socket(true)
    }

    /// Reads one datagram without waiting, with its stamp if that is wanted and it has one.
    pub(super) fn receive(
        &self,
        rtcp: bool,
        buffer: &mut [u8],
        space: Option<&mut Vec<u8>>,
    ) -> io::Result<Received> {
        let Some(space) = space.filter(|_| !rtcp) else {
            let socket = self.socket(rtcp).ok_or(io::ErrorKind::WouldBlock)?;
            let (len, source) = socket.recv_from(buffer)?;
            let stamp = None;
            return Ok(Received { len, source, stamp });
        };
        let mut buffers = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::empty();
        let message = recvmsg(self.rtp.as_raw_fd(), &mut buffers, Some(space), flags)?;
        let source = source_of(&message).ok_or(io::ErrorKind::InvalidData)?;
        let stamp = message.cmsgs().find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        let len = message.bytes;
        Ok(Received { len, source, stamp })
    }

    /// Drops what came while nobody listened, as it is dropped while nothing is agreed.
    pub(super) fn forget_all(&self) {
        // Bounded by what fits into its buffer, in case somebody sends faster than it is read.
        (0..BUFFER / LEAST).find(|_| self.rtp.recv(&mut [0]).is_err());
    }

    pub(super) const fn port(&self) -> u16 {
        self.local.port()
    }

    /// Whether RTP may be read some time after it came, and still is known to have come then.
    pub(super) const fn is_stamped(&self) -> bool {
        self.is_stamped
    }

    /// One of the two, where it is bound.
    pub(super) const fn socket(&self, rtcp: bool) -> Option<&UdpSocket> {
        match &self.rtcp {
            _ if !rtcp => Some(&self.rtp),
            Rtcp::Bound(socket) => Some(socket),
            Rtcp::Unbound | Rtcp::Refused => None,
        }
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
                        port = self.port(),
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
        match self.socket(rtcp) {
            Some(socket) => socket.send_to(bytes, to).map(drop),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

fn source_of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<SocketAddr> {
    let address = message.address.as_ref()?;
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| Some(SocketAddr::V6((*address.as_sockaddr_in6()?).into())))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
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
            let rtp = pair.socket(false).unwrap();
            rtp.recv_from(&mut buffer).is_ok()
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
            assert!(pair.socket(true).is_none());
            assert!(pair.complete().is_some() && pair.complete().is_none());
            pair.send(true, stranger.local_addr().unwrap(), b"report")
                .unwrap();
            let (_, from) = stranger.recv_from(&mut [0; 16]).unwrap();
            assert_eq!(from.port(), pair.port() + 1);
        }
    }

    #[test]
    fn a_datagram_is_read_with_its_source_and_the_time_it_came() {
        let wall = || {
            let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            wall.unwrap()
        };
        for local in [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            if UdpSocket::bind((local, 0)).is_err() {
                continue;
            }
            let (mut pair, known) = (pair(local), peer(local));
            pair.complete();
            let (mut buffer, mut space) = ([0; 16], space_for_stamp());
            for (is_wanted, rtcp) in [(true, false), (false, false), (true, true)] {
                let port = pair.port() + u16::from(rtcp);
                let before = wall();
                known.send_to(b"hello", (local, port)).unwrap();
                let received = (0..100).find_map(|_| {
                    std::thread::sleep(Duration::from_millis(1));
                    let space = is_wanted.then_some(&mut space);
                    pair.receive(rtcp, &mut buffer, space).ok()
                });
                let received = received.unwrap();
                assert_eq!(&buffer[..received.len], b"hello");
                assert_eq!(received.source, known.local_addr().unwrap());
                assert_eq!(received.stamp.is_some(), is_wanted && !rtcp);
                let stamp = received.stamp.unwrap_or(before);
                assert!(before <= stamp && stamp <= wall(), "{stamp:?}");
            }
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
