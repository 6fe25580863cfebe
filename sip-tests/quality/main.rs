//! Speech through the engine over a network that loses and delays packets, for PESQ to judge.
//!
//! `sip-tests/quality/run` says what it is for. Arguments: a folder for what is heard, then WAV files of speech
//! (8 kHz, mono, 16 bit). Everything happens in virtual time and by seeds, so a run gives the same files again.
//!
//! ```text
//!   speech -- PCMU --> [loss, jitter] --+--> engine: buffer, concealment, conference of three --> ours
//!                                       '--> fixed buffer of 60 ms, silence for what is missing --> fixed
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowswitch_media::codec::{Codec, G711};
use flowswitch_media::command::{BridgeId, Command, Direction, Part, SessionConfig, SessionId};
use flowswitch_media::engine::{Engine, EngineConfig, Input, Output};
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc, split};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Packets lost, in per cent.
const LOSSES: [u32; 5] = [0, 1, 2, 5, 10];

/// Delays are spread evenly from none to so many milliseconds.
const JITTERS: [u64; 4] = [0, 20, 40, 80];

/// What the buffer that ours is compared with holds.
const FIXED: Duration = Duration::from_millis(60);

const PTIME: Duration = Duration::from_millis(20);
const SAMPLES: usize = 160;
const SPEAKER: SessionId = SessionId(1);
const LISTENER: SessionId = SessionId(2);

/// Somebody who says nothing: of three who are joined all are mixed.
const OTHER: SessionId = SessionId(3);

/// Silence before the speech, for the network to be known by, and after it.
const QUIET_PACKETS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments
        .next()
        .ok_or("the folder to write to is missing")?;
    for (number, file) in arguments.enumerate() {
        let speech = read(&file)?;
        write(
            &folder.join(format!("{number}-reference.wav")),
            &coded(&speech),
        )?;
        for loss in LOSSES {
            for jitter in JITTERS {
                let seed = number as u64 * 10_000 + u64::from(loss) * 100 + jitter;
                let packets = network(speech.len() / SAMPLES, loss, jitter, seed);
                let name = |buffer| folder.join(format!("{number}-{loss}-{jitter}-{buffer}.wav"));
                write(&name("ours"), &by_engine(&speech, &packets))?;
                write(&name("fixed"), &by_fixed_buffer(&speech, &packets))?;
            }
        }
    }
    Ok(())
}

/// The speech of a file, with silence around it.
fn read(file: &Path) -> Result<Vec<i16>, Box<dyn Error>> {
    let mut wav = hound::WavReader::open(file)?;
    let spec = wav.spec();
    if (spec.channels, spec.sample_rate, spec.bits_per_sample) != (1, 8_000, 16) {
        return Err(format!("{}: not 8 kHz, mono, 16 bit", file.display()).into());
    }
    let quiet = vec![0; QUIET_PACKETS * SAMPLES];
    let mut speech = quiet.clone();
    for sample in wav.samples() {
        speech.push(sample?);
    }
    speech.resize(speech.len().next_multiple_of(SAMPLES), 0);
    speech.extend(quiet);
    Ok(speech)
}

fn write(file: &Path, samples: &[i16]) -> Result<(), hound::Error> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, spec)?;
    samples
        .iter()
        .try_for_each(|sample| wav.write_sample(*sample))?;
    wav.finalize()
}

/// What µ-law alone makes of it.
fn coded(speech: &[i16]) -> Vec<i16> {
    let mut heard = vec![0; speech.len()];
    G711::Ulaw.decode(&G711::Ulaw.encode_all(speech), &mut heard);
    heard
}

/// How long each packet is on its way; `None` for those that never come.
fn network(packets: usize, loss: u32, jitter: u64, seed: u64) -> Vec<Option<Duration>> {
    let mut chance = StdRng::seed_from_u64(seed);
    (0..packets)
        .map(|_| {
            let is_lost = chance.random_ratio(loss, 100);
            let delay = chance.random_range(0..=jitter * 1_000);
            (!is_lost).then(|| Duration::from_micros(delay))
        })
        .collect()
}

/// Plays every packet 60 ms after it was sent, and nothing for one that is not there by then.
fn by_fixed_buffer(speech: &[i16], packets: &[Option<Duration>]) -> Vec<i16> {
    let late = FIXED.as_millis() as usize * SAMPLES / PTIME.as_millis() as usize;
    let mut heard = vec![0; late];
    for (frame, delay) in coded(speech).chunks(SAMPLES).zip(packets) {
        match delay {
            Some(delay) if *delay <= FIXED => heard.extend_from_slice(frame),
            _ => heard.resize(heard.len() + frame.len(), 0),
        }
    }
    heard
}

/// What a listener of a conference hears when the speaker's packets come so.
fn by_engine(speech: &[i16], packets: &[Option<Duration>]) -> Vec<i16> {
    let mut room = Room::new();
    let mut coming = BTreeMap::new();
    for (number, delay) in packets.iter().enumerate() {
        if let Some(delay) = delay {
            let at = PTIME * number as u32 + *delay;
            coming.insert(
                (at, number),
                G711::Ulaw.encode_all(&speech[number * SAMPLES..][..SAMPLES]),
            );
        }
    }
    let end = PTIME * packets.len() as u32 + Duration::from_millis(500);
    let mut elapsed = Duration::ZERO;
    while elapsed < end {
        while let Some(entry) = coming.first_entry().filter(|next| next.key().0 <= elapsed) {
            let ((_, number), payload) = entry.remove_entry();
            room.speak(SPEAKER, number as u16, &payload);
        }
        if elapsed.as_millis().is_multiple_of(PTIME.as_millis()) {
            let number = (elapsed.as_millis() / PTIME.as_millis()) as u16;
            let silence = [G711::Ulaw.silence(); SAMPLES];
            room.speak(LISTENER, number, &silence);
            room.speak(OTHER, number, &silence);
        }
        let step = Duration::from_millis(1);
        elapsed += step;
        room.pass(step);
    }
    room.heard
}

/// A conference of three in virtual time.
struct Room {
    engine: Engine,
    now: Instant,
    heard: Vec<i16>,
}

impl Room {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant cannot be made from nothing; read once, then only added to"
    )]
    fn new() -> Self {
        let now = Instant::now();
        let engine = Engine::new(&EngineConfig {
            start: now,
            wall: Duration::from_secs(1),
            seed: [1; 32],
        });
        let mut room = Self {
            engine,
            now,
            heard: Vec::new(),
        };
        for session in [SPEAKER, LISTENER, OTHER] {
            let local = peer(session).ip();
            room.order(Command::Open { session, local });
            room.order(Command::Configure {
                session,
                config: Box::new(config(session)),
            });
            room.order(Command::Join {
                session,
                bridge: BridgeId(1),
                part: Part::FULL,
            });
        }
        room
    }

    fn order(&mut self, command: Command) {
        self.engine.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    fn speak(&mut self, session: SessionId, number: u16, payload: &[u8]) {
        let header = RtpHeader {
            marker: number == 0,
            payload_type: 0,
            sequence: SeqNo(number),
            timestamp: MediaTime(u32::from(number) * SAMPLES as u32),
            ssrc: Ssrc(session.0 as u32),
        };
        let mut bytes = vec![0; HEADER_LEN];
        header.write(&mut bytes);
        bytes.extend_from_slice(payload);
        let datagram = Input::Datagram {
            session,
            source: peer(session),
            rtcp: false,
            arrival: self.now,
            bytes: &bytes,
        };
        self.engine.handle_input(self.now, datagram);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll_output() {
                Output::Transmit {
                    session: LISTENER,
                    rtcp: false,
                    bytes,
                    ..
                } => {
                    if let Ok((_, payload)) = split(bytes) {
                        let mut samples = [0; SAMPLES];
                        let count = G711::Ulaw.decode(payload, &mut samples);
                        self.heard.extend_from_slice(&samples[..count]);
                    }
                }
                Output::Bind { session, .. } => {
                    let result = Ok(10_000);
                    let bound = Input::Bound { session, result };
                    self.engine.handle_input(self.now, bound);
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }
}

fn peer(session: SessionId) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000 + session.0 as u16 * 2))
}

fn config(session: SessionId) -> SessionConfig {
    SessionConfig {
        remote: peer(session),
        remote_rtcp: None,
        rtcp_mux: false,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu)],
        telephone_event: None,
        receive_events: Vec::new(),
        red: None,
        srtp: None,
        direction: Direction::SendRecv,
        ptime: PTIME,
        cname: "someone".into(),
    }
}
