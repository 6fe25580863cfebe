//! Who hears whom in a bridge.

use std::time::Duration;

use super::party::{BRIDGE, Party, TONES, largest_step, longest_gap, session};
use super::rig::{ms, since_start};
use crate::codec::Codec;
use crate::command::{Command, CommandId, Event, MediaError, Mute, Outcome, Part, SessionId};
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::burst;
use crate::engine::Input;
use crate::prompt::Prompt;

const LISTENS: Part = Part {
    speaks: false,
    hears: true,
};
const SPEAKS: Part = Part {
    speaks: true,
    hears: false,
};

#[test]
fn two_hear_each_other_and_not_themselves_packet_by_packet_and_at_once() {
    let mut party = Party::joined(2);
    party.talk(ms(400));
    party.forget();
    let wakes = party.rig.wakes;
    party.talk(ms(2_000));
    assert_eq!(party.heard_by(0), [1]);
    assert_eq!(party.heard_by(1), [0]);
    assert!(party.hears_only(0, TONES[1]));
    assert_eq!(party.packets(0).len(), 100);
    // Each leaves in the instant in which the other's came: 3 ms after a full 20 ms, and on it.
    let phase = |guest: usize| since_start(party.packets(guest)[0].at).as_millis() % 20;
    assert_eq!((phase(0), phase(1)), (3, 0));
    assert!(party.rig.wakes - wakes < 10, "a relay needs no ticks");
}

#[test]
fn a_relayed_stream_keeps_its_losses_and_survives_another_ssrc() {
    let mut party = Party::joined(2);
    party.talk(ms(200));
    party.forget();
    party.guests[0].speaks = false;
    party.talk(ms(60));
    party.guests[0].speaks = true;
    party.talk(ms(200));
    let numbers: Vec<u16> = party
        .packets(1)
        .iter()
        .map(|sent| sent.header().sequence.0)
        .collect();
    let holes = numbers
        .windows(2)
        .filter(|pair| pair[1].wrapping_sub(pair[0]) == 4);
    assert_eq!(
        (numbers.len(), holes.count()),
        (10, 0),
        "a loss before the first is none"
    );
    party.guests[0].phone.ssrc += 1;
    party.guests[0].phone.seq = 7;
    party.talk(ms(1_000));
    let packets = party.packets(1);
    let numbers: Vec<u16> = packets
        .iter()
        .map(|sent| sent.header().sequence.0)
        .collect();
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1))
    );
    let ssrcs: Vec<u32> = packets.iter().map(|sent| sent.header().ssrc.0).collect();
    assert!(ssrcs.iter().all(|ssrc| *ssrc == ssrcs[0]), "ours stays");
}

#[test]
fn a_law_becomes_mu_law_and_back_in_packets_of_any_length() {
    for tens in 1..=6 {
        let mut party = Party::with(2, |guest, config| {
            if guest == 1 {
                config.send = (8, Codec::Pcma);
            }
        });
        party.join(0, Part::FULL);
        party.join(1, Part::FULL);
        party.guests[0].ptime = ms(10 * tens);
        party.talk(ms(600));
        party.forget();
        party.talk(ms(1_200));
        assert_eq!(party.packets(1)[0].header().payload_type, 8);
        assert_eq!(party.packets(1)[0].payload().len(), 80 * tens as usize);
        assert!(party.hears_only(1, TONES[0]), "{tens}");
        assert!(party.hears_only(0, TONES[1]), "{tens}");
    }
}

#[test]
fn each_of_five_hears_the_other_four_and_not_itself() {
    let mut party = Party::joined(5);
    party.talk(ms(400));
    party.forget();
    party.talk(ms(2_000));
    for (guest, own) in TONES.into_iter().enumerate().take(5) {
        let others: Vec<usize> = (0..5).filter(|other| *other != guest).collect();
        assert_eq!(party.heard_by(guest), others);
        assert_eq!(party.packets(guest).len(), 100);
        assert_eq!(party.sound(guest).len(), 100 * 160);
        let sound = party.sound(guest);
        assert!(frequency_power(&sound, own) < -60.0, "{guest} hears itself");
        for other in others {
            let level = frequency_power(&sound, TONES[other]);
            assert!((level + 18.15).abs() < 0.5, "{other} at {level} dBov");
        }
    }
}

#[test]
fn members_with_packets_of_10_to_60_ms_hear_each_other_without_a_hole() {
    let mut party = Party::with(6, |guest, config| {
        config.ptime = ms(10 * (guest as u64 + 1))
    });
    for guest in 0..6 {
        party.guests[guest].ptime = ms(60 - 10 * guest as u64);
        party.join(guest, Part::FULL);
    }
    party.talk(ms(600));
    party.forget();
    party.talk(ms(3_000));
    for guest in 0..6 {
        let others: Vec<usize> = (0..6).filter(|other| *other != guest).collect();
        assert_eq!(party.heard_by(guest), others);
        let octets = 80 * (guest + 1);
        assert!(
            party
                .packets(guest)
                .iter()
                .all(|sent| sent.payload().len() == octets)
        );
        let (count, expected) = (party.packets(guest).len(), 300 / (guest + 1));
        assert!(count.abs_diff(expected) <= 1, "{count}");
        assert_eq!(party.sound(guest).len(), count * octets, "no pause");
    }
}

#[test]
fn who_only_listens_hears_all_and_is_not_heard_and_who_only_speaks_hears_silence() {
    let mut party = Party::of(4);
    [Part::FULL, Part::FULL, LISTENS, SPEAKS]
        .into_iter()
        .enumerate()
        .for_each(|(guest, part)| party.join(guest, part));
    party.talk(ms(400));
    party.forget();
    party.talk(ms(1_000));
    assert_eq!(party.heard_by(0), [1, 3]);
    assert_eq!(party.heard_by(2), [0, 1, 3]);
    assert_eq!(party.heard_by(3), []);
    assert_eq!(party.packets(3).len(), 50, "its line stays alive");
}

#[test]
fn a_mix_louder_than_can_be_is_cut_and_does_not_turn_over() {
    let mut party = Party::joined(3);
    for guest in &mut party.guests {
        guest.phone.sing(500.0);
    }
    party.talk(ms(400));
    party.forget();
    party.talk(ms(400));
    // Two of -12 dBm0 in any phase are at most 6 dB more, and far from where they would turn over.
    assert!(largest_step(&party.sound(0)) < 9_000);
}

#[test]
fn on_hold_a_member_hears_nothing_or_its_music_and_is_not_heard() {
    let mut party = Party::joined(3);
    party.talk(ms(200));
    party.join(1, Part::NONE);
    party.talk(ms(100));
    party.forget();
    party.talk(ms(1_000));
    assert!(party.packets(1).is_empty());
    assert_eq!(party.heard_by(0), [2]);
    let music = Prompt::from_samples(burst(2_500.0, -10.0, ms(130)));
    party.play(1, 1, music, true);
    party.talk(ms(100));
    party.forget();
    party.talk(ms(2_000));
    assert!(frequency_power(&party.sound(1), 2_500.0) > -20.0);
    assert_eq!(party.heard_by(1), []);
    assert_eq!(party.heard_by(0), [2]);
    assert_eq!(party.rig.finished(1), None);
    party.cancel(1, 1);
    assert_eq!(party.rig.finished(1), Some(&Outcome::Canceled));
    party.join(1, Part::FULL);
    party.talk(ms(200));
    party.forget();
    party.talk(ms(1_000));
    assert_eq!(party.heard_by(1), [0, 2]);
    assert_eq!(party.heard_by(0), [1, 2]);
}

#[test]
fn mute_silences_one_direction_of_one_member_relayed_and_mixed() {
    for count in [2, 3] {
        let mut party = Party::joined(count);
        let mute = |party: &mut Party, direction| {
            party.rig.command(Command::Mute {
                session: session(0),
                direction,
            });
            party.talk(ms(300));
            party.forget();
            party.talk(ms(1_000));
        };
        mute(&mut party, Mute::In);
        assert!(!party.heard_by(1).contains(&0));
        assert!(party.heard_by(0).contains(&1));
        assert_eq!(party.packets(1).len(), 50);
        mute(&mut party, Mute::Out);
        assert!(party.heard_by(1).contains(&0));
        assert!(party.packets(0).is_empty());
        mute(&mut party, Mute::Off);
        assert!(party.heard_by(0).contains(&1) && party.heard_by(1).contains(&0));
    }
}

#[test]
fn a_prompt_is_heard_over_the_others_by_its_member_only() {
    for count in [2, 3] {
        let mut party = Party::joined(count);
        party.talk(ms(400));
        let prompt = Prompt::from_samples(burst(2_500.0, -12.0, ms(3_000)));
        party.play(1, 0, prompt, false);
        party.talk(ms(300));
        party.forget();
        party.talk(ms(1_000));
        assert!(frequency_power(&party.sound(0), 2_500.0) > -20.0);
        assert!(party.heard_by(0).contains(&1));
        assert!(frequency_power(&party.sound(1), 2_500.0) < -50.0);
        assert!(party.heard_by(1).contains(&0));
        party.talk(ms(3_000));
        assert_eq!(party.rig.finished(1), Some(&Outcome::Done));
        party.forget();
        party.talk(ms(1_000));
        assert!(party.heard_by(0).contains(&1));
        assert_eq!(party.packets(0).len(), 50);
    }
}

#[test]
fn an_echo_takes_its_member_out_of_the_sound_for_its_time() {
    let mut party = Party::joined(2);
    party.rig.command(Command::Echo {
        command: CommandId(1),
        session: session(0),
        duration: ms(1_500),
        with_digits: false,
    });
    party.talk(ms(100));
    party.forget();
    party.talk(ms(1_000));
    assert!(party.hears_only(0, TONES[0]));
    assert!(party.packets(1).is_empty());
    party.talk(ms(600));
    party.forget();
    party.talk(ms(1_000));
    assert_eq!((party.heard_by(0), party.heard_by(1)), (vec![1], vec![0]));
}

#[test]
fn who_comes_and_goes_while_it_sounds_makes_no_click() {
    // Of three, those who stay are relayed; of four they are mixed.
    for count in [3, 4] {
        let mut party = Party::joined(count);
        party
            .guests
            .iter_mut()
            .for_each(|guest| guest.speaks = false);
        party.guests[2].speaks = true;
        party.guests[2].phone.sing(300.0);
        party.talk(ms(400));
        party.forget();
        for _ in 0..7 {
            party.talk(ms(211));
            party.leave(2);
            party.talk(ms(97));
            party.join(2, Part::FULL);
        }
        let sound = party.sound(0);
        // 300 Hz of -12 dBm0 never steps by more than 1,350 by itself.
        assert!(largest_step(&sound) < 1_800, "{}", largest_step(&sound));
        assert!(longest_gap(&sound) < 200 * 8);
        assert!(largest_step(&party.sound(1)) < 1_800);
    }
}

#[test]
fn a_session_that_leaves_or_closes_or_breaks_is_not_heard_and_the_last_takes_the_bridge_with_it() {
    let mut party = Party::joined(4);
    party.talk(ms(200));
    party.leave(3);
    party.rig.engine.poison(session(2));
    party.talk(ms(200));
    party.rig.command(Command::Leave {
        session: session(3),
    });
    party.forget();
    party.talk(ms(1_000));
    assert_eq!((party.heard_by(0), party.heard_by(1)), (vec![1], vec![0]));
    assert!(party.packets(2).is_empty() && party.packets(3).is_empty());
    assert_eq!(party.rig.engine.stats().faults, 1);
    party.rig.command(Command::Close {
        session: session(0),
    });
    party.forget();
    party.talk(ms(1_000));
    assert!(
        party
            .packets(1)
            .iter()
            .all(|sent| sent.payload().iter().all(|octet| *octet == 255))
    );
    assert_eq!(party.rig.engine.bridges(), 1);
    party.rig.command(Command::Close {
        session: session(1),
    });
    assert_eq!(party.rig.engine.bridges(), 0);
    let closed = party
        .rig
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Closed { .. }));
    assert_eq!(closed.count(), 3);
}

#[test]
fn joins_before_sockets_and_to_another_bridge_and_of_nobody_do_what_they_say() {
    let mut party = Party::joined(2);
    party.rig.command(Command::Join {
        session: SessionId(99),
        bridge: BRIDGE,
        part: Part::FULL,
    });
    party.rig.command(Command::Join {
        session: session(1),
        bridge: crate::command::BridgeId(10),
        part: Part::FULL,
    });
    assert_eq!(party.rig.engine.bridges(), 2);
    party.talk(ms(400));
    party.forget();
    party.talk(ms(400));
    assert!(party.packets(0).is_empty() && party.packets(1).is_empty());
    party.rig.answers = false;
    party.rig.open(SessionId(50));
    party.rig.command(Command::Join {
        session: SessionId(50),
        bridge: crate::command::BridgeId(11),
        part: Part::FULL,
    });
    party.rig.input(Input::Bound {
        session: SessionId(50),
        result: Err(MediaError::NoPort),
    });
    assert_eq!(party.rig.engine.bridges(), 2);
}

#[test]
fn nobody_speaking_in_a_mix_is_a_steady_stream_of_silence() {
    let mut party = Party::joined(3);
    party
        .guests
        .iter_mut()
        .for_each(|guest| guest.speaks = false);
    party.forget();
    party.talk(Duration::from_secs(10));
    for guest in 0..3 {
        assert!(party.packets(guest).len().abs_diff(500) <= 1);
        assert_eq!(dbov(&party.sound(guest)), -127.0);
        let markers = party.packets(guest);
        assert_eq!(
            markers.iter().filter(|sent| sent.header().marker).count(),
            1
        );
    }
}

#[test]
fn leaving_a_bridge_of_one_does_not_disturb_what_is_played() {
    let mut party = Party::joined(1);
    let tone = Prompt::from_samples(burst(700.0, -12.0, ms(2_000)));
    party.play(1, 0, tone, false);
    party.talk(ms(1_007));
    party.leave(0);
    party.talk(ms(1_200));
    assert_eq!(party.packets(0).len(), 100);
    assert!(party.hears_only(0, 700.0));
    assert_eq!(party.rig.finished(1), Some(&Outcome::Done));
}
