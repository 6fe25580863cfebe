//! Prompts on their way out: octets already encoded, copied packet by packet.

use std::sync::Arc;

use crate::codec::Codec;
use crate::prompt::Prompt;

/// Reads a row of prompts as if they were one sound.
///
/// The position counts samples, so a change of codec or packet time in the middle loses nothing.
#[derive(Debug)]
pub(super) struct PromptReader {
    prompts: Vec<Arc<Prompt>>,
    current: usize,
    offset: usize,
}

impl PromptReader {
    pub(super) const fn new(prompts: Vec<Arc<Prompt>>) -> Self {
        Self {
            prompts,
            current: 0,
            offset: 0,
        }
    }

    /// Copies the next octets into `payload`; less than its length only at the very end.
    pub(super) fn read(&mut self, codec: Codec, payload: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(prompt) = self.prompts.get(self.current) {
            let rest = &prompt.encoded(codec)[self.offset..];
            let count = rest.len().min(payload.len() - filled);
            payload[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.offset += count;
            if count < rest.len() {
                break;
            }
            self.current += 1;
            self.offset = 0;
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

    #[test]
    fn prompts_follow_each_other_without_a_gap_inside_one_packet() {
        let mut reader =
            PromptReader::new(vec![prompt(8_000, 100), prompt(0, 0), prompt(-8_000, 100)]);
        let mut payload = [0; 160];
        assert_eq!(reader.read(Codec::Pcmu, &mut payload), 160);
        assert!(payload[..100].iter().all(|octet| *octet == payload[0]));
        assert!(payload[100..].iter().all(|octet| *octet == payload[159]));
        assert_ne!(payload[0], payload[159]);
        assert_eq!(reader.read(Codec::Pcmu, &mut payload), 40);
        assert_eq!(reader.read(Codec::Pcmu, &mut payload), 0);
    }
}
