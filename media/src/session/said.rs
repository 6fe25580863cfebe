//! What we sent, on its way to those who listen to it too.

use crate::frame::{FRAME_SAMPLES, Ptime, Sound, WIDE_SAMPLES, WideFrame};

/// How much of what we sent may wait: two of the longest packets.
const CAPACITY: usize = 2 * Ptime::MAX.samples();

/// Samples between packets of any packet time and frames of 20 ms.
#[derive(Debug)]
pub(super) struct Said {
    narrow: Queue<CAPACITY>,
    /// The same sound, where the peer has more.
    wide: Option<Queue<{ 2 * CAPACITY }>>,
}

#[derive(Debug)]
struct Queue<const N: usize> {
    samples: Box<[i16; N]>,
    len: usize,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            narrow: Queue::new(),
            wide: None,
        }
    }
}

impl Said {
    /// Keeps what fits; more than fits comes only when ticks were missed. Sound that has no wide form ends that of
    /// what went before.
    pub(super) fn push(&mut self, narrow: &[i16], wide: Option<&WideFrame>) {
        match wide {
            // They go side by side from the beginning, or not at all.
            Some(wide) if self.wide.is_some() || self.narrow.len == 0 => {
                self.wide.get_or_insert_with(Queue::new).push(&wide.0);
            }
            _ => self.wide = None,
        }
        self.narrow.push(narrow);
    }

    /// Gives the next 20 ms. While more is coming, a part of a frame waits to be a whole one, so that
    /// packets of other lengths leave no holes.
    pub(super) fn take(&mut self, is_speaking: bool) -> Sound {
        let mut sound = Sound::SILENCE;
        if is_speaking && self.narrow.len < FRAME_SAMPLES {
            return sound;
        }
        self.narrow.take(&mut sound.narrow.0);
        if let Some(wide) = &mut self.wide {
            let mut frame = [0; WIDE_SAMPLES];
            wide.take(&mut frame);
            sound.wide = Some(WideFrame(frame));
        }
        sound
    }
}

impl<const N: usize> Queue<N> {
    fn new() -> Self {
        Self {
            samples: Box::new([0; N]),
            len: 0,
        }
    }

    fn push(&mut self, samples: &[i16]) {
        let count = samples.len().min(N - self.len);
        self.samples[self.len..self.len + count].copy_from_slice(&samples[..count]);
        self.len += count;
    }

    /// Takes as much as fits; silence behind what is there.
    fn take(&mut self, frame: &mut [i16]) {
        let count = self.len.min(frame.len());
        frame[..count].copy_from_slice(&self.samples[..count]);
        self.samples.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    #[test]
    fn packets_of_30_ms_become_frames_of_20_ms_with_one_wait_and_no_hole() {
        let mut said = Said::default();
        let mut frames = Vec::new();
        for ms in (0..300).step_by(10) {
            if ms % 30 == 0 {
                said.push(&[1; 240], None);
            }
            if ms % 20 == 0 {
                frames.push(said.take(true).narrow);
            }
        }
        let holes = frames
            .iter()
            .filter(|frame| **frame != Frame([1; FRAME_SAMPLES]))
            .count();
        assert_eq!((holes, frames[1]), (1, Frame::SILENCE));
    }

    #[test]
    fn wide_sound_comes_out_wide_and_both_bands_stay_side_by_side() {
        let mut said = Said::default();
        said.push(&[1; 160], Some(&WideFrame([2; WIDE_SAMPLES])));
        let sound = said.take(true);
        assert_eq!(
            (sound.narrow.0[9], sound.wide.map(|wide| wide.0[9])),
            (1, Some(2))
        );
        said.push(&[1; 80], None);
        said.push(&[1; 160], Some(&WideFrame([2; WIDE_SAMPLES])));
        assert_eq!(said.take(true).wide, None);
    }
}
