//! The verbs of a transfer (RFC 3515, RFC 3891).

use std::time::Instant;

use super::Endpoint;
use crate::sip::event::DialogId;
use crate::sip::message::{Replaces, Status};

impl Endpoint {
    /// Answers [`Event::Referred`](crate::sip::Event::Referred) with 202 and 100 Trying as the first NOTIFY.
    pub fn accept_refer(&mut self, now: Instant, dialog: DialogId) {
        self.with(now, dialog, |usage, floor| usage.accept_refer(now, floor));
    }

    /// Refuses [`Event::Referred`](crate::sip::Event::Referred). One that is neither accepted nor refused
    /// within five seconds is answered with 500.
    pub fn refuse_refer(&mut self, now: Instant, dialog: DialogId, status: Status) {
        let status = if status.class() < 3 {
            Status::DECLINE
        } else {
            status
        };
        self.with(now, dialog, |usage, floor| {
            usage.refuse_refer(now, floor, status)
        });
    }

    /// Tells a peer whose REFER was accepted how the call it asked for goes, by NOTIFY; a final status ends
    /// the subscription (RFC 3515 §2.4.5).
    ///
    /// Also after the call with that peer has ended, for three minutes from the REFER on; harmless later.
    pub fn notify_refer(&mut self, now: Instant, dialog: DialogId, status: Status) {
        self.with(now, dialog, |usage, floor| {
            usage.notify_refer(now, floor, status)
        });
    }

    /// The dialog of ours that a Replaces speaks of, seen from the peer that sent it (RFC 3891 §3): answered,
    /// or not answered yet. Whether `early_only` forbids it, and whether the peer may, is for the owner.
    #[must_use]
    pub fn find_replaced(&self, replaces: &Replaces) -> Option<DialogId> {
        let id = *self.tags.get(replaces.to_tag.as_str())?;
        let usage = &self.slots.get(&id)?.usage;
        let call_id = replaces.call_id.as_bytes();
        let from_tag = replaces.from_tag.as_str();
        // A peer of RFC 2543 has no tag, which is written as 0.
        let is_meant =
            usage.is_of(call_id, Some(from_tag)) || (from_tag == "0" && usage.is_of(call_id, None));
        (is_meant && usage.is_living()).then_some(id)
    }
}
