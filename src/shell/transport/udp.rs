//! SIP over UDP (RFC 3261 §18).

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use self::unreachable::Sent;
use super::{Counters, LocalAddresses};
use crate::sip::message::Message;
use crate::sip::{Hop, Transmit, Transport};
use crate::switch::Input;

mod unreachable;

/// One bound socket.
pub(super) struct Listener {
    socket: Arc<AsyncFd<UdpSocket>>,
    address: SocketAddr,
    sent: Arc<Sent>,
}

/// Room for a burst of some thousand messages while the switch is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// What is waited for: datagrams, and what ICMP says of ours. Whether there is room to send is not asked, since that
/// would wake us after every send.
const NEWS: Interest = Interest::READABLE.add(Interest::ERROR);
/// The largest datagram there is.
const DATAGRAM: usize = 65_535;
/// Datagrams taken before the switch has its turn. While it is behind, what waits must come into its queue,
/// whose length says so, and not stay in the socket: so it is more than the switch takes in a turn.
const BURST: usize = 1024;

impl Listener {
    /// Binds; IPv6 sockets take IPv6 alone, so that both families can have the same port.
    pub(super) fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The system may grant less; that is no reason not to start.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        if let Err(error) = unreachable::ask_for(&socket, address) {
            // Peers that are not there are then known by their silence alone.
            tracing::debug!(%error, "ICMP errors are not told by this system");
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        // Nobody waits to send, so nobody is to be woken each time a datagram has left.
        #[expect(
            deprecated,
            reason = "because a type might lie about its descriptor; a UdpSocket does not"
        )]
        let socket = AsyncFd::with_interest(socket, NEWS)?;
        Ok(Self {
            socket: Arc::new(socket),
            address,
            sent: Arc::default(),
        })
    }

    /// The address, with the port the system chose.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one datagram, or loses it.
    pub(super) fn send(&self, transmit: &Transmit) {
        let remote = transmit.hop.remote;
        self.sent.remember(remote, &transmit.bytes);
        let socket = self.socket.get_ref();
        let mut result = socket.send_to(&transmit.bytes, remote);
        if matches!(&result, Err(error) if unreachable::is_of_another(error)) {
            self.sent.wake();
            result = socket.send_to(&transmit.bytes, remote);
        }
        if let Err(error) = result {
            tracing::debug!(%remote, %error, "datagram not sent");
        }
    }

    /// Receives for ever, in a task of its own.
    pub(super) fn receive(&self, inputs: mpsc::Sender<Input>, counters: Arc<Counters>) {
        let receiver = Receiver {
            socket: Arc::clone(&self.socket),
            bound: self.address,
            locals: LocalAddresses::default(),
            sent: Arc::clone(&self.sent),
            inputs,
            counters,
        };
        tokio::spawn(receiver.run());
    }
}

/// Brings what comes to the switch.
struct Receiver {
    socket: Arc<AsyncFd<UdpSocket>>,
    bound: SocketAddr,
    locals: LocalAddresses,
    sent: Arc<Sent>,
    inputs: mpsc::Sender<Input>,
    counters: Arc<Counters>,
}

/// The switch is gone.
struct Gone;

impl Receiver {
    async fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM];
        let socket = Arc::clone(&self.socket);
        loop {
            let readable = tokio::select! {
                readable = socket.ready(NEWS) => readable,
                () = self.sent.woken() => {
                    self.tell_unreachable();
                    continue;
                }
            };
            // Fails when the runtime ends.
            let Ok(mut readable) = readable else {
                return;
            };
            let mut is_empty = false;
            for _ in 0..BURST {
                match readable.try_io(|socket| socket.get_ref().recv_from(&mut buffer)) {
                    Ok(Ok((length, remote))) => {
                        if self.take(&buffer[..length], remote).is_err() {
                            return;
                        }
                    }
                    Ok(Err(_)) => self.tell_unreachable(),
                    Err(_nothing_more) => {
                        is_empty = true;
                        break;
                    }
                }
            }
            if !is_empty {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take(&mut self, datagram: &[u8], remote: SocketAddr) -> Result<(), Gone> {
        let hop = self.hop(remote);
        let message = Message::parse_datagram(Bytes::copy_from_slice(datagram));
        match self.inputs.try_send(Input::Sip { hop, message }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                Counters::count(&self.counters.dropped_datagrams);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Gone),
        }
        Ok(())
    }

    fn tell_unreachable(&mut self) {
        for remote in self.sent.unreachable(self.socket.get_ref()) {
            tracing::debug!(%remote, "unreachable, says ICMP");
            let hop = self.hop(remote);
            // When the queue is full, it is known by its silence.
            let _ = self.inputs.try_send(Input::SipClosed { hop });
        }
    }

    fn hop(&mut self, remote: SocketAddr) -> Hop {
        Hop {
            transport: Transport::Udp,
            local: self.locals.towards(remote.ip(), self.bound),
            remote,
            connection: None,
        }
    }
}
