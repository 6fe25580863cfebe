//! A message on its way: to all of its targets at once, to each by as many ways as it takes.
//!
//! ```text
//!   message --- extension --- telephone a       all at once: the first that takes it is enough
//!            |             '- telephone b
//!            |- tel, sip ---- trunk a, trunk b  one after another, each address of theirs
//!            '- tel, others - the gateway       when there is one, for all of these together
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::identity::Caller;
use super::route::Way;
use crate::flow::{Address, FlowCommandId};
use crate::ids::ActiveflowId;
use crate::sip::message::{Request, Status};
use crate::sip::{Hop, RequestId};
use crate::store::messages::MessageStatus;
use crate::store::trunks::TrunkId;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Text {
    pub sender: Sender,
    pub caller: Caller,
    pub body: Bytes,
    /// What became of it at each of its targets.
    pub standings: Vec<MessageStatus>,
    pub branches: Vec<Branch>,
    /// Targets that the gateway has to do with.
    pub by_gateway: Vec<usize>,
    /// It is given up then.
    pub until: Instant,
    /// Why the last of those that did not take it did not.
    pub why: &'static str,
    /// What the last of those said.
    pub status: Option<Status>,
}

/// Who waits for what becomes of a message.
#[derive(Debug)]
pub(super) enum Sender {
    /// A command of a flow.
    Flow(ActiveflowId, FlowCommandId),
    /// A telephone or trunk, whose request is answered by `until`.
    Peer {
        id: RequestId,
        request: Arc<Request>,
        until: Instant,
    },
    /// It has been told already.
    Nobody,
}

/// One place that a message shall reach.
#[derive(Debug)]
pub(super) struct Branch {
    /// Of which target.
    pub target: usize,
    /// Still to be tried.
    pub ways: VecDeque<Way>,
    /// The one that is tried.
    pub way: Option<Way>,
    /// Its addresses, still to be tried.
    pub hops: VecDeque<Hop>,
    /// The one that is tried.
    pub hop: Option<Hop>,
    pub is_over: bool,
}

/// Messages on their way at one time.
pub(super) const UNDER_WAY: usize = 4096;

/// How long a message may take: three addresses that say nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(100);

/// How long who sends a message waits for the telephone it is for; then it is told that the message is on its
/// way. It would hear nothing after 32 s (RFC 4320 §3.1).
pub(super) const RELAY_PATIENCE: Duration = Duration::from_secs(10);

impl Text {
    /// A message to so many targets that has not left yet.
    pub(super) fn new(
        now: Instant,
        sender: Sender,
        caller: Caller,
        text: &str,
        targets: usize,
    ) -> Self {
        Self {
            sender,
            caller,
            body: Bytes::copy_from_slice(text.as_bytes()),
            standings: vec![MessageStatus::Queued; targets],
            branches: Vec::new(),
            by_gateway: Vec::new(),
            until: now + PATIENCE,
            why: "nobody took it",
            status: None,
        }
    }

    /// Goes to a target by these places.
    pub(super) fn branch(&mut self, target: usize, places: Vec<Vec<Way>>) {
        let branch = |ways: Vec<Way>| Branch {
            target,
            ways: ways.into(),
            way: None,
            hops: VecDeque::new(),
            hop: None,
            is_over: false,
        };
        self.branches.extend(places.into_iter().map(branch));
    }

    /// The trunks that it goes by, or may.
    pub(super) fn trunks(&self) -> impl Iterator<Item = TrunkId> {
        let ways = self.branches.iter();
        let ways = ways.flat_map(|branch| branch.ways.iter().chain(&branch.way));
        ways.filter_map(|way| way.line.trunk())
    }

    /// A target has it, or not; true when that is news.
    pub(super) fn settle(&mut self, target: usize, status: MessageStatus) -> bool {
        let standing = self.standings.get_mut(target);
        let Some(standing) = standing.filter(|standing| **standing == MessageStatus::Queued) else {
            return false;
        };
        *standing = status;
        true
    }

    /// Claims that no branch can bring it to a target any more.
    pub(super) fn is_hopeless(&self, target: usize) -> bool {
        let mut of = self.branches.iter().filter(|one| one.target == target);
        of.all(|branch| branch.is_over)
    }

    /// Targets of which it is not known yet what became of it there.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let standings = self.standings.iter().enumerate();
        let waiting = standings.filter(|(_, one)| **one == MessageStatus::Queued);
        waiting.map(|(target, _)| target).collect()
    }

    /// Claims that it is known of all of them.
    pub(super) fn is_over(&self) -> bool {
        !self.standings.contains(&MessageStatus::Queued)
    }

    /// Claims that somebody has it.
    pub(super) fn is_taken(&self) -> bool {
        let mut standings = self.standings.iter();
        standings.any(|one| matches!(one, MessageStatus::Sent | MessageStatus::Delivered))
    }

    /// When something is due.
    pub(super) fn wake(&self) -> Instant {
        match &self.sender {
            Sender::Peer { until, .. } => self.until.min(*until),
            Sender::Flow(..) | Sender::Nobody => self.until,
        }
    }
}

/// The addresses of a flow that SIP can bring a message to without a gateway.
pub(super) fn is_of_sip(address: &Address) -> bool {
    matches!(address.kind.as_str(), "extension" | "sip" | "tel")
}
