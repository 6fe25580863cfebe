//! Brings speech of any engine to one loudness.

use super::script::Volume;

/// Scales `samples` to the telephone level, then by `volume`; peaks are rounded off and never clipped.
///
/// The level is that of the speech itself, not of its pauses: only blocks within 30 dB of the loudest
/// one count. Silence stays silence.
pub(super) fn level(samples: &mut [i16], volume: Volume) {
    let Some(decibels) = volume.decibels() else {
        samples.fill(0);
        return;
    };
    let active = active_rms(samples);
    if active < QUIETEST_SPEECH {
        return;
    }
    let gain = TELEPHONE_RMS / active * 10f32.powf(decibels / 20.0);
    for sample in samples {
        *sample = rounded(f32::from(*sample) * gain);
    }
}

/// Root mean square of the blocks in which someone speaks.
fn active_rms(samples: &[i16]) -> f32 {
    let blocks: Vec<f32> = samples
        .chunks(BLOCK)
        .map(|block| {
            let energy: f32 = block.iter().map(|sample| f32::from(*sample).powi(2)).sum();
            energy / block.len() as f32
        })
        .collect();
    let loudest = blocks.iter().copied().fold(0.0, f32::max);
    let active = blocks.iter().filter(|energy| **energy >= loudest / 1000.0);
    let (sum, count) = active.fold((0.0, 0.0), |(sum, count), energy| {
        (sum + energy, count + 1.0)
    });
    if count == 0.0 {
        0.0
    } else {
        (sum / count).sqrt()
    }
}

/// Straight up to the knee, then bent so that it never reaches full scale.
fn rounded(value: f32) -> i16 {
    let height = value.abs();
    let bent = if height <= KNEE {
        height
    } else {
        KNEE + (CEILING - KNEE) * ((height - KNEE) / (CEILING - KNEE)).tanh()
    };
    bent.copysign(value).round() as i16
}

/// -18 dBov, about what a handset delivers (ITU-T G.100.1, P.56).
const TELEPHONE_RMS: f32 = 32768.0 * 0.125_892_54;

/// Below this nobody speaks; noise is not made loud.
const QUIETEST_SPEECH: f32 = 4.0;

/// Where rounding off begins: -3 dBov.
const KNEE: f32 = 23_200.0;

/// What is never exceeded.
const CEILING: f32 = 32_000.0;

/// 20 ms at 8 kHz.
const BLOCK: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32) -> Vec<i16> {
        (0..8000)
            .map(|n| (amplitude * (n as f32 * 0.7).sin()) as i16)
            .collect()
    }

    fn rms(samples: &[i16]) -> f32 {
        let energy: f32 = samples
            .iter()
            .map(|sample| f32::from(*sample).powi(2))
            .sum();
        (energy / samples.len() as f32).sqrt()
    }

    #[test]
    fn quiet_and_loud_speech_come_to_one_level_whatever_pauses_they_have() {
        for amplitude in [300.0, 3_000.0, 30_000.0] {
            let mut samples = tone(amplitude);
            samples.extend([0; 16_000]);
            level(&mut samples, Volume::default());
            let ratio = rms(&samples[..8000]) / TELEPHONE_RMS;
            assert!((0.97..1.03).contains(&ratio), "{amplitude}: {ratio}");
        }
    }

    #[test]
    fn six_decibels_are_twice_the_amplitude_and_silent_is_nothing() {
        let mut samples = tone(5_000.0);
        level(&mut samples, Volume::from_decibels(-6.0));
        let ratio = rms(&samples) / TELEPHONE_RMS;
        assert!((0.48..0.52).contains(&ratio), "{ratio}");
        level(&mut samples, Volume::Silent);
        assert!(samples.iter().all(|sample| *sample == 0));
    }

    #[test]
    fn no_gain_clips_and_silence_stays_silence() {
        let mut samples = tone(20_000.0);
        samples[100] = i16::MIN;
        level(&mut samples, Volume::from_decibels(12.0));
        assert!(
            samples
                .iter()
                .all(|sample| sample.unsigned_abs() <= CEILING as u16)
        );
        let mut silence = vec![1i16; 1000];
        level(&mut silence, Volume::from_decibels(12.0));
        assert_eq!(silence, vec![1i16; 1000]);
        level(&mut [], Volume::default());
    }
}
