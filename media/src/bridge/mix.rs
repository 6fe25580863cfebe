//! What somebody hears of others, encoded once for all who hear the same.

use std::cell::OnceCell;

use crate::codec::G711;
use crate::frame::{FRAME_SAMPLES, Sound};

/// 20 ms that somebody hears of others, and what they are in each codec without memory once that is asked for.
#[derive(Debug, Default)]
pub(crate) struct Mix {
    pub(crate) sound: Sound,
    sounds: bool,
    encoded: [OnceCell<[u8; FRAME_SAMPLES]>; G711::ALL.len()],
}

impl Mix {
    /// Begins anew; its sound is still to be written.
    pub(super) fn begin(&mut self, is_silent: bool) {
        self.encoded = Default::default();
        self.sounds = !is_silent;
    }

    /// Becomes silence.
    pub(super) fn hush(&mut self) {
        self.begin(true);
        self.sound = Sound::SILENCE;
    }

    /// Its payload.
    pub(crate) fn encoded(&self, law: G711) -> &[u8; FRAME_SAMPLES] {
        let place = match law {
            G711::Ulaw => &self.encoded[0],
            G711::Alaw => &self.encoded[1],
        };
        place.get_or_init(|| {
            let mut octets = [law.silence(); FRAME_SAMPLES];
            if self.sounds {
                law.encode(&self.sound.narrow.0, &mut octets);
            }
            octets
        })
    }
}
