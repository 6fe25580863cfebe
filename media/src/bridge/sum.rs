//! What all members say together.

use super::mix::Mix;
use super::voice::{Ending, Voice};
use crate::dsp::joint;
use crate::dsp::limiter::Limiter;
use crate::dsp::resample::Doubler;
use crate::frame::{Band, FRAME_SAMPLES, Sound, WIDE_SAMPLES};

/// The voices added up, in the narrow band and, for those who hear more, in the wide one.
///
/// ```text
///   narrow members ---+--------------------> narrow sum
///                     '--> limit, double --.    ^
///   wide members ----> narrow --------------|---'
///                 '--> wide ---------------- + -> wide sum
/// ```
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) narrow: [i32; FRAME_SAMPLES],
    /// The loudest sample of that.
    pub(super) peak: u32,
    /// There once somebody hears the wide band.
    pub(super) wide: Option<Box<WideSum>>,
    tails: Tails,
    is_silent: bool,
}

#[derive(Debug)]
pub(super) struct WideSum {
    pub(super) samples: [i32; WIDE_SAMPLES],
    pub(super) peak: u32,
    limiter: Limiter,
    doubler: Doubler,
    /// The doubler has something left to give.
    is_flowing: bool,
}

/// What is left of those who ended while they sounded: their last samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tails {
    /// Of those in the narrow band.
    narrow: i32,
    /// Of those in the wide band: what is narrow of it, and all of it.
    wide: (i32, i32),
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            narrow: [0; FRAME_SAMPLES],
            peak: 0,
            wide: None,
            tails: Tails::default(),
            is_silent: true,
        }
    }
}

impl Sum {
    /// Lets something that ended fade.
    pub(super) fn fade(&mut self, ending: Ending) {
        match ending.wide {
            None => self.tails.narrow += i32::from(ending.narrow),
            Some(wide) => {
                self.tails.wide.0 += i32::from(ending.narrow);
                self.tails.wide.1 += i32::from(wide);
            }
        }
    }

    /// Begins or ends to add up the wide band too.
    pub(super) fn set_wide(&mut self, is_wide: bool) {
        if is_wide != self.wide.is_some() {
            self.wide = is_wide.then(Box::default);
        }
    }

    /// Adds up what is said in this tick.
    pub(super) fn add_up<'a>(&mut self, voices: impl Iterator<Item = &'a Voice> + Clone) {
        let tails = std::mem::take(&mut self.tails);
        self.is_silent = tails == Tails::default();
        self.narrow.fill(0);
        if tails.narrow != 0 {
            joint::fade_out(Band::Narrow, tails.narrow, &mut self.narrow);
        }
        let sounds = || voices.clone().filter_map(Voice::sound);
        for sound in sounds().filter(|sound| sound.wide.is_none()) {
            self.is_silent = false;
            add(&mut self.narrow, &sound.narrow.0);
        }
        if let Some(wide) = &mut self.wide {
            wide.begin(&self.narrow, self.is_silent);
            joint::fade_out(Band::Wide, tails.wide.1, &mut wide.samples);
        }
        if tails.wide.0 != 0 {
            joint::fade_out(Band::Narrow, tails.wide.0, &mut self.narrow);
        }
        for sound in sounds() {
            let Some(wide) = &sound.wide else { continue };
            self.is_silent = false;
            add(&mut self.narrow, &sound.narrow.0);
            if let Some(sum) = &mut self.wide {
                add(&mut sum.samples, &wide.0);
            }
        }
        self.peak = peak(&self.narrow);
        if let Some(wide) = &mut self.wide {
            wide.peak = peak(&wide.samples);
        }
    }

    /// Writes what one hears of all but `own`, in the wide band too if it `is_wide`.
    pub(super) fn without(
        &self,
        own: Option<&Voice>,
        limits: &mut Limits,
        is_wide: bool,
        mix: &mut Mix,
    ) {
        let own_sound = own.and_then(Voice::sound);
        let own_peak = own.map_or(0, Voice::peak);
        mix.begin(self.is_silent);
        let narrow = own_sound.map(|sound| &sound.narrow.0);
        let is_safe = self.peak + own_peak <= SAFE;
        write(
            &self.narrow,
            narrow,
            is_safe,
            &mut limits.narrow,
            &mut mix.sound.narrow.0,
        );
        let Some(sum) = self.wide.as_ref().filter(|_| is_wide) else {
            mix.sound.wide = None;
            return;
        };
        let wide = mix
            .sound
            .wide
            .get_or_insert(crate::frame::WideFrame::SILENCE);
        let own = own_sound
            .and_then(|sound| sound.wide.as_ref())
            .map(|wide| &wide.0);
        let is_safe = sum.peak + own_peak <= SAFE;
        write(&sum.samples, own, is_safe, &mut limits.wide, &mut wide.0);
    }
}

/// The gains of what one hears.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    narrow: Limiter,
    wide: Limiter,
}

impl Limits {
    /// Whether one who hears by these can go on by the others without a step.
    pub(super) fn agree_with(&self, other: &Self) -> bool {
        self.narrow.agrees_with(&other.narrow) && self.wide.agrees_with(&other.wide)
    }
}

/// A sum that has no louder sample needs no limiter.
const SAFE: u32 = crate::dsp::limiter::THRESHOLD.unsigned_abs();

impl WideSum {
    /// Begins with what those of the narrow band say.
    fn begin(&mut self, narrow: &[i32; FRAME_SAMPLES], is_silent: bool) {
        self.samples.fill(0);
        if is_silent && !self.is_flowing {
            return;
        }
        self.is_flowing = !is_silent;
        let (mut limited, mut doubled) = ([0; FRAME_SAMPLES], [0; WIDE_SAMPLES]);
        self.limiter.limit(narrow, &mut limited);
        self.doubler.process(&limited, &mut doubled);
        add(&mut self.samples, &doubled);
    }
}

impl Default for WideSum {
    fn default() -> Self {
        Self {
            samples: [0; WIDE_SAMPLES],
            peak: 0,
            limiter: Limiter::new(),
            doubler: Doubler::new(),
            is_flowing: false,
        }
    }
}

impl Mix {
    /// Sound of one alone.
    pub(crate) fn of(sound: &Sound) -> Self {
        let mut mix = Self::default();
        mix.begin(false);
        mix.sound = *sound;
        mix
    }
}

fn write<const N: usize>(
    sum: &[i32; N],
    own: Option<&[i16; N]>,
    is_safe: bool,
    limiter: &mut Limiter,
    out: &mut [i16; N],
) {
    let is_plain = is_safe && limiter.is_open();
    match own {
        None if is_plain => {
            for (out, sum) in out.iter_mut().zip(sum) {
                *out = *sum as i16;
            }
        }
        // Where nothing is too loud the lower halves hold all there is.
        Some(own) if is_plain => {
            for ((out, sum), own) in out.iter_mut().zip(sum).zip(own) {
                *out = (*sum as i16).wrapping_sub(*own);
            }
        }
        None => limiter.limit(sum, out),
        Some(own) => {
            let mut others = *sum;
            for (sum, own) in others.iter_mut().zip(own) {
                *sum -= i32::from(*own);
            }
            limiter.limit(&others, out);
        }
    }
}

fn add<const N: usize>(sum: &mut [i32; N], samples: &[i16; N]) {
    for (sum, sample) in sum.iter_mut().zip(samples) {
        *sum += i32::from(*sample);
    }
}

fn peak(sum: &[i32]) -> u32 {
    let (low, high) = sum.iter().fold((0, 0), |(low, high): (i32, i32), sum| {
        (low.min(*sum), high.max(*sum))
    });
    low.unsigned_abs().max(high.unsigned_abs())
}
