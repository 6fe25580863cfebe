//! Speech of calls and recordings in words, and what becomes of the words.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use flowswitch_media::command::{CommandId, ListenConfig, Side, Sides, Utterance};
use uuid::Uuid;

use super::ask::Asker;
use super::io::Report;
use super::outside::{OutsideRequest, Sound};
use super::{Purpose, Switch};
use crate::flow::{
    Direction, FlowCommandId, FlowEvent, FlowOutcome, Reference, ReferenceType, TranscribeOptions,
};
use crate::ids::{ActiveflowId, CallId};
use crate::store::transcripts::Transcript;

/// One transcription; it outlives its call until all that was said is in words.
#[derive(Debug)]
pub(super) struct Transcription {
    call: CallId,
    language: String,
    on_end_flow_id: Option<String>,
    /// The order by which the engine listens.
    listening: Option<CommandId>,
    /// Orders under way.
    pending: usize,
    /// Sound that waits.
    waiting: VecDeque<(Direction, Duration, Sound)>,
    /// Finished with it.
    command: Option<(ActiveflowId, FlowCommandId)>,
}

/// Why a call is not transcribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TranscribeRefused {
    /// Nobody puts it into words.
    #[error("not configured: [transcription]")]
    NoProvider,
    /// One is running.
    #[error("a transcription is already running")]
    AlreadyRunning,
    /// As many as may be are, in all calls.
    #[error("too many transcriptions")]
    TooMany,
}

/// Orders of one transcription under way: one for each side, so that words come in their order.
const PENDING: usize = 2;
/// Utterances that wait; with the longest ones a few megabytes.
const WAITING: usize = 16;
/// Transcriptions at one time.
const TRANSCRIPTIONS: usize = 10_000;

impl Switch {
    /// Starts a transcription for a flow.
    pub(super) fn start_transcribe(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        options: TranscribeOptions,
    ) {
        let outcome = match self.call_of(id) {
            None => FlowOutcome::Failed {
                why: "there is no call",
            },
            Some(call) => match self.transcribe(now, call, options) {
                Ok(()) => FlowOutcome::Done,
                Err(why) => {
                    tracing::warn!(activeflow = %id, "{why}");
                    FlowOutcome::Failed {
                        why: "the transcription was refused",
                    }
                }
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    /// Starts the transcription of a call, and tells its flow, whoever asked for it.
    pub(super) fn transcribe(
        &mut self,
        now: Instant,
        call: CallId,
        options: TranscribeOptions,
    ) -> Result<(), TranscribeRefused> {
        self.check_transcribe(call)?;
        let transcribe = self.rng.uuid();
        let listening = self.new_order(call, Purpose::Transcribing(transcribe));
        let transcription = Transcription {
            call,
            language: options.language.clone(),
            on_end_flow_id: options.on_end_flow_id,
            listening: Some(listening),
            pending: 0,
            waiting: VecDeque::new(),
            command: None,
        };
        self.transcriptions.insert(transcribe, transcription);
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.transcribing = Some(transcribe);
        }
        let direction = options.direction;
        let config = ListenConfig {
            sides: match direction {
                Direction::In => Sides::Peer,
                Direction::Out => Sides::Us,
                Direction::Both => Sides::Both,
            },
            ..ListenConfig::default()
        };
        self.with_call(now, call, |call, down| call.listen(down, listening, config));
        tracing::info!(%call, %transcribe, "transcribing");
        let event = FlowEvent::TranscribeStarted {
            id: transcribe,
            language: options.language,
            direction,
        };
        self.tell_flow(now, call, event);
        Ok(())
    }

    fn check_transcribe(&self, call: CallId) -> Result<(), TranscribeRefused> {
        let entry = self.calls.get(&call);
        if !self.config.providers.transcription {
            Err(TranscribeRefused::NoProvider)
        } else if entry.is_some_and(|entry| entry.transcribing.is_some()) {
            Err(TranscribeRefused::AlreadyRunning)
        } else if self.transcriptions.len() >= TRANSCRIPTIONS {
            Err(TranscribeRefused::TooMany)
        } else {
            Ok(())
        }
    }

    /// Stops a transcription for a flow.
    pub(super) fn stop_transcribe(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) {
        if let Some(call) = self.call_of(id) {
            self.end_transcribe(now, call);
        }
        self.finish_flow_command(now, id, command, FlowOutcome::Done);
    }

    /// Stops the transcription of a call, if there is one; what has been said is still put into words.
    pub(super) fn end_transcribe(&mut self, now: Instant, call: CallId) -> bool {
        let entry = self.calls.get_mut(&call);
        let Some(transcribe) = entry.and_then(|entry| entry.transcribing.take()) else {
            return false;
        };
        let transcription = self.transcriptions.get(&transcribe);
        if let Some(listening) = transcription.and_then(|running| running.listening) {
            self.with_call(now, call, |call, down| call.cancel(down, listening));
        }
        true
    }

    /// Transcribes the complete recordings of a call, the party's side and what it heard.
    pub(super) fn transcribe_recordings(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        options: TranscribeOptions,
    ) {
        let call = self.activeflows.get(&id).and_then(|run| run.call);
        let mut waiting = VecDeque::new();
        for recorded in call.iter().flat_map(|call| self.recordings.of_call(*call)) {
            let files = [
                (Direction::In, Some(&recorded.file_in)),
                (Direction::Out, recorded.file_out.as_ref()),
            ];
            let files = files
                .into_iter()
                .filter_map(|(way, file)| Some((way, file?)));
            // One file holds both sides.
            let is_whole = recorded.file_out.is_none();
            for (direction, file) in files {
                if is_whole
                    || options.direction == Direction::Both
                    || options.direction == direction
                {
                    waiting.push_back((direction, Duration::ZERO, Sound::File(file.clone())));
                }
            }
        }
        let why = if !self.config.providers.transcription {
            Some("not configured: [transcription]")
        } else if waiting.is_empty() {
            Some("there is no complete recording")
        } else if self.transcriptions.len() >= TRANSCRIPTIONS {
            Some("too many transcriptions")
        } else {
            None
        };
        let (Some(call), None) = (call, why) else {
            let why = why.unwrap_or("there is no call");
            tracing::warn!(activeflow = %id, "{why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let transcribe = self.rng.uuid();
        let transcription = Transcription {
            call,
            language: options.language,
            on_end_flow_id: options.on_end_flow_id,
            listening: None,
            pending: 0,
            waiting,
            command: Some((id, command)),
        };
        self.transcriptions.insert(transcribe, transcription);
        self.transcribe_next(now, transcribe);
    }

    /// Somebody has said something in a call that is listened to.
    pub(super) fn handle_utterance(&mut self, now: Instant, said: Utterance) {
        match self.orders.get(&said.command).map(|order| &order.purpose) {
            Some(Purpose::Transcribing(transcribe)) => {
                let transcribe = *transcribe;
                let Some(transcription) = self.transcriptions.get_mut(&transcribe) else {
                    return;
                };
                if transcription.waiting.len() == WAITING {
                    tracing::warn!(%transcribe, "words are lost: the transcription server is slow");
                    transcription.waiting.pop_front();
                }
                let direction = match said.side {
                    Side::Peer => Direction::In,
                    Side::Us => Direction::Out,
                };
                let sound = Sound::Samples(said.samples);
                transcription
                    .waiting
                    .push_back((direction, said.start, sound));
                self.transcribe_next(now, transcribe);
            }
            Some(Purpose::Talking(id)) => {
                let id = *id;
                self.with_current_talk(now, id, |talk| talk.handle_utterance(said.samples));
            }
            _ => {}
        }
    }

    /// The call is gone before the engine could say that it listens no more.
    pub(super) fn stop_listening(&mut self, now: Instant, transcribe: Uuid) {
        let transcription = self.transcriptions.get(&transcribe);
        if let Some(order) = transcription.and_then(|transcription| transcription.listening) {
            self.orders.remove(&order);
        }
        self.listening_ended(now, transcribe);
    }

    /// The engine listens no more.
    pub(super) fn listening_ended(&mut self, now: Instant, transcribe: Uuid) {
        if let Some(transcription) = self.transcriptions.get_mut(&transcribe) {
            transcription.listening = None;
            let call = transcription.call;
            if let Some(entry) = self.calls.get_mut(&call) {
                entry.transcribing.take_if(|running| *running == transcribe);
            }
        }
        self.transcribe_next(now, transcribe);
    }

    /// Something is in words, or cannot be.
    pub(super) fn handle_transcript(
        &mut self,
        now: Instant,
        transcribe: Uuid,
        direction: Direction,
        at: Duration,
        text: Option<&str>,
    ) {
        let Some(transcription) = self.transcriptions.get_mut(&transcribe) else {
            return;
        };
        transcription.pending -= 1;
        let call = transcription.call;
        let told = transcription.command.map(|(id, _)| id);
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let transcript = Transcript {
                transcribe,
                call,
                direction,
                at,
                text: text.to_owned(),
            };
            self.transcripts.insert(transcript.clone());
            self.report(Report::Transcript(transcript));
            let text = text.to_owned();
            let event = FlowEvent::Transcribed { text };
            match told {
                Some(id) => self.with_flow(now, id, |flow| flow.handle_event(now, event)),
                None => self.tell_flow(now, call, event),
            }
        }
        self.transcribe_next(now, transcribe);
    }

    fn transcribe_next(&mut self, now: Instant, transcribe: Uuid) {
        while let Some(transcription) = self.transcriptions.get_mut(&transcribe) {
            let room = transcription.pending < PENDING;
            let Some((direction, at, sound)) =
                room.then(|| transcription.waiting.pop_front()).flatten()
            else {
                break;
            };
            transcription.pending += 1;
            let language = transcription.language.clone();
            let asker = Asker::Transcript {
                transcribe,
                direction,
                at,
            };
            self.ask(asker, OutsideRequest::Transcribe { sound, language });
        }
        let is_over = |transcription: &Transcription| {
            transcription.pending == 0 && transcription.listening.is_none()
        };
        if self.transcriptions.get(&transcribe).is_some_and(is_over)
            && let Some(transcription) = self.transcriptions.remove(&transcribe)
        {
            self.transcription_ended(now, transcribe, transcription);
        }
    }

    fn transcription_ended(&mut self, now: Instant, transcribe: Uuid, over: Transcription) {
        tracing::debug!(%transcribe, "transcription is over");
        let call = over.call;
        self.report(Report::TranscribeEnded { transcribe, call });
        if let Some((id, command)) = over.command {
            self.finish_flow_command(now, id, command, FlowOutcome::Done);
        }
        if let Some(flow) = over.on_end_flow_id {
            let reference = Reference {
                kind: ReferenceType::Transcribe,
                id: transcribe,
            };
            let said: Vec<&str> = self
                .transcripts
                .of(transcribe)
                .map(|transcript| transcript.text.as_str())
                .collect();
            let variables = [
                ("voipbin.transcribe.id", transcribe.to_string()),
                ("voipbin.transcribe.language", over.language),
                ("voipbin.transcribe.text", said.join("\n")),
            ];
            let variables = variables.map(|(name, value)| (name.to_owned(), value));
            self.start_without_call(now, &flow, reference, variables.into(), 1);
        }
    }
}
