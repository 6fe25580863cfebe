//! What was said in calls, in words, until newer words take their place.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::flow::Direction;
use crate::ids::CallId;

/// The newest transcripts, at most [`TranscriptTable::LIMIT`] and [`TranscriptTable::OCTETS`].
#[derive(Clone, Debug, Default)]
pub struct TranscriptTable {
    transcripts: VecDeque<Transcript>,
    octets: usize,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The transcription it belongs to.
    pub transcribe: Uuid,
    /// The call it was said in.
    pub call: CallId,
    /// By the party (`In`), or to it (`Out`).
    pub direction: Direction,
    /// When, since the transcription began.
    pub at: Duration,
    /// In words.
    pub text: String,
}

impl TranscriptTable {
    /// Utterances that are known.
    pub const LIMIT: usize = 20_000;
    /// Octets of their texts together.
    pub const OCTETS: usize = 16 << 20;

    /// Adds one.
    pub fn insert(&mut self, transcript: Transcript) {
        self.octets += transcript.text.len();
        self.transcripts.push_back(transcript);
        while (self.transcripts.len() > Self::LIMIT || self.octets > Self::OCTETS)
            && let Some(oldest) = self.transcripts.pop_front()
        {
            self.octets -= oldest.text.len();
        }
    }

    /// Those of a transcription or of a call, in the order they came.
    pub fn of(&self, id: Uuid) -> impl Iterator<Item = &Transcript> {
        let is_of = move |known: &&Transcript| known.transcribe == id || known.call.0 == id;
        self.transcripts.iter().filter(is_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_call_and_by_transcription_and_are_bounded() {
        let mut table = TranscriptTable::default();
        let count = TranscriptTable::LIMIT as u128 + 3;
        for number in 0..count {
            table.insert(Transcript {
                transcribe: Uuid::from_u128(1000 + number % 3),
                call: CallId(Uuid::from_u128(number % 2)),
                direction: Direction::In,
                at: Duration::ZERO,
                text: number.to_string(),
            });
        }
        let texts = |id: u128| -> Vec<&str> {
            let of = table.of(Uuid::from_u128(id));
            of.map(|known| known.text.as_str()).take(2).collect()
        };
        assert_eq!(texts(1), ["3", "5"]);
        assert_eq!(texts(1000), ["3", "6"]);
        assert_eq!(table.transcripts.len(), TranscriptTable::LIMIT);
        let mut long = table.transcripts[0].clone();
        long.text = "a".repeat(TranscriptTable::OCTETS - 10);
        table.insert(long);
        assert!(table.transcripts.len() < 5 && table.octets <= TranscriptTable::OCTETS);
    }
}
