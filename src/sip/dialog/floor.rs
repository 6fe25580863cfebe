//! What the calls of an endpoint share.

use std::time::Instant;

use bytes::Bytes;

use super::identity::Identity;
use crate::ids::Rng;
use crate::sip::event::DialogId;
use crate::sip::hop::Hop;
use crate::sip::message::{HeaderName, Request};
use crate::sip::transaction::{TransactionId, TransactionLayer, push_via};

/// Whose a transaction is: a call's, or of nobody below the switch.
pub type Owner = Option<DialogId>;

/// What a usage stands on: the transactions below, and who we are.
#[derive(Debug)]
pub struct Floor<'a> {
    /// Takes every message.
    pub layer: &'a mut TransactionLayer<Owner>,
    /// Our address and abilities.
    pub identity: &'a Identity,
    /// For branches and random delays.
    pub rng: &'a mut Rng,
    /// Counts branches of INVITEs of ours beyond those that are remembered.
    pub surplus_forks: &'a mut u64,
}

impl Floor<'_> {
    /// Sends a request of ours by `hop` as a transaction of `owner`.
    pub(super) fn request(
        &mut self,
        now: Instant,
        hop: Hop,
        mut request: Request,
        owner: Owner,
    ) -> TransactionId {
        self.identity
            .sign(&mut request.headers, HeaderName::UserAgent);
        let sent_by = self.identity.advertised(hop);
        self.layer
            .request(now, hop, sent_by, request, self.rng, owner)
    }

    /// Sends a request of a call that no transaction repeats, and gives its bytes back.
    pub(super) fn send_once(&mut self, hop: Hop, mut request: Request, call: DialogId) -> Bytes {
        let sent_by = self.identity.advertised(hop);
        push_via(&mut request, hop, sent_by, self.rng);
        let bytes = request.to_bytes();
        self.layer.send(hop, bytes.clone(), Some(Some(call)));
        bytes
    }
}
