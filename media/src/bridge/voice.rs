//! What one member says, on its way into the sum.

use super::gauge::Gauge;
use crate::dsp::joint;
use crate::frame::{Band, FRAME_SAMPLES, Sound, WIDE_SAMPLES};

/// Samples no louder than this are digital silence: the first step of A-law.
const SILENT: u16 = 8;

/// What one member says.
#[derive(Debug, Default)]
pub(super) struct Voice {
    pub(super) sound: Sound,
    /// It is part of the sum.
    sounds: bool,
    /// For the last time.
    is_leaving: bool,
    /// The loudest sample of that.
    peak: u16,
    /// There while its loudness matters.
    pub(super) gauge: Option<Box<Gauge>>,
}

/// The last sample of a part of the sum, in each band that it was in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) narrow: i16,
    pub(super) wide: Option<i16>,
}

/// How a voice is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    /// Somebody speaks, and may.
    pub(super) is_heard: bool,
    /// It is brought to the level of the others.
    pub(super) is_leveled: bool,
}

impl Voice {
    /// Its sound has been written, after one that ended so. One that begins to sound is faded in; one that has
    /// ended, or goes on in another band, gives the last sample of what it said, to be faded out.
    pub(super) fn take(&mut self, last: Ending, taking: Taking) -> Ending {
        let had_sounded = self.sounds && !std::mem::take(&mut self.is_leaving);
        let mut is_heard = taking.is_heard;
        if let Some(gauge) = &mut self.gauge {
            is_heard &= gauge.is_chosen();
            gauge.take(&mut self.sound, taking.is_heard, taking.is_leveled);
        }
        self.peak = peak(&self.sound.narrow.0);
        if let Some(wide) = &self.sound.wide {
            self.peak = self.peak.max(peak(&wide.0));
        }
        let is_loud = taking.is_heard && self.peak > SILENT;
        if had_sounded && is_loud && !is_heard {
            // It is not one of the loudest any more.
            self.fade(joint::fade_away);
            self.is_leaving = true;
            return Ending::default();
        }
        self.sounds = is_heard && is_loud;
        let is_other_band = last.wide.is_some() != self.sound.wide.is_some();
        match (had_sounded, self.sounds) {
            (true, true) if is_other_band => {
                self.fade(joint::fade_in);
                last
            }
            (false, true) => {
                self.fade(joint::fade_in);
                Ending::default()
            }
            (true, false) => last,
            _ => Ending::default(),
        }
    }

    /// Its part of the sum.
    pub(super) fn sound(&self) -> Option<&Sound> {
        self.sounds.then_some(&self.sound)
    }

    /// The loudest sample of that.
    pub(super) const fn peak(&self) -> u32 {
        if self.sounds { self.peak as u32 } else { 0 }
    }

    /// The last sample of its part of the sum.
    pub(super) fn ending(&self) -> Ending {
        self.sound().map_or(Ending::default(), |sound| Ending {
            narrow: sound.narrow.0[FRAME_SAMPLES - 1],
            wide: sound.wide.as_ref().map(|wide| wide.0[WIDE_SAMPLES - 1]),
        })
    }

    fn fade(&mut self, fade: fn(Band, &mut [i16])) {
        fade(Band::Narrow, &mut self.sound.narrow.0);
        if let Some(wide) = &mut self.sound.wide {
            fade(Band::Wide, &mut wide.0);
        }
    }
}

/// The loudest sample.
fn peak(samples: &[i16]) -> u16 {
    // Without an early end it is one pass of vector instructions.
    let (low, high) = samples
        .iter()
        .fold((0, 0), |(low, high): (i16, i16), sample| {
            (low.min(*sample), high.max(*sample))
        });
    low.unsigned_abs().max(high.unsigned_abs())
}
