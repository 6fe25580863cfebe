//! What a flow orders becomes a verb of its call; what the call reports becomes news for the flow.

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::amd::{AmdCause, AmdConfig, Answerer};
use flowswitch_media::command::{CommandId, Outcome};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;

use super::arrive::call_reference;
use super::ask::Asker;
use super::control::mute_of;
use super::parting::flow_fact;
use super::report::Report;
use super::{Order, Output, OutsideRequest, Purpose, Source, Switch};
use crate::call::cause::{Cause, Why};
use crate::call::{Call, CallEvent, Down, PlayRefused};
use crate::flow::{
    Direction, FlowCommand, FlowCommandId, FlowEnd, FlowEvent, FlowOutcome, MachineResult,
    OnComplete,
};
use crate::ids::{ActiveflowId, CallId};
use crate::status::HangupReason;
use crate::store::timeline::{MediaMoment, What};

impl Switch {
    /// Carries out one command of an activeflow.
    pub(super) fn perform(&mut self, now: Instant, id: ActiveflowId, command: FlowCommand) {
        match command {
            FlowCommand::Answer { command } => self.verb(now, id, command, Call::answer),
            FlowCommand::Talk {
                command,
                text,
                language,
                gender,
                stop_on_digit,
            } => {
                let source = Source::Text {
                    text,
                    language,
                    gender,
                };
                self.play(now, id, command, vec![source], stop_on_digit);
            }
            FlowCommand::Play { command, urls } => {
                let sources = urls.into_iter().map(Source::Url).collect();
                self.play(now, id, command, sources, false);
            }
            FlowCommand::Beep { command } => {
                let beep = Arc::clone(&self.beep);
                self.verb(now, id, command, move |call, down, order| {
                    // One that is refused has been finished by the call.
                    if call.begin_play(order, false).is_ok() {
                        call.play(down, order, vec![beep]);
                    }
                });
            }
            FlowCommand::SendDigits {
                command,
                digits,
                tone,
                gap,
            } => {
                let digits = digits.chars().filter_map(Digit::from_char).collect();
                self.verb(now, id, command, |call, down, order| {
                    let _ = call.send_digits(down, order, digits, tone, gap);
                });
            }
            FlowCommand::Echo {
                command,
                duration,
                with_digits,
            } => {
                self.verb(now, id, command, |call, down, order| {
                    call.echo(down, order, duration, with_digits)
                });
            }
            FlowCommand::StartRecording { command, options } => {
                self.start_recording(now, id, command, options)
            }
            FlowCommand::StopRecording { command } => self.stop_recording(now, id, command),
            FlowCommand::Cancel { command } => self.cancel(now, id, command),
            FlowCommand::FetchFlow { command, flow_id } => {
                let flow = self.flows.find(&flow_id).cloned();
                self.with_flow(now, id, |run| {
                    run.handle_event(now, FlowEvent::Fetched { command, flow })
                });
            }
            FlowCommand::Hangup { reason } => {
                self.hangup(now, id, Cause::local(reason, Why::FlowEnded));
            }
            FlowCommand::HangupRelay { reference } => self.relay_end(now, id, reference),
            FlowCommand::Mute { command, direction } => self.mute(now, id, command, direction),
            FlowCommand::DetectMachine { command, .. } => {
                let config = AmdConfig::default();
                self.verb(now, id, command, |call, down, order| {
                    call.detect_machine(down, order, config)
                });
            }
            command => self.perform_outside(now, id, command),
        }
    }

    /// Carries out what reaches beyond the call.
    fn perform_outside(&mut self, now: Instant, id: ActiveflowId, command: FlowCommand) {
        match command {
            FlowCommand::Fetch {
                command,
                url,
                method,
                body,
            } => self.fetch_actions(id, command, (url, method, body)),
            FlowCommand::Webhook {
                command,
                uri,
                method,
                content_type,
                body,
                ..
            } => {
                let request = OutsideRequest::Webhook {
                    uri,
                    method,
                    content_type,
                    body,
                };
                self.ask(Asker::Flow(id, command), request);
            }
            FlowCommand::Email { command, email } => self.send_mail(id, command, email),
            FlowCommand::SendMessage {
                command,
                source,
                destinations,
                text,
            } => self.send_message(now, id, command, (source, destinations), text),
            FlowCommand::SendConversation {
                command,
                conversation_id,
                text,
                ..
            } => self.send_conversation(now, id, command, &conversation_id, text),
            FlowCommand::StartTranscribe { command, options } => {
                self.start_transcribe(now, id, command, options)
            }
            FlowCommand::StopTranscribe { command } => self.stop_transcribe(now, id, command),
            FlowCommand::TranscribeRecordings { command, options } => {
                self.transcribe_recordings(now, id, command, options)
            }
            FlowCommand::AiTalk { command, talk } => self.start_talk(now, id, command, &talk),
            FlowCommand::AiTask { command, .. } => self.assist(now, id, command),
            FlowCommand::Summarize { command, summary } => {
                self.summarize(now, id, command, summary)
            }
            FlowCommand::Ended { why, on_complete } => self.flow_ended(now, id, &why, on_complete),
            FlowCommand::Connect { command, dial } => self.connect(now, id, command, dial),
            FlowCommand::Call { command, calls } => self.call_others(now, id, command, calls),
            FlowCommand::JoinConfbridge {
                command,
                confbridge_id,
            } => self.join_confbridge(now, id, command, &confbridge_id),
            FlowCommand::JoinConference {
                command,
                conference_id,
            } => self.join_conference(now, id, command, &conference_id),
            FlowCommand::JoinQueue { command, queue_id } => {
                self.join_queue(now, id, command, &queue_id)
            }
            FlowCommand::StartExternalMedia { command, media } => {
                self.flow_external_start(now, id, command, media)
            }
            FlowCommand::StopExternalMedia { command } => self.flow_external_stop(now, id, command),
            _ => {}
        }
    }

    /// Turns one report of a call into news for its flow.
    pub(super) fn handle_call(&mut self, now: Instant, id: CallId, event: CallEvent) {
        match event {
            CallEvent::Status(status) => {
                self.note(id, What::Status(status));
                self.tell_status(now, id, status);
                self.tell_flow(now, id, FlowEvent::CallStatus { status });
                self.meet(now, id, status);
                self.leg_news(now, id, &event);
            }
            CallEvent::EarlyMedia => self.leg_news(now, id, &event),
            CallEvent::Held => {
                let entry = self.calls.get(&id);
                let is_held = entry.is_some_and(|entry| entry.call.holds_us());
                self.note(id, What::Media(MediaMoment::Hold { is_held }));
                self.party_held(now, id);
            }
            CallEvent::Digit(digit) => {
                self.note(id, What::Digit);
                self.tell_externals(id, digit);
                self.report(Report::Digit { call: id });
                let digit = digit.to_char();
                self.tell_flow(now, id, FlowEvent::Digit { digit });
            }
            CallEvent::Utterance(utterance) => self.handle_utterance(now, utterance),
            CallEvent::HungUp => {
                let fault = Cause::local(HangupReason::Failed, Why::Internal);
                let ties = self.calls.get_mut(&id).map(|entry| entry.cut(&fault));
                self.tell_flow(now, id, FlowEvent::CallEnded);
                if let Some(ties) = ties {
                    self.part(now, id, ties);
                }
            }
            CallEvent::Finished { command, outcome } => self.handle_order(now, command, outcome),
            CallEvent::Ended { cause, stats } => {
                let Some(mut entry) = self.calls.remove(&id) else {
                    return;
                };
                self.tell_hangup(now, &mut entry, &cause);
                self.tell_ended(now, &mut entry, cause, stats);
                self.forget_call(now, id, &entry);
                if let Some(after) = entry.after {
                    self.start_on_complete(now, call_reference(id), after);
                }
            }
        }
    }

    /// The prompts of a playback are there, or cannot be made.
    pub(super) fn handle_fetched(
        &mut self,
        now: Instant,
        command: CommandId,
        prompts: Option<Vec<Arc<Prompt>>>,
    ) {
        let Some(id) = self.orders.get(&command).map(|order| order.call) else {
            return;
        };
        let mut is_forgotten = false;
        self.with_call(now, id, |call, down| match prompts {
            Some(prompts) => call.play(down, command, prompts),
            None => is_forgotten = call.forget_play(down, command),
        });
        if is_forgotten {
            let why = "there is no sound to play";
            self.finish_order(now, command, FlowOutcome::Failed { why });
        }
    }

    fn play(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        sources: Vec<Source>,
        stop_on_digit: bool,
    ) {
        let Some(call) = self.call_of(id) else {
            let why = "there is no call";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let order = self.new_order(call, Purpose::Flow(id, command));
        let _ = self.begin_play(now, call, order, sources, stop_on_digit);
    }

    /// Begins a playback and asks for its prompts; one that is refused is finished by the call.
    pub(super) fn begin_play(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        sources: Vec<Source>,
        stop_on_digit: bool,
    ) -> Result<(), PlayRefused> {
        let mut begun = Err(PlayRefused::CallIsOver);
        self.with_call(now, call, |call, _| {
            begun = call.begin_play(command, stop_on_digit);
        });
        match begun {
            Ok(()) => self.outputs.push_back(Output::Fetch { command, sources }),
            Err(why) => tracing::warn!(%call, order = command.0, %why, "nothing is played"),
        }
        begun
    }

    /// Silences the call of an activeflow, at once.
    fn mute(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        direction: Direction,
    ) {
        let outcome = match self.call_of(id) {
            Some(call) => {
                self.with_call(now, call, |call, down| call.mute(down, mute_of(direction)));
                FlowOutcome::Done
            }
            None => FlowOutcome::Failed {
                why: "there is no call",
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    /// Gives a verb to the call of an activeflow, under a number of its own.
    fn verb(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        act: impl FnOnce(&mut Call, &mut Down<'_>, CommandId),
    ) {
        let Some(call) = self.call_of(id) else {
            let why = "there is no call";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let order = self.new_order(call, Purpose::Flow(id, command));
        self.with_call(now, call, |call, down| act(call, down, order));
    }

    pub(super) fn new_order(&mut self, call: CallId, purpose: Purpose) -> CommandId {
        let order = CommandId(self.next_number());
        self.orders.insert(order, Order { call, purpose });
        if let Purpose::Flow(id, command) = purpose
            && let Some(run) = self.activeflows.get_mut(&id)
        {
            run.running.push((command, order));
        }
        order
    }

    /// The call of an activeflow while it is there.
    pub(super) fn call_of(&self, id: ActiveflowId) -> Option<CallId> {
        let call = self.activeflows.get(&id)?.call?;
        self.calls.contains_key(&call).then_some(call)
    }

    fn cancel(&mut self, now: Instant, id: ActiveflowId, command: FlowCommandId) {
        let Some(run) = self.activeflows.get(&id) else {
            return;
        };
        if run
            .talking
            .as_ref()
            .is_some_and(|talking| talking.is_for(command))
        {
            return self.end_talk(now, id, FlowOutcome::Done);
        }
        if self.cancel_connect(now, id, command)
            || self.leave_confbridge(now, id, command)
            || self.leave_queue(now, id, command)
        {
            return;
        }
        let Some(run) = self.activeflows.get(&id) else {
            return;
        };
        let running = run.running.iter().find(|(known, _)| *known == command);
        if let (Some(call), Some((_, order))) = (run.call, running.copied()) {
            self.with_call(now, call, |call, down| call.cancel(down, order));
        }
    }

    fn handle_order(&mut self, now: Instant, command: CommandId, outcome: Outcome) {
        let is_filling = |order: &Order| order.purpose == Purpose::Filling;
        if self.orders.get(&command).is_some_and(is_filling) {
            return self.filling_ended(now, command, &outcome);
        }
        let outcome = match outcome {
            Outcome::Detected { result, cause } => {
                return self.machine_detected(now, command, result, cause);
            }
            Outcome::Done | Outcome::Canceled | Outcome::Recorded { .. } => FlowOutcome::Done,
            Outcome::Interrupted { digit } => FlowOutcome::Interrupted {
                digit: digit.to_char(),
            },
            Outcome::Failed { why } => {
                tracing::warn!(order = command.0, %why, "media order failed");
                FlowOutcome::Failed {
                    why: "the media engine could not do it",
                }
            }
        };
        self.finish_order(now, command, outcome);
    }

    fn finish_order(&mut self, now: Instant, command: CommandId, outcome: FlowOutcome) {
        let Some(order) = self.orders.remove(&command) else {
            return;
        };
        match order.purpose {
            Purpose::Flow(id, command) => {
                self.order_is_over(id, command);
                self.finish_flow_command(now, id, command, outcome);
            }
            Purpose::Recording(recording) => {
                let is_complete = !matches!(outcome, FlowOutcome::Failed { .. });
                self.recording_ended(now, order.call, recording, is_complete);
            }
            Purpose::Transcribing(transcribe) => {
                self.listening_ended(now, transcribe, command);
            }
            Purpose::Talking(id) => self.talk_order_ended(now, id, command),
            Purpose::Filling | Purpose::Control => {}
        }
    }

    fn order_is_over(&mut self, id: ActiveflowId, command: FlowCommandId) {
        if let Some(run) = self.activeflows.get_mut(&id) {
            run.running.retain(|(running, _)| *running != command);
        }
    }

    fn machine_detected(
        &mut self,
        now: Instant,
        order: CommandId,
        result: Answerer,
        cause: AmdCause,
    ) {
        let Some(Order {
            call,
            purpose: Purpose::Flow(id, command),
        }) = self.orders.remove(&order)
        else {
            return;
        };
        tracing::info!(%call, ?result, ?cause, "who has answered");
        self.order_is_over(id, command);
        let result = match result {
            Answerer::Person => MachineResult::Person,
            Answerer::Machine => MachineResult::Machine,
            Answerer::Unsure => MachineResult::Unsure,
        };
        let event = FlowEvent::MachineDetected { command, result };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
    }

    pub(super) fn tell_flow(&mut self, now: Instant, id: CallId, event: FlowEvent) {
        if let Some(flow) = self.calls.get(&id).and_then(|entry| entry.activeflow) {
            self.with_flow(now, flow, |flow| flow.handle_event(now, event));
        }
    }

    fn hangup(&mut self, now: Instant, id: ActiveflowId, cause: Cause) {
        if let Some(call) = self.call_of(id) {
            self.with_call(now, call, |call, down| call.hangup(down, cause));
        }
    }

    pub(super) fn finish_flow_command(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        outcome: FlowOutcome,
    ) {
        self.with_flow(now, id, |flow| {
            flow.handle_event(now, FlowEvent::Finished { command, outcome })
        });
    }

    // The end of a flow.

    fn flow_ended(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        why: &FlowEnd,
        on_complete: Option<OnComplete>,
    ) {
        self.look_at_flow(id);
        let Some(mut run) = self.forget_flow(id) else {
            return;
        };
        self.tell_flow_ended(now, &mut run, Some(why));
        match why {
            FlowEnd::Failed { why } => tracing::warn!(activeflow = %id, %why, "flow failed"),
            _ => tracing::debug!(activeflow = %id, ?why, "flow ended"),
        }
        let Some(entry) = run.call.and_then(|call| self.calls.get_mut(&call)) else {
            if let Some(on_complete) = on_complete {
                self.start_on_complete(now, run.activeflow.reference(), on_complete);
            }
            return;
        };
        entry.after = on_complete;
        entry.walked(&run.activeflow, self.epoch);
        if let FlowEnd::Failed { why } = why {
            entry.facts.add(flow_fact(why));
        }
        let call = entry.call.id();
        let cause = match why {
            FlowEnd::Failed { .. } => Cause::local(HangupReason::Failed, Why::FlowFailed),
            _ => Cause::local(HangupReason::Normal, Why::FlowEnded),
        };
        self.with_call(now, call, |call, down| call.hangup(down, cause));
    }
}
