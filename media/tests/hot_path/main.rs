//! Nothing is allocated per packet or per tick.

mod bridges;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowswitch_media::amd::AmdConfig;
use flowswitch_media::codec::Codec;
use flowswitch_media::command::{
    BridgeConfig, BridgeId, BridgeRecordingConfig, Command, CommandId, Direction, Event,
    ExternalConfig, ExternalId, ListenConfig, Mute, Part, RecordingConfig, RecordingTarget,
    SessionConfig, SessionId, Sides, TelephoneEvent,
};
use flowswitch_media::dsp::utterance::UtteranceLimits;
use flowswitch_media::engine::{Engine, EngineConfig, Input, Output};
use flowswitch_media::prompt::Prompt;
use flowswitch_media::recording::FileFormat;
use flowswitch_media::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

/// Counts what one thread allocates, so that tests beside it do not disturb.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can be written no other way")]
// SAFETY: every call is handed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, and so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the pointer came from `alloc` above, and so from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PTIME: Duration = Duration::from_millis(20);
const SESSIONS: u64 = 10;

/// Ten calls with one peer each, in virtual time.
struct World {
    engine: Engine,
    now: Instant,
    packet: [u8; 172],
    seq: u16,
    sent: u64,
    recorded: u64,
    utterances: u64,
    /// Externals that speak, and what they were given.
    externals: u64,
    heard: u64,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant cannot be made from nothing"
    )]
    fn new(telephone_event: Option<u8>) -> Self {
        let now = Instant::now();
        let config = EngineConfig {
            start: now,
            wall: Duration::from_secs(1),
            seed: [1; 32],
        };
        let mut packet = [0xFF; 172];
        // A quiet voice, so that nothing is passed over as silence.
        packet[12..]
            .iter_mut()
            .enumerate()
            .for_each(|(n, octet)| *octet = 0xD0 + (n % 16) as u8);
        let mut world = Self {
            engine: Engine::new(&config),
            now,
            packet,
            seq: 0,
            sent: 0,
            recorded: 0,
            utterances: 0,
            externals: 0,
            heard: 0,
        };
        for id in 0..SESSIONS {
            let session = SessionId(id);
            world.command(Command::Open {
                session,
                local: peer(id).ip(),
            });
            let config = SessionConfig {
                remote: peer(id),
                remote_rtcp: None,
                rtcp_mux: false,
                send: (0, Codec::Pcmu),
                receive: vec![(0, Codec::Pcmu)],
                telephone_event: telephone_event.map(TelephoneEvent::narrow),
                receive_events: telephone_event.into_iter().collect(),
                red: None,
                srtp: None,
                direction: Direction::SendRecv,
                ptime: PTIME,
                cname: "someone".into(),
            };
            world.command(Command::Configure {
                session,
                config: Box::new(config),
            });
        }
        world
    }

    fn command(&mut self, command: Command) {
        self.engine.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    /// Ten peers speak for so many packet times, and every tick of it is done.
    fn run(&mut self, packet_times: u32) {
        for _ in 0..packet_times {
            let header = RtpHeader {
                marker: false,
                payload_type: 0,
                sequence: SeqNo(self.seq),
                timestamp: MediaTime(u32::from(self.seq) * 160),
                ssrc: Ssrc(5),
            };
            header.write(&mut self.packet);
            self.seq = self.seq.wrapping_add(1);
            for id in 0..SESSIONS {
                let (session, source) = (SessionId(id), peer(id));
                let bytes = &self.packet;
                self.engine.handle_input(
                    self.now,
                    Input::Datagram {
                        session,
                        source,
                        rtcp: false,
                        arrival: self.now,
                        bytes,
                    },
                );
                self.drain();
            }
            for external in (0..self.externals).map(ExternalId) {
                let samples = &[1_000; 160];
                let input = Input::ExternalSound { external, samples };
                self.engine.handle_input(self.now, input);
                self.drain();
            }
            for _ in 0..20 {
                self.now += Duration::from_millis(1);
                self.engine.handle_timeout(self.now);
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll_output() {
                Output::Transmit {
                    session, origin, ..
                } => {
                    self.sent += 1;
                    if let Some(origin) = origin {
                        self.engine.sent(session, origin, self.now);
                    }
                }
                Output::RecordFrame { .. } => self.recorded += 1,
                Output::ExternalTick { heard: Some(_), .. } => self.heard += 1,
                Output::Event(Event::Utterance(_)) => self.utterances += 1,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }

    /// Allocations of 1,000 packet times, once everything has found its size.
    fn allocations(&mut self) -> u64 {
        self.run(500);
        let before = ALLOCATIONS.with(Cell::get);
        self.run(1_000);
        ALLOCATIONS.with(Cell::get) - before
    }
}

fn peer(id: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000 + id as u16 * 2))
}

/// All sessions send another codec, every second of them in the wide band.
fn send_in(world: &mut World, codecs: [Codec; 2]) {
    for id in 0..SESSIONS {
        let codec = codecs[id as usize % 2];
        let payload_type = codec.static_payload_type().unwrap_or(96);
        let config = SessionConfig {
            remote: peer(id),
            remote_rtcp: None,
            rtcp_mux: false,
            send: (payload_type, codec),
            receive: vec![(0, Codec::Pcmu), (payload_type, codec)],
            telephone_event: Some(TelephoneEvent::narrow(101)),
            receive_events: vec![101],
            red: None,
            srtp: None,
            direction: Direction::SendRecv,
            ptime: PTIME,
            cname: "someone".into(),
        };
        world.command(Command::Configure {
            session: SessionId(id),
            config: Box::new(config),
        });
    }
}

#[test]
fn an_echo_allocates_nothing_muted_or_not() {
    let mut world = World::new(Some(101));
    for id in 0..SESSIONS {
        let (command, session) = (CommandId(id), SessionId(id));
        let duration = Duration::from_secs(3_600);
        world.command(Command::Echo {
            command,
            session,
            duration,
            with_digits: true,
        });
    }
    assert_eq!(world.allocations(), 0);
    assert!(world.sent >= SESSIONS * 1_500);
    for id in 0..SESSIONS {
        world.command(Command::Mute {
            session: SessionId(id),
            direction: Mute::In,
        });
    }
    assert_eq!(world.allocations(), 0);
    assert!(world.sent >= SESSIONS * 3_000);
}

#[test]
fn playing_a_prompt_while_keys_are_looked_for_allocates_nothing() {
    let mut world = World::new(Some(101));
    let prompt = Arc::new(Prompt::from_samples(vec![1_000; 8_000 * 40]));
    for id in 0..SESSIONS {
        let (command, session) = (CommandId(id), SessionId(id));
        let prompts = vec![Arc::clone(&prompt)];
        world.command(Command::Play {
            command,
            session,
            prompts,
            stop_on_digit: true,
            is_endless: false,
        });
    }
    assert_eq!(world.allocations(), 0);
    assert!(world.sent >= SESSIONS * 1_500);
}

#[test]
fn recording_both_sides_of_an_echo_allocates_nothing() {
    let mut world = World::new(None);
    for id in 0..SESSIONS {
        let session = SessionId(id);
        let duration = Duration::from_secs(3_600);
        world.command(Command::Echo {
            command: CommandId(id),
            session,
            duration,
            with_digits: true,
        });
        let config = RecordingConfig {
            target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
            end_of_silence: None,
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        };
        let config = Box::new(config);
        world.command(Command::Record {
            command: CommandId(100 + id),
            session,
            config,
        });
    }
    assert_eq!(world.allocations(), 0);
    assert!(world.recorded >= SESSIONS * 1_490);
}

#[test]
fn listening_allocates_once_for_an_utterance_and_a_detection_never() {
    let mut world = World::new(Some(101));
    for id in 0..SESSIONS {
        let session = SessionId(id);
        world.command(Command::Echo {
            command: CommandId(id),
            session,
            duration: Duration::from_secs(3_600),
            with_digits: true,
        });
        // Nothing decides it within the test.
        let never = Duration::from_secs(3_600);
        world.command(Command::DetectMachine {
            command: CommandId(100 + id),
            session,
            config: Box::new(AmdConfig {
                initial_silence: never,
                greeting: never,
                after_greeting_silence: never,
                total: never,
                max_words: u32::MAX,
                min_beep: never,
                ..AmdConfig::default()
            }),
        });
        world.command(Command::Listen {
            command: CommandId(200 + id),
            session,
            config: ListenConfig {
                sides: Sides::Both,
                limits: UtteranceLimits::default(),
            },
        });
    }
    let talk = |world: &mut World| {
        for n in 0..160 {
            world.packet[12 + n] = if n % 16 < 8 { 0x20 } else { 0xA0 };
        }
        world.run(50);
        world.packet[12..].fill(0xFF);
        world.run(50);
    };
    (0..5).for_each(|_| talk(&mut world));
    let (utterances, before) = (world.utterances, ALLOCATIONS.with(Cell::get));
    (0..10).for_each(|_| talk(&mut world));
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    let utterances = world.utterances - utterances;
    assert_eq!((utterances, allocations), (SESSIONS * 2 * 10, utterances));
}

#[test]
fn an_echo_and_a_prompt_in_another_codec_than_g711_allocate_nothing() {
    for codec in [Codec::L16Wide, Codec::G722] {
        let mut world = World::new(Some(101));
        send_in(&mut world, [codec; 2]);
        for id in 0..SESSIONS {
            let (command, session) = (CommandId(id), SessionId(id));
            if id < 5 {
                world.command(Command::Echo {
                    command,
                    session,
                    duration: Duration::from_secs(3_600),
                    with_digits: true,
                });
                continue;
            }
            world.command(Command::Play {
                command,
                session,
                prompts: vec![Arc::new(Prompt::hold_music())],
                stop_on_digit: false,
                is_endless: true,
            });
        }
        assert_eq!(world.allocations(), 0, "{codec:?}");
        assert!(world.sent >= SESSIONS * 1_490);
    }
}
