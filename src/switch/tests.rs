//! What only the inside of the switch can show; its stories are told in `sim/tests`.

use super::*;
use crate::flow::FlowCommand;
use crate::store::agents::AgentStatus;
use crate::store::directory::Directory;

impl Switch {
    /// What is still kept, and how much of it; nothing when nobody calls.
    pub(crate) fn leftovers(&mut self) -> Vec<(&'static str, usize)> {
        let stats = self.endpoint.stats();
        let kept = [
            ("arrivals", self.arrivals.len()),
            ("calls", self.calls.len()),
            ("dialogs", self.dialogs.len()),
            ("sessions", self.sessions.len()),
            ("activeflows", self.activeflows.len()),
            ("orders", self.orders.len()),
            ("orders outside", self.asked.len()),
            ("exchanges", self.exchanges.len()),
            ("turned away", self.turned_away.len()),
            ("transcriptions", self.transcriptions.len()),
            ("dials", self.dials.len()),
            ("bridges", self.bridges.len()),
            ("groupcalls", self.telling.groupcalls.len()),
            ("changes to be told", self.telling.changes()),
            ("transfers", self.transfers.len()),
            ("places in queues", self.queues.len()),
            ("dials of agents", self.ringing.len()),
            ("agents that talk", self.attendance.len()),
            ("conferences", self.conferences.len()),
            ("recordings of bridges", self.bridge_recordings.len()),
            ("external media", self.externals.len()),
            ("resolves", self.resolves.len()),
            ("requests outside of calls", self.asks.len()),
            ("messages on their way", self.texts.len()),
            ("channels of trunks", self.channels()),
            (
                "deadlines",
                usize::from(self.deadlines.poll_timeout().is_some()),
            ),
            ("news", self.news.len()),
            ("media", self.media.len()),
            ("outputs", self.outputs.len()),
            ("dialogs of the endpoint", stats.dialogs),
            ("transactions of the endpoint", stats.transactions),
        ];
        kept.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Channels of trunks that are taken.
    fn channels(&self) -> usize {
        let trunks = &self.config.directory.trunks;
        trunks.ids().map(|trunk| trunks.calls(trunk) as usize).sum()
    }

    /// Asks no trunk any more how it is.
    pub(crate) fn leave_trunks_alone(&mut self) {
        self.carriers.probed_every = None;
        for trunk in self.config.directory.trunks.ids() {
            self.carriers.with(trunk, |carrier| carrier.pulse.rest());
        }
    }

    /// Makes a call panic while it acts.
    pub(crate) fn poison(&mut self, now: Instant) {
        let id = *self.calls.keys().next().expect("somebody calls");
        self.with_call(now, id, |_, _| panic!("poisoned by a test"));
        self.settle(now);
    }

    /// Makes the call that came in, or the one that we made, panic while it acts.
    pub(crate) fn poison_where(&mut self, now: Instant, is_meant: fn(bool) -> bool) {
        let mut calls = self.calls.values();
        let found = calls.find(|entry| is_meant(entry.call.is_incoming()));
        let id = found.expect("somebody calls").call.id();
        self.with_call(now, id, |_, _| panic!("poisoned by a test"));
        self.settle(now);
    }

    /// Whether an agent has time.
    pub(crate) fn agent(&self, name: &str) -> AgentStatus {
        let agents = &self.config.directory.agents;
        agents.find(name).expect("an agent of the test").status
    }

    /// Whom it can call, with what is going on at each.
    pub(crate) const fn directory(&self) -> &Directory {
        &self.config.directory
    }

    /// Places where an extension is bound.
    pub(crate) fn reached(&self, extension: &str) -> usize {
        self.registrar.bindings(extension).len()
    }

    /// Flows that run.
    pub(crate) fn activeflows(&self) -> usize {
        self.activeflows.len()
    }

    /// Lets the only flow that runs give an order under a number that it will not use.
    pub(crate) fn order(&mut self, now: Instant, order: impl FnOnce(FlowCommandId) -> FlowCommand) {
        let id = *self.activeflows.keys().next().expect("a flow runs");
        let command = FlowCommandId(1_000_000 + self.next_number());
        self.perform(now, id, order(command));
        self.settle(now);
    }

    /// Makes the activeflow of a call panic while it acts.
    pub(crate) fn poison_flow(&mut self, now: Instant) {
        let id = *self.activeflows.keys().next().expect("a flow runs");
        self.with_flow(now, id, |_| panic!("poisoned by a test"));
        self.settle(now);
    }

    /// The calls and the activeflows there are.
    pub(crate) fn names(&self) -> (Vec<CallId>, Vec<ActiveflowId>) {
        let mut names = (
            Vec::from_iter(self.calls.keys().copied()),
            Vec::from_iter(self.activeflows.keys().copied()),
        );
        names.0.sort_unstable();
        names.1.sort_unstable();
        names
    }

    /// The living call of a party, by the beginning of its address; the newest where it has several.
    pub(crate) fn call_with(&self, party: &str) -> Option<CallId> {
        let is_it = |entry: &&Entry| {
            let call = &entry.call;
            let address = match call.is_incoming() {
                true => call.source(),
                false => call.destination(),
            };
            call.is_alive() && address.target.starts_with(party)
        };
        let entries = self.calls.values().map(|entry| &**entry);
        let found = entries.filter(is_it);
        let newest = found.max_by_key(|entry| entry.call.leg().session());
        newest.map(|entry| entry.call.id())
    }

    /// The lanes of all calls and of the bridges they are in.
    pub(crate) fn lanes(&self) -> BTreeSet<u8> {
        let calls = self.calls.values().map(|entry| &entry.call);
        let lanes = calls.flat_map(|call| {
            let bridge = call.bridge().map(BridgeId::lane);
            std::iter::once(call.leg().session().lane()).chain(bridge)
        });
        lanes.collect()
    }

    /// The action where the flow of a call stands.
    pub(crate) fn cursor_of(&self, call: CallId) -> Option<&str> {
        let flow = self.calls.get(&call)?.activeflow?;
        let run = self.activeflows.get(&flow)?;
        Some(run.activeflow.current_action()?.id.as_str())
    }

    /// The action where the only flow that runs stands.
    pub(crate) fn cursor(&self) -> Option<&str> {
        let run = self.activeflows.values().next()?;
        Some(run.activeflow.current_action()?.id.as_str())
    }

    /// The value of a variable of the only flow that runs.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let run = self.activeflows.values().next()?;
        run.activeflow.variables().value(name)
    }
}
