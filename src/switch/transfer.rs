//! One of two who talk gives the other to somebody else.
//!
//! ```text
//!   blind      transferer          remaining           transferee
//!     asked    aside, or gone      ringback            rings
//!     answer   gone                talks with .......  talks
//!     nobody   back, if there      talks, or alone
//!
//!   attended
//!     asked    ringback            aside, music        rings
//!     answer   talks with ...........................  talks
//!     hangs up gone                talks with .......  talks
//!     nobody, or the transferee hangs up: as before
//! ```
//!
//! The two stay in their bridge, which is kept meanwhile: that one of them is alone there ends nothing. So
//! the action that brought the remaining one there, a `connect` or a queue, goes on with the new partner, and
//! is over exactly once, when that talk is. A caller that transfers takes its flow with it; whom it had called
//! is its own from then on, and is hung up when nobody is left to talk with.
//!
//! A transferer that hangs up while the transferee rings has made it a blind one.

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{BridgeId, Part};
use uuid::Uuid;

use super::bridges::BridgeKind;
use super::dial::{DialFor, DialId, Made};
use super::identity::Caller;
use super::parting::Ties;
use super::report::{Report, TransferNews};
use super::route::Destination;
use super::{ControlError, Switch};
use crate::call::cause::{Cause, Why};
use crate::flow;
use crate::ids::CallId;
use crate::sip::DialogId;
use crate::sip::message::Status;
use crate::status::{CallStatus, HangupReason};
use crate::store::agents::RingMethod;
use crate::store::transfers::TransferState;

/// How a call is given to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// At once.
    Blind,
    /// After a talk with the new partner.
    Attended,
}

/// A transfer under way in one bridge.
#[derive(Debug)]
pub(super) struct Transfer {
    transferer: CallId,
    remaining: CallId,
    stage: Stage,
    /// The dialog by which a telephone asked for it, to be told how it goes.
    refer: Option<DialogId>,
    /// What the last one said who was called in vain.
    refused: Option<Status>,
    /// What is told of it; a telephone that does all of it by itself has nothing told.
    state: Option<Box<TransferState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Transferees are called.
    Ringing(DialId, TransferKind),
    /// The transferee talks with the transferer.
    Consulting(CallId),
    /// It is done, and the transferer is on its way out.
    Leaving,
}

/// A call that talks with one other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Talk {
    pub bridge: BridgeId,
    pub kind: BridgeKind,
    pub call: CallId,
    pub partner: CallId,
}

impl Transfer {
    /// One that is done as soon as the transferer has left.
    const fn leaving(talk: &Talk) -> Self {
        Self {
            transferer: talk.call,
            remaining: talk.partner,
            stage: Stage::Leaving,
            refer: None,
            refused: None,
            state: None,
        }
    }
}

impl Switch {
    /// Gives the one whom `transferer` talks with to whoever of `transferees` answers first. What comes of
    /// it is told to the peer of `refer`, and the transferer of a REFER may stay until then.
    ///
    /// # Errors
    /// [`ControlError::NotTalking`], [`ControlError::NotAnswered`], [`ControlError::AlreadyTransferring`],
    /// [`ControlError::NobodyToCall`]; then nothing has changed.
    pub(super) fn transfer(
        &mut self,
        now: Instant,
        kind: TransferKind,
        transferer: CallId,
        transferees: &[flow::Address],
        refer: Option<DialogId>,
    ) -> Result<Box<TransferState>, ControlError> {
        let Talk {
            bridge,
            partner: remaining,
            ..
        } = self.talk_of(transferer)?;
        let mut destinations = self.destinations(transferees);
        // A conference has no party to be called.
        destinations.retain(|destination| !matches!(destination, Destination::Conference(_)));
        let who = match kind {
            TransferKind::Blind => remaining,
            TransferKind::Attended => transferer,
        };
        let flow_of = |call: &CallId| self.calls.get(call).and_then(|entry| entry.activeflow);
        let made = Made {
            caller: self.party_as_caller(who).ok_or(ControlError::NoSuchCall)?,
            master: Some(remaining),
            flow: [remaining, transferer].iter().find_map(flow_of),
            meets: None,
        };
        let purpose = DialFor::Transfer(bridge);
        let dial = self.dial(now, purpose, made, RingMethod::RingAll, destinations);
        if !self.is_ringing(dial) {
            self.forget_dial(dial);
            let why = self.why_not(transferees);
            return Err(ControlError::NobodyToCall { why });
        }
        let parties = (transferer, remaining);
        let begun = self.new_transfer(now, kind, parties, (dial, bridge), transferees);
        tracing::info!(call = %transferer, other = %remaining, ?kind, "transfer");
        let transfer = Transfer {
            transferer,
            remaining,
            stage: Stage::Ringing(dial, kind),
            refer,
            refused: None,
            state: Some(begun.clone()),
        };
        self.transfers.insert(bridge, transfer);
        self.tell_transfer(now, bridge, TransferNews::Created);
        self.part_for_transfer(now, kind, transferer, remaining);
        if kind == TransferKind::Blind && refer.is_none() {
            self.send_off(now, transferer);
        }
        Ok(begun)
    }

    fn new_transfer(
        &mut self,
        now: Instant,
        kind: TransferKind,
        (transferer, remaining): (CallId, CallId),
        (dial, bridge): (DialId, BridgeId),
        transferees: &[flow::Address],
    ) -> Box<TransferState> {
        let created = self.epoch.since_1970(now);
        let id = self.rng.uuid();
        let dial = self.dials.get(&dial);
        let room = self.bridges.get(bridge);
        Box::new(TransferState {
            id,
            is_attended: kind == TransferKind::Attended,
            transferer,
            remaining,
            transferees: transferees.to_vec(),
            transferee: None,
            groupcall: dial.map_or(Uuid::nil(), |dial| dial.groupcall),
            confbridge: room.map_or(Uuid::nil(), |room| room.confbridge),
            created,
            updated: created,
        })
    }

    fn tell_transfer(&mut self, now: Instant, bridge: BridgeId, news: TransferNews) {
        let updated = self.epoch.since_1970(now);
        let transfer = self.transfers.get_mut(&bridge);
        if let Some(state) = transfer.and_then(|transfer| transfer.state.as_mut()) {
            state.updated = updated;
            let transfer = state.clone();
            self.report(Report::Transfer { news, transfer });
        }
    }

    /// One of the two steps aside while transferees ring.
    fn part_for_transfer(
        &mut self,
        now: Instant,
        kind: TransferKind,
        transferer: CallId,
        remaining: CallId,
    ) {
        let (ringback, music) = (Arc::clone(&self.ringback), Arc::clone(&self.hold_music));
        let aside = match kind {
            TransferKind::Blind => {
                self.fill(now, remaining, ringback);
                transferer
            }
            TransferKind::Attended => {
                self.fill(now, remaining, music);
                self.fill(now, transferer, ringback);
                remaining
            }
        };
        self.set_holding(now, aside, |holding| holding.is_aside = true);
    }

    /// The talk of a call with exactly one other, both answered and neither being transferred.
    pub(super) fn talk_of(&self, call: CallId) -> Result<Talk, ControlError> {
        let bridge = self.bridge_of(call).ok_or(ControlError::NotTalking)?;
        let room = self.bridges.get(bridge).ok_or(ControlError::NotTalking)?;
        if self.transfers.contains_key(&bridge) {
            return Err(ControlError::AlreadyTransferring);
        }
        let partner = self.partner_of(call).ok_or(ControlError::NotTalking)?;
        if matches!(room.kind, BridgeKind::Conference(_)) {
            return Err(ControlError::NotTalking);
        }
        let is_answered = |call: &CallId| {
            let entry = self.calls.get(call);
            entry.is_some_and(|entry| {
                entry.call.is_alive() && entry.call.status() == CallStatus::Progressing
            })
        };
        if ![call, partner].iter().all(is_answered) {
            return Err(ControlError::NotAnswered);
        }
        Ok(Talk {
            bridge,
            kind: room.kind,
            call,
            partner,
        })
    }

    /// The party of a call as the one who calls another.
    fn party_as_caller(&self, call: CallId) -> Option<Caller> {
        let entry = self.calls.get(&call)?;
        let address = match entry.call.is_incoming() {
            true => entry.call.source(),
            false => entry.call.destination(),
        };
        Some(Caller {
            address: address.clone(),
            is_private: entry.call.is_incoming() && entry.is_private,
            is_chosen: false,
        })
    }

    // What comes of those who are called.

    /// A transferee rings.
    pub(super) fn transferee_rings(&mut self, now: Instant, bridge: BridgeId) {
        self.tell_refer(now, bridge, Status::RINGING);
    }

    /// One of the transferees has refused, or has not answered; others may still.
    pub(super) fn transferee_lost(&mut self, bridge: BridgeId, call: CallId) {
        let ended = self.ended.iter().rev().find(|(ended, _)| *ended == call);
        let status = |cause: &Cause| {
            let code = cause.status().unwrap_or_else(|| cause.value.refusal());
            // A redirection that leads nowhere is no answer to a REFER.
            Status::new(code).filter(|status| status.class() > 3)
        };
        if let Some(transfer) = self.transfers.get_mut(&bridge) {
            transfer.refused = ended.and_then(|(_, cause)| status(cause));
        }
    }

    /// A transferee has answered.
    pub(super) fn transferee_came(
        &mut self,
        now: Instant,
        dial: DialId,
        bridge: BridgeId,
        call: CallId,
    ) {
        self.forget_dial(dial);
        let Some(transfer) = self.transfers.get_mut(&bridge) else {
            return self.hang_up_legs(now, vec![call], &Why::OtherEnded);
        };
        let (transferer, remaining) = (transfer.transferer, transfer.remaining);
        if let Some(state) = &mut transfer.state {
            state.transferee = Some(call);
        }
        if matches!(transfer.stage, Stage::Ringing(_, TransferKind::Attended)) {
            transfer.stage = Stage::Consulting(call);
            self.tell_transfer(now, bridge, TransferNews::Answered);
            self.stop_filling(now, transferer);
            self.join_bridge(now, call, bridge, Part::FULL, None);
            return;
        }
        transfer.stage = Stage::Leaving;
        self.tell_transfer(now, bridge, TransferNews::Done);
        tracing::info!(call = %remaining, other = %call, "transferred");
        self.tell_refer(now, bridge, Status::OK);
        self.stop_filling(now, remaining);
        self.join_bridge(now, call, bridge, Part::FULL, None);
        if self.bridge_of(transferer) == Some(bridge) {
            self.send_off(now, transferer);
        } else {
            self.transfers.remove(&bridge);
        }
    }

    /// No transferee will answer any more: all is as before, and one that is alone has nobody to wait for.
    pub(super) fn transferee_missed(&mut self, now: Instant, dial: DialId, bridge: BridgeId) {
        self.forget_dial(dial);
        let Some(transfer) = self.transfer_over(now, bridge, TransferNews::Failed) else {
            return;
        };
        let (transferer, remaining) = (transfer.transferer, transfer.remaining);
        if self.bridge_of(transferer) == Some(bridge) {
            return;
        }
        self.someone_left(now, bridge, transferer);
        if self.bridge_of(remaining) == Some(bridge) {
            self.leave_bridge(now, remaining);
        }
    }

    // What comes of those who are there.

    /// Somebody has left the bridge. `true`: the bridge is kept, and it ends nothing.
    pub(super) fn left_transfer(&mut self, now: Instant, bridge: BridgeId, left: CallId) -> bool {
        let Some(transfer) = self.transfers.get_mut(&bridge) else {
            return false;
        };
        let remaining = transfer.remaining;
        match transfer.stage {
            Stage::Ringing(dial, _) if left == transfer.transferer => {
                transfer.stage = Stage::Ringing(dial, TransferKind::Blind);
                let ringback = Arc::clone(&self.ringback);
                self.set_holding(now, remaining, |holding| holding.is_aside = false);
                self.fill(now, remaining, ringback);
                return true;
            }
            Stage::Ringing(dial, _) if left == remaining => {
                self.transfer_over(now, bridge, TransferNews::Failed);
                if let Some(dial) = self.forget_dial(dial) {
                    self.hang_up_legs(now, dial.calls(), &Why::OtherEnded);
                }
            }
            Stage::Consulting(transferee) if left == remaining => {
                self.transfer_over(now, bridge, TransferNews::Failed);
                self.hang_up_legs(now, vec![transferee], &Why::OtherEnded);
            }
            Stage::Consulting(transferee) if left == transferee => {
                self.transfer_over(now, bridge, TransferNews::Failed);
            }
            Stage::Consulting(_) if left == transfer.transferer => {
                self.transfer_over(now, bridge, TransferNews::Done);
            }
            Stage::Leaving if left == transfer.transferer => {
                self.transfers.remove(&bridge);
            }
            _ => {}
        }
        false
    }

    /// A transferer is over: whom it gives away is neither hung up with it, nor is the action over that has
    /// brought it there.
    pub(super) fn hand_over(&mut self, id: CallId, ties: &mut Ties) {
        let transfer = ties.bridge.and_then(|bridge| self.transfers.get(&bridge));
        let Some(transfer) = transfer.filter(|transfer| transfer.transferer == id) else {
            return;
        };
        let remaining = transfer.remaining;
        ties.chained.retain(|chained| *chained != remaining);
        let dialed = ties.connecting.and_then(|dial| self.dials.get_mut(&dial));
        if dialed.is_some_and(|dial| dial.release(remaining))
            && let Some(entry) = self.calls.get_mut(&remaining)
        {
            entry.dial = None;
        }
        let remaining_entry = self.calls.get(&remaining);
        let connecting = remaining_entry.and_then(|entry| entry.connecting);
        if let Some(dial) = connecting
            && ties.dial == connecting
            && let Some(dial) = self.dials.get_mut(&dial)
        {
            dial.release(id);
            ties.dial = None;
        }
    }

    // Transfers that are done at once.

    /// Joins the partners of two calls of one telephone, which leaves both.
    ///
    /// # Errors
    /// Two callers of queues, whose places would end, are not joined.
    pub(super) fn join_talks(
        &mut self,
        now: Instant,
        one: Talk,
        other: Talk,
    ) -> Result<(), ControlError> {
        if !can_join(&one, &other) {
            return Err(ControlError::NotTalking);
        }
        let (stays, moves) = if rank(one.kind) >= rank(other.kind) {
            (one, other)
        } else {
            (other, one)
        };
        tracing::info!(call = %stays.partner, other = %moves.partner, "transferred");
        for talk in [stays, moves] {
            self.transfers.insert(talk.bridge, Transfer::leaving(&talk));
        }
        self.move_member(now, moves.partner, stays.bridge);
        if let Some(connect) = self.connect_of(moves.partner) {
            connect.bridge = stays.bridge;
        }
        self.send_off(now, stays.call);
        self.send_off(now, moves.call);
        Ok(())
    }

    /// Lets a call take the place of another in its talk; that one is hung up.
    pub(super) fn take_over(&mut self, now: Instant, talk: Talk, call: CallId) {
        tracing::info!(%call, replaced = %talk.call, other = %talk.partner, "takes over");
        self.transfers.insert(talk.bridge, Transfer::leaving(&talk));
        self.join_bridge(now, call, talk.bridge, Part::FULL, None);
        self.send_off(now, talk.call);
    }

    // Inside.

    /// Ends a transfer that has not come to its goal, or that all are there for: everyone takes part again.
    fn transfer_over(
        &mut self,
        now: Instant,
        bridge: BridgeId,
        news: TransferNews,
    ) -> Option<Transfer> {
        self.tell_transfer(now, bridge, news);
        let status = self.transfers.get(&bridge)?.refused;
        self.tell_refer(now, bridge, status.unwrap_or(Status::REQUEST_TERMINATED));
        let transfer = self.transfers.remove(&bridge)?;
        for call in [transfer.transferer, transfer.remaining] {
            self.stop_filling(now, call);
            self.set_holding(now, call, |holding| holding.is_aside = false);
        }
        Some(transfer)
    }

    fn tell_refer(&mut self, now: Instant, bridge: BridgeId, status: Status) {
        if let Some(dialog) = self.transfers.get(&bridge).and_then(|it| it.refer) {
            self.endpoint.notify_refer(now, dialog, status);
        }
    }

    /// Hangs up one that has given its talk away.
    fn send_off(&mut self, now: Instant, call: CallId) {
        let cause = Cause::local(HangupReason::Normal, Why::Transferred);
        self.with_call(now, call, |call, down| call.hangup(down, cause));
    }
}

/// Whether two talks may become one: two services of queues cannot.
pub(super) fn can_join(one: &Talk, other: &Talk) -> bool {
    rank(one.kind) != QUEUE || rank(other.kind) != QUEUE
}

/// Whose rules hold where two talks become one: the service of a queue goes on, then a `connect`.
const fn rank(kind: BridgeKind) -> u8 {
    match kind {
        BridgeKind::Queue(_) => QUEUE,
        BridgeKind::Connect => 1,
        BridgeKind::Bare | BridgeKind::Conference(_) => 0,
    }
}

const QUEUE: u8 = 2;
