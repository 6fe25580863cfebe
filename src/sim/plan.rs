//! What a world is made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use flowswitch_media::prompt::Prompt;
use serde_json::Value;

use super::net::Weather;
use super::world::World;
use crate::ids::Rng;
use crate::sip::{Endpoint, EndpointConfig, Limits};
use crate::store::access::{Accept, Access, Trunk};
use crate::switch::{Assistant, Providers, Switch, SwitchConfig};
use crate::time::Epoch;

/// A world to be; every field may be changed before [`Plan::build`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of all chance.
    pub seed: u64,
    /// Name and JSON of each flow.
    pub flows: Vec<(&'static str, Value)>,
    /// Number to flow name.
    pub numbers: Vec<(&'static str, &'static str)>,
    /// Who may call.
    pub accept: Accept,
    /// Trunks: name and network.
    pub trunks: Vec<(&'static str, &'static str)>,
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
            reporting: Duration::from_millis(1),
        }
    }

    /// With one more flow.
    #[must_use]
    pub fn flow(mut self, name: &'static str, json: Value) -> Self {
        self.flows.push((name, json));
        self
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
        flow_limits: crate::flow::Limits::default(),
        calls: plan.calls,
        providers: plan.providers,
        assistant: Assistant::default(),
    };
    let trunks = plan.trunks.iter().map(|(name, network)| Trunk {
        name: (*name).to_owned(),
        networks: vec![network.parse().expect("a network")],
    });
    let owned = |(name, password): &(&str, &str)| ((*name).to_owned(), (*password).to_owned());
    let access = Access::new(
        plan.accept,
        trunks.collect(),
        plan.extensions.iter().map(owned).collect(),
    );
    // 2023-11-14T22:13:20Z.
    let epoch = Epoch::new(
        now,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    );
    Switch::new(
        now,
        config,
        Endpoint::new(endpoint, rng.fork()),
        access,
        epoch,
        rng.fork(),
    )
}
