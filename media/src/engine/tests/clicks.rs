//! No step where sound begins, ends, or goes on as another one, in either band.

use super::callers::{BRIDGE, World, agreed, assert_tone, largest_step, power};
use super::party::{Party, session};
use super::rig::{Sent, TELEPHONE_EVENT, ms};
use crate::codec::{Codec, Decoder};
use crate::command::{Command, CommandId, Direction, Mute, Outcome, Part, SessionId};
use crate::dsp::tone::{ToneGenerator, burst};
use crate::frame::{Band, WIDE_SAMPLES};
use crate::prompt::Prompt;

#[test]
fn a_prompt_that_is_kept_encoded_sounds_as_it_does_live_and_goes_over_into_others_without_a_click()
{
    for codec in [Codec::G722, Codec::Opus] {
        let song = || Prompt::from_samples(burst(400.0, -12.0, ms(3_000)));
        let mut world = World::of(&[(codec, None)]);
        // The rig encodes it at once: all but the first packets are those.
        let prompt = std::sync::Arc::new(song());
        let play = |world: &mut World, command| {
            world.rig.command(Command::Play {
                command: CommandId(command),
                session: SessionId(1),
                prompts: vec![prompt.clone()],
                stop_on_digit: true,
                is_endless: false,
            });
        };
        play(&mut world, 1);
        world.rig.pass(ms(1_513));
        let packets = prompt.packets(codec).unwrap();
        let sent = world.packets(1);
        let copies = (0..sent.len()).filter(|at| packets.get(*at) == Some(sent[*at].payload()));
        assert!(copies.count() >= sent.len() - 3, "{codec:?}");
        // In the middle of it another one, and that one again from its beginning.
        world.play(2, 1, vec![song()], false);
        world.rig.pass(ms(711));
        play(&mut world, 3);
        world.rig.pass(ms(4_000));
        assert_eq!(world.rig.finished(3), Some(&Outcome::Done));
        let sound = world.sound(1, codec);
        // 400 Hz of -12 dBm0 steps by 900 at 16 kHz.
        assert!(
            largest_step(&sound) < 1_300,
            "{codec:?}: {}",
            largest_step(&sound)
        );
        assert_tone(&sound[1_600..20_000], 400.0, codec);
    }
}

#[test]
fn a_prompt_over_a_conference_begins_ends_and_is_cut_off_without_a_click_in_both_bands() {
    for codec in [Codec::Pcmu, Codec::L16, Codec::L16Wide] {
        let mut world = World::joined(&[(codec, None), (codec, None), (Codec::Pcma, None)]);
        world.talk(ms(300));
        world.forget();
        // It begins and ends in the middle of a wave.
        let mut sound = vec![0; 8_000];
        ToneGenerator::single(300.0, -6.0).fill(&mut sound);
        let prompt = Prompt::from_samples(sound[1_007..5_019].to_vec());
        world.play(1, 1, vec![prompt.clone()], false);
        world.talk(ms(800));
        world.play(2, 1, vec![prompt.clone()], false);
        world.talk(ms(333));
        world.play(3, 1, vec![prompt], false);
        world.talk(ms(217));
        world.rig.command(Command::Cancel {
            session: SessionId(1),
            command: CommandId(3),
        });
        world.talk(ms(200));
        let heard = world.sound(1, codec);
        // 300 Hz of -6 dBm0 steps by 2,690 at 8 kHz, and half of that at 16 kHz; an edge adds its share.
        let bound = if codec.band() == Band::Wide {
            2_100
        } else {
            3_300
        };
        let rate = codec.band().sample_rate() as usize;
        let once = &heard[..rate * 8 / 10];
        assert!(
            largest_step(once) < bound,
            "{codec:?}: {}",
            largest_step(once)
        );
        let rest = &heard[rate * 8 / 10..];
        assert!(
            largest_step(rest) < bound,
            "{codec:?}: {}",
            largest_step(rest)
        );
    }
}

#[test]
fn joins_leaves_holds_and_changes_of_mode_make_no_click_in_both_bands() {
    for codec in [Codec::Pcma, Codec::L16, Codec::L16Wide] {
        let mut world = World::joined(&[(codec, None), (codec, Some(300.0)), (codec, None)]);
        world.talk(ms(300));
        world.forget();
        let part = |world: &mut World, part| {
            world.rig.command(Command::Join {
                session: SessionId(2),
                bridge: BRIDGE,
                part,
            });
        };
        for round in 0..5 {
            world.talk(ms(220 + 20 * round));
            world.rig.command(Command::Leave {
                session: SessionId(2),
            });
            world.talk(ms(100));
            world.join(1);
            world.talk(ms(180));
            part(&mut world, Part::NONE);
            world.talk(ms(100));
            part(&mut world, Part::FULL);
            world.talk(ms(140));
            // Two are relayed, three are mixed.
            world.rig.command(Command::Leave {
                session: SessionId(3),
            });
            world.talk(ms(140));
            world.join(2);
            world.talk(ms(140));
            world.rig.command(Command::Mute {
                session: SessionId(2),
                direction: Mute::In,
            });
            world.talk(ms(60));
            world.rig.command(Command::Mute {
                session: SessionId(2),
                direction: Mute::Off,
            });
        }
        let mut sound = Vec::new();
        let mut decoder = Decoder::new(codec);
        for sent in world.packets(1) {
            let mut samples = [0; WIDE_SAMPLES];
            let count = decoder.decode(sent.payload(), &mut samples);
            sound.extend(&samples[..count]);
        }
        // 300 Hz of -12 dBm0 steps by 1,350 at 8 kHz.
        let bound = if codec.band() == Band::Wide {
            1_100
        } else {
            1_800
        };
        assert!(
            largest_step(&sound) < bound,
            "{codec:?}: {}",
            largest_step(&sound)
        );
    }
}

/// In hertz: packets of 20 ms end anywhere in its wave.
const SUNG: f64 = 317.0;

/// What a step of [`SUNG`] of -12 dBm0 comes to, an edge beside it, in the band of a codec.
fn largest_of_sung(codec: Codec) -> i32 {
    match codec {
        // It is heard through a filter, and a little noise.
        Codec::G722 | Codec::Opus => 1_300,
        Codec::L16Wide => 1_100,
        _ => 1_800,
    }
}

#[track_caller]
fn assert_no_click(world: &World, codec: Codec, is_over: bool, what: &str) {
    let mut sound = world.laid_out(1, codec);
    if is_over {
        sound.extend([0; WIDE_SAMPLES]);
    }
    let step = largest_step(&sound);
    assert!(step < largest_of_sung(codec), "{codec:?}, {what}: {step}");
}

/// Three in a conference, of whom `singer` sings, and the first takes packets of `ptime`.
fn three(codec: Codec, ptime: u64, singer: usize) -> World {
    let mut callers = [(codec, None); 3];
    callers[singer].1 = Some(SUNG);
    let mut world = World::joined(&callers);
    let mut config = agreed(SessionId(1), codec);
    config.ptime = ms(ptime);
    world.rig.configure(SessionId(1), config);
    world
}

#[test]
fn when_one_of_three_leaves_its_sound_fades_for_who_stays_with_one_that_sends_nothing() {
    for codec in Codec::ALL {
        for (phase, ptime) in (0..40).map(|phase| (phase / 2, [20, 60][phase as usize % 2])) {
            let mut world = three(codec, ptime, 1);
            world.callers[0].is_sending = false;
            world.callers[2].is_sending = false;
            world.talk(ms(400 + phase % 5 * 20));
            world.rig.pass(ms(phase));
            let left = world.rig.now;
            world.leave(1);
            world.rig.pass(ms(500));
            let what = format!("left {phase} ms after a packet, packets of {ptime} ms");
            assert_no_click(&world, codec, true, &what);
            let last = world.packets(1).last().map(|sent| sent.at);
            assert!(last.is_some_and(|last| last <= left + ms(20)), "{what}");
        }
    }
}

#[test]
fn when_one_of_three_leaves_who_stays_hears_the_other_go_on_whenever_its_packets_come() {
    for codec in Codec::ALL {
        for (phase, ptime) in (0..20).map(|phase| (phase, [20, 60][phase as usize % 2])) {
            for late in [0, 7, 16, 33] {
                let mut world = three(codec, ptime, 2);
                world.talk(ms(400 + phase % 5 * 20));
                world.rig.pass(ms(phase));
                world.leave(1);
                world.rig.pass(ms(late));
                world.talk(ms(400));
                let what = format!(
                    "left {phase} ms after a packet and {late} ms before one, packets of {ptime} ms"
                );
                assert_no_click(&world, codec, false, &what);
                let sound = world.laid_out(1, codec);
                let last = sound.len() - codec.band().sample_rate() as usize / 5;
                let level = power(&sound[last..], SUNG, codec.band());
                assert!(level > -22.0, "{codec:?}, {what}: {level}");
            }
        }
    }
}

#[test]
fn an_echo_that_ends_fades() {
    for codec in Codec::ALL {
        for phase in 0..20 {
            let mut world = World::of(&[(codec, Some(SUNG))]);
            world.echo();
            world.talk(ms(400 + phase % 5 * 20));
            world.rig.pass(ms(phase));
            world.rig.command(Command::Cancel {
                session: SessionId(1),
                command: CommandId(80),
            });
            world.callers[0].is_sending = false;
            world.rig.pass(ms(200));
            // What the decoder alone knows cannot be followed.
            if !codec.has_memory() {
                let what = format!("an echo, {phase} ms after a packet");
                assert_no_click(&world, codec, true, &what);
            }
            assert!(world.packets(1).len() <= 21 + phase as usize % 5);
        }
    }
}

#[test]
fn who_is_muted_or_on_hold_when_another_one_leaves_is_sent_nothing() {
    for is_muted in [true, false] {
        let mut world = three(Codec::Pcma, 20, 1);
        world.talk(ms(411));
        world.callers[2].is_sending = false;
        if is_muted {
            world.rig.command(Command::Mute {
                session: SessionId(1),
                direction: Mute::Out,
            });
        } else {
            let mut config = agreed(SessionId(1), Codec::Pcma);
            config.direction = Direction::RecvOnly;
            world.rig.configure(SessionId(1), config);
        }
        world.forget();
        world.leave(1);
        world.rig.pass(ms(200));
        assert!(world.packets(1).is_empty(), "muted: {is_muted}");
    }
}

#[test]
fn a_key_that_follows_a_mix_at_once_comes_behind_its_end_and_as_one() {
    for round in 0..5 {
        let mut party = Party::joined(3);
        party.guests[0].speaks = false;
        party.guests[2].phone.sing(SUNG as f32);
        party.talk(ms(200));
        party.guests[1].speaks = false;
        party.talk(ms(300));
        party.forget();
        party.talk(ms(100 + round * 20));
        party.leave(2);
        party.rig.pass(ms(5));
        let begin = party.guests[1].phone.timestamp;
        for packet in 1..=4 {
            let phone = &mut party.guests[1].phone;
            let bytes = phone.event('5', begin, 160 * packet, packet == 4);
            let address = phone.address;
            party.rig.receive_at(session(1), address, &bytes);
            party.rig.pass(ms(20));
        }
        let packets = party.packets(0);
        let is_event = |sent: &&&Sent| sent.header().payload_type == TELEPHONE_EVENT;
        let events: Vec<_> = packets.iter().filter(is_event).collect();
        let same = events[0].header().timestamp;
        assert!(events.iter().all(|sent| sent.header().timestamp == same));
        assert_eq!(events.len(), 4);
        let begin = packets.len() - 4;
        assert!(
            packets[begin..].iter().all(|sent| is_event(&sent)),
            "no sound after it"
        );
        let mut sound = party.sound(0);
        sound.extend([0; 160]);
        let step = largest_step(&sound);
        assert!(step < largest_of_sung(Codec::Pcmu), "{step}");
    }
}

#[test]
fn when_one_of_two_leaves_its_sound_fades_for_the_other() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::L16, Codec::L16Wide] {
        for phase in 0..60 {
            let mut world = World::joined(&[(codec, None), (codec, Some(SUNG))]);
            world.talk(ms(300));
            world.forget();
            world.talk(ms(100 + phase % 5 * 20));
            world.rig.pass(ms(phase));
            world.leave(1);
            world.rig.pass(ms(500));
            assert_no_click(
                &world,
                codec,
                true,
                &format!("left {phase} ms after a packet"),
            );
            let spoken = 5 + phase as usize % 5;
            assert!(world.packets(1).len() <= spoken + 1, "one packet to fade");
        }
    }
}
