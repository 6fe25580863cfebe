//! Frames of a bridge on their way into packets of another length.

use std::time::Instant;

use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, Ptime, duration_of};

/// A packet that is nearly full, and a frame.
const CAPACITY: usize = Ptime::MAX.samples() + FRAME_SAMPLES;

/// Samples that wait until they fill a packet.
#[derive(Debug)]
pub(super) struct Parcel {
    samples: Box<[i16; CAPACITY]>,
    len: usize,
    /// When the sample behind the last one is due.
    end: Option<Instant>,
}

impl Default for Parcel {
    fn default() -> Self {
        Self {
            samples: Box::new([0; CAPACITY]),
            len: 0,
            end: None,
        }
    }
}

impl Parcel {
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the frame that begins at `due`.
    pub(super) fn push(&mut self, due: Instant, frame: &Frame) {
        // A peer that asked for shorter packets meanwhile leaves more than fits; the oldest goes.
        let excess = (self.len + FRAME_SAMPLES).saturating_sub(CAPACITY);
        self.samples.copy_within(excess..self.len, 0);
        self.len -= excess;
        self.samples[self.len..self.len + FRAME_SAMPLES].copy_from_slice(&frame.0);
        self.len += FRAME_SAMPLES;
        self.end = Some(due + FRAME_DURATION);
    }

    /// Takes the sound of one packet, and says when it begins.
    pub(super) fn pop(&mut self, ptime: Ptime, samples: &mut [i16]) -> Option<Instant> {
        let count = ptime.samples();
        if self.len < count {
            return None;
        }
        let begin = self.end?.checked_sub(duration_of(self.len as u64))?;
        samples[..count].copy_from_slice(&self.samples[..count]);
        self.samples.copy_within(count..self.len, 0);
        self.len -= count;
        Some(begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::start;
    use std::time::Duration;

    #[test]
    fn frames_of_20_ms_become_packets_of_any_length_that_follow_each_other() {
        for tens in 1..=6 {
            let ptime = Ptime::nearest(Duration::from_millis(tens * 10));
            let (mut parcel, mut samples) = (Parcel::default(), [0; 480]);
            let (mut begins, mut sound) = (Vec::new(), Vec::new());
            for tick in 0..30 {
                let frame = Frame(std::array::from_fn(|at| (tick * 160 + at) as i16));
                parcel.push(start() + FRAME_DURATION * tick as u32, &frame);
                while let Some(begin) = parcel.pop(ptime, &mut samples) {
                    begins.push(begin);
                    sound.extend_from_slice(&samples[..ptime.samples()]);
                }
            }
            assert_eq!(begins.len(), 60 / tens as usize);
            let apart = begins.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(apart.into_iter().all(|apart| apart == ptime.duration()));
            assert!(
                sound
                    .iter()
                    .enumerate()
                    .all(|(at, sample)| at as i16 == *sample)
            );
        }
    }
}
