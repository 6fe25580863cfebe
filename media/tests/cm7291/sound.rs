//! Sounds to measure with: keys as a line may distort them, tones, noise, and seeded chance.

use flowswitch_media::codec::G711;
use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::dtmf::{Digit, ToneDetector};

/// Samples of a millisecond.
pub const MS: usize = 8;

/// A key as a line may distort it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub digit: Digit,
    /// Milliseconds that it sounds.
    pub ms: f64,
    /// Relative error of the low and of the high frequency.
    pub off: (f32, f32),
    /// Level of the low and of the high tone.
    pub dbm0: (f32, f32),
}

impl Key {
    /// 50 ms at -9 dBm0 a tone, as a telephone sends it.
    pub const fn new(digit: Digit) -> Self {
        Self {
            digit,
            ms: 50.0,
            off: (0.0, 0.0),
            dbm0: (-9.0, -9.0),
        }
    }

    pub fn of(character: char) -> Self {
        Self::new(Digit::from_char(character).expect("the tests name keys only"))
    }

    pub const fn ms(self, ms: f64) -> Self {
        Self { ms, ..self }
    }

    pub const fn dbm0(self, low: f32, high: f32) -> Self {
        Self {
            dbm0: (low, high),
            ..self
        }
    }

    pub const fn off(self, low: f32, high: f32) -> Self {
        Self {
            off: (low, high),
            ..self
        }
    }

    pub fn sound(self) -> Vec<i16> {
        let (low, high) = self.digit.frequencies();
        let mut sound = vec![0; (self.ms * MS as f64).round() as usize];
        ToneGenerator::dual(
            (low * (1.0 + self.off.0), self.dbm0.0),
            (high * (1.0 + self.off.1), self.dbm0.1),
        )
        .fill(&mut sound);
        sound
    }

    /// The key, and 50 ms of silence behind it.
    pub fn pulse(self) -> Vec<i16> {
        let mut sound = self.sound();
        sound.resize(sound.len() + 50 * MS, 0);
        sound
    }
}

/// All keys one after another, each and each pause of 50 ms, and what is to be told of them.
pub fn all_keys(shape: impl Fn(Key) -> Key) -> (Vec<i16>, String) {
    let keys = Digit::ALL.map(Key::new).map(shape);
    (
        keys.iter().flat_map(|key| key.pulse()).collect(),
        Digit::ALL.map(Digit::to_char).iter().collect(),
    )
}

/// What is told of a sound that comes in frames of 20 ms, with a silent frame and a half behind it.
pub fn told(sound: &[i16]) -> String {
    let mut detector = ToneDetector::new();
    told_by(&mut detector, sound) + &told_by(&mut detector, &[0; 240])
}

/// What is told of a sound that goes on.
pub fn told_by(detector: &mut ToneDetector, sound: &[i16]) -> String {
    sound
        .chunks(20 * MS)
        .filter_map(|frame| detector.push(frame))
        .map(Digit::to_char)
        .collect()
}

/// A sound with others over it, clipped as a converter does.
pub fn over(sound: &[i16], other: &[i16]) -> Vec<i16> {
    sound
        .iter()
        .zip(other)
        .map(|(one, other)| one.saturating_add(*other))
        .collect()
}

pub fn louder(sound: &[i16], db: f32) -> Vec<i16> {
    let gain = 10_f32.powf(db / 20.0);
    sound
        .iter()
        .map(|sample| (f32::from(*sample) * gain).round() as i16)
        .collect()
}

pub fn tones(first: (f32, f32), second: (f32, f32), len: usize) -> Vec<i16> {
    let mut sound = vec![0; len];
    ToneGenerator::dual(first, second).fill(&mut sound);
    sound
}

/// Noise that is as strong at every frequency, at this level in all.
pub fn noise(dbm0: f32, len: usize, seed: u64) -> Vec<i16> {
    let mut chance = Chance::new(seed);
    let deviation = POWER_AT_0_DBM0.sqrt() * 10_f64.powf(f64::from(dbm0) / 20.0);
    (0..len)
        .map(|_| (chance.normal() * deviation).round() as i16)
        .collect()
}

/// The way a sound takes to the detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Linear,
    Coded(G711),
}

impl Line {
    pub const ALL: [Self; 3] = [
        Self::Linear,
        Self::Coded(G711::Ulaw),
        Self::Coded(G711::Alaw),
    ];

    pub fn carry(self, sound: &[i16]) -> Vec<i16> {
        let Self::Coded(codec) = self else {
            return sound.to_vec();
        };
        let mut heard = vec![0; sound.len()];
        codec.decode(&codec.encode_all(sound), &mut heard);
        heard
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Coded(G711::Alaw) => "A-law",
            Self::Coded(_) => "µ-law",
        })
    }
}

/// Power of a sine at 0 dBm0, 3.14 dB below the overload of G.711, in squared sample steps.
const POWER_AT_0_DBM0: f64 = (32_768.0 * 0.696_6) * (32_768.0 * 0.696_6) / 2.0;

/// Seeded chance (xorshift64*).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Normal with mean 0 and deviation 1 (by Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
