//! What one message and one call cost the SIP core, beside a floor measured in the same run.
//!
//! `cargo bench --bench sip`; the floor is what any reader has to do: copy the datagram and find its line
//! ends. Quote the ratios: they hold when the speed of the machine does not.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch::ids::Rng;
use flowswitch::sip::message::Message;
use flowswitch::sip::{Endpoint, EndpointConfig, Event, Hop, Transport};

/// An INVITE as a trunk sends it: thirteen headers and a description.
const INVITE: &str = "INVITE sip:+15550100@198.51.100.7 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK-00000000\r\n\
Max-Forwards: 69\r\n\
From: \"Trunk\" <sip:+15551112222@192.0.2.10>;tag=from-00000000\r\n\
To: <sip:+15550100@198.51.100.7>\r\n\
Call-ID: 00000000@192.0.2.10\r\n\
CSeq: 1 INVITE\r\n\
Contact: <sip:+15551112222@192.0.2.10:5060>\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n\
Supported: timer, replaces\r\n\
User-Agent: bench\r\n\
P-Asserted-Identity: <sip:+15551112222@192.0.2.10>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 139\r\n\r\n\
v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// Batches of which the quickest counts: what disturbs a batch only makes it slower.
const BATCHES: u32 = 20;
const BATCH: Duration = Duration::from_millis(50);

fn main() {
    let invite = Bytes::from_static(INVITE.as_bytes());
    let parsed = Message::parse_datagram(invite.clone()).expect("the INVITE above is well-formed");
    println!("{:<34} {:>10} {:>8}", "", "ns", "to floor");
    let floor = measure(|| {
        let copy = Bytes::copy_from_slice(&invite);
        memchr::memchr_iter(b'\n', &copy).count()
    });
    tell("floor: copy, find line ends", floor, floor);
    let read = measure(|| Message::parse_datagram(Bytes::copy_from_slice(&invite)).is_ok());
    tell("read an INVITE, all checks", read, floor);
    let text = INVITE.to_owned();
    let rsip = measure(|| rsip::SipMessage::try_from(text.as_bytes()).is_ok());
    tell("the same by rsip, fewer checks", rsip, floor);
    tell("write it", measure(|| parsed.to_bytes().len()), floor);
    let mut calls = Calls::new();
    tell(
        "a whole call: INVITE, ACK, BYE",
        measure(|| calls.run()),
        floor,
    );
}

fn tell(what: &str, nanos: f64, floor: f64) {
    println!("{what:<34} {nanos:>10.0} {:>8.1}", nanos / floor);
}

/// Nanoseconds of one `work`, in the quickest of some batches.
fn measure<T>(mut work: impl FnMut() -> T) -> f64 {
    (0..BATCHES)
        .map(|_| {
            let began = now();
            let mut rounds = 0_u32;
            while began.elapsed() < BATCH {
                for _ in 0..16 {
                    black_box(work());
                }
                rounds += 16;
            }
            began.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .fold(f64::MAX, f64::min)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// A caller and an endpoint in virtual time: each call lasts a minute, so transactions end in between.
struct Calls {
    endpoint: Endpoint,
    hop: Hop,
    now: Instant,
    issued: u32,
}

impl Calls {
    fn new() -> Self {
        Self {
            endpoint: Endpoint::new(EndpointConfig::default(), Rng::from_number(1)),
            hop: Hop {
                transport: Transport::Udp,
                local: "198.51.100.7:5060".parse().expect("an address"),
                remote: "192.0.2.10:5060".parse().expect("an address"),
                connection: None,
            },
            now: now(),
            issued: 0,
        }
    }

    fn run(&mut self) -> usize {
        self.issued += 1;
        let invite = INVITE.replace("00000000", &format!("{:08}", self.issued));
        self.take(&invite);
        let Some(Event::Invited { dialog, .. }) = self.endpoint.poll_event() else {
            unreachable!("an INVITE makes a call");
        };
        self.endpoint.ring(self.now, dialog, None);
        self.endpoint
            .answer(self.now, dialog, Bytes::from_static(b"v=0\r\n"));
        let to = self.sent().expect("a 200 was sent");
        self.take(&within(&invite, &to, "ACK", 1));
        self.take(&within(&invite, &to, "BYE", 2));
        self.now += Duration::from_secs(60);
        self.endpoint.handle_timeout(self.now);
        std::iter::from_fn(|| self.endpoint.poll_event()).count()
    }

    fn take(&mut self, text: &str) {
        let message = Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()));
        self.endpoint
            .handle_message(self.now, self.hop, message, true);
    }

    /// Takes what was sent; the To header of the last of it.
    fn sent(&mut self) -> Option<String> {
        let mut to = None;
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
            to = text
                .lines()
                .find(|line| line.starts_with("To:"))
                .map(str::to_owned);
        }
        to
    }
}

/// A later request of the same dialog, without a body.
fn within(invite: &str, to: &str, method: &str, cseq: u32) -> String {
    let head = invite.split("\r\nContent-Type").next().unwrap_or_default();
    let head = head
        .replacen("INVITE", method, 1)
        .replace("CSeq: 1 INVITE", &format!("CSeq: {cseq} {method}"));
    let head = head.replace("branch=z9hG4bK-", &format!("branch=z9hG4bK-{method}"));
    let lines: Vec<&str> = head
        .split("\r\n")
        .map(|line| if line.starts_with("To:") { to } else { line })
        .collect();
    lines.join("\r\n") + "\r\nContent-Length: 0\r\n\r\n"
}
