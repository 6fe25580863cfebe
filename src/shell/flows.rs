//! The flows directory: read at start, and again within a second of a change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::config::FlowReference;
use crate::api::{FlowFile, Made};
use crate::flow::Flow;
use crate::flow::dialect::{MAX_TEXT, Support, parse_flow};
use crate::ids::Rng;
use crate::store::flows::{FlowSources, FlowTable, Number};

/// The flows of one directory, by file.
pub struct FlowDirectory {
    directory: PathBuf,
    numbers: Vec<Number>,
    references: Vec<FlowReference>,
    files: BTreeMap<PathBuf, File>,
    /// What is odd about all of them together, and has been told.
    told: BTreeSet<String>,
}

/// What is known of one file.
struct File {
    stamp: Stamp,
    stem: String,
    /// The newest good reading and its text; a wrong file keeps the one before.
    flow: Option<(Arc<Flow>, Arc<str>)>,
}

/// What tells that a file has changed without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// Files in the directory; more are not looked at, which is said.
const FILES: usize = 10_000;

impl FlowDirectory {
    /// A directory that has not been looked at; `references` are the flows that the configuration names.
    #[must_use]
    pub const fn new(
        directory: PathBuf,
        numbers: Vec<Number>,
        references: Vec<FlowReference>,
    ) -> Self {
        Self {
            directory,
            numbers,
            references,
            files: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// The good files, in order.
    #[must_use]
    pub fn flows(&self) -> Vec<FlowFile> {
        let files = self.files.values();
        files
            .filter_map(|file| {
                let (flow, text) = file.flow.clone()?;
                let stem = file.stem.clone();
                Some(FlowFile { stem, flow, text })
            })
            .collect()
    }

    /// Reads what has changed; whether anything has.
    ///
    /// # Errors
    /// The directory cannot be read; all stays as it was.
    pub fn refresh(&mut self) -> std::io::Result<bool> {
        let found = self.list()?;
        let mut is_changed = false;
        self.files.retain(|path, file| {
            let is_there = found.contains_key(path);
            if !is_there {
                tracing::info!(flow = %file.stem, "flow removed");
                is_changed = true;
            }
            is_there
        });
        for (path, stamp) in found {
            if self
                .files
                .get(&path)
                .is_some_and(|file| file.stamp == stamp)
            {
                continue;
            }
            is_changed |= self.read(&path, stamp);
        }
        Ok(is_changed)
    }

    fn list(&self) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if stem(&path).is_none() {
                continue;
            }
            if found.len() == FILES {
                tracing::warn!(limit = FILES, "more flow files than are looked at");
                break;
            }
            // One that went away in between is not there.
            if let Ok(metadata) = std::fs::metadata(&path)
                && metadata.is_file()
            {
                let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
                let stamp = Stamp {
                    modified: metadata.modified().ok(),
                    length: metadata.len(),
                    inode,
                };
                found.insert(path, stamp);
            }
        }
        Ok(found)
    }

    /// Reads one file; `true` when there is a new flow.
    fn read(&mut self, path: &Path, stamp: Stamp) -> bool {
        let Some(stem) = stem(path) else {
            return false;
        };
        let earlier = self.files.remove(path).and_then(|file| file.flow);
        let parsed = self.parse(path, &stem, stamp);
        let is_new = parsed.is_ok();
        let flow = match parsed {
            Ok(flow) => {
                if earlier.is_some() {
                    tracing::info!(flow = %stem, "flow changed; new calls get it");
                }
                Some(flow)
            }
            Err(lines) => {
                let fate = if earlier.is_some() {
                    "the flow before it stays"
                } else {
                    "there is no such flow"
                };
                for line in lines {
                    tracing::error!("{}: {line}; {fate}", path.display());
                }
                earlier
            }
        };
        self.files
            .insert(path.to_owned(), File { stamp, stem, flow });
        is_new
    }

    /// Ids that are not written follow from the file's name: they are the same after each start and at each node.
    fn parse(
        &self,
        path: &Path,
        stem: &str,
        stamp: Stamp,
    ) -> Result<(Arc<Flow>, Arc<str>), Vec<String>> {
        if stamp.length > MAX_TEXT as u64 {
            let text = format!("{} bytes; a flow has at most {MAX_TEXT}", stamp.length);
            return Err(vec![text]);
        }
        let json = std::fs::read(path).map_err(|error| vec![error.to_string()])?;
        let mut rng = Rng::new(Sha256::digest(stem.as_bytes()).into());
        let lines = |error: String| -> Vec<String> { error.lines().map(str::to_owned).collect() };
        let flow = parse_flow(&json, stem, &mut rng, Support::Live)
            .map_err(|errors| lines(errors.to_string()))?;
        let text = String::from_utf8(json).map_err(|error| lines(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}');
        Ok((Arc::new(flow), text.into()))
    }

    /// All flows as calls find them, with what the API has made beside the files.
    #[must_use]
    pub fn table(&mut self, made: &Made) -> FlowTable {
        let files = self.files.values().filter_map(|file| {
            let (flow, _) = file.flow.as_ref()?;
            Some((file.stem.clone(), Arc::clone(flow)))
        });
        let sources = FlowSources {
            files: files.collect(),
            stored: made.flows.clone(),
            numbers: self.numbers.iter().chain(&made.numbers).cloned().collect(),
        };
        let (table, clashes) = sources.table();
        let clashes = clashes.iter().map(ToString::to_string);
        let missing = self.references.iter().filter_map(|reference| {
            let FlowReference { what, flow } = reference;
            let is_there = table.find(flow).is_some();
            (!is_there).then(|| format!("{what} is for flow {flow:?}, which does not exist"))
        });
        let odd: BTreeSet<String> = clashes.chain(missing).collect();
        for new in odd.difference(&self.told) {
            tracing::warn!("{new}");
        }
        self.told = odd;
        table
    }
}

/// The name of a flow file: `NAME.json`, but not a hidden one and not a test.
fn stem(path: &Path) -> Option<String> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    (!stem.is_empty() && !stem.starts_with('.') && !stem.ends_with(".test"))
        .then(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[{"type":"answer"}]"#;

    fn directory() -> (tempfile::TempDir, FlowDirectory) {
        let place = tempfile::tempdir().unwrap();
        let flows = FlowDirectory::new(place.path().to_owned(), Vec::new(), Vec::new());
        (place, flows)
    }

    fn names(table: &FlowTable) -> Vec<String> {
        table.iter().map(|flow| flow.name.clone()).collect()
    }

    #[test]
    fn json_files_are_flows_and_hidden_ones_and_tests_are_not() {
        let (place, mut flows) = directory();
        for name in [
            "menu.json",
            ".hidden.json",
            "menu.test.json",
            "notes.txt",
            ".json",
        ] {
            std::fs::write(place.path().join(name), GOOD).unwrap();
        }
        std::fs::create_dir(place.path().join("folder.json")).unwrap();
        assert!(flows.refresh().unwrap());
        let table = flows.table(&Made::default());
        assert_eq!(table.iter().count(), 1, "{:?}", names(&table));
        assert!(table.route("menu").is_some());
        assert!(!flows.refresh().unwrap());
    }

    #[test]
    fn a_wrong_file_keeps_the_flow_before_it_and_a_removed_one_is_gone() {
        let (place, mut flows) = directory();
        let file = place.path().join("menu.json");
        std::fs::write(&file, GOOD).unwrap();
        assert!(flows.refresh().unwrap());
        let before = flows.table(&Made::default());
        std::fs::write(&file, r#"[{"type":"answr"}]  "#).unwrap();
        assert!(!flows.refresh().unwrap());
        assert_eq!(
            flows
                .table(&Made::default())
                .route("menu")
                .unwrap()
                .actions
                .len(),
            before.route("menu").unwrap().actions.len()
        );
        std::fs::remove_file(&file).unwrap();
        assert!(flows.refresh().unwrap());
        assert!(flows.table(&Made::default()).route("menu").is_none());
    }

    #[test]
    fn a_flow_has_the_same_ids_after_each_start() {
        let (place, mut flows) = directory();
        std::fs::write(place.path().join("menu.json"), GOOD).unwrap();
        std::fs::write(place.path().join("other.json"), GOOD).unwrap();
        flows.refresh().unwrap();
        let mut again = FlowDirectory::new(place.path().to_owned(), Vec::new(), Vec::new());
        again.refresh().unwrap();
        let ids = |flows: &FlowDirectory| -> Vec<String> {
            let files = flows.flows();
            files.iter().map(|file| file.flow.id.clone()).collect()
        };
        assert_eq!(ids(&flows), ids(&again));
        assert_ne!(ids(&flows)[0], ids(&flows)[1]);
    }

    #[test]
    fn a_huge_file_is_refused_unread() {
        let (place, mut flows) = directory();
        let file = std::fs::File::create(place.path().join("huge.json")).unwrap();
        file.set_len(100 << 20).unwrap();
        assert!(!flows.refresh().unwrap());
    }
}
