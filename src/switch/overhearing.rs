//! What is said in a bridge in words: each of its members is listened to from joining it to leaving it.

use std::time::Instant;

use flowswitch_media::command::{BridgeId, ListenConfig, Sides};
use uuid::Uuid;

use super::control::ControlError;
use super::transcribing::{TranscribeRefused, Transcription};
use super::{Purpose, Switch};
use crate::flow::TranscribeOptions;
use crate::ids::CallId;
use crate::store::transcripts::TranscribeOf;

impl Switch {
    /// Starts a transcription for somebody outside.
    pub(super) fn start_transcribe_of(
        &mut self,
        now: Instant,
        of: TranscribeOf,
        options: TranscribeOptions,
    ) -> Result<Uuid, ControlError> {
        match of {
            TranscribeOf::Call(call) => {
                self.reachable(call)?;
                Ok(self.transcribe(now, call, options)?)
            }
            TranscribeOf::Confbridge(confbridge) => {
                Ok(self.overhear_bridge(now, confbridge, &options)?)
            }
            TranscribeOf::Recording(recording) => {
                Ok(self.transcribe_recording(now, recording, &options)?)
            }
        }
    }

    /// Listens to all who are in a bridge, and to who joins it; `direction` means nothing here.
    pub(super) fn overhear_bridge(
        &mut self,
        now: Instant,
        confbridge: Uuid,
        options: &TranscribeOptions,
    ) -> Result<Uuid, TranscribeRefused> {
        self.check_transcribe()?;
        let transcribe = self.rng.uuid();
        let bridge = self.bridges.find(confbridge);
        let room = bridge.and_then(|bridge| self.bridges.get_mut(bridge));
        let room = room.ok_or(TranscribeRefused::Empty)?;
        if room.transcribing.is_some() {
            return Err(TranscribeRefused::AlreadyRunning);
        }
        room.transcribing = Some(transcribe);
        let members: Vec<CallId> = room.members().collect();
        let of = TranscribeOf::Confbridge(confbridge);
        let mut transcription = Transcription::new(self.epoch.since_1970(now), of, options);
        transcription.is_open = true;
        self.begin_transcription(now, transcribe, transcription);
        tracing::info!(%confbridge, %transcribe, "transcribing");
        for call in members {
            self.overhear(now, call, transcribe);
        }
        Ok(transcribe)
    }

    /// Somebody is in a bridge, which may be listened to.
    pub(super) fn overhear_member(&mut self, now: Instant, call: CallId, bridge: BridgeId) {
        let room = self.bridges.get(bridge);
        if let Some(transcribe) = room.and_then(|room| room.transcribing) {
            self.overhear(now, call, transcribe);
        }
    }

    fn overhear(&mut self, now: Instant, call: CallId, transcribe: Uuid) {
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        entry.overheard = Some(transcribe);
        let order = self.new_order(call, Purpose::Transcribing(transcribe));
        if let Some(transcription) = self.transcriptions.get_mut(&transcribe) {
            transcription.listening.push((call, order));
        }
        let config = ListenConfig {
            sides: Sides::Peer,
            ..ListenConfig::default()
        };
        self.with_call(now, call, |call, down| call.listen(down, order, config));
    }

    /// Somebody is out of a bridge: it is listened to no more.
    pub(super) fn leave_overhearing(&mut self, now: Instant, call: CallId) {
        let entry = self.calls.get_mut(&call);
        let Some(transcribe) = entry.and_then(|entry| entry.overheard.take()) else {
            return;
        };
        let transcription = self.transcriptions.get(&transcribe);
        let listening = transcription.iter().flat_map(|known| &known.listening);
        let orders: Vec<_> = listening
            .filter(|(heard, _)| *heard == call)
            .copied()
            .collect();
        for (call, order) in orders {
            self.with_call(now, call, |call, down| call.cancel(down, order));
        }
    }

    /// Stops listening to a bridge; what has been said is still put into words. `false`: that is over already.
    pub(super) fn stop_overhearing(&mut self, now: Instant, transcribe: Uuid) -> bool {
        let Some(transcription) = self.transcriptions.get_mut(&transcribe) else {
            return false;
        };
        let was_open = std::mem::replace(&mut transcription.is_open, false);
        let listening = transcription.listening.clone();
        if let TranscribeOf::Confbridge(confbridge) = transcription.of
            && let Some(bridge) = self.bridges.find(confbridge)
            && let Some(room) = self.bridges.get_mut(bridge)
        {
            room.transcribing = None;
        }
        for (call, _) in listening {
            self.leave_overhearing(now, call);
        }
        self.transcribe_next(now, transcribe);
        was_open
    }
}
