//! Prompts on their way out: octets already encoded, or samples where they are mixed with others.

use std::sync::Arc;

use super::last::smooth_octets;
use super::outbound::QUIET;
use crate::codec::G711;
use crate::dsp::joint;
use crate::frame::{Band, FRAME_SAMPLES, Sound};
use crate::prompt::Prompt;

/// What a voice fills: a payload, or 20 ms of sound, in both bands where there is a place for the wide one.
pub(super) enum Space<'a> {
    Octets(G711, &'a mut [u8]),
    Sound(&'a mut Sound),
    /// Each prompt begins a new one, as it does where it is encoded already.
    Padded(&'a mut Sound),
}

impl Space<'_> {
    /// How many samples of the narrow band fit.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Octets(_, octets) => octets.len(),
            Self::Sound(_) | Self::Padded(_) => FRAME_SAMPLES,
        }
    }

    /// Lets sound fade that ends before the space does.
    fn fade(&mut self, end: usize) {
        if end == 0 || end >= self.len() {
            return;
        }
        match self {
            Self::Octets(law, octets) => {
                let (sound, rest) = octets.split_at_mut(end);
                let mut last = [0];
                law.decode(&sound[end - 1..], &mut last);
                if last[0].abs() > QUIET {
                    smooth_octets(*law, last[0], rest);
                }
            }
            Self::Sound(sound) | Self::Padded(sound) => {
                let last = sound.narrow.0[end - 1];
                joint::smooth(Band::Narrow, last, &mut sound.narrow.0[end..]);
                if let Some(wide) = &mut sound.wide {
                    let last = wide.0[2 * end - 1];
                    joint::smooth(Band::Wide, last, &mut wide.0[2 * end..]);
                }
            }
        }
    }

    /// Copies what fits of `prompt` from `offset` on to the place `at`, and says how much.
    fn copy(&mut self, at: usize, prompt: &Prompt, offset: usize) -> usize {
        let count = (prompt.samples().len() - offset).min(self.len() - at);
        match self {
            Self::Octets(law, octets) => octets[at..at + count]
                .copy_from_slice(&prompt.encoded(*law)[offset..offset + count]),
            Self::Sound(sound) | Self::Padded(sound) => {
                let samples = &prompt.samples()[offset..offset + count];
                sound.narrow.0[at..at + count].copy_from_slice(samples);
                if let (Some(space), Some(wide)) = (&mut sound.wide, prompt.wide()) {
                    let samples = &wide[2 * offset..2 * (offset + count)];
                    space.0[2 * at..2 * (at + count)].copy_from_slice(samples);
                }
            }
        }
        count
    }
}

/// Reads a row of prompts as if they were one sound.
///
/// The position counts samples, so a change of codec or packet time in the middle loses nothing.
#[derive(Debug)]
pub(super) struct PromptReader {
    prompts: Vec<Arc<Prompt>>,
    current: usize,
    offset: usize,
    is_endless: bool,
    /// All of them have a wide form; where one has not, all are doubled, so that they go on in one way.
    is_wide: bool,
}

impl PromptReader {
    /// Reads them once; or again and again when they are endless and there is anything in them.
    pub(super) fn new(prompts: Vec<Arc<Prompt>>, is_endless: bool) -> Self {
        let has_sound = prompts.iter().any(|prompt| !prompt.samples().is_empty());
        let is_wide = prompts.iter().all(|prompt| prompt.wide().is_some());
        Self {
            is_wide,
            prompts,
            current: 0,
            offset: 0,
            is_endless: is_endless && has_sound,
        }
    }

    /// Writes what is next into `space`, and says how much: less than fits only at the very end. A place for the
    /// wide band is taken away where there is nothing for it.
    pub(super) fn read(&mut self, space: &mut Space<'_>) -> usize {
        let mut filled = 0;
        if let Space::Sound(sound) | Space::Padded(sound) = space
            && !self.is_wide
        {
            sound.wide = None;
        }
        let is_padded = matches!(space, Space::Padded(_));
        while filled < space.len() {
            let Some(prompt) = self.prompts.get(self.current) else {
                if !self.is_endless {
                    break;
                }
                self.current = 0;
                continue;
            };
            let count = space.copy(filled, prompt, self.offset);
            filled += count;
            self.offset += count;
            if self.offset == prompt.samples().len() {
                self.current += 1;
                self.offset = 0;
                if is_padded && filled > 0 {
                    break;
                }
            }
        }
        space.fade(filled);
        filled
    }

    /// The prompt that it stands in, and how many packets of 20 ms of it are over, if that is a whole number.
    pub(super) fn place(&self) -> Option<(&Arc<Prompt>, usize)> {
        let prompt = self.prompts.get(self.current)?;
        let is_whole = self.offset.is_multiple_of(FRAME_SAMPLES);
        is_whole.then_some((prompt, self.offset / FRAME_SAMPLES))
    }

    /// Goes on by a packet of 20 ms.
    pub(super) fn skip_packet(&mut self) {
        let Some(prompt) = self.prompts.get(self.current) else {
            return;
        };
        self.offset += FRAME_SAMPLES;
        if self.offset >= prompt.samples().len() {
            self.current += 1;
            self.offset = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(level: i16, samples: usize) -> Arc<Prompt> {
        Arc::new(Prompt::from_samples(vec![level; samples]))
    }

    fn read(reader: &mut PromptReader, payload: &mut [u8]) -> usize {
        reader.read(&mut Space::Octets(G711::Ulaw, payload))
    }

    #[test]
    fn prompts_follow_each_other_without_a_gap_inside_one_packet() {
        let prompts = vec![prompt(8_000, 100), prompt(0, 0), prompt(-8_000, 100)];
        let mut reader = PromptReader::new(prompts, false);
        let mut payload = [0; 160];
        assert_eq!(read(&mut reader, &mut payload), 160);
        assert!(payload[..100].iter().all(|octet| *octet == payload[0]));
        assert!(payload[100..].iter().all(|octet| *octet == payload[159]));
        assert_ne!(payload[0], payload[159]);
        assert_eq!(read(&mut reader, &mut payload), 40);
        assert_eq!(read(&mut reader, &mut payload), 0);
    }

    #[test]
    fn endless_prompts_begin_anew_within_a_packet_and_endless_nothing_ends() {
        let prompts = vec![prompt(8_000, 50), prompt(-8_000, 50)];
        let mut reader = PromptReader::new(prompts, true);
        let mut sound = Sound::SILENCE;
        for _ in 0..100 {
            assert_eq!(reader.read(&mut Space::Sound(&mut sound)), 160);
        }
        // 16,000 samples are 160 rounds, so the next begins where the first did.
        assert_eq!(reader.read(&mut Space::Sound(&mut sound)), 160);
        let samples = sound.narrow.0;
        assert_eq!(
            (samples[0], samples[50], samples[100]),
            (8_000, -8_000, 8_000)
        );
        let mut nothing = PromptReader::new(vec![prompt(0, 0)], true);
        assert_eq!(read(&mut nothing, &mut [0; 160]), 0);
    }

    #[test]
    fn padded_prompts_begin_a_packet_each_and_go_on_by_packets() {
        let prompts = vec![prompt(8_000, 200), prompt(-8_000, 160)];
        let mut reader = PromptReader::new(prompts, false);
        let mut read = || {
            let mut sound = Sound::SILENCE;
            let count = reader.read(&mut Space::Padded(&mut sound));
            (count, sound.narrow.0[0], sound.narrow.0[159])
        };
        assert_eq!(
            [read(), read(), read()],
            [(160, 8_000, 8_000), (40, 8_000, 0), (160, -8_000, -8_000)]
        );
        assert_eq!(read().0, 0);
        let prompts = vec![prompt(8_000, 200), prompt(-8_000, 160)];
        let mut reader = PromptReader::new(prompts, false);
        let mut places = Vec::new();
        while let Some((prompt, packet)) = reader.place() {
            places.push((prompt.samples()[0], packet));
            reader.skip_packet();
        }
        assert_eq!(places, [(8_000, 0), (8_000, 1), (-8_000, 0)]);
    }
}
