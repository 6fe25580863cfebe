//! What a DTMF detector is worth, by the procedure of Mitel's test tape CM7291, and what else ITU-T Q.24
//! and lines ask of it.
//!
//! Each figure of the tape is found as the tape finds it: pulses of 50 ms with pauses of 50 ms, of
//! which one property changes from pulse to pulse, and the responses are counted. Where a figure depends
//! on where a pulse lies in the frames, every place is tried and the worst counts.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by a test and a benchmark, each of which uses a part"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

pub mod sound;
pub mod tape;

use flowswitch_media::dsp::plc::Concealer;
use flowswitch_media::dtmf::{Digit, ToneDetector};

use sound::{Key, Line, MS, all_keys, louder, noise, over, told, told_by, tones};

/// Keys whose tones are all eight frequencies.
const DIAGONAL: [char; 4] = ['1', '5', '9', 'D'];

/// The least and the greatest of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub least: f64,
    pub most: f64,
}

impl Range {
    /// Those of all these figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        figures.into_iter().fold(
            Self {
                least: f64::MAX,
                most: f64::MIN,
            },
            |range, figure| Self {
                least: range.least.min(figure),
                most: range.most.max(figure),
            },
        )
    }
}

/// One frequency, and how far off it is still heard: percent below and above.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    pub hertz: f32,
    pub below: f64,
    pub above: f64,
}

/// Decode check (test 2): every key ten times at -4 dBm0 a tone; how many of the 160 are told rightly.
pub fn decoded(line: Line) -> usize {
    let mut detector = ToneDetector::new();
    Digit::ALL
        .into_iter()
        .flat_map(|digit| [digit; 10])
        .filter(|digit| {
            let pulse = Key::new(*digit).dbm0(-4.0, -4.0).pulse();
            told_by(&mut detector, &line.carry(&pulse)) == digit.to_string()
        })
        .count()
}

/// Recognition bandwidth (test 3): one frequency of a key at -17 dBm0 a tone moves by 0.1 % a pulse to 6 %.
pub fn bands(line: Line) -> Vec<Band> {
    let responses = |key: char, sign: f32, is_low: bool| {
        let mut detector = ToneDetector::new();
        let pulses = (1..=60).map(|step| {
            let off = sign * step as f32 / 1_000.0;
            let off = if is_low { (off, 0.0) } else { (0.0, off) };
            Key::of(key).dbm0(-17.0, -17.0).off(off.0, off.1).pulse()
        });
        let heard: usize = pulses
            .map(|pulse| told_by(&mut detector, &line.carry(&pulse)).len())
            .sum();
        heard as f64 / 10.0
    };
    let tones = DIAGONAL
        .into_iter()
        .flat_map(|key| [(key, true), (key, false)]);
    tones
        .map(|(key, is_low)| {
            let (low, high) = Key::of(key).digit.frequencies();
            Band {
                hertz: if is_low { low } else { high },
                below: responses(key, -1.0, is_low),
                above: responses(key, 1.0, is_low),
            }
        })
        .collect()
}

/// Acceptable twist (test 4) in dB: one tone stays at -3 dBm0, the other falls by 0.1 dB a pulse for 20 dB.
/// Normal twist has the high tone weaker, reverse twist the low one.
pub fn twist(line: Line, is_normal: bool) -> Range {
    Range::of(DIAGONAL.map(|key| {
        let mut detector = ToneDetector::new();
        let heard: usize = (0..=200)
            .map(|step| {
                let weak = -3.0 - step as f32 / 10.0;
                let (low, high) = if is_normal {
                    (-3.0, weak)
                } else {
                    (weak, -3.0)
                };
                let pulse = Key::of(key).dbm0(low, high).pulse();
                told_by(&mut detector, &line.carry(&pulse)).len()
            })
            .sum();
        heard as f64 / 10.0
    }))
}

/// Dynamic range (test 5): key 1 falls by 1 dB a pulse from +3 to -50 dBm0 a tone; the levels told.
pub fn levels(line: Line) -> Vec<i32> {
    let mut detector = ToneDetector::new();
    (-50..=3)
        .rev()
        .filter(|level| {
            let pulse = Key::of('1').dbm0(*level as f32, *level as f32).pulse();
            told_by(&mut detector, &line.carry(&pulse)) == "1"
        })
        .collect()
}

/// Guard time (test 6) in milliseconds: key 1 at -3 dBm0 a tone is shortened by 0.1 ms a pulse from 49 to
/// 10 ms; half a millisecond of responses per five pulses missed.
pub fn guard_time(line: Line) -> f64 {
    let mut detector = ToneDetector::new();
    let heard: usize = (100..=490)
        .rev()
        .map(|tenths| {
            let key = Key::of('1').dbm0(-3.0, -3.0).ms(f64::from(tenths) / 10.0);
            told_by(&mut detector, &line.carry(&key.pulse())).len()
        })
        .sum();
    (500 - heard) as f64 / 10.0
}

/// The longest key that is never told and the shortest that always is, in milliseconds: any key, wherever
/// in the blocks and frames of a detector it begins.
pub fn durations(line: Line) -> Range {
    let is_told = |key: char, tenths: i32, lead: usize| {
        let mut sound = vec![0; lead];
        sound.extend(Key::of(key).ms(f64::from(tenths) / 10.0).pulse());
        !told(&line.carry(&sound)).is_empty()
    };
    let places = || {
        DIAGONAL
            .into_iter()
            .flat_map(|key| (0..160).step_by(3).map(move |lead| (key, lead)))
    };
    let lengths = || (30..=90).map(|halves| halves * 5);
    let never = lengths()
        .take_while(|tenths| !places().any(|(key, lead)| is_told(key, *tenths, lead)))
        .last();
    let always = lengths()
        .rev()
        .take_while(|tenths| places().all(|(key, lead)| is_told(key, *tenths, lead)))
        .last();
    Range {
        least: f64::from(never.unwrap_or(0)) / 10.0,
        most: f64::from(always.unwrap_or(500)) / 10.0,
    }
}

/// The longest interruption of a key that is always bridged, and the shortest pause between two presses of
/// it that is always seen, in milliseconds.
pub fn pauses() -> Range {
    let heard = |key: char, ms: usize, lead: usize| {
        let press = Key::of(key).ms(60.0).sound();
        told(&[&vec![0; lead][..], &press, &vec![0; ms * MS], &press].concat()).len()
    };
    let always = |ms: usize, count: usize| {
        DIAGONAL.into_iter().all(|key| {
            (0..160)
                .step_by(3)
                .all(|lead| heard(key, ms, lead) == count)
        })
    };
    let bridged = (1..=60).take_while(|ms| always(*ms, 1)).last();
    let seen = (1..=60).rev().take_while(|ms| always(*ms, 2)).last();
    Range {
        least: bridged.unwrap_or(0) as f64,
        most: seen.unwrap_or(99) as f64,
    }
}

/// Signal to noise (test 7): the least ratio of a tone to white noise in dB at which all of `pulses` pulses
/// of a key are told, at -4 dBm0 a tone; ratios are tried downwards from 20 dB.
pub fn signal_to_noise(line: Line, key: char, pulses: u64) -> i32 {
    let pulse = Key::of(key).dbm0(-4.0, -4.0).pulse();
    let is_passed = |ratio: &i32| {
        let mut detector = ToneDetector::new();
        (0..pulses).all(|at| {
            let noise = noise((-4 - ratio) as f32, pulse.len(), at + 1);
            told_by(&mut detector, &line.carry(&over(&pulse, &noise))).len() == 1
        })
    };
    (-5..=20).rev().take_while(is_passed).last().unwrap_or(99)
}

/// Dial tone: how many dB a tone of it may be below one of the keys, which are at -15 dBm0 (negative: above),
/// so that all keys are told ten times; 350 and 440 Hz, rising by 1 dB from -30 dBm0. It sounds alone for
/// 200 ms before the first key, as it does on a line.
pub fn dial_tone(line: Line) -> i32 {
    let mut detector = ToneDetector::new();
    let (keys, expected) = all_keys(|key| key.dbm0(-15.0, -15.0));
    let is_passed = |level: &i32| {
        let level = *level as f32;
        let alone = tones((350.0, level), (440.0, level), 200 * MS);
        told_by(&mut detector, &line.carry(&alone));
        let beside = tones((350.0, level), (440.0, level), keys.len());
        (0..10).all(|_| told_by(&mut detector, &line.carry(&over(&keys, &beside))) == expected)
    };
    let loudest = (-30..=-3).take_while(is_passed).last();
    -15 - loudest.unwrap_or(-99)
}

/// All keys over a line with something else on it; each with how many of the 16 were told.
pub fn disturbed(line: Line) -> Vec<(&'static str, usize)> {
    let (keys, expected) = all_keys(|key| key);
    let clean = keys.clone();
    let steady = |level: i16| vec![level; clean.len()];
    let hum = |hertz: f32, level: f32| {
        let first = tones((hertz, level), (3.0 * hertz, level - 10.0), clean.len());
        over(&clean, &first)
    };
    let sounds = [
        (
            "direct current, +2000 of 32768",
            over(&keys, &steady(2_000)),
        ),
        ("direct current, -2000", over(&keys, &steady(-2_000))),
        ("hum of 50 Hz at -20 dBm0, with 150 Hz", hum(50.0, -20.0)),
        ("hum of 60 Hz at -20 dBm0, with 180 Hz", hum(60.0, -20.0)),
        ("8 dB louder: -1 dBm0 a tone", louder(&keys, 8.0)),
        ("clipped 3 dB above overload", louder(&keys, 9.0 - 0.14)),
        ("clipped 6 dB above overload", louder(&keys, 12.0 - 0.14)),
        ("1.5 % off, twist of 8 dB", {
            all_keys(|key| key.off(0.015, -0.015).dbm0(-9.0, -17.0)).0
        }),
        ("1.5 % off, reverse twist of 4 dB", {
            all_keys(|key| key.off(-0.015, 0.015).dbm0(-13.0, -9.0)).0
        }),
    ];
    sounds
        .into_iter()
        .map(|(what, sound)| {
            let told = told(&line.carry(&sound));
            let is_right = |(one, other): &(char, char)| one == other;
            let right = told.chars().zip(expected.chars()).filter(is_right).count();
            (
                what,
                if told.len() == 16 {
                    right
                } else {
                    told.len().min(15)
                },
            )
        })
        .collect()
}

/// Every key of `ms` with one frame of 20 ms lost and concealed, wherever in it that frame lies: how
/// many of how many presses were told as one, as none and as more.
pub fn concealed(ms: usize) -> [usize; 3] {
    let mut outcomes = [0; 3];
    for digit in Digit::ALL {
        for lead in (0..160).step_by(8) {
            let first = (800 + lead) / 160;
            let last = (800 + lead + ms * MS - 1) / 160;
            for lost in first..=last {
                let mut sound = vec![0; 800 + lead];
                sound.extend(Key::new(digit).ms(ms as f64).sound());
                sound.resize(sound.len() + 1_600 - sound.len() % 160, 0);
                let told = told(&with_lost(&sound, lost));
                let is_right = told.chars().all(|told| told == digit.to_char());
                outcomes[if told.len() == 1 && is_right {
                    0
                } else if told.is_empty() {
                    1
                } else {
                    2
                }] += 1;
            }
        }
    }
    outcomes
}

fn with_lost(sound: &[i16], lost: usize) -> Vec<i16> {
    let mut concealer = Concealer::new();
    let mut heard = sound.to_vec();
    for (at, frame) in heard.chunks_mut(20 * MS).enumerate() {
        if at == lost {
            concealer.conceal(frame);
        } else {
            concealer.accept(frame);
        }
    }
    heard
}

/// Tones of the network and of machines that are no keys, and what was told of ten seconds of each.
pub fn network_tones() -> Vec<(&'static str, String)> {
    let on_off = |first: f32, second: f32, on: usize, off: usize| {
        let tone = tones((first, -10.0), (second, -10.0), 80_000);
        let period = (on + off) * MS;
        tone.into_iter()
            .enumerate()
            .map(|(at, sample)| if at % period < on * MS { sample } else { 0 })
            .collect::<Vec<_>>()
    };
    let single = |hertz: f32, on: usize, off: usize| on_off(hertz, 20_000.0, on, off);
    [
        ("dial tone 350 + 440 Hz", on_off(350.0, 440.0, 1, 0)),
        ("ringback 440 + 480 Hz", on_off(440.0, 480.0, 2_000, 4_000)),
        ("busy 480 + 620 Hz", on_off(480.0, 620.0, 500, 500)),
        ("reorder 480 + 620 Hz", on_off(480.0, 620.0, 250, 250)),
        ("European tone 425 Hz", single(425.0, 500, 500)),
        ("fax CNG 1100 Hz", single(1_100.0, 500, 3_000)),
        ("fax CED 2100 Hz", single(2_100.0, 3_000, 1_000)),
        ("special information 950 1400 1800 Hz", {
            [950.0, 1_400.0, 1_800.0]
                .map(|hertz| tones((hertz, -10.0), (20_000.0, -90.0), 330 * MS))
                .concat()
                .repeat(10)
        }),
        ("call waiting 440 Hz", single(440.0, 300, 9_700)),
        ("off-hook 1400 2060 2450 2600 Hz", {
            over(
                &on_off(1_400.0, 2_060.0, 100, 100),
                &on_off(2_450.0, 2_600.0, 100, 100),
            )
        }),
        ("each frequency of keys alone", {
            [697, 770, 852, 941, 1_209, 1_336, 1_477, 1_633]
                .map(|hertz| {
                    let mut tone = tones((hertz as f32, -6.0), (20_000.0, -90.0), 8_000);
                    tone.extend([0; 2_000]);
                    tone
                })
                .concat()
        }),
        ("two rows or two columns at once", {
            [
                (697.0, 770.0),
                (697.0, 852.0),
                (697.0, 941.0),
                (770.0, 852.0),
                (770.0, 941.0),
                (852.0, 941.0),
                (1_209.0, 1_336.0),
                (1_209.0, 1_477.0),
                (1_209.0, 1_633.0),
                (1_336.0, 1_477.0),
                (1_336.0, 1_633.0),
                (1_477.0, 1_633.0),
            ]
            .map(|(one, other)| tones((one, -8.0), (other, -8.0), 6_000))
            .concat()
        }),
        ("two keys of a row at once", {
            let one = Key::of('1').ms(5_000.0).dbm0(-14.0, -14.0).sound();
            over(&one, &Key::of('2').ms(5_000.0).dbm0(-14.0, -14.0).sound())
        }),
    ]
    .into_iter()
    .map(|(what, sound)| (what, told(&sound)))
    .collect()
}
