//! A prompt in codecs with a memory, packet by packet.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Prompt;
use crate::codec::{Codec, Encoder, MAX_PAYLOAD};
use crate::dsp::resample::Doubler;
use crate::frame::{FRAME_SAMPLES, WIDE_SAMPLES};

/// The forms of one prompt, each made when it is asked for first.
#[derive(Debug, Default)]
pub(super) struct Forms {
    g722: Form,
    opus: Form,
}

#[derive(Debug, Default)]
struct Form {
    is_asked: AtomicBool,
    packets: OnceLock<Packets>,
}

/// Packets of 20 ms; the last one has silence behind the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    octets: Box<[u8]>,
    /// Where each ends.
    ends: Box<[u32]>,
}

impl Forms {
    pub(super) fn get(&self, codec: Codec) -> Option<&Packets> {
        self.of(codec)?.packets.get()
    }

    pub(super) fn make(&self, codec: Codec, prompt: &Prompt) {
        if let Some(form) = self.of(codec) {
            form.packets.get_or_init(|| Packets::new(prompt, codec));
        }
    }

    pub(super) fn ask(&self, codec: Codec) -> bool {
        self.of(codec)
            .is_some_and(|form| !form.is_asked.swap(true, Ordering::Relaxed))
    }

    pub(super) fn take_back(&self, codec: Codec) {
        if let Some(form) = self.of(codec) {
            form.is_asked.store(false, Ordering::Relaxed);
        }
    }

    const fn of(&self, codec: Codec) -> Option<&Form> {
        match codec {
            Codec::G722 => Some(&self.g722),
            Codec::Opus => Some(&self.opus),
            Codec::Pcmu | Codec::Pcma | Codec::L16 | Codec::L16Wide => None,
        }
    }
}

impl Packets {
    fn new(prompt: &Prompt, codec: Codec) -> Self {
        let (mut octets, mut ends) = (Vec::new(), Vec::new());
        let mut encoder = Encoder::new(codec);
        let mut space = [0; MAX_PAYLOAD];
        prompt.each_frame(0..prompt.frames(), |frame| {
            let len = encoder.encode(frame, &mut space);
            octets.extend_from_slice(&space[..len]);
            ends.push(octets.len() as u32);
        });
        Self {
            octets: octets.into(),
            ends: ends.into(),
        }
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none: the prompt is no sound at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)? as usize;
        let begin = at
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.octets.get(begin..end)
    }
}

/// Where an encoder and a doubler are after some frames.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The last sample in the wide band.
    pub(crate) last: i16,
    /// The doubler of a prompt that has no wide band, and the last sample that went in.
    pub(crate) doubled: Option<(Doubler, i16)>,
}

impl Prompt {
    /// Lets an encoder hear some frames of 20 ms, so that it is where one is that has sent them.
    pub(crate) fn run(&self, encoder: &mut Encoder, frames: Range<usize>) -> Ran {
        let mut space = [0; MAX_PAYLOAD];
        let mut last = 0;
        let end = frames.end * FRAME_SAMPLES;
        let doubler = self.each_frame(frames, |frame| {
            encoder.encode(frame, &mut space);
            last = frame.last().copied().unwrap_or(0);
        });
        let narrow = end.checked_sub(1).and_then(|at| self.samples.get(at));
        let narrow = narrow.copied().unwrap_or(0);
        Ran {
            last,
            doubled: self.wide.is_none().then_some((doubler, narrow)),
        }
    }

    fn frames(&self) -> usize {
        self.samples.len().div_ceil(FRAME_SAMPLES)
    }

    /// Gives frames of 20 ms in the wide band, doubled where it has none.
    fn each_frame(&self, frames: Range<usize>, mut take: impl FnMut(&[i16])) -> Doubler {
        let mut doubler = Doubler::new();
        for frame in frames {
            let mut wide = [0; WIDE_SAMPLES];
            match &self.wide {
                Some(samples) => copy(samples, frame, &mut wide),
                None => {
                    let mut narrow = [0; FRAME_SAMPLES];
                    copy(&self.samples, frame, &mut narrow);
                    doubler.process(&narrow, &mut wide);
                }
            }
            take(&wide);
        }
        doubler
    }
}

/// Copies one of the frames that samples are; silence behind the last.
fn copy(samples: &[i16], frame: usize, out: &mut [i16]) {
    let begin = (frame * out.len()).min(samples.len());
    let end = (begin + out.len()).min(samples.len());
    out[..end - begin].copy_from_slice(&samples[begin..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use crate::dsp::meter::frequency_power;
    use crate::dsp::tone::burst;
    use std::time::Duration;

    #[test]
    fn packets_are_the_sound_in_20_ms_each_and_are_made_once() {
        for codec in [Codec::G722, Codec::Opus] {
            let prompt = Prompt::from_samples(burst(440.0, -12.0, Duration::from_millis(1_010)));
            assert!(prompt.packets(codec).is_none());
            assert!(prompt.ask(codec) && !prompt.ask(codec));
            prompt.take_back(codec);
            assert!(prompt.ask(codec));
            prompt.encode(codec);
            let packets = prompt.packets(codec).unwrap();
            assert_eq!(
                (packets.len(), packets.is_empty(), packets.get(51)),
                (51, false, None)
            );
            let mut decoder = Decoder::new(codec);
            let mut sound = Vec::new();
            for at in 0..packets.len() {
                let mut samples = [0; WIDE_SAMPLES];
                assert_eq!(
                    decoder.decode(packets.get(at).unwrap(), &mut samples),
                    WIDE_SAMPLES
                );
                // The half of it is as good for a tone of 440 Hz.
                sound.extend(samples.iter().step_by(2));
            }
            let level = frequency_power(&sound[1_600..7_200], 440.0);
            assert!((level + 18.15).abs() < 1.0, "{codec:?}: {level}");
        }
    }

    #[test]
    fn codecs_without_memory_have_no_packets_of_their_own() {
        let prompt = Prompt::from_samples(vec![1; 160]);
        prompt.encode(Codec::Pcmu);
        assert!(prompt.packets(Codec::Pcmu).is_none() && !prompt.ask(Codec::L16));
    }
}
