//! SIP over TCP (RFC 3261 §18, RFC 5626 §3.5.1 keep-alives).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
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
    writers: HashMap<ConnectionId, (SocketAddr, mpsc::Sender<Bytes>)>,
    peers: HashMap<IpAddr, usize>,
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
        let open = self.lock();
        let known = hop.connection.or_else(|| {
            let same_peer = |(id, (remote, _)): (&ConnectionId, &(SocketAddr, _))| {
                (*remote == hop.remote).then_some(*id)
            };
            open.writers.iter().find_map(same_peer)
        });
        let writer = known
            .and_then(|id| open.writers.get(&id))
            .map(|(_, writer)| writer.clone());
        drop(open);
        match (writer, known) {
            (Some(writer), Some(id)) => {
                if writer.try_send(bytes).is_err() {
                    tracing::debug!(remote = %hop.remote, "a peer does not read; its connection is closed");
                    self.forget(id);
                }
            }
            _ if hop.connection.is_some() => self.report_closed(hop),
            _ => {
                tokio::spawn(self.clone().connect(hop, bytes));
            }
        }
    }

    async fn connect(self, hop: Hop, bytes: Bytes) {
        let stream = timeout(CONNECT, TcpStream::connect(hop.remote)).await;
        let opened = match stream {
            Ok(Ok(stream)) => self.open(stream, hop.remote),
            Ok(Err(_)) | Err(_) => None,
        };
        match opened {
            Some(writer) => {
                // A new queue has room for the first message.
                let _ = writer.try_send(bytes);
            }
            None => self.report_closed(hop),
        }
    }

    /// Registers a connection and starts its tasks; `None` when there are too many.
    fn open(&self, stream: TcpStream, remote: SocketAddr) -> Option<mpsc::Sender<Bytes>> {
        let local = LocalAddresses::default().towards(remote.ip(), stream.local_addr().ok()?);
        let id = ConnectionId(self.0.issued.fetch_add(1, Ordering::Relaxed));
        let (writer, queue) = mpsc::channel(WRITE_QUEUE);
        {
            let mut open = self.lock();
            let from_peer = open.peers.get(&remote.ip()).copied().unwrap_or(0);
            if open.writers.len() >= CONNECTIONS || from_peer >= CONNECTIONS_PER_PEER {
                return None;
            }
            open.peers.insert(remote.ip(), from_peer + 1);
            open.writers.insert(id, (remote, writer.clone()));
        }
        // Small messages wait for nothing; without the option they only come later.
        let _ = stream.set_nodelay(true);
        let hop = Hop {
            transport: Transport::Tcp,
            local,
            remote,
            connection: Some(id),
        };
        let (reader, sink) = stream.into_split();
        let weak = writer.downgrade();
        let shared = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = read(reader, hop, &shared.0, weak) => {}
                () = write(sink, queue) => {}
            }
            shared.forget(id);
            shared.report_closed(hop);
        });
        Some(writer)
    }

    /// Closes a connection: without its writer both its tasks end.
    fn forget(&self, id: ConnectionId) {
        let mut open = self.lock();
        let Some((remote, _)) = open.writers.remove(&id) else {
            return;
        };
        let peer = remote.ip();
        match open.peers.get_mut(&peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.peers.remove(&peer);
            }
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
