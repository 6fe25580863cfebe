//! What a telephone does when it is called.

use std::time::Duration;

use crate::sip::message::Algorithm;

/// Something that a called telephone says to the INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// 100.
    Trying,
    /// 180.
    Ringing,
    /// 183 with its description: there is early media, with the tone of the telephone.
    Early,
    /// 183 without one.
    Progress,
    /// 200 with its description.
    Answer,
    /// A final response, with more headers, each with its line end.
    Refuse(u16, String),
    /// BYE, once the answer is acknowledged.
    HangUp,
}

/// What a telephone does when it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// What each of its branches says, and how long after what it said before (at first: after the INVITE).
    /// More than one are telephones behind a forking proxy, each with a To tag of its own.
    pub branches: Vec<Vec<(Duration, Say)>>,
    /// Does not hear the first so many copies of the INVITE.
    pub ignores: u32,
    /// Sends provisional responses reliably (RFC 3262); refuses with 421 whoever does not take them.
    pub is_reliable: bool,
    /// Answers when it is canceled: its 200 has crossed the CANCEL.
    pub outruns_cancel: bool,
    /// More headers of its responses to INVITE, each with its line end.
    pub headers: String,
    /// The session timer it asks for.
    pub session: Option<Session>,
}

/// A session timer of the side that is called (RFC 4028 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The interval.
    pub expires: Duration,
    /// The shortest one that it takes; a shorter one is refused with 422.
    pub min: Duration,
    /// Refreshes itself; else the caller does.
    pub refreshes: bool,
}

/// How a telephone asks for a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Of the account.
    pub realm: String,
    /// Who may.
    pub username: String,
    /// What proves it.
    pub password: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// Offers `qop="auth"`.
    pub has_qop: bool,
    /// Asks as a proxy, with 407.
    pub is_proxy: bool,
    /// Takes the first proof for too old, once.
    pub is_stale_once: bool,
    /// Asks for one within calls too: for BYE, re-INVITE and UPDATE.
    pub is_everywhere: bool,
}

impl Default for Called {
    /// Rings at once and answers after a second.
    fn default() -> Self {
        Self::answers_after(1000)
    }
}

impl Called {
    /// Says this, each so many milliseconds after what it said before.
    #[must_use]
    pub fn says(what: impl IntoIterator<Item = (u64, Say)>) -> Self {
        Self {
            branches: vec![timed(what)],
            ignores: 0,
            is_reliable: false,
            outruns_cancel: false,
            headers: String::new(),
            session: None,
        }
    }

    /// Another telephone behind the same proxy says this.
    #[must_use]
    pub fn and_says(mut self, what: impl IntoIterator<Item = (u64, Say)>) -> Self {
        self.branches.push(timed(what));
        self
    }

    /// Rings at once and answers after so many milliseconds.
    #[must_use]
    pub fn answers_after(ms: u64) -> Self {
        Self::says([(0, Say::Ringing), (ms, Say::Answer)])
    }

    /// Rings at once, answers after so many milliseconds, and hangs up so many after that.
    #[must_use]
    pub fn answers_for(ms: u64, talk_ms: u64) -> Self {
        Self::says([(0, Say::Ringing), (ms, Say::Answer), (talk_ms, Say::HangUp)])
    }

    /// Is heard before it answers, after so many milliseconds.
    #[must_use]
    pub fn early_then_answers_after(ms: u64) -> Self {
        Self::says([(0, Say::Early), (ms, Say::Answer)])
    }

    /// Rings and is never answered.
    #[must_use]
    pub fn rings() -> Self {
        Self::says([(0, Say::Ringing)])
    }

    /// Says nothing at all.
    #[must_use]
    pub fn is_dead() -> Self {
        Self::says([])
    }

    /// Refuses at once.
    #[must_use]
    pub fn refuses(status: u16) -> Self {
        Self::refuses_after(0, status)
    }

    /// Rings at once and refuses after so many milliseconds, without ringing where there are none.
    #[must_use]
    pub fn refuses_after(ms: u64, status: u16) -> Self {
        let no = Say::Refuse(status, String::new());
        if ms == 0 {
            return Self::says([(0, no)]);
        }
        Self::says([(0, Say::Ringing), (ms, no)])
    }

    /// Sends the caller on to a URI (302).
    #[must_use]
    pub fn redirects(uri: &str) -> Self {
        Self::says([(0, Say::Refuse(302, format!("Contact: <{uri}>\r\n")))])
    }

    /// With reliable provisional responses.
    #[must_use]
    pub const fn reliably(mut self) -> Self {
        self.is_reliable = true;
        self
    }
}

impl Challenge {
    /// A 401 with SHA-256 and qop for the INVITE of a call.
    #[must_use]
    pub fn new(realm: &str, username: &str, password: &str) -> Self {
        Self {
            realm: realm.to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            algorithm: Algorithm::Sha256,
            has_qop: true,
            is_proxy: false,
            is_stale_once: false,
            is_everywhere: false,
        }
    }
}

fn timed(what: impl IntoIterator<Item = (u64, Say)>) -> Vec<(Duration, Say)> {
    what.into_iter()
        .map(|(ms, say)| (Duration::from_millis(ms), say))
        .collect()
}
