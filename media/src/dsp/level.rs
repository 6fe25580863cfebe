//! How loud a sound is, and for how long nobody has spoken.

use std::time::Duration;

use crate::frame::{FRAME_SAMPLES, duration_of};

/// The level of no sound at all, in dBov (RFC 6465 §3 ends its scale there).
pub(super) const NOTHING: f64 = -127.0;

/// Level in dBov: 0 is a full-scale square, -3 a full-scale sine, -127 nothing.
#[must_use]
pub fn dbov(samples: &[i16]) -> f64 {
    to_dbov(f64::from(mean_square(samples)))
}

/// Mean square of samples in dBov.
pub(super) fn to_dbov(mean_square: f64) -> f64 {
    (10.0 * (mean_square / (32_768.0 * 32_768.0)).log10()).max(NOTHING)
}

/// Mean square of samples.
#[must_use]
pub(crate) fn mean_square(samples: &[i16]) -> f32 {
    // Eight sums side by side, so that it is vector instructions.
    let mut sums = [0.0_f32; 8];
    let (eights, rest) = samples.as_chunks::<8>();
    for eight in eights {
        for (sum, sample) in sums.iter_mut().zip(eight) {
            let sample = f32::from(*sample);
            *sum += sample * sample;
        }
    }
    let rest: f32 = rest.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    (sums.iter().sum::<f32>() + rest) / samples.len().max(1) as f32
}

/// Measures how long nobody has spoken.
///
/// Speech is what stands out of the noise of the line: the quietest recent sound, which rises
/// slowly and falls at once. A click is not speech: it takes 60 ms of sound to break a silence.
#[derive(Clone, Debug)]
pub struct SilenceDetector {
    /// Mean square of the noise of the line.
    floor: f64,
    /// Sound of the frame being filled.
    sum: u64,
    filled: usize,
    /// Samples since somebody spoke.
    silent: u64,
    /// Frames of sound in a row.
    loud: u32,
}

impl SilenceDetector {
    /// Never speech, however quiet the line: -50 dBov.
    const QUIET: f64 = 1e-5 * FULL_SCALE;
    /// Always speech, however noisy the line: -30 dBov.
    const LOUD: f64 = 1e-3 * FULL_SCALE;
    /// Speech is so much stronger than noise: 9 dB.
    const MARGIN: f64 = 8.0;
    /// Noise rises by half a decibel a second: a long vowel does not become noise.
    const FLOOR_RISE: f64 = 1.002_3;
    /// Frames of sound that break a silence.
    const BREAK: u32 = 3;

    /// Starts with no silence yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            floor: Self::QUIET / Self::MARGIN,
            sum: 0,
            filled: 0,
            silent: 0,
            loud: 0,
        }
    }

    /// Takes sound of any length and says how long it has been silent, to the last whole 20 ms.
    pub fn push(&mut self, samples: &[i16]) -> Duration {
        for sample in samples {
            self.sum += u64::from(sample.unsigned_abs()).pow(2);
            self.filled += 1;
            if self.filled == FRAME_SAMPLES {
                let power = self.sum as f64 / FRAME_SAMPLES as f64;
                (self.sum, self.filled) = (0, 0);
                self.take_frame(power);
            }
        }
        self.silence()
    }

    /// How long it has been silent.
    #[must_use]
    pub fn silence(&self) -> Duration {
        duration_of(self.silent)
    }

    fn take_frame(&mut self, power: f64) {
        let threshold = (self.floor * Self::MARGIN).clamp(Self::QUIET, Self::LOUD);
        self.floor = if power < self.floor {
            power.max(1.0)
        } else {
            self.floor * Self::FLOOR_RISE
        };
        self.floor = self.floor.min(Self::LOUD);
        self.loud = if power > threshold { self.loud + 1 } else { 0 };
        self.silent += FRAME_SAMPLES as u64;
        if self.loud >= Self::BREAK {
            self.silent = 0;
        }
    }
}

impl Default for SilenceDetector {
    fn default() -> Self {
        Self::new()
    }
}

const FULL_SCALE: f64 = 32_768.0 * 32_768.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::ToneGenerator;
    use crate::sim::Chance;

    fn tone(dbm0: f32, ms: usize) -> Vec<i16> {
        let mut sound = vec![0; ms * 8];
        ToneGenerator::single(300.0, dbm0).fill(&mut sound);
        sound
    }

    fn noise(dbov: f64, ms: usize) -> Vec<i16> {
        let mut chance = Chance::new(7);
        let deviation = 32_768.0 * 10_f64.powf(dbov / 20.0);
        (0..ms * 8)
            .map(|_| (chance.normal() * deviation) as i16)
            .collect()
    }

    #[test]
    fn levels_are_in_dbov() {
        assert_eq!(dbov(&[]), NOTHING);
        assert_eq!(dbov(&[0; 160]), NOTHING);
        assert!(dbov(&[i16::MIN; 160]).abs() < 0.001);
        assert!((dbov(&tone(0.0, 1_000)) + 6.15).abs() < 0.05);
    }

    #[test]
    fn silence_is_counted_from_the_end_of_speech() {
        let mut detector = SilenceDetector::new();
        assert_eq!(detector.push(&tone(-20.0, 1_000)), Duration::ZERO);
        assert_eq!(detector.push(&[0; 8_000]), Duration::from_secs(1));
        detector.push(&tone(-20.0, 200));
        assert_eq!(detector.silence(), Duration::ZERO);
    }

    #[test]
    fn a_click_does_not_break_a_silence() {
        let mut detector = SilenceDetector::new();
        detector.push(&[0; 16_000]);
        detector.push(&[20_000; 40]);
        assert_eq!(detector.push(&[0; 7_960]), Duration::from_secs(3));
    }

    #[test]
    fn a_noisy_line_is_silent_and_speech_over_it_is_not() {
        let mut detector = SilenceDetector::new();
        detector.push(&noise(-55.0, 500));
        assert!(detector.push(&noise(-45.0, 20_000)) > Duration::from_secs(3));
        detector.push(&tone(-18.0, 200));
        assert_eq!(detector.silence(), Duration::ZERO);
        assert!(detector.push(&noise(-45.0, 2_000)) > Duration::from_millis(1_900));
    }

    #[test]
    fn a_long_vowel_does_not_become_silence() {
        let mut detector = SilenceDetector::new();
        detector.push(&noise(-60.0, 1_000));
        assert_eq!(detector.push(&tone(-20.0, 15_000)), Duration::ZERO);
    }
}
