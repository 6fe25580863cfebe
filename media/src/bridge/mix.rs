//! Sound added up, and encoded once for all who hear the same.

use std::cell::OnceCell;

use crate::codec::Codec;
use crate::dsp::joint;
use crate::frame::{FRAME_SAMPLES, Frame};

/// Samples no louder than this are digital silence: the first step of A-law.
const SILENT: u16 = 8;

/// What one member says.
#[derive(Debug, Default)]
pub(super) struct Voice {
    pub(super) frame: Frame,
    /// Its frame is part of the sum.
    sounds: bool,
}

impl Voice {
    /// The frame has been written. One that begins to sound is faded in; one that has ended gives the last
    /// sample of what it said, to be faded out.
    pub(super) fn take(&mut self, last: i16, is_heard: bool) -> i32 {
        let had_sounded = self.sounds;
        // Without an early end it is one pass of vector instructions.
        let peak = self
            .frame
            .0
            .iter()
            .fold(0, |peak: u16, sample| peak.max(sample.unsigned_abs()));
        self.sounds = is_heard && peak > SILENT;
        match (had_sounded, self.sounds) {
            (false, true) => joint::fade_in(&mut self.frame.0),
            (true, false) => return i32::from(last),
            _ => {}
        }
        0
    }

    /// Its part of the sum.
    pub(super) fn sound(&self) -> Option<&Frame> {
        self.sounds.then_some(&self.frame)
    }

    /// The last sample of its part of the sum.
    pub(super) fn last(&self) -> i16 {
        self.sound().map_or(0, |frame| frame.0[FRAME_SAMPLES - 1])
    }
}

/// 20 ms that somebody hears of others, and what they are in each codec once that is asked for.
#[derive(Debug)]
pub(crate) struct Mix {
    pub(crate) frame: Frame,
    is_silent: bool,
    encoded: [OnceCell<[u8; FRAME_SAMPLES]>; Codec::ALL.len()],
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            frame: Frame::SILENCE,
            is_silent: true,
            encoded: Default::default(),
        }
    }
}

impl Mix {
    /// What one alone says.
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            frame: *frame,
            is_silent: false,
            encoded: Default::default(),
        }
    }

    /// Becomes `total` without `own`, cut where it is louder than can be.
    pub(super) fn set(
        &mut self,
        total: &[i32; FRAME_SAMPLES],
        own: Option<&Frame>,
        is_silent: bool,
    ) {
        self.encoded = Default::default();
        self.is_silent = is_silent;
        let cut = |sum: i32| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        let samples = self.frame.0.iter_mut().zip(total);
        match own {
            Some(own) => samples
                .zip(&own.0)
                .for_each(|((sample, total), own)| *sample = cut(total - i32::from(*own))),
            None => samples.for_each(|(sample, total)| *sample = cut(*total)),
        }
    }

    /// Its payload.
    pub(crate) fn encoded(&self, codec: Codec) -> &[u8; FRAME_SAMPLES] {
        let place = match codec {
            Codec::Pcmu => &self.encoded[0],
            Codec::Pcma => &self.encoded[1],
        };
        place.get_or_init(|| {
            let mut octets = [codec.silence(); FRAME_SAMPLES];
            if !self.is_silent {
                codec.encode(&self.frame.0, &mut octets);
            }
            octets
        })
    }
}
