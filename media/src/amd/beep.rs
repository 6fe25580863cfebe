//! The beep of a machine: one steady tone and nothing else.

use std::f32::consts::TAU;

use crate::frame::{FRAME_SAMPLES, Frame};

/// Follows single tones through the frames of one stream.
#[derive(Clone, Debug)]
pub(super) struct ToneFinder {
    /// A Hann window: a tone shows in three neighbouring bands and nowhere else.
    window: [f32; FRAME_SAMPLES],
    /// Twice the cosine of the turn per sample, of each band.
    bands: [f32; BANDS],
    run: Option<Tone>,
}

/// A single tone that sounds now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    /// Mean of what was measured.
    pub(super) hertz: f32,
    /// How long it has sounded.
    pub(super) frames: u32,
    power: f32,
}

/// Width of a band: what 20 ms can tell apart.
const BAND_HERTZ: f32 = 50.0;
/// The bands are those from 350 to 2250 Hz, so that hum and hiss outside do not hide a tone.
const FIRST_BAND: usize = 7;
const BANDS: usize = 39;
/// A beep is between these: dial and ringing tones are below, fax machines answer with 2100 Hz.
const HERTZ: std::ops::RangeInclusive<f32> = 390.0..=2_150.0;
/// Part of the power in all bands that the tone has at least: noise may be 8 dB below it.
const MIN_PURITY: f32 = 0.85;
/// Part of all power, in the bands and outside, that it has at least: below a vowel lies its pitch.
const MIN_SHARE: f32 = 0.7;
/// Power of the weakest tone that counts: -45 dBov.
const MIN_POWER: f32 = 34_000.0;
/// How far it may wander from its mean; a voice that sings does more.
const MAX_WANDER: f32 = 0.02;
/// How much louder or softer it may become from one frame to the next: 2.5 dB.
const MAX_SWELL: f32 = 1.8;

impl ToneFinder {
    pub(super) fn new() -> Self {
        let part = |n: f32| n / FRAME_SAMPLES as f32;
        Self {
            window: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * part(n as f32 + 0.5)).cos()),
            bands: std::array::from_fn(|n| 2.0 * (TAU * part((FIRST_BAND + n) as f32)).cos()),
            run: None,
        }
    }

    /// Takes 20 ms and says which tone fills them, alone.
    pub(super) fn push(&mut self, frame: &Frame) -> Option<Tone> {
        let heard = self.tone_in(frame);
        self.run = heard.map(|(hertz, power)| match self.run {
            Some(run) if run.goes_on_as(hertz, power) => {
                let frames = run.frames + 1;
                Tone {
                    hertz: run.hertz + (hertz - run.hertz) / frames.min(10) as f32,
                    frames,
                    power,
                }
            }
            _ => Tone {
                hertz,
                frames: 1,
                power,
            },
        });
        self.run
    }

    /// Frequency and power of the one tone in a frame.
    fn tone_in(&self, frame: &Frame) -> Option<(f32, f32)> {
        let mut sound = [0.0; FRAME_SAMPLES];
        for ((out, sample), gain) in sound.iter_mut().zip(&frame.0).zip(&self.window) {
            *out = f32::from(*sample) * gain;
        }
        let loudness =
            sound.iter().map(|x| x * x).sum::<f32>() / (FRAME_SAMPLES as f32 * MEAN_GAIN);
        if loudness < MIN_POWER {
            return None;
        }
        let powers = self.bands.map(|band| power_in(&sound, band));
        let all: f32 = powers.iter().sum();
        let strongest = (1..BANDS - 1).max_by(|a, b| powers[*a].total_cmp(&powers[*b]))?;
        let around = &powers[strongest - 1..=strongest + 1];
        let tone: f32 = around.iter().sum();
        // The centre of the three, which the window makes nearly the frequency.
        let centre = FIRST_BAND as f32 + strongest as f32 + (around[2] - around[0]) / tone;
        let hertz = centre * BAND_HERTZ;
        let is_alone = tone >= MIN_PURITY * all && tone >= MIN_SHARE * loudness;
        let is_one = tone >= MIN_POWER && is_alone && HERTZ.contains(&hertz);
        is_one.then_some((hertz, tone))
    }
}

/// The mean square of a Hann window.
const MEAN_GAIN: f32 = 0.375;

/// What a sound has in one band (Goertzel), so that the three bands of a tone give its mean square.
fn power_in(sound: &[f32; FRAME_SAMPLES], band: f32) -> f32 {
    let (mut last, mut before) = (0.0, 0.0);
    for x in sound {
        (last, before) = (x + band * last - before, last);
    }
    let magnitude = last * last + before * before - band * last * before;
    let count = FRAME_SAMPLES as f32;
    2.0 * magnitude / (count * count * MEAN_GAIN)
}

impl Tone {
    fn goes_on_as(&self, hertz: f32, power: f32) -> bool {
        let swell = power / self.power;
        (hertz / self.hertz - 1.0).abs() <= MAX_WANDER
            && (1.0 / MAX_SWELL..=MAX_SWELL).contains(&swell)
    }
}
