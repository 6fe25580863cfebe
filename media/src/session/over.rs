//! A voice over what others say.

use super::voices::Spoken;
use crate::dsp::joint;
use crate::dsp::limiter::Limiter;
use crate::frame::{Band, FRAME_SAMPLES, Sound, WIDE_SAMPLES};

/// Puts voices over the sound of others: no step where one begins, ends or is cut off, and never too loud.
#[derive(Debug, Default)]
pub(super) struct Over {
    /// The last sample of the voice, in both bands, while one speaks.
    last: Option<(i16, i16)>,
    /// A key was heard alone.
    was_alone: bool,
    limiters: (Limiter, Limiter),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Laid {
    /// It goes on, from the voice to the others or back, at another sample.
    pub(super) is_turned: bool,
}

impl Over {
    /// Whether it has nothing left to do when no voice speaks.
    pub(super) fn is_idle(&self) -> bool {
        let (narrow, wide) = &self.limiters;
        self.last.is_none() && !self.was_alone && narrow.is_open() && wide.is_open()
    }

    /// Lays `voice`, which `is_sounding` or silent, over `said`; a key takes its place, because it has to be heard
    /// alone to be known.
    pub(super) fn lay(
        &mut self,
        (spoken, is_sounding): (Spoken, bool),
        is_cut: bool,
        voice: &mut Sound,
        said: &mut Sound,
    ) -> Laid {
        let is_alone = spoken == Spoken::Key;
        let is_turned = std::mem::replace(&mut self.was_alone, is_alone) != is_alone;
        if is_alone {
            self.last = None;
            *said = *voice;
            return Laid { is_turned };
        }
        let mut tail = (0, 0);
        match (self.last, is_sounding) {
            (None, true) => bend((0, 0), voice),
            (Some(last), true) if is_cut => bend(last, voice),
            (Some(last), false) => tail = last,
            _ => {}
        }
        self.last = is_sounding.then(|| last_of(voice));
        let (narrow, wide) = &mut self.limiters;
        let voices = is_sounding.then_some(&*voice);
        let over = voices.map(|voice| &voice.narrow.0);
        add::<FRAME_SAMPLES>(Band::Narrow, &mut said.narrow.0, over, tail.0, narrow);
        if let Some(said) = &mut said.wide {
            let over = voices
                .and_then(|voice| voice.wide.as_ref())
                .map(|wide| &wide.0);
            add::<WIDE_SAMPLES>(Band::Wide, &mut said.0, over, tail.1, wide);
        }
        Laid { is_turned }
    }
}

fn last_of(sound: &Sound) -> (i16, i16) {
    let wide = sound
        .wide
        .as_ref()
        .map_or(0, |wide| wide.0[WIDE_SAMPLES - 1]);
    (sound.narrow.0[FRAME_SAMPLES - 1], wide)
}

fn bend(last: (i16, i16), voice: &mut Sound) {
    joint::smooth(Band::Narrow, last.0, &mut voice.narrow.0);
    if let Some(wide) = &mut voice.wide {
        joint::smooth(Band::Wide, last.1, &mut wide.0);
    }
}

/// Adds a voice, and what is left of one that ended.
fn add<const N: usize>(
    band: Band,
    said: &mut [i16; N],
    voice: Option<&[i16; N]>,
    tail: i16,
    limiter: &mut Limiter,
) {
    let mut sum = said.map(i32::from);
    for (sum, voice) in sum.iter_mut().zip(voice.into_iter().flatten()) {
        *sum += i32::from(*voice);
    }
    joint::fade_out(band, i32::from(tail), &mut sum);
    limiter.limit(&sum, said);
}
