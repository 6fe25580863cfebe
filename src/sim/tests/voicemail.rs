//! The voicemail of the tutorial, and dials under loss.

use super::kit::*;
use super::*;
use crate::sim::net::Weather;
use crate::sim::phone::{Called, Say};
use crate::sim::voice::tone_of;

/// The tutorial's voicemail: forwards the call, and takes a message where nobody answers.
fn voicemail() -> Value {
    json!({"actions": [
        {"type": "connect", "option": {
            "source": {"type": "tel", "target": "+15559876543"},
            "destinations": [{"type": "tel", "target": "+15551112222"}],
        }},
        {
            "id": "3746e628-8cc1-4ff4-82fe-194b16b9a10e",
            "next_id": "00000000-0000-0000-0000-000000000000",
            "type": "condition_call_status",
            "option": {
                "status": "progressing",
                "false_target_id": "cfe0e8ea-991c-11ec-b849-d7fc54168fd5",
            },
        },
        {"id": "58f859e9-92d8-4b46-8073-722b9c881ae0", "type": "hangup"},
        {
            "id": "cfe0e8ea-991c-11ec-b849-d7fc54168fd5",
            "type": "talk",
            "option": {"text": "tone 700 3000", "language": "en-US"},
        },
        {"type": "beep"},
        {"type": "recording_start", "option": {"beep_start": true}},
        {"type": "sleep", "option": {"duration": 10_000}},
        {"type": "hangup"},
    ]})
}

fn world_with(seed: u64, called: Called) -> (World, PhoneId, PhoneId) {
    let mut world = trunk_plan(seed).flow("voicemail", voicemail()).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 400);
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.with(trunk, |phone, _| phone.habits.tone = Some(500));
    world.when_called(trunk, called);
    (world, caller, trunk)
}

#[test]
fn caller_whom_nobody_answers_hears_the_text_and_the_beep_and_leaves_a_message() {
    let (mut world, caller, trunk) = world_with(600, Called::rings());
    world.dial(caller, "voicemail");
    world.pass(Duration::from_secs(59));
    assert_eq!(world.words(caller), ["180 INVITE"]);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE"]);
    assert_eq!(world.words(trunk), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(world.hears(caller), Some(700));
    world.pass(Duration::from_secs(20));
    assert_eq!(world.state(caller), BY_SWITCH);
    assert_eq!(world.at(caller).tones()[..2], [700, 1000], "text and beep");
    let said = &world.media.recordings[0].heard;
    assert_eq!(tone_of(&said[40_000..41_600]), Some(400));
    world.settle();
}

#[test]
fn caller_who_was_answered_leaves_no_message() {
    let (mut world, caller, _) = world_with(601, Called::answers_for(1000, 2000));
    world.dial(caller, "voicemail");
    world.pass(Duration::from_secs(5));
    assert_eq!(world.state(caller), BY_SWITCH);
    assert_eq!(world.words(caller), ["180 INVITE", "200 INVITE", "BYE"]);
    assert!(world.media.recordings.is_empty());
    world.settle();
}

/// Dials, speaks and hangs up by chance, on a line that loses, doubles and reorders.
fn storm(seed: u64) {
    let early = json!({"early_media": true, "destinations": [
        {"type": "sip", "target": "a@10.0.2.1"},
        {"type": "sip", "target": "b@10.0.2.2"},
        {"type": "tel", "target": "+15551112222"},
    ]});
    let mut plan = trunk_plan(seed)
        .flow("one", connect_then_talk(&json!({"relay_reason": true})))
        .flow("many", connect_then_talk(&early));
    plan.sip = Weather {
        delay: Duration::from_millis(20),
        spread: Duration::from_millis(60),
        lost: 5,
        doubled: 5,
    };
    let mut world = plan.build();
    let moods = vec![
        Called::answers_after(500),
        Called::answers_for(300, 2000),
        Called::early_then_answers_after(800),
        Called::refuses_after(200, 486),
        Called::refuses(503),
        Called::is_dead(),
        Called::rings(),
        Called::says([(0, Say::Early), (700, Say::Refuse(404, String::new()))]),
        Called {
            outruns_cancel: true,
            ..Called::rings()
        },
    ];
    for (host, ip) in [
        ("carrier.example", "10.0.1.1"),
        ("a", "10.0.2.1"),
        ("b", "10.0.2.2"),
    ] {
        let phone = world.trunk(host, ip);
        world.with(phone, |phone, _| phone.habits.moods.clone_from(&moods));
    }
    let callers = world.phones(30);
    for (at, caller) in callers.iter().enumerate() {
        let pause = 300 * (at as u64 % 11);
        let script = [
            Step::Pause(Duration::from_millis(50 * at as u64)),
            Step::Dial(if at % 2 == 0 { "one" } else { "many" }),
            Step::Pause(Duration::from_millis(pause)),
            Step::HangUp,
        ];
        let steps = if at % 3 == 0 { 2 } else { 4 };
        world.script(*caller, script.into_iter().take(steps));
    }
    world.pass(Duration::from_secs(90));
    for caller in callers {
        world.hang_up(caller);
    }
    world.settle();
}

#[test]
fn every_dial_on_a_bad_line_ends_and_leaves_nothing() {
    for seed in 610..622 {
        storm(seed);
    }
}
