//! Sound to play, ready for the engine.

mod decode;
mod generated;
mod wav;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::codec::Codec;
use crate::dsp::tone;
use crate::frame::duration_of;

pub use decode::{PromptError, PromptLimits};

/// A sound at 8 kHz mono with its encoded forms, so that playing it costs a copy.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    samples: Box<[i16]>,
    pcmu: Bytes,
    pcma: Bytes,
}

impl Prompt {
    /// A sound from samples at 8 kHz.
    #[must_use]
    pub fn from_samples(samples: Vec<i16>) -> Self {
        Self {
            pcmu: Codec::Pcmu.encode_all(&samples).into(),
            pcma: Codec::Pcma.encode_all(&samples).into(),
            samples: samples.into(),
        }
    }

    /// The tone after which a caller speaks: half a second of 1 kHz.
    #[must_use]
    pub fn beep() -> Self {
        Self::from_samples(tone::burst(1_000.0, -12.0, Duration::from_millis(500)))
    }

    /// What a caller hears while a callee's telephone rings: 440 and 480 Hz, two seconds on and four off
    /// (ITU-T E.180, the North American cadence). Made to be played without end.
    #[must_use]
    pub fn ringback() -> Self {
        Self::from_samples(generated::ringback())
    }

    /// Something calm to wait by: eight seconds that go over into themselves. Made to be played without end.
    #[must_use]
    pub fn hold_music() -> Self {
        Self::from_samples(generated::hold_music())
    }

    /// A sound from the contents of a WAV or MP3 file, whatever its rate, mixed to one channel.
    ///
    /// `extension` is that of the file's name, if it has one: it only helps to tell what the file
    /// is. Work and memory are bounded by the length of the file and by `limits`, and a file that is
    /// longer than the limit is refused rather than cut. A WAV whose length of data is not true
    /// plays what is there.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file.
    pub fn decode(
        file: impl Into<Vec<u8>>,
        extension: Option<&str>,
        limits: PromptLimits,
    ) -> Result<Self, PromptError> {
        decode::samples(file.into(), extension, limits).map(Self::from_samples)
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration_of(self.samples.len() as u64)
    }

    /// Its samples at 8 kHz.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Its encoded form, one octet for each sample.
    #[must_use]
    pub const fn encoded(&self, codec: Codec) -> &Bytes {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        }
    }
}

/// Its length says enough: a sound is no text.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("duration", &self.duration())
            .finish_non_exhaustive()
    }
}
