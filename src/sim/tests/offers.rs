//! Where the sound goes: offers, answers, early media, hold, a new address.

use super::*;
use crate::sip::message::{HeaderName, Message};

fn body(world: &World, phone: PhoneId, word: &str) -> String {
    let seen = world
        .at(phone)
        .last(word)
        .unwrap_or_else(|| panic!("no {word}"));
    let (Message::Response(crate::sip::message::Response { body, .. })
    | Message::Request(crate::sip::message::Request { body, .. })) = &seen.message;
    String::from_utf8(body.to_vec()).unwrap()
}

fn early() -> serde_json::Value {
    json!([
        {"type": "play", "option": {"stream_urls": ["tone 400 1000"]}},
        {"type": "answer"},
        {"type": "talk", "option": {"text": "tone 500 1000"}},
    ])
}

#[test]
fn delayed_offer_talks_only_after_the_ack() {
    let mut world = menu_world(30);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| {
        phone.habits.offer = Offer::None;
        phone.habits.acks = false;
    });
    world.dial(phone, "menu");
    world.pass_ms(1000);
    assert_eq!(
        (world.media.orders(), world.at(phone).voice().packets),
        (0, 0)
    );
    world.with(phone, |phone, _| phone.habits.acks = true);
    world.pass_ms(1000);
    assert_eq!(world.hears(phone), Some(400));
    world.press(phone, '1', Key::Event);
    world.pass_ms(2000);
    assert_eq!(world.at(phone).tones(), [400, 500]);
    world.settle();
}

#[test]
fn answer_in_the_ack_that_cannot_be_followed_ends_the_call_with_bye() {
    for body in [AckBody::Nothing, AckBody::Foreign, AckBody::Garbage] {
        let mut world = menu_world(31);
        let phone = world.phone("caller", "10.0.0.21");
        world.with(phone, |phone, _| {
            phone.habits.offer = Offer::None;
            phone.habits.ack_body = body;
        });
        world.dial(phone, "menu");
        world.pass_ms(500);
        assert_eq!(world.words(phone), ["200 INVITE", "BYE"], "{body:?}");
        assert_eq!(world.at(phone).voice().packets, 0);
        world.settle();
    }
}

#[test]
fn early_media_is_heard_before_the_answer_and_both_say_the_same_description() {
    let mut world = Plan::new(32).flow("early", early()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "early");
    world.pass_ms(500);
    assert_eq!(world.words(phone), ["180 INVITE", "183 INVITE"]);
    assert_eq!(world.hears(phone), Some(400));
    world.pass_ms(2000);
    assert_eq!(
        world.words(phone),
        ["180 INVITE", "183 INVITE", "200 INVITE", "BYE"]
    );
    assert_eq!(world.at(phone).tones(), [400, 500]);
    assert_eq!(
        body(&world, phone, "183 INVITE"),
        body(&world, phone, "200 INVITE")
    );
    world.settle();
}

#[test]
fn early_media_without_an_offer_rings_and_the_flow_goes_on_all_the_same() {
    let mut world = Plan::new(33).flow("early", early()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.offer = Offer::None);
    world.dial(phone, "early");
    world.pass_ms(3000);
    assert_eq!(world.words(phone), ["180 INVITE", "200 INVITE", "BYE"]);
    assert_eq!(world.at(phone).tones(), [500]);
    world.settle();
}

#[test]
fn digits_and_echo_before_the_answer_are_early_media_and_end_in_time() {
    for offer in [Offer::Full, Offer::None] {
        let flow = json!([
            {"type": "digits_send", "option": {"digits": "12"}},
            {"type": "echo", "option": {"duration": 500}},
            {"type": "answer"},
            {"type": "talk", "option": {"text": "tone 500 500"}},
        ]);
        let mut world = Plan::new(42).flow("flow", flow).build();
        let phone = world.phone("caller", "10.0.0.21");
        world.with(phone, |phone, _| phone.habits.offer = offer);
        world.dial(phone, "flow");
        world.pass_ms(3000);
        let early = if offer == Offer::Full {
            ("183 INVITE", "12")
        } else {
            ("180 INVITE", "")
        };
        assert_eq!(
            world.words(phone),
            [early.0, "200 INVITE", "BYE"],
            "{offer:?}"
        );
        assert_eq!(world.at(phone).voice().keys, early.1);
        assert_eq!(world.at(phone).tones(), [500]);
        world.settle();
    }
}

#[test]
fn cancel_during_early_media_finishes_what_plays() {
    let mut world = Plan::new(34).flow("early", early()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "early");
    world.pass_ms(500);
    world.hang_up(phone);
    world.pass_ms(500);
    assert_eq!(
        world.words(phone),
        ["180 INVITE", "183 INVITE", "200 CANCEL", "487 INVITE"]
    );
    assert_eq!(world.hears(phone), None);
    world.settle();
}

#[test]
fn held_caller_hears_nothing_until_it_resumes_and_the_flow_runs_on() {
    for hold in ["sendonly", "inactive"] {
        let music = json!([{"type": "talk", "option": {"text": "tone 400 20000"}}]);
        let mut world = Plan::new(35).flow("music", music).build();
        let phone = world.phone("caller", "10.0.0.21");
        let rtp = world.at(phone).rtp;
        world.dial(phone, "music");
        world.pass_ms(500);
        world.with(phone, |phone, now| phone.reinvite(now, hold, rtp));
        world.pass_ms(100);
        let packets = world.at(phone).voice().packets;
        assert!(
            body(&world, phone, "200 INVITE").contains(if hold == "sendonly" {
                "recvonly"
            } else {
                "inactive"
            })
        );
        world.pass_ms(5000);
        assert_eq!(world.at(phone).voice().packets, packets, "{hold}");
        world.with(phone, |phone, now| phone.reinvite(now, "sendrecv", rtp));
        world.pass_ms(200);
        assert_eq!(world.hears(phone), Some(400), "{hold}");
        world.pass_ms(15_000);
        assert_eq!(
            world.state(phone),
            BY_SWITCH,
            "the tone of 20 s ended in time"
        );
        world.settle();
    }
}

#[test]
fn sound_follows_the_caller_to_a_new_address() {
    let music = json!([{"type": "talk", "option": {"text": "tone 400 5000"}}]);
    let mut world = Plan::new(36).flow("music", music).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "music");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(500);
    let before = world.at(phone).voice().packets;
    world.move_rtp(phone, "10.0.0.77:5004");
    world.pass_ms(1000);
    assert_eq!(world.hears(phone), Some(400));
    assert!(world.at(phone).voice().packets >= before + 45);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn reinvite_that_cannot_be_followed_is_refused_and_the_call_goes_on() {
    for (offer, status) in [
        (Offer::Foreign, "488 INVITE"),
        (Offer::Broken, "400 INVITE"),
    ] {
        let mut world = menu_world(37);
        let phone = world.phone("caller", "10.0.0.21");
        let rtp = world.at(phone).rtp;
        world.dial(phone, "menu");
        world.pass_ms(500);
        world.with(phone, |phone, now| {
            phone.habits.offer = offer;
            phone.reinvite(now, "sendrecv", rtp);
        });
        world.pass_ms(100);
        assert_eq!(world.words(phone), ["200 INVITE", status]);
        assert_eq!(world.hears(phone), Some(400));
        world.press(phone, '2', Key::Event);
        world.pass_ms(2000);
        assert_eq!(world.at(phone).tones(), [400, 600]);
        world.settle();
    }
}

#[test]
fn reinvite_without_an_offer_gets_ours_and_its_answer_moves_the_sound() {
    let music = json!([{"type": "talk", "option": {"text": "tone 400 5000"}}]);
    let mut world = Plan::new(43).flow("music", music).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "music");
    world.pass_ms(500);
    world.with(phone, |phone, _| phone.habits.offer = Offer::None);
    world.move_rtp(phone, "10.0.0.77:5004");
    world.pass_ms(500);
    assert!(body(&world, phone, "200 INVITE").contains("RTP/AVP 0 8 9 96 101 103"));
    assert_eq!(world.hears(phone), Some(400));
    world.hang_up(phone);
    world.settle();
}

#[test]
fn offer_without_a_common_codec_is_refused_with_488_and_a_broken_one_with_400() {
    for (offer, status) in [
        (Offer::Foreign, "488 INVITE"),
        (Offer::Broken, "400 INVITE"),
    ] {
        let mut world = menu_world(38);
        let phone = world.phone("caller", "10.0.0.21");
        world.with(phone, |phone, _| phone.habits.offer = offer);
        world.dial(phone, "menu");
        world.pass_ms(100);
        assert_eq!(world.words(phone), [status]);
        assert_eq!(world.media.sessions(), 0);
        world.settle();
    }
}

#[test]
fn body_of_another_kind_marked_optional_counts_as_no_offer() {
    let mut world = menu_world(39);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| {
        phone.habits.offer = Offer::Broken;
        phone.habits.headers =
            "Content-Type: application/x-other\r\nContent-Disposition: render;handling=optional\r\n".to_owned();
    });
    world.dial(phone, "menu");
    world.pass_ms(200);
    assert_eq!(world.words(phone).first(), Some(&"200 INVITE"));
    world.hang_up(phone);
    world.settle();
}

#[test]
fn the_caller_s_only_codec_is_spoken() {
    let mut world = menu_world(40);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.offer = Offer::Pcma);
    world.dial(phone, "menu");
    world.pass_ms(700);
    assert!(body(&world, phone, "200 INVITE").contains("RTP/AVP 8 101"));
    assert_eq!(world.at(phone).voice().strange, 0);
    assert_eq!(world.hears(phone), Some(400));
    world.hang_up(phone);
    world.settle();
}

#[test]
fn answer_names_our_address_and_our_contact() {
    let mut world = menu_world(41);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(100);
    let text = body(&world, phone, "200 INVITE");
    assert!(text.contains("c=IN IP4 10.0.0.1\r\n"), "{text}");
    let Message::Response(ok) = &world.at(phone).last("200 INVITE").unwrap().message else {
        panic!("a response");
    };
    let contact = ok.headers.get(&HeaderName::Contact).unwrap();
    assert!(
        contact.windows(9).any(|part| part == b"10.0.0.1:"),
        "{contact:?}"
    );
    world.hang_up(phone);
    world.settle();
}
