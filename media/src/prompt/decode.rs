//! A file to samples: MP3, FLAC and Ogg Vorbis by symphonia, Opus by [`super::ogg_opus`], WAV by [`super::wav`].

use std::io::Cursor;
use std::time::Duration;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::{ogg_opus, wav};
use crate::dsp::resample::{Resampler, UnsupportedRate};
use crate::frame::{Band, samples_in};

/// Bounds of what a file may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptLimits {
    /// The longest sound.
    pub max_duration: Duration,
}

impl Default for PromptLimits {
    /// Ten minutes: 9.6 MB of samples and 9.6 MB of encoded forms, and 19.2 MB more for what is in the wide band.
    fn default() -> Self {
        Self {
            max_duration: Duration::from_secs(600),
        }
    }
}

/// Why a file is no prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// No file of a kind that is known.
    #[error("not a WAV, MP3, Ogg (Vorbis, Opus) or FLAC file")]
    UnknownFormat,
    /// A file of a known kind whose contents cannot be decoded.
    #[error("damaged audio: {why}")]
    Damaged {
        /// What the decoder met.
        why: &'static str,
    },
    /// An encoding that is not known, in a file of a kind that is: ADPCM in WAV, Speex in Ogg.
    #[error("unsupported audio encoding")]
    UnsupportedEncoding,
    /// A rate outside 4 to 192 kHz.
    #[error("unsupported sample rate of {rate} Hz")]
    UnsupportedRate {
        /// Samples per second.
        rate: u32,
    },
    /// More channels than any prompt has.
    #[error("unsupported number of channels: {channels}")]
    UnsupportedChannels {
        /// How many.
        channels: usize,
    },
    /// The file holds no sound.
    #[error("no audio in the file")]
    Empty,
    /// The sound is longer than the limit.
    #[error("longer than {} seconds", max_duration.as_secs())]
    TooLong {
        /// The limit.
        max_duration: Duration,
    },
}

impl From<UnsupportedRate> for PromptError {
    fn from(error: UnsupportedRate) -> Self {
        Self::UnsupportedRate { rate: error.rate }
    }
}

/// As many channels as surround sound has.
const MAX_CHANNELS: usize = 8;

/// One channel of sound.
pub(super) struct Decoded {
    /// At 8 kHz.
    pub(super) narrow: Vec<i16>,
    /// At 16 kHz, when the file has as much.
    pub(super) wide: Option<Vec<i16>>,
}

/// Decodes a whole file.
pub(super) fn decode(
    file: Vec<u8>,
    extension: Option<&str>,
    limits: PromptLimits,
) -> Result<Decoded, PromptError> {
    let mut sound = Sound::new(limits);
    if wav::is_wav(&file) {
        wav::decode(&file, &mut sound)?;
    } else if ogg_opus::is_opus(&file) {
        ogg_opus::decode(&file, &mut sound)?;
    } else {
        decode_compressed(file, extension, &mut sound)?;
    }
    sound.finish()
}

fn decode_compressed(
    file: Vec<u8>,
    extension: Option<&str>,
    sound: &mut Sound,
) -> Result<(), PromptError> {
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(
        Box::new(Cursor::new(file)),
        MediaSourceStreamOptions::default(),
    );
    let mut format = symphonia::default::get_probe()
        .probe(
            &hint,
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| explain(&error, PromptError::UnknownFormat))?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or(PromptError::Empty)?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(PromptError::UnsupportedEncoding)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|error| explain(&error, PromptError::UnsupportedEncoding))?;
    decode_all(&mut *format, &mut *decoder, sound)
}

/// Decodes packet by packet. Noise that looks like MP3 has more broken packets than whole ones.
fn decode_all(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    sound: &mut Sound,
) -> Result<(), PromptError> {
    let (mut whole, mut broken) = (0_u64, 0_u64);
    let mut interleaved = Vec::new();
    let mut why = "no decodable audio";
    // A file that ends in the middle of a packet plays up to there.
    while let Ok(Some(packet)) = format.next_packet() {
        match decoder.decode(&packet) {
            Ok(decoded) => {
                let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
                decoded.copy_to_vec_interleaved::<f32>(&mut interleaved);
                if sound.push(&interleaved, rate, channels)? {
                    whole += 1;
                } else {
                    broken += 1;
                }
            }
            Err(Error::DecodeError(what)) => {
                why = what;
                broken += 1;
            }
            Err(Error::IoError(_)) => broken += 1,
            Err(error) => return Err(explain(&error, PromptError::UnsupportedEncoding)),
        }
    }
    if broken > whole {
        Err(PromptError::Damaged { why })
    } else {
        Ok(())
    }
}

fn explain(error: &Error, otherwise: PromptError) -> PromptError {
    match error {
        Error::DecodeError(why) | Error::LimitError(why) => PromptError::Damaged { why },
        _ => otherwise,
    }
}

/// Refuses more channels than any prompt has.
pub(super) fn check_channels(channels: usize) -> Result<(), PromptError> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        Ok(())
    } else {
        Err(PromptError::UnsupportedChannels { channels })
    }
}

/// A sound that grows, mixed to one channel and brought into the bands that it fills.
pub(super) struct Sound {
    limits: PromptLimits,
    tuning: Option<Tuning>,
    mixed: Vec<f32>,
    narrow: Vec<i16>,
    wide: Vec<i16>,
}

/// What brings one rate into the bands.
struct Tuning {
    rate: u32,
    narrow: Resampler,
    wide: Option<Resampler>,
}

impl Tuning {
    fn new(rate: u32) -> Result<Self, UnsupportedRate> {
        let band = Band::Wide.sample_rate();
        Ok(Self {
            rate,
            narrow: Resampler::new(rate, Band::Narrow.sample_rate())?,
            wide: match rate >= band {
                true => Some(Resampler::new(rate, band)?),
                false => None,
            },
        })
    }
}

impl Sound {
    const fn new(limits: PromptLimits) -> Self {
        Self {
            limits,
            tuning: None,
            mixed: Vec::new(),
            narrow: Vec::new(),
            wide: Vec::new(),
        }
    }

    /// Adds interleaved samples between -1 and 1; `false` when they do not belong to this sound
    /// because their rate is another.
    pub(super) fn push(
        &mut self,
        interleaved: &[f32],
        rate: u32,
        channels: usize,
    ) -> Result<bool, PromptError> {
        check_channels(channels)?;
        let tuning = match &mut self.tuning {
            Some(known) => known,
            none => none.insert(Tuning::new(rate)?),
        };
        if tuning.rate != rate {
            return Ok(false);
        }
        let scale = 32_768.0 / channels as f32;
        let finite = |sample: f32| {
            if sample.is_finite() {
                sample.clamp(-4.0, 4.0)
            } else {
                0.0
            }
        };
        self.mixed.clear();
        self.mixed.extend(
            interleaved
                .chunks_exact(channels)
                .map(|frame| frame.iter().map(|sample| finite(*sample)).sum::<f32>() * scale),
        );
        tuning.narrow.push(&self.mixed, &mut self.narrow);
        if let Some(wide) = &mut tuning.wide {
            wide.push(&self.mixed, &mut self.wide);
        }
        self.check_duration()?;
        Ok(true)
    }

    fn check_duration(&self) -> Result<(), PromptError> {
        let max_duration = self.limits.max_duration;
        if self.narrow.len() as u64 > samples_in(max_duration) {
            return Err(PromptError::TooLong { max_duration });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Decoded, PromptError> {
        let tuning = self.tuning.take().ok_or(PromptError::Empty)?;
        tuning.narrow.finish(&mut self.narrow);
        let wide = tuning.wide.map(|wide| {
            wide.finish(&mut self.wide);
            self.wide.resize(2 * self.narrow.len(), 0);
            std::mem::take(&mut self.wide)
        });
        self.check_duration()?;
        if self.narrow.is_empty() {
            return Err(PromptError::Empty);
        }
        Ok(Decoded {
            narrow: self.narrow,
            wide,
        })
    }
}

#[cfg(test)]
mod tests;
