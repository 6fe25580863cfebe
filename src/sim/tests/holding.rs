//! Hold, music and silence: who hears what, whoever holds whom, in every order of asking and lifting.

use super::interrupts::{called, quiet, talk};
use super::talks::*;
use super::*;
use crate::sim::phone::Called;
use crate::sip::message::{Message, Method};
use crate::switch::{CallVerb, ControlError};

/// What the re-INVITEs that came to a telephone wanted, in order.
fn wanted(world: &World, phone: PhoneId) -> Vec<&'static str> {
    let of = |message: &Message| match message {
        Message::Request(request) if request.method == Method::Invite => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let words = ["sendonly", "recvonly", "inactive", "sendrecv"];
            words
                .into_iter()
                .find(|word| body.contains(&format!("a={word}")))
        }
        _ => None,
    };
    let seen = world.at(phone).seen.iter();
    seen.filter_map(|seen| of(&seen.message)).collect()
}

#[test]
fn party_on_hold_is_told_so_hears_nobody_and_is_not_heard_until_it_is_taken_back() {
    let mut t = talks(700);
    for _ in 0..2 {
        assert_eq!(t.ask(ALICE, CallVerb::Hold), Ok(()));
        assert_eq!(t.ask(ALICE, CallVerb::Hold), Ok(()), "again is harmless");
        t.world.pass_ms(500);
        assert!(t.world.is_silent(t.alice) && t.world.is_silent(t.bob));
        assert_eq!(t.cursor(), "connect");
        for phone in [t.alice, t.bob] {
            t.world.press(phone, '5', Key::Info);
        }
        t.world.pass_ms(300);
        for phone in [t.alice, t.bob] {
            assert_eq!(t.world.at(phone).voice().keys, "");
        }
        assert_eq!(t.ask(ALICE, CallVerb::Unhold), Ok(()));
        assert_eq!(t.ask(ALICE, CallVerb::Unhold), Ok(()));
        t.world.pass_ms(500);
        t.hear([Some(500), Some(400), None]);
    }
    let asked = ["sendonly", "sendrecv", "sendonly", "sendrecv"];
    assert_eq!(wanted(&t.world, t.alice), asked);
    t.rest();
}

#[test]
fn party_that_refuses_to_be_held_is_held_all_the_same() {
    for status in [488, 501, 603] {
        let mut t = talks(701);
        t.world
            .with(t.bob, |phone, _| phone.habits.offered = status);
        assert_eq!(t.ask(BOB, CallVerb::Hold), Ok(()));
        t.world.pass_ms(500);
        assert!(t.world.is_silent(t.alice) && t.world.is_silent(t.bob));
        assert_eq!(t.ask(BOB, CallVerb::Unhold), Ok(()));
        t.world.pass_ms(500);
        t.hear([Some(500), Some(400), None]);
        t.rest();
    }
}

#[test]
fn hold_that_meets_a_hold_of_the_party_is_tried_again() {
    let mut t = talks(702);
    assert_eq!(t.ask(ALICE, CallVerb::Hold), Ok(()));
    t.world
        .with(t.alice, |phone, now| phone.hold(now, "sendonly"));
    t.world.pass_ms(9000);
    assert!(t.world.is_silent(t.alice));
    t.world
        .with(t.alice, |phone, now| phone.hold(now, "sendrecv"));
    assert_eq!(t.ask(ALICE, CallVerb::Unhold), Ok(()));
    t.world.pass_ms(9000);
    t.hear([Some(500), Some(400), None]);
    t.rest();
}

#[test]
fn hold_music_and_silence_are_asked_for_and_lifted_in_any_order() {
    use CallVerb::{Hold, Moh, Silence, Unhold, Unmoh, Unsilence};
    // What alice hears after each verb of hers, and whether bob hears her.
    let table = [
        (Moh, "music", true),
        (Moh, "music", true),
        (Silence, "music", true),
        (Unmoh, "nothing", true),
        (Hold, "nothing", false),
        (Unsilence, "nothing", false),
        (Moh, "music", false),
        (Unhold, "music", true),
        (Hold, "music", false),
        (Unmoh, "nothing", false),
        (Unmoh, "nothing", false),
        (Unhold, "bob", true),
        (Silence, "nothing", true),
        (Silence, "nothing", true),
        (Moh, "music", true),
        (Unsilence, "music", true),
        (Unmoh, "bob", true),
    ];
    let mut t = talks(703);
    for (row, (verb, heard, is_heard)) in table.into_iter().enumerate() {
        assert_eq!(t.ask(ALICE, verb), Ok(()));
        t.world.pass_ms(600);
        let hears = match t.world.voices(t.alice)[..] {
            [500] => "bob",
            _ if t.world.is_silent(t.alice) => "nothing",
            _ if t.world.hears_music(t.alice) => "music",
            _ => "something else",
        };
        assert_eq!(hears, heard, "row {row}");
        let voices = t.world.voices(t.bob);
        assert_eq!(voices == [400], is_heard, "row {row}: {voices:?}");
        assert_eq!(t.cursor(), "connect");
    }
    t.rest();
}

#[test]
fn partner_of_one_who_holds_hears_music_until_it_is_taken_back() {
    for (seed, direction) in [(704, "sendonly"), (705, "inactive")] {
        for holder in 0..2 {
            let mut t = talks(seed);
            let (holder, other) = if holder == 0 {
                (t.alice, t.bob)
            } else {
                (t.bob, t.alice)
            };
            t.world
                .with(holder, |phone, now| phone.hold(now, direction));
            t.world.pass_ms(1000);
            assert!(t.world.hears_music(other) && t.world.is_silent(holder));
            t.world.pass_ms(9000);
            assert!(t.world.hears_music(other), "over and over");
            assert_eq!(t.cursor(), "connect");
            t.world
                .with(holder, |phone, now| phone.hold(now, "sendrecv"));
            t.world.pass_ms(500);
            t.hear([Some(500), Some(400), None]);
            t.rest();
        }
    }
}

#[test]
fn hold_by_an_address_of_zeroes_is_hold_too() {
    let mut t = talks(706);
    let rtp = t.world.line(t.bob).rtp;
    t.world.with(t.bob, |phone, now| {
        phone.reinvite(now, "sendrecv", "0.0.0.0:40000".parse().unwrap());
    });
    t.world.pass_ms(1000);
    assert!(t.world.hears_music(t.alice));
    t.world
        .with(t.bob, |phone, now| phone.reinvite(now, "sendrecv", rtp));
    t.world.pass_ms(500);
    t.hear([Some(500), Some(400), None]);
    t.rest();
}

#[test]
fn both_hold_at_once_and_take_back_in_any_order() {
    for order in 0..2 {
        let mut t = talks(707);
        for phone in [t.alice, t.bob] {
            t.world
                .with(phone, |phone, now| phone.hold(now, "sendonly"));
        }
        t.world.pass_ms(1000);
        assert!(t.world.is_silent(t.alice) && t.world.is_silent(t.bob));
        let mut phones = [t.alice, t.bob];
        phones.rotate_left(order);
        let [first, second] = phones;
        t.world
            .with(first, |phone, now| phone.hold(now, "sendrecv"));
        t.world.pass_ms(1000);
        assert!(t.world.hears_music(first) && t.world.is_silent(second));
        t.world
            .with(second, |phone, now| phone.hold(now, "sendrecv"));
        t.world.pass_ms(500);
        t.hear([Some(500), Some(400), None]);
        t.rest();
    }
}

#[test]
fn both_ends_of_one_call_hold_each_other_and_take_back_in_any_order() {
    for ours_first in [true, false] {
        let mut t = talks(708);
        assert_eq!(t.ask(BOB, CallVerb::Hold), Ok(()));
        t.world.pass_ms(200);
        t.world
            .with(t.bob, |phone, now| phone.hold(now, "sendonly"));
        t.world.pass_ms(1000);
        assert!(t.world.hears_music(t.alice) && t.world.is_silent(t.bob));
        for ours in [ours_first, !ours_first] {
            assert!(t.world.voices(t.alice).is_empty());
            match ours {
                true => assert_eq!(t.ask(BOB, CallVerb::Unhold), Ok(())),
                false => t
                    .world
                    .with(t.bob, |phone, now| phone.hold(now, "sendrecv")),
            }
            t.world.pass_ms(500);
        }
        t.hear([Some(500), Some(400), None]);
        t.rest();
    }
}

#[test]
fn held_party_of_a_flow_still_hears_what_is_played_and_the_cursor_goes_its_way() {
    let flow = json!([
        {"id": "answer", "type": "answer"},
        {"id": "one", "type": "talk", "option": {"text": "tone 500 2000"}},
        {"id": "sleep", "type": "sleep", "option": {"duration": 2000}},
        {"id": "two", "type": "talk", "option": {"text": "tone 700 1000"}},
    ]);
    let (mut world, phone) = called(Plan::new(709), flow);
    assert_eq!(world.ask(CallVerb::Hold), Ok(()));
    assert_eq!(world.ask(CallVerb::Moh), Ok(()));
    world.pass_ms(500);
    assert_eq!((world.voices(phone), world.cursor()), (vec![500], "one"));
    world.pass_ms(2000);
    assert_eq!(world.cursor(), "sleep");
    assert!(world.hears_music(phone), "where nothing else is heard");
    world.pass_ms(2000);
    assert_eq!((world.voices(phone), world.cursor()), (vec![700], "two"));
    world.settle();
    assert_eq!(world.state(phone), BY_SWITCH);
}

#[test]
fn music_and_announcements_from_outside_take_turns() {
    let (mut world, phone) = quiet(Plan::new(710));
    assert_eq!(world.ask(CallVerb::Moh), Ok(()));
    world.pass_ms(1000);
    assert!(world.hears_music(phone));
    assert_eq!(world.ask(talk("tone 900 500")), Ok(()));
    world.pass_ms(300);
    assert_eq!(world.voices(phone), [900]);
    world.pass_ms(1500);
    assert!(world.hears_music(phone));
    assert_eq!(world.ask(CallVerb::Unmoh), Ok(()));
    world.pass_ms(500);
    assert!(world.is_silent(phone));
    assert_eq!(world.cursor(), "sleep");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn a_call_that_is_not_answered_is_not_put_on_hold() {
    let mut t = before_talks(talks_plan(711));
    t.world.when_called(t.bob, Called::rings());
    t.world.dial(t.alice, "out");
    t.world.pass_ms(500);
    for party in [ALICE, BOB] {
        for verb in [CallVerb::Hold, CallVerb::Unhold] {
            assert_eq!(t.ask(party, verb), Err(ControlError::NotAnswered));
        }
    }
    t.rest();
}

#[test]
fn hold_music_of_a_telephone_disturbs_no_conference() {
    let name = "0b1e3f6a-8a56-4a1f-8c12-3b8b2e1f0a78";
    let join = json!([
        {"type": "answer"},
        {"type": "confbridge_join", "option": {"confbridge_id": name}},
    ]);
    let mut world = Plan::new(712).flow("room", join).build();
    let phones = [(1, 400), (2, 500), (3, 600)].map(|(at, hertz)| {
        let phone = kit::speaking(
            &mut world,
            &format!("p{at}"),
            &format!("10.0.0.3{at}"),
            hertz,
        );
        world.dial(phone, "room");
        phone
    });
    world.pass_ms(1500);
    let [one, two, three] = phones;
    assert_eq!(world.voices(one), [500, 600]);
    world.with(one, |phone, now| phone.hold(now, "sendonly"));
    world.pass_ms(500);
    assert!(world.is_silent(one));
    assert_eq!(
        (world.voices(two), world.voices(three)),
        (vec![600], vec![500])
    );
    world.hang_up(three);
    world.pass_ms(500);
    assert!(world.hears_music(two), "two are a talk");
    world.with(one, |phone, now| phone.hold(now, "sendrecv"));
    world.pass_ms(500);
    assert_eq!(
        (world.voices(one), world.voices(two)),
        (vec![500], vec![400])
    );
    for phone in phones {
        world.hang_up(phone);
    }
    world.settle();
}
