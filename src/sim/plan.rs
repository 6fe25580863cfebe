//! What a world is made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use flowswitch_media::prompt::Prompt;
use serde_json::Value;

use super::net::Weather;
use super::world::World;
use crate::ids::Rng;
use crate::sip::message::{Algorithm, Host};
use crate::sip::{Endpoint, EndpointConfig, Limits, SipHost, Transport};
use crate::store::access::{Accept, Access};
use crate::store::codecs::CodecTable;
use crate::store::directory::Directory;
use crate::store::trunks::{Trunk, TrunkOut, TrunkTable};
use crate::switch::{Assistant, Configuration, Providers, Switch, SwitchConfig};
use crate::time::Epoch;

/// A world to be; every field may be changed before [`Plan::build`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of all chance.
    pub seed: u64,
    /// Name and JSON of each flow.
    pub flows: Vec<(&'static str, Value)>,
    /// Number to flow name, for calls and messages.
    pub numbers: Vec<(&'static str, &'static str)>,
    /// Who may call.
    pub accept: Accept,
    /// Trunks: name and network.
    pub trunks: Vec<(&'static str, &'static str)>,
    /// What it speaks with whom.
    pub codecs: CodecTable,
    /// Whom the switch can call.
    pub directory: Directory,
    /// How often trunks are asked how they are; never, unless a story is about it.
    pub trunks_probed_every: Option<Duration>,
    /// Extensions: name and password.
    pub extensions: Vec<(&'static str, &'static str)>,
    /// Calls at once.
    pub calls: usize,
    /// Which servers there are outside.
    pub providers: Providers,
    /// The session interval; zero for none.
    pub session_expires: Duration,
    /// How SIP travels.
    pub sip: Weather,
    /// How RTP travels.
    pub rtp: Weather,
    /// How long speech takes to be made.
    pub fetching: Duration,
    /// Hosts, and where they are reached, the best first.
    pub hosts: Vec<(&'static str, Vec<(Transport, &'static str)>)>,
    /// How long it takes to find out where a host is reached.
    pub resolving: Duration,
    /// A world of so many calls that it carries no sound and keeps nothing of what has been: see
    /// [`MediaRoom::silent`](super::media::MediaRoom::silent).
    pub is_bulk: bool,
    /// How long news of the engine takes to the switch.
    pub reporting: Duration,
}

impl Plan {
    /// A world without faults and flows.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            flows: Vec::new(),
            numbers: Vec::new(),
            accept: Accept::Known,
            trunks: Vec::new(),
            codecs: CodecTable::default(),
            directory: Directory::default(),
            trunks_probed_every: None,
            extensions: Vec::new(),
            calls: 1000,
            providers: Providers {
                email: true,
                message: true,
                transcription: true,
                chat: true,
            },
            session_expires: Duration::ZERO,
            sip: Weather {
                delay: Duration::from_millis(5),
                ..Weather::default()
            },
            rtp: Weather::default(),
            fetching: Duration::from_millis(30),
            hosts: Vec::new(),
            is_bulk: false,
            resolving: Duration::from_millis(10),
            reporting: Duration::from_millis(1),
        }
    }

    /// With one more flow.
    #[must_use]
    pub fn flow(mut self, name: &'static str, json: Value) -> Self {
        self.flows.push((name, json));
        self
    }

    /// With these trunks to be called: name, and how. [`World::trunk`] stands at the other end.
    #[must_use]
    pub fn carriers(
        mut self,
        carriers: impl IntoIterator<Item = (&'static str, TrunkOut)>,
    ) -> Self {
        let trunk = |(name, out): (&str, TrunkOut)| Trunk {
            name: name.to_owned(),
            networks: Vec::new(),
            out: Some(out),
        };
        self.directory.trunks = TrunkTable::new(carriers.into_iter().map(trunk).collect());
        self
    }

    /// What the switch of this world is configured to be.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let trunks = self.trunks.iter().map(|(name, network)| Trunk {
            name: (*name).to_owned(),
            networks: vec![network.parse().expect("a network")],
            out: None,
        });
        let owned = |(name, password): &(&str, &str)| ((*name).to_owned(), (*password).to_owned());
        let extensions = self.extensions.iter().map(owned);
        Configuration {
            access: Access::new(self.accept, trunks.collect(), extensions.collect()),
            directory: self.directory.clone(),
            codecs: self.codecs.clone(),
            digest: vec![Algorithm::Md5, Algorithm::Sha256],
            flow_limits: crate::flow::Limits::default(),
            calls: self.calls,
            providers: self.providers,
            assistant: Assistant::default(),
            trunks_probed_every: self.trunks_probed_every,
        }
    }

    /// Begins.
    #[must_use]
    pub fn build(self) -> World {
        World::new(self)
    }
}

/// The switch of a plan.
pub(super) fn new_switch(now: Instant, plan: &Plan, rng: &mut Rng) -> Switch {
    let endpoint = EndpointConfig {
        external_address: None,
        user_agent: "flowswitch".to_owned(),
        session_expires: plan.session_expires,
        min_se: Duration::from_secs(90),
        limits: Limits {
            transactions: 50_000,
            dialogs: 20_000,
        },
    };
    let config = SwitchConfig {
        recordings: PathBuf::from("recordings"),
        beep: Arc::new(Prompt::beep()),
        realm: "flowswitch".to_owned(),
        configuration: plan.configuration(),
    };
    // 2023-11-14T22:13:20Z.
    let epoch = Epoch::new(
        now,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    );
    let endpoint = Endpoint::new(endpoint, rng.fork());
    Switch::new(now, config, endpoint, epoch, rng.fork())
}

/// A host as the configuration would name it: `carrier.example`, `10.0.0.5`.
///
/// # Panics
/// Where it is neither a name nor an address.
#[must_use]
pub fn host(name: &str) -> SipHost {
    SipHost {
        host: Host::parse(name.as_bytes()).expect("a name or an address"),
        port: None,
        transport: None,
    }
}
