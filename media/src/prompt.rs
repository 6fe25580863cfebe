//! Sound to play, ready for the engine.

mod decode;
mod generated;
mod ogg_opus;
mod packets;
mod wav;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::packets::Forms;
pub use self::packets::Packets;
use crate::codec::{Codec, G711};
use crate::dsp::tone;
use crate::frame::duration_of;

pub use decode::{PromptError, PromptLimits};

/// A sound with its encoded forms, so that playing it costs a copy: 8 kHz mono, and 16 kHz where its source had
/// that.
///
/// A second of it is 32 kB: 16 of samples and 16 in G.711; 32 more where it has the wide band. The first time it is
/// played in G.722 (8 kB a second) or Opus (3 to 4 kB) it is encoded in that too, in the background, and kept so.
#[derive(Clone)]
pub struct Prompt {
    samples: Box<[i16]>,
    /// Two for each of `samples`.
    wide: Option<Box<[i16]>>,
    pcmu: Bytes,
    pcma: Bytes,
    /// In codecs with a memory; those who clone it share them.
    forms: Arc<Forms>,
}

impl Prompt {
    /// A sound from samples at 8 kHz.
    #[must_use]
    pub fn from_samples(samples: Vec<i16>) -> Self {
        Self::from_bands(samples, None)
    }

    /// A sound from samples at 8 kHz and, of the same sound, at 16 kHz; these are made as long as those.
    #[must_use]
    pub fn from_bands(samples: Vec<i16>, wide: Option<Vec<i16>>) -> Self {
        let wide = wide.map(|mut wide| {
            wide.resize(2 * samples.len(), 0);
            wide.into()
        });
        Self {
            pcmu: G711::Ulaw.encode_all(&samples).into(),
            pcma: G711::Alaw.encode_all(&samples).into(),
            samples: samples.into(),
            wide,
            forms: Arc::default(),
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

    /// A sound from the contents of a file: WAV, MP3, Ogg (Vorbis, Opus) or FLAC, whatever its rate, mixed to
    /// one channel.
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
        decode::decode(file.into(), extension, limits)
            .map(|decoded| Self::from_bands(decoded.narrow, decoded.wide))
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

    /// Its samples at 16 kHz, if its source had more than 8 kHz.
    #[must_use]
    pub fn wide(&self) -> Option<&[i16]> {
        self.wide.as_deref()
    }

    /// Its encoded form, one octet for each sample.
    #[must_use]
    pub const fn encoded(&self, law: G711) -> &Bytes {
        match law {
            G711::Ulaw => &self.pcmu,
            G711::Alaw => &self.pcma,
        }
    }
}

impl Prompt {
    /// Its packets of 20 ms in a codec with a memory, once they are made.
    #[must_use]
    pub fn packets(&self, codec: Codec) -> Option<&Packets> {
        self.forms.get(codec)
    }

    /// Makes these, which takes a thousandth to a hundredth of the time that it plays; where they are made
    /// already, or the codec has no memory, nothing.
    pub fn encode(&self, codec: Codec) {
        self.forms.make(codec, self);
    }

    /// Whether nobody has asked for these before.
    pub(crate) fn ask(&self, codec: Codec) -> bool {
        self.forms.ask(codec)
    }

    /// They were asked for, and will not be made.
    pub fn take_back(&self, codec: Codec) {
        self.forms.take_back(codec);
    }
}

/// Two that sound alike.
impl PartialEq for Prompt {
    fn eq(&self, other: &Self) -> bool {
        self.samples == other.samples && self.wide == other.wide
    }
}

impl Eq for Prompt {}

/// Its length says enough: a sound is no text.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("duration", &self.duration())
            .finish_non_exhaustive()
    }
}
