//! One packet time of sound: 8 kHz, mono, 16 bit.

use std::time::Duration;

/// Samples per second of everything inside the engine.
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples of one frame: 20 ms, the packet time every G.711 peer speaks (RFC 3551 §4.2).
pub const FRAME_SAMPLES: usize = 160;

/// How long one frame lasts.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// The sound of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(pub [i16; FRAME_SAMPLES]);

impl Frame {
    /// No sound.
    pub const SILENCE: Self = Self([0; FRAME_SAMPLES]);
}

impl Default for Frame {
    fn default() -> Self {
        Self::SILENCE
    }
}

/// How much sound one packet carries: 10 to 60 ms, in steps of 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ptime {
    tens: u8,
}

impl Ptime {
    /// The shortest packet time we send.
    pub const MIN: Self = Self { tens: 1 };
    /// The default of the audio profile (RFC 3551 §4.2).
    pub const DEFAULT: Self = Self { tens: 2 };
    /// The longest packet time we send: longer ones make a lost packet audible as a gap.
    pub const MAX: Self = Self { tens: 6 };

    /// The packet time nearest to what a peer asks for (`a=ptime`), within our limits.
    #[must_use]
    pub fn nearest(wished: Duration) -> Self {
        let tens = (wished.as_millis().saturating_add(5) / 10).clamp(1, 6);
        Self { tens: tens as u8 }
    }

    /// Samples one packet carries; also what its timestamp grows by.
    #[must_use]
    pub const fn samples(self) -> usize {
        self.tens as usize * 80
    }

    /// The time between two packets.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.tens as u64 * 10)
    }
}

impl Default for Ptime {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whole samples within a duration.
#[must_use]
pub fn samples_in(duration: Duration) -> u64 {
    let rate = u64::from(SAMPLE_RATE);
    duration.as_secs().saturating_mul(rate)
        + u64::from(duration.subsec_nanos()) * rate / 1_000_000_000
}

/// How long this many samples last.
#[must_use]
pub fn duration_of(samples: u64) -> Duration {
    let rate = u64::from(SAMPLE_RATE);
    Duration::from_secs(samples / rate) + Duration::from_micros(samples % rate * 1_000_000 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ptime_is_the_nearest_step_within_10_and_60_ms() {
        let nearest = |ms| {
            Ptime::nearest(Duration::from_millis(ms))
                .duration()
                .as_millis()
        };
        assert_eq!(
            [0, 4, 10, 14, 15, 20, 30, 60, 61, 5_000].map(nearest),
            [10, 10, 10, 10, 20, 20, 30, 60, 60, 60]
        );
        assert_eq!(Ptime::nearest(Duration::MAX), Ptime::MAX);
        assert_eq!(Ptime::DEFAULT.samples(), FRAME_SAMPLES);
        assert_eq!(Ptime::DEFAULT.duration(), FRAME_DURATION);
    }

    #[test]
    fn samples_and_durations_turn_into_each_other() {
        for samples in [0, 1, 79, 160, 8_000, 123_456_789] {
            let back = samples_in(duration_of(samples));
            assert!(samples - back <= 1, "{samples} became {back}");
        }
        assert_eq!(samples_in(Duration::from_millis(20)), 160);
        assert_eq!(duration_of(160), Duration::from_millis(20));
    }
}
