//! The HTTP server: connections, how many, and how long they may dawdle.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::frame::Peer;

/// Connections at once.
const CONNECTIONS: usize = 4096;
/// Of them from one address.
const OF_ONE_ADDRESS: usize = 512;
/// How long the head of a request may take, and a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// Longest head of a request, and what is read ahead of a body, in bytes.
const BUFFER: usize = 64 * 1024;
/// How long requests may go on when the server ends.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// After an accept that failed: there are no more files, and some may be closed meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening server that has not begun.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr, router: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, router })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is true, then lets requests under way end.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let counts = Arc::new(Counts::default());
        let mut stopped = pin!(stop.wait_for(|stop| *stop));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = &mut stopped => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => {
                    let peer = peer.ip().to_canonical();
                    if connections.len() < CONNECTIONS
                        && let Some(place) = Counts::enter(&counts, peer)
                    {
                        let connection = self.connection(&graceful, stream, peer);
                        connections.spawn(async move {
                            connection.await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection is not taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(LAST_REQUESTS, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("requests are broken off");
        }
    }

    /// One connection to its end.
    fn connection(
        &self,
        graceful: &GracefulShutdown,
        stream: TcpStream,
        peer: IpAddr,
    ) -> impl Future<Output = ()> + Send + use<> {
        // Small answers leave at once; a connection that does not know the option is none.
        let _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let service = router.map_request(move |request: Request<_>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(BUFFER);
        let connection = builder.serve_connection_with_upgrades(
            TokioIo::new(stream),
            TowerToHyperService::new(service),
        );
        let connection = graceful.watch(connection.into_owned());
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        }
    }
}

/// Connections by address.
#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<IpAddr, usize>>);

/// One connection's share of them, until it is dropped.
struct Place {
    counts: Arc<Counts>,
    peer: IpAddr,
}

impl Counts {
    fn enter(counts: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut of = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry(peer).or_default();
        if *count >= OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        drop(of);
        let counts = Arc::clone(counts);
        Some(Place { counts, peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.peer);
            }
        }
    }
}
