//! Mouth and ear of a telephone: tones and keys out, and which tone is heard when.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowswitch_media::codec::Codec;
use flowswitch_media::dsp::level::dbov;
use flowswitch_media::dsp::meter::frequency_power;
use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::dtmf::Digit;
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc, split};

/// The tones a telephone tells apart, in hertz: whole periods fit into 20 ms, so none is heard in another.
const TONES: [u16; 12] = [
    300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400,
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
    /// What it sends and hears.
    pub codec: Codec,
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
    heard: VecDeque<(Instant, Vec<i16>)>,
    saying: Option<ToneGenerator>,
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
            codec: Codec::Pcmu,
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
        self.saying = hertz.map(|hertz| ToneGenerator::single(hertz.into(), -12.0));
        self.wake(now);
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
        let mut tone = ToneGenerator::dual((low, -9.0), (high, -7.0));
        for _ in 0..PRESS {
            let mut samples = vec![0; 160];
            tone.fill(&mut samples);
            self.pressing.push_back(Packet::Sound(samples));
        }
        let silence = (0..PRESS).map(|_| Packet::Sound(vec![0; 160]));
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
        let timestamp = u32::try_from(elapsed * 8 % (1 << 32)).unwrap_or_default();
        let (marker, payload_type, timestamp, payload) = match packet? {
            Packet::Sound(samples) => {
                self.event_timestamp = None;
                let payload = self.codec.encode_all(&samples);
                (false, self.codec.static_payload_type(), timestamp, payload)
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
        let codec = Codec::from_static_payload_type(header.payload_type);
        let is_agreed = self.remote.is_none() || codec == Some(self.codec);
        self.strange += u64::from(!is_agreed);
        let Some(codec) = codec else {
            return;
        };
        self.packets += 1;
        self.last_at = Some(now);
        let mut samples = vec![0; payload.len()];
        codec.decode(payload, &mut samples);
        let tone = tone_of(&samples);
        if self.heard.len() == MEMORY {
            self.heard.pop_front();
        }
        self.heard.push_back((now, samples));
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
        let of_frame = |samples: &[i16]| 10_f64.powf(frequency_power(samples, hertz.into()) / 10.0);
        let frames = self.fresh(now);
        let sum: f64 = frames.map(of_frame).sum();
        let windows = WINDOW.as_millis() as f64 / PTIME.as_millis() as f64;
        (10.0 * (sum / windows).log10()).max(NOTHING)
    }

    /// Nothing that could be heard came over the last 200 ms.
    #[must_use]
    pub fn is_silent(&self, now: Instant) -> bool {
        self.fresh(now).all(|samples| dbov(samples) < SILENCE)
    }

    /// It has never been told to speak.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        !self.has_spoken
    }

    fn fresh(&self, now: Instant) -> impl Iterator<Item = &[i16]> {
        let recent = self.heard.iter().filter(move |(at, _)| now < *at + WINDOW);
        recent.map(|(_, samples)| samples.as_slice())
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
            let tone = self.saying.as_mut()?;
            let mut samples = vec![0; 160];
            tone.fill(&mut samples);
            Some(Packet::Sound(samples))
        })
    }
}

/// Which of [`TONES`] a sound is.
#[must_use]
pub fn tone_of(samples: &[i16]) -> Option<u16> {
    let level = dbov(samples);
    if level < -35.0 {
        return None;
    }
    TONES
        .into_iter()
        .find(|hertz| frequency_power(samples, (*hertz).into()) > level - 1.5)
}
