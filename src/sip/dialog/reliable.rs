//! Provisional responses that are not lost (RFC 3262): those of ours until their PRACK, and the PRACKs to
//! those of the peer.
//!
//! ```text
//!     caller                                    we
//!       | --- INVITE (Supported, Require) ------> |
//!       | <-- 183 with description, RSeq: 7 ----- |  ring, again after T1, 2T1, 4T1, ...
//!       | --- PRACK, RAck: 7 1 INVITE ----------> |  a next one, or the 200, may go
//!       | <-- 200 to the PRACK ------------------ |
//!       | <-- 200 to the INVITE ----------------- |  answer
//! ```
//!
//! A caller that only knows the extension gets reliably what has a description, one that requires it
//! everything. One response is under way at a time; of those that wait behind it the newest is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::content;
use super::floor::Floor;
use super::identity::put_sdp;
use super::invite::{InviteUsage, State};
use crate::ids::Rng;
use crate::sip::message::{HeaderName, Headers, Method, RAck, Request, Response, Status};
use crate::sip::transaction::{PATIENCE, Resend, TransactionId, earliest};

/// The reliable provisional responses of ours to one INVITE.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    wanted: Wanted,
    /// Of the last response; chosen at random for the first.
    rseq: Option<u32>,
    under_way: Option<UnderWay>,
    next: Option<(Status, Option<Bytes>)>,
    /// Our answer, which waits for the PRACK.
    answer: Option<(Bytes, Instant)>,
}

/// What the caller says of the extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Never,
    WithDescription,
    Always,
}

/// A response that has no PRACK yet.
#[derive(Debug)]
struct UnderWay {
    invite: TransactionId,
    rack: RAck,
    status: Status,
    bytes: Bytes,
    has_description: bool,
    /// `None` when the INVITE has its final response: only the PRACK may still come.
    timers: Option<(Resend, Instant)>,
}

/// What is due.
enum Due {
    Answer(Bytes),
    GiveUp,
}

impl Reliable {
    /// As the caller of this INVITE wants it.
    pub(super) fn of(invite: &Request) -> Self {
        let says = |name| has_100rel(&invite.headers, &name);
        let wanted = if says(HeaderName::Require) {
            Wanted::Always
        } else if says(HeaderName::Supported) {
            Wanted::WithDescription
        } else {
            Wanted::Never
        };
        Self {
            wanted,
            ..Self::default()
        }
    }

    pub(super) fn is_wanted(&self, has_description: bool) -> bool {
        match self.wanted {
            Wanted::Never => false,
            Wanted::WithDescription => has_description,
            Wanted::Always => true,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let timers = self.under_way.as_ref().and_then(|sent| sent.timers);
        let resend =
            timers.and_then(|(resend, give_up_at)| earliest(resend.at(), Some(give_up_at)));
        earliest(resend, self.answer.as_ref().map(|(_, at)| *at))
    }

    /// Nothing more goes out: the final response does.
    pub(super) fn stop(&mut self) {
        self.next = None;
        self.answer = None;
        if let Some(sent) = &mut self.under_way {
            sent.timers = None;
        }
    }

    /// Takes a PRACK; false when it is for nothing that is under way.
    fn take(&mut self, rack: &RAck) -> bool {
        let is_it = |sent: &mut UnderWay| sent.rack == *rack;
        self.under_way.take_if(is_it).is_some()
    }

    fn number(&mut self, rng: &mut Rng) -> u32 {
        let number = self
            .rseq
            .map_or_else(|| 1 + rng.below(FIRST_BELOW), |last| last + 1);
        self.rseq = Some(number);
        number
    }
}

impl InviteUsage {
    /// Sends a provisional response, reliably where that is wanted; one that has to wait for the PRACK of
    /// another is sent later. Says whether it went reliably.
    pub(super) fn send_provisional(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        (invite, request): (TransactionId, &Request),
        status: Status,
        sdp: Option<Bytes>,
    ) -> bool {
        let is_reliable = self.reliable.is_wanted(sdp.is_some());
        if is_reliable && self.reliable.under_way.is_some() {
            let waiting = self.reliable.next.take().and_then(|(_, sdp)| sdp);
            let status = if waiting.is_some() {
                Status::SESSION_PROGRESS
            } else {
                status
            };
            self.reliable.next = Some((status, sdp.or(waiting)));
            return true;
        }
        let mut response = self.dialog_response(floor, request, status);
        let has_description = sdp.is_some();
        if let Some(sdp) = sdp {
            self.last_sdp = sdp.clone();
            put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        if !is_reliable {
            floor.layer.respond(now, invite, &response);
            return false;
        }
        let Ok(cseq) = request.headers.cseq() else {
            return false;
        };
        let number = self.reliable.number(floor.rng);
        response.headers.push(HeaderName::Require, EXTENSION);
        response.headers.push(HeaderName::RSeq, number.to_string());
        let bytes = response.to_bytes();
        floor
            .layer
            .respond_bytes(now, invite, status, bytes.clone());
        self.reliable.under_way = Some(UnderWay {
            invite,
            rack: RAck {
                response: number,
                cseq,
            },
            status,
            bytes,
            has_description,
            timers: Some((Resend::new(now, PATIENCE), now + PATIENCE)),
        });
        true
    }

    /// Keeps the answer back while a description of ours is under way (RFC 3262 §5), but not for long: a
    /// caller whose PRACK does not come may still take the 200.
    pub(super) fn hold_answer(&mut self, now: Instant, sdp: &Bytes) -> bool {
        let is_description_out = self
            .reliable
            .under_way
            .as_ref()
            .is_some_and(|sent| sent.has_description);
        if is_description_out && self.reliable.answer.is_none() {
            self.reliable.answer = Some((sdp.clone(), now + LONGEST_HOLD));
        }
        is_description_out
    }

    /// Claims that the answer is given, though it has not left yet.
    pub(super) const fn is_answer_held(&self) -> bool {
        self.reliable.answer.is_some()
    }

    /// Takes a PRACK (RFC 3262 §3). An offer in it is refused: what we have offered or answered stands.
    pub(super) fn handle_prack(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        request: &Arc<Request>,
    ) {
        let status = match request.headers.rack() {
            Ok(Some(rack)) if !self.reliable.take(&rack) => Status::CALL_DOES_NOT_EXIST,
            Ok(Some(_)) if content::sdp(request) == Ok(None) => Status::OK,
            Ok(Some(_)) => Status::NOT_ACCEPTABLE_HERE,
            Ok(None) | Err(_) => Status::BAD_REQUEST,
        };
        self.reply(now, floor, transaction, request, status);
        if self.reliable.under_way.is_some() || !matches!(self.state, State::Early(_)) {
            return;
        }
        if let Some((sdp, _)) = self.reliable.answer.take() {
            self.answer(now, floor, sdp);
        } else if let Some((status, sdp)) = self.reliable.next.take() {
            self.say(now, floor, status, sdp);
        }
    }

    /// Sends again what has no PRACK; after 64·T1 the caller counts as gone.
    pub(super) fn handle_reliable_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        match self.due(now, floor) {
            None => {}
            Some(Due::Answer(sdp)) => {
                self.reliable.under_way = self.reliable.under_way.take().map(|sent| UnderWay {
                    has_description: false,
                    ..sent
                });
                self.answer(now, floor, sdp);
            }
            Some(Due::GiveUp) => self.give_up(now, floor, Status::SERVER_TIMEOUT),
        }
    }

    /// Sends the PRACK of a provisional response (RFC 3262 §4). Whether it arrives is the peer's concern, not
    /// the call's.
    pub(super) fn confirm(&mut self, now: Instant, floor: &mut Floor<'_>, rack: &RAck) {
        let mut prack = self.dialog.request(Method::Prack);
        prack.headers.push(HeaderName::RAck, rack.to_string());
        self.send(now, floor, prack);
    }

    fn due(&mut self, now: Instant, floor: &mut Floor<'_>) -> Option<Due> {
        if let Some((sdp, _)) = self.reliable.answer.take_if(|(_, at)| *at <= now) {
            return Some(Due::Answer(sdp));
        }
        let sent = self.reliable.under_way.as_mut()?;
        let (resend, give_up_at) = sent.timers.as_mut()?;
        if *give_up_at <= now {
            return Some(Due::GiveUp);
        }
        if resend.is_due(now) {
            floor
                .layer
                .respond_bytes(now, sent.invite, sent.status, sent.bytes.clone());
        }
        None
    }
}

/// Which reliable provisional response of the peer has had its PRACK last.
#[derive(Debug, Default)]
pub(super) struct Confirmed(Option<RAck>);

impl Confirmed {
    /// Takes a provisional response to an INVITE of ours; false when it came before or before its turn, and
    /// is to be passed over. A PRACK of the dialog is wanted when there is a RAck.
    pub(super) fn take(&mut self, response: &Response) -> (bool, Option<RAck>) {
        let headers = &response.headers;
        if !response.status.is_provisional() || !has_100rel(headers, &HeaderName::Require) {
            return (true, None);
        }
        let (Ok(Some(number)), Ok(cseq)) = (headers.rseq(), headers.cseq()) else {
            return (true, None);
        };
        let is_next = self
            .0
            .as_ref()
            .is_none_or(|last| last.cseq != cseq || last.response.checked_add(1) == Some(number));
        if !is_next || cseq.method != Method::Invite {
            return (false, None);
        }
        let rack = RAck {
            response: number,
            cseq,
        };
        self.0 = Some(rack.clone());
        (true, Some(rack))
    }
}

fn has_100rel(headers: &Headers, name: &HeaderName) -> bool {
    let words = headers.tokens(name);
    words
        .iter()
        .any(|word| word.eq_ignore_ascii_case(EXTENSION))
}

const EXTENSION: &str = "100rel";

/// The first RSeq is below this (RFC 3262 §3), so that no call counts it up to 2^32.
const FIRST_BELOW: u32 = (1 << 31) - 2;

/// Time for a PRACK that was lost thrice.
const LONGEST_HOLD: Duration = Duration::from_secs(4);
