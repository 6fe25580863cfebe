//! One key, one digit: a phone may send the same key as a telephone-event, as a tone and by INFO.

use std::time::{Duration, Instant};

use flowswitch_media::command::DigitSource;
use flowswitch_media::dtmf::Digit;

/// How a digit reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitPath {
    /// As a telephone-event (RFC 4733).
    Event,
    /// As a tone in the audio.
    Tone,
    /// In an INFO request.
    Info,
}

impl From<DigitSource> for DigitPath {
    fn from(source: DigitSource) -> Self {
        match source {
            DigitSource::Event => Self::Event,
            DigitSource::Tone => Self::Tone,
        }
    }
}

/// Passes each key once.
#[derive(Clone, Debug, Default)]
pub struct DigitFilter {
    last: Option<(Instant, Digit, DigitPath)>,
}

/// How far the two reports of one key lie apart at most: an INFO may follow the release of a key held
/// long, and be resent twice. A phone that reports each key on both paths loses none by it, because the
/// next key comes on the first path again.
const SAME_KEY: Duration = Duration::from_secs(2);

impl DigitFilter {
    /// Whether this is a key of its own, and not another report of the one before.
    pub fn is_new(&mut self, now: Instant, digit: Digit, path: DigitPath) -> bool {
        let is_repeat = self.last.is_some_and(|(at, last, other)| {
            last == digit && other != path && now.saturating_duration_since(at) < SAME_KEY
        });
        if !is_repeat {
            self.last = Some((now, digit, path));
        }
        !is_repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(c: char) -> Digit {
        Digit::from_char(c).unwrap()
    }

    #[test]
    fn a_key_sent_as_event_and_by_info_counts_once() {
        let start = crate::sim::start();
        let mut filter = DigitFilter::default();
        assert!(filter.is_new(start, digit('1'), DigitPath::Event));
        assert!(!filter.is_new(
            start + Duration::from_millis(120),
            digit('1'),
            DigitPath::Info
        ));
        assert!(!filter.is_new(
            start + Duration::from_millis(130),
            digit('1'),
            DigitPath::Tone
        ));
    }

    #[test]
    fn the_same_key_twice_on_one_path_counts_twice() {
        let start = crate::sim::start();
        let mut filter = DigitFilter::default();
        assert!(filter.is_new(start, digit('1'), DigitPath::Info));
        assert!(filter.is_new(
            start + Duration::from_millis(150),
            digit('1'),
            DigitPath::Info
        ));
    }

    #[test]
    fn another_key_or_a_later_one_on_another_path_counts() {
        let start = crate::sim::start();
        let mut filter = DigitFilter::default();
        assert!(filter.is_new(start, digit('1'), DigitPath::Event));
        assert!(filter.is_new(start, digit('2'), DigitPath::Info));
        assert!(filter.is_new(start + SAME_KEY, digit('2'), DigitPath::Event));
    }
}
