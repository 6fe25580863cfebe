//! Whether somebody speaks in a frame, on lines of any noise.

use crate::frame::{FRAME_SAMPLES, Frame};

/// Tells the frames in which somebody speaks from those that hold the noise of the line alone.
///
/// A voice is what stands out of the quietest sound of the last 2.4 s: speech falls to the noise between
/// its syllables, and noise never falls far below itself. So the noise is known after the first pause of a
/// tenth of a second, also when somebody speaks from the very start.
#[derive(Clone, Debug)]
pub struct VoiceDetector {
    filter: HighPass,
    /// Mean square of the sound, smoothed over two frames.
    smooth: Option<f64>,
    /// Quietest of the part being heard, and its frames so far.
    quietest: f64,
    filled: u32,
    /// Quietest of each part before, in no order.
    past: [f64; PARTS],
    next: usize,
    is_voice: bool,
}

/// Parts of the window in which the quietest sound is looked for.
const PARTS: usize = 8;
/// Frames of a part: 300 ms.
const PART: u32 = 15;
/// Silence made by a machine, below the last bit of G.711; it tells nothing of the noise of a line.
const NOTHING: f64 = 16.0;
/// Never a voice, however quiet the line: -50 dBov.
const QUIET: f64 = 1e-5 * FULL_SCALE;
/// Always a voice, however noisy the line: -24 dBov.
const LOUD: f64 = 4e-3 * FULL_SCALE;
/// The same for the first 300 ms, in which a greeting is likelier than such noise: -30 dBov.
const LOUD_AT_FIRST: f64 = 1e-3 * FULL_SCALE;
/// A voice begins so much above the quietest noise: 7 dB.
const MARGIN: f64 = 5.0;
/// It ends 3 dB below where it begins, so that it does not flicker.
const HYSTERESIS: f64 = 0.5;
const FULL_SCALE: f64 = 32_768.0 * 32_768.0;

impl VoiceDetector {
    /// Knows nothing of the line yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            filter: HighPass {
                last: 0.0,
                out: 0.0,
            },
            smooth: None,
            quietest: f64::INFINITY,
            filled: 0,
            past: [f64::INFINITY; PARTS],
            next: 0,
            is_voice: false,
        }
    }

    /// Takes the next 20 ms and says whether somebody speaks in them.
    pub fn push(&mut self, frame: &Frame) -> bool {
        let power = self.filter.power_of(frame);
        self.push_power(power)
    }

    /// Takes the mean square of the next 20 ms in place of their sound, with whatever hum and offset it has.
    pub(crate) fn push_power(&mut self, power: f64) -> bool {
        if power < NOTHING {
            self.smooth = None;
            self.is_voice = false;
            return false;
        }
        self.learn(power);
        let noise = self.noise();
        let loud = if self.past[0].is_infinite() {
            LOUD_AT_FIRST
        } else {
            LOUD
        };
        let begin = (noise * MARGIN).clamp(QUIET, loud);
        let end = (noise * MARGIN * HYSTERESIS).clamp(QUIET * HYSTERESIS, loud);
        let threshold = if self.is_voice { end } else { begin };
        self.is_voice = power > threshold;
        self.is_voice
    }

    /// Mean square of the noise of the line; infinite as long as nothing was heard.
    fn noise(&self) -> f64 {
        self.past.iter().copied().fold(self.quietest, f64::min)
    }

    fn learn(&mut self, power: f64) {
        let smooth = self.smooth.map_or(power, |before| (before + power) / 2.0);
        self.smooth = Some(smooth);
        self.quietest = self.quietest.min(smooth);
        self.filled += 1;
        if self.filled == PART {
            self.past[self.next] = self.quietest;
            self.next = (self.next + 1) % PARTS;
            (self.quietest, self.filled) = (f64::INFINITY, 0);
        }
    }
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes away what is no speech on a telephone: offset, hum, the rumble of a street.
#[derive(Clone, Copy, Debug)]
struct HighPass {
    last: f32,
    out: f32,
}

impl HighPass {
    /// The pole of a filter of first order at 200 Hz.
    const POLE: f32 = 0.855;

    /// Mean square of what passes.
    fn power_of(&mut self, frame: &Frame) -> f64 {
        let mut sum = 0.0;
        for sample in &frame.0 {
            let sample = f32::from(*sample);
            self.out = sample - self.last + Self::POLE * self.out;
            self.last = sample;
            sum += self.out * self.out;
        }
        f64::from(sum) / FRAME_SAMPLES as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::ToneGenerator;
    use crate::sim::Chance;

    /// Frames of noise at `dbov`, with a tone of `tone` dBm0 over it if there is one.
    fn line(chance: &mut Chance, dbov: f64, tone: Option<f32>, frames: usize) -> Vec<Frame> {
        let deviation = 32_768.0 * 10_f64.powf(dbov / 20.0);
        let mut generator = tone.map(|level| ToneGenerator::single(300.0, level));
        let frame = |_| {
            let mut frame = Frame::SILENCE;
            if let Some(generator) = &mut generator {
                generator.fill(&mut frame.0);
            }
            for sample in &mut frame.0 {
                *sample = sample.saturating_add((chance.normal() * deviation) as i16);
            }
            frame
        };
        (0..frames).map(frame).collect()
    }

    fn voiced(detector: &mut VoiceDetector, frames: &[Frame]) -> usize {
        frames.iter().filter(|frame| detector.push(frame)).count()
    }

    #[test]
    fn noise_is_no_voice_from_the_first_frame_on_and_what_stands_10_db_out_of_it_is() {
        for dbov in [-70.0, -55.0, -45.0, -35.0] {
            let mut chance = Chance::new(3);
            let mut detector = VoiceDetector::new();
            let noise = line(&mut chance, dbov, None, 500);
            assert_eq!(voiced(&mut detector, &noise), 0, "{dbov} dBov");
            // A sine of -6 dBm0 has -12 dBov.
            let level = (dbov + 17.0).max(-40.0) as f32;
            let speech = line(&mut chance, dbov, Some(level), 40);
            assert_eq!(voiced(&mut detector, &speech), 40, "{dbov} dBov");
            let after = line(&mut chance, dbov, None, 100);
            assert_eq!(voiced(&mut detector, &after), 0, "{dbov} dBov");
        }
    }

    #[test]
    fn silence_before_the_first_packet_does_not_make_noise_a_voice() {
        let mut detector = VoiceDetector::new();
        voiced(&mut detector, &[Frame::SILENCE; 50]);
        let noise = line(&mut Chance::new(4), -40.0, None, 200);
        assert_eq!(voiced(&mut detector, &noise), 0);
    }

    #[test]
    fn noise_that_rises_is_learned_within_the_window() {
        let mut detector = VoiceDetector::new();
        let mut chance = Chance::new(5);
        voiced(&mut detector, &line(&mut chance, -65.0, None, 200));
        voiced(&mut detector, &line(&mut chance, -42.0, None, 140));
        let later = line(&mut chance, -42.0, None, 200);
        assert_eq!(voiced(&mut detector, &later), 0);
    }

    #[test]
    fn an_offset_is_no_voice_and_a_loud_vowel_stays_one() {
        let mut detector = VoiceDetector::new();
        assert_eq!(voiced(&mut detector, &[Frame([3_000; 160]); 50]), 0);
        let vowel = line(&mut Chance::new(6), -70.0, Some(-12.0), 500);
        assert_eq!(voiced(&mut detector, &vowel), 500);
    }
}
