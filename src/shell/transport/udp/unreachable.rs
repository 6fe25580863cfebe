//! What ICMP says of datagrams that did not arrive (RFC 3261 §18.4).
//!
//! The system keeps the errors of a socket in a queue beside its datagrams (`IP_RECVERR`), each with the
//! first octets of the datagram it is about. Anybody can forge such an error; but nobody who has not seen
//! the datagram knows the branch in its Via, so one counts only when it quotes that.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use tokio::sync::Notify;

/// The newest datagrams that were sent, and what wakes up who reads the errors.
#[derive(Default)]
pub(super) struct Sent {
    newest: Mutex<VecDeque<(SocketAddr, Bytes)>>,
    errors: Notify,
}

/// Datagrams remembered: an error comes within a round trip, in which no more are sent.
const NEWEST: usize = 256;
/// Octets of a datagram that an error must quote at least: request line and Via of a SIP message, with
/// its branch. Systems quote about 500, old routers none.
const QUOTED: usize = 128;
/// Errors read at once; the rest waits for the next time.
const ERRORS: usize = 64;

/// Makes the system keep the errors of a socket.
pub(super) fn ask_for(socket: &impl AsFd, address: SocketAddr) -> std::io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    if address.is_ipv4() {
        setsockopt(socket, Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// Claims that a send was refused because of an earlier datagram, perhaps to another peer: the system
/// tells the error at the next chance, and sends nothing then.
pub(super) fn is_of_another(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}

impl Sent {
    /// Keeps what is sent to `remote`.
    pub(super) fn remember(&self, remote: SocketAddr, bytes: &Bytes) {
        let mut newest = self.newest();
        if newest.len() == NEWEST {
            newest.pop_front();
        }
        newest.push_back((remote, bytes.clone()));
    }

    /// Has the errors read soon.
    pub(super) fn wake(&self) {
        self.errors.notify_one();
    }

    /// Waits for [`Self::wake`].
    pub(super) async fn woken(&self) {
        self.errors.notified().await;
    }

    /// The peers that a datagram did not reach since the last time, each once.
    pub(super) fn unreachable(&self, socket: &UdpSocket) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for _ in 0..ERRORS {
            let Some(error) = error_of(socket) else {
                return found;
            };
            let remote = error.and_then(|(remote, quoted)| {
                let was_sent = self
                    .newest()
                    .iter()
                    .any(|(to, bytes)| *to == remote && is_quoted(bytes, &quoted));
                was_sent.then_some(remote)
            });
            found.extend(remote.filter(|remote| !found.contains(remote)));
        }
        self.wake();
        found
    }

    fn newest(&self) -> MutexGuard<'_, VecDeque<(SocketAddr, Bytes)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_quoted(bytes: &[u8], quoted: &[u8]) -> bool {
    quoted.len() >= QUOTED && bytes.starts_with(quoted)
}

/// The next error of a socket, as the peer it is about and what it quotes; `Some(None)` for one that does
/// not say that a peer is out of reach.
fn error_of(socket: &UdpSocket) -> Option<Option<(SocketAddr, Vec<u8>)>> {
    let mut buffer = [0; 1024];
    let mut told = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let error =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut told), flags).ok()?;
    let is_out_of_reach = error.cmsgs().any(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            let errno = i32::try_from(error.ee_errno).unwrap_or_default();
            let is_icmp = matches!(
                error.ee_origin,
                libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
            );
            is_icmp && is_of_another(&std::io::Error::from_raw_os_error(errno))
        }
        _ => false,
    });
    let (address, length) = (error.address, error.bytes);
    let remote = address.as_ref().and_then(|address| {
        let four = address.as_sockaddr_in();
        let six = address.as_sockaddr_in6();
        four.map(|four| SocketAddrV4::from(*four).into())
            .or(six.map(|six| SocketAddrV6::from(*six).into()))
    });
    let quoted = buffer.get(..length).unwrap_or_default().to_vec();
    Some(
        remote
            .filter(|_| is_out_of_reach)
            .map(|remote| (remote, quoted)),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::net::UdpSocket;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::super::Listener;
    use super::*;
    use crate::shell::transport::Counters;
    use crate::sip::{Hop, Transmit, Transport};
    use crate::switch::Input;

    async fn listener() -> (Listener, mpsc::Receiver<Input>) {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (sender, inputs) = mpsc::channel(100);
        listener.receive(sender, Arc::new(Counters::default()));
        (listener, inputs)
    }

    fn transmit(listener: &Listener, remote: SocketAddr, length: usize) -> Transmit {
        let local = listener.address();
        let hop = Hop {
            transport: Transport::Udp,
            local,
            remote,
            connection: None,
        };
        let mut bytes =
            format!("OPTIONS sip:{remote} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK");
        bytes.extend(std::iter::repeat_n('x', length - bytes.len()));
        Transmit {
            hop,
            bytes: bytes.into(),
        }
    }

    /// An address where nobody is any more.
    fn closed() -> SocketAddr {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_port_that_is_closed_is_told_once_and_others_are_still_reached() {
        let (listener, mut inputs) = listener().await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (closed, open) = (closed(), peer.local_addr().unwrap());
        for _ in 0..3 {
            listener.send(&transmit(&listener, closed, 1200));
            listener.send(&transmit(&listener, open, 1200));
        }
        let mut buffer = [0; 2000];
        for _ in 0..3 {
            let received = timeout(Duration::from_secs(5), peer.recv(&mut buffer)).await;
            assert_eq!(received.unwrap().unwrap(), 1200);
        }
        match timeout(Duration::from_secs(5), inputs.recv())
            .await
            .unwrap()
            .unwrap()
        {
            Input::SipClosed { hop } => {
                assert_eq!((hop.remote, hop.local), (closed, listener.address()))
            }
            other => panic!("{other:?}"),
        }
        peer.send_to(b"BYE", listener.address()).await.unwrap();
        let mut next = timeout(Duration::from_secs(5), inputs.recv())
            .await
            .unwrap()
            .unwrap();
        while let Input::SipClosed { hop } = next {
            assert_eq!(hop.remote, closed);
            next = timeout(Duration::from_secs(5), inputs.recv())
                .await
                .unwrap()
                .unwrap();
        }
        assert!(matches!(next, Input::Sip { hop, .. } if hop.remote == open));
    }

    #[tokio::test]
    async fn a_single_datagram_that_reached_nobody_is_told_though_nothing_else_happens() {
        let (listener, mut inputs) = listener().await;
        let closed = closed();
        listener.send(&transmit(&listener, closed, 400));
        let told = timeout(Duration::from_secs(5), inputs.recv()).await;
        assert!(
            matches!(told, Ok(Some(Input::SipClosed { hop })) if hop.remote == closed),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn an_error_about_something_that_was_not_sent_is_not_believed() {
        let (listener, mut inputs) = listener().await;
        let closed = closed();
        let sent = transmit(&listener, closed, 400);
        // As if somebody else had sent it from our port.
        let socket = listener.socket.get_ref();
        socket.send_to(&sent.bytes, closed).unwrap();
        assert!(
            timeout(Duration::from_millis(200), inputs.recv())
                .await
                .is_err()
        );
        listener.send(&sent);
        assert!(timeout(Duration::from_secs(5), inputs.recv()).await.is_ok());
    }

    #[test]
    fn an_error_must_quote_the_branch() {
        let sent = vec![b'x'; 600];
        assert!(is_quoted(&sent, &sent[..540]));
        assert!(!is_quoted(&sent, &sent[..QUOTED - 1]));
        assert!(!is_quoted(&sent, &[]));
        let mut other = sent.clone();
        other[QUOTED] = b'y';
        assert!(!is_quoted(&sent, &other[..540]));
    }
}
