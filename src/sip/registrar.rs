//! Bindings of extensions to contacts (RFC 3261 §10.3), with Path (RFC 3327).
//!
//! Knows nothing of passwords: who may bind what is decided before (see [`super::auth`]).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hop::{ConnectionId, Hop};
use super::message::{Contacts, HeaderName, NameAddr, ParseError, Request, Response, Status, Uri};
use crate::time::DeadlineQueue;

/// One place where an extension can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// As the telephone wrote it; behind a NAT it may lead nowhere, then only `hop` does.
    pub contact: Uri,
    /// Where the REGISTER came from. A TCP hop without connection has lost it.
    pub hop: Hop,
    /// Proxies to go through, the first one first (RFC 3327).
    pub path: Vec<NameAddr>,
    /// When it ends.
    pub expires_at: Instant,
    /// Preference in thousandths, 1000 the highest (RFC 3261 §20.10).
    pub preference: u16,
    /// What the telephone calls itself.
    pub user_agent: Option<Bytes>,
    /// Call-ID of its REGISTER; with `cseq`, what an older one is told by.
    pub call_id: Bytes,
    /// CSeq number of its REGISTER.
    pub cseq: u32,
    /// `+sip.instance` and `reg-id`: the device and which of its flows (RFC 5626 §4.1).
    pub device: Option<(String, String)>,
}

/// News of one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whose.
    pub extension: Box<str>,
    /// What became of it.
    pub change: BindingChange,
    /// As it is now, or was last.
    pub binding: Binding,
}

/// What became of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// There was none there.
    Made,
    /// It lasts longer, or leads elsewhere.
    Refreshed,
    /// It was taken back, or has run out.
    Removed,
}

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    extensions: HashMap<Box<str>, Vec<Binding>>,
    /// Who registered from where.
    sources: BTreeSet<(SocketAddr, Box<str>)>,
    deadlines: DeadlineQueue<Box<str>>,
    events: VecDeque<Bound>,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Answer 400.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// `*` with anything but `Expires: 0`: answer 400 (RFC 3261 §10.2.2).
    #[error("wildcard without expires 0")]
    WildcardKept,
    /// A contact that is no SIP URI: answer 400.
    #[error("contact is no sip uri")]
    ForeignContact,
    /// Shorter than [`MIN_EXPIRES`]: answer 423.
    #[error("interval too brief")]
    TooBrief,
    /// An older request came after a newer one: answer 500 (RFC 3261 §10.3 step 7).
    #[error("out of order")]
    OutOfOrder,
    /// More than [`MAX_BINDINGS`]: answer 403.
    #[error("too many bindings")]
    TooMany,
}

impl Registrar {
    /// A registrar without bindings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a REGISTER for `extension` that came from `hop`, wholly or not at all, and answers it.
    ///
    /// The answer lists what is bound now; its To tag is the endpoint's to add.
    pub fn handle_register(
        &mut self,
        now: Instant,
        extension: &str,
        request: &Request,
        hop: Hop,
    ) -> Response {
        self.handle_timeout(now);
        let old = self.extensions.get(extension).cloned().unwrap_or_default();
        match updated(now, old, request, hop) {
            Ok(bindings) => {
                let response = listing(now, request, &bindings);
                self.store(extension, bindings);
                response
            }
            Err(error) => {
                let mut response = Response::to(request, error.status());
                if error == RegisterError::TooBrief {
                    let min = MIN_EXPIRES.as_secs().to_string();
                    response.headers.push(HeaderName::MinExpires, min);
                }
                response
            }
        }
    }

    /// A connection is gone: what was bound by it has none any more.
    pub fn handle_connection_lost(&mut self, hop: Hop) {
        let Some(connection) = hop.connection else {
            return;
        };
        let all = (hop.remote, Box::from(""))..;
        let extensions: Vec<_> = self
            .sources
            .range(all)
            .take_while(|(remote, _)| *remote == hop.remote)
            .map(|(_, extension)| extension.clone())
            .collect();
        for extension in extensions {
            for binding in self.extensions.get_mut(&extension).into_iter().flatten() {
                binding.lose(connection);
            }
        }
    }

    /// Forgets the bindings of extensions that there are no more.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        let all = self.extensions.keys();
        let gone: Vec<_> = all.filter(|one| !is_there(one)).cloned().collect();
        for extension in gone {
            self.store(&extension, Vec::new());
        }
    }

    /// Drops what has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(extension) = self.deadlines.poll(now) {
            let mut bindings = self.extensions.get(&extension).cloned().unwrap_or_default();
            bindings.retain(|binding| binding.expires_at > now);
            self.store(&extension, bindings);
        }
    }

    /// Takes the next news of a binding; those of [`restore`](Self::restore) and of lost connections are
    /// none.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Bound> {
        self.events.pop_front()
    }

    /// Binds what was bound before, or elsewhere, in place of what is bound there; one that has run out is
    /// bound no more. `false`: there are [`MAX_BINDINGS`] others.
    pub fn restore(&mut self, now: Instant, extension: &str, binding: Binding) -> bool {
        let mut bindings = self.bindings(extension).to_vec();
        let (contact, device) = (&binding.contact, binding.device.as_ref());
        bindings.retain(|old| !old.is_same(contact, device));
        let has_room = bindings.len() < MAX_BINDINGS;
        if has_room && binding.expires_at > now {
            bindings.push(binding);
        }
        self.put(extension, bindings);
        has_room
    }

    /// When something expires next.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadlines.poll_timeout()
    }

    /// Where `extension` can be reached, the preferred place first.
    #[must_use]
    pub fn bindings(&self, extension: &str) -> &[Binding] {
        self.extensions.get(extension).map_or(&[], Vec::as_slice)
    }

    /// Claims that someone registered from this address and still is.
    #[must_use]
    pub fn is_source_registered(&self, remote: SocketAddr) -> bool {
        let first = self.sources.range((remote, Box::from(""))..).next();
        first.is_some_and(|(known, _)| *known == remote)
    }

    /// How many extensions are bound.
    #[must_use]
    pub fn len(&self) -> usize {
        self.extensions.len()
    }

    /// Claims that nobody is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.extensions.is_empty()
    }

    /// Binds an extension anew, and tells what has changed by that.
    fn store(&mut self, extension: &str, bindings: Vec<Binding>) {
        let old = self.bindings(extension).to_vec();
        let find = |list: &[Binding], one: &Binding| {
            let mut found = list
                .iter()
                .filter(|known| known.is_same(&one.contact, one.device.as_ref()));
            found.next().cloned()
        };
        let mut tell = |change, binding: &Binding| {
            self.events.push_back(Bound {
                extension: extension.into(),
                change,
                binding: binding.clone(),
            });
        };
        for one in old.iter().filter(|one| find(&bindings, one).is_none()) {
            tell(BindingChange::Removed, one);
        }
        for one in &bindings {
            match find(&old, one) {
                None => tell(BindingChange::Made, one),
                Some(known) if known != *one => tell(BindingChange::Refreshed, one),
                Some(_) => {}
            }
        }
        self.put(extension, bindings);
    }

    fn put(&mut self, extension: &str, mut bindings: Vec<Binding>) {
        let key: Box<str> = extension.into();
        for old in self.bindings(extension).to_vec() {
            self.sources.remove(&(old.hop.remote, key.clone()));
        }
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.preference));
        for new in &bindings {
            self.sources.insert((new.hop.remote, key.clone()));
        }
        let next = bindings.iter().map(|binding| binding.expires_at).min();
        self.deadlines.set(key.clone(), next);
        if bindings.is_empty() {
            self.extensions.remove(&key);
        } else {
            self.extensions.insert(key, bindings);
        }
    }
}

impl Binding {
    fn lose(&mut self, connection: ConnectionId) {
        if self.hop.connection == Some(connection) {
            self.hop.connection = None;
        }
    }

    /// The same place, or the same flow of the same device.
    fn is_same(&self, contact: &Uri, device: Option<&(String, String)>) -> bool {
        self.contact.is_equivalent(contact) || (device.is_some() && self.device.as_ref() == device)
    }
}

impl RegisterError {
    /// What the peer is answered with.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Malformed(_) | Self::WildcardKept | Self::ForeignContact => Status::BAD_REQUEST,
            Self::TooBrief => Status::INTERVAL_TOO_BRIEF,
            Self::OutOfOrder => Status::SERVER_INTERNAL_ERROR,
            Self::TooMany => Status::FORBIDDEN,
        }
    }
}

/// The bindings after `request` (RFC 3261 §10.3 steps 6 and 7).
fn updated(
    now: Instant,
    mut bindings: Vec<Binding>,
    request: &Request,
    hop: Hop,
) -> Result<Vec<Binding>, RegisterError> {
    let headers = &request.headers;
    let call_id = headers.call_id()?.clone();
    let cseq = headers.cseq()?.number;
    let is_late = |old: &Binding| old.call_id == call_id && cseq <= old.cseq;
    // An Expires that cannot be read counts as the default (RFC 3261 §10.2.1.1).
    let common = headers.expires().ok().flatten();
    let list = match headers.contacts()? {
        Contacts::None => return Ok(bindings),
        Contacts::Wildcard if common != Some(0) => return Err(RegisterError::WildcardKept),
        Contacts::Wildcard if bindings.iter().any(is_late) => {
            return Err(RegisterError::OutOfOrder);
        }
        Contacts::Wildcard => return Ok(Vec::new()),
        Contacts::List(list) => list,
    };
    let path = headers.paths()?;
    for contact in list {
        if contact.uri.as_sip().is_none() {
            return Err(RegisterError::ForeignContact);
        }
        let device = device(&contact);
        let known = bindings
            .iter()
            .position(|old| old.is_same(&contact.uri, device.as_ref()));
        if known.is_some_and(|at| is_late(&bindings[at])) {
            return Err(RegisterError::OutOfOrder);
        }
        let lifetime = lifetime(&contact, common)?;
        if let Some(at) = known {
            bindings.remove(at);
        }
        if lifetime.is_zero() {
            continue;
        }
        if bindings.len() >= MAX_BINDINGS {
            return Err(RegisterError::TooMany);
        }
        bindings.push(Binding {
            preference: preference(&contact),
            contact: contact.uri,
            hop,
            path: path.clone(),
            expires_at: now + lifetime,
            user_agent: headers.get(&HeaderName::UserAgent).cloned(),
            call_id: call_id.clone(),
            cseq,
            device,
        });
    }
    Ok(bindings)
}

/// 200 with every binding and how long it still lasts (RFC 3261 §10.3 step 8, RFC 3327 §5.3).
fn listing(now: Instant, request: &Request, bindings: &[Binding]) -> Response {
    let mut response = Response::to(request, Status::OK);
    for binding in bindings {
        let left = binding.expires_at.saturating_duration_since(now);
        let mut contact = NameAddr::new(binding.contact.clone());
        let seconds = left.as_secs().to_string();
        contact.params.set("expires", seconds.as_str());
        if let Some((instance, flow)) = &binding.device {
            contact.params.set("+sip.instance", instance.as_str());
            if !flow.is_empty() {
                contact.params.set("reg-id", flow.as_str());
            }
        }
        response
            .headers
            .push(HeaderName::Contact, contact.to_string());
    }
    for path in request.headers.get_all(&HeaderName::Path) {
        response.headers.push(HeaderName::Path, path.clone());
    }
    response
}

/// How long a contact wants to be bound: its own word over the Expires header, within our bounds.
fn lifetime(contact: &NameAddr, common: Option<u32>) -> Result<Duration, RegisterError> {
    let own = contact
        .params
        .value("expires")
        .and_then(|text| text.parse().ok());
    match own.or(common) {
        None => Ok(DEFAULT_EXPIRES),
        Some(0) => Ok(Duration::ZERO),
        Some(seconds) => {
            let asked = Duration::from_secs(u64::from(seconds));
            if asked < MIN_EXPIRES {
                return Err(RegisterError::TooBrief);
            }
            Ok(asked.min(MAX_EXPIRES))
        }
    }
}

fn device(contact: &NameAddr) -> Option<(String, String)> {
    let instance = contact.params.value("+sip.instance")?.to_owned();
    let flow = contact
        .params
        .value("reg-id")
        .unwrap_or_default()
        .to_owned();
    Some((instance, flow))
}

/// `q` in thousandths; what cannot be read counts as 1 (RFC 3261 §20.10).
fn preference(contact: &NameAddr) -> u16 {
    let Some((whole, rest)) = contact
        .params
        .value("q")
        .map(|q| q.split_once('.').unwrap_or((q, "")))
    else {
        return 1000;
    };
    let digits = rest.bytes().chain(*b"000").take(3);
    let thousandths = digits
        .map(|digit| char::from(digit).to_digit(10))
        .try_fold(0, |sum, digit| Some(sum * 10 + digit?));
    match (whole, thousandths) {
        ("0" | "", Some(thousandths)) => u16::try_from(thousandths).unwrap_or(1000),
        _ => 1000,
    }
}

/// The shortest registration: refreshing more often is load without use.
pub const MIN_EXPIRES: Duration = Duration::from_secs(60);

/// What a REGISTER without Expires gets (RFC 3261 §10.2.1.1).
pub const DEFAULT_EXPIRES: Duration = Duration::from_secs(3600);

/// The longest registration: a telephone that is gone is known to be so after this.
pub const MAX_EXPIRES: Duration = Duration::from_secs(7200);

/// Bindings of one extension.
pub const MAX_BINDINGS: usize = 10;

#[cfg(test)]
mod tests;
