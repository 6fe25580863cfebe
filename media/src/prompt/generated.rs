//! Sounds that need no file: made to be played without end.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::dsp::tone::{Ramp, ToneGenerator};
use crate::frame::{SAMPLE_RATE, samples_in};

/// Level of each of the two tones of ringback, in dBm0: what networks send.
const RINGBACK: f32 = -19.0;

/// Chords by their notes in semitones above A below middle C; a note every half second.
const CHORDS: [[i32; 4]; 4] = [
    [0, 7, 12, 16],
    [-3, 4, 9, 12],
    [-7, 0, 5, 9],
    [-5, 2, 7, 11],
];

/// Frequency of that A.
const A: f64 = 220.0;

/// From one note to the next.
const STEP: Duration = Duration::from_millis(500);

/// How long a note sounds: it reaches far into those after it.
const NOTE: Duration = Duration::from_secs(3);

/// Loudest a single note is; three sound at once.
const PEAK: f64 = 3_000.0;

/// 440 and 480 Hz for two seconds, nothing for four.
pub(super) fn ringback() -> Vec<i16> {
    let mut tones = ToneGenerator::dual((440.0, RINGBACK), (480.0, RINGBACK));
    let rings = samples_in(Duration::from_secs(2));
    let ramp = Ramp::new(rings, Duration::from_millis(5));
    let mut sound: Vec<i16> = (0..rings)
        .map(|at| (tones.next_sample() * ramp.gain(at)).round() as i16)
        .collect();
    sound.resize(samples_in(Duration::from_secs(6)) as usize, 0);
    sound
}

/// Broken chords of soft notes. What sounds beyond the end is added to the beginning, so that no ear finds
/// the place where it begins anew.
pub(super) fn hold_music() -> Vec<i16> {
    let (step, note) = (samples_in(STEP) as usize, samples_in(NOTE) as usize);
    let notes: Vec<i32> = CHORDS.iter().flatten().copied().collect();
    let mut sum = vec![0.0; notes.len() * step];
    let whole = sum.len();
    for (place, semitones) in notes.iter().enumerate() {
        let hertz = A * 2_f64.powf(f64::from(*semitones) / 12.0);
        for at in 0..note {
            sum[(place * step + at) % whole] += PEAK * note_at(hertz, at, note);
        }
    }
    sum.into_iter()
        .map(|sample| sample.round() as i16)
        .collect()
}

/// A note like a plucked string heard through a wall: quick to rise, slow to fall, with two overtones.
fn note_at(hertz: f64, at: usize, whole: usize) -> f64 {
    let seconds = at as f64 / f64::from(SAMPLE_RATE);
    let rise = (seconds / 0.03).min(1.0);
    let left = 1.0 - at as f64 / whole as f64;
    let wave = |overtone: f64| (TAU * hertz * overtone * seconds).sin();
    let tone = wave(1.0) + 0.3 * wave(2.0) + 0.1 * wave(3.0);
    rise * left * (-1.6 * seconds).exp() * tone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;

    #[test]
    fn ringback_is_two_tones_for_two_seconds_in_six() {
        let sound = ringback();
        assert_eq!(sound.len(), 48_000);
        for hertz in [440.0, 480.0] {
            assert!((frequency_power(&sound[800..15_200], hertz) + 25.15).abs() < 0.3);
        }
        assert_eq!(dbov(&sound[16_000..]), -127.0);
    }

    #[test]
    fn hold_music_is_calm_and_goes_over_into_itself() {
        let sound = hold_music();
        assert_eq!(sound.len(), 64_000);
        let twice: Vec<i32> = sound
            .iter()
            .chain(&sound)
            .map(|sample| i32::from(*sample))
            .collect();
        let steps = twice.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let (largest, at) = steps.zip(0..).max().unwrap();
        // The highest overtone that is heard steps by as much anywhere.
        assert!(largest < 3_200, "{largest} at {at}");
        for second in sound.chunks(8_000) {
            assert!((-30.0..-15.0).contains(&dbov(second)), "{}", dbov(second));
        }
    }
}
