use std::f64::consts::TAU;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::dsp::meter::frequency_power;

/// Three seconds of a tone in the band of a codec, -13 dBov.
fn tone(codec: Codec, hertz: f64) -> Vec<i16> {
    let rate = codec.band().sample_rate();
    let sample = |at| 10_000.0 * (TAU * hertz * f64::from(at) / f64::from(rate)).sin();
    (0..3 * rate).map(|at| sample(at).round() as i16).collect()
}

/// Three seconds that are not a tone: a voice's pitch and its harmonics, swelling four times a second.
fn voice(codec: Codec) -> Vec<i16> {
    let rate = f64::from(codec.band().sample_rate());
    let sample = |at: usize| {
        let seconds = at as f64 / rate;
        let pitch = 130.0 + 20.0 * (TAU * 1.3 * seconds).sin();
        let swell = 0.55 - 0.45 * (TAU * 4.0 * seconds).cos();
        let harmonics =
            (1..20).map(|n| (TAU * f64::from(n) * pitch * seconds).sin() / f64::from(n));
        (6_000.0 * swell * harmonics.sum::<f64>()).round() as i16
    };
    (0..3 * rate as usize).map(sample).collect()
}

/// Packets of 20 ms.
fn packets(codec: Codec, sound: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec);
    let mut out = [0; MAX_PAYLOAD];
    sound
        .chunks_exact(codec.band().frame_samples())
        .map(|frame| {
            let octets = encoder.encode(frame, &mut out);
            out[..octets].to_vec()
        })
        .collect()
}

fn decoded(codec: Codec, packets: &[Vec<u8>]) -> Vec<i16> {
    let mut decoder = Decoder::new(codec);
    let mut sound = Vec::new();
    for packet in packets {
        let mut frame = [0; 1_920];
        let samples = decoder.decode(packet, &mut frame);
        assert_eq!(samples, decoder.samples(packet));
        sound.extend_from_slice(&frame[..samples]);
    }
    sound
}

fn through(codec: Codec, sound: &[i16]) -> Vec<i16> {
    decoded(codec, &packets(codec, sound))
}

/// Power of a frequency in the second second of a sound in the band of a codec.
fn level(codec: Codec, sound: &[i16], hertz: f64) -> f64 {
    let rate = codec.band().sample_rate() as usize;
    let scaled = hertz * 8_000.0 / rate as f64;
    frequency_power(&sound[rate..2 * rate], scaled as f32)
}

/// How much louder a tone is than all that a codec has added to it, in dB.
fn purity(codec: Codec, sound: &[i16], hertz: f64) -> f64 {
    let rate = codec.band().sample_rate() as usize;
    let second = &sound[rate..2 * rate];
    let power = |decibels: f64| 10.0_f64.powf(decibels / 10.0);
    let all = second
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum::<f64>()
        / rate as f64
        / 32_768.0_f64.powi(2);
    let of_tone = power(level(codec, sound, hertz));
    10.0 * (of_tone / (all - of_tone).max(1e-12)).log10()
}

#[test]
fn tones_keep_their_frequency_and_level_through_every_codec() {
    for codec in Codec::ALL {
        let top = match codec.band() {
            crate::frame::Band::Narrow => 3_300.0,
            crate::frame::Band::Wide => 6_000.0,
        };
        for hertz in [300.0, 1_000.0, 2_900.0, top] {
            let sound = tone(codec, hertz);
            let came = through(codec, &sound);
            assert_eq!(came.len(), sound.len(), "{codec:?}");
            let (sent, heard) = (level(codec, &sound, hertz), level(codec, &came, hertz));
            assert!(
                (sent - heard).abs() < 1.0,
                "{codec:?}: {hertz} Hz sent at {sent:.1}, heard at {heard:.1} dBov"
            );
            let purity = purity(codec, &came, hertz);
            let least = if codec == Codec::Opus { 15.0 } else { 25.0 };
            assert!(
                purity > least,
                "{codec:?}: {hertz} Hz is {purity:.1} dB over the rest"
            );
        }
    }
}

#[test]
fn packets_of_every_length_hold_what_was_put_in() {
    for codec in Codec::ALL {
        for tens in 1..=6 {
            let samples = tens * codec.band().sample_rate() as usize / 100;
            let (mut encoder, decoder) = (Encoder::new(codec), Decoder::new(codec));
            let mut out = [0; MAX_PAYLOAD];
            let octets = encoder.encode(&tone(codec, 1_000.0)[..samples], &mut out);
            let expected = match codec {
                Codec::Opus if tens == 3 || tens == 5 => 0,
                _ => samples,
            };
            assert_eq!(
                decoder.samples(&out[..octets]),
                expected,
                "{codec:?}, {tens}0 ms"
            );
        }
    }
}

#[test]
fn opus_keeps_to_its_bitrate() {
    let packets = packets(Codec::Opus, &voice(Codec::Opus));
    let octets: usize = packets.iter().map(Vec::len).sum();
    let rate = octets * 8 / 3;
    assert!((15_000..30_000).contains(&rate), "{rate} bit/s");
}

#[test]
fn room_for_less_gets_less_and_the_stream_goes_on() {
    for codec in Codec::ALL {
        let packets = packets(codec, &tone(codec, 1_000.0));
        let mut decoder = Decoder::new(codec);
        let mut little = [7; 5];
        assert!(decoder.decode(&packets[0], &mut little[..4]) <= 4);
        assert_eq!(little[4], 7);
        assert_eq!(decoder.decode(&packets[1], &mut []), 0);
        let mut frame = [0; 1_920];
        assert_eq!(
            decoder.decode(&packets[2], &mut frame),
            codec.band().frame_samples()
        );
        let mut encoder = Encoder::new(codec);
        assert!(encoder.encode(&[0; 320], &mut [0; 2]) <= 2);
        assert_eq!(encoder.encode(&[], &mut [0; 9]), 0);
    }
}

#[test]
fn packets_of_another_length_are_a_new_beginning_for_opus_and_not_its_end() {
    let sound = tone(Codec::Opus, 440.0);
    let mut encoder = Encoder::new(Codec::Opus);
    let mut decoder = Decoder::new(Codec::Opus);
    for from in [10, 20, 40, 60] {
        for ms in [from, 10, from, 20, from, 40, from, 60] {
            let mut packet = [0; MAX_PAYLOAD];
            for samples in sound.chunks_exact(16 * ms).take(3) {
                let len = encoder.encode(samples, &mut packet);
                let mut heard = [0; 1_920];
                assert_eq!(decoder.decode(&packet[..len], &mut heard), 16 * ms);
            }
        }
    }
}

/// How much louder the first of two sounds is than their difference, in dB.
fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let square = |value: i32| f64::from(value).powi(2);
    let signal: f64 = one.iter().map(|sample| square(i32::from(*sample))).sum();
    let pairs = one.iter().zip(other);
    let error: f64 = pairs
        .map(|(one, other)| square(i32::from(*one) - i32::from(*other)))
        .sum();
    10.0 * ((signal + 1.0) / (error + 1.0)).log10()
}

#[test]
fn a_lost_packet_of_opus_comes_back_out_of_the_one_after_it() {
    let packets = packets(Codec::Opus, &voice(Codec::Opus));
    let whole = decoded(Codec::Opus, &packets);
    let (mut recovered, mut concealed) = (Vec::new(), Vec::new());
    // The swell is loudest, and worth a repetition, half way between its lows, 12.5 packets apart.
    for lost in (1..11).map(|swell| 6 + 25 * swell / 2) {
        let lost_sound = &whole[lost * 320..][..320];
        for (repeats, likenesses) in [(true, &mut recovered), (false, &mut concealed)] {
            let mut decoder = Decoder::new(Codec::Opus);
            let mut frame = [0; 320];
            for packet in &packets[..lost] {
                decoder.decode(packet, &mut frame);
            }
            if repeats {
                assert_eq!(
                    decoder.recover(&packets[lost + 1], &mut frame),
                    320,
                    "{lost}"
                );
            } else {
                assert!(decoder.conceal(&mut frame));
            }
            likenesses.push(likeness(lost_sound, &frame));
            assert_eq!(decoder.decode(&packets[lost + 1], &mut frame), 320);
        }
    }
    let mean = |likenesses: &[f64]| likenesses.iter().sum::<f64>() / likenesses.len() as f64;
    let (recovered, concealed) = (mean(&recovered), mean(&concealed));
    println!("like the lost packet: recovered {recovered:.1} dB, concealed {concealed:.1} dB");
    assert!(
        recovered > 6.0 && recovered > concealed + 3.0,
        "{recovered} {concealed}"
    );
}

#[test]
fn a_long_gap_of_opus_fades_away() {
    let packets = packets(Codec::Opus, &tone(Codec::Opus, 440.0));
    let mut decoder = Decoder::new(Codec::Opus);
    let mut frame = [0; 320];
    for packet in &packets[..20] {
        decoder.decode(packet, &mut frame);
    }
    let loudest = |frame: &[i16]| {
        frame
            .iter()
            .map(|sample| sample.unsigned_abs())
            .max()
            .unwrap()
    };
    assert!(loudest(&frame) > 8_000);
    for _ in 0..100 {
        assert!(decoder.conceal(&mut frame));
    }
    assert!(loudest(&frame) < 500, "{}", loudest(&frame));
    assert!(decoder.conceal(&mut [0; 33]), "no whole step of 2.5 ms");
}

#[test]
fn only_opus_has_a_concealment_of_its_own() {
    for codec in Codec::ALL {
        let mut decoder = Decoder::new(codec);
        let mut out = [7; 320];
        assert_eq!(decoder.conceal(&mut out), codec == Codec::Opus);
        assert_eq!(out[0] == 7, codec != Codec::Opus);
        assert_eq!(decoder.recover(&[0x48, 0], &mut out), 0, "{codec:?}");
    }
}

#[test]
fn hostile_payloads_do_no_harm() {
    let seed = 0x0905;
    println!("seed {seed:#x}");
    let mut random = SmallRng::seed_from_u64(seed);
    for codec in [Codec::G722, Codec::Opus] {
        let good = packets(codec, &voice(codec));
        let mut decoder = Decoder::new(codec);
        let mut out = [0; 1_920];
        for round in 0..6_000 {
            let mut payload = good[round % good.len()].clone();
            match random.random_range(0..4) {
                0 => {
                    payload = (0..random.random_range(0..300))
                        .map(|_| random.random())
                        .collect()
                }
                1 => payload.truncate(random.random_range(0..=payload.len())),
                2 => {
                    let at = random.random_range(0..payload.len());
                    payload[at] = random.random();
                }
                _ => payload[0] = random.random(),
            }
            let samples = decoder.samples(&payload);
            let decoded = decoder.decode(&payload, &mut out);
            assert!(decoded == 0 || decoded == samples.min(out.len()));
            match round % 7 {
                0 => {
                    decoder.recover(&payload, &mut out[..320]);
                }
                1 => {
                    decoder.conceal(&mut out[..320]);
                }
                _ => {}
            }
        }
    }
}

/// A second or less of 1 kHz as other encoders write it (libopus 1.3 and FFmpeg's G.722), each packet behind its
/// length in two octets. Made by `ffmpeg -f lavfi -i sine=f=1000`; the first octet says which mode it is.
const FOREIGN: [(&[u8], &str, usize); 6] = [
    (
        include_bytes!("foreign/silk-narrow-20ms.opus"),
        "silk, narrow band",
        320,
    ),
    (
        include_bytes!("foreign/silk-wide-60ms.opus"),
        "silk, 60 ms",
        960,
    ),
    (include_bytes!("foreign/hybrid-20ms.opus"), "hybrid", 320),
    (
        include_bytes!("foreign/hybrid-stereo-20ms.opus"),
        "hybrid, stereo",
        320,
    ),
    (
        include_bytes!("foreign/hybrid-120ms.opus"),
        "hybrid, six frames of 20 ms",
        1_920,
    ),
    (
        include_bytes!("foreign/celt-2.5ms.opus"),
        "celt, 2.5 ms",
        40,
    ),
];

/// How much louder 1 kHz is than all else in 100 ms in the middle of a sound of the wide band, in dB.
fn purity_in_the_middle(sound: &[i16]) -> f64 {
    let middle = &sound[sound.len() / 2 - 800..][..1_600];
    let square = |sample: &i16| (f64::from(*sample) / 32_768.0).powi(2);
    let all = middle.iter().map(square).sum::<f64>() / 1_600.0;
    let of_tone = 10.0_f64.powf(frequency_power(middle, 500.0) / 10.0);
    10.0 * (of_tone / (all - of_tone).max(1e-12)).log10()
}

#[test]
fn packets_of_other_encoders_are_understood_in_every_mode() {
    for (mut octets, name, samples) in FOREIGN {
        let mut packets = Vec::new();
        while let [high, low, rest @ ..] = octets {
            let (packet, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            packets.push(packet.to_vec());
            octets = after;
        }
        let sound = decoded(Codec::Opus, &packets);
        assert_eq!(sound.len(), samples * packets.len(), "{name}");
        let purity = purity_in_the_middle(&sound);
        println!("{name}: 1 kHz is {purity:.1} dB over the rest");
        assert!(purity > 15.0, "{name}: {purity:.1} dB");
    }
}

#[test]
fn octets_of_another_g722_encoder_are_understood() {
    let octets = include_bytes!("foreign/tone.g722");
    let sound = decoded(
        Codec::G722,
        &[octets[..800].to_vec(), octets[800..].to_vec()],
    );
    let purity = purity_in_the_middle(&sound);
    assert!(purity > 30.0, "{purity:.1} dB");
}
