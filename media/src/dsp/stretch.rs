//! Sound made shorter or longer by a piece that repeats itself, so that neither pitch nor joint is heard
//! (waveform similarity and overlap-add).
//!
//! ```text
//!   shorter  a a a a|b b b b|c c      longer   heard: . . a a|b b c c
//!            \_ faded into _/                          faded into
//!            a-b b b|c c                        . . a a|b-a a|b b c c
//! ```

use super::likeness::{correlation, power, to_floats};
use crate::frame::{Band, to_sample};

/// Changes the length of pieces of one stream, each by one pitch period or some.
#[derive(Clone, Copy, Debug)]
pub struct Stretcher {
    scale: usize,
}

/// How far a change may be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Only what nobody hears: sound that repeats itself, and noise too quiet to have a shape.
    Usual,
    /// Whatever repeats itself somewhat: the delay is far off.
    Little,
}

/// The piece that repeats itself, and how like it is to the next.
#[derive(Clone, Copy, Debug)]
struct Piece {
    len: usize,
    likeness: f32,
}

/// Shortest and longest piece, 2.5 and 15 ms, in samples of the narrow band.
const MIN_PIECE: usize = 20;
const MAX_PIECE: usize = 120;
/// One is faded into the other over 10 ms at most …
const FADE: usize = 80;
/// … and over 2.5 ms at least.
const MIN_FADE: usize = 20;
/// Sound quieter than this (mean square, -58 dBov) is changed wherever it is.
const QUIET: f32 = 1_700.0;

impl Stretcher {
    /// One for sound of a band.
    #[must_use]
    pub const fn new(band: Band) -> Self {
        let scale = band.frame_samples() / Band::Narrow.frame_samples();
        Self { scale }
    }

    /// Samples that sound is made longer at most.
    #[must_use]
    pub const fn most(self) -> usize {
        MAX_PIECE * self.scale
    }

    /// Makes `sound` shorter by at most `most` samples, at its beginning, and says by how many; what is left is
    /// at its front. 0: not here.
    pub fn shorten(self, sound: &mut [i16], most: usize, care: Care) -> usize {
        let longest = self.most().min(most);
        let longest = longest.min(sound.len().saturating_sub(MIN_FADE * self.scale));
        let mut floats = [0.0; 2 * (MAX_PIECE + FADE)];
        let floats = to_floats(sound, &mut floats);
        let fade = |len: usize| (floats.len() - len).min(FADE * self.scale);
        let piece = self.best(longest, |len| (floats, &floats[len..][..fade(len)]));
        let Some(Piece { len, likeness }) =
            piece.filter(|piece| self.is_fine(floats, *piece, care))
        else {
            return 0;
        };
        let fade = fade(len);
        for at in 0..fade {
            sound[at] = faded((floats[at], floats[at + len]), (at, fade), likeness);
        }
        sound.copy_within(len + fade.., fade);
        len
    }

    /// Makes `sound`, which follows what was `heard`, longer at its beginning, and says by how many samples. Its
    /// first `len` are the sound; behind them there is room for [`Self::most`]. 0: not here.
    pub fn lengthen(self, heard: &[i16], sound: &mut [i16], len: usize, care: Care) -> usize {
        let room = if len == 0 { 0 } else { sound.len() - len };
        let longest = self.most().min(heard.len()).min(room);
        let (mut before, mut after) = ([0.0; 2 * MAX_PIECE], [0.0; 2 * FADE]);
        let before = to_floats(&heard[heard.len() - longest..], &mut before);
        let after = to_floats(&sound[..len], &mut after);
        let fade = |len: usize| len.min(after.len()).min(FADE * self.scale);
        let piece = self.best(longest, |len| {
            (after, &before[longest - len..][..fade(len)])
        });
        let Some(Piece {
            len: added,
            likeness,
        }) = piece.filter(|piece| self.is_fine(after, *piece, care))
        else {
            return 0;
        };
        sound.copy_within(..len, added);
        sound[..added].copy_from_slice(&heard[heard.len() - added..]);
        let again = &before[longest - added..];
        let fade = fade(added);
        for at in 0..fade {
            sound[at] = faded((after[at], again[at]), (at, fade), likeness);
        }
        added
    }

    /// The piece, `longest` at most, after which sound goes on most like before it.
    fn best<'a>(
        self,
        longest: usize,
        pieces: impl Fn(usize) -> (&'a [f32], &'a [f32]),
    ) -> Option<Piece> {
        let try_one = |len: usize| {
            let (one, other) = pieces(len);
            // Of two that are as good, the longer one: it is done sooner.
            let likeness = correlation(one, other) + 0.02 * len as f32 / self.most() as f32;
            Piece { len, likeness }
        };
        let best = |lens: &mut dyn Iterator<Item = usize>| {
            lens.map(try_one).reduce(|best, next| {
                if next.likeness > best.likeness {
                    next
                } else {
                    best
                }
            })
        };
        let least = MIN_PIECE * self.scale;
        let step = 2 * self.scale;
        let near = best(&mut (least..=longest).step_by(step))?.len;
        best(&mut ((near + 1 - step).max(least)..=(near + step - 1).min(longest)))
    }

    fn is_fine(self, sound: &[f32], piece: Piece, care: Care) -> bool {
        let needed = match care {
            Care::Usual => 0.85,
            Care::Little => 0.5,
        };
        let near = &sound[..sound.len().min(FADE * self.scale)];
        piece.likeness >= needed || power(near) <= QUIET
    }
}

/// One sound on its way into the other, as loud as they are, whether they are alike or not.
fn faded((from, into): (f32, f32), (at, fade): (usize, usize), likeness: f32) -> i16 {
    let weight = (at + 1) as f32 / (fade + 1) as f32;
    let alike = likeness.clamp(0.0, 1.0);
    let loss = 1.0 - 2.0 * weight * (1.0 - weight) * (1.0 - alike);
    to_sample((from * (1.0 - weight) + into * weight) / loss.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::meter::frequency_power;
    use crate::sim::Chance;

    const BANDS: [Band; 2] = [Band::Narrow, Band::Wide];

    fn tone(band: Band, hertz: f64, count: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / f64::from(band.sample_rate());
        (0..count)
            .map(|at| (5_000.0 * (step * at as f64).sin()) as i16)
            .collect()
    }

    /// A sound of which every fifth frame is made shorter or longer, and by how much in all.
    fn stretched(band: Band, sound: &[i16], is_longer: bool) -> (Vec<i16>, usize) {
        let (stretcher, frame) = (Stretcher::new(band), band.frame_samples());
        let (mut out, mut changed) = (vec![0; 2 * frame], 0);
        for (at, part) in sound.chunks_exact(frame).enumerate() {
            let mut space = [part, &vec![0; stretcher.most()]].concat();
            let mut count = frame;
            if at % 5 == 4 {
                let by = match is_longer {
                    true => stretcher.lengthen(
                        &out[out.len() - 2 * frame..],
                        &mut space,
                        count,
                        Care::Usual,
                    ),
                    false => stretcher.shorten(&mut space[..count], frame, Care::Usual),
                };
                changed += by;
                count = if is_longer { count + by } else { count - by };
            }
            out.extend(&space[..count]);
        }
        (out.split_off(2 * frame), changed)
    }

    #[test]
    fn a_tone_made_shorter_or_longer_is_the_same_tone_without_a_step() {
        for band in BANDS {
            for hertz in [150.0, 440.0, 1_000.0, 2_345.0] {
                for is_longer in [false, true] {
                    let sound = tone(band, hertz, 3 * band.sample_rate() as usize);
                    let (out, changed) = stretched(band, &sound, is_longer);
                    let what = format!("{band:?} {hertz} Hz, longer: {is_longer}");
                    let wanted = sound.len() as f64 * if is_longer { 1.0 } else { -1.0 };
                    assert_eq!(
                        out.len() as f64,
                        sound.len() as f64 + changed as f64 * wanted.signum()
                    );
                    assert!(changed > sound.len() / 40, "{what}: {changed}");
                    assert!((dbov(&out) - dbov(&sound)).abs() < 0.3, "{what}");
                    let scale = f64::from(band.sample_rate()) / 8_000.0;
                    for part in out.chunks_exact(1_600) {
                        let power = frequency_power(part, (hertz / scale) as f32);
                        assert!(power > dbov(part) - 1.0, "{what}: {power:.1}");
                    }
                    let step = |sound: &[i16]| {
                        let steps = sound
                            .windows(2)
                            .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
                        steps.max().unwrap()
                    };
                    assert!(
                        step(&out) <= step(&sound) * 5 / 4 + 100,
                        "{what}: {}",
                        step(&out)
                    );
                }
            }
        }
    }

    #[test]
    fn loud_noise_is_let_be_and_quiet_noise_and_silence_are_not() {
        let mut chance = Chance::new(6);
        for band in BANDS {
            for (peak, is_changed) in [(8_000.0, false), (25.0, true), (0.0, true)] {
                let sound: Vec<i16> = (0..8_000)
                    .map(|_| (peak * (chance.unit() - 0.5)) as i16)
                    .collect();
                for is_longer in [false, true] {
                    let (out, changed) = stretched(band, &sound, is_longer);
                    assert_eq!(
                        changed > 0,
                        is_changed,
                        "{band:?} {peak} {is_longer} {changed}"
                    );
                    assert!((dbov(&out) - dbov(&sound)).abs() < 0.7 || peak == 0.0);
                }
            }
        }
    }

    #[test]
    fn any_length_and_any_wish_are_kept() {
        let mut chance = Chance::new(2);
        for _ in 0..3_000 {
            let band = BANDS[chance.next() as usize % 2];
            let stretcher = Stretcher::new(band);
            let (len, most) = (
                (chance.next() % 900) as usize,
                (chance.next() % 400) as usize,
            );
            let mut space = vec![0; len + stretcher.most()];
            space.fill_with(|| chance.next() as i16);
            let less = stretcher.shorten(&mut space[..len], most, Care::Little);
            assert!(less <= most && less <= len);
            let heard = vec![7; (chance.next() % 300) as usize];
            let more = stretcher.lengthen(&heard, &mut space, len, Care::Little);
            assert!(more <= stretcher.most() && more <= heard.len());
        }
    }
}
