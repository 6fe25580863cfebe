//! Our answers to the challenges that one request outside of calls meets (RFC 3261 §22.2, §22.3).

use crate::ids::Rng;
use crate::sip::event::Account;
use crate::sip::message::{Challenge, Credentials, HeaderName, Request, Response, Status};

/// What a request has to show on its way, each to the one who asked for it.
///
/// A challenge is answered once: one that comes again for the same realm means a wrong password, which is
/// not tried again, unless the peer says that only the nonce was too old.
#[derive(Debug, Default)]
pub(super) struct Answers {
    shown: Vec<Shown>,
    rounds: u32,
}

#[derive(Debug)]
struct Shown {
    /// Authorization or Proxy-Authorization.
    header: HeaderName,
    challenge: Challenge,
    /// How often the nonce has been used.
    uses: u32,
}

impl Answers {
    /// Takes a 401 or 407; false when it cannot be answered, and for any other response.
    pub(super) fn take(&mut self, response: &Response) -> bool {
        let (asking, header) = match response.status {
            Status::UNAUTHORIZED => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => (
                HeaderName::ProxyAuthenticate,
                HeaderName::ProxyAuthorization,
            ),
            _ => return false,
        };
        let Some(challenge) = response.headers.challenge(&asking) else {
            return false;
        };
        if self.rounds == MOST_ROUNDS {
            return false;
        }
        let known = self
            .shown
            .iter()
            .position(|shown| shown.header == header && shown.challenge.realm == challenge.realm);
        match known {
            Some(_) if !challenge.stale => return false,
            Some(index) => drop(self.shown.swap_remove(index)),
            None => {}
        }
        self.rounds += 1;
        self.shown.push(Shown {
            header,
            challenge,
            uses: 0,
        });
        true
    }

    /// Puts the credentials of all challenges so far into `request`, in the place of older ones.
    pub(super) fn write(&mut self, request: &mut Request, account: &Account, rng: &mut Rng) {
        request.headers.remove(&HeaderName::Authorization);
        request.headers.remove(&HeaderName::ProxyAuthorization);
        let uri = request.uri.to_string();
        for shown in &mut self.shown {
            shown.uses += 1;
            let credentials = Credentials::answer(
                &shown.challenge,
                (&account.username, &account.password),
                &request.method,
                &uri,
                shown.uses,
                &rng.token(CNONCE_LENGTH),
            );
            request
                .headers
                .push(shown.header.clone(), credentials.to_bytes());
        }
    }
}

/// A proxy and the server behind it, or a server and its next nonce.
const MOST_ROUNDS: u32 = 2;

/// Five bits each.
const CNONCE_LENGTH: usize = 16;
