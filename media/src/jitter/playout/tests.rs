//! What is heard of a stream, in virtual time: by its spectrum, its level and its steps.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Playout;
use crate::codec::{Codec, Encoder, MAX_PAYLOAD};
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::frame::{Band, Sound};
use crate::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};
use crate::sim::{self, Chance};

const TICK: Duration = Duration::from_millis(20);

/// A peer that says something.
struct Peer {
    codec: Codec,
    encoder: Encoder,
    /// Its sample `at`, at a rate.
    voice: Box<dyn FnMut(u64, u32) -> f64>,
    at: u64,
    sequence: u16,
    timestamp: u32,
    /// Ticks of its timestamps in a second.
    clock: u32,
}

impl Peer {
    fn new(codec: Codec, voice: impl FnMut(u64, u32) -> f64 + 'static) -> Self {
        Self {
            codec,
            encoder: Encoder::new(codec),
            voice: Box::new(voice),
            at: 0,
            sequence: 65_000,
            timestamp: u32::MAX - 100_000,
            clock: codec.clock_rate(),
        }
    }

    fn singing(codec: Codec, hertz: f64) -> Self {
        Self::new(codec, tone(hertz, 5_000.0))
    }

    /// Another codec from the next packet on, in the same stream.
    fn switch(&mut self, codec: Codec) {
        let (old, new) = (self.codec.band(), codec.band());
        self.at = self.at * u64::from(new.sample_rate()) / u64::from(old.sample_rate());
        (self.codec, self.clock) = (codec, codec.clock_rate());
        self.encoder = Encoder::new(codec);
    }

    /// The next packet, of so many microseconds.
    fn speak(&mut self, micros: u64) -> (RtpHeader, Vec<u8>) {
        let rate = self.codec.band().sample_rate();
        let count = u64::from(rate) * micros / 1_000_000;
        let samples: Vec<i16> = (self.at..self.at + count)
            .map(|at| (self.voice)(at, rate) as i16)
            .collect();
        self.at += count;
        let mut octets = [0; 2 * MAX_PAYLOAD];
        let len = self.encoder.encode(&samples, &mut octets);
        let header = RtpHeader {
            marker: false,
            payload_type: 0,
            sequence: SeqNo(self.sequence),
            timestamp: MediaTime(self.timestamp),
            ssrc: Ssrc(1),
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self
            .timestamp
            .wrapping_add((u64::from(self.clock) * micros / 1_000_000) as u32);
        (header, octets[..len].to_vec())
    }
}

fn tone(hertz: f64, peak: f64) -> impl FnMut(u64, u32) -> f64 {
    move |at, rate| peak * (TAU * hertz * at as f64 / f64::from(rate)).sin()
}

/// A packet on its way.
#[derive(Clone)]
struct Coming {
    at: Instant,
    header: RtpHeader,
    codec: Codec,
    payload: Vec<u8>,
    is_noise: bool,
}

/// What was heard.
struct Heard {
    playout: Playout,
    narrow: Vec<i16>,
    wide: Vec<i16>,
    /// Ticks in which something was.
    ticks: Vec<bool>,
    delays: Vec<Duration>,
    late: u64,
}

impl Heard {
    fn largest_step(&self) -> i32 {
        let steps = self.narrow.windows(2);
        let step = |pair: &[i16]| (i32::from(pair[0]) - i32::from(pair[1])).abs();
        steps.map(step).max().unwrap_or(0)
    }

    fn longest_delay(&self, ticks: std::ops::Range<usize>) -> Duration {
        self.delays[ticks].iter().copied().max().unwrap_or_default()
    }
}

/// Packets of 20 ms, each as late as `delay` says; `None` is lost.
fn packets(
    peer: &mut Peer,
    count: u32,
    mut delay: impl FnMut(u32) -> Option<Duration>,
) -> Vec<Coming> {
    let spoken = (0..count).map(|at| (at, peer.codec, peer.speak(20_000)));
    let coming = spoken.filter_map(|(at, codec, (header, payload))| {
        Some(Coming {
            at: sim::start() + TICK * at + delay(at)?,
            header,
            codec,
            payload,
            is_noise: false,
        })
    });
    coming.collect()
}

fn listen(mut coming: Vec<Coming>, ticks: u32, band: Band) -> Heard {
    coming.sort_by_key(|packet| packet.at);
    let mut coming = coming.into_iter().peekable();
    let mut heard = Heard {
        playout: Playout::new(band),
        narrow: Vec::new(),
        wide: Vec::new(),
        ticks: Vec::new(),
        delays: Vec::new(),
        late: 0,
    };
    for tick in 0..ticks {
        let now = sim::start() + TICK * tick + Duration::from_millis(7);
        while let Some(packet) = coming.next_if(|packet| packet.at <= now) {
            hear(&mut heard, &packet);
        }
        let mut sound = Sound::SILENCE;
        heard.ticks.push(heard.playout.pop(now, &mut sound));
        heard.narrow.extend(sound.narrow.0);
        assert_eq!(sound.wide.is_some(), band == Band::Wide);
        heard.wide.extend(sound.wide.iter().flat_map(|wide| wide.0));
        heard.delays.push(heard.playout.delay());
    }
    heard
}

fn hear(heard: &mut Heard, packet: &Coming) {
    let Coming {
        at,
        header,
        codec,
        payload,
        is_noise,
    } = packet;
    if *is_noise {
        heard.playout.insert_noise(*at, header, payload);
    } else {
        heard.late += u64::from(!heard.playout.insert(*at, header, *codec, payload));
    }
}

/// A path that loses some and holds up the others by up to `jitter` ms.
fn bad_path(seed: u64, loss: f64, jitter: f64) -> impl FnMut(u32) -> Option<Duration> {
    let mut chance = Chance::new(seed);
    move |_| {
        let late = Duration::from_secs_f64(jitter * chance.unit() / 1_000.0);
        (chance.unit() >= loss).then_some(late)
    }
}

/// That `hertz` is what is heard in every 200 ms, and how loud all of it is, in dBov.
fn level_of(sound: &[i16], hertz: f32, what: &str) -> f64 {
    for (at, part) in sound.chunks_exact(1_600).enumerate() {
        let (level, of_tone) = (dbov(part), frequency_power(part, hertz));
        assert!(
            of_tone > level - 1.5,
            "{what}: {of_tone:.1} of {level:.1} dBov in part {at}"
        );
    }
    dbov(sound)
}

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
fn both_bands_carry_the_same_and_the_wide_one_what_only_it_can() {
    for (codec, hertz, is_high_heard) in [
        (Codec::G722, 5_500.0, true),
        (Codec::L16Wide, 5_500.0, true),
        (Codec::Opus, 1_000.0, true),
        (Codec::Pcmu, 1_000.0, true),
    ] {
        let mut peer = Peer::singing(codec, f64::from(hertz));
        let coming = packets(&mut peer, 200, |_| Some(Duration::ZERO));
        let heard = listen(coming, 200, Band::Wide);
        // The meter knows one rate: what is 5.5 kHz of the wide band is 2.75 kHz to it.
        let wide = frequency_power(&heard.wide[32_000..], hertz / 2.0);
        assert_eq!(wide > -21.5, is_high_heard, "{codec:?}: {wide:.1} dBov");
        let narrow = frequency_power(&heard.narrow[16_000..], hertz);
        if hertz < 4_000.0 {
            assert!(
                (narrow - wide).abs() < 0.5,
                "{codec:?}: {narrow:.1} {wide:.1}"
            );
        } else {
            let leaked = dbov(&heard.narrow[16_000..]);
            assert!(leaked < -40.0, "{codec:?}: {leaked:.1} dBov");
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

#[test]
fn a_listener_of_g711_is_small() {
    let playout = Playout::new(Band::Narrow);
    let heap = playout.heap_octets();
    let size = size_of::<Playout>() + heap;
    println!("{} octets, and {heap} beside them", size_of::<Playout>());
    assert!(size <= 10 * 1024, "{} and {heap}", size_of::<Playout>());
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
