//! A telephone: it dials, acknowledges, hangs up, speaks and listens as it is told.
//!
//! Its messages are written by hand, so that the switch is not tested by its own writing; it reads with
//! the switch's reader.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::dtmf::Digit;

mod answering;
mod habits;
mod writing;

pub use habits::{AckBody, Habits, Key, Offer, PhoneState, Step};

use super::voice::Voice;
use crate::ids::Rng;
use crate::sip::ConnectionId;
use crate::sip::message::{Message, Method};

/// A message that came, once however often it was sent.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When first.
    pub at: Instant,
    /// `200 INVITE` or `BYE`.
    pub word: String,
    /// The message.
    pub message: Message,
    /// How often it came.
    pub times: u32,
    bytes: Bytes,
}

/// One telephone.
#[derive(Debug)]
pub struct Phone {
    /// How it behaves; may be changed at any time.
    pub habits: Habits,
    /// Its user part.
    pub user: String,
    /// Where it speaks SIP.
    pub sip: SocketAddr,
    /// The stream it speaks SIP on, in place of datagrams.
    pub stream: Option<ConnectionId>,
    /// Where it speaks RTP.
    pub rtp: SocketAddr,
    /// Where it stands.
    pub state: PhoneState,
    /// Mouth and ear.
    pub voice: Voice,
    /// What came, in order.
    pub seen: Vec<Seen>,
    /// Still to do.
    pub script: VecDeque<Step>,
    pause_until: Option<Instant>,
    rng: Rng,
    switch: SocketAddr,
    dialled: String,
    target: String,
    call_id: String,
    from_tag: String,
    to_tag: String,
    cseq: u32,
    invite: u32,
    branches: HashMap<u32, String>,
    acks: HashMap<u32, Bytes>,
    pending: Vec<Pending>,
    version: u32,
    nonce_count: u32,
    /// Headers of the last request outside of calls.
    asked: String,
    direction: &'static str,
    out: VecDeque<Bytes>,
}

/// A request without a final response.
#[derive(Debug)]
struct Pending {
    cseq: u32,
    method: Method,
    bytes: Bytes,
    resend_at: Option<Instant>,
    gap: Duration,
    give_up_at: Instant,
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

impl Phone {
    /// A telephone on the hook.
    #[must_use]
    pub fn new(
        now: Instant,
        user: &str,
        sip: SocketAddr,
        rtp: SocketAddr,
        switch: SocketAddr,
        mut rng: Rng,
    ) -> Self {
        Self {
            habits: Habits::default(),
            user: user.to_owned(),
            sip,
            stream: None,
            rtp,
            state: PhoneState::Idle,
            voice: Voice::new(now, rng.next_u32()),
            seen: Vec::new(),
            script: VecDeque::new(),
            pause_until: None,
            rng,
            switch,
            dialled: String::new(),
            target: String::new(),
            call_id: String::new(),
            from_tag: String::new(),
            to_tag: String::new(),
            cseq: 0,
            invite: 0,
            branches: HashMap::new(),
            acks: HashMap::new(),
            pending: Vec::new(),
            version: 0,
            nonce_count: 0,
            asked: String::new(),
            direction: "sendrecv",
            out: VecDeque::new(),
        }
    }

    // What it does.

    /// Calls `name`, a user part or a whole URI.
    pub fn dial(&mut self, now: Instant, name: &str) {
        self.dialled = if name.contains(':') {
            name.to_owned()
        } else {
            format!("sip:{name}@{}", self.switch)
        };
        self.target.clone_from(&self.dialled);
        self.call_id = self.rng.token(20);
        self.from_tag = self.rng.token(8);
        self.to_tag.clear();
        self.voice = Voice::new(now, self.rng.next_u32());
        self.voice.event_type = (self.habits.offer != Offer::NoEvents).then_some(101);
        self.nonce_count = 0;
        self.branches.clear();
        self.acks.clear();
        self.pending.clear();
        self.direction = "sendrecv";
        self.state = PhoneState::Calling { gave_up: false };
        self.send_invite(now, "");
    }

    /// BYE, or CANCEL before the answer.
    pub fn hang_up(&mut self, now: Instant) {
        match self.state {
            PhoneState::Calling { .. } => {
                self.state = PhoneState::Calling { gave_up: true };
                let branch = self.branches[&self.invite].clone();
                let cancel = self.write("CANCEL", self.invite, &branch, "", "");
                self.begin(now, Method::Cancel, self.invite, cancel);
            }
            PhoneState::Answered => {
                self.state = PhoneState::Over { by_switch: false };
                self.voice.fall_silent();
                self.request(now, Method::Bye, "", "");
            }
            PhoneState::Idle | PhoneState::Over { .. } => {}
        }
    }

    /// Presses a key.
    pub fn press(&mut self, now: Instant, key: char, how: Key) {
        let digit = Digit::from_char(key).expect("a key of a telephone");
        match how {
            Key::Event => self.voice.press_event(now, digit),
            Key::Tone => self.voice.press_tone(now, digit),
            Key::Info => {
                let body = format!("Signal={key}\r\nDuration=160\r\n");
                let headers = "Content-Type: application/dtmf-relay\r\n";
                self.request(now, Method::Info, headers, &body);
            }
        }
    }

    /// Sends a re-INVITE: sends and receives as `direction` says, at `rtp`.
    pub fn reinvite(&mut self, now: Instant, direction: &'static str, rtp: SocketAddr) {
        (self.direction, self.rtp) = (direction, rtp);
        self.cseq += 1;
        self.invite = self.cseq;
        let body = match self.habits.offer {
            Offer::None => String::new(),
            _ => self.description(),
        };
        let branch = self.new_branch(self.invite);
        let text = self.write("INVITE", self.invite, &branch, "", &body);
        self.begin(now, Method::Invite, self.invite, text);
    }

    /// Sends OPTIONS or REGISTER outside of any call.
    pub fn ask(&mut self, now: Instant, method: Method, headers: &str) {
        self.call_id = self.rng.token(20);
        self.from_tag = self.rng.token(8);
        self.to_tag.clear();
        self.nonce_count = 0;
        self.target = format!("sip:{}", self.switch);
        self.dialled = format!("sip:{}@{}", self.user, self.switch);
        headers.clone_into(&mut self.asked);
        self.request(now, method, headers, "");
    }

    /// Sends any request within the call.
    pub fn request(&mut self, now: Instant, method: Method, headers: &str, body: &str) {
        self.cseq += 1;
        let branch = self.new_branch(self.cseq);
        let text = self.write(method.as_str(), self.cseq, &branch, headers, body);
        self.begin(now, method, self.cseq, text);
    }

    /// The words of what came, in order: `["100 INVITE", "180 INVITE", "200 INVITE", "BYE"]`.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.word.as_str()).collect()
    }

    /// The last message that came with this word.
    #[must_use]
    pub fn last(&self, word: &str) -> Option<&Seen> {
        self.seen.iter().rev().find(|seen| seen.word == word)
    }

    /// The tones that were heard, in order.
    #[must_use]
    pub fn tones(&self) -> Vec<u16> {
        self.voice.tones.iter().map(|(_, tone)| *tone).collect()
    }

    /// An INVITE as it would be sent next, for whoever wants to damage it.
    #[must_use]
    pub fn sample_invite(&mut self) -> String {
        let body = self.description();
        self.write("INVITE", 1, "z9hG4bKsample", "", &body)
    }

    // What happens to it.

    /// Takes a SIP message.
    pub fn handle_sip(&mut self, now: Instant, bytes: Bytes) {
        if self.habits.is_deaf {
            return;
        }
        let message = Message::parse_datagram(bytes.clone())
            .unwrap_or_else(|error| panic!("the switch wrote {error}: {bytes:?}"));
        let word = match &message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => {
                let cseq = response.headers.cseq().expect("every response has one");
                format!("{} {}", response.status.code(), cseq.method)
            }
        };
        if let Some(known) = self.seen.iter_mut().find(|seen| seen.bytes == bytes) {
            known.times += 1;
        } else {
            self.seen.push(Seen {
                at: now,
                word,
                message: message.clone(),
                times: 1,
                bytes,
            });
        }
        match message {
            Message::Request(request) => self.handle_request(&request),
            Message::Response(response) => self.handle_response(now, &response),
        }
    }

    /// Lets what is due happen.
    pub fn handle_timeout(&mut self, now: Instant) {
        for pending in &mut self.pending {
            if pending.resend_at.is_some_and(|at| at <= now) {
                self.out.push_back(pending.bytes.clone());
                pending.gap *= 2;
                if pending.method != Method::Invite {
                    pending.gap = pending.gap.min(T2);
                }
                pending.resend_at = Some(now + pending.gap);
            }
        }
        let mut is_hopeless = false;
        self.pending.retain(|pending| {
            let is_over = pending.give_up_at <= now;
            is_hopeless |= is_over && pending.method == Method::Invite;
            !is_over
        });
        if is_hopeless && matches!(self.state, PhoneState::Calling { .. }) {
            self.state = PhoneState::Over { by_switch: true };
        }
    }

    /// Does what the script says, as far as it goes now.
    pub fn follow_script(&mut self, now: Instant) {
        while let Some(step) = self.script.front().cloned() {
            let is_over = matches!(self.state, PhoneState::Over { .. });
            match step {
                Step::UntilAnswered if self.state == PhoneState::Answered || is_over => {}
                Step::UntilHears(tone) if self.voice.hears(now) == Some(tone) || is_over => {}
                Step::UntilOver if is_over => {}
                Step::UntilAnswered | Step::UntilHears(_) | Step::UntilOver => return,
                Step::Pause(time) => {
                    let until = *self.pause_until.get_or_insert(now + time);
                    if now < until {
                        return;
                    }
                    self.pause_until = None;
                }
                Step::Dial(name) => self.dial(now, name),
                Step::Press(key, how) if !is_over => self.press(now, key, how),
                Step::Press(..) => {}
                Step::HangUp => self.hang_up(now),
            }
            self.script.pop_front();
        }
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pending = self
            .pending
            .iter()
            .flat_map(|pending| [pending.resend_at, Some(pending.give_up_at)]);
        let others = [self.voice.poll_timeout(), self.pause_until];
        pending.chain(others).flatten().min()
    }

    /// Takes a message that wants to leave.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    // Inside.

    fn send_invite(&mut self, now: Instant, credentials: &str) {
        self.cseq += 1;
        self.invite = self.cseq;
        let headers = format!("{}{credentials}", self.habits.headers);
        let body = match self.habits.offer {
            Offer::None => String::new(),
            _ => self.description(),
        };
        let branch = self.new_branch(self.invite);
        let text = self.write("INVITE", self.invite, &branch, &headers, &body);
        self.begin(now, Method::Invite, self.invite, text);
    }

    fn begin(&mut self, now: Instant, method: Method, cseq: u32, text: String) {
        let bytes = Bytes::from(text);
        self.out.push_back(bytes.clone());
        self.pending.push(Pending {
            cseq,
            method,
            bytes,
            resend_at: self.stream.is_none().then_some(now + T1),
            gap: T1,
            give_up_at: now + 64 * T1,
        });
    }
}
