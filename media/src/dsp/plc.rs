//! Packet loss concealment: a lost frame sounds like the last pitch periods before it
//! (after ITU-T G.711 Appendix I, but without its delay of 3.75 ms).
//!
//! ```text
//!   heard before        lost                                    heard after
//!   ---------------.----------------------------------------.------------------
//!                  | period, again and again; after 10 ms   | faded into what
//!                  | two periods, after 20 ms three;        | comes next
//!                  | quieter from 10 ms, silent at 60 ms    |
//! ```

use super::likeness::{likeness, to_floats};
use crate::frame::{Band, to_sample};

/// Conceals lost sound of one stream.
#[derive(Clone, Debug)]
pub struct Concealer {
    scale: usize,
    /// The last sound that was given, made up or not, and behind it what was heard before a loss.
    sound: Box<[i16]>,
    erasure: Option<Erasure>,
}

/// Longest pitch period: 15 ms, a voice of 66 Hz. This and all that follows is in samples of the narrow band.
const MAX_PITCH: usize = 120;
/// Shortest pitch period: 5 ms, a voice of 200 Hz (or two periods of a higher one).
const MIN_PITCH: usize = 40;
/// Three of the longest periods, and a quarter of one to overlap.
const HISTORY: usize = 3 * MAX_PITCH + MAX_PITCH / 4;
/// What the pitch is searched by: the last 20 ms.
const WINDOW: usize = 160;
/// 10 ms.
const STEP: usize = 80;
/// From here on there is silence: 60 ms.
const SILENT_FROM: usize = 480;

impl Concealer {
    /// For the narrow band; nothing has been heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::in_band(Band::Narrow)
    }

    /// For a band.
    #[must_use]
    pub fn in_band(band: Band) -> Self {
        let scale = band.frame_samples() / Band::Narrow.frame_samples();
        Self {
            scale,
            sound: vec![0; 2 * HISTORY * scale].into(),
            erasure: None,
        }
    }

    /// For the narrow band; what comes begins softly.
    pub(crate) fn silent() -> Self {
        let mut silent = Self::new();
        silent.begin();
        silent.fade();
        silent
    }

    /// Takes sound that came, and smooths its beginning if sound was lost before it.
    pub fn accept(&mut self, frame: &mut [i16]) {
        self.blend(frame);
        self.remember(frame);
    }

    /// Takes sound that came but does not follow what was heard before it: a piece between them was
    /// skipped to shorten the delay.
    pub fn join(&mut self, frame: &mut [i16]) {
        self.begin();
        self.accept(frame);
    }

    /// Writes sound in place of what was lost.
    pub fn conceal(&mut self, out: &mut [i16]) {
        self.make_up(out);
        self.remember(out);
    }

    /// Writes sound in place of what was lost; [`Self::remember`] is to follow.
    pub(crate) fn make_up(&mut self, out: &mut [i16]) {
        self.begin();
        let before = &self.sound[HISTORY * self.scale..];
        if let Some(erasure) = &mut self.erasure {
            if erasure.is_silent() {
                out.fill(0);
            } else {
                out.fill_with(|| to_sample(erasure.next_sample(before)));
            }
        }
    }

    /// Smooths the beginning of what came, if sound was lost before it; [`Self::remember`] is to follow.
    pub(crate) fn blend(&mut self, frame: &mut [i16]) {
        let Some(mut erasure) = self.erasure.take() else {
            return;
        };
        let before = &self.sound[HISTORY * self.scale..];
        let overlap = erasure.overlap().min(frame.len());
        for (at, sample) in frame[..overlap].iter_mut().enumerate() {
            let weight = (at + 1) as f32 / (overlap + 1) as f32;
            let made_up = erasure.next_sample(before) * (1.0 - weight);
            *sample = to_sample(made_up + f32::from(*sample) * weight);
        }
    }

    /// Keeps what is given, to make up what follows it.
    pub(crate) fn remember(&mut self, frame: &[i16]) {
        let heard = &mut self.sound[..HISTORY * self.scale];
        let newest = &frame[frame.len().saturating_sub(heard.len())..];
        heard.copy_within(newest.len().., 0);
        let kept = heard.len() - newest.len();
        heard[kept..].copy_from_slice(newest);
    }

    /// The last 49 ms that were given.
    pub(crate) fn heard(&self) -> &[i16] {
        &self.sound[..HISTORY * self.scale]
    }

    /// Samples it keeps.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.sound.len()
    }

    /// Whether the last sound was concealed.
    #[must_use]
    pub const fn is_concealing(&self) -> bool {
        self.erasure.is_some()
    }

    /// Whether so much has been concealed that it is silent by now.
    pub(crate) fn has_faded(&self) -> bool {
        self.erasure.as_ref().is_some_and(Erasure::is_silent)
    }

    /// Goes on in a band, with what has been heard in the other.
    pub(crate) fn to_band(&self, band: Band) -> Self {
        let mut new = Self::in_band(band);
        let heard = self.heard();
        for (at, sample) in new.sound[..HISTORY * new.scale].iter_mut().enumerate() {
            *sample = heard[at * self.scale / new.scale];
        }
        if self.is_concealing() {
            new.begin();
            if self.has_faded() {
                new.fade();
            }
        }
        new
    }

    /// What is made up is silent from here on.
    fn fade(&mut self) {
        if let Some(erasure) = &mut self.erasure {
            erasure.elapsed = SILENT_FROM * self.scale;
        }
    }

    /// What comes next does not follow what was given last.
    pub(crate) fn begin(&mut self) {
        if self.erasure.is_none() {
            let (heard, before) = self.sound.split_at_mut(HISTORY * self.scale);
            before.copy_from_slice(heard);
            self.erasure = Some(Erasure::after(before, self.scale));
        }
    }
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

/// Lost sound being made up out of what was heard before it.
#[derive(Clone, Debug)]
struct Erasure {
    scale: usize,
    pitch: usize,
    /// Samples made up so far.
    elapsed: usize,
    /// Pitch periods that repeat, and the place within them.
    periods: usize,
    place: usize,
    /// The walk before the number of periods changed, which fades out over so many samples more.
    leaving: Option<(usize, usize, usize)>,
    /// Step from the last sample heard to the repeated one, which fades out over the first quarter period.
    offset: f32,
}

impl Erasure {
    fn after(before: &[i16], scale: usize) -> Self {
        let pitch = pitch_of(before, scale);
        let last = before.len() - 1;
        Self {
            scale,
            pitch,
            elapsed: 0,
            periods: 1,
            place: 0,
            leaving: None,
            offset: f32::from(before[last]) - f32::from(before[last - pitch]),
        }
    }

    fn is_silent(&self) -> bool {
        self.elapsed >= SILENT_FROM * self.scale
    }

    /// How many samples are faded into what comes next: a quarter period, longer after a longer
    /// loss, at most 10 ms.
    fn overlap(&self) -> usize {
        let step = STEP * self.scale;
        let longer = (self.elapsed / step).saturating_sub(1) * 32 * self.scale;
        (self.pitch / 4 + longer).min(step)
    }

    fn next_sample(&mut self, before: &[i16]) -> f32 {
        if self.is_silent() {
            return 0.0;
        }
        let step = STEP * self.scale;
        if self.elapsed == step || self.elapsed == 2 * step {
            self.leaving = Some((self.periods, self.place, self.pitch / 4));
            self.periods += 1;
        }
        let quarter = self.pitch / 4;
        let mut sample = self.repeated(before, self.periods, self.place);
        self.place = (self.place + 1) % (self.periods * self.pitch);
        if let Some((periods, place, left)) = self.leaving {
            let weight = left as f32 / (quarter + 1) as f32;
            sample += (self.repeated(before, periods, place) - sample) * weight;
            self.leaving =
                (left > 1).then(|| (periods, (place + 1) % (periods * self.pitch), left - 1));
        }
        if self.elapsed < quarter {
            sample += self.offset * (quarter - self.elapsed) as f32 / (quarter + 1) as f32;
        }
        let fading = (SILENT_FROM * self.scale - step) as f32;
        let loud = 1.0 - self.elapsed.saturating_sub(step) as f32 / fading;
        self.elapsed += 1;
        sample * loud
    }

    /// A sample of the last `periods` pitch periods, whose end is faded into what came before their
    /// beginning, so that they can follow themselves.
    fn repeated(&self, before: &[i16], periods: usize, place: usize) -> f32 {
        let len = periods * self.pitch;
        let quarter = self.pitch / 4;
        let at = before.len() - len + place;
        let sample = f32::from(before[at]);
        let into_seam = (place + quarter + 1).saturating_sub(len);
        if into_seam == 0 {
            return sample;
        }
        let weight = into_seam as f32 / (quarter + 1) as f32;
        sample + (f32::from(before[at - len]) - sample) * weight
    }
}

/// The lag at which the last 20 ms are most like what came before them.
fn pitch_of(before: &[i16], scale: usize) -> usize {
    let mut floats = [0.0; 2 * HISTORY];
    let before = to_floats(before, &mut floats);
    let window = before.len() - WINDOW * scale;
    let best = |lags: &mut dyn Iterator<Item = usize>| {
        let recent = &before[window..];
        let likenesses = lags.map(|lag| (lag, likeness(recent, &before[window - lag..])));
        let first = (MAX_PITCH * scale, f32::MIN);
        likenesses
            .fold(
                first,
                |best, next| if next.1 > best.1 { next } else { best },
            )
            .0
    };
    let (least, most) = (MIN_PITCH * scale, MAX_PITCH * scale);
    let around = best(&mut (least..=most).step_by(2 * scale));
    best(&mut ((around + 1 - 2 * scale).max(least)..=(around + 2 * scale - 1).min(most)))
}

#[cfg(test)]
mod tests;
