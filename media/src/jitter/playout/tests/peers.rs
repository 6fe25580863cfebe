//! From peers that change their codec, their packet time, or the way they count.

use super::*;

#[test]
fn a_peer_may_change_its_codec_at_any_packet() {
    let codecs = [
        Codec::Pcmu,
        Codec::L16Wide,
        Codec::Pcma,
        Codec::G722,
        Codec::Opus,
        Codec::L16,
    ];
    for band in [Band::Narrow, Band::Wide] {
        let mut peer = Peer::singing(Codec::Pcmu, 700.0);
        let mut coming = Vec::new();
        for at in 0..1_200_u32 {
            if at % 100 == 0 {
                peer.switch(codecs[(at / 100) as usize % codecs.len()]);
            }
            let codec = peer.codec;
            let (header, payload) = peer.speak(20_000);
            let at = sim::start() + TICK * at;
            coming.push(Coming {
                at,
                header,
                codec,
                payload,
                is_noise: false,
            });
        }
        let heard = listen(coming, 1_200, band);
        let packets = heard.playout.packets();
        assert!(
            packets.lost + packets.discarded + packets.late <= 6,
            "{packets:?}"
        );
        assert!(heard.ticks[10..].iter().all(|is_heard| *is_heard));
        // Whole seconds within one codec, after the first packets of it.
        for second in heard.narrow.chunks_exact(16_000).skip(1) {
            let level = frequency_power(&second[3_200..], 700.0);
            assert!((level + 19.34).abs() < 1.5, "{level:.1} dBov");
        }
    }
}

#[test]
fn timestamps_that_are_not_what_they_ought_to_be_do_no_harm() {
    for (codec, clock) in [
        (Codec::Pcmu, 0),
        (Codec::Pcmu, 1_000),
        (Codec::Pcmu, 16_000),
        (Codec::Pcmu, 48_000),
        (Codec::G722, 16_000),
        (Codec::L16Wide, 8_000),
        (Codec::Opus, 16_000),
    ] {
        let mut peer = Peer::singing(codec, 1_000.0);
        peer.clock = clock;
        let coming = packets(&mut peer, 1_000, bad_path(7, 0.0, 10.0));
        let heard = listen(coming, 1_000, Band::Narrow);
        let what = format!("{codec:?} with {clock} ticks a second");
        level_of(&heard.narrow[8_000..], 1_000.0, &what);
        let longest = heard.longest_delay(50..1_000);
        assert!(longest < Duration::from_millis(130), "{what}: {longest:?}");
        let packets = heard.playout.packets();
        assert!(packets.lost + packets.discarded <= 8, "{what}: {packets:?}");
    }
}

#[test]
fn packets_of_2_5_to_120_ms_are_heard_mixed_within_a_stream() {
    for (codec, lengths) in [
        (Codec::Pcmu, &[10_000, 60_000, 20_000, 30_000, 25_000][..]),
        (Codec::L16Wide, &[5_000, 2_500, 20_000]),
        (Codec::L16, &[100_000, 33_375, 10_125]),
        (Codec::Opus, &[10_000]),
        (Codec::Opus, &[60_000]),
    ] {
        let mut peer = Peer::singing(codec, 800.0);
        let (mut coming, mut micros) = (Vec::new(), 0);
        let mut chance = Chance::new(3);
        while micros < 20_000_000 {
            let len = lengths[chance.next() as usize % lengths.len()];
            let codec = peer.codec;
            let (header, payload) = peer.speak(len);
            micros += len;
            let at = sim::start() + Duration::from_micros(micros);
            coming.push(Coming {
                at,
                header,
                codec,
                payload,
                is_noise: false,
            });
        }
        let heard = listen(coming, 1_000, Band::Narrow);
        let packets = heard.playout.packets();
        assert!(
            packets.lost + packets.late + packets.discarded <= 3,
            "{codec:?}: {packets:?}"
        );
        let level = level_of(&heard.narrow[16_000..156_000], 800.0, "mixed lengths");
        assert!((level + 19.34).abs() < 1.0, "{codec:?}: {level:.1}");
    }
}

proptest! {
    #[test]
    fn any_packets_are_heard_somehow(
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..500), 0..60_u64, 0..9_usize), 0..120),
        is_wide: bool,
    ) {
        let mut playout = Playout::new(if is_wide { Band::Wide } else { Band::Narrow });
        let (mut now, mut sound) = (sim::start(), Sound::SILENCE);
        for (sequence, timestamp, payload, wait, kind) in packets {
            let header = RtpHeader {
                marker: false,
                payload_type: 0,
                sequence: SeqNo(sequence % 64),
                timestamp: MediaTime(timestamp % 100_000),
                ssrc: Ssrc(1),
            };
            match Codec::ALL.get(kind) {
                Some(codec) => drop(playout.insert(now, &header, *codec, &payload)),
                None if kind == 6 => playout.insert_noise(now, &header, &payload),
                None if kind == 7 => playout.pass(&header),
                None => playout.insert_redundant(now, &header, Codec::Pcma, &payload),
            }
            now += Duration::from_millis(wait);
            playout.pop(now, &mut sound);
        }
        prop_assert!(playout.heap_octets() < 200_000);
    }
}
