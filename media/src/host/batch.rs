//! Ticks of one recording on their way to the thread that writes them, several at a time.
//!
//! What one core has written another one fetches line by line of its cache, and each hand-over costs both of them
//! some more. So only those samples are laid down that there are, and a fifth of a second goes at once.

use crate::command::CommandId;
use crate::frame::{FRAME_SAMPLES, Sound, WIDE_SAMPLES, WideFrame};

/// Ticks of a batch: 200 ms.
const TICKS: usize = 10;

/// Some ticks of one recording.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) recording: CommandId,
    ticks: Vec<Tick>,
    /// Of all ticks, side by side.
    samples: Vec<i16>,
}

/// 20 ms of a recording.
#[derive(Clone, Copy, Debug)]
struct Tick {
    position: u64,
    is_heard_wide: bool,
    /// `None` when there is one side only; otherwise whether it is wide.
    is_said_wide: Option<bool>,
}

impl Batch {
    pub(super) fn new(recording: CommandId) -> Self {
        Self {
            recording,
            ticks: Vec::with_capacity(TICKS),
            samples: Vec::with_capacity(TICKS * 2 * FRAME_SAMPLES),
        }
    }

    /// Begins anew, for another recording.
    pub(super) fn clear(&mut self, recording: CommandId) {
        self.recording = recording;
        self.ticks.clear();
        self.samples.clear();
    }

    /// Adds a tick; `true` when it is full.
    pub(super) fn push(&mut self, position: u64, heard: &Sound, said: Option<&Sound>) -> bool {
        self.ticks.push(Tick {
            position,
            is_heard_wide: heard.wide.is_some(),
            is_said_wide: said.map(|said| said.wide.is_some()),
        });
        for sound in [Some(heard), said].into_iter().flatten() {
            self.samples.extend_from_slice(&sound.narrow.0);
            if let Some(wide) = &sound.wide {
                self.samples.extend_from_slice(&wide.0);
            }
        }
        self.ticks.len() >= TICKS
    }

    /// How many ticks it holds.
    pub(super) const fn len(&self) -> usize {
        self.ticks.len()
    }

    /// Lets `take` have its ticks in their order, until it fails: the position of each, and both sides.
    pub(super) fn read<E>(
        &self,
        mut take: impl FnMut(u64, &Sound, Option<&Sound>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut heard, mut said) = (Sound::SILENCE, Sound::SILENCE);
        let mut rest = self.samples.as_slice();
        for tick in &self.ticks {
            fill(&mut heard, &mut rest, tick.is_heard_wide);
            let said = tick.is_said_wide.map(|is_wide| {
                fill(&mut said, &mut rest, is_wide);
                &said
            });
            take(tick.position, &heard, said)?;
        }
        Ok(())
    }
}

/// Takes one side of a tick from the samples of a batch.
fn fill(sound: &mut Sound, rest: &mut &[i16], is_wide: bool) {
    if let Some((narrow, behind)) = rest.split_first_chunk::<FRAME_SAMPLES>() {
        sound.narrow.0 = *narrow;
        *rest = behind;
    }
    sound.wide = None;
    if is_wide && let Some((wide, behind)) = rest.split_first_chunk::<WIDE_SAMPLES>() {
        sound.wide = Some(WideFrame(*wide));
        *rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    #[test]
    fn what_is_laid_down_is_read_in_its_order_with_one_side_or_two_of_either_band() {
        let narrow = |level| Sound::from(Frame([level; FRAME_SAMPLES]));
        let wide = |level| Sound {
            wide: Some(WideFrame([level + 1; WIDE_SAMPLES])),
            ..narrow(level)
        };
        let ticks = [
            (3, narrow(1), Some(narrow(2))),
            (4, wide(3), Some(narrow(4))),
            (9, narrow(5), Some(wide(6))),
            (10, wide(7), None),
            (11, narrow(8), None),
        ];
        let mut batch = Batch::new(CommandId(1));
        for _ in 0..2 {
            batch.clear(CommandId(2));
            for (position, heard, said) in &ticks {
                assert!(!batch.push(*position, heard, said.as_ref()));
            }
            let mut read = Vec::new();
            let all = batch.read(|position, heard, said| {
                read.push((position, *heard, said.copied()));
                Ok::<_, ()>(())
            });
            assert_eq!((all, read.as_slice()), (Ok(()), &ticks[..]));
        }
        let fills = (batch.len()..TICKS).map(|_| batch.push(12, &narrow(9), None));
        assert_eq!(fills.filter(|is_full| *is_full).count(), 1);
    }
}
