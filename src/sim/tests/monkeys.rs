//! Callers without sense, flows without sense, slow disks, late sockets, lost packets and faults, all at
//! once: whatever happens, nothing is left and every order has ended once.

use super::*;
use crate::ids::Rng;
use crate::sim::net::Weather;

pub(super) const FLOWS: [&str; 6] = ["f0", "f1", "f2", "f3", "f4", "f5"];

pub(super) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.below(100) < percent
}

pub(super) fn millis(rng: &mut Rng, below: u32) -> Duration {
    Duration::from_millis(rng.below(below).into())
}

pub(super) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(u32::try_from(from.len()).unwrap()) as usize]
}

pub(super) fn tone(rng: &mut Rng) -> String {
    match rng.below(12) {
        0 => "wrong".to_owned(),
        1 => "never".to_owned(),
        _ => format!("tone {} {}", (3 + rng.below(10)) * 100, rng.below(1500)),
    }
}

fn action(rng: &mut Rng, targets: u32) -> Value {
    let (kind, option) = match rng.below(20) {
        0 | 1 => ("answer", json!({})),
        2..=5 => {
            let handle = pick(rng, &["next", ""]);
            (
                "talk",
                json!({"text": tone(rng), "digits_handle": handle, "async": chance(rng, 20)}),
            )
        }
        6 => ("play", json!({"stream_urls": [tone(rng), tone(rng)]})),
        7 => ("beep", json!({})),
        8 => (
            "digits_receive",
            json!({"duration": rng.below(2000), "length": 1 + rng.below(3)}),
        ),
        9 => (
            "digits_send",
            json!({"digits": "12#", "duration": 100, "interval": rng.below(200)}),
        ),
        10 => (
            pick(rng, &["echo", "stream_echo"]),
            json!({"duration": 1 + rng.below(2000)}),
        ),
        11 | 12 => {
            let key = pick(rng, &["any", "none", "*", "#"]);
            let seconds = rng.below(3);
            (
                "recording_start",
                json!({"end_of_key": key, "duration": seconds, "beep_start": chance(rng, 30)}),
            )
        }
        13 => ("recording_stop", json!({})),
        14 => ("sleep", json!({"duration": rng.below(1500)})),
        15 => {
            let target = rng.below(targets).to_string();
            (
                "goto",
                json!({"target_id": target, "loop_count": rng.below(4)}),
            )
        }
        16 => {
            let [one, other] = [
                rng.below(targets).to_string(),
                rng.below(targets).to_string(),
            ];
            (
                "branch",
                json!({"default_target_id": one, "target_ids": {"1": other}}),
            )
        }
        17 => ("fetch_flow", json!({"flow_id": pick(rng, &FLOWS)})),
        18 if chance(rng, 50) => (
            "hangup",
            json!({"reason": pick(rng, &["normal", "busy", "failed"])}),
        ),
        19 if chance(rng, 30) => ("stop", json!({})),
        _ => ("sleep", json!({"duration": 50})),
    };
    json!({"type": kind, "option": option})
}

pub(super) fn nonsense(rng: &mut Rng) -> Value {
    let count = 3 + rng.below(10);
    let mut actions = Vec::new();
    for id in 0..count {
        let mut action = action(rng, count);
        action["id"] = json!(id.to_string());
        actions.push(action);
    }
    let mut flow = json!({"actions": actions});
    if chance(rng, 30) {
        flow["on_complete_flow_id"] = json!(pick(rng, &FLOWS));
    }
    flow
}

pub(super) fn weather(rng: &mut Rng) -> Weather {
    let is_bad = chance(rng, 50);
    Weather {
        lost: if is_bad { rng.below(25) } else { 0 },
        doubled: if is_bad { rng.below(10) } else { 0 },
        delay: millis(rng, 100),
        spread: millis(rng, 100),
    }
}

pub(super) fn misbehave(world: &mut World, rng: &mut Rng, phone: PhoneId) {
    let offers = [
        Offer::Full,
        Offer::Full,
        Offer::NoEvents,
        Offer::Pcma,
        Offer::None,
        Offer::Foreign,
        Offer::Broken,
    ];
    let keys = ['0', '1', '2', '*', '#'];
    let is_free = !matches!(
        world.state(phone),
        PhoneState::Calling { .. } | PhoneState::Answered
    );
    match rng.below(14) {
        0..=3 if is_free => {
            let bodies = [
                AckBody::Answer,
                AckBody::Answer,
                AckBody::Nothing,
                AckBody::Foreign,
                AckBody::Garbage,
            ];
            let (offer, body) = (pick(rng, &offers), pick(rng, &bodies));
            let (acks, answers) = (!chance(rng, 10), !chance(rng, 10));
            world.with(phone, |phone, _| {
                phone.seen.clear();
                phone.habits.offer = offer;
                phone.habits.ack_body = body;
                (phone.habits.acks, phone.habits.answers) = (acks, answers);
            });
            world.dial(phone, pick(rng, &FLOWS));
        }
        4..=7 => {
            let (key, how) = (
                pick(rng, &keys),
                pick(rng, &[Key::Event, Key::Tone, Key::Info]),
            );
            if !is_free {
                world.press(phone, key, how);
            }
        }
        8 => world.hang_up(phone),
        9 | 10 if world.state(phone) == PhoneState::Answered => {
            let rtp = world.at(phone).rtp;
            let direction = pick(rng, &["sendonly", "inactive", "sendrecv", "recvonly"]);
            world.with(phone, |phone, now| phone.reinvite(now, direction, rtp));
        }
        11 => {
            let tone = chance(rng, 70).then_some(900);
            world.with(phone, |phone, now| phone.say(now, tone));
        }
        12 if chance(rng, 10) && world.switch.calls() > 0 => {
            world.with_switch(crate::switch::Switch::poison);
        }
        13 if chance(rng, 5) => {
            world.with_switch(|switch, now| {
                if switch.activeflows() > 0 {
                    switch.poison_flow(now);
                }
            });
        }
        _ => {}
    }
}

#[test]
fn no_nonsense_leaves_anything_behind() {
    for seed in 200..216 {
        let mut rng = Rng::from_number(seed);
        let mut plan = Plan::new(seed);
        for name in FLOWS {
            plan = plan.flow(name, nonsense(&mut rng));
        }
        (plan.sip, plan.rtp) = (weather(&mut rng), weather(&mut rng));
        (plan.fetching, plan.reporting) = (millis(&mut rng, 400), millis(&mut rng, 30));
        let mut world = plan.build();
        (world.media.binding, world.media.filing) = (millis(&mut rng, 300), millis(&mut rng, 1000));
        let phones = world.phones(12);
        for _ in 0..400 {
            let phone = pick(&mut rng, &phones);
            misbehave(&mut world, &mut rng, phone);
            world.pass(millis(&mut rng, 200));
        }
        for phone in phones {
            world.hang_up(phone);
        }
        // Calls that are held up by a sound that never comes are ended as too long.
        world.pass(Duration::from_secs(3700));
        world.settle();
    }
}
