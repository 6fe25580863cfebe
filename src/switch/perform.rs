//! What a flow orders becomes a verb of its call; what the call reports becomes news for the flow.

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{CommandId, Outcome, RecordingConfig};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;

use super::{Order, Output, Source, Switch};
use crate::call::cause::{Cause, Why};
use crate::call::{Call, CallEvent, Down};
use crate::flow::{
    EndOfKey, FlowCommand, FlowCommandId, FlowEnd, FlowEvent, FlowOutcome, OnComplete, Recording,
    RecordingFormat, RecordingOptions,
};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::status::HangupReason;

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
                let beep = Arc::clone(&self.config.beep);
                self.verb(now, id, command, move |call, down, order| {
                    call.begin_play(down, order, false);
                    call.play(down, order, vec![beep]);
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
                    call.send_digits(down, order, digits, tone, gap)
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
            FlowCommand::HangupRelay { .. } => {
                self.hangup(now, id, Cause::local(HangupReason::Normal, Why::FlowEnded));
            }
            FlowCommand::Mute { command, .. }
            | FlowCommand::DetectMachine { command, .. }
            | FlowCommand::Fetch { command, .. }
            | FlowCommand::Webhook { command, .. }
            | FlowCommand::Email { command, .. }
            | FlowCommand::SendMessage { command, .. }
            | FlowCommand::SendConversation { command, .. }
            | FlowCommand::StartTranscribe { command, .. }
            | FlowCommand::StopTranscribe { command }
            | FlowCommand::TranscribeRecordings { command, .. }
            | FlowCommand::AiTalk { command, .. }
            | FlowCommand::AiTask { command, .. }
            | FlowCommand::Summarize { command, .. }
            | FlowCommand::Connect { command, .. }
            | FlowCommand::Call { command, .. }
            | FlowCommand::JoinConference { command, .. }
            | FlowCommand::JoinConfbridge { command, .. }
            | FlowCommand::JoinQueue { command, .. }
            | FlowCommand::StartExternalMedia { command, .. }
            | FlowCommand::StopExternalMedia { command } => {
                let outcome = FlowOutcome::Failed {
                    why: "this is not available",
                };
                self.finish_flow_command(now, id, command, outcome);
            }
            FlowCommand::Ended { why, on_complete } => self.flow_ended(now, id, &why, on_complete),
        }
    }

    /// Turns one report of a call into news for its flow.
    pub(super) fn handle_call(&mut self, now: Instant, id: CallId, event: CallEvent) {
        match event {
            CallEvent::Status(status) => self.tell_flow(now, id, FlowEvent::CallStatus { status }),
            CallEvent::Digit(digit) => {
                let digit = digit.to_char();
                self.tell_flow(now, id, FlowEvent::Digit { digit });
            }
            // No order of a flow listens to utterances.
            CallEvent::Utterance(_) => {}
            CallEvent::HungUp => self.tell_flow(now, id, FlowEvent::CallEnded),
            CallEvent::Finished { command, outcome } => self.handle_order(now, command, outcome),
            CallEvent::Ended { cause, stats } => {
                let Some(entry) = self.calls.remove(&id) else {
                    return;
                };
                let lasted = now.saturating_duration_since(entry.call.started());
                tracing::info!(
                    call = %id, %cause, ?lasted,
                    sent = stats.sent_packets, received = stats.received_packets,
                    lost = stats.lost_packets, late = stats.late_packets, jitter = ?stats.max_jitter,
                    "call ended"
                );
                self.forget_call(id, &entry);
                if let Some(after) = entry.after {
                    self.start_on_complete(now, id, after);
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
        if let Some(prompts) = prompts {
            self.with_call(now, id, |call, down| call.play(down, command, prompts));
        } else if self
            .calls
            .get_mut(&id)
            .is_some_and(|entry| entry.call.forget_play(command))
        {
            self.finish_order(
                now,
                command,
                FlowOutcome::Failed {
                    why: "there is no sound to play",
                },
            );
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
        let mut asked = None;
        self.verb(now, id, command, |call, down, order| {
            call.begin_play(down, order, stop_on_digit);
            asked = call.is_alive().then_some(order);
        });
        if let Some(command) = asked {
            self.outputs.push_back(Output::Fetch { command, sources });
        }
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
            let outcome = FlowOutcome::Failed {
                why: "there is no call",
            };
            return self.with_flow(now, id, |flow| {
                flow.handle_event(now, FlowEvent::Finished { command, outcome })
            });
        };
        let order = self.new_order(call, id, command, false);
        self.with_call(now, call, |call, down| act(call, down, order));
    }

    fn new_order(
        &mut self,
        call: CallId,
        activeflow: ActiveflowId,
        command: FlowCommandId,
        is_recording: bool,
    ) -> CommandId {
        let order = CommandId(self.next_number());
        self.orders.insert(
            order,
            Order {
                call,
                activeflow,
                command,
                is_recording,
            },
        );
        if let Some(run) = self.activeflows.get_mut(&activeflow) {
            run.running.push((command, order));
        }
        order
    }

    fn call_of(&self, id: ActiveflowId) -> Option<CallId> {
        let call = self.activeflows.get(&id)?.call;
        self.calls.contains_key(&call).then_some(call)
    }

    fn cancel(&mut self, now: Instant, id: ActiveflowId, command: FlowCommandId) {
        let order = self.activeflows.get(&id).and_then(|run| {
            let (_, order) = run.running.iter().find(|(known, _)| *known == command)?;
            Some((run.call, *order))
        });
        if let Some((call, order)) = order {
            self.with_call(now, call, |call, down| call.cancel(down, order));
        }
    }

    fn handle_order(&mut self, now: Instant, command: CommandId, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Done
            | Outcome::Canceled
            | Outcome::Recorded { .. }
            | Outcome::Detected { .. } => FlowOutcome::Done,
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
        if let Some(run) = self.activeflows.get_mut(&order.activeflow) {
            run.running.retain(|(_, running)| *running != command);
        }
        if order.is_recording {
            return self.recording_ended(now, order.call);
        }
        let event = FlowEvent::Finished {
            command: order.command,
            outcome,
        };
        self.with_flow(now, order.activeflow, |flow| flow.handle_event(now, event));
    }

    fn tell_flow(&mut self, now: Instant, id: CallId, event: FlowEvent) {
        if let Some(flow) = self.calls.get(&id).and_then(|entry| entry.activeflow) {
            self.with_flow(now, flow, |flow| flow.handle_event(now, event));
        }
    }

    fn hangup(&mut self, now: Instant, id: ActiveflowId, cause: Cause) {
        if let Some(call) = self.call_of(id) {
            self.with_call(now, call, |call, down| call.hangup(down, cause));
        }
    }

    // Recording.

    fn start_recording(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        options: RecordingOptions,
    ) {
        let Some(call) = self.call_of(id) else {
            return self.finish_flow_command(
                now,
                id,
                command,
                FlowOutcome::Failed {
                    why: "there is no call",
                },
            );
        };
        let recording = self.new_recording(now, call);
        let config = self.recording_config(&recording, options);
        let order = self.new_order(call, id, command, true);
        let mut refused = None;
        self.with_call(now, call, |call, down| {
            refused = call.record(down, order, config).err()
        });
        if let Some(why) = refused {
            tracing::warn!(%call, %why, "no recording");
            self.orders.remove(&order);
            return self.finish_flow_command(
                now,
                id,
                command,
                FlowOutcome::Failed {
                    why: "the recording was refused",
                },
            );
        }
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.recording = Some(order);
        }
        tracing::info!(%call, recording = %recording.name, "recording");
        self.tell_flow(now, call, FlowEvent::RecordingStarted { recording });
        self.finish_flow_command(now, id, command, FlowOutcome::Done);
    }

    fn stop_recording(&mut self, now: Instant, id: ActiveflowId, command: FlowCommandId) {
        let running = self.call_of(id).and_then(|call| self.calls.get_mut(&call));
        match running.filter(|entry| entry.recording.is_some()) {
            Some(entry) => {
                entry.waiting_for_recording.push((id, command));
                let call = entry.call.id();
                self.with_call(now, call, |call, down| call.stop_recording(down));
            }
            None => self.finish_flow_command(now, id, command, FlowOutcome::Done),
        }
    }

    fn recording_ended(&mut self, now: Instant, call: CallId) {
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        entry.recording = None;
        let waiting = std::mem::take(&mut entry.waiting_for_recording);
        self.tell_flow(now, call, FlowEvent::RecordingEnded);
        for (flow, command) in waiting {
            self.finish_flow_command(now, flow, command, FlowOutcome::Done);
        }
    }

    fn finish_flow_command(
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

    fn new_recording(&mut self, now: Instant, call: CallId) -> Recording {
        let since_1970 = self.epoch.since_1970(now);
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or_default();
        let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        let id = RecordingId(self.rng.uuid());
        let name = format!(
            "call_{call}_{}_{:03}",
            time.strftime("%Y%m%dT%H%M%SZ"),
            since_1970.subsec_millis()
        );
        let format = RecordingFormat::Wav;
        let filenames = ["in", "out"]
            .map(|side| format!("{name}_{side}.{}", format.as_str()))
            .to_vec();
        Recording {
            id,
            name,
            filenames,
            format,
        }
    }

    fn recording_config(
        &self,
        recording: &Recording,
        options: RecordingOptions,
    ) -> RecordingConfig {
        let digits = |keys: &str| keys.chars().filter_map(Digit::from_char).collect();
        RecordingConfig {
            file_in: self.config.recordings.join(&recording.filenames[0]),
            file_out: self.config.recordings.join(&recording.filenames[1]),
            end_of_silence: options.end_of_silence,
            end_of_key: match options.end_of_key {
                EndOfKey::None => Vec::new(),
                EndOfKey::Any => digits("0123456789*#ABCD"),
                EndOfKey::Star => digits("*"),
                EndOfKey::Hash => digits("#"),
            },
            duration: options.duration,
            beep_start: options.beep_start,
        }
    }

    // The end of a flow.

    fn flow_ended(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        why: &FlowEnd,
        on_complete: Option<OnComplete>,
    ) {
        let Some(call) = self.forget_flow(id) else {
            return;
        };
        match why {
            FlowEnd::Failed { why } => tracing::warn!(activeflow = %id, %why, "flow failed"),
            _ => tracing::debug!(activeflow = %id, ?why, "flow ended"),
        }
        match self.calls.get_mut(&call) {
            Some(entry) => {
                entry.after = on_complete;
                let cause = match why {
                    FlowEnd::Failed { .. } => Cause::local(HangupReason::Failed, Why::FlowFailed),
                    _ => Cause::local(HangupReason::Normal, Why::FlowEnded),
                };
                self.with_call(now, call, |call, down| call.hangup(down, cause));
            }
            None => {
                if let Some(on_complete) = on_complete {
                    self.start_on_complete(now, call, on_complete);
                }
            }
        }
    }
}
