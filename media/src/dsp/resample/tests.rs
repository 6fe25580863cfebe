use std::f64::consts::TAU;

use super::*;
use crate::dsp::meter::frequency_power;

const RATES: [u32; 12] = [
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000, 44_101,
];

fn sine(hertz: f64, rate: u32) -> Vec<i16> {
    (0..rate)
        .map(|at| (10_000.0 * (TAU * hertz * f64::from(at) / f64::from(rate)).sin()).round() as i16)
        .collect()
}

/// Power at 8 kHz of a tone in a second of sound, away from its edges.
fn heard(hertz: f64, rate: u32, at: f32) -> f64 {
    let sound = resample(&sine(hertz, rate), rate, 8_000).unwrap();
    frequency_power(&sound[1_000..7_000], at)
}

#[test]
fn speech_band_passes_from_every_rate() {
    for rate in RATES {
        let whole = heard(1_000.0, rate, 1_000.0);
        assert!(
            (whole + 13.32).abs() < 0.05,
            "{rate} Hz: {whole:.2} dBov at 1 kHz"
        );
        let edge = heard(3_400.0, rate, 3_400.0);
        assert!(
            edge > whole - 1.0,
            "{rate} Hz: {:.2} dB at 3.4 kHz",
            edge - whole
        );
    }
}

#[test]
fn what_cannot_be_heard_at_8_khz_does_not_come_back_as_an_alias() {
    for rate in RATES.into_iter().filter(|rate| *rate >= 12_000) {
        for hertz in [4_650.0_f64, 5_000.0, 5_900.0] {
            let alias = (8_000.0 - hertz) as f32;
            let sound = resample(&sine(hertz, rate), rate, 8_000).unwrap();
            let power = frequency_power(&sound[1_000..7_000], alias);
            assert!(
                power < -13.3 - 78.0,
                "{rate} Hz: {hertz} Hz is heard at {power:.1} dBov"
            );
        }
    }
}

/// Those of files, speech and codecs.
const COMMON: [u32; 5] = [8_000, 16_000, 24_000, 44_100, 48_000];

fn pairs() -> impl Iterator<Item = (u32, u32)> {
    let others = |from| COMMON.into_iter().filter(move |to| *to != from);
    COMMON
        .into_iter()
        .flat_map(move |from| others(from).map(move |to| (from, to)))
}

/// Level of a tone of [`sine`] in the middle half of a second of sound, and of all else there, against what went
/// in, in dB.
fn levels(sound: &[i16], hertz: f64, rate: u32) -> (f64, f64) {
    let middle = &sound[rate as usize / 4..][..rate as usize / 2];
    let step = TAU * hertz / f64::from(rate);
    let (mut sine, mut cosine, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in middle.iter().enumerate() {
        let (sample, angle) = (f64::from(*sample), step * at as f64);
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
        all += sample * sample;
    }
    let count = middle.len() as f64;
    let of_tone = 2.0 * (sine * sine + cosine * cosine) / (count * count);
    let decibels = |power: f64| 10.0 * (power.max(1e-9) / 5e7).log10();
    (decibels(of_tone), decibels(all / count - of_tone))
}

#[test]
fn every_pair_of_rates_is_flat_and_what_it_adds_is_80_db_down() {
    for (from, to) in pairs() {
        let lower = f64::from(from.min(to));
        for share in [0.0377, 0.2113, 0.3391, 0.425] {
            // Whole in half a second.
            let hertz = (share * lower / 2.0).floor() * 2.0;
            let sound = resample(&sine(hertz, from), from, to).unwrap();
            let (of_tone, rest) = levels(&sound, hertz, to);
            assert!(
                of_tone.abs() < 0.05,
                "{from} to {to}: {hertz} Hz {of_tone:.3} dB"
            );
            assert!(rest < -80.0, "{from} to {to}: {hertz} Hz adds {rest:.1} dB");
        }
    }
}

#[test]
fn what_the_lower_of_two_rates_cannot_carry_is_80_db_down() {
    let band = |from, to| (0.575 * f64::from(to), 0.49 * f64::from(from));
    let is_narrower = |(from, to): &(u32, u32)| band(*from, *to).0 < band(*from, *to).1;
    for (from, to) in pairs().filter(is_narrower) {
        let (low, high) = band(from, to);
        for share in [0.0, 0.3, 0.7, 1.0] {
            let hertz = low + share * (high - low);
            let sound = resample(&sine(hertz, from), from, to).unwrap();
            let (_, rest) = levels(&sound, 0.0, to);
            assert!(rest < -80.0, "{from} to {to}: {hertz} Hz at {rest:.1} dB");
        }
    }
}

#[test]
fn a_sound_keeps_its_length_and_its_place() {
    for rate in RATES {
        let mut click = vec![0; rate as usize];
        click[rate as usize / 2] = 20_000;
        let sound = resample(&click, rate, 8_000).unwrap();
        assert_eq!(sound.len(), 8_000, "{rate} Hz");
        let peak = sound
            .iter()
            .enumerate()
            .max_by_key(|(_, sample)| sample.unsigned_abs())
            .unwrap()
            .0;
        assert!(
            (3_999..=4_001).contains(&peak),
            "{rate} Hz: click at {peak}"
        );
    }
}

#[test]
fn pieces_give_what_the_whole_gives_in_every_pair_of_rates() {
    for (from, to) in pairs() {
        let whole = resample(&sine(440.0, from), from, to).unwrap();
        for piece in [97, from as usize / 50] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut pieces = Vec::new();
            for samples in sine(440.0, from).chunks(piece) {
                let samples: Vec<f32> = samples.iter().map(|sample| f32::from(*sample)).collect();
                resampler.push(&samples, &mut pieces);
            }
            resampler.finish(&mut pieces);
            assert!(whole == pieces, "{from} to {to} in pieces of {piece}");
        }
    }
}

#[test]
fn absurd_rates_are_refused() {
    for rate in [0, 1, 3_999, 192_001, u32::MAX] {
        assert_eq!(
            resample(&[0; 10], rate, 8_000),
            Err(UnsupportedRate { rate })
        );
    }
    assert_eq!(resample(&[], 44_100, 8_000), Ok(Vec::new()));
}
