//! Sums, levels and choices, without sessions.

use std::f64::consts::TAU;
use std::num::NonZeroU8;

use super::{Bridge, Link, Mix, Standing};
use crate::codec::{Codec, G711};
use crate::command::{BridgeConfig, Part, SessionId};
use crate::dsp::level::dbov;
use crate::dsp::limiter::CEILING;
use crate::dsp::meter::frequency_power;
use crate::frame::{Band, FRAME_SAMPLES, Sound, WIDE_SAMPLES, WideFrame};
use crate::sim::Chance;

/// A peer that sings, in its band.
#[derive(Clone, Copy, Debug)]
struct Singer {
    hertz: f64,
    /// Of the wave.
    amplitude: f64,
    codec: Codec,
    /// Ticks in which it sings; silent in all others.
    from: usize,
    to: usize,
    /// It breathes after each 900 ms, as speech does; what has no pause is noise.
    breathes: bool,
}

impl Singer {
    fn new(hertz: f64, amplitude: f64, codec: Codec) -> Self {
        Self {
            hertz,
            amplitude,
            codec,
            from: 0,
            to: usize::MAX,
            breathes: false,
        }
    }

    fn breathing(mut self) -> Self {
        self.breathes = true;
        self
    }

    /// The most that it goes up or down from one sample to the next.
    fn step(&self) -> f64 {
        let rate = f64::from(self.codec.band().sample_rate());
        2.0 * self.amplitude * (TAU * self.hertz / rate / 2.0).sin()
    }

    /// Writes a tick of its song; `false` when it is silent.
    fn sing(&self, tick: usize, sound: &mut Sound) -> bool {
        *sound = Sound::SILENCE;
        let is_heard = (self.from..self.to).contains(&tick);
        let amplitude = match is_heard {
            true if self.breathes && tick % 50 >= 45 => 0.01 * self.amplitude,
            true => self.amplitude,
            false => 0.0,
        };
        let wave = |at: usize, rate: f64| {
            (amplitude * (at as f64 * self.hertz * TAU / rate).sin()).round() as i16
        };
        for (at, sample) in sound.narrow.0.iter_mut().enumerate() {
            *sample = wave(tick * FRAME_SAMPLES + at, 8_000.0);
        }
        if self.codec.band() == Band::Wide {
            let at = |at| wave(tick * WIDE_SAMPLES + at, 16_000.0);
            sound.wide = Some(WideFrame(std::array::from_fn(at)));
            if self.hertz >= 4_000.0 {
                sound.narrow.0.fill(0);
            }
        }
        is_heard
    }
}

/// A bridge of singers, and what each has heard.
struct Choir {
    bridge: Bridge,
    singers: Vec<Singer>,
    tick: usize,
    heard: Vec<Vec<i16>>,
    all: Vec<i16>,
    told: Vec<(usize, Option<SessionId>)>,
}

impl Choir {
    fn of(singers: Vec<Singer>, config: BridgeConfig) -> Self {
        let mut bridge = Bridge::default();
        for (at, singer) in singers.iter().enumerate() {
            let standing = Standing {
                sends: Some(singer.codec),
                hears: Some(singer.codec),
                is_busy: true,
                ..Standing::default()
            };
            bridge.join(SessionId(at as u64), Part::FULL, standing);
        }
        bridge.configure(config);
        while bridge.next_change().is_some() {}
        bridge.prepare();
        Self {
            heard: vec![Vec::new(); singers.len()],
            bridge,
            singers,
            tick: 0,
            all: Vec::new(),
            told: Vec::new(),
        }
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for (at, singer) in self.singers.iter().enumerate() {
                self.bridge.take(at, |sound| singer.sing(self.tick, sound));
            }
            self.bridge.sum();
            if let Some(told) = self.bridge.poll_speaker() {
                self.told.push((self.tick, told));
            }
            let mut own = Mix::default();
            for (at, singer) in self.singers.iter().enumerate() {
                let (_, mix) = self.bridge.heard_by(at, &mut own);
                match (singer.codec.band(), &mix.sound.wide) {
                    (Band::Wide, Some(wide)) => self.heard[at].extend(wide.0),
                    (Band::Wide, None) => self.heard[at].extend([0; WIDE_SAMPLES]),
                    (Band::Narrow, _) => self.heard[at].extend(mix.sound.narrow.0),
                }
            }
            self.all.extend(self.bridge.everybody().sound.narrow.0);
            self.tick += 1;
        }
    }
}

/// Power at a frequency of sound of the wide band.
fn wide_power(sound: &[i16], hertz: f64) -> f64 {
    // Half the rate makes a frequency half of what it is.
    frequency_power(sound, (hertz / 2.0) as f32)
}

fn largest_step(sound: &[i16]) -> i32 {
    let steps = sound
        .windows(2)
        .map(|pair| i32::from(pair[1]) - i32::from(pair[0]));
    steps.map(i32::abs).max().unwrap_or(0)
}

const PLAIN: BridgeConfig = BridgeConfig {
    level: false,
    loudest: None,
    tells_speaker: false,
};

#[test]
fn each_pair_that_can_hear_the_wide_band_does_and_the_others_hear_what_they_can() {
    let mut choir = Choir::of(
        vec![
            Singer::new(1_000.0, 5_000.0, Codec::Pcmu),
            Singer::new(6_000.0, 5_000.0, Codec::L16Wide),
            Singer::new(500.0, 5_000.0, Codec::L16Wide),
            Singer::new(1_500.0, 5_000.0, Codec::Pcma),
        ],
        PLAIN,
    );
    choir.run(100);
    let level = 20.0 * (5_000.0_f64 / 32_768.0).log10() - 3.01;
    let narrow = &choir.heard[0][4_000..];
    for (hertz, is_heard) in [(1_000.0, false), (500.0, true), (1_500.0, true)] {
        let power = frequency_power(narrow, hertz);
        assert_eq!((power - level).abs() < 0.1, is_heard, "{hertz}: {power}");
        assert!(is_heard || power < -80.0, "{hertz}: {power}");
    }
    let wide = &choir.heard[2][8_000..];
    for (hertz, is_heard) in [
        (500.0, false),
        (6_000.0, true),
        (1_000.0, true),
        (1_500.0, true),
    ] {
        let power = wide_power(wide, hertz);
        assert_eq!((power - level).abs() < 0.1, is_heard, "{hertz}: {power}");
        assert!(is_heard || power < -80.0, "{hertz}: {power}");
    }
    // What is doubled has no images.
    for image in [7_000.0, 6_500.0] {
        assert!(wide_power(wide, image) < -80.0, "{image}");
    }
    assert!(wide_power(&choir.heard[1][8_000..], 6_000.0) < -80.0);
}

#[test]
fn a_tone_keeps_its_level_bit_by_bit_at_normal_levels() {
    let mut choir = Choir::of(
        vec![
            Singer::new(1_000.0, 5_000.0, Codec::Pcmu),
            Singer::new(0.0, 0.0, Codec::Pcmu),
            Singer::new(440.0, 4_000.0, Codec::Pcmu),
        ],
        BridgeConfig::default(),
    );
    choir.run(50);
    let mut sound = Sound::SILENCE;
    choir.singers[0].sing(40, &mut sound);
    let heard = &choir.heard[2][40 * FRAME_SAMPLES..][..FRAME_SAMPLES];
    assert_eq!(heard, sound.narrow.0);
}

#[test]
fn thirty_at_full_scale_stay_below_full_scale_without_a_click() {
    for codec in [Codec::Pcmu, Codec::L16Wide] {
        let mut singers = vec![Singer::new(200.0, 32_767.0, codec); 30];
        // They begin one after another, and all but one end.
        for (at, singer) in singers.iter_mut().enumerate() {
            singer.from = 4 * at;
            singer.to = if at == 0 { usize::MAX } else { 200 };
        }
        singers.push(Singer::new(0.0, 0.0, codec));
        let mut choir = Choir::of(singers, PLAIN);
        choir.run(400);
        for heard in &choir.heard {
            assert!(
                heard
                    .iter()
                    .all(|sample| i32::from(*sample).abs() <= CEILING)
            );
        }
        let heard = choir.heard.last().unwrap();
        // 200 Hz at full scale steps by 5,147 in the narrow band, and by half of it in the wide one.
        let bound = if codec.band() == Band::Wide {
            3_600
        } else {
            6_800
        };
        assert!(
            largest_step(heard) < bound,
            "{codec:?}: {}",
            largest_step(heard)
        );
        // Two seconds after that the last one is as loud as ever.
        assert!(dbov(&heard[heard.len() - 1_600..]) > -3.6);
    }
}

#[test]
fn who_begins_and_ends_and_leaves_makes_no_step_in_either_band() {
    for codec in [Codec::Pcma, Codec::L16Wide] {
        let mut singer = Singer::new(300.0, 12_000.0, codec);
        // It is cut off in the middle of a wave, and comes back there.
        (singer.from, singer.to) = (5, 50);
        let steady = Singer::new(300.0, 3_000.0, Codec::Pcmu);
        let mut choir = Choir::of(
            vec![
                singer,
                steady,
                Singer::new(0.0, 0.0, codec),
                Singer::new(0.0, 0.0, Codec::Pcmu),
            ],
            PLAIN,
        );
        choir.run(70);
        choir.singers[0].to = usize::MAX;
        choir.singers[0].from = 0;
        choir.run(20);
        choir.bridge.leave(SessionId(0));
        // The last one has its place now.
        choir.singers.swap_remove(0);
        choir.heard.swap_remove(0);
        choir.run(20);
        for (heard, singer) in choir.heard.iter().zip(&choir.singers) {
            // 300 Hz of 12,000 steps by 2,800; an edge adds 300 at most, and the other one 700.
            let bound = if singer.codec.band() == Band::Wide {
                2_000
            } else {
                3_900
            };
            assert!(
                largest_step(heard) < bound,
                "{singer:?}: {}",
                largest_step(heard)
            );
        }
    }
}

#[test]
fn voices_of_different_loudness_come_near_to_each_other_where_more_than_two_take_part() {
    let quiet = Singer::new(500.0, 900.0, Codec::Pcmu).breathing();
    let loud = Singer::new(1_100.0, 11_000.0, Codec::Pcmu).breathing();
    let level = |config, count: usize| {
        let listener = Singer::new(0.0, 0.0, Codec::Pcmu);
        let mut choir = Choir::of([quiet, loud, listener][..count].to_vec(), config);
        choir.run(600);
        // Between two breaths.
        let heard = &choir.all[552 * FRAME_SAMPLES..594 * FRAME_SAMPLES];
        (
            frequency_power(heard, 500.0),
            frequency_power(heard, 1_100.0),
        )
    };
    let (quiet_level, loud_level) = level(BridgeConfig::default(), 3);
    assert!((-25.0..-21.5).contains(&quiet_level), "{quiet_level}");
    assert!((-20.0..-17.0).contains(&loud_level), "{loud_level}");
    for (config, count) in [(PLAIN, 3), (BridgeConfig::default(), 2)] {
        let (quiet_level, loud_level) = level(config, count);
        assert!((quiet_level + 34.2).abs() < 0.3, "{quiet_level}");
        assert!((loud_level + 12.5).abs() < 0.3, "{loud_level}");
    }
}

#[test]
fn of_many_who_speak_the_loudest_three_are_heard_and_changes_are_soft() {
    let tones = [400.0, 700.0, 900.0, 1_100.0, 1_300.0, 1_700.0];
    let mut singers: Vec<Singer> = tones
        .iter()
        .zip(0_i32..)
        .map(|(hertz, at)| Singer::new(*hertz, 1_000.0 * 1.6_f64.powi(at), Codec::Pcmu).breathing())
        .collect();
    singers.push(Singer::new(0.0, 0.0, Codec::Pcmu));
    let config = BridgeConfig {
        loudest: NonZeroU8::new(3),
        ..PLAIN
    };
    let mut choir = Choir::of(singers, config);
    choir.run(200);
    let heard_of = |sound: &[i16]| -> Vec<bool> {
        tones
            .iter()
            .map(|hertz| frequency_power(sound, *hertz as f32) > -50.0)
            .collect()
    };
    let heard = choir.heard.last().unwrap();
    assert_eq!(
        heard_of(&heard[24_000..]),
        [false, false, false, true, true, true]
    );
    let steps = |singers: &[Singer]| 1.1 * singers.iter().map(Singer::step).sum::<f64>();
    let bound = steps(&choir.singers) as i32;
    assert!(
        largest_step(heard) < bound,
        "{} {bound}",
        largest_step(heard)
    );
    // The loudest falls silent, and the next one takes its place.
    choir.singers[5].to = 0;
    choir.run(100);
    let heard = choir.heard.last().unwrap();
    assert_eq!(
        heard_of(&heard[40_000..]),
        [false, false, true, true, true, false]
    );
    // A quiet one that is left out hears the three all the same.
    assert_eq!(
        heard_of(&choir.heard[0][40_000..]),
        [false, false, true, true, true, false]
    );
    // A step is that of a wave or an edge, never of a change.
    let after = &heard[202 * FRAME_SAMPLES..];
    let bound = steps(&choir.singers[2..5]) as i32;
    assert!(
        largest_step(after) < bound,
        "{} {bound}",
        largest_step(after)
    );
}

#[test]
fn who_speaks_is_told_without_flicker_and_its_end_after_two_seconds() {
    let mut one = Singer::new(500.0, 6_000.0, Codec::Pcmu);
    let mut other = Singer::new(900.0, 6_000.0, Codec::Pcmu);
    (one.from, one.to) = (20, 120);
    (other.from, other.to) = (150, 250);
    let mut cough = Singer::new(700.0, 20_000.0, Codec::Pcmu);
    (cough.from, cough.to) = (80, 86);
    let config = BridgeConfig {
        tells_speaker: true,
        ..PLAIN
    };
    let mut choir = Choir::of(vec![one, other, cough], config);
    choir.run(450);
    let told: Vec<Option<u64>> = choir
        .told
        .iter()
        .map(|(_, who)| who.map(|id| id.0))
        .collect();
    assert_eq!(told, [Some(0), Some(1), None]);
    let at: Vec<usize> = choir.told.iter().map(|(tick, _)| *tick).collect();
    assert!((20..32).contains(&at[0]), "{at:?}");
    assert!((150..175).contains(&at[1]), "{at:?}");
    assert!((340..360).contains(&at[2]), "{at:?}");
}

#[test]
fn two_are_relayed_only_in_one_codec_or_both_of_g711() {
    let mode = |codecs: [Codec; 2], hears: [Codec; 2], config: BridgeConfig| {
        let mut bridge = Bridge::default();
        for (at, (codec, hears)) in codecs.into_iter().zip(hears).enumerate() {
            let standing = Standing {
                sends: Some(codec),
                hears: Some(hears),
                ..Standing::default()
            };
            bridge.join(SessionId(at as u64), Part::FULL, standing);
        }
        bridge.configure(config);
        matches!(bridge.next_change(), Some((_, Link::Relay { .. })))
    };
    use Codec::{G722, Opus, Pcma, Pcmu};
    assert!(mode([Pcmu, Pcma], [Pcma, Pcmu], PLAIN));
    assert!(mode([Opus, Opus], [Opus, Opus], PLAIN));
    assert!(!mode([Opus, Pcmu], [Opus, Pcmu], PLAIN));
    assert!(!mode([Opus, G722], [Opus, G722], PLAIN));
    // They agree on what is sent to them, but one sends another one of what it may.
    assert!(!mode([Opus, Opus], [Opus, Pcmu], PLAIN));
    let tells_speaker = BridgeConfig {
        tells_speaker: true,
        ..PLAIN
    };
    assert!(!mode([Pcmu, Pcmu], [Pcmu, Pcmu], tells_speaker));
}

#[test]
fn silence_is_encoded_as_such_and_sound_once_for_all() {
    let mut choir = Choir::of(vec![Singer::new(0.0, 0.0, Codec::Pcmu); 3], PLAIN);
    choir.run(2);
    let mix = choir.bridge.everybody();
    assert_eq!(
        mix.encoded(G711::Alaw),
        &[G711::Alaw.silence(); FRAME_SAMPLES]
    );
}

#[test]
fn noise_of_two_hundred_is_within_bounds_in_both_bands() {
    let mut chance = Chance::new(11);
    let singers = (0..200)
        .map(|at| {
            let codec = if at % 2 == 0 {
                Codec::Pcmu
            } else {
                Codec::L16Wide
            };
            Singer::new(200.0 + 3_000.0 * chance.unit(), 32_767.0, codec)
        })
        .collect();
    let mut choir = Choir::of(singers, BridgeConfig::default());
    choir.run(60);
    for heard in &choir.heard {
        assert!(
            heard
                .iter()
                .all(|sample| i32::from(*sample).abs() <= CEILING)
        );
        assert!(dbov(&heard[heard.len() / 2..]) > -25.0);
    }
}
