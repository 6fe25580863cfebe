//! Recordings that have been made, until newer ones take their place.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::flow::RecordingFormat;
use crate::ids::{ActiveflowId, CallId, RecordingId};

/// The newest recordings, at most [`RecordingTable::LIMIT`] unless more run; the files of older ones stay.
#[derive(Clone, Debug, Default)]
pub struct RecordingTable(VecDeque<Recorded>);

/// One recording. Its moments are times since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub id: RecordingId,
    /// Of what.
    pub of: RecordingOf,
    /// The run of the flow that the call was in.
    pub activeflow: Option<ActiveflowId>,
    /// Stem of its files.
    pub name: String,
    /// Their format.
    pub format: RecordingFormat,
    /// The flow that follows it, by id or name.
    pub on_end_flow: Option<String>,
    /// When it began.
    pub began: Duration,
    /// When it ended; it runs while there is none.
    pub ended: Option<Duration>,
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

    /// Adds one that has begun. In its place the oldest of those that are over is forgotten; of those that run
    /// there are no more than calls and bridges.
    pub fn insert(&mut self, recorded: Recorded) {
        if self.0.len() >= Self::LIMIT {
            let oldest = self.0.iter().position(|known| known.ended.is_some());
            if let Some(oldest) = oldest {
                self.0.remove(oldest);
            }
        }
        self.0.push_back(recorded);
    }

    /// It is over, at `ended` since 1970; whether its files are complete. Gives it as it is now, unless it
    /// was over before.
    pub fn end(
        &mut self,
        id: RecordingId,
        ended: Duration,
        is_complete: bool,
    ) -> Option<&Recorded> {
        let found = self.0.iter_mut().rev().find(|known| known.id == id);
        let recorded = found.filter(|recorded| recorded.ended.is_none())?;
        recorded.ended = Some(ended);
        recorded.is_complete = is_complete;
        Some(recorded)
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
            activeflow: None,
            name: String::new(),
            format: RecordingFormat::Wav,
            on_end_flow: None,
            began: Duration::ZERO,
            ended: None,
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
            let (id, at) = (RecordingId(Uuid::from_u128(number)), Duration::from_secs(9));
            assert_eq!(table.end(id, at, true).unwrap().ended, Some(at));
            assert_eq!(table.end(id, at, false), None);
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
    fn oldest_recording_that_is_over_is_forgotten_first() {
        let mut table = RecordingTable::default();
        let id = |number| RecordingId(Uuid::from_u128(number));
        for number in 0..=RecordingTable::LIMIT as u128 {
            table.insert(recorded(number));
            if number > 0 {
                table.end(id(number), Duration::ZERO, true);
            }
        }
        assert_eq!(table.0.len(), RecordingTable::LIMIT);
        assert!(table.find(id(0)).is_some(), "it runs");
        assert!(table.find(id(1)).is_none());
        assert!(table.find(id(2)).is_some());
    }
}
