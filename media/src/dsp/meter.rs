//! How much of a frequency is in a sound (Goertzel): who is heard, and how loud.

use std::f64::consts::TAU;

use crate::frame::SAMPLE_RATE;

/// Power at a frequency, in dBov: a full sine is -3 dBov, nothing at all -127.
///
/// Resolves 1 / length of the sound: 20 ms tell tones 50 Hz apart, a second tells them 1 Hz apart.
#[must_use]
pub fn frequency_power(samples: &[i16], hertz: f32) -> f64 {
    if samples.is_empty() {
        return super::level::NOTHING;
    }
    let coefficient = 2.0 * (TAU * f64::from(hertz) / f64::from(SAMPLE_RATE)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + coefficient * last - before, last);
    }
    let magnitude = last * last + before * before - coefficient * last * before;
    let mean_square = 2.0 * magnitude.max(0.0) / (samples.len() as f64).powi(2);
    super::level::to_dbov(mean_square)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::ToneGenerator;

    #[test]
    fn a_tone_is_heard_at_its_frequency_and_nowhere_else() {
        let mut sound = [0; 8_000];
        ToneGenerator::single(700.0, -10.0).fill(&mut sound);
        assert!(frequency_power(&sound, 700.0) > -17.0);
        for other in [350.0, 650.0, 750.0, 1_400.0, 3_000.0] {
            assert!(frequency_power(&sound, other) < -60.0, "{other} Hz");
        }
    }

    #[test]
    fn silence_has_no_power() {
        assert_eq!(frequency_power(&[0; 160], 440.0), -127.0);
        assert_eq!(frequency_power(&[], 440.0), -127.0);
    }
}
