//! The media side of a phone: one UDP socket that sends a packet every 20 ms and keeps what comes back.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sound::{self, FRAME, Law};

const PTIME: Duration = Duration::from_millis(20);

/// The payload type that phones here use for telephone-event.
pub const EVENT: u8 = 101;

/// How long a story waits to hear something before it fails.
const PATIENCE: Duration = Duration::from_secs(4);

/// A packet that came in.
#[derive(Clone, Debug)]
pub struct Packet {
    pub at: Instant,
    pub source: SocketAddr,
    pub payload_type: u8,
    pub seq: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

/// What leaves in one tick.
enum Item {
    Sound(Vec<i16>),
    /// One packet of a key (RFC 4733 §2.3); `tick` counts from 1.
    Event {
        code: u8,
        tick: u16,
        is_last: bool,
    },
}

struct State {
    remote: Option<SocketAddr>,
    law: Law,
    outgoing: VecDeque<Item>,
    is_muted: bool,
    seq: u16,
    timestamp: u32,
    event_started: u32,
    ssrc: u32,
    received: Vec<Packet>,
    reports: Vec<Vec<u8>>,
}

/// A running media socket; it falls silent when dropped.
pub struct Media {
    socket: Arc<UdpSocket>,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Media {
    /// Binds an even port and the odd one above it (RFC 3550 §11) and waits to be told where to send.
    pub fn new(ip: IpAddr) -> Self {
        let (socket, rtcp) = bind_pair(ip);
        let socket = Arc::new(socket);
        let port = socket.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            remote: None,
            law: Law::Mu,
            outgoing: VecDeque::new(),
            is_muted: false,
            seq: port,
            timestamp: u32::from(port) * 7919,
            event_started: 0,
            ssrc: u32::from(port) << 12 | 0xabc,
            received: Vec::new(),
            reports: Vec::new(),
        }));
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = vec![
            thread::spawn({
                let (socket, state, is_over) = (socket.clone(), state.clone(), is_over.clone());
                move || send(&socket, &state, &is_over)
            }),
            thread::spawn({
                let (socket, state, is_over) = (socket.clone(), state.clone(), is_over.clone());
                move || {
                    receive(&socket, &is_over, |source, bytes| {
                        keep_packet(&mut lock(&state), source, bytes)
                    })
                }
            }),
            thread::spawn({
                let (socket, state, is_over) = (rtcp, state.clone(), is_over.clone());
                move || {
                    receive(&socket, &is_over, |_, bytes| {
                        lock(&state).reports.push(bytes.to_vec())
                    })
                }
            }),
        ];
        Media {
            socket,
            state,
            is_over,
            threads,
        }
    }

    pub fn local(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Sends from now on to `remote`, silence when nothing better is queued.
    pub fn start(&self, remote: SocketAddr, law: Law) {
        let mut state = lock(&self.state);
        state.remote = Some(remote);
        state.law = law;
    }

    pub fn remote(&self) -> Option<SocketAddr> {
        lock(&self.state).remote
    }

    /// Sequence number, timestamp and source of what was sent last, for a story that goes on by itself.
    pub fn last_sent(&self) -> (u16, u32, u32) {
        let state = lock(&self.state);
        let last = state.timestamp.wrapping_sub(FRAME as u32);
        (state.seq, last, state.ssrc)
    }

    /// Sends nothing at all while `true`.
    pub fn mute(&self, is_muted: bool) {
        lock(&self.state).is_muted = is_muted;
    }

    /// Queues sound behind what is queued.
    pub fn play(&self, samples: &[i16]) {
        let mut state = lock(&self.state);
        for frame in samples.chunks(FRAME) {
            let mut frame = frame.to_vec();
            frame.resize(FRAME, 0);
            state.outgoing.push_back(Item::Sound(frame));
        }
    }

    /// Presses a key by RFC 4733: five packets, then the end three times.
    pub fn press(&self, digit: char) {
        let code = "0123456789*#ABCD".find(digit).expect("a key of the pad") as u8;
        let mut state = lock(&self.state);
        for tick in 1..=5 {
            state.outgoing.push_back(Item::Event {
                code,
                tick,
                is_last: tick == 5,
            });
        }
        for _ in 0..3 {
            state.outgoing.push_back(Item::Sound(vec![0; FRAME]));
        }
    }

    /// Presses a key by its two tones.
    pub fn press_in_band(&self, digit: char) {
        self.play(&sound::key(digit, 100));
        self.play(&sound::silence(100));
    }

    /// Sends bytes from the media socket as they are.
    pub fn send_raw(&self, bytes: &[u8], to: SocketAddr) {
        self.socket.send_to(bytes, to).unwrap();
    }

    pub fn packets(&self) -> Vec<Packet> {
        lock(&self.state).received.clone()
    }

    /// RTCP compounds that came in, oldest first.
    pub fn reports(&self) -> Vec<Vec<u8>> {
        lock(&self.state).reports.clone()
    }

    pub fn forget(&self) {
        lock(&self.state).received.clear();
    }

    /// Keys heard by RFC 4733, each once.
    pub fn digits(&self) -> String {
        let mut last = None;
        let mut digits = String::new();
        for packet in lock(&self.state)
            .received
            .iter()
            .filter(|p| p.payload_type == EVENT)
        {
            if last != Some((packet.ssrc, packet.timestamp)) {
                last = Some((packet.ssrc, packet.timestamp));
                let code = usize::from(packet.payload[0]);
                digits.push("0123456789*#ABCD".chars().nth(code).unwrap_or('?'));
            }
        }
        digits
    }

    /// The sound that came in during the last `span`.
    pub fn recent(&self, span: Duration) -> Vec<i16> {
        let since = Instant::now() - span;
        sound_of(lock(&self.state).received.iter().filter(|p| p.at >= since))
    }

    /// All sound that came in, in order of arrival.
    pub fn heard(&self) -> Vec<i16> {
        sound_of(lock(&self.state).received.iter())
    }

    /// Waits until the last 160 ms were the one tone `hz`; how long that took.
    #[track_caller]
    pub fn hears(&self, hz: f64) -> Duration {
        let began = Instant::now();
        let is_heard = wait(PATIENCE, || {
            let last = self.recent(Duration::from_millis(160));
            last.len() >= 6 * FRAME && sound::is_tone(&last, hz)
        });
        assert!(is_heard, "did not hear {hz} Hz: {}", self.describe());
        began.elapsed()
    }

    /// Waits for `millis` of sound above a whisper, such as speech.
    #[track_caller]
    pub fn hears_voice(&self, millis: usize) {
        let is_heard = wait(PATIENCE, || {
            let loud = self
                .heard()
                .chunks(FRAME)
                .filter(|frame| sound::rms(frame) > 200.0)
                .count();
            loud * 20 >= millis
        });
        assert!(is_heard, "did not hear a voice: {}", self.describe());
    }

    /// Waits until `span` went by without sound: no packet, or packets of silence.
    #[track_caller]
    pub fn hears_nothing_for(&self, span: Duration) {
        let is_quiet = wait(PATIENCE, || {
            thread::sleep(span);
            sound::rms(&self.recent(span)) < 60.0
        });
        assert!(is_quiet, "it never fell silent: {}", self.describe());
    }

    /// Waits until `digits` have come in by RFC 4733.
    #[track_caller]
    pub fn hears_digits(&self, digits: &str) {
        wait(PATIENCE, || self.digits().len() >= digits.len());
        assert_eq!(self.digits(), digits, "{}", self.describe());
    }

    fn describe(&self) -> String {
        let packets = self.packets();
        let last = self.recent(Duration::from_millis(400));
        format!(
            "{} packets in all, in the last 400 ms {} samples, rms {:.0}, loudest {} Hz, events {:?}, from {:?}",
            packets.len(),
            last.len(),
            sound::rms(&last),
            sound::loudest(&last),
            self.digits(),
            packets.last().map(|packet| packet.source),
        )
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Polls `claim` every 10 ms until it holds; whether it ever did.
pub fn wait(patience: Duration, mut claim: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    loop {
        if claim() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A header and `payload` as they go on the wire (RFC 3550 §5.1).
pub fn packet(
    payload_type: u8,
    marker: bool,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn bind_pair(ip: IpAddr) -> (UdpSocket, UdpSocket) {
    for _ in 0..200 {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind((ip, port + 1))
        {
            return (socket, rtcp);
        }
    }
    panic!("no even port with a free odd one above it");
}

fn send(socket: &UdpSocket, state: &Mutex<State>, is_over: &AtomicBool) {
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        next += PTIME;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let (remote, packets) = {
            let mut state = lock(state);
            let Some(remote) = state.remote.filter(|_| !state.is_muted) else {
                continue;
            };
            (remote, next_packets(&mut state))
        };
        for bytes in packets {
            let _ = socket.send_to(&bytes, remote);
        }
    }
}

fn next_packets(state: &mut State) -> Vec<Vec<u8>> {
    let now = state.timestamp;
    state.timestamp = now.wrapping_add(FRAME as u32);
    let (payload_type, marker, timestamp, payload, copies) = match state.outgoing.pop_front() {
        Some(Item::Event {
            code,
            tick,
            is_last,
        }) => {
            if tick == 1 {
                state.event_started = now;
            }
            let end = if is_last { 0x80 } else { 0 };
            let duration = (tick * FRAME as u16).to_be_bytes();
            let payload = vec![code, end | 10, duration[0], duration[1]];
            (
                EVENT,
                tick == 1,
                state.event_started,
                payload,
                if is_last { 3 } else { 1 },
            )
        }
        other => {
            let samples = match other {
                Some(Item::Sound(samples)) => samples,
                _ => vec![0; FRAME],
            };
            let payload = samples.iter().map(|&s| state.law.encode(s)).collect();
            (state.law.payload_type(), false, now, payload, 1)
        }
    };
    (0..copies)
        .map(|_| {
            state.seq = state.seq.wrapping_add(1);
            packet(
                payload_type,
                marker,
                state.seq,
                timestamp,
                state.ssrc,
                &payload,
            )
        })
        .collect()
}

fn receive(socket: &UdpSocket, is_over: &AtomicBool, mut keep: impl FnMut(SocketAddr, &[u8])) {
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut buffer = [0; 2048];
    while !is_over.load(Ordering::Relaxed) {
        if let Ok((len, source)) = socket.recv_from(&mut buffer) {
            keep(source, &buffer[..len]);
        }
    }
}

fn keep_packet(state: &mut State, source: SocketAddr, bytes: &[u8]) {
    if bytes.len() < 12 || bytes[0] >> 6 != 2 {
        return;
    }
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    state.received.push(Packet {
        at: Instant::now(),
        source,
        payload_type: bytes[1] & 0x7f,
        seq: u16::from_be_bytes([bytes[2], bytes[3]]),
        timestamp: word(4),
        ssrc: word(8),
        payload: bytes[12..].to_vec(),
    });
}

fn sound_of<'a>(packets: impl Iterator<Item = &'a Packet>) -> Vec<i16> {
    packets
        .filter_map(|p| match p.payload_type {
            0 => Some((Law::Mu, &p.payload)),
            8 => Some((Law::A, &p.payload)),
            _ => None,
        })
        .flat_map(|(law, payload)| payload.iter().map(move |&byte| law.decode(byte)))
        .collect()
}
