//! What is known of a call beside its cause.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Code, Reason};
use crate::sdp::negotiate::NegotiateError;

/// Something that explains an end, or is worth to be known by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The Contact of our 200 whose ACK never came.
    Contact(Box<str>),
    /// A description of the peer that could not be followed.
    Mismatch(Box<Mismatch>),
    /// An address that was called and said nothing, or could not be reached.
    Silent(SocketAddr),
    /// A host that was to be called.
    Host(Box<str>),
    /// A trunk that could not be taken.
    TrunkBarred {
        /// Its name.
        trunk: Box<str>,
        /// Which of its limits is reached.
        limit: Box<str>,
    },
    /// Why the flow could not go on.
    Flow {
        /// In words.
        why: Box<str>,
        /// Claims that it has reached a limit.
        is_limit: bool,
    },
    /// Somebody was not called because of a limit of ours.
    Limit(&'static str),
    /// A server that the flow asked was slow, or failed.
    Exchange(Box<Exchange>),
}

/// What a peer described, and what stood against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Why it cannot be followed.
    pub error: NegotiateError,
    /// The codecs that we have for that peer, in our order.
    pub ours: Vec<&'static str>,
}

/// How a server has disappointed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// For what it was asked: `fetch`, `webhook`, ...
    pub purpose: &'static str,
    /// Its name, where a flow gave it.
    pub host: Box<str>,
    /// Status of its answer.
    pub status: Option<u16>,
    /// Why it was of no use; `None` where it was merely slow.
    pub failure: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

impl Exchange {
    /// A caller notices it from here on.
    pub const SLOW: Duration = Duration::from_secs(2);
}

/// The facts of one call; bounded, the first of them stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<Fact>);

impl Facts {
    const MOST: usize = 16;

    /// One more; the same is not known twice.
    pub fn add(&mut self, fact: Fact) {
        if self.0.len() < Self::MOST && !self.0.contains(&fact) {
            self.0.push(fact);
        }
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.0.iter()
    }

    /// What the facts are worth by themselves in a call with this reason, which has told some of them already.
    pub fn findings(&self, told: &Reason, is_answered: bool) -> impl Iterator<Item = Reason> {
        let is_new = |found: &Reason| found.code != told.code;
        let found = self
            .0
            .iter()
            .filter_map(move |fact| fact.finding(is_answered));
        found.filter(is_new)
    }

    /// The last one that `pick` picks.
    pub(super) fn last<'a, T>(&'a self, pick: impl Fn(&'a Fact) -> Option<T>) -> Option<T> {
        self.0.iter().rev().find_map(pick)
    }
}

impl Fact {
    /// What it is worth by itself: in a call that was answered in spite of it.
    #[must_use]
    pub fn finding(&self, is_answered: bool) -> Option<Reason> {
        Some(match self {
            Self::Silent(peer) if is_answered => Reason::new(
                Code::SilentAddress,
                format!("{peer} was called first and did not answer"),
            ),
            Self::TrunkBarred { trunk, limit } if is_answered => Reason::new(
                Code::TrunkBarred,
                format!("trunk {trunk:?} was passed over: it has reached {limit}"),
            ),
            Self::Limit(limit) => Reason::new(
                Code::LimitReached,
                format!("somebody was not called: {limit}"),
            ),
            Self::Exchange(exchange) => exchange.finding(),
            Self::Mismatch(mismatch) if is_answered => {
                let reason = mismatch.reason();
                Reason {
                    sentence: format!("a change was refused: {}", reason.sentence).into(),
                    ..reason
                }
            }
            _ => return None,
        })
    }
}

impl Exchange {
    fn finding(&self) -> Reason {
        let Self {
            purpose,
            host,
            status,
            failure,
            took,
        } = self;
        let whom = match host.is_empty() {
            true => String::new(),
            false => format!(" to {host}"),
        };
        let took = took.as_secs_f64();
        let answer = match (status, failure) {
            (Some(status), _) => format!("answered {status}"),
            (None, Some(failure)) => format!("failed ({failure})"),
            (None, None) => "was answered".to_owned(),
        };
        let code = match failure {
            Some(_) => Code::WebhookFailed,
            None => Code::WebhookSlow,
        };
        Reason::new(
            code,
            format!("the {purpose}{whom} {answer} after {took:.1} s"),
        )
    }
}

impl Mismatch {
    /// It, as a reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let list = |names: &[String]| match names {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        match &self.error {
            NegotiateError::NoCommonCodec { offered } => Reason::new(
                Code::NoCommonCodec,
                format!(
                    "no common codec: the peer offers {}; we have {}",
                    list(offered),
                    self.ours.join(", ")
                ),
            ),
            NegotiateError::NoAudio { offered } => Reason::new(
                Code::NoAudio,
                format!(
                    "no audio stream that we speak: the peer offers {}",
                    list(offered)
                ),
            ),
            NegotiateError::NoCommonSuite { offered } => Reason::new(
                Code::NoCommonSuite,
                format!("no common SRTP suite: the peer offers {}", list(offered)),
            ),
            NegotiateError::SrtpRequired => Reason::new(
                Code::SrtpRequired,
                "SRTP is required here, and the peer offers a stream that is not protected",
            ),
            NegotiateError::AddressFamily { address } => Reason::new(
                Code::WrongFamily,
                format!(
                    "the peer wants its sound at {address}, by the other IP version than it signals by"
                ),
            ),
        }
    }
}
