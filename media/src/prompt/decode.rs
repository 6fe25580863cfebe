//! A file to samples at 8 kHz: MP3 by symphonia, WAV by [`super::wav`].

use std::io::Cursor;
use std::time::Duration;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::wav;
use crate::dsp::resample::{Resampler, UnsupportedRate};
use crate::frame::{SAMPLE_RATE, samples_in};

/// Bounds of what a file may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptLimits {
    /// The longest sound.
    pub max_duration: Duration,
}

impl Default for PromptLimits {
    /// Ten minutes: 9.6 MB of samples and 9.6 MB of encoded forms.
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
    /// Neither WAV nor MP3.
    #[error("not a WAV or MP3 file")]
    UnknownFormat,
    /// A WAV or MP3 whose contents cannot be decoded.
    #[error("damaged audio: {why}")]
    Damaged {
        /// What the decoder met.
        why: &'static str,
    },
    /// An encoding within WAV that is not PCM, float, µ-law or A-law.
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

/// Decodes a whole file to one channel at 8 kHz.
pub(super) fn samples(
    file: Vec<u8>,
    extension: Option<&str>,
    limits: PromptLimits,
) -> Result<Vec<i16>, PromptError> {
    let mut sound = Sound::new(limits);
    if wav::is_wav(&file) {
        wav::decode(&file, &mut sound)?;
    } else {
        decode_mp3(file, extension, &mut sound)?;
    }
    sound.finish()
}

fn decode_mp3(
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

/// A sound that grows, mixed to one channel and brought to 8 kHz.
pub(super) struct Sound {
    limits: PromptLimits,
    resampler: Option<(u32, Resampler)>,
    mixed: Vec<f32>,
    samples: Vec<i16>,
}

impl Sound {
    const fn new(limits: PromptLimits) -> Self {
        Self {
            limits,
            resampler: None,
            mixed: Vec::new(),
            samples: Vec::new(),
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
        let (known, resampler) = match &mut self.resampler {
            Some(known) => known,
            none => none.insert((rate, Resampler::new(rate, SAMPLE_RATE)?)),
        };
        if *known != rate {
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
        resampler.push(&self.mixed, &mut self.samples);
        self.check_duration()?;
        Ok(true)
    }

    fn check_duration(&self) -> Result<(), PromptError> {
        let max_duration = self.limits.max_duration;
        if self.samples.len() as u64 > samples_in(max_duration) {
            return Err(PromptError::TooLong { max_duration });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<i16>, PromptError> {
        if let Some((_, resampler)) = self.resampler.take() {
            resampler.finish(&mut self.samples);
        }
        self.check_duration()?;
        if self.samples.is_empty() {
            Err(PromptError::Empty)
        } else {
            Ok(self.samples)
        }
    }
}

#[cfg(test)]
mod tests;
