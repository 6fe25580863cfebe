//! What a session hears: packets to digits, to an echo, to another session, to the listener.
//!
//! What the peer says while it is muted is taken as silence of the same length, where it comes in.
//! Sound is decoded only while somebody needs it: a running recording, somebody who listens, a bridge that
//! mixes, or the search for keys that come as tones. That search stops for good once the peer has sent a
//! telephone-event, and rests during an echo and in a bridge for a peer that has negotiated them; a key that
//! comes both ways is told once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::bridged::{Content, News, Passed};
use super::clock::Relayed;
use super::conveyed::Key;
use super::latch::Verdict;
use super::listener::{LONGEST_PACKET, Listener};
use super::outbound::Ticking;
use super::{MAX_SAMPLES, Session};
use crate::bridge::Link;
use crate::codec::Codec;
use crate::command::{DigitSource, SessionConfig, SessionStats};
use crate::dtmf::{Digit, EventReceiver};
use crate::frame::{FRAME_DURATION, Frame, SAMPLE_RATE};
use crate::outbox::Outbox;
use crate::rtp::{
    Extended, MediaTime, ReceptionStats, ReportBlock, RtpHeader, SenderInfo, SeqNo, Ssrc, split,
};

/// A telephone-event for a key heard as a tone this long ago is the same press.
const SAME_PRESS: Duration = Duration::from_secs(1);

/// Without a packet for so many frames (half a second) the listener rests until the next.
const REST_AFTER: u32 = 25;

/// Frames that are heard late rather than left out when the machine was busy.
const MAX_CATCH_UP: u32 = 5;

/// Comfort noise (RFC 3389 §4): says that nobody speaks.
const COMFORT_NOISE: u8 = 13;

/// The receiving half of a session.
#[derive(Debug)]
pub(super) struct Inbound {
    source: Option<Ssrc>,
    /// Another SSRC from the same address, and the number that would prove it (RFC 3550 §A.1).
    candidate: Option<(Ssrc, SeqNo)>,
    reception: ReceptionStats,
    /// What sources before this one did.
    earlier: SessionStats,
    octets: u64,
    late: u64,
    pub(super) dropped: u64,
    events: EventReceiver,
    has_event: bool,
    last_tone: Option<(Digit, Instant)>,
    listener: Option<Box<Listener>>,
    pub(super) ticking: Ticking,
    silent_frames: u32,
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Audio(Codec),
    Event,
    ComfortNoise,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            source: None,
            candidate: None,
            reception: ReceptionStats::new(SAMPLE_RATE, 1),
            earlier: SessionStats::default(),
            octets: 0,
            late: 0,
            dropped: 0,
            events: EventReceiver::new(),
            has_event: false,
            last_tone: None,
            listener: None,
            ticking: Ticking::Off,
            silent_frames: 0,
        }
    }
}

impl Inbound {
    /// The peer is somewhere else now, and may be another device.
    pub(super) fn forget_source(&mut self) {
        self.restart(None);
        self.has_event = false;
    }

    pub(super) fn handle_sender_report(&mut self, source: Ssrc, info: &SenderInfo, now: Instant) {
        if self.source == Some(source) {
            self.reception.receive_report(info, now);
        }
    }

    /// What we say of the stream we hear; nothing before its first packet.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.source
            .map(|source| self.reception.report_block(source, now))
    }

    pub(super) fn stats(&self) -> SessionStats {
        SessionStats {
            received_packets: self.earlier.received_packets + self.reception.received(),
            received_octets: self.octets,
            lost_packets: self.earlier.lost_packets + self.reception.lost(),
            late_packets: self.late,
            dropped_datagrams: self.dropped,
            max_jitter: self.earlier.max_jitter.max(self.reception.max_jitter()),
            ..SessionStats::default()
        }
    }

    /// Whether a packet belongs to the stream we hear; another one has to prove itself first.
    fn admit(&mut self, now: Instant, header: &RtpHeader, timestamp: MediaTime) -> bool {
        if self.source != Some(header.ssrc) {
            let is_proven = self.candidate == Some((header.ssrc, header.sequence));
            if self.source.is_some() && !is_proven {
                self.candidate = Some((header.ssrc, header.sequence.next()));
                return false;
            }
            self.restart(Some(header.ssrc));
        }
        match self.reception.receive(header.sequence, timestamp, now) {
            Extended::Probation => false,
            Extended::InSequence(_) => true,
            Extended::Restarted(_) => {
                self.events.reset();
                if let Some(listener) = &mut self.listener {
                    listener.reset();
                }
                true
            }
        }
    }

    fn restart(&mut self, source: Option<Ssrc>) {
        self.earlier = self.stats();
        self.source = source;
        self.candidate = None;
        self.reception = ReceptionStats::new(SAMPLE_RATE, 1);
        self.events.reset();
        if let Some(listener) = &mut self.listener {
            listener.reset();
        }
    }

    /// Stops listening; the next packet begins it anew.
    pub(super) fn rest(&mut self) {
        self.ticking = Ticking::Off;
        self.silent_frames = 0;
        self.listener = None;
    }

    pub(super) const fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether nothing was heard for so long that it need not listen.
    pub(super) const fn is_resting(&self) -> bool {
        self.silent_frames >= REST_AFTER || self.listener.is_none()
    }
}

impl Session {
    /// Takes an RTP packet, and says what of it goes to the other one of two in a bridge; `None` when it is
    /// not one of ours.
    pub(super) fn handle_rtp<'a>(
        &mut self,
        now: Instant,
        source: SocketAddr,
        bytes: &'a [u8],
        out: &mut Outbox,
    ) -> Option<Option<News<'a>>> {
        let config = self.config.clone()?;
        let (header, payload) = split(bytes).ok()?;
        let meaning = meaning_of(header.payload_type, &config)?;
        let latch = self.latch.as_mut()?;
        match latch.admit(source, header.ssrc, header.sequence, now) {
            Verdict::Drop => return None,
            Verdict::Take => {}
            Verdict::Latched => {
                out.pin(self.id, latch.exact());
                if self
                    .inbound
                    .source
                    .is_some_and(|known| known != header.ssrc)
                {
                    self.inbound.restart(None);
                }
            }
        }
        let timestamp = match meaning {
            Payload::Event => end_of_event(header.timestamp, payload),
            Payload::Audio(_) | Payload::ComfortNoise => header.timestamp,
        };
        if !self.inbound.admit(now, &header, timestamp) {
            return None;
        }
        self.inbound.octets += payload.len() as u64;
        if !config.direction.receives() {
            return Some(None);
        }
        let content = match meaning {
            Payload::Event => {
                let key = self.handle_event(now, &config, &header, payload, out);
                if self.is_mixed_alone() && self.returns_digits() {
                    self.convey(now, key);
                }
                self.partner().map(|_| Content::Event(payload, key))
            }
            Payload::Audio(codec) => {
                let payload = if self.mute.has_in() {
                    silence_of(codec, payload.len())
                } else {
                    payload
                };
                self.handle_audio(now, &config, codec, (&header, payload), out);
                matches!(self.link, Link::Relay { .. }).then_some(Content::Audio(codec, payload))
            }
            Payload::ComfortNoise => None,
        };
        let stamp = Relayed::from(&header);
        Some(content.map(|content| News::Packet(Passed { stamp, content })))
    }

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

    /// Takes a telephone-event packet, and says what it tells of its key.
    fn handle_event(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        header: &RtpHeader,
        payload: &[u8],
        out: &mut Outbox,
    ) -> Key {
        if self.returns_digits() && !self.is_mixed() {
            let payload_type = config.telephone_event.unwrap_or(header.payload_type);
            let octets = (payload_type, payload.len(), 0);
            self.relay(now, config, &header.into(), octets, out, |space| {
                space.copy_from_slice(payload);
            });
        }
        let digit = self
            .inbound
            .events
            .handle(payload, header.timestamp, header.marker);
        let Some(digit) = digit else {
            let is_end = payload.get(1).is_some_and(|flags| flags & 0x80 != 0);
            return if is_end { Key::Released } else { Key::Held };
        };
        self.inbound.has_event = true;
        if !self.needs_sound() && !self.is_mixed() {
            self.inbound.rest();
        }
        let heard = self.inbound.last_tone.take();
        if heard.is_some_and(|(tone, at)| tone == digit && now < at + SAME_PRESS) {
            return Key::Held;
        }
        self.handle_digit(digit, DigitSource::Event, out);
        Key::Pressed(digit)
    }

    fn handle_audio(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        codec: Codec,
        (header, payload): (&RtpHeader, &[u8]),
        out: &mut Outbox,
    ) {
        if self.echo.is_some() && !self.is_mixed() {
            let (payload_type, ours) = config.send;
            let octets = (payload_type, payload.len(), payload.len() as u32);
            self.relay(now, config, &header.into(), octets, out, |space| {
                transcode(codec, payload, ours, space);
            });
        }
        if self.needs_sound() || self.is_heard_mixed() || self.looks_for_tones(config) {
            let listener = self.inbound.listener.get_or_insert_default();
            let in_time = listener.insert(now, header, codec, payload);
            self.inbound.late += u64::from(!in_time);
            self.inbound.silent_frames = 0;
            if !self.is_mixed() {
                self.inbound.ticking.want();
            }
        }
    }

    /// Sends a packet of a peer with our numbers, at once; `len` octets, `samples` long. `false` when it
    /// cannot be heard now.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        theirs: &Relayed,
        (payload_type, len, samples): (u8, usize, u32),
        out: &mut Outbox,
        write: impl FnOnce(&mut [u8]),
    ) -> bool {
        if self.outbound.is_speaking() || !self.can_be_heard(config) {
            return false;
        }
        let Some(stamp) = self.outbound.clock.stamp_relayed(now, theirs, samples) else {
            return false;
        };
        self.send_written(now, payload_type, stamp, len, out, write);
        true
    }

    /// Takes the next 20 ms of the peer and looks for a key in them; `false` when they are silence.
    pub(super) fn hear_frame(&mut self, due: Instant, heard: &mut Frame, out: &mut Outbox) -> bool {
        *heard = Frame::SILENCE;
        let Some(listener) = &mut self.inbound.listener else {
            return false;
        };
        let is_heard = listener.pop(due, heard);
        self.inbound.silent_frames = if is_heard {
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
            let digit = listener.detect(heard);
            let is_held = listener.holds_key();
            self.tell_tone(digit, is_held);
            if let Some(digit) = digit {
                self.inbound.last_tone = Some((digit, due));
                self.handle_digit(digit, DigitSource::Tone, out);
            }
        }
        is_heard
    }

    fn listen_tick(&mut self, due: Instant, out: &mut Outbox) {
        let mut heard = Frame::SILENCE;
        self.hear_frame(due, &mut heard, out);
        if self.needs_sound() {
            let said = self.take_said(&heard);
            self.hear(&heard, &said, out);
            self.record_tick(&heard, &said, out);
        } else if self.inbound.is_resting() {
            self.inbound.rest();
        }
        if !self.needs_said() {
            self.said = None;
        }
    }

    /// The next 20 ms of what the peer hears from us.
    fn take_said(&mut self, heard: &Frame) -> Frame {
        let is_speaking = self.outbound.is_speaking();
        if self.echo.is_some() && !is_speaking && !self.mute.has_out() {
            return *heard;
        }
        self.said
            .as_mut()
            .map_or(Frame::SILENCE, |said| said.take(is_speaking))
    }

    /// Writes 20 ms of both sides to the recording that runs.
    pub(super) fn record_tick(&mut self, heard: &Frame, said: &Frame, out: &mut Outbox) {
        let recording = self.recording.as_mut();
        let Some(recording) = recording.filter(|recording| recording.is_running()) else {
            return;
        };
        let position = recording.advance();
        out.record_frame(recording.command, position, heard, Some(said));
        if let Some(end) = recording.end_after(heard) {
            self.end_recording(end, out);
        }
    }

    /// Whether the peer's keys are returned to it.
    fn returns_digits(&self) -> bool {
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

/// How many of the frames since `due` are left out, because the machine was too busy for too long.
pub(super) fn missed_frames(now: Instant, due: Instant) -> u32 {
    let late = now.saturating_duration_since(due).as_millis() / FRAME_DURATION.as_millis();
    let late = u32::try_from(late).unwrap_or(u32::MAX);
    late.saturating_sub(MAX_CATCH_UP)
}

fn meaning_of(payload_type: u8, config: &SessionConfig) -> Option<Payload> {
    if config.telephone_event == Some(payload_type) {
        return Some(Payload::Event);
    }
    let codec = config
        .receive
        .iter()
        .find(|(known, _)| *known == payload_type);
    match codec {
        Some((_, codec)) => Some(Payload::Audio(*codec)),
        None => (payload_type == COMFORT_NOISE).then_some(Payload::ComfortNoise),
    }
}

/// The time up to which an event packet tells: it stands for when the packet was sent, which the timestamp
/// of an event does not (RFC 4733 §2.3).
fn end_of_event(start: MediaTime, payload: &[u8]) -> MediaTime {
    match payload {
        [_, _, high, low, ..] => start.after(u32::from(u16::from_be_bytes([*high, *low]))),
        _ => start,
    }
}

/// So much silence, but not more than the longest packet.
fn silence_of(codec: Codec, len: usize) -> &'static [u8] {
    static PCMU: [u8; LONGEST_PACKET] = [Codec::Pcmu.silence(); LONGEST_PACKET];
    static PCMA: [u8; LONGEST_PACKET] = [Codec::Pcma.silence(); LONGEST_PACKET];
    let silence = match codec {
        Codec::Pcmu => &PCMU,
        Codec::Pcma => &PCMA,
    };
    &silence[..len.min(LONGEST_PACKET)]
}

/// Octets of a sound in another codec.
pub(super) fn transcode(from: Codec, octets: &[u8], to: Codec, space: &mut [u8]) {
    if from == to {
        return space.copy_from_slice(octets);
    }
    let mut samples = [0; MAX_SAMPLES];
    for (octets, space) in octets
        .chunks(MAX_SAMPLES)
        .zip(space.chunks_mut(MAX_SAMPLES))
    {
        let count = from.decode(octets, &mut samples);
        to.encode(&samples[..count], space);
    }
}
