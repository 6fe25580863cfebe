//! Sound as a phone has it: 8 kHz samples, G.711, tones, keys in the voice band, and a meter.
//!
//! Written apart from the product, straight from ITU-T G.711 and Q.23, so that a mistake in the product's
//! own tables cannot hide behind the same mistake here.

use std::f64::consts::TAU;

/// Samples a second of everything in here.
pub const RATE: usize = 8000;

/// Samples in one packet of 20 ms.
pub const FRAME: usize = 160;

/// The keys of the pad, row by row, and the tones of rows and columns (ITU-T Q.23).
const KEYS: &str = "123A456B789C*0#D";
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// The two laws of ITU-T G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    Mu,
    A,
}

impl Law {
    /// The static RTP payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => encode_mu(sample),
            Law::A => encode_a(sample),
        }
    }

    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Law::Mu => decode_mu(byte),
            Law::A => decode_a(byte),
        }
    }
}

/// Eight segments, each twice as coarse as the one before; `bias` makes the first start at zero.
fn encode_mu(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let segment = (0..8).rev().find(|s| magnitude >= 132 << s).unwrap_or(0);
    let step = (magnitude >> (segment + 3)) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let code = sign | segment << 4 | step;
    !(code as u8)
}

fn decode_mu(byte: u8) -> i16 {
    let code = i32::from(!byte);
    let magnitude = (((code & 0x0f) << 3) + 132) << ((code >> 4) & 7);
    let magnitude = (magnitude - 132) as i16;
    if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }
}

fn encode_a(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs() >> 4).min(2047);
    let segment = (1..8).rev().find(|s| magnitude >= 8 << s).unwrap_or(0);
    let step = (magnitude >> (segment - 1).max(0)) & 0x0f;
    let sign = if sample < 0 { 0 } else { 0x80 };
    ((sign | segment << 4 | step) ^ 0x55) as u8
}

fn decode_a(byte: u8) -> i16 {
    let code = i32::from(byte ^ 0x55);
    let step = code & 0x0f;
    let magnitude = match (code >> 4) & 7 {
        0 => (step << 4) + 8,
        segment => ((step << 4) + 264) << (segment - 1),
    };
    if code & 0x80 != 0 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

/// The sum of sines at `hz`, each with peak `level`, eased in and out over 5 ms.
pub fn tone(hz: &[f64], millis: usize, level: f64) -> Vec<i16> {
    sampled(hz, millis, level, RATE)
        .into_iter()
        .map(|s| s as i16)
        .collect()
}

/// As [`tone`], at any rate and not yet rounded: the source of the WAV files that tests play.
pub fn sampled(hz: &[f64], millis: usize, level: f64, rate: usize) -> Vec<f64> {
    let len = rate * millis / 1000;
    let ease = (rate / 200) as f64;
    (0..len)
        .map(|n| {
            let edge = (n.min(len - 1 - n) as f64 / ease).min(1.0);
            let sum: f64 = hz
                .iter()
                .map(|f| (TAU * f * n as f64 / rate as f64).sin())
                .sum();
            level * edge * sum
        })
        .collect()
}

pub fn silence(millis: usize) -> Vec<i16> {
    vec![0; RATE * millis / 1000]
}

/// A key as it sounds (ITU-T Q.23): one row and one column frequency.
pub fn key(digit: char, millis: usize) -> Vec<i16> {
    let at = KEYS.find(digit).expect("a key of the pad");
    tone(&[ROWS[at / 4], COLUMNS[at % 4]], millis, 7000.0)
}

/// Which part of the power of `samples` lies at `hz`: 1.0 is a pure tone.
pub fn share(samples: &[i16], hz: f64) -> f64 {
    let total: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    if total == 0.0 {
        return 0.0;
    }
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let angle = TAU * hz * n as f64 / RATE as f64;
        re += f64::from(sample) * angle.cos();
        im += f64::from(sample) * angle.sin();
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * total)
}

/// Root of the mean square: a full-scale sine is 23170.
pub fn rms(samples: &[i16]) -> f64 {
    let total: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    (total / samples.len().max(1) as f64).sqrt()
}

/// The strongest tone between 200 and 3400 Hz, to 10 Hz, for a message that helps.
pub fn loudest(samples: &[i16]) -> f64 {
    (20..340)
        .map(|f| f64::from(f) * 10.0)
        .max_by(|a, b| share(samples, *a).total_cmp(&share(samples, *b)))
        .unwrap_or(0.0)
}

/// Whether `samples` are in substance the one tone `hz`.
pub fn is_tone(samples: &[i16], hz: f64) -> bool {
    rms(samples) > 300.0 && share(samples, hz) > 0.75
}

/// Whether each of `voices` is in `samples` in about equal parts, and none of `absent` is.
pub fn is_mix(samples: &[i16], voices: &[f64], absent: &[f64]) -> bool {
    let fair = 1.0 / voices.len() as f64;
    rms(samples) > 300.0
        && voices.iter().all(|hz| share(samples, *hz) > 0.4 * fair)
        && absent.iter().all(|hz| share(samples, *hz) < 0.02)
}

/// The keys in the voice band of `samples`, each once however long it lasts (ITU-T Q.23).
pub fn keys(samples: &[i16]) -> String {
    let mut keys = String::new();
    let mut last = None;
    // 25 ms tell the rows and columns apart.
    for window in samples.chunks(RATE / 40) {
        let key = key_of(window);
        if key.is_some() && key != last {
            keys.extend(key);
        }
        last = key;
    }
    keys
}

fn key_of(window: &[i16]) -> Option<char> {
    let strongest = |tones: [f64; 4]| {
        let shares = tones.map(|hz| share(window, hz));
        (0..4)
            .max_by(|a, b| shares[*a].total_cmp(&shares[*b]))
            .filter(|at| shares[*at] > 0.25)
    };
    let (row, column) = (strongest(ROWS)?, strongest(COLUMNS)?);
    (rms(window) > 300.0).then(|| KEYS.chars().nth(row * 4 + column))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_law_returns_every_byte_it_is_given() {
        for law in [Law::Mu, Law::A] {
            for byte in 0..=255 {
                let again = law.encode(law.decode(byte));
                // µ-law has two codes for zero.
                assert!(
                    again == byte || law.decode(again) == law.decode(byte),
                    "{law:?} {byte:#x}"
                );
            }
        }
    }

    #[test]
    fn meter_tells_a_tone_from_its_neighbour() {
        let samples = tone(&[440.0], 200, 8000.0);
        assert!(is_tone(&samples, 440.0));
        assert!(!is_tone(&samples, 500.0));
        assert_eq!(loudest(&samples), 440.0);
    }
}
