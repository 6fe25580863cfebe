//! Keys as tones in the audio, for a peer without telephone-events.

use std::time::Duration;

use super::digit::Digit;
use crate::dsp::tone::{Ramp, ToneGenerator};
use crate::frame::samples_in;

/// Sounds keys one after another, each followed by silence.
#[derive(Clone, Debug)]
pub struct ToneSender {
    digits: std::vec::IntoIter<Digit>,
    ramp: Ramp,
    tone: u64,
    whole: u64,
    /// The key that sounds, and how much of it and its silence is over.
    current: Option<(ToneGenerator, u64)>,
}

impl ToneSender {
    /// Levels of the two frequencies in dBm0: the high one stronger by 2 dB, as lines lose more of it.
    const LEVELS: (f32, f32) = (-9.0, -7.0);
    /// Edges of a tone: soft enough not to click, short enough to leave 40 ms tones their length.
    const EDGE: Duration = Duration::from_millis(2);

    /// Sounds each key for `tone`, then nothing for `gap`.
    #[must_use]
    pub fn new(digits: Vec<Digit>, tone: Duration, gap: Duration) -> Self {
        let tone = samples_in(tone);
        Self {
            digits: digits.into_iter(),
            ramp: Ramp::new(tone, Self::EDGE),
            tone,
            whole: tone.saturating_add(samples_in(gap)),
            current: None,
        }
    }

    /// Lets the key go: it fades out now, but not before it sounded for `least`.
    pub fn release(&mut self, least: Duration) {
        let gap = self.whole - self.tone;
        let sounded = self.current.as_ref().map_or(0, |(_, at)| *at);
        let tone = (sounded + samples_in(Self::EDGE)).max(samples_in(least));
        if tone < self.tone {
            self.ramp = Ramp::new(tone, Self::EDGE);
            self.tone = tone;
            self.whole = tone + gap;
        }
    }

    /// Writes the next samples over `out`; `false` once everything has been written before, and
    /// `out` is silence.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        let mut has_sound = false;
        for sample in out {
            *sample = self
                .next_sample()
                .inspect(|_| has_sound = true)
                .unwrap_or(0);
        }
        has_sound
    }

    fn next_sample(&mut self) -> Option<i16> {
        while self
            .current
            .as_ref()
            .is_none_or(|(_, at)| *at >= self.whole)
        {
            let (low, high) = self.digits.next()?.frequencies();
            self.current = Some((
                ToneGenerator::dual((low, Self::LEVELS.0), (high, Self::LEVELS.1)),
                0,
            ));
        }
        let (tone, at) = self.current.as_mut()?;
        let sample = if *at < self.tone {
            tone.next_sample() * self.ramp.gain(*at)
        } else {
            0.0
        };
        *at += 1;
        Some(sample.round() as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;

    const MS: Duration = Duration::from_millis(1);

    fn whole(mut sender: ToneSender) -> Vec<i16> {
        let mut sound = Vec::new();
        let mut frame = [0; 160];
        while sender.fill(&mut frame) {
            sound.extend(frame);
        }
        sound
    }

    #[test]
    fn each_key_sounds_for_its_time_and_then_nothing() {
        let keys = ["1", "#"].map(|key| key.parse().unwrap());
        let sound = whole(ToneSender::new(keys.into(), 100 * MS, 60 * MS));
        assert_eq!(sound.len(), 2 * 160 * 8);
        assert!(frequency_power(&sound[80..720], 697.0) > -16.0);
        assert!(frequency_power(&sound[80..720], 1_209.0) > -14.0);
        assert_eq!(dbov(&sound[800..1_280]), -127.0);
        assert!(frequency_power(&sound[1_360..2_000], 941.0) > -16.0);
        assert!(frequency_power(&sound[1_360..2_000], 1_477.0) > -14.0);
    }

    #[test]
    fn a_key_that_is_let_go_fades_out_but_lasts_its_least_time() {
        for (frames_before, expected) in [(0, 480), (1, 480), (6, 976)] {
            let keys = vec!["5".parse().unwrap()];
            let mut sender = ToneSender::new(keys, 9_000 * MS, 40 * MS);
            let mut frame = [0; 160];
            let mut sound = Vec::new();
            for _ in 0..frames_before {
                sender.fill(&mut frame);
                sound.extend(frame);
            }
            sender.release(60 * MS);
            sound.extend(whole(sender));
            let steps = sound.windows(2).map(|pair| (pair[0] - pair[1]).abs());
            let last = sound.iter().rposition(|sample| *sample != 0).unwrap();
            assert!((expected - 16..expected).contains(&last), "{last}");
            assert!(steps.max() < Some(16_000));
        }
    }

    #[test]
    fn no_keys_and_keys_of_no_length_are_silence_at_once() {
        assert!(whole(ToneSender::new(Vec::new(), 100 * MS, 100 * MS)).is_empty());
        assert!(
            whole(ToneSender::new(
                Digit::ALL.into(),
                Duration::ZERO,
                Duration::ZERO
            ))
            .is_empty()
        );
    }
}
