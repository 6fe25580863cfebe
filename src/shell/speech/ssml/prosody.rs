//! Values of SSML attributes: times, rates, pitches, volumes (SSML 1.1 §3.2.3 to §3.2.4).

use std::time::Duration;

use crate::flow::Gender;
use crate::shell::speech::script::{Pitch, Prosody, Rate, Voice, Volume};

/// A `time` such as `500ms`, `2s` or `+1.5s`; at most [`LONGEST_BREAK`].
pub(super) fn time(value: &str) -> Option<Duration> {
    let value = value.trim().trim_start_matches('+');
    let (number, unit) = match value.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (value.strip_suffix('s')?, 1.0),
    };
    let seconds = number_of(number)? * unit;
    (seconds >= 0.0).then(|| Duration::from_secs_f32(seconds.min(LONGEST_BREAK.as_secs_f32())))
}

/// The pause of a `break` by its `strength`; `medium` for what is unknown.
pub(super) fn strength(value: &str) -> Duration {
    Duration::from_millis(match value {
        "none" => 0,
        "x-weak" => 100,
        "weak" => 200,
        "strong" => 700,
        "x-strong" => 1000,
        _ => 400,
    })
}

/// The pace of a `rate`: a keyword, a share of the voice's own pace (`80%`, `1.2`), a change of the
/// pace around it (`+10%`), or words a minute (`120`). What cannot be read changes nothing.
pub(super) fn rate(value: &str, around: Rate) -> Rate {
    let value = value.trim();
    let factor = match value {
        "x-slow" => Some(0.5),
        "slow" => Some(0.75),
        "medium" | "default" => Some(1.0),
        "fast" => Some(1.3),
        "x-fast" => Some(1.7),
        _ => match value.strip_suffix('%') {
            Some(percent) => number_of(percent).map(|number| {
                if is_signed(percent) {
                    around.factor() * (1.0 + number / 100.0)
                } else {
                    number / 100.0
                }
            }),
            None => number_of(value).map(|number| {
                if number <= 10.0 {
                    number
                } else {
                    number / WORDS_PER_MINUTE
                }
            }),
        },
    };
    factor
        .filter(|factor| *factor > 0.0)
        .map_or(around, Rate::from_factor)
}

/// The height of a `pitch`: a keyword, a change (`+2st`, `-10%`, `+20Hz`) or a frequency (`180Hz`).
pub(super) fn pitch(value: &str, around: Pitch, gender: Gender) -> Pitch {
    let value = value.trim();
    let own = own_pitch(gender);
    let semitones = match value {
        "x-low" => Some(-6.0),
        "low" => Some(-3.0),
        "medium" | "default" => Some(0.0),
        "high" => Some(3.0),
        "x-high" => Some(6.0),
        _ => {
            if let Some(number) = value.strip_suffix("st") {
                number_of(number).map(|change| around.semitones() + change)
            } else if let Some(number) = value.strip_suffix('%') {
                number_of(number)
                    .and_then(|change| interval(1.0 + change / 100.0))
                    .map(|change| around.semitones() + change)
            } else if let Some(number) = value.strip_suffix("Hz") {
                number_of(number).and_then(|hertz| {
                    if is_signed(number) {
                        let current = own * (around.semitones() / 12.0).exp2();
                        interval((current + hertz) / own)
                    } else {
                        interval(hertz / own)
                    }
                })
            } else {
                None
            }
        }
    };
    semitones.map_or(around, Pitch::from_semitones)
}

/// The loudness of a `volume`: a keyword, decibels (`-6dB`), a change (`+10%`), or 0 to 100.
pub(super) fn volume(value: &str, around: Volume) -> Volume {
    let value = value.trim();
    let Some(current) = around.decibels() else {
        return around;
    };
    let decibels = match value {
        "silent" => return Volume::Silent,
        "x-soft" => Some(-12.0),
        "soft" => Some(-6.0),
        "medium" | "default" => Some(0.0),
        "loud" => Some(4.0),
        "x-loud" => Some(8.0),
        _ => {
            if let Some(number) = value.strip_suffix("dB") {
                number_of(number).map(|change| current + change)
            } else if let Some(number) = value.strip_suffix('%') {
                number_of(number).and_then(|percent| {
                    let change = if is_signed(number) {
                        1.0 + percent / 100.0
                    } else {
                        percent / 100.0
                    };
                    level(change).map(|change| current + change)
                })
            } else {
                match number_of(value) {
                    Some(0.0) => return Volume::Silent,
                    Some(number) if is_signed(value) => {
                        level(1.0 + number / 100.0).map(|change| current + change)
                    }
                    Some(number) => level(number / 100.0),
                    None => None,
                }
            }
        }
    };
    decibels.map_or(around, Volume::from_decibels)
}

/// What `emphasis` does to the prosody around it.
pub(super) fn emphasis(level: &str, around: Prosody) -> Prosody {
    let (pace, gain) = match level {
        "strong" => (0.85, 4.0),
        "none" => (1.0, 0.0),
        "reduced" => (1.1, -4.0),
        _ => (0.93, 2.0),
    };
    Prosody {
        rate: Rate::from_factor(around.rate.factor() * pace),
        pitch: around.pitch,
        volume: match around.volume.decibels() {
            Some(decibels) => Volume::from_decibels(decibels + gain),
            None => Volume::Silent,
        },
    }
}

/// The `gender` of a `voice`; `None` when it names none.
pub(super) fn gender(value: &str) -> Option<Gender> {
    match value.to_ascii_lowercase().as_str() {
        "male" => Some(Gender::Male),
        "female" => Some(Gender::Female),
        "neutral" => Some(Gender::Neutral),
        _ => None,
    }
}

/// `voice` in another language; an empty tag changes nothing.
pub(super) fn in_language(voice: &Voice, tag: &str) -> Voice {
    let language = if tag.trim().is_empty() {
        &voice.language
    } else {
        tag
    };
    Voice {
        language: language.to_owned(),
        gender: voice.gender,
    }
}

fn number_of(text: &str) -> Option<f32> {
    let number: f32 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

fn is_signed(text: &str) -> bool {
    text.trim_start().starts_with(['+', '-'])
}

/// Semitones of a ratio of frequencies.
fn interval(ratio: f32) -> Option<f32> {
    (ratio > 0.0).then(|| 12.0 * ratio.log2())
}

/// Decibels of a ratio of amplitudes.
fn level(ratio: f32) -> Option<f32> {
    (ratio > 0.0).then(|| 20.0 * ratio.log10())
}

/// About what the engines' voices speak at, in hertz.
fn own_pitch(gender: Gender) -> f32 {
    match gender {
        Gender::Male => 110.0,
        Gender::Female => 175.0,
        Gender::Neutral => 120.0,
    }
}

/// What a `break` may last: as long as the large providers let it.
pub(super) const LONGEST_BREAK: Duration = Duration::from_secs(10);

/// The usual pace of a voice.
const WORDS_PER_MINUTE: f32 = 175.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_bounded() {
        for (value, millis) in [
            ("500ms", Some(500)),
            ("2s", Some(2000)),
            ("1.5s", Some(1500)),
            ("+1s", Some(1000)),
            (" 250ms ", Some(250)),
            ("3600s", Some(10_000)),
            ("1e30s", Some(10_000)),
            ("-1s", None),
            ("NaNs", None),
            ("infs", None),
            ("5", None),
            ("", None),
            ("s", None),
        ] {
            assert_eq!(time(value), millis.map(Duration::from_millis), "{value:?}");
        }
    }

    #[test]
    fn rates_are_shares_changes_or_words_a_minute() {
        let around = Rate::from_factor(0.5);
        for (value, factor) in [
            ("x-slow", 0.5),
            ("fast", 1.3),
            ("80%", 0.8),
            ("+10%", 0.55),
            ("-20%", 0.4),
            ("1.5", 1.5),
            ("350", 2.0),
            ("0%", 0.5),
            ("-200%", 0.5),
            ("quick", 0.5),
        ] {
            assert_eq!(rate(value, around), Rate::from_factor(factor), "{value:?}");
        }
    }

    #[test]
    fn pitches_are_semitones_percent_or_hertz() {
        let around = Pitch::default();
        for (value, semitones) in [
            ("high", 3.0),
            ("+2st", 2.0),
            ("-1.5st", -1.5),
            ("+100%", 12.0),
            ("-50%", -12.0),
            ("220Hz", 12.0),
            ("+110Hz", 12.0),
            ("-110Hz", 0.0),
            ("tall", 0.0),
        ] {
            let read = pitch(value, around, Gender::Male);
            assert_eq!(read, Pitch::from_semitones(semitones), "{value:?}");
        }
    }

    #[test]
    fn volumes_are_decibels_percent_or_a_number_of_a_hundred() {
        let around = Volume::default();
        for (value, decibels) in [
            ("loud", 4.0),
            ("-6dB", -6.0),
            ("+6dB", 6.0),
            ("50", -6.0),
            ("100", 0.0),
            ("+100%", 6.0),
            ("noisy", 0.0),
        ] {
            assert_eq!(
                volume(value, around),
                Volume::from_decibels(decibels),
                "{value:?}"
            );
        }
        assert_eq!(volume("silent", around), Volume::Silent);
        assert_eq!(volume("0", around), Volume::Silent);
        assert_eq!(volume("+6dB", Volume::Silent), Volume::Silent);
    }
}
