//! What senders do with their numbers, timestamps, clocks and packet times.

use super::*;

#[test]
fn a_silent_sender_is_silence_and_its_next_talkspurt_is_played_whole() {
    for pause in [2, 5, 50, 5_000_u32] {
        let mut sent = stream(100, |_| Some(Duration::ZERO));
        sent.extend((0..100).map(|at| Sent {
            number: 100 + at as u16,
            timestamp: (100 + pause + at) * 160,
            arrival: sim::start() + TICK * (100 + pause + at),
        }));
        let played = play(sent, 210 + pause);
        assert_eq!(
            played.numbers(),
            (0..200).collect::<Vec<_>>(),
            "pause of {pause} frames"
        );
        assert_eq!(played.buffer.stats().lost, 0);
        let last = played.frames.iter().rposition(Option::is_some).unwrap();
        assert!(last <= 203 + pause as usize);
    }
}

#[test]
fn a_sender_whose_timestamps_stand_still_in_a_pause_is_played_without_more_delay() {
    let mut sent = stream(100, |_| Some(Duration::ZERO));
    sent.extend((100..200).map(|at| Sent {
        number: at as u16,
        timestamp: at * 160,
        arrival: sim::start() + TICK * at + 3_000 * MS,
    }));
    let played = play(sent, 400);
    assert_eq!(played.numbers(), (0..200).collect::<Vec<_>>());
    assert!(played.delays.iter().all(|delay| *delay < 45));
}

#[test]
fn timestamps_that_jump_amid_speech_do_not_stop_it() {
    for jump in [1_000_000_u32, 5_000, u32::MAX - 100_000, u32::MAX - 5_000] {
        let sent: Vec<_> = stream(300, |_| Some(Duration::ZERO))
            .into_iter()
            .map(|packet| Sent {
                timestamp: if packet.number < 100 {
                    packet.timestamp
                } else {
                    packet.timestamp.wrapping_add(jump)
                },
                ..packet
            })
            .collect();
        let played = play(sent, 310);
        assert!(
            played.numbers().len() >= 297,
            "jump of {jump}: {}",
            played.numbers().len()
        );
        assert!(
            played.delays.iter().all(|delay| *delay < 60),
            "jump of {jump}"
        );
    }
}

#[test]
fn sequence_numbers_wrap_and_a_jump_of_them_costs_one_packet() {
    let wrapped = stream(300, |_| Some(Duration::ZERO))
        .into_iter()
        .map(|packet| Sent {
            number: packet.number.wrapping_add(65_400),
            ..packet
        });
    let played = play(wrapped.collect(), 310);
    assert_eq!(played.numbers().len(), 300);
    let jumped = stream(300, |_| Some(Duration::ZERO))
        .into_iter()
        .map(|packet| match packet.number {
            0..100 => packet,
            number => Sent {
                number: number + 30_000,
                timestamp: packet.timestamp + 77_777,
                ..packet
            },
        });
    let played = play(jumped.collect(), 310);
    let stats = played.buffer.stats();
    assert_eq!((stats.restarts, stats.discarded), (1, 1));
    assert!(played.numbers().len() >= 296, "{}", played.numbers().len());
}

#[test]
fn numbers_and_timestamps_that_jump_ahead_together_do_not_stop_the_sound() {
    for (ahead, jump) in [
        (20, 12_345_678_u32),
        (500, 1_000_000),
        (2_900, 40_000),
        (2_900, 4_000_000_000),
    ] {
        let sent = stream(300, |_| Some(Duration::ZERO))
            .into_iter()
            .map(|packet| match packet.number {
                0..100 => packet,
                number => Sent {
                    number: number + ahead,
                    timestamp: packet.timestamp.wrapping_add(jump),
                    ..packet
                },
            });
        let played = play(sent.collect(), 310);
        assert!(
            played.numbers().len() >= 296,
            "{ahead} ahead, {jump}: {}",
            played.numbers().len()
        );
    }
}

#[test]
fn a_clock_that_drifts_is_followed_for_an_hour() {
    for parts_per_million in [-1_000_i64, -200, 200, 1_000] {
        let sent = stream(180_000, |at| {
            let drift = i64::from(at) * 20_000 * parts_per_million / 1_000_000;
            Some(Duration::from_micros((4_000_000 + drift).unsigned_abs()))
        });
        let played = play(sent, 180_000);
        let stats = played.buffer.stats();
        let longest = played.longest_delay(0..180_000);
        assert!(longest < 60, "{parts_per_million} ppm: {longest} ms");
        // What the clock runs ahead or behind in an hour, in steps of a frame, and nothing else.
        let changed: Ticks = played.changes.iter().map(|(_, by)| *by).sum();
        let drifted = -ms(3_600) * parts_per_million / 1_000;
        assert!(
            (changed - drifted).abs() <= ms(45),
            "{parts_per_million} ppm: {changed} {drifted}"
        );
        assert_eq!(
            (stats.lost, stats.discarded, played.joined),
            (0, 0, 0),
            "{stats:?}"
        );
        assert!(stats.played >= 179_500, "{stats:?}");
    }
}

#[test]
fn packets_of_any_length_feed_ticks_of_20_ms() {
    for len in [20_u32, 40, 80, 120, 200, 240, 320, 480, 960, 77, 333] {
        let mut buffer = JitterBuffer::new();
        let (mut ahead, mut sounded, mut sent) = (0, 0, 0);
        for tick in 0..1_000_u32 {
            let now = sim::start() + TICK * tick;
            while (sent + 1) * len <= tick * 160 {
                let arrival =
                    sim::start() + Duration::from_micros(u64::from((sent + 1) * len) * 125);
                insert(
                    &mut buffer,
                    sent as u16,
                    sent * len,
                    &vec![0xFF; len as usize],
                    arrival,
                );
                sent += 1;
            }
            while ahead < FRAME {
                ahead += match buffer.pop(now, ahead) {
                    Popped::Packet { ticks, .. } => {
                        sounded += ticks;
                        ticks
                    }
                    Popped::Lost { ticks, .. } | Popped::Silence { ticks } => ticks,
                    Popped::Noise { .. } => 0,
                };
            }
            ahead -= FRAME;
        }
        assert!(
            sounded >= 1_000 * FRAME - ms(250),
            "packets of {len}: {sounded} {:?}",
            buffer.stats()
        );
        assert_eq!(
            (buffer.stats().lost, buffer.stats().discarded),
            (0, 0),
            "packets of {len}"
        );
    }
}
