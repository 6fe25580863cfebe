//! An INVITE that takes the place of another call (RFC 3891): a call that rings elsewhere is picked up, or
//! one that is answered goes on at another telephone.
//!
//! Only an extension that has proven who it is may, and it has to know the tags of the dialog, which nobody
//! learns who has no part in it.

use std::time::Instant;

use super::transfer::Talk;
use super::{Purpose, Switch};
use crate::call::cause::{Cause, Why};
use crate::ids::CallId;
use crate::sip::DialogId;
use crate::sip::message::{Replaces, Status};
use crate::status::{CallStatus, HangupReason};

/// What is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A call of ours that rings.
    Ringing(CallId),
    /// One of two who talk.
    Talking(Talk),
}

impl Switch {
    /// The dialog that an extension wants to replace; else how its INVITE is refused (RFC 3891 §3).
    pub(super) fn replaced(&self, replaces: &Replaces) -> Result<DialogId, Status> {
        let dialog = self.endpoint.find_replaced(replaces);
        let dialog = dialog.ok_or(Status::CALL_DOES_NOT_EXIST)?;
        match self.place(dialog)? {
            Place::Talking(_) if replaces.early_only => Err(Status::BUSY_HERE),
            _ => Ok(dialog),
        }
    }

    /// Answers a call and lets it take the place of a dialog; a status where that is gone meanwhile.
    pub(super) fn replace(
        &mut self,
        now: Instant,
        call: CallId,
        dialog: DialogId,
    ) -> Result<(), Status> {
        match self.place(dialog)? {
            Place::Ringing(ringing) => self.pick_up(now, ringing, call),
            Place::Talking(talk) => {
                self.answer_replacing(now, call);
                self.take_over(now, talk, call);
            }
        }
        Ok(())
    }

    fn place(&self, dialog: DialogId) -> Result<Place, Status> {
        let call = self.call_by(dialog).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        let entry = self.calls.get(&call).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        if !entry.call.is_alive() {
            return Err(Status::DECLINE);
        }
        match entry.call.status() {
            CallStatus::Dialing | CallStatus::Ringing if entry.call.is_incoming() => {
                Err(Status::CALL_DOES_NOT_EXIST)
            }
            // One whose flow has begun already is not given to anybody else.
            CallStatus::Dialing | CallStatus::Ringing
                if entry.activeflow.is_some() || entry.dial.is_none() && entry.meets.is_none() =>
            {
                Err(Status::DECLINE)
            }
            CallStatus::Dialing | CallStatus::Ringing => Ok(Place::Ringing(call)),
            _ => match self.talk_of(call) {
                Ok(talk) => Ok(Place::Talking(talk)),
                Err(_) => Err(Status::DECLINE),
            },
        }
    }

    /// Answers in place of a telephone that rings: whoever called it has the answer, and what it was to
    /// meet meets the one who picks up.
    fn pick_up(&mut self, now: Instant, ringing: CallId, call: CallId) {
        tracing::info!(%call, %ringing, "picks up");
        let Some(entry) = self.calls.get_mut(&ringing) else {
            return;
        };
        let (dial, meets) = (entry.dial, entry.meets.take());
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.meets = meets;
            let dialing = dial.and_then(|dial| self.dials.get_mut(&dial));
            if dialing.is_some_and(|dialing| dialing.add_beside(ringing, call)) {
                entry.dial = dial;
            }
        }
        self.answer_replacing(now, call);
        let cause = Cause::local(HangupReason::Cancel, Why::AnsweredElsewhere);
        self.with_call(now, ringing, |call, down| call.hangup(down, cause));
    }

    fn answer_replacing(&mut self, now: Instant, call: CallId) {
        let order = self.new_order(call, Purpose::Control);
        self.with_call(now, call, |call, down| call.answer(down, order));
    }
}
