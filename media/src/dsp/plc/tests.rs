//! Tones and something like speech, with holes.

use super::*;
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::ToneGenerator;
use crate::sim::Chance;

fn tone(hertz: f32, frames: usize) -> Vec<[i16; 160]> {
    let mut generator = ToneGenerator::single(hertz, -10.0);
    (0..frames)
        .map(|_| {
            let mut frame = [0; 160];
            generator.fill(&mut frame);
            frame
        })
        .collect()
}

/// Largest step between two samples.
fn largest_step(sound: &[i16]) -> i32 {
    sound
        .windows(2)
        .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs())
        .max()
        .unwrap()
}

/// What is heard of a sound whose frames are lost where `is_lost` says so.
fn heard(frames: &[[i16; 160]], is_lost: impl Fn(usize) -> bool) -> Vec<i16> {
    let mut concealer = Concealer::new();
    let mut heard = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        let mut frame = *frame;
        if is_lost(at) {
            concealer.conceal(&mut frame)
        } else {
            concealer.accept(&mut frame)
        }
        heard.extend(frame);
    }
    heard
}

#[test]
fn sound_without_loss_is_left_alone() {
    let frames = tone(440.0, 20);
    assert_eq!(heard(&frames, |_| false), frames.concat());
}

#[test]
fn one_lost_frame_of_a_tone_is_hardly_heard() {
    for hertz in [110.0, 200.0, 300.0, 440.0, 1_000.0] {
        let frames = tone(hertz, 20);
        let sound = heard(&frames, |at| at == 10);
        let before = dbov(&sound[1_280..1_600]);
        assert!(
            (dbov(&sound[1_600..1_760]) - before).abs() < 2.5,
            "{hertz} Hz"
        );
        assert!(
            largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50,
            "{hertz} Hz clicks"
        );
        assert!(
            frequency_power(&sound[1_600..1_760], hertz) > before - 3.5,
            "{hertz} Hz"
        );
    }
}

#[test]
fn a_long_loss_fades_from_10_ms_to_silence_at_60_ms() {
    let sound = heard(&tone(250.0, 20), |at| at >= 10);
    let level = |ms: usize| dbov(&sound[1_600 + ms * 8..][..80]);
    assert!(level(0) > -17.0);
    assert!(level(20) < level(0) - 1.0 && level(40) < level(20) - 3.0);
    assert!(sound[1_600 + 480..].iter().all(|sample| *sample == 0));
}

#[test]
fn sound_comes_back_without_a_click() {
    for lost in 1..8 {
        let frames = tone(300.0, 30);
        let sound = heard(&frames, |at| (10..10 + lost).contains(&at));
        assert!(
            largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50,
            "{lost} frames lost"
        );
        assert_eq!(
            sound[(11 + lost) * 160..],
            frames.concat()[(11 + lost) * 160..]
        );
    }
}

#[test]
fn a_skipped_piece_is_joined_without_a_click() {
    let frames = tone(333.0, 20);
    let mut concealer = Concealer::new();
    let mut sound = Vec::new();
    for (at, frame) in frames.iter().enumerate().filter(|(at, _)| *at != 10) {
        let mut frame = *frame;
        if at == 11 {
            concealer.join(&mut frame)
        } else {
            concealer.accept(&mut frame)
        }
        sound.extend(frame);
    }
    assert!(largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50);
    assert!(!concealer.is_concealing());
}

#[test]
fn noise_full_scale_and_odd_frame_lengths_do_no_harm() {
    let mut chance = Chance::new(11);
    let mut concealer = Concealer::new();
    for turn in 0..2_000 {
        let mut frame = vec![0; (chance.next() % 700) as usize];
        frame.fill_with(|| {
            if turn % 5 == 0 {
                i16::MIN
            } else {
                chance.next() as i16
            }
        });
        match chance.next() % 3 {
            0 => concealer.accept(&mut frame),
            1 => concealer.conceal(&mut frame),
            _ => concealer.join(&mut frame),
        }
    }
}

/// Something like speech: pulses of a pitch that glides, through two resonances, loud and quiet by turns.
fn speech(band: Band, pitch: f64, seed: u64) -> Vec<i16> {
    let rate = f64::from(band.sample_rate());
    let mut chance = Chance::new(seed);
    let (mut phase, mut formants) = (0.0, [[0.0_f64; 2]; 2]);
    let count = 2 * band.sample_rate() as usize;
    let sample = |at: usize| {
        let time = at as f64 / rate;
        phase += pitch * (1.0 + 0.15 * (3.0 * time).sin()) / rate;
        let mut sound = 20.0 * chance.normal();
        if phase >= 1.0 {
            phase -= 1.0;
            sound += 9_000.0 * 16_000.0 / rate;
        }
        let shapes = [(550.0 + 200.0 * (5.0 * time).sin(), 70.0), (1_500.0, 110.0)];
        for (memory, (hertz, width)) in formants.iter_mut().zip(shapes) {
            let radius = (-std::f64::consts::PI * width / rate).exp();
            let angle = std::f64::consts::TAU * hertz / rate;
            let next = sound * (1.0 - radius) + 2.0 * radius * angle.cos() * memory[0]
                - radius * radius * memory[1];
            *memory = [next, memory[0]];
            sound = next;
        }
        sound * (1.2 + (6.0 * time).sin())
    };
    loud((0..count).map(sample).collect())
}

/// With peaks of 12,000.
fn loud(sound: Vec<f64>) -> Vec<i16> {
    let peak = sound
        .iter()
        .fold(1.0_f64, |peak, sample| peak.max(sample.abs()));
    let loud = |sample: &f64| (sample * 12_000.0 / peak) as i16;
    sound.iter().map(loud).collect()
}

/// How much stronger the sound is than what is wrong with it, in the frames that were lost, in decibels.
fn segmental_snr(
    sound: &[i16],
    heard: &[i16],
    frame: usize,
    is_lost: impl Fn(usize) -> bool,
) -> f64 {
    let parts = sound.chunks(frame).zip(heard.chunks(frame)).enumerate();
    let ratios: Vec<f64> = parts
        .filter(|(at, (sound, _))| is_lost(*at) && dbov(sound) > -45.0)
        .map(|(_, (sound, heard))| {
            let wrong: Vec<i16> = sound
                .iter()
                .zip(heard)
                .map(|(a, b)| a.saturating_sub(*b))
                .collect();
            (dbov(sound) - dbov(&wrong)).clamp(-10.0, 35.0)
        })
        .collect();
    ratios.iter().sum::<f64>() / ratios.len() as f64
}

/// Conceals frames of 10 ms; without a concealer they are silent, or the frame before is heard again.
fn with_losses(band: Band, sound: &[i16], is_lost: impl Fn(usize) -> bool, how: &str) -> Vec<i16> {
    let frame = band.frame_samples() / 2;
    let mut concealer = Concealer::in_band(band);
    let mut last = vec![0; frame];
    let mut heard = Vec::new();
    for (at, part) in sound.chunks_exact(frame).enumerate() {
        let mut part = part.to_vec();
        match (is_lost(at), how) {
            (false, _) => concealer.accept(&mut part),
            (true, "silence") => part.fill(0),
            (true, "repetition") => part.copy_from_slice(&last),
            (true, _) => concealer.conceal(&mut part),
        }
        last.copy_from_slice(&part);
        heard.extend(part);
    }
    heard
}

#[test]
fn lost_speech_is_nearer_to_what_it_was_than_silence_or_repetition() {
    for band in [Band::Narrow, Band::Wide] {
        for (pitch, seed) in [(95.0, 1), (130.0, 2), (210.0, 3)] {
            let sound = speech(band, pitch, seed);
            let frame = band.frame_samples() / 2;
            let is_lost = |at: usize| at >= 20 && at % 7 == 3;
            let found = |how| {
                let heard = with_losses(band, &sound, is_lost, how);
                segmental_snr(&sound, &heard, frame, is_lost)
            };
            let [ours, silence, repetition] = ["ours", "silence", "repetition"].map(found);
            println!(
                "{band:?} {pitch} Hz: {ours:.1} dB, silence {silence:.1}, repetition {repetition:.1}"
            );
            assert!(ours > 6.0, "{band:?}, {pitch} Hz: {ours:.1} dB");
            assert!(
                ours > silence + 5.0 && ours > repetition + 5.0,
                "{band:?}, {pitch} Hz"
            );
        }
    }
}

#[test]
fn a_burst_of_60_ms_keeps_the_spectrum_and_fades() {
    for band in [Band::Narrow, Band::Wide] {
        let sound = speech(band, 130.0, 5);
        let frame = band.frame_samples() / 2;
        for first in [40, 77, 101, 150] {
            let heard = with_losses(band, &sound, |at| (first..first + 6).contains(&at), "ours");
            let level = |from: usize| dbov(&heard[from * frame..][..frame]);
            let before = level(first - 1).max(level(first - 2));
            assert!(level(first) > before - 5.0, "{band:?} {first}");
            assert!(level(first + 2) < before + 2.0 && level(first + 5) < before - 8.0);
            let rejoined = &heard[(first + 8) * frame..][..frame];
            assert_eq!(rejoined, &sound[(first + 8) * frame..][..frame]);
        }
    }
}
