//! What is configured, kept up to date: the flows directory, and what the API has made at this node or another.
//!
//! ```text
//!   files, every 500 ms ──.
//!   Line::configure ──────+──> Configurator ──> Input::Flows ──> switch
//!   other nodes' changes ─'          '────────> Configured ────> lists of the API
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::config::Settings;
use super::flows::FlowDirectory;
use super::serve::configuration;
use crate::api::{Configured, Files, Made, MadeReader, Origin};
use crate::database::{DatabaseError, Records, Revision};
use crate::store::flows::FlowTable;
use crate::switch::{Configuration, Input};

/// The task that gives the switch and the API what is configured.
pub struct Configurator {
    sources: Sources,
    reader: MadeReader,
    revision: Revision,
    made: Made,
    configured: watch::Sender<Arc<Configured>>,
}

/// Where what is configured comes from.
pub struct Sources {
    /// Its files.
    pub directory: FlowDirectory,
    /// What the configuration file says.
    pub settings: Settings,
    /// Passwords of its extensions, those that were made included.
    pub passwords: Vec<(String, String)>,
    /// What the API has made.
    pub records: Records,
    /// What stands on what the API shows of files.
    pub origin: Origin,
}

/// What is configured at the start.
pub struct Start {
    /// For the switch.
    pub flows: FlowTable,
    /// For the switch.
    pub configuration: Configuration,
    /// For the API, then and later.
    pub configured: watch::Receiver<Arc<Configured>>,
}

/// How often the directory and the other nodes are looked at: twice within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The flows directory cannot be read.
    #[error("{0}")]
    Directory(#[from] std::io::Error),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Configurator {
    /// Reads everything for the first time.
    ///
    /// # Errors
    /// The directory or the database cannot be read.
    pub async fn start(sources: Sources) -> Result<(Self, Start), ConfigureError> {
        let (configured, watching) = watch::channel(Arc::default());
        let mut configurator = Self {
            revision: sources.records.revision().await?,
            sources,
            reader: MadeReader::default(),
            made: Made::default(),
            configured,
        };
        configurator.sources.directory.refresh()?;
        configurator.show_files();
        configurator.read_made().await?;
        let start = Start {
            flows: configurator.flows(),
            configuration: configurator.configuration(),
            configured: watching,
        };
        Ok((configurator, start))
    }

    /// Looks for changes for ever, and tells the switch.
    pub async fn run(
        mut self,
        mut changes: mpsc::Receiver<oneshot::Sender<()>>,
        inputs: mpsc::Sender<Input>,
    ) {
        let mut trouble = Trouble::default();
        loop {
            let asked = tokio::select! {
                asked = changes.recv() => match asked {
                    Some(asked) => Some(asked),
                    None => return,
                },
                () = tokio::time::sleep(INTERVAL) => None,
            };
            let mut asking: Vec<oneshot::Sender<()>> = asked.into_iter().collect();
            while let Ok(another) = changes.try_recv() {
                asking.push(another);
            }
            let Some((refreshed, looked)) = self.refresh().await else {
                tracing::error!("the flows directory is no longer watched; please report this");
                return;
            };
            self = refreshed;
            trouble.of_files(&looked);
            let is_file_new = matches!(looked, Ok(true));
            if is_file_new {
                self.show_files();
            }
            let is_made_new = !asking.is_empty() || self.is_changed_elsewhere().await;
            let mut news = Vec::new();
            if is_made_new {
                let read = self.read_made().await;
                trouble.of_database(&read);
                let Ok(is_other) = read else { continue };
                if is_other {
                    news.push(Input::Configure(Box::new(self.configuration())));
                }
            }
            if is_file_new || is_made_new {
                news.push(Input::Flows(self.flows()));
            }
            for news in news {
                if inputs.send(news).await.is_err() {
                    return;
                }
            }
            for asked in asking {
                // Who asked may have gone.
                let _ = asked.send(());
            }
        }
    }

    /// Looks at the directory on a thread that may wait for a disk.
    async fn refresh(mut self) -> Option<(Self, std::io::Result<bool>)> {
        let refreshed = tokio::task::spawn_blocking(move || {
            let refreshed = self.sources.directory.refresh();
            (self, refreshed)
        });
        refreshed.await.ok()
    }

    /// Shows the files to the API.
    fn show_files(&self) {
        let Sources {
            directory,
            settings,
            passwords,
            origin,
            ..
        } = &self.sources;
        let files = Files {
            flows: directory.flows(),
            numbers: settings.numbers.clone(),
            extensions: passwords.clone(),
            agents: settings.agents.clone(),
        };
        let configured = Configured::new(*origin, &files);
        self.configured.send_replace(Arc::new(configured));
    }

    /// Reads what the API has made; whether more than flows and numbers is other than before.
    async fn read_made(&mut self) -> Result<bool, DatabaseError> {
        let files = self.sources.directory.flows();
        let made = self.reader.read(&self.sources.records, &files).await?;
        let before = std::mem::replace(&mut self.made, made);
        let made = &self.made;
        Ok(before.extensions != made.extensions || before.agents != made.agents)
    }

    fn flows(&mut self) -> FlowTable {
        self.sources.directory.table(&self.made)
    }

    fn configuration(&self) -> Configuration {
        let Sources {
            settings,
            passwords,
            ..
        } = &self.sources;
        configuration(settings, passwords, &self.made)
    }

    /// Whether another node has changed what the API has made. A database that does not answer has changed
    /// nothing.
    async fn is_changed_elsewhere(&mut self) -> bool {
        let kinds = &MadeReader::KINDS;
        match self.sources.records.changes(kinds, self.revision).await {
            Ok((changed, revision)) => {
                self.revision = revision;
                !changed.is_empty()
            }
            Err(_) => false,
        }
    }
}

/// What is wrong, told once until it is right again.
#[derive(Debug, Default)]
struct Trouble {
    has_files: bool,
    has_database: bool,
}

impl Trouble {
    fn of_files(&mut self, refreshed: &std::io::Result<bool>) {
        if let Err(error) = refreshed
            && !self.has_files
        {
            tracing::warn!(%error, "flows of the directory stay as they are");
        }
        self.has_files = refreshed.is_err();
    }

    fn of_database(&mut self, read: &Result<bool, DatabaseError>) {
        if let Err(error) = read
            && !self.has_database
        {
            tracing::warn!(%error, "what the API has made stays as it was");
        }
        self.has_database = read.is_err();
    }
}
