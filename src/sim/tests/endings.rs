//! Calls that end in every way there is, and what is left of them: nothing.

use super::*;

#[test]
fn hangup_by_the_caller_while_a_prompt_plays_leaves_nothing() {
    let mut world = menu_world(10);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(700);
    world.hang_up(phone);
    world.pass_ms(100);
    assert_eq!(world.words(phone), ["200 INVITE", "200 BYE"]);
    assert_eq!(
        (
            world.switch.calls(),
            world.media.sessions(),
            world.media.orders()
        ),
        (0, 0, 1)
    );
    world.settle();
}

#[test]
fn hangup_by_the_caller_while_a_prompt_is_being_made_leaves_nothing() {
    for text in ["tone 400 2000", "never"] {
        let talk = json!([{"type": "talk", "option": {"text": text}}]);
        let mut world = Plan::new(11).flow("talk", talk).build();
        world.fetching = Duration::from_secs(2);
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "talk");
        world.pass_ms(500);
        world.hang_up(phone);
        world.pass_ms(100);
        assert_eq!(
            world.switch.leftovers().first().map(|(what, _)| *what),
            Some("transactions of the endpoint")
        );
        world.settle();
    }
}

#[test]
fn cancel_while_the_media_socket_opens_is_answered_and_the_socket_closed() {
    let mut world = menu_world(12);
    world.media.binding = Duration::from_millis(400);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(200);
    world.hang_up(phone);
    world.pass_ms(100);
    assert_eq!(
        world.words(phone),
        ["100 INVITE", "200 CANCEL", "487 INVITE"]
    );
    assert_eq!(world.media.sessions(), 0);
    world.settle();
    assert_eq!(
        world.words(phone),
        ["100 INVITE", "200 CANCEL", "487 INVITE"]
    );
}

#[test]
fn cancel_while_ringing_ends_the_call() {
    let mut world = Plan::new(13).flow("ringing", ringing()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "ringing");
    world.pass_ms(2000);
    assert_eq!(world.words(phone), ["180 INVITE"]);
    world.hang_up(phone);
    world.pass_ms(100);
    assert_eq!(
        world.words(phone),
        ["180 INVITE", "200 CANCEL", "487 INVITE"]
    );
    assert_eq!(world.switch.calls(), 0);
    world.settle();
}

#[test]
fn cancel_that_crosses_the_200_does_not_keep_the_call_alive() {
    let mut world = menu_world(14);
    world.sip.weather.delay = Duration::from_millis(100);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(150);
    world.hang_up(phone);
    world.pass_ms(1000);
    assert_eq!(world.words(phone), ["200 INVITE", "200 CANCEL", "200 BYE"]);
    world.settle();
}

#[test]
fn call_that_is_never_acknowledged_ends_with_bye_after_64_t1() {
    let mut world = Plan::new(15).flow("patience", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.acks = false);
    world.dial(phone, "patience");
    world.pass(Duration::from_secs(33));
    assert_eq!(world.words(phone), ["200 INVITE", "BYE"]);
    assert_eq!(
        world.at(phone).seen[0].times,
        11,
        "at 0, .5, 1.5, 3.5, then every 4 s"
    );
    let waited = world.ms_of(phone, "BYE") - world.ms_of(phone, "200 INVITE");
    assert_eq!(waited, 32_000);
    world.settle();
}

#[test]
fn peer_that_answers_no_bye_leaves_nothing_either() {
    let mut world = menu_world(16);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(300);
    world.with(phone, |phone, _| phone.habits.answers = false);
    world.settle();
    assert_eq!(world.at(phone).seen.last().map(|seen| seen.times), Some(11));
}

#[test]
fn call_of_an_hour_is_refreshed_and_then_ended_as_too_long() {
    for takes_updates in [false, true] {
        let mut plan = Plan::new(17).flow("patience", patience());
        plan.session_expires = Duration::from_secs(1800);
        let mut world = plan.build();
        let phone = world.phone("caller", "10.0.0.21");
        world.with(phone, |phone, _| phone.habits.takes_updates = takes_updates);
        world.dial(phone, "patience");
        world.pass(Duration::from_secs(3599));
        assert_eq!(world.state(phone), PhoneState::Answered);
        let refresh = if takes_updates { "UPDATE" } else { "INVITE" };
        let refreshes = world
            .words(phone)
            .iter()
            .filter(|word| **word == refresh)
            .count();
        assert_eq!(refreshes, 3, "{:?}", world.words(phone));
        world.pass(Duration::from_secs(2));
        assert_eq!(world.state(phone), BY_SWITCH);
        assert_eq!(world.ms_of(phone, "BYE") / 1000, 3600);
        world.settle();
    }
}

#[test]
fn too_long_a_call_says_timeout_of_its_end() {
    let mut world = Plan::new(21).flow("patience", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass(Duration::from_secs(3700));
    world.settle();
    let end = "timeout by local: the longest call duration was reached";
    assert_eq!(world.ends(), [end]);
}

#[test]
fn peer_that_answers_no_refresh_is_hung_up() {
    let mut plan = Plan::new(18).flow("patience", patience());
    plan.session_expires = Duration::from_secs(1800);
    let mut world = plan.build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass(Duration::from_secs(10));
    world.with(phone, |phone, _| phone.habits.answers = false);
    world.pass(Duration::from_secs(1800));
    assert_eq!(world.switch.calls(), 0, "{:?}", world.words(phone));
    world.settle();
}

#[test]
fn flow_that_ends_unanswered_refuses_the_call_by_its_reason() {
    for (reason, refusal) in [
        ("normal", "603"),
        ("busy", "486"),
        ("noanswer", "480"),
        ("failed", "408"),
    ] {
        let refuse = json!([{"type": "hangup", "option": {"reason": reason}}]);
        let mut world = Plan::new(19).flow("refuse", refuse).build();
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "refuse");
        world.pass_ms(200);
        assert_eq!(world.words(phone), [format!("{refusal} INVITE")]);
        assert_eq!(world.state(phone), BY_SWITCH);
        world.settle();
    }
}

#[test]
fn byes_of_both_sides_that_cross_end_the_call_once() {
    let brief = json!([{"type": "talk", "option": {"text": "tone 400 1000"}}]);
    let mut world = Plan::new(20).flow("brief", brief).build();
    world.sip.weather.delay = Duration::from_millis(300);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "brief");
    // The sound ends about 1.03 s after the 200 left; its BYE needs 300 ms.
    world.pass_ms(1500);
    world.hang_up(phone);
    world.pass_ms(2000);
    assert_eq!(world.words(phone), ["200 INVITE", "BYE", "200 BYE"]);
    world.settle();
}
