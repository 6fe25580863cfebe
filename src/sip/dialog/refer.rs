//! REFER within a call: the peer wants us to call somebody in its place (RFC 3515).
//!
//! ```text
//!            REFER in            accept: 202 and NOTIFY out       final status: NOTIFY out
//!      None ----------> Asked ------------------------------> Telling ---------------------> None
//!        ^                |                                   |    '-- lifetime over: NOTIFY out
//!        '----------------' refuse, or nobody answers         '-- a NOTIFY failed
//! ```
//!
//! The subscription that a REFER makes is a usage of its own (RFC 5057 §5.3): it outlives a BYE, which many
//! telephones send as soon as they have read the 202, and the dialog lives on for it. One REFER at a time is
//! served, and one NOTIFY at a time is out, so that none overtakes another; of the states in between the
//! newest is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::floor::Floor;
use super::invite::{InviteUsage, State};
use crate::sip::event::Event;
use crate::sip::message::{
    HeaderName, Headers, Method, NameAddr, ParseError, Replaces, Request, Status, Uri,
};
use crate::sip::transaction::{ClientEvent, T4, TransactionId};

/// The REFERs of one call.
#[derive(Debug, Default)]
pub(super) struct Referral {
    state: Stage,
    /// Some were accepted before: the NOTIFYs for a next one have to say for which they are
    /// (RFC 3515 §2.4.6).
    is_repeated: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    None,
    Asked(Asked),
    Telling(Telling),
}

/// A REFER that waits for our user.
#[derive(Debug)]
struct Asked {
    transaction: TransactionId,
    request: Arc<Request>,
    until: Instant,
}

/// A subscription.
#[derive(Debug)]
struct Telling {
    /// Its CSeq, where its NOTIFYs have to name it.
    id: Option<u32>,
    /// What was told last.
    told: Status,
    /// What is to be told when the NOTIFY that is out has its answer.
    next: Option<Status>,
    notify: Option<TransactionId>,
    until: Instant,
}

/// Whom a REFER speaks of.
struct Target {
    address: NameAddr,
    replaces: Option<Replaces>,
}

/// Why a REFER is not even shown to our user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TargetError {
    /// Answer 400.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// Neither `sip:` nor `tel:`; answer 416.
    #[error("unsupported uri scheme")]
    UnsupportedScheme,
    /// Something else than a call is wanted; answer 603 (RFC 3515 §2.4.2).
    #[error("a method beside INVITE")]
    OtherMethod,
}

impl Referral {
    /// Claims that nothing more has to be said.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, Stage::None)
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            Stage::None => None,
            Stage::Asked(Asked { until, .. }) | Stage::Telling(Telling { until, .. }) => {
                Some(*until)
            }
        }
    }

    /// Claims that this transaction is the NOTIFY that is out.
    pub(super) fn is_of(&self, transaction: TransactionId) -> bool {
        matches!(&self.state, Stage::Telling(telling) if telling.notify == Some(transaction))
    }

    fn take_asked(&mut self) -> Option<Asked> {
        match std::mem::take(&mut self.state) {
            Stage::Asked(asked) => Some(asked),
            other => {
                self.state = other;
                None
            }
        }
    }
}

impl InviteUsage {
    /// Takes a REFER; our user accepts or refuses it.
    pub(super) fn handle_refer(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
    ) {
        if !matches!(self.state, State::Established) || !self.referral.is_over() {
            return self.reply(now, floor, transaction, request, Status::REQUEST_PENDING);
        }
        let Target { address, replaces } = match Target::read(&request.headers) {
            Ok(target) => target,
            Err(error) => return self.reply(now, floor, transaction, request, error.status()),
        };
        self.referral.state = Stage::Asked(Asked {
            transaction,
            request: Arc::clone(request),
            until: now + T4,
        });
        self.events.push_back(Event::Referred {
            dialog: self.id,
            target: address,
            replaces,
            referred_by: request.headers.get(&HeaderName::ReferredBy).cloned(),
        });
    }

    /// Accepts a pending REFER; nothing when none is pending.
    pub fn accept_refer(&mut self, now: Instant, floor: &mut Floor<'_>) {
        let Some(asked) = self.referral.take_asked() else {
            return;
        };
        let request = &asked.request;
        let mut accepted = self.dialog_response(floor, request, Status::ACCEPTED);
        accepted.headers.remove(&HeaderName::RecordRoute);
        let is_silent = wants_no_subscription(&request.headers);
        if is_silent {
            accepted.headers.push(HeaderName::ReferSub, "false");
        }
        floor.layer.respond(now, asked.transaction, &accepted);
        if is_silent {
            return;
        }
        let is_repeated = std::mem::replace(&mut self.referral.is_repeated, true);
        let cseq = request.headers.cseq().ok().map(|cseq| cseq.number);
        self.referral.state = Stage::Telling(Telling {
            id: cseq.filter(|_| is_repeated),
            told: Status::TRYING,
            next: Some(Status::TRYING),
            notify: None,
            until: now + LIFETIME,
        });
        self.tell_next(now, floor);
    }

    /// Refuses a pending REFER; nothing when none is pending.
    pub fn refuse_refer(&mut self, now: Instant, floor: &mut Floor<'_>, status: Status) {
        if let Some(asked) = self.referral.take_asked() {
            self.reply(now, floor, asked.transaction, &asked.request, status);
        }
    }

    /// Tells how the call goes that an accepted REFER asked for; a final status is the last.
    pub fn notify_refer(&mut self, now: Instant, floor: &mut Floor<'_>, status: Status) {
        let Stage::Telling(telling) = &mut self.referral.state else {
            return;
        };
        let is_settled = telling.next.is_some_and(Status::is_final);
        let is_news = telling.next.unwrap_or(telling.told) != status;
        if !is_settled && is_news {
            telling.next = Some(status);
            self.tell_next(now, floor);
        }
    }

    /// Takes what became of a NOTIFY: a peer that does not want it gets no more (RFC 6665 §4.2.2).
    pub(super) fn handle_notify_event(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        event: &ClientEvent,
    ) {
        match event {
            ClientEvent::Response(response) if !response.status.is_final() => {}
            ClientEvent::Response(response) if response.status.is_success() => {
                if let Stage::Telling(telling) = &mut self.referral.state {
                    telling.notify = None;
                }
                self.tell_next(now, floor);
            }
            _ => self.referral.state = Stage::None,
        }
    }

    /// Answers for a user that is silent, and ends a subscription that is too old.
    pub(super) fn handle_refer_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        if self.referral.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        match std::mem::take(&mut self.referral.state) {
            Stage::None => {}
            Stage::Asked(asked) => {
                let status = Status::SERVER_INTERNAL_ERROR;
                self.reply(now, floor, asked.transaction, &asked.request, status);
            }
            Stage::Telling(telling) => {
                let told = telling.next.unwrap_or(telling.told);
                let state = "terminated;reason=timeout";
                let notify = self.notify(floor, telling.id, told, state.to_owned());
                self.send(now, floor, notify);
            }
        }
    }

    /// Sends the NOTIFY that is to be sent, unless one is out.
    fn tell_next(&mut self, now: Instant, floor: &mut Floor<'_>) {
        let Stage::Telling(telling) = &mut self.referral.state else {
            return;
        };
        if telling.notify.is_some() {
            return;
        }
        let Some(status) = telling.next.take() else {
            return;
        };
        telling.told = status;
        let id = telling.id;
        let left = telling.until.saturating_duration_since(now).as_secs();
        let state = if status.is_final() {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={left}")
        };
        let notify = self.notify(floor, id, status, state);
        let transaction = self.send(now, floor, notify);
        match &mut self.referral.state {
            Stage::Telling(telling) if !status.is_final() => telling.notify = Some(transaction),
            _ => self.referral.state = Stage::None,
        }
    }

    fn notify(
        &mut self,
        floor: &Floor<'_>,
        id: Option<u32>,
        status: Status,
        state: String,
    ) -> Request {
        let mut notify = self.dialog.request(Method::Notify);
        let event = id.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}"));
        let contact = floor
            .identity
            .contact(self.dialog.next_hop(), self.user.as_deref());
        let headers = &mut notify.headers;
        headers.push(HeaderName::Contact, contact);
        headers.push(HeaderName::Event, event);
        headers.push(HeaderName::SubscriptionState, state);
        headers.push(HeaderName::ContentType, "message/sipfrag;version=2.0");
        let phrase = status.reason_phrase();
        notify.body = format!("SIP/2.0 {status} {phrase}\r\n").into();
        notify
    }
}

impl Target {
    /// Reads Refer-To. Of the headers in its URI only Replaces is taken: the others would let the peer
    /// write headers in our name.
    fn read(headers: &Headers) -> Result<Self, TargetError> {
        let value = headers.get(&HeaderName::ReferTo);
        let mut address = NameAddr::parse(value.ok_or(ParseError::Missing("Refer-To"))?)?;
        let mut replaces = None;
        match &mut address.uri {
            Uri::Sip(uri) => {
                let method = uri.params.value("method");
                if method.is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
                    return Err(TargetError::OtherMethod);
                }
                uri.params.remove("method");
                let wanted = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Replaces");
                if let Some((_, value)) = uri.headers.iter().find(wanted) {
                    replaces = Some(Replaces::parse(value.as_bytes())?);
                }
                uri.headers.clear();
            }
            Uri::Tel(_) => {}
            Uri::Other { .. } => return Err(TargetError::UnsupportedScheme),
        }
        Ok(Self { address, replaces })
    }
}

impl TargetError {
    const fn status(self) -> Status {
        match self {
            Self::Malformed(_) => Status::BAD_REQUEST,
            Self::UnsupportedScheme => Status::UNSUPPORTED_URI_SCHEME,
            Self::OtherMethod => Status::DECLINE,
        }
    }
}

/// Claims that the peer does not want to be told (RFC 4488 §4).
fn wants_no_subscription(headers: &Headers) -> bool {
    let value = headers.get(&HeaderName::ReferSub);
    let value = value.map(|value| value.split(|byte| *byte == b';').next().unwrap_or_default());
    value.is_some_and(|word| word.trim_ascii().eq_ignore_ascii_case(b"false"))
}

/// How long a peer is told at most: longer than a telephone rings, with a few ways tried one after another.
const LIFETIME: Duration = Duration::from_secs(180);
