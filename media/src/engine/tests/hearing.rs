//! What comes from the peer: echo, digits, reports.

use std::time::Duration;

use proptest::prelude::*;

use super::rig::{PTIME, Phone, Rig, SESSION, TELEPHONE_EVENT, at, config, is_tone, ms};
use crate::codec::Codec;
use crate::command::{
    Command, CommandId, DigitSource, Direction, Event, Outcome, SessionConfig, SessionStats,
};
use crate::engine::Input;
use crate::prompt::Prompt;
use crate::rtp::{Compound, RtcpPacket, Ssrc};
use crate::sim::start;

fn echo(rig: &mut Rig, command: u64, duration: Duration, with_digits: bool) {
    let command = CommandId(command);
    rig.command(Command::Echo {
        command,
        session: SESSION,
        duration,
        with_digits,
    });
}

fn stats(rig: &mut Rig) -> SessionStats {
    rig.command(Command::Close { session: SESSION });
    let stats = rig.events.iter().find_map(|(_, event)| match event {
        Event::Closed { stats, .. } => Some(**stats),
        _ => None,
    });
    stats.unwrap()
}

#[test]
fn an_echo_leaves_in_the_instant_it_arrives_with_our_own_numbers() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    for n in 0..100 {
        rig.pass(Duration::from_micros(19_900 + n));
        let packet = phone.speak();
        rig.receive(phone.address, &packet);
        let back = rig.sent.last().unwrap();
        assert_eq!((back.at, back.to), (rig.now, phone.address));
        assert_eq!(back.payload(), &packet[12..]);
    }
    let rtp = rig.rtp();
    assert_eq!(rtp.len(), 100);
    assert_ne!(rtp[0].header().ssrc, Ssrc(phone.ssrc));
    assert!(rtp[0].header().marker && !rtp[1].header().marker);
    for two in rtp.windows(2) {
        assert_eq!(two[1].header().sequence, two[0].header().sequence.next());
        assert_eq!(
            two[1].header().timestamp.since(two[0].header().timestamp),
            160
        );
    }
    rig.pass(ms(10_000));
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    assert_eq!(rig.finished_at(1), Some(start() + ms(10_000)));
}

#[test]
fn an_echo_without_listeners_ticks_nothing() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    rig.listen_to(&mut phone, ms(1_000));
    assert_eq!((rig.rtp().len(), rig.wakes), (50, 0));
}

#[test]
fn an_echo_in_another_codec_comes_back_in_ours() {
    let mut phone = Phone::new(700.0);
    phone.codec = Codec::Pcma;
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    rig.listen_to(&mut phone, ms(1_000));
    assert!(rig.rtp().iter().all(|sent| sent.header().payload_type == 0));
    assert!(is_tone(&rig.sound(), 700.0));
}

#[test]
fn a_prompt_speaks_over_the_echo_and_one_stream_of_numbers_goes_on() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    rig.listen_to(&mut phone, ms(200));
    let prompts = vec![std::sync::Arc::new(Prompt::from_samples(vec![
        9_000;
        1_600
    ]))];
    let (command, session) = (CommandId(2), SESSION);
    rig.command(Command::Play {
        command,
        session,
        prompts,
        stop_on_digit: false,
        is_endless: false,
    });
    rig.listen_to(&mut phone, ms(400));
    assert_eq!(rig.finished(2), Some(&Outcome::Done));
    let rtp = rig.rtp();
    let loud = rtp.iter().filter(|sent| {
        sent.payload()
            .iter()
            .all(|octet| *octet == sent.payload()[0])
    });
    assert_eq!(loud.count(), 10);
    for two in rtp.windows(2) {
        assert_eq!(two[1].header().sequence, two[0].header().sequence.next());
        let step = two[1].header().timestamp.since(two[0].header().timestamp);
        assert!((160..=400).contains(&step), "a step of {step}");
    }
}

#[test]
fn telephone_events_come_back_with_an_echo_only_when_asked_for() {
    for with_digits in [false, true] {
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        echo(&mut rig, 1, ms(10_000), with_digits);
        rig.listen_to(&mut phone, ms(100));
        let begin = phone.timestamp;
        for n in 1..=5 {
            let packet = phone.event('7', begin, n * 160, n == 5);
            rig.receive(phone.address, &packet);
            rig.pass(PTIME);
        }
        rig.listen_to(&mut phone, ms(100));
        let events = rig
            .rtp()
            .iter()
            .filter(|sent| sent.header().payload_type == TELEPHONE_EVENT)
            .count();
        assert_eq!(events, if with_digits { 5 } else { 0 });
        assert_eq!(rig.heard_digits(), "7");
    }
}

#[test]
fn a_key_is_told_at_its_first_packet_and_stops_a_prompt_that_it_may_stop() {
    for stop_on_digit in [true, false] {
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        let prompts = vec![std::sync::Arc::new(Prompt::from_samples(vec![0; 80_000]))];
        let (command, session) = (CommandId(1), SESSION);
        rig.command(Command::Play {
            command,
            session,
            prompts,
            stop_on_digit,
            is_endless: false,
        });
        rig.pass(ms(500));
        let begin = phone.timestamp;
        let packet = phone.event('3', begin, 160, false);
        rig.receive(phone.address, &packet);
        let told = rig.events.last().unwrap().0;
        assert_eq!(told, rig.now);
        assert_eq!(rig.heard_digits(), "3");
        let digit = crate::dtmf::Digit::from_char('3').unwrap();
        let expected = stop_on_digit.then_some(Outcome::Interrupted { digit });
        assert_eq!(rig.finished(1), expected.as_ref());
    }
}

#[test]
fn keys_as_tones_are_heard_from_a_peer_that_sent_no_events() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    for key in "19#".chars() {
        phone.press(key);
        rig.listen_to(&mut phone, ms(100));
        for _ in 0..5 {
            let packet = phone.hush();
            rig.receive(phone.address, &packet);
            rig.pass(PTIME);
        }
    }
    assert_eq!(rig.heard_digits(), "19#");
    let is_tone = |event: &Event| {
        matches!(
            event,
            Event::Digit {
                source: DigitSource::Tone,
                ..
            }
        )
    };
    assert_eq!(
        rig.events
            .iter()
            .filter(|(_, event)| is_tone(event))
            .count(),
        3
    );
}

#[test]
fn a_key_that_comes_as_tone_and_as_event_is_told_once_and_its_next_press_again() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    phone.press('5');
    rig.listen_to(&mut phone, ms(160));
    assert_eq!(rig.heard_digits(), "5");
    let press = |rig: &mut Rig, phone: &mut Phone| {
        let begin = phone.timestamp;
        for n in 1..=5 {
            let packet = phone.event('5', begin, n * 160, n == 5);
            rig.receive(phone.address, &packet);
            rig.pass(PTIME);
        }
    };
    press(&mut rig, &mut phone);
    assert_eq!(rig.heard_digits(), "5");
    press(&mut rig, &mut phone);
    assert_eq!(rig.heard_digits(), "55");
    phone.press('8');
    rig.listen_to(&mut phone, ms(200));
    assert_eq!(rig.heard_digits(), "55");
}

#[test]
fn once_events_came_nothing_is_decoded_or_ticked() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    let begin = phone.timestamp;
    let packet = phone.event('5', begin, 160, true);
    rig.receive(phone.address, &packet);
    let before = rig.wakes;
    rig.listen_to(&mut phone, ms(1_000));
    assert_eq!(rig.wakes, before);
}

#[test]
fn nobody_is_heard_while_we_do_not_receive() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.configure(
        SESSION,
        SessionConfig {
            direction: Direction::SendOnly,
            ..config(&phone)
        },
    );
    echo(&mut rig, 1, ms(10_000), true);
    let begin = phone.timestamp;
    let packet = phone.event('5', begin, 160, true);
    rig.receive(phone.address, &packet);
    rig.listen_to(&mut phone, ms(200));
    assert_eq!((rig.heard_digits().as_str(), rig.rtp().len()), ("", 0));
}

#[test]
fn another_ssrc_is_taken_at_its_second_packet_in_a_row() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    rig.listen_to(&mut phone, ms(100));
    (phone.ssrc, phone.seq) = (78, 9);
    rig.listen_to(&mut phone, ms(100));
    assert_eq!(rig.rtp().len(), 9);
    let stats = stats(&mut rig);
    assert_eq!(
        (
            stats.received_packets,
            stats.dropped_datagrams,
            stats.lost_packets
        ),
        (9, 1, 0)
    );
}

#[test]
fn what_is_no_packet_of_the_call_is_counted_and_dropped() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(10_000), false);
    let mut unknown = phone.speak();
    unknown[1] = 99;
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0];
    for noise in [&unknown[..], &stun, &[], &[0x80], &[0x80, 200, 0, 200]] {
        rig.receive(phone.address, noise);
    }
    assert_eq!(rig.rtp().len(), 0);
    assert_eq!(stats(&mut rig).dropped_datagrams, 5);
}

#[test]
fn reports_tell_what_was_sent_and_heard_and_the_last_one_says_goodbye() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig, 1, ms(60_000), false);
    for n in 0..500 {
        let packet = phone.speak();
        if n % 50 != 7 {
            rig.receive(phone.address, &packet);
        }
        rig.pass(PTIME);
    }
    rig.command(Command::Close { session: SESSION });
    let reports: Vec<_> = rig.sent.iter().filter(|sent| sent.rtcp).collect();
    assert!(reports.len() >= 2);
    assert!(reports.iter().all(|sent| sent.to == at("192.0.2.7:4001")));
    let goodbye: Vec<_> = Compound::parse(&reports.last().unwrap().bytes)
        .unwrap()
        .collect();
    let [
        RtcpPacket::SenderReport {
            info,
            reports: blocks,
            ..
        },
        _,
        RtcpPacket::Bye(_),
    ] = &goodbye[..]
    else {
        panic!("{goodbye:?}")
    };
    assert_eq!((info.packets, info.octets), (490, 490 * 160));
    let block = blocks.clone().next().unwrap();
    assert_eq!(
        (block.source, block.cumulative_lost),
        (Ssrc(phone.ssrc), 10)
    );
    assert_eq!(rig.finished(1), Some(&Outcome::Canceled));
}

#[test]
fn rtcp_on_the_port_of_rtp_is_understood_and_answered_there_when_agreed() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.configure(
        SESSION,
        SessionConfig {
            rtcp_mux: true,
            ..config(&phone)
        },
    );
    rig.listen_to(&mut phone, ms(100));
    let report = [0x80, 201, 0, 1, 0, 0, 0, 77];
    let source = phone.address;
    rig.input(Input::Datagram {
        session: SESSION,
        source,
        rtcp: false,
        arrival: rig.now,
        bytes: &report,
    });
    rig.pass(Duration::from_secs(10));
    let report = rig.sent.iter().find(|sent| sent.bytes[1] >= 200).unwrap();
    assert_eq!((report.to, report.rtcp), (phone.address, false));
    assert_eq!(stats(&mut rig).dropped_datagrams, 0);
}

proptest! {
    #[test]
    fn any_octets_on_either_socket_harm_nothing(
        datagrams in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..80), any::<bool>(), prop::bool::ANY, 0..40_u64),
            1..40,
        ),
    ) {
        let phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        echo(&mut rig, 1, ms(100_000), true);
        for (mut bytes, rtcp, is_formed, pause) in datagrams {
            if is_formed && let [first, second, ..] = &mut bytes[..] {
                *first = 0x80 | *first & 0x3F;
                *second = if rtcp { 200 + *second % 6 } else { [0, 8, 13, 101][usize::from(*second % 4)] };
            }
            let source = phone.address;
            let arrival = rig.now;
            rig.input(Input::Datagram { session: SESSION, source, rtcp, arrival, bytes: &bytes });
            rig.pass(ms(pause));
        }
        prop_assert_eq!((rig.engine.stats().sessions, rig.engine.stats().faults), (1, 0));
    }
}
