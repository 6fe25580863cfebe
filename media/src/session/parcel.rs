//! Frames on their way into packets of another length.

use std::time::{Duration, Instant};

use crate::frame::{Band, FRAME_DURATION, Ptime, WIDE_SAMPLES};

/// A packet that is nearly full, and a frame, in the wide band.
const CAPACITY: usize = 2 * Ptime::MAX.samples() + WIDE_SAMPLES;

/// Samples that wait until they fill a packet.
#[derive(Debug)]
pub(super) struct Parcel {
    samples: Box<[i16; CAPACITY]>,
    len: usize,
    band: Band,
    /// When the sample behind the last one is due.
    end: Option<Instant>,
}

impl Parcel {
    /// An empty one, in a band.
    pub(super) fn new(band: Band) -> Self {
        Self {
            samples: Box::new([0; CAPACITY]),
            len: 0,
            band,
            end: None,
        }
    }

    pub(super) const fn band(&self) -> Band {
        self.band
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the frame that begins at `due`.
    pub(super) fn push(&mut self, due: Instant, frame: &[i16]) {
        // A peer that asked for shorter packets meanwhile leaves more than fits; the oldest goes.
        let frame = &frame[..frame.len().min(CAPACITY)];
        let excess = (self.len + frame.len()).saturating_sub(CAPACITY);
        self.samples.copy_within(excess..self.len, 0);
        self.len -= excess;
        self.samples[self.len..self.len + frame.len()].copy_from_slice(frame);
        self.len += frame.len();
        self.end = Some(due + FRAME_DURATION);
    }

    /// Fills a packet, and says when it begins.
    pub(super) fn pop(&mut self, packet: &mut [i16]) -> Option<Instant> {
        let count = packet.len();
        if self.len < count {
            return None;
        }
        let begin = self.begin()?;
        packet.copy_from_slice(&self.samples[..count]);
        self.samples.copy_within(count..self.len, 0);
        self.len -= count;
        Some(begin)
    }

    /// Gives up what is left, and says when it begins; `None` when nothing is.
    pub(super) fn rest(&self) -> Option<(Instant, &[i16])> {
        let begin = self.begin().filter(|_| self.len > 0)?;
        Some((begin, &self.samples[..self.len]))
    }

    fn begin(&self) -> Option<Instant> {
        let micros = self.len as u64 * 1_000_000 / u64::from(self.band.sample_rate());
        self.end?.checked_sub(Duration::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::start;

    #[test]
    fn frames_of_20_ms_become_packets_of_any_length_that_follow_each_other_in_either_band() {
        for (band, tens) in [Band::Narrow, Band::Wide]
            .into_iter()
            .flat_map(|band| (1..=6).map(move |tens| (band, tens)))
        {
            let ptime = Ptime::nearest(Duration::from_millis(tens * 10));
            let mut parcel = Parcel::new(band);
            let mut packet = vec![0; ptime.ticks(band.sample_rate()) as usize];
            let (mut begins, mut sound) = (Vec::new(), Vec::new());
            let len = band.frame_samples();
            for tick in 0..30 {
                let frame: Vec<i16> = (0..len).map(|at| (tick * len + at) as i16).collect();
                parcel.push(start() + FRAME_DURATION * tick as u32, &frame);
                while let Some(begin) = parcel.pop(&mut packet) {
                    begins.push(begin);
                    sound.extend_from_slice(&packet);
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

    #[test]
    fn what_is_left_is_given_with_its_time() {
        let mut parcel = Parcel::new(Band::Narrow);
        parcel.push(start(), &[7; 160]);
        let mut packet = [0; 480];
        assert_eq!(parcel.pop(&mut packet), None);
        assert_eq!(parcel.rest(), Some((start(), &[7; 160][..])));
        let mut packet = [0; 160];
        assert_eq!(parcel.pop(&mut packet), Some(start()));
        assert_eq!((parcel.rest(), parcel.is_empty()), (None, true));
    }
}
