//! Two tones, found sample by sample.

use super::block::{BLOCK, Block};
use super::{MIN_POWER, TWIST};
use std::f32::consts::{PI, TAU};
use std::ops::{Range, RangeInclusive};

/// The two tones around two frequencies, and all power beside them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    low: Tone,
    high: Tone,
    /// Power of all sound under the same window, without direct current.
    all: f32,
}

/// One steady tone.
#[derive(Clone, Copy, Debug)]
struct Tone {
    hertz: f32,
    /// Amplitude as a vector, at the middle of the window.
    real: f32,
    imaginary: f32,
}

/// How a pair lies over a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Samples that it sounds in all.
    pub(super) sounding: f32,
    /// Part of the last block in which it sounds.
    pub(super) last_block: f32,
    /// Energy in the window that is not of the pair, by that of the pair.
    pub(super) around: f32,
}

impl Pair {
    /// The tones near two frequencies in some blocks, under a Hann window, which keeps the one out of the
    /// power of the other.
    ///
    /// The window and its slope see a tone that is off by some frequency in the ratio of that frequency;
    /// so one pass tells where it is, and from that what the window took from its amplitude.
    pub(super) fn find(blocks: &[Block], (low, high): (f32, f32)) -> Self {
        let mut samples = [0.0; 7 * BLOCK];
        let len = (blocks.len() * BLOCK).min(samples.len());
        for (space, sample) in samples
            .iter_mut()
            .zip(blocks.iter().flat_map(|block| &block.samples))
        {
            *space = f32::from(*sample);
        }
        let (before, after) = samples[..len].split_at(len / 2);
        let mut hann = Phasor::at(TAU / len as f32);
        let mut sights = [Sight::of(low), Sight::of(high)];
        let (mut energy, mut sum) = (0.0, 0.0);
        for (before, after) in before.iter().rev().zip(after) {
            let weight = 1.0 + hann.cos;
            energy += weight * (before * before + after * after);
            let (even, odd) = (after + before, after - before);
            sum += weight * even;
            for sight in &mut sights {
                sight.take(even, odd, (weight, hann.sin));
            }
            hann.turn();
        }
        let samples = len as f32;
        let [low, high] = sights.map(|sight| sight.tone(samples));
        Self {
            low,
            high,
            all: (energy - sum * sum / samples) / samples,
        }
    }

    pub(super) const fn hertz(&self) -> (f32, f32) {
        (self.low.hertz, self.high.hertz)
    }

    /// Whether both are within a part of their frequencies.
    pub(super) fn is_near(&self, (low, high): (f32, f32), deviation: f32) -> bool {
        (self.low.hertz - low).abs() <= deviation * low
            && (self.high.hertz - high).abs() <= deviation * high
    }

    /// Whether both are strong enough, and neither much stronger than the other.
    pub(super) fn is_balanced(&self) -> bool {
        let (low, high) = (self.low.power(), self.high.power());
        low.min(high) >= MIN_POWER && TWIST.contains(&(high / low))
    }

    /// Part of all power that the two have.
    pub(super) fn purity(&self) -> f32 {
        (self.low.power() + self.high.power()) / self.all
    }

    /// Whether what is beside the pair, in the blocks that it was found in, is a voice or music: strong enough to
    /// be told from distortion, and periodic, as noise is not.
    ///
    /// Hum counts for nothing: what is slower than 200 Hz is mostly left out.
    pub(super) fn is_among_others(&self, blocks: &[Block]) -> bool {
        const NONE: [f32; 7 * BLOCK] = [0.0; 7 * BLOCK];
        /// 2 ms.
        const HALF: usize = 16;
        let (mut rest, mut sums) = (NONE, NONE);
        let len = (blocks.len() * BLOCK).min(rest.len());
        let middle = len as f32 / 2.0 - 0.5;
        let mut waves = [self.low, self.high].map(|tone| tone.wave(-middle));
        let samples = || blocks.iter().flat_map(|block| &block.samples);
        let (mut alike, mut full, mut is_clipped) = (0.0, 1.0, false);
        for (rest, sample) in rest.iter_mut().zip(samples()) {
            *rest = waves[0].cos + waves[1].cos;
            waves.iter_mut().for_each(Phasor::turn);
            if sample.unsigned_abs() < OVERLOAD {
                alike += f32::from(*sample) * *rest;
                full += *rest * *rest;
            } else {
                is_clipped = true;
            }
        }
        // A clipped pair is weaker as a whole than between the clipped samples, which tell nothing.
        let gain = if is_clipped { alike / full } else { 1.0 };
        let mut sum = 0.0;
        for ((rest, sum_here), sample) in rest.iter_mut().zip(&mut sums).zip(samples()) {
            let is_clipped = sample.unsigned_abs() >= OVERLOAD;
            *rest = if is_clipped {
                0.0
            } else {
                f32::from(*sample) - gain * *rest
            };
            sum += *rest;
            *sum_here = sum;
        }
        let mut hann = Phasor::at(TAU / len as f32);
        let mut energy = 0.0;
        for from_middle in 0..len / 2 - HALF {
            for at in [len / 2 - 1 - from_middle, len / 2 + from_middle] {
                // Less the mean of the 4 ms around it.
                let slow = (sums[at + HALF] - sums[at - HALF]) / (2 * HALF) as f32;
                rest[at] = (rest[at] - slow) * (1.0 + hann.cos);
                energy += rest[at] * rest[at];
            }
            hann.turn();
        }
        let rest = &rest[HALF..len - HALF];
        let power = self.low.power() + self.high.power();
        // The square of the window is 1.5 in the middle of all.
        energy > MAX_DISTORTION * power * 1.5 * len as f32
            && PITCH
                .clone()
                .any(|lag| likeness(rest, &rest[lag..]) > MAX_PERIODICITY)
    }

    /// Lays the pair, found in the blocks `core` of a window, over the whole.
    pub(super) fn fit(&self, window: &[Block], core: Range<usize>) -> Fit {
        let middle = (core.start + core.end) as f32 * BLOCK as f32 / 2.0 - 0.5;
        let mut waves = [self.low, self.high].map(|tone| tone.wave(-middle));
        let (mut likeness, mut energy) = (0.0, 0.0);
        let mut last = (0.0, 1.0);
        for block in window {
            let (mut alike, mut full) = (0.0, 1.0);
            for sample in block.samples {
                let model = waves[0].cos + waves[1].cos;
                alike += f32::from(sample) * model;
                full += model * model;
                waves.iter_mut().for_each(Phasor::turn);
            }
            likeness += alike;
            energy += block.energy;
            last = (alike, full);
        }
        let power = self.low.power() + self.high.power();
        Fit {
            sounding: likeness / power,
            last_block: last.0 / last.1,
            around: energy / likeness.max(1.0) - 1.0,
        }
    }
}

/// Power beside a pair that may be periodic, by that of the pair: 24 dB below it.
const MAX_DISTORTION: f32 = 0.004;
/// A sample that a converter has clipped, in both laws.
const OVERLOAD: u16 = 32_000;
/// Likeness to itself of what is beside a pair: noise stays below this, a voice above.
const MAX_PERIODICITY: f32 = 0.3;
/// Samples after which a voice or music is like itself: 73 to 500 Hz.
const PITCH: RangeInclusive<usize> = 16..=110;

/// How alike the beginnings of two sounds are, -1 to 1.
fn likeness(one: &[f32], other: &[f32]) -> f32 {
    let (mut product, mut energies) = (0.0, (1.0, 1.0));
    for (one, other) in one.iter().zip(other) {
        product += one * other;
        energies.0 += one * one;
        energies.1 += other * other;
    }
    product / (energies.0 * energies.1).sqrt()
}

impl Tone {
    fn power(&self) -> f32 {
        (self.real * self.real + self.imaginary * self.imaginary) / 2.0
    }

    /// The tone as it was, or will be, so many samples from the middle of its window.
    fn wave(&self, samples: f32) -> Phasor {
        let turn = self.hertz * TAU / 8_000.0;
        let (sin, cos) = (turn * samples).sin_cos();
        let (step_sin, step_cos) = turn.sin_cos();
        Phasor {
            cos: self.real * cos - self.imaginary * sin,
            sin: self.real * sin + self.imaginary * cos,
            step_cos,
            step_sin,
        }
    }
}

/// What is seen of a tone through a window and through the slope of the window.
#[derive(Clone, Copy)]
struct Sight {
    hertz: f32,
    phasor: Phasor,
    real: f32,
    imaginary: f32,
    slope_real: f32,
    slope_imaginary: f32,
}

impl Sight {
    fn of(hertz: f32) -> Self {
        Self {
            hertz,
            phasor: Phasor::at(hertz * TAU / 8_000.0),
            real: 0.0,
            imaginary: 0.0,
            slope_real: 0.0,
            slope_imaginary: 0.0,
        }
    }

    /// Takes the two samples at one distance from the middle, as their sum and their difference.
    fn take(&mut self, even: f32, odd: f32, (weight, slope): (f32, f32)) {
        let Phasor { cos, sin, .. } = self.phasor;
        self.real += weight * even * cos;
        self.imaginary -= weight * odd * sin;
        self.slope_real -= slope * odd * cos;
        self.slope_imaginary += slope * even * sin;
        self.phasor.turn();
    }

    fn tone(self, samples: f32) -> Tone {
        let power = self.real * self.real + self.imaginary * self.imaginary;
        let across = self.slope_imaginary * self.real - self.slope_real * self.imaginary;
        // In bins, of which one is a whole turn in the window.
        let off = if power > 0.0 { -across / power } else { 0.0 };
        let seen = hann_gain(off) * samples / 2.0;
        Tone {
            hertz: self.hertz + off * 8_000.0 / samples,
            real: self.real / seen,
            imaginary: self.imaginary / seen,
        }
    }
}

/// What a Hann window leaves of a tone so many bins from where it is looked for; at least a tenth.
fn hann_gain(bins: f32) -> f32 {
    let off = bins.abs().min(1.75);
    if off < 0.01 || (off - 1.0).abs() < 0.01 {
        return if off < 0.5 { 1.0 } else { 0.5 };
    }
    ((PI * off).sin() / (PI * off * (1.0 - off * off))).max(0.1)
}

/// A vector that turns with each sample.
#[derive(Clone, Copy)]
struct Phasor {
    cos: f32,
    sin: f32,
    step_cos: f32,
    step_sin: f32,
}

impl Phasor {
    /// Half a step after the middle, which lies between two samples; `turn` in radians a sample.
    fn at(turn: f32) -> Self {
        let (sin, cos) = (turn / 2.0).sin_cos();
        let (step_sin, step_cos) = turn.sin_cos();
        Self {
            cos,
            sin,
            step_cos,
            step_sin,
        }
    }

    fn turn(&mut self) {
        (self.cos, self.sin) = (
            self.cos * self.step_cos - self.sin * self.step_sin,
            self.sin * self.step_cos + self.cos * self.step_sin,
        );
    }
}
