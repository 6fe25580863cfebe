//! Answering-machine detection: whether a person or a machine has answered, from what is heard first.
//!
//! ```text
//!   person    ......#####..............|          a word or some, then waiting for an answer
//!   machine   ....#####..######.#####.##|         talks on
//!   machine   ....#####..####...~~~~~~~~|         a beep
//!              |    |   |    '- pauses within the greeting
//!   initial silence '---'- words
//! ```

mod beep;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::beep::{Tone, ToneFinder};
use crate::dsp::vad::VoiceDetector;
use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame};

/// What tells a person from a machine. All times are rounded down to frames of 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdConfig {
    /// A person says something within this time.
    pub initial_silence: Duration,
    /// A person has said it within this time, pauses counted.
    pub greeting: Duration,
    /// So long a pause after the greeting is a person who waits for an answer.
    pub after_greeting_silence: Duration,
    /// What is not decided by then stays so.
    pub total: Duration,
    /// A shorter sound is not a word.
    pub min_word: Duration,
    /// A shorter pause does not part words.
    pub between_words: Duration,
    /// More words are a machine.
    pub max_words: u32,
    /// A shorter tone is not a beep.
    pub min_beep: Duration,
    /// How long to wait for the beep of a machine found otherwise, so that a message can be left behind
    /// it; zero to decide at once.
    pub wait_for_beep: Duration,
}

impl Default for AmdConfig {
    fn default() -> Self {
        Self {
            initial_silence: Duration::from_millis(2_500),
            greeting: Duration::from_millis(2_200),
            after_greeting_silence: Duration::from_millis(800),
            total: Duration::from_millis(6_000),
            min_word: Duration::from_millis(100),
            between_words: Duration::from_millis(60),
            max_words: 8,
            min_beep: Duration::from_millis(150),
            wait_for_beep: Duration::ZERO,
        }
    }
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answerer {
    /// Somebody who waits for us to speak.
    Person,
    /// A machine that talks, or takes messages.
    Machine,
    /// Not known.
    Unsure,
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AmdCause {
    /// A short greeting, then a pause: a person.
    ShortGreeting,
    /// Nothing was said for long: a machine.
    InitialSilence,
    /// A long greeting: a machine.
    LongGreeting,
    /// Many words: a machine.
    TooManyWords,
    /// A beep: a machine. The verdict comes when it is over.
    Beep {
        /// When it began, counted from the start of the detection.
        at: Duration,
    },
    /// Time was up: unsure.
    Timeout,
}

/// Who answered, and why that is thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Who.
    pub result: Answerer,
    /// Why.
    pub cause: AmdCause,
}

impl From<AmdCause> for Verdict {
    fn from(cause: AmdCause) -> Self {
        let result = match cause {
            AmdCause::ShortGreeting => Answerer::Person,
            AmdCause::Timeout => Answerer::Unsure,
            AmdCause::InitialSilence
            | AmdCause::LongGreeting
            | AmdCause::TooManyWords
            | AmdCause::Beep { .. } => Answerer::Machine,
        };
        Self { result, cause }
    }
}

/// Listens to one who has just answered, and decides once.
///
/// Allocates nothing. What it costs is one pass over each frame, and a few more over loud ones.
#[derive(Clone, Debug)]
pub struct Detector {
    limits: Limits,
    voice: VoiceDetector,
    tones: ToneFinder,
    partial: Frame,
    filled: usize,
    /// Frames heard.
    now: u32,
    greeting: Greeting,
    /// The beep that sounds now.
    beep: Option<Beep>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Listening,
    /// Decided, but for the beep until this frame.
    AwaitingBeep {
        found: AmdCause,
        until: u32,
    },
    Decided,
}

#[derive(Clone, Copy, Debug)]
struct Beep {
    began: u32,
}

/// The configuration in frames.
#[derive(Clone, Copy, Debug)]
struct Limits {
    initial_silence: u32,
    greeting: u32,
    after_greeting_silence: u32,
    total: u32,
    min_word: u32,
    between_words: u32,
    max_words: u32,
    min_beep: u32,
    wait_for_beep: u32,
}

/// What has been said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Greeting {
    words: u32,
    /// Frame in which the first word began.
    began: u32,
    /// Frame after the last sound of a word, or of a tone before the first.
    quiet_since: u32,
    /// Frames of voice in a row.
    run: u32,
}

/// A tone before the first word is a beep from here on; below it is somebody's telephone ringing.
const LOWEST_LONE_BEEP: f32 = 600.0;
/// No vowel keeps its pitch as long as a tone of 300 ms.
const LONGER_THAN_VOWELS: u32 = 15;
/// No beep lasts longer: 3 s, as long as the answer of a fax machine.
const LONGEST_BEEP: u32 = 150;

impl Detector {
    /// Begins to listen.
    #[must_use]
    pub fn new(config: &AmdConfig) -> Self {
        Self {
            limits: Limits::from(config),
            voice: VoiceDetector::new(),
            tones: ToneFinder::new(),
            partial: Frame::SILENCE,
            filled: 0,
            now: 0,
            greeting: Greeting::default(),
            beep: None,
            state: State::Listening,
        }
    }

    /// Takes sound of any length; gives the verdict once, with the 20 ms that decide it.
    pub fn push(&mut self, samples: &[i16]) -> Option<Verdict> {
        let mut rest = samples;
        let mut verdict = None;
        while !rest.is_empty() {
            let (taken, later) = rest.split_at(rest.len().min(FRAME_SAMPLES - self.filled));
            self.partial.0[self.filled..self.filled + taken.len()].copy_from_slice(taken);
            self.filled += taken.len();
            rest = later;
            if self.filled == FRAME_SAMPLES {
                self.filled = 0;
                verdict = verdict.or(self.take_frame());
            }
        }
        verdict
    }

    fn take_frame(&mut self) -> Option<Verdict> {
        if matches!(self.state, State::Decided) {
            return None;
        }
        self.now += 1;
        let is_voice = self.voice.push(&self.partial);
        let tone = self.tones.push(&self.partial);
        let cause = self.hear_tone(tone).or_else(|| {
            self.greeting
                .hear(is_voice && self.beep.is_none(), self.now, &self.limits);
            self.judge()
        })?;
        self.state = State::Decided;
        Some(Verdict::from(cause))
    }

    /// Follows a tone; a beep decides when it is over.
    fn hear_tone(&mut self, tone: Option<Tone>) -> Option<AmdCause> {
        let Some(tone) = tone.filter(|tone| tone.frames >= self.limits.min_beep) else {
            let beep = self.beep.take()?;
            return Some(beep.cause());
        };
        let began = self.now - tone.frames;
        if tone.hertz < LOWEST_LONE_BEEP && !self.greeting.has_words_before(began) {
            self.greeting = Greeting {
                quiet_since: self.now,
                ..Greeting::default()
            };
            return None;
        }
        // Out of the middle of a word it is a vowel, if it does not last.
        if self.beep.is_none()
            && self.greeting.run > tone.frames
            && tone.frames < LONGER_THAN_VOWELS
        {
            return None;
        }
        let beep = *self.beep.get_or_insert(Beep { began });
        (tone.frames >= LONGEST_BEEP).then(|| beep.cause())
    }

    fn judge(&mut self) -> Option<AmdCause> {
        // A tone that may become a beep is let out first.
        if self.beep.is_some() {
            return None;
        }
        if let State::AwaitingBeep { found, until } = self.state {
            return (self.now >= until).then_some(found);
        }
        let cause = self.greeting.judge(self.now, &self.limits)?;
        let wait = self.limits.wait_for_beep;
        if Verdict::from(cause).result == Answerer::Machine && wait > 0 {
            self.state = State::AwaitingBeep {
                found: cause,
                until: self.now.saturating_add(wait),
            };
            return None;
        }
        Some(cause)
    }
}

impl Greeting {
    fn hear(&mut self, is_voice: bool, now: u32, limits: &Limits) {
        if !is_voice {
            self.run = 0;
            return;
        }
        self.run += 1;
        if self.run < limits.min_word {
            return;
        }
        let began = now - self.run;
        if self.run == limits.min_word {
            if self.words == 0 {
                self.began = began;
            }
            if self.words == 0 || began - self.quiet_since.min(began) >= limits.between_words {
                self.words += 1;
            }
        }
        self.quiet_since = now;
    }

    /// Whether there were words before this frame. The first of a tone seem to be one.
    const fn has_words_before(&self, frame: u32) -> bool {
        self.words > 0 && self.began + 1 < frame
    }

    fn judge(&self, now: u32, limits: &Limits) -> Option<AmdCause> {
        let silence = now - self.quiet_since;
        // What has begun may become a word, and ends no silence until then.
        let is_over = |limit: u32| self.run == 0 && silence >= limit;
        if self.words == 0 {
            if is_over(limits.initial_silence) {
                return Some(AmdCause::InitialSilence);
            }
        } else if self.words > limits.max_words {
            return Some(AmdCause::TooManyWords);
        } else if self.quiet_since - self.began >= limits.greeting {
            return Some(AmdCause::LongGreeting);
        } else if is_over(limits.after_greeting_silence) {
            return Some(AmdCause::ShortGreeting);
        }
        (now >= limits.total).then_some(AmdCause::Timeout)
    }
}

impl Beep {
    fn cause(self) -> AmdCause {
        AmdCause::Beep {
            at: FRAME_DURATION * self.began,
        }
    }
}

impl From<&AmdConfig> for Limits {
    fn from(config: &AmdConfig) -> Self {
        Self {
            initial_silence: frames_of(config.initial_silence),
            greeting: frames_of(config.greeting),
            after_greeting_silence: frames_of(config.after_greeting_silence).max(1),
            total: frames_of(config.total),
            min_word: frames_of(config.min_word).max(1),
            between_words: frames_of(config.between_words),
            max_words: config.max_words,
            // A tone fills neither its first nor its last frame.
            min_beep: frames_of(config.min_beep).saturating_sub(1).max(1),
            wait_for_beep: frames_of(config.wait_for_beep),
        }
    }
}

/// Whole frames; an hour at most, so that sums of them cannot overflow.
fn frames_of(duration: Duration) -> u32 {
    let frames = duration.min(Duration::from_secs(3_600)).as_millis() / FRAME_DURATION.as_millis();
    frames as u32
}
