//! A telephone: it dials and is called, acknowledges, hangs up, speaks and listens as it is told.
//!
//! Its messages are written by hand, so that the switch is not tested by its own writing; it reads with
//! the switch's reader. It may have several calls at once, each a [`Line`]; what it is told to do it does
//! on the newest of them, unless another is taken up.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::dtmf::Digit;

mod answering;
mod asking;
pub mod called;
mod describing;
mod habits;
mod history;
mod line;
mod proving;
mod refreshing;
mod ringing;
mod script;
mod writing;

pub use called::{Called, Challenge, Say, Session};
pub use habits::{AckBody, Habits, Key, Offer, PhoneState, Step};
pub use history::Seen;
pub use line::{Line, LineId};

use self::history::History;
use self::proving::Nonce;
use super::voice::Voice;
use crate::ids::Rng;
use crate::sip::ConnectionId;
use crate::sip::message::{Message, Method};
use crate::time::DeadlineQueue;

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
    /// Speaks on streams, also while none is open.
    pub is_streaming: bool,
    /// Where it speaks RTP in its first call; each further one at the same time has another place.
    pub rtp: SocketAddr,
    /// Where its requests go: to the switch, or straight to another telephone.
    pub proxy: SocketAddr,
    /// What came, in order.
    pub seen: Vec<Seen>,
    /// Still to do.
    pub script: VecDeque<Step>,
    history: History,
    pause_until: Option<Instant>,
    rng: Rng,
    /// Where it speaks RTP in its further calls.
    more_rtp: IpAddr,
    /// The To tag of what it answers outside of calls.
    tag: String,
    nonce: Nonce,
    lines: BTreeMap<LineId, Box<Line>>,
    /// By Call-ID and own tag.
    dialogs: HashMap<(String, String), LineId>,
    /// Calls that came, by branch of the INVITE.
    arrivals: HashMap<String, Vec<LineId>>,
    ears: HashMap<SocketAddr, LineId>,
    current: Option<LineId>,
    issued: u64,
    slots: u16,
    free_slots: BTreeSet<u16>,
    alarms: DeadlineQueue<LineId>,
    out: VecDeque<(SocketAddr, Bytes)>,
    sounds: VecDeque<Sound>,
}

/// A packet of RTP that wants to leave.
#[derive(Debug)]
pub struct Sound {
    /// Where it comes from.
    pub from: SocketAddr,
    /// Where it goes to.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

impl Phone {
    /// A telephone on the hook.
    #[must_use]
    pub fn new(
        user: &str,
        sip: SocketAddr,
        rtp: SocketAddr,
        more_rtp: IpAddr,
        proxy: SocketAddr,
        mut rng: Rng,
    ) -> Self {
        Self {
            habits: Habits::default(),
            user: user.to_owned(),
            sip,
            stream: None,
            is_streaming: false,
            rtp,
            proxy,
            seen: Vec::new(),
            script: VecDeque::new(),
            history: History::default(),
            pause_until: None,
            more_rtp,
            tag: rng.token(8),
            nonce: Nonce::default(),
            rng,
            lines: BTreeMap::new(),
            dialogs: HashMap::new(),
            arrivals: HashMap::new(),
            ears: HashMap::new(),
            current: None,
            issued: 0,
            slots: 0,
            free_slots: BTreeSet::new(),
            alarms: DeadlineQueue::new(),
            out: VecDeque::new(),
            sounds: VecDeque::new(),
        }
    }

    // Its calls.

    /// The call it is at: the newest, or the one that was taken up.
    ///
    /// # Panics
    /// Where there was none yet.
    #[must_use]
    pub fn line(&self) -> &Line {
        let line = self.current.and_then(|id| self.lines.get(&id));
        line.expect("it has dialled or was called")
    }

    /// All of its calls, the oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.values().map(AsRef::as_ref)
    }

    /// What it is told from now on is for this call.
    pub fn take_up(&mut self, line: LineId) {
        assert!(self.lines.contains_key(&line), "no such call");
        self.current = Some(line);
    }

    /// Where it stands in the call it is at.
    #[must_use]
    pub fn state(&self) -> PhoneState {
        match self.current {
            Some(_) => self.line().state,
            None => PhoneState::Idle,
        }
    }

    /// Mouth and ear of the call it is at.
    #[must_use]
    pub fn voice(&self) -> &Voice {
        &self.line().voice
    }

    /// The tones that were heard in the call it is at, in order.
    #[must_use]
    pub fn tones(&self) -> Vec<u16> {
        self.voice().tones.iter().map(|(_, tone)| *tone).collect()
    }

    /// Calls that have not ended, and requests and answers that are waited for.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let left = self.lines().flat_map(|line| {
            let found = line.leftovers().into_iter();
            found.map(|what| format!("{} {:?}: {what}", self.user, line.id))
        });
        left.collect()
    }

    // What it does.

    /// Calls `name`, a user part or a whole URI.
    pub fn dial(&mut self, now: Instant, name: &str) {
        self.dial_with(now, name, "");
    }

    /// Calls, with more headers in the INVITE, each with its line end.
    pub fn dial_with(&mut self, now: Instant, name: &str, headers: &str) {
        let uri = match name.contains(':') {
            true => name.to_owned(),
            false => format!("sip:{name}@{}", self.proxy),
        };
        let names = [
            self.rng.token(20),
            self.rng.token(8),
            self.own_address(),
            format!("<{uri}>"),
        ];
        let mut line = self.new_line(now, names, self.proxy);
        line.target = uri;
        line.state = PhoneState::Calling { gave_up: false };
        self.give_port(&mut line);
        let id = self.put(line);
        self.current = Some(id);
        let headers = format!("{}{headers}", self.habits.headers);
        self.with(id, |phone, line| phone.invite(now, line, &headers));
    }

    /// BYE; before the answer CANCEL, or 486 where it was called.
    pub fn hang_up(&mut self, now: Instant) {
        if let Some(id) = self.current {
            self.hang_up_line(now, id);
        }
    }

    /// [`hang_up`](Self::hang_up) of one call.
    pub fn hang_up_line(&mut self, now: Instant, line: LineId) {
        self.with(line, |phone, line| phone.end(now, line));
    }

    /// Presses a key.
    pub fn press(&mut self, now: Instant, key: char, how: Key) {
        let digit = Digit::from_char(key).expect("a key of a telephone");
        match how {
            Key::Event => self.at_line(|line| line.voice.press_event(now, digit)),
            Key::Tone => self.at_line(|line| line.voice.press_tone(now, digit)),
            Key::Info => {
                let body = format!("Signal={key}\r\nDuration=160\r\n");
                let headers = "Content-Type: application/dtmf-relay\r\n";
                self.request(now, Method::Info, headers, &body);
            }
        }
    }

    /// Says a tone in the call it is at from now on, or nothing.
    pub fn say(&mut self, now: Instant, hertz: Option<u16>) {
        self.at_line(|line| line.voice.say(now, hertz));
    }

    /// Sends a re-INVITE: sends and receives as `direction` says, at `rtp`.
    pub fn reinvite(&mut self, now: Instant, direction: &'static str, rtp: SocketAddr) {
        let Some(id) = self.current else { return };
        self.ears.insert(rtp, id);
        self.with(id, |phone, line| {
            (line.direction, line.rtp) = (direction, rtp);
            phone.offer_again(now, line, "");
        });
    }

    /// Puts the other on hold (`sendonly`, `inactive`), or takes it back (`sendrecv`).
    pub fn hold(&mut self, now: Instant, direction: &'static str) {
        let rtp = self.line().rtp;
        self.reinvite(now, direction, rtp);
    }

    /// Asks the other of the call it is at to call `target` in its place (RFC 3515).
    pub fn refer(&mut self, now: Instant, target: &str) {
        let headers = format!(
            "Refer-To: <{target}>\r\nReferred-By: {}\r\n",
            self.own_address()
        );
        self.request(now, Method::Refer, &headers, "");
    }

    /// Asks the other of the call it is at to take the place of this telephone in `other`, one of its
    /// calls (RFC 3891).
    pub fn refer_into(&mut self, now: Instant, other: LineId) {
        let other = &self.lines[&other];
        let target = format!(
            "{}?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
            other.target, other.call_id, other.remote_tag, other.local_tag
        );
        self.refer(now, &target);
    }

    /// Asks outside of any call: OPTIONS, REGISTER.
    pub fn ask(&mut self, now: Instant, method: Method, headers: &str) {
        let uri = format!("sip:{}", self.proxy);
        let to = format!("<sip:{}@{}>", self.user, self.proxy);
        self.ask_at(now, method, (&uri, &to), headers, "");
    }

    /// Says for an hour that it is reached where it is.
    pub fn register(&mut self, now: Instant) {
        let contact = format!("Contact: {}\r\nExpires: 3600\r\n", self.contact());
        self.ask(now, Method::Register, &contact);
    }

    /// Sends a MESSAGE to `name`, a user part or a whole URI (RFC 3428).
    pub fn message(&mut self, now: Instant, name: &str, text: &str) {
        let uri = match name.contains(':') {
            true => name.to_owned(),
            false => format!("sip:{name}@{}", self.proxy),
        };
        let to = format!("<{uri}>");
        let headers = "Content-Type: text/plain\r\n";
        self.ask_at(now, Method::Message, (&uri, &to), headers, text);
    }

    /// Sends any request within the call it is at.
    pub fn request(&mut self, now: Instant, method: Method, headers: &str, body: &str) {
        if let Some(id) = self.current {
            self.with(id, |phone, line| {
                phone.ask_on(now, line, method, headers, body);
            });
        }
    }

    /// An INVITE as it would be sent next, for whoever wants to damage it.
    #[must_use]
    pub fn sample_invite(&mut self, now: Instant) -> String {
        let names = [
            self.rng.token(20),
            self.rng.token(8),
            self.own_address(),
            format!("<sip:menu@{}>", self.proxy),
        ];
        let mut line = self.new_line(now, names, self.proxy);
        line.target = format!("sip:menu@{}", self.proxy);
        line.rtp = self.rtp;
        let body = self.offer_of(&mut line);
        let draft = line.draft(Method::Invite, 1, "z9hG4bKsample".to_owned(), "", &body);
        self.write(&line, &draft)
    }

    // What happens to it.

    /// Takes a SIP message.
    pub fn handle_sip(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        if self.habits.is_deaf {
            return;
        }
        let message = Message::parse_datagram(bytes.clone())
            .unwrap_or_else(|error| panic!("{from} wrote {error}: {bytes:?}"));
        if self.habits.keeps_history {
            self.history.keep(&mut self.seen, now, &message, bytes);
        }
        match message {
            Message::Request(request) => self.handle_request(now, from, request),
            Message::Response(response) => self.handle_response(now, &response),
        }
    }

    /// Hears a packet of RTP that came to `to`.
    pub fn handle_sound(&mut self, now: Instant, to: SocketAddr, bytes: &[u8]) {
        let line = self.ears.get(&to).and_then(|id| self.lines.get_mut(id));
        if let Some(line) = line {
            line.voice.hear(now, bytes);
        }
    }

    /// Lets what is due happen.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.alarms.poll(now) {
            self.with(id, |phone, line| phone.handle_line_timeout(now, line));
        }
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let alarm = self.alarms.poll_timeout();
        [alarm, self.pause_until].into_iter().flatten().min()
    }

    /// Takes a message that wants to leave, and where to.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.out.pop_front()
    }

    /// Takes a packet of RTP that wants to leave.
    #[must_use]
    pub fn poll_sound(&mut self) -> Option<Sound> {
        self.sounds.pop_front()
    }

    // Inside.

    /// A line with these Call-ID, own tag, own and other address.
    fn new_line(&mut self, now: Instant, names: [String; 4], to: SocketAddr) -> Box<Line> {
        self.issued += 1;
        let mut voice = Voice::new(now, self.rng.next_u32());
        voice.event_type = (self.habits.offer != Offer::NoEvents).then_some(101);
        Box::new(Line::new(LineId(self.issued), names, to, voice))
    }

    /// A place for its sound.
    fn give_port(&mut self, line: &mut Line) {
        let slot = self.free_slots.pop_first().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        line.slot = Some(slot);
        line.rtp = match slot {
            0 => self.rtp,
            slot => SocketAddr::new(self.more_rtp, 10_000 + 2 * slot),
        };
        self.ears.insert(line.rtp, line.id);
    }

    fn put(&mut self, line: Box<Line>) -> LineId {
        let (id, names) = (line.id, (line.call_id.clone(), line.local_tag.clone()));
        self.dialogs.insert(names, id);
        self.lines.insert(id, line);
        id
    }

    fn at_line(&mut self, act: impl FnOnce(&mut Line)) {
        if let Some(id) = self.current {
            self.with(id, |_, line| act(line));
        }
    }

    /// Lets something happen on a line, and sees to what comes of it.
    fn with(&mut self, id: LineId, act: impl FnOnce(&mut Self, &mut Line)) {
        let Some(mut line) = self.lines.remove(&id) else {
            return;
        };
        act(self, &mut line);
        if !line.is_living() {
            line.voice.fall_silent();
            self.free_slots.extend(line.slot.take());
        }
        let is_errand = line.state == PhoneState::Idle;
        let is_kept = self.habits.keeps_history && !is_errand || self.current == Some(id);
        if line.is_finished() && !is_kept {
            self.alarms.set(id, None);
            self.dialogs.remove(&(line.call_id, line.local_tag));
            if self.ears.get(&line.rtp) == Some(&id) {
                self.ears.remove(&line.rtp);
            }
        } else {
            self.alarms.set(id, line.poll_timeout());
            self.lines.insert(id, line);
        }
    }
}
