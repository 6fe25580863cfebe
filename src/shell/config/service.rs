//! `[http]`, `accesskey` and `database`: the switch as a service.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::file::{Http, Secret};
use super::{SettingsError, wrong};

/// Where and how the REST API is served, and where what it keeps lies.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Where it listens; `None` for not at all.
    pub listen: Option<SocketAddr>,
    /// Requests in a second from one address; zero for no limit.
    pub rate: u32,
    /// The access key of the file.
    pub accesskey: Option<String>,
    /// What outlasts the process: `sqlite:PATH` or `postgres://…`, perhaps with a password.
    pub database: String,
}

/// Loopback: whoever opens the API to others says so.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// As VoIPBIN has it.
const RATE: u32 = 200;
/// Shorter ones can be guessed.
const SHORTEST_KEY: usize = 19;

impl ServiceSettings {
    pub(super) fn new(
        http: Option<String>,
        database: Option<String>,
        section: Http,
        accesskey: Option<Secret>,
        file_database: Option<Secret>,
        data: &Path,
    ) -> Result<Self, SettingsError> {
        let listen = match http.or(section.listen).as_deref() {
            None => Some(LISTEN),
            Some("off") => None,
            Some(text) => {
                let expected = "expected ADDRESS:PORT, such as 127.0.0.1:8080, or \"off\"";
                let address = text
                    .parse()
                    .map_err(|_| wrong("http.listen", text, expected));
                Some(address?)
            }
        };
        let accesskey = accesskey.map(|secret| secret.0);
        if let Some(key) = &accesskey {
            let is_key = key.len() >= SHORTEST_KEY
                && key.starts_with(crate::api::KEY_PREFIX)
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_key {
                let expected =
                    "expected vb_ and at least 16 letters and digits; left out, one is made";
                return Err(wrong("accesskey", "…", expected));
            }
        }
        Ok(Self {
            listen,
            rate: section.rate.unwrap_or(RATE),
            accesskey,
            database: database
                .or(file_database.map(|secret| secret.0))
                .unwrap_or_else(|| default_database(data)),
        })
    }
}

/// Shows no key and no password.
impl std::fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceSettings")
            .field("listen", &self.listen)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// A file beside the recordings.
fn default_database(data: &Path) -> String {
    format!("sqlite:{}", data.join("flowswitch.sqlite").display())
}
