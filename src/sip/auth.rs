//! Digest authentication of a user agent server (RFC 3261 §22, RFC 7616, RFC 8760): challenges, nonces,
//! and what repeated failure costs.
//!
//! A nonce carries its own date and is signed, so asking costs no memory; only a nonce that was used
//! rightly is remembered, with its highest count. It is good for one source address: nobody else can
//! use it, nor fail with it in another's name.
//!
//! Known and unknown users get the same answers for the same work.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::message::{Algorithm, Challenge, Credentials, HeaderName, Method, Request, Uri};
use crate::ids::Rng;
use crate::time::DeadlineQueue;

/// Decides who has shown who it is.
#[derive(Debug)]
pub struct Authenticator {
    realm: String,
    algorithms: Vec<Algorithm>,
    secret: [u8; 32],
    opaque: String,
    began: Instant,
    issued: u64,
    /// Highest count of each nonce that was used rightly, by its serial number.
    used: BTreeMap<u64, u32>,
    /// Serials up to this one were forgotten: their nonces count as stale.
    forgotten: u64,
    failures: HashMap<Culprit, Failures>,
    forgiven: DeadlineQueue<Culprit>,
    stats: AuthStats,
}

/// What a request's credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sender is this user, which is also the one the request names.
    Accepted {
        /// The extension.
        username: String,
    },
    /// Answer 401 with each of these as a WWW-Authenticate, in this order (RFC 8760 §2.4).
    Challenge(Vec<Bytes>),
    /// Failed too often; say nothing.
    Barred,
}

/// Counters since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthStats {
    /// Right credentials.
    pub accepted: u64,
    /// Wrong password, unknown user, or credentials of someone else.
    pub failed: u64,
    /// Right but for the age or count of their nonce.
    pub stale: u64,
    /// Requests not looked at, for their source or account failed too often.
    pub barred: u64,
}

/// Whose failures are counted together: a guessed account from one network, and a network that guesses
/// accounts. One telephone with a wrong password does not bar the others behind its NAT.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Culprit {
    Source(IpAddr),
    Account(IpAddr, Box<str>),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    barred_until: Option<Instant>,
}

impl Authenticator {
    /// An authenticator of `realm` whose nonces count from `now`.
    #[must_use]
    pub fn new(now: Instant, realm: impl Into<String>, mut rng: Rng) -> Self {
        let mut secret = [0; 32];
        for chunk in secret.chunks_exact_mut(4) {
            chunk.copy_from_slice(&rng.next_u32().to_be_bytes());
        }
        Self {
            realm: realm.into(),
            algorithms: vec![Algorithm::Md5, Algorithm::Sha256],
            secret,
            opaque: rng.token(16),
            began: now,
            issued: 0,
            used: BTreeMap::new(),
            forgotten: 0,
            failures: HashMap::new(),
            forgiven: DeadlineQueue::new(),
            stats: AuthStats::default(),
        }
    }

    /// The same with these algorithms alone, offered in this order: there are telephones that give up at a
    /// challenge they do not know beside one they do.
    #[must_use]
    pub fn with_algorithms(self, algorithms: Vec<Algorithm>) -> Self {
        Self { algorithms, ..self }
    }

    /// Accepts these algorithms from now on, as [`Self::with_algorithms`] does.
    pub fn accept(&mut self, algorithms: Vec<Algorithm>) {
        self.algorithms = algorithms;
    }

    /// Checks the Authorization of `request`, which came from `source`.
    ///
    /// The user must be the one the request speaks for, see [`claimed_user`].
    pub fn check<'p>(
        &mut self,
        now: Instant,
        request: &Request,
        source: IpAddr,
        password_of: impl FnOnce(&str) -> Option<&'p str>,
    ) -> Verdict {
        self.forgive(now);
        let source = network(source);
        if self.is_barred(now, &Culprit::Source(source)) {
            self.stats.barred += 1;
            return Verdict::Barred;
        }
        let Some(credentials) = self.credentials(request) else {
            return self.challenge(now, source, false);
        };
        let account = account(source, &credentials.username);
        if self.is_barred(now, &account) {
            self.stats.barred += 1;
            return Verdict::Barred;
        }
        let Some(nonce) =
            Nonce::read(&credentials.nonce).filter(|nonce| self.is_ours(nonce, source))
        else {
            // Of another server, another address, or made up: no attempt yet, and nothing is told.
            return self.challenge(now, source, false);
        };
        // The same work for a user we do not know: its password is one that nobody can say.
        let known = password_of(&credentials.username);
        let password = known.unwrap_or(self.opaque.as_str());
        let is_proven = credentials.is_proven_by(&request.method, password) & known.is_some();
        let is_own = claimed_user(request).as_deref() == Some(credentials.username.as_str());
        if !(is_proven && is_own && is_for_this_target(&credentials, request)) {
            self.fail(now, Culprit::Source(source), MAX_SOURCE_FAILURES);
            self.fail(now, account, MAX_ACCOUNT_FAILURES);
            self.stats.failed += 1;
            return self.challenge(now, source, false);
        }
        if !self.spend(now, &nonce, &credentials) {
            self.stats.stale += 1;
            return self.challenge(now, source, true);
        }
        self.failures.remove(&account);
        self.forgiven.set(account, None);
        self.stats.accepted += 1;
        Verdict::Accepted {
            username: credentials.username,
        }
    }

    /// Counters since the beginning.
    #[must_use]
    pub const fn stats(&self) -> &AuthStats {
        &self.stats
    }

    fn credentials(&self, request: &Request) -> Option<Credentials> {
        let all = request.headers.authorization(&HeaderName::Authorization);
        all.into_iter()
            .filter_map(Result::ok)
            .filter(|credentials| self.algorithms.contains(&credentials.algorithm))
            .find(|credentials| credentials.realm == self.realm)
    }

    /// MD5 before SHA-256, although a peer that knows both will then use MD5 (RFC 8760 §2.4 would have
    /// the stronger first): peers that know MD5 alone often give up at a first challenge they do not
    /// understand, SIPp 3.6 among them. With a random nonce and a made password MD5 holds (RFC 6151 §2.3).
    fn challenge(&mut self, now: Instant, source: IpAddr, stale: bool) -> Verdict {
        self.issued += 1;
        let mut nonce = Nonce {
            age_ms: self.clock_ms(now),
            serial: self.issued,
            signature: [0; 16],
        };
        nonce.signature = self.sign(&nonce, source);
        let challenge = |algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.to_string(),
            algorithm,
            opaque: Some(self.opaque.clone()),
            stale,
            knows_qop: true,
        };
        let algorithms = self.algorithms.iter();
        let challenges = algorithms.map(|algorithm| challenge(*algorithm).to_bytes());
        Verdict::Challenge(challenges.collect())
    }

    /// Uses a nonce once more; false when it is too old or this count was used before.
    fn spend(&mut self, now: Instant, nonce: &Nonce, credentials: &Credentials) -> bool {
        let lifetime = u64::try_from(NONCE_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let age = self.clock_ms(now).saturating_sub(nonce.age_ms);
        // Without qop there is no count, so the nonce is good once.
        let count = credentials.qop.as_ref().map_or(1, |qop| qop.nc);
        let last = self.used.get(&nonce.serial).copied().unwrap_or_default();
        if age > lifetime || nonce.serial <= self.forgotten || count <= last {
            return false;
        }
        self.used.insert(nonce.serial, count);
        if self.used.len() > MAX_NONCES
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = oldest;
        }
        true
    }

    fn is_ours(&self, nonce: &Nonce, source: IpAddr) -> bool {
        self.sign(nonce, source).ct_eq(&nonce.signature).into()
    }

    /// A message of one length under a key, cut to half of the hash, so that it cannot be extended.
    fn sign(&self, nonce: &Nonce, source: IpAddr) -> [u8; 16] {
        let source = match source {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(nonce.age_ms.to_be_bytes());
        hash.update(nonce.serial.to_be_bytes());
        hash.update(source.octets());
        let hash: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        half
    }

    fn clock_ms(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.began).as_millis();
        u64::try_from(age).unwrap_or(u64::MAX)
    }

    fn is_barred(&self, now: Instant, culprit: &Culprit) -> bool {
        let failures = self.failures.get(culprit);
        failures.is_some_and(|failures| failures.barred_until.is_some_and(|until| now < until))
    }

    /// Counts a failure; from `most` on each bars, twice as long as the one before.
    fn fail(&mut self, now: Instant, culprit: Culprit, most: u32) {
        if self.failures.len() >= MAX_CULPRITS
            && !self.failures.contains_key(&culprit)
            && let Some(oldest) = self.forgiven.poll(now + FORGIVEN_AFTER + LONGEST_BAR)
        {
            self.failures.remove(&oldest);
        }
        let failures = self.failures.entry(culprit.clone()).or_insert(Failures {
            count: 0,
            barred_until: None,
        });
        failures.count = failures.count.saturating_add(1);
        let mut forgiven_at = now + FORGIVEN_AFTER;
        if let Some(beyond) = failures.count.checked_sub(most) {
            let bar = (FIRST_BAR * 2u32.saturating_pow(beyond.min(10))).min(LONGEST_BAR);
            failures.barred_until = Some(now + bar);
            forgiven_at += bar;
        }
        self.forgiven.set(culprit, Some(forgiven_at));
    }

    fn forgive(&mut self, now: Instant) {
        while let Some(culprit) = self.forgiven.poll(now) {
            self.failures.remove(&culprit);
        }
    }
}

/// Whom a request speaks for: a REGISTER for the user of its To, any other for the user of its From.
#[must_use]
pub fn claimed_user(request: &Request) -> Option<String> {
    let party = if request.method == Method::Register {
        request.headers.to()
    } else {
        request.headers.from()
    };
    party.ok()?.uri.user().map(str::to_owned)
}

/// An answer caught on its way to one number is not good for another. Beside the user part, peers and
/// proxies write the target in too many ways to compare it.
fn is_for_this_target(credentials: &Credentials, request: &Request) -> bool {
    match (Uri::parse(credentials.uri.as_bytes()), &request.uri) {
        (Ok(Uri::Sip(answered)), Uri::Sip(asked)) => answered.user == asked.user,
        _ => true,
    }
}

/// Whose addresses one customer can have by the thousand: an IPv6 network, else the address.
#[must_use]
pub fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64))),
    }
}

fn account(source: IpAddr, username: &str) -> Culprit {
    Culprit::Account(source, username.chars().take(64).collect::<String>().into())
}

#[derive(Debug)]
struct Nonce {
    /// Since the authenticator began.
    age_ms: u64,
    serial: u64,
    signature: [u8; 16],
}

impl Nonce {
    fn read(text: &str) -> Option<Self> {
        let (age, rest) = text.split_once('.')?;
        let (serial, signature) = rest.split_once('.')?;
        if signature.len() != 32 {
            return None;
        }
        let signature = u128::from_str_radix(signature, 16).ok()?;
        Some(Self {
            age_ms: u64::from_str_radix(age, 16).ok()?,
            serial: u64::from_str_radix(serial, 16).ok()?,
            signature: signature.to_be_bytes(),
        })
    }
}

impl std::fmt::Display for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signature = u128::from_be_bytes(self.signature);
        write!(f, "{:x}.{:x}.{signature:032x}", self.age_ms, self.serial)
    }
}

/// How long a nonce is good; a telephone asks anew for less than one registration in a hundred.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Nonces in use that are remembered: more than this many users within one lifetime ask twice.
const MAX_NONCES: usize = 65_536;

/// Sources and accounts whose failures are remembered; beyond it the oldest is forgiven early.
const MAX_CULPRITS: usize = 16_384;

/// Failures of one account from one source before it is barred.
const MAX_ACCOUNT_FAILURES: u32 = 5;

/// Failures of one source before it is barred: more than an office of mistyped passwords makes.
const MAX_SOURCE_FAILURES: u32 = 50;

/// After how long without another failure all is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(300);

/// The first bar; each further failure doubles it.
const FIRST_BAR: Duration = Duration::from_secs(30);

/// The longest bar.
const LONGEST_BAR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
