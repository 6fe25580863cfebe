//! Comfort noise: what a line sounds like on which nobody speaks.

/// Quiet white noise; the same seed gives the same noise.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u32,
}

impl ComfortNoise {
    /// Largest sample: uniform noise of -68 dBov, just above the last bit of G.711.
    const PEAK: u32 = 22;

    /// Noise from a seed.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self { state: seed | 1 }
    }

    /// Writes the next samples over `out`.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            self.state = self
                .state
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            *sample =
                (((self.state >> 16) * (2 * Self::PEAK + 1)) >> 16) as i16 - Self::PEAK as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;

    #[test]
    fn noise_is_quiet_and_without_offset() {
        let mut samples = [0; 8_000];
        ComfortNoise::new(3).fill(&mut samples);
        assert!((dbov(&samples) + 68.0).abs() < 1.0, "{}", dbov(&samples));
        let mean = samples.iter().map(|sample| i32::from(*sample)).sum::<i32>() / 8_000;
        assert_eq!(mean, 0);
    }
}
