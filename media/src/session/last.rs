//! How a packet ends that was sent, and how what comes next is bent to follow it without a step.

use crate::codec::{Codec, G711};
use crate::dsp::joint::{self, EDGE};
use crate::frame::{Band, Sound};

/// The end of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    Octet(G711, u8),
    Sample(i16),
}

impl Last {
    /// That of a payload; `None` where only a decoder knows it.
    pub(super) fn of(codec: Codec, payload: &[u8]) -> Option<Self> {
        match (codec, payload) {
            (Codec::L16 | Codec::L16Wide, [.., high, low]) => {
                Some(Self::Sample(i16::from_be_bytes([*high, *low])))
            }
            (_, [.., octet]) => codec.law().map(|law| Self::Octet(law, *octet)),
            _ => None,
        }
    }

    /// As it is heard.
    pub(super) fn sample(self) -> i16 {
        match self {
            Self::Sample(sample) => sample,
            Self::Octet(law, octet) => {
                let mut sample = [0];
                law.decode(&[octet], &mut sample);
                sample[0]
            }
        }
    }
}

/// Bends the beginning of 20 ms so that they follow the sample `last`, in the band they are in.
pub(super) fn smooth(last: i16, sound: &mut Sound) {
    joint::smooth(Band::Narrow, last, &mut sound.narrow.0);
    if let Some(wide) = &mut sound.wide {
        joint::smooth(Band::Wide, last, &mut wide.0);
    }
}

/// Bends the beginning of a payload so that it follows the sample `last`.
pub(super) fn smooth_octets(law: G711, last: i16, payload: &mut [u8]) {
    let mut edge = [0; EDGE];
    let count = law.decode(payload, &mut edge);
    joint::smooth(Band::Narrow, last, &mut edge[..count]);
    law.encode(&edge[..count], payload);
}
