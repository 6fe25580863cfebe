//! SIP over TCP (RFC 3261 §18, RFC 5626 §3.5.1 keep-alives).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Counters, LocalAddresses};
use crate::sip::message::{Frame, StreamFramer};
use crate::sip::{ConnectionId, Hop, Transmit, Transport};
use crate::switch::Input;

/// All open connections.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    open: Mutex<Open>,
    issued: AtomicU64,
    inputs: mpsc::Sender<Input>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<ConnectionId, Connection>,
    /// The connection that messages without one take, by the peer's side of it.
    remotes: HashMap<SocketAddr, ConnectionId>,
    peers: HashMap<IpAddr, usize>,
}

/// One connection, from the moment it is wanted.
struct Connection {
    remote: SocketAddr,
    /// What waits to be written, also while the connection is being made: so two messages to a new peer
    /// share one, and keep their order.
    writer: mpsc::Sender<Bytes>,
    /// How something came to be sent on it without naming it: whoever sent that knows the connection by
    /// this alone, and is told of its end so.
    unnamed: Option<Hop>,
    /// Dropped with the connection, which ends its tasks at once whatever they wait for.
    _kept: oneshot::Sender<()>,
}

/// The ends of a connection that its tasks hold.
struct Ends {
    queue: mpsc::Receiver<Bytes>,
    given_up: oneshot::Receiver<()>,
}

/// Connections at once, and from one address: far below what exhausts descriptors.
const CONNECTIONS: usize = 4096;
const CONNECTIONS_PER_PEER: usize = 256;
/// Messages waiting for one slow reader.
const WRITE_QUEUE: usize = 128;
/// How long a connection may be silent before its first message, and within one message.
const IMPATIENCE: Duration = Duration::from_secs(20);
/// How long it may be silent after that: longer than the keep-alives and sessions of phones.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);
/// How long a connection of ours may take to be made, or a write to be taken.
const CONNECT: Duration = Duration::from_secs(5);
const WRITE: Duration = Duration::from_secs(10);
/// Octets read at once.
const READ: usize = 16 * 1024;

impl Connections {
    pub(super) fn new(inputs: mpsc::Sender<Input>, counters: Arc<Counters>) -> Self {
        Self(Arc::new(Shared {
            open: Mutex::default(),
            issued: AtomicU64::new(0),
            inputs,
            counters,
        }))
    }

    /// Binds and accepts for ever, in a task of its own.
    pub(super) async fn listen(&self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let bound = listener.local_addr()?;
        tokio::spawn(self.clone().accept(listener));
        Ok(bound)
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    if self.open(stream, remote).is_none() {
                        Counters::count(&self.0.counters.refused_connections);
                    }
                }
                Err(error) => {
                    // Out of descriptors, most often: others must end first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Sends on the connection of the hop; without one, on an open connection to the same peer, or on
    /// a new one.
    pub(super) fn send(&self, transmit: Transmit) {
        let Transmit { hop, bytes } = transmit;
        let mut open = self.lock();
        let known = match hop.connection {
            Some(id) => Some(id),
            None => open.remotes.get(&hop.remote).copied(),
        };
        if let Some((id, connection)) =
            known.and_then(|id| Some((id, open.connections.get_mut(&id)?)))
        {
            if hop.connection.is_none() {
                connection.unnamed = Some(hop);
            }
            let is_taken = connection.writer.try_send(bytes).is_ok();
            drop(open);
            if !is_taken {
                tracing::debug!(remote = %hop.remote, "a peer does not read; its connection is closed");
                self.forget(id);
            }
            return;
        }
        if hop.connection.is_some() {
            drop(open);
            self.report_closed(hop);
            return;
        }
        let Some((id, writer, ends)) = self.admit(&mut open, hop.remote, Some(hop)) else {
            drop(open);
            Counters::count(&self.0.counters.refused_connections);
            self.report_closed(hop);
            return;
        };
        drop(open);
        // A new queue has room for the first message.
        let _ = writer.try_send(bytes);
        tokio::spawn(self.clone().connect(id, hop, ends));
    }

    async fn connect(self, id: ConnectionId, hop: Hop, mut ends: Ends) {
        let connecting = timeout(CONNECT, connected(hop.local.ip(), hop.remote));
        let made = tokio::select! {
            made = connecting => made,
            _ = &mut ends.given_up => return,
        };
        match made {
            Ok(Ok(stream)) => return self.carry(id, stream, hop, ends).await,
            Ok(Err(error)) => tracing::debug!(remote = %hop.remote, %error, "cannot connect"),
            Err(_) => tracing::debug!(remote = %hop.remote, "the connection is not taken"),
        }
        self.forget(id);
    }

    /// Starts to carry messages on a connection that a peer has made; `None` when there are too many.
    fn open(&self, stream: TcpStream, remote: SocketAddr) -> Option<()> {
        let local = LocalAddresses::default().towards(remote.ip(), stream.local_addr().ok()?);
        let (id, _, ends) = self.admit(&mut self.lock(), remote, None)?;
        let hop = Hop {
            transport: Transport::Tcp,
            local,
            remote,
            connection: None,
        };
        let shared = self.clone();
        tokio::spawn(async move { shared.carry(id, stream, hop, ends).await });
        Some(())
    }

    /// Registers a connection; `None` when there are too many.
    fn admit(
        &self,
        open: &mut Open,
        remote: SocketAddr,
        unnamed: Option<Hop>,
    ) -> Option<(ConnectionId, mpsc::Sender<Bytes>, Ends)> {
        let with_peer = open.peers.get(&remote.ip()).copied().unwrap_or(0);
        if open.connections.len() >= CONNECTIONS || with_peer >= CONNECTIONS_PER_PEER {
            return None;
        }
        let id = ConnectionId(self.0.issued.fetch_add(1, Ordering::Relaxed));
        let (writer, queue) = mpsc::channel(WRITE_QUEUE);
        let (kept, given_up) = oneshot::channel();
        open.peers.insert(remote.ip(), with_peer + 1);
        open.remotes.entry(remote).or_insert(id);
        let connection = Connection {
            remote,
            writer: writer.clone(),
            unnamed,
            _kept: kept,
        };
        open.connections.insert(id, connection);
        Some((id, writer, Ends { queue, given_up }))
    }

    /// Carries messages both ways until one of them is over; what comes is told with the local side of
    /// `hop`, which is where the peer may reach us.
    async fn carry(&self, id: ConnectionId, stream: TcpStream, hop: Hop, ends: Ends) {
        let Some(writer) = self.writer(id) else {
            return;
        };
        // Small messages wait for nothing; without the option they only come later.
        let _ = stream.set_nodelay(true);
        let hop = Hop {
            connection: Some(id),
            ..hop
        };
        let (reader, sink) = stream.into_split();
        tokio::select! {
            () = read(reader, hop, &self.0, writer) => {}
            () = write(sink, ends.queue) => {}
            _ = ends.given_up => {}
        }
        self.forget(id);
        self.report_closed(hop);
    }

    /// The queue of a connection; `None` when it was given up meanwhile.
    fn writer(&self, id: ConnectionId) -> Option<mpsc::WeakSender<Bytes>> {
        let open = self.lock();
        Some(open.connections.get(&id)?.writer.downgrade())
    }

    /// Closes a connection, or gives up making it. Who sent on it without
    /// naming it is told here, once; who named it is told when its tasks have ended.
    fn forget(&self, id: ConnectionId) {
        let mut open = self.lock();
        let Some(connection) = open.connections.remove(&id) else {
            return;
        };
        if open.remotes.get(&connection.remote) == Some(&id) {
            open.remotes.remove(&connection.remote);
        }
        let peer = connection.remote.ip();
        match open.peers.get_mut(&peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.peers.remove(&peer);
            }
        }
        drop(open);
        if let Some(hop) = connection.unnamed {
            self.report_closed(hop);
        }
    }

    fn report_closed(&self, hop: Hop) {
        let inputs = self.0.inputs.clone();
        tokio::spawn(async move {
            // Nobody listens any more when the switch has stopped.
            let _ = inputs.send(Input::SipClosed { hop }).await;
        });
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection from the address that `local` names, which is the one the peer is told of.
async fn connected(local: IpAddr, remote: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if !local.is_unspecified() {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(remote).await
}

/// Reads messages until the peer closes, breaks the framing, or is silent for too long.
async fn read(
    mut reader: OwnedReadHalf,
    hop: Hop,
    shared: &Shared,
    writer: mpsc::WeakSender<Bytes>,
) {
    let mut framer = StreamFramer::new();
    let mut buffer = vec![0; READ];
    let mut patience = IMPATIENCE;
    let mut deadline = Instant::now() + patience;
    loop {
        let length = match timeout_at(deadline, reader.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            _ => return,
        };
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.poll_frame() {
            match frame {
                Ok(Frame::Message(message)) => {
                    patience = PATIENCE;
                    if shared
                        .inputs
                        .send(Input::Sip { hop, message })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Ok(Frame::Ping) => {
                    let pong = writer
                        .upgrade()
                        .map(|writer| writer.try_send(Bytes::from_static(b"\r\n")));
                    if !matches!(pong, Some(Ok(()))) {
                        return;
                    }
                }
                Ok(Frame::Pong) => {}
                Err(error) => {
                    tracing::debug!(remote = %hop.remote, %error, "connection closed");
                    Counters::count(&shared.counters.refused_connections);
                    return;
                }
            }
            deadline = Instant::now() + patience;
        }
        if framer.is_between_messages() {
            deadline = Instant::now() + patience;
        } else {
            deadline = deadline.min(Instant::now() + IMPATIENCE);
        }
    }
}

/// Writes until the queue is closed or the peer does not take more.
async fn write(mut sink: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        match timeout(WRITE, sink.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
