//! An engine whose world is a list, and a phone that speaks to it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::command::{
    Command, CommandId, Direction, Event, ExternalId, Outcome, SessionConfig, SessionId,
    TelephoneEvent,
};
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::ToneGenerator;
use crate::dtmf::Digit;
use crate::engine::{Engine, EngineConfig, Input, Output, Pace};
use crate::frame::{Band, Frame, WideFrame};
use crate::rtp::{MediaTime, Protector, RtpHeader, SeqNo, Ssrc, split};
use crate::sim::start;

pub(super) const PTIME: Duration = Duration::from_millis(20);
pub(super) const SESSION: SessionId = SessionId(1);
pub(super) const TELEPHONE_EVENT: u8 = 101;

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// When something happened, counted from the start of the engine.
pub(super) fn since_start(at: Instant) -> Duration {
    at - start()
}

pub(super) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub(super) fn digits(text: &str) -> Vec<Digit> {
    text.chars()
        .map(|key| Digit::from_char(key).unwrap())
        .collect()
}

/// Whether `hertz` is what is heard, for every 200 ms of it.
pub(super) fn is_tone(sound: &[i16], hertz: f32) -> bool {
    sound.chunks_exact(1_600).all(|part| {
        let level = dbov(part);
        level > -30.0 && frequency_power(part, hertz) > level - 1.0
    })
}

/// A datagram that left.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) session: SessionId,
    pub(super) at: Instant,
    pub(super) to: SocketAddr,
    pub(super) rtcp: bool,
    pub(super) bytes: Vec<u8>,
}

impl Sent {
    pub(super) fn header(&self) -> RtpHeader {
        split(&self.bytes).unwrap().0
    }

    pub(super) fn payload(&self) -> &[u8] {
        split(&self.bytes).unwrap().1
    }
}

/// 20 ms that were recorded.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) recording: CommandId,
    pub(super) position: u64,
    pub(super) heard: Frame,
    /// Of the wide band, where it was in that.
    pub(super) wide: Option<WideFrame>,
    /// Silence for the one file of a bridge.
    pub(super) said: Frame,
}

/// The engine and all that came out of it.
pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) sent: Vec<Sent>,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) recorded: Vec<Recorded>,
    /// The bands that files were begun in.
    pub(super) bands: Vec<Band>,
    pub(super) ends: Vec<CommandId>,
    pub(super) pins: Vec<Option<SocketAddr>>,
    pub(super) paces: Vec<(SessionId, Pace)>,
    /// What externals were given: when, who, what it hears, how many of its samples are gone.
    pub(super) ticks: Vec<(Instant, ExternalId, Option<Frame>, u64)>,
    /// Answers binding and recording at once, as the host does.
    pub(super) answers: bool,
    pub(super) wakes: u64,
    /// How long it takes to send a datagram or to tell a key.
    pub(super) sending: Duration,
    next_at: Option<Instant>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let config = EngineConfig {
            start: start(),
            wall: Duration::from_secs(1_700_000_000),
            seed: [7; 32],
        };
        Self {
            engine: Engine::new(&config),
            now: start(),
            sent: Vec::new(),
            events: Vec::new(),
            recorded: Vec::new(),
            bands: Vec::new(),
            ends: Vec::new(),
            pins: Vec::new(),
            paces: Vec::new(),
            ticks: Vec::new(),
            answers: true,
            wakes: 0,
            sending: Duration::ZERO,
            next_at: None,
        }
    }

    /// With one configured session that speaks with `phone`.
    pub(super) fn with_call(phone: &Phone) -> Self {
        let mut rig = Self::new();
        rig.open(SESSION);
        rig.configure(SESSION, config(phone));
        rig
    }

    pub(super) fn open(&mut self, session: SessionId) {
        self.command(Command::Open {
            session,
            local: "127.0.0.1".parse().unwrap(),
        });
    }

    pub(super) fn configure(&mut self, session: SessionId, config: SessionConfig) {
        self.command(Command::Configure {
            session,
            config: Box::new(config),
        });
    }

    pub(super) fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.engine.handle_input(self.now, input);
        self.drain();
    }

    /// A datagram of `phone` arrives now.
    pub(super) fn receive(&mut self, source: SocketAddr, bytes: &[u8]) {
        self.receive_at(SESSION, source, bytes);
    }

    /// A datagram arrives for `session` now.
    pub(super) fn receive_at(&mut self, session: SessionId, source: SocketAddr, bytes: &[u8]) {
        self.input(Input::Datagram {
            session,
            source,
            rtcp: false,
            arrival: self.now,
            bytes,
        });
    }

    /// Lets time pass, waking the engine whenever it asked for it.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.next_at.filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.wakes += 1;
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// Lets `phone` speak for `time`, one packet every 20 ms.
    pub(super) fn listen_to(&mut self, phone: &mut Phone, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            let packet = phone.speak();
            self.receive(phone.address, &packet);
            self.pass(PTIME);
        }
    }

    pub(super) fn finished(&self, command: u64) -> Option<&Outcome> {
        let mut outcomes = self.events.iter().filter_map(|(_, event)| match event {
            Event::Finished {
                command: known,
                outcome,
            } if known.0 == command => Some(outcome),
            _ => None,
        });
        let outcome = outcomes.next();
        assert_eq!(outcomes.next(), None, "command {command} finished twice");
        outcome
    }

    pub(super) fn finished_at(&self, command: u64) -> Option<Instant> {
        self.events.iter().find_map(|(at, event)| match event {
            Event::Finished { command: known, .. } if known.0 == command => Some(*at),
            _ => None,
        })
    }

    pub(super) fn heard_digits(&self) -> String {
        let digit = |(_, event): &(Instant, Event)| match event {
            Event::Digit { digit, .. } => Some(digit.to_char()),
            _ => None,
        };
        self.events.iter().filter_map(digit).collect()
    }

    /// RTP that left.
    pub(super) fn rtp(&self) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| !sent.rtcp).collect()
    }

    /// Sound that left, in the order of its numbers.
    pub(super) fn sound(&self) -> Vec<i16> {
        let packets = self.rtp();
        packets
            .iter()
            .filter(|sent| sent.header().payload_type != TELEPHONE_EVENT)
            .fold(Vec::new(), |mut sound, sent| {
                let mut samples = vec![0; sent.payload().len()];
                let codec = Codec::from_static_payload_type(sent.header().payload_type)
                    .and_then(Codec::law)
                    .unwrap();
                codec.decode(sent.payload(), &mut samples);
                sound.extend(samples);
                sound
            })
    }

    fn drain(&mut self) {
        loop {
            let (at, answers) = (self.now, self.answers);
            match self.engine.poll_output() {
                Output::Transmit {
                    session,
                    to,
                    rtcp,
                    bytes,
                    origin,
                } => {
                    self.sent.push(Sent {
                        session,
                        at,
                        to,
                        rtcp,
                        bytes: bytes.to_vec(),
                    });
                    if let Some(origin) = origin {
                        self.engine.sent(session, origin, at + self.sending);
                    }
                }
                Output::Event(event) => {
                    if let Event::Digit { session, .. } = &event {
                        self.engine.told_digit(*session, at + self.sending);
                    }
                    self.events.push((at, event));
                }
                Output::Bind { session, .. } if answers => {
                    self.engine.handle_input(
                        at,
                        Input::Bound {
                            session,
                            result: Ok(10_000),
                        },
                    );
                }
                Output::RecordFrame {
                    recording,
                    position,
                    heard,
                    said,
                } => {
                    self.recorded.push(Recorded {
                        recording,
                        position,
                        heard: heard.narrow,
                        wide: heard.wide,
                        said: said.map(|said| said.narrow).unwrap_or_default(),
                    });
                }
                Output::RecordEnd { recording, .. } => {
                    self.ends.push(recording);
                    if answers {
                        self.engine.handle_input(
                            at,
                            Input::Recorded {
                                recording,
                                result: Ok(()),
                            },
                        );
                    }
                }
                Output::Encode { prompt, codec } => prompt.encode(codec),
                Output::Pin { source, .. } => self.pins.push(source),
                Output::Pace { session, pace } => self.paces.push((session, pace)),
                Output::ExternalTick {
                    external,
                    heard,
                    gone,
                } => self.ticks.push((at, external, heard.copied(), gone)),
                Output::RecordStart { band, .. } => self.bands.push(band),
                Output::Bind { .. } | Output::Release { .. } => {}
                Output::Timeout(next) => {
                    self.next_at = next;
                    break;
                }
            }
        }
    }
}

/// What was agreed with `phone`.
pub(super) fn config(phone: &Phone) -> SessionConfig {
    SessionConfig {
        remote: phone.address,
        remote_rtcp: None,
        rtcp_mux: false,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        telephone_event: Some(TelephoneEvent::narrow(TELEPHONE_EVENT)),
        receive_events: vec![TELEPHONE_EVENT],
        red: None,
        srtp: None,
        direction: Direction::SendRecv,
        ptime: PTIME,
        cname: "someone".into(),
    }
}

/// A peer that speaks a tone.
pub(super) struct Phone {
    pub(super) address: SocketAddr,
    pub(super) codec: Codec,
    pub(super) ssrc: u32,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    /// Protects what it sends.
    pub(super) srtp: Option<Protector>,
    tone: ToneGenerator,
}

impl Phone {
    pub(super) fn new(hertz: f32) -> Self {
        Self {
            address: at("192.0.2.7:4000"),
            codec: Codec::Pcmu,
            ssrc: 77,
            seq: 65_500,
            timestamp: 5_000,
            srtp: None,
            tone: ToneGenerator::single(hertz, -12.0),
        }
    }

    /// Speaks two tones from now on.
    pub(super) fn press(&mut self, digit: char) {
        let (low, high) = Digit::from_char(digit).unwrap().frequencies();
        self.tone = ToneGenerator::dual((low, -9.0), (high, -7.0));
    }

    /// The next 20 ms of its tone.
    pub(super) fn speak(&mut self) -> Vec<u8> {
        self.speak_for(160)
    }

    /// So many samples of its tone.
    pub(super) fn speak_for(&mut self, samples: usize) -> Vec<u8> {
        let mut samples = vec![0; samples];
        self.tone.fill(&mut samples);
        let octets = self.codec.law().unwrap().encode_all(&samples);
        self.packet(self.codec.static_payload_type().unwrap(), &octets)
    }

    /// Speaks one tone from now on.
    pub(super) fn sing(&mut self, hertz: f32) {
        self.tone = ToneGenerator::single(hertz, -12.0);
    }

    /// The next 20 ms of silence.
    pub(super) fn hush(&mut self) -> Vec<u8> {
        self.packet(
            self.codec.static_payload_type().unwrap(),
            &[self.codec.law().unwrap().silence(); 160],
        )
    }

    /// A packet of a key that has been held for `duration` samples since `begin`.
    pub(super) fn event(&mut self, digit: char, begin: u32, duration: u16, end: bool) -> Vec<u8> {
        let [high, low] = duration.to_be_bytes();
        let flags = if end { 0x8A } else { 0x0A };
        let payload = [Digit::from_char(digit).unwrap().event(), flags, high, low];
        let timestamp = std::mem::replace(&mut self.timestamp, begin);
        let packet = self.packet(TELEPHONE_EVENT, &payload);
        self.timestamp = timestamp.wrapping_add(160);
        packet
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type,
            sequence: SeqNo(self.seq),
            timestamp: MediaTime(self.timestamp),
            ssrc: Ssrc(self.ssrc),
        };
        self.seq = self.seq.wrapping_add(1);
        let samples = if payload_type == TELEPHONE_EVENT {
            160
        } else {
            payload.len()
        };
        self.timestamp = self.timestamp.wrapping_add(samples as u32);
        let mut datagram = vec![0; 12];
        header.write(&mut datagram);
        datagram.extend_from_slice(payload);
        if let Some(srtp) = &mut self.srtp {
            srtp.protect_rtp(&mut datagram, 0).unwrap();
        }
        datagram
    }
}

/// Whether a peer knows telephone-events.
pub(super) fn set_events(config: &mut SessionConfig, knows: bool) {
    config.telephone_event = knows.then_some(TelephoneEvent::narrow(TELEPHONE_EVENT));
    config.receive_events = knows.then_some(TELEPHONE_EVENT).into_iter().collect();
}
