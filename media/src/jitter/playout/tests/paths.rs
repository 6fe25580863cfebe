//! Over networks that lose packets, hold them up, or count time by another clock.

use super::*;

#[test]
fn a_tone_keeps_frequency_and_level_through_2_percent_loss_and_40_ms_jitter() {
    for codec in [
        Codec::Pcmu,
        Codec::Pcma,
        Codec::L16,
        Codec::G722,
        Codec::L16Wide,
    ] {
        for seed in 1..=4 {
            let mut peer = Peer::singing(codec, 1_000.0);
            let coming = packets(&mut peer, 1_500, bad_path(seed, 0.02, 40.0));
            let heard = listen(coming, 1_500, Band::Narrow);
            let what = format!("{codec:?}, seed {seed}");
            let level = level_of(&heard.narrow[8_000..], 1_000.0, &what);
            // A sine of 5,000 is -19.34 dBov, and steps by 3,830 at most.
            assert!((level + 19.34).abs() < 0.5, "{what}: {level:.2} dBov");
            assert!(
                heard.largest_step() < 5_600,
                "{what}: {}",
                heard.largest_step()
            );
            assert!(heard.late <= 12, "{what}: {} late", heard.late);
        }
    }
}

#[test]
fn an_hour_of_a_clock_that_drifts_keeps_delay_frequency_and_level_over_wraps_and_new_sources() {
    for ppm in [-1_000_i64, -200, 200, 1_000] {
        let mut peer = Peer::singing(Codec::Pcmu, 1_000.0);
        let mut playout = Playout::new(Band::Narrow);
        let (mut sent, mut sound, mut part) = (0_u32, Sound::SILENCE, Vec::new());
        let (mut longest, mut shortest) = (Duration::ZERO, Duration::MAX);
        let mut worst = (0.0_f64, 0);
        for tick in 0..180_000_u32 {
            let now = sim::start() + TICK * tick + Duration::from_millis(7);
            loop {
                let nanos = i64::from(sent) * (20_000_000 + 20 * ppm);
                let at = sim::start() + Duration::from_nanos(nanos.unsigned_abs());
                if at > now {
                    break;
                }
                let (header, payload) = peer.speak(20_000);
                playout.insert(at, &header, peer.codec, &payload);
                sent += 1;
                if sent.is_multiple_of(45_000) {
                    // Another device goes on with the call, with its own numbers.
                    playout.reset();
                    (peer.sequence, peer.timestamp) = (sent as u16 ^ 0x5555, sent ^ 0xA0A0_0000);
                }
            }
            playout.pop(now, &mut sound);
            let is_settled = tick > 500 && (sent % 45_000) > 100;
            if !is_settled {
                part.clear();
                continue;
            }
            longest = longest.max(playout.delay());
            shortest = shortest.min(playout.delay());
            part.extend(sound.narrow.0);
            if part.len() == 8_000 {
                let level = frequency_power(&part, 1_000.0) + 19.34;
                worst.0 = worst.0.max(level.abs());
                let step = |pair: &[i16]| (i32::from(pair[0]) - i32::from(pair[1])).abs();
                worst.1 = worst.1.max(part.windows(2).map(step).max().unwrap_or(0));
                part.clear();
            }
        }
        let (packets, stats) = (*playout.packets(), playout.stats());
        assert!(
            longest <= Duration::from_millis(50),
            "{ppm} ppm: {longest:?}"
        );
        assert!(
            shortest >= Duration::from_millis(2),
            "{ppm} ppm: {shortest:?}"
        );
        // In every second all the power is within a hertz of 1 kHz, and no step is more than a sine's.
        assert!(worst.0 < 0.4 && worst.1 < 4_600, "{ppm} ppm: {worst:?}");
        assert!(
            packets.lost <= 6 && packets.discarded <= 6,
            "{ppm} ppm: {packets:?}"
        );
        // All that changed is what drifted, and some steps forth and back.
        let changed = stats.shortened + stats.lengthened;
        let drifted = Duration::from_micros(3_600 * ppm.unsigned_abs());
        let net = stats.shortened.abs_diff(stats.lengthened);
        assert!(
            net.abs_diff(drifted) < Duration::from_millis(150),
            "{ppm} ppm: {stats:?}"
        );
        assert!(
            changed < drifted * 2 + Duration::from_millis(300),
            "{ppm} ppm: {stats:?}"
        );
    }
}

#[test]
fn the_delay_is_what_the_jitter_needs_and_hardly_any_packet_is_late() {
    // Long tails: of a hundred packets one is later than 95 % of the jitter told, and few are nearly as late.
    for (jitter, most) in [(0.0, 30), (10.0, 40), (20.0, 50), (40.0, 70), (80.0, 110)] {
        for is_tail in [false, true] {
            let mut chance = Chance::new(21);
            let mut peer = Peer::singing(Codec::Pcmu, 500.0);
            let coming = packets(&mut peer, 3_000, |_| {
                let unit = chance.unit();
                let late = if is_tail { unit.powi(8) } else { unit };
                Some(Duration::from_secs_f64(jitter * late / 1_000.0))
            });
            let heard = listen(coming, 3_000, Band::Narrow);
            let settled = &heard.delays[500..];
            let mean = settled.iter().sum::<Duration>() / settled.len() as u32;
            let (packets, stats) = (heard.playout.packets(), heard.playout.stats());
            println!("{jitter} ms, tail {is_tail}: mean {mean:?}, {packets:?}, {stats:?}");
            assert!(
                mean <= Duration::from_millis(most),
                "{jitter} ms, tail {is_tail}: {mean:?}"
            );
            assert!(
                packets.late <= 30,
                "{jitter} ms, tail {is_tail}: {packets:?}"
            );
        }
    }
}

#[test]
fn a_spike_is_over_within_seconds_and_loses_nothing() {
    for spike in [100_u32, 150, 250] {
        let mut peer = Peer::singing(Codec::Pcmu, 500.0);
        let first = 500;
        let coming = packets(&mut peer, 900, |at| {
            let held_up = spike.saturating_sub(20 * (at.wrapping_sub(first)).min(100));
            let is_held = at >= first;
            Some(Duration::from_millis(u64::from(if is_held {
                held_up
            } else {
                0
            })))
        });
        let heard = listen(coming, 900, Band::Narrow);
        let packets = heard.playout.packets();
        assert_eq!(
            (packets.lost, packets.discarded),
            (0, 0),
            "{spike} ms: {packets:?}"
        );
        let after = heard.longest_delay(505..560);
        assert!(after >= Duration::from_millis(60), "{spike} ms: {after:?}");
        let later = heard.longest_delay(505 + 150..900);
        assert!(later <= Duration::from_millis(50), "{spike} ms: {later:?}");
        assert!(
            heard.largest_step() < 3_000,
            "{spike} ms: {}",
            heard.largest_step()
        );
    }
}

#[test]
fn clumps_as_of_a_wireless_network_are_waited_for() {
    let mut peer = Peer::singing(Codec::Pcmu, 500.0);
    let coming = packets(&mut peer, 2_000, |at| {
        Some(Duration::from_millis(u64::from(20 * (4 - at % 5))))
    });
    let heard = listen(coming, 2_000, Band::Narrow);
    let packets = heard.playout.packets();
    assert!(packets.lost + packets.late <= 1, "{packets:?}");
    assert!(heard.longest_delay(200..2_000) <= Duration::from_millis(130));
    level_of(&heard.narrow[16_000..], 500.0, "clumps");
}

#[test]
fn what_is_repeated_stands_in_for_what_is_lost() {
    let mut peer = Peer::singing(Codec::Pcmu, 1_000.0);
    let (mut lost, mut chance) = (0, Chance::new(2));
    let sent: Vec<_> = packets(&mut peer, 1_000, |_| Some(Duration::ZERO));
    let mut playout = Playout::new(Band::Narrow);
    let (mut sound, mut narrow, mut was_lost) = (Sound::SILENCE, Vec::new(), false);
    for (at, packet) in sent.iter().enumerate() {
        // Never two in a row: the repetition reaches back by one.
        was_lost = !was_lost && chance.unit() < 0.2;
        lost += u64::from(was_lost);
        if !was_lost {
            playout.insert(packet.at, &packet.header, packet.codec, &packet.payload);
            if let Some(before) = at.checked_sub(1).map(|at| &sent[at]) {
                playout.insert_redundant(packet.at, &before.header, before.codec, &before.payload);
            }
        }
        playout.pop(packet.at + Duration::from_millis(13), &mut sound);
        narrow.extend(sound.narrow.0);
    }
    let packets = playout.packets();
    assert!(
        lost > 100 && packets.repeated + 3 >= lost,
        "{lost} lost: {packets:?}"
    );
    assert!(packets.lost <= 3, "{packets:?}");
    level_of(&narrow[16_000..], 1_000.0, "repeated");
}
