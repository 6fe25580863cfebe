//! What both forms of eSpeak NG, the embedded and the program, are told.

use super::script::{Pitch, Rate};
use crate::flow::Gender;

/// The timbre, which eSpeak calls a variant and which follows the language in a voice's name.
pub(super) fn variant(gender: Gender) -> &'static str {
    match gender {
        Gender::Male => "+m3",
        Gender::Female => "+f3",
        Gender::Neutral => "",
    }
}

/// Words a minute; 175 is eSpeak's own pace, 80 and 450 are its bounds.
pub(super) fn words_per_minute(rate: Rate) -> i32 {
    let words = 175.0 * rate.factor();
    words.round().clamp(80.0, 450.0) as i32
}

/// Pitch on eSpeak's scale of 0 to 99, where 50 is the voice's own.
///
/// The scale moves the foot of the melody and not its height: six steps are what raises the whole by
/// about a semitone.
pub(super) fn pitch(pitch: Pitch) -> i32 {
    let place = 50.0 + 6.0 * pitch.semitones();
    place.round().clamp(0.0, 99.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_pitch_are_mapped_within_the_bounds() {
        assert_eq!(words_per_minute(Rate::default()), 175);
        assert_eq!(words_per_minute(Rate::from_factor(0.2)), 80);
        assert_eq!(words_per_minute(Rate::from_factor(4.0)), 450);
        assert_eq!(pitch(Pitch::default()), 50);
        assert_eq!(pitch(Pitch::from_semitones(-12.0)), 0);
        assert_eq!(pitch(Pitch::from_semitones(24.0)), 99);
    }
}
