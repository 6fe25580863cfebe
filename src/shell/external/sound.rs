//! Samples as octets, and back.

use flowswitch_media::codec::G711;

use crate::flow::SoundFormat;

/// The order of the two octets of a linear sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As RTP has it (RFC 3551 §4.5.11).
    Network,
    /// As AudioSocket has it, and files of PCM.
    Little,
}

const fn codec(format: SoundFormat) -> Option<G711> {
    match format {
        SoundFormat::Ulaw => Some(G711::Ulaw),
        SoundFormat::Alaw => Some(G711::Alaw),
        SoundFormat::Slin => None,
    }
}

/// Adds samples to octets.
pub(super) fn write(format: SoundFormat, order: Order, samples: &[i16], octets: &mut Vec<u8>) {
    match codec(format) {
        Some(codec) => {
            let begin = octets.len();
            octets.resize(begin + samples.len(), codec.silence());
            codec.encode(samples, &mut octets[begin..]);
        }
        None => octets.extend(samples.iter().flat_map(|sample| match order {
            Order::Network => sample.to_be_bytes(),
            Order::Little => sample.to_le_bytes(),
        })),
    }
}

/// The samples in octets; half a sample at the end is left out.
pub(super) fn read(format: SoundFormat, order: Order, octets: &[u8]) -> Vec<i16> {
    match codec(format) {
        Some(codec) => {
            let mut samples = vec![0; octets.len()];
            codec.decode(octets, &mut samples);
            samples
        }
        None => {
            let pairs = octets.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
            pairs
                .map(|pair| match order {
                    Order::Network => i16::from_be_bytes(pair),
                    Order::Little => i16::from_le_bytes(pair),
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_samples_stand_in_their_order_and_half_a_sample_is_none() {
        let written = |order| {
            let mut octets = Vec::new();
            write(SoundFormat::Slin, order, &[0x0102, -2], &mut octets);
            octets
        };
        assert_eq!(written(Order::Network), [1, 2, 0xff, 0xfe]);
        assert_eq!(written(Order::Little), [2, 1, 0xfe, 0xff]);
        let read = |order| read(SoundFormat::Slin, order, &[1, 2, 3]);
        assert_eq!(read(Order::Network), [0x0102]);
        assert_eq!(read(Order::Little), [0x0201]);
    }

    #[test]
    fn companded_samples_come_back_nearly_as_they_were() {
        for format in [SoundFormat::Ulaw, SoundFormat::Alaw] {
            let mut octets = vec![7];
            write(format, Order::Little, &[0, 1_000, -20_000], &mut octets);
            assert_eq!((octets.len(), octets[0]), (4, 7));
            let back = read(format, Order::Little, &octets[1..]);
            let near = back.iter().zip([0, 1_000, -20_000]);
            assert!(
                near.into_iter()
                    .all(|(back, sample)| (i32::from(*back) - sample).abs() < 700)
            );
        }
    }
}
