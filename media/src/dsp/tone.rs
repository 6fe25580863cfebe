//! Tones without clicks: phase goes on from one call to the next, and edges are ramps.

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use crate::frame::{SAMPLE_RATE, samples_in};

/// Peak amplitude of a sine at 0 dBm0: 3.14 dB below the overload of G.711 (ITU-T G.711 §4).
const PEAK_AT_0_DBM0: f64 = 32_768.0 * 0.696_6;

/// A sine, by rotating a phasor.
#[derive(Clone, Copy, Debug)]
struct Oscillator {
    /// Cosine and sine of the phase, times the amplitude.
    now: (f64, f64),
    /// Cosine and sine of the phase of one sample.
    step: (f64, f64),
    amplitude: f64,
}

impl Oscillator {
    const SILENT: Self = Self {
        now: (0.0, 0.0),
        step: (1.0, 0.0),
        amplitude: 0.0,
    };

    fn new(hertz: f32, dbm0: f32) -> Self {
        let angle = TAU * f64::from(hertz) / f64::from(SAMPLE_RATE);
        let amplitude = PEAK_AT_0_DBM0 * 10_f64.powf(f64::from(dbm0) / 20.0);
        Self {
            now: (amplitude, 0.0),
            step: (angle.cos(), angle.sin()),
            amplitude,
        }
    }

    fn next(&mut self) -> f64 {
        let (cos, sin) = self.now;
        self.now = (
            cos * self.step.0 - sin * self.step.1,
            sin * self.step.0 + cos * self.step.1,
        );
        sin
    }

    /// Takes back what rounding did to the amplitude.
    fn normalize(&mut self) {
        let amplitude = self.now.0.hypot(self.now.1);
        if amplitude > 0.0 {
            let correction = self.amplitude / amplitude;
            self.now = (self.now.0 * correction, self.now.1 * correction);
        }
    }
}

/// One or two tones at once, for as long as asked.
#[derive(Clone, Debug)]
pub struct ToneGenerator {
    tones: [Oscillator; 2],
}

impl ToneGenerator {
    /// One tone, in hertz and dBm0 (a full sine of G.711 is +3.14 dBm0).
    #[must_use]
    pub fn single(hertz: f32, dbm0: f32) -> Self {
        Self {
            tones: [Oscillator::new(hertz, dbm0), Oscillator::SILENT],
        }
    }

    /// Two tones, each in hertz and dBm0.
    #[must_use]
    pub fn dual(first: (f32, f32), second: (f32, f32)) -> Self {
        Self {
            tones: [
                Oscillator::new(first.0, first.1),
                Oscillator::new(second.0, second.1),
            ],
        }
    }

    /// Writes the next samples over `out`.
    pub fn fill(&mut self, out: &mut [i16]) {
        out.fill_with(|| self.next_sample().round() as i16);
        self.tones.iter_mut().for_each(Oscillator::normalize);
    }

    /// The next sample, unrounded.
    pub(crate) fn next_sample(&mut self) -> f64 {
        self.tones.iter_mut().map(Oscillator::next).sum()
    }
}

/// The edges of a sound of known length: a raised cosine up and down, so that neither clicks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    total: u64,
    edge: u64,
}

impl Ramp {
    /// A sound of `total` samples whose edges last `edge` each, or half of it if it is short.
    pub(crate) fn new(total: u64, edge: Duration) -> Self {
        Self {
            total,
            edge: samples_in(edge).min(total / 2),
        }
    }

    /// Gain of the sample at this place, 0 to 1.
    pub(crate) fn gain(&self, at: u64) -> f64 {
        let from_edge = at.min(self.total.saturating_sub(at + 1));
        if from_edge >= self.edge {
            return 1.0;
        }
        0.5 - 0.5 * (PI * (from_edge as f64 + 0.5) / self.edge as f64).cos()
    }
}

/// A short tone with soft edges.
#[must_use]
pub fn burst(hertz: f32, dbm0: f32, duration: Duration) -> Vec<i16> {
    let mut tone = ToneGenerator::single(hertz, dbm0);
    let total = samples_in(duration);
    let ramp = Ramp::new(total, Duration::from_millis(5));
    (0..total)
        .map(|at| (tone.next_sample() * ramp.gain(at)).round() as i16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;

    #[test]
    fn phase_goes_on_from_one_frame_to_the_next() {
        let mut whole = [0; 1_600];
        ToneGenerator::single(440.0, -10.0).fill(&mut whole);
        let mut tone = ToneGenerator::single(440.0, -10.0);
        let mut parts = [0; 1_600];
        parts.chunks_mut(37).for_each(|part| tone.fill(part));
        assert!(
            whole
                .iter()
                .zip(&parts)
                .all(|(one, other)| (one - other).abs() <= 1)
        );
    }

    #[test]
    fn amplitude_and_frequency_hold_for_an_hour() {
        let mut tone = ToneGenerator::single(1_004.0, -10.0);
        let mut frame = [0; 160];
        (0..180_000).for_each(|_| tone.fill(&mut frame));
        let mut second = [0; 8_000];
        tone.fill(&mut second);
        // -10 dBm0 is 13.14 dB below a full sine, which is 3.01 dB below a full square (dBov).
        assert!((frequency_power(&second, 1_004.0) + 16.15).abs() < 0.05);
    }

    #[test]
    fn two_tones_have_their_own_levels() {
        let mut second = [0; 8_000];
        ToneGenerator::dual((697.0, -8.0), (1_209.0, -6.0)).fill(&mut second);
        assert!((frequency_power(&second, 697.0) + 14.15).abs() < 0.1);
        assert!((frequency_power(&second, 1_209.0) + 12.15).abs() < 0.1);
    }

    #[test]
    fn a_burst_starts_and_ends_softly() {
        let sound = burst(1_000.0, -10.0, Duration::from_millis(500));
        assert_eq!(sound.len(), 4_000);
        let steps = sound
            .windows(2)
            .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
        assert!(steps.take(8).all(|step| step < 1_000));
        assert!(sound[0].abs() < 100 && sound[3_999].abs() < 100);
        assert!(dbov(&sound[1_000..3_000]) > -17.0);
        assert!(burst(1_000.0, -10.0, Duration::ZERO).is_empty());
    }
}
