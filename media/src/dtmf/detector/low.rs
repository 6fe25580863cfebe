//! Dial tone and hum beside the keys: what sounds below them steadily is taken out.

use super::block::{BLOCK, Block};

/// Takes out what is below the frequencies of keys, once it has been heard alone and steady.
///
/// A voice has most of its power there, which is what tells it from a key; so nothing is taken out as long
/// as nothing low was heard by itself.
#[derive(Clone, Debug)]
pub(super) struct LowTones {
    /// Blocks for which it goes on.
    left: u32,
    /// Windows of nothing but a steady low tone in a row.
    steady: u32,
    sections: [Section; 2],
    /// Energy of the newest blocks as they came.
    raw: [f32; 8],
}

impl LowTones {
    /// So many blocks (half a second) after it was last heard alone.
    const HOLD: u32 = 100;
    /// So many windows in a row are steady: together 45 ms, less than the pause between two keys.
    const STEADY: u32 = 2;
    /// Part of the energy of a low tone that is left by [`SECTIONS`].
    const LEFT: f32 = 0.004;
    /// -46 dBm0.
    const MIN_POWER: f32 = 6_500.0;
    /// The halves of a window have the same energy within this; the beat of 350 and 440 Hz is a tenth.
    const EVEN: f32 = 1.4;

    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            steady: 0,
            sections: SECTIONS,
            raw: [0.0; 8],
        }
    }

    /// Takes it out of a block that comes in.
    pub(super) fn take_out(&mut self, block: &mut Block) {
        if self.left == 0 {
            return;
        }
        self.raw.rotate_left(1);
        self.raw[7] = energy(&block.samples);
        self.left -= 1;
        for sample in &mut block.samples {
            let through = self
                .sections
                .iter_mut()
                .fold(GAIN * f32::from(*sample), |sample, section| {
                    section.next(sample)
                });
            *sample = through.round() as i16;
        }
    }

    /// Hears whether a window is nothing but a low tone.
    pub(super) fn listen(&mut self, window: &[Block; 8], is_key: bool) {
        if is_key {
            self.steady = 0;
            self.left = if self.left > 0 { Self::HOLD } else { 0 };
            return;
        }
        if self.left > 0 {
            let left: f32 = window.iter().map(|block| block.energy).sum();
            if is_even(&self.raw) && left < Self::LEFT * self.raw.iter().sum::<f32>() {
                self.left = Self::HOLD;
            }
            return;
        }
        let energies = window.each_ref().map(|block| block.energy);
        let most = Self::LEFT * energies.iter().sum::<f32>();
        // The newest block alone rules out nearly all that is no low tone.
        let is_low = || curvature(&window[7..]) <= most && curvature(window) <= most;
        if !is_even(&energies) || !is_low() {
            self.steady = 0;
            return;
        }
        self.steady += 1;
        if self.steady >= Self::STEADY {
            self.left = Self::HOLD;
            self.sections = SECTIONS;
            self.raw = energies;
        }
    }
}

/// Whether both halves of a window are as strong, and strong enough to matter.
fn is_even(energies: &[f32; 8]) -> bool {
    let before: f32 = energies[..4].iter().sum();
    let after: f32 = energies[4..].iter().sum();
    before.max(after) < LowTones::EVEN * before.min(after)
        && before + after > LowTones::MIN_POWER * 8.0 * BLOCK as f32
}

/// Energy of a sound without what is near 395 Hz, where dial tones are, or below; in a block each by itself.
fn curvature(window: &[Block]) -> f32 {
    const TWICE_COS: f32 = 1.904_7;
    // Eight sums, of which none waits for another, so that it is vector instructions.
    let mut sums = [0.0; 8];
    for Block { samples, .. } in window {
        let mut bends = [0.0_f32; BLOCK];
        for (at, bend) in bends[..BLOCK - 2].iter_mut().enumerate() {
            let [one, two, three] = [samples[at], samples[at + 1], samples[at + 2]].map(f32::from);
            *bend = one - TWICE_COS * two + three;
        }
        for bends in bends.as_chunks::<8>().0 {
            for (sum, bend) in sums.iter_mut().zip(bends) {
                *sum += bend * bend;
            }
        }
    }
    sums.iter().sum()
}

fn energy(samples: &[i16; BLOCK]) -> f32 {
    samples
        .iter()
        .map(|sample| f32::from(*sample).powi(2))
        .sum()
}

/// A high-pass after Cauer: 0.3 dB of ripple from 650 Hz on, at least 42 dB down from 345 to 450 Hz and 20 dB
/// below.
const GAIN: f32 = 0.622_477;
const SECTIONS: [Section; 2] = [
    Section::new(-1.879_087, -1.678_655, 0.900_495),
    Section::new(-1.920_587, -1.191_634, 0.453_359),
];

/// Two zeros on the unit circle and two poles.
#[derive(Clone, Copy, Debug)]
struct Section {
    zero: f32,
    pole: (f32, f32),
    state: (f32, f32),
}

impl Section {
    const fn new(zero: f32, pole: f32, radius: f32) -> Self {
        Self {
            zero,
            pole: (pole, radius),
            state: (0.0, 0.0),
        }
    }

    fn next(&mut self, sample: f32) -> f32 {
        let out = sample + self.state.0;
        self.state.0 = self.zero * sample - self.pole.0 * out + self.state.1;
        self.state.1 = sample - self.pole.1 * out;
        out
    }
}
