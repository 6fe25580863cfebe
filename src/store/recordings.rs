//! Recordings that have been made, until newer ones take their place.

use std::collections::VecDeque;
use std::path::PathBuf;

use uuid::Uuid;

use crate::ids::{CallId, RecordingId};

/// The newest recordings, at most [`RecordingTable::LIMIT`]; the files of older ones stay.
#[derive(Clone, Debug, Default)]
pub struct RecordingTable(VecDeque<Recorded>);

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub id: RecordingId,
    /// Of what.
    pub of: RecordingOf,
    /// What the party said; of a bridge, what all in it said; of a call in one file, both sides.
    pub file_in: PathBuf,
    /// What the party heard, where that is a file of its own.
    pub file_out: Option<PathBuf>,
    /// Whether the files are written to their end.
    pub is_complete: bool,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordingOf {
    /// A call.
    Call(CallId),
    /// A bridge, by its outward name.
    Confbridge(Uuid),
}

impl RecordingTable {
    /// Recordings that are known: a few megabytes of names.
    pub const LIMIT: usize = 10_000;

    /// Adds one that has begun.
    pub fn insert(&mut self, recorded: Recorded) {
        if self.0.len() == Self::LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(recorded);
    }

    /// Its files are complete.
    pub fn complete(&mut self, id: RecordingId) {
        let found = self.0.iter_mut().rev().find(|known| known.id == id);
        if let Some(recorded) = found {
            recorded.is_complete = true;
        }
    }

    /// One by its id.
    #[must_use]
    pub fn find(&self, id: RecordingId) -> Option<&Recorded> {
        self.0.iter().rev().find(|known| known.id == id)
    }

    /// Those of a call whose files are complete, oldest first.
    pub fn of_call(&self, call: CallId) -> impl Iterator<Item = &Recorded> {
        self.0
            .iter()
            .filter(move |known| known.of == RecordingOf::Call(call) && known.is_complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(number: u128) -> Recorded {
        Recorded {
            id: RecordingId(Uuid::from_u128(number)),
            of: RecordingOf::Call(CallId(Uuid::from_u128(number % 2))),
            file_in: PathBuf::new(),
            file_out: None,
            is_complete: false,
        }
    }

    #[test]
    fn recordings_of_a_call_are_told_when_their_files_are_complete() {
        let mut table = RecordingTable::default();
        for number in 0..6 {
            table.insert(recorded(number));
        }
        for number in [1, 4, 5] {
            table.complete(RecordingId(Uuid::from_u128(number)));
        }
        let of_one: Vec<u128> = table
            .of_call(CallId(Uuid::from_u128(1)))
            .map(|known| known.id.0.as_u128())
            .collect();
        assert_eq!(of_one, [1, 5]);
        assert!(
            !table
                .find(RecordingId(Uuid::from_u128(2)))
                .unwrap()
                .is_complete
        );
    }

    #[test]
    fn oldest_recording_is_forgotten_first() {
        let mut table = RecordingTable::default();
        for number in 0..=RecordingTable::LIMIT as u128 {
            table.insert(recorded(number));
        }
        assert_eq!(table.0.len(), RecordingTable::LIMIT);
        assert!(table.find(RecordingId(Uuid::from_u128(0))).is_none());
        assert!(table.find(RecordingId(Uuid::from_u128(1))).is_some());
    }
}
