//! What comes to a session: packets to digits, to an echo, to another session, to the listener.
//!
//! What the peer says while it is muted is taken as silence of the same length, where it comes in.
//! Sound is decoded only while somebody needs it: a running recording, somebody who listens, a bridge that
//! mixes, or the search for keys that come as tones. That search stops for good once the peer has sent a
//! telephone-event, and rests during an echo and in a bridge for a peer that has negotiated them; a key that
//! comes both ways is told once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Session;
use super::bridged::{Content, News, Passed};
use super::clock::Relayed;
use super::conveyed::Key;
use super::latch::Verdict;
use super::listener::Listener;
use super::outbound::Ticking;
use super::payload::{Payload, end_of_event, silence_of, transcode};
use super::repeated::{Unfolded, unfold};
use crate::bridge::Link;
use crate::codec::Codec;
use crate::command::{DigitSource, Event, SessionConfig, SessionStats};
use crate::dtmf::{Digit, EventReceiver};
use crate::frame::{Band, SAMPLE_RATE};
use crate::jitter::{JitterStats, PlayoutStats};
use crate::outbox::Outbox;
use crate::rtp::{
    Extended, MediaTime, ReceptionStats, ReportBlock, RtpHeader, SenderInfo, SeqNo, Ssrc, split,
};

/// A telephone-event for a key heard as a tone this long ago is the same press.
const SAME_PRESS: Duration = Duration::from_secs(1);

/// More keys than this are not pressed in that time.
pub(super) const MAX_TONES: usize = 8;

/// Without a packet for so many frames (half a second) a listener that only looks for keys rests until the
/// next …
const REST_AFTER: u32 = 25;

/// … and one whose sound others hear after so many (10 s): it goes on knowing how late packets come, and how a
/// pause sounds.
const MIXED_REST_AFTER: u32 = 500;

/// A peer that has changed its codec so often since it was agreed on is mixed and no longer relayed.
const MAX_CHANGES: u8 = 8;

/// The receiving half of a session.
#[derive(Debug)]
pub(super) struct Inbound {
    source: Option<Ssrc>,
    /// Another SSRC from the same address, and the number that would prove it (RFC 3550 §A.1).
    candidate: Option<(Ssrc, SeqNo)>,
    reception: ReceptionStats,
    /// What sources before this one did.
    earlier: Earlier,
    octets: u64,
    pub(super) dropped: u64,
    /// Where the last one came from that was dropped.
    stray: Option<SocketAddr>,
    events: EventReceiver,
    pub(super) has_event: bool,
    /// The last keys that came as tones and not yet as telephone-events, the oldest first.
    pub(super) tones: [Option<(Digit, Instant)>; MAX_TONES],
    pub(super) listener: Option<Box<Listener>>,
    /// What listeners before this one did.
    played: (JitterStats, PlayoutStats),
    pub(super) ticking: Ticking,
    pub(super) silent_frames: u32,
    /// The codec of what came last, and how often it has become another one.
    codec: Option<Codec>,
    changes: u8,
}

/// What sources did that were heard before.
#[derive(Clone, Copy, Debug, Default)]
struct Earlier {
    received: u64,
    lost: u64,
    gaps: u64,
    jitter_sum: Duration,
    jitter_count: u64,
    max_jitter: Duration,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            source: None,
            candidate: None,
            reception: ReceptionStats::new(SAMPLE_RATE, 1),
            earlier: Earlier::default(),
            octets: 0,
            dropped: 0,
            stray: None,
            events: EventReceiver::new(),
            has_event: false,
            tones: [None; MAX_TONES],
            listener: None,
            played: Default::default(),
            ticking: Ticking::Off,
            silent_frames: 0,
            codec: None,
            changes: 0,
        }
    }
}

impl Inbound {
    /// A datagram from there is not taken.
    pub(super) const fn drop_from(&mut self, source: SocketAddr) {
        self.dropped += 1;
        self.stray = Some(source);
    }

    /// Its sound is wanted in another band from now on.
    pub(super) fn set_band(&mut self, band: Band) {
        if let Some(listener) = &mut self.listener {
            listener.set_band(band);
        }
    }

    /// The codec of what came last.
    pub(super) const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Whether the peer changes its codec so often that nothing should follow each time.
    pub(super) const fn is_fickle(&self) -> bool {
        self.changes >= MAX_CHANGES
    }

    /// It has been agreed anew what the peer may send.
    pub(super) const fn forget_codec(&mut self) {
        (self.codec, self.changes) = (None, 0);
    }

    /// Sound of a codec has come; `true` when that is another one than before.
    fn note_codec(&mut self, codec: Codec) -> bool {
        let old = self.codec.replace(codec);
        if old == Some(codec) {
            return false;
        }
        self.changes = self.changes.saturating_add(u8::from(old.is_some()));
        true
    }

    /// The peer is somewhere else now, and may be another device.
    pub(super) fn forget_source(&mut self) {
        self.restart(None);
        self.has_event = false;
    }

    pub(super) fn handle_sender_report(
        &mut self,
        source: Ssrc,
        info: &SenderInfo,
        arrival: Instant,
    ) {
        if self.source == Some(source) {
            self.reception.receive_report(info, arrival);
        }
    }

    /// What we say of the stream we hear; nothing before its first packet.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.source
            .map(|source| self.reception.report_block(source, now))
    }

    pub(super) fn stats(&self) -> SessionStats {
        let all = self.all();
        let count = u32::try_from(all.jitter_count).unwrap_or(u32::MAX);
        let (jitter, playout) = self.played();
        SessionStats {
            received_packets: all.received,
            received_octets: self.octets,
            lost_packets: all.lost,
            dropped_datagrams: self.dropped,
            stray: self.stray,
            mean_jitter: all.jitter_sum.checked_div(count).unwrap_or_default(),
            max_jitter: all.max_jitter,
            jitter,
            playout,
            ..SessionStats::default()
        }
    }

    /// When the packet came whose sound was given last.
    pub(super) fn mixed_arrival(&self) -> Option<Instant> {
        self.listener.as_deref().and_then(Listener::arrival)
    }

    /// How long sound is held before it is heard, or meant to be; nothing while nobody listens.
    pub(super) fn playout_delay(&self) -> Duration {
        let listener = self.listener.as_deref();
        listener.map_or(Duration::ZERO, |listener| {
            listener.delay().max(listener.target())
        })
    }

    /// How much longer the rows of lost packets are than chance alone would make them (ITU-T G.107 §7.5).
    pub(super) fn burst_ratio(&self) -> f64 {
        let Earlier {
            received,
            lost,
            gaps,
            ..
        } = self.all();
        let heard = received as f64 / (received + lost).max(1) as f64;
        lost as f64 / gaps.max(1) as f64 * heard
    }

    /// What the listener and those before it did.
    fn played(&self) -> (JitterStats, PlayoutStats) {
        let (mut jitter, mut playout) = self.played;
        if let Some(listener) = &self.listener {
            let (packets, sound) = listener.stats();
            jitter += packets;
            playout += sound;
        }
        (jitter, playout)
    }

    /// This source and those before it.
    fn all(&self) -> Earlier {
        let (jitter_sum, jitter_count) = self.reception.jitter_sum();
        Earlier {
            received: self.earlier.received + self.reception.received(),
            lost: self.earlier.lost + self.reception.lost(),
            gaps: self.earlier.gaps + self.reception.gaps(),
            jitter_sum: self.earlier.jitter_sum + jitter_sum,
            jitter_count: self.earlier.jitter_count + jitter_count,
            max_jitter: self.earlier.max_jitter.max(self.reception.max_jitter()),
        }
    }

    /// Whether a packet belongs to the stream we hear; another one has to prove itself first.
    fn admit(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        (timestamp, clock_rate): (MediaTime, Option<u32>),
    ) -> bool {
        if self.source != Some(header.ssrc) {
            let is_proven = self.candidate == Some((header.ssrc, header.sequence));
            if self.source.is_some() && !is_proven {
                self.candidate = Some((header.ssrc, header.sequence.next()));
                return false;
            }
            self.restart(Some(header.ssrc));
        }
        if let Some(clock_rate) = clock_rate {
            self.reception.set_clock_rate(clock_rate);
        }
        match self.reception.receive(header.sequence, timestamp, arrival) {
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
        self.earlier = self.all();
        self.source = source;
        self.candidate = None;
        self.reception = ReceptionStats::new(SAMPLE_RATE, 1);
        self.events.reset();
        if let Some(listener) = &mut self.listener {
            listener.reset();
        }
    }

    /// Whether the key of a first telephone-event has been told already, because it came as a tone.
    fn was_tone(&mut self, digit: Digit, now: Instant) -> bool {
        let is_same = |tone: &Option<(Digit, Instant)>| {
            tone.is_some_and(|(known, at)| known == digit && now < at + SAME_PRESS)
        };
        let found = self.tones.iter().position(is_same);
        // Keys come in their order: no event follows for those before this one.
        self.tones[..=found.unwrap_or(MAX_TONES - 1)].fill(None);
        found.is_some()
    }

    /// Stops listening; the next packet begins it anew.
    pub(super) fn rest(&mut self) {
        self.ticking = Ticking::Off;
        self.silent_frames = 0;
        self.played = self.played();
        self.listener = None;
    }

    pub(super) const fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether nothing was heard for so long that it need not listen.
    pub(super) const fn is_resting(&self, is_mixed: bool) -> bool {
        let after = if is_mixed {
            MIXED_REST_AFTER
        } else {
            REST_AFTER
        };
        self.silent_frames >= after || self.listener.is_none()
    }

    pub(super) fn listener_mut(&mut self) -> Option<&mut Listener> {
        self.listener.as_deref_mut()
    }
}

impl Session {
    /// Takes an RTP packet, and says what of it goes to the other one of two in a bridge; `None` when it is
    /// not one of ours.
    pub(super) fn handle_rtp<'a>(
        &mut self,
        (now, arrival): (Instant, Instant),
        source: SocketAddr,
        bytes: &'a [u8],
        out: &mut Outbox,
    ) -> Option<Option<News<'a>>> {
        let config = self.config.clone()?;
        let (header, payload) = split(bytes).ok()?;
        let Unfolded {
            meaning,
            header,
            payload,
            repeated,
        } = unfold(header, payload, &config)?;
        let latch = self.latch.as_mut()?;
        match latch.admit(source, header.ssrc, header.sequence, now) {
            Verdict::Drop => return None,
            Verdict::Take => {}
            Verdict::Latched => {
                out.pin(self.id, latch.exact());
                let session = self.id;
                out.event(Event::Latched { session, source });
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
        let clock_rate = match meaning {
            Payload::Audio(codec) => Some(codec.clock_rate()),
            Payload::Event | Payload::ComfortNoise => None,
        };
        if !self
            .inbound
            .admit(arrival, &header, (timestamp, clock_rate))
        {
            return None;
        }
        self.inbound.octets += payload.len() as u64;
        if !config.direction.receives() {
            return Some(None);
        }
        let content = match meaning {
            Payload::Event => {
                let key = self.handle_event((now, arrival), &config, &header, payload, out);
                if self.is_mixed_alone() && self.returns_digits() {
                    self.convey(now, key);
                }
                let clock_rate = config.telephone_event.map_or(0, |events| events.clock_rate);
                self.partner()
                    .map(|_| Content::Event(payload, key, clock_rate))
            }
            Payload::Audio(codec) => {
                if self.inbound.note_codec(codec) {
                    self.settle_echo(now, out);
                }
                let payload = match silence_of(codec, payload.len()) {
                    Some(silence) if self.mute.has_in() => silence,
                    _ => payload,
                };
                self.handle_audio((now, arrival), &config, codec, (&header, payload), out);
                if let Some(blocks) = repeated {
                    self.hear_repeated(arrival, &config, &header, blocks);
                }
                matches!(self.link, Link::Relay { .. }).then_some(Content::Audio(codec, payload))
            }
            Payload::ComfortNoise => {
                self.hear_noise(arrival, &header, payload);
                None
            }
        };
        let stamp = Relayed::from(&header);
        Some(content.map(|content| {
            News::Packet(Passed {
                stamp,
                arrival,
                content,
            })
        }))
    }

    /// Takes a telephone-event packet, and says what it tells of its key.
    fn handle_event(
        &mut self,
        (now, arrival): (Instant, Instant),
        config: &SessionConfig,
        header: &RtpHeader,
        payload: &[u8],
        out: &mut Outbox,
    ) -> Key {
        if let Some(listener) = &mut self.inbound.listener {
            listener.pass(header);
        }
        if self.returns_digits() && !self.is_mixed() {
            let payload_type = config
                .telephone_event
                .map_or(header.payload_type, |events| events.payload_type);
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
        if self.inbound.was_tone(digit, now) {
            return Key::Held;
        }
        self.measured.hear_key(Some(arrival));
        self.handle_digit(digit, DigitSource::Event, out);
        Key::Pressed(digit)
    }

    fn handle_audio(
        &mut self,
        (now, arrival): (Instant, Instant),
        config: &SessionConfig,
        codec: Codec,
        (header, payload): (&RtpHeader, &[u8]),
        out: &mut Outbox,
    ) {
        if self.echo.is_some() && !self.is_mixed() {
            let (payload_type, ours) = config.send;
            let octets = (payload_type, payload.len(), codec.ticks_of(payload));
            let sent = self.relay(now, config, &header.into(), octets, out, |space| {
                transcode(codec, payload, ours, space);
            });
            if sent {
                self.outbound.note_end(codec, payload);
            }
        }
        let is_taken = self.is_echo_mixed || self.is_heard_mixed() || self.needs_sound();
        if is_taken || self.looks_for_tones(config) {
            let listener = self
                .inbound
                .listener
                .get_or_insert_with(|| Box::new(Listener::new(config.send.1.band())));
            listener.insert(arrival, header, codec, payload);
            self.inbound.silent_frames = 0;
            if !self.is_mixed() {
                self.inbound.ticking.want();
            }
        }
    }

    /// Sends a packet of a peer with our numbers, at once; `len` octets, `ticks` long. `false` when it
    /// cannot be heard now. How its sound ends, if it is sound, is to be noted afterwards.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        config: &SessionConfig,
        theirs: &Relayed,
        (payload_type, len, ticks): (u8, usize, u32),
        out: &mut Outbox,
        write: impl FnOnce(&mut [u8]),
    ) -> bool {
        if self.outbound.voices.is_speaking() || !self.can_be_heard(config) {
            return false;
        }
        let Some(stamp) = self.outbound.clock.stamp_relayed(now, theirs, ticks) else {
            return false;
        };
        self.send_written(now, payload_type, stamp, len, out, write);
        self.outbound.last = None;
        true
    }
}
