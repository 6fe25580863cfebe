//! A recording while it runs: two sides of the same time, and why it ends.

use std::time::Duration;

use crate::command::{CommandId, RecordingConfig, RecordingEnd};
use crate::dsp::level::SilenceDetector;
use crate::dtmf::Digit;
use crate::frame::{FRAME_DURATION, Frame};

/// One recording of one session.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) command: CommandId,
    end_of_silence: Option<Duration>,
    end_of_key: Vec<Digit>,
    duration: Option<Duration>,
    /// Frames of its time line so far.
    position: u64,
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
            silence: SilenceDetector::new(),
            is_running: !config.beep_start,
        }
    }

    /// The beep is over: what comes now is recorded.
    pub(super) const fn begin(&mut self) {
        self.is_running = true;
    }

    pub(super) const fn is_running(&self) -> bool {
        self.is_running
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
        let is_silent = self
            .end_of_silence
            .is_some_and(|limit| self.silence.push(&heard.0) >= limit);
        if self.duration.is_some_and(|limit| self.length() >= limit) {
            return Some(RecordingEnd::Duration);
        }
        is_silent.then_some(RecordingEnd::Silence)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::RecordingTarget;

    fn config() -> RecordingConfig {
        RecordingConfig {
            target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
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
}
