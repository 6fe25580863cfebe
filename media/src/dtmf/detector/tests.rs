use std::time::Duration;

use super::*;
use crate::codec::G711;
use crate::dsp::plc::Concealer;
use crate::dsp::tone::ToneGenerator;
use crate::dtmf::ToneSender;
use crate::sim::Chance;

/// A key as a line may distort it.
#[derive(Clone, Copy)]
struct Key {
    digit: Digit,
    ms: f64,
    /// Relative error of the low and of the high frequency.
    off: (f32, f32),
    dbm0: (f32, f32),
}

impl Key {
    fn new(digit: Digit) -> Self {
        Self {
            digit,
            ms: 60.0,
            off: (0.0, 0.0),
            dbm0: (-9.0, -9.0),
        }
    }

    fn sound(self) -> Vec<i16> {
        let (low, high) = self.digit.frequencies();
        let mut sound = vec![0; (self.ms * 8.0) as usize];
        ToneGenerator::dual(
            (low * (1.0 + self.off.0), self.dbm0.0),
            (high * (1.0 + self.off.1), self.dbm0.1),
        )
        .fill(&mut sound);
        sound
    }
}

/// What is told of a sound after `lead` samples of silence and with 100 ms of it behind, in frames.
fn told_after(lead: usize, sound: &[i16]) -> String {
    let mut whole = vec![0; lead];
    whole.extend_from_slice(sound);
    whole.extend([0; 800]);
    let mut detector = ToneDetector::new();
    whole
        .chunks(160)
        .filter_map(|frame| detector.push(frame))
        .map(Digit::to_char)
        .collect()
}

fn with_noise(sound: &[i16], below_db: f64, seed: u64) -> Vec<i16> {
    let power = sound
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum::<f64>()
        / sound.len() as f64;
    let deviation = (power / 10_f64.powf(below_db / 10.0)).sqrt();
    let mut chance = Chance::new(seed);
    sound
        .iter()
        .map(|sample| {
            (f64::from(*sample) + chance.normal() * deviation).clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

#[test]
fn every_key_of_40_ms_is_told_once_wherever_it_starts() {
    for digit in Digit::ALL {
        for lead in (0..160).step_by(7) {
            let key = Key {
                ms: 40.0,
                ..Key::new(digit)
            };
            assert_eq!(
                told_after(lead, &key.sound()),
                digit.to_string(),
                "lead {lead}"
            );
        }
    }
}

#[test]
fn no_key_of_23_ms_is_told() {
    for digit in Digit::ALL {
        for lead in 0..40 {
            let key = Key {
                ms: 23.0,
                ..Key::new(digit)
            };
            assert_eq!(told_after(lead, &key.sound()), "", "{digit} lead {lead}");
        }
    }
}

#[test]
fn a_frequency_1_5_percent_off_is_a_key_and_3_5_percent_off_is_not() {
    for digit in Digit::ALL {
        for (low, high) in [
            (1.0, 1.0),
            (1.0, -1.0),
            (-1.0, 1.0),
            (-1.0, -1.0),
            (0.0, 1.0),
            (1.0, 0.0),
            (-1.0, 0.0),
        ] {
            for lead in [0, 13, 27] {
                let near = Key {
                    ms: 40.0,
                    off: (0.015 * low, 0.015 * high),
                    ..Key::new(digit)
                };
                assert_eq!(
                    told_after(lead, &near.sound()),
                    digit.to_string(),
                    "{digit} {low} {high}"
                );
                for far in [0.035, 0.045, 0.06] {
                    let far = Key {
                        ms: 200.0,
                        off: (far * low, far * high),
                        ..Key::new(digit)
                    };
                    let told = told_after(lead, &far.sound());
                    assert!(
                        !told.contains(digit.to_char()),
                        "{digit} {low} {high} off by {:?}",
                        far.off
                    );
                }
            }
        }
    }
}

#[test]
fn twist_from_minus_8_to_plus_4_db_is_a_key_and_15_db_is_not() {
    for digit in Digit::ALL {
        for dbm0 in [(-10.0, -18.0), (-10.0, -10.0), (-14.0, -10.0)] {
            let key = Key {
                ms: 40.0,
                dbm0,
                off: (0.015, -0.015),
                ..Key::new(digit)
            };
            assert_eq!(
                told_after(5, &key.sound()),
                digit.to_string(),
                "{digit} {dbm0:?}"
            );
        }
        for dbm0 in [(-5.0, -20.0), (-20.0, -5.0)] {
            assert_eq!(
                told_after(
                    5,
                    &Key {
                        dbm0,
                        ..Key::new(digit)
                    }
                    .sound()
                ),
                "",
                "{digit} {dbm0:?}"
            );
        }
    }
}

#[test]
fn levels_from_minus_27_to_minus_3_dbm0_are_keys_and_minus_45_is_not() {
    for digit in Digit::ALL {
        for level in [-3.0, -10.0, -20.0, -27.0] {
            let key = Key {
                ms: 40.0,
                dbm0: (level, level),
                ..Key::new(digit)
            };
            assert_eq!(
                told_after(3, &key.sound()),
                digit.to_string(),
                "{digit} at {level}"
            );
        }
        assert_eq!(
            told_after(
                3,
                &Key {
                    dbm0: (-45.0, -45.0),
                    ..Key::new(digit)
                }
                .sound()
            ),
            ""
        );
    }
}

#[test]
fn a_break_of_10_ms_is_one_press_and_a_pause_of_40_ms_two() {
    for digit in Digit::ALL {
        for lead in 0..40 {
            let press = |pause: usize| {
                [
                    Key::new(digit).sound(),
                    vec![0; pause * 8],
                    Key::new(digit).sound(),
                ]
                .concat()
            };
            assert_eq!(
                told_after(lead, &press(10)).len(),
                1,
                "{digit} break, lead {lead}"
            );
            assert_eq!(
                told_after(lead, &press(40)).len(),
                2,
                "{digit} pause, lead {lead}"
            );
        }
    }
}

#[test]
fn all_keys_in_a_row_come_through_both_laws_with_noise_20_db_below() {
    for codec in G711::ALL {
        for seed in 0..40 {
            let (mut sound, mut expected) = (Vec::new(), String::new());
            for digit in Digit::ALL {
                let dbm0 = [(-6.0, -10.0), (-12.0, -9.0), (-22.0, -24.0)][seed as usize % 3];
                let key = Key {
                    ms: 50.0,
                    off: (0.01, -0.01),
                    dbm0,
                    ..Key::new(digit)
                };
                sound.extend(with_noise(&key.sound(), 20.0, seed + 1));
                sound.extend([0; 400]);
                expected.push(digit.to_char());
            }
            let mut heard = vec![0; sound.len()];
            codec.decode(&codec.encode_all(&sound), &mut heard);
            assert_eq!(told_after(0, &heard), expected, "{codec:?} seed {seed}");
        }
    }
}

#[test]
fn a_key_held_for_ten_seconds_is_told_once_for_every_frame_length() {
    for frame in [1, 7, 80, 160, 480] {
        let key = Key {
            ms: 10_000.0,
            ..Key::new(Digit::ALL[5])
        };
        let mut detector = ToneDetector::new();
        let told = key
            .sound()
            .chunks(frame)
            .filter_map(|frame| detector.push(frame))
            .count();
        assert_eq!(told, 1, "frames of {frame}");
        assert!(detector.is_pressed());
    }
}

#[test]
fn our_own_tones_of_50_ms_are_told_in_order() {
    let ms = Duration::from_millis;
    for codec in G711::ALL {
        let mut sender = ToneSender::new(Digit::ALL.into(), ms(50), ms(50));
        let (mut sound, mut frame) = (Vec::new(), [0; 160]);
        while sender.fill(&mut frame) {
            let mut heard = [0; 160];
            codec.decode(&codec.encode_all(&frame), &mut heard);
            sound.extend(heard);
        }
        assert_eq!(told_after(0, &sound), "0123456789*#ABCD", "{codec:?}");
    }
}

#[test]
fn a_press_with_a_concealed_frame_in_it_is_told_once() {
    for digit in Digit::ALL {
        for lost in 1..10 {
            let sound = [
                vec![0; 800],
                Key {
                    ms: 200.0,
                    ..Key::new(digit)
                }
                .sound(),
            ]
            .concat();
            let mut concealer = Concealer::new();
            let mut heard = Vec::new();
            for (at, frame) in sound.chunks_exact(160).enumerate() {
                let mut frame: [i16; 160] = frame.try_into().unwrap();
                if at == 4 + lost {
                    concealer.conceal(&mut frame)
                } else {
                    concealer.accept(&mut frame)
                }
                heard.extend(frame);
            }
            assert_eq!(
                told_after(0, &heard),
                digit.to_string(),
                "frame {lost} lost"
            );
        }
    }
}
