use proptest::prelude::*;

use super::*;
use crate::codec::G711;
use crate::dsp::level::dbov;
use crate::dsp::meter::frequency_power;
use crate::prompt::Prompt;
use crate::sim::Chance;

/// Format tags of WAV.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const ALAW: u16 = 6;
const ULAW: u16 = 7;

/// A WAV of a format; the lengths are true.
fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let block = channels.wrapping_mul(bits) / 8;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate.wrapping_mul(u32::from(block))).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    file
}

/// Half a second of a tone at -12 dBov or so, as numbers between -1 and 1.
fn tone(hertz: f64, rate: u32) -> impl Iterator<Item = f64> {
    (0..rate / 2).map(move |at| {
        0.35 * (std::f64::consts::TAU * hertz * f64::from(at) / f64::from(rate)).sin()
    })
}

fn pcm16(samples: impl Iterator<Item = f64>) -> Vec<u8> {
    samples
        .flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes())
        .collect()
}

fn decode(file: Vec<u8>) -> Result<Prompt, PromptError> {
    Prompt::decode(file, Some("wav"), PromptLimits::default())
}

#[track_caller]
fn assert_tone(prompt: &Prompt, hertz: f32) {
    let samples = prompt.samples();
    assert!(
        (3_990..=4_200).contains(&samples.len()),
        "{} samples",
        samples.len()
    );
    let power = frequency_power(&samples[400..3_600], hertz);
    assert!((power + 12.13).abs() < 0.6, "{power:.2} dBov at {hertz} Hz");
}

#[test]
fn every_encoding_of_wav_sounds_the_same() {
    let samples = || tone(1_000.0, 8_000);
    let short: Vec<i16> = samples().map(|sample| (sample * 32_767.0) as i16).collect();
    let files = [
        wav(
            PCM,
            1,
            8_000,
            8,
            &samples()
                .map(|sample| (sample * 127.0 + 128.0) as u8)
                .collect::<Vec<_>>(),
        ),
        wav(PCM, 1, 8_000, 16, &pcm16(samples())),
        wav(
            PCM,
            1,
            8_000,
            24,
            &samples()
                .flat_map(|sample| ((sample * 2_147_483_647.0) as i32).to_le_bytes()[1..].to_vec())
                .collect::<Vec<_>>(),
        ),
        wav(
            PCM,
            1,
            8_000,
            32,
            &samples()
                .flat_map(|sample| ((sample * 2_147_483_647.0) as i32).to_le_bytes())
                .collect::<Vec<_>>(),
        ),
        wav(
            FLOAT,
            1,
            8_000,
            32,
            &samples()
                .flat_map(|sample| (sample as f32).to_le_bytes())
                .collect::<Vec<_>>(),
        ),
        wav(ULAW, 1, 8_000, 8, &G711::Ulaw.encode_all(&short)),
        wav(ALAW, 1, 8_000, 8, &G711::Alaw.encode_all(&short)),
    ];
    for (at, file) in files.into_iter().enumerate() {
        let prompt = decode(file).unwrap_or_else(|error| panic!("encoding {at}: {error}"));
        assert_tone(&prompt, 1_000.0);
        assert_eq!(prompt.duration(), Duration::from_millis(500));
    }
}

#[test]
fn every_rate_is_brought_to_8_khz() {
    for rate in [
        4_000, 8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000,
    ] {
        let prompt = decode(wav(PCM, 1, rate, 16, &pcm16(tone(1_000.0, rate)))).unwrap();
        assert_tone(&prompt, 1_000.0);
    }
}

#[test]
fn two_channels_are_mixed_to_one() {
    let left_only = tone(1_000.0, 8_000).flat_map(|sample| [sample, 0.0]);
    let prompt = decode(wav(PCM, 2, 8_000, 16, &pcm16(left_only))).unwrap();
    assert!((frequency_power(prompt.samples(), 1_000.0) + 18.15).abs() < 0.1);
    let opposite = tone(1_000.0, 8_000).flat_map(|sample| [sample, -sample]);
    let prompt = decode(wav(PCM, 2, 8_000, 16, &pcm16(opposite))).unwrap();
    assert!(dbov(prompt.samples()) < -80.0);
}

#[test]
fn encoded_forms_are_those_of_the_samples() {
    let prompt = Prompt::beep();
    assert_eq!(prompt.duration(), Duration::from_millis(500));
    assert!(frequency_power(prompt.samples(), 1_000.0) > -20.0);
    for codec in G711::ALL {
        assert_eq!(
            prompt.encoded(codec)[..],
            codec.encode_all(prompt.samples())
        );
    }
}

#[test]
fn a_wav_that_lies_about_its_length_plays_what_is_there() {
    let file = wav(PCM, 1, 8_000, 16, &pcm16(tone(1_000.0, 8_000)));
    for riff in [0, 4, 36, 0x7FFF_F024, u32::MAX] {
        for data in [0, 0x7FFF_F000, 8_001, 1 << 31, u32::MAX] {
            let mut lying = file.clone();
            lying[4..8].copy_from_slice(&riff.to_le_bytes());
            lying[40..44].copy_from_slice(&u32::to_le_bytes(data));
            let prompt = decode(lying)
                .unwrap_or_else(|error| panic!("riff {riff:#x}, data {data:#x}: {error}"));
            assert_eq!(
                prompt.samples().len(),
                4_000,
                "riff {riff:#x}, data {data:#x}"
            );
            assert_tone(&prompt, 1_000.0);
        }
    }
}

#[test]
fn a_wav_cut_anywhere_plays_what_is_there_or_is_an_error() {
    let file = wav(PCM, 1, 8_000, 16, &pcm16(tone(1_000.0, 8_000)));
    for len in (0..200).chain([4_001, 8_043]) {
        match decode(file[..len].to_vec()) {
            Ok(prompt) => assert_eq!(prompt.samples().len(), (len - 44) / 2, "cut at {len}"),
            Err(error) => assert!(len < 46, "cut at {len}: {error}"),
        }
    }
}

#[test]
fn chunks_around_the_sound_are_stepped_over() {
    let file = wav(PCM, 1, 8_000, 16, &pcm16(tone(1_000.0, 8_000)));
    let mut with_chunks = file[..36].to_vec();
    with_chunks.extend_from_slice(b"junk\x05\x00\x00\x00abcde\x00");
    with_chunks.extend_from_slice(&file[36..]);
    with_chunks.extend_from_slice(b"tail\x04\x00\x00\x00abcd");
    assert_eq!(decode(with_chunks).unwrap().samples().len(), 4_000);
}

#[test]
fn mp3_is_decoded_with_and_without_a_hint() {
    let file = include_bytes!("tone-1000hz.mp3");
    for hint in [Some("mp3"), None, Some("wav")] {
        let prompt = Prompt::decode(&file[..], hint, PromptLimits::default()).unwrap();
        let samples = prompt.samples();
        assert!(
            (4_000..5_500).contains(&samples.len()),
            "{} samples",
            samples.len()
        );
        assert!(frequency_power(&samples[1_000..3_400], 1_000.0) > -15.0);
    }
}

#[test]
fn absurd_formats_are_refused_by_name() {
    let data = [0; 3_200];
    let error = |format, channels, rate, bits| {
        decode(wav(format, channels, rate, bits, &data)).unwrap_err()
    };
    assert_eq!(
        error(PCM, 1, 1_000_000, 16),
        PromptError::UnsupportedRate { rate: 1_000_000 }
    );
    assert_eq!(
        error(PCM, 1, 1, 16),
        PromptError::UnsupportedRate { rate: 1 }
    );
    assert_eq!(
        error(PCM, 1, 0, 16),
        PromptError::UnsupportedRate { rate: 0 }
    );
    for channels in [0, 9, 4_000, u16::MAX] {
        let expected = PromptError::UnsupportedChannels {
            channels: usize::from(channels),
        };
        assert_eq!(error(PCM, channels, 8_000, 8), expected);
    }
    for (format, bits) in [(PCM, 7), (PCM, 0), (0x55, 16), (FLOAT, 16), (ULAW, 16)] {
        assert_eq!(
            error(format, 1, 8_000, bits),
            PromptError::UnsupportedEncoding
        );
    }
}

#[test]
fn what_is_no_sound_is_a_clear_error() {
    for (file, hint) in [
        (&b""[..], None),
        (b"<html>not found</html>", Some("wav")),
        (&[0; 10_000], Some("mp3")),
    ] {
        let error = Prompt::decode(file, hint, PromptLimits::default()).unwrap_err();
        assert!(
            matches!(
                error,
                PromptError::UnknownFormat | PromptError::Damaged { .. } | PromptError::Empty
            ),
            "{error}"
        );
    }
    assert_eq!(decode(wav(PCM, 1, 8_000, 16, &[])), Err(PromptError::Empty));
}

#[test]
fn an_mp3_of_noise_is_an_error() {
    for seed in 0..20 {
        let mut chance = Chance::new(seed);
        let mut noise: Vec<u8> = (0..200_000).map(|_| chance.next() as u8).collect();
        let heads = if seed % 2 == 0 { 0 } else { 400 };
        // Heads of frames make the noise look like MP3 all the more.
        (0..heads)
            .for_each(|frame| noise[frame * 208..][..4].copy_from_slice(&[0xFF, 0xFB, 0x50, 0xC4]));
        let result = Prompt::decode(noise, Some("mp3"), PromptLimits::default());
        assert!(
            result.is_err(),
            "seed {seed}, {heads} heads: {:?}",
            result.map(|prompt| prompt.duration())
        );
    }
}

#[test]
fn a_sound_longer_than_the_limit_is_refused() {
    let limits = PromptLimits {
        max_duration: Duration::from_millis(499),
    };
    let file = wav(PCM, 1, 8_000, 16, &pcm16(tone(1_000.0, 8_000)));
    let too_long = Prompt::decode(file.clone(), None, limits);
    assert_eq!(
        too_long,
        Err(PromptError::TooLong {
            max_duration: limits.max_duration
        })
    );
    let limits = PromptLimits {
        max_duration: Duration::from_millis(500),
    };
    assert!(Prompt::decode(file, None, limits).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_wav_is_a_sound_or_an_error(changes in prop::collection::vec((0..60_usize, any::<u8>()), 1..6)) {
        let mut file = wav(PCM, 2, 16_000, 16, &pcm16(tone(500.0, 1_600)));
        changes.into_iter().for_each(|(at, octet)| file[at] = octet);
        let _ = decode(file);
    }

    #[test]
    fn a_damaged_mp3_is_a_sound_or_an_error(changes in prop::collection::vec((0..1_500_usize, any::<u8>()), 1..40)) {
        let mut file = include_bytes!("tone-1000hz.mp3").to_vec();
        let len = file.len();
        changes.into_iter().for_each(|(at, octet)| file[at % len] = octet);
        let _ = Prompt::decode(file, Some("mp3"), PromptLimits::default());
    }

    #[test]
    fn any_octets_are_a_sound_or_an_error(start in prop::sample::select(vec![&b"RIFF\xff\xff\xff\xffWAVEfmt "[..], b"\xff\xfb\x50\xc4", b"ID3\x04\x00", b"fLaC", b""]), octets in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let _ = Prompt::decode([start, &octets].concat(), None, PromptLimits::default());
    }
}

/// Half a second of 1 kHz at -9 dBov, by other programs.
#[test]
fn flac_vorbis_and_opus_play_whatever_they_are_called() {
    let files: [(&str, &[u8], bool); 3] = [
        ("flac", include_bytes!("tone-1000hz.flac"), false),
        ("ogg", include_bytes!("tone-1000hz-vorbis.ogg"), true),
        ("opus", include_bytes!("tone-1000hz-opus.ogg"), true),
    ];
    for (extension, file, is_wide) in files {
        for hint in [Some(extension), Some("bin"), None] {
            let prompt = Prompt::decode(file, hint, PromptLimits::default())
                .unwrap_or_else(|error| panic!("{extension}: {error}"));
            let samples = prompt.samples();
            assert!(
                (3_900..=4_200).contains(&samples.len()),
                "{extension}: {} samples",
                samples.len()
            );
            let power = frequency_power(&samples[800..3_200], 1_000.0);
            assert!((power + 9.0).abs() < 1.5, "{extension}: {power:.2} dBov");
            assert_eq!(prompt.wide().is_some(), is_wide, "{extension}");
        }
    }
}

#[test]
fn what_is_above_4_khz_is_kept_for_those_who_can_hear_it() {
    let prompt = decode(wav(PCM, 1, 48_000, 16, &pcm16(tone(6_000.0, 48_000)))).unwrap();
    assert!(dbov(&prompt.samples()[400..3_600]) < -80.0);
    let wide = prompt.wide().unwrap();
    assert_eq!(wide.len(), 2 * prompt.samples().len());
    // The meter counts by 8 kHz: 6 kHz at 16 kHz is 3 kHz there.
    assert!((frequency_power(&wide[800..7_200], 3_000.0) + 12.13).abs() < 0.6);
    let narrow = decode(wav(PCM, 1, 11_025, 16, &pcm16(tone(1_000.0, 11_025)))).unwrap();
    assert_eq!(narrow.wide(), None);
}

#[test]
fn a_cut_or_damaged_ogg_or_flac_is_an_error_or_less_sound_and_never_a_panic() {
    let files: [&[u8]; 3] = [
        include_bytes!("tone-1000hz.flac"),
        include_bytes!("tone-1000hz-vorbis.ogg"),
        include_bytes!("tone-1000hz-opus.ogg"),
    ];
    let mut chance = Chance::new(7);
    for file in files {
        for len in (0..file.len()).step_by(37) {
            let _ = Prompt::decode(&file[..len], None, PromptLimits::default());
        }
        for _ in 0..200 {
            let mut broken = file.to_vec();
            for _ in 0..4 {
                let at = chance.next() as usize % broken.len();
                broken[at] = chance.next() as u8;
            }
            let limits = PromptLimits {
                max_duration: Duration::from_secs(5),
            };
            let _ = Prompt::decode(broken, None, limits);
        }
    }
}
