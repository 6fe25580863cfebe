//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::fmt::Write as _;

use crate::sip::hop::DEFAULT_PORT;
use crate::sip::message::{HeaderName, Method, Request, Via};

/// What begins every branch made after RFC 2543.
const MAGIC_COOKIE: &str = "z9hG4bK";

/// Names one server transaction.
///
/// With the magic cookie: branch, sent-by, and the method that created it. Without: everything that
/// RFC 2543 compared, namely Request-URI, tags, Call-ID, CSeq number and the whole top Via.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerKey(Box<str>);

impl ServerKey {
    /// The transaction that `request`, whose top Via is `via` as it was received, makes or resends.
    #[must_use]
    pub fn of(request: &Request, via: &Via) -> Self {
        Self::new(request, via, &request.method, true)
    }

    /// The INVITE transactions that an ACK or CANCEL may belong to, most likely first.
    ///
    /// An ACK of RFC 2543 carries the To tag of our response, which the INVITE did not have.
    pub fn of_invite(request: &Request, via: &Via) -> impl Iterator<Item = Self> {
        let key = |with_tag| Self::new(request, via, &Method::Invite, with_tag);
        let without_tag = transaction_branch(via).is_none().then(|| key(false));
        std::iter::once(key(true)).chain(without_tag)
    }

    fn new(request: &Request, via: &Via, method: &Method, with_to_tag: bool) -> Self {
        let mut key = String::with_capacity(96);
        match transaction_branch(via) {
            Some(branch) => {
                key.push_str(branch);
                let host = key.len();
                // A write into a String has no way to fail.
                let _ = write!(key, "\0{}", via.host);
                key[host..].make_ascii_lowercase();
                let _ = write!(key, "\0{}", via.port.unwrap_or(DEFAULT_PORT));
            }
            None => {
                let from_tag = request.headers.from_tag();
                let to_tag = request.headers.to_tag().filter(|_| with_to_tag);
                let call_id = raw(request, &HeaderName::CallId);
                let cseq = request.headers.cseq().map_or(0, |cseq| cseq.number);
                let via = raw(request, &HeaderName::Via);
                let _ = write!(
                    key,
                    "\0{}\0{from_tag:?}\0{to_tag:?}\0{call_id}\0{cseq}\0{via}",
                    request.uri
                );
            }
        }
        let _ = write!(key, "\0{method}");
        Self(key.into_boxed_str())
    }
}

/// Names a request by what survives a fork: two requests of one key that came by different branches
/// are one request merged (RFC 3261 §8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MergeKey(Box<str>);

impl MergeKey {
    /// The key of a request outside a dialog; `None` for one with a To tag.
    #[must_use]
    pub(super) fn of(request: &Request) -> Option<Self> {
        if request.headers.to_tag().is_some() {
            return None;
        }
        let tag = request.headers.from_tag().unwrap_or_default();
        let call_id = raw(request, &HeaderName::CallId);
        let cseq = raw(request, &HeaderName::CSeq);
        let key = [&tag, "\0", &call_id, "\0", &cseq].concat();
        Some(Self(key.into_boxed_str()))
    }
}

/// The branch of a request of ours: the cookie and 80 random bits.
#[must_use]
pub(super) fn new_branch(rng: &mut crate::ids::Rng) -> String {
    format!("{MAGIC_COOKIE}{}", rng.token(16))
}

/// Claims that the sender of `via` speaks RFC 3261: its branch names the transaction.
#[must_use]
pub fn has_cookie(via: &Via) -> bool {
    via.branch()
        .is_some_and(|branch| branch.starts_with(MAGIC_COOKIE))
}

/// What follows the cookie, where there is one.
fn transaction_branch(via: &Via) -> Option<&str> {
    let branch = via.branch()?.strip_prefix(MAGIC_COOKIE)?;
    (!branch.is_empty()).then_some(branch)
}

fn raw<'a>(request: &'a Request, name: &HeaderName) -> std::borrow::Cow<'a, str> {
    String::from_utf8_lossy(request.headers.get(name).map_or(&[], |value| value))
}
