//! What goes in and out of the switch, noted in the timeline of the call that it belongs to.
//!
//! ```text
//!   Input::Sip ------> endpoint says whose it is --.        .--> Entry::timeline, or that of an arrival
//!   Output::Transmit -> endpoint says whose it is --+-- call -+
//!   Command, Event ---> session or order -----------'        '--> at the end: CallRecord
//!   news of calls and flows ------------------------'
//! ```
//!
//! All of it happens under the instant of the input under way. A message costs a look into two or three tables
//! and, if it is a request, one small text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, CommandId, Mute, Outcome, Part, SessionId};

use super::Switch;
use crate::call::reason::Fact;
use crate::ids::{ActiveflowId, CallId};
use crate::sip::message::{Message, MessageError, Method, Request, Response, Status};
use crate::sip::{DialogId, Transmit};
use crate::store::timeline::{Doing, MediaMoment, SipMoment, What};

/// What of the input under way is needed until it is handled.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// Its instant, since 1970-01-01 UTC.
    pub at: Duration,
    /// An INVITE that nobody has looked at.
    fresh: Option<(DialogId, SipMoment)>,
    /// Dialogs that are over: what is said in them last leaves after that.
    parted: Vec<(DialogId, SessionId)>,
}

impl Switch {
    /// Begins with an input.
    pub(super) fn begin(&mut self, now: Instant) {
        self.tap.at = self.epoch.since_1970(now);
        self.tap.parted.clear();
        self.tap.fresh = None;
    }

    /// Notes something in the timeline of a call.
    pub(super) fn note(&mut self, call: CallId, what: What) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.timeline.push(self.tap.at, what);
        }
    }

    /// Keeps something that may explain the end of a call.
    pub(super) fn know(&mut self, call: CallId, fact: Fact) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.facts.add(fact);
        }
    }

    /// Forgets the session of a dialog that is over; what still leaves in it is noted.
    pub(super) fn part_dialog(&mut self, dialog: DialogId) -> Option<SessionId> {
        let session = self.dialogs.remove(&dialog)?;
        self.tap.parted.push((dialog, session));
        Some(session)
    }

    // SIP.

    /// A message came that belongs to this dialog.
    pub(super) fn sip_heard(&mut self, dialog: DialogId, message: SipMoment) {
        match self.dialogs.get(&dialog).copied() {
            Some(session) => self.note_sip(session, message),
            None => self.tap.fresh = Some((dialog, message)),
        }
    }

    /// A message leaves that belongs to this dialog.
    pub(super) fn sip_sent(&mut self, dialog: DialogId, transmit: &Transmit) {
        let parted = || {
            let mut parted = self.tap.parted.iter();
            parted.find(|(known, _)| *known == dialog)
        };
        let session = self.dialogs.get(&dialog).copied();
        let session = session.or_else(|| parted().map(|(_, session)| *session));
        if session.is_none() && self.turned_away.is_empty() {
            return;
        }
        let Some(message) = sent(transmit) else {
            return;
        };
        match session {
            Some(session) => self.note_sip(session, message),
            None => self.refused_answered(dialog, message),
        }
    }

    /// The INVITE that has opened this dialog just now.
    pub(super) fn take_fresh(&mut self, dialog: DialogId) -> Option<SipMoment> {
        let fresh = self.tap.fresh.take_if(|(known, _)| *known == dialog);
        fresh.map(|(_, message)| message)
    }

    fn note_sip(&mut self, session: SessionId, message: SipMoment) {
        let at = self.tap.at;
        if let Some(entry) = self
            .sessions
            .get(&session)
            .and_then(|id| self.calls.get_mut(id))
        {
            entry.timeline.push_sip(at, message);
        } else if let Some(arrival) = self.arrivals.get_mut(&session) {
            arrival.timeline.push_sip(at, message);
        }
    }

    // Media.

    /// An order leaves for the engine.
    pub(super) fn media_ordered(&mut self, command: &Command) {
        let (session, moment) = match command {
            Command::Configure { session, config } => {
                // Without a port it is not agreed on anything: what is played runs on unheard.
                if config.remote.port() == 0 {
                    return;
                }
                let is_somewhere = !config.remote.ip().is_unspecified();
                let is_expected = config.direction.receives() && is_somewhere;
                let expected = is_expected.then_some(config.remote);
                if let Some(entry) = self
                    .sessions
                    .get(session)
                    .and_then(|id| self.calls.get_mut(id))
                {
                    entry.expected = expected;
                }
                let (remote, codec) = (config.remote, config.send.1.name());
                (session, MediaMoment::Agreed { remote, codec })
            }
            Command::Join { session, part, .. } => {
                let is_held = *part == Part::NONE;
                (session, MediaMoment::Joined { is_held })
            }
            Command::Leave { session } => (session, MediaMoment::Left),
            Command::Mute { session, direction } => {
                let way = match direction {
                    Mute::Off => "none",
                    Mute::In => "in",
                    Mute::Out => "out",
                    Mute::Both => "both",
                };
                (session, MediaMoment::Muted { way })
            }
            Command::Play {
                session,
                command,
                is_endless,
                ..
            } => {
                let what = match is_endless {
                    true => Doing::Filling,
                    false => Doing::Playing,
                };
                (session, began(what, *command))
            }
            Command::SendDigits {
                session, command, ..
            } => (session, began(Doing::SendingDigits, *command)),
            Command::Echo {
                session, command, ..
            } => (session, began(Doing::Echo, *command)),
            Command::Record {
                session, command, ..
            } => (session, began(Doing::Recording, *command)),
            Command::DetectMachine {
                session, command, ..
            } => (session, began(Doing::Detecting, *command)),
            Command::Listen {
                session, command, ..
            } => (session, began(Doing::Listening, *command)),
            Command::Open { .. }
            | Command::Close { .. }
            | Command::ConfigureBridge { .. }
            | Command::RecordBridge { .. }
            | Command::StopBridgeRecording { .. }
            | Command::OpenExternal { .. }
            | Command::CloseExternal { .. }
            | Command::Cancel { .. } => return,
        };
        self.note_media(*session, moment);
    }

    /// News of a session.
    pub(super) fn note_media(&mut self, session: SessionId, moment: MediaMoment) {
        if let Some(call) = self.sessions.get(&session).copied() {
            self.note(call, What::Media(moment));
        }
    }

    /// An order has ended in a call.
    pub(super) fn note_end(&mut self, call: CallId, command: CommandId, outcome: &Outcome) {
        let how = match outcome {
            Outcome::Done | Outcome::Recorded { .. } | Outcome::Detected { .. } => "done",
            Outcome::Interrupted { .. } => "interrupted",
            Outcome::Canceled => "canceled",
            Outcome::Failed { .. } => "failed",
        };
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.timeline.push_end(self.tap.at, command.0, how);
        }
    }

    // Flows.

    /// Notes the steps that an activeflow has taken.
    pub(super) fn note_steps(&mut self, id: ActiveflowId) {
        let Some(run) = self.activeflows.get_mut(&id) else {
            return;
        };
        let noted = std::mem::replace(&mut run.noted, run.activeflow.taken());
        let entry = run.call.and_then(|call| self.calls.get_mut(&call));
        let Some(entry) = entry.filter(|_| noted != run.noted) else {
            return;
        };
        for step in run.activeflow.steps_after(noted) {
            let action = step.id.clone();
            let name = step.name;
            entry
                .timeline
                .push(self.tap.at, What::Step { action, name });
        }
    }
}

const fn began(what: Doing, command: CommandId) -> MediaMoment {
    let order = command.0;
    MediaMoment::Began { what, order }
}

/// A message that came, when it can be one of a call.
pub(super) fn heard(
    peer: SocketAddr,
    message: &Result<Message, MessageError>,
) -> Option<SipMoment> {
    let Ok(message) = message else {
        return None;
    };
    let (line, headers, body) = match message {
        Message::Request(request) => {
            if matches!(request.method, Method::Register | Method::Options) {
                return None;
            }
            (request_line(request), &request.headers, &request.body)
        }
        Message::Response(response) => (response_line(response), &response.headers, &response.body),
    };
    let cseq = headers.cseq().ok()?;
    // A colon, a space and the end of the line.
    let fields = headers.iter();
    let fields: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let octets = line.len() + VERSION + fields + 2 + body.len();
    Some(SipMoment {
        is_sent: false,
        peer,
        line,
        cseq: cseq.number,
        method: word_of(cseq.method.as_str().as_bytes()),
        octets: u32::try_from(octets).unwrap_or(u32::MAX),
        again: 0,
        lasted: Duration::ZERO,
    })
}

/// ` SIP/2.0` and the end of the line.
const VERSION: usize = 10;

/// A message that leaves.
fn sent(transmit: &Transmit) -> Option<SipMoment> {
    let bytes = &transmit.bytes[..];
    let end = memchr::memchr(b'\r', bytes)?;
    let first = &bytes[..end];
    let line = match first.strip_prefix(b"SIP/2.0 ") {
        Some(status) => status_line(status),
        None => bounded(&String::from_utf8_lossy(
            first.strip_suffix(b" SIP/2.0").unwrap_or(first),
        )),
    };
    let (cseq, method) = cseq_of(&bytes[end..]).unwrap_or((0, ""));
    Some(SipMoment {
        is_sent: true,
        peer: transmit.hop.remote,
        line,
        cseq,
        method,
        octets: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        again: 0,
        lasted: Duration::ZERO,
    })
}

/// The CSeq of a message that we have written.
fn cseq_of(headers: &[u8]) -> Option<(u32, &'static str)> {
    let mut lines = memchr::memchr_iter(b'\n', headers).map(|at| &headers[at + 1..]);
    let value = lines.find_map(|line| line.strip_prefix(b"CSeq: "))?;
    let value = &value[..memchr::memchr(b'\r', value)?];
    let space = memchr::memchr(b' ', value)?;
    let number = std::str::from_utf8(&value[..space]).ok()?;
    Some((number.parse().ok()?, word_of(&value[space + 1..])))
}

fn request_line(request: &Request) -> Cow<'static, str> {
    let mut line = String::with_capacity(64);
    line.push_str(request.method.as_str());
    // A write into a String has no way to fail.
    let _ = write!(line, " {}", request.uri);
    bounded(&line)
}

fn response_line(response: &Response) -> Cow<'static, str> {
    let status = response.status;
    let usual = usual_line(status);
    match usual.filter(|_| response.reason == status.reason_phrase().as_bytes()) {
        Some(line) => Cow::Borrowed(line),
        None => {
            let phrase = String::from_utf8_lossy(&response.reason);
            bounded(format!("{} {phrase}", status.code()).trim_end())
        }
    }
}

fn status_line(line: &[u8]) -> Cow<'static, str> {
    let code = line
        .get(..3)
        .and_then(|code| std::str::from_utf8(code).ok());
    let status = code.and_then(|code| Status::new(code.parse().ok()?));
    let usual = status.and_then(usual_line);
    match usual.filter(|usual| usual.as_bytes() == line) {
        Some(line) => Cow::Borrowed(line),
        None => bounded(String::from_utf8_lossy(line).trim_end()),
    }
}

/// What is kept of a line: no password of a URI, and not more than its beginning.
fn bounded(line: &str) -> Cow<'static, str> {
    let mut end = line.len().min(SipMoment::LONGEST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = &line[..end];
    let secret = line.find('@').and_then(|at| {
        let user = line.find(':')? + 1;
        let password = line.get(user..at)?.find(':')? + user;
        Some(password..at)
    });
    Cow::Owned(match secret {
        Some(secret) => [&line[..secret.start], &line[secret.end..]].concat(),
        None => line.to_owned(),
    })
}

/// The lines that nearly all responses have.
const fn usual_line(status: Status) -> Option<&'static str> {
    Some(match status.code() {
        100 => "100 Trying",
        180 => "180 Ringing",
        183 => "183 Session Progress",
        200 => "200 OK",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        407 => "407 Proxy Authentication Required",
        480 => "480 Temporarily Unavailable",
        481 => "481 Call/Transaction Does Not Exist",
        486 => "486 Busy Here",
        487 => "487 Request Terminated",
        488 => "488 Not Acceptable Here",
        503 => "503 Service Unavailable",
        603 => "603 Decline",
        _ => return None,
    })
}

/// A method as a word that need not be kept; empty for one that is not known.
const fn word_of(method: &[u8]) -> &'static str {
    match method {
        b"INVITE" => "INVITE",
        b"ACK" => "ACK",
        b"BYE" => "BYE",
        b"CANCEL" => "CANCEL",
        b"INFO" => "INFO",
        b"UPDATE" => "UPDATE",
        b"PRACK" => "PRACK",
        b"REFER" => "REFER",
        b"NOTIFY" => "NOTIFY",
        b"MESSAGE" => "MESSAGE",
        b"OPTIONS" => "OPTIONS",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Hop, Transport};

    fn hop() -> Hop {
        Hop {
            transport: Transport::Udp,
            local: SocketAddr::from(([10, 0, 0, 1], 5060)),
            remote: SocketAddr::from(([10, 0, 0, 9], 5060)),
            connection: None,
        }
    }

    #[test]
    fn what_comes_and_what_leaves_is_read_alike() {
        let text = "BYE sip:bob@10.0.0.9:5060;ob SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n\
            From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 41 BYE\r\n\
            Content-Length: 0\r\n\r\n";
        let message = Message::parse_datagram(text.into());
        let heard = heard(hop().remote, &message).unwrap();
        let bytes = bytes::Bytes::from_static(text.as_bytes());
        let sent = sent(&Transmit { hop: hop(), bytes }).unwrap();
        assert_eq!(heard.line, "BYE sip:bob@10.0.0.9:5060;ob");
        assert_eq!((heard.cseq, heard.method), (41, "BYE"));
        assert_eq!(heard.octets as usize, text.len());
        let is_sent = true;
        assert_eq!(sent, SipMoment { is_sent, ..heard });
    }

    #[test]
    fn a_line_has_no_password_and_an_end() {
        assert_eq!(
            bounded("INVITE sip:bob:secret@10.0.0.9"),
            "INVITE sip:bob@10.0.0.9"
        );
        assert_eq!(
            bounded("INVITE sip:bob@10.0.0.9:5070"),
            "INVITE sip:bob@10.0.0.9:5070"
        );
        assert_eq!(
            bounded("INVITE sip:10.0.0.9:5070"),
            "INVITE sip:10.0.0.9:5070"
        );
        assert_eq!(bounded(&"é".repeat(500)).len(), SipMoment::LONGEST);
    }

    #[test]
    fn a_response_with_a_phrase_of_its_own_keeps_it() {
        for (line, kept) in [
            (&b"486 Busy Here"[..], "486 Busy Here"),
            (b"486 Go away", "486 Go away"),
            (b"299 ", "299"),
        ] {
            assert_eq!(status_line(line), kept);
        }
    }
}
