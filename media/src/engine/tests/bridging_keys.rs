//! Keys from one of two to the other, as events and as tones.

use super::party::{Party, TONES, session};
use super::rig::{PTIME, Sent, TELEPHONE_EVENT, digits, ms, set_events};
use crate::command::{
    Command, CommandId, DigitSource, Event, Outcome, Part, RecordingConfig, RecordingTarget,
};
use crate::dsp::meter::frequency_power;
use crate::dtmf::{Digit, EventReceiver, ToneDetector};

/// A bridge of two of which each may know telephone-events or not; mixed if it has to be.
fn two(knows: [bool; 2], is_mixed: bool) -> Party {
    let mut party = Party::with(2, |guest, config| {
        set_events(config, knows[guest]);
    });
    party.join(0, Part::FULL);
    party.join(1, Part::FULL);
    if is_mixed {
        party.rig.command(Command::Record {
            command: CommandId(900),
            session: session(1),
            config: Box::new(RecordingConfig {
                target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
                end_of_silence: None,
                end_of_key: Vec::new(),
                duration: None,
                beep_start: false,
            }),
        });
    }
    party.talk(ms(400));
    party.forget();
    party
}

/// Guest 0 presses a key for `packets` packets as an event, with three ends.
fn press(party: &mut Party, digit: char, packets: u16) {
    party.guests[0].speaks = false;
    let begin = party.guests[0].phone.timestamp;
    for step in 1..=packets + 2 {
        let phone = &mut party.guests[0].phone;
        let (duration, end) = (160 * step.min(packets), step >= packets);
        let packet = phone.event(digit, begin, duration, end);
        let address = phone.address;
        party.rig.receive_at(session(0), address, &packet);
        party.talk(PTIME);
    }
    party.guests[0].speaks = true;
}

fn events(packets: &[&Sent]) -> String {
    let mut receiver = EventReceiver::new();
    let events = packets
        .iter()
        .filter(|sent| sent.header().payload_type == TELEPHONE_EVENT);
    events
        .filter_map(|sent| {
            let header = sent.header();
            receiver.handle(sent.payload(), header.timestamp, header.marker)
        })
        .map(Digit::to_char)
        .collect()
}

fn tones(sound: &[i16]) -> String {
    let mut detector = ToneDetector::new();
    let keys = sound.chunks(80).filter_map(|part| detector.push(part));
    keys.map(Digit::to_char).collect()
}

/// Keys told of a session, and how they came.
fn told(party: &Party, guest: usize) -> (String, Vec<DigitSource>) {
    let keys = party
        .rig
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Digit {
                session: known,
                digit,
                source,
            } if *known == session(guest) => Some((digit.to_char(), *source)),
            _ => None,
        });
    keys.unzip()
}

#[test]
fn events_are_passed_on_as_events_relayed_and_mixed() {
    for is_mixed in [false, true] {
        let mut party = two([true, true], is_mixed);
        for digit in "15#".chars() {
            press(&mut party, digit, 5);
            party.talk(ms(200));
        }
        assert_eq!(events(&party.packets(1)), "15#", "mixed: {is_mixed}");
        assert_eq!(told(&party, 0), ("15#".into(), vec![DigitSource::Event; 3]));
        assert_eq!(told(&party, 1).0, "");
        party.forget();
        party.talk(ms(1_000));
        assert!(party.hears_only(1, TONES[0]));
    }
}

#[test]
fn events_become_tones_for_a_peer_without_them() {
    for is_mixed in [false, true] {
        let mut party = two([true, false], is_mixed);
        for digit in "28*".chars() {
            press(&mut party, digit, 5);
            party.talk(ms(200));
        }
        let sound = party.sound(1);
        assert_eq!(tones(&sound), "28*", "mixed: {is_mixed}");
        assert_eq!(told(&party, 0).0, "28*");
        assert_eq!(told(&party, 1).0, "");
        party.forget();
        party.talk(ms(1_000));
        assert!(party.hears_only(1, TONES[0]));
    }
}

#[test]
fn a_key_whose_end_is_lost_ends_by_itself() {
    for (knows, is_mixed) in [
        ([true, false], false),
        ([true, false], true),
        ([true, true], true),
    ] {
        let mut party = two(knows, is_mixed);
        let begin = party.guests[0].phone.timestamp;
        let packet = party.guests[0].phone.event('4', begin, 160, false);
        let address = party.guests[0].phone.address;
        party.rig.receive_at(session(0), address, &packet);
        party.talk(ms(500));
        assert_eq!(tones(&party.sound(1)) + &events(&party.packets(1)), "4");
        party.forget();
        party.talk(ms(500));
        assert!(party.hears_only(1, TONES[0]));
    }
}

#[test]
fn tones_become_events_and_are_cut_for_a_peer_that_knows_events() {
    for is_mixed in [false, true] {
        let mut party = two([false, true], is_mixed);
        for digit in "70".chars() {
            party.guests[0].phone.press(digit);
            party.talk(ms(300));
            party.guests[0].phone.sing(TONES[0]);
            party.talk(ms(300));
        }
        assert_eq!(events(&party.packets(1)), "70", "mixed: {is_mixed}");
        assert_eq!(told(&party, 0), ("70".into(), vec![DigitSource::Tone; 2]));
        // Of 600 ms of tones it has heard what came before they were known.
        let sound = party.sound(1);
        let (low, _) = Digit::from_char('7').unwrap().frequencies();
        let loud = sound
            .chunks_exact(160)
            .filter(|part| frequency_power(part, low) > -25.0);
        let heard = loud.count();
        assert!(heard <= 6, "{heard} frames of the tone");
        party.forget();
        party.talk(ms(1_000));
        assert!(party.hears_only(1, TONES[0]));
    }
}

#[test]
fn tones_stay_tones_for_a_peer_without_events_and_are_told_once() {
    for is_mixed in [false, true] {
        let mut party = two([false, false], is_mixed);
        party.guests[0].phone.press('9');
        party.talk(ms(200));
        party.guests[0].phone.sing(TONES[0]);
        party.talk(ms(200));
        assert_eq!(tones(&party.sound(1)), "9");
        assert_eq!(told(&party, 0).0, "9");
        assert_eq!(told(&party, 1).0, "");
    }
}

#[test]
fn fast_keys_are_passed_on_one_after_another() {
    let mut party = two([true, false], false);
    for digit in "1234567890".chars() {
        press(&mut party, digit, 2);
    }
    party.talk(ms(1_500));
    assert_eq!(tones(&party.sound(1)), "1234567890");
}

#[test]
fn in_a_bridge_of_three_keys_are_told_and_not_passed_on() {
    let mut party = Party::joined(3);
    party.talk(ms(400));
    party.forget();
    press(&mut party, '5', 5);
    party.talk(ms(300));
    assert_eq!(events(&party.packets(1)) + &events(&party.packets(2)), "");
    assert_eq!(told(&party, 0).0, "5");
}

#[test]
fn digits_sent_to_a_member_take_the_place_of_the_others_sound() {
    for (knows, count) in [(true, 2), (false, 2), (true, 3), (false, 3)] {
        let mut party = Party::with(count, |_, config| {
            set_events(config, knows);
        });
        (0..count).for_each(|guest| party.join(guest, Part::FULL));
        party.talk(ms(400));
        party.forget();
        party.rig.command(Command::SendDigits {
            command: CommandId(1),
            session: session(0),
            digits: digits("42"),
            tone: ms(100),
            gap: ms(100),
        });
        party.talk(ms(800));
        let sound = party.sound(0);
        assert_eq!(events(&party.packets(0)) + &tones(&sound), "42");
        assert_eq!(party.rig.finished(1), Some(&Outcome::Done));
        assert_eq!(events(&party.packets(1)) + &tones(&party.sound(1)), "");
        party.forget();
        party.talk(ms(400));
        assert!(party.heard_by(0).contains(&1));
    }
}
