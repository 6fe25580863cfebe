//! How loud one member speaks.

use crate::dsp::level::mean_square;
use crate::dsp::leveler::Leveler;
use crate::dsp::vad::VoiceDetector;
use crate::frame::Sound;

/// Weights of a frame in the loudness of a voice that rises and falls: it is known after 60 ms, and outlasts a
/// pause between words.
const ATTACK: f32 = 0.4;
const RELEASE: f32 = 0.06;

/// Measures a voice, and brings it to the level of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge {
    detector: VoiceDetector,
    leveler: Leveler,
    /// Mean square of its speech, smoothed.
    loudness: f32,
    is_voice: bool,
    /// Ticks since it spoke.
    silent: u16,
    /// It is left out, because others are louder.
    is_left_out: bool,
}

impl Gauge {
    /// Takes 20 ms, of which nobody hears anything if it is not `heard`.
    pub(super) fn take(&mut self, sound: &mut Sound, is_heard: bool, is_leveled: bool) {
        let power = if is_heard {
            mean_square(&sound.narrow.0)
        } else {
            0.0
        };
        self.is_voice = self.detector.push_power(f64::from(power));
        let speech = if self.is_voice { power } else { 0.0 };
        let weight = if speech > self.loudness {
            ATTACK
        } else {
            RELEASE
        };
        self.loudness += weight * (speech - self.loudness);
        self.silent = if self.is_voice {
            0
        } else {
            self.silent.saturating_add(1)
        };
        if is_leveled {
            self.leveler.level(power, self.is_voice, sound);
        }
    }

    /// How loud it has spoken of late.
    pub(super) const fn loudness(&self) -> f32 {
        self.loudness
    }

    /// Whether it speaks now.
    pub(super) const fn is_voice(&self) -> bool {
        self.is_voice
    }

    /// Ticks since it spoke.
    pub(super) const fn silent(&self) -> u16 {
        self.silent
    }

    /// Whether it is one of those that are heard.
    pub(super) const fn is_chosen(&self) -> bool {
        !self.is_left_out
    }

    pub(super) const fn choose(&mut self, is_chosen: bool) {
        self.is_left_out = !is_chosen;
    }
}
