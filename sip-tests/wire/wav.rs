//! WAV files as tests write and read them: every format the switch must play, and what it records.

use crate::sound::{self, Law};

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Unsigned, as 8-bit WAV is.
    Pcm8,
    Pcm16,
    Pcm24,
    Law(Law),
}

/// A file to be made: the tone is in the last channel only, so that a player that drops it is found out.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub format: Format,
    pub rate: u32,
    pub channels: u16,
}

impl Format {
    fn tag(self) -> u16 {
        match self {
            Format::Pcm8 | Format::Pcm16 | Format::Pcm24 => 1,
            Format::Law(Law::A) => 6,
            Format::Law(Law::Mu) => 7,
        }
    }

    fn bytes(self) -> u16 {
        match self {
            Format::Pcm8 | Format::Law(_) => 1,
            Format::Pcm16 => 2,
            Format::Pcm24 => 3,
        }
    }

    fn put(self, sample: f64, out: &mut Vec<u8>) {
        match self {
            Format::Pcm8 => out.push((sample / 256.0 + 128.0) as u8),
            Format::Pcm16 => out.extend_from_slice(&(sample as i16).to_le_bytes()),
            Format::Pcm24 => out.extend_from_slice(&((sample * 256.0) as i32).to_le_bytes()[..3]),
            Format::Law(law) => out.push(law.encode(sample as i16)),
        }
    }
}

/// A file of one tone.
pub fn tone(spec: Spec, hz: f64, millis: usize) -> Vec<u8> {
    let mut data = Vec::new();
    for sample in sound::sampled(&[hz], millis, 12_000.0, spec.rate as usize) {
        for channel in 1..=spec.channels {
            spec.format.put(
                if channel == spec.channels {
                    sample
                } else {
                    0.0
                },
                &mut data,
            );
        }
    }
    file(spec, &data, data.len() as u32)
}

/// The plain file most tests play: 16 bit, 8 kHz, mono.
pub fn plain(hz: f64, millis: usize) -> Vec<u8> {
    tone(
        Spec {
            format: Format::Pcm16,
            rate: 8000,
            channels: 1,
        },
        hz,
        millis,
    )
}

/// A RIFF file around `data`, whose header says `claimed` bytes of it.
pub fn file(spec: Spec, data: &[u8], claimed: u32) -> Vec<u8> {
    let Spec {
        format,
        rate,
        channels,
    } = spec;
    let block = format.bytes() * channels;
    let mut out = Vec::new();
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&claimed.saturating_add(36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&format.tag().to_le_bytes());
    out.extend_from_slice(&channels.to_le_bytes());
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&(rate * u32::from(block)).to_le_bytes());
    out.extend_from_slice(&block.to_le_bytes());
    out.extend_from_slice(&(format.bytes() * 8).to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&claimed.to_le_bytes());
    out.extend_from_slice(data);
    out
}

/// What a player finds in a file: only bytes that its header vouches for.
#[derive(Debug)]
pub struct Heard {
    pub rate: u32,
    pub samples: Vec<i16>,
}

impl Heard {
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }
}

/// Reads a mono file by its header alone, as a strict player does.
pub fn read(bytes: &[u8]) -> Result<Heard, &'static str> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err("not a RIFF/WAVE file");
    }
    let mut at = 12;
    let mut format = None;
    while let Some(head) = bytes.get(at..at + 8) {
        let len = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        let body = bytes
            .get(at + 8..at + 8 + len)
            .ok_or("a chunk is longer than the file")?;
        match &head[..4] {
            b"fmt " => {
                let tag = u16::from_le_bytes(body[0..2].try_into().unwrap());
                let channels = u16::from_le_bytes(body[2..4].try_into().unwrap());
                let rate = u32::from_le_bytes(body[4..8].try_into().unwrap());
                let bits = u16::from_le_bytes(body[14..16].try_into().unwrap());
                format = Some((tag, channels, rate, bits));
            }
            b"data" => {
                let (tag, channels, rate, bits) = format.ok_or("data before fmt")?;
                if channels != 1 {
                    return Err("not mono");
                }
                let samples = match (tag, bits) {
                    (1 | 0xfffe, 16) => body
                        .chunks_exact(2)
                        .map(|b| i16::from_le_bytes([b[0], b[1]]))
                        .collect(),
                    (6, 8) => body.iter().map(|&b| Law::A.decode(b)).collect(),
                    (7, 8) => body.iter().map(|&b| Law::Mu.decode(b)).collect(),
                    _ => return Err("neither 16 bit nor G.711"),
                };
                return Ok(Heard { rate, samples });
            }
            _ => {}
        }
        at += 8 + len + len % 2;
    }
    Err("no data chunk")
}
