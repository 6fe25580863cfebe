//! The answers to an INVITE of ours: one is the call, all others are hung up (RFC 3261 §13.2.2.4).
//!
//! A proxy may bring the INVITE to many telephones, and two may answer before one of them is told not to.
//! Each answer comes again until its ACK arrives, also when the call it belongs to is over by then; so this
//! outlives the call until Timer M (RFC 6026 §8.4).

use std::time::Instant;

use bytes::Bytes;

use super::dialog::{Dialog, remote_tag};
use super::floor::Floor;
use super::proof::Shown;
use crate::sip::event::DialogId;
use crate::sip::hop::Hop;
use crate::sip::message::{Method, Response};
use crate::sip::transaction::{ClientEvent, PATIENCE, TransactionId};

/// What is kept of one INVITE of ours.
#[derive(Debug)]
pub struct Forks {
    call: DialogId,
    invite: TransactionId,
    /// Our half of every dialog that the INVITE makes.
    ours: Dialog,
    shown: Option<Shown>,
    acks: Vec<Acknowledged>,
    is_canceled: bool,
    until: Instant,
}

#[derive(Debug)]
struct Acknowledged {
    remote_tag: Option<String>,
    hop: Hop,
    ack: Bytes,
}

impl Forks {
    /// Of an INVITE that nobody waits for any more, or that has its first answer.
    pub(super) fn new(
        now: Instant,
        call: DialogId,
        invite: TransactionId,
        ours: Dialog,
        shown: Option<Shown>,
    ) -> Self {
        Self {
            call,
            invite,
            ours,
            shown,
            acks: Vec::new(),
            is_canceled: false,
            until: now + PATIENCE,
        }
    }

    /// Acknowledges the answer that makes `dialog`, now and each time it comes again.
    pub(super) fn acknowledge(
        &mut self,
        floor: &mut Floor<'_>,
        dialog: &Dialog,
        response: &Response,
    ) {
        let cseq = response.headers.cseq().map_or(0, |cseq| cseq.number);
        let hop = dialog.next_hop();
        let mut ack = dialog.ack(cseq);
        if let Some(shown) = &self.shown {
            shown.write(&mut ack.headers, hop);
        }
        let ack = floor.send_once(hop, ack, self.call);
        if self.acks.len() < REMEMBERED {
            self.acks.push(Acknowledged {
                remote_tag: remote_tag(response),
                hop,
                ack,
            });
        }
    }

    /// Takes what still comes of the INVITE.
    pub fn handle_event(&mut self, now: Instant, floor: &mut Floor<'_>, event: &ClientEvent) {
        match event {
            ClientEvent::Response(response) if response.status.is_success() => {
                self.handle_answer(now, floor, response);
            }
            ClientEvent::Response(response) if response.status.is_provisional() => {
                if !self.is_canceled {
                    self.is_canceled = true;
                    self.until = now + PATIENCE;
                    floor.layer.cancel(now, self.invite, None);
                }
            }
            _ => self.until = now,
        }
    }

    /// Forgets the INVITE when its time is over; says whether it is.
    pub fn handle_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) -> bool {
        let is_over = self.until <= now;
        if is_over {
            floor.layer.forget(self.invite);
        }
        is_over
    }

    /// When its time is over.
    #[must_use]
    pub const fn poll_timeout(&self) -> Instant {
        self.until
    }

    /// Claims that this transaction is the INVITE.
    #[must_use]
    pub fn is_of(&self, transaction: TransactionId) -> bool {
        self.invite == transaction
    }

    fn handle_answer(&mut self, now: Instant, floor: &mut Floor<'_>, response: &Response) {
        let tag = remote_tag(response);
        if let Some(known) = self.acks.iter().find(|known| known.remote_tag == tag) {
            return floor
                .layer
                .send(known.hop, known.ack.clone(), Some(Some(self.call)));
        }
        if self.acks.is_empty() {
            self.until = now + PATIENCE;
        }
        let is_remembered = self.acks.len() < REMEMBERED;
        let mut dialog = self.ours.clone();
        dialog.learn(response);
        self.acknowledge(floor, &dialog, response);
        let bye = dialog.request(Method::Bye);
        let hop = dialog.next_hop();
        if is_remembered {
            floor.request(now, hop, bye, Some(self.call));
        } else {
            *floor.surplus_forks += 1;
            floor.send_once(hop, bye, self.call);
        }
    }
}

/// How many answers to one INVITE are remembered. More than that no honest proxy brings: they are
/// acknowledged and hung up by one datagram each time they come.
pub(super) const REMEMBERED: usize = 8;
