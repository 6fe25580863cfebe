//! A spoken menu and the keys of its callers.

use super::*;

const KEYS: [(char, u16); 5] = [('1', 500), ('2', 600), ('3', 700), ('9', 800), ('#', 800)];
const WAYS: [Key; 3] = [Key::Event, Key::Tone, Key::Info];

#[test]
fn each_digit_on_each_path_has_its_branch_while_twenty_other_calls_run() {
    let mut world = menu_world(1);
    for phone in world.phones(20) {
        world.dial(phone, "menu");
    }
    world.pass_ms(100);
    for how in WAYS {
        for (key, tone) in KEYS {
            let phone = world.phone("caller", "10.0.0.21");
            world.dial(phone, "menu");
            world.pass_ms(700);
            assert_eq!(world.hears(phone), Some(400), "{how:?} {key}");
            world.press(phone, key, how);
            world.pass_ms(400);
            assert_eq!(world.hears(phone), Some(tone), "{how:?} {key}");
            world.pass_ms(1500);
            assert_eq!(world.at(phone).tones(), [400, tone], "{how:?} {key}");
            assert_eq!(world.state(phone), BY_SWITCH);
        }
    }
    world.settle();
}

#[test]
fn digit_after_the_prompt_moves_the_cursor_and_silence_takes_the_default() {
    let mut world = menu_world(2);
    let [quick, slow] = [
        world.phone("quick", "10.0.0.21"),
        world.phone("slow", "10.0.0.22"),
    ];
    world.dial(quick, "menu");
    world.dial(slow, "menu");
    world.pass_ms(3000);
    assert_eq!(world.hears(quick), None);
    world.press(quick, '2', Key::Event);
    world.pass_ms(6000);
    assert_eq!(world.at(quick).tones(), [400, 600]);
    assert_eq!(world.at(slow).tones(), [400, 800]);
    world.settle();
}

#[test]
fn digit_while_the_prompt_is_being_made_moves_the_cursor_and_the_prompt_is_never_heard() {
    for how in WAYS {
        let mut world = menu_world(3);
        world.fetching = Duration::from_millis(800);
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "menu");
        world.pass_ms(300);
        world.press(phone, '3', how);
        world.pass_ms(1300);
        assert_eq!(world.at(phone).tones(), [700], "{how:?}");
        world.pass_ms(3000);
        assert_eq!(world.at(phone).tones(), [700], "{how:?}");
        assert_eq!(world.state(phone), BY_SWITCH);
        world.settle();
    }
}

#[test]
fn tones_are_heard_as_digits_from_a_phone_without_telephone_events() {
    let mut world = menu_world(4);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.offer = Offer::NoEvents);
    world.dial(phone, "menu");
    world.pass_ms(700);
    world.press(phone, '1', Key::Tone);
    world.pass_ms(2500);
    assert_eq!(world.at(phone).tones(), [400, 500]);
    world.settle();
}

#[test]
fn key_sent_as_event_and_tone_and_info_at_once_is_one_digit() {
    let collect = json!([
        {"type": "answer"},
        {"type": "digits_receive", "option": {"duration": 60_000, "length": 9}},
    ]);
    let mut world = Plan::new(5).flow("collect", collect).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "collect");
    world.pass_ms(500);
    for key in ['4', '4', '2'] {
        for how in [Key::Event, Key::Info, Key::Tone] {
            world.press(phone, key, how);
        }
        world.pass_ms(1000);
    }
    assert_eq!(world.switch.variable("voipbin.call.digits"), Some("442"));
    world.hang_up(phone);
    world.settle();
}
