//! Keeps a sum of voices within what a sample can hold, without cutting it off.

use crate::frame::{WIDE_SAMPLES, to_sample};

/// Sound up to here (-0.45 dB of full scale) is left as it is, bit by bit.
pub const THRESHOLD: i32 = 31_130;

/// No sample is louder than this: -0.1 dB of full scale.
pub const CEILING: i32 = 32_392;

/// Parts of a frame that have a gain of their own: 2.5 ms each, long enough to hold the peak of any voice.
const PARTS: usize = 8;

/// Part of a frame's first part in which the gain falls, when it has to.
const ATTACK: usize = 4;

/// The gain rises by 0.05 dB in each part, 20 dB a second.
const RELEASE: f32 = 1.005_773;

/// A change of gain that moves a sample by less than this makes no click.
const INAUDIBLE: f32 = 500.0;

/// The gain of what one listener hears.
///
/// The whole frame is known before any of it leaves, so the gain falls before a peak and needs no delay; only at
/// the very first sample it may come too late, and what is too loud there is bent softly.
///
/// ```text
///  gain 1 ----.                      .----  by 20 dB a second
///              \   peak   .---------'
///               '--------'
///        |parts of 2.5 ms|   |   |   |
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    gain: f32,
}

impl Limiter {
    /// Leaves everything as it is, so far.
    #[must_use]
    pub const fn new() -> Self {
        Self { gain: 1.0 }
    }

    /// Whether it leaves sound within [`THRESHOLD`] as it is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gain >= 1.0
    }

    /// Whether one can go on where the other one is without a step.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        (self.gain - other.gain).abs() <= 0.005 * self.gain
    }

    /// Writes the next 20 ms of `sum` to `out`, as loud as can be.
    ///
    /// Both have the same length, one frame of either band; more than that is left as it is.
    pub fn limit(&mut self, sum: &[i32], out: &mut [i16]) {
        if self.is_open() && pack(sum, out) <= THRESHOLD.unsigned_abs() as u16 {
            return;
        }
        let len = sum.len().min(WIDE_SAMPLES) / PARTS;
        let parts = || sum.chunks_exact(len.max(1)).take(PARTS);
        let mut needed = [1.0; PARTS + 1];
        for (needed, part) in needed.iter_mut().zip(parts()) {
            *needed = gain_for(part);
        }
        needed[PARTS] = needed[PARTS - 1];
        let mut gain = self.gain;
        let outs = out.chunks_exact_mut(len.max(1));
        for (at, (part, out)) in parts().zip(outs).enumerate() {
            let here = needed[at].min(needed[at + 1]);
            let end = (gain * RELEASE).min(here).min(1.0);
            if gain > needed[at] {
                attack(part, (gain, needed[at], end), out);
            } else {
                scale(part, (gain, (end - gain) / len as f32), out);
            }
            gain = end;
        }
        self.gain = gain;
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes what fits, and tells the loudest of it.
fn pack(sum: &[i32], out: &mut [i16]) -> u16 {
    let (mut low, mut high) = (0, 0);
    for (sum, out) in sum.iter().zip(out) {
        let sample = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        (low, high) = (sample.min(low), sample.max(high));
        *out = sample;
    }
    low.unsigned_abs().max(high.unsigned_abs())
}

/// Samples that are done side by side, as vector instructions do them; those of a part are a multiple of them.
const LANES: usize = 4;

/// The gain at which the loudest of these is at the threshold.
fn gain_for(part: &[i32]) -> f32 {
    let mut peaks = [0.0_f32; LANES];
    for samples in part.as_chunks::<LANES>().0 {
        for (peak, sample) in peaks.iter_mut().zip(samples) {
            let level = (*sample as f32).abs();
            // Neither is no number, which `max` would look for.
            *peak = if level > *peak { level } else { *peak };
        }
    }
    let peak = peaks.into_iter().fold(0.0, f32::max);
    THRESHOLD as f32 / peak.max(THRESHOLD as f32)
}

/// Writes a part with a gain that goes on evenly from what it was before the first sample.
fn scale(part: &[i32], (gain, step): (f32, f32), out: &mut [i16]) {
    let mut gains: [f32; LANES] = std::array::from_fn(|lane| gain + step * (lane + 1) as f32);
    let parts = part.as_chunks::<LANES>().0;
    for (samples, out) in parts.iter().zip(out.as_chunks_mut::<LANES>().0) {
        for lane in 0..LANES {
            out[lane] = to_sample(samples[lane] as f32 * gains[lane]);
            gains[lane] += step * LANES as f32;
        }
    }
}

/// Lets the gain fall to what is needed, of which nothing could be known in the frame before, and on to `end`.
fn attack(part: &[i32], (gain, needed, end): (f32, f32, f32), out: &mut [i16]) {
    let first = part.first().map_or(1, |first| first.unsigned_abs().max(1));
    let gain = (gain - INAUDIBLE / first as f32).max(needed);
    let length = (part.len() / ATTACK).max(1);
    let step = (end - gain) / length as f32;
    for (n, (sample, out)) in part.iter().zip(out).enumerate() {
        *out = bend(*sample as f32 * (gain + step * (n + 1).min(length) as f32));
    }
}

/// Bends what is louder than the threshold so that it never reaches the ceiling.
fn bend(sample: f32) -> i16 {
    let room = (CEILING - THRESHOLD) as f32;
    let over = (sample.abs() - THRESHOLD as f32).max(0.0);
    let loud = sample.abs() - over + over / (1.0 + over / room);
    to_sample(loud.copysign(sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;
    use crate::frame::FRAME_SAMPLES;
    use crate::sim::Chance;

    fn sine(hertz: f64, amplitude: f64, samples: usize) -> Vec<i32> {
        let wave = |at: usize| (at as f64 * hertz * std::f64::consts::TAU / 8_000.0).sin();
        (0..samples)
            .map(|at| (amplitude * wave(at)).round() as i32)
            .collect()
    }

    fn limited(limiter: &mut Limiter, sum: &[i32]) -> Vec<i16> {
        let mut sound = vec![0; sum.len()];
        for (sum, out) in sum
            .chunks(FRAME_SAMPLES)
            .zip(sound.chunks_mut(FRAME_SAMPLES))
        {
            limiter.limit(sum, out);
        }
        sound
    }

    fn largest_step(sound: &[i16]) -> i32 {
        let steps = sound
            .windows(2)
            .map(|pair| i32::from(pair[1]) - i32::from(pair[0]));
        steps.map(i32::abs).max().unwrap_or(0)
    }

    #[test]
    fn sound_within_the_threshold_is_left_bit_by_bit() {
        let mut chance = Chance::new(5);
        let sum: Vec<i32> = (0..8_000)
            .map(|_| (chance.unit() * 2.0 * f64::from(THRESHOLD)) as i32 - THRESHOLD)
            .collect();
        let sound = limited(&mut Limiter::new(), &sum);
        assert!(
            sum.iter()
                .zip(&sound)
                .all(|(sum, sample)| *sum == i32::from(*sample))
        );
    }

    #[test]
    fn a_tone_of_many_times_full_scale_keeps_its_shape() {
        for times in [1.5, 4.0, 30.0] {
            for hertz in [200.0, 400.0, 1_000.0] {
                let sum = sine(hertz, times * 32_767.0, 16_000);
                let sound = limited(&mut Limiter::new(), &sum);
                assert!(
                    sound
                        .iter()
                        .all(|sample| i32::from(*sample).abs() <= CEILING)
                );
                let steady = &sound[1_600..];
                assert!(dbov(steady) > -4.0, "{}", dbov(steady));
                let first = frequency_power(steady, hertz as f32);
                let others = (2..8)
                    .map(|n| hertz * f64::from(n))
                    .filter(|hertz| *hertz < 4_000.0);
                let power = |dbov: f64| 10_f64.powf(dbov / 10.0);
                let harmonics: f64 = others
                    .map(|hertz| power(frequency_power(steady, hertz as f32)))
                    .sum();
                let distortion = (harmonics / power(first)).sqrt();
                assert!(distortion < 0.005, "{times} {hertz}: {distortion}");
            }
        }
    }

    #[test]
    fn sound_that_gets_too_loud_and_quiet_again_makes_no_step_of_its_own() {
        let mut limiter = Limiter::new();
        let mut sum = sine(200.0, 20_000.0, 1_600);
        sum.extend(sine(200.0, 90_000.0, 1_600));
        sum.extend(sine(200.0, 20_000.0, 16_000));
        let sound = limited(&mut limiter, &sum);
        // 200 Hz at full scale steps by 5,100.
        assert!(largest_step(&sound) < 6_000, "{}", largest_step(&sound));
        assert!(limiter.is_open());
        assert!(
            sum[16_000..]
                .iter()
                .zip(&sound[16_000..])
                .all(|(sum, out)| *sum == i32::from(*out))
        );
    }

    #[test]
    fn noise_of_thirty_never_reaches_full_scale() {
        let mut chance = Chance::new(9);
        let sum: Vec<i32> = (0..16_000)
            .map(|_| (chance.normal() * 180_000.0) as i32)
            .collect();
        let sound = limited(&mut Limiter::new(), &sum);
        assert!(
            sound
                .iter()
                .all(|sample| i32::from(*sample).abs() <= CEILING)
        );
    }
}
