//! Audio codecs as functions on samples: what RTP carries to and from sound of one [`Band`].

mod coder;
mod g711;
mod g722;
mod opus;

pub use self::coder::{Decoder, Encoder, MAX_PAYLOAD};
pub use self::g711::G711;
pub use self::g722::{G722Decoder, G722Encoder};
pub use self::opus::{OpusDecoder, OpusEncoder};
use crate::frame::Band;

/// A codec that RTP carries (RFC 3551 §4.5, RFC 7587).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// ITU-T G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 6716, RFC 7587), taken and sent with the wide band.
    Opus,
    /// Linear, 16 bit, 8 kHz.
    L16,
    /// Linear, 16 bit, 16 kHz.
    L16Wide,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 6] = [
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::Opus,
        Self::L16,
        Self::L16Wide,
    ];

    /// Ticks per second of its RTP timestamps. That of G.722 is half of what it samples (RFC 3551 §4.5.2),
    /// that of Opus is always the same (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 | Self::L16 => 8_000,
            Self::L16Wide => 16_000,
            Self::Opus => 48_000,
        }
    }

    /// The band of the sound it takes and gives.
    #[must_use]
    pub const fn band(self) -> Band {
        match self {
            Self::Pcmu | Self::Pcma | Self::L16 => Band::Narrow,
            Self::G722 | Self::Opus | Self::L16Wide => Band::Wide,
        }
    }

    /// The payload type that needs no `a=rtpmap` (RFC 3551 §6), if it has one.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus | Self::L16 | Self::L16Wide => None,
        }
    }

    /// The codec of a static payload type.
    #[must_use]
    pub fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.static_payload_type() == Some(payload_type))
    }

    /// Its encoding name in SDP (RFC 3551 §6, RFC 7587 §7).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::L16 | Self::L16Wide => "L16",
        }
    }

    /// The channels its `a=rtpmap` names: two for Opus, whatever it carries (RFC 7587 §7).
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Opus => 2,
            _ => 1,
        }
    }

    /// The codec of an encoding name, in any case (RFC 4855 §3), and a clock rate.
    #[must_use]
    pub fn from_name(name: &str, clock_rate: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| {
            codec.name().eq_ignore_ascii_case(name) && codec.clock_rate() == clock_rate
        })
    }

    /// Whether its packets can be sent on in another codec, one by one, without sound in between: the same
    /// codec, or G.711 both.
    #[must_use]
    pub fn passes_as(self, other: Self) -> bool {
        self == other || self.law().is_some() && other.law().is_some()
    }

    /// Ticks of its clock that a payload lasts.
    #[must_use]
    pub fn ticks_of(self, payload: &[u8]) -> u32 {
        let ticks = match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len(),
            Self::L16 | Self::L16Wide => payload.len() / 2,
            // Its clock goes three times as fast as it is sampled here.
            Self::Opus => 3 * opus::samples(payload),
        };
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// Whether what a packet sounds like depends on those before it.
    #[must_use]
    pub const fn has_memory(self) -> bool {
        matches!(self, Self::G722 | Self::Opus)
    }

    /// Its law, if it is G.711: one octet a sample, and no memory.
    #[must_use]
    pub const fn law(self) -> Option<G711> {
        match self {
            Self::Pcmu => Some(G711::Ulaw),
            Self::Pcma => Some(G711::Alaw),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_clock_rates_and_static_payload_types_are_those_of_the_rfcs() {
        assert_eq!(Codec::from_name("pcmu", 8_000), Some(Codec::Pcmu));
        assert_eq!(Codec::from_name("OPUS", 48_000), Some(Codec::Opus));
        assert_eq!(Codec::from_name("L16", 16_000), Some(Codec::L16Wide));
        assert_eq!(Codec::from_name("L16", 44_100), None);
        assert_eq!(Codec::from_name("G729", 8_000), None);
        for codec in Codec::ALL {
            assert_eq!(
                Codec::from_name(codec.name(), codec.clock_rate()),
                Some(codec)
            );
            if let Some(payload_type) = codec.static_payload_type() {
                assert_eq!(Codec::from_static_payload_type(payload_type), Some(codec));
            }
        }
        assert_eq!(Codec::from_static_payload_type(18), None);
    }

    #[test]
    fn silence_decodes_to_the_smallest_sample() {
        for law in G711::ALL {
            let mut sample = [i16::MAX];
            assert_eq!(law.decode(&[law.silence()], &mut sample), 1);
            assert!(sample[0].abs() <= 8);
            let mut octet = [0];
            law.encode(&[0], &mut octet);
            assert_eq!(octet[0], law.silence());
        }
    }

    #[test]
    fn the_shorter_of_input_and_output_decides() {
        let mut octets = [0; 3];
        assert_eq!(G711::Ulaw.encode(&[1; 5], &mut octets), 3);
        let mut samples = [0; 8];
        assert_eq!(G711::Alaw.decode(&octets, &mut samples), 3);
        assert_eq!(G711::Alaw.encode(&[], &mut octets), 0);
    }
}
