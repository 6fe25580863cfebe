//! Options of the actions that a call carries out, and of `branch`.

use std::collections::BTreeMap;

use super::Target;
use crate::flow::command::{EndOfKey, Gender, RecordingFormat, RecordingLayout};
use crate::flow::outward::Direction;
use crate::flow::template::{Late, Milliseconds, Scalar, Seconds, Template};
use crate::status::HangupReason;

/// Options of `talk`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Talk {
    /// Plain text or SSML.
    pub text: Template,
    /// Language tag (BCP 47).
    pub language: Template,
    /// Voice wished for.
    pub gender: Late<Gender>,
    /// What a digit does.
    pub digits_handle: Late<DigitsHandle>,
    /// Goes on while it speaks.
    pub is_async: Late<bool>,
}

/// What a digit does to a `talk`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitsHandle {
    /// Nothing; it is kept.
    #[default]
    Keep,
    /// Stops it and goes on.
    Next,
}

/// Options of `digits_receive`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DigitsReceive {
    /// Longest wait for the first digit and between two; [`DigitsReceive::DEFAULT_WAIT`] when missing,
    /// no wait at all when zero or less.
    pub duration: Option<Late<Milliseconds>>,
    /// Digits wanted; zero for no limit, or for one when `key` is empty too.
    pub length: Late<i64>,
    /// Digits that end it.
    pub key: Template,
}

impl DigitsReceive {
    /// The wait of an action that states none.
    pub const DEFAULT_WAIT: Milliseconds = Milliseconds(5_000);
}

/// Options of `digits_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DigitsSend {
    /// Which.
    pub digits: Late<DigitString>,
    /// Length of each, taken into 100 ms to 1 s.
    pub duration: Option<Late<Milliseconds>>,
    /// Silence between two, taken into 0 to 5 s; 100 ms when missing.
    pub interval: Option<Late<Milliseconds>>,
}

/// Up to 100 of `0-9 A-D * #`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigitString(pub String);

impl Scalar for DigitString {
    const EXPECTED: &'static str = "at most 100 digits of 0-9, A-D, * and #";

    fn from_text(text: &str) -> Option<Self> {
        const MAX_DIGITS: usize = 100;
        let digits = text.to_ascii_uppercase();
        (digits.len() <= MAX_DIGITS && digits.chars().all(is_digit)).then_some(Self(digits))
    }
}

/// Whether a telephone has such a key.
pub(in crate::flow) const fn is_digit(digit: char) -> bool {
    matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#')
}

/// Options of `branch`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// Name of the variable; the digits when empty. It is emptied when read.
    pub variable: Template,
    /// Where to go when no key is its value.
    pub default_target: Target,
    /// Where to go for each value.
    pub targets: BTreeMap<String, Target>,
}

/// Options of `recording_start`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordingStart {
    /// Format of the files.
    pub format: Late<RecordingFormat>,
    /// Which side lies in which file.
    pub layout: Late<RecordingLayout>,
    /// Ends after this much silence; zero for never.
    pub end_of_silence: Late<Seconds>,
    /// Ends on a digit.
    pub end_of_key: Late<EndOfKey>,
    /// Ends after this long; zero for never.
    pub duration: Late<Seconds>,
    /// Beeps first.
    pub beep_start: Late<bool>,
    /// Flow to run when it is over.
    pub on_end_flow_id: Template,
}

/// Options of `amd`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amd {
    /// What to do about a machine.
    pub machine_handle: Late<MachineHandle>,
    /// Goes on while it listens.
    pub is_async: Late<bool>,
    /// The contrary, as VoIPBIN's example writes it; counts when `async` is not written.
    pub is_sync: Option<Late<bool>>,
}

/// What is done when a machine has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineHandle {
    /// The flow goes on.
    #[default]
    Continue,
    /// The call is hung up, reason `amd`.
    Hangup,
}

/// Reads words that VoIPBIN spells in lower case; any other word is `$other`.
macro_rules! scalar_of_words {
    ($name:ident, $expected:literal, { $($word:literal => $value:ident),+ $(,)? }, $other:expr) => {
        impl Scalar for $name {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$value),)+
                    _ => $other,
                }
            }
        }
    };
}

scalar_of_words!(Gender, "a gender", {
    "female" => Female, "male" => Male,
}, Some(Self::Neutral));

scalar_of_words!(DigitsHandle, "\"next\" or nothing", { "next" => Next }, Some(Self::Keep));

scalar_of_words!(RecordingFormat, "one of wav, mp3 and ogg", {
    "" => Wav, "wav" => Wav, "mp3" => Mp3, "ogg" => Ogg,
}, None);

scalar_of_words!(RecordingLayout, "one of split, mono and stereo", {
    "" => Split, "split" => Split, "mono" => Mono, "stereo" => Stereo,
}, None);

scalar_of_words!(EndOfKey, "one of none, any, * and #", {
    "" => None, "none" => None, "any" => Any, "*" => Star, "#" => Hash,
}, Option::None);

scalar_of_words!(HangupReason, "a reason", {
    "cancel" => Cancel, "timeout" => Timeout, "failed" => Failed, "busy" => Busy,
    "noanswer" => NoAnswer, "dialout" => Dialout, "amd" => Amd,
}, Some(Self::Normal));

scalar_of_words!(MachineHandle, "\"hangup\" or \"continue\"", {
    "hangup" => Hangup,
}, Some(Self::Continue));

scalar_of_words!(Direction, "one of in, out and both", {
    "" => Both, "both" => Both, "in" => In, "out" => Out,
}, None);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digit_strings_hold_at_most_100_keys_of_a_telephone() {
        assert_eq!(
            DigitString::from_text("1a#*"),
            Some(DigitString("1A#*".to_owned()))
        );
        assert_eq!(DigitString::from_text("1,2"), None);
        assert!(DigitString::from_text(&"1".repeat(100)).is_some());
        assert!(DigitString::from_text(&"1".repeat(101)).is_none());
    }
}
