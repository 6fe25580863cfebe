//! Hold, transfers and hanging up without sense: whatever comes together, nothing is left, every request is
//! answered once and every flow goes on at most once.

use super::super::monkeys::{chance, millis, pick, weather};
use super::*;
use crate::flow::{Address, Direction};
use crate::ids::Rng;
use crate::switch::Control;

fn verb(rng: &mut Rng) -> CallVerb {
    let direction = pick(rng, &[Direction::In, Direction::Out, Direction::Both]);
    match rng.below(10) {
        0 | 1 => CallVerb::Hold,
        2 | 3 => CallVerb::Unhold,
        4 => CallVerb::Moh,
        5 => CallVerb::Unmoh,
        6 => CallVerb::Silence,
        7 => CallVerb::Unsilence,
        8 => CallVerb::Mute { direction },
        _ => CallVerb::Unmute { direction },
    }
}

fn address(rng: &mut Rng) -> Address {
    let (kind, target) = pick(
        rng,
        &[
            ("extension", BOB),
            ("extension", CAROL),
            ("extension", "1003"),
            ("tel", "+15551112222"),
            ("sip", "eve@203.0.113.5"),
        ],
    );
    Address {
        kind: kind.to_owned(),
        target: target.to_owned(),
        ..Address::default()
    }
}

fn interfere(t: &mut Talks, rng: &mut Rng) {
    let (calls, _) = t.world.switch.names();
    if calls.is_empty() {
        return;
    }
    let call = pick(rng, &calls);
    let control = match rng.below(20) {
        0..=10 => {
            let verb = verb(rng);
            Control::Call { call, verb }
        }
        11 => Control::Call {
            call,
            verb: CallVerb::Hangup,
        },
        _ => Control::Transfer {
            kind: pick(rng, &[Blind, Attended]),
            transferer: call,
            transferees: (0..1 + rng.below(2)).map(|_| address(rng)).collect(),
        },
    };
    // That it is answered once is asserted there.
    let _ = t.world.control(control);
}

fn misbehave(t: &mut Talks, rng: &mut Rng) {
    let phone = pick(rng, &[t.alice, t.bob, t.carol, t.carrier]);
    let lines: Vec<_> = t.world.at(phone).lines().map(|line| line.id).collect();
    if !lines.is_empty() {
        let line = pick(rng, &lines);
        t.world.with(phone, |phone, _| phone.take_up(line));
    }
    let is_answered = t.world.state(phone) == PhoneState::Answered;
    let others: Vec<_> = t
        .world
        .at(phone)
        .lines()
        .filter(|line| line.is_living())
        .collect();
    let others: Vec<_> = others.iter().map(|line| line.id).collect();
    match rng.below(12) {
        0 | 1 if others.len() < 2 => {
            let name = pick(rng, &["out", "line", BOB, CAROL, "+15551112222"]);
            t.world.dial(phone, name);
        }
        2 | 3 if is_answered => {
            let direction = pick(rng, &["sendonly", "inactive", "sendrecv"]);
            t.world.with(phone, |phone, now| phone.hold(now, direction));
        }
        4 if is_answered => {
            let target = pick(
                rng,
                &["sip:1001@10.0.0.1", "sip:1002@10.0.0.1", "tel:+15551112222"],
            );
            t.world.with(phone, |phone, now| phone.refer(now, target));
        }
        5 | 6 if is_answered && others.len() > 1 => {
            let other = pick(rng, &others);
            t.world
                .with(phone, |phone, now| phone.refer_into(now, other));
        }
        7 if is_answered => {
            let line = t.world.line(phone);
            let header = format!(
                "Replaces: {};to-tag={};from-tag={}\r\n",
                line.call_id, line.remote_tag, line.local_tag
            );
            let taker = pick(rng, &[t.alice, t.bob, t.carol]);
            t.world
                .with(taker, |phone, now| phone.dial_with(now, BOB, &header));
        }
        8 => t.world.hang_up(phone),
        9 => t.world.with(phone, |phone, _| {
            phone.habits.offered = pick(rng, &[200, 200, 200, 488]);
        }),
        10 if chance(rng, 5) && t.world.switch.calls() > 0 => {
            t.world.with_switch(crate::switch::Switch::poison);
        }
        _ => {}
    }
}

#[test]
fn no_nonsense_of_transfers_leaves_anything_behind() {
    for seed in 760..772 {
        let mut rng = Rng::from_number(seed);
        let mut t = before_talks(queued::queue_plan(seed));
        for phone in [t.bob, t.carol, t.carrier] {
            let moods = vec![
                Called::answers_after(50),
                Called::answers_after(200),
                Called::answers_after(700),
                Called::answers_after(1500),
                Called::early_then_answers_after(300),
                Called::refuses_after(100, 486),
                Called::rings(),
                Called::answers_for(100, 900),
            ];
            t.world.with(phone, |phone, _| phone.habits.moods = moods);
        }
        if chance(&mut rng, 50) {
            t.world.sip.weather = weather(&mut rng);
        }
        let mut talked = 0;
        for _ in 0..400 {
            if t.world.switch.calls() < 2 {
                t.world.dial(t.alice, pick(&mut rng, &["out", "line"]));
            }
            misbehave(&mut t, &mut rng);
            for _ in 0..rng.below(3) {
                interfere(&mut t, &mut rng);
            }
            t.world.pass(millis(&mut rng, 250));
            let phones = [t.alice, t.bob, t.carol, t.carrier];
            talked += phones
                .iter()
                .filter(|phone| !t.world.voices(**phone).is_empty())
                .count();
        }
        let done = t
            .world
            .controlled
            .iter()
            .filter(|(_, result)| result.is_ok());
        println!("{} controls done, {talked} heard somebody", done.count());
        assert!(talked > 10, "they are about something");
        for phone in [t.alice, t.bob, t.carol, t.carrier] {
            t.hang_up_all(phone);
        }
        // Those whom nobody talks with end as too long.
        t.world.pass(Duration::from_secs(3700));
        t.world.settle();
    }
}
