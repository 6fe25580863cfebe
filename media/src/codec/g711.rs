//! Pulse code modulation of voice frequencies (ITU-T G.711), both laws, as tables.
//!
//! Samples are 16 bit; µ-law looks at the upper 14 of them, A-law at the upper 12 and the sign, as
//! in the reference software of ITU-T G.191.

/// One of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum G711 {
    /// µ-law: North America and Japan.
    Ulaw,
    /// A-law: everywhere else.
    Alaw,
}

impl G711 {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ulaw, Self::Alaw];

    /// The octet that sounds as nothing.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Ulaw => 0xFF,
            Self::Alaw => 0xD5,
        }
    }

    /// Encodes as many samples as fit, one octet each, and says how many.
    pub fn encode(self, samples: &[i16], out: &mut [u8]) -> usize {
        let pairs = samples.iter().zip(&mut *out);
        match self {
            Self::Ulaw => pairs.for_each(|(sample, octet)| *octet = encode_ulaw(*sample)),
            Self::Alaw => pairs.for_each(|(sample, octet)| *octet = encode_alaw(*sample)),
        }
        samples.len().min(out.len())
    }

    /// Decodes as many octets as fit, one sample each, and says how many.
    pub fn decode(self, octets: &[u8], out: &mut [i16]) -> usize {
        let table = match self {
            Self::Ulaw => &ULAW_TO_LINEAR,
            Self::Alaw => &ALAW_TO_LINEAR,
        };
        for (octet, sample) in octets.iter().zip(&mut *out) {
            *sample = table[usize::from(*octet)];
        }
        octets.len().min(out.len())
    }

    /// Encodes a whole sound; for what is made once and played often.
    #[must_use]
    pub fn encode_all(self, samples: &[i16]) -> Vec<u8> {
        let mut octets = vec![0; samples.len()];
        self.encode(samples, &mut octets);
        octets
    }
}

/// µ-law of one sample.
#[inline]
fn encode_ulaw(sample: i16) -> u8 {
    LINEAR_TO_ULAW[usize::from(sample as u16 >> 2)]
}

/// A-law of one sample.
#[inline]
fn encode_alaw(sample: i16) -> u8 {
    LINEAR_TO_ALAW[usize::from(sample as u16 >> 4)]
}

/// Sample of every µ-law octet.
static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = expand_ulaw(octet as u8);
        octet += 1;
    }
    table
};

/// Sample of every A-law octet.
static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = expand_alaw(octet as u8);
        octet += 1;
    }
    table
};

/// µ-law by the upper 14 bits of a sample.
static LINEAR_TO_ULAW: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut upper = 0;
    while upper < table.len() {
        table[upper] = compress_ulaw(((upper as u16) << 2) as i16);
        upper += 1;
    }
    table
};

/// A-law by the upper 12 bits of a sample.
static LINEAR_TO_ALAW: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut upper = 0;
    while upper < table.len() {
        table[upper] = compress_alaw(((upper as u16) << 4) as i16);
        upper += 1;
    }
    table
};

/// Moves every segment of the µ-law curve to a power of two.
const ULAW_BIAS: u16 = 33;

const fn compress_ulaw(sample: i16) -> u8 {
    let positive = sample >= 0;
    let magnitude = (if positive { sample } else { !sample } as u16 >> 2) + ULAW_BIAS;
    let magnitude = if magnitude > 0x1FFF {
        0x1FFF
    } else {
        magnitude
    };
    let segment = 10 - magnitude.leading_zeros();
    let step = (magnitude >> (segment + 1)) & 0xF;
    let sign = if positive { 0x80 } else { 0 };
    sign | (!((segment as u8) << 4 | step as u8) & 0x7F)
}

const fn expand_ulaw(octet: u8) -> i16 {
    let bits = !octet;
    let segment = (bits >> 4) & 0x7;
    let step = (bits & 0xF) as i16;
    let magnitude = ((((step << 1) + ULAW_BIAS as i16) << segment) - ULAW_BIAS as i16) << 2;
    if octet & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

/// Even bits of an A-law octet travel inverted.
const ALAW_TOGGLE: u8 = 0x55;

const fn compress_alaw(sample: i16) -> u8 {
    let positive = sample >= 0;
    let magnitude = if positive { sample } else { !sample } as u16 >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 11 - magnitude.leading_zeros() as u16;
        (segment + 1) << 4 | (magnitude >> segment) & 0xF
    };
    let sign = if positive { 0x80 } else { 0 };
    (sign | code as u8) ^ ALAW_TOGGLE
}

const fn expand_alaw(octet: u8) -> i16 {
    let bits = octet ^ ALAW_TOGGLE;
    let segment = (bits >> 4) & 0x7;
    let step = ((bits & 0xF) as i16) << 4 | 8;
    let magnitude = if segment == 0 {
        step
    } else {
        (step + 256) << (segment - 1)
    };
    if bits & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision values of one half of the curve, from the tables of G.711: sixteen steps per
    /// segment, each segment twice as wide as the one before.
    fn decision_values(first_width: u32, doubles_from: u32) -> Vec<u32> {
        let mut values = vec![0];
        for segment in 0..8_u32 {
            let width = first_width << segment.saturating_sub(doubles_from);
            for _ in 0..16 {
                values.push(values.last().unwrap() + width);
            }
        }
        values
    }

    /// µ-law: the very first step is half a step wide (G.711 table 2a: 0, 1, 3, 5 … 31, 35 …).
    fn ulaw_decision_values() -> Vec<u32> {
        let whole = decision_values(2, 0);
        whole.iter().map(|value| value.saturating_sub(1)).collect()
    }

    fn code_of(values: &[u32], magnitude: u32) -> u8 {
        (values
            .iter()
            .rposition(|value| *value <= magnitude)
            .unwrap())
        .min(127) as u8
    }

    #[test]
    fn every_sample_falls_between_the_decision_values_of_the_mu_law_table() {
        let values = ulaw_decision_values();
        for sample in i16::MIN..=i16::MAX {
            let (sign, magnitude) = if sample >= 0 {
                (0x80, sample)
            } else {
                (0, !sample)
            };
            let expected = sign | (0x7F - code_of(&values, u32::from(magnitude as u16 >> 2)));
            assert_eq!(encode_ulaw(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn every_sample_falls_between_the_decision_values_of_the_a_law_table() {
        let values = decision_values(1, 1);
        for sample in i16::MIN..=i16::MAX {
            let (sign, magnitude) = if sample >= 0 {
                (0x80, sample)
            } else {
                (0, !sample)
            };
            let expected = (sign | code_of(&values, u32::from(magnitude as u16 >> 4))) ^ 0x55;
            assert_eq!(encode_alaw(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn every_code_decodes_to_the_middle_of_its_two_decision_values() {
        let ulaw = ulaw_decision_values();
        let alaw = decision_values(1, 1);
        for octet in 0..=255_u8 {
            let code = usize::from(0x7F - (octet & 0x7F));
            let middle = if code == 0 {
                0
            } else {
                (ulaw[code] + ulaw[code + 1]) as i32 * 2
            };
            let expected = if octet & 0x80 == 0 { -middle } else { middle };
            assert_eq!(
                i32::from(ULAW_TO_LINEAR[usize::from(octet)]),
                expected,
                "mu-law {octet:#04x}"
            );

            let code = usize::from((octet ^ 0x55) & 0x7F);
            let middle = (alaw[code] + alaw[code + 1]) as i32 * 8;
            let expected = if (octet ^ 0x55) & 0x80 == 0 {
                -middle
            } else {
                middle
            };
            assert_eq!(
                i32::from(ALAW_TO_LINEAR[usize::from(octet)]),
                expected,
                "A-law {octet:#04x}"
            );
        }
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for octet in 0..=255_u8 {
            // Negative zero of µ-law is the one code whose value has a second name.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(encode_ulaw(ULAW_TO_LINEAR[usize::from(octet)]), expected);
            assert_eq!(encode_alaw(ALAW_TO_LINEAR[usize::from(octet)]), octet);
        }
    }
}
