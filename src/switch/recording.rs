//! Recordings of calls: started and stopped for a flow, and known by their ids afterwards.

use std::time::Instant;

use flowswitch_media::command::{RecordingConfig, RecordingFiles, RecordingTarget};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::recording::FileFormat;
use uuid::Uuid;

use super::{Purpose, Switch};
use crate::call::RecordRefused;
use crate::flow::{
    EndOfKey, FlowCommandId, FlowEvent, FlowOutcome, Recording, RecordingFormat, RecordingLayout,
    RecordingOptions,
};
use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::store::recordings::{Recorded, RecordingOf};

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
                Ok(()) => FlowOutcome::Done,
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
    ) -> Result<(), RecordRefused> {
        let format = file_format(options.format);
        if !format.is_supported() {
            let format = format.extension();
            return Err(RecordRefused::Format { format });
        }
        let recording = self.new_recording(now, call, options);
        let config = self.recording_config(&recording, options);
        let recorded = Recorded {
            id: recording.id,
            of: RecordingOf::Call(call),
            file_in: self.config.recordings.join(&recording.filenames[0]),
            file_out: recording
                .filenames
                .get(1)
                .map(|said| self.config.recordings.join(said)),
            is_complete: false,
        };
        let order = self.new_order(call, Purpose::Recording(recording.id));
        let mut begun = Err(RecordRefused::NotProgressing);
        self.with_call(now, call, |call, down| {
            begun = call.record(down, order, config);
        });
        if begun.is_err() {
            self.orders.remove(&order);
            return begun;
        }
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.recording = Some(order);
        }
        self.recordings.insert(recorded);
        tracing::info!(%call, recording = %recording.name, "recording");
        self.tell_flow(now, call, FlowEvent::RecordingStarted { recording });
        Ok(())
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

    pub(super) fn recording_ended(&mut self, now: Instant, call: CallId, recording: RecordingId) {
        self.recordings.complete(recording);
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

    fn new_recording(
        &mut self,
        now: Instant,
        call: CallId,
        options: RecordingOptions,
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
        options: RecordingOptions,
    ) -> RecordingConfig {
        let digits = |keys: &str| keys.chars().filter_map(Digit::from_char).collect();
        let mut paths = recording
            .filenames
            .iter()
            .map(|file| self.config.recordings.join(file));
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

const fn file_format(format: RecordingFormat) -> FileFormat {
    match format {
        RecordingFormat::Wav => FileFormat::Wav,
        RecordingFormat::Mp3 => FileFormat::Mp3,
        RecordingFormat::Ogg => FileFormat::OggOpus,
    }
}
