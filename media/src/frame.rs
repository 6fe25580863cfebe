//! One packet time of sound: mono, 16 bit, 8 kHz and, where a peer has more, 16 kHz.

use std::time::Duration;

/// Samples per second of the narrow band: what all peers have, and every detector listens to.
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples of one frame of the wide band.
pub const WIDE_SAMPLES: usize = 2 * FRAME_SAMPLES;

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

/// How much of the sound a codec carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Up to 4 kHz, 8,000 samples a second: the telephone.
    #[default]
    Narrow,
    /// Up to 8 kHz, 16,000 samples a second.
    Wide,
}

impl Band {
    /// Samples a second.
    #[must_use]
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::Narrow => SAMPLE_RATE,
            Self::Wide => 2 * SAMPLE_RATE,
        }
    }

    /// Samples of 20 ms.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        match self {
            Self::Narrow => FRAME_SAMPLES,
            Self::Wide => WIDE_SAMPLES,
        }
    }
}

/// One tick in the wide band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideFrame(pub [i16; WIDE_SAMPLES]);

impl WideFrame {
    /// No sound.
    pub const SILENCE: Self = Self([0; WIDE_SAMPLES]);
}

/// One tick of somebody: in the narrow band always, and in the wide band if it comes so.
///
/// Both hold the same sound, so that whoever needs no more than 8 kHz need not ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// Up to 4 kHz.
    pub narrow: Frame,
    /// Up to 8 kHz, where there is more to hear.
    pub wide: Option<WideFrame>,
}

impl Sound {
    /// No sound, in the narrow band.
    pub const SILENCE: Self = Self {
        narrow: Frame::SILENCE,
        wide: None,
    };

    /// The same once more. Of sound in the narrow band it moves a third of the octets that a plain copy does.
    #[inline]
    pub(crate) fn copied(&self) -> Self {
        match &self.wide {
            None => Self::from(self.narrow),
            Some(_) => *self,
        }
    }

    /// The band it is in.
    #[must_use]
    pub const fn band(&self) -> Band {
        match self.wide {
            Some(_) => Band::Wide,
            None => Band::Narrow,
        }
    }

    /// Its samples in the band it is in.
    #[must_use]
    pub const fn samples(&self) -> &[i16] {
        match &self.wide {
            Some(wide) => &wide.0,
            None => &self.narrow.0,
        }
    }
}

impl From<Frame> for Sound {
    fn from(narrow: Frame) -> Self {
        Self { narrow, wide: None }
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

    /// Samples of the narrow band that one packet carries.
    #[must_use]
    pub const fn samples(self) -> usize {
        self.tens as usize * 80
    }

    /// Ticks of a clock of so many a second that one packet lasts: of its timestamps, or samples.
    #[must_use]
    pub const fn ticks(self, rate: u32) -> u32 {
        self.tens as u32 * (rate / 100)
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

/// Whole samples of the narrow band within a duration.
#[must_use]
pub fn samples_in(duration: Duration) -> u64 {
    ticks_in(duration, SAMPLE_RATE)
}

/// Whole ticks within a duration, of a clock of so many a second.
#[must_use]
pub fn ticks_in(duration: Duration, rate: u32) -> u64 {
    let rate = u64::from(rate);
    duration.as_secs().saturating_mul(rate)
        + u64::from(duration.subsec_nanos()) * rate / 1_000_000_000
}

/// How long this many samples of the narrow band last.
#[must_use]
pub fn duration_of(samples: u64) -> Duration {
    let rate = u64::from(SAMPLE_RATE);
    Duration::from_secs(samples / rate) + Duration::from_micros(samples % rate * 1_000_000 / rate)
}

/// The nearest sample to a value in the scale of `i16`; what is too loud is clipped.
#[inline]
pub(crate) fn to_sample(value: f32) -> i16 {
    // One and a half times 2^23: beside it, a float has no room left for fractions, so that its last bits
    // are the rounded number. Unlike the conversion it needs no call, and goes four at a time.
    const ROUNDER: f32 = 12_582_912.0;
    (value.clamp(-32_768.0, 32_767.0) + ROUNDER).to_bits() as i16
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

    #[test]
    fn values_become_the_nearest_sample_and_are_clipped() {
        for sample in i16::MIN..=i16::MAX {
            let value = f32::from(sample);
            assert_eq!(
                [value, value + 0.4, value - 0.4].map(to_sample),
                [sample; 3]
            );
        }
        assert_eq!(to_sample(1e9), i16::MAX);
        assert_eq!(to_sample(f32::NEG_INFINITY), i16::MIN);
        assert_eq!(to_sample(f32::NAN), 0);
    }
}
