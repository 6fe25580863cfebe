use std::f64::consts::TAU;

use super::*;
use crate::dsp::meter::frequency_power;

/// Two seconds of a tone.
fn tone(hertz: f64, rate: u32) -> Vec<i16> {
    let sample = |at| 20_000.0 * (TAU * hertz * f64::from(at) / f64::from(rate)).sin();
    (0..2 * rate).map(|at| sample(at).round() as i16).collect()
}

/// Power of a frequency in the second in the middle of a sound, against that of [`tone`], in dB.
fn level(sound: &[i16], hertz: f64, rate: u32) -> f64 {
    const TONE: f64 = -7.30;
    let scaled = hertz * 8_000.0 / f64::from(rate);
    let middle = &sound[rate as usize / 2..][..rate as usize];
    frequency_power(middle, scaled as f32) - TONE
}

fn doubled(narrow: &[i16]) -> Vec<i16> {
    let mut wide = vec![0; 2 * narrow.len()];
    Doubler::new().process(narrow, &mut wide);
    wide
}

fn halved(wide: &[i16]) -> Vec<i16> {
    let mut narrow = vec![0; wide.len() / 2];
    Halver::new().process(wide, &mut narrow);
    narrow
}

/// Tones through the band of the telephone: whole in a second, and none in step with the samples, so that
/// rounding errs evenly.
fn pass_band() -> impl Iterator<Item = f64> {
    (0..=32).map(|step| 199.0 + 100.0 * f64::from(step))
}

#[test]
fn doubled_sound_is_flat_to_3400_hz_and_its_images_are_90_db_down() {
    for hertz in pass_band() {
        let wide = doubled(&tone(hertz, 8_000));
        let passed = level(&wide, hertz, 16_000);
        assert!(passed.abs() < 0.05, "{hertz} Hz: {passed:.3} dB");
        let image = level(&wide, 8_000.0 - hertz, 16_000);
        assert!(image < -89.5, "image of {hertz} Hz: {image:.1} dB");
    }
}

#[test]
fn halved_sound_is_flat_to_3400_hz_and_aliases_are_90_db_down() {
    for hertz in pass_band() {
        let passed = level(&halved(&tone(hertz, 16_000)), hertz, 8_000);
        assert!(passed.abs() < 0.05, "{hertz} Hz: {passed:.3} dB");
        let alias = level(&halved(&tone(8_000.0 - hertz, 16_000)), hertz, 8_000);
        assert!(alias < -89.5, "alias at {hertz} Hz: {alias:.1} dB");
    }
}

#[test]
fn pieces_of_any_length_give_what_the_whole_gives() {
    let narrow = tone(440.0, 8_000);
    let wide = doubled(&narrow);
    let halved = halved(&wide);
    for piece in [1, 2, 15, 16, 80, 160, 161, 480, 3_000] {
        let (mut doubler, mut halver) = (Doubler::new(), Halver::new());
        let (mut pieces, mut back) = (Vec::new(), Vec::new());
        for narrow in narrow.chunks(piece) {
            let (mut wide, mut narrow_again) = (vec![0; 2 * narrow.len()], vec![0; narrow.len()]);
            doubler.process(narrow, &mut wide);
            halver.process(&wide, &mut narrow_again);
            pieces.extend(wide);
            back.extend(narrow_again);
        }
        assert!(pieces == wide, "doubled in pieces of {piece}");
        assert!(back == halved, "halved in pieces of {piece}");
    }
}

#[test]
fn a_click_comes_as_late_as_is_said() {
    let mut click = [0; 400];
    click[100] = 20_000;
    let loudest = |sound: &[i16]| {
        let samples = sound.iter().enumerate();
        samples.max_by_key(|(_, sample)| **sample).unwrap().0
    };
    assert_eq!(loudest(&doubled(&click)), 2 * 100 + 35);
    assert_eq!(loudest(&halved(&click)), (100 + 34) / 2);
}

#[test]
fn the_loudest_sound_is_clipped_and_does_not_wrap() {
    let square: Vec<i16> = (0..800)
        .map(|at| if at / 8 % 2 == 0 { i16::MAX } else { i16::MIN })
        .collect();
    let wide = doubled(&square);
    for pair in wide[100..].windows(2) {
        let step = i32::from(pair[0]) - i32::from(pair[1]);
        assert!(step.abs() < 40_000, "{pair:?}");
    }
    assert!(wide.contains(&i16::MAX) && wide.contains(&i16::MIN));
}

#[test]
fn the_shorter_of_input_and_output_decides_and_reset_forgets() {
    let (mut doubler, mut wide) = (Doubler::new(), [7; 5]);
    doubler.process(&[1_000; 40], &mut wide);
    assert_eq!(wide[4], 7);
    doubler.reset();
    let mut silence = [7; 320];
    doubler.process(&[0; 160], &mut silence);
    assert_eq!(silence, [0; 320]);
    let (mut halver, mut narrow) = (Halver::new(), [7; 3]);
    halver.process(&[1_000; 5], &mut narrow);
    assert_eq!(narrow[2], 7);
    halver.process(&[], &mut narrow);
    halver.reset();
    halver.process(&[0; 6], &mut narrow);
    assert_eq!(narrow, [0; 3]);
}
