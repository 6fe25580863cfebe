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
        Self::new(request, via, &request.method, to_tag(request).as_deref())
    }

    /// The INVITE transactions that an ACK or CANCEL may belong to, most likely first.
    ///
    /// An ACK of RFC 2543 carries the To tag of our response, which the INVITE did not have.
    #[must_use]
    pub fn of_invite(request: &Request, via: &Via) -> [Self; 2] {
        let tag = to_tag(request);
        [tag.as_deref(), None].map(|tag| Self::new(request, via, &Method::Invite, tag))
    }

    fn new(request: &Request, via: &Via, method: &Method, to_tag: Option<&str>) -> Self {
        let mut key = String::with_capacity(96);
        match via
            .branch()
            .and_then(|branch| branch.strip_prefix(MAGIC_COOKIE))
        {
            Some(branch) if !branch.is_empty() => {
                key.push_str(branch);
                let host = via.host.to_string().to_ascii_lowercase();
                // A write into a String has no way to fail.
                let _ = write!(key, "\0{host}\0{}", via.port.unwrap_or(DEFAULT_PORT));
            }
            _ => {
                let from_tag = request.headers.from().ok();
                let from_tag = from_tag.as_ref().and_then(|from| from.tag());
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
        if to_tag(request).is_some() {
            return None;
        }
        let from = request.headers.from().ok()?;
        let call_id = raw(request, &HeaderName::CallId);
        let cseq = raw(request, &HeaderName::CSeq);
        let tag = from.tag().unwrap_or_default();
        Some(Self(format!("{tag}\0{call_id}\0{cseq}").into_boxed_str()))
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

fn to_tag(request: &Request) -> Option<String> {
    let to = request.headers.to().ok()?;
    to.tag().map(str::to_owned)
}

fn raw<'a>(request: &'a Request, name: &HeaderName) -> std::borrow::Cow<'a, str> {
    String::from_utf8_lossy(request.headers.get(name).map_or(&[], |value| value))
}
