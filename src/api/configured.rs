//! What the configuration file and the flows directory say, as the API shows it: beside what it keeps itself, and
//! read-only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::agents::Agent;
use super::extensions::Extension;
use super::flows::Flow;
use super::numbers::Number;
use super::resource::{Resource, Stamp};
use crate::database::{Document, Kind, Micros};
use crate::store;

/// What the files say, in the words of the store.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Flows of the directory.
    pub flows: Vec<FlowFile>,
    /// `[[numbers]]`
    pub numbers: Vec<store::flows::Number>,
    /// `[[extensions]]`, with their passwords.
    pub extensions: Vec<(String, String)>,
    /// `[[agents]]`
    pub agents: Vec<store::agents::Agent>,
}

/// A flow of the directory.
#[derive(Clone, Debug)]
pub struct FlowFile {
    /// Its file's name without the ending, by which it is dialled.
    pub stem: String,
    /// As it runs.
    pub flow: Arc<crate::flow::Flow>,
    /// As it was written.
    pub text: Arc<str>,
}

/// The files, as documents.
#[derive(Debug, Default)]
pub struct Configured {
    kinds: HashMap<&'static str, Shelf>,
}

/// Those of one kind.
#[derive(Debug, Default)]
struct Shelf {
    documents: Vec<Document>,
    ids: HashMap<Uuid, usize>,
    keys: HashMap<String, usize>,
}

/// What a thing of a file needs for its stamp.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Whose everything is.
    pub customer: Uuid,
    /// When the switch started: things of files are as old as that.
    pub since: Duration,
}

impl Origin {
    /// The stamp of a thing of a file. Its time is put right when all of its kind are known.
    #[must_use]
    pub fn stamp(&self, id: Uuid) -> Stamp {
        Stamp {
            id,
            customer_id: self.customer,
            tm_create: Micros::since_1970(self.since).into(),
            tm_update: None,
            tm_delete: None,
        }
    }
}

impl Configured {
    /// Makes documents of what the files say.
    #[must_use]
    pub fn new(origin: Origin, files: &Files) -> Self {
        let mut configured = Self::default();
        let flows = files.flows.iter();
        configured.put(flows.filter_map(|file| Flow::of_file(origin, file, &files.flows)));
        configured.put(
            files
                .numbers
                .iter()
                .map(|number| Number::of_file(origin, number, &files.flows)),
        );
        let extensions = files.extensions.iter();
        configured
            .put(extensions.map(|(name, password)| Extension::of_file(origin, name, password)));
        configured.put(
            files
                .agents
                .iter()
                .map(|agent| Agent::of_file(origin, agent)),
        );
        configured
    }

    /// All of a kind, in the order of the file, each a microsecond older than the one before it, so that lists
    /// have an order to go on by.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[Document] {
        self.kinds
            .get(kind.name())
            .map_or(&[], |shelf| &shelf.documents)
    }

    /// The one of this id.
    #[must_use]
    pub fn get(&self, kind: Kind, id: Uuid) -> Option<&Document> {
        let shelf = self.kinds.get(kind.name())?;
        shelf.documents.get(*shelf.ids.get(&id)?)
    }

    /// The one of this key.
    #[must_use]
    pub fn find(&self, kind: Kind, key: &str) -> Option<&Document> {
        let shelf = self.kinds.get(kind.name())?;
        shelf.documents.get(*shelf.keys.get(key)?)
    }

    fn put<R: Resource>(&mut self, resources: impl Iterator<Item = R>) {
        let mut shelf = Shelf::default();
        for (resource, age) in resources.zip(0i64..) {
            let mut resource = resource;
            let stamp = resource.stamp_mut();
            stamp.tm_create = Micros(stamp.tm_create.0.0.saturating_sub(age)).into();
            let document = resource.document();
            let index = shelf.documents.len();
            if shelf.ids.contains_key(&document.id) {
                continue;
            }
            shelf.ids.insert(document.id, index);
            if let Some(key) = document.key.clone() {
                shelf.keys.entry(key).or_insert(index);
            }
            shelf.documents.push(document);
        }
        self.kinds.insert(R::KIND.name(), shelf);
    }
}

/// The id of a thing of a file that has no UUID of its own: it follows from what it is and its name, so that it is
/// the same after each start (version 8, RFC 9562 §5.8).
#[must_use]
pub fn id_of_name(kind: Kind, name: &str) -> Uuid {
    let hash = Sha256::digest(format!("{}={}", kind.name(), name.to_lowercase()));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
