//! Two parties joined by `connect`: who hears whom, in which codec, and what becomes of keys.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::call::Call;
use crate::message;
use crate::phone::{COMMON, Phone};
use crate::rtp::{EVENT, Media, wait};
use crate::sound;
use crate::switch::{Setting, Switch, connect};
use crate::wav;

/// The number behind the trunk.
const NUMBER: &str = "+15550111";

/// A switch whose flow `out` connects with a trunk, and the trunk.
fn switch(more: &str) -> (Switch, Phone) {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .connecting("out", NUMBER, more)
        .start();
    (switch, trunk)
}

/// A caller and whom it was connected with; each speaks its own payload types.
#[track_caller]
fn connected(switch: &Switch, trunk: Phone, caller: &[u8], called: &[u8]) -> (Call, Call) {
    let setup = Phone::udp(switch).invite_offering("out", caller, "sendrecv");
    let mut incoming = trunk.called().speaking(called);
    incoming.rings();
    let called = incoming.answers();
    (setup.answered(), called)
}

/// Each plays its own tone and hears the other's.
#[track_caller]
fn hear_each_other(a: &Call, b: &Call) {
    b.plays(700.0);
    a.media.hears(700.0);
    a.plays(500.0);
    b.media.hears(500.0);
}

#[track_caller]
fn both_end(caller: Call, mut called: Call) {
    caller.hang_up();
    called.is_hung_up_within(Duration::from_secs(2));
}

#[test]
fn each_hears_the_other() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, COMMON, COMMON);
    hear_each_other(&caller, &called);
    both_end(caller, called);
}

#[test]
fn each_hears_the_other_when_one_has_mu_law_and_the_other_a_law() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, &[0, EVENT], &[8, EVENT]);
    hear_each_other(&caller, &called);
    let types = |call: &Call| -> Vec<u8> {
        let mut types: Vec<u8> = call
            .media
            .packets()
            .iter()
            .map(|p| p.payload_type)
            .collect();
        types.sort_unstable();
        types.dedup();
        types
    };
    assert_eq!((types(&caller), types(&called)), (vec![0], vec![8]));
    both_end(caller, called);
}

#[test]
fn packets_of_one_codec_pass_as_they_came_and_at_once() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, COMMON, COMMON);
    hear_each_other(&caller, &called);
    caller.media.mute(true);
    thread::sleep(Duration::from_millis(100));
    called.media.forget();
    let (seq, timestamp, ssrc) = caller.media.last_sent();
    let remote = caller.media.remote().unwrap();
    let mut sent = Vec::new();
    for n in 1..=100_u16 {
        let at = timestamp.wrapping_add(160 * (5 + u32::from(n)));
        let payload: Vec<u8> = (0..160).map(|byte| (byte as u8) ^ (n as u8)).collect();
        let bytes = crate::rtp::packet(0, n == 1, seq.wrapping_add(n), at, ssrc, &payload);
        sent.push((std::time::Instant::now(), payload));
        caller.media.send_raw(&bytes, remote);
        thread::sleep(Duration::from_micros(19_600));
    }
    thread::sleep(Duration::from_millis(60));
    let packets = called.media.packets();
    let mut away: Vec<Duration> = sent
        .iter()
        .filter_map(|(at, payload)| {
            let packet = packets.iter().find(|packet| packet.payload == *payload)?;
            Some(packet.at.saturating_duration_since(*at))
        })
        .collect();
    assert!(away.len() >= 95, "{} of 100 passed unchanged", away.len());
    away.sort_unstable();
    let median = away[away.len() / 2];
    crate::timing::figure(&format!(
        "through a bridge, {} packets: median {median:?}, 99 % within {:?}",
        away.len(),
        away[away.len() * 99 / 100]
    ));
    assert!(median < Duration::from_millis(5), "median {median:?}");
    both_end(caller, called);
}

#[test]
fn keys_pass_as_telephone_events_both_ways() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, COMMON, COMMON);
    hear_each_other(&caller, &called);
    for digit in "15#".chars() {
        caller.media.press(digit);
    }
    called.media.hears_digits("15#");
    for digit in "902".chars() {
        called.media.press(digit);
    }
    caller.media.hears_digits("902");
    both_end(caller, called);
}

#[test]
fn keys_are_tones_for_a_phone_without_telephone_event() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, COMMON, &[8]);
    hear_each_other(&caller, &called);
    called.media.hears_nothing_for(Duration::from_millis(300));
    called.media.forget();
    for digit in "4*7".chars() {
        caller.media.press(digit);
        thread::sleep(Duration::from_millis(250));
    }
    let is_heard = wait(Duration::from_secs(2), || keys(&called.media) == "4*7");
    assert!(is_heard, "heard {:?}", keys(&called.media));
    assert!(called.media.digits().is_empty());
    both_end(caller, called);
}

#[test]
fn tones_of_a_phone_without_telephone_event_arrive_as_events() {
    let (switch, trunk) = switch("");
    let (caller, called) = connected(&switch, trunk, COMMON, &[0]);
    hear_each_other(&caller, &called);
    for digit in "36".chars() {
        called.media.press_in_band(digit);
    }
    caller.media.hears_digits("36");
    both_end(caller, called);
}

fn keys(media: &Media) -> String {
    sound::keys(&media.heard())
}

#[test]
fn answered_caller_hears_ringback_until_the_callee_answers() {
    let trunk = Phone::trunk();
    let flow = format!(
        r#"[{{"type": "answer"}}, {}, {{"type": "hangup"}}]"#,
        connect(&[NUMBER], "")
    );
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .flow("out", &flow)
        .start();
    let caller = Phone::udp(&switch).dial("out");
    let mut incoming = trunk.called();
    incoming.rings();
    let is_heard = wait(Duration::from_secs(3), || {
        let last = caller.media.recent(Duration::from_millis(160));
        last.len() >= 1000 && sound::is_mix(&last, &[440.0, 480.0], &[700.0])
    });
    assert!(is_heard, "no ringback");
    let called = incoming.answers();
    called.plays(700.0);
    caller.media.hears(700.0);
    both_end(caller, called);
}

#[test]
fn callee_is_heard_before_it_answers_when_the_flow_wants_it() {
    let (switch, trunk) = switch(r#", "early_media": true"#);
    let mut setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    incoming.sounds_early();
    incoming.media.play(&sound::tone(&[900.0], 1500, 9000.0));
    let progress = setup.rings_with(183);
    assert!(progress.sdp().is_some(), "183 without a description");
    setup.media.hears(900.0);
    let called = incoming.answers();
    let caller = setup.answered();
    hear_each_other(&caller, &called);
    both_end(caller, called);
}

#[test]
fn party_that_holds_hears_nothing_and_the_held_one_hears_music() {
    let (switch, trunk) = switch("");
    let (mut caller, mut called) = connected(&switch, trunk, COMMON, COMMON);
    hear_each_other(&caller, &called);
    for (is_caller, direction) in [
        (true, "sendonly"),
        (true, "inactive"),
        (false, "sendonly"),
        (false, "inactive"),
    ] {
        let (holder, held) = if is_caller {
            (&mut caller, &mut called)
        } else {
            (&mut called, &mut caller)
        };
        let hold = message::sdp(holder.media.local(), COMMON, direction, 3);
        assert_eq!(holder.reinvite(hold).status(), 200);
        holder.media.hears_nothing_for(Duration::from_millis(300));
        holder.plays(1300.0);
        held.plays(1100.0);
        thread::sleep(Duration::from_millis(600));
        let heard = held.media.recent(Duration::from_millis(300));
        let share = sound::share(&heard, 1300.0);
        assert!(share < 0.05, "the held one hears the holder: {share}");
        assert!(sound::rms(&heard) > 100.0, "the held one has no music");
        holder.media.hears_nothing_for(Duration::from_millis(300));
        thread::sleep(Duration::from_millis(1200));
        let resume = message::sdp(holder.media.local(), COMMON, "sendrecv", 4);
        assert_eq!(holder.reinvite(resume).status(), 200);
        thread::sleep(Duration::from_millis(300));
        hear_each_other(&caller, &called);
        thread::sleep(Duration::from_millis(1600));
    }
    both_end(caller, called);
}

#[test]
fn muted_caller_is_not_heard_and_hears() {
    for (direction, is_heard, hears) in [("in", false, true), ("out", true, false)] {
        let trunk = Phone::trunk();
        let flow = format!(
            r#"[{{"type": "answer"}}, {{"type": "mute", "option": {{"direction": "{direction}"}}}}, {}, {{"type": "hangup"}}]"#,
            connect(&[NUMBER], "")
        );
        let switch = Setting::new()
            .trunk("carrier", &trunk, NUMBER, "")
            .flow("out", &flow)
            .start();
        let (caller, called) = connected(&switch, trunk, COMMON, COMMON);
        for (speaker, listener, hz, passes) in [
            (&caller, &called, 500.0, is_heard),
            (&called, &caller, 700.0, hears),
        ] {
            speaker.plays(hz);
            if passes {
                listener.media.hears(hz);
            } else {
                thread::sleep(Duration::from_millis(500));
                let share = sound::share(&listener.media.recent(Duration::from_millis(300)), hz);
                assert!(share < 0.05, "{hz} Hz passes although {direction} is muted");
            }
        }
        both_end(caller, called);
    }
}

#[test]
fn callers_flow_goes_on_when_the_callee_leaves() {
    let trunk = Phone::trunk();
    let flow = format!(
        r#"[{}, {{"type": "play", "option": {{"stream_urls": ["440.wav"]}}}}, {{"type": "hangup"}}]"#,
        connect(&[NUMBER], "")
    );
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .flow("out", &flow)
        .start();
    let (caller, called) = connected(&switch, trunk, COMMON, COMMON);
    hear_each_other(&caller, &called);
    called.hang_up();
    caller.media.hears(440.0);
    caller.hang_up();
}

#[test]
fn recording_of_a_connected_caller_holds_both_and_does_not_disturb() {
    let trunk = Phone::trunk();
    let flow = format!(
        r#"[{{"type": "answer"}}, {{"type": "recording_start", "option": {{"format": "wav"}}}}, {}, {{"type": "hangup"}}]"#,
        connect(&[NUMBER], "")
    );
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .flow("out", &flow)
        .start();
    let (caller, called) = connected(&switch, trunk, COMMON, &[8, EVENT]);
    hear_each_other(&caller, &called);
    thread::sleep(Duration::from_millis(1500));
    both_end(caller, called);
    thread::sleep(Duration::from_millis(500));
    for (ending, hz) in [("_in.wav", 500.0), ("_out.wav", 700.0)] {
        let path = fs::read_dir(switch.recordings())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().is_some_and(|name| name.ends_with(ending)))
            .unwrap_or_else(|| panic!("no {ending}"));
        let heard = wav::read(&fs::read(&path).unwrap()).unwrap();
        let bars = heard
            .samples
            .chunks(400)
            .filter(|bar| sound::is_tone(bar, hz))
            .count();
        assert!(bars >= 16, "{} ms of {hz} Hz in {ending}", bars * 50);
    }
}
