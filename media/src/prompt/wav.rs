//! WAV files as they are found: with lengths that are not true, chunks in between, and any of the
//! encodings that telephony uses.
//!
//! Own code, since the lengths of a WAV made by a pipe or a live recording are not true, and headers
//! of µ-law files often lack what the common readers ask for.

use super::decode::{PromptError, Sound};
use crate::codec::G711;

/// Frames decoded at once.
const PIECE: usize = 1_024;

/// Whether a file starts as a WAV does.
pub(super) fn is_wav(file: &[u8]) -> bool {
    file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE")
}

/// Adds everything in a WAV to a sound.
pub(super) fn decode(file: &[u8], sound: &mut Sound) -> Result<(), PromptError> {
    let (format, data) = chunks(file)?;
    let frame = usize::from(format.channels) * format.encoding.octets();
    let mut samples = Vec::with_capacity(PIECE * usize::from(format.channels));
    for piece in data.chunks(PIECE * frame) {
        let whole = &piece[..piece.len() - piece.len() % frame];
        samples.clear();
        format.encoding.decode(whole, &mut samples);
        sound.push(&samples, format.rate, usize::from(format.channels))?;
    }
    Ok(())
}

/// What the `fmt ` chunk says.
#[derive(Clone, Copy, Debug)]
struct Format {
    encoding: Encoding,
    channels: u16,
    rate: u32,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    /// Unsigned.
    Pcm8,
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
    Float64,
    G711(G711),
}

/// The format, and the octets of the sound: as many as the file says and has.
fn chunks(file: &[u8]) -> Result<(Format, &[u8]), PromptError> {
    let mut format = None;
    let mut rest = file.get(12..).unwrap_or_default();
    while let Some((header, body)) = rest.split_at_checked(8) {
        let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        match &header[..4] {
            b"fmt " => format = Some(Format::parse(body.get(..len).unwrap_or(body))?),
            b"data" => {
                let format = format.ok_or(PromptError::Damaged {
                    why: "no format before the data",
                })?;
                // A writer that cannot go back to its header leaves a length of nothing or of all.
                let is_true = len > 0 && len <= body.len();
                return Ok((format, if is_true { &body[..len] } else { body }));
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = len
            .checked_add(len % 2)
            .and_then(|len| body.get(len..))
            .unwrap_or_default();
    }
    Err(PromptError::Empty)
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, PromptError> {
        let short = |at: usize| {
            chunk
                .get(at..at + 2)
                .map(|octets| u16::from_le_bytes([octets[0], octets[1]]))
        };
        let truncated = PromptError::Damaged {
            why: "truncated format",
        };
        let (Some(tag), Some(channels), Some(low), Some(high), Some(bits)) =
            (short(0), short(2), short(4), short(6), short(14))
        else {
            return Err(truncated);
        };
        // An extensible format has its true tag at the front of a GUID.
        let tag = if tag == 0xFFFE {
            short(24).ok_or(truncated)?
        } else {
            tag
        };
        let encoding = match (tag, bits) {
            (1, 8) => Encoding::Pcm8,
            (1, 16) => Encoding::Pcm16,
            (1, 24) => Encoding::Pcm24,
            (1, 32) => Encoding::Pcm32,
            (3, 32) => Encoding::Float32,
            (3, 64) => Encoding::Float64,
            (6, 8) => Encoding::G711(G711::Alaw),
            (7, 8) => Encoding::G711(G711::Ulaw),
            _ => return Err(PromptError::UnsupportedEncoding),
        };
        super::decode::check_channels(usize::from(channels))?;
        Ok(Self {
            encoding,
            channels,
            rate: u32::from(high) << 16 | u32::from(low),
        })
    }
}

impl Encoding {
    /// Octets of one sample.
    const fn octets(self) -> usize {
        match self {
            Self::Pcm8 | Self::G711(_) => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Adds samples between -1 and 1.
    fn decode(self, octets: &[u8], samples: &mut Vec<f32>) {
        match self {
            Self::Pcm8 => samples.extend(
                octets
                    .iter()
                    .map(|octet| (f32::from(*octet) - 128.0) / 128.0),
            ),
            Self::Pcm16 => extend(octets, samples, |sample| {
                f32::from(i16::from_le_bytes(sample)) / 32_768.0
            }),
            Self::Pcm24 => extend(octets, samples, |[low, middle, high]| {
                i32::from_le_bytes([0, low, middle, high]) as f32 / FULL_SCALE
            }),
            Self::Pcm32 => extend(octets, samples, |sample| {
                i32::from_le_bytes(sample) as f32 / FULL_SCALE
            }),
            Self::Float32 => extend(octets, samples, f32::from_le_bytes),
            Self::Float64 => extend(octets, samples, |sample| f64::from_le_bytes(sample) as f32),
            Self::G711(codec) => {
                let mut linear = [0; PIECE];
                for piece in octets.chunks(PIECE) {
                    let count = codec.decode(piece, &mut linear);
                    samples.extend(
                        linear[..count]
                            .iter()
                            .map(|sample| f32::from(*sample) / 32_768.0),
                    );
                }
            }
        }
    }
}

const FULL_SCALE: f32 = 2_147_483_648.0;

fn extend<const N: usize>(octets: &[u8], samples: &mut Vec<f32>, decode: impl Fn([u8; N]) -> f32) {
    samples.extend(octets.as_chunks().0.iter().map(|sample| decode(*sample)));
}
