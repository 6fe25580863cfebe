//! Session timers of a telephone that is called (RFC 4028).

use std::time::Instant;

use super::called::Session;
use super::line::{Line, Running};
use super::{Phone, PhoneState, T1};
use crate::sip::message::{HeaderName, Request};

impl Phone {
    /// Begins the session timer of an answer, and says so.
    pub(super) fn first_session(&mut self, now: Instant, line: &mut Line) -> String {
        let arrival = line.arrival.as_ref().expect("it was called");
        let Some(session) = arrival.called.session else {
            return String::new();
        };
        let refresher = if session.refreshes { "uas" } else { "uac" };
        Self::set_session(now, line, session);
        let require = match session.refreshes {
            true => "",
            false => "Require: timer\r\n",
        };
        let expires = session.expires.as_secs();
        format!("{require}Session-Expires: {expires};refresher={refresher}\r\n")
    }

    fn set_session(now: Instant, line: &mut Line, session: Session) {
        let expires = session.expires;
        let at = match session.refreshes {
            true => now + expires / 2,
            false => now + expires - (expires / 3).min(64 * T1),
        };
        line.session = Some(Running { session, at });
    }

    /// The other has refreshed the session, or taken another offer's chance to.
    pub(super) fn refreshed(&self, now: Instant, line: &mut Line, request: &Request) -> String {
        let Some(Running { session, .. }) = line.session else {
            return String::new();
        };
        if !request.headers.has(&HeaderName::SessionExpires) {
            return String::new();
        }
        Self::set_session(now, line, session);
        // Whoever refreshes goes on to: roles are told by who asks this time.
        let refresher = if session.refreshes { "uas" } else { "uac" };
        let expires = session.expires.as_secs();
        format!("Require: timer\r\nSession-Expires: {expires};refresher={refresher}\r\n")
    }

    /// Refreshes the session, or hangs up where nobody did.
    pub(super) fn keep_session(&mut self, now: Instant, line: &mut Line) {
        let Some(Running { session, at }) = line.session else {
            return;
        };
        if at > now {
            return;
        }
        if line.state != PhoneState::Answered || !session.refreshes {
            line.session = None;
            return self.end(now, line);
        }
        Self::set_session(now, line, session);
        if !line.is_offering() {
            let expires = session.expires.as_secs();
            let headers =
                format!("Supported: timer\r\nSession-Expires: {expires};refresher=uac\r\n");
            self.offer_again(now, line, &headers);
        }
    }
}
