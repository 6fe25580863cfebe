//! The host on loopback sockets: few and quick.

mod externals;
mod moving;
mod reading;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::{HostConfig, MediaHost, Told};
use crate::codec::{Codec, G711};
use crate::command::{
    Command, CommandId, Direction, Event, MediaError, Outcome, RecordingConfig, RecordingEnd,
    RecordingTarget, SessionConfig, SessionId, TelephoneEvent,
};
use crate::delay;
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::{ToneGenerator, burst};
use crate::prompt::Prompt;
use crate::rtp::{Compound, MediaTime, RtcpPacket, RtpHeader, SeqNo, Ssrc, split};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SESSION: SessionId = SessionId(7);
const PATIENCE: Duration = Duration::from_secs(5);

/// A host with its events.
struct World {
    host: MediaHost,
    events: Receiver<Told>,
}

impl World {
    fn start(ports: RangeInclusive<u16>, threads: usize) -> Self {
        let (sender, events) = mpsc::channel();
        let config = HostConfig {
            threads,
            ports,
            name: "media".into(),
            seed: [3; 32],
        };
        let host = MediaHost::start(config, move |told| drop(sender.send(told))).unwrap();
        Self { host, events }
    }

    /// The next event that `find` finds something in.
    fn wait<T>(&self, find: impl Fn(&Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.events.recv_timeout(until - Instant::now()).unwrap();
            let event = told.take(Instant::now());
            if let Some(found) = find(&event) {
                return found;
            }
        }
    }

    fn open(&mut self, session: SessionId) -> Result<u16, MediaError> {
        self.host.send(Command::Open {
            session,
            local: LOCAL,
        });
        self.wait(|event| match event {
            Event::Opened {
                session: opened,
                port,
            } if *opened == session => Some(Ok(*port)),
            Event::OpenFailed {
                session: failed,
                why,
            } if *failed == session => Some(Err(why.clone())),
            _ => None,
        })
    }

    fn finished(&self, command: u64) -> Outcome {
        self.wait(|event| match event {
            Event::Finished {
                command: known,
                outcome,
            } if known.0 == command => Some(outcome.clone()),
            _ => None,
        })
    }

    /// An open session that speaks with `phone`; where its RTP goes.
    fn call(&mut self, phone: &Phone) -> SocketAddr {
        let port = self.open(SESSION).unwrap();
        let config = Box::new(phone.config());
        self.host.send(Command::Configure {
            session: SESSION,
            config,
        });
        SocketAddr::new(LOCAL, port)
    }
}

/// A peer with real sockets.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    seq: u16,
    tone: ToneGenerator,
}

impl Phone {
    fn new() -> Self {
        let (rtp, rtcp) = loop {
            let rtp = UdpSocket::bind((LOCAL, 0)).unwrap();
            if let Ok(rtcp) =
                UdpSocket::bind((LOCAL, rtp.local_addr().unwrap().port().wrapping_add(1)))
            {
                break (rtp, rtcp);
            }
        };
        rtp.set_read_timeout(Some(PATIENCE)).unwrap();
        rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            rtp,
            rtcp,
            seq: 0,
            tone: ToneGenerator::single(440.0, -12.0),
        }
    }

    fn config(&self) -> SessionConfig {
        SessionConfig {
            remote: self.rtp.local_addr().unwrap(),
            remote_rtcp: None,
            rtcp_mux: false,
            send: (0, Codec::Pcmu),
            receive: vec![(0, Codec::Pcmu)],
            telephone_event: Some(TelephoneEvent::narrow(101)),
            receive_events: vec![101],
            red: None,
            srtp: None,
            direction: Direction::SendRecv,
            ptime: Duration::from_millis(20),
            cname: "someone".into(),
        }
    }

    fn speak(&mut self, to: SocketAddr) -> Vec<u8> {
        let mut samples = [0; 160];
        self.tone.fill(&mut samples);
        let header = RtpHeader {
            marker: false,
            payload_type: 0,
            sequence: SeqNo(self.seq),
            timestamp: MediaTime(u32::from(self.seq) * 160),
            ssrc: Ssrc(9),
        };
        self.seq += 1;
        let mut packet = vec![0; 12];
        header.write(&mut packet);
        packet.extend(G711::Ulaw.encode_all(&samples));
        self.rtp.send_to(&packet, to).unwrap();
        packet
    }

    fn hear(&self) -> Vec<u8> {
        let mut buffer = [0; 2_048];
        let len = self.rtp.recv(&mut buffer).unwrap();
        split(&buffer[..len]).unwrap().1.to_vec()
    }
}

/// A range of so many pairs that were free a moment ago; each test has its own.
fn free_ports(pairs: u16) -> RangeInclusive<u16> {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    loop {
        let offset = NEXT.fetch_add(pairs * 2, std::sync::atomic::Ordering::Relaxed);
        let first = 21_000 + (std::process::id() % 97) as u16 * 100 + offset;
        let range = first - first % 2..=first - first % 2 + pairs * 2 - 1;
        if range
            .clone()
            .all(|port| UdpSocket::bind((LOCAL, port)).is_ok())
        {
            return range;
        }
    }
}

fn is_tone(sound: &[i16], hertz: f32) -> bool {
    frequency_power(sound, hertz) > dbov(sound) - 1.0 && dbov(sound) > -30.0
}

#[test]
fn an_echo_comes_back_and_the_session_says_goodbye() {
    let mut world = World::start(free_ports(4), 2);
    let mut phone = Phone::new();
    let to = world.call(&phone);
    let (command, session) = (CommandId(1), SESSION);
    let duration = Duration::from_secs(60);
    world.host.send(Command::Echo {
        command,
        session,
        duration,
        with_digits: true,
    });
    for _ in 0..20 {
        let packet = phone.speak(to);
        assert_eq!(phone.hear(), packet[12..]);
    }
    world.host.send(Command::Close { session });
    assert_eq!(world.finished(1), Outcome::Canceled);
    let stats = world.wait(|event| match event {
        Event::Closed { stats, .. } => Some(**stats),
        _ => None,
    });
    assert_eq!((stats.received_packets, stats.sent_packets), (20, 20));
    let mut buffer = [0; 512];
    let len = phone.rtcp.recv(&mut buffer).unwrap();
    let mut goodbye = Compound::parse(&buffer[..len]).unwrap();
    assert!(goodbye.any(|packet| matches!(packet, RtcpPacket::Bye(_))));
}

#[test]
fn what_came_before_anything_was_agreed_is_not_heard() {
    let mut world = World::start(free_ports(4), 1);
    let mut phone = Phone::new();
    let port = world.open(SESSION).unwrap();
    let to = SocketAddr::new(LOCAL, port);
    (0..5).for_each(|_| drop(phone.speak(to)));
    let (command, session) = (CommandId(1), SESSION);
    world.host.send(Command::Configure {
        session,
        config: Box::new(phone.config()),
    });
    world.host.send(Command::Echo {
        command,
        session,
        duration: Duration::from_secs(60),
        with_digits: true,
    });
    phone.tone = ToneGenerator::single(700.0, -12.0);
    let wait = Some(Duration::from_millis(20));
    phone.rtp.set_read_timeout(wait).unwrap();
    let (mut said, mut heard) = (Vec::new(), [0; 512]);
    let len = (0..200).find_map(|_| {
        said.push(phone.speak(to)[12..].to_vec());
        phone.rtp.recv(&mut heard).ok()
    });
    let first = heard[12..len.unwrap()].to_vec();
    assert!(said.contains(&first));
}

#[test]
fn a_prompt_is_heard_at_its_pace() {
    let mut world = World::start(free_ports(4), 1);
    let phone = Phone::new();
    world.call(&phone);
    let prompts = vec![Arc::new(Prompt::from_samples(burst(
        600.0,
        -12.0,
        Duration::from_millis(400),
    )))];
    let (command, session) = (CommandId(1), SESSION);
    let asked = Instant::now();
    world.host.send(Command::Play {
        command,
        session,
        prompts,
        stop_on_digit: false,
        is_endless: false,
    });
    let octets: Vec<u8> = (0..20).flat_map(|_| phone.hear()).collect();
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(375), "took {took:?}");
    let mut sound = vec![0; octets.len()];
    G711::Ulaw.decode(&octets, &mut sound);
    assert!(is_tone(&sound, 600.0));
    assert_eq!(world.finished(1), Outcome::Done);
}

#[test]
fn a_recording_is_a_playable_file_while_it_runs_and_complete_when_it_is_finished() {
    let folder = Folder::new("recording");
    let mut world = World::start(free_ports(4), 1);
    let mut phone = Phone::new();
    let to = world.call(&phone);
    let config = RecordingConfig {
        target: RecordingTarget::sides(folder.0.join("a/in.wav"), folder.0.join("b/out.wav")),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: Some(Duration::from_millis(1_400)),
        beep_start: false,
    };
    let paths: Vec<PathBuf> = config.target.files.paths().cloned().collect();
    let (file_in, file_out) = (paths[0].clone(), paths[1].clone());
    let (command, session) = (CommandId(1), SESSION);
    world.host.send(Command::Record {
        command,
        session,
        config: Box::new(config),
    });
    for _ in 0..60 {
        phone.speak(to);
        std::thread::sleep(Duration::from_millis(20));
    }
    let so_far = read(&file_in);
    assert!(so_far.len() >= 1_600, "{} samples", so_far.len());
    assert!(is_tone(&so_far[800..1_600], 440.0));
    let duration = Duration::from_millis(1_400);
    assert_eq!(
        world.finished(1),
        Outcome::Recorded {
            end: RecordingEnd::Duration,
            duration
        }
    );
    assert_eq!(read(&file_in).len(), 11_200);
    assert_eq!(read(&file_out), [0; 11_200]);
}

#[test]
fn a_recording_that_cannot_be_written_fails_and_the_call_goes_on() {
    let mut world = World::start(free_ports(4), 1);
    let mut phone = Phone::new();
    let to = world.call(&phone);
    let config = RecordingConfig {
        target: RecordingTarget::sides("/dev/null/in.wav".into(), "/dev/null/out.wav".into()),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: None,
        beep_start: false,
    };
    let session = SESSION;
    world.host.send(Command::Record {
        command: CommandId(1),
        session,
        config: Box::new(config),
    });
    let outcome = world.finished(1);
    assert!(
        matches!(
            outcome,
            Outcome::Failed {
                why: MediaError::File { .. }
            }
        ),
        "{outcome:?}"
    );
    let duration = Duration::from_secs(60);
    world.host.send(Command::Echo {
        command: CommandId(2),
        session,
        duration,
        with_digits: true,
    });
    phone.speak(to);
    phone.hear();
}

#[test]
fn a_port_in_use_is_passed_over_and_an_exhausted_range_is_told() {
    let ports = free_ports(3);
    let taken = UdpSocket::bind((LOCAL, *ports.start() + 2)).unwrap();
    let mut world = World::start(ports.clone(), 1);
    let mut opened = vec![
        world.open(SessionId(1)).unwrap(),
        world.open(SessionId(2)).unwrap(),
    ];
    opened.sort_unstable();
    assert_eq!(opened, [*ports.start(), *ports.start() + 4]);
    assert_eq!(world.open(SessionId(3)), Err(MediaError::NoPort));
    drop(taken);
    world.host.send(Command::Close {
        session: SessionId(1),
    });
    world.wait(|event| matches!(event, Event::Closed { .. }).then_some(()));
    assert!(world.open(SessionId(4)).is_ok());
}

#[test]
fn stopping_closes_every_session_and_later_orders_are_refused() {
    let folder = Folder::new("stop");
    let mut world = World::start(free_ports(4), 2);
    let phone = Phone::new();
    world.call(&phone);
    let config = RecordingConfig {
        target: RecordingTarget::sides(folder.0.join("in.wav"), folder.0.join("out.wav")),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: None,
        beep_start: false,
    };
    let session = SESSION;
    world.host.send(Command::Record {
        command: CommandId(1),
        session,
        config: Box::new(config),
    });
    world.host.stop();
    let outcome = world.finished(1);
    assert!(
        matches!(
            outcome,
            Outcome::Recorded {
                end: RecordingEnd::Stopped,
                ..
            }
        ),
        "{outcome:?}"
    );
    world.wait(|event| matches!(event, Event::Closed { .. }).then_some(()));
    let duration = Duration::from_secs(1);
    world.host.send(Command::Echo {
        command: CommandId(2),
        session,
        duration,
        with_digits: true,
    });
    assert_eq!(
        world.finished(2),
        Outcome::Failed {
            why: MediaError::Internal
        }
    );
}

fn read(path: &Path) -> Vec<i16> {
    let mut file = hound::WavReader::open(path).unwrap();
    file.samples().map(Result::unwrap).collect()
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("flowswitch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_kernel_says_when_a_datagram_came() {
    let mut world = World::start(free_ports(4), 1);
    let mut phone = Phone::new();
    let to = world.call(&phone);
    let (command, session) = (CommandId(1), SESSION);
    let duration = Duration::from_secs(60);
    world.host.send(Command::Echo {
        command,
        session,
        duration,
        with_digits: true,
    });
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1_500) {
        phone.speak(to);
        phone.hear();
        std::thread::sleep(Duration::from_millis(20));
    }
    let total = world.host.figures();
    world.host.send(Command::Close { session });
    let stats = world.wait(|event| match event {
        Event::Closed { stats, .. } => Some(**stats),
        _ => None,
    });
    let echo = stats.delays.of(delay::Path::Echo);
    assert!(echo.count > 0 && echo.count <= stats.received_packets);
    // A stamp from nowhere would be a delay of nothing or of years.
    assert!(
        echo.p50 > Duration::ZERO && echo.max < Duration::from_secs(1),
        "{echo:?}"
    );
    let delays = total.engine.delays.of(delay::Path::Echo);
    assert!(delays.count() > 0 && delays.count() <= echo.count);
    // To configure, and to echo; sockets are opened before.
    assert_eq!(total.inbox.count(), 2);
    assert!(total.inbox.max() < Duration::from_secs(1));
}

#[test]
fn events_are_counted_by_how_long_they_wait_to_be_taken() {
    let mut world = World::start(free_ports(4), 2);
    for session in 1..=2 {
        world.open(SessionId(session)).unwrap();
    }
    assert_eq!(world.host.figures().events.count(), 2);
    for session in 1..=2 {
        let session = SessionId(session);
        world.host.send(Command::Close { session });
    }
    let waiting = [(); 2].map(|()| world.events.recv_timeout(PATIENCE).unwrap());
    let waited = Duration::from_millis(60);
    std::thread::sleep(waited);
    for told in waiting {
        let event = told.take(Instant::now());
        assert!(matches!(event, Event::Closed { .. }), "{event:?}");
    }
    let events = world.host.figures().events;
    assert_eq!(events.count(), 4);
    assert!(events.max() >= waited, "{events:?}");
}
