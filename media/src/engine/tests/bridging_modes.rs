//! What a bridge does when it changes how it joins its members, is recorded or is listened to; and any row of
//! orders.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::party::{BRIDGE, Party, TONES, largest_step, longest_gap, session};
use super::rig::{digits, is_tone, ms, set_events, since_start};
use crate::amd::AmdConfig;
use crate::command::{
    BridgeId, BridgeRecordingConfig, Command, CommandId, Event, ListenConfig, MediaError, Mute,
    Outcome, Part, RecordingConfig, RecordingEnd, RecordingTarget, Side, Sides,
};
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::burst;
use crate::dsp::utterance::UtteranceLimits;
use crate::prompt::Prompt;
use crate::recording::FileFormat;

fn record(party: &mut Party, command: u64, guest: usize) {
    party.rig.command(Command::Record {
        command: CommandId(command),
        session: session(guest),
        config: Box::new(RecordingConfig {
            target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
            end_of_silence: None,
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        }),
    });
}

fn record_bridge(party: &mut Party, command: u64, duration: Option<u64>) {
    party.rig.command(Command::RecordBridge {
        command: CommandId(command),
        bridge: BRIDGE,
        config: Box::new(BridgeRecordingConfig {
            file: "all.wav".into(),
            format: FileFormat::Wav,
            duration: duration.map(ms),
        }),
    });
}

fn recorded(party: &Party, command: u64) -> (Vec<i16>, Vec<i16>) {
    let frames = party.rig.recorded.iter();
    frames
        .filter(|frame| frame.recording == CommandId(command))
        .fold((Vec::new(), Vec::new()), |(mut heard, mut said), frame| {
            heard.extend(frame.heard.0);
            said.extend(frame.said.0);
            (heard, said)
        })
}

#[test]
fn a_change_from_relay_to_mix_and_back_leaves_a_gap_of_a_jitter_buffer_at_most_and_no_click() {
    let mut party = Party::joined(2);
    party.guests[0].phone.sing(400.0);
    party.talk(ms(400));
    party.forget();
    for round in 0..20 {
        party.talk(ms(307 + round * 3));
        record(&mut party, round, 1);
        party.talk(ms(411 + round * 7));
        party.cancel(round, 1);
    }
    // Numbers and timestamps without a hole or a step back are asserted within.
    let sound = party.sound(1);
    let (gap, step) = (longest_gap(&sound), largest_step(&sound));
    assert!(gap <= 8 * 60, "{gap} samples");
    assert!(step < 2_300, "{step}");
    let parts = sound.chunks_exact(400);
    let (all, whole) = (
        parts.len(),
        parts.filter(|part| frequency_power(part, 400.0) > -19.0),
    );
    let whole = whole.count();
    assert!(whole * 100 >= all * 85, "{whole} of {all}");
    // The stream does not run ahead of its time, however often it changes.
    let packets = party.packets(1);
    let (first, last) = (packets[0], packets[packets.len() - 1]);
    let sent = last.header().timestamp.since(first.header().timestamp);
    let passed = (last.at - first.at).as_millis() as i32 * 8;
    assert!(
        (sent - passed).abs() <= 30 * 8,
        "{sent} samples in {passed}"
    );
}

#[test]
fn the_tone_is_whole_on_both_sides_of_a_change() {
    let mut party = Party::joined(2);
    party.talk(ms(400));
    party.forget();
    party.talk(ms(1_000));
    assert!(party.hears_only(1, TONES[0]), "relayed");
    record(&mut party, 1, 0);
    party.talk(ms(200));
    party.forget();
    party.talk(ms(1_000));
    assert!(
        party.hears_only(1, TONES[0]) && party.hears_only(0, TONES[1]),
        "mixed"
    );
    assert_eq!(longest_gap(&party.sound(1)) / 8, 0);
    party.cancel(1, 0);
    party.talk(ms(100));
    party.forget();
    party.talk(ms(1_000));
    assert!(party.hears_only(1, TONES[0]), "relayed again");
}

#[test]
fn a_third_one_coming_and_going_changes_nothing_for_the_two() {
    let mut party = Party::joined(2);
    for _ in 0..5 {
        party.talk(ms(400));
        party.forget();
        party.talk(ms(400));
        assert_eq!((party.heard_by(0), party.heard_by(1)), (vec![1], vec![0]));
        if party.guests.len() == 2 {
            party = Party::of(3);
            party.join(0, Part::FULL);
            party.join(1, Part::FULL);
        }
        party.join(2, Part::FULL);
        party.talk(ms(400));
        party.forget();
        party.talk(ms(400));
        assert_eq!(party.heard_by(2), [0, 1]);
        assert_eq!(party.heard_by(0), [1, 2]);
        party.leave(2);
    }
}

#[test]
fn the_recording_of_a_member_has_what_it_says_and_what_it_hears_with_its_prompts() {
    for count in [2, 3] {
        let mut party = Party::joined(count);
        record(&mut party, 1, 0);
        let prompt = Prompt::from_samples(burst(2_500.0, -12.0, ms(5_000)));
        party.play(2, 0, prompt, false);
        party.talk(ms(400));
        party.forget();
        party.talk(ms(2_000));
        let (heard, said) = recorded(&party, 1);
        assert_eq!(heard.len(), 16_000);
        assert!(is_tone(&heard, TONES[0]));
        assert!(frequency_power(&said, TONES[1]) > -22.0);
        assert!(frequency_power(&said, 2_500.0) > -22.0);
        assert!(frequency_power(&said, TONES[0]) < -60.0);
    }
}

#[test]
fn a_recording_in_a_bridge_ends_by_key_by_silence_and_when_its_session_closes() {
    let mut party = Party::with(2, |_, config| set_events(config, false));
    party.join(0, Part::FULL);
    party.join(1, Part::FULL);
    let config = |end_of_silence, key: &str| {
        Box::new(RecordingConfig {
            target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
            end_of_silence,
            end_of_key: digits(key),
            duration: None,
            beep_start: true,
        })
    };
    for (command, guest, silence, key) in [(1, 0, Some(ms(500)), ""), (2, 1, None, "#")] {
        party.rig.command(Command::Record {
            command: CommandId(command),
            session: session(guest),
            config: config(silence, key),
        });
    }
    party.talk(ms(1_500));
    assert_eq!((party.rig.finished(1), party.rig.finished(2)), (None, None));
    party.guests[0].speaks = false;
    party.guests[1].phone.press('#');
    party.talk(ms(1_000));
    let end = |command| match party.rig.finished(command) {
        Some(Outcome::Recorded { end, .. }) => Some(*end),
        _ => None,
    };
    assert_eq!(
        (end(1), end(2)),
        (Some(RecordingEnd::Silence), Some(RecordingEnd::Key))
    );
    record(&mut party, 3, 0);
    party.talk(ms(200));
    party.rig.command(Command::Close {
        session: session(0),
    });
    assert!(matches!(
        party.rig.finished(3),
        Some(Outcome::Recorded {
            end: RecordingEnd::Stopped,
            ..
        })
    ));
}

#[test]
fn a_recording_of_the_bridge_has_everybody_and_ends_by_time_by_order_or_with_the_last_member() {
    for count in [1, 2, 4] {
        let mut party = Party::joined(count);
        record_bridge(&mut party, 1, Some(2_000));
        record_bridge(&mut party, 2, None);
        let why = MediaError::AlreadyRecording;
        assert_eq!(party.rig.finished(2), Some(&Outcome::Failed { why }));
        party.talk(ms(3_000));
        let (all, said) = recorded(&party, 1);
        assert_eq!(all.len(), 16_000);
        assert!(said.iter().all(|sample| *sample == 0));
        for tone in TONES.iter().take(count) {
            assert!(frequency_power(&all, *tone) > -22.0, "{tone} Hz of {count}");
        }
        let end = RecordingEnd::Duration;
        let duration = ms(2_000);
        assert_eq!(
            party.rig.finished(1),
            Some(&Outcome::Recorded { end, duration })
        );
        record_bridge(&mut party, 3, None);
        party.talk(ms(505));
        party.rig.command(Command::StopBridgeRecording {
            bridge: BRIDGE,
            command: CommandId(3),
        });
        assert!(matches!(
            party.rig.finished(3),
            Some(Outcome::Recorded { end: RecordingEnd::Stopped, duration })
                if duration.as_millis().abs_diff(500) <= 40
        ));
        record_bridge(&mut party, 4, None);
        party.talk(ms(100));
        (0..count).for_each(|guest| party.leave(guest));
        assert!(matches!(
            party.rig.finished(4),
            Some(Outcome::Recorded { .. })
        ));
        assert_eq!(party.rig.engine.bridges(), 0);
        record_bridge(&mut party, 5, None);
        let why = MediaError::UnknownBridge;
        assert_eq!(party.rig.finished(5), Some(&Outcome::Failed { why }));
    }
}

#[test]
fn who_listens_to_a_member_hears_what_it_says_and_what_it_hears() {
    for count in [2, 3] {
        let mut party = Party::joined(count);
        party.rig.command(Command::Listen {
            command: CommandId(1),
            session: session(0),
            config: ListenConfig {
                sides: Sides::Both,
                limits: UtteranceLimits::default(),
            },
        });
        party.rig.command(Command::DetectMachine {
            command: CommandId(2),
            session: session(0),
            config: Box::new(AmdConfig::default()),
        });
        party.talk(ms(3_000));
        party
            .guests
            .iter_mut()
            .for_each(|guest| guest.speaks = false);
        party.talk(ms(6_000));
        let said = |side| {
            party.rig.events.iter().find_map(|(_, event)| match event {
                Event::Utterance(told) if told.side == side => Some(told.samples.clone()),
                _ => None,
            })
        };
        let (peer, us) = (said(Side::Peer).unwrap(), said(Side::Us).unwrap());
        assert!(frequency_power(&peer, TONES[0]) > -25.0);
        assert!(frequency_power(&peer, TONES[1]) < -50.0);
        assert!(frequency_power(&us, TONES[1]) > -25.0);
        assert!(frequency_power(&us, TONES[0]) < -50.0);
        assert!(matches!(
            party.rig.finished(2),
            Some(Outcome::Detected { .. })
        ));
    }
}

#[test]
fn one_that_drops_in_and_out_of_ticks_by_a_second_is_mixed_on() {
    let mut party = Party::joined(3);
    record_bridge(&mut party, 1, None);
    party.talk(ms(400));
    // The machine slept.
    party.rig.now += ms(1_000);
    party.rig.pass(ms(1));
    party.forget();
    party.talk(ms(1_000));
    assert!(party.packets(0).len() <= 56, "{}", party.packets(0).len());
    let positions: Vec<u64> = party
        .rig
        .recorded
        .iter()
        .map(|frame| frame.position)
        .collect();
    assert!(positions.windows(2).all(|pair| pair[1] > pair[0]));
    let now = since_start(party.rig.now).as_millis() as u64;
    assert!(positions.last().unwrap().abs_diff(now / 20) <= 3);
}

#[test]
fn any_row_of_orders_ends_each_once_and_leaves_no_bridge() {
    for seed in 0..60 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut party = Party::with(5, |guest, config| {
            config.ptime = ms([20, 20, 30, 10, 60][guest]);
            set_events(config, guest % 2 == 0);
        });
        let mut orders = 0;
        for _ in 0..80 {
            let guest = rng.random_range(0..5_usize);
            let (session, bridge) = (session(guest), BridgeId(rng.random_range(9..11)));
            let parts = [
                Part::FULL,
                Part::FULL,
                Part::NONE,
                Part {
                    speaks: false,
                    hears: true,
                },
            ];
            orders += 1;
            let command = CommandId(orders);
            match rng.random_range(0..13) {
                0..4 => {
                    let part = parts[rng.random_range(0..4)];
                    party.rig.command(Command::Join {
                        session,
                        bridge,
                        part,
                    });
                }
                4 => party.leave(guest),
                5 => {
                    let prompt = Prompt::from_samples(burst(900.0, -12.0, ms(150)));
                    party.play(orders, guest, prompt, rng.random());
                }
                6 => record(&mut party, orders, guest),
                7 => party.rig.command(Command::RecordBridge {
                    command,
                    bridge,
                    config: Box::new(BridgeRecordingConfig {
                        file: "all.wav".into(),
                        format: FileFormat::Wav,
                        duration: rng.random::<bool>().then_some(ms(300)),
                    }),
                }),
                8 => party.rig.command(Command::SendDigits {
                    command,
                    session,
                    digits: digits("5#"),
                    tone: ms(80),
                    gap: ms(60),
                }),
                9 => party.rig.command(Command::Echo {
                    command,
                    session,
                    duration: ms(200),
                    with_digits: true,
                }),
                10 => party.rig.command(Command::Mute {
                    session,
                    direction: [Mute::In, Mute::Out, Mute::Off][rng.random_range(0..3)],
                }),
                11 => party.cancel(rng.random_range(0..orders), guest),
                _ => match rng.random_range(0..4) {
                    0 => party.rig.engine.poison(session),
                    1 => party.rig.command(Command::Close { session }),
                    _ => party.guests[guest].phone.press('7'),
                },
            }
            party.talk(ms(rng.random_range(0..90)));
        }
        (0..5).for_each(|guest| {
            party.rig.command(Command::Close {
                session: session(guest),
            })
        });
        assert_eq!(party.rig.engine.bridges(), 0);
        assert!(party.rig.engine.is_idle());
        let events = party.rig.events.iter();
        let closed = events
            .filter(|(_, event)| matches!(event, Event::Closed { .. }))
            .count();
        assert_eq!(closed, 5);
        // Those that were orders ended once, which `finished` sees to.
        let ended = (1..=orders)
            .filter(|order| party.rig.finished(*order).is_some())
            .count();
        let finished = party.rig.events.iter();
        let finished = finished.filter(|(_, event)| matches!(event, Event::Finished { .. }));
        assert_eq!(finished.count(), ended);
    }
}
