//! Between talkspurts, and where they begin.

use super::*;

/// A peer that speaks for a second and is silent for one, and noise of -50 dBov all the while.
fn talkspurts(
    is_noisy: bool,
    noise_packet: Option<&[u8]>,
    mut delay: impl FnMut() -> Duration,
) -> Vec<Coming> {
    let mut chance = Chance::new(8);
    let mut peer = Peer::new(Codec::Pcmu, move |at, _| {
        let noise = if is_noisy {
            104.0 * chance.normal()
        } else {
            0.0
        };
        let is_voice = at % 8_000 < 7_000;
        noise
            + if is_voice {
                6_000.0 * (TAU * at as f64 * 0.03).sin()
            } else {
                0.0
            }
    });
    let mut coming = Vec::new();
    for at in 0..1_000_u32 {
        let (codec, is_pause) = (peer.codec, at / 50 % 2 == 1);
        let at_pause = at % 50 == 0 && is_pause;
        if !is_pause {
            let (header, payload) = peer.speak(20_000);
            let at = sim::start() + TICK * at + delay();
            coming.push(Coming {
                at,
                header,
                codec,
                payload,
                is_noise: false,
            });
            continue;
        }
        if let Some(payload) = noise_packet.filter(|_| at_pause) {
            let (sequence, timestamp) = (peer.sequence, peer.timestamp);
            let (mut header, _) = peer.speak(0);
            (header.sequence, header.timestamp) = (SeqNo(sequence), MediaTime(timestamp));
            let at = sim::start() + TICK * at + delay();
            coming.push(Coming {
                at,
                header,
                codec,
                payload: payload.to_vec(),
                is_noise: true,
            });
        }
        peer.timestamp = peer.timestamp.wrapping_add(160);
    }
    coming
}

#[test]
fn a_pause_sounds_as_the_peer_says_or_like_its_line_or_like_nothing() {
    let told = Some(&[45_u8][..]);
    for (is_noisy, packet, least, most) in [
        (true, told, -46.5, -43.5),
        (false, told, -46.5, -43.5),
        (true, None, -53.5, -46.5),
        (false, None, -128.0, -100.0),
    ] {
        let heard = listen(
            talkspurts(is_noisy, packet, || Duration::ZERO),
            1_000,
            Band::Narrow,
        );
        let packets = heard.playout.packets();
        assert_eq!((packets.lost, packets.late, packets.discarded), (0, 0, 0));
        // From 300 ms after the end of a talkspurt to 100 ms before the next.
        for pause in heard.narrow.chunks_exact(16_000).skip(3) {
            let level = dbov(&pause[8_000 + 2_400..16_000 - 800]);
            assert!(
                (least..=most).contains(&level),
                "{is_noisy} {packet:?}: {level:.1} dBov"
            );
        }
        assert!(heard.largest_step() < 2_500, "{}", heard.largest_step());
    }
}

#[test]
fn talkspurts_begin_whole_though_packets_are_held_up() {
    let mut chance = Chance::new(12);
    let delay = move || Duration::from_secs_f64(0.03 * chance.unit());
    let heard = listen(talkspurts(false, None, delay), 1_000, Band::Narrow);
    let packets = heard.playout.packets();
    assert!(
        packets.lost + packets.late + packets.discarded <= 3,
        "{packets:?}"
    );
    assert!(heard.longest_delay(100..1_000) <= Duration::from_millis(75));
}
