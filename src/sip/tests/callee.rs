//! A callee that says anything at any time: whatever it is, the call ends and nothing of it is left.

use std::time::Duration;

use super::kit::{ANSWER, Bench, OFFER, branch, config, order, reply, tcp, udp};
use super::within::Callee;
use crate::ids::Rng;
use crate::sip::message::{Message, Method, Request};
use crate::sip::{Account, DialogId, Event};

const TAGS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "bob"];
const STATUSES: [u16; 14] = [
    100, 180, 183, 199, 200, 202, 302, 401, 407, 422, 486, 487, 491, 603,
];
const METHODS: [&str; 8] = [
    "BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "REFER", "PRACK", "FOO",
];
const HEADERS: [&str; 7] = [
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=true",
    "Proxy-Authenticate: Digest realm=\"r\", nonce=\"m\"",
    "Min-SE: 4000000000",
    "Session-Expires: 90;refresher=uas",
    "Require: 100rel\r\nRSeq: 1",
    "Record-Route: <sip:10.0.0.8;lr>, <sip:host.example>",
    "Retry-After: 1",
];

fn one<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.below(u32::try_from(all.len()).expect("a few")) as usize]
}

/// The callee, its dice, and the requests of ours that it may still answer.
struct Rogue {
    rng: Rng,
    bench: Bench,
    dialog: DialogId,
    callee: Callee,
    heard: Vec<Request>,
}

impl Rogue {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_number(seed);
        let mut config = config();
        config.session_expires = Duration::from_secs(120 * u64::from(rng.below(2)));
        let hop = one(&mut rng, &[udp(), tcp()]);
        let mut bench = Bench::with(config, hop);
        let mut order = order(hop);
        order.account = (rng.below(2) == 0).then(|| Account {
            username: "us".into(),
            password: "secret".into(),
        });
        let (dialog, invite) = bench.dial(order);
        Self {
            rng,
            bench,
            dialog,
            callee: Callee::of(&invite),
            heard: vec![invite],
        }
    }

    fn step(&mut self) {
        let (dialog, rng) = (self.dialog, &mut self.rng);
        let body = one(rng, &["", ANSWER, OFFER]);
        match rng.below(10) {
            0..4 => {
                let at = rng.below(u32::try_from(self.heard.len()).expect("a few"));
                let request = &self.heard[at as usize];
                let (status, tag) = (one(rng, &STATUSES), one(rng, &TAGS));
                let is_first = request.headers.to().is_ok_and(|to| to.tag().is_none());
                let text = if is_first {
                    branch(request, status, tag, body)
                } else {
                    reply(request, status, "", body)
                };
                let header = format!("\r\n{}\r\n", one(rng, &HEADERS));
                self.bench.hear(&text.replacen("\r\n", &header, 1));
            }
            4..6 => {
                self.callee.tag = one(rng, &TAGS);
                let request = self.callee.next(one(rng, &METHODS), "", body);
                self.bench.hear(&request);
            }
            6 => {
                let sdp = ANSWER.into();
                self.bench
                    .act(|endpoint, now| endpoint.offer(now, dialog, sdp));
            }
            7 => {
                let sdp = ANSWER.into();
                self.bench
                    .act(|endpoint, now| endpoint.answer_offer(now, dialog, sdp));
            }
            8 if rng.below(10) == 0 => {
                let hop = self.bench.hop;
                self.bench
                    .act(|endpoint, now| endpoint.handle_transport_error(now, hop));
            }
            8 if rng.below(5) == 0 => self
                .bench
                .act(|endpoint, now| endpoint.bye(now, dialog, None)),
            _ => {
                let pause = Duration::from_millis(rng.below(20_000).into());
                self.bench.pass(pause);
            }
        }
        for (_, _, message) in self.bench.sent() {
            match message {
                Message::Request(request) if request.method != Method::Ack => {
                    self.heard.push(request);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_call_to_a_callee_that_says_anything_ends_once_and_leaves_nothing() {
    let mut answered = 0;
    for seed in 0..2000 {
        let mut rogue = Rogue::new(seed);
        for _ in 0..40 {
            rogue.step();
        }
        let dialog = rogue.dialog;
        let bench = &mut rogue.bench;
        bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
        bench.pass(Duration::from_secs(300));
        let (mut accepted, mut ended) = (0, 0);
        for event in bench.events() {
            match event {
                Event::Accepted { .. } => accepted += 1,
                Event::Rejected { .. } | Event::Unanswered { .. } | Event::Ended { .. } => {
                    ended += 1;
                }
                _ => {}
            }
        }
        assert!(accepted <= 1 && ended <= 1, "seed {seed}");
        let stats = bench.endpoint.stats();
        assert_eq!((stats.dialogs, stats.transactions), (0, 0), "seed {seed}");
        assert_eq!(bench.endpoint.poll_timeout(), None, "seed {seed}");
        answered += accepted;
    }
    assert!(answered > 200, "{answered} of 2000 were answered");
}
