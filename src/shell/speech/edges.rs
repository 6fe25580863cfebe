//! The silence an engine leaves before and after an utterance.

use std::time::Duration;

use super::samples_of;

/// Shortens the silence at both ends: hardly any where a sentence goes on in another voice or pace, a
/// breath after punctuation. Sound that is silent throughout is left as it is.
pub(super) fn trim(samples: &mut Vec<i16>, text: &str) {
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max();
    let quiet = peak.unwrap_or(0) / QUIET;
    let is_sound = |sample: &i16| sample.unsigned_abs() > quiet;
    let (Some(first), Some(last)) = (
        samples.iter().position(is_sound),
        samples.iter().rposition(is_sound),
    ) else {
        return;
    };
    let tail = if text.ends_with(['.', '!', '?', '…', ':', ';', ',', '。']) {
        BREATH
    } else {
        EDGE
    };
    samples.truncate(last + 1 + samples_of(tail));
    samples.drain(..first.saturating_sub(samples_of(EDGE)));
}

/// What is this many times quieter than the loudest moment (48 dB) is no speech.
const QUIET: u16 = 256;

/// Keeps the soft start and end of a word.
const EDGE: Duration = Duration::from_millis(25);

/// Between two sentences.
const BREATH: Duration = Duration::from_millis(150);

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(text: &str) -> Vec<i16> {
        let mut samples = vec![10i16; 4000];
        samples[1000..3000].fill(4000);
        trim(&mut samples, text);
        samples
    }

    #[test]
    fn silence_is_short_within_a_sentence_and_longer_after_it() {
        assert_eq!(trimmed("one").len(), 200 + 2000 + 200);
        assert_eq!(trimmed("one.").len(), 200 + 2000 + 1000);
    }

    #[test]
    fn silence_throughout_keeps_its_time() {
        let mut silence = vec![0i16; 500];
        trim(&mut silence, "one");
        assert_eq!(silence.len(), 500);
        trim(&mut Vec::new(), "");
    }
}
