//! 5 ms of sound, summed up once for all windows that they are in.

use super::super::digit::{COLUMNS, ROWS};

/// Samples of a block: 5 ms.
pub(super) const BLOCK: usize = 40;
/// The four rows, then the four columns of the keypad.
const FREQUENCIES: [f32; 8] = [
    ROWS[0], ROWS[1], ROWS[2], ROWS[3], COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3],
];

/// 5 ms of sound, seen at the eight frequencies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) samples: [i16; BLOCK],
    real: [f32; 8],
    imaginary: [f32; 8],
    pub(super) energy: f32,
    sum: f32,
}

impl Block {
    pub(super) const EMPTY: Self = Self {
        samples: [0; BLOCK],
        real: [0.0; 8],
        imaginary: [0.0; 8],
        energy: 0.0,
        sum: 0.0,
    };

    /// Sums up the samples that are in.
    pub(super) fn sum_up(&mut self) {
        let (mut real, mut imaginary) = ([0.0; 8], [0.0; 8]);
        let (mut energy, mut sum) = (0.0, 0.0);
        for (sample, wave) in self.samples.iter().zip(&WAVES) {
            let sample = f32::from(*sample);
            for k in 0..8 {
                real[k] += sample * wave.cos[k];
                imaginary[k] -= sample * wave.sin[k];
            }
            energy += sample * sample;
            sum += sample;
        }
        (self.real, self.imaginary) = (real, imaginary);
        (self.energy, self.sum) = (energy, sum);
    }
}

/// The row and the column that are strongest in a core, if its power is steady and at least `power`, and if
/// the two may have the part `purity` of it.
pub(super) fn strongest_pair(
    core: &[Block],
    steady: f32,
    power: f32,
    purity: f32,
) -> Option<(usize, usize)> {
    let (mut energy, mut sum, mut least, mut most) = (0.0, 0.0, f32::MAX, 0.0_f32);
    for block in core {
        energy += block.energy;
        sum += block.sum;
        least = least.min(block.energy);
        most = most.max(block.energy);
    }
    let samples = (core.len() * BLOCK) as f32;
    let all = (energy - sum * sum / samples) / samples;
    if all < power || least < steady * most {
        return None;
    }
    let nominal = nominal_powers(core);
    let (row, column) = (strongest(&nominal[..4]), strongest(&nominal[4..]));
    // A tone 2.4 % off loses a quarter of its power here, and no more.
    (nominal[row] + nominal[4 + column] >= 0.7 * purity * all).then_some((row, column))
}

/// Powers of the eight frequencies in a core whose blocks are weighted by a Hann window, so that
/// neighbouring frequencies do not reach over.
fn nominal_powers(core: &[Block]) -> [f32; 8] {
    const SCALE: f32 = 1.0 / (BLOCK as f32);
    let (mut real, mut imaginary) = ([0.0; 8], [0.0; 8]);
    for (block, turned) in core.iter().zip(&TURNED) {
        for k in 0..8 {
            real[k] += block.real[k] * turned.cos[k] + block.imaginary[k] * turned.sin[k];
            imaginary[k] += block.imaginary[k] * turned.cos[k] - block.real[k] * turned.sin[k];
        }
    }
    std::array::from_fn(|k| {
        let (real, imaginary) = (real[k] * SCALE, imaginary[k] * SCALE);
        (real * real + imaginary * imaginary) / 2.0
    })
}

fn strongest(powers: &[f32]) -> usize {
    let mut best = 0;
    for (at, power) in powers.iter().enumerate() {
        if *power > powers[best] {
            best = at;
        }
    }
    best
}

/// The eight frequencies at one place, times a weight.
#[derive(Clone, Copy)]
struct Wave {
    cos: [f32; 8],
    sin: [f32; 8],
}

impl Wave {
    const fn after(samples: usize, weight: f64) -> Self {
        let mut wave = Self {
            cos: [0.0; 8],
            sin: [0.0; 8],
        };
        let mut k = 0;
        while k < 8 {
            let (cos, sin) = rotated(FREQUENCIES[k] as f64, samples);
            wave.cos[k] = (cos * weight) as f32;
            wave.sin[k] = (sin * weight) as f32;
            k += 1;
        }
        wave
    }
}

/// At each sample of a block.
static WAVES: [Wave; BLOCK] = {
    let mut waves = [Wave::after(0, 1.0); BLOCK];
    let mut at = 1;
    while at < BLOCK {
        waves[at] = Wave::after(at, 1.0);
        at += 1;
    }
    waves
};

/// At each block of a core, weighted by a Hann window whose weights are one in all.
static TURNED: [Wave; 4] = [
    Wave::after(0, 0.146_447),
    Wave::after(BLOCK, 0.853_553),
    Wave::after(2 * BLOCK, 0.853_553),
    Wave::after(3 * BLOCK, 0.146_447),
];

/// Cosine and sine of a frequency after so many samples, at compile time: those of one sample by
/// their series, the rest by turning.
const fn rotated(hertz: f64, samples: usize) -> (f64, f64) {
    let angle = std::f64::consts::TAU * hertz / 8_000.0;
    let (mut step_cos, mut step_sin) = (0.0, 0.0);
    let (mut term, mut n) = (1.0, 0);
    while n < 24 {
        match n % 4 {
            0 => step_cos += term,
            1 => step_sin += term,
            2 => step_cos -= term,
            _ => step_sin -= term,
        }
        n += 1;
        term *= angle / n as f64;
    }
    let (mut cos, mut sin) = (1.0, 0.0);
    let mut left = samples;
    while left > 0 {
        (cos, sin) = (
            cos * step_cos - sin * step_sin,
            sin * step_cos + cos * step_sin,
        );
        left -= 1;
    }
    (cos, sin)
}
