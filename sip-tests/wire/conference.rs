//! A conference: each hears all the others and not itself.

use std::thread;
use std::time::Duration;

use crate::call::Call;
use crate::phone::Phone;
use crate::rtp::{EVENT, wait};
use crate::sound;
use crate::switch::{Setting, Switch};

const ROOM: &str = "7d3a4c52-6f0e-4a57-9a0f-0c6f2f1f7a11";

/// A voice each, far enough apart to be told from each other.
const VOICES: [f64; 5] = [500.0, 700.0, 1100.0, 1300.0, 1700.0];

fn switch() -> Switch {
    Setting::new()
        .config(&format!(
            "[[conferences]]\nid = \"{ROOM}\"\nname = \"weekly\""
        ))
        .flow(
            "room",
            &format!(
                r#"[{{"type": "answer"}},
                    {{"type": "conference_join", "option": {{"conference_id": "{ROOM}"}}}},
                    {{"type": "play", "option": {{"stream_urls": ["440.wav"]}}}},
                    {{"type": "hangup"}}]"#
            ),
        )
        .start()
}

#[test]
fn each_of_five_hears_the_four_others_and_not_itself() {
    let switch = switch();
    // Both laws in one room.
    let calls: Vec<Call> = (0..5)
        .map(|n| {
            let law = if n % 2 == 0 { 0 } else { 8 };
            Phone::udp(&switch)
                .named(&format!("member{n}"))
                .invite_offering("room", &[law, EVENT], "sendrecv")
                .answered()
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    for (call, hz) in calls.iter().zip(VOICES) {
        call.media.play(&sound::tone(&[hz], 4000, 4000.0));
    }
    for (own, call) in calls.iter().enumerate() {
        let others: Vec<f64> = (0..5).filter(|n| *n != own).map(|n| VOICES[n]).collect();
        let is_heard = wait(Duration::from_secs(3), || {
            let last = call.media.recent(Duration::from_millis(200));
            last.len() >= 1200 && sound::is_mix(&last, &others, &[VOICES[own]])
        });
        let last = call.media.recent(Duration::from_millis(200));
        let shares: Vec<String> = VOICES
            .iter()
            .map(|hz| format!("{hz}: {:.3}", sound::share(&last, *hz)))
            .collect();
        assert!(is_heard, "member {own} hears {}", shares.join(", "));
    }
    for call in calls {
        call.hang_up();
    }
}

#[test]
fn members_come_and_go_and_the_rest_hear_each_other() {
    let switch = switch();
    let member = |hz: f64| {
        let call = Phone::udp(&switch).dial("room");
        call.media.play(&sound::tone(&[hz], 8000, 5000.0));
        call
    };
    let (a, b, c) = (member(500.0), member(700.0), member(1100.0));
    let hears = |call: &Call, voices: &[f64], absent: &[f64]| {
        let is_heard = wait(Duration::from_secs(3), || {
            let last = call.media.recent(Duration::from_millis(200));
            last.len() >= 1200 && sound::is_mix(&last, voices, absent)
        });
        assert!(is_heard, "did not hear {voices:?} without {absent:?}");
    };
    hears(&a, &[700.0, 1100.0], &[500.0]);
    c.hang_up();
    hears(&a, &[700.0], &[500.0, 1100.0]);
    hears(&b, &[500.0], &[700.0, 1100.0]);
    a.hang_up();
    b.media.hears_nothing_for(Duration::from_millis(300));
    b.hang_up();
}
