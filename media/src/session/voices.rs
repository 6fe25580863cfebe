//! What a session is told to say: beep, digits and prompts, and keys of the other one of two in a bridge.
//!
//! One speaks at a time: the beep before a recording, else digits, else keys, else the playback. One that has to
//! wait keeps its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Session;
use super::conveyed::Conveyed;
use super::keys::Keys;
use super::prompts::{PromptReader, Space};
use crate::command::{CommandId, Outcome, SessionConfig};
use crate::dsp::joint;
use crate::dsp::resample::Doubler;
use crate::dtmf::{Digit, EventPacket};
use crate::frame::{Band, FRAME_SAMPLES, Frame, Ptime, Sound, WIDE_SAMPLES, WideFrame};
use crate::outbox::Outbox;
use crate::prompt::Prompt;

/// Those of one session.
#[derive(Debug, Default)]
pub(super) struct Voices {
    playback: Option<Playback>,
    digits: Option<SendingDigits>,
    beep: Option<PromptReader>,
    /// Keys of the other one of two in a bridge.
    pub(super) conveyed: Option<Conveyed>,
    /// One has ended before its time, or its place was taken.
    pub(super) is_cut: bool,
    doubling: Option<Box<Doubling>>,
}

/// A voice of the narrow band on its way to a peer that has more.
#[derive(Debug, Default)]
struct Doubling {
    doubler: Doubler,
    /// The last sample that came, while it has something left to give.
    last: Option<i16>,
}

#[derive(Debug)]
struct Playback {
    command: CommandId,
    reader: PromptReader,
    stop_on_digit: bool,
}

#[derive(Debug)]
struct SendingDigits {
    command: CommandId,
    keys: Keys,
}

/// What one packet time carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// The space is filled.
    Audio,
    /// It is filled with the tones of a key.
    Key,
    Event(EventPacket),
    Pause,
    /// No voice is left.
    End,
}

impl Spoken {
    /// Whether there is sound in the space.
    pub(super) const fn is_sound(self) -> bool {
        matches!(self, Self::Audio | Self::Key)
    }
}

impl Voices {
    /// Whether one speaks, or waits to.
    pub(super) const fn is_speaking(&self) -> bool {
        self.has_own() || self.is_conveying()
    }

    /// Whether it is one that we were told to let speak.
    pub(super) const fn has_own(&self) -> bool {
        self.beep.is_some() || self.digits.is_some() || self.playback.is_some()
    }

    /// Whether there is sound to come, or the rest of some.
    pub(super) fn are_heard(&self) -> bool {
        let doubling = self.doubling.as_ref();
        self.is_speaking() || doubling.is_some_and(|doubling| doubling.last.is_some())
    }

    /// Whether keys of the other one of two are sent.
    pub(super) const fn is_conveying(&self) -> bool {
        self.conveyed.is_some()
    }

    /// The playback, when nothing else speaks and it has not just begun in the place of another one.
    pub(super) fn playback(&mut self) -> Option<&mut PromptReader> {
        let is_alone = self.beep.is_none() && self.digits.is_none() && self.conveyed.is_none();
        let playback = self
            .playback
            .as_mut()
            .filter(|_| is_alone && !self.is_cut)?;
        Some(&mut playback.reader)
    }

    /// The doubler of narrow voices has given, in frames that were encoded before, what ended so.
    pub(super) fn resume_doubling(&mut self, doubler: Doubler, last: i16) {
        let last = Some(last);
        self.doubling = Some(Box::new(Doubling { doubler, last }));
    }

    /// Nothing comes any more of what was doubled.
    pub(super) fn end_doubling(&mut self) {
        self.doubling = None;
    }

    /// Brings a frame in which something is `spoken` or not to the band that is wanted, and says whether there is
    /// any sound in it. What is doubled comes a little late, so its edges are made soft before that.
    fn widen(&mut self, band: Band, spoken: Spoken, frame: &mut Sound) -> bool {
        if band == Band::Narrow {
            self.doubling = None;
            return spoken.is_sound();
        }
        let is_narrow = spoken.is_sound() && frame.wide.is_none();
        let last = self.doubling.as_ref().and_then(|doubling| doubling.last);
        if !is_narrow && last.is_none() {
            return spoken.is_sound();
        }
        let doubling = self.doubling.get_or_insert_default();
        let mut narrow = Frame::SILENCE;
        match last {
            _ if !is_narrow => joint::smooth(Band::Narrow, last.unwrap_or(0), &mut narrow.0),
            Some(_) if !self.is_cut => narrow = frame.narrow,
            _ => {
                narrow = frame.narrow;
                joint::smooth(Band::Narrow, last.unwrap_or(0), &mut narrow.0);
            }
        }
        doubling.last = is_narrow.then_some(narrow.0[FRAME_SAMPLES - 1]);
        let mut doubled = [0; WIDE_SAMPLES];
        doubling.doubler.process(&narrow.0, &mut doubled);
        if is_narrow {
            frame.narrow = narrow;
        } else {
            add(&mut frame.narrow.0, &narrow.0);
        }
        add(
            &mut frame.wide.get_or_insert(WideFrame::SILENCE).0,
            &doubled,
        );
        true
    }
}

fn add(samples: &mut [i16], more: &[i16]) {
    for (sample, more) in samples.iter_mut().zip(more) {
        *sample = sample.saturating_add(*more);
    }
}

impl Session {
    /// Plays prompts, in place of what plays now.
    pub(crate) fn play(
        &mut self,
        command: CommandId,
        prompts: Vec<Arc<Prompt>>,
        (stop_on_digit, is_endless): (bool, bool),
        out: &mut Outbox,
    ) {
        let playback = Playback {
            command,
            reader: PromptReader::new(prompts, is_endless),
            stop_on_digit,
        };
        let voices = &mut self.outbound.voices;
        if let Some(old) = voices.playback.replace(playback) {
            voices.is_cut = true;
            out.finished(old.command, Outcome::Canceled);
        }
        self.speak();
    }

    /// Sends digits, in place of those being sent now.
    pub(crate) fn send_digits(
        &mut self,
        command: CommandId,
        digits: Vec<Digit>,
        (tone, gap): (Duration, Duration),
        out: &mut Outbox,
    ) {
        let keys = Keys::waiting(digits, tone, gap);
        let voices = &mut self.outbound.voices;
        voices.is_cut = true;
        if let Some(old) = voices.digits.replace(SendingDigits { command, keys }) {
            out.finished(old.command, Outcome::Canceled);
        }
        self.speak();
    }

    /// Plays the beep that opens a recording.
    pub(super) fn beep(&mut self, beep: PromptReader) {
        self.outbound.voices.is_cut = true;
        self.outbound.voices.beep = Some(beep);
        self.speak();
    }

    pub(super) fn drop_beep(&mut self) {
        let voices = &mut self.outbound.voices;
        voices.is_cut |= voices.beep.take().is_some();
    }

    /// Lets the voices speak as soon as it is known how.
    pub(super) fn speak(&mut self) {
        if self.config.is_some() && self.outbound.voices.is_speaking() {
            self.outbound.clock.end_relay();
            if !self.is_mixed() {
                self.outbound.ticking.want();
            }
        }
    }

    /// Ends the playback or the digits that `command` began.
    pub(super) fn cancel_voice(&mut self, command: CommandId, out: &mut Outbox) {
        let voices = &mut self.outbound.voices;
        let playback = &mut voices.playback;
        let digits = &mut voices.digits;
        if playback
            .take_if(|playback| playback.command == command)
            .is_some()
            || digits.take_if(|digits| digits.command == command).is_some()
        {
            voices.is_cut = true;
            out.finished(command, Outcome::Canceled);
        }
    }

    /// Ends every voice: the session closes.
    pub(super) fn cancel_voices(&mut self, out: &mut Outbox) {
        let voices = &mut self.outbound.voices;
        let playback = voices.playback.take().map(|playback| playback.command);
        let digits = voices.digits.take().map(|digits| digits.command);
        for command in playback.into_iter().chain(digits) {
            out.finished(command, Outcome::Canceled);
        }
    }

    /// Ends a playback that a digit may end.
    pub(super) fn interrupt_playback(&mut self, digit: Digit, out: &mut Outbox) {
        let voices = &mut self.outbound.voices;
        let playback = &mut voices.playback;
        if let Some(playback) = playback.take_if(|playback| playback.stop_on_digit) {
            voices.is_cut = true;
            out.finished(playback.command, Outcome::Interrupted { digit });
        }
    }

    /// Lets the first voice that has something to say fill 20 ms in a band, and tells whether there is any sound
    /// in them.
    pub(super) fn next_frame(
        &mut self,
        config: &SessionConfig,
        due: Instant,
        frame: &mut Sound,
        out: &mut Outbox,
    ) -> (Spoken, bool) {
        let codec = config.send.1;
        let band = codec.band();
        *frame = Sound::SILENCE;
        frame.wide = (band == Band::Wide).then_some(WideFrame::SILENCE);
        let mut space = if codec.has_memory() && !self.is_mixed() {
            Space::Padded(frame)
        } else {
            Space::Sound(frame)
        };
        let spoken = self.next_sound(config, Ptime::DEFAULT, due, &mut space, out);
        (spoken, self.outbound.voices.widen(band, spoken, frame))
    }

    /// Lets the first voice that has something to say fill the packet time; finishes those that have not.
    pub(super) fn next_sound(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        space: &mut Space<'_>,
        out: &mut Outbox,
    ) -> Spoken {
        if let Some(beep) = &mut self.outbound.voices.beep {
            if beep.read(space) > 0 {
                return Spoken::Audio;
            }
            let voices = &mut self.outbound.voices;
            (voices.beep, voices.is_cut) = (None, true);
            self.beep_is_over();
        }
        let (voices, clock) = (&mut self.outbound.voices, &mut self.outbound.clock);
        if let Some(digits) = &mut voices.digits {
            match digits.keys.next_sound(config, ptime, due, space, clock) {
                Spoken::End => {
                    out.finished(digits.command, Outcome::Done);
                    (voices.digits, voices.is_cut) = (None, true);
                }
                spoken => return spoken,
            }
        }
        while let Some(conveyed) = &mut voices.conveyed {
            conveyed.forget(due);
            let keys = &mut conveyed.keys;
            match keys.next_sound(config, ptime, due, space, clock) {
                Spoken::End if conveyed.next() => {}
                Spoken::End => (voices.conveyed, voices.is_cut) = (None, true),
                spoken => return spoken,
            }
        }
        if let Some(playback) = &mut voices.playback {
            if playback.reader.read(space) > 0 {
                return Spoken::Audio;
            }
            out.finished(playback.command, Outcome::Done);
            (voices.playback, voices.is_cut) = (None, true);
        }
        Spoken::End
    }
}
