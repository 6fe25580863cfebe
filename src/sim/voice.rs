//! Mouth and ear of a telephone: tones and keys out, and which tone is heard when.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowswitch_media::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};
use flowswitch_media::dsp::level::dbov;
use flowswitch_media::dsp::meter::frequency_power;
use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::dtmf::Digit;
use flowswitch_media::frame::SAMPLE_RATE;
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc, split};

/// The tones a telephone tells apart, in hertz: whole periods fit into 20 ms, so none is heard in another. The
/// last is for the wide band alone.
const TONES: [u16; 13] = [
    300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 6000,
];
const PTIME: Duration = Duration::from_millis(20);
/// Packets of one key press: 100 ms.
const PRESS: u16 = 5;

/// What counts as heard of late, and its packets: a few more, for those that come twice or in a bunch.
const WINDOW: Duration = Duration::from_millis(200);
const MEMORY: usize = 16;
/// Levels in dBov: of a tone that is heard, of what is not heard, and of nothing.
const AUDIBLE: f64 = -35.0;
const SILENCE: f64 = -55.0;
const NOTHING: f64 = -127.0;

/// Sound of one telephone.
#[derive(Debug)]
pub struct Voice {
    /// Where it sends to, once it knows.
    pub remote: Option<SocketAddr>,
    /// What it sends, and the payload type that has.
    send: (u8, Codec),
    /// What it hears, by payload type.
    receive: Vec<(u8, Codec)>,
    mouth: Encoder,
    ear: Decoder,
    /// The payload type of telephone events, when both sides have them.
    pub event_type: Option<u8>,
    /// Every tone that was heard for at least 40 ms, with the time of its first packet.
    pub tones: Vec<(Instant, u16)>,
    /// Keys that came as telephone events.
    pub keys: String,
    /// Packets of sound that came.
    pub packets: u64,
    /// Those of a codec that was not agreed on.
    pub strange: u64,
    /// When the last packet came.
    pub last_at: Option<Instant>,
    /// What it says is sent: neither side has put it on hold.
    pub may_speak: bool,
    has_spoken: bool,
    /// What was heard of late.
    heard: VecDeque<(Instant, Heard)>,
    saying: Option<(u16, ToneGenerator)>,
    pressing: VecDeque<Packet>,
    next_at: Option<Instant>,
    began: Instant,
    sequence: u16,
    ssrc: u32,
    /// The tone of the last packet, and whether the one before had it too.
    candidate: Option<(Instant, u16)>,
    now_hearing: Option<u16>,
    event_timestamp: Option<u32>,
}

#[derive(Debug)]
enum Packet {
    /// Of a key: how long it has been held, whether it is released.
    Event {
        digit: Digit,
        index: u16,
        end: bool,
    },
    Sound(Vec<i16>),
}

impl Voice {
    /// A silent one.
    #[must_use]
    pub fn new(now: Instant, ssrc: u32) -> Self {
        Self {
            remote: None,
            send: (0, Codec::Pcmu),
            receive: Vec::new(),
            mouth: Encoder::new(Codec::Pcmu),
            ear: Decoder::new(Codec::Pcmu),
            event_type: None,
            tones: Vec::new(),
            keys: String::new(),
            packets: 0,
            strange: 0,
            last_at: None,
            may_speak: true,
            has_spoken: false,
            heard: VecDeque::new(),
            saying: None,
            pressing: VecDeque::new(),
            next_at: None,
            began: now,
            sequence: 65_530,
            ssrc,
            candidate: None,
            now_hearing: None,
            event_timestamp: None,
        }
    }

    /// Says a tone from now on, or nothing.
    pub fn say(&mut self, now: Instant, hertz: Option<u16>) {
        self.has_spoken = true;
        self.saying = hertz.map(|hertz| (hertz, generator(hertz, self.send.1)));
        self.wake(now);
    }

    /// Speaks the first of these codecs from now on, and understands all; they have these payload types.
    ///
    /// # Panics
    /// When there are none.
    pub fn speak(&mut self, agreed: Vec<(u8, Codec)>) {
        let send = *agreed.first().expect("a codec of ours");
        if send.1 != self.send.1 {
            self.mouth = Encoder::new(send.1);
            self.ear = Decoder::new(send.1);
            let saying = self.saying.take();
            self.saying = saying.map(|(hertz, _)| (hertz, generator(hertz, send.1)));
        }
        (self.send, self.receive) = (send, agreed);
    }

    /// What it sends.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.send.1
    }

    /// Presses a key for 100 ms, as a telephone event.
    pub fn press_event(&mut self, now: Instant, digit: Digit) {
        let held = (1..=PRESS).map(|index| (index, false));
        let released = std::iter::repeat_n((PRESS, true), 3);
        self.pressing
            .extend(
                held.chain(released)
                    .map(|(index, end)| Packet::Event { digit, index, end }),
            );
        self.wake(now);
    }

    /// Presses a key for 100 ms, as two tones in the sound, and is silent for as long.
    pub fn press_tone(&mut self, now: Instant, digit: Digit) {
        let (low, high) = digit.frequencies();
        let (codec, samples) = (self.send.1, self.send.1.band().frame_samples());
        let mut tone = ToneGenerator::dual((scaled(low, codec), -9.0), (scaled(high, codec), -7.0));
        for _ in 0..PRESS {
            let mut samples = vec![0; samples];
            tone.fill(&mut samples);
            self.pressing.push_back(Packet::Sound(samples));
        }
        let silence = (0..PRESS).map(|_| Packet::Sound(vec![0; samples]));
        self.pressing.extend(silence);
        self.wake(now);
    }

    /// Says nothing more.
    pub fn fall_silent(&mut self) {
        self.saying = None;
        self.pressing.clear();
        self.next_at = None;
    }

    /// When the next packet is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    /// The packet that is due.
    #[must_use]
    pub fn poll_packet(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        let due = self.next_at.filter(|at| *at <= now)?;
        let packet = self.next_packet();
        let is_more = self.saying.is_some() || !self.pressing.is_empty();
        self.next_at = is_more.then_some(due + PTIME);
        let elapsed = due.saturating_duration_since(self.began).as_millis();
        let ticks = elapsed * u128::from(self.send.1.clock_rate() / 1_000);
        let timestamp = u32::try_from(ticks % (1 << 32)).unwrap_or_default();
        let (marker, payload_type, timestamp, payload) = match packet? {
            Packet::Sound(samples) => {
                self.event_timestamp = None;
                let mut payload = vec![0; MAX_PAYLOAD];
                let octets = self.mouth.encode(&samples, &mut payload);
                payload.truncate(octets);
                (false, self.send.0, timestamp, payload)
            }
            Packet::Event { digit, index, end } => {
                let is_first = index == 1 && !end;
                if is_first {
                    self.event_timestamp = Some(timestamp);
                }
                let [high, low] = (index * 160).to_be_bytes();
                let flags = if end { 0x8A } else { 0x0A };
                let payload = vec![digit.event(), flags, high, low];
                let began = self.event_timestamp.unwrap_or(timestamp);
                (is_first, self.event_type?, began, payload)
            }
        };
        let header = RtpHeader {
            marker,
            payload_type,
            sequence: SeqNo(self.sequence),
            timestamp: MediaTime(timestamp),
            ssrc: Ssrc(self.ssrc),
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut datagram = vec![0; HEADER_LEN];
        header.write(&mut datagram);
        datagram.extend(payload);
        self.remote
            .filter(|_| self.may_speak)
            .map(|to| (to, datagram))
    }

    /// Hears a packet.
    pub fn hear(&mut self, now: Instant, datagram: &[u8]) {
        let (header, payload) = split(datagram).expect("the engine writes RTP");
        if Some(header.payload_type) == self.event_type {
            if header.marker
                && let Some(digit) = payload.first().copied().and_then(Digit::from_event)
            {
                self.keys.push(digit.to_char());
            }
            return;
        }
        // Early sound may come before the answer that says what it is.
        let known = self.receive.iter();
        let known = known
            .copied()
            .find(|(number, _)| *number == header.payload_type);
        let of_table = || Codec::from_static_payload_type(header.payload_type);
        let codec = known.map(|(_, codec)| codec).or_else(of_table);
        let is_agreed = self.remote.is_none() || codec == Some(self.send.1);
        self.strange += u64::from(!is_agreed);
        let Some(codec) = codec else {
            return;
        };
        self.packets += 1;
        self.last_at = Some(now);
        let mut samples = vec![0; 1_920];
        let count = if codec == self.send.1 {
            self.ear.decode(payload, &mut samples)
        } else {
            Decoder::new(codec).decode(payload, &mut samples)
        };
        samples.truncate(count);
        let heard = Heard {
            rate: codec.band().sample_rate(),
            samples,
        };
        let tone = heard.tone();
        if self.heard.len() == MEMORY {
            self.heard.pop_front();
        }
        self.heard.push_back((now, heard));
        let Some(tone) = tone else {
            (self.candidate, self.now_hearing) = (None, None);
            return;
        };
        match self.candidate {
            Some((since, before)) if before == tone => {
                if self.now_hearing != Some(tone) {
                    self.now_hearing = Some(tone);
                    self.tones.push((since, tone));
                }
            }
            _ => {
                self.candidate = Some((now, tone));
                self.now_hearing = None;
            }
        }
    }

    /// The tone that is heard at `now`.
    #[must_use]
    pub fn hears(&self, now: Instant) -> Option<u16> {
        let is_fresh = self.last_at.is_some_and(|at| now < at + 3 * PTIME);
        self.now_hearing.filter(|_| is_fresh)
    }

    /// Every tone that is heard at once, the lowest first: over the last 200 ms, at more than -35 dBov.
    #[must_use]
    pub fn chord(&self, now: Instant) -> Vec<u16> {
        let mut tones = TONES.to_vec();
        tones.retain(|hertz| self.level(now, *hertz) > AUDIBLE);
        tones
    }

    /// How loud a frequency is in what came over the last 200 ms, in dBov; -127 for nothing.
    #[must_use]
    pub fn level(&self, now: Instant, hertz: u16) -> f64 {
        let of_frame = |heard: &Heard| 10_f64.powf(heard.level(hertz) / 10.0);
        let frames = self.fresh(now);
        let sum: f64 = frames.map(of_frame).sum();
        let windows = WINDOW.as_millis() as f64 / PTIME.as_millis() as f64;
        (10.0 * (sum / windows).log10()).max(NOTHING)
    }

    /// Nothing that could be heard came over the last 200 ms.
    #[must_use]
    pub fn is_silent(&self, now: Instant) -> bool {
        self.fresh(now).all(|heard| dbov(&heard.samples) < SILENCE)
    }

    /// It has never been told to speak.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        !self.has_spoken
    }

    fn fresh(&self, now: Instant) -> impl Iterator<Item = &Heard> {
        let recent = self.heard.iter().filter(move |(at, _)| now < *at + WINDOW);
        recent.map(|(_, heard)| heard)
    }

    fn wake(&mut self, now: Instant) {
        let is_silent = self.saying.is_none() && self.pressing.is_empty();
        if is_silent {
            self.next_at = None;
        } else if self.next_at.is_none() {
            self.next_at = Some(now);
        }
    }

    fn next_packet(&mut self) -> Option<Packet> {
        self.pressing.pop_front().or_else(|| {
            let (_, tone) = self.saying.as_mut()?;
            let mut samples = vec![0; self.send.1.band().frame_samples()];
            tone.fill(&mut samples);
            Some(Packet::Sound(samples))
        })
    }
}

/// The sound of one packet.
#[derive(Debug)]
struct Heard {
    /// Samples a second.
    rate: u32,
    samples: Vec<i16>,
}

impl Heard {
    /// How loud a frequency is in it, in dBov; -127 for what it cannot hold.
    fn level(&self, hertz: u16) -> f64 {
        if u32::from(hertz) * 2 >= self.rate {
            return NOTHING;
        }
        // The meter takes every sound for one of the narrow band.
        let scaled = f32::from(hertz) * SAMPLE_RATE as f32 / self.rate as f32;
        frequency_power(&self.samples, scaled)
    }

    /// Which of [`TONES`] it is.
    fn tone(&self) -> Option<u16> {
        let level = dbov(&self.samples);
        if level < AUDIBLE {
            return None;
        }
        let mut tones = TONES.into_iter();
        tones.find(|hertz| self.level(*hertz) > level - 1.5)
    }
}

/// A tone in the band of a codec.
fn generator(hertz: u16, codec: Codec) -> ToneGenerator {
    ToneGenerator::single(scaled(hertz.into(), codec), -12.0)
}

/// What a generator for the narrow band is to be told for a frequency in that of a codec.
fn scaled(hertz: f32, codec: Codec) -> f32 {
    hertz * SAMPLE_RATE as f32 / codec.band().sample_rate() as f32
}

/// Which of [`TONES`] a sound of 8,000 samples a second is.
#[must_use]
pub fn tone_of(samples: &[i16]) -> Option<u16> {
    let heard = Heard {
        rate: SAMPLE_RATE,
        samples: samples.to_vec(),
    };
    heard.tone()
}
