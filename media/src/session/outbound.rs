//! What a session says: beep, digits and prompts, packet by packet, and its own numbers on all of it.
//!
//! One voice speaks at a time: the beep before a recording, else digits, else the playback, else the echo.
//! A voice that has to wait keeps its place. While the peer cannot hear us (hold, mute, or no address yet)
//! the voices run on silently, so that the flow of a held call goes on as if it were heard. While nothing
//! speaks nothing is sent, but a packet of silence every [`KEEPALIVE`] holds the path open (RFC 6263).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{SendClock, Stamp};
use super::latch::is_reachable;
use super::prompts::PromptReader;
use super::{MAX_SAMPLES, Session};
use crate::codec::Codec;
use crate::command::{CommandId, Outcome, SessionConfig};
use crate::dtmf::{Digit, EventPacket, EventSender, EventTick, ToneSender};
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

#[derive(Debug)]
enum Keys {
    /// Not begun, because how to send them is not negotiated yet or anew.
    Waiting {
        digits: Vec<Digit>,
        tone: Duration,
        gap: Duration,
    },
    Events(EventSender),
    Tones(ToneSender),
}

/// What one packet time carries.
enum Sound {
    /// So many samples of the payload.
    Audio,
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
            free_slot: None,
            last_sent: now,
            packets: 0,
            octets: 0,
        }
    }

    /// Whether a voice speaks, or waits to.
    pub(super) const fn is_speaking(&self) -> bool {
        self.beep.is_some() || self.digits.is_some() || self.playback.is_some()
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
        stop_on_digit: bool,
        out: &mut Outbox,
    ) {
        let playback = Playback {
            command,
            reader: PromptReader::new(prompts),
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
        let keys = Keys::Waiting { digits, tone, gap };
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
            self.outbound.ticking.want();
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
        match self.next_sound(config, ptime, due, payload, out) {
            Sound::Audio if self.can_be_heard(config) => {
                if let Some(said) = &mut self.said {
                    let mut samples = [0; MAX_SAMPLES];
                    let count = config.send.1.decode(payload, &mut samples);
                    said.push(&samples[..count]);
                }
                let stamp = self.outbound.clock.stamp(due, ptime.samples() as u32);
                self.send_packet(now, config.send.0, stamp, payload, out);
            }
            Sound::Event(packet) if self.can_be_heard(config) => {
                let stamp = self
                    .outbound
                    .clock
                    .stamp_event(packet.timestamp, packet.marker);
                let payload_type = config.telephone_event.unwrap_or(config.send.0);
                self.send_packet(now, payload_type, stamp, &packet.payload, out);
            }
            Sound::Audio | Sound::Event(_) | Sound::Pause => {}
            Sound::End => {
                self.outbound.ticking = Ticking::Off;
                self.outbound.free_slot = Some(due);
            }
        }
    }

    /// Lets the first voice that has something to say fill the packet time; finishes those that have not.
    fn next_sound(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        payload: &mut [u8],
        out: &mut Outbox,
    ) -> Sound {
        let codec = config.send.1;
        if let Some(beep) = &mut self.outbound.beep {
            if beep.read(codec, payload) > 0 {
                return Sound::Audio;
            }
            self.outbound.beep = None;
            self.beep_is_over();
        }
        if let Some(digits) = &mut self.outbound.digits {
            match digits
                .keys
                .next_sound(config, ptime, due, payload, &mut self.outbound.clock)
            {
                Sound::End => {
                    out.finished(digits.command, Outcome::Done);
                    self.outbound.digits = None;
                }
                sound => return sound,
            }
        }
        if let Some(playback) = &mut self.outbound.playback {
            if playback.reader.read(codec, payload) > 0 {
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
                self.send_packet(now, config.send.0, stamp, &silence[..samples], out);
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

    /// Sends one packet with our numbers.
    pub(super) fn send_packet(
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

impl Keys {
    /// Begins, as events when the peer knows them, and goes on.
    fn next_sound(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        payload: &mut [u8],
        clock: &mut SendClock,
    ) -> Sound {
        if let Self::Waiting { digits, tone, gap } = self {
            let digits = std::mem::take(digits);
            *self = match config.telephone_event {
                Some(_) => Self::Events(EventSender::new(digits, *tone, *gap, ptime)),
                None => Self::Tones(ToneSender::new(digits, *tone, *gap)),
            };
        }
        match self {
            Self::Events(sender) => match sender.tick(clock.not_before_end(due)) {
                EventTick::Packet(packet) => Sound::Event(packet),
                EventTick::Gap => Sound::Pause,
                EventTick::Done => Sound::End,
            },
            Self::Tones(sender) => sound_of_tones(sender, config.send.1, payload),
            Self::Waiting { .. } => Sound::End,
        }
    }
}

fn sound_of_tones(sender: &mut ToneSender, codec: Codec, payload: &mut [u8]) -> Sound {
    let mut samples = [0; MAX_SAMPLES];
    let samples = &mut samples[..payload.len()];
    if !sender.fill(samples) {
        return Sound::End;
    }
    codec.encode(samples, payload);
    Sound::Audio
}
