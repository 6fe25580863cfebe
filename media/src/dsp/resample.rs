//! Change of sample rate by a polyphase filter: a windowed sinc, evaluated where each output falls.

use std::f64::consts::PI;

mod half_band;

pub use self::half_band::{Doubler, Halver};
use crate::frame::to_sample;

/// Changes the sample rate of one channel, piece by piece.
///
/// Everything above 0.575 of the lower rate is at least 80 dB down (4.6 kHz for 8 kHz), and the
/// level at 0.425 of it (3.4 kHz) is within 1 dB. An output needs 2.25 ms (at 8 kHz) of input after
/// it; the filter itself has no delay.
#[derive(Clone, Debug)]
pub struct Resampler {
    /// Input samples for `output` output samples, without common factor.
    input: u64,
    output: u64,
    filter: Filter,
    /// Input not yet done with; its first sample has the number `first`, counted with the zeros
    /// before the sound.
    pending: Vec<f32>,
    first: u64,
    /// Samples taken and given.
    taken: u64,
    given: u64,
}

/// A rate outside [`Resampler::RATES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sample rate {rate} Hz is not supported")]
pub struct UnsupportedRate {
    /// Samples per second.
    pub rate: u32,
}

impl Resampler {
    /// Rates that can be converted, in samples per second.
    pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

    /// From one rate to another, in samples per second.
    ///
    /// # Errors
    ///
    /// When a rate is outside [`Self::RATES`].
    pub fn new(from: u32, to: u32) -> Result<Self, UnsupportedRate> {
        if let Some(rate) = [from, to]
            .into_iter()
            .find(|rate| !Self::RATES.contains(rate))
        {
            return Err(UnsupportedRate { rate });
        }
        let common = gcd(from, to);
        let (input, output) = (u64::from(from / common), u64::from(to / common));
        let filter = Filter::new(input, output);
        Ok(Self {
            input,
            output,
            pending: vec![0.0; filter.taps / 2 - 1],
            filter,
            first: 0,
            taken: 0,
            given: 0,
        })
    }

    /// Takes samples in the scale of `i16` and adds what can be given for them to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<i16>) {
        self.taken += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        self.give(u64::MAX, out);
    }

    /// Adds what is left, so that the sound is as long as it was.
    pub fn finish(mut self, out: &mut Vec<i16>) {
        let total = (self.taken * self.output).div_ceil(self.input);
        self.pending
            .extend(std::iter::repeat_n(0.0, self.filter.taps));
        self.give(total, out);
    }

    /// Gives outputs before the number `end`, as far as there is input for them.
    fn give(&mut self, end: u64, out: &mut Vec<i16>) {
        while self.given < end {
            let place = self.given * self.input;
            let start = (place / self.output - self.first) as usize;
            let Some(window) = self.pending.get(start..start + self.filter.taps) else {
                break;
            };
            let sample = self.filter.apply(window, place % self.output);
            out.push(to_sample(sample));
            self.given += 1;
        }
        let next = (self.given * self.input / self.output - self.first) as usize;
        let done = next.min(self.pending.len());
        self.pending.drain(..done);
        self.first += done as u64;
    }
}

/// Changes the rate of a whole sound.
///
/// # Errors
///
/// When a rate is outside [`Resampler::RATES`].
pub fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, UnsupportedRate> {
    let mut resampler = Resampler::new(from, to)?;
    let mut out =
        Vec::with_capacity((samples.len() as u64 * u64::from(to) / u64::from(from)) as usize + 1);
    let scaled: Vec<f32> = samples.iter().map(|sample| f32::from(*sample)).collect();
    resampler.push(&scaled, &mut out);
    resampler.finish(&mut out);
    Ok(out)
}

/// The filter at every place an output can fall between two inputs.
#[derive(Clone, Debug)]
struct Filter {
    /// Taps of one phase; even.
    taps: usize,
    /// One row for each phase, and one more: the place of the next input.
    rows: Vec<f32>,
    phases: u64,
    /// Outputs fall on so many places between two inputs: as many as phases, or more, which then
    /// lie between two rows.
    places: u64,
}

impl Filter {
    /// Zero crossings on each side, in samples of the lower rate.
    const LOBES: f64 = 18.0;
    /// Shape of the Kaiser window: side lobes of -85 dB.
    const BETA: f64 = 8.3;
    /// More places than this are interpolated between as many rows, which errs by less than -100 dB.
    const MAX_PHASES: u64 = 512;

    fn new(input: u64, output: u64) -> Self {
        let narrowing = (output as f64 / input as f64).min(1.0);
        let half = (Self::LOBES / narrowing).ceil();
        let taps = half as usize * 2;
        let phases = output.min(Self::MAX_PHASES);
        let mut rows = Vec::with_capacity(taps * (phases as usize + 1));
        for phase in 0..=phases {
            let place = phase as f64 / phases as f64;
            let row: Vec<f64> = (0..taps)
                .map(|tap| windowed_sinc(place - (tap as f64 - half + 1.0), half, narrowing))
                .collect();
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|weight| (weight / sum) as f32));
        }
        Self {
            taps,
            rows,
            phases,
            places: output,
        }
    }

    fn apply(&self, window: &[f32], place: u64) -> f32 {
        let scaled = place * self.phases;
        let (phase, rest) = ((scaled / self.places) as usize, scaled % self.places);
        let row = &self.rows[phase * self.taps..][..self.taps];
        let exact = dot(window, row);
        if rest == 0 {
            return exact;
        }
        let next = &self.rows[(phase + 1) * self.taps..][..self.taps];
        exact + (dot(window, next) - exact) * (rest as f32 / self.places as f32)
    }
}

/// Sum of products, in eight lanes.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (one, other) = (one.chunks_exact(8), other.chunks_exact(8));
    let tail: f32 = one
        .remainder()
        .iter()
        .zip(other.remainder())
        .map(|(one, other)| one * other)
        .sum();
    for (one, other) in one.zip(other) {
        for lane in 0..8 {
            lanes[lane] += one[lane] * other[lane];
        }
    }
    lanes.iter().sum::<f32>() + tail
}

fn windowed_sinc(at: f64, half: f64, narrowing: f64) -> f64 {
    let inside = 1.0 - (at / half).powi(2);
    if inside <= 0.0 {
        return 0.0;
    }
    let angle = PI * at * narrowing;
    let sinc = if angle.abs() < 1e-9 {
        1.0
    } else {
        angle.sin() / angle
    };
    sinc * bessel_i0(Filter::BETA * inside.sqrt())
}

/// Modified Bessel function of the first kind, order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
        if term < sum * 1e-12 {
            break;
        }
    }
    sum
}

const fn gcd(mut one: u32, mut other: u32) -> u32 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests;
