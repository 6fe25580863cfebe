//! A key counts once, whether it comes as a tone, as telephone-events or both ways, and however the network
//! treats its packets.

use super::rig::{PTIME, Phone, Rig, ms};
use crate::sim::Chance;

/// Packets of one press: updates each `step` samples, and three ends.
fn press(phone: &mut Phone, key: char, updates: u16, step: u16) -> Vec<Vec<u8>> {
    let begin = phone.timestamp;
    (1..=updates + 3)
        .map(|n| phone.event(key, begin, step * n.min(updates + 1), n > updates))
        .collect()
}

fn receive(rig: &mut Rig, phone: &Phone, packets: &[Vec<u8>]) {
    for packet in packets {
        rig.receive(phone.address, packet);
        rig.pass(PTIME);
    }
}

fn hush(rig: &mut Rig, phone: &mut Phone, packets: usize) {
    for _ in 0..packets {
        let packet = phone.hush();
        receive(rig, phone, &[packet]);
    }
}

/// A key as a tone of 80 ms, heard to its end.
fn sound(rig: &mut Rig, phone: &mut Phone, key: char) {
    phone.press(key);
    rig.listen_to(phone, ms(80));
    hush(rig, phone, 4);
}

#[test]
fn presses_with_lost_doubled_and_swapped_packets_are_told_once_each() {
    for seed in 1..=200 {
        let mut chance = Chance::new(seed);
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        hush(&mut rig, &mut phone, 5);
        for key in "1220##9".chars() {
            let mut packets = press(&mut phone, key, 5, 160);
            let kept = chance.next() as usize % packets.len();
            let mut at = 0;
            packets.retain(|_| {
                at += 1;
                at == kept + 1 || chance.unit() > 0.4
            });
            let doubled = packets[chance.next() as usize % packets.len()].clone();
            packets.push(doubled);
            for at in 1..packets.len() {
                if chance.unit() < 0.3 {
                    packets.swap(at - 1, at);
                }
            }
            receive(&mut rig, &phone, &packets);
            hush(&mut rig, &mut phone, 3);
        }
        assert_eq!(rig.heard_digits(), "1220##9", "seed {seed}");
    }
}

#[test]
fn a_key_held_for_ten_seconds_with_an_event_each_50_ms_is_told_once() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    let packets = press(&mut phone, '4', 160, 400);
    for packet in &packets {
        rig.receive(phone.address, packet);
        rig.pass(ms(50));
    }
    assert_eq!(rig.heard_digits(), "4");
}

#[test]
fn two_keys_whose_events_are_interleaved_are_told_once_each() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    let first = press(&mut phone, '1', 4, 160);
    let second = press(&mut phone, '2', 4, 160);
    // The late half of the first key comes among the packets of the second.
    receive(&mut rig, &phone, &first[..3]);
    for (late, next) in first[3..].iter().zip(&second) {
        receive(&mut rig, &phone, &[next.clone(), late.clone()]);
    }
    receive(&mut rig, &phone, &second[4..]);
    assert_eq!(rig.heard_digits(), "12");
}

#[test]
fn a_tone_behind_the_events_of_its_key_is_not_told_again() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    hush(&mut rig, &mut phone, 5);
    for key in ['6', '6', '*'] {
        let packets = press(&mut phone, key, 3, 160);
        receive(&mut rig, &phone, &packets);
        sound(&mut rig, &mut phone, key);
    }
    assert_eq!(rig.heard_digits(), "66*");
}

#[test]
fn events_behind_the_tones_of_several_keys_tell_none_of_them_again() {
    for keys in ["12", "55", "1221", "3"] {
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        hush(&mut rig, &mut phone, 5);
        for key in keys.chars() {
            sound(&mut rig, &mut phone, key);
        }
        assert_eq!(rig.heard_digits(), keys);
        for key in keys.chars() {
            let packets = press(&mut phone, key, 1, 160);
            receive(&mut rig, &phone, &packets);
        }
        assert_eq!(rig.heard_digits(), keys, "told again");
        let packets = press(&mut phone, '7', 3, 160);
        receive(&mut rig, &phone, &packets);
        assert_eq!(rig.heard_digits(), format!("{keys}7"));
    }
}

#[test]
fn a_tone_with_its_events_among_its_packets_is_told_once_and_so_is_the_same_key_right_after() {
    for offset in 0..8 {
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        hush(&mut rig, &mut phone, 5);
        for _ in 0..2 {
            phone.press('8');
            rig.listen_to(&mut phone, PTIME * offset);
            let begin = phone.timestamp;
            for n in 1..=5 {
                let packet = phone.event('8', begin, n * 160, n == 5);
                rig.receive(phone.address, &packet);
                rig.listen_to(&mut phone, PTIME);
            }
            hush(&mut rig, &mut phone, 4);
        }
        assert_eq!(rig.heard_digits(), "88", "events {offset} frames behind");
    }
}
