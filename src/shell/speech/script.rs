//! What is to be said: stretches of speech in one voice each, with silences and sounds between.

use std::time::Duration;

use crate::flow::Gender;

/// One stretch of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Words.
    Speech(Utterance),
    /// Nothing.
    Silence(Duration),
    /// A tone over a word that is not to be heard.
    Bleep(Duration),
    /// A sound file, or what to say when it cannot be had.
    Audio {
        /// As written: a file of the flows directory or a URL.
        url: String,
        /// Said instead.
        fallback: Vec<Segment>,
    },
}

/// Words in one voice, of one pace, pitch and loudness.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Utterance {
    /// Plain words: no markup, no control characters, single spaces.
    pub text: String,
    /// Who speaks.
    pub voice: Voice,
    /// How.
    pub prosody: Prosody,
}

/// Who speaks, in which language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Voice {
    /// BCP 47 tag as the flow wrote it.
    pub language: String,
    /// A woman's voice, a man's, or either.
    pub gender: Gender,
}

impl Voice {
    /// The language as an engine may be given it: lower case, hyphens, nothing but letters and digits
    /// between them; `en-us` when the flow wrote no such tag.
    #[must_use]
    pub fn tag(&self) -> String {
        let tag = self.language.trim().replace('_', "-").to_ascii_lowercase();
        let is_tag = tag.len() <= 35 // RFC 5646 §4.4.1
            && tag.split('-').all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if is_tag { tag } else { "en-us".to_owned() }
    }

    /// The language without script and region: `en` of `en-US`.
    #[must_use]
    pub fn primary_language(&self) -> String {
        let mut tag = self.tag();
        tag.truncate(tag.find('-').unwrap_or(tag.len()));
        tag
    }
}

/// How an utterance differs from the voice's own way of speaking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prosody {
    /// Pace.
    pub rate: Rate,
    /// Height.
    pub pitch: Pitch,
    /// Loudness.
    pub volume: Volume,
}

/// Pace in percent of the voice's own, within 20 to 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate(u16);

impl Rate {
    /// The pace `factor` times the voice's own.
    #[must_use]
    pub fn from_factor(factor: f32) -> Self {
        Self((factor * 100.0).clamp(20.0, 400.0).round() as u16)
    }

    /// How many times the voice's own pace this is.
    #[must_use]
    pub fn factor(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self(100)
    }
}

/// Height in cents (hundredths of a semitone) above the voice's own, within two octaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pitch(i16);

impl Pitch {
    /// So many semitones above the voice's own pitch.
    #[must_use]
    pub fn from_semitones(semitones: f32) -> Self {
        Self((semitones * 100.0).clamp(-2400.0, 2400.0).round() as i16)
    }

    /// Semitones above the voice's own pitch.
    #[must_use]
    pub fn semitones(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

/// Loudness in tenths of a decibel over the telephone level, up to 12 dB; or nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Volume {
    /// Not heard, but takes its time.
    Silent,
    /// So many tenths of a decibel over the usual level.
    Gain(i16),
}

impl Volume {
    /// So many decibels over the usual level.
    #[must_use]
    pub fn from_decibels(decibels: f32) -> Self {
        Self::Gain((decibels * 10.0).clamp(-600.0, 120.0).round() as i16)
    }

    /// Decibels over the usual level; `None` for silence.
    #[must_use]
    pub fn decibels(self) -> Option<f32> {
        match self {
            Self::Silent => None,
            Self::Gain(tenths) => Some(f32::from(tenths) / 10.0),
        }
    }
}

impl Default for Volume {
    fn default() -> Self {
        Self::Gain(0)
    }
}

/// A text as an engine can take it: control characters are gone, white space is single, a run of
/// digits too long to be a number is read digit by digit, a word too long to be one is broken up, and so
/// is `[[`, by which some engines are handed raw phonemes.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let are_digits = longest_digit_run(word) >= TOO_LONG_A_NUMBER;
        for (at, character) in word.chars().enumerate() {
            let is_first = at % LONGEST_WORD == 0;
            let is_apart = are_digits && character.is_ascii_digit();
            let doubles = character == '[' && clean.ends_with('[');
            if (is_first || is_apart || doubles) && !clean.is_empty() && !clean.ends_with(' ') {
                clean.push(' ');
            }
            clean.push(character);
        }
    }
    clean
}

/// Whether there is anything to say: punctuation alone is not spoken.
#[must_use]
pub fn is_speakable(text: &str) -> bool {
    text.chars().any(|character| {
        character.is_alphanumeric()
            || !(character.is_whitespace() || PUNCTUATION.contains(character))
    })
}

fn longest_digit_run(word: &str) -> usize {
    word.split(|character: char| !character.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// A number of this many digits is an account or a card, not an amount.
const TOO_LONG_A_NUMBER: usize = 13;

/// Characters of a word: longer ones are no words, and engines stumble over them.
const LONGEST_WORD: usize = 60;

const PUNCTUATION: &str = ".,;:!?…'\"()[]{}-–—«»„“”‘’¡¿。、，！？";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_leaves_words_with_single_spaces() {
        assert_eq!(clean("  one\r\n\ttwo\0three \u{7f}"), "one two three");
        assert_eq!(clean("say [[h@l'oU]]"), "say [ [h@l'oU]]");
        assert_eq!(
            clean(&"a".repeat(130)).split(' ').map(str::len).max(),
            Some(60)
        );
        assert_eq!(clean(""), "");
    }

    #[test]
    fn a_run_of_digits_too_long_to_be_a_number_is_read_digit_by_digit() {
        assert_eq!(
            clean("card 4111111111111, ok"),
            "card 4 1 1 1 1 1 1 1 1 1 1 1 1, ok"
        );
        assert_eq!(clean("call 15551112222"), "call 15551112222");
    }

    #[test]
    fn punctuation_alone_says_nothing() {
        assert!(!is_speakable(" . … \"!\" "));
        assert!(is_speakable("%"));
        assert!(is_speakable("안녕"));
    }

    #[test]
    fn a_language_that_is_no_tag_reaches_no_engine() {
        let tag = |language: &str| {
            Voice {
                language: language.into(),
                gender: Gender::Neutral,
            }
            .tag()
        };
        assert_eq!(tag("en_GB"), "en-gb");
        assert_eq!(tag(" pt-BR "), "pt-br");
        for language in ["", "../../etc", "-v", "en+f3", "en us", "a-", "é"] {
            assert_eq!(tag(language), "en-us", "{language:?}");
        }
    }

    #[test]
    fn prosody_stays_within_its_bounds() {
        assert_eq!(Rate::from_factor(1000.0), Rate(400));
        assert_eq!(Pitch::from_semitones(-90.0), Pitch(-2400));
        assert_eq!(Volume::from_decibels(90.0), Volume::Gain(120));
    }
}
