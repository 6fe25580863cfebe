//! One call of a telephone, or one question outside of calls: its dialog, what was asked and answered in
//! it, and its sound.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::called::{Called, Say, Session};
use super::{PhoneState, T1, T2};
use crate::sim::voice::Voice;
use crate::sip::message::{Method, Request};

/// Names a call of one telephone, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub(super) u64);

/// One call of a telephone.
#[derive(Debug)]
pub struct Line {
    /// Its name.
    pub id: LineId,
    /// Where it stands.
    pub state: PhoneState,
    /// Mouth and ear.
    pub voice: Voice,
    /// Where it speaks RTP.
    pub rtp: SocketAddr,
    /// Header of the dialog.
    pub call_id: String,
    /// The tag of this side.
    pub local_tag: String,
    /// The tag of the other; empty until it is known.
    pub remote_tag: String,
    /// What this side wants of the sound: `sendrecv`, `sendonly`, `recvonly` or `inactive`.
    pub direction: &'static str,
    /// Which of the ports of the telephone it has; `None` without sound.
    pub(super) slot: Option<u16>,
    /// `<uri>` of either side, without its tag.
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) target: String,
    /// Where its requests go.
    pub(super) to: SocketAddr,
    pub(super) cseq: u32,
    /// CSeq of the last INVITE of this side.
    pub(super) invite: u32,
    /// Version of the description.
    pub(super) version: u32,
    pub(super) asked: Vec<Asked>,
    pub(super) served: Vec<Served>,
    /// ACKs to 2xx: each is the same whenever it is sent.
    pub(super) acks: Vec<(u32, Bytes)>,
    /// The last reliable provisional response that was acknowledged.
    pub(super) rseq: u32,
    /// The call that came.
    pub(super) arrival: Option<Arrival>,
    /// The 2xx of a re-INVITE that waits for its ACK.
    pub(super) unacked: Option<(u32, Resend)>,
    /// When a re-INVITE that met another is tried again (RFC 3261 §14.1).
    pub(super) retry_at: Option<Instant>,
    pub(super) session: Option<Running>,
}

/// A request of this side.
#[derive(Debug)]
pub(super) struct Asked {
    pub draft: Draft,
    pub resend: Resend,
    /// It has its final response; an INVITE stays for a while to acknowledge it again.
    pub is_done: bool,
    /// How often it has been proven.
    pub proofs: u32,
}

/// What a request is made of.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub method: Method,
    pub uri: String,
    /// The whole value, with tag if it has one.
    pub to: String,
    pub cseq: u32,
    pub branch: String,
    pub headers: String,
    pub body: String,
}

/// A request of the other side that was answered.
#[derive(Debug)]
pub(super) struct Served {
    pub branch: String,
    pub method: Method,
    pub response: Bytes,
    pub until: Instant,
}

/// The INVITE of a call that came.
#[derive(Debug)]
pub(super) struct Arrival {
    pub request: Arc<Request>,
    pub from: SocketAddr,
    pub branch: String,
    pub cseq: u32,
    pub called: Called,
    /// What is still to be said, and when at the earliest.
    pub to_say: VecDeque<(Duration, Say)>,
    pub say_at: Option<Instant>,
    /// Copies that may still be overheard.
    pub ignores: u32,
    pub last: Option<Bytes>,
    /// The description: the same in each of its responses.
    pub body: Option<String>,
    /// The number of the reliable provisional response and itself, until its PRACK.
    pub reliable: (u32, Option<Resend>),
    /// The final response, until its ACK.
    pub answer: Option<Resend>,
    pub is_final: bool,
    /// When nothing more is said to this INVITE.
    pub until: Option<Instant>,
}

/// A session timer that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub session: Session,
    /// When this side refreshes, or hangs up because nobody did.
    pub at: Instant,
}

/// A message that is sent again until something comes.
#[derive(Clone, Debug)]
pub(super) struct Resend {
    pub bytes: Bytes,
    at: Option<Instant>,
    gap: Duration,
    longest: Duration,
    pub give_up_at: Instant,
}

impl Resend {
    /// After T1, then each time after twice as long, up to `longest`; never over a stream.
    pub(super) fn new(now: Instant, bytes: Bytes, is_needed: bool, longest: Duration) -> Self {
        Self {
            bytes,
            at: is_needed.then_some(now + T1),
            gap: T1,
            longest,
            give_up_at: now + 64 * T1,
        }
    }

    /// What is due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Bytes> {
        self.at.filter(|at| *at <= now)?;
        self.gap = (2 * self.gap).min(self.longest);
        self.at = Some(now + self.gap);
        Some(self.bytes.clone())
    }

    /// Is sent no more, and forgotten then.
    pub(super) const fn rest(&mut self, until: Instant) {
        self.at = None;
        self.give_up_at = until;
    }

    fn poll_timeout(&self) -> Instant {
        self.at
            .map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }
}

/// How long the longest gap of a request is: an INVITE knows none (RFC 3261 §17.1.1.2).
pub(super) fn longest_gap(method: &Method) -> Duration {
    match method {
        Method::Invite => 64 * T1,
        _ => T2,
    }
}

impl Line {
    /// A line on the hook: `local` and `remote` are `<uri>`.
    pub(super) fn new(id: LineId, names: [String; 4], to: SocketAddr, voice: Voice) -> Self {
        let [call_id, local_tag, local, remote] = names;
        Self {
            id,
            state: PhoneState::Idle,
            voice,
            rtp: to,
            call_id,
            local_tag,
            remote_tag: String::new(),
            direction: "sendrecv",
            slot: None,
            local,
            remote,
            target: String::new(),
            to,
            cseq: 0,
            invite: 0,
            version: 0,
            asked: Vec::new(),
            served: Vec::new(),
            acks: Vec::new(),
            rseq: 0,
            arrival: None,
            unacked: None,
            retry_at: None,
            session: None,
        }
    }

    /// The INVITE came from the other side.
    #[must_use]
    pub const fn is_called(&self) -> bool {
        self.arrival.is_some()
    }

    /// It is answered, or may be.
    #[must_use]
    pub const fn is_living(&self) -> bool {
        matches!(
            self.state,
            PhoneState::Calling { .. } | PhoneState::Called | PhoneState::Answered
        )
    }

    /// An INVITE of this side within the call waits for its answer.
    #[must_use]
    pub fn is_offering(&self) -> bool {
        self.asked
            .iter()
            .any(|asked| asked.draft.method == Method::Invite && !asked.is_done)
    }

    /// What it still waits for: an end, answers, acknowledgements.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        // Who has overheard every copy of an INVITE has not been called.
        let is_unheard = |arrival: &Arrival| arrival.ignores > 0;
        if self.is_living() && !self.arrival.as_ref().is_some_and(is_unheard) {
            found.push(format!("{:?}", self.state));
        }
        let asked = self.asked.iter().filter(|asked| !asked.is_done);
        found.extend(asked.map(|asked| format!("{} without answer", asked.draft.method)));
        let arrival = self.arrival.as_ref();
        let is_unacked = arrival.is_some_and(|arrival| arrival.answer.is_some());
        if is_unacked || self.unacked.is_some() {
            found.push("no ACK".to_owned());
        }
        if arrival.is_some_and(|arrival| arrival.reliable.1.is_some()) {
            found.push("no PRACK".to_owned());
        }
        found
    }

    /// Nothing will be asked or answered on it any more.
    pub(super) fn is_finished(&self) -> bool {
        let has_arrival = self
            .arrival
            .as_ref()
            .is_some_and(|arrival| arrival.until.is_some() || !arrival.is_final);
        !self.is_living()
            && self.asked.is_empty()
            && self.served.is_empty()
            && self.unacked.is_none()
            && !has_arrival
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let asked = self.asked.iter().map(|asked| asked.resend.poll_timeout());
        // Older ones are forgotten on the way.
        let served = self.served.last().map(|served| served.until);
        let unacked = self.unacked.iter().map(|(_, resend)| resend.poll_timeout());
        let arrival = self.arrival.iter().flat_map(Arrival::deadlines);
        let others = [
            self.voice.poll_timeout(),
            self.retry_at,
            self.session.map(|running| running.at),
        ];
        asked
            .chain(served)
            .chain(unacked)
            .chain(arrival)
            .chain(others.into_iter().flatten())
            .min()
    }

    /// The value of a From or To header of the other side.
    pub(super) fn remote_with_tag(&self) -> String {
        if self.remote_tag.is_empty() {
            return self.remote.clone();
        }
        format!("{};tag={}", self.remote, self.remote_tag)
    }
}

impl Arrival {
    /// What is said next waits for the PRACK of what was said before (RFC 3262 §3).
    fn deadlines(&self) -> impl Iterator<Item = Instant> {
        let reliable = self.reliable.1.as_ref();
        let say_at = self.say_at.filter(|_| reliable.is_none());
        let resends = [reliable, self.answer.as_ref()];
        let resends = resends.into_iter().flatten().map(Resend::poll_timeout);
        resends.chain([say_at, self.until].into_iter().flatten())
    }
}
