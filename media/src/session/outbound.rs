//! What a session sends: its voices, packet by packet, and its own numbers on all of it.
//!
//! While the peer cannot hear us (hold, mute, or no address yet) the voices run on silently, so that the flow of a
//! held call goes on as if it were heard. While nothing speaks nothing is sent, but a packet of silence every
//! [`KEEPALIVE`] holds the path open (RFC 6263). In G.711 a prompt is copied as it was encoded once; anything else
//! is said 20 ms at a time and encoded by the encoder of the stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{SendClock, Stamp};
use super::last::{Last, smooth, smooth_octets};
use super::latch::is_reachable;
use super::over::Over;
use super::parcel::Parcel;
use super::prompts::Space;
use super::srtp::Kind;
use super::voices::{Spoken, Voices};
use super::{MAX_SAMPLES, MAX_WIDE_SAMPLES, Session};
use crate::codec::{Codec, Encoder, G711, MAX_PAYLOAD};
use crate::command::SessionConfig;
use crate::dsp::joint;
use crate::dtmf::EventPacket;
use crate::frame::{FRAME_DURATION, Ptime, Sound, WIDE_SAMPLES};
use crate::outbox::Outbox;
use crate::prompt::Prompt;
use crate::rtp::{HEADER_LEN, RtpHeader};

/// Sound that ends or begins this quietly needs no fading.
pub(super) const QUIET: i16 = 64;

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
    pub(super) voices: Voices,
    /// The state of the stream, once something was encoded that has one.
    pub(super) encoder: Option<(Codec, Encoder)>,
    /// What was sent last was encoded before: a packet of a prompt.
    pub(super) cached: Option<(Arc<Prompt>, usize)>,
    /// Packets of the playback that were encoded live, without anything between them.
    pub(super) led: usize,
    /// What waits to fill a packet, where what is said comes 20 ms at a time and packets do not.
    pub(super) parcel: Option<Parcel>,
    /// What comes next does not follow what went before.
    pub(super) is_rejoined: bool,
    pub(super) over: Over,
    /// The end of the sound that was sent last.
    pub(super) last: Option<Last>,
    /// The slot that would have continued what ended without a gap.
    free_slot: Option<Instant>,
    last_sent: Instant,
    pub(super) packets: u64,
    pub(super) octets: u64,
}

impl Outbound {
    pub(super) fn new(clock: SendClock, now: Instant) -> Self {
        Self {
            clock,
            ticking: Ticking::Off,
            voices: Voices::default(),
            encoder: None,
            cached: None,
            led: 0,
            parcel: None,
            is_rejoined: false,
            over: Over::default(),
            last: None,
            free_slot: None,
            last_sent: now,
            packets: 0,
            octets: 0,
        }
    }

    /// What the peer has heard last; nothing if that was long ago, or is known to its decoder alone.
    pub(super) fn last_sample(&self, now: Instant) -> i16 {
        let last = self.last.filter(|_| now < self.last_sent + MAX_LATE);
        last.map_or(0, Last::sample)
    }

    /// Notes how a packet ends that was sent in this codec.
    pub(super) fn note_end(&mut self, codec: Codec, payload: &[u8]) {
        self.last = Last::of(codec, payload);
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
    /// Sends what is due at `now`.
    pub(super) fn send_ticks(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let law = config.send.1.law();
        let ptime = packet_time(&config);
        let step = law.map_or(FRAME_DURATION, |_| ptime.duration());
        while let Ticking::At(due) = self.outbound.ticking {
            if due > now {
                break;
            }
            let due = if now - due > MAX_LATE { now } else { due };
            self.outbound.ticking = Ticking::At(due + step);
            match law {
                Some(law) => self.send_tick(&config, (law, ptime), due, now, out),
                None if self.send_cached(now, due, &config, out) => {}
                None => self.send_frame_tick(&config, due, now, out),
            }
        }
    }

    /// Sends one packet of G.711.
    fn send_tick(
        &mut self,
        config: &SessionConfig,
        (law, ptime): (G711, Ptime),
        due: Instant,
        now: Instant,
        out: &mut Outbox,
    ) {
        let mut payload = [law.silence(); MAX_SAMPLES];
        let payload = &mut payload[..ptime.samples()];
        let mut space = Space::Octets(law, payload);
        match self.next_sound(config, ptime, due, &mut space, out) {
            Spoken::Audio | Spoken::Key if self.can_be_heard(config) => {
                if std::mem::take(&mut self.outbound.voices.is_cut) {
                    smooth_octets(law, self.outbound.last_sample(now), payload);
                }
                if let Some(said) = &mut self.said {
                    let mut samples = [0; MAX_SAMPLES];
                    let count = law.decode(payload, &mut samples);
                    said.push(&samples[..count], None);
                }
                let stamp = self.outbound.clock.stamp(due, payload.len() as u32);
                self.send_audio(now, config.send, stamp, payload, out);
            }
            Spoken::Event(packet) if self.can_be_heard(config) => {
                self.send_event(now, config, &packet, out);
            }
            Spoken::Audio | Spoken::Key | Spoken::Event(_) | Spoken::Pause => {}
            Spoken::End => self.end_ticks(now, due, out),
        }
    }

    /// Says 20 ms in any other codec.
    fn send_frame_tick(
        &mut self,
        config: &SessionConfig,
        due: Instant,
        now: Instant,
        out: &mut Outbox,
    ) {
        self.outbound.settle();
        let mut frame = Sound::SILENCE;
        let is_cut = self.outbound.voices.is_cut;
        let spoken = self.next_frame(config, due, &mut frame, out).0;
        let leads = spoken == Spoken::Audio && !is_cut && self.can_be_heard(config);
        self.outbound.led = if leads { self.outbound.led + 1 } else { 0 };
        match spoken {
            Spoken::Audio | Spoken::Key if self.can_be_heard(config) => {
                if std::mem::take(&mut self.outbound.voices.is_cut) {
                    smooth(self.outbound.last_sample(now), &mut frame);
                }
                if let Some(said) = &mut self.said {
                    said.push(&frame.narrow.0, frame.wide.as_ref());
                }
                self.send_sound(now, due, config, frame.samples(), out);
            }
            Spoken::Event(packet) if self.can_be_heard(config) => {
                self.outbound.parcel = None;
                self.send_event(now, config, &packet, out);
            }
            Spoken::Audio | Spoken::Key | Spoken::Event(_) | Spoken::Pause => {}
            Spoken::End => {
                self.outbound.voices.end_doubling();
                self.flush_parcel(now, config, out);
                self.end_ticks(now, due, out);
            }
        }
    }

    /// No voice is left; one that was cut off fades.
    fn end_ticks(&mut self, now: Instant, due: Instant, out: &mut Outbox) {
        self.outbound.ticking = Ticking::Off;
        self.outbound.free_slot = Some(due);
        if std::mem::take(&mut self.outbound.voices.is_cut) {
            self.fade_out(now, out);
        }
    }

    /// Lets what was heard last fade, unless something that is relayed follows it within a packet time.
    pub(super) fn fade_later(&mut self, now: Instant) {
        if self.outbound.last_sample(now).abs() > QUIET {
            self.outbound.voices.is_cut = true;
            self.outbound.ticking = Ticking::At(now + FRAME_DURATION);
        }
    }

    /// Sends 20 ms in the band of the codec, in packets of the length the peer wants.
    pub(super) fn send_sound(
        &mut self,
        now: Instant,
        due: Instant,
        config: &SessionConfig,
        samples: &[i16],
        out: &mut Outbox,
    ) {
        let ptime = packet_time(config);
        if ptime == Ptime::DEFAULT && self.outbound.parcel.is_none() {
            return self.send_samples(now, due, config, samples, out);
        }
        let band = config.send.1.band();
        let parcel = self
            .outbound
            .parcel
            .take()
            .filter(|parcel| parcel.band() == band);
        let mut parcel = parcel.unwrap_or_else(|| Parcel::new(band));
        parcel.push(due, samples);
        let mut packet = [0; MAX_WIDE_SAMPLES];
        let packet = &mut packet[..ptime.ticks(band.sample_rate()) as usize];
        while let Some(begin) = parcel.pop(packet) {
            self.send_samples(now, begin, config, packet, out);
        }
        let is_needed = ptime != Ptime::DEFAULT || !parcel.is_empty();
        self.outbound.parcel = is_needed.then_some(parcel);
    }

    /// Sends what waits for a packet to be full: something else comes behind it.
    pub(super) fn flush_parcel(&mut self, now: Instant, config: &SessionConfig, out: &mut Outbox) {
        let Some(parcel) = self.outbound.parcel.take() else {
            return;
        };
        if parcel.band() == config.send.1.band()
            && self.can_be_heard(config)
            && let Some((begin, samples)) = parcel.rest()
        {
            self.send_last(now, begin, config, samples, out);
        }
    }

    /// Sends one packet of sound in the band of the codec, which begins at `begin`.
    fn send_samples(
        &mut self,
        now: Instant,
        begin: Instant,
        config: &SessionConfig,
        samples: &[i16],
        out: &mut Outbox,
    ) {
        let (_, codec) = config.send;
        if let Some(law) = codec.law() {
            let mut octets = [0; MAX_SAMPLES];
            let len = law.encode(samples, &mut octets);
            let stamp = self.outbound.clock.stamp(begin, len as u32);
            return self.send_audio(now, config.send, stamp, &octets[..len], out);
        }
        let mut octets = [0; MAX_PAYLOAD];
        let len = self.outbound.encoder(codec).encode(samples, &mut octets);
        let ticks = samples.len() as u64 * u64::from(codec.clock_rate());
        let ticks = ticks / u64::from(codec.band().sample_rate());
        let stamp = self.outbound.clock.stamp(begin, ticks as u32);
        self.send_audio(now, config.send, stamp, &octets[..len], out);
        self.outbound.last = samples.last().copied().map(Last::Sample);
    }

    /// Lets what the peer heard last fade, right behind it, when nothing else follows.
    pub(super) fn fade_out(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        self.outbound.settle();
        let last = self.outbound.last_sample(now);
        if last.abs() <= QUIET || !self.can_be_heard(&config) {
            return;
        }
        let band = config.send.1.band();
        let mut samples = [0; WIDE_SAMPLES];
        joint::smooth(band, last, &mut samples[..joint::edge(band)]);
        let ptime = packet_time(&config).min(Ptime::DEFAULT);
        let len = ptime.ticks(band.sample_rate()) as usize;
        let begin = self.outbound.clock.end_before(now);
        self.send_last(now, begin, &config, &samples[..len], out);
    }

    /// Sends one packet that something else may follow soon: no longer than it has to be, but for Opus, whose
    /// encoder would begin anew with another length.
    fn send_last(
        &mut self,
        now: Instant,
        begin: Instant,
        config: &SessionConfig,
        samples: &[i16],
        out: &mut Outbox,
    ) {
        let (_, codec) = config.send;
        let len = packet_time(config).ticks(codec.band().sample_rate()) as usize;
        if codec != Codec::Opus || samples.len() >= len {
            return self.send_samples(now, begin, config, samples, out);
        }
        let mut packet = [0; MAX_WIDE_SAMPLES];
        let (sound, rest) = packet[..len].split_at_mut(samples.len());
        sound.copy_from_slice(samples);
        joint::smooth(codec.band(), samples.last().copied().unwrap_or(0), rest);
        self.send_samples(now, begin, config, &packet[..len], out);
    }

    /// Holds the path open when nothing was sent for long.
    pub(super) fn keep_alive(&mut self, now: Instant, out: &mut Outbox) {
        let Some(config) = self.config.clone() else {
            return;
        };
        if self.outbound.keepalive_due() <= now {
            self.outbound.last_sent = now;
            if self.can_send(&config) {
                let rate = config.send.1.band().sample_rate();
                let silence = [0; MAX_WIDE_SAMPLES];
                let len = packet_time(&config).ticks(rate) as usize;
                self.send_samples(now, now, &config, &silence[..len], out);
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
        self.outbound.note_end(codec, payload);
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
        let payload_type = config
            .telephone_event
            .map_or(config.send.0, |events| events.payload_type);
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
        let origin = self.measured.take_cause();
        let header = RtpHeader {
            marker: stamp.marker,
            payload_type,
            sequence: stamp.seq,
            timestamp: stamp.timestamp,
            ssrc: self.outbound.clock.ssrc,
        };
        let srtp = &mut self.srtp;
        let is_sent = out.transmit(self.id, to, false, origin, |bytes| {
            let begin = bytes.len();
            bytes.resize(begin + HEADER_LEN + len, 0);
            header.write(&mut bytes[begin..begin + HEADER_LEN]);
            write(&mut bytes[begin + HEADER_LEN..]);
            srtp.as_mut()
                .is_none_or(|srtp| srtp.seal(Kind::Rtp, bytes, begin))
        });
        if !is_sent {
            return;
        }
        self.outbound.last_sent = now;
        self.outbound.packets += 1;
        self.outbound.octets += len as u64;
    }
}

/// How much sound a packet carries: as much as the peer wants, and the codec has frames for (RFC 6716 §2.1.4).
pub(super) fn packet_time(config: &SessionConfig) -> Ptime {
    let ptime = Ptime::nearest(config.ptime);
    let tens = ptime.duration().as_millis() / 10;
    if config.send.1 == Codec::Opus && matches!(tens, 3 | 5) {
        return Ptime::nearest(ptime.duration() - FRAME_DURATION / 2);
    }
    ptime
}
