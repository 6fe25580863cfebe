//! What a session says: beep, digits and prompts, packet by packet, and its own numbers on all of it.
//!
//! One voice speaks at a time: the beep before a recording, else digits, else keys of the other one of two
//! in a bridge, else the playback, else the echo or, packet by packet, the other one of two.
//! A voice that has to wait keeps its place. While the peer cannot hear us (hold, mute, or no address yet)
//! the voices run on silently, so that the flow of a held call goes on as if it were heard. While nothing
//! speaks nothing is sent, but a packet of silence every [`KEEPALIVE`] holds the path open (RFC 6263).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{SendClock, Stamp};
use super::conveyed::Conveyed;
use super::keys::Keys;
use super::latch::is_reachable;
use super::parcel::Parcel;
use super::prompts::{PromptReader, Space};
use super::{MAX_SAMPLES, Session};
use crate::codec::Codec;
use crate::command::{CommandId, Outcome, SessionConfig};
use crate::dtmf::{Digit, EventPacket};
use crate::frame::Ptime;
use crate::outbox::Outbox;
use crate::prompt::Prompt;
use crate::rtp::{HEADER_LEN, RtpHeader};

/// How long nothing may be sent before a packet of silence is (RFC 6263 §7: 15 s).
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A tick later than this is not made up for: the machine slept, and a burst would help nobody.
const MAX_LATE: Duration = Duration::from_millis(100);

/// When something that happens every packet time is next due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticking {
    Off,
    /// From the next quiet slot on.
    Wanted,
    At(Instant),
}

impl Ticking {
    pub(super) const fn due(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Off | Self::Wanted => None,
        }
    }

    pub(super) fn want(&mut self) {
        if *self == Self::Off {
            *self = Self::Wanted;
        }
    }
}

/// The sending half of a session.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) clock: SendClock,
    pub(super) ticking: Ticking,
    playback: Option<Playback>,
    digits: Option<SendingDigits>,
    beep: Option<PromptReader>,
    /// Keys of the other one of two in a bridge.
    pub(super) conveyed: Option<Conveyed>,
    /// What waits to fill a packet, in a bridge whose ticks are not the peer's packet time.
    pub(super) parcel: Option<Parcel>,
    /// What comes next does not follow what went before.
    pub(super) is_rejoined: bool,
    /// The last octet of sound that was sent.
    pub(super) last: Option<(Codec, u8)>,
    /// The slot that would have continued what ended without a gap.
    free_slot: Option<Instant>,
    last_sent: Instant,
    pub(super) packets: u64,
    pub(super) octets: u64,
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
pub(super) enum Sound {
    /// The space is filled.
    Audio,
    /// It is filled with the tones of a key.
    Key,
    Event(EventPacket),
    Pause,
    /// No voice is left.
    End,
}

impl Outbound {
    pub(super) const fn new(clock: SendClock, now: Instant) -> Self {
        Self {
            clock,
            ticking: Ticking::Off,
            playback: None,
            digits: None,
            beep: None,
            conveyed: None,
            parcel: None,
            is_rejoined: false,
            last: None,
            free_slot: None,
            last_sent: now,
            packets: 0,
            octets: 0,
        }
    }

    /// Whether a voice speaks, or waits to.
    pub(super) const fn is_speaking(&self) -> bool {
        self.has_voice_of_its_own() || self.is_conveying()
    }

    /// Whether it is one that we were told to let speak.
    pub(super) const fn has_voice_of_its_own(&self) -> bool {
        self.beep.is_some() || self.digits.is_some() || self.playback.is_some()
    }

    /// Whether keys of the other one of two are sent.
    pub(super) const fn is_conveying(&self) -> bool {
        self.conveyed.is_some()
    }

    /// What the peer has heard last; nothing if that was long ago.
    pub(super) fn last_sample(&self, now: Instant) -> i16 {
        let Some((codec, octet)) = self.last.filter(|_| now < self.last_sent + MAX_LATE) else {
            return 0;
        };
        let mut sample = [0];
        codec.decode(&[octet], &mut sample);
        sample[0]
    }

    pub(super) fn keepalive_due(&self) -> Instant {
        self.last_sent + KEEPALIVE
    }

    /// The slot at which ticks begin: at once when that continues what ended just now, else `quiet_slot`.
    pub(super) fn begin_ticking(&mut self, now: Instant, quiet_slot: Instant, ptime: Ptime) {
        let seamless = self
            .free_slot
            .take()
            .filter(|slot| now < *slot + ptime.duration());
        self.ticking = Ticking::At(seamless.unwrap_or(quiet_slot));
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
        if let Some(old) = self.outbound.playback.replace(playback) {
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
        if let Some(old) = self
            .outbound
            .digits
            .replace(SendingDigits { command, keys })
        {
            out.finished(old.command, Outcome::Canceled);
        }
        self.speak();
    }

    /// Plays the beep that opens a recording.
    pub(super) fn beep(&mut self, beep: PromptReader) {
        self.outbound.beep = Some(beep);
        self.speak();
    }

    pub(super) fn drop_beep(&mut self) {
        self.outbound.beep = None;
    }

    /// Lets the voices speak as soon as it is known how.
    pub(super) fn speak(&mut self) {
        if self.config.is_some() && self.outbound.is_speaking() {
            self.outbound.clock.end_relay();
            if !self.is_mixed() {
                self.outbound.ticking.want();
            }
        }
    }

    /// Ends the playback or the digits that `command` began.
    pub(super) fn cancel_voice(&mut self, command: CommandId, out: &mut Outbox) {
        if self
            .outbound
            .playback
            .take_if(|playback| playback.command == command)
            .is_some()
            || self
                .outbound
                .digits
                .take_if(|digits| digits.command == command)
                .is_some()
        {
            out.finished(command, Outcome::Canceled);
        }
    }

    /// Ends every voice: the session closes.
    pub(super) fn cancel_voices(&mut self, out: &mut Outbox) {
        let playback = self
            .outbound
            .playback
            .take()
            .map(|playback| playback.command);
        let digits = self.outbound.digits.take().map(|digits| digits.command);
        for command in playback.into_iter().chain(digits) {
            out.finished(command, Outcome::Canceled);
        }
    }

    /// Ends a playback that a digit may end.
    pub(super) fn interrupt_playback(&mut self, digit: Digit, out: &mut Outbox) {
        if let Some(playback) = self
            .outbound
            .playback
            .take_if(|playback| playback.stop_on_digit)
        {
            out.finished(playback.command, Outcome::Interrupted { digit });
        }
    }

    /// Sends what is due at `now`.
    pub(super) fn send_ticks(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let ptime = Ptime::nearest(config.ptime);
        while let Ticking::At(due) = self.outbound.ticking {
            if due > now {
                break;
            }
            let due = if now - due > MAX_LATE { now } else { due };
            self.outbound.ticking = Ticking::At(due + ptime.duration());
            self.send_tick(&config, ptime, due, now, out);
        }
    }

    fn send_tick(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        now: Instant,
        out: &mut Outbox,
    ) {
        let mut payload = [config.send.1.silence(); MAX_SAMPLES];
        let payload = &mut payload[..ptime.samples()];
        let mut space = Space::Payload(config.send.1, payload);
        match self.next_sound(config, ptime, due, &mut space, out) {
            Sound::Audio | Sound::Key if self.can_be_heard(config) => {
                if let Some(said) = &mut self.said {
                    let mut samples = [0; MAX_SAMPLES];
                    let count = config.send.1.decode(payload, &mut samples);
                    said.push(&samples[..count]);
                }
                let stamp = self.outbound.clock.stamp(due, ptime.samples() as u32);
                self.send_audio(now, config.send, stamp, payload, out);
            }
            Sound::Event(packet) if self.can_be_heard(config) => {
                self.send_event(now, config, &packet, out);
            }
            Sound::Audio | Sound::Key | Sound::Event(_) | Sound::Pause => {}
            Sound::End => {
                self.outbound.ticking = Ticking::Off;
                self.outbound.free_slot = Some(due);
            }
        }
    }

    /// Lets the first voice that has something to say fill the packet time; finishes those that have not.
    pub(super) fn next_sound(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        space: &mut Space<'_>,
        out: &mut Outbox,
    ) -> Sound {
        if let Some(beep) = &mut self.outbound.beep {
            if beep.read(space) > 0 {
                return Sound::Audio;
            }
            self.outbound.beep = None;
            self.beep_is_over();
        }
        if let Some(digits) = &mut self.outbound.digits {
            match digits
                .keys
                .next_sound(config, ptime, due, space, &mut self.outbound.clock)
            {
                Sound::End => {
                    out.finished(digits.command, Outcome::Done);
                    self.outbound.digits = None;
                }
                sound => return sound,
            }
        }
        while let Some(conveyed) = &mut self.outbound.conveyed {
            conveyed.forget(due);
            let keys = &mut conveyed.keys;
            match keys.next_sound(config, ptime, due, space, &mut self.outbound.clock) {
                Sound::End if conveyed.next() => {}
                Sound::End => self.outbound.conveyed = None,
                sound => return sound,
            }
        }
        if let Some(playback) = &mut self.outbound.playback {
            if playback.reader.read(space) > 0 {
                return Sound::Audio;
            }
            out.finished(playback.command, Outcome::Done);
            self.outbound.playback = None;
        }
        Sound::End
    }

    /// Holds the path open when nothing was sent for long.
    pub(super) fn keep_alive(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        if self.outbound.keepalive_due() <= now {
            self.outbound.last_sent = now;
            if self.can_send(&config) {
                let silence = [config.send.1.silence(); MAX_SAMPLES];
                let samples = Ptime::nearest(config.ptime).samples();
                let stamp = self.outbound.clock.stamp(now, samples as u32);
                self.send_audio(now, config.send, stamp, &silence[..samples], out);
            }
        }
    }

    /// Whether a packet may go out now, and somebody is there to get it.
    pub(super) fn can_send(&self, config: &SessionConfig) -> bool {
        config.direction.sends() && is_reachable(config.remote) && self.target().is_some()
    }

    /// Whether what we say goes out now: to somebody who is there, and not muted.
    pub(super) fn can_be_heard(&self, config: &SessionConfig) -> bool {
        self.can_send(config) && !self.mute.has_out()
    }

    /// Sends one packet of sound with our numbers.
    pub(super) fn send_audio(
        &mut self,
        now: Instant,
        (payload_type, codec): (u8, Codec),
        stamp: Stamp,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        self.send_packet(now, payload_type, stamp, payload, out);
        self.outbound.last = payload.last().map(|octet| (codec, *octet));
    }

    /// Sends one telephone-event packet.
    pub(super) fn send_event(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        packet: &EventPacket,
        out: &mut Outbox,
    ) {
        let clock = &mut self.outbound.clock;
        let stamp = clock.stamp_event(packet.timestamp, packet.marker);
        let payload_type = config.telephone_event.unwrap_or(config.send.0);
        self.send_packet(now, payload_type, stamp, &packet.payload, out);
        self.outbound.last = None;
    }

    /// Sends one packet with our numbers.
    fn send_packet(
        &mut self,
        now: Instant,
        payload_type: u8,
        stamp: Stamp,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        self.send_written(now, payload_type, stamp, payload.len(), out, |space| {
            space.copy_from_slice(payload);
        });
    }

    /// Sends one packet whose payload of `len` octets `write` fills in.
    pub(super) fn send_written(
        &mut self,
        now: Instant,
        payload_type: u8,
        stamp: Stamp,
        len: usize,
        out: &mut Outbox,
        write: impl FnOnce(&mut [u8]),
    ) {
        let Some(to) = self.target() else { return };
        let header = RtpHeader {
            marker: stamp.marker,
            payload_type,
            sequence: stamp.seq,
            timestamp: stamp.timestamp,
            ssrc: self.outbound.clock.ssrc,
        };
        out.transmit(self.id, to, false, |bytes| {
            let begin = bytes.len();
            bytes.resize(begin + HEADER_LEN + len, 0);
            header.write(&mut bytes[begin..begin + HEADER_LEN]);
            write(&mut bytes[begin + HEADER_LEN..]);
        });
        self.outbound.last_sent = now;
        self.outbound.packets += 1;
        self.outbound.octets += len as u64;
    }
}
