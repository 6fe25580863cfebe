//! What a member of a mix costs: nanoseconds per tick, from its packet to that of the others, without sockets,
//! beside the least it can be: to decode a frame of G.711, add it up and encode one.
//!
//! `cargo bench -p flowswitch-media --bench mix`

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowswitch_media::codec::{Codec, G711};
use flowswitch_media::command::{
    BridgeConfig, BridgeId, Command, Direction, Part, SessionConfig, SessionId, TelephoneEvent,
};
use flowswitch_media::engine::{Engine, EngineConfig, Input, Output};
use flowswitch_media::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

const PTIME: Duration = Duration::from_millis(20);
const TICKS: u32 = 300;

/// One way to be mixed.
#[derive(Clone, Copy)]
struct Room {
    /// All say the same at the same time, which is far too loud.
    is_choir: bool,
    name: &'static str,
    codec: Codec,
    /// All speak, or none of them.
    speaks: bool,
    config: BridgeConfig,
}

fn main() {
    let plain = BridgeConfig {
        level: false,
        ..BridgeConfig::default()
    };
    let leveled = BridgeConfig::default();
    let loudest = BridgeConfig {
        loudest: std::num::NonZeroU8::new(3),
        ..leveled
    };
    let room = |name, codec, speaks, config| Room {
        is_choir: false,
        name,
        codec,
        speaks,
        config,
    };
    let rooms = [
        room("silent", Codec::Pcmu, false, leveled),
        room("talking, not leveled", Codec::Pcmu, true, plain),
        room("talking", Codec::Pcmu, true, leveled),
        Room {
            is_choir: true,
            ..room("too loud", Codec::Pcmu, true, leveled)
        },
        room("talking, loudest 3", Codec::Pcmu, true, loudest),
        room("silent, wide", Codec::L16Wide, false, leveled),
        room("talking, wide", Codec::L16Wide, true, leveled),
    ];
    println!("ns per member and tick");
    println!("room                        3      20     100     200   floor");
    for room in rooms {
        let costs = [3, 20, 100, 200].map(|members| cost(room, members));
        let [a, b, c, d] = costs;
        println!(
            "{:22} {a:6.0}  {b:6.0}  {c:6.0}  {d:6.0}  {:6.0}",
            room.name,
            floor(room)
        );
    }
}

/// A frame is decoded, added up and encoded.
fn floor(room: Room) -> f64 {
    let (octets, mut samples, mut sum) = ([0x9A; 160], [0_i16; 160], [0_i32; 160]);
    let begin = Instant::now();
    let times = 20_000;
    for _ in 0..times {
        if room.speaks {
            G711::Ulaw.decode(black_box(&octets), &mut samples);
            for (sum, sample) in sum.iter_mut().zip(&samples) {
                *sum += i32::from(*sample);
            }
        }
        let mut out = [0; 160];
        G711::Ulaw.encode(black_box(&samples), &mut out);
        black_box((&mut sum, &out));
    }
    begin.elapsed().as_nanos() as f64 / f64::from(times)
}

/// Of one tick of one member: packet in, mix, packet out.
fn cost(room: Room, members: u64) -> f64 {
    let now = Instant::now();
    let config = EngineConfig {
        start: now,
        wall: Duration::from_secs(1),
        seed: [3; 32],
    };
    let mut world = World {
        engine: Engine::new(&config),
        now,
        room,
        members,
        seq: 0,
    };
    for id in 0..members {
        world.enter(SessionId(id));
    }
    let bridge = BridgeId(1);
    let config = room.config;
    world.command(Command::ConfigureBridge { bridge, config });
    world.run(50);
    let begin = Instant::now();
    world.run(TICKS);
    let spent = begin.elapsed().as_nanos() as f64;
    spent / f64::from(TICKS) / members as f64
}

struct World {
    engine: Engine,
    now: Instant,
    room: Room,
    members: u64,
    seq: u16,
}

impl World {
    fn enter(&mut self, session: SessionId) {
        let payload_type = self.room.codec.static_payload_type().unwrap_or(96);
        let sends = (payload_type, self.room.codec);
        self.command(Command::Open {
            session,
            local: peer(0).ip(),
        });
        let config = Box::new(SessionConfig {
            remote: peer(session.0),
            remote_rtcp: None,
            rtcp_mux: false,
            send: sends,
            receive: vec![sends],
            telephone_event: Some(TelephoneEvent::narrow(101)),
            receive_events: vec![101],
            red: None,
            srtp: None,
            direction: Direction::SendRecv,
            ptime: PTIME,
            cname: "someone".into(),
        });
        self.command(Command::Configure { session, config });
        self.command(Command::Join {
            session,
            bridge: BridgeId(1),
            part: Part::FULL,
        });
    }

    fn command(&mut self, command: Command) {
        self.engine.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    /// What a member says: noise of its own, or that of all.
    fn packet(&self, member: u64) -> Vec<u8> {
        let mut noise = if self.room.is_choir { 1 } else { member + 1 };
        let mut next = || {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (noise >> 33) as u32
        };
        let mut packet = vec![0; 12];
        for _ in 0..self.room.codec.band().frame_samples() {
            let sample = (next() % 2_000) as i16 - 1_000;
            match self.room.codec.law() {
                Some(law) => packet.extend(law.encode_all(&[sample])),
                None => packet.extend(sample.to_be_bytes()),
            }
        }
        packet
    }

    fn run(&mut self, ticks: u32) {
        let ticks_of_clock = self.room.codec.clock_rate() / 50;
        let members = if self.room.speaks { self.members } else { 0 };
        let mut packets: Vec<Vec<u8>> = (0..members).map(|member| self.packet(member)).collect();
        for _ in 0..ticks {
            let header = RtpHeader {
                marker: false,
                payload_type: self.room.codec.static_payload_type().unwrap_or(96),
                sequence: SeqNo(self.seq),
                timestamp: MediaTime(u32::from(self.seq) * ticks_of_clock),
                ssrc: Ssrc(5),
            };
            self.seq = self.seq.wrapping_add(1);
            for (id, packet) in (0..).zip(&mut packets) {
                header.write(packet);
                let input = Input::Datagram {
                    arrival: self.now,
                    session: SessionId(id),
                    source: peer(id),
                    rtcp: false,
                    bytes: packet,
                };
                self.engine.handle_input(self.now, input);
                self.drain();
            }
            self.now += PTIME;
            self.engine.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while !matches!(black_box(self.engine.poll_output()), Output::Timeout(_)) {}
    }
}

fn peer(id: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000 + id as u16 * 2))
}
