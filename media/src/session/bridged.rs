//! A session in a bridge: its packets go to another one as they come, or 20 ms at a time are taken from it
//! and given to it.
//!
//! ```text
//!  Relay   peer -> inbound ---- Passed ----> [engine] ----> outbound of the other -> its peer
//!  Mix     peer -> inbound -> listener -> give_frame -> [bridge: sum] -> take_mix -> outbound -> peer
//!                                                                        prompts, keys
//! ```
//!
//! While it is mixed the bridge's tick is its only one; its own tick again when it is not. In a mix a peer
//! always gets packets, of silence when nobody speaks: a telephone takes a stream that stops for a line that
//! is dead. Where the stream of a peer begins to carry something else, its sound is bent into one curve
//! and its timestamps are set right, without ever going back.

use std::time::Instant;

use super::Session;
use super::clock::Relayed;
use super::conveyed::Key;
use super::hearing::missed_frames;
use super::last::smooth;
use super::outbound::{Ticking, packet_time};
use super::payload::transcode;
use super::voices::Spoken;
use crate::bridge::{Link, Mix, Standing};
use crate::codec::{Codec, Decoder, Encoder};
use crate::command::{SessionConfig, SessionId};
use crate::delay::Path;
use crate::dsp::joint;
use crate::dtmf::Digit;
use crate::frame::{Band, FRAME_DURATION, FRAME_SAMPLES, Ptime, Sound, WIDE_SAMPLES, WideFrame};
use crate::outbox::Outbox;

/// A packet of one peer on its way to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed<'a> {
    pub(super) stamp: Relayed,
    pub(super) arrival: Instant,
    pub(super) content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    Audio(Codec, &'a [u8]),
    /// A telephone-event packet, what it says of a key, and ticks a second of its durations.
    Event(&'a [u8], Key, u32),
}

/// What came of a datagram for the other one of two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    /// A packet.
    Packet(Passed<'a>),
    /// A key that is heard as a tone.
    Tone(Key),
}

impl Session {
    /// What of it decides how its bridge joins it.
    pub(crate) fn standing(&self) -> Standing {
        let hears = self.hears();
        Standing {
            is_apart: self.echo.is_some(),
            is_busy: self.recording.is_some()
                || self.ears.are_open()
                || !self.externals.is_empty()
                || self.outbound.voices.has_own()
                || self.inbound.is_fickle()
                || self.mute.has_in() && hears.is_some_and(Codec::has_memory),
            sends: self.config.as_ref().map(|config| config.send.1),
            hears,
        }
    }

    /// To whom its keys are passed on.
    pub(crate) const fn partner(&self) -> Option<SessionId> {
        match self.link {
            Link::Apart => None,
            Link::Relay { to } => Some(to),
            Link::Mixed { part, partner } => match part.speaks {
                true => partner,
                false => None,
            },
        }
    }

    /// Whether its sound is taken and given as frames.
    pub(super) const fn is_mixed(&self) -> bool {
        matches!(self.link, Link::Mixed { .. }) || self.is_mixed_alone()
    }

    /// Whether it does so by itself, for the externals it has, or because its echo cannot be returned packet by
    /// packet.
    pub(super) const fn is_mixed_alone(&self) -> bool {
        matches!(self.link, Link::Apart) && (!self.externals.is_empty() || self.is_echo_mixed)
    }

    /// What its peer sends: what came last, or else what we send.
    fn hears(&self) -> Option<Codec> {
        let agreed = || self.config.as_ref().map(|config| config.send.1);
        self.inbound.codec().or_else(agreed)
    }

    /// Something has changed of what decides how an echo is returned.
    pub(super) fn settle_echo(&mut self, now: Instant, out: &mut Outbox) {
        let sends = self.config.as_ref().map(|config| config.send.1);
        let is_mixed = self.echo.is_some()
            && self.hears().zip(sends).is_some_and(|(hears, sends)| {
                !hears.passes_as(sends) || hears.has_memory() && self.mute.has_in()
            });
        if is_mixed == self.is_echo_mixed {
            return;
        }
        let was_mixed = self.is_mixed();
        self.is_echo_mixed = is_mixed;
        if self.is_mixed() != was_mixed {
            self.rejoin(now, out);
        }
    }

    /// Whether the others hear it as frames.
    pub(super) const fn is_heard_mixed(&self) -> bool {
        matches!(self.link, Link::Mixed { part, .. } if part.speaks)
    }

    /// Is joined in another way from now on.
    pub(crate) fn set_link(&mut self, now: Instant, link: Link, out: &mut Outbox) {
        let old = std::mem::replace(&mut self.link, link);
        if old == link {
            return;
        }
        if let (Link::Mixed { part: before, .. }, Link::Mixed { part, .. }) = (old, link) {
            self.outbound.is_rejoined |= before.hears != part.hears;
            return;
        }
        self.rejoin(now, out);
    }

    /// Begins to carry its sound as it is to be carried from now on.
    pub(super) fn rejoin(&mut self, now: Instant, out: &mut Outbox) {
        self.outbound.clock.end_relay();
        self.outbound.settle();
        self.outbound.voices.end_doubling();
        match self.config.clone() {
            Some(config) => self.flush_parcel(now, &config, out),
            None => self.outbound.parcel = None,
        }
        self.outbound.over = Default::default();
        self.said = None;
        self.alone = Ticking::Off;
        self.outbound.led = 0;
        self.outbound.is_rejoined = self.is_mixed() || self.link != Link::Apart;
        if self.is_mixed() {
            self.inbound.ticking = Ticking::Off;
            self.outbound.ticking = Ticking::Off;
            if self.is_mixed_alone() {
                self.alone = Ticking::Wanted;
            }
            return;
        }
        match self.link {
            Link::Apart => self.fade_out(now, out),
            Link::Relay { .. } => self.fade_later(now),
            Link::Mixed { .. } => {}
        }
        let config = self.config.as_ref();
        let looks = config.is_some_and(|config| self.looks_for_tones(config));
        if !self.needs_sound() && !looks {
            self.inbound.rest();
        } else if self.inbound.has_listener() {
            self.inbound.ticking.want();
        }
        self.speak();
        self.listen_if_needed();
    }

    /// Takes a packet that the other peer has sent.
    pub(crate) fn pass_on(&mut self, now: Instant, passed: &Passed<'_>, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        self.measured.begin(Path::Relay, passed.arrival);
        match passed.content {
            Content::Audio(codec, payload) => {
                self.pass_audio(now, &config, (codec, payload), &passed.stamp, out);
            }
            Content::Event(payload, key, clock_rate) => match config.telephone_event {
                Some(events)
                    if !self.is_mixed()
                        && !self.outbound.voices.is_conveying()
                        && events.clock_rate == clock_rate =>
                {
                    // An event keeps its timestamp to its end: no sound may come between its packets.
                    if std::mem::take(&mut self.outbound.voices.is_cut) {
                        self.fade_out(now, out);
                    }
                    let octets = (events.payload_type, payload.len(), 0);
                    self.relay(now, &config, &passed.stamp, octets, out, |space| {
                        space.copy_from_slice(payload);
                    });
                }
                _ => self.convey(now, key),
            },
        }
    }

    /// Takes what is known of a key that the other peer sends as a tone. A peer that takes tones only hears
    /// it as it is.
    pub(crate) fn convey_tone(&mut self, now: Instant, key: Key) {
        let config = self.config.as_ref();
        if config.is_some_and(|config| config.telephone_event.is_some()) {
            self.convey(now, key);
        }
    }

    /// Writes the next 20 ms of its peer; `false` when it is silence.
    pub(crate) fn give_frame(&mut self, due: Instant, sound: &mut Sound, out: &mut Outbox) -> bool {
        #[cfg(test)]
        assert!(!self.is_poisoned, "poisoned by a test");
        let is_heard = self.hear_frame(due, sound, out);
        if self.inbound.is_resting(true) {
            self.inbound.rest();
        }
        let is_joined = self.externals.speak(sound, !self.mute.has_in());
        (is_heard || is_joined) && !self.mute.has_in()
    }

    /// Leaves out frames that nobody could take.
    pub(crate) fn skip(&mut self, frames: u64) {
        if let Some(recording) = &mut self.recording {
            recording.skip(frames);
        }
        self.ears.skip(frames);
    }

    /// Takes 20 ms of the others, and lets its peer hear them with what is played to it.
    pub(crate) fn take_mix(
        &mut self,
        now: Instant,
        due: Instant,
        (heard, mix): (&Sound, &Mix),
        out: &mut Outbox,
    ) {
        self.measured.mix(self.inbound.mixed_arrival());
        let config = self.config.clone();
        let is_sent = config
            .as_deref()
            .is_some_and(|config| self.can_be_heard(config));
        self.externals.begin_saying();
        let mut said = None;
        if let Some(config) = &config {
            if !self.is_plain(config) {
                said = Some(self.say_over(now, due, config, &mix.sound, out));
            } else if is_sent {
                self.send_mix(now, due, config, mix, out);
            }
        }
        if !self.needs_sound() {
            return;
        }
        let said = said.unwrap_or_else(|| {
            let mut said = mix.sound;
            if is_sent {
                self.externals.say(&mut said, false);
            }
            said
        });
        let said = if is_sent { said } else { Sound::SILENCE };
        self.hear(&heard.narrow, &said.narrow, out);
        self.record_tick(heard, &said, out);
        self.externals.tick(is_sent, out);
    }

    /// Whether its peer hears the others, and nothing but them, in packets of 20 ms.
    fn is_plain(&self, config: &SessionConfig) -> bool {
        !self.outbound.voices.are_heard()
            && self.outbound.over.is_idle()
            && !self.outbound.is_rejoined
            && !self.externals.speak_to_peer()
            && self.outbound.parcel.is_none()
            && packet_time(config) == Ptime::DEFAULT
    }

    /// Sends what the others say: where the codec has no memory, as it was encoded for all.
    fn send_mix(
        &mut self,
        now: Instant,
        due: Instant,
        config: &SessionConfig,
        mix: &Mix,
        out: &mut Outbox,
    ) {
        let (_, codec) = config.send;
        match (codec.law(), &mix.sound.wide) {
            (Some(law), _) => {
                let stamp = self.outbound.clock.stamp(due, FRAME_SAMPLES as u32);
                self.send_audio(now, config.send, stamp, mix.encoded(law), out);
            }
            (None, Some(wide)) if codec.band() == Band::Wide => {
                self.send_sound(now, due, config, &wide.0, out);
            }
            (None, _) if codec.band() == Band::Wide => {
                self.send_sound(now, due, config, &[0; WIDE_SAMPLES], out);
            }
            (None, _) => self.send_sound(now, due, config, &mix.sound.narrow.0, out),
        }
    }

    /// Mixes what is due at `now` by itself.
    pub(super) fn mix_alone(&mut self, now: Instant, out: &mut Outbox) {
        while let Ticking::At(due) = self.alone {
            if due > now {
                break;
            }
            let missed = missed_frames(now, due);
            self.skip(u64::from(missed));
            let due = due + FRAME_DURATION * missed;
            self.alone = Ticking::At(due + FRAME_DURATION);
            let mut heard = Sound::SILENCE;
            self.give_frame(due, &mut heard, out);
            let mix = match &self.echo {
                Some(_) => Mix::of(&heard),
                None => Mix::default(),
            };
            self.take_mix(now, due, (&heard, &mix), out);
        }
    }

    /// Puts its voices over what the others say, sends it, and says what it was.
    fn say_over(
        &mut self,
        now: Instant,
        due: Instant,
        config: &SessionConfig,
        others: &Sound,
        out: &mut Outbox,
    ) -> Sound {
        let mut said = *others;
        match config.send.1.band() {
            Band::Narrow => said.wide = None,
            Band::Wide => drop(said.wide.get_or_insert(WideFrame::SILENCE)),
        }
        let mut voice = Sound::SILENCE;
        let spoken = self.next_frame(config, due, &mut voice, out);
        if let Spoken::Event(packet) = spoken.0 {
            if self.can_be_heard(config) {
                self.send_event(now, config, &packet, out);
            }
            self.outbound.parcel = None;
            self.outbound.is_rejoined = true;
            return Sound::SILENCE;
        }
        let is_cut = std::mem::take(&mut self.outbound.voices.is_cut);
        let laid = self
            .outbound
            .over
            .lay(spoken, is_cut, &mut voice, &mut said);
        self.externals.say(&mut said, spoken.0 == Spoken::Key);
        if !self.can_be_heard(config) {
            self.outbound.parcel = None;
            return said;
        }
        if self.outbound.is_rejoined {
            if !self.outbound.clock.rejoin(due) {
                return said;
            }
            self.outbound.is_rejoined = false;
            smooth(self.outbound.last_sample(now), &mut said);
        } else if laid.is_turned {
            smooth(self.outbound.last_sample(now), &mut said);
        }
        self.send_sound(now, due, config, said.samples(), out);
        said
    }

    /// Sends a packet of the other peer's sound with our numbers, in our codec.
    fn pass_audio(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        (codec, payload): (Codec, &[u8]),
        theirs: &Relayed,
        out: &mut Outbox,
    ) {
        let (payload_type, ours) = config.send;
        if !codec.passes_as(ours) {
            // Its bridge mixes them from now on.
            return;
        }
        let octets = (payload_type, payload.len(), codec.ticks_of(payload));
        if !self.outbound.is_rejoined {
            let sent = self.relay(now, config, theirs, octets, out, |space| {
                transcode(codec, payload, ours, space);
            });
            if sent {
                self.outbound.note_end(codec, payload);
            }
            return;
        }
        if self.outbound.voices.is_speaking()
            || !self.can_be_heard(config)
            || !self.outbound.clock.rejoin(now)
        {
            return;
        }
        self.outbound.is_rejoined = false;
        self.outbound.voices.is_cut = false;
        self.outbound.drop_encoder();
        let last = self.outbound.last_sample(now);
        self.relay(now, config, theirs, octets, out, |space| {
            transcode(codec, payload, ours, space);
            smooth_payload(ours, last, space);
        });
        self.outbound.note_end(codec, payload);
    }

    /// What the tone detector has to say to the other one of two.
    pub(super) fn tell_tone(&mut self, pressed: Option<Digit>, is_held: bool) {
        if self.partner().is_none() {
            self.tone_news = None;
            return;
        }
        self.tone_news = match pressed {
            Some(digit) => Some(Key::Pressed(digit)),
            None if is_held => Some(Key::Held),
            None => self.is_tone_held.then_some(Key::Released),
        };
        self.is_tone_held = is_held;
    }

    /// Whether its bridge has to know something.
    pub(crate) fn has_news(&self) -> bool {
        self.tone_news.is_some() || self.standing() != self.told
    }

    /// What its bridge has to know: a key that it hears as a tone, once, and how it stands.
    pub(crate) fn take_news(&mut self) -> (Option<Key>, Standing) {
        self.told = self.standing();
        (self.tone_news.take(), self.told)
    }
}

/// Bends the beginning of a payload so that it follows the sample `last`; where the codec has a memory, that
/// does it.
fn smooth_payload(codec: Codec, last: i16, payload: &mut [u8]) {
    if codec.has_memory() {
        return;
    }
    let band = codec.band();
    let mut edge = [0; 2 * joint::EDGE];
    let edge = &mut edge[..joint::edge(band)];
    let count = Decoder::new(codec).decode(payload, edge);
    joint::smooth(band, last, &mut edge[..count]);
    Encoder::new(codec).encode(&edge[..count], payload);
}
