//! What 20 ms of each change of rate cost, beside a floor measured in the same run (a copy of the samples), and
//! how clean they are.
//!
//! ```text
//!   pass    the most that a tone up to 0.425 of the lower rate gets louder or softer (3.4 kHz of 8 kHz)
//!   added   the loudest of all that comes with such a tone: images, and what rounding to 16 bits leaves
//!   stop    the loudest that is left of a tone above 0.575 of the lower rate (4.6 kHz of 8 kHz)
//! ```
//!
//! `cargo bench -p flowswitch-media --bench resampling`. All but the floor is in dB against the tone.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Instant;

use flowswitch_media::dsp::resample::{Doubler, Halver, Resampler, resample};

const RATES: [u32; 5] = [8_000, 16_000, 24_000, 44_100, 48_000];
/// Runs of which the quickest counts: what disturbs a run only makes it slower.
const RUNS: usize = 20;
/// Frames of one run: two seconds.
const FRAMES: usize = 100;
/// Tones that are tried in each band.
const TONES: u32 = 12;
const AMPLITUDE: f64 = 20_000.0;

fn main() {
    println!(
        "{:<26} {:>12} {:>9} {:>7} {:>7} {:>7}",
        "", "us per 20 ms", "to floor", "pass", "added", "stop"
    );
    let sound = tone(440, 16_000);
    let mut copy = [0; 320];
    let floor = quickest(|| {
        for frame in sound.chunks_exact(320) {
            copy.copy_from_slice(black_box(frame));
            black_box(&copy);
        }
    });
    println!(
        "{:<26} {floor:>12.3} {:>9.0}",
        "floor: copy 320 samples", 1.0
    );
    let narrow = tone(440, 8_000);
    let (mut doubler, mut wide_frame) = (Doubler::new(), [0; 320]);
    let cost = quickest(|| {
        for frame in narrow.chunks_exact(160) {
            doubler.process(black_box(frame), &mut wide_frame);
            black_box(&wide_frame);
        }
    });
    tell(
        "8000 -> 16000 (doubler)",
        cost,
        floor,
        &purity(8_000, 16_000, double),
    );
    let (mut halver, mut narrow_frame) = (Halver::new(), [0; 160]);
    let cost = quickest(|| {
        for frame in sound.chunks_exact(320) {
            halver.process(black_box(frame), &mut narrow_frame);
            black_box(&narrow_frame);
        }
    });
    tell(
        "16000 -> 8000 (halver)",
        cost,
        floor,
        &purity(16_000, 8_000, halve),
    );
    for from in RATES {
        for to in RATES.into_iter().filter(|to| *to != from) {
            let frames: Vec<f32> = tone(440, from)
                .iter()
                .map(|sample| f32::from(*sample))
                .collect();
            let mut resampler = Resampler::new(from, to).expect("a rate that can be converted");
            let mut out = Vec::new();
            let cost = quickest(|| {
                for frame in frames.chunks_exact(from as usize / 50) {
                    out.clear();
                    resampler.push(black_box(frame), &mut out);
                }
            });
            let clean = purity(from, to, |sound| {
                resample(sound, from, to).expect("a rate that can be converted")
            });
            tell(&format!("{from} -> {to}"), cost, floor, &clean);
        }
    }
}

/// How clean a change of rate is, in dB.
struct Purity {
    pass: f64,
    added: f64,
    stop: Option<f64>,
}

fn purity(from: u32, to: u32, change: impl Fn(&[i16]) -> Vec<i16>) -> Purity {
    let lower = f64::from(from.min(to));
    let (mut pass, mut added) = (0.0_f64, f64::NEG_INFINITY);
    for hertz in spread(100.0, 0.425 * lower) {
        let sound = change(&tone(hertz, from));
        let (of_tone, rest) = levels(&sound, hertz, to);
        pass = pass.max(of_tone.abs());
        added = added.max(rest);
    }
    let (low, high) = (0.575 * lower, f64::from(from) / 2.0 - 50.0);
    let left = |hertz| levels(&change(&tone(hertz, from)), 0, to).1;
    let stop = (low < high).then(|| {
        let left = spread(low, high).map(left);
        left.fold(f64::NEG_INFINITY, f64::max)
    });
    Purity { pass, added, stop }
}

/// Tones between two frequencies, ends included, whole in a second and none in step with the samples.
fn spread(low: f64, high: f64) -> impl Iterator<Item = u32> {
    (0..=TONES).map(move |step| {
        let hertz = low + (high - low) * f64::from(step) / f64::from(TONES);
        if step == TONES {
            (hertz.floor() as u32 - 1) | 1
        } else {
            hertz.ceil() as u32 | 1
        }
    })
}

/// Level of a frequency in the second in the middle of a sound, and of all else, against that of [`tone`].
fn levels(sound: &[i16], hertz: u32, rate: u32) -> (f64, f64) {
    let power_of_tone = (AMPLITUDE / 32_768.0).powi(2) / 2.0;
    let middle = &sound[rate as usize / 2..][..rate as usize];
    let step = TAU * f64::from(hertz) / f64::from(rate);
    let (mut sine, mut cosine, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in middle.iter().enumerate() {
        let (sample, angle) = (f64::from(*sample) / 32_768.0, step * at as f64);
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
        all += sample * sample;
    }
    let count = f64::from(rate);
    let of_tone = match hertz {
        0 => 0.0,
        _ => 2.0 * (sine * sine + cosine * cosine) / (count * count),
    };
    let decibels = |power: f64| 10.0 * (power.max(1e-16) / power_of_tone).log10();
    (decibels(of_tone), decibels(all / count - of_tone))
}

/// Two seconds of a tone.
fn tone(hertz: u32, rate: u32) -> Vec<i16> {
    let step = TAU * f64::from(hertz) / f64::from(rate);
    let sample = |at| (AMPLITUDE * (step * f64::from(at)).sin()).round() as i16;
    (0..2 * rate).map(sample).collect()
}

fn double(narrow: &[i16]) -> Vec<i16> {
    let mut wide = vec![0; 2 * narrow.len()];
    Doubler::new().process(narrow, &mut wide);
    wide
}

fn halve(wide: &[i16]) -> Vec<i16> {
    let mut narrow = vec![0; wide.len() / 2];
    Halver::new().process(wide, &mut narrow);
    narrow
}

/// Microseconds for each frame of the quickest run.
fn quickest(mut run: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed().as_secs_f64());
    }
    least * 1e6 / FRAMES as f64
}

fn tell(what: &str, micros: f64, floor: f64, purity: &Purity) {
    let Purity { pass, added, stop } = purity;
    let stop = stop.map_or_else(String::new, |stop| format!("{stop:.1}"));
    println!(
        "{what:<26} {micros:>12.3} {:>9.0} {pass:>7.3} {added:>7.1} {stop:>7}",
        micros / floor
    );
}
