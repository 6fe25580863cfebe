//! The registration of ours at one trunk (RFC 3261 §10.2), as a value without I/O.
//!
//! ```text
//!                 start                  200
//!        Idle -----------> Registering -------> Registered
//!          ^                 |  ^   ^               |
//!          |         refused |  |   '-- refresh due, connection lost
//!          |      or silence v  | pause over
//!          |                Waiting
//!          |  any answer                 stop, from each of them
//!          '------------- Unregistering <-------------------
//! ```
//!
//! When [`Registration::poll_wish`] says so, its owner finds the way, makes the request with
//! [`Registration::ask`], sends it with [`Endpoint::ask`](super::Endpoint::ask) and brings the answer to
//! [`Registration::handle_responded`]; where there is no way, [`Registration::handle_unreachable`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::dialog::ALLOW;
use super::event::{Account, Ask, NoAnswer};
use super::hop::Hop;
use super::message::{Contacts, HeaderName, Method, NameAddr, Response, Status, Uri};
use crate::ids::Rng;

/// Who registers where.
#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// The domain of the registrar: the Request-URI.
    pub registrar: Uri,
    /// Who is registered: From and To.
    pub address: NameAddr,
    /// Answers the registrar's challenges.
    pub account: Option<Account>,
    /// For how long we ask; the registrar may say less, or want more.
    pub expires: Duration,
}

/// One registration; see the module.
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    rng: Rng,
    state: State,
    /// A REGISTER is to leave and has no hop yet.
    is_wishing: bool,
    /// The registrar knows us until then, as far as it has told.
    bound_until: Option<Instant>,
    call_id: Bytes,
    /// Of the next request.
    cseq: u32,
    /// As asked for last: the configured one, or what the registrar wants at least.
    expires: Duration,
    /// Our Contact and the peer, as of the last request.
    sent: Option<(Uri, SocketAddr)>,
    service_route: Vec<NameAddr>,
    /// In a row.
    failures: u32,
    events: VecDeque<RegistrationEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// `then_leave`: stopped while the answer was awaited.
    Registering {
        then_leave: bool,
    },
    Registered {
        refresh_at: Instant,
    },
    Waiting {
        retry_at: Instant,
    },
    Unregistering,
}

/// What happened to a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationEvent {
    /// The registrar knows us; also after each refresh.
    Registered {
        /// For how long.
        expires: Duration,
    },
    /// It could not be had; it is tried again.
    Failed {
        /// Why.
        why: Setback,
        /// After which time.
        retry_in: Duration,
    },
    /// It is over, as was wished.
    Unregistered,
}

/// Why a registration could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Setback {
    /// The registrar said no; a 401 or 407 is a wrong password, or none.
    #[error("refused with {0}")]
    Refused(Status),
    /// Nobody answered.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The registrar has no address.
    #[error("the registrar is not to be found")]
    Unreachable,
}

impl Registration {
    /// A registration that does nothing yet.
    #[must_use]
    pub fn new(config: RegistrationConfig, mut rng: Rng) -> Self {
        let expires = config.expires.clamp(SHORTEST, LONGEST);
        Self {
            config,
            state: State::Idle,
            is_wishing: false,
            bound_until: None,
            call_id: rng.token(CALL_ID_LENGTH).into(),
            rng,
            cseq: 1,
            expires,
            sent: None,
            service_route: Vec::new(),
            failures: 0,
            events: VecDeque::new(),
        }
    }

    /// Registers, and keeps registered.
    pub fn start(&mut self) {
        match &mut self.state {
            State::Idle => self.register(),
            State::Registering { then_leave } => *then_leave = false,
            State::Registered { .. } | State::Waiting { .. } | State::Unregistering => {}
        }
    }

    /// Who is registered.
    #[must_use]
    pub const fn address(&self) -> &NameAddr {
        &self.config.address
    }

    /// Goes on with another account, or another way to the registrar, which is told at once; it knows us
    /// meanwhile as before.
    pub fn renew(&mut self, registrar: Uri, account: Option<Account>) {
        (self.config.registrar, self.config.account) = (registrar, account);
        if let State::Registered { .. } | State::Waiting { .. } = self.state {
            self.register();
        }
    }

    /// Ends the registration, at the registrar too where it knows us; [`RegistrationEvent::Unregistered`]
    /// follows.
    pub fn stop(&mut self) {
        match &mut self.state {
            State::Registering { then_leave } if !self.is_wishing => *then_leave = true,
            State::Registering { .. } | State::Registered { .. } | State::Waiting { .. } => {
                self.leave();
            }
            State::Idle | State::Unregistering => {}
        }
    }

    /// Lets a due refresh or another attempt begin.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.register();
        }
    }

    /// The REGISTER that [`Self::poll_wish`] told of. `contact` is our Contact towards `hop`, as
    /// [`Endpoint::contact`](super::Endpoint::contact) writes it.
    #[must_use]
    pub fn ask(&mut self, hop: Hop, contact: &str) -> Ask {
        let expires = match self.state {
            State::Unregistering => Duration::ZERO,
            _ => self.expires,
        };
        let expires = expires.as_secs();
        let address = NameAddr::parse(contact.as_bytes());
        self.sent = address.ok().map(|address| (address.uri, hop.remote));
        let contact = format!("{contact};expires={expires}");
        let sequence = Some((self.call_id.clone(), self.cseq));
        self.cseq += NUMBERS_OF_ONE;
        Ask {
            method: Method::Register,
            hop,
            uri: self.config.registrar.clone(),
            from: self.config.address.clone(),
            to: self.config.address.clone(),
            sequence,
            routes: Vec::new(),
            headers: vec![
                (HeaderName::Contact, contact.into()),
                (HeaderName::Expires, expires.to_string().into()),
                (HeaderName::Allow, ALLOW.into()),
            ],
            body: None,
            account: self.config.account.clone(),
        }
    }

    /// Takes the answer to the last [`Self::ask`].
    pub fn handle_responded(&mut self, now: Instant, result: &Result<Arc<Response>, NoAnswer>) {
        if self.is_wishing {
            return;
        }
        let then_leave = match self.state {
            State::Registering { then_leave } => then_leave,
            State::Unregistering => return self.rest(),
            State::Idle | State::Registered { .. } | State::Waiting { .. } => return,
        };
        match result {
            Ok(response) if response.status.is_success() => self.take_success(now, response),
            Ok(response) if self.must_ask_for_longer(response) => self.register(),
            Ok(response) => {
                let pause = response.headers.retry_after();
                self.wait(now, Setback::Refused(response.status), pause);
            }
            Err(why) => self.wait(now, Setback::NoAnswer(*why), None),
        }
        if then_leave {
            self.leave();
        }
    }

    /// There is no way to the registrar now.
    pub fn handle_unreachable(&mut self, now: Instant) {
        match self.state {
            State::Registering { .. } => self.wait(now, Setback::Unreachable, None),
            State::Unregistering => self.rest(),
            State::Idle | State::Registered { .. } | State::Waiting { .. } => {}
        }
    }

    /// A connection to `remote` is gone: what came by it needs a new one soon (RFC 5626 §4.4.1).
    pub fn handle_connection_lost(&mut self, now: Instant, remote: SocketAddr) {
        let is_ours = self.sent.as_ref().is_some_and(|(_, peer)| *peer == remote);
        if let State::Registered { refresh_at } = &mut self.state
            && is_ours
        {
            let pause = Duration::from_millis(u64::from(1000 + self.rng.below(4000)));
            *refresh_at = (*refresh_at).min(now + pause);
        }
    }

    /// Takes the wish to send a REGISTER; true once for each.
    #[must_use]
    pub const fn poll_wish(&mut self) -> bool {
        std::mem::replace(&mut self.is_wishing, false)
    }

    /// Takes news.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted next.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Registered { refresh_at: at } | State::Waiting { retry_at: at } => Some(at),
            State::Idle | State::Registering { .. } | State::Unregistering => None,
        }
    }

    /// Claims that the registrar knows us, as far as it has told; a refresh that failed changes that only
    /// when the time is over.
    #[must_use]
    pub fn is_registered(&self, now: Instant) -> bool {
        self.bound_until.is_some_and(|until| now < until)
    }

    /// Claims that nothing is done and nothing more will be.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// The proxies that our calls to the trunk have to go through, the first one first (RFC 3608).
    #[must_use]
    pub fn service_route(&self) -> &[NameAddr] {
        &self.service_route
    }

    fn register(&mut self) {
        self.state = State::Registering { then_leave: false };
        self.is_wishing = true;
    }

    fn leave(&mut self) {
        if self.bound_until.is_some() {
            self.state = State::Unregistering;
            self.is_wishing = true;
        } else {
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.state = State::Idle;
        self.is_wishing = false;
        self.bound_until = None;
        self.failures = 0;
        self.events.push_back(RegistrationEvent::Unregistered);
    }

    fn wait(&mut self, now: Instant, why: Setback, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        self.is_wishing = false;
        let retry_in = match asked {
            // Not sooner than told, and not all of its customers in one instant.
            Some(asked) => {
                let asked = asked.clamp(Duration::from_secs(1), LONGEST_ASKED);
                asked + asked * self.rng.below(10) / 100
            }
            None => {
                let most =
                    (FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(10))).min(LONGEST_PAUSE);
                most * (50 + self.rng.below(51)) / 100
            }
        };
        self.state = State::Waiting {
            retry_at: now + retry_in,
        };
        self.events
            .push_back(RegistrationEvent::Failed { why, retry_in });
    }

    fn take_success(&mut self, now: Instant, response: &Response) {
        let expires = self.granted(response).clamp(SHORTEST, LONGEST);
        self.failures = 0;
        self.bound_until = Some(now + expires);
        self.service_route = response
            .headers
            .addresses(&HeaderName::ServiceRoute)
            .unwrap_or_default();
        self.state = State::Registered {
            refresh_at: now + expires * (80 + self.rng.below(11)) / 100,
        };
        self.events
            .push_back(RegistrationEvent::Registered { expires });
    }

    /// For how long the registrar keeps us: what it says of our Contact, else of all, else of the only one
    /// it names, which it then has rewritten (RFC 3261 §10.2.4).
    fn granted(&self, response: &Response) -> Duration {
        let of = |contact: &NameAddr| contact.params.value("expires")?.parse().ok();
        let contacts = match response.headers.contacts() {
            Ok(Contacts::List(contacts)) => contacts,
            _ => Vec::new(),
        };
        let is_ours = |contact: &&NameAddr| match (&contact.uri, &self.sent) {
            (Uri::Sip(theirs), Some((Uri::Sip(ours), _))) => theirs.is_equivalent(ours),
            _ => false,
        };
        let ours = contacts.iter().find(is_ours).and_then(of);
        let all = || response.headers.expires().ok().flatten();
        let only = || match contacts.as_slice() {
            [only] => of(only),
            _ => None,
        };
        let seconds: Option<u32> = ours.or_else(all).or_else(only);
        seconds.map_or(self.expires, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Takes Min-Expires of a 423; false when that is nothing new, so that asking again is vain.
    fn must_ask_for_longer(&mut self, response: &Response) -> bool {
        if response.status != Status::INTERVAL_TOO_BRIEF {
            return false;
        }
        let Some(least) = response.headers.min_expires().ok().flatten() else {
            return false;
        };
        let least = Duration::from_secs(least.into());
        let is_news = least > self.expires && least <= LONGEST;
        if is_news {
            self.expires = least;
        }
        is_news
    }
}

/// Five bits each.
const CALL_ID_LENGTH: usize = 24;

/// The first pause after a failure is 30 to 60 s (RFC 5626 §4.5).
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause: a trunk that is back is used again within ten minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The longest pause that a Retry-After can order.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// A registrar that grants less is refreshed as if it had granted this.
const SHORTEST: Duration = Duration::from_secs(10);

/// A registrar that grants or wants more has forgotten us before.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// One, and two that answers to challenges may take; a century of refreshes comes nowhere near 2^31.
const NUMBERS_OF_ONE: u32 = 3;
