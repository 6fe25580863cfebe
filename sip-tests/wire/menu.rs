//! A spoken menu that branches on a key, however the key comes.

use std::time::Duration;

use crate::call::Call;
use crate::message;
use crate::phone::{COMMON, Phone};
use crate::sound;
use crate::switch::{Setting, Switch};
use crate::wav;

const MENU: &str = r##"{
    "name": "menu",
    "numbers": ["+15550001"],
    "actions": [
        {"id": "11111111-0000-4000-8000-000000000000", "type": "talk",
         "option": {"text": "Press one for tea, press two for coffee, press three for water.", "language": "en-US"}},
        {"type": "digits_receive", "option": {"duration": 5000, "length": 1}},
        {"type": "branch", "option": {
            "default_target_id": "99999999-0000-4000-8000-000000000000",
            "target_ids": {
                "1": "aaaaaaaa-0000-4000-8000-000000000000",
                "2": "bbbbbbbb-0000-4000-8000-000000000000",
                "#": "cccccccc-0000-4000-8000-000000000000"
            }}},
        {"id": "aaaaaaaa-0000-4000-8000-000000000000", "type": "play", "option": {"stream_urls": ["500.wav"]}},
        {"type": "hangup"},
        {"id": "bbbbbbbb-0000-4000-8000-000000000000", "type": "play", "option": {"stream_urls": ["700.wav"]}},
        {"type": "hangup"},
        {"id": "cccccccc-0000-4000-8000-000000000000", "type": "play", "option": {"stream_urls": ["1100.wav"]}},
        {"type": "hangup"},
        {"id": "99999999-0000-4000-8000-000000000000", "type": "play", "option": {"stream_urls": ["900.wav"]}},
        {"type": "hangup"}
    ]
}"##;

fn switch() -> Switch {
    let quiet = MENU.replacen(
        r#""type": "talk",
         "option": {"text": "Press one for tea, press two for coffee, press three for water.", "language": "en-US"}"#,
        r#""type": "answer""#,
        1,
    );
    assert_ne!(quiet, MENU, "the menu without its voice");
    [500, 700, 900, 1100]
        .into_iter()
        .fold(Setting::new(), |setting, hz| {
            setting.file(&format!("{hz}.wav"), &wav::plain(f64::from(hz), 800))
        })
        .flow("menu", MENU)
        .flow(
            "quiet",
            &quiet
                .replace("\"name\": \"menu\"", "\"name\": \"quiet\"")
                .replace("+15550001", "+15550002"),
        )
        .start()
}

/// What each key leads to: three branches and the default.
const BRANCHES: [(char, f64); 4] = [('1', 500.0), ('2', 700.0), ('#', 1100.0), ('7', 900.0)];

fn each_key_leads_to_its_branch(
    switch: &Switch,
    offer: &[u8],
    press: impl Fn(&mut Call, char) + Sync,
) {
    std::thread::scope(|scope| {
        for (digit, hz) in BRANCHES {
            let press = &press;
            scope.spawn(move || {
                let mut call = Phone::udp(switch)
                    .invite_offering("quiet", offer, "sendrecv")
                    .answered();
                press(&mut call, digit);
                call.media.hears(hz);
                call.is_hung_up_within(Duration::from_secs(3));
            });
        }
    });
}

#[test]
fn menu_speaks_and_a_key_pressed_meanwhile_counts() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("menu");
    call.media.hears_voice(600);
    call.media.press('2');
    // The voice goes on to its end: only `digits_handle` stops it.
    let patience = Duration::from_secs(10);
    assert!(crate::rtp::wait(patience, || {
        let last = call.media.recent(Duration::from_millis(160));
        last.len() > 900 && sound::is_tone(&last, 700.0)
    }));
    call.is_hung_up_within(Duration::from_secs(3));
}

#[test]
fn menu_is_reached_by_its_number_with_and_without_plus() {
    let switch = switch();
    for number in ["+15550002", "15550002"] {
        let mut call = Phone::udp(&switch).dial(number);
        call.media.press('1');
        call.media.hears(500.0);
        call.is_hung_up_within(Duration::from_secs(3));
    }
}

#[test]
fn key_by_rfc_4733_branches() {
    each_key_leads_to_its_branch(&switch(), COMMON, |call, digit| call.media.press(digit));
}

#[test]
fn key_in_the_voice_band_branches() {
    // A phone that has no telephone-event leaves it out of its offer.
    each_key_leads_to_its_branch(&switch(), &[0], |call, digit| {
        call.media.press_in_band(digit)
    });
}

#[test]
fn key_by_info_branches_in_both_bodies() {
    let switch = switch();
    each_key_leads_to_its_branch(&switch, COMMON, |call, digit| {
        let body = format!("Signal={digit}\r\nDuration=160\r\n");
        let answer = call.exchange("INFO", |request| {
            request.body("application/dtmf-relay", body)
        });
        assert_eq!(answer.status(), 200);
    });
    each_key_leads_to_its_branch(&switch, COMMON, |call, digit| {
        let answer = call.exchange("INFO", |request| {
            request.body("application/dtmf", digit.to_string())
        });
        assert_eq!(answer.status(), 200);
    });
}

#[test]
fn no_key_at_all_leads_to_the_default() {
    let patient = MENU
        .replace("\"duration\": 5000", "\"duration\": 300")
        .replacen("\"type\": \"talk\"", "\"type\": \"answer\"", 1);
    let switch = Setting::new()
        .file("900.wav", &wav::plain(900.0, 800))
        .flow("menu", &patient)
        .start();
    let call = Phone::udp(&switch).dial("menu");
    call.media.hears(900.0);
    call.hang_up();
}

#[test]
fn two_same_keys_in_a_row_are_two_digits() {
    let flow = r#"[
        {"type": "answer"},
        {"type": "digits_receive", "option": {"duration": 3000, "length": 3}},
        {"type": "condition_variable", "option": {"variable": "${voipbin.call.digits}", "condition": "==",
            "value_type": "string", "value_string": "775", "false_target_id": "eeeeeeee-0000-4000-8000-000000000000"}},
        {"type": "play", "option": {"stream_urls": ["500.wav"]}},
        {"type": "hangup"},
        {"id": "eeeeeeee-0000-4000-8000-000000000000", "type": "play", "option": {"stream_urls": ["900.wav"]}},
        {"type": "hangup"}
    ]"#;
    let switch = Setting::new()
        .file("500.wav", &wav::plain(500.0, 800))
        .file("900.wav", &wav::plain(900.0, 800))
        .flow("pin", flow)
        .start();
    let by_event = Phone::udp(&switch).dial("pin");
    let in_band = Phone::udp(&switch)
        .invite_offering("pin", &[0], "sendrecv")
        .answered();
    for digit in ['7', '7', '5'] {
        by_event.media.press(digit);
        in_band.media.press_in_band(digit);
    }
    by_event.media.hears(500.0);
    in_band.media.hears(500.0);
}

#[test]
fn info_the_switch_does_not_know_is_refused_and_the_call_goes_on() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("quiet");
    let answer = call.exchange("INFO", |request| request.body("application/x-unknown", "?"));
    assert_eq!(answer.status(), 415);
    let offer = message::sdp(call.media.local(), COMMON, "sendrecv", 2);
    assert_eq!(call.reinvite(offer).status(), 200);
    call.media.press('1');
    call.media.hears(500.0);
    call.hang_up();
}

#[test]
fn callers_with_three_kinds_of_keys_are_in_the_menu_at_once_and_each_takes_its_own_branch() {
    let switch = switch();
    let mut by_event = Phone::udp(&switch).dial("quiet");
    let mut by_info = Phone::udp(&switch).dial("quiet");
    let mut in_band = Phone::udp(&switch)
        .invite_offering("quiet", &[0], "sendrecv")
        .answered();
    let waiting = Phone::udp(&switch).dial("quiet");
    by_event.media.press('1');
    in_band.media.press_in_band('#');
    let pressed = by_info.exchange("INFO", |request| {
        request.body("application/dtmf-relay", "Signal=2\r\nDuration=160\r\n")
    });
    assert_eq!(pressed.status(), 200);
    by_event.media.hears(500.0);
    by_info.media.hears(700.0);
    in_band.media.hears(1100.0);
    for call in [&mut by_event, &mut by_info, &mut in_band] {
        call.is_hung_up_within(Duration::from_secs(3));
    }
    // The fourth has pressed nothing and still waits.
    assert!(sound::rms(&waiting.media.heard()) < 60.0);
    waiting.hang_up();
}
