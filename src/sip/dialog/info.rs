//! Digits in INFO bodies: `application/dtmf-relay` and `application/dtmf` (RFC 6086 registers neither;
//! gateways and phones send both).

use std::time::{Duration, Instant};

use super::floor::Floor;
use super::invite::InviteUsage;
use crate::sip::event::Event;
use crate::sip::message::{HeaderName, Request, Status};
use crate::sip::transaction::TransactionId;

/// What an INFO body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Info {
    /// A digit: `0-9`, `A-D`, `*` or `#`, and how long it was pressed.
    Digit {
        /// Upper case.
        digit: char,
        /// Of the press.
        duration: Duration,
    },
    /// A signal that is no digit, such as a hook flash (16).
    OtherSignal,
}

impl InviteUsage {
    /// Takes an INFO of the peer.
    pub(super) fn handle_info(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Request,
    ) {
        let is_spoken = match request.headers.content_type() {
            Ok(Some(kind)) => Info::is_spoken(&kind.main, &kind.sub),
            Ok(None) | Err(_) => false,
        };
        let status = if request.body.is_empty() {
            Status::OK
        } else if !is_spoken {
            Status::UNSUPPORTED_MEDIA_TYPE
        } else {
            match Info::parse(&request.body) {
                None => Status::BAD_REQUEST,
                Some(Info::OtherSignal) => Status::OK,
                Some(Info::Digit { digit, duration }) => {
                    self.events.push_back(Event::Digit {
                        dialog: self.id,
                        digit,
                        duration,
                    });
                    Status::OK
                }
            }
        };
        let mut response = floor
            .identity
            .response(request, status, self.dialog.local_tag());
        if status == Status::UNSUPPORTED_MEDIA_TYPE {
            response.headers.push(
                HeaderName::Accept,
                "application/dtmf-relay, application/dtmf",
            );
        }
        floor.layer.respond(now, transaction, &response);
    }
}

impl Info {
    /// Claims that bodies of this type are read here.
    #[must_use]
    fn is_spoken(kind: &str, subtype: &str) -> bool {
        kind.eq_ignore_ascii_case("application")
            && (subtype.eq_ignore_ascii_case("dtmf-relay") || subtype.eq_ignore_ascii_case("dtmf"))
    }

    /// Reads a body: lines of `Signal=` and `Duration=` (milliseconds), or the bare signal.
    /// `None` when there is no signal in it; answer 400.
    #[must_use]
    fn parse(body: &[u8]) -> Option<Self> {
        let body = std::str::from_utf8(body).ok()?;
        let mut signal = None;
        let mut duration = DEFAULT_DURATION;
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("signal") => {
                    signal = Some(value.trim());
                }
                Some((name, value)) if name.trim().eq_ignore_ascii_case("duration") => {
                    let milliseconds = value.trim().parse::<u32>().ok();
                    duration = milliseconds
                        .map_or(duration, |ms| Duration::from_millis(ms.into()))
                        .min(LONGEST);
                }
                Some(_) => {}
                None => signal = signal.or(Some(line)),
            }
        }
        Some(match digit(signal?)? {
            Some(digit) => Self::Digit { digit, duration },
            None => Self::OtherSignal,
        })
    }
}

/// A key, or its RFC 4733 event number; the inner `None` is an event that is no digit.
#[expect(
    clippy::option_option,
    reason = "no signal, and a signal that is no digit"
)]
fn digit(signal: &str) -> Option<Option<char>> {
    let mut letters = signal.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        let letter = letter.to_ascii_uppercase();
        let is_key = matches!(letter, '0'..='9' | 'A'..='D' | '*' | '#');
        return (is_key || letter == '!').then(|| is_key.then_some(letter));
    }
    match signal.parse::<u8>().ok()? {
        10 => Some(Some('*')),
        11 => Some(Some('#')),
        12 => Some(Some('A')),
        13 => Some(Some('B')),
        14 => Some(Some('C')),
        15 => Some(Some('D')),
        16 => Some(None),
        event => char::from_digit(event.into(), 10).map(Some),
    }
}

/// Of a press whose length was not said.
const DEFAULT_DURATION: Duration = Duration::from_millis(100);

/// Nobody holds a key longer; a wilder number is a mistake.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn press(digit: char, ms: u64) -> Option<Info> {
        Some(Info::Digit {
            digit,
            duration: Duration::from_millis(ms),
        })
    }

    #[test]
    fn both_bodies_name_the_same_digit() {
        assert_eq!(
            Info::parse(b"Signal=5\r\nDuration=160\r\n"),
            press('5', 160)
        );
        assert_eq!(Info::parse(b"Signal= 5\nDuration= 160"), press('5', 160));
        assert_eq!(Info::parse(b"5"), press('5', 100));
        assert_eq!(Info::parse(b"signal=b\r\n"), press('B', 100));
    }

    #[test]
    fn event_numbers_are_read_as_keys() {
        assert_eq!(Info::parse(b"Signal= 11\r\nDuration=250"), press('#', 250));
        assert_eq!(Info::parse(b"Signal=10"), press('*', 100));
        assert_eq!(Info::parse(b"Signal=07"), press('7', 100));
        assert_eq!(Info::parse(b"Signal=16"), Some(Info::OtherSignal));
    }

    #[test]
    fn a_body_without_a_signal_is_no_digit() {
        for body in [
            &b""[..],
            b"\xff",
            b"Duration=100",
            b"Signal=",
            b"Signal=x",
            b"Signal=99",
        ] {
            assert_eq!(Info::parse(body), None, "{body:?}");
        }
    }
}
