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

/// Conceals lost sound of one stream at 8 kHz.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// The last sound that was heard, concealed or not.
    heard: [i16; HISTORY],
    erasure: Option<Erasure>,
}

/// Longest pitch period: 15 ms, a voice of 66 Hz.
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
    /// Nothing has been heard yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heard: [0; HISTORY],
            erasure: None,
        }
    }

    /// Takes sound that came, and smooths its beginning if sound was lost before it.
    pub fn accept(&mut self, frame: &mut [i16]) {
        if let Some(mut erasure) = self.erasure.take() {
            let overlap = erasure.overlap().min(frame.len());
            for (at, sample) in frame[..overlap].iter_mut().enumerate() {
                let weight = (at + 1) as f32 / (overlap + 1) as f32;
                *sample = (erasure.next_sample() * (1.0 - weight) + f32::from(*sample) * weight)
                    .round() as i16;
            }
        }
        self.remember(frame);
    }

    /// Takes sound that came but does not follow what was heard before it: a piece between them was
    /// skipped to shorten the delay.
    pub fn join(&mut self, frame: &mut [i16]) {
        self.erasure
            .get_or_insert_with(|| Erasure::after(&self.heard));
        self.accept(frame);
    }

    /// Writes sound in place of what was lost.
    pub fn conceal(&mut self, out: &mut [i16]) {
        let erasure = self
            .erasure
            .get_or_insert_with(|| Erasure::after(&self.heard));
        out.fill_with(|| erasure.next_sample().round() as i16);
        self.remember(out);
    }

    /// Whether the last sound was concealed.
    #[must_use]
    pub const fn is_concealing(&self) -> bool {
        self.erasure.is_some()
    }

    fn remember(&mut self, frame: &[i16]) {
        let newest = &frame[frame.len().saturating_sub(HISTORY)..];
        self.heard.copy_within(newest.len().., 0);
        self.heard[HISTORY - newest.len()..].copy_from_slice(newest);
    }
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

/// Lost sound being made up.
#[derive(Clone, Debug)]
struct Erasure {
    /// What was heard before it.
    before: [f32; HISTORY],
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
    fn after(heard: &[i16; HISTORY]) -> Self {
        let before = heard.map(f32::from);
        let pitch = pitch_of(&before);
        let offset = before[HISTORY - 1] - before[HISTORY - 1 - pitch];
        Self {
            before,
            pitch,
            elapsed: 0,
            periods: 1,
            place: 0,
            leaving: None,
            offset,
        }
    }

    /// How many samples are faded into what comes next: a quarter period, longer after a longer
    /// loss, at most 10 ms.
    fn overlap(&self) -> usize {
        (self.pitch / 4 + (self.elapsed / STEP).saturating_sub(1) * 32).min(STEP)
    }

    fn next_sample(&mut self) -> f32 {
        if self.elapsed >= SILENT_FROM {
            return 0.0;
        }
        if self.elapsed == STEP || self.elapsed == 2 * STEP {
            self.leaving = Some((self.periods, self.place, self.pitch / 4));
            self.periods += 1;
        }
        let quarter = self.pitch / 4;
        let mut sample = self.repeated(self.periods, self.place);
        self.place = (self.place + 1) % (self.periods * self.pitch);
        if let Some((periods, place, left)) = self.leaving {
            let weight = left as f32 / (quarter + 1) as f32;
            sample += (self.repeated(periods, place) - sample) * weight;
            self.leaving =
                (left > 1).then(|| (periods, (place + 1) % (periods * self.pitch), left - 1));
        }
        if self.elapsed < quarter {
            sample += self.offset * (quarter - self.elapsed) as f32 / (quarter + 1) as f32;
        }
        let loud = 1.0 - self.elapsed.saturating_sub(STEP) as f32 / (SILENT_FROM - STEP) as f32;
        self.elapsed += 1;
        (sample * loud).clamp(-32_768.0, 32_767.0)
    }

    /// A sample of the last `periods` pitch periods, whose end is faded into what came before their
    /// beginning, so that they can follow themselves.
    fn repeated(&self, periods: usize, place: usize) -> f32 {
        let len = periods * self.pitch;
        let quarter = self.pitch / 4;
        let at = HISTORY - len + place;
        let into_seam = (place + quarter + 1).saturating_sub(len);
        if into_seam == 0 {
            return self.before[at];
        }
        let weight = into_seam as f32 / (quarter + 1) as f32;
        self.before[at] + (self.before[at - len] - self.before[at]) * weight
    }
}

/// The lag at which the last 20 ms are most like what came before them.
fn pitch_of(before: &[f32; HISTORY]) -> usize {
    let coarse = (MIN_PITCH..=MAX_PITCH).step_by(2);
    let around = best_lag(before, coarse, 2);
    best_lag(
        before,
        around.saturating_sub(1).max(MIN_PITCH)..=(around + 1).min(MAX_PITCH),
        1,
    )
}

fn best_lag(before: &[f32; HISTORY], lags: impl Iterator<Item = usize>, stride: usize) -> usize {
    let recent = &before[HISTORY - WINDOW..];
    let mut best = (MAX_PITCH, f32::MIN);
    for lag in lags {
        let earlier = &before[HISTORY - WINDOW - lag..];
        let (mut product, mut energy) = (0.0, 1.0);
        for (now, then) in recent
            .iter()
            .step_by(stride)
            .zip(earlier.iter().step_by(stride))
        {
            product += now * then;
            energy += then * then;
        }
        let likeness = product / energy.sqrt();
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;
    use crate::dsp::tone::ToneGenerator;
    use crate::sim::Chance;

    fn tone(hertz: f32, frames: usize) -> Vec<[i16; 160]> {
        let mut generator = ToneGenerator::single(hertz, -10.0);
        (0..frames)
            .map(|_| {
                let mut frame = [0; 160];
                generator.fill(&mut frame);
                frame
            })
            .collect()
    }

    /// Largest step between two samples.
    fn largest_step(sound: &[i16]) -> i32 {
        sound
            .windows(2)
            .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs())
            .max()
            .unwrap()
    }

    /// What is heard of a sound whose frames are lost where `is_lost` says so.
    fn heard(frames: &[[i16; 160]], is_lost: impl Fn(usize) -> bool) -> Vec<i16> {
        let mut concealer = Concealer::new();
        let mut heard = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            let mut frame = *frame;
            if is_lost(at) {
                concealer.conceal(&mut frame)
            } else {
                concealer.accept(&mut frame)
            }
            heard.extend(frame);
        }
        heard
    }

    #[test]
    fn sound_without_loss_is_left_alone() {
        let frames = tone(440.0, 20);
        assert_eq!(heard(&frames, |_| false), frames.concat());
    }

    #[test]
    fn one_lost_frame_of_a_tone_is_hardly_heard() {
        for hertz in [110.0, 200.0, 300.0, 440.0, 1_000.0] {
            let frames = tone(hertz, 20);
            let sound = heard(&frames, |at| at == 10);
            let before = dbov(&sound[1_280..1_600]);
            assert!(
                (dbov(&sound[1_600..1_760]) - before).abs() < 2.5,
                "{hertz} Hz"
            );
            assert!(
                largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50,
                "{hertz} Hz clicks"
            );
            assert!(
                frequency_power(&sound[1_600..1_760], hertz) > before - 3.5,
                "{hertz} Hz"
            );
        }
    }

    #[test]
    fn a_long_loss_fades_from_10_ms_to_silence_at_60_ms() {
        let sound = heard(&tone(250.0, 20), |at| at >= 10);
        let level = |ms: usize| dbov(&sound[1_600 + ms * 8..][..80]);
        assert!(level(0) > -17.0);
        assert!(level(20) < level(0) - 1.0 && level(40) < level(20) - 3.0);
        assert!(sound[1_600 + 480..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn sound_comes_back_without_a_click() {
        for lost in 1..8 {
            let frames = tone(300.0, 30);
            let sound = heard(&frames, |at| (10..10 + lost).contains(&at));
            assert!(
                largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50,
                "{lost} frames lost"
            );
            assert_eq!(
                sound[(11 + lost) * 160..],
                frames.concat()[(11 + lost) * 160..]
            );
        }
    }

    #[test]
    fn a_skipped_piece_is_joined_without_a_click() {
        let frames = tone(333.0, 20);
        let mut concealer = Concealer::new();
        let mut sound = Vec::new();
        for (at, frame) in frames.iter().enumerate().filter(|(at, _)| *at != 10) {
            let mut frame = *frame;
            if at == 11 {
                concealer.join(&mut frame)
            } else {
                concealer.accept(&mut frame)
            }
            sound.extend(frame);
        }
        assert!(largest_step(&sound) <= largest_step(&frames.concat()) * 3 / 2 + 50);
        assert!(!concealer.is_concealing());
    }

    #[test]
    fn noise_full_scale_and_odd_frame_lengths_do_no_harm() {
        let mut chance = Chance::new(11);
        let mut concealer = Concealer::new();
        for turn in 0..2_000 {
            let mut frame = vec![0; (chance.next() % 700) as usize];
            frame.fill_with(|| {
                if turn % 5 == 0 {
                    i16::MIN
                } else {
                    chance.next() as i16
                }
            });
            match chance.next() % 3 {
                0 => concealer.accept(&mut frame),
                1 => concealer.conceal(&mut frame),
                _ => concealer.join(&mut frame),
            }
        }
    }
}
