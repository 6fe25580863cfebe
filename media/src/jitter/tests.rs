//! Streams over a bad network, in virtual time: which packets are played, when, and how long they are held.

mod senders;
mod unheard;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{FRAME, JitterBuffer, Packet, Popped, Ticks, ms};
use crate::codec::Codec;
use crate::rtp::{MediaTime, SeqNo};
use crate::sim::{self, Chance};

const MS: Duration = Duration::from_millis(1);
const TICK: Duration = Duration::from_millis(20);

/// One packet on its way: number, timestamp, and when it comes.
#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u16,
    timestamp: u32,
    arrival: Instant,
}

/// Packets of 20 ms, each as late as `delay` says; `None` is lost.
fn stream(count: u32, mut delay: impl FnMut(u32) -> Option<Duration>) -> Vec<Sent> {
    (0..count)
        .filter_map(|at| {
            let arrival = sim::start() + TICK * at + delay(at)?;
            Some(Sent {
                number: at as u16,
                timestamp: at * 160,
                arrival,
            })
        })
        .collect()
}

/// What came out, one entry a tick.
struct Played {
    /// Number of the last packet begun in it, or `None` for one that was concealed or silent.
    frames: Vec<Option<u32>>,
    all: Vec<u32>,
    silent: usize,
    joined: usize,
    /// Ticks at which the sound was made shorter, and by how much; negative where longer.
    changes: Vec<(usize, Ticks)>,
    buffer: JitterBuffer,
    /// Longest delay by tick, in ms.
    delays: Vec<u64>,
}

impl Played {
    fn numbers(&self) -> Vec<u32> {
        self.all.clone()
    }

    fn longest_delay(&self, ticks: std::ops::Range<usize>) -> u64 {
        self.delays[ticks].iter().copied().max().unwrap_or(0)
    }
}

fn insert(
    buffer: &mut JitterBuffer,
    number: u16,
    timestamp: u32,
    payload: &[u8],
    arrival: Instant,
) -> bool {
    buffer.insert(&Packet {
        sequence: SeqNo(number),
        timestamp: MediaTime(timestamp),
        codec: Codec::Pcmu,
        ticks: 6 * payload.len() as Ticks,
        payload,
        arrival,
    })
}

fn payload(number: u32) -> [u8; 160] {
    let mut octets = [0; 160];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    octets
}

/// Plays a stream of one frame a tick; a tick comes 7 ms after the packets are sent.
///
/// The length of sound is changed by 6 ms at most and no more often than every 80 ms, as a voice lets it be.
fn play(mut sent: Vec<Sent>, ticks: u32) -> Played {
    sent.sort_by_key(|packet| packet.arrival);
    let mut coming = sent.into_iter().enumerate().peekable();
    let mut played = Played {
        frames: Vec::new(),
        all: Vec::new(),
        silent: 0,
        joined: 0,
        changes: Vec::new(),
        buffer: JitterBuffer::new(),
        delays: Vec::new(),
    };
    let mut ahead: Ticks = 0;
    for tick in 0..ticks {
        let now = sim::start() + TICK * tick + 7 * MS;
        while let Some((_, packet)) = coming.next_if(|(_, packet)| packet.arrival <= now) {
            let payload = payload(u32::from(packet.number));
            insert(
                &mut played.buffer,
                packet.number,
                packet.timestamp,
                &payload,
                packet.arrival,
            );
        }
        let mut frame = None;
        while ahead < FRAME {
            match played.buffer.pop(now, ahead) {
                Popped::Packet {
                    payload,
                    ticks,
                    is_joined,
                    surplus,
                    ..
                } => {
                    played.joined += usize::from(is_joined);
                    let number = u32::from_be_bytes(payload[..4].try_into().unwrap());
                    frame = Some(number);
                    played.all.push(number);
                    let last = played.changes.last().map_or(0, |(at, _)| *at);
                    let change = if tick as usize >= last + 4 {
                        surplus.clamp(-ms(6), ms(6))
                    } else {
                        0
                    };
                    if change != 0 {
                        played.changes.push((tick as usize, change));
                    }
                    ahead += ticks - change;
                }
                Popped::Lost { ticks, .. } => ahead += ticks,
                Popped::Silence { ticks } => {
                    played.silent += 1;
                    ahead += ticks;
                }
                Popped::Noise { .. } => {}
            }
        }
        ahead -= FRAME;
        played.frames.push(frame);
        played.delays.push(played.buffer.delay().as_millis() as u64);
    }
    played
}

#[test]
fn a_steady_stream_is_played_whole_within_two_frames_and_after_some_seconds_within_one() {
    let played = play(stream(1_500, |_| Some(Duration::ZERO)), 1_510);
    assert_eq!(played.numbers(), (0..1_500).collect::<Vec<_>>());
    assert!(played.longest_delay(0..500) < 40);
    assert!(played.longest_delay(700..1_500) <= 28);
    assert_eq!(played.buffer.target(), 5 * MS);
    let stats = played.buffer.stats();
    assert_eq!(
        (stats.played, stats.lost, stats.late, played.joined),
        (1_500, 0, 0, 0)
    );
    let shorter: Ticks = played.changes.iter().map(|(_, by)| *by).sum();
    assert!(shorter <= FRAME && played.changes.iter().all(|(_, by)| *by > 0));
}

#[test]
fn swapped_and_doubled_packets_are_played_in_order_and_once() {
    let mut sent = stream(100, |at| {
        Some(if at % 10 == 3 {
            21 * MS
        } else {
            Duration::ZERO
        })
    });
    sent.extend(sent.clone());
    let played = play(sent, 110);
    let numbers = played.numbers();
    assert!(numbers.is_sorted() && numbers.len() >= 99, "{numbers:?}");
    assert_eq!(played.buffer.stats().duplicate, 100);
}

#[test]
fn a_lost_packet_leaves_a_gap_of_one_frame() {
    let played = play(stream(100, |at| (at != 50).then_some(Duration::ZERO)), 104);
    let at = played
        .frames
        .iter()
        .position(|frame| *frame == Some(49))
        .unwrap();
    assert_eq!(played.frames[at..at + 3], [Some(49), None, Some(51)]);
    assert_eq!(played.buffer.stats().lost, 1);
}

#[test]
fn a_burst_of_losses_is_as_long_as_it_was_and_does_not_move_the_delay() {
    for lost in 1..20 {
        let played = play(
            stream(200, |at| {
                (!(50..50 + lost).contains(&at)).then_some(Duration::ZERO)
            }),
            210,
        );
        let before = played
            .frames
            .iter()
            .position(|frame| *frame == Some(49))
            .unwrap();
        let after = played
            .frames
            .iter()
            .position(|frame| *frame == Some(50 + lost))
            .unwrap();
        assert_eq!(after - before, lost as usize + 1, "{lost} lost");
        assert!(played.delays.iter().all(|delay| *delay < 40));
    }
}

#[test]
fn the_delay_grows_at_once_when_packets_come_late_and_shrinks_slowly_after() {
    let jittery = |at: u32| {
        Some(if (200..400).contains(&at) {
            MS * (at * 37 % 80)
        } else {
            Duration::ZERO
        })
    };
    let played = play(stream(3_000, jittery), 3_010);
    let stats = *played.buffer.stats();
    assert!(stats.late <= 4, "{stats:?}");
    assert!(
        (80..120).contains(&played.delays[399]),
        "{} ms",
        played.delays[399]
    );
    assert!(
        *played.delays.last().unwrap() <= 45,
        "{:?} ms",
        played.delays.last()
    );
    assert_eq!((stats.lost, stats.discarded), (stats.late, 0));
    let steps = played
        .delays
        .windows(2)
        .map(|pair| pair[0].saturating_sub(pair[1]));
    assert!(steps.max().unwrap() <= 7, "cut");
}

#[test]
fn five_percent_loss_and_30_ms_jitter_settle_to_hardly_any_late_packet() {
    for seed in 1..=20 {
        let mut chance = Chance::new(seed);
        let sent = stream(3_000, |_| {
            (chance.unit() >= 0.05).then(|| MS.mul_f64(30.0 * chance.unit()))
        });
        let arrived = sent.len() as u64;
        let played = play(sent, 3_010);
        let stats = played.buffer.stats();
        assert!(stats.late <= 6, "seed {seed}: {stats:?}");
        assert!(
            played.changes.len() <= 40,
            "seed {seed}: {:?}",
            played.changes
        );
        assert!(
            stats.played + stats.late + 2 >= arrived,
            "seed {seed}: {arrived} came, {stats:?}"
        );
        let longest = *played.delays[100..].iter().max().unwrap();
        assert!(longest <= 80, "seed {seed}: {longest} ms");
        assert!(played.numbers().is_sorted());
    }
}

#[test]
fn the_delay_never_exceeds_its_bound_whatever_the_network_does() {
    for seed in 1..=20 {
        let mut chance = Chance::new(seed);
        let sent = stream(2_000, |_| {
            (chance.unit() >= 0.1).then(|| MS.mul_f64(600.0 * chance.unit().powi(3)))
        });
        let played = play(sent, 2_050);
        let longest = *played.delays.iter().max().unwrap();
        assert!(longest <= 340, "seed {seed}: {longest} ms");
        assert!(played.buffer.target() <= 200 * MS);
        assert!(played.numbers().is_sorted());
    }
}

#[test]
fn a_stall_of_two_seconds_drops_its_backlog_and_goes_on() {
    let stalled = |at: u32| {
        Some(if (200..300).contains(&at) {
            TICK * (300 - at)
        } else {
            Duration::ZERO
        })
    };
    let played = play(stream(600, stalled), 610);
    let back = played
        .frames
        .iter()
        .rposition(|frame| frame.is_none())
        .unwrap_or(0);
    assert!(played.silent >= 90, "{}", played.silent);
    assert!(
        played.frames[320..600].iter().flatten().count() >= 270,
        "{:?}",
        &played.frames[295..330]
    );
    assert!(played.delays[599] <= 240, "{} {back}", played.delays[599]);
}

#[test]
fn doubles_that_come_late_do_not_lengthen_the_delay() {
    let mut sent = stream(500, |_| Some(Duration::ZERO));
    sent.extend(sent.clone().into_iter().map(|packet| Sent {
        arrival: packet.arrival + 150 * MS,
        ..packet
    }));
    let played = play(sent, 510);
    assert!(played.buffer.target() <= 20 * MS);
    assert_eq!(played.buffer.stats().duplicate, 500);
}

#[test]
fn a_reset_forgets_the_stream_and_keeps_the_figures() {
    let mut buffer = play(stream(100, |_| Some(Duration::ZERO)), 101).buffer;
    let played = buffer.stats().played;
    buffer.reset();
    let now = sim::start() + TICK * 102;
    assert_eq!(buffer.pop(now, 0), Popped::Silence { ticks: FRAME });
    insert(&mut buffer, 9, 4_000_000, &payload(9), now);
    assert!(matches!(
        buffer.pop(now + 2 * TICK, 0),
        Popped::Packet { .. }
    ));
    assert_eq!(buffer.stats().played, played + 1);
}

proptest! {
    #[test]
    fn any_packets_at_any_time_are_taken(
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), 0..400_usize, 0..100_u64, 0..5_u8, 0..1_000_i64), 0..400),
    ) {
        let mut buffer = JitterBuffer::new();
        let mut now = sim::start();
        for (number, timestamp, len, wait, kind, ahead) in packets {
            let (sequence, payload) = (SeqNo(number % 300), vec![0; len]);
            let packet = Packet {
                sequence,
                timestamp: MediaTime(timestamp),
                codec: [Codec::Pcmu, Codec::Opus, Codec::L16Wide][usize::from(kind) % 3],
                ticks: len as Ticks * i64::from(kind),
                payload: &payload,
                arrival: now,
            };
            match kind {
                0 => buffer.insert_redundant(&packet),
                1 => buffer.insert_noise(sequence, (MediaTime(timestamp), 8_000), &payload, now),
                2 => buffer.pass(sequence),
                _ => drop(buffer.insert(&packet)),
            }
            now += MS * wait as u32;
            match buffer.pop(now, ahead) {
                Popped::Packet { ticks, payload, .. } => {
                    prop_assert!((1..=ms(200)).contains(&ticks));
                    prop_assert!(payload.len() < 400);
                }
                Popped::Lost { ticks, .. } | Popped::Silence { ticks } => prop_assert!((1..=ms(200)).contains(&ticks)),
                Popped::Noise { payload } => prop_assert!(payload.len() < 400),
            }
        }
    }
}
