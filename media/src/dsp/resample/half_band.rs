//! Twice and half the sample rate by a half-band filter: what joins the two bands, 20 ms at a time.
//!
//! ```text
//!   narrow  ──► 36 taps ──►  every second sample  ─┐
//!           └──► delay  ──►  those between them   ─┴─► wide
//!
//!   wide  ─┬─►  every second sample  ──► 36 taps ─┐
//!          └─►  those between them   ──► delay   ─┴─► sum ──► narrow
//! ```
//!
//! A half-band filter lets half of the wide band through. All its taps an even way from the middle are zero
//! but the middle one, so that one of the two branches is a mere delay.

use crate::frame::{FRAME_SAMPLES, to_sample};

/// From the narrow band to the wide: 8,000 samples a second to 16,000.
///
/// Flat within 0.001 dB to 3.4 kHz; images (from 4.6 kHz on) are 90 dB down. The sound comes 35 wide samples
/// late, 2.2 ms. Nothing is allocated.
#[derive(Clone, Debug)]
pub struct Doubler {
    /// The last samples that came, oldest first.
    past: [f32; PAST],
}

/// From the wide band to the narrow: 16,000 samples a second to 8,000.
///
/// Flat within 0.001 dB to 3.4 kHz; what would come back as an alias below it (from 4.6 kHz on) is 90 dB down.
/// The sound comes 34 wide samples late, 2.1 ms. Nothing is allocated.
#[derive(Clone, Debug)]
pub struct Halver {
    /// The last of each pair that came, oldest first: what is filtered.
    filtered: [f32; PAST],
    /// The first of each: what is delayed.
    delayed: [f32; PAST],
}

impl Doubler {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { past: [0.0; PAST] }
    }

    /// Forgets what it has heard.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// Doubles the rate: `wide` is filled with two samples for each of `narrow`.
    ///
    /// Takes only as many samples as `wide` has room for.
    pub fn process(&mut self, narrow: &[i16], wide: &mut [i16]) {
        let pairs = wide.as_chunks_mut::<2>().0;
        for (narrow, pairs) in narrow.chunks(BLOCK).zip(pairs.chunks_mut(BLOCK)) {
            let (mut line, mut sums) = ([0.0; PAST + BLOCK], [0.0; BLOCK]);
            let taken = narrow.len().min(pairs.len());
            line[..PAST].copy_from_slice(&self.past);
            for (place, sample) in line[PAST..].iter_mut().zip(&narrow[..taken]) {
                *place = f32::from(*sample);
            }
            filter(&line, &mut sums, taken);
            let passed = &line[PAST - MIDDLE..];
            for ((pair, sum), passed) in pairs[..taken].iter_mut().zip(sums).zip(passed) {
                *pair = [to_sample(sum), to_sample(*passed)];
            }
            self.past.copy_from_slice(&line[taken..taken + PAST]);
        }
    }
}

impl Halver {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            filtered: [0.0; PAST],
            delayed: [0.0; PAST],
        }
    }

    /// Forgets what it has heard.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// Halves the rate: `narrow` is filled with one sample for each two of `wide`.
    ///
    /// Takes only as many samples as `narrow` has room for; an odd last one is left.
    pub fn process(&mut self, wide: &[i16], narrow: &mut [i16]) {
        let pairs = wide.as_chunks::<2>().0;
        for (pairs, narrow) in pairs.chunks(BLOCK).zip(narrow.chunks_mut(BLOCK)) {
            let (mut filtered, mut delayed) = ([0.0; PAST + BLOCK], [0.0; PAST + BLOCK]);
            let mut sums = [0.0; BLOCK];
            let taken = pairs.len().min(narrow.len());
            filtered[..PAST].copy_from_slice(&self.filtered);
            delayed[..PAST].copy_from_slice(&self.delayed);
            let places = filtered[PAST..].iter_mut().zip(&mut delayed[PAST..]);
            for ((later, earlier), pair) in places.zip(&pairs[..taken]) {
                [*earlier, *later] = pair.map(f32::from);
            }
            filter(&filtered, &mut sums, taken);
            let passed = &delayed[PAST - MIDDLE..];
            for ((sample, sum), passed) in narrow[..taken].iter_mut().zip(sums).zip(passed) {
                *sample = to_sample(0.5 * (sum + passed));
            }
            self.filtered
                .copy_from_slice(&filtered[taken..taken + PAST]);
            self.delayed.copy_from_slice(&delayed[taken..taken + PAST]);
        }
    }
}

impl Default for Doubler {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Halver {
    fn default() -> Self {
        Self::new()
    }
}

/// Samples of the narrow rate that are filtered at once: a frame of 20 ms.
const BLOCK: usize = FRAME_SAMPLES;
/// Sums that are kept in registers while the taps go by.
const LANES: usize = 16;
/// Samples of the past that a sum needs.
const PAST: usize = 2 * HALF.len() - 1;
/// How far the delayed branch is behind, in samples of the narrow rate: the middle of the filter.
const MIDDLE: usize = HALF.len() - 1;

const _: () = assert!(BLOCK.is_multiple_of(LANES));

/// One half of the filter, outermost tap first; the other is its mirror image. Each sums up to one half.
///
/// The equiripple design (Parks–McClellan) for a band up to 3.4 kHz of 16,000 samples a second.
#[rustfmt::skip]
const HALF: [f32; 18] = [
    -0.00010949556, 0.00026664574, -0.0005731783, 0.0010895411, -0.0019041898, 0.003126534,
    -0.0048896275, 0.0073547987, -0.010720668, 0.015241266, -0.021262588, 0.02929812,
    -0.040192924, 0.055513088, -0.0786089, 0.118233874, -0.20663781, 0.63474405,
];

/// Sums of the products of the taps with the `count` windows of `line`, each a sample on.
fn filter(line: &[f32; PAST + BLOCK], sums: &mut [f32; BLOCK], count: usize) {
    let blocks = sums.as_chunks_mut::<LANES>().0;
    for (block, sums) in blocks.iter_mut().take(count.div_ceil(LANES)).enumerate() {
        let window = &line[block * LANES..][..PAST + LANES];
        let mut lanes = [0.0; LANES];
        for (tap, weight) in HALF.iter().enumerate() {
            let (early, late) = (&window[tap..][..LANES], &window[PAST - tap..][..LANES]);
            for lane in 0..LANES {
                lanes[lane] += weight * (early[lane] + late[lane]);
            }
        }
        *sums = lanes;
    }
}

#[cfg(test)]
mod tests;
