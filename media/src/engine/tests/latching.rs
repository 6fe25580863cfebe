//! Who is heard and who is answered, when others send too.

use std::time::Duration;

use super::rig::{PTIME, Phone, Rig, SESSION, at, config, ms};
use crate::command::{Command, CommandId, SessionConfig};

const STRANGER: &str = "198.51.100.9:7000";

fn echoing(phone: &Phone) -> Rig {
    let mut rig = Rig::with_call(phone);
    let (command, session) = (CommandId(1), SESSION);
    rig.command(Command::Echo {
        command,
        session,
        duration: Duration::from_secs(600),
        with_digits: true,
    });
    rig
}

fn stranger() -> Phone {
    let mut stranger = Phone::new(900.0);
    (stranger.address, stranger.ssrc) = (at(STRANGER), 666);
    stranger
}

#[test]
fn a_stranger_who_sprays_a_running_call_is_neither_heard_nor_answered() {
    let (mut phone, mut stranger) = (Phone::new(400.0), stranger());
    let mut rig = echoing(&phone);
    for _ in 0..200 {
        rig.listen_to(&mut phone, PTIME);
        for _ in 0..3 {
            let packet = stranger.speak();
            rig.receive(stranger.address, &packet);
        }
        let begin = stranger.timestamp;
        let key = stranger.event('9', begin, 160, true);
        rig.receive(stranger.address, &key);
    }
    assert_eq!(rig.rtp().len(), 200);
    assert!(
        rig.sent
            .iter()
            .all(|sent| sent.to.ip() == phone.address.ip())
    );
    assert_eq!(rig.heard_digits(), "");
    assert_eq!(rig.pins, [Some(phone.address)]);
}

#[test]
fn a_stranger_who_knows_the_stream_of_the_peer_is_still_not_heard() {
    let mut phone = Phone::new(400.0);
    let mut rig = echoing(&phone);
    rig.listen_to(&mut phone, ms(100));
    for _ in 0..50 {
        let packet = phone.speak();
        rig.receive(at(STRANGER), &packet);
        rig.receive(at("192.0.2.7:4444"), &packet);
    }
    assert_eq!(rig.rtp().len(), 5);
}

#[test]
fn a_peer_behind_nat_is_answered_where_it_is_from_its_sixth_packet_on() {
    let mut phone = Phone::new(400.0);
    let mut rig = echoing(&phone);
    phone.address = at("203.0.113.5:62000");
    rig.listen_to(&mut phone, ms(200));
    let rtp = rig.rtp();
    assert_eq!(rtp.len(), 5);
    assert!(rtp.iter().all(|sent| sent.to == phone.address));
}

#[test]
fn before_anything_was_heard_sound_goes_to_the_address_of_the_sdp() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.pass(Duration::from_secs(16));
    assert_eq!(rig.rtp()[0].to, phone.address);
}

#[test]
fn a_stranger_cannot_take_over_a_silent_call_after_its_window() {
    let phone = Phone::new(400.0);
    let mut rig = echoing(&phone);
    rig.pass(Duration::from_secs(11));
    let mut stranger = stranger();
    for _ in 0..500 {
        let packet = stranger.speak();
        rig.receive(stranger.address, &packet);
    }
    assert!(rig.rtp().is_empty());
}

#[test]
fn a_new_answer_with_another_address_moves_the_call_and_the_old_one_is_not_heard() {
    let mut phone = Phone::new(400.0);
    let mut rig = echoing(&phone);
    rig.listen_to(&mut phone, ms(100));
    let mut other = Phone::new(500.0);
    (other.address, other.ssrc) = (at("192.0.2.99:4600"), 5);
    rig.configure(SESSION, config(&other));
    rig.listen_to(&mut other, ms(100));
    let before = rig.rtp().len();
    assert_eq!(before, 10);
    assert!(rig.rtp()[5..].iter().all(|sent| sent.to == other.address));
    rig.listen_to(&mut phone, ms(100));
    assert_eq!(rig.rtp().len(), before);
    assert_eq!(rig.pins, [Some(phone.address), None, Some(other.address)]);
}

#[test]
fn hold_and_resume_with_the_same_address_keep_the_latch() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    let told = config(&phone);
    phone.address = at("203.0.113.5:62000");
    rig.listen_to(&mut phone, ms(200));
    rig.pass(Duration::from_secs(60));
    rig.configure(
        SESSION,
        SessionConfig {
            ptime: ms(30),
            ..told
        },
    );
    rig.sent.clear();
    rig.pass(Duration::from_secs(20));
    assert!(rig.rtp().iter().all(|sent| sent.to == phone.address));
    assert!(!rig.rtp().is_empty());
}

#[test]
fn on_hold_by_0_0_0_0_nothing_is_sent_and_a_resume_goes_on_at_once() {
    let mut phone = Phone::new(400.0);
    let mut rig = echoing(&phone);
    rig.listen_to(&mut phone, ms(100));
    rig.configure(
        SESSION,
        SessionConfig {
            remote: at("0.0.0.0:4000"),
            ..config(&phone)
        },
    );
    rig.listen_to(&mut phone, ms(100));
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.rtp().len(), 5);
    rig.configure(SESSION, config(&phone));
    rig.listen_to(&mut phone, ms(100));
    assert_eq!(
        rig.rtp()[5..]
            .iter()
            .filter(|sent| sent.payload().len() == 160)
            .count(),
        5
    );
    assert_eq!(rig.pins, [Some(phone.address)]);
}
