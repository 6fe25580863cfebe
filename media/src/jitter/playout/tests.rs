//! What is heard of a stream, in virtual time: by its spectrum, its level and its steps.

mod paths;
mod pauses;
mod peers;

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
fn a_listener_of_g711_is_small() {
    let playout = Playout::new(Band::Narrow);
    let heap = playout.heap_octets();
    let size = size_of::<Playout>() + heap;
    println!("{} octets, and {heap} beside them", size_of::<Playout>());
    assert!(size <= 10 * 1024, "{} and {heap}", size_of::<Playout>());
}
