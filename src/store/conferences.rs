//! Rooms where callers meet.

use std::num::NonZeroU8;
use std::time::Duration;

use uuid::Uuid;

use super::named::Named;
use crate::flow::RecordingFormat;

/// One conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conference {
    /// Which.
    pub id: Uuid,
    /// Its name in the configuration.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// What each caller meets before the room: a flow's name or id.
    pub pre_flow: Option<String>,
    /// What runs when the room has closed.
    pub post_flow: Option<String>,
    /// How long the room stays open, from the first who enters.
    pub timeout: Option<Duration>,
    /// Whether what is said in it is recorded.
    pub record: bool,
    /// What the file of that is.
    pub record_format: RecordingFormat,
    /// Whether voices are brought to a level near to each other, once more than two are in it.
    pub level: bool,
    /// How many are heard at a time, the loudest of those who speak; all when `None`.
    pub loudest: Option<NonZeroU8>,
}

/// All conferences, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct ConferenceTable(Named<Conference>);

impl ConferenceTable {
    /// Takes the conferences; of two with one id or name the first is found.
    #[must_use]
    pub fn new(conferences: Vec<Conference>) -> Self {
        Self(Named::new(conferences, |conference| {
            (conference.id, conference.name.as_str())
        }))
    }

    /// The conference of this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Conference> {
        self.0.get(id)
    }

    /// The conference that a flow refers to: by id, else by name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&Conference> {
        self.0.find(reference)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Conference> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conference_is_found_by_id_and_by_name() {
        let standup = Conference {
            id: Uuid::from_u128(1),
            name: "standup".to_owned(),
            detail: String::new(),
            pre_flow: None,
            post_flow: None,
            timeout: None,
            record: false,
            record_format: RecordingFormat::Wav,
            level: true,
            loudest: None,
        };
        let table = ConferenceTable::new(vec![standup.clone()]);
        assert_eq!(table.find("Standup"), Some(&standup));
        assert_eq!(table.get(standup.id), Some(&standup));
        assert_eq!(table.find("other"), None);
        assert_eq!(table.iter().count(), 1);
    }
}
