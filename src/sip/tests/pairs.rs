//! Two endpoints, one of which calls the other over a link that delays, loses, doubles and reorders.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::kit::{ANSWER, OFFER, config, order, udp};
use crate::ids::Rng;
use crate::sip::message::{Message, Status};
use crate::sip::transaction::earliest;
use crate::sip::{DialogId, Endpoint, EndpointConfig, Event, Hop};

/// What a link does to each message.
#[derive(Clone, Copy, Debug)]
struct Link {
    loss_percent: u32,
    double_percent: u32,
    /// A message takes between 10 ms and this.
    slowest_ms: u32,
}

const GOOD: Link = Link {
    loss_percent: 0,
    double_percent: 0,
    slowest_ms: 20,
};

const BAD: Link = Link {
    loss_percent: 20,
    double_percent: 20,
    slowest_ms: 700,
};

/// What the two sides heard of the call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    accepted: u32,
    ended_at_caller: u32,
    ended_at_callee: u32,
    invited: u32,
}

/// What is still to be done, when and by whom.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Ring(DialogId),
    Answer(DialogId),
    Refuse(DialogId),
    HangUp { by_caller: bool, dialog: DialogId },
    Offer { by_caller: bool, dialog: DialogId },
    AnswerOffer { by_caller: bool, dialog: DialogId },
}

struct Pair {
    now: Instant,
    caller: Endpoint,
    callee: Endpoint,
    rng: Rng,
    link: Link,
    wire: BTreeMap<(Instant, u64), (bool, Bytes)>,
    deeds: BTreeMap<(Instant, u64), Deed>,
    count: u64,
    dialog: DialogId,
    callee_dialog: Option<DialogId>,
    told: Told,
}

fn endpoint(seed: u64) -> Endpoint {
    let config = EndpointConfig {
        session_expires: Duration::from_secs(180),
        ..config()
    };
    Endpoint::new(config, Rng::from_number(seed))
}

/// The way as the called side sees it.
fn back() -> Hop {
    Hop {
        local: udp().remote,
        remote: udp().local,
        ..udp()
    }
}

impl Pair {
    fn new(seed: u64, link: Link) -> Self {
        let now = crate::sim::start();
        let mut caller = endpoint(2 * seed);
        let mut order = order(udp());
        order.patience = Duration::from_secs(20);
        let dialog = caller.invite(now, order).expect("there is room");
        Self {
            now,
            caller,
            callee: endpoint(2 * seed + 1),
            rng: Rng::from_number(seed),
            link,
            wire: BTreeMap::new(),
            deeds: BTreeMap::new(),
            count: 0,
            dialog,
            callee_dialog: None,
            told: Told::default(),
        }
    }

    /// Does `deed` at a random time within `seconds`.
    fn plan(&mut self, seconds: u32, deed: Deed) {
        let delay = Duration::from_millis(self.rng.below(seconds * 1000).into());
        self.count += 1;
        self.deeds.insert((self.now + delay, self.count), deed);
    }

    fn put(&mut self, to_callee: bool, bytes: &Bytes) {
        if self.rng.below(100) < self.link.loss_percent {
            return;
        }
        let copies = 1 + u32::from(self.rng.below(100) < self.link.double_percent);
        for _ in 0..copies {
            let delay = 10 + self.rng.below(self.link.slowest_ms - 10);
            self.count += 1;
            let at = self.now + Duration::from_millis(delay.into());
            self.wire
                .insert((at, self.count), (to_callee, bytes.clone()));
        }
    }

    fn drain(&mut self) {
        loop {
            if let Some(event) = self.caller.poll_event() {
                self.handle_event(true, event);
            } else if let Some(event) = self.callee.poll_event() {
                self.handle_event(false, event);
            } else {
                break;
            }
        }
        while let Some(transmit) = self.caller.poll_transmit() {
            self.put(true, &transmit.bytes);
        }
        while let Some(transmit) = self.callee.poll_transmit() {
            self.put(false, &transmit.bytes);
        }
    }

    fn handle_event(&mut self, by_caller: bool, event: Event) {
        match event {
            Event::Invited { dialog, .. } => {
                self.told.invited += 1;
                self.callee_dialog = Some(dialog);
                self.plan(2, Deed::Ring(dialog));
                if self.rng.below(5) == 0 {
                    self.plan(8, Deed::Refuse(dialog));
                } else {
                    self.plan(8, Deed::Answer(dialog));
                }
            }
            Event::Accepted { dialog, .. } => {
                self.told.accepted += 1;
                for by_caller in [true, false] {
                    let callee = self.callee_dialog.expect("it answered");
                    let dialog = if by_caller { dialog } else { callee };
                    for _ in 0..3 {
                        self.plan(60, Deed::Offer { by_caller, dialog });
                    }
                }
                let by_caller = self.rng.below(2) == 0;
                let callee = self.callee_dialog.expect("it answered");
                let dialog = if by_caller { dialog } else { callee };
                self.plan(300, Deed::HangUp { by_caller, dialog });
            }
            Event::Offered { dialog, .. } => {
                self.plan(1, Deed::AnswerOffer { by_caller, dialog });
            }
            Event::Rejected { .. } | Event::Unanswered { .. } => self.told.ended_at_caller += 1,
            Event::Canceled { .. } => self.told.ended_at_callee += 1,
            Event::Ended { .. } if by_caller => self.told.ended_at_caller += 1,
            Event::Ended { .. } => self.told.ended_at_callee += 1,
            Event::Acked { .. }
            | Event::Progress { .. }
            | Event::Answered { .. }
            | Event::OfferRefused { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, deed: Deed) {
        let now = self.now;
        match deed {
            Deed::Ring(dialog) => self.callee.ring(now, dialog, Some(ANSWER.into())),
            Deed::Answer(dialog) => self.callee.answer(now, dialog, ANSWER.into()),
            Deed::Refuse(dialog) => {
                self.callee
                    .refuse(now, dialog, Status::BUSY_HERE, Vec::new());
            }
            Deed::HangUp { by_caller, dialog } => self.end(by_caller).bye(now, dialog, None),
            Deed::Offer { by_caller, dialog } => {
                self.end(by_caller).offer(now, dialog, OFFER.into())
            }
            Deed::AnswerOffer { by_caller, dialog } => {
                self.end(by_caller).answer_offer(now, dialog, ANSWER.into());
            }
        }
    }

    fn end(&mut self, by_caller: bool) -> &mut Endpoint {
        if by_caller {
            &mut self.caller
        } else {
            &mut self.callee
        }
    }

    /// Until nothing moves any more; what was heard and what is left.
    fn run(mut self) -> (Told, usize) {
        self.drain();
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 100_000, "it never comes to rest");
            let timers = earliest(self.caller.poll_timeout(), self.callee.poll_timeout());
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let deed = self.deeds.keys().next().map(|(at, _)| *at);
            let Some(next) = earliest(earliest(timers, arrival), deed) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.wire.first_entry()
                && entry.key().0 <= self.now
            {
                let (to_callee, bytes) = entry.remove();
                let message = Message::parse_datagram(bytes);
                if to_callee {
                    self.callee.handle_message(self.now, back(), message, true);
                } else {
                    self.caller.handle_message(self.now, udp(), message, true);
                }
                self.drain();
            }
            while let Some(entry) = self.deeds.first_entry()
                && entry.key().0 <= self.now
            {
                let deed = entry.remove();
                self.act(deed);
                self.drain();
            }
            self.caller.handle_timeout(self.now);
            self.callee.handle_timeout(self.now);
            self.drain();
        }
        let count = |endpoint: &Endpoint| endpoint.stats().dialogs + endpoint.stats().transactions;
        let left = count(&self.caller) + count(&self.callee);
        (self.told, left)
    }
}

#[test]
fn every_call_over_a_good_link_is_whole() {
    for seed in 0..50 {
        let (told, left) = Pair::new(seed, GOOD).run();
        let ended = told.ended_at_caller + told.ended_at_callee;
        assert_eq!(
            (left, told.invited, ended),
            (0, 1, 1),
            "seed {seed}: {told:?}"
        );
    }
}

#[test]
fn two_hundred_calls_over_a_link_that_loses_doubles_and_reorders_all_end_and_leave_nothing() {
    let mut accepted = 0;
    for seed in 0..200 {
        let (told, left) = Pair::new(seed, BAD).run();
        assert_eq!(left, 0, "seed {seed}: {told:?}");
        assert!(told.accepted <= 1, "seed {seed}: {told:?}");
        assert!(told.ended_at_caller <= 1, "seed {seed}: {told:?}");
        accepted += told.accepted;
    }
    assert!(accepted > 100, "{accepted} of 200 were answered");
}

#[test]
fn calls_that_their_caller_takes_back_at_any_moment_all_end() {
    for link in [GOOD, BAD] {
        for seed in 0..200 {
            let mut pair = Pair::new(seed, link);
            let dialog = pair.dialog;
            let by_caller = true;
            pair.plan(10, Deed::HangUp { by_caller, dialog });
            let (told, left) = pair.run();
            assert_eq!(left, 0, "seed {seed}: {told:?}");
            assert!(told.ended_at_caller <= 1, "seed {seed}: {told:?}");
        }
    }
}
