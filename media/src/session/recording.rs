//! A recording while it runs: two sides of the same time, and why it ends.

use std::time::Duration;

use crate::command::{CommandId, RecordingConfig, RecordingEnd};
use crate::dsp::level::SilenceDetector;
use crate::dtmf::Digit;
use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, Ptime};

/// How much of what we sent may wait to be recorded: two of the longest packets.
const SAID_CAPACITY: usize = 2 * Ptime::MAX.samples();

/// One recording of one session.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) command: CommandId,
    end_of_silence: Option<Duration>,
    end_of_key: Vec<Digit>,
    duration: Option<Duration>,
    /// Frames of its time line so far.
    position: u64,
    said: SampleQueue,
    silence: SilenceDetector,
    is_running: bool,
}

impl Recording {
    /// A recording that waits for its beep, or runs at once without one.
    pub(super) fn new(command: CommandId, config: &RecordingConfig) -> Self {
        Self {
            command,
            end_of_silence: config.end_of_silence,
            end_of_key: config.end_of_key.clone(),
            duration: config.duration,
            position: 0,
            said: SampleQueue::default(),
            silence: SilenceDetector::new(),
            is_running: !config.beep_start,
        }
    }

    /// The beep is over: what comes now is recorded.
    pub(super) fn begin(&mut self) {
        self.is_running = true;
        self.said.clear();
    }

    pub(super) const fn is_running(&self) -> bool {
        self.is_running
    }

    /// Takes sound that has been sent.
    pub(super) fn said(&mut self, samples: &[i16]) {
        if self.is_running {
            self.said.push(samples);
        }
    }

    /// Gives the next 20 ms of what has been sent. While more is coming, a part of a frame waits to be
    /// a whole one, so that packets of other lengths leave no holes.
    pub(super) fn take_said(&mut self, is_speaking: bool) -> Frame {
        if is_speaking && self.said.len < FRAME_SAMPLES {
            Frame::SILENCE
        } else {
            self.said.pop()
        }
    }

    /// Counts a frame and returns where it belongs on the time line.
    pub(super) const fn advance(&mut self) -> u64 {
        let position = self.position;
        self.position += 1;
        position
    }

    /// Leaves out frames that nobody could take, so that the time line stays true.
    pub(super) const fn skip(&mut self, frames: u64) {
        self.position += frames;
    }

    /// Whether it ends after hearing `heard`.
    pub(super) fn end_after(&mut self, heard: &Frame) -> Option<RecordingEnd> {
        let silence = self.silence.push(&heard.0);
        if self.duration.is_some_and(|limit| self.length() >= limit) {
            return Some(RecordingEnd::Duration);
        }
        let is_over = self.end_of_silence.is_some_and(|limit| silence >= limit);
        is_over.then_some(RecordingEnd::Silence)
    }

    /// Whether it ends at `digit`.
    pub(super) fn end_at(&self, digit: Digit) -> Option<RecordingEnd> {
        self.end_of_key
            .contains(&digit)
            .then_some(RecordingEnd::Key)
    }

    /// How long it is.
    pub(super) fn length(&self) -> Duration {
        FRAME_DURATION * u32::try_from(self.position).unwrap_or(u32::MAX)
    }
}

/// Samples between packets of any packet time and frames of 20 ms.
#[derive(Debug)]
struct SampleQueue {
    samples: Box<[i16; SAID_CAPACITY]>,
    len: usize,
}

impl Default for SampleQueue {
    fn default() -> Self {
        Self {
            samples: Box::new([0; SAID_CAPACITY]),
            len: 0,
        }
    }
}

impl SampleQueue {
    fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps what fits; more than fits comes only when ticks were missed.
    fn push(&mut self, samples: &[i16]) {
        let count = samples.len().min(SAID_CAPACITY - self.len);
        self.samples[self.len..self.len + count].copy_from_slice(&samples[..count]);
        self.len += count;
    }

    fn pop(&mut self) -> Frame {
        let mut frame = Frame::SILENCE;
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

    fn config() -> RecordingConfig {
        RecordingConfig {
            file_in: "in.wav".into(),
            file_out: "out.wav".into(),
            end_of_silence: Some(Duration::from_secs(1)),
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        }
    }

    fn square(level: i16) -> Frame {
        let mut frame = Frame::SILENCE;
        frame
            .0
            .iter_mut()
            .enumerate()
            .for_each(|(n, sample)| *sample = if n % 8 < 4 { level } else { -level });
        frame
    }

    /// Feeds frames of `level` until the recording ends; how many that took.
    fn frames_until_end(recording: &mut Recording, level: i16) -> Option<usize> {
        (1..=500).find(|_| {
            recording.advance();
            recording.end_after(&square(level)).is_some()
        })
    }

    #[test]
    fn one_second_of_silence_after_speech_ends_it() {
        let mut recording = Recording::new(CommandId(1), &config());
        (0..40).for_each(|_| assert_eq!(recording.end_after(&square(3_000)), None));
        assert_eq!(frames_until_end(&mut recording, 0), Some(50));
    }

    #[test]
    fn its_duration_is_exact_to_the_frame() {
        let limit = Some(Duration::from_millis(200));
        let mut recording = Recording::new(
            CommandId(1),
            &RecordingConfig {
                duration: limit,
                end_of_silence: None,
                ..config()
            },
        );
        assert_eq!(frames_until_end(&mut recording, 0), Some(10));
        assert_eq!(recording.length(), Duration::from_millis(200));
    }

    #[test]
    fn packets_of_30_ms_become_frames_of_20_ms_with_one_wait_and_no_hole() {
        let mut recording = Recording::new(CommandId(1), &config());
        let mut frames = Vec::new();
        for ms in (0..300).step_by(10) {
            if ms % 30 == 0 {
                recording.said(&[1; 240]);
            }
            if ms % 20 == 0 {
                frames.push(recording.take_said(true));
            }
        }
        let holes = frames
            .iter()
            .filter(|frame| **frame != Frame([1; FRAME_SAMPLES]))
            .count();
        assert_eq!((holes, frames[1]), (1, Frame::SILENCE));
    }
}
