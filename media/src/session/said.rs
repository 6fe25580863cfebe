//! What we sent, on its way to those who listen to it too.

use crate::frame::{FRAME_SAMPLES, Frame, Ptime};

/// How much of what we sent may wait: two of the longest packets.
const CAPACITY: usize = 2 * Ptime::MAX.samples();

/// Samples between packets of any packet time and frames of 20 ms.
#[derive(Debug)]
pub(super) struct Said {
    samples: Box<[i16; CAPACITY]>,
    len: usize,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            samples: Box::new([0; CAPACITY]),
            len: 0,
        }
    }
}

impl Said {
    /// Keeps what fits; more than fits comes only when ticks were missed.
    pub(super) fn push(&mut self, samples: &[i16]) {
        let count = samples.len().min(CAPACITY - self.len);
        self.samples[self.len..self.len + count].copy_from_slice(&samples[..count]);
        self.len += count;
    }

    /// Gives the next 20 ms. While more is coming, a part of a frame waits to be a whole one, so that
    /// packets of other lengths leave no holes.
    pub(super) fn take(&mut self, is_speaking: bool) -> Frame {
        let mut frame = Frame::SILENCE;
        if is_speaking && self.len < FRAME_SAMPLES {
            return frame;
        }
        let count = self.len.min(FRAME_SAMPLES);
        frame.0[..count].copy_from_slice(&self.samples[..count]);
        self.samples.copy_within(count..self.len, 0);
        self.len -= count;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_30_ms_become_frames_of_20_ms_with_one_wait_and_no_hole() {
        let mut said = Said::default();
        let mut frames = Vec::new();
        for ms in (0..300).step_by(10) {
            if ms % 30 == 0 {
                said.push(&[1; 240]);
            }
            if ms % 20 == 0 {
                frames.push(said.take(true));
            }
        }
        let holes = frames
            .iter()
            .filter(|frame| **frame != Frame([1; FRAME_SAMPLES]))
            .count();
        assert_eq!((holes, frames[1]), (1, Frame::SILENCE));
    }
}
