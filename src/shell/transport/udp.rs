//! SIP over UDP (RFC 3261 §18).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{Counters, LocalAddresses};
use crate::sip::message::Message;
use crate::sip::{Hop, Transmit, Transport};
use crate::switch::Input;

/// One bound socket.
pub(super) struct Listener {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
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
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket: Arc::new(socket),
            address,
        })
    }

    /// The address, with the port the system chose.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one datagram, or loses it.
    pub(super) fn send(&self, transmit: &Transmit) {
        if let Err(error) = self
            .socket
            .try_send_to(&transmit.bytes, transmit.hop.remote)
        {
            tracing::debug!(remote = %transmit.hop.remote, %error, "datagram not sent");
        }
    }

    /// Receives for ever, in a task of its own.
    pub(super) fn receive(&self, inputs: mpsc::Sender<Input>, counters: Arc<Counters>) {
        tokio::spawn(receive(
            Arc::clone(&self.socket),
            self.address,
            inputs,
            counters,
        ));
    }
}

async fn receive(
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    inputs: mpsc::Sender<Input>,
    counters: Arc<Counters>,
) {
    let mut buffer = vec![0; DATAGRAM];
    let mut locals = LocalAddresses::default();
    loop {
        let (length, remote) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // What comes back by ICMP for something sent earlier; the transactions time out.
                tracing::trace!(%error, "receive");
                continue;
            }
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
