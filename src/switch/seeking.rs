//! Who waits for the addresses of a host, and for the answer to a request of ours outside of calls.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::io::{Output, ResolveId};
use crate::ids::CallId;
use crate::sip::message::Response;
use crate::sip::{AskId, Hop, NoAnswer, SipHost};
use crate::store::trunks::TrunkId;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seeker {
    /// A call that we make.
    Call(CallId),
    /// Our registration at a trunk.
    Registration(TrunkId),
    /// The question how a trunk is.
    Probe(TrunkId),
    /// One branch of a message.
    Text(Uuid, usize),
}

impl Switch {
    /// Looks for a host.
    pub(super) fn seek(&mut self, seeker: Seeker, host: SipHost) -> ResolveId {
        let resolve = ResolveId(self.next_number());
        self.resolves.insert(resolve, seeker);
        self.outputs.push_back(Output::Resolve { resolve, host });
        resolve
    }

    /// The addresses of a host are known.
    pub(super) fn handle_resolved(&mut self, now: Instant, resolve: ResolveId, hops: Vec<Hop>) {
        match self.resolves.remove(&resolve) {
            Some(Seeker::Call(id)) => self.callee_found(now, id, hops),
            Some(Seeker::Registration(trunk)) => self.registrar_found(now, trunk, hops),
            Some(Seeker::Probe(trunk)) => self.trunk_found(now, trunk, hops),
            Some(Seeker::Text(id, branch)) => self.reader_found(now, id, branch, hops),
            None => {}
        }
    }

    /// A request of ours outside of calls came to its end.
    pub(super) fn handle_responded(
        &mut self,
        now: Instant,
        ask: AskId,
        result: &Result<Arc<Response>, NoAnswer>,
    ) {
        match self.asks.remove(&ask) {
            Some(Seeker::Registration(trunk)) => self.registrar_responded(now, trunk, result),
            Some(Seeker::Probe(trunk)) => self.probe_responded(trunk, ask, result),
            Some(Seeker::Text(id, branch)) => self.reader_responded(now, id, branch, result),
            Some(Seeker::Call(_)) | None => {}
        }
    }
}
