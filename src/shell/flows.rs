//! The flows directory: read at start, and again within a second of a change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use super::config::FlowReference;
use crate::flow::Flow;
use crate::flow::dialect::{MAX_TEXT, Support, parse_flow};
use crate::ids::Rng;
use crate::store::flows::{FlowTable, Number};
use crate::switch::Input;

/// The flows of one directory, by file.
pub struct FlowDirectory {
    directory: PathBuf,
    numbers: Vec<Number>,
    references: Vec<FlowReference>,
    files: BTreeMap<PathBuf, File>,
    rng: Rng,
}

/// What is known of one file.
struct File {
    stamp: Stamp,
    stem: String,
    /// The newest good reading; a wrong file keeps the one before.
    flow: Option<Arc<Flow>>,
}

/// What tells that a file has changed without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// How often the directory is looked at: twice within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(500);
/// Files in the directory; more are not looked at, which is said.
const FILES: usize = 10_000;

impl FlowDirectory {
    /// A directory that has not been looked at; `references` are the flows that the configuration names.
    #[must_use]
    pub const fn new(
        directory: PathBuf,
        numbers: Vec<Number>,
        references: Vec<FlowReference>,
        rng: Rng,
    ) -> Self {
        Self {
            directory,
            numbers,
            references,
            files: BTreeMap::new(),
            rng,
        }
    }

    /// Reads what has changed. `Some`: the table of all good flows, when it is another than before.
    pub fn refresh(&mut self) -> std::io::Result<Option<FlowTable>> {
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
        Ok(is_changed.then(|| self.table()))
    }

    /// Looks at the directory for ever and reports changes.
    pub async fn watch(mut self, inputs: mpsc::Sender<Input>) {
        let mut is_missing = false;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let refreshed = tokio::task::spawn_blocking(move || {
                let refreshed = self.refresh();
                (self, refreshed)
            });
            let Ok((directory, refreshed)) = refreshed.await else {
                tracing::error!("the flows directory is no longer watched; please report this");
                return;
            };
            self = directory;
            match refreshed {
                Ok(Some(flows)) => {
                    if inputs.send(Input::Flows(flows)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) if !is_missing => {
                    tracing::warn!(directory = %self.directory.display(), %error, "flows stay as they are");
                    is_missing = true;
                    continue;
                }
                Err(_) => continue,
            }
            is_missing = false;
        }
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
                Some(Arc::new(flow))
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

    fn parse(&mut self, path: &Path, stem: &str, stamp: Stamp) -> Result<Flow, Vec<String>> {
        if stamp.length > MAX_TEXT as u64 {
            let text = format!("{} bytes; a flow has at most {MAX_TEXT}", stamp.length);
            return Err(vec![text]);
        }
        let json = std::fs::read(path).map_err(|error| vec![error.to_string()])?;
        parse_flow(&json, stem, &mut self.rng, Support::Live)
            .map_err(|errors| errors.to_string().lines().map(str::to_owned).collect())
    }

    fn table(&self) -> FlowTable {
        let flows = self
            .files
            .values()
            .filter_map(|file| Some((file.stem.clone(), Arc::clone(file.flow.as_ref()?))))
            .collect();
        let (table, clashes) = FlowTable::new(flows, &self.numbers);
        for clash in clashes {
            tracing::warn!("{clash}");
        }
        for FlowReference { what, flow } in &self.references {
            if table.find(flow).is_none() {
                tracing::warn!("{what} is for flow {flow:?}, which does not exist");
            }
        }
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
        let flows = FlowDirectory::new(
            place.path().to_owned(),
            Vec::new(),
            Vec::new(),
            Rng::from_number(1),
        );
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
        let table = flows.refresh().unwrap().unwrap();
        assert_eq!(table.iter().count(), 1, "{:?}", names(&table));
        assert!(table.route("menu").is_some());
        assert!(flows.refresh().unwrap().is_none());
    }

    #[test]
    fn a_wrong_file_keeps_the_flow_before_it_and_a_removed_one_is_gone() {
        let (place, mut flows) = directory();
        let file = place.path().join("menu.json");
        std::fs::write(&file, GOOD).unwrap();
        let before = flows.refresh().unwrap().unwrap();
        std::fs::write(&file, r#"[{"type":"answr"}]  "#).unwrap();
        assert!(flows.refresh().unwrap().is_none());
        assert_eq!(
            flows.table().route("menu").unwrap().actions.len(),
            before.route("menu").unwrap().actions.len()
        );
        std::fs::remove_file(&file).unwrap();
        assert!(flows.refresh().unwrap().unwrap().route("menu").is_none());
    }

    #[test]
    fn a_huge_file_is_refused_unread() {
        let (place, mut flows) = directory();
        let file = std::fs::File::create(place.path().join("huge.json")).unwrap();
        file.set_len(100 << 20).unwrap();
        assert!(flows.refresh().unwrap().is_none());
    }
}
