//! Conferences at work: callers are let in, joined and sent out, what they say is recorded, and what follows
//! a conference runs when the last has left.

use std::time::{Duration, Instant};

use flowswitch_media::command::{
    BridgeConfig, BridgeId, BridgeRecordingConfig, Command, CommandId, Outcome,
};
use uuid::Uuid;

use super::bridges::BridgeKind;
use super::conference::{ConferenceEvent, Door, Guest};
use super::control::{ControlError, Controlled};
use super::recording::{AfterRecording, file_format};
use super::report::{ConfbridgeNews, Report};
use super::{Purpose, Switch};
use crate::flow::{
    FlowCommandId, FlowEvent, FlowOutcome, Recording, RecordingFormat, Reference, ReferenceType,
    TranscribeOptions,
};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::conferences::Conference;
use crate::store::recordings::{Recorded, RecordingOf};

/// A recording of a bridge that runs, or whose file is being completed.
#[derive(Debug)]
pub(super) struct BridgeRecording {
    recording: RecordingId,
    confbridge: Uuid,
    after: Option<AfterRecording>,
}

/// What a conference can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConferenceVerb {
    /// Record what is said in it, in one file.
    StartRecording {
        /// How, and for how long.
        options: ConferenceRecording,
    },
    /// Stop that, whoever asked for it.
    StopRecording,
    /// Write down what each of those says who are in it.
    StartTranscribe {
        /// In which language; the direction means nothing here.
        options: TranscribeOptions,
    },
    /// Stop that, whoever asked for it; what has been said is still put into words.
    StopTranscribe,
    /// Close its room, if it is open: all are sent out, and their flows go on behind it. Who comes then enters
    /// another room.
    Terminate,
}

/// How a conference is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceRecording {
    /// Format of the file.
    pub format: RecordingFormat,
    /// For how long; until the last leaves when `None`.
    pub duration: Option<Duration>,
    /// Flow to run when the file is complete; it belongs to no call.
    pub on_end_flow_id: Option<String>,
}

/// Why a bridge is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum RecordRefused {
    #[error("nobody is in the conference")]
    Empty,
    #[error("a recording is already running")]
    AlreadyRecording,
    #[error("this build cannot record to {format}")]
    Format { format: &'static str },
}

impl From<RecordRefused> for ControlError {
    fn from(refused: RecordRefused) -> Self {
        match refused {
            RecordRefused::Empty => Self::EmptyConference,
            RecordRefused::AlreadyRecording => Self::AlreadyRecording,
            RecordRefused::Format { format } => Self::RecordingFormat { format },
        }
    }
}

impl Switch {
    /// A flow asks for a conference: its call is let in, and finds the way to the bridge by itself.
    pub(super) fn join_conference(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        conference: &str,
    ) {
        let found = self.config.directory.conferences.find(conference);
        let (Some(call), Some(conference)) = (self.call_of(id), found.cloned()) else {
            let why = "there is no call, or no such conference";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let pre_flow_id = self.known_flow(conference.pre_flow.clone(), &conference.name);
        let guest = Guest {
            call,
            activeflow: Some(id),
        };
        let (bridge, participant) = (self.rng.uuid(), self.rng.uuid());
        let confbridge = self
            .conferences
            .enter(now, &conference, bridge, participant, guest);
        let event = FlowEvent::ConferenceFound {
            command,
            confbridge_id: confbridge.to_string(),
            pre_flow_id,
        };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
    }

    /// The only one that a call is to be connected with is a conference: it is answered and enters, without
    /// introduction.
    pub(super) fn enter_conference(
        &mut self,
        now: Instant,
        (id, command): (ActiveflowId, FlowCommandId),
        call: CallId,
        conference: Uuid,
    ) {
        let Some(conference) = self.config.directory.conferences.get(conference) else {
            let why = "there is no such conference";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let guest = Guest {
            call,
            activeflow: Some(id),
        };
        let (bridge, participant) = (self.rng.uuid(), self.rng.uuid());
        let confbridge = self
            .conferences
            .enter(now, conference, bridge, participant, guest);
        let order = self.new_order(call, Purpose::Control);
        self.with_call(now, call, |call, down| call.answer(down, order));
        self.join_confbridge(now, id, command, &confbridge.to_string());
    }

    /// The bridge of a name for a call that wants to join it, made where there is none. `None`: the call is
    /// not let in.
    pub(super) fn bridge_for(
        &mut self,
        now: Instant,
        confbridge: Uuid,
        call: CallId,
    ) -> Option<BridgeId> {
        let kind = match self.conferences.door(confbridge, call) {
            Door::Closed => return None,
            Door::Open(conference) => BridgeKind::Conference(conference),
            Door::None => BridgeKind::Bare,
        };
        let known = self.bridges.find(confbridge);
        Some(known.unwrap_or_else(|| self.new_bridge(now, confbridge, kind, call)))
    }

    /// Somebody is in the bridge of a conference.
    pub(super) fn came_to_conference(&mut self, confbridge: Uuid, call: CallId) {
        let activeflow = self.calls.get(&call).and_then(|entry| entry.activeflow);
        let id = self.rng.uuid();
        self.conferences
            .joined(confbridge, id, Guest { call, activeflow });
        self.configure_conference(confbridge);
    }

    /// Tells the engine how the bridge of a conference mixes, where that is not as usual.
    fn configure_conference(&mut self, confbridge: Uuid) {
        let Some(bridge) = self.bridges.find(confbridge) else {
            return;
        };
        let kind = self.bridges.get(bridge).map(|bridge| bridge.kind);
        if !matches!(kind, Some(BridgeKind::Conference(_))) {
            return;
        }
        let Some(conference) = self.conferences.as_opened(confbridge) else {
            return;
        };
        let config = BridgeConfig {
            level: conference.level,
            loudest: conference.loudest,
            ..BridgeConfig::default()
        };
        if config != BridgeConfig::default() {
            let command = Command::ConfigureBridge { bridge, config };
            self.media.push_back(command);
        }
    }

    /// Does what a conference wants done.
    pub(super) fn handle_conference(&mut self, now: Instant, event: ConferenceEvent) {
        match event {
            ConferenceEvent::Record {
                conference,
                confbridge,
            } => {
                let conference = self.config.directory.conferences.get(conference);
                let options = ConferenceRecording {
                    format: conference.map_or_else(RecordingFormat::default, |conference| {
                        conference.record_format
                    }),
                    ..ConferenceRecording::default()
                };
                if let Err(why) = self.record_bridge(now, confbridge, options) {
                    tracing::warn!(%confbridge, %why, "the conference is not recorded");
                }
            }
            ConferenceEvent::Kick { call, confbridge } => {
                let bridge = self.bridges.find(confbridge);
                if bridge.is_some() && self.bridge_of(call) == bridge {
                    self.leave_bridge(now, call);
                }
            }
            ConferenceEvent::Closed {
                conference,
                confbridge,
            } => self.conference_closed(now, &conference, confbridge),
            ConferenceEvent::Closing { confbridge } => {
                if let Some(bridge) = self.bridges.find(confbridge) {
                    self.tell_confbridge(now, ConfbridgeNews::Terminating, bridge);
                }
            }
            ConferenceEvent::Moved(conferencecall) => {
                let updated = self.epoch.since_1970(now);
                self.report(Report::Conferencecall {
                    conferencecall,
                    updated,
                });
            }
        }
    }

    fn conference_closed(&mut self, now: Instant, conference: &Conference, confbridge: Uuid) {
        tracing::info!(conference = %conference.name, %confbridge, "conference is over");
        if let Some(flow) = conference.post_flow.clone() {
            let reference = Reference {
                kind: ReferenceType::None,
                id: Uuid::nil(),
            };
            self.start_without_call(now, &flow, reference, Vec::new(), 0);
        }
    }

    // Recording of what is said in it.

    /// Does what somebody outside asks of a conference.
    pub(super) fn control_conference(
        &mut self,
        now: Instant,
        conference: Uuid,
        verb: ConferenceVerb,
    ) -> Result<Controlled, ControlError> {
        // One that is not configured any more is there until its room closes.
        let is_known = self.config.directory.conferences.get(conference).is_some();
        if !is_known && !self.conferences.is_open(conference) {
            return Err(ControlError::NoSuchConference);
        }
        let in_use = self.conferences.in_use(conference);
        match verb {
            ConferenceVerb::StartRecording { options } => {
                let confbridge = in_use.ok_or(ControlError::EmptyConference)?;
                let recording = self.record_bridge(now, confbridge, options)?;
                Ok(Controlled::Recording(recording))
            }
            ConferenceVerb::StopRecording => {
                let is_running = self.stop_recording_conference(conference);
                let done = is_running.then_some(Controlled::Done);
                done.ok_or(ControlError::NotRecording)
            }
            ConferenceVerb::StartTranscribe { options } => {
                let confbridge = in_use.ok_or(ControlError::EmptyConference)?;
                let transcribe = self.overhear_bridge(now, confbridge, &options)?;
                Ok(Controlled::Transcribe(transcribe))
            }
            ConferenceVerb::StopTranscribe => {
                let bridge = in_use.and_then(|confbridge| self.bridges.find(confbridge));
                let room = bridge.and_then(|bridge| self.bridges.get(bridge));
                let running = room.and_then(|room| room.transcribing);
                self.stop_overhearing(now, running.ok_or(ControlError::NotTranscribing)?);
                Ok(Controlled::Done)
            }
            ConferenceVerb::Terminate => {
                self.conferences.close(conference);
                Ok(Controlled::Done)
            }
        }
    }

    /// Stops the recording of a conference. `false`: none runs.
    fn stop_recording_conference(&mut self, conference: Uuid) -> bool {
        let Some(confbridge) = self.conferences.in_use(conference) else {
            return false;
        };
        let mut all = self.bridge_recordings.iter();
        let running = all.find(|(_, recording)| recording.confbridge == confbridge);
        let command = running.map(|(command, _)| *command);
        let bridge = self.bridges.find(confbridge);
        let (Some(command), Some(bridge)) = (command, bridge) else {
            return false;
        };
        self.media
            .push_back(Command::StopBridgeRecording { bridge, command });
        true
    }

    fn record_bridge(
        &mut self,
        now: Instant,
        confbridge: Uuid,
        options: ConferenceRecording,
    ) -> Result<RecordingId, RecordRefused> {
        let ConferenceRecording {
            format,
            duration,
            on_end_flow_id,
        } = options;
        let file_format = file_format(format);
        if !file_format.is_supported() {
            let format = file_format.extension();
            return Err(RecordRefused::Format { format });
        }
        let bridge = self.bridges.find(confbridge).ok_or(RecordRefused::Empty)?;
        let mut running = self.bridge_recordings.values();
        if running.any(|recording| recording.confbridge == confbridge) {
            return Err(RecordRefused::AlreadyRecording);
        }
        let name = self.recording_name(now, "confbridge", confbridge);
        let filename = format!("{name}_in.{}", format.as_str());
        let file = self.recordings_dir.join(&filename);
        let recording = RecordingId(self.rng.uuid());
        self.recording_began(Recorded {
            id: recording,
            of: RecordingOf::Confbridge(confbridge),
            activeflow: None,
            name: name.clone(),
            format,
            on_end_flow: on_end_flow_id.clone(),
            began: self.epoch.since_1970(now),
            ended: None,
            file_in: file.clone(),
            file_out: None,
            is_complete: false,
        });
        tracing::info!(%confbridge, recording = %name, "recording");
        let known = Recording {
            id: recording,
            name,
            filenames: vec![filename],
            format,
        };
        let of = ("confbridge", confbridge);
        let after = |flow_id| AfterRecording::new(flow_id, &known, of, None);
        let after = on_end_flow_id.map(after);
        let command = CommandId(self.next_number());
        self.bridge_recordings.insert(
            command,
            BridgeRecording {
                recording,
                confbridge,
                after,
            },
        );
        self.media.push_back(Command::RecordBridge {
            command,
            bridge,
            config: Box::new(BridgeRecordingConfig {
                file,
                format: file_format,
                duration,
            }),
        });
        Ok(recording)
    }

    /// The engine has finished a recording of a bridge. `false`: the order was for something else.
    pub(super) fn bridge_recording_ended(
        &mut self,
        now: Instant,
        command: CommandId,
        outcome: &Outcome,
    ) -> bool {
        let Some(ended) = self.bridge_recordings.remove(&command) else {
            return false;
        };
        if let Outcome::Failed { why } = outcome {
            tracing::warn!(confbridge = %ended.confbridge, %why, "recording failed");
        }
        let is_complete = !matches!(outcome, Outcome::Failed { .. });
        self.recording_over(now, ended.recording, is_complete);
        if let Some(after) = ended.after.filter(|_| is_complete) {
            self.start_after_recording(now, after);
        }
        true
    }
}
