//! SIP over UDP (RFC 3261 §18).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use self::unreachable::Sent;
use super::{Counters, LocalAddresses};
use crate::sip::message::Message;
use crate::sip::{Hop, Transmit, Transport};
use crate::switch::Input;

mod unreachable;

/// One bound socket.
pub(super) struct Listener {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    sent: Arc<Sent>,
}

/// Room for a burst of some thousand messages while the switch is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

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
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
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
        let mut result = self.socket.try_send_to(&transmit.bytes, remote);
        if matches!(&result, Err(error) if unreachable::is_of_another(error)) {
            self.sent.wake();
            result = self.socket.try_send_to(&transmit.bytes, remote);
        }
        if let Err(error) = result {
            tracing::debug!(%remote, %error, "datagram not sent");
        }
    }

    /// Receives for ever, in a task of its own.
    pub(super) fn receive(&self, inputs: mpsc::Sender<Input>, counters: Arc<Counters>) {
        tokio::spawn(receive(
            Arc::clone(&self.socket),
            self.address,
            Arc::clone(&self.sent),
            inputs,
            counters,
        ));
    }
}

async fn receive(
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    sent: Arc<Sent>,
    inputs: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buffer = vec![0; DATAGRAM];
    let mut locals = LocalAddresses::default();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received.ok(),
            () = sent.woken() => None,
        };
        let Some((length, remote)) = received else {
            for remote in sent.unreachable(&socket) {
                let local = locals.towards(remote.ip(), bound);
                tracing::debug!(%remote, "unreachable, says ICMP");
                let hop = Hop {
                    transport: Transport::Udp,
                    local,
                    remote,
                    connection: None,
                };
                // When the queue is full, it is known by its silence.
                let _ = inputs.try_send(Input::SipClosed { hop });
            }
            continue;
        };
        let hop = Hop {
            transport: Transport::Udp,
            local: locals.towards(remote.ip(), bound),
            remote,
            connection: None,
        };
        let message = Message::parse_datagram(Bytes::copy_from_slice(&buffer[..length]));
        match inputs.try_send(Input::Sip { hop, message }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => Counters::count(&counters.dropped_datagrams),
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
    }
}
