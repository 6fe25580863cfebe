//! Telephones that hear more than others: who offers what to whom, and who hears whom.

use flowswitch_media::codec::Codec;

use super::kit::*;
use super::*;
use crate::sdp::codecs::Codecs;
use crate::sim::phone::Called;
use crate::sip::message::{Message, Request};

/// A caller and a callee with these codecs, connected; each says its tone.
fn connected(
    seed: u64,
    caller: (&'static [Codec], u16),
    callee: (&'static [Codec], u16),
) -> (World, PhoneId, PhoneId) {
    let plan = trunk_plan(seed).flow("out", connect_then_talk(&json!({})));
    let (mut world, one, other) = connect(plan, caller, callee);
    world.dial(one, "out");
    world.pass_ms(2000);
    assert_eq!(world.words(one), ["180 INVITE", "200 INVITE"]);
    (world, one, other)
}

/// Both of them in a world, before the call.
fn connect(
    plan: Plan,
    caller: (&'static [Codec], u16),
    callee: (&'static [Codec], u16),
) -> (World, PhoneId, PhoneId) {
    let mut world = plan.build();
    let one = speaking(&mut world, "alice", "10.0.0.21", caller.1);
    world.with(one, |phone, _| phone.habits.offer = Offer::Codecs(caller.0));
    let other = world.trunk("carrier.example", "10.0.1.1");
    world.with(other, |phone, _| {
        phone.habits.offer = Offer::Codecs(callee.0);
        phone.habits.tone = Some(callee.1);
    });
    world.when_called(other, Called::answers_after(300));
    (world, one, other)
}

/// The INVITE that a telephone got.
fn invite(world: &World, phone: PhoneId) -> Request {
    match &world
        .at(phone)
        .last("INVITE")
        .expect("it was called")
        .message
    {
        Message::Request(request) => request.clone(),
        Message::Response(_) => unreachable!("an INVITE is a request"),
    }
}

/// The formats that a telephone was offered.
fn offered(world: &World, phone: PhoneId) -> String {
    let body = String::from_utf8(invite(world, phone).body.to_vec()).unwrap();
    let line = body.lines().find_map(|line| line.strip_prefix("m=audio "));
    let line = line.expect("an offer has a stream");
    line.split_once(" RTP/AVP ").unwrap().1.to_owned()
}

const OPUS: &[Codec] = &[Codec::Opus, Codec::Pcmu];
const G722: &[Codec] = &[Codec::G722, Codec::Pcmu];
const NARROW: &[Codec] = &[Codec::Pcmu];

#[test]
fn two_wideband_telephones_hear_6_khz_of_each_other_whatever_their_codecs() {
    for (seed, caller, callee) in [(700, OPUS, OPUS), (701, G722, G722), (702, OPUS, G722)] {
        let (mut world, one, other) = connected(seed, (caller, 6000), (callee, 6000));
        assert_eq!(world.chord(one), [6000], "{caller:?} and {callee:?}");
        assert_eq!(world.chord(other), [6000], "{caller:?} and {callee:?}");
        assert_eq!(world.at(other).voice().codec(), callee[0]);
        world.hang_up(one);
        world.pass_ms(200);
        world.settle();
    }
}

#[test]
fn a_wideband_and_a_narrowband_telephone_hear_1_khz_of_each_other() {
    for (seed, wide) in [(703, OPUS), (704, G722)] {
        let (mut world, one, other) = connected(seed, (wide, 1000), (NARROW, 1100));
        assert_eq!(world.chord(one), [1100], "{wide:?}");
        assert_eq!(world.chord(other), [1000], "{wide:?}");
        world.hang_up(other);
        world.pass_ms(800);
        assert_eq!(world.chord(one), [700], "a prompt of the telephone's band");
        world.hang_up(one);
        world.pass_ms(200);
        world.settle();
    }
}

#[test]
fn keys_are_told_in_every_codec() {
    for (seed, codecs) in [(705, OPUS), (706, G722)] {
        let mut world = menu_world(seed);
        let phone = world.phone("caller", "10.0.0.21");
        world.with(phone, |phone, _| phone.habits.offer = Offer::Codecs(codecs));
        world.dial(phone, "menu");
        world.pass_ms(1000);
        assert_eq!(world.hears(phone), Some(400), "{codecs:?}");
        world.press(phone, '1', Key::Event);
        world.pass_ms(1000);
        assert_eq!(world.hears(phone), Some(500), "{codecs:?}");
        world.hang_up(phone);
        world.pass_ms(200);
        world.settle();
    }
}

#[test]
fn the_callee_is_offered_first_what_the_caller_has() {
    for (seed, caller, formats) in [
        (707, OPUS, "96 9 0 8 101 103"),
        (708, G722, "9 96 0 8 101 103"),
        (709, NARROW, "0 8 9 96 101 103"),
    ] {
        let (mut world, one, other) = connected(seed, (caller, 400), (NARROW, 500));
        assert_eq!(offered(&world, other), formats, "{caller:?}");
        world.hang_up(one);
        world.pass_ms(200);
        world.settle();
    }
}

#[test]
fn a_trunk_is_spoken_to_in_its_own_codecs() {
    let mut plan = trunk_plan(710).flow("out", connect_then_talk(&json!({})));
    let narrow = Codecs::parse(["pcma", "pcmu"]).unwrap();
    plan.codecs
        .trunks
        .insert("carrier.example".to_owned(), narrow);
    let (mut world, one, other) = connect(plan, (OPUS, 400), (NARROW, 500));
    world.dial(one, "out");
    world.pass_ms(2000);
    assert_eq!(offered(&world, other), "8 0 101");
    assert_eq!(world.at(one).voice().codec(), Codec::Opus);
    world.hang_up(one);
    world.pass_ms(200);
    world.settle();
}

#[test]
fn an_invite_that_offers_every_codec_still_goes_into_one_datagram() {
    let mut plan = trunk_plan(711).flow("out", connect_then_talk(&json!({})));
    let all = ["opus", "g722", "l16-16000", "l16", "pcmu", "pcma"];
    plan.codecs.usual = Codecs::parse(all).unwrap();
    let (mut world, one, other) = connect(plan, (OPUS, 400), (NARROW, 500));
    world.dial(one, "out");
    world.pass_ms(1000);
    // RFC 3261 §18.1.1.
    let octets = Message::Request(invite(&world, other)).to_bytes().len();
    assert!(octets < 1_300, "{octets} octets");
    world.hang_up(one);
    world.pass_ms(200);
    world.settle();
}
