//! A fault inside a call, and peers that send rubbish: the others do not notice.

use super::*;
use crate::ids::Rng;

#[test]
fn fault_in_an_answered_call_ends_it_with_bye_and_no_other() {
    let mut world = menu_world(120);
    let [broken, other] = [
        world.phone("broken", "10.0.0.21"),
        world.phone("other", "10.0.0.22"),
    ];
    world.dial(broken, "menu");
    world.pass_ms(500);
    world.with_switch(crate::switch::Switch::poison);
    world.dial(other, "menu");
    world.pass_ms(500);
    assert_eq!(world.words(broken), ["200 INVITE", "BYE"]);
    assert_eq!(world.hears(broken), None);
    assert_eq!(world.hears(other), Some(400));
    assert_eq!(world.media.sessions(), 1);
    world.press(other, '1', Key::Info);
    world.pass_ms(2000);
    assert_eq!(world.at(other).tones(), [400, 500]);
    world.settle();
}

#[test]
fn fault_in_a_ringing_call_refuses_it_with_500() {
    let mut world = Plan::new(121).flow("ringing", ringing()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "ringing");
    world.pass_ms(500);
    world.with_switch(crate::switch::Switch::poison);
    world.pass_ms(100);
    assert_eq!(world.words(phone), ["180 INVITE", "500 INVITE"]);
    world.settle();
}

#[test]
fn fault_in_a_flow_hangs_its_call_up_and_no_other() {
    let mut world = menu_world(122);
    let [broken, other] = [
        world.phone("broken", "10.0.0.21"),
        world.phone("other", "10.0.0.22"),
    ];
    world.dial(broken, "menu");
    world.pass_ms(500);
    world.with_switch(crate::switch::Switch::poison_flow);
    world.dial(other, "menu");
    world.pass_ms(500);
    assert_eq!(world.words(broken), ["200 INVITE", "BYE"]);
    assert_eq!(world.hears(other), Some(400));
    world.settle();
}

/// A message with some of its bytes changed, doubled, cut or lost.
fn damaged(rng: &mut Rng, text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=rng.below(6) {
        let length = u32::try_from(bytes.len()).unwrap();
        let at = rng.below(length) as usize;
        match rng.below(6) {
            0 if !bytes.is_empty() => bytes[at] = rng.next_u32() as u8,
            1 => bytes.insert(at, rng.next_u32() as u8),
            2 => bytes.truncate(at),
            3 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            4 => {
                let end = (at + rng.below(40) as usize).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                const WORDS: [&[u8]; 10] = [
                    b"\r\n",
                    b"\r\n\r\n",
                    b";tag=",
                    b"99999999999999999999",
                    b"-1",
                    b"\0",
                    b"\xff\xfe",
                    b"<sip:",
                    b"Content-Length: 4294967295\r\n",
                    b"ACK ",
                ];
                let word = WORDS[rng.below(10) as usize];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn rubbish_between_good_calls_harms_none_of_them() {
    for seed in 130..134 {
        let mut world = menu_world(seed);
        let mut rng = Rng::from_number(seed);
        let [vandal, talker] = [
            world.phone("vandal", "10.0.0.66"),
            world.phone("talker", "10.0.0.22"),
        ];
        world.with(vandal, |phone, _| phone.habits.is_deaf = true);
        let mut samples: Vec<Vec<u8>> = Vec::new();
        for method in [
            "REGISTER", "OPTIONS", "BYE", "INFO", "CANCEL", "ACK", "UPDATE", "PRACK", "MESSAGE",
        ] {
            let invite = world.with(vandal, |phone, now| phone.sample_invite(now));
            samples.push(invite.replace("INVITE", method).into_bytes());
            samples.push(invite.into_bytes());
            samples.push(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nCSeq: 1 BYE\r\n\r\n".to_vec());
        }
        world.dial(talker, "menu");
        for round in 0..3_000 {
            if round % 1_000 == 500 {
                world.pass_ms(10);
            }
            let sample = samples[rng.below(u32::try_from(samples.len()).unwrap()) as usize].clone();
            let bytes = damaged(&mut rng, &sample);
            world.inject(vandal, bytes.into());
        }
        let noise: Vec<u8> = (0..400).map(|_| rng.next_u32() as u8).collect();
        world.inject(vandal, noise.into());
        world.pass_ms(300);
        assert_eq!(world.hears(talker), Some(400));
        world.press(talker, '2', Key::Info);
        world.pass_ms(2500);
        assert_eq!(world.at(talker).tones(), [400, 600]);
        let phone = world.phone("after", "10.0.0.23");
        world.dial(phone, "menu");
        world.pass_ms(300);
        assert_eq!(world.state(phone), PhoneState::Answered);
        world.hang_up(phone);
        world.settle();
    }
}

#[test]
fn damaged_messages_of_a_call_do_not_break_its_own_dialog() {
    let mut world = Plan::new(140).flow("patience", patience()).build();
    let mut rng = Rng::from_number(140);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass_ms(300);
    for _ in 0..300 {
        let length = rng.below(300) as usize;
        let text: String = (0..length)
            .map(|_| char::from(b' ' + (rng.below(95) as u8)))
            .collect();
        world.with(phone, |phone, now| {
            phone.request(
                now,
                crate::sip::message::Method::Info,
                "Content-Type: application/dtmf-relay\r\n",
                &text,
            );
        });
        world.with(phone, |phone, now| {
            phone.request(
                now,
                crate::sip::message::Method::Update,
                "Content-Type: application/sdp\r\n",
                &text,
            );
        });
        world.pass_ms(20);
    }
    assert_eq!(world.state(phone), PhoneState::Answered);
    world.hang_up(phone);
    world.pass_ms(100);
    assert_eq!(world.words(phone).last(), Some(&"200 BYE"));
    assert_eq!(world.state(phone), BY_ITSELF);
    world.settle();
}
