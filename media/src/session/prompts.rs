//! Prompts on their way out: octets already encoded, or samples where they are mixed with others.

use std::sync::Arc;

use crate::codec::Codec;
use crate::prompt::Prompt;

/// What a voice fills: a payload, or sound that is heard over other sound.
pub(super) enum Space<'a> {
    Payload(Codec, &'a mut [u8]),
    Samples(&'a mut [i16]),
}

impl Space<'_> {
    /// How many samples fit.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Payload(_, payload) => payload.len(),
            Self::Samples(samples) => samples.len(),
        }
    }

    /// Copies what fits of `prompt` from `offset` on to the place `at`, and says how much.
    fn copy(&mut self, at: usize, prompt: &Prompt, offset: usize) -> usize {
        let count = (prompt.samples().len() - offset).min(self.len() - at);
        match self {
            Self::Payload(codec, payload) => payload[at..at + count]
                .copy_from_slice(&prompt.encoded(*codec)[offset..offset + count]),
            Self::Samples(samples) => {
                samples[at..at + count].copy_from_slice(&prompt.samples()[offset..offset + count])
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
}

impl PromptReader {
    /// Reads them once; or again and again when they are endless and there is anything in them.
    pub(super) fn new(prompts: Vec<Arc<Prompt>>, is_endless: bool) -> Self {
        let has_sound = prompts.iter().any(|prompt| !prompt.samples().is_empty());
        Self {
            prompts,
            current: 0,
            offset: 0,
            is_endless: is_endless && has_sound,
        }
    }

    /// Writes what is next into `space`, and says how much: less than fits only at the very end.
    pub(super) fn read(&mut self, space: &mut Space<'_>) -> usize {
        let mut filled = 0;
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
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(level: i16, samples: usize) -> Arc<Prompt> {
        Arc::new(Prompt::from_samples(vec![level; samples]))
    }

    fn read(reader: &mut PromptReader, payload: &mut [u8]) -> usize {
        reader.read(&mut Space::Payload(Codec::Pcmu, payload))
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
        let mut samples = [0; 160];
        for _ in 0..100 {
            assert_eq!(reader.read(&mut Space::Samples(&mut samples)), 160);
        }
        // 16,000 samples are 160 rounds, so the next begins where the first did.
        assert_eq!(reader.read(&mut Space::Samples(&mut samples)), 160);
        assert_eq!(
            (samples[0], samples[50], samples[100]),
            (8_000, -8_000, 8_000)
        );
        let mut nothing = PromptReader::new(vec![prompt(0, 0)], true);
        assert_eq!(read(&mut nothing, &mut [0; 160]), 0);
    }
}
