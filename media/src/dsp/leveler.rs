//! Brings voices of different loudness near to each other.

use crate::frame::Sound;

/// Voices between these are as they should be: mean squares at -24 and -18 dBov.
const QUIET: f32 = 0.003_981 * FULL_SCALE;
const LOUD: f32 = 0.015_85 * FULL_SCALE;
const FULL_SCALE: f32 = 32_768.0 * 32_768.0;

/// Gain is bounded: -6 and +12 dB.
const LEAST: f32 = 0.501_2;
const MOST: f32 = 3.981;

/// It rises by 2 dB a second and falls by 6, of speech.
const RISE: f32 = 1.004_616;
const FALL: f32 = 0.986_28;

/// Weight of a frame in the level of a voice: about a second of speech is remembered.
const WEIGHT: f32 = 0.02;

/// Frames of speech that have to be heard before anything is changed: 300 ms.
const FIRST: u8 = 15;

/// The gain of one voice.
///
/// It follows the level of speech alone and stands still while nobody speaks, so that the noise of a line is not
/// raised. A voice that is as loud as it should be is left bit by bit.
#[derive(Clone, Copy, Debug)]
pub struct Leveler {
    gain: f32,
    /// Mean square of the voice, before the gain.
    level: f32,
    heard: u8,
}

impl Leveler {
    /// Knows nothing of the voice yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            gain: 1.0,
            level: 0.0,
            heard: 0,
        }
    }

    /// The gain now.
    #[must_use]
    pub const fn gain(&self) -> f32 {
        self.gain
    }

    /// Takes 20 ms with this mean square, in which somebody speaks or does not, and brings them to their level.
    pub fn level(&mut self, power: f32, is_voice: bool, sound: &mut Sound) {
        let before = self.gain;
        if is_voice {
            self.learn(power);
        }
        if before == 1.0 && self.gain == 1.0 {
            return;
        }
        amplify(before, self.gain, &mut sound.narrow.0);
        if let Some(wide) = &mut sound.wide {
            amplify(before, self.gain, &mut wide.0);
        }
    }

    fn learn(&mut self, power: f32) {
        self.heard = self.heard.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f32::from(self.heard));
        self.level += weight * (power - self.level);
        if self.heard < FIRST {
            return;
        }
        let level = self.level * self.gain * self.gain;
        if level < QUIET {
            self.gain = (self.gain * RISE).min(MOST);
        } else if level > LOUD {
            self.gain = (self.gain * FALL).max(LEAST);
        }
    }
}

impl Default for Leveler {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets the gain of sound go from one to another, in eight steps of which none is heard.
fn amplify(from: f32, to: f32, sound: &mut [i16]) {
    if from == to {
        return multiply(to, sound);
    }
    let len = sound.len() / STEPS;
    for (step, part) in (1..).zip(sound.chunks_mut(len.max(1))) {
        multiply(from + (to - from) * (step as f32 / STEPS as f32), part);
    }
}

fn multiply(gain: f32, sound: &mut [i16]) {
    let gain = (gain * ONE as f32) as i16;
    for sample in sound {
        let loud = (i32::from(*sample) * i32::from(gain) + ONE / 2) >> ONE.ilog2();
        *sample = loud.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
    }
}

/// Steps of the gain in a frame.
const STEPS: usize = 8;

/// The gain of one in whole numbers: the greatest gain fits in 16 bits.
const ONE: i32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::{dbov, mean_square};
    use crate::dsp::tone::ToneGenerator;
    use crate::frame::{FRAME_SAMPLES, WideFrame};

    /// Levels so many seconds of a tone of so many dBov, and gives the last second.
    fn last_second(leveler: &mut Leveler, level: f32, seconds: usize, is_voice: bool) -> Vec<i16> {
        let mut tone = ToneGenerator::single(500.0, level + 6.15);
        let mut sound = Vec::new();
        for _ in 0..50 * seconds {
            let mut frame = Sound::SILENCE;
            tone.fill(&mut frame.narrow.0);
            leveler.level(mean_square(&frame.narrow.0), is_voice, &mut frame);
            sound.extend(frame.narrow.0);
        }
        sound.split_off(sound.len() - 8_000)
    }

    #[test]
    fn voices_come_into_the_range_where_they_should_be() {
        for (level, expected) in [
            (-34.0, -24.0),
            (-29.0, -24.0),
            (-12.5, -18.0),
            (-45.0, -33.0),
        ] {
            let sound = last_second(&mut Leveler::new(), level, 20, true);
            assert!(
                (dbov(&sound) - expected).abs() < 0.5,
                "{level}: {}",
                dbov(&sound)
            );
        }
    }

    #[test]
    fn a_voice_as_it_should_be_is_left_bit_by_bit() {
        let mut leveler = Leveler::new();
        let sound = last_second(&mut leveler, -20.0, 5, true);
        let mut plain = vec![0; 40_000];
        let mut tone = ToneGenerator::single(500.0, -20.0 + 6.15);
        plain
            .chunks_mut(FRAME_SAMPLES)
            .for_each(|frame| tone.fill(frame));
        assert_eq!(sound, plain[32_000..]);
    }

    #[test]
    fn noise_is_not_raised_and_a_gain_outlasts_a_pause() {
        let mut leveler = Leveler::new();
        let noise = last_second(&mut leveler, -50.0, 10, false);
        assert!((dbov(&noise) + 50.0).abs() < 0.5);
        last_second(&mut leveler, -34.0, 10, true);
        let gain = leveler.gain();
        last_second(&mut leveler, -60.0, 30, false);
        assert_eq!(leveler.gain(), gain);
    }

    #[test]
    fn both_bands_are_leveled_alike() {
        let mut leveler = Leveler {
            gain: 2.0,
            ..Leveler::new()
        };
        let mut sound = Sound {
            narrow: crate::frame::Frame([1_000; FRAME_SAMPLES]),
            wide: Some(WideFrame([1_000; 320])),
        };
        leveler.level(0.0, false, &mut sound);
        assert_eq!(sound.narrow.0, [2_000; FRAME_SAMPLES]);
        assert_eq!(sound.wide.unwrap().0, [2_000; 320]);
    }
}
