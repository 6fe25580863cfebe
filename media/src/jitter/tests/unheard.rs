//! What an ear did not get, by what the buffer counts.

use super::*;

/// Packets of which those from the hundredth on are so much later.
fn held_up(delay: Duration) -> Played {
    let late = |at| if at < 100 { Duration::ZERO } else { delay };
    play(stream(300, |at| Some(late(at))), 320)
}

#[test]
fn what_is_made_up_until_a_late_packet_is_played_is_counted_as_a_stall() {
    for (delay, stalled) in [(2, 0..=0), (30, 1..=2), (100, 3..=3)] {
        let stats = *held_up(delay * MS).buffer.stats();
        assert!(stalled.contains(&stats.stalled), "{delay} ms: {stats:?}");
        assert_eq!((stats.lost, stats.played), (0, 300), "{delay} ms");
        assert_eq!(
            (stats.unheard(), stats.due()),
            (stats.stalled, 300 + stats.stalled)
        );
    }
}

#[test]
fn what_is_lost_or_comes_too_late_is_unheard() {
    let is_lost = |at| at % 20 == 7;
    let is_late = |at| at % 20 == 13;
    let delay = |at| match (is_lost(at), is_late(at)) {
        (true, _) => None,
        (_, true) => Some(90 * MS),
        _ => Some(Duration::ZERO),
    };
    let sent = stream(300, |at| {
        if at < 200 {
            delay(at)
        } else {
            Some(Duration::ZERO)
        }
    });
    let count = sent.len() as u64;
    let stats = *play(sent, 320).buffer.stats();
    assert_eq!(stats.lost, 10 + stats.late);
    // One of them came while something was made up for it.
    assert!(stats.stalled <= 1, "{stats:?}");
    assert_eq!(stats.due(), 300 + stats.stalled);
    assert_eq!(stats.played + stats.late, count);
}

#[test]
fn a_pause_is_no_stall_whether_timestamps_run_in_it_or_stand_still() {
    for ticks in [0, 16_000] {
        let mut sent = stream(300, |_| Some(Duration::ZERO));
        for packet in &mut sent[150..] {
            packet.arrival += 2_000 * MS;
            packet.timestamp += ticks;
        }
        let stats = *play(sent, 430).buffer.stats();
        assert_eq!((stats.stalled, stats.unheard()), (0, 0), "{ticks}");
    }
}

#[test]
fn figures_of_two_streams_are_added() {
    let (one, other) = (
        *held_up(30 * MS).buffer.stats(),
        *held_up(100 * MS).buffer.stats(),
    );
    let mut both = one;
    both += other;
    assert_eq!(both.due(), one.due() + other.due());
    assert_eq!(both.stalled, one.stalled + other.stalled);
}
