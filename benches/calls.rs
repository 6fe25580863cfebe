//! What one call costs the whole switch, without sockets and sound, beside a floor measured in the same run.
//!
//! `cargo bench --bench calls`; the floor is what any switch has to do: copy the messages of the call and find
//! their line ends. Time is virtual: a call begins each millisecond, so the tables are as full as those of a
//! switch that takes a thousand calls a second. Quote the ratios and the allocations: they hold when the speed
//! of the machine does not.

#![expect(unsafe_code, reason = "to count allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use flowswitch::flow::dialect::{Support, parse_flow};
use flowswitch::ids::Rng;
use flowswitch::sip::message::Message;
use flowswitch::sip::{Endpoint, EndpointConfig, Hop, Limits, Transmit, Transport};
use flowswitch::store::access::{Accept, Access};
use flowswitch::store::codecs::CodecTable;
use flowswitch::store::directory::Directory;
use flowswitch::store::flows::FlowTable;
use flowswitch::switch::{
    Assistant, Configuration, Input, Output, Providers, Switch, SwitchConfig,
};
use flowswitch::time::Epoch;
use flowswitch_media::command::{Command, Event};
use flowswitch_media::prompt::Prompt;

/// An INVITE as a trunk sends it; `{user}`, `{call}`, `{host}` and `{length}` are filled in.
const INVITE: &str = "INVITE sip:{user}@10.0.0.1 SIP/2.0\r\n\
Via: SIP/2.0/UDP {host}:5060;rport;branch=z9hG4bK-INVITE-{call}\r\n\
Max-Forwards: 69\r\n\
From: \"Trunk\" <sip:+15551112222@{host}>;tag=from-{call}\r\n\
To: <sip:{user}@10.0.0.1>\r\n\
Call-ID: {call}@{host}\r\n\
CSeq: 1 INVITE\r\n\
Contact: <sip:+15551112222@{host}:5060>\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n\
Supported: timer, replaces\r\n\
User-Agent: bench\r\n\
Content-Type: application/sdp\r\n\
Content-Length: {length}\r\n\r\n";

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

const ANSWER: &str = r#"{"name": "answer", "actions": [
    {"type": "answer"}, {"type": "sleep", "option": {"duration": 100000}}]}"#;
const CONNECT: &str = r#"{"name": "connect", "actions": [{"type": "connect", "option": {
    "source": {"type": "tel", "target": "+15551112222"},
    "destinations": [{"type": "sip", "target": "sip:bob@10.0.0.20"}]}}]}"#;

const CALLER: &str = "10.0.0.9";
const CALLED: &str = "10.0.0.20";

/// Calls before the tables are full, and calls of a batch; the quickest batch counts.
const WARM_UP: u32 = 33_000;
const BATCH: u32 = 2_000;
const BATCHES: u32 = 20;

fn main() {
    println!(
        "{:<34} {:>10} {:>9} {:>12} {:>12}",
        "", "ns", "to floor", "allocations", "octets"
    );
    let invite = written(INVITE, "answer", "00000000", CALLER) + SDP;
    let floor = floor(&invite);
    println!(
        "{:<34} {floor:>10.0} {:>9.1}",
        "floor: copy, find line ends", 1.0
    );
    for (what, user, messages) in [
        ("answer and hang up", "answer", 5_u32),
        ("connect, both answer, hang up", "connect", 12),
    ] {
        let spent = measure(user);
        let floor = floor * f64::from(messages);
        println!(
            "{what:<34} {:>10.0} {:>9.1} {:>12.1} {:>12.0}",
            spent.nanos,
            spent.nanos / floor,
            spent.allocations,
            spent.octets
        );
    }
}

/// Nanoseconds of one message.
fn floor(text: &str) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..BATCHES {
        let began = clock();
        for _ in 0..BATCH {
            let copy = Bytes::copy_from_slice(black_box(text.as_bytes()));
            black_box(memchr::memchr_iter(b'\n', &copy).count());
        }
        best = best.min(began.elapsed().as_nanos() as f64 / f64::from(BATCH));
    }
    best
}

/// What one call cost.
struct Spent {
    nanos: f64,
    allocations: f64,
    octets: f64,
}

fn measure(user: &str) -> Spent {
    let mut room = Room::new();
    for _ in 0..WARM_UP {
        room.call(user);
    }
    let mut best = f64::MAX;
    let (before, octets_before) = allocated();
    for _ in 0..BATCHES {
        room.spent = Duration::ZERO;
        for _ in 0..BATCH {
            room.call(user);
        }
        best = best.min(room.spent.as_nanos() as f64 / f64::from(BATCH));
    }
    let (after, octets_after) = allocated();
    let calls = f64::from(BATCH * BATCHES);
    Spent {
        nanos: best,
        allocations: (after - before) as f64 / calls,
        octets: (octets_after - octets_before) as f64 / calls,
    }
}

/// The switch and whoever is around it.
struct Room {
    switch: Switch,
    now: Instant,
    /// Spent in the switch.
    spent: Duration,
    answers: VecDeque<Input>,
    sent: VecDeque<Transmit>,
    issued: u32,
}

impl Room {
    fn new() -> Self {
        let mut rng = Rng::from_number(1);
        let limits = Limits {
            transactions: 1_000_000,
            dialogs: 100_000,
        };
        let endpoint = EndpointConfig {
            limits,
            ..EndpointConfig::default()
        };
        let config = SwitchConfig {
            recordings: PathBuf::new(),
            beep: Arc::new(Prompt::beep()),
            realm: "bench".to_owned(),
            configuration: Configuration {
                access: Access::new(Accept::Known, Vec::new(), Vec::new()),
                directory: Directory::default(),
                codecs: CodecTable::default(),
                digest: Vec::new(),
                flow_limits: flowswitch::flow::Limits::default(),
                calls: 100_000,
                providers: Providers::default(),
                assistant: Assistant::default(),
                trunks_probed_every: None,
            },
        };
        let now = clock();
        let flows = [("answer", ANSWER), ("connect", CONNECT)].map(|(name, text)| {
            let flow = parse_flow(text.as_bytes(), name, &mut rng, Support::Live);
            (
                name.to_owned(),
                Arc::new(flow.expect("the flows above are sound")),
            )
        });
        let mut switch = Switch::new(
            now,
            config,
            Endpoint::new(endpoint, rng.fork()),
            Epoch::new(
                now,
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            ),
            rng,
        );
        let (table, _) = FlowTable::new(flows.into(), &[]);
        switch.handle_input(now, Input::Flows(table));
        Self {
            switch,
            now,
            spent: Duration::ZERO,
            answers: VecDeque::new(),
            sent: VecDeque::new(),
            issued: 0,
        }
    }

    /// One call from its INVITE to the 200 of the last BYE.
    fn call(&mut self, user: &str) {
        self.issued += 1;
        self.now += Duration::from_millis(1);
        self.act(|switch, now| switch.handle_timeout(now));
        let id = format!("{:08}", self.issued);
        let invite = written(INVITE, user, &id, CALLER);
        self.hear(CALLER, invite.clone() + SDP);
        if user == "connect" {
            let out = self.next("INVITE");
            self.hear(CALLED, answer(&out, "180 Ringing", ""));
            self.next("SIP/2.0 180");
            self.hear(CALLED, answer(&out, "200 OK", SDP));
            self.next("ACK");
        }
        let ok = self.next("SIP/2.0 200");
        self.hear(CALLER, within(&invite, &ok, "ACK", 1));
        self.hear(CALLER, within(&invite, &ok, "BYE", 2));
        self.next("SIP/2.0 200");
        if user == "connect" {
            let bye = self.next("BYE");
            self.hear(CALLED, answer(&bye, "200 OK", ""));
        }
        assert!(self.sent.is_empty(), "{:?}", self.sent);
        assert_eq!(self.switch.calls(), 0);
    }

    fn hear(&mut self, from: &str, text: String) {
        let ip = from.parse().expect("an address");
        let hop = hop(SocketAddr::new(ip, 5060));
        self.act(|switch, now| {
            let message = Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()));
            switch.handle_input(now, Input::Sip { hop, message });
        });
    }

    /// Takes the next message that was sent, which begins so.
    fn next(&mut self, begin: &str) -> String {
        let transmit = self.sent.pop_front().expect("a message was sent");
        let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
        assert!(text.starts_with(begin), "{begin} is awaited: {text}");
        text
    }

    /// Lets the switch act, and does what it wants.
    fn act(&mut self, first: impl FnOnce(&mut Switch, Instant)) {
        let began = clock();
        IS_COUNTING.store(1, Ordering::Relaxed);
        first(&mut self.switch, self.now);
        loop {
            match self.switch.poll_output(self.now) {
                Output::Transmit(transmit) => self.sent.push_back(transmit),
                Output::Media(Command::Open { session, .. }) => {
                    let opened = Event::Opened {
                        session,
                        port: 4000,
                    };
                    self.answers.push_back(Input::Media(opened));
                }
                Output::Media(Command::Close { session }) => {
                    let closed = Event::Closed {
                        session,
                        stats: Box::default(),
                    };
                    self.answers.push_back(Input::Media(closed));
                }
                Output::Resolve { resolve, .. } => {
                    let ip = CALLED.parse().expect("an address");
                    let hops = vec![hop(SocketAddr::new(ip, 5060))];
                    self.answers.push_back(Input::Resolved { resolve, hops });
                }
                Output::Timeout(_) => match self.answers.pop_front() {
                    Some(answer) => self.switch.handle_input(self.now, answer),
                    None => break,
                },
                other => drop(black_box(other)),
            }
        }
        IS_COUNTING.store(0, Ordering::Relaxed);
        self.spent += began.elapsed();
    }
}

fn hop(remote: SocketAddr) -> Hop {
    Hop {
        transport: Transport::Udp,
        local: "10.0.0.1:5060".parse().expect("an address"),
        remote,
        connection: None,
    }
}

fn written(text: &str, user: &str, call: &str, host: &str) -> String {
    text.replace("{user}", user)
        .replace("{call}", call)
        .replace("{host}", host)
        .replace("{length}", &SDP.len().to_string())
}

/// A later request of a dialog, without a body.
fn within(invite: &str, ok: &str, method: &str, cseq: u32) -> String {
    let to = header(ok, "To");
    let head = invite.split("\r\nContact").next().unwrap_or_default();
    let lines: Vec<&str> = head.split("\r\n").collect();
    let lines: Vec<&str> = lines
        .into_iter()
        .map(|line| if line.starts_with("To:") { to } else { line })
        .collect();
    lines.join("\r\n").replace("INVITE", method).replace(
        &format!("CSeq: 1 {method}"),
        &format!("CSeq: {cseq} {method}"),
    ) + "\r\nContent-Length: 0\r\n\r\n"
}

/// A response to a request of the switch.
fn answer(request: &str, status: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        text += header(request, name);
        text += "\r\n";
    }
    let to = header(request, "To");
    text += to;
    if !to.contains(";tag=") {
        text += ";tag=callee";
    }
    text += "\r\nContact: <sip:bob@10.0.0.20:5060>\r\n";
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let is_it = |line: &&str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    text.split("\r\n").find(is_it).expect("the header is there")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

/// Counts what is allocated while the switch acts.
struct Counting;

static IS_COUNTING: AtomicU64 = AtomicU64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static OCTETS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated() -> (u64, u64) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (read(&ALLOCATIONS), read(&OCTETS))
}

impl Counting {
    fn count(&self, size: usize) {
        let one = IS_COUNTING.load(Ordering::Relaxed);
        ALLOCATIONS.fetch_add(one, Ordering::Relaxed);
        OCTETS.fetch_add(one * size as u64, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size());
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(size);
        // SAFETY: as our caller promised.
        unsafe { System.realloc(place, layout, size) }
    }
}
