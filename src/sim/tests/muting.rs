//! Calls that their flow silences.

use super::*;
use crate::sim::voice::tone_of;

/// Answers, records, silences the call `direction`, says 500 Hz for two seconds, then returns what it hears.
fn muted_world(seed: u64, direction: &str) -> World {
    let flow = json!([
        {"type": "answer"},
        {"type": "recording_start", "option": {"format": "wav"}},
        {"type": "mute", "option": {"direction": direction}},
        {"type": "talk", "option": {"text": "tone 500 2000", "digits_handle": "next"}},
        {"type": "recording_stop"},
        {"type": "echo", "option": {"duration": 2000}},
        {"type": "hangup"},
    ]);
    Plan::new(seed).flow("mute", flow).build()
}

#[test]
fn mute_silences_the_party_its_prompts_or_both_in_the_call_and_in_its_recording() {
    let table = [
        ("in", None, Some(500), [Some(500), None]),
        ("out", Some(900), None, [None, None]),
        ("both", None, None, [None, None]),
        ("", None, None, [None, None]),
    ];
    for (direction, heard, said, tones) in table {
        let mut world = muted_world(190, direction);
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "mute");
        world.with(phone, |phone, now| phone.say(now, Some(900)));
        world.pass_ms(1500);
        let prompt = world.hears(phone);
        world.pass_ms(1700);
        let echo = world.hears(phone);
        assert_eq!([prompt, echo], tones, "{direction}");
        let recorded = &world.media.recordings[0];
        for (side, tone) in [(&recorded.heard, heard), (&recorded.said, said)] {
            let middle = &side[8000..9600];
            assert_eq!(tone_of(middle), tone, "{direction}");
            let is_silent = middle.iter().all(|sample| sample.unsigned_abs() <= 8);
            assert_eq!(is_silent, tone.is_none(), "{direction}");
        }
        world.pass_ms(2000);
        assert_eq!(world.state(phone), BY_SWITCH, "{direction}");
        world.settle();
    }
}

#[test]
fn key_of_a_muted_party_still_ends_its_prompt() {
    let mut world = muted_world(191, "both");
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "mute");
    world.pass_ms(1000);
    assert_eq!(world.media.recordings.len(), 0);
    world.press(phone, '1', Key::Event);
    world.pass_ms(500);
    assert_eq!(world.media.recordings.len(), 1);
    world.settle();
}

#[test]
fn party_that_is_muted_one_way_and_then_the_other_is_muted_both_ways() {
    let flow = json!([
        {"type": "answer"},
        {"type": "mute", "option": {"direction": "in"}},
        {"type": "mute", "option": {"direction": "out"}},
        {"type": "talk", "option": {"text": "tone 500 1000"}},
        {"type": "echo", "option": {"duration": 2000}},
    ]);
    let mut world = Plan::new(192).flow("mute", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "mute");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(4000);
    assert_eq!(world.at(phone).tones(), [0_u16; 0]);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}
