//! Audio codecs as functions on samples.

mod g711;

/// A codec of the RTP audio profile (RFC 3551 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
}

impl Codec {
    /// Every codec, in our order of preference.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Ticks per second of its RTP timestamps.
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        8_000
    }

    /// The payload type that needs no `a=rtpmap` (RFC 3551 §6).
    #[must_use]
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The codec of a static payload type.
    #[must_use]
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// Its encoding name in SDP (RFC 3551 §6).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The codec of an encoding name, in any case (RFC 4855 §3).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The octet that sounds as nothing.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    /// Encodes as many samples as fit, one octet each, and says how many.
    pub fn encode(self, samples: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Pcmu => samples
                .iter()
                .zip(&mut *out)
                .for_each(|(sample, octet)| *octet = g711::encode_ulaw(*sample)),
            Self::Pcma => samples
                .iter()
                .zip(&mut *out)
                .for_each(|(sample, octet)| *octet = g711::encode_alaw(*sample)),
        }
        samples.len().min(out.len())
    }

    /// Decodes as many octets as fit, one sample each, and says how many.
    pub fn decode(self, octets: &[u8], out: &mut [i16]) -> usize {
        let table = match self {
            Self::Pcmu => &g711::ULAW_TO_LINEAR,
            Self::Pcma => &g711::ALAW_TO_LINEAR,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_static_payload_types_are_those_of_rfc_3551() {
        assert_eq!(Codec::from_name("pcmu"), Some(Codec::Pcmu));
        assert_eq!(Codec::from_name("PCMA"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G729"), None);
        for codec in Codec::ALL {
            assert_eq!(
                Codec::from_static_payload_type(codec.static_payload_type()),
                Some(codec)
            );
            assert_eq!(codec.clock_rate(), 8_000);
        }
        assert_eq!(Codec::from_static_payload_type(18), None);
    }

    #[test]
    fn silence_decodes_to_the_smallest_sample() {
        for codec in Codec::ALL {
            let mut sample = [i16::MAX];
            assert_eq!(codec.decode(&[codec.silence()], &mut sample), 1);
            assert!(sample[0].abs() <= 8);
            let mut octet = [0];
            codec.encode(&[0], &mut octet);
            assert_eq!(octet[0], codec.silence());
        }
    }

    #[test]
    fn the_shorter_of_input_and_output_decides() {
        let mut octets = [0; 3];
        assert_eq!(Codec::Pcmu.encode(&[1; 5], &mut octets), 3);
        let mut samples = [0; 8];
        assert_eq!(Codec::Pcma.decode(&octets, &mut samples), 3);
        assert_eq!(Codec::Pcma.encode(&[], &mut octets), 0);
    }
}
