//! The way to a host that a flow names: resolved once, checked, and connected to what was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::End;
use super::link::Link;
use crate::shell::fetch::{OutboundPolicy, install_tls, permitted_addresses};

/// How long it may take until sound can flow: name, connection, TLS, greeting.
const CONNECT: Duration = Duration::from_secs(5);

/// Reaches hosts within a policy.
#[derive(Debug)]
pub(super) struct Reach {
    policy: OutboundPolicy,
    /// Made when it is needed first; `None` when this machine has nobody to trust.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Reach {
    pub(super) const fn new(policy: OutboundPolicy) -> Self {
        Self {
            policy,
            tls: OnceLock::new(),
        }
    }

    /// Connects within [`CONNECT`], or until it is wanted no longer.
    pub(super) async fn within<T>(
        link: &mut Link,
        connecting: impl Future<Output = Result<T, End>>,
    ) -> Result<T, End> {
        tokio::select! {
            connected = tokio::time::timeout(CONNECT, connecting) => {
                connected.unwrap_or(Err(End::TimedOut))
            }
            () = link.until_over() => Err(End::Stopped),
        }
    }

    /// A TCP connection to the first address that takes one.
    pub(super) async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, End> {
        for address in permitted_addresses(&self.policy, host, port).await? {
            if let Ok(stream) = TcpStream::connect(address).await {
                // Sound is late when it waits for more of its kind.
                stream.set_nodelay(true).map_err(|_| End::Connect)?;
                return Ok(stream);
            }
        }
        Err(End::Connect)
    }

    /// TLS over a connection, to nobody but `host`.
    pub(super) async fn tls(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, End> {
        let config = self.tls.get_or_init(|| {
            install_tls();
            ClientConfig::with_platform_verifier().ok().map(Arc::new)
        });
        let config = config.clone().ok_or(End::Connect)?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| End::Address)?;
        let connecting = TlsConnector::from(config).connect(name, stream);
        connecting.await.map_err(|_| End::Connect)
    }

    /// A UDP socket for datagrams to and from a host, where that is, and our address as it sees it but for NAT.
    pub(super) async fn udp(
        &self,
        host: &str,
        port: u16,
    ) -> Result<(UdpSocket, SocketAddr, SocketAddr), End> {
        let found = permitted_addresses(&self.policy, host, port).await?;
        let to = *found.first().ok_or(End::Unresolved)?;
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting sends nothing, and tells from which of our addresses it is reached.
        let probe = UdpSocket::bind((any, 0)).await.map_err(|_| End::Connect)?;
        probe.connect(to).await.map_err(|_| End::Connect)?;
        let local = probe.local_addr().map_err(|_| End::Connect)?.ip();
        let socket = UdpSocket::bind((local, 0)).await;
        let socket = socket.map_err(|_| End::Connect)?;
        let local = socket.local_addr().map_err(|_| End::Connect)?;
        Ok((socket, to, local))
    }
}

/// Host and port of a text as `media.example.com:9092` or `[2001:db8::1]:9092`.
pub(super) fn host_and_port(text: &str) -> Result<(&str, u16), End> {
    let (host, port) = text.rsplit_once(':').ok_or(End::Address)?;
    let port = port.parse().map_err(|_| End::Address)?;
    let host = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').ok_or(End::Address)?,
        None if host.contains(':') => return Err(End::Address),
        None => host,
    };
    if host.is_empty() || port == 0 {
        return Err(End::Address);
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_both_needed_and_an_ipv6_address_has_brackets() {
        assert_eq!(host_and_port("a.example:9"), Ok(("a.example", 9)));
        assert_eq!(host_and_port("192.0.2.1:65535"), Ok(("192.0.2.1", 65_535)));
        assert_eq!(host_and_port("[2001:db8::1]:80"), Ok(("2001:db8::1", 80)));
        for wrong in [
            "",
            "a",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:-1",
            "2001:db8::1:80",
            "[::1:80",
            "[]:1",
        ] {
            assert_eq!(host_and_port(wrong), Err(End::Address), "{wrong}");
        }
    }
}
