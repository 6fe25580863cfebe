//! What only the inside of the switch can show; its stories are told in `sim/tests`.

use super::*;
use crate::flow::FlowCommand;

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
            ("transcriptions", self.transcriptions.len()),
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

    /// Makes a call panic while it acts.
    pub(crate) fn poison(&mut self, now: Instant) {
        let id = *self.calls.keys().next().expect("somebody calls");
        self.with_call(now, id, |_, _| panic!("poisoned by a test"));
        self.settle(now);
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
