//! What is heard of the peer, 20 ms at a time: keys that come as tones, and sound for those who need it.

use std::time::Instant;

use super::Session;
use super::inbound::MAX_TONES;
use super::outbound::Ticking;
use crate::bridge::Link;
use crate::command::{DigitSource, SessionConfig};
use crate::frame::{FRAME_DURATION, Sound};
use crate::outbox::Outbox;

/// Frames that are heard late rather than left out when the machine was busy.
const MAX_CATCH_UP: u32 = 5;

impl Session {
    /// Listens from the next quiet slot on when the sound of the peer is needed.
    pub(super) fn listen_if_needed(&mut self) {
        if self.is_mixed() {
            return;
        }
        if self.needs_sound() {
            self.inbound.ticking.want();
        }
        if self.needs_said() {
            self.said.get_or_insert_default();
        }
    }

    /// Hears what is due at `now`.
    pub(super) fn listen_ticks(&mut self, now: Instant, out: &mut Outbox) {
        while let Ticking::At(due) = self.inbound.ticking {
            if due > now {
                break;
            }
            let missed = missed_frames(now, due);
            let due = due + FRAME_DURATION * missed;
            self.skip(u64::from(missed));
            self.inbound.ticking = Ticking::At(due + FRAME_DURATION);
            self.listen_tick(due, out);
        }
    }

    /// Takes the next 20 ms of the peer and looks for a key in them; `false` when they are silence.
    pub(super) fn hear_frame(&mut self, due: Instant, heard: &mut Sound, out: &mut Outbox) -> bool {
        let Some(listener) = &mut self.inbound.listener else {
            hush(heard);
            return false;
        };
        let is_heard = listener.pop(due, heard);
        if self.mute.has_in() {
            hush(heard);
        }
        self.inbound.silent_frames = if listener.is_speaking() {
            0
        } else {
            self.inbound.silent_frames + 1
        };
        // Whoever listens without a bridge looks for them too; in one that would cost every member.
        let looks = self.link == Link::Apart && !self.inbound.has_event
            || self
                .config
                .as_ref()
                .is_some_and(|config| self.looks_for_tones(config));
        if looks && let Some(listener) = &mut self.inbound.listener {
            let digit = listener.detect(&heard.narrow);
            let is_held = listener.holds_key();
            let arrival = listener.arrival();
            self.tell_tone(digit, is_held);
            if let Some(digit) = digit {
                self.inbound.tones.rotate_left(1);
                self.inbound.tones[MAX_TONES - 1] = Some((digit, due));
                self.measured.hear_key(arrival);
                self.handle_digit(digit, DigitSource::Tone, out);
            }
        }
        is_heard
    }

    fn listen_tick(&mut self, due: Instant, out: &mut Outbox) {
        let mut heard = Sound::SILENCE;
        self.hear_frame(due, &mut heard, out);
        if self.needs_sound() {
            let said = self.take_said(&heard);
            self.hear(&heard.narrow, &said.narrow, out);
            self.record_tick(&heard, &said, out);
        } else if self.inbound.is_resting(false) {
            self.inbound.rest();
        }
        if !self.needs_said() {
            self.said = None;
        }
    }

    /// The next 20 ms of what the peer hears from us.
    fn take_said(&mut self, heard: &Sound) -> Sound {
        let is_speaking = self.outbound.voices.is_speaking();
        if self.echo.is_some() && !is_speaking && !self.mute.has_out() {
            return *heard;
        }
        self.said
            .as_mut()
            .map_or(Sound::SILENCE, |said| said.take(is_speaking))
    }

    /// Writes 20 ms of both sides to the recording that runs.
    pub(super) fn record_tick(&mut self, heard: &Sound, said: &Sound, out: &mut Outbox) {
        let recording = self.recording.as_mut();
        let Some(recording) = recording.filter(|recording| recording.is_running()) else {
            return;
        };
        let position = recording.advance();
        out.record_frame(recording.command, position, heard, Some(said));
        if let Some(end) = recording.end_after(&heard.narrow) {
            self.end_recording(end, out);
        }
    }

    /// Whether the peer's keys are returned to it.
    pub(super) fn returns_digits(&self) -> bool {
        self.echo.as_ref().is_some_and(|echo| echo.with_digits)
    }

    fn is_recording(&self) -> bool {
        self.recording
            .as_ref()
            .is_some_and(|recording| recording.is_running())
    }

    /// Whether the sound of the peer is needed, beside the search for keys in it.
    pub(super) fn needs_sound(&self) -> bool {
        self.is_recording() || self.ears.are_open() || !self.externals.is_empty()
    }

    /// Whether what we send is needed.
    fn needs_said(&self) -> bool {
        self.is_recording() || self.ears.hear_us()
    }

    pub(super) fn looks_for_tones(&self, config: &SessionConfig) -> bool {
        let is_passed_on = self.echo.is_some() || self.link != Link::Apart;
        let may_trust_events = is_passed_on && config.telephone_event.is_some();
        !self.inbound.has_event && !may_trust_events && !self.mute.has_in()
    }
}

fn hush(heard: &mut Sound) {
    heard.narrow.0.fill(0);
    heard.wide = None;
}

/// How many of the frames since `due` are left out, because the machine was too busy for too long.
pub(super) fn missed_frames(now: Instant, due: Instant) -> u32 {
    let late = now.saturating_duration_since(due).as_millis() / FRAME_DURATION.as_millis();
    let late = u32::try_from(late).unwrap_or(u32::MAX);
    late.saturating_sub(MAX_CATCH_UP)
}
