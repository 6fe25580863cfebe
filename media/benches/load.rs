//! What a call costs on real sockets: CPU of the media threads per call and second, and the time an echo
//! takes, beside the floor of a bare loop that receives and sends on as many sockets.
//!
//! `cargo bench -p flowswitch-media --features host --bench load -- [floor|echo|bridge|conference|hall|listeners|floor-play|play|hear|record|idle] [calls] [seconds]`

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and starts threads"
)]

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use flowswitch_media::codec::Codec;
use flowswitch_media::command::{
    BridgeId, Command, CommandId, Direction, Event, Part, RecordingConfig, RecordingTarget,
    SessionConfig, SessionId, TelephoneEvent,
};
use flowswitch_media::host::{HostConfig, MediaHost};
use flowswitch_media::prompt::Prompt;
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc};
use rustix::event::{Timespec, epoll};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Members of a conference, and of the largest one.
const ROOM: u64 = 100;
const HALL: u64 = 200;
const PACKET: usize = HEADER_LEN + 160;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let number = |at: usize, default| {
        words
            .get(at)
            .and_then(|word| word.parse().ok())
            .unwrap_or(default)
    };
    let (calls, seconds) = (number(1, 500), number(2, 10));
    let modes = words.first().map_or(
        vec![
            "floor",
            "echo",
            "bridge",
            "conference",
            "hall",
            "listeners",
            "floor-play",
            "play",
            "hear",
            "record",
            "idle",
        ],
        // Its floor is measured in the same run.
        |mode| match mode.as_str() {
            "floor" | "floor-play" => vec![mode.as_str()],
            "play" => vec!["floor-play", "play"],
            mode => vec!["floor", mode],
        },
    );
    println!(
        "mode       calls  CPU ms per call-second  by floor  echo us p50   p99  p99.9  lost  late ticks  KiB per call"
    );
    let mut floor = None;
    for mode in modes {
        let cost = run(mode, calls, Duration::from_secs(seconds), floor);
        if mode.starts_with("floor") {
            floor = Some(cost);
        }
    }
    // There is none when nothing was recorded.
    let _ = std::fs::remove_dir_all(folder());
}

/// Runs one mode and prints its line; a call of a bridge or a conference is one of its members.
fn run(mode: &str, calls: u64, time: Duration, floor: Option<f64>) -> f64 {
    let peers: Arc<Vec<UdpSocket>> = Arc::new((0..calls).map(|_| bind()).collect());
    let memory_before = memory();
    let is_over = Arc::new(AtomicBool::new(false));
    let (targets, host) = match mode {
        "floor" => (floor_of_echo(&peers, &is_over), None),
        "floor-play" => (floor_of_play(&peers, &is_over), None),
        _ => {
            let (host, targets) = start(mode, &peers);
            (targets, Some(host))
        }
    };
    let talks = !matches!(mode, "floor-play" | "play" | "idle");
    let listener = {
        let (peers, is_over) = (Arc::clone(&peers), Arc::clone(&is_over));
        let is_timed = matches!(mode, "floor" | "echo" | "bridge");
        std::thread::spawn(move || listen(&peers, is_timed, &is_over))
    };
    let (late_before, cpu_before, begin) = (late_ticks(host.as_ref()), cpu(), Instant::now());
    let sent = if talks {
        talk(&peers, &targets, begin, time)
    } else {
        0
    };
    std::thread::sleep(time.saturating_sub(begin.elapsed()));
    let spent = cpu() - cpu_before;
    let grown = memory().saturating_sub(memory_before);
    let late = late_ticks(host.as_ref()) - late_before;
    is_over.store(true, Ordering::Relaxed);
    let Heard {
        packets,
        mut delays,
    } = listener.join().unwrap_or_default();
    delays.sort_unstable();
    let percentile = |part: f64| {
        delays
            .get((delays.len() as f64 * part) as usize)
            .copied()
            .unwrap_or(0)
    };
    let cost = spent.as_secs_f64() * 1_000.0 / (calls as f64 * time.as_secs_f64());
    let ratio = floor.map_or(1.0, |floor| cost / floor);
    println!(
        "{mode:10} {calls:5}  {cost:22.3}  {ratio:8.2}  {:11} {:5} {:6}  {:4}  {late:10}  {:12.1}",
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        if delays.is_empty() {
            0
        } else {
            sent.saturating_sub(packets)
        },
        grown as f64 / calls as f64,
    );
    cost
}

/// A host whose sessions all do what `mode` says; where their RTP goes.
fn start(mode: &str, peers: &[UdpSocket]) -> (MediaHost, Vec<SocketAddr>) {
    let (sender, events) = mpsc::channel();
    let config = HostConfig {
        threads: 1,
        ports: 30_000..=60_000,
        name: "media".into(),
        seed: [5; 32],
    };
    let mut host = MediaHost::start(config, move |told| {
        drop(sender.send(told.take(Instant::now())))
    })
    .expect("a media host");
    let prompt = Arc::new(Prompt::from_samples(vec![1_000; 8_000 * 60]));
    let mut ports = HashMap::new();
    let calls = peers.len() as u64;
    for (id, peer) in (0..).zip(peers) {
        let (session, command) = (SessionId(id), CommandId(id));
        host.send(Command::Open {
            session,
            local: LOCAL,
        });
        let config = Box::new(agreed(peer.local_addr().expect("a bound socket")));
        host.send(Command::Configure { session, config });
        let duration = Duration::from_secs(3_600);
        match mode {
            "echo" => host.send(Command::Echo {
                command,
                session,
                duration,
                with_digits: true,
            }),
            "play" => {
                let prompts = vec![Arc::clone(&prompt)];
                host.send(Command::Play {
                    command,
                    session,
                    prompts,
                    stop_on_digit: true,
                    is_endless: false,
                });
            }
            "bridge" => host.send(join(session, id / 2, true)),
            "conference" => host.send(join(session, id / ROOM, true)),
            "hall" => host.send(join(session, id / HALL, true)),
            // Ten talk, and all others only listen.
            "listeners" => host.send(join(session, id / ROOM, id % ROOM < 10)),
            "record" => {
                let config = Box::new(recording(id));
                host.send(Command::Record {
                    command,
                    session,
                    config,
                });
                // Both ways.
                host.send(Command::Play {
                    command: CommandId(id + calls),
                    session,
                    prompts: vec![Arc::clone(&prompt)],
                    stop_on_digit: true,
                    is_endless: true,
                });
            }
            _ => {}
        }
        // Calls come one after another.
        std::thread::sleep(Duration::from_micros(500));
    }
    while ports.len() < peers.len() {
        match events
            .recv_timeout(Duration::from_secs(5))
            .expect("sessions open at once")
        {
            Event::Opened { session, port } => ports.insert(session.0, port),
            other => unreachable!("{other:?}"),
        };
    }
    let targets = (0..peers.len() as u64)
        .map(|id| SocketAddr::new(LOCAL, ports[&id]))
        .collect();
    (host, targets)
}

fn join(session: SessionId, bridge: u64, speaks: bool) -> Command {
    let (bridge, hears) = (BridgeId(bridge), true);
    let part = Part { speaks, hears };
    Command::Join {
        session,
        bridge,
        part,
    }
}

fn agreed(remote: SocketAddr) -> SessionConfig {
    SessionConfig {
        remote,
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

/// Both sides of a call, in the folder for temporary files.
fn recording(id: u64) -> RecordingConfig {
    RecordingConfig {
        target: RecordingTarget::sides(
            folder().join(format!("{id}-in.wav")),
            folder().join(format!("{id}-out.wav")),
        ),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: None,
        beep_start: false,
    }
}

fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("flowswitch-load-{}", std::process::id()))
}

/// The least that an echo can cost: one thread, as many sockets, receive and send.
fn floor_of_echo(peers: &[UdpSocket], is_over: &Arc<AtomicBool>) -> Vec<SocketAddr> {
    let sockets: Vec<UdpSocket> = peers.iter().map(|_| bind()).collect();
    let targets = sockets
        .iter()
        .map(|socket| socket.local_addr().expect("a bound socket"))
        .collect();
    let is_over = Arc::clone(is_over);
    let serve = move || {
        serve(&sockets, &is_over, |socket, bytes, from| {
            // A full buffer at the peer is told by the count of lost packets.
            let _ = socket.send_to(bytes, from);
        });
    };
    std::thread::Builder::new()
        .name("media-floor".into())
        .spawn(serve)
        .expect("a thread");
    targets
}

/// The least that a playback can cost: one thread, as many sockets, one send each 20 ms, spread.
fn floor_of_play(peers: &[UdpSocket], is_over: &Arc<AtomicBool>) -> Vec<SocketAddr> {
    let address = |peer: &UdpSocket| peer.local_addr().expect("a bound socket");
    let targets: Vec<SocketAddr> = peers.iter().map(address).collect();
    let (sockets, to): (Vec<_>, _) = (peers.iter().map(|_| bind()).collect(), targets.clone());
    let is_over = Arc::clone(is_over);
    let send = move || {
        let begin = Instant::now();
        for slot in 0.. {
            let due = begin + Duration::from_millis(slot);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            for id in ((slot % 20) as usize..to.len()).step_by(20) {
                // A full buffer at the peer costs the same.
                let _ = sockets[id].send_to(&[0xFF; PACKET], to[id]);
            }
        }
    };
    std::thread::Builder::new()
        .name("media-floor".into())
        .spawn(send)
        .expect("a thread");
    targets
}

/// What came back to the peers.
#[derive(Debug, Default)]
struct Heard {
    packets: u64,
    /// How long each took that still says when it was sent, in microseconds.
    delays: Vec<u32>,
}

/// Receives what comes until it is over.
fn listen(peers: &[UdpSocket], is_timed: bool, is_over: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    serve(peers, is_over, |_, bytes, _| {
        // RTCP has packet types from 200 on in this octet, where RTP has marker and payload type (RFC 5761 §4).
        heard.packets += u64::from(bytes.get(1).is_some_and(|octet| octet & 0x7F < 72));
        if is_timed && let Some(stamp) = bytes.get(HEADER_LEN..HEADER_LEN + 8) {
            let sent = u64::from_be_bytes(stamp.try_into().expect("eight octets"));
            // The first packet of a bridge has a soft edge in place of its stamp.
            let delay = nanos().checked_sub(sent);
            let micros = delay.and_then(|nanos| u32::try_from(nanos / 1_000).ok());
            heard.delays.extend(micros);
        }
    });
    heard
}

fn serve(
    sockets: &[UdpSocket],
    is_over: &AtomicBool,
    mut take: impl FnMut(&UdpSocket, &[u8], SocketAddr),
) {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    for (token, socket) in (0..).zip(sockets) {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&poller, socket, data, epoll::EventFlags::IN).expect("a socket to watch");
    }
    let mut buffer = [0; 2_048];
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    while !is_over.load(Ordering::Relaxed) {
        let mut events = [const { MaybeUninit::uninit() }; 256];
        let Ok((events, _)) = epoll::wait(&poller, &mut events, Some(&pause)) else {
            continue;
        };
        for event in events {
            let data = event.data;
            let socket = &sockets[data.u64() as usize];
            if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                take(socket, &buffer[..len], from);
            }
        }
    }
}

/// Every peer speaks a packet each 20 ms, spread over them; how many packets that were.
fn talk(peers: &[UdpSocket], targets: &[SocketAddr], begin: Instant, time: Duration) -> u64 {
    let mut packet = [0xFF; PACKET];
    // A voice, so that nothing is passed over as silence.
    let voice = packet[HEADER_LEN..].iter_mut().zip(0..);
    voice.for_each(|(octet, at)| *octet = 0xB0 + (at % 16) as u8);
    let mut sent = 0;
    for slot in 0.. {
        let due = begin + Duration::from_millis(slot);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if due > begin + time {
            break;
        }
        let count = (slot / 20) as u32;
        for id in ((slot % 20) as usize..peers.len()).step_by(20) {
            let header = RtpHeader {
                marker: false,
                payload_type: 0,
                sequence: SeqNo(count as u16),
                timestamp: MediaTime(count * 160),
                ssrc: Ssrc(id as u32),
            };
            header.write(&mut packet);
            packet[HEADER_LEN..HEADER_LEN + 8].copy_from_slice(&nanos().to_be_bytes());
            sent += u64::from(peers[id].send_to(&packet, targets[id]).is_ok());
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    sent
}

fn bind() -> UdpSocket {
    let socket = UdpSocket::bind((LOCAL, 0)).expect("a free port");
    socket.set_nonblocking(true).expect("a socket of ours");
    socket
}

fn late_ticks(host: Option<&MediaHost>) -> u64 {
    host.map_or(0, |host| host.stats().late_ticks)
}

/// Nanoseconds since some time in the past.
fn nanos() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// CPU time of the threads whose name begins with `media`.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let of_media = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm"))
            .is_ok_and(|name| name.starts_with("media"))
    });
    of_media
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|figures| figures.split(' ').next()?.parse().ok())
        .map(Duration::from_nanos)
        .sum()
}

/// Resident memory of this process in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap_or(0)
}
