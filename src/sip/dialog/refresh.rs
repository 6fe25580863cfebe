//! Session timer (RFC 4028): a call whose end nobody told is noticed.
//!
//! ```text
//!  agreed            interval / 2                    interval - min(32 s, interval / 3)
//!    |------------------|---------------------------------------|---------------|
//!    ^                  ^ we refresh, when that is our part     ^ BYE           ^ interval
//!    '--- each refresh by either side begins it anew
//! ```

use std::time::{Duration, Instant};

use crate::sip::message::{HeaderName, Headers, ParseError, Refresher, Request, SessionExpires};
use crate::sip::transaction::earliest;

/// What we want of session timers.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// The interval we ask for; zero asks for none but honours the peer's.
    pub interval: Duration,
    /// The shortest we allow (RFC 4028 §5: not under 90 s).
    pub min: Duration,
}

/// Who sends the refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// We do.
    Ours,
    /// The peer does.
    Peers,
}

/// What an INVITE or UPDATE of the peer and our 2xx to it agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    interval: Duration,
    part: Part,
    peer_knows_timers: bool,
}

/// Why an interval was not agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Shorter than we allow: answer 422 with our Min-SE.
    #[error("session interval under the minimum")]
    TooSmall,
    /// The header cannot be read: answer 400.
    #[error(transparent)]
    Malformed(#[from] ParseError),
}

/// What the timer wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Refresh the session.
    Refresh,
    /// End it with a BYE.
    Expire,
}

impl SessionPolicy {
    /// Writes our wish into an INVITE that makes a call (RFC 4028 §7.1); who refreshes is left open. `min` is
    /// what a peer has asked for by 422.
    pub fn propose(&self, headers: &mut Headers, min: Option<Duration>) {
        let interval = self.interval.max(min.unwrap_or_default());
        if !interval.is_zero() {
            headers.push(HeaderName::SessionExpires, interval.as_secs().to_string());
        }
        if let Some(min) = min {
            headers.push(HeaderName::MinSe, min.as_secs().to_string());
        }
    }

    /// Agrees as the answerer (RFC 4028 §9, table 2); `None` is a session without a timer.
    /// A peer that leaves the choice lets `part` stand.
    ///
    /// # Errors
    /// [`SessionError`], each a refusal.
    pub fn agree(&self, request: &Request, part: Part) -> Result<Option<Agreed>, SessionError> {
        let headers = &request.headers;
        let peer_knows_timers = headers
            .tokens(&HeaderName::Supported)
            .iter()
            .any(|token| token.eq_ignore_ascii_case("timer"));
        let floor = headers
            .min_se()?
            .map_or(Duration::ZERO, seconds)
            .max(self.min);
        let asked = headers.session_expires()?;
        let (interval, wish) = match asked {
            Some(asked) if peer_knows_timers && seconds(asked.seconds) < self.min => {
                return Err(SessionError::TooSmall);
            }
            // We may lower what was asked, never raise it (§9), and not lower it under a minimum.
            Some(asked) if self.interval.is_zero() => (seconds(asked.seconds), asked.refresher),
            Some(asked) => {
                let lowered = self.interval.max(floor);
                (seconds(asked.seconds).min(lowered), asked.refresher)
            }
            None if self.interval.is_zero() => return Ok(None),
            None => (self.interval.max(floor), None),
        };
        let part = match wish {
            _ if !peer_knows_timers => Part::Ours,
            Some(Refresher::Uac) => Part::Peers,
            Some(Refresher::Uas) => Part::Ours,
            None => part,
        };
        Ok(Some(Agreed {
            interval: interval.max(SHORTEST),
            part,
            peer_knows_timers,
        }))
    }
}

impl Agreed {
    /// Writes the agreement into our 2xx (RFC 4028 §9).
    pub fn write(&self, headers: &mut Headers) {
        let refresher = match self.part {
            Part::Ours => Refresher::Uas,
            Part::Peers => Refresher::Uac,
        };
        headers.push(HeaderName::SessionExpires, value(self.interval, refresher));
        if self.peer_knows_timers {
            headers.push(HeaderName::Require, "timer");
        }
    }
}

/// The timer of one session.
#[derive(Debug)]
pub(super) struct SessionTimer {
    interval: Duration,
    part: Part,
    refresh_at: Option<Instant>,
    expires_at: Option<Instant>,
    min_se: Option<Duration>,
}

impl SessionTimer {
    /// A session without timer.
    #[must_use]
    pub(super) const fn off() -> Self {
        Self {
            interval: Duration::ZERO,
            part: Part::Ours,
            refresh_at: None,
            expires_at: None,
            min_se: None,
        }
    }

    /// A session for which we have asked for `interval`; the 2xx says whether there will be a timer.
    #[must_use]
    pub(super) const fn asking(interval: Duration) -> Self {
        Self {
            interval,
            ..Self::off()
        }
    }

    /// Begins anew with what our 2xx said.
    pub(super) fn start(&mut self, now: Instant, agreed: Option<Agreed>) {
        match agreed {
            Some(agreed) => {
                self.interval = agreed.interval;
                self.part = agreed.part;
                self.restart(now);
            }
            None => *self = Self::off(),
        }
    }

    /// Begins anew with what the peer's 2xx to our INVITE or refresh said; a peer that says nothing has no
    /// timer, and we go on alone when we want one (RFC 4028 §7.2).
    pub(super) fn handle_refreshed(&mut self, now: Instant, asked: Option<SessionExpires>) {
        if asked.is_none() && self.interval.is_zero() {
            return;
        }
        if let Some(agreed) = asked {
            self.interval = seconds(agreed.seconds).max(SHORTEST);
            self.part = match agreed.refresher {
                Some(Refresher::Uas) => Part::Peers,
                Some(Refresher::Uac) | None => Part::Ours,
            };
        }
        self.restart(now);
    }

    /// The peer wants at least `min` (422); false when that is nothing new, so that asking again is vain.
    pub(super) fn raise(&mut self, min: Duration) -> bool {
        let is_news = min > self.interval;
        self.interval = self.interval.max(min);
        self.min_se = Some(min.max(self.min_se.unwrap_or_default()));
        is_news
    }

    /// Refreshes again at `at`, while the session still expires when it would have.
    pub(super) const fn retry_at(&mut self, at: Instant) {
        self.refresh_at = Some(at);
    }

    /// Writes our wish into a request within the call, with the refresher as it is (RFC 4028 §7.4); nothing
    /// when there is no timer.
    pub(super) fn write(&self, headers: &mut Headers) {
        if self.interval.is_zero() {
            return;
        }
        let refresher = match self.part {
            Part::Ours => Refresher::Uac,
            Part::Peers => Refresher::Uas,
        };
        headers.push(HeaderName::SessionExpires, value(self.interval, refresher));
        if let Some(min) = self.min_se {
            headers.push(HeaderName::MinSe, min.as_secs().to_string());
        }
    }

    /// Says what is due; once each.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.expires_at.is_some_and(|at| at <= now) {
            *self = Self::off();
            return Some(Due::Expire);
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = None;
            return Some(Due::Refresh);
        }
        None
    }

    /// When something is due next.
    #[must_use]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.refresh_at, self.expires_at)
    }

    /// Whose part the refreshing is.
    #[must_use]
    pub(super) const fn part(&self) -> Part {
        self.part
    }

    fn restart(&mut self, now: Instant) {
        let margin = (self.interval / 3).min(Duration::from_secs(32));
        self.expires_at = Some(now + self.interval - margin);
        self.refresh_at = (self.part == Part::Ours).then(|| now + self.interval / 2);
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn value(interval: Duration, refresher: Refresher) -> String {
    let refresher = match refresher {
        Refresher::Uac => "uac",
        Refresher::Uas => "uas",
    };
    format!("{};refresher={refresher}", interval.as_secs())
}

/// A peer without timers cannot be refused with 422; shorter than this it cannot have meant.
const SHORTEST: Duration = Duration::from_secs(30);
