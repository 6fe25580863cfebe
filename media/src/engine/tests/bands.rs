//! Peers with codecs of either band: echoed, joined, played to.

use super::callers::{BRIDGE, LEVEL, World, agreed, assert_tone, assert_tone_from, power, tone};
use super::party::largest_step;
use super::rig::{digits, ms};
use crate::codec::Codec;
use crate::command::{
    BridgeRecordingConfig, Command, CommandId, Mute, Outcome, SessionConfig, SessionId,
};
use crate::dsp::tone::burst;
use crate::frame::Band;
use crate::prompt::Prompt;
use crate::recording::FileFormat;
use crate::rtp::{MediaTime, SeqNo};

#[test]
fn a_tone_comes_back_from_an_echo_in_every_codec_as_it_came() {
    for codec in Codec::ALL {
        let mut world = World::of(&[(codec, Some(1_000.0))]);
        world.echo();
        world.talk(ms(2_400));
        let sound = world.sound(1, codec);
        assert_eq!(world.packets(1).len(), 120, "packet by packet");
        assert_tone(&sound[sound.len() / 6..], 1_000.0, codec);
    }
}

#[test]
fn an_echo_of_another_codec_is_decoded_and_encoded_in_its_own_time() {
    for (codec, other) in [
        (Codec::G722, Codec::Pcmu),
        (Codec::Opus, Codec::G722),
        (Codec::Pcma, Codec::Opus),
        (Codec::L16Wide, Codec::L16),
    ] {
        let mut world = World::of(&[(codec, None)]);
        world.callers[0].switch_to(other, 1_000.0);
        world.echo();
        world.talk(ms(600));
        world.forget();
        world.talk(ms(2_000));
        assert_eq!(world.packets(1).len(), 100);
        assert_tone(&world.sound(1, codec), 1_000.0, codec);
        // Its own codec again: packet by packet.
        world.callers[0].switch_to(codec, 1_000.0);
        world.talk(ms(400));
        world.forget();
        world.talk(ms(1_000));
        assert_eq!(world.packets(1).len(), 50);
        assert_tone(&world.sound(1, codec), 1_000.0, codec);
    }
}

#[test]
fn two_of_any_two_codecs_hear_each_other() {
    for (one, other) in [
        (Codec::Pcmu, Codec::G722),
        (Codec::Opus, Codec::Pcma),
        (Codec::Opus, Codec::G722),
        (Codec::L16Wide, Codec::Opus),
        (Codec::L16, Codec::Pcmu),
        (Codec::G722, Codec::G722),
        (Codec::Opus, Codec::Opus),
    ] {
        let mut world = World::joined(&[(one, Some(1_000.0)), (other, Some(1_400.0))]);
        world.talk(ms(800));
        world.forget();
        world.talk(ms(2_000));
        assert_tone_from(other, &world.sound(1, one), 1_400.0, one);
        assert_tone_from(one, &world.sound(2, other), 1_000.0, other);
        assert_eq!(world.packets(1).len(), 100, "{one:?} {other:?}");
    }
}

#[test]
fn in_a_conference_each_pair_that_can_hear_the_wide_band_does() {
    let mut world = World::joined(&[
        (Codec::Pcmu, Some(700.0)),
        (Codec::L16Wide, Some(6_000.0)),
        (Codec::G722, None),
        (Codec::Opus, None),
        (Codec::L16, None),
    ]);
    world.talk(ms(1_000));
    world.forget();
    world.talk(ms(2_000));
    for (session, codec) in [(3, Codec::G722), (4, Codec::Opus)] {
        let sound = world.sound(session, codec);
        for hertz in [700.0, 6_000.0] {
            let level = power(&sound, hertz, Band::Wide);
            assert!((level - LEVEL).abs() < 3.0, "{codec:?} {hertz}: {level}");
        }
    }
    let sound = world.sound(5, Codec::L16);
    assert!((power(&sound, 700.0, Band::Narrow) - LEVEL).abs() < 0.5);
    // What is beyond its band does not come back as another tone.
    for alias in [2_000.0, 4_000.0 - 1.0] {
        assert!(power(&sound, alias, Band::Narrow) < -60.0);
    }
    let sound = world.sound(2, Codec::L16Wide);
    assert!((power(&sound, 700.0, Band::Wide) - LEVEL).abs() < 0.5);
    assert!(
        power(&sound, 6_000.0, Band::Wide) < -60.0,
        "it hears itself"
    );
}

#[test]
fn a_conference_is_recorded_in_the_wide_band_whoever_was_in_it_first() {
    let mut world = World::of(&[(Codec::Pcmu, Some(700.0)), (Codec::L16Wide, Some(6_000.0))]);
    world.join(0);
    world.talk(ms(400));
    world.rig.command(Command::RecordBridge {
        command: CommandId(1),
        bridge: BRIDGE,
        config: Box::new(BridgeRecordingConfig {
            file: "all.ogg".into(),
            format: FileFormat::OggOpus,
            duration: None,
        }),
    });
    world.talk(ms(1_000));
    world.join(1);
    world.talk(ms(1_000));
    assert_eq!(world.rig.bands, [Band::Wide]);
    let frames = world.rig.recorded.iter();
    let sound: Vec<i16> = frames.flat_map(|frame| frame.wide.unwrap().0).collect();
    assert!((31_000..=32_320).contains(&sound.len()), "{}", sound.len());
    let (alone, both) = (&sound[8_000..14_000], &sound[sound.len() - 8_000..]);
    for (part, low, high) in [(alone, true, false), (both, true, true)] {
        for (hertz, is_there) in [(700.0, low), (6_000.0, high)] {
            let level = power(part, hertz, Band::Wide);
            let is_right = match is_there {
                true => (level - LEVEL).abs() < 0.5,
                false => level < -60.0,
            };
            assert!(is_right, "{hertz} Hz at {level}");
        }
    }
    // A sine of 6 kHz steps by 1.85 of its peak from one sample to the next.
    assert!(largest_step(&sound) < 12_000, "{}", largest_step(&sound));
}

#[test]
fn a_prompt_is_heard_in_every_codec_and_packet_time_for_its_whole_length() {
    for codec in Codec::ALL {
        for tens in 1..=6 {
            let mut world = World::of(&[(codec, None)]);
            let config = SessionConfig {
                ptime: ms(10 * tens),
                ..agreed(SessionId(1), codec)
            };
            world.rig.configure(SessionId(1), config);
            world.play(
                1,
                1,
                vec![Prompt::from_samples(burst(1_000.0, -12.0, ms(1_200)))],
                false,
            );
            world.rig.pass(ms(1_500));
            assert_eq!(world.rig.finished(1), Some(&Outcome::Done));
            let sound = world.sound(1, codec);
            let rate = codec.band().sample_rate() as usize;
            let length = sound.len() * 1_000 / rate;
            assert!(
                (1_200..=1_260).contains(&length),
                "{codec:?} {tens}: {length} ms"
            );
            assert_tone(&sound[rate / 10..rate * 11 / 10], 1_000.0, codec);
            let expected = if codec == Codec::Opus && tens % 2 == 1 && tens > 1 {
                tens - 1
            } else {
                tens
            };
            let apart = u64::from(codec.clock_rate()) * expected / 100;
            let packets = world.packets(1);
            let first = packets[1]
                .header()
                .timestamp
                .since(packets[0].header().timestamp);
            assert_eq!(first as u64, apart, "{codec:?} {tens}");
        }
    }
}

#[test]
fn a_prompt_of_the_wide_band_is_heard_in_it() {
    let mut wide = vec![0; 32_000];
    tone(6_000.0, Band::Wide).fill(&mut wide);
    for codec in [Codec::G722, Codec::Opus, Codec::L16Wide] {
        let mut world = World::of(&[(codec, None)]);
        let prompt = Prompt::from_bands(vec![0; 16_000], Some(wide.clone()));
        world.play(1, 1, vec![prompt], false);
        world.rig.pass(ms(2_100));
        let sound = world.sound(1, codec);
        let level = power(&sound[1_600..30_400], 6_000.0, Band::Wide);
        assert!((level - LEVEL).abs() < 3.0, "{codec:?}: {level}");
    }
}

#[test]
fn a_codec_that_changes_in_the_middle_keeps_the_stream() {
    let mut world = World::of(&[(Codec::Pcmu, None)]);
    let song = Prompt::from_samples(burst(1_000.0, -12.0, ms(6_000)));
    world.play(1, 1, vec![song], false);
    let mut before: Option<(SeqNo, MediaTime)> = None;
    for codec in [
        Codec::Pcmu,
        Codec::Opus,
        Codec::G722,
        Codec::L16Wide,
        Codec::Pcma,
    ] {
        world
            .rig
            .configure(SessionId(1), agreed(SessionId(1), codec));
        world.forget();
        world.rig.pass(ms(1_100));
        assert_tone(&world.sound(1, codec)[160..], 1_000.0, codec);
        let packets = world.packets(1);
        let first = packets[0].header();
        if let Some((sequence, timestamp)) = before {
            assert_eq!(first.sequence, sequence);
            let apart = first.timestamp.since(timestamp);
            assert!((0..=960).contains(&apart), "{codec:?}: {apart}");
        }
        let last = packets[packets.len() - 1];
        let ticks = codec.ticks_of(last.payload());
        before = Some((
            last.header().sequence.next(),
            last.header().timestamp.after(ticks),
        ));
        let ssrcs = packets.iter().map(|sent| sent.header().ssrc);
        assert!(ssrcs.into_iter().all(|ssrc| ssrc == first.ssrc));
    }
}

#[test]
fn keys_are_told_in_the_ticks_of_their_clock() {
    let mut world = World::of(&[(Codec::Opus, None)]);
    world.rig.command(Command::SendDigits {
        command: CommandId(1),
        session: SessionId(1),
        digits: digits("5"),
        tone: ms(100),
        gap: ms(60),
    });
    world.rig.pass(ms(400));
    let told: Vec<u16> = world
        .packets(1)
        .iter()
        .map(|sent| u16::from_be_bytes([sent.payload()[2], sent.payload()[3]]))
        .collect();
    assert_eq!(told, [960, 1_920, 2_880, 3_840, 4_800, 4_800, 4_800]);
    assert_eq!(world.rig.finished(1), Some(&Outcome::Done));
}

#[test]
fn keys_as_tones_are_heard_over_a_wide_conference() {
    let mut world = World::joined(&[
        (Codec::L16Wide, None),
        (Codec::L16Wide, Some(300.0)),
        (Codec::Pcmu, None),
    ]);
    let config = SessionConfig {
        telephone_event: None,
        ..agreed(SessionId(1), Codec::L16Wide)
    };
    world.rig.configure(SessionId(1), config);
    world.talk(ms(300));
    world.forget();
    world.rig.command(Command::SendDigits {
        command: CommandId(1),
        session: SessionId(1),
        digits: digits("5"),
        tone: ms(400),
        gap: ms(60),
    });
    world.talk(ms(400));
    let sound = world.sound(1, Codec::L16Wide);
    let key = &sound[1_600..4_800];
    for hertz in [770.0, 1_336.0] {
        assert!(power(key, hertz, Band::Wide) > -18.0, "{hertz}");
    }
    assert!(
        power(key, 300.0, Band::Wide) < -50.0,
        "a key is heard alone"
    );
}

#[test]
fn a_muted_peer_is_silent_in_its_echo_and_to_the_other_in_every_codec() {
    for codec in Codec::ALL {
        let mut world = World::joined(&[(codec, Some(1_000.0)), (codec, Some(1_000.0))]);
        world.talk(ms(400));
        let mute = |world: &mut World, direction| {
            let session = SessionId(1);
            world.rig.command(Command::Mute { session, direction });
            world.talk(ms(500));
            world.forget();
            world.talk(ms(1_000));
        };
        mute(&mut world, Mute::In);
        assert_eq!(world.packets(2).len(), 50, "its line stays alive");
        let sound = world.sound(2, codec);
        assert!(power(&sound, 1_000.0, codec.band()) < -70.0, "{codec:?}");
        assert_tone(&world.sound(1, codec), 1_000.0, codec);
        mute(&mut world, Mute::Off);
        assert_tone(&world.sound(2, codec), 1_000.0, codec);
        world.echo();
        mute(&mut world, Mute::In);
        let sound = world.sound(1, codec);
        assert!(power(&sound, 1_000.0, codec.band()) < -70.0, "{codec:?}");
    }
}

#[test]
fn a_peer_that_changes_its_codec_again_and_again_is_heard_and_mixed() {
    let mut world = World::joined(&[(Codec::Pcmu, None), (Codec::Pcmu, None)]);
    for round in 0..20 {
        let codec = [Codec::G722, Codec::Pcmu][round % 2];
        world.callers[0].switch_to(codec, 1_000.0);
        world.talk(ms(200));
    }
    world.talk(ms(400));
    world.forget();
    world.talk(ms(1_000));
    assert_tone(&world.sound(2, Codec::Pcmu), 1_000.0, Codec::Pcmu);
}
