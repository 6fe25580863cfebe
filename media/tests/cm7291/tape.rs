//! A tape for the talk-off test: what is no key, though it may sound like one for a moment.

use super::sound::Chance;
use std::f64::consts::TAU;

/// What a piece of the tape sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A voice by source and resonances, whose pitch and vowels wander.
    Voice,
    /// Chords of three notes with harmonics.
    Chords,
    /// Somebody whistles.
    Whistle,
    /// Strings and a singing voice: vibrato over held harmonic notes.
    Vibrato,
    /// A siren: a tone and its harmonics that glide far.
    Siren,
    /// Bells and plucked strings: harmonics that decay at different speeds.
    Bells,
    /// White noise, and noise through a wandering resonance.
    Noise,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Voice,
        Self::Chords,
        Self::Whistle,
        Self::Vibrato,
        Self::Siren,
        Self::Bells,
        Self::Noise,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Voice => "voices by resonances",
            Self::Chords => "chords",
            Self::Whistle => "whistles",
            Self::Vibrato => "singing, strings",
            Self::Siren => "sirens",
            Self::Bells => "bells, plucked strings",
            Self::Noise => "noise",
        }
    }

    /// So many seconds of it, at about -15 dBm0; the same for the same seed.
    pub fn record(self, seconds: usize, seed: u64) -> Vec<i16> {
        let mut chance = Chance::new(seed);
        let mut sound = Vec::with_capacity(seconds * 8_000);
        while sound.len() < seconds * 8_000 {
            match self {
                Self::Voice => voice(&mut chance, &mut sound),
                Self::Noise => rush(&mut chance, &mut sound),
                _ => self.notes(&mut chance, &mut sound),
            }
        }
        sound.truncate(seconds * 8_000);
        sound
    }

    /// One beat: some notes at once.
    fn notes(self, chance: &mut Chance, sound: &mut Vec<i16>) {
        let len = (chance.between(0.06, 0.9) * 8_000.0) as usize;
        let count = match self {
            Self::Whistle | Self::Siren => 1,
            _ => 1 + (chance.unit() * 4.0) as usize,
        };
        let mut notes: Vec<_> = (0..count).map(|_| Note::of(self, chance)).collect();
        for at in 0..len {
            let edge = (at.min(len - at) as f64 / 60.0).min(1.0);
            let sum: f64 = notes.iter_mut().map(|note| note.next(at, len)).sum();
            sound.push((sum * edge * 5_000.0).clamp(-32_000.0, 32_000.0) as i16);
        }
    }
}

/// One note with up to six harmonics.
struct Note {
    hertz: f64,
    /// Times its frequency that it reaches at the end.
    glide: f64,
    /// Depth in parts of the frequency, and hertz of the vibrato.
    vibrato: (f64, f64),
    loud: f64,
    harmonics: [f64; 6],
    /// Harmonics fade by so much a second, the higher the faster.
    decay: f64,
    phase: f64,
}

impl Note {
    fn of(kind: Kind, chance: &mut Chance) -> Self {
        let semitone = |low: f64, octaves: f64, chance: &mut Chance| {
            low * 2_f64.powf((chance.unit() * octaves * 12.0).floor() / 12.0)
        };
        let slope = chance.between(0.1, 0.7);
        let rich: [f64; 6] = std::array::from_fn(|n| {
            slope.powi(n as i32) * if n == 0 { 1.0 } else { chance.unit() * 2.0 }
        });
        let mut note = Self {
            hertz: semitone(110.0, 4.0, chance),
            glide: 1.0,
            vibrato: (0.0, 0.0),
            loud: chance.between(0.3, 1.0),
            harmonics: rich,
            decay: 0.0,
            phase: chance.unit(),
        };
        match kind {
            Kind::Whistle => {
                note.hertz = chance.between(600.0, 1_800.0);
                note.glide = chance.between(0.9, 1.1);
                note.harmonics = [1.0, chance.unit() * 0.05, 0.0, 0.0, 0.0, 0.0];
            }
            Kind::Vibrato => {
                note.vibrato = (chance.between(0.003, 0.03), chance.between(4.0, 7.0));
            }
            Kind::Siren => {
                note.hertz = chance.between(200.0, 1_500.0);
                note.glide = 2_f64.powf(chance.between(-1.0, 1.0));
            }
            Kind::Bells => note.decay = chance.between(1.0, 8.0),
            _ => {}
        }
        note
    }

    fn next(&mut self, at: usize, len: usize) -> f64 {
        let time = at as f64 / 8_000.0;
        let (depth, speed) = self.vibrato;
        let bend = 1.0 + depth * (TAU * speed * time).sin();
        let glide = 1.0 + (self.glide - 1.0) * at as f64 / len as f64;
        let hertz = self.hertz * bend * glide;
        self.phase = (self.phase + hertz / 8_000.0).fract();
        let mut sum = 0.0;
        for (n, harmonic) in (1..).zip(self.harmonics) {
            if hertz * f64::from(n) < 3_900.0 {
                let fade = (-self.decay * f64::from(n) * time).exp();
                sum += harmonic * fade * (TAU * self.phase * f64::from(n)).sin();
            }
        }
        sum * self.loud
    }
}

/// A syllable: a pulse train that glides from pitch to pitch, through three resonances that wander.
fn voice(chance: &mut Chance, sound: &mut Vec<i16>) {
    let len = (chance.between(0.06, 0.35) * 8_000.0) as usize;
    let pitch = chance.between(75.0, 380.0);
    let rise = chance.between(0.8, 1.25);
    let from_to = |low: f64, high: f64, chance: &mut Chance| {
        (chance.between(low, high), chance.between(low, high))
    };
    let formants = [
        from_to(250.0, 1_000.0, chance),
        from_to(800.0, 2_200.0, chance),
        from_to(1_900.0, 3_300.0, chance),
    ];
    let radius = chance.between(0.94, 0.99);
    let breath = chance.between(0.0, 0.03);
    let mut state = [[0.0_f64; 2]; 3];
    let mut phase = 0.0;
    let mut syllable = Vec::with_capacity(len);
    for at in 0..len {
        let along = at as f64 / len as f64;
        phase += pitch * (1.0 + (rise - 1.0) * along) / 8_000.0;
        let mut sample = breath * chance.normal();
        if phase >= 1.0 {
            phase -= 1.0;
            sample += 1.0;
        }
        for (state, (from, to)) in state.iter_mut().zip(formants) {
            let turn = TAU * (from + (to - from) * along) / 8_000.0;
            let next = sample + 2.0 * radius * turn.cos() * state[0] - radius * radius * state[1];
            *state = [next, state[0]];
            sample = next * (1.0 - radius) * 4.0;
        }
        syllable.push(sample);
    }
    let power = syllable.iter().map(|x| x * x).sum::<f64>() / len as f64;
    let gain = chance.between(1_500.0, 5_000.0) / power.sqrt().max(1e-6);
    sound.extend(
        syllable
            .iter()
            .map(|x| (x * gain).clamp(-32_000.0, 32_000.0) as i16),
    );
    if chance.unit() < 0.2 {
        sound.extend(vec![0; (chance.between(0.02, 0.2) * 8_000.0) as usize]);
    }
}

/// A second of noise, white or through two narrow resonances.
fn rush(chance: &mut Chance, sound: &mut Vec<i16>) {
    let is_white = chance.unit() < 0.3;
    let turns = [500.0, 1_100.0].map(|low| TAU * chance.between(low, 2.0 * low) / 8_000.0);
    let radius = chance.between(0.9, 0.98);
    let mut state = [[0.0_f64; 2]; 2];
    for _ in 0..8_000 {
        let white = chance.normal();
        let mut sum = 0.0;
        for (state, turn) in state.iter_mut().zip(turns) {
            let next = white + 2.0 * radius * turn.cos() * state[0] - radius * radius * state[1];
            *state = [next, state[0]];
            sum += next * (1.0 - radius * radius).sqrt();
        }
        let sample = if is_white { white } else { sum };
        sound.push((sample * 3_000.0).clamp(-32_000.0, 32_000.0) as i16);
    }
}
