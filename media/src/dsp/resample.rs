//! Change of sample rate by a polyphase filter: a windowed sinc, evaluated where each output falls.

use std::f64::consts::PI;

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
            out.push(sample.round().clamp(-32_768.0, 32_767.0) as i16);
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
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::dsp::meter::frequency_power;

    const RATES: [u32; 12] = [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000,
        44_101,
    ];

    fn sine(hertz: f64, rate: u32) -> Vec<i16> {
        (0..rate)
            .map(|at| {
                (10_000.0 * (TAU * hertz * f64::from(at) / f64::from(rate)).sin()).round() as i16
            })
            .collect()
    }

    /// Power at 8 kHz of a tone in a second of sound, away from its edges.
    fn heard(hertz: f64, rate: u32, at: f32) -> f64 {
        let sound = resample(&sine(hertz, rate), rate, 8_000).unwrap();
        frequency_power(&sound[1_000..7_000], at)
    }

    #[test]
    fn speech_band_passes_from_every_rate() {
        for rate in RATES {
            let whole = heard(1_000.0, rate, 1_000.0);
            assert!(
                (whole + 13.32).abs() < 0.05,
                "{rate} Hz: {whole:.2} dBov at 1 kHz"
            );
            let edge = heard(3_400.0, rate, 3_400.0);
            assert!(
                edge > whole - 1.0,
                "{rate} Hz: {:.2} dB at 3.4 kHz",
                edge - whole
            );
        }
    }

    #[test]
    fn what_cannot_be_heard_at_8_khz_does_not_come_back_as_an_alias() {
        for rate in RATES.into_iter().filter(|rate| *rate >= 12_000) {
            for hertz in [4_650.0_f64, 5_000.0, 5_900.0] {
                let alias = (8_000.0 - hertz) as f32;
                let sound = resample(&sine(hertz, rate), rate, 8_000).unwrap();
                let power = frequency_power(&sound[1_000..7_000], alias);
                assert!(
                    power < -13.3 - 78.0,
                    "{rate} Hz: {hertz} Hz is heard at {power:.1} dBov"
                );
            }
        }
    }

    #[test]
    fn upsampling_makes_no_image() {
        let sound = resample(&sine(3_000.0, 8_000), 8_000, 16_000).unwrap();
        // The meter thinks in 8 kHz: 5 kHz of 16 kHz lies at 2.5 kHz, 3 kHz at 1.5 kHz.
        let inner = &sound[2_000..14_000];
        assert!(frequency_power(inner, 2_500.0) < -90.0);
        assert!((frequency_power(inner, 1_500.0) + 13.3).abs() < 0.2);
    }

    #[test]
    fn a_sound_keeps_its_length_and_its_place() {
        for rate in RATES {
            let mut click = vec![0; rate as usize];
            click[rate as usize / 2] = 20_000;
            let sound = resample(&click, rate, 8_000).unwrap();
            assert_eq!(sound.len(), 8_000, "{rate} Hz");
            let peak = sound
                .iter()
                .enumerate()
                .max_by_key(|(_, sample)| sample.unsigned_abs())
                .unwrap()
                .0;
            assert!(
                (3_999..=4_001).contains(&peak),
                "{rate} Hz: click at {peak}"
            );
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let sound: Vec<f32> = sine(440.0, 44_100)
            .iter()
            .map(|sample| f32::from(*sample))
            .collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        let mut resampler = Resampler::new(44_100, 8_000).unwrap();
        resampler.push(&sound, &mut whole);
        resampler.finish(&mut whole);
        let mut resampler = Resampler::new(44_100, 8_000).unwrap();
        sound
            .chunks(97)
            .for_each(|piece| resampler.push(piece, &mut pieces));
        resampler.finish(&mut pieces);
        assert_eq!(whole, pieces);
    }

    #[test]
    fn absurd_rates_are_refused() {
        for rate in [0, 1, 3_999, 192_001, u32::MAX] {
            assert_eq!(
                resample(&[0; 10], rate, 8_000),
                Err(UnsupportedRate { rate })
            );
        }
        assert_eq!(resample(&[], 44_100, 8_000), Ok(Vec::new()));
    }
}
