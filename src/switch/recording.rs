//! Recordings of calls: started and stopped for a flow, and known by their ids afterwards.

use std::time::Instant;

use flowswitch_media::command::{RecordingConfig, RecordingFiles, RecordingTarget};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::recording::FileFormat;
use uuid::Uuid;

use super::report::{RecordingNews, Report};
use super::{Purpose, Switch};
use crate::call::RecordRefused;
use crate::flow::{
    Activeflow, EndOfKey, FlowCommandId, FlowEvent, FlowOutcome, OnComplete, Recording,
    RecordingFormat, RecordingLayout, RecordingOptions, Reference, ReferenceType,
};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::recordings::{Recorded, RecordingOf};

/// The flow that follows a recording.
#[derive(Debug)]
pub(super) struct AfterRecording {
    flow_id: String,
    /// The run in which the recording began.
    pub parent: Option<ActiveflowId>,
    /// What that knew when it ended, if it has.
    pub inherited: Vec<(String, String)>,
    /// What there is to know of the recording.
    own: Vec<(String, String)>,
}

impl AfterRecording {
    /// `of` is what was recorded: its kind in the words of the API, and its id.
    pub(super) fn new(
        flow_id: String,
        recording: &Recording,
        of: (&str, Uuid),
        parent: Option<ActiveflowId>,
    ) -> Self {
        let own = recording.variables(of.0, of.1);
        let own = own
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value));
        Self {
            flow_id,
            parent,
            inherited: Vec::new(),
            own: own.collect(),
        }
    }
}

impl Switch {
    /// Starts a recording for a flow.
    pub(super) fn start_recording(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        options: RecordingOptions,
    ) {
        let outcome = match self.call_of(id) {
            None => FlowOutcome::Failed {
                why: "there is no call",
            },
            Some(call) => match self.record(now, call, options) {
                Ok(_) => FlowOutcome::Done,
                Err(why) => {
                    tracing::warn!(%call, %why, "no recording");
                    FlowOutcome::Failed {
                        why: "the recording was refused",
                    }
                }
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    /// Starts a recording of a call, and tells its flow, whoever asked for it.
    pub(super) fn record(
        &mut self,
        now: Instant,
        call: CallId,
        options: RecordingOptions,
    ) -> Result<RecordingId, RecordRefused> {
        let format = file_format(options.format);
        if !format.is_supported() {
            let format = format.extension();
            return Err(RecordRefused::Format { format });
        }
        let recording = self.new_recording(now, call, &options);
        let config = self.recording_config(&recording, &options);
        let recorded = Recorded {
            id: recording.id,
            of: RecordingOf::Call(call),
            activeflow: self.calls.get(&call).and_then(|entry| entry.activeflow),
            name: recording.name.clone(),
            format: recording.format,
            on_end_flow: options.on_end_flow_id.clone(),
            began: self.epoch.since_1970(now),
            ended: None,
            file_in: self.recordings_dir.join(&recording.filenames[0]),
            file_out: recording
                .filenames
                .get(1)
                .map(|said| self.recordings_dir.join(said)),
            is_complete: false,
        };
        let order = self.new_order(call, Purpose::Recording(recording.id));
        let mut begun = Err(RecordRefused::NotProgressing);
        self.with_call(now, call, |call, down| {
            begun = call.record(down, order, config);
        });
        if let Err(why) = begun {
            self.orders.remove(&order);
            return Err(why);
        }
        let id = recording.id;
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.recording = Some(order);
            let of = ("call", call.0);
            let after = |flow_id| AfterRecording::new(flow_id, &recording, of, entry.activeflow);
            entry.after_recording = options.on_end_flow_id.map(after);
        }
        self.recording_began(recorded);
        self.show_recording(call, recording.id);
        tracing::info!(%call, recording = %recording.name, "recording");
        self.tell_flow(now, call, FlowEvent::RecordingStarted { recording });
        Ok(id)
    }

    pub(super) fn stop_recording(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) {
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

    pub(super) fn recording_ended(
        &mut self,
        now: Instant,
        call: CallId,
        recording: RecordingId,
        is_complete: bool,
    ) {
        self.recording_over(now, recording, is_complete);
        self.show_recording_over(call);
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        entry.recording = None;
        let waiting = std::mem::take(&mut entry.waiting_for_recording);
        let after = entry.after_recording.take();
        self.tell_flow(now, call, FlowEvent::RecordingEnded);
        for (flow, command) in waiting {
            self.finish_flow_command(now, flow, command, FlowOutcome::Done);
        }
        if let Some(after) = after {
            self.start_after_recording(now, after);
        }
    }

    /// Starts the flow that follows a recording. It belongs to no call, and inherits what the run of the flow
    /// knew or knows in which the recording began.
    pub(super) fn start_after_recording(&mut self, now: Instant, after: AfterRecording) {
        let AfterRecording {
            flow_id,
            parent,
            mut inherited,
            own,
        } = after;
        if self.activeflows.len() >= self.config.calls {
            tracing::warn!(flow = %flow_id, "not started behind a recording: too many flows run");
            return;
        }
        let Some(flow) = self.flows.find(&flow_id).cloned() else {
            tracing::warn!(flow = %flow_id, "there is no such flow to follow a recording");
            return;
        };
        if let Some(run) = parent.and_then(|parent| self.activeflows.get(&parent)) {
            inherited = run.activeflow.inheritance();
        }
        inherited.extend(own);
        let id = ActiveflowId(self.rng.uuid());
        let reference = Reference {
            kind: ReferenceType::None,
            id: Uuid::nil(),
        };
        tracing::debug!(activeflow = %id, flow = %flow.name, "flow behind a recording");
        let (epoch, limits) = (self.epoch, self.config.flow_limits);
        let rng = self.rng.fork();
        let activeflow = match parent {
            Some(parent) => {
                let after = OnComplete {
                    flow_id,
                    parent,
                    variables: inherited,
                    complete_count: 0,
                };
                Activeflow::following(id, &flow, reference, after, epoch, limits, rng)
            }
            None => Activeflow::new(id, &flow, reference, inherited, epoch, limits, rng),
        };
        self.run(now, activeflow, None, 0, None);
    }

    /// Writes down a recording that runs, and tells of it.
    pub(super) fn recording_began(&mut self, recorded: Recorded) {
        self.recordings.insert(recorded.clone());
        self.report(Report::Recording {
            news: RecordingNews::Started,
            recording: Box::new(recorded),
        });
    }

    /// Writes down that a recording is over, and tells of it, once.
    pub(super) fn recording_over(&mut self, now: Instant, id: RecordingId, is_complete: bool) {
        let ended = self.epoch.since_1970(now);
        if let Some(recorded) = self.recordings.end(id, ended, is_complete).cloned() {
            self.report(Report::Recording {
                news: RecordingNews::Finished,
                recording: Box::new(recorded),
            });
        }
    }

    fn new_recording(
        &mut self,
        now: Instant,
        call: CallId,
        options: &RecordingOptions,
    ) -> Recording {
        let id = RecordingId(self.rng.uuid());
        let name = self.recording_name(now, "call", call.0);
        Recording {
            id,
            filenames: options.layout.filenames(&name, options.format),
            name,
            format: options.format,
        }
    }

    /// Stem of the files of a recording that begins now.
    pub(super) fn recording_name(&self, now: Instant, kind: &str, id: Uuid) -> String {
        let since_1970 = self.epoch.since_1970(now);
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or_default();
        let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        format!(
            "{kind}_{id}_{}_{:03}",
            time.strftime("%Y%m%dT%H%M%SZ"),
            since_1970.subsec_millis()
        )
    }

    fn recording_config(
        &self,
        recording: &Recording,
        options: &RecordingOptions,
    ) -> RecordingConfig {
        let digits = |keys: &str| keys.chars().filter_map(Digit::from_char).collect();
        let mut paths = recording
            .filenames
            .iter()
            .map(|file| self.recordings_dir.join(file));
        let (heard, said) = (paths.next().unwrap_or_default(), paths.next());
        let files = match (options.layout, said) {
            (RecordingLayout::Stereo, _) => RecordingFiles::Stereo(heard),
            (RecordingLayout::Split, Some(said)) => RecordingFiles::Sides { heard, said },
            (RecordingLayout::Mono | RecordingLayout::Split, _) => RecordingFiles::Mono(heard),
        };
        RecordingConfig {
            target: RecordingTarget {
                files,
                format: file_format(recording.format),
            },
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
}

pub(super) const fn file_format(format: RecordingFormat) -> FileFormat {
    match format {
        RecordingFormat::Wav => FileFormat::Wav,
        RecordingFormat::Mp3 => FileFormat::Mp3,
        RecordingFormat::Ogg => FileFormat::OggOpus,
    }
}
