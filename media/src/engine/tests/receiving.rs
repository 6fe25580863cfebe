//! What is heard of packets that are more or other than sound: repeated ones, comfort noise, keys between words.

use std::path::PathBuf;
use std::time::Duration;

use super::rig::{Phone, Rig, SESSION, config, is_tone, ms};
use crate::command::{Command, CommandId, Event, RecordingConfig, RecordingTarget};
use crate::dsp::level::dbov;

/// The payload type of what repeats.
const RED: u8 = 121;

/// A call that is recorded.
fn recorded_call(phone: &Phone) -> Rig {
    let mut rig = Rig::new();
    rig.open(SESSION);
    let mut config = config(phone);
    config.red = Some(RED);
    rig.configure(SESSION, config);
    rig.command(Command::Record {
        command: CommandId(1),
        session: SESSION,
        config: Box::new(RecordingConfig {
            target: RecordingTarget::sides(PathBuf::from("in"), PathBuf::from("out")),
            end_of_silence: None,
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        }),
    });
    rig
}

/// What was heard from `from` on.
fn heard(rig: &Rig, from: Duration) -> Vec<i16> {
    let skipped = (from.as_millis() / 20) as usize;
    let frames = rig.recorded.iter().skip(skipped);
    frames.flat_map(|frame| frame.heard.0).collect()
}

fn dropped(rig: &mut Rig) -> u64 {
    rig.command(Command::Close { session: SESSION });
    let dropped = rig.events.iter().find_map(|(_, event)| match event {
        Event::Closed { stats, .. } => Some(stats.dropped_datagrams),
        _ => None,
    });
    dropped.unwrap()
}

/// A packet that repeats the payload of another one before its own.
fn repeating(packet: &[u8], earlier: &[u8]) -> Vec<u8> {
    let (header, own) = packet.split_at(12);
    let mut whole = header.to_vec();
    whole[1] = RED;
    whole.extend([
        0x80,
        (160_u16 << 2 >> 8) as u8,
        (160_u16 << 2) as u8,
        earlier.len() as u8,
        0,
    ]);
    whole.extend(earlier);
    whole.extend(own);
    whole
}

#[test]
fn a_packet_that_repeats_the_one_before_it_makes_every_other_one_needless() {
    let mut phone = Phone::new(600.0);
    let mut rig = recorded_call(&phone);
    let mut earlier = vec![0xFF; 160];
    for at in 0..200 {
        let packet = phone.speak();
        if at % 2 == 0 || at < 2 {
            let whole = repeating(&packet, &earlier);
            rig.receive(phone.address, &whole);
        }
        earlier = packet[12..].to_vec();
        rig.pass(ms(20));
    }
    let sound = heard(&rig, ms(600));
    assert!(is_tone(&sound, 600.0));
    assert!(dropped(&mut rig) == 0);
}

#[test]
fn a_malformed_repetition_is_counted_and_dropped_and_one_within_another_too() {
    let mut phone = Phone::new(600.0);
    let mut rig = recorded_call(&phone);
    for payload in [
        &[0x80][..],
        &[],
        &[0x80, 0, 3, 255, 0],
        &[RED, 1, 2],
        &[99, 1],
    ] {
        let mut packet = phone.speak();
        packet.truncate(12);
        packet[1] = RED;
        packet.extend(payload);
        rig.receive(phone.address, &packet);
    }
    assert_eq!(dropped(&mut rig), 5);
}

#[test]
fn a_pause_with_comfort_noise_is_heard_as_such_in_a_recording() {
    let mut phone = Phone::new(600.0);
    let mut rig = recorded_call(&phone);
    rig.listen_to(&mut phone, ms(1_000));
    let mut noise = phone.speak();
    noise.truncate(12);
    noise[1] = 13;
    noise.push(42);
    rig.receive(phone.address, &noise);
    rig.pass(ms(2_000));
    let level = dbov(&heard(&rig, ms(1_500)));
    assert!((level + 42.0).abs() < 1.5, "{level:.1} dBov");
}

#[test]
fn keys_between_words_do_not_sound_like_loss() {
    let mut phone = Phone::new(600.0);
    let mut rig = recorded_call(&phone);
    rig.listen_to(&mut phone, ms(1_000));
    let begin = phone.timestamp;
    for at in 0..10_u16 {
        let packet = phone.event('5', begin, 160 * (at + 1), at > 6);
        phone.timestamp = begin.wrapping_add(160 * (u32::from(at) + 1));
        rig.receive(phone.address, &packet);
        rig.pass(ms(20));
    }
    rig.listen_to(&mut phone, ms(1_000));
    assert_eq!(rig.heard_digits(), "5");
    let key = &heard(&rig, ms(1_100))[..480];
    assert!(dbov(key) < -60.0, "{:.1}", dbov(key));
    let after = heard(&rig, ms(1_400));
    assert!(is_tone(&after, 600.0));
}
