//! Conferences at work: callers are let in, joined and sent out, what they say is recorded, and what follows
//! a conference runs when the last has left.

use std::time::{Duration, Instant};

use flowswitch_media::command::{
    BridgeConfig, BridgeId, BridgeRecordingConfig, Command, CommandId, Outcome,
};
use flowswitch_media::recording::FileFormat;
use uuid::Uuid;

use super::bridges::BridgeKind;
use super::conference::{ConferenceEvent, Door, Guest};
use super::control::ControlError;
use super::io::Report;
use super::{Purpose, Switch};
use crate::flow::{FlowCommandId, FlowEvent, FlowOutcome, Reference, ReferenceType};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::recordings::{Recorded, RecordingOf};

/// A recording of a bridge that runs, or whose file is being completed.
#[derive(Clone, Copy, Debug)]
pub(super) struct BridgeRecording {
    recording: RecordingId,
    confbridge: Uuid,
}

/// What a conference can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConferenceVerb {
    /// Record what is said in it, in one file.
    StartRecording {
        /// For how long; until the last leaves when `None`.
        duration: Option<Duration>,
    },
    /// Stop that, whoever asked for it.
    StopRecording,
}

/// Why a bridge is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum RecordRefused {
    #[error("nobody is in the conference")]
    Empty,
    #[error("a recording is already running")]
    AlreadyRecording,
}

impl From<RecordRefused> for ControlError {
    fn from(refused: RecordRefused) -> Self {
        match refused {
            RecordRefused::Empty => Self::EmptyConference,
            RecordRefused::AlreadyRecording => Self::AlreadyRecording,
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
    pub(super) fn bridge_for(&mut self, confbridge: Uuid, call: CallId) -> Option<BridgeId> {
        let kind = match self.conferences.door(confbridge, call) {
            Door::Closed => return None,
            Door::Open(conference) => BridgeKind::Conference(conference),
            Door::None => BridgeKind::Bare,
        };
        let known = self.bridges.find(confbridge);
        Some(known.unwrap_or_else(|| self.new_bridge(confbridge, kind)))
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
        let Some(BridgeKind::Conference(id)) = kind else {
            return;
        };
        let Some(conference) = self.config.directory.conferences.get(id) else {
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
            ConferenceEvent::Record { confbridge, .. } => {
                if let Err(why) = self.record_bridge(now, confbridge, None) {
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
            } => self.conference_closed(now, conference, confbridge),
            ConferenceEvent::Moved(told) => self.report(Report::Conferencecall(told)),
        }
    }

    fn conference_closed(&mut self, now: Instant, conference: Uuid, confbridge: Uuid) {
        let Some(conference) = self.config.directory.conferences.get(conference) else {
            return;
        };
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
    ) -> Result<(), ControlError> {
        if self.config.directory.conferences.get(conference).is_none() {
            return Err(ControlError::NoSuchConference);
        }
        match verb {
            ConferenceVerb::StartRecording { duration } => {
                let confbridge = self.conferences.in_use(conference);
                let confbridge = confbridge.ok_or(ControlError::EmptyConference)?;
                Ok(self.record_bridge(now, confbridge, duration)?)
            }
            ConferenceVerb::StopRecording => {
                let is_running = self.stop_recording_conference(conference);
                is_running.then_some(()).ok_or(ControlError::NotRecording)
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
        duration: Option<Duration>,
    ) -> Result<(), RecordRefused> {
        let bridge = self.bridges.find(confbridge).ok_or(RecordRefused::Empty)?;
        let mut running = self.bridge_recordings.values();
        if running.any(|recording| recording.confbridge == confbridge) {
            return Err(RecordRefused::AlreadyRecording);
        }
        let name = self.recording_name(now, "confbridge", confbridge);
        let file = self.config.recordings.join(format!("{name}_in.wav"));
        let recording = RecordingId(self.rng.uuid());
        self.recordings.insert(Recorded {
            id: recording,
            of: RecordingOf::Confbridge(confbridge),
            file_in: file.clone(),
            file_out: None,
            is_complete: false,
        });
        tracing::info!(%confbridge, recording = %name, "recording");
        let command = CommandId(self.next_number());
        self.bridge_recordings.insert(
            command,
            BridgeRecording {
                recording,
                confbridge,
            },
        );
        self.media.push_back(Command::RecordBridge {
            command,
            bridge,
            config: Box::new(BridgeRecordingConfig {
                file,
                format: FileFormat::Wav,
                duration,
            }),
        });
        Ok(())
    }

    /// The engine has finished a recording of a bridge. `false`: the order was for something else.
    pub(super) fn bridge_recording_ended(&mut self, command: CommandId, outcome: &Outcome) -> bool {
        let Some(ended) = self.bridge_recordings.remove(&command) else {
            return false;
        };
        if let Outcome::Failed { why } = outcome {
            tracing::warn!(confbridge = %ended.confbridge, %why, "recording failed");
        } else {
            self.recordings.complete(ended.recording);
        }
        true
    }
}
