//! What was said in calls, in words, until newer words take their place.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::flow::Direction;
use crate::ids::{ActiveflowId, CallId, RecordingId};

/// The newest transcripts, at most [`TranscriptTable::LIMIT`] and [`TranscriptTable::OCTETS`].
#[derive(Clone, Debug, Default)]
pub struct TranscriptTable {
    transcripts: VecDeque<Transcript>,
    octets: usize,
}

/// What is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TranscribeOf {
    /// What is said in a call, or was said in its recordings.
    Call(CallId),
    /// What each of those says who are in a bridge, by its outward name.
    Confbridge(Uuid),
    /// What a recording holds whose files are complete.
    Recording(RecordingId),
}

/// One transcription at one moment. Its moments are times since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscribeState {
    /// Which.
    pub id: Uuid,
    /// Of what.
    pub of: TranscribeOf,
    /// The run of the flow that the call was in.
    pub activeflow: Option<ActiveflowId>,
    /// Language tag (BCP 47); may be empty.
    pub language: String,
    /// Whose words.
    pub direction: Direction,
    /// The flow that follows it, by id or name.
    pub on_end_flow: Option<String>,
    /// Whether all that was said is in words.
    pub is_done: bool,
    /// When it began.
    pub created: Duration,
    /// When this was told.
    pub updated: Duration,
}

impl TranscribeState {
    /// Its status as the API writes it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.is_done {
            true => "done",
            false => "progressing",
        }
    }
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Which.
    pub id: Uuid,
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
    /// When the words were there, since 1970-01-01 UTC.
    pub created: Duration,
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
                id: Uuid::from_u128(number),
                transcribe: Uuid::from_u128(1000 + number % 3),
                call: CallId(Uuid::from_u128(number % 2)),
                direction: Direction::In,
                at: Duration::ZERO,
                text: number.to_string(),
                created: Duration::ZERO,
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
