//! The API with its tasks: the server, and the desk that the switch tells its news to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{Settings, secrets};
use super::configuring::{Configurator, ConfigureError, Sources, Start};
use super::flows::FlowDirectory;
use super::serve::outbound_policy;
use crate::api::{
    Api, ApiConfig, Clock, Configured, Desk, Events, Hash, Line, NewsReceiver, Origin, Rate,
    Readiness, Server,
};
use crate::database::{Database, Records, Writer};
use crate::ids::Rng;
use crate::time::Epoch;

/// What is kept, open, and what is configured with it.
pub(super) struct Opened {
    pub(super) records: Records,
    pub(super) writer: Writer,
    pub(super) origin: Origin,
    /// The access key that was made at the first start.
    pub(super) key: String,
    pub(super) configurator: Configurator,
    pub(super) start: Start,
}

/// Opens the database and reads what is configured, files and all.
///
/// # Errors
/// There is no database or no flows directory.
pub(super) async fn open(
    settings: Settings,
    passwords: Vec<(String, String)>,
    epoch: Epoch,
    mut rng: Rng,
) -> anyhow::Result<Opened> {
    let (key, node) = secrets::key_and_node(&settings.data, &mut rng)?;
    let database = Database::open(&settings.service.database)
        .await
        .context("no database (--database names another)")?;
    let (records, writer) = Records::new(database, &node);
    let made = rng.uuid().to_string();
    let customer = records.get_or_insert("customer_id", &made).await?;
    let origin = Origin {
        customer: customer
            .parse()
            .context("the customer id in the database is no UUID")?,
        since: epoch.since_1970(Instant::now()),
    };
    let flows = settings.flows.clone();
    let directory = FlowDirectory::new(
        flows.clone(),
        settings.numbers.clone(),
        settings.flow_references(),
    );
    let sources = Sources {
        directory,
        settings,
        passwords,
        records: records.clone(),
        origin,
    };
    let started = Configurator::start(sources).await;
    let (configurator, start) = started.map_err(|error| match error {
        ConfigureError::Directory(error) => anyhow::Error::from(error).context(format!(
            "no flows in {} (--flows names another directory)",
            flows.display()
        )),
        error => error.into(),
    })?;
    Ok(Opened {
        records,
        writer,
        origin,
        key,
        configurator,
        start,
    })
}

/// What the service is made of.
pub(super) struct ServiceConfig<'a> {
    pub(super) settings: &'a Settings,
    pub(super) records: Records,
    pub(super) line: Line,
    pub(super) told: NewsReceiver,
    pub(super) epoch: Epoch,
    pub(super) origin: Origin,
    pub(super) configured: watch::Receiver<Arc<Configured>>,
    /// The generated access key; counts where the file has none.
    pub(super) key: &'a str,
    pub(super) rng: Rng,
}

/// A service that listens and does not answer yet.
pub(super) struct Service {
    server: Option<Server>,
    desk: Desk,
    readiness: Arc<Readiness>,
}

/// A service that answers.
pub(super) struct Running {
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
    desk: JoinHandle<()>,
    readiness: Arc<Readiness>,
}

impl Service {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken.
    pub(super) async fn start(config: ServiceConfig<'_>, errands: &Handle) -> anyhow::Result<Self> {
        let settings = &config.settings.service;
        let policy = outbound_policy(config.settings);
        let readiness = Arc::new(Readiness::default());
        let key = settings.accesskey.as_deref().unwrap_or(config.key);
        let api = Api::new(ApiConfig {
            records: config.records,
            line: config.line,
            events: Events::new(),
            clock: Clock::new(Instant::now, config.epoch),
            customer: config.origin.customer,
            configured: config.configured,
            keys: vec![Hash::of(key)],
            readiness: Arc::clone(&readiness),
            rate: Rate {
                per_second: settings.rate,
                burst: settings.rate.saturating_mul(2),
            },
            permits: Arc::new(move |address| policy.permits(address)),
            rng: config.rng,
        });
        let server = match settings.listen {
            None => None,
            Some(address) => {
                let binding = errands.spawn(Server::bind(address, api.router()?));
                let bound = binding.await.context("the server failed")?;
                let hint = || format!("cannot listen on {address} (--http names another address)");
                Some(bound.with_context(hint)?)
            }
        };
        Ok(Self {
            server,
            desk: Desk::new(api, config.told),
            readiness,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref()?.address().ok()
    }

    /// Answers from now on: the SIP sockets are bound.
    pub(super) fn run(self, errands: &Handle) -> Running {
        self.readiness.is_listening.store(true, Ordering::Relaxed);
        let (stop, stopped) = watch::channel(false);
        Running {
            stop,
            server: self.server.map(|server| errands.spawn(server.run(stopped))),
            desk: errands.spawn(self.desk.run()),
            readiness: self.readiness,
        }
    }
}

impl Running {
    /// What `/readyz` goes by.
    pub(super) fn readiness(&self) -> Arc<Readiness> {
        Arc::clone(&self.readiness)
    }

    /// Ends, when the switch has told its last news: requests under way are answered, and all is written.
    pub(super) async fn stop(self) {
        // The server may have failed, which its task has said.
        let _ = self.stop.send(true);
        if let Some(server) = self.server
            && server.await.is_err()
        {
            tracing::error!("the server failed; please report this");
        }
        if self.desk.await.is_err() {
            tracing::error!("the desk failed; please report this");
        }
    }
}
