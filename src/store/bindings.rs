//! Where extensions are reached, in words that outlast the process and can be told to other nodes.

use std::net::SocketAddr;
use std::time::Duration;

/// One place where an extension has registered (RFC 3261 §10.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingState {
    /// Who.
    pub extension: String,
    /// The URI that the telephone wrote.
    pub contact: String,
    /// Proxies to go through, the first one first (RFC 3327), as they were written.
    pub path: Vec<String>,
    /// What it came by.
    pub transport: BindingTransport,
    /// Our address that it came to.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
    /// When it ends, since 1970-01-01 UTC.
    pub expires: Duration,
    /// Preference in thousandths, 1000 the highest (RFC 3261 §20.10).
    pub preference: u16,
    /// What the telephone calls itself.
    pub user_agent: Option<String>,
    /// The Call-ID of its REGISTER; with `cseq`, what an older one is told by.
    pub call_id: String,
    /// The CSeq number of its REGISTER.
    pub cseq: u32,
    /// `+sip.instance` and `reg-id`: the device and which of its flows (RFC 5626 §4.1).
    pub device: Option<(String, String)>,
}

/// What a REGISTER came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingTransport {
    /// Datagrams.
    Udp,
    /// A connection, which does not outlast the process.
    Tcp,
}

impl BindingTransport {
    /// As it is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// What was kept.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp]
            .into_iter()
            .find(|transport| transport.as_str() == word)
    }
}
