//! Finds where a SIP host is reached (RFC 3263 §4): numbers as they are, names by NAPTR, SRV, A and AAAA.
//!
//! ```text
//!   host, port, transport ──rules──> NAPTR ──> SRV ──> A, AAAA ──> hops, the best first
//!          an address or a port ──────────────────────────^
//! ```
//!
//! `rules` says what to ask and how to order what comes back; here it is asked. Answers are kept as long
//! as their TTL says, those that there is nothing too. Names come from flows and from peers: whatever they
//! are, the search ends within [`PATIENCE`] and names at most [`HOPS`] hops, none of which is a group or
//! nobody's address.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{TokioResolver, system_conf};
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::rules::{Naptr, Servers, Service, Srv, Start, Target};
use super::transport::Outlets;
use crate::ids::Rng;
use crate::sip::message::Host;
use crate::sip::{Hop, SipHost, Transport};

mod rules;
#[cfg(test)]
mod tests;

/// Asks DNS, and `/etc/hosts`, on behalf of the switch.
pub struct Resolver {
    dns: TokioResolver,
    outlets: Outlets,
    rng: Mutex<Rng>,
    /// Hosts that were looked for in vain a moment ago, for DNS servers that say nothing.
    lost: Cache<SipHost, ()>,
    searches: Semaphore,
}

/// How long one search takes at most.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How long one kind of record is asked for at most: three kinds fit into [`PATIENCE`].
const QUESTION: Duration = Duration::from_millis(1300);
/// How long one server may take; then it is asked again, or the next one.
const TRY: Duration = Duration::from_millis(600);
/// Hops of one host at most.
pub const HOPS: usize = 20;
/// Searches at once; more wait for their turn within their patience.
const SEARCHES: usize = 512;
/// Answers that are kept.
const ANSWERS: u64 = 1024;
/// However long a record may be kept by its TTL, an operator must not have to restart for it.
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Nothing is asked for again sooner than this, and not kept longer than that.
const NOTHING_KEPT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The longest name there is in DNS (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 253;

/// Why there is no resolver; one line.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare to ask DNS: {0}")]
pub struct ResolverError(#[from] NetError);

impl Resolver {
    /// Asks the servers of `/etc/resolv.conf`; where it names none, there is `/etc/hosts` alone.
    ///
    /// # Errors
    /// When the library refuses its settings.
    pub fn from_system(outlets: Outlets, rng: Rng) -> Result<Self, ResolverError> {
        let (config, options) = system_conf::read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "no DNS servers; only /etc/hosts and addresses are known");
            let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            (none, ResolverOpts::default())
        });
        Self::new(config, options, outlets, rng)
    }

    fn new(
        config: ResolverConfig,
        mut options: ResolverOpts,
        outlets: Outlets,
        rng: Rng,
    ) -> Result<Self, ResolverError> {
        options.timeout = TRY;
        options.attempts = 1;
        options.cache_size = ANSWERS;
        options.positive_max_ttl = Some(LONGEST_KEPT);
        options.negative_min_ttl = Some(NOTHING_KEPT.0);
        options.negative_max_ttl = Some(NOTHING_KEPT.1);
        options.max_active_requests = 4 * SEARCHES;
        options.ip_strategy = match outlets.families() {
            (true, false) => LookupIpStrategy::Ipv4Only,
            (false, true) => LookupIpStrategy::Ipv6Only,
            _ => LookupIpStrategy::Ipv6AndIpv4,
        };
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(config, provider).with_options(options);
        let lost = Cache::builder()
            .max_capacity(ANSWERS)
            .time_to_live(NOTHING_KEPT.0);
        Ok(Self {
            dns: builder.build()?,
            outlets,
            rng: Mutex::new(rng),
            lost: lost.build(),
            searches: Semaphore::new(SEARCHES),
        })
    }

    /// Where `host` is reached, the best first; empty where it cannot be found, or not by a transport and
    /// a family of addresses that we listen on.
    pub async fn resolve(&self, host: &SipHost) -> Vec<Hop> {
        let hops = match &host.host {
            Host::Name(name) if name.len() > LONGEST_NAME => Vec::new(),
            Host::Name(_) if self.lost.contains_key(host) => Vec::new(),
            Host::Name(_) => {
                let search = async {
                    let _turn = self.searches.acquire().await.ok()?;
                    Some(self.search(host).await)
                };
                let found = timeout(PATIENCE, search).await.ok().flatten();
                let found = found.unwrap_or_default();
                if found.is_empty() {
                    self.lost.insert(host.clone(), ()).await;
                }
                found
            }
            Host::Ip(address) => self.reach(host, *address),
        };
        tracing::debug!(host = %host.host, hops = hops.len(), "resolved");
        hops
    }

    /// [`Self::resolve`] for a host that is an address, and so is known at once; `None` for a name.
    pub fn resolve_address(&self, host: &SipHost) -> Option<Vec<Hop>> {
        match host.host {
            Host::Ip(address) => Some(self.reach(host, address)),
            Host::Name(_) => None,
        }
    }

    fn reach(&self, host: &SipHost, address: IpAddr) -> Vec<Hop> {
        let mut hops = Vec::new();
        if let Some(Start::Target(target)) = rules::start(host, &self.outlets.transports()) {
            let way = (target.transport, target.port);
            self.add_hops(&mut hops, way, rules::addresses([address]));
        }
        hops
    }

    async fn search(&self, host: &SipHost) -> Vec<Hop> {
        let spoken = self.outlets.transports();
        let targets = match rules::start(host, &spoken) {
            None => Vec::new(),
            Some(Start::Target(target)) => vec![target],
            Some(Start::Services(services)) => self.servers(&host.host, services).await,
            Some(Start::Naptr) => {
                let name = host.host.to_string();
                let named = rules::services_of(self.naptr(&name).await, &spoken);
                let services = if named.is_empty() {
                    rules::services(&name, &spoken)
                } else {
                    named
                };
                self.servers(&host.host, services).await
            }
        };
        self.hops(targets).await
    }

    async fn servers(&self, host: &Host, services: Vec<Service>) -> Vec<Target> {
        let ask = |service: Service| async move {
            let records = self.srv(&service.name).await;
            (service, records)
        };
        let answers = join_all(services.into_iter().map(ask)).await;
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        match rules::servers(answers, &mut rng) {
            Servers::Targets(targets) => targets,
            Servers::Itself(transport) => vec![rules::itself(host, transport)],
            Servers::Declined => Vec::new(),
        }
    }

    async fn hops(&self, targets: Vec<Target>) -> Vec<Hop> {
        let ask = |target: Target| async move {
            let found = match &target.host {
                Host::Ip(address) => vec![*address],
                Host::Name(name) => self.addresses(name).await,
            };
            (target.transport, target.port, rules::addresses(found))
        };
        let mut hops: Vec<Hop> = Vec::new();
        for (transport, port, addresses) in join_all(targets.into_iter().map(ask)).await {
            self.add_hops(&mut hops, (transport, port), addresses);
        }
        hops.truncate(HOPS);
        hops
    }

    fn add_hops(
        &self,
        hops: &mut Vec<Hop>,
        (transport, port): (Transport, u16),
        addresses: Vec<IpAddr>,
    ) {
        for address in addresses {
            let remote = SocketAddr::new(address, port);
            let hop = self.outlets.hop(transport, remote);
            hops.extend(hop.filter(|hop| !hops.contains(hop)));
        }
    }

    async fn naptr(&self, host: &str) -> Vec<Naptr> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = format!("{}.", host.strip_suffix('.').unwrap_or(host));
        let read = |data: &RData| match data {
            RData::NAPTR(record) => Some(Naptr {
                order: record.order,
                preference: record.preference,
                flags: text(&record.flags),
                services: text(&record.services),
                has_regexp: !record.regexp.is_empty(),
                replacement: record.replacement.to_ascii(),
            }),
            _ => None,
        };
        self.ask(&name, RecordType::NAPTR, read).await
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let read = |data: &RData| match data {
            RData::SRV(record) => Some(Srv {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_ascii(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::SRV, read).await
    }

    /// The records of one kind that `name` has; none also when nobody answers.
    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Vec<T> {
        match timeout(QUESTION, self.dns.lookup(name, kind)).await {
            Ok(Ok(found)) => {
                let records = found.answers().iter();
                records.filter_map(|record| read(&record.data)).collect()
            }
            Ok(Err(error)) => {
                tracing::debug!(name, %kind, %error, "asked DNS");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(name, %kind, "DNS does not answer");
                Vec::new()
            }
        }
    }

    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        match timeout(QUESTION, self.dns.lookup_ip(name)).await {
            Ok(Ok(found)) => found.iter().collect(),
            Ok(Err(error)) => {
                tracing::debug!(name, %error, "asked DNS for addresses");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(name, "DNS does not answer for addresses");
                Vec::new()
            }
        }
    }
}
