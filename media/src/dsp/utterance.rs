//! Speech cut into utterances: from before its first sound to the pause behind it.

use std::time::Duration;

use super::vad::VoiceDetector;
use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame};

/// Where utterances begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtteranceLimits {
    /// Sound kept from before the voice was noticed: soft beginnings are part of a word. At most 1 s.
    pub pre_roll: Duration,
    /// So much silence ends an utterance.
    pub end_of_silence: Duration,
    /// A longer utterance is cut, and goes on as the next. At most one minute.
    pub longest: Duration,
    /// With less voice than this it was a noise.
    pub shortest_voice: Duration,
}

impl Default for UtteranceLimits {
    /// For recognizing what a caller says: 300 ms before, 700 ms of silence behind, 15 s, 200 ms.
    fn default() -> Self {
        Self {
            pre_roll: Duration::from_millis(300),
            end_of_silence: Duration::from_millis(700),
            longest: Duration::from_secs(15),
            shortest_voice: Duration::from_millis(200),
        }
    }
}

/// Cuts one stream of frames into utterances.
///
/// Allocates when it is made and never after: what is said lies in one buffer of the longest utterance.
#[derive(Debug)]
pub struct UtteranceCutter {
    pre_roll: usize,
    end_of_silence: u32,
    longest: usize,
    shortest_voice: u32,
    voice: VoiceDetector,
    sound: Vec<i16>,
    /// Frames of the stream so far.
    now: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody speaks; so many frames of voice in a row.
    Quiet {
        row: u32,
    },
    Speaking(Speaking),
    /// What was said has been handed over and is forgotten with the next frame, but somebody speaks on.
    Cut,
}

#[derive(Clone, Copy, Debug)]
struct Speaking {
    /// Frames of the stream before it.
    start: u64,
    /// It goes on behind a cut.
    is_rest: bool,
    /// Frames with a voice.
    voiced: u32,
    /// Frames since the last one.
    silent: u32,
}

/// What somebody said, borrowed from the cutter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utterance<'a> {
    /// When it begins, in the time of the stream.
    pub start: Duration,
    /// 8 kHz, mono.
    pub samples: &'a [i16],
}

/// Frames of voice in a row that are a beginning; a click is one.
const BEGINNING: u32 = 2;
/// Frames of silence kept behind the last voice, for sounds that fade: 200 ms.
const TAIL: u32 = 10;
/// What goes on behind a cut may be the end of a word, and is kept with so little voice: 60 ms.
const REST: u32 = 3;
/// The longest sound kept from before a voice.
const MAX_PRE_ROLL: Duration = Duration::from_secs(1);
/// The longest utterance: one megabyte.
const MAX_LENGTH: Duration = Duration::from_secs(60);

impl UtteranceCutter {
    /// Begins to listen; the stream is at zero.
    #[must_use]
    pub fn new(limits: &UtteranceLimits) -> Self {
        let longest = samples_of(limits.longest.min(MAX_LENGTH)).max(2 * FRAME_SAMPLES);
        let pre_roll = samples_of(limits.pre_roll.min(MAX_PRE_ROLL));
        Self {
            pre_roll: pre_roll.min(longest / 2),
            end_of_silence: frames_of(limits.end_of_silence).max(1),
            longest,
            shortest_voice: frames_of(limits.shortest_voice).max(1),
            voice: VoiceDetector::new(),
            sound: Vec::with_capacity(longest),
            now: 0,
            state: State::Quiet { row: 0 },
        }
    }

    /// Takes the next 20 ms, and gives the utterance that ended with them.
    pub fn push(&mut self, frame: &Frame) -> Option<Utterance<'_>> {
        let is_voice = self.voice.push(frame);
        match self.state {
            State::Quiet { .. } => self.keep_last(self.pre_roll),
            State::Speaking(_) => {}
            State::Cut => self.keep_last(0),
        }
        self.sound.extend_from_slice(&frame.0);
        self.now += 1;
        self.state = match self.state {
            State::Quiet { row } if !is_voice || row + 1 < BEGINNING => State::Quiet {
                row: if is_voice { row + 1 } else { 0 },
            },
            State::Quiet { row } => {
                let before = (self.sound.len() / FRAME_SAMPLES) as u64;
                State::Speaking(Speaking {
                    start: self.now - before.min(self.now),
                    is_rest: false,
                    voiced: row + 1,
                    silent: 0,
                })
            }
            State::Speaking(speaking) => State::Speaking(speaking.after(is_voice)),
            State::Cut => {
                let rest = Speaking {
                    start: self.now - 1,
                    is_rest: true,
                    voiced: 0,
                    silent: 0,
                };
                State::Speaking(rest.after(is_voice))
            }
        };
        let State::Speaking(speaking) = self.state else {
            return None;
        };
        if speaking.silent >= self.end_of_silence {
            return self.end(speaking, State::Quiet { row: 0 });
        }
        if self.sound.len() + FRAME_SAMPLES > self.longest {
            return self.end(speaking, State::Cut);
        }
        None
    }

    /// Gives what is being said though it is not over: nobody listens on.
    pub fn finish(&mut self) -> Option<Utterance<'_>> {
        match self.state {
            State::Speaking(speaking) => self.end(speaking, State::Quiet { row: 0 }),
            State::Quiet { .. } | State::Cut => None,
        }
    }

    /// Time passes of which there is no sound.
    pub const fn skip(&mut self, frames: u64) {
        self.now += frames;
    }

    /// Hands over what was said, if it was enough. The buffer keeps it until the next frame.
    fn end(&mut self, speaking: Speaking, next: State) -> Option<Utterance<'_>> {
        self.state = next;
        let shortest = if speaking.is_rest {
            REST.min(self.shortest_voice)
        } else {
            self.shortest_voice
        };
        let faded = speaking.silent.saturating_sub(TAIL) as usize * FRAME_SAMPLES;
        let end = self.sound.len().saturating_sub(faded);
        (speaking.voiced >= shortest).then(|| Utterance {
            start: FRAME_DURATION * u32::try_from(speaking.start).unwrap_or(u32::MAX),
            samples: &self.sound[..end],
        })
    }

    fn keep_last(&mut self, samples: usize) {
        let gone = self.sound.len().saturating_sub(samples);
        self.sound.drain(..gone);
    }
}

impl Speaking {
    const fn after(self, is_voice: bool) -> Self {
        if is_voice {
            Self {
                voiced: self.voiced + 1,
                silent: 0,
                ..self
            }
        } else {
            Self {
                silent: self.silent + 1,
                ..self
            }
        }
    }
}

fn frames_of(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / FRAME_DURATION.as_millis()).unwrap_or(u32::MAX)
}

fn samples_of(duration: Duration) -> usize {
    frames_of(duration) as usize * FRAME_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::ToneGenerator;

    /// What was said: start and length in milliseconds.
    fn cut(limits: &UtteranceLimits, script: &[(bool, u64)]) -> Vec<(u128, usize)> {
        let mut cutter = UtteranceCutter::new(limits);
        let capacity = cutter.sound.capacity();
        let mut voice = ToneGenerator::single(300.0, -12.0);
        let mut told = Vec::new();
        let said =
            |utterance: Utterance<'_>| (utterance.start.as_millis(), utterance.samples.len() / 8);
        for (is_voice, ms) in script {
            for _ in 0..ms / 20 {
                let mut frame = Frame::SILENCE;
                if *is_voice {
                    voice.fill(&mut frame.0);
                }
                told.extend(cutter.push(&frame).map(said));
            }
        }
        told.extend(cutter.finish().map(said));
        assert_eq!(cutter.finish(), None);
        assert_eq!(cutter.sound.capacity(), capacity, "the buffer grew");
        told
    }

    #[test]
    fn an_utterance_has_its_pre_roll_and_a_tail_of_200_ms() {
        let limits = UtteranceLimits::default();
        let script = [
            (false, 2_000),
            (true, 1_000),
            (false, 600),
            (true, 400),
            (false, 2_000),
        ];
        // Noticed with its second frame, when 300 ms lie before that.
        assert_eq!(
            cut(&limits, &script),
            [(1_720, 280 + 1_000 + 600 + 400 + 200)]
        );
    }

    #[test]
    fn pauses_of_700_ms_part_utterances_and_the_last_is_given_at_the_end() {
        let limits = UtteranceLimits::default();
        let script = [(true, 500), (false, 700), (true, 500), (false, 100)];
        assert_eq!(cut(&limits, &script), [(0, 700), (920, 280 + 600)]);
    }

    #[test]
    fn a_cough_is_no_utterance() {
        let limits = UtteranceLimits::default();
        assert_eq!(
            cut(&limits, &[(false, 500), (true, 180), (false, 2_000)]),
            []
        );
        assert_eq!(
            cut(&limits, &[(false, 500), (true, 20), (false, 2_000)]),
            []
        );
    }

    #[test]
    fn a_long_speech_is_cut_without_a_hole_and_its_last_syllable_is_kept() {
        let limits = UtteranceLimits {
            longest: Duration::from_secs(2),
            ..UtteranceLimits::default()
        };
        let said = cut(&limits, &[(true, 4_100), (false, 2_000)]);
        assert_eq!(said, [(0, 2_000), (2_000, 2_000), (4_000, 300)]);
    }

    #[test]
    fn limits_of_any_size_are_brought_to_sane_ones() {
        for duration in [Duration::ZERO, Duration::MAX] {
            let limits = UtteranceLimits {
                pre_roll: duration,
                end_of_silence: duration,
                longest: duration,
                shortest_voice: duration,
            };
            cut(&limits, &[(false, 200), (true, 500), (false, 1_000)]);
        }
    }
}
