//! A telephone line: level, noise and G.711.

use std::f32::consts::TAU;

use flowswitch_media::codec::G711;

/// Seeded chance (xorshift64*).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / (1_u64 << 24) as f32)
    }

    /// Nearly normal, with deviation 1.
    fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.between(-1.0, 1.0)).sum::<f32>() / 2_f32.sqrt()
    }
}

/// The noise of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// As strong at every frequency.
    White,
    /// Stronger the lower: rooms, streets.
    Brown,
    /// Mains hum and its overtones, with a little white noise.
    Hum,
}

impl Noise {
    /// Noise of deviation 1.
    fn make(self, chance: &mut Chance, len: usize) -> Vec<f32> {
        let mut low = 0.0;
        let noise: Vec<f32> = (0..len)
            .map(|n| {
                let white = chance.normal();
                match self {
                    Self::White => white,
                    Self::Brown => {
                        low = 0.9 * low + white;
                        low
                    }
                    Self::Hum => {
                        let turn = TAU * 50.0 * n as f32 / 8_000.0;
                        turn.sin()
                            + 0.5 * (3.0 * turn).sin()
                            + 0.3 * (5.0 * turn).sin()
                            + 0.3 * white
                    }
                }
            })
            .collect();
        let deviation = (noise.iter().map(|x| x * x).sum::<f32>() / len as f32).sqrt();
        noise.into_iter().map(|x| x / deviation).collect()
    }
}

/// What arrives of `sound`: at `level` dBov while somebody speaks, with noise `snr` dB below that.
pub(crate) fn send(
    sound: &[i16],
    level: f32,
    (noise, snr): (Noise, f32),
    chance: &mut Chance,
) -> Vec<i16> {
    let gain = 10_f32.powf((level - active_level(sound)) / 20.0);
    let deviation = 32_768.0 * 10_f32.powf((level - snr) / 20.0);
    let noise = noise.make(chance, sound.len());
    let noisy: Vec<i16> = sound
        .iter()
        .zip(noise)
        .map(|(sample, noise)| (f32::from(*sample) * gain + noise * deviation) as i16)
        .collect();
    let mut heard = vec![0; noisy.len()];
    G711::Ulaw.decode(&G711::Ulaw.encode_all(&noisy), &mut heard);
    heard
}

/// Level of those parts in which something sounds, in dBov.
fn active_level(sound: &[i16]) -> f32 {
    let powers: Vec<f32> = sound
        .chunks(160)
        .map(|part| part.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>() / part.len() as f32)
        .collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = powers
        .into_iter()
        .filter(|power| *power > loudest / 300.0)
        .collect();
    if active.is_empty() {
        return -20.0;
    }
    10.0 * (active.iter().sum::<f32>() / active.len() as f32 / 32_768_f32.powi(2)).log10()
}

/// A tone with soft edges, as loud as speech.
pub(crate) fn tone(hertz: f32, ms: u32) -> Vec<i16> {
    let len = ms as usize * 8;
    (0..len)
        .map(|n| {
            let edge = (n.min(len - n) as f32 / 40.0).min(1.0);
            (4_000.0 * edge * (TAU * hertz * n as f32 / 8_000.0).sin()) as i16
        })
        .collect()
}

/// Music on hold: a melody over a bass, three notes a second.
pub(crate) fn music(ms: u32, chance: &mut Chance) -> Vec<i16> {
    const SCALE: [f32; 8] = [262.0, 294.0, 330.0, 349.0, 392.0, 440.0, 494.0, 523.0];
    let mut sound = Vec::new();
    while sound.len() < ms as usize * 8 {
        let note = SCALE[chance.between(0.0, 7.99) as usize];
        let bass = SCALE[chance.between(0.0, 7.99) as usize] / 2.0;
        for n in 0..2_700 {
            let t = n as f32 / 8_000.0;
            let fade = (-3.0 * t).exp() * (n as f32 / 40.0).min(1.0);
            let voice = |hertz: f32| {
                (TAU * hertz * t).sin()
                    + 0.5 * (2.0 * TAU * hertz * t).sin()
                    + 0.25 * (3.0 * TAU * hertz * t).sin()
            };
            sound.push((2_500.0 * fade * (voice(note) + 0.8 * voice(bass))) as i16);
        }
    }
    sound.truncate(ms as usize * 8);
    sound
}
