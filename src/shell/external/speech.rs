//! What a host has said and the call has not heard yet, and the marks in it.
//!
//! ```text
//!   received -->  [ waiting, at most 30 s ]  --> [ engine: 60 ms ] --> heard or cleared
//!                        ^ mark: between two samples; played when all before it is heard
//! ```
//!
//! A host may speak faster than time goes. The engine is given a little at a time, so that what is taken back
//! falls silent at once.

use std::collections::VecDeque;

use flowswitch_media::frame::FRAME_SAMPLES;

/// What may wait: 30 s; of more the oldest is dropped.
const WAITING: usize = 30 * 8_000;

/// What the engine has at a time: 60 ms, for it begins with 40.
const AHEAD: u64 = 3 * FRAME_SAMPLES as u64;

/// Marks that may wait; of more the oldest are told as cleared.
const MARKS: usize = 256;

/// What became of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// All before it that was not dropped has been heard.
    Played(String),
    /// It was taken back, or too many wait.
    Cleared(String),
}

/// Sound and marks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Speech {
    waiting: VecDeque<i16>,
    /// Marks by the sample they stand behind.
    marks: VecDeque<(u64, String)>,
    told: VecDeque<Mark>,
    /// Samples given to the engine.
    passed: u64,
    /// Of these, samples that wait there no longer.
    gone: u64,
    dropped: u64,
}

impl Speech {
    /// The host says something.
    pub(super) fn push(&mut self, samples: &[i16]) {
        self.waiting.extend(samples);
        let excess = self.waiting.len().saturating_sub(WAITING);
        self.waiting.drain(..excess);
        self.lose(excess);
    }

    /// The host wants to know when it has been heard up to here.
    pub(super) fn mark(&mut self, name: String) {
        if self.marks.len() >= MARKS
            && let Some((_, oldest)) = self.marks.pop_front()
        {
            self.told.push_back(Mark::Cleared(oldest));
        }
        self.marks.push_back((self.end(), name));
        self.tell();
    }

    /// The host takes back what has not been heard; the engine has to be told to do so too.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        let cleared = self.marks.drain(..);
        self.told
            .extend(cleared.map(|(_, name)| Mark::Cleared(name)));
    }

    /// So many samples wait no longer in the engine.
    pub(super) fn handle_gone(&mut self, gone: u64) {
        self.gone = gone;
        self.tell();
    }

    /// Gives the engine what it can take; `say` returns how many samples found no room.
    pub(super) fn pass_on(&mut self, mut say: impl FnMut(&[i16]) -> usize) {
        while !self.waiting.is_empty() && self.passed < self.gone + AHEAD {
            let mut chunk = [0; FRAME_SAMPLES];
            let count = self.waiting.len().min(FRAME_SAMPLES);
            for (place, sample) in chunk.iter_mut().zip(self.waiting.drain(..count)) {
                *place = sample;
            }
            let lost = say(&chunk[..count]);
            self.passed += (count - lost) as u64;
            self.lose(lost);
            if lost > 0 {
                break;
            }
        }
    }

    /// What became of the next mark.
    #[must_use]
    pub(super) fn poll_mark(&mut self) -> Option<Mark> {
        self.told.pop_front()
    }

    /// Whether all of it has been heard.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.gone >= self.passed
    }

    /// Samples that were dropped.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The number of the sample behind the last one.
    fn end(&self) -> u64 {
        self.passed + self.waiting.len() as u64
    }

    /// Samples that nobody will hear are gone from before the marks.
    fn lose(&mut self, count: usize) {
        self.dropped += count as u64;
        for (place, _) in &mut self.marks {
            *place = place
                .saturating_sub(count as u64)
                .max(self.passed.min(*place));
        }
    }

    fn tell(&mut self) {
        while let Some((_, name)) = self.marks.pop_front_if(|(place, _)| *place <= self.gone) {
            self.told.push_back(Mark::Played(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the engine is given in one go.
    fn passed(speech: &mut Speech) -> usize {
        let mut count = 0;
        speech.pass_on(|samples| {
            count += samples.len();
            0
        });
        count
    }

    fn marks(speech: &mut Speech) -> Vec<Mark> {
        std::iter::from_fn(|| speech.poll_mark()).collect()
    }

    fn played(name: &str) -> Mark {
        Mark::Played(name.to_owned())
    }

    fn cleared(name: &str) -> Mark {
        Mark::Cleared(name.to_owned())
    }

    #[test]
    fn the_engine_has_60_ms_and_a_mark_is_played_when_all_before_it_is_gone() {
        let mut speech = Speech::default();
        speech.mark("at once".to_owned());
        assert_eq!(marks(&mut speech), [played("at once")]);
        speech.push(&[1; 1_000]);
        speech.mark("one".to_owned());
        speech.push(&[1; 200]);
        speech.mark("two".to_owned());
        assert_eq!(passed(&mut speech), 480);
        assert_eq!(passed(&mut speech), 0);
        let mut gone = 0;
        for expected in [160, 160, 160, 160, 80] {
            gone += 160;
            speech.handle_gone(gone);
            assert_eq!(passed(&mut speech), expected);
        }
        assert_eq!(marks(&mut speech), []);
        speech.handle_gone(999);
        assert_eq!(marks(&mut speech), []);
        speech.handle_gone(1_000);
        assert_eq!(marks(&mut speech), [played("one")]);
        assert!(!speech.is_over());
        speech.handle_gone(1_200);
        assert_eq!(marks(&mut speech), [played("two")]);
        assert!(speech.is_over());
    }

    #[test]
    fn what_is_cleared_is_not_given_and_its_marks_are_told_so() {
        let mut speech = Speech::default();
        speech.push(&[1; 5_000]);
        speech.mark("one".to_owned());
        assert_eq!(passed(&mut speech), 480);
        speech.clear();
        assert_eq!(marks(&mut speech), [cleared("one")]);
        speech.push(&[2; 160]);
        speech.mark("two".to_owned());
        // The engine forgets what it had.
        speech.handle_gone(480);
        assert_eq!(marks(&mut speech), []);
        assert_eq!(passed(&mut speech), 160);
        speech.handle_gone(640);
        assert_eq!(marks(&mut speech), [played("two")]);
    }

    #[test]
    fn of_more_than_30_s_and_256_marks_the_oldest_are_dropped() {
        let mut speech = Speech::default();
        speech.push(&[1; 8_000]);
        speech.mark("early".to_owned());
        speech.push(&vec![2; WAITING]);
        speech.mark("late".to_owned());
        assert_eq!((speech.dropped(), speech.waiting.len()), (8_000, WAITING));
        speech.handle_gone(0);
        assert_eq!(marks(&mut speech), [played("early")]);
        for count in 0..MARKS {
            speech.mark(count.to_string());
        }
        assert_eq!(marks(&mut speech), [cleared("late")]);
    }

    #[test]
    fn what_finds_no_room_is_lost_and_delays_no_mark() {
        let mut speech = Speech::default();
        speech.push(&[1; 320]);
        speech.mark("one".to_owned());
        speech.pass_on(|samples| samples.len());
        assert_eq!(passed(&mut speech), 160);
        speech.handle_gone(160);
        assert_eq!(marks(&mut speech), [played("one")]);
    }
}
