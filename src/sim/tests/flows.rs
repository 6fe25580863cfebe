//! What flows do to a call besides menus, and which flow a call gets.

use super::*;

#[test]
fn sound_that_cannot_be_made_is_passed_over() {
    let flow = json!([
        {"type": "answer"},
        {"type": "play", "option": {"stream_urls": ["tone 400 500", "wrong"]}},
        {"type": "talk", "option": {"text": "tone 500 500"}},
    ]);
    let mut world = Plan::new(60).flow("flow", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [500]);
    world.settle();
}

#[test]
fn several_files_are_played_one_after_another() {
    let flow = json!([
        {"type": "answer"},
        {"type": "play", "option": {"stream_urls": ["tone 400 500", "tone 600 500", "tone 400 500"]}},
        {"type": "beep"},
    ]);
    let mut world = Plan::new(61).flow("flow", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(2500);
    assert_eq!(world.at(phone).tones()[..3], [400, 600, 400]);
    assert_eq!(world.at(phone).tones().len(), 4, "and the beep");
    world.settle();
}

#[test]
fn echo_returns_the_caller_s_own_sound_for_its_time() {
    let flow = json!([{"type": "answer"}, {"type": "echo", "option": {"duration": 2000}}]);
    let mut world = Plan::new(62).flow("echo", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "echo");
    world.pass_ms(100);
    world.with(phone, |phone, now| phone.say(now, Some(1100)));
    world.pass_ms(1000);
    assert_eq!(world.hears(phone), Some(1100));
    world.pass_ms(1500);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}

#[test]
fn digits_are_sent_to_the_caller() {
    let flow = json!([{"type": "answer"}, {"type": "digits_send", "option": {"digits": "159#D"}}]);
    let mut world = Plan::new(63).flow("flow", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(3000);
    assert_eq!(world.at(phone).voice().keys, "159#D");
    world.settle();
}

#[test]
fn fetched_flow_is_run_in_the_middle_and_goes_on_where_it_came_from() {
    let outer = json!([
        {"type": "answer"},
        {"type": "fetch_flow", "option": {"flow_id": "inner"}},
        {"type": "talk", "option": {"text": "tone 700 500"}},
    ]);
    let inner = json!([{"type": "talk", "option": {"text": "tone 600 500"}}]);
    let mut world = Plan::new(64)
        .flow("outer", outer)
        .flow("inner", inner)
        .build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "outer");
    world.pass_ms(3000);
    assert_eq!(world.at(phone).tones(), [600, 700]);
    world.settle();
}

#[test]
fn fetching_a_flow_that_does_not_exist_ends_the_call() {
    let outer =
        json!([{"type": "answer"}, {"type": "fetch_flow", "option": {"flow_id": "nowhere"}}]);
    let mut world = Plan::new(65).flow("outer", outer).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "outer");
    world.pass_ms(200);
    assert_eq!(world.words(phone), ["200 INVITE", "BYE"]);
    world.settle();
}

#[test]
fn goto_runs_its_loop_and_then_goes_on() {
    let flow = json!([
        {"type": "answer"},
        {"id": "top", "type": "talk", "option": {"text": "tone 400 300"}},
        {"type": "talk", "option": {"text": "tone 500 300"}},
        {"type": "goto", "option": {"target_id": "top", "loop_count": 2}},
        {"type": "talk", "option": {"text": "tone 600 300"}},
    ]);
    let mut world = Plan::new(66).flow("flow", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(5000);
    assert_eq!(world.at(phone).tones(), [400, 500, 400, 500, 400, 500, 600]);
    world.settle();
}

#[test]
fn endless_loop_without_a_wait_ends_its_call_and_no_other() {
    let spin = json!([{"type": "answer"}, {"id": "top", "type": "goto", "option": {"target_id": "top", "loop_count": 99_999_999}}]);
    let mut world = Plan::new(67)
        .flow("spin", spin)
        .flow("menu", menu())
        .build();
    let [other, phone] = [
        world.phone("other", "10.0.0.21"),
        world.phone("caller", "10.0.0.22"),
    ];
    world.dial(other, "menu");
    world.pass_ms(500);
    world.dial(phone, "spin");
    world.pass_ms(200);
    assert_eq!(world.state(phone), BY_SWITCH);
    assert_eq!(world.hears(other), Some(400));
    world.settle();
}

#[test]
fn call_keeps_its_flow_when_the_directory_changes() {
    let mut world = menu_world(68);
    let [old, new] = [
        world.phone("old", "10.0.0.21"),
        world.phone("new", "10.0.0.22"),
    ];
    world.dial(old, "menu");
    world.pass_ms(500);
    let changed = json!([{"type": "talk", "option": {"text": "tone 900 1000"}}]);
    let table = world.table(&[("menu", changed)], &[]);
    world.input(crate::switch::Input::Flows(table));
    world.dial(new, "menu");
    world.pass_ms(200);
    world.press(old, '1', Key::Event);
    world.pass_ms(2000);
    assert_eq!(world.at(old).tones(), [400, 500]);
    assert_eq!(world.at(new).tones(), [900]);
    world.settle();
}

#[test]
fn name_and_number_with_or_without_plus_find_their_flow() {
    let say = |tone: u16| json!([{"type": "talk", "option": {"text": format!("tone {tone} 300")}}]);
    let numbered = json!({"name": "Sales Desk", "numbers": ["+15550100"], "actions": say(400)});
    let mut plan = Plan::new(69)
        .flow("sales", numbered)
        .flow("support", say(500));
    plan.numbers = vec![("+15550200", "support")];
    let mut world = plan.build();
    for (name, tone) in [
        ("sales", 400),
        ("SALES", 400),
        ("Sales%20Desk", 400),
        ("+15550100", 400),
        ("15550100", 400),
        ("tel:+1-555-0100", 400),
        ("+15550100;npdi", 400),
        ("+15550200", 500),
        ("15550200", 500),
        ("support", 500),
    ] {
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, name);
        world.pass_ms(1000);
        assert_eq!(world.at(phone).tones(), [tone], "{name}");
    }
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "nobody");
    world.pass_ms(100);
    assert_eq!(world.words(phone), ["404 INVITE"]);
    world.settle();
}

#[test]
fn default_flow_takes_what_nobody_claims() {
    let flow = json!([{"type": "talk", "option": {"text": "tone 400 300"}}]);
    let mut world = Plan::new(70).flow("default", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "whatever");
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [400]);
    world.settle();
}
