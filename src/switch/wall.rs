//! Walls around calls and flows: a fault in one ends it and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use bytes::Bytes;
use flowswitch_media::command::{Command, CommandId};

use super::arrive::call_reference;
use super::talking::Talking;
use super::telling::Changed;
use super::{Deadline, Entry, News, Purpose, Run, Switch};
use crate::call::cause::{Cause, Why};
use crate::call::{Call, Down};
use crate::flow::{Activeflow, FlowEvent};
use crate::ids::{ActiveflowId, CallId};
use crate::sip::message::Status;
use crate::status::HangupReason;

impl Switch {
    /// Lets one call act. It is out of its table meanwhile: if it panics, it alone is lost, its peer is
    /// told, and the switch goes on.
    pub(super) fn with_call(
        &mut self,
        now: Instant,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Down<'_>),
    ) {
        let Some(mut entry) = self.calls.remove(&id) else {
            return;
        };
        let mut down = Down {
            now,
            endpoint: &mut self.endpoint,
            media: &mut self.media,
            rng: &mut self.rng,
        };
        let acted = catch_unwind(AssertUnwindSafe(|| act(&mut entry.call, &mut down)));
        if acted.is_ok() {
            self.deadlines
                .set(Deadline::Call(id), entry.call.poll_timeout());
            if entry.has_changed() {
                let changed = Changed::Call(id);
                self.telling.mark(&mut entry.shown.is_marked, changed);
            }
            self.calls.insert(id, entry);
            self.news.insert(News::Call(id));
            return;
        }
        self.call_failed(now, id, entry);
    }

    fn call_failed(&mut self, now: Instant, id: CallId, mut entry: Box<Entry>) {
        tracing::error!(call = %id, "the call failed and is ended; please report this");
        // What the call believes is not trusted any more: one of the two verbs fits.
        let cause = Cause::local(HangupReason::Failed, Why::Internal);
        let (dialog, session) = (entry.call.leg().dialog(), entry.call.leg().session());
        let reason = Bytes::from(cause.reason_header());
        let refusal = Status::SERVER_INTERNAL_ERROR;
        if let Some(dialog) = dialog {
            self.endpoint.refuse(now, dialog, refusal, Vec::new());
            self.endpoint.bye(now, dialog, Some(reason));
        }
        self.media.push_back(Command::Close { session });
        let ended = entry.call.cause().unwrap_or(&cause).clone();
        self.tell_hangup(now, &mut entry, &ended);
        self.tell_ended(now, &mut entry, ended, Box::default());
        let ties = entry.cut(&cause);
        self.forget_call(now, id, &entry);
        self.forget_orders(now, id);
        self.part(now, id, ties);
        if let Some(flow) = entry.activeflow {
            self.with_flow(now, flow, |flow| {
                flow.handle_event(now, FlowEvent::CallEnded)
            });
        } else if let Some(after) = entry.after {
            self.start_on_complete(now, call_reference(id), after);
        }
    }

    /// Forgets what the engine will finish for a call that is not there any more.
    fn forget_orders(&mut self, now: Instant, id: CallId) {
        let mut left: Vec<(CommandId, Purpose)> = self
            .orders
            .iter()
            .filter(|(_, order)| order.call == id)
            .map(|(command, order)| (*command, order.purpose))
            .collect();
        left.sort_unstable_by_key(|(command, _)| *command);
        for (command, purpose) in left {
            match purpose {
                // Those of its flow go with the flow.
                Purpose::Flow(..) | Purpose::Talking(_) => continue,
                Purpose::Transcribing(transcribe) => {
                    self.listening_ended(now, transcribe, command);
                }
                Purpose::Recording(_) | Purpose::Filling | Purpose::Control => {}
            }
            self.orders.remove(&command);
        }
    }

    /// Lets one activeflow act. If it panics, it alone is lost and its call is hung up.
    pub(super) fn with_flow(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        act: impl FnOnce(&mut Activeflow),
    ) {
        let Some(run) = self.activeflows.get_mut(&id) else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| act(&mut run.activeflow))).is_ok() {
            self.news.insert(News::Flow(id));
            return;
        }
        self.flow_failed(now, id);
    }

    fn flow_failed(&mut self, now: Instant, id: ActiveflowId) {
        tracing::error!(activeflow = %id, "the activeflow failed and is ended; please report this");
        let cause = Cause::local(HangupReason::Failed, Why::Internal);
        let Some(mut run) = self.forget_flow(id) else {
            return;
        };
        self.tell_flow_ended(now, &mut run, None);
        if let Some(call) = run.call {
            self.with_call(now, call, |call, down| call.hangup(down, cause));
        }
    }

    pub(super) fn forget_call(&mut self, now: Instant, id: CallId, entry: &Entry) {
        let leg = entry.call.leg();
        self.deadlines.set(Deadline::Call(id), None);
        self.sessions.remove(&leg.session());
        if let Some(dialog) = leg.dialog() {
            self.dialogs.remove(&dialog);
        }
        // Those of its flow go with the flow.
        let recording = entry.recording.and_then(|order| self.orders.remove(&order));
        if let Some(Purpose::Recording(recording)) = recording.map(|order| order.purpose) {
            self.recording_over(now, recording, false);
        }
        for transcribe in [entry.transcribing, entry.overheard].into_iter().flatten() {
            self.stop_listening(now, transcribe, id);
        }
    }

    /// Forgets an activeflow and what it gave orders for; a recording and a transcription go on to their
    /// own end.
    pub(super) fn forget_flow(&mut self, id: ActiveflowId) -> Option<Box<Run>> {
        let run = self.activeflows.remove(&id)?;
        self.deadlines.set(Deadline::Flow(id), None);
        self.deadlines.set(Deadline::Talk(id), None);
        for (_, order) in &run.running {
            self.orders.remove(order);
        }
        for order in run.talking.iter().flat_map(Talking::orders) {
            self.orders.remove(&order);
        }
        if let Some(entry) = run.call.and_then(|call| self.calls.get_mut(&call)) {
            entry.activeflow = None;
            let after = entry.after_recording.as_mut();
            if let Some(after) = after.filter(|after| after.parent == Some(id)) {
                after.inherited = run.activeflow.inheritance();
            }
        }
        Some(run)
    }
}
