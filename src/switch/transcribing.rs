//! Speech of calls and recordings in words, and what becomes of the words.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use flowswitch_media::command::{CommandId, ListenConfig, Side, Sides, Utterance};
use uuid::Uuid;

use super::ask::Asker;
use super::outside::{OutsideRequest, Sound};
use super::report::{Report, TranscribeNews};
use super::{Purpose, Switch};
use crate::flow::{
    Direction, FlowCommandId, FlowEvent, FlowOutcome, Reference, ReferenceType, TranscribeOptions,
};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::recordings::{Recorded, RecordingOf};
use crate::store::transcripts::{TranscribeOf, TranscribeState, Transcript};

/// One transcription; it outlives its call until all that was said is in words.
#[derive(Debug)]
pub(super) struct Transcription {
    pub of: TranscribeOf,
    language: String,
    direction: Direction,
    on_end_flow_id: Option<String>,
    activeflow: Option<ActiveflowId>,
    /// When it began, since 1970.
    created: Duration,
    /// The orders by which the engine listens, and to whom.
    pub listening: Vec<(CallId, CommandId)>,
    /// More may be listened to: its bridge is there, and nobody has said that it is enough.
    pub is_open: bool,
    /// Orders under way.
    pending: usize,
    /// Sound that waits.
    waiting: VecDeque<Said>,
    /// Finished with it.
    command: Option<(ActiveflowId, FlowCommandId)>,
}

/// Something that was said and is not in words yet.
#[derive(Debug)]
struct Said {
    /// Who of several; nil in the recording of a bridge.
    call: CallId,
    direction: Direction,
    at: Duration,
    sound: Sound,
}

impl Transcription {
    /// One that has heard nothing yet.
    pub(super) fn new(created: Duration, of: TranscribeOf, options: &TranscribeOptions) -> Self {
        Self {
            of,
            language: options.language.clone(),
            direction: options.direction,
            on_end_flow_id: options.on_end_flow_id.clone(),
            activeflow: None,
            created,
            listening: Vec::new(),
            is_open: false,
            pending: 0,
            waiting: VecDeque::new(),
            command: None,
        }
    }

    fn state(&self, id: Uuid, updated: Duration, is_done: bool) -> Box<TranscribeState> {
        Box::new(TranscribeState {
            id,
            of: self.of,
            activeflow: self.activeflow,
            language: self.language.clone(),
            direction: self.direction,
            on_end_flow: self.on_end_flow_id.clone(),
            is_done,
            created: self.created,
            updated,
        })
    }

    /// Of which call; `None` for one of a bridge or a recording.
    pub(super) const fn call(&self) -> Option<CallId> {
        match self.of {
            TranscribeOf::Call(call) => Some(call),
            TranscribeOf::Confbridge(_) | TranscribeOf::Recording(_) => None,
        }
    }

    /// What the files of a recording hold, as far as it is wanted.
    fn take_files(&mut self, recorded: &Recorded, wanted: Direction) {
        let call = match recorded.of {
            RecordingOf::Call(call) => call,
            RecordingOf::Confbridge(_) => CallId(Uuid::nil()),
        };
        let files = [
            (Direction::In, Some(&recorded.file_in)),
            (Direction::Out, recorded.file_out.as_ref()),
        ];
        // One file holds both sides.
        let is_whole = recorded.file_out.is_none();
        for (direction, file) in files {
            let is_wanted = is_whole || wanted == Direction::Both || wanted == direction;
            if let Some(file) = file.filter(|_| is_wanted) {
                let (at, sound) = (Duration::ZERO, Sound::File(file.clone()));
                self.waiting.push_back(Said {
                    call,
                    direction,
                    at,
                    sound,
                });
            }
        }
    }
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
    TooMany { limit: usize },
    /// There is no such bridge, or nobody is in it.
    #[error("nobody is in the bridge")]
    Empty,
    /// It is not known, or not any more.
    #[error("there is no such recording")]
    NoRecording,
    /// Its files are still written.
    #[error("there is no complete recording")]
    NotComplete,
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
                Ok(_) => FlowOutcome::Done,
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
    ) -> Result<Uuid, TranscribeRefused> {
        self.check_transcribe()?;
        let entry = self.calls.get(&call);
        if entry.is_some_and(|entry| entry.transcribing.is_some()) {
            return Err(TranscribeRefused::AlreadyRunning);
        }
        let transcribe = self.rng.uuid();
        let listening = self.new_order(call, Purpose::Transcribing(transcribe));
        let mut transcription = Transcription::new(
            self.epoch.since_1970(now),
            TranscribeOf::Call(call),
            &options,
        );
        transcription.listening.push((call, listening));
        self.begin_transcription(now, transcribe, transcription);
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
        Ok(transcribe)
    }

    /// Writes down a transcription that begins, and tells of it.
    pub(super) fn begin_transcription(
        &mut self,
        now: Instant,
        id: Uuid,
        mut transcription: Transcription,
    ) {
        let of_call = match transcription.of {
            TranscribeOf::Call(call) => self.calls.get(&call).and_then(|entry| entry.activeflow),
            TranscribeOf::Confbridge(_) | TranscribeOf::Recording(_) => None,
        };
        transcription.activeflow = transcription.command.map(|(flow, _)| flow).or(of_call);
        let updated = self.epoch.since_1970(now);
        for news in [TranscribeNews::Created, TranscribeNews::Progressing] {
            let transcribe = transcription.state(id, updated, false);
            self.report(Report::Transcribe { news, transcribe });
        }
        self.transcriptions.insert(id, transcription);
    }

    /// Whether anything at all can be transcribed.
    pub(super) fn check_transcribe(&self) -> Result<(), TranscribeRefused> {
        if !self.config.providers.transcription {
            Err(TranscribeRefused::NoProvider)
        } else if self.transcriptions.len() >= TRANSCRIPTIONS {
            let limit = TRANSCRIPTIONS;
            Err(TranscribeRefused::TooMany { limit })
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
        for (_, listening) in transcription.map_or(Vec::new(), |known| known.listening.clone()) {
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
        let of = TranscribeOf::Call(call.unwrap_or(CallId(Uuid::nil())));
        let mut transcription = Transcription::new(self.epoch.since_1970(now), of, &options);
        transcription.command = Some((id, command));
        for recorded in call.iter().flat_map(|call| self.recordings.of_call(*call)) {
            transcription.take_files(recorded, options.direction);
        }
        let why = match self.check_transcribe() {
            _ if call.is_none() => Some("there is no call"),
            Err(TranscribeRefused::NoProvider) => Some("not configured: [transcription]"),
            Err(_) => Some("too many transcriptions"),
            Ok(()) if transcription.waiting.is_empty() => Some("there is no complete recording"),
            Ok(()) => None,
        };
        if let Some(why) = why {
            tracing::warn!(activeflow = %id, "{why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let transcribe = self.rng.uuid();
        self.begin_transcription(now, transcribe, transcription);
        self.transcribe_next(now, transcribe);
    }

    /// Transcribes a complete recording for somebody outside.
    pub(super) fn transcribe_recording(
        &mut self,
        now: Instant,
        recording: RecordingId,
        options: &TranscribeOptions,
    ) -> Result<Uuid, TranscribeRefused> {
        self.check_transcribe()?;
        let recorded = self.recordings.find(recording);
        let recorded = recorded.ok_or(TranscribeRefused::NoRecording)?;
        if !recorded.is_complete {
            return Err(TranscribeRefused::NotComplete);
        }
        let of = TranscribeOf::Recording(recording);
        let mut transcription = Transcription::new(self.epoch.since_1970(now), of, options);
        transcription.take_files(recorded, options.direction);
        let transcribe = self.rng.uuid();
        self.begin_transcription(now, transcribe, transcription);
        self.transcribe_next(now, transcribe);
        Ok(transcribe)
    }

    /// Stops a transcription for somebody outside; what has been said is still put into words. `false`: none
    /// of that id runs.
    pub(super) fn stop_transcription(&mut self, now: Instant, transcribe: Uuid) -> bool {
        let Some(transcription) = self.transcriptions.get_mut(&transcribe) else {
            return false;
        };
        match transcription.of {
            TranscribeOf::Call(call) if !transcription.listening.is_empty() => {
                return self.end_transcribe(now, call);
            }
            TranscribeOf::Confbridge(_) => {
                return self.stop_overhearing(now, transcribe);
            }
            TranscribeOf::Call(_) | TranscribeOf::Recording(_) => transcription.waiting.clear(),
        }
        self.transcribe_next(now, transcribe);
        true
    }

    /// Somebody has said something in a call that is listened to.
    pub(super) fn handle_utterance(&mut self, now: Instant, said: Utterance) {
        let order = self.orders.get(&said.command);
        match order.map(|order| (order.call, &order.purpose)) {
            Some((call, Purpose::Transcribing(transcribe))) => {
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
                transcription.waiting.push_back(Said {
                    call,
                    direction,
                    at: said.start,
                    sound: Sound::Samples(said.samples),
                });
                self.transcribe_next(now, transcribe);
            }
            Some((_, Purpose::Talking(id))) => {
                let id = *id;
                self.with_current_talk(now, id, |talk| talk.handle_utterance(said.samples));
            }
            _ => {}
        }
    }

    /// The call is gone before the engine could say that it listens no more.
    pub(super) fn stop_listening(&mut self, now: Instant, transcribe: Uuid, call: CallId) {
        let transcription = self.transcriptions.get(&transcribe);
        let mut listening = transcription.iter().flat_map(|known| &known.listening);
        let order = listening.find(|(heard, _)| *heard == call);
        if let Some((_, order)) = order.copied() {
            self.orders.remove(&order);
            self.listening_ended(now, transcribe, order);
        }
    }

    /// The engine listens no more.
    pub(super) fn listening_ended(&mut self, now: Instant, transcribe: Uuid, order: CommandId) {
        if let Some(transcription) = self.transcriptions.get_mut(&transcribe) {
            transcription.listening.retain(|(_, other)| *other != order);
            if let TranscribeOf::Call(call) = transcription.of
                && let Some(entry) = self.calls.get_mut(&call)
            {
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
        (call, direction, at): (CallId, Direction, Duration),
        text: Option<&str>,
    ) {
        let Some(transcription) = self.transcriptions.get_mut(&transcribe) else {
            return;
        };
        transcription.pending -= 1;
        let told = transcription.command.map(|(id, _)| id);
        let is_of_call = matches!(transcription.of, TranscribeOf::Call(_));
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let transcript = Transcript {
                id: self.rng.uuid(),
                transcribe,
                call,
                direction,
                at,
                text: text.to_owned(),
                created: self.epoch.since_1970(now),
            };
            self.transcripts.insert(transcript.clone());
            self.report(Report::Transcript(Box::new(transcript)));
            let text = text.to_owned();
            let event = FlowEvent::Transcribed { text };
            match told {
                Some(id) => self.with_flow(now, id, |flow| flow.handle_event(now, event)),
                None if is_of_call => self.tell_flow(now, call, event),
                // What others say in a bridge is none of its business.
                None => {}
            }
        }
        self.transcribe_next(now, transcribe);
    }

    /// Has put into words what waits for it, as far as may be, and ends what is over.
    pub(super) fn transcribe_next(&mut self, now: Instant, transcribe: Uuid) {
        while let Some(transcription) = self.transcriptions.get_mut(&transcribe) {
            let room = transcription.pending < PENDING;
            let Some(said) = room.then(|| transcription.waiting.pop_front()).flatten() else {
                break;
            };
            transcription.pending += 1;
            let language = transcription.language.clone();
            let Said {
                call,
                direction,
                at,
                sound,
            } = said;
            let asker = Asker::Transcript {
                transcribe,
                said: (call, direction, at),
            };
            self.ask(asker, OutsideRequest::Transcribe { sound, language });
        }
        let is_over = |transcription: &Transcription| {
            transcription.pending == 0
                && transcription.listening.is_empty()
                && !transcription.is_open
        };
        if self.transcriptions.get(&transcribe).is_some_and(is_over)
            && let Some(transcription) = self.transcriptions.remove(&transcribe)
        {
            self.transcription_ended(now, transcribe, transcription);
        }
    }

    fn transcription_ended(&mut self, now: Instant, transcribe: Uuid, over: Transcription) {
        tracing::debug!(%transcribe, "transcription is over");
        let updated = self.epoch.since_1970(now);
        self.report(Report::Transcribe {
            news: TranscribeNews::Done,
            transcribe: over.state(transcribe, updated, true),
        });
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
