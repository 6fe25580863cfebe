//! Comfort noise: what a line sounds like on which nobody speaks, as the peer tells (RFC 3389) or as it has
//! been heard.

use super::likeness::{product, to_floats};
use crate::frame::{FRAME_SAMPLES, to_sample};

/// Coefficients that are used: what noise of a room needs.
const ORDER: usize = 8;

/// How loud noise is, and its spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseShape {
    /// Mean square.
    power: f32,
    /// Reflection coefficients of a synthesis filter; the first is negative for noise that is rather deep.
    reflection: [f32; ORDER],
}

/// Makes noise; the same seed makes the same noise.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    seed: u32,
    shape: NoiseShape,
    /// Of the white noise before the filter: where it is to be, and where it is on its way there.
    wanted: f32,
    gain: f32,
    memory: [f32; ORDER + 1],
}

/// Learns what a peer sounds like while it does not speak.
#[derive(Clone, Debug)]
pub struct Background {
    /// The quietest sound lately, which rises slowly.
    floor: f32,
    shape: NoiseShape,
    /// Quiet frames until the next is looked at.
    wait: u32,
}

impl NoiseShape {
    /// None at all.
    pub const SILENCE: Self = Self {
        power: 0.0,
        reflection: [0.0; ORDER],
    };
    /// Louder is no comfort: -36 dBov.
    const LOUDEST: f32 = 2.5e-4 * 32_768.0 * 32_768.0;

    /// What a packet says (RFC 3389 §3); `None` when it says nothing.
    ///
    /// Coefficients beyond those used are left out. Senders do not agree on their sign: noise is taken to be
    /// deep rather than high.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let (level, spectrum) = payload.split_first()?;
        let decibels = -f32::from(level & 0x7F);
        let mut reflection = [0.0; ORDER];
        for (coefficient, octet) in reflection.iter_mut().zip(spectrum) {
            *coefficient = (f32::from(*octet) - 127.0) * (258.0 / 32_768.0);
        }
        if reflection[0] > 0.0 {
            reflection.iter_mut().for_each(|one| *one = -*one);
        }
        let power = 32_768.0 * 32_768.0 * 10_f32.powf(decibels / 10.0);
        Some(Self::new(power, reflection))
    }

    /// The shape of some sound, and how much of it can be foretold from what was before: over
    /// [`Self::TONAL`] it is no noise.
    fn of(sound: &[i16]) -> (Self, f32) {
        let mut floats = [0.0; FRAME_SAMPLES];
        let sound = to_floats(sound, &mut floats);
        let mut likeness = [0.0_f32; ORDER + 1];
        for (lag, sum) in likeness.iter_mut().enumerate() {
            *sum = product(sound, sound.get(lag..).unwrap_or_default());
        }
        // A little white noise and a little blur keep the filter from ringing.
        likeness[0] = likeness[0] * 1.001 + 1.0;
        let mut reflection = [0.0; ORDER];
        let (mut filter, mut left) = ([0.0_f32; ORDER + 1], likeness[0]);
        filter[0] = 1.0;
        for order in 1..=ORDER {
            let sum: f32 = (0..order).map(|at| filter[at] * likeness[order - at]).sum();
            let coefficient = (-sum / left).clamp(-0.98, 0.98);
            let before = filter;
            for at in 1..=order {
                filter[at] = before[at] + coefficient * before[order - at];
            }
            reflection[order - 1] = coefficient;
            left *= 1.0 - coefficient * coefficient;
        }
        let power = likeness[0] / sound.len().max(1) as f32;
        (Self::new(power, reflection), likeness[0] / left)
    }

    /// 12 dB: a tone or a vowel.
    const TONAL: f32 = 16.0;

    fn new(power: f32, reflection: [f32; ORDER]) -> Self {
        Self {
            power: power.min(Self::LOUDEST),
            reflection: reflection.map(|one| one.clamp(-0.98, 0.98)),
        }
    }

    /// Whether it would not be heard: -75 dBov, the last bit of G.711.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.power <= Self::INAUDIBLE
    }

    const INAUDIBLE: f32 = 36.0;

    /// Halfway to another one.
    fn towards(self, other: Self) -> Self {
        let mut reflection = self.reflection;
        for (one, other) in reflection.iter_mut().zip(other.reflection) {
            *one += (other - *one) * 0.25;
        }
        Self {
            power: self.power + (other.power - self.power) * 0.25,
            reflection,
        }
    }
}

impl ComfortNoise {
    /// Silence, until it is given a shape.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self {
            seed: seed | 1,
            shape: NoiseShape::SILENCE,
            wanted: 0.0,
            gain: 0.0,
            memory: [0.0; ORDER + 1],
        }
    }

    /// Becomes noise of this shape, softly.
    pub fn set(&mut self, shape: NoiseShape) {
        if shape.is_silent() {
            self.wanted = 0.0;
            return;
        }
        self.shape = shape;
        let passed: f32 = shape.reflection.iter().map(|one| 1.0 - one * one).product();
        self.wanted = (shape.power * passed).sqrt();
    }

    /// Ends at once: somebody speaks.
    pub fn end(&mut self) {
        (self.wanted, self.gain) = (0.0, 0.0);
        self.memory = [0.0; ORDER + 1];
    }

    /// Whether nothing of it is heard.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.wanted == 0.0 && self.gain < 1.0
    }

    /// Adds the next samples to `out`.
    pub fn add(&mut self, out: &mut [i16]) {
        if self.is_silent() {
            return;
        }
        for sample in out {
            // 50 ms of the narrow band.
            self.gain += (self.wanted - self.gain) * (1.0 / 400.0);
            let noise = self.next_sample();
            *sample = to_sample(f32::from(*sample) + noise);
        }
    }

    fn next_sample(&mut self) -> f32 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        // Uniform, of mean square one.
        let white = (self.seed >> 8) as f32 * (3.464_101_6 / 16_777_216.0) - 1.732_050_8;
        let mut forward = white * self.gain;
        for stage in (0..ORDER).rev() {
            let coefficient = self.shape.reflection[stage];
            forward -= coefficient * self.memory[stage];
            self.memory[stage + 1] = self.memory[stage] + coefficient * forward;
        }
        self.memory[0] = forward;
        forward
    }
}

impl Background {
    /// A frame is quiet when it is no more than so much louder than the quietest: 4 dB.
    const NEAR: f32 = 2.5;
    /// The quietest rises by a decibel in 4 s.
    const RISE: f32 = 1.001_15;
    /// Of so many quiet frames one is looked at.
    const EVERY: u32 = 32;

    /// Nothing has been heard.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            floor: f32::MAX,
            shape: NoiseShape::SILENCE,
            wait: Self::EVERY / 2,
        }
    }

    /// Takes sound that came.
    pub fn hear(&mut self, sound: &[i16]) {
        let sound = &sound[..sound.len().min(FRAME_SAMPLES)];
        if sound.len() < FRAME_SAMPLES / 4 {
            return;
        }
        // In eighths, so that the sum of a frame fits.
        let square = |sample: &i16| i32::from(sample >> 3) * i32::from(sample >> 3);
        let sum: u32 = sound
            .iter()
            .map(|sample| square(sample).unsigned_abs())
            .sum();
        let power = 64.0 * sum as f32 / sound.len() as f32;
        self.floor = power.min((self.floor * Self::RISE).max(1.0));
        if power > self.floor * Self::NEAR {
            return;
        }
        self.wait -= 1;
        if self.wait == 0 {
            self.wait = Self::EVERY;
            let (heard, foretold) = NoiseShape::of(sound);
            if heard.is_silent() {
                self.shape = NoiseShape::SILENCE;
            } else if foretold < NoiseShape::TONAL {
                self.shape = if self.shape.is_silent() {
                    heard
                } else {
                    self.shape.towards(heard)
                };
            }
        }
    }

    /// What has been found.
    #[must_use]
    pub const fn shape(&self) -> NoiseShape {
        self.shape
    }
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;
    use crate::dsp::tone::ToneGenerator;
    use crate::sim::Chance;

    /// A second of noise of this shape, once it has come.
    fn second_of(shape: NoiseShape) -> Vec<i16> {
        let mut noise = ComfortNoise::new(3);
        noise.set(shape);
        noise.add(&mut [0; 4_000]);
        let mut second = vec![0; 8_000];
        noise.add(&mut second);
        second
    }

    /// How much more of a sound lies below 1 kHz than above 3 kHz, in decibels.
    fn depth(sound: &[i16]) -> f64 {
        let band = |low: u32, high: u32| {
            let powers = (low..high).step_by(20);
            powers
                .map(|hertz| 10_f64.powf(frequency_power(sound, hertz as f32) / 10.0))
                .sum::<f64>()
        };
        10.0 * (band(100, 1_000) / band(3_000, 3_900)).log10()
    }

    #[test]
    fn a_packet_gives_its_level_with_a_spectrum_or_without() {
        for level in [40, 55, 70] {
            for spectrum in [&[][..], &[60], &[200, 100, 140], &[127; 20], &[90; 11]] {
                let payload = [&[level], spectrum].concat();
                let sound = second_of(NoiseShape::from_payload(&payload).unwrap());
                let found = dbov(&sound) + f64::from(level);
                assert!(found.abs() < 1.5, "{payload:?}: {found:.1} dB off");
            }
        }
        assert_eq!(NoiseShape::from_payload(&[]), None);
        for spectrum in [[0; 11], [255; 11]] {
            let payload = [&[40][..], &spectrum].concat();
            assert!(dbov(&second_of(NoiseShape::from_payload(&payload).unwrap())) < -36.0);
        }
    }

    #[test]
    fn a_spectrum_is_deep_whichever_sign_its_sender_gives_it() {
        for first in [60, 194] {
            let sound = second_of(NoiseShape::from_payload(&[50, first]).unwrap());
            assert!(depth(&sound) > 5.0, "{:.1}", depth(&sound));
        }
        assert!(depth(&second_of(NoiseShape::from_payload(&[50]).unwrap())).abs() < 2.0);
    }

    #[test]
    fn noise_begins_softly_and_silence_is_silent() {
        let mut noise = ComfortNoise::new(1);
        noise.set(NoiseShape::from_payload(&[40]).unwrap());
        let mut sound = [0; 1_600];
        noise.add(&mut sound);
        assert!(dbov(&sound[..80]) < -55.0 && dbov(&sound[1_000..]) > -42.0);
        noise.set(NoiseShape::from_payload(&[127]).unwrap());
        noise.add(&mut [0; 8_000]);
        assert!(noise.is_silent());
        let mut sound = [0; 160];
        noise.add(&mut sound);
        assert_eq!(sound, [0; 160]);
    }

    #[test]
    fn the_noise_between_words_is_learnt_with_its_spectrum_and_a_tone_is_none() {
        let mut chance = Chance::new(4);
        let mut background = Background::new();
        let (mut last, mut tone) = (0.0, ToneGenerator::single(300.0, -15.0));
        for frame in 0..500 {
            let mut sound = [0; 160];
            if frame % 100 < 60 {
                tone.fill(&mut sound);
            }
            for sample in &mut sound {
                last = 0.8 * last + 40.0 * chance.normal();
                *sample += last as i16;
            }
            background.hear(&sound);
        }
        // 40 / sqrt(1 - 0.64) is 67, which is -53.8 dBov.
        let found = second_of(background.shape());
        assert!((dbov(&found) + 53.8).abs() < 2.5, "{}", dbov(&found));
        assert!(depth(&found) > 8.0, "{}", depth(&found));
        let mut background = Background::new();
        for _ in 0..5_000 {
            let mut sound = [0; 160];
            tone.fill(&mut sound);
            background.hear(&sound);
        }
        assert!(background.shape().is_silent());
    }

    #[test]
    fn silence_between_words_is_silence() {
        let mut background = Background::new();
        for frame in 0..500 {
            background.hear(&[if frame % 3 == 0 { 3_000 } else { 8 }; 160]);
        }
        assert!(background.shape().is_silent());
    }
}
