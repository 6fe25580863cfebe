//! Calls over a link that delays and loses: the client machines of one side against the endpoint.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::kit::{ANSWER, Caller, OFFER, config, request, udp};
use crate::ids::Rng;
use crate::sip::message::{HeaderName, Message, Request, Status};
use crate::sip::transaction::{ClientEvent, TransactionLayer, earliest};
use crate::sip::{EndCause, Endpoint, Event, Hop};

/// A caller that only has a transaction layer, and the script in [`Pair::handle_answer`].
struct Pair {
    now: Instant,
    endpoint: Endpoint,
    phone: TransactionLayer<()>,
    caller: Caller,
    rng: Rng,
    loss_percent: u32,
    /// On the wire: when it comes, in which order it left, whether to the endpoint, the bytes.
    wire: BTreeMap<(Instant, u64), (bool, Bytes)>,
    sent: u64,
    answered: u32,
    outcome: Outcome,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    acked: u32,
    ended: Vec<EndCause>,
    bye_answered: bool,
}

impl Pair {
    fn new(seed: u64, loss_percent: u32) -> Self {
        let mut pair = Self {
            now: crate::sim::start(),
            endpoint: Endpoint::new(config(), Rng::from_number(seed)),
            phone: TransactionLayer::new(),
            caller: Caller::new("a"),
            rng: Rng::from_number(seed),
            loss_percent,
            wire: BTreeMap::new(),
            sent: 0,
            answered: 0,
            outcome: Outcome::default(),
        };
        let invite = pair.caller.invite(OFFER);
        pair.dial(&invite);
        pair
    }

    fn dial(&mut self, text: &str) {
        let mut request = request(text);
        request.headers.remove(&HeaderName::Via);
        let hop = from_phone();
        self.phone
            .request(self.now, hop, hop.local, request, &mut self.rng, ());
    }

    fn put(&mut self, to_endpoint: bool, bytes: Bytes) {
        self.sent += 1;
        if self.rng.below(100) >= self.loss_percent {
            let delay = Duration::from_millis(u64::from(20 + self.rng.below(60)));
            self.wire
                .insert((self.now + delay, self.sent), (to_endpoint, bytes));
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Invited { dialog, .. } => {
                    self.endpoint.ring(self.now, dialog, None);
                    self.endpoint.answer(self.now, dialog, ANSWER.into());
                }
                Event::Acked { .. } => self.outcome.acked += 1,
                Event::Ended { cause, .. } => self.outcome.ended.push(cause),
                other => panic!("{other:?}"),
            }
        }
        while let Some(news) = self.phone.poll_news() {
            self.handle_answer(&news.event);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.put(false, transmit.bytes);
        }
        while let Some(transmit) = self.phone.poll_transmit() {
            self.put(true, transmit.bytes);
        }
    }

    /// ACK to each 200 of the INVITE, BYE after the first; notes the answer to the BYE.
    fn handle_answer(&mut self, event: &ClientEvent) {
        let ClientEvent::Response(response) = event else {
            return;
        };
        if response.status != Status::OK {
            return;
        }
        if response.headers.cseq().is_ok_and(|cseq| cseq.number > 1) {
            self.outcome.bye_answered = true;
            return;
        }
        self.caller.learn(response);
        self.answered += 1;
        let ack = self.caller.write("ACK", "sip:menu@10.0.0.1", 1, 99, "", "");
        self.put(true, ack.into());
        if self.answered == 1 {
            let bye = self
                .caller
                .write("BYE", "sip:menu@10.0.0.1", 2, 100, "", "");
            self.dial(&bye);
        }
    }

    fn run(mut self) -> (Outcome, usize) {
        self.drain();
        loop {
            let timers = earliest(self.endpoint.poll_timeout(), self.phone.poll_timeout());
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let Some(next) = earliest(timers, arrival) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self
                .wire
                .first_entry()
                .filter(|entry| entry.key().0 <= self.now)
            {
                let (to_endpoint, bytes) = entry.remove();
                self.deliver(to_endpoint, bytes);
            }
            self.endpoint.handle_timeout(self.now);
            self.phone.handle_timeout(self.now);
            self.drain();
        }
        let left = self.endpoint.stats().dialogs + self.endpoint.stats().transactions;
        (self.outcome, left)
    }

    fn deliver(&mut self, to_endpoint: bool, bytes: Bytes) {
        let message = Message::parse_datagram(bytes);
        if to_endpoint {
            self.endpoint.handle_message(self.now, udp(), message, true);
        } else if let Ok(Message::Response(response)) = message {
            self.phone.handle_response(self.now, response);
        } else if let Ok(Message::Request(request)) = message {
            self.answer_bye(&request);
        }
        self.drain();
    }

    /// The endpoint gave up on the ACK: its BYE gets 200.
    fn answer_bye(&mut self, bye: &Request) {
        let ok = super::kit::reply(bye, 200, "", "");
        self.sent += 1;
        self.wire.insert((self.now, self.sent), (true, ok.into()));
    }
}

fn from_phone() -> Hop {
    let hop = udp();
    Hop {
        local: hop.remote,
        remote: hop.local,
        ..hop
    }
}

#[test]
fn a_hundred_calls_over_a_link_that_loses_a_third_come_and_go_and_leave_nothing() {
    let mut whole = 0;
    for seed in 0..100 {
        let (outcome, left) = Pair::new(seed, 33).run();
        assert_eq!(left, 0, "seed {seed}: {outcome:?}");
        assert!(outcome.ended.len() <= 1, "seed {seed}: {outcome:?}");
        whole += u32::from(outcome.bye_answered && outcome.ended.len() == 1);
    }
    assert!(whole >= 95, "{whole} of 100 calls were whole");
}

#[test]
fn every_call_over_a_good_link_is_whole() {
    for seed in 0..20 {
        let (outcome, left) = Pair::new(seed, 0).run();
        let wanted = Outcome {
            acked: outcome.acked,
            ended: vec![EndCause::Bye { reason: None }],
            bye_answered: true,
        };
        assert_eq!((outcome, left), (wanted, 0), "seed {seed}");
    }
}
