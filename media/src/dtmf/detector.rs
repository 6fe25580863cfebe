//! Keys as tones in the audio, in (ITU-T Q.23, Q.24).
//!
//! ```text
//!  |  5 ms |  5 ms |  5 ms |  5 ms |  5 ms |  5 ms |     blocks: energy, and 8 frequencies each
//!  \_____________________ 30 ms ___________________/     window: is this one key and nothing else?
//!          \____________________ 30 ms ____________________/
//! ```
//!
//! A tone of 40 ms fills a whole window wherever it starts; one of 23 ms leaves a block of every
//! window empty. Within a window the true frequency of both tones is searched around the nominal
//! one, because 30 ms alone do not tell 1.5 % off, which is a key, from 3.5 % off, which is not.

use super::digit::{COLUMNS, Digit, ROWS};

/// Finds keys in the audio of one stream at 8 kHz; each press is told once.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    filling: Block,
    filled: usize,
    /// The last six blocks, oldest first.
    window: [Block; BLOCKS],
    pressed: Option<Digit>,
    /// What the last window sounded like, but not certainly.
    doubted: Option<Digit>,
    /// Windows without the pressed key in a row.
    misses: u32,
}

/// Samples of a block: 5 ms.
const BLOCK: usize = 40;
/// Blocks of a window: 30 ms.
const BLOCKS: usize = 6;
const SAMPLES: f32 = (BLOCK * BLOCKS) as f32;
/// The four rows, then the four columns of the keypad.
const FREQUENCIES: [f32; 8] = [
    ROWS[0], ROWS[1], ROWS[2], ROWS[3], COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3],
];

/// Power of the weakest tone that is heard: -36 dBm0, below the -25 dBm that Q.24 asks for at most.
const MIN_POWER: f32 = 66_000.0;
/// Part of all power that both tones have at least, which leaves room for noise 13 dB below: speech
/// hardly ever has so much in two places, and music rarely.
const MIN_PURITY: f32 = 0.95;
/// Part of all power at which one window is enough; below it, two in a row are asked for.
const CERTAIN_PURITY: f32 = 0.975;
/// Power of the high tone by that of the low one: +4 dB and -8 dB (Q.24) with 2 dB to spare.
const TWIST: std::ops::RangeInclusive<f32> = 0.1..=4.0;
/// Each block has so much of the energy of the strongest: no tone begins or ends in it. The beat of
/// two steady tones leaves 0.6.
const MIN_STEADY: f32 = 0.5;
/// How far a tone may be from its frequency: between the 1.5 % that are accepted and the 3.5 % that are not.
const MAX_DEVIATION: f32 = 0.024;
/// Deviations are searched as far as this, in steps of a quarter of a percent.
const SEARCHED: i32 = 16;
const SEARCH_STEP: f32 = 0.002_5;
/// So many windows (50 ms) without the key end the press. A break of 10 ms spoils eight of them at
/// most and a pause of 40 ms twelve at least.
const RELEASE: u32 = 10;

impl ToneDetector {
    /// Nothing is pressed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            filling: Block::EMPTY,
            filled: 0,
            window: [Block::EMPTY; BLOCKS],
            pressed: None,
            doubted: None,
            misses: 0,
        }
    }

    /// Takes the next samples and tells the key that has just been pressed. In more than 60 ms at
    /// once two could be; then the later one is told.
    pub fn push(&mut self, samples: &[i16]) -> Option<Digit> {
        let mut told = None;
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.filling.add(now, self.filled);
            self.filled += now.len();
            rest = later;
            if self.filled == BLOCK {
                self.window.rotate_left(1);
                self.window[BLOCKS - 1] = std::mem::replace(&mut self.filling, Block::EMPTY);
                self.filled = 0;
                told = self.take_window().or(told);
            }
        }
        told
    }

    /// Forgets what was heard: another stream begins.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Whether a key is held down now.
    #[must_use]
    pub const fn is_pressed(&self) -> bool {
        self.pressed.is_some()
    }

    fn take_window(&mut self) -> Option<Digit> {
        let (heard, is_certain) = key_in(&self.window).unzip();
        let doubted = std::mem::replace(&mut self.doubted, heard);
        let is_heard = heard.is_some()
            && (is_certain == Some(true) || heard == doubted || heard == self.pressed);
        if is_heard {
            self.misses = 0;
            let is_new = heard != self.pressed;
            self.pressed = heard;
            return heard.filter(|_| is_new);
        }
        self.misses += 1;
        if self.misses >= RELEASE {
            self.pressed = None;
        }
        None
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// 5 ms of sound, seen at the eight frequencies.
#[derive(Clone, Copy, Debug)]
struct Block {
    samples: [i16; BLOCK],
    real: [f32; 8],
    imaginary: [f32; 8],
    energy: f32,
    sum: f32,
}

impl Block {
    const EMPTY: Self = Self {
        samples: [0; BLOCK],
        real: [0.0; 8],
        imaginary: [0.0; 8],
        energy: 0.0,
        sum: 0.0,
    };

    fn add(&mut self, samples: &[i16], from: usize) {
        self.samples[from..from + samples.len()].copy_from_slice(samples);
        for (sample, wave) in samples.iter().zip(&WAVES[from..]) {
            let sample = f32::from(*sample);
            for k in 0..8 {
                self.real[k] += sample * wave.cos[k];
                self.imaginary[k] -= sample * wave.sin[k];
            }
            self.energy += sample * sample;
            self.sum += sample;
        }
    }
}

/// The key that sounds through the whole window and is all that sounds, and whether that is certain.
fn key_in(window: &[Block; BLOCKS]) -> Option<(Digit, bool)> {
    let energy: f32 = window.iter().map(|block| block.energy).sum();
    let offset: f32 = window.iter().map(|block| block.sum).sum();
    let power = (energy - offset * offset / SAMPLES) / SAMPLES;
    let steady = MIN_STEADY * window.iter().map(|block| block.energy).fold(0.0, f32::max);
    if power < 2.0 * MIN_POWER || window.iter().any(|block| block.energy < steady) {
        return None;
    }
    let nominal: [f32; 8] = std::array::from_fn(|k| power_at(window, k, TURN[k]));
    let (row, column) = (strongest(&nominal[..4]), strongest(&nominal[4..]));
    // A tone 1.5 % off loses half its power here, and no more.
    if nominal[row] + nominal[4 + column] < 0.4 * MIN_PURITY * power {
        return None;
    }
    let low = frequency_near(window, row)?;
    let high = frequency_near(window, 4 + column)?;
    let (low, high, power) = powers(window, low, high, offset / SAMPLES);
    let purity = (low + high) / power;
    let is_key =
        low.min(high) >= MIN_POWER && purity >= MIN_PURITY && TWIST.contains(&(high / low));
    let digit = Digit::at(row, column).filter(|_| is_key)?;
    Some((digit, purity >= CERTAIN_PURITY))
}

/// The frequency of the strongest tone around a nominal one, if it is near enough to it.
fn frequency_near(window: &[Block; BLOCKS], k: usize) -> Option<f32> {
    let (mut best, mut at) = (0.0, 0);
    for step in -SEARCHED..=SEARCHED {
        let turn = FREQUENCIES[k] * (1.0 + step as f32 * SEARCH_STEP) * TURN_OF_HERTZ;
        let (sin, cos) = turn.sin_cos();
        let power = power_at(window, k, Turn { cos, sin });
        if power > best {
            (best, at) = (power, step);
        }
    }
    let deviation = at as f32 * SEARCH_STEP;
    (deviation.abs() <= MAX_DEVIATION).then(|| FREQUENCIES[k] * (1.0 + deviation))
}

/// Powers of two tones and of all sound, sample by sample under a Hann window, which keeps the one
/// tone out of the power of the other.
fn powers(window: &[Block; BLOCKS], low: f32, high: f32, offset: f32) -> (f32, f32, f32) {
    let mut hann = Phasor::new(8_000.0 / SAMPLES);
    let mut tones = [Phasor::new(low), Phasor::new(high)];
    let mut sums = [(0.0, 0.0); 2];
    let mut power = 0.0;
    for sample in window.iter().flat_map(|block| block.samples) {
        let sample = f32::from(sample) - offset;
        let weighted = sample * (1.0 - hann.cos);
        power += sample * weighted;
        for (sum, tone) in sums.iter_mut().zip(&mut tones) {
            sum.0 += weighted * tone.cos;
            sum.1 += weighted * tone.sin;
            tone.turn();
        }
        hann.turn();
    }
    let [low, high] = sums
        .map(|(real, imaginary)| 2.0 * (real * real + imaginary * imaginary) / (SAMPLES * SAMPLES));
    (low, high, power / SAMPLES)
}

/// A unit vector that turns with a frequency.
struct Phasor {
    cos: f32,
    sin: f32,
    step: Turn,
}

impl Phasor {
    fn new(hertz: f32) -> Self {
        let (sin, cos) = (hertz * std::f32::consts::TAU / 8_000.0).sin_cos();
        Self {
            cos: 1.0,
            sin: 0.0,
            step: Turn { cos, sin },
        }
    }

    fn turn(&mut self) {
        let Turn { cos, sin } = self.step;
        (self.cos, self.sin) = (
            self.cos * cos - self.sin * sin,
            self.sin * cos + self.cos * sin,
        );
    }
}

/// Power of a tone of frequency `k` that turns by `turn` in each block; blocks are weighted by a
/// Hann window, so that neighbouring frequencies do not reach over.
fn power_at(window: &[Block; BLOCKS], k: usize, turn: Turn) -> f32 {
    const WEIGHTS: [f32; BLOCKS] = [0.066_987, 0.5, 0.933_013, 0.933_013, 0.5, 0.066_987];
    const SCALE: f32 = 2.0 / (BLOCK as f32 * 3.0);
    let (mut cos, mut sin) = (1.0, 0.0);
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (block, weight) in window.iter().zip(WEIGHTS) {
        let (re, im) = (block.real[k] * weight, block.imaginary[k] * weight);
        real += re * cos + im * sin;
        imaginary += im * cos - re * sin;
        (cos, sin) = (
            cos * turn.cos - sin * turn.sin,
            sin * turn.cos + cos * turn.sin,
        );
    }
    let (real, imaginary) = (real * SCALE, imaginary * SCALE);
    (real * real + imaginary * imaginary) / 2.0
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

/// Radians that a tone of one hertz turns in one block.
const TURN_OF_HERTZ: f32 = std::f32::consts::TAU * BLOCK as f32 / 8_000.0;

#[derive(Clone, Copy)]
struct Turn {
    cos: f32,
    sin: f32,
}

/// By how much each nominal frequency turns in one block.
const TURN: [Turn; 8] = {
    let mut turns = [Turn { cos: 1.0, sin: 0.0 }; 8];
    let mut k = 0;
    while k < 8 {
        let (cos, sin) = rotated(FREQUENCIES[k] as f64, BLOCK);
        turns[k] = Turn {
            cos: cos as f32,
            sin: sin as f32,
        };
        k += 1;
    }
    turns
};

/// The eight frequencies at one sample of a block.
#[derive(Clone, Copy)]
struct Wave {
    cos: [f32; 8],
    sin: [f32; 8],
}

static WAVES: [Wave; BLOCK] = {
    let mut waves = [Wave {
        cos: [0.0; 8],
        sin: [0.0; 8],
    }; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        let mut k = 0;
        while k < 8 {
            let (cos, sin) = rotated(FREQUENCIES[k] as f64, at);
            waves[at].cos[k] = cos as f32;
            waves[at].sin[k] = sin as f32;
            k += 1;
        }
        at += 1;
    }
    waves
};

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

#[cfg(test)]
mod tests;
