//! The configuration, and what becomes of what is going on when it changes.
//!
//! Everything that bears an id or a name is the same thing as before when it is configured again. What goes on
//! there goes on: calls and how many of them a trunk carries, what was heard of trunks, our registrations,
//! bindings of extensions, who of the agents talks, who waits in which queue, who is in which conference. What
//! is new for it holds for what begins from now on. What is gone ends in order:
//!
//! | gone | what becomes of it |
//! |---|---|
//! | trunk | its calls go on; our registration there is ended |
//! | extension | its bindings are forgotten; its calls go on |
//! | agent | it is called no more for a queue; its talks go on |
//! | queue | who waits there is sent on, as by a kick; who talks with an agent talks on |
//! | conference | its room is open to those in it and on the way, as it was, until it closes |

use std::time::{Duration, Instant};

use super::Switch;
use super::outside::{Assistant, Providers};
use super::seeking::Seeker;
use crate::flow::Limits;
use crate::sip::message::Algorithm;
use crate::store::access::Access;
use crate::store::codecs::CodecTable;
use crate::store::directory::Directory;
use crate::store::trunks::{TrunkId, TrunkOut, TrunkTable};

/// All of the configuration that can change while calls run, but flows and numbers.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Who may call.
    pub access: Access,
    /// Whom it can call.
    pub directory: Directory,
    /// What it speaks with whom.
    pub codecs: CodecTable,
    /// What telephones may prove themselves by, first what is offered first.
    pub digest: Vec<Algorithm>,
    /// The limits of one activeflow.
    pub flow_limits: Limits,
    /// Calls at once; more are refused with 503.
    pub calls: usize,
    /// Which servers there are outside.
    pub providers: Providers,
    /// Who talks with callers.
    pub assistant: Assistant,
    /// How often trunks are asked how they are, where no call shows it; never where it is `None`.
    pub trunks_probed_every: Option<Duration>,
}

impl Switch {
    /// Puts another configuration in place of the one before; a switch that is stopping keeps what it has.
    pub(super) fn configure(&mut self, now: Instant, configuration: Configuration) {
        if self.stopping.is_some() {
            return;
        }
        let old = std::mem::replace(&mut self.config, configuration);
        let Directory { agents, queues, .. } = &mut self.config.directory;
        agents.carry_on(&old.directory.agents);
        queues.carry_on(&old.directory.queues);
        self.queues.reconfigure(now, queues, agents);
        self.authenticator.accept(self.config.digest.clone());
        let access = &self.config.access;
        self.registrar
            .retain(|extension| access.password(extension).is_some());
        self.carriers.probed_every = self.config.trunks_probed_every;
        self.replace_trunks(now, old.directory.trunks);
        tracing::info!("the configuration has changed");
    }

    /// Goes on with the trunks of before, as the configuration of now has them.
    fn replace_trunks(&mut self, now: Instant, before: TrunkTable) {
        let new = std::mem::replace(&mut self.config.directory.trunks, before);
        let olds: Vec<(TrunkId, TrunkOut)> = self.trunk_outs();
        for trunk in self.config.directory.trunks.replace(new) {
            self.leave_trunk(now, trunk, trunk);
        }
        for (trunk, out) in self.trunk_outs() {
            let old = olds.iter().find(|(known, _)| *known == trunk);
            match old.map(|(_, old)| old) {
                None => self.carriers.add(now, trunk, &out),
                Some(old) if old.is_the_same_place(&out) => {}
                Some(_) if self.carriers.renew(trunk, &out) => {}
                Some(old) => {
                    let under = self.config.directory.trunks.keep_old(trunk, old.clone());
                    self.leave_trunk(now, trunk, under);
                    self.carriers.add(now, trunk, &out);
                }
            }
            self.carriers.ask_or_leave(now, trunk, &out);
            self.pursue(now, trunk);
        }
        self.forget_trunks();
    }

    fn trunk_outs(&self) -> Vec<(TrunkId, TrunkOut)> {
        let trunks = &self.config.directory.trunks;
        let out = |trunk| (trunk, trunks.get(trunk).clone());
        trunks.ids().map(out).collect()
    }

    /// Ends our registration at a trunk that is called no more, or not there; what is still to be heard of it
    /// is for the id under which that is done.
    fn leave_trunk(&mut self, now: Instant, trunk: TrunkId, under: TrunkId) {
        let is_probe = |seeker: &Seeker| *seeker == Seeker::Probe(trunk);
        self.asks.retain(|_, seeker| !is_probe(seeker));
        self.resolves.retain(|_, seeker| !is_probe(seeker));
        let seekers = self.asks.values_mut().chain(self.resolves.values_mut());
        for seeker in seekers.filter(|seeker| **seeker == Seeker::Registration(trunk)) {
            *seeker = Seeker::Registration(under);
        }
        if self.carriers.leave(trunk, under) {
            self.pursue(now, under);
        }
    }

    /// Forgets trunks that are gone and that nothing is heard of any more.
    fn forget_trunks(&mut self) {
        self.carriers.forget_left();
        let calls = self.calls.values();
        let by_calls = calls.filter_map(|entry| entry.outgoing.as_ref());
        let mut used: Vec<TrunkId> = by_calls.flat_map(|outgoing| outgoing.trunks()).collect();
        used.extend(self.texts.values().flat_map(|text| text.trunks()));
        let dialing = self.dials.values().flat_map(|dial| dial.trunks());
        used.extend(dialing);
        let carriers = &self.carriers;
        let is_used = |trunk| carriers.has(trunk) || used.contains(&trunk);
        self.config.directory.trunks.forget_gone(is_used);
    }
}
