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

use super::clock::Relayed;
use super::conveyed::Key;
use super::inbound::{missed_frames, transcode};
use super::outbound::{Sound, Ticking};
use super::prompts::Space;
use super::{MAX_SAMPLES, Session};
use crate::bridge::{Link, Mix, Standing};
use crate::codec::Codec;
use crate::command::{SessionConfig, SessionId};
use crate::dsp::joint::{self, EDGE};
use crate::dtmf::Digit;
use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, Ptime};
use crate::outbox::Outbox;

/// Sound that ended this quietly needs no fading.
const QUIET: i16 = 64;

/// A packet of one peer on its way to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed<'a> {
    pub(super) stamp: Relayed,
    pub(super) content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    Audio(Codec, &'a [u8]),
    /// A telephone-event packet, and what it says of a key.
    Event(&'a [u8], Key),
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
        Standing {
            is_apart: self.echo.is_some(),
            is_busy: self.recording.is_some()
                || self.ears.are_open()
                || !self.externals.is_empty()
                || self.outbound.has_voice_of_its_own(),
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

    /// Whether it does so by itself, for the externals it has.
    pub(super) const fn is_mixed_alone(&self) -> bool {
        matches!(self.link, Link::Apart) && !self.externals.is_empty()
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
        self.outbound.parcel = None;
        self.said = None;
        self.alone = Ticking::Off;
        self.outbound.is_rejoined = self.is_mixed() || self.link != Link::Apart;
        if self.is_mixed() {
            self.inbound.ticking = Ticking::Off;
            self.outbound.ticking = Ticking::Off;
            if self.is_mixed_alone() {
                self.alone = Ticking::Wanted;
            }
            return;
        }
        if self.link == Link::Apart {
            self.fade_out(now, out);
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
        match passed.content {
            Content::Audio(codec, payload) => {
                self.pass_audio(now, &config, (codec, payload), &passed.stamp, out);
            }
            Content::Event(payload, key) => match config.telephone_event {
                Some(payload_type) if !self.is_mixed() && !self.outbound.is_conveying() => {
                    let octets = (payload_type, payload.len(), 0);
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
    pub(crate) fn give_frame(&mut self, due: Instant, frame: &mut Frame, out: &mut Outbox) -> bool {
        #[cfg(test)]
        assert!(!self.is_poisoned, "poisoned by a test");
        let is_heard = self.hear_frame(due, frame, out);
        if self.inbound.is_resting() {
            self.inbound.rest();
        }
        let is_joined = self.externals.speak(frame, !self.mute.has_in());
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
        (heard, mix): (&Frame, &Mix),
        out: &mut Outbox,
    ) {
        let mut said = mix.frame;
        let mut is_sent = false;
        self.externals.begin_saying();
        if let Some(config) = self.config.clone() {
            is_sent = self.can_be_heard(&config);
            let is_plain = !self.outbound.is_speaking()
                && !self.outbound.is_rejoined
                && !self.externals.speak_to_peer()
                && self.outbound.parcel.is_none()
                && Ptime::nearest(config.ptime) == Ptime::DEFAULT;
            if !is_plain {
                said = self.say_over(now, due, &config, &mix.frame, out);
            } else if is_sent {
                let stamp = self.outbound.clock.stamp(due, FRAME_SAMPLES as u32);
                let payload = mix.encoded(config.send.1);
                self.send_audio(now, config.send, stamp, payload, out);
                self.externals.say(&mut said, false);
            }
        }
        if self.needs_sound() {
            let said = if is_sent { said } else { Frame::SILENCE };
            self.hear(heard, &said, out);
            self.record_tick(heard, &said, out);
            self.externals.tick(is_sent, out);
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
            let mut heard = Frame::SILENCE;
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
        others: &Frame,
        out: &mut Outbox,
    ) -> Frame {
        let mut said = *others;
        let mut voice = Frame::SILENCE;
        let mut is_alone = false;
        let mut space = Space::Samples(&mut voice.0);
        match self.next_sound(config, Ptime::DEFAULT, due, &mut space, out) {
            Sound::Audio => {
                for (sample, over) in said.0.iter_mut().zip(&voice.0) {
                    *sample = sample.saturating_add(*over);
                }
            }
            // A key has to be heard alone to be known.
            Sound::Key => (said, is_alone) = (voice, true),
            Sound::Event(packet) => {
                if self.can_be_heard(config) {
                    self.send_event(now, config, &packet, out);
                }
                self.outbound.parcel = None;
                self.outbound.is_rejoined = true;
                return Frame::SILENCE;
            }
            Sound::Pause | Sound::End => {}
        }
        self.externals.say(&mut said, is_alone);
        if !self.can_be_heard(config) {
            self.outbound.parcel = None;
            return said;
        }
        if self.outbound.is_rejoined {
            if !self.outbound.clock.rejoin(due) {
                return said;
            }
            self.outbound.is_rejoined = false;
            joint::smooth(self.outbound.last_sample(now), &mut said.0);
        }
        self.send_frame(now, due, config, &said, out);
        said
    }

    /// Sends 20 ms in packets of the length the peer wants.
    fn send_frame(
        &mut self,
        now: Instant,
        due: Instant,
        config: &SessionConfig,
        frame: &Frame,
        out: &mut Outbox,
    ) {
        let (payload_type, codec) = config.send;
        let ptime = Ptime::nearest(config.ptime);
        let mut octets = [0; MAX_SAMPLES];
        if ptime == Ptime::DEFAULT && self.outbound.parcel.is_none() {
            let len = codec.encode(&frame.0, &mut octets);
            let stamp = self.outbound.clock.stamp(due, len as u32);
            return self.send_audio(now, (payload_type, codec), stamp, &octets[..len], out);
        }
        let mut parcel = self.outbound.parcel.take().unwrap_or_default();
        parcel.push(due, frame);
        let mut samples = [0; MAX_SAMPLES];
        while let Some(begin) = parcel.pop(ptime, &mut samples) {
            let len = codec.encode(&samples[..ptime.samples()], &mut octets);
            let stamp = self.outbound.clock.stamp(begin, len as u32);
            self.send_audio(now, (payload_type, codec), stamp, &octets[..len], out);
        }
        let is_needed = ptime != Ptime::DEFAULT || !parcel.is_empty();
        self.outbound.parcel = is_needed.then_some(parcel);
    }

    /// Lets what the peer heard last fade, when nothing follows it.
    fn fade_out(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let last = self.outbound.last_sample(now);
        if last.abs() <= QUIET || !self.can_be_heard(&config) {
            return;
        }
        let (payload_type, codec) = config.send;
        let mut samples = [0; MAX_SAMPLES];
        joint::smooth(last, &mut samples[..EDGE]);
        let mut octets = [0; MAX_SAMPLES];
        let len = codec.encode(
            &samples[..Ptime::nearest(config.ptime).samples()],
            &mut octets,
        );
        let stamp = self.outbound.clock.stamp(now, len as u32);
        self.send_audio(now, (payload_type, codec), stamp, &octets[..len], out);
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
        let octets = (payload_type, payload.len(), payload.len() as u32);
        if !self.outbound.is_rejoined {
            let sent = self.relay(now, config, theirs, octets, out, |space| {
                transcode(codec, payload, ours, space);
            });
            if sent && let Some(last) = payload.last() {
                self.outbound.last = Some((codec, *last));
            }
            return;
        }
        if self.outbound.is_speaking()
            || !self.can_be_heard(config)
            || !self.outbound.clock.rejoin(now)
        {
            return;
        }
        self.outbound.is_rejoined = false;
        let mut edge = [0; EDGE];
        let count = codec.decode(payload, &mut edge);
        joint::smooth(self.outbound.last_sample(now), &mut edge[..count]);
        self.relay(now, config, theirs, octets, out, |space| {
            transcode(codec, payload, ours, space);
            ours.encode(&edge[..count], space);
        });
        self.outbound.last = payload.last().map(|octet| (codec, *octet));
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
