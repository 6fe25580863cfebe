//! Keys as tones in the audio, in (ITU-T Q.23, Q.24).
//!
//! ```text
//!  | 5 ms | 5 ms | 5 ms | 5 ms | 5 ms | 5 ms | 5 ms | 5 ms |    blocks: energy, and 8 frequencies each
//!                       \____________ 20 ms _____/               core: is this a key?
//!  \________________________ 40 ms ________________________/     for how long does it sound?
//!         \_____________________ 35 ms ____________________/     a longer one: is it that and nothing else?
//! ```
//!
//! A core is looked at each 5 ms, first by what the blocks have summed up already, which passes over nearly
//! all speech, then sample by sample: how far are the two tones from their frequencies, and how much is
//! beside them? What is found is laid over the whole 40 ms; where it fits, the key sounds.
//!
//! A key that goes on is told after 33 ms, in which a voice has hardly ever held two pitches and nothing
//! else. A shorter one is told when it has ended between two silences and lasted 25 ms: in the middle of the 27
//! ms that are a key and the 23 ms that are none. That one is seen exactly: the ends of the tones lie anywhere
//! in the blocks, and noise and the beat of the tones move them by a millisecond.

use super::digit::{COLUMNS, Digit, ROWS};
use block::{BLOCK, Block};
use low::LowTones;
use pair::Pair;

mod block;
mod low;
mod pair;

/// Finds keys in the audio of one stream at 8 kHz; each press is told once.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    /// The last blocks, oldest first; then the one that is being filled, and room.
    blocks: [Block; ROOM],
    whole: usize,
    /// Samples of the one that is being filled.
    filled: usize,
    low: LowTones,
    pressed: Option<Digit>,
    /// Cores without the pressed key in a row.
    misses: u32,
}

/// Blocks of the window: 40 ms.
const BLOCKS: usize = 8;
/// Room for blocks: a window, and behind it as many as come before it is moved to the beginning.
const ROOM: usize = 2 * BLOCKS + 1;
/// Blocks of the core: 20 ms.
const CORE: std::ops::Range<usize> = 3..7;
/// Blocks that a key which goes on has to fill: 35 ms.
const LONG: std::ops::Range<usize> = 1..8;

/// Power of the weakest tone that is heard: -41 dBm0, below the -25 dBm that Q.24 asks for at most.
const MIN_POWER: f32 = 20_700.0;
/// Power of the high tone by that of the low one: +4 dB and -8 dB (Q.24) with 0.7 dB to spare.
const TWIST: std::ops::RangeInclusive<f32> = 0.135..=2.95;
/// Each block of a core has so much of the energy of the strongest: no tone begins or ends in it. The beat of
/// two steady tones leaves 0.6, noise less.
const MIN_STEADY: f32 = 0.35;
/// Part of all power that both tones of a core have at least.
const MIN_PURITY: f32 = 0.85;
/// The same for a key that is held, and for one that lasts 35 ms and for a shorter one.
const HELD_PURITY: f32 = 0.5;
const LONG_PURITY: f32 = 0.9;
const SHORT_PURITY: f32 = 0.98;
/// Twice the part beside the tones of a core, and this, may be beside them in the 35 ms around it: more begins
/// or ends there.
const MAX_CHANGE: f32 = 0.02;
/// How far a tone may be from its frequency: between the 1.5 % that are accepted and the 3.5 % that are not.
const MAX_DEVIATION: f32 = 0.024;
/// The same as soon as 35 ms tell it more exactly: so near that no voice has both tones of a key, because
/// no two frequencies are then in the ratio of one to two.
const LONG_DEVIATION: f32 = 0.017;
/// Samples that a key has to sound: 25 ms, and 33 ms when it goes on.
const MIN_SOUNDING: f32 = 200.0;
const LONG_SOUNDING: f32 = 264.0;
/// A key that has ended fills not more than this part of the last block.
const ENDED: f32 = 0.95;
/// Energy around a short key, by its own.
const MAX_AROUND: f32 = 0.2;
/// So many cores (45 ms) without the key end the press.
const RELEASE: u32 = 9;

impl ToneDetector {
    /// Nothing is pressed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blocks: [Block::EMPTY; ROOM],
            whole: BLOCKS,
            filled: 0,
            low: LowTones::new(),
            pressed: None,
            misses: 0,
        }
    }

    /// Takes the next samples and tells the key that has just been pressed. In more than 60 ms at
    /// once two could be; then the later one is told.
    pub fn push(&mut self, samples: &[i16]) -> Option<Digit> {
        let mut told = None;
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            let filling = &mut self.blocks[self.whole];
            filling.samples[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
            if self.filled == BLOCK {
                self.low.take_out(filling);
                filling.sum_up();
                self.whole += 1;
                self.filled = 0;
                told = self.take_window().or(told);
                if self.whole == ROOM {
                    self.blocks.copy_within(ROOM - BLOCKS.., 0);
                    self.whole = BLOCKS;
                }
            }
        }
        told
    }

    /// Forgets what was heard: another stream begins.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Whether a key is held down now.
    #[must_use]
    pub const fn is_pressed(&self) -> bool {
        self.pressed.is_some()
    }

    fn take_window(&mut self) -> Option<Digit> {
        let window = window(&self.blocks[..self.whole]);
        let heard = self.key_in(window);
        self.low.listen(window, heard.is_some());
        match heard {
            Some(digit) if self.pressed == Some(digit) => {
                self.misses = 0;
                None
            }
            Some(digit) => {
                self.misses = 0;
                self.pressed = Some(digit);
                Some(digit)
            }
            None => {
                self.misses += 1;
                if self.misses >= RELEASE {
                    self.pressed = None;
                }
                None
            }
        }
    }

    /// The key that sounds in the core: the one that is pressed, or a new one.
    fn key_in(&self, window: &[Block; BLOCKS]) -> Option<Digit> {
        let core = &window[CORE];
        let purity = self.pressed.map_or(MIN_PURITY, |_| HELD_PURITY);
        let (row, column) = block::strongest_pair(core, MIN_STEADY, 2.0 * MIN_POWER, purity)?;
        let digit = Digit::at(row, column)?;
        let pair = Pair::find(core, (ROWS[row], COLUMNS[column]));
        if !pair.is_near((ROWS[row], COLUMNS[column]), MAX_DEVIATION) || !pair.is_balanced() {
            return None;
        }
        if self.pressed == Some(digit) {
            return (pair.purity() >= HELD_PURITY).then_some(digit);
        }
        let is_new = pair.purity() >= MIN_PURITY && is_whole_key(window, &pair, (row, column));
        is_new.then_some(digit)
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the pair found in the core is long enough, and alone.
fn is_whole_key(window: &[Block; BLOCKS], pair: &Pair, (row, column): (usize, usize)) -> bool {
    let fit = pair.fit(window, CORE);
    if fit.sounding < LONG_SOUNDING {
        return fit.sounding >= MIN_SOUNDING
            && fit.last_block <= ENDED
            && fit.around <= MAX_AROUND
            && pair.purity() >= SHORT_PURITY;
    }
    let long = Pair::find(&window[LONG], pair.hertz());
    long.is_near((ROWS[row], COLUMNS[column]), LONG_DEVIATION)
        && long.is_balanced()
        && long.purity() >= LONG_PURITY
        && 1.0 - long.purity() <= 2.0 * (1.0 - pair.purity()) + MAX_CHANGE
        && !long.is_among_others(&window[LONG])
}

/// The newest of some blocks.
fn window(blocks: &[Block]) -> &[Block; BLOCKS] {
    blocks.last_chunk().expect("there is always a window")
}

#[cfg(test)]
mod tests;
