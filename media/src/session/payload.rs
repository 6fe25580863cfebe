//! What the payload of a packet is: which codec or none, and as what it may be passed on.

use super::MAX_SAMPLES;
use super::listener::LONGEST_PACKET;
use crate::codec::{Codec, G711};
use crate::command::SessionConfig;
use crate::rtp::MediaTime;

/// Comfort noise (RFC 3389 §4): says that nobody speaks.
const COMFORT_NOISE: u8 = 13;

/// What a payload type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    Audio(Codec),
    Event,
    ComfortNoise,
}

pub(super) fn meaning_of(payload_type: u8, config: &SessionConfig) -> Option<Payload> {
    if config.receive_events.contains(&payload_type) {
        return Some(Payload::Event);
    }
    let codec = config
        .receive
        .iter()
        .find(|(known, _)| *known == payload_type);
    match codec {
        Some((_, codec)) => Some(Payload::Audio(*codec)),
        None => (payload_type == COMFORT_NOISE).then_some(Payload::ComfortNoise),
    }
}

/// The time up to which an event packet tells: it stands for when the packet was sent, which the timestamp
/// of an event does not (RFC 4733 §2.3).
pub(super) fn end_of_event(start: MediaTime, payload: &[u8]) -> MediaTime {
    match payload {
        [_, _, high, low, ..] => start.after(u32::from(u16::from_be_bytes([*high, *low]))),
        _ => start,
    }
}

/// So much silence, but not more than the longest packet; `None` where the codec has a memory, and silence is no
/// packet of its own.
pub(super) fn silence_of(codec: Codec, len: usize) -> Option<&'static [u8]> {
    static PCMU: [u8; LONGEST_PACKET] = [G711::Ulaw.silence(); LONGEST_PACKET];
    static PCMA: [u8; LONGEST_PACKET] = [G711::Alaw.silence(); LONGEST_PACKET];
    static L16: [u8; 4 * LONGEST_PACKET] = [0; 4 * LONGEST_PACKET];
    let silence: &[u8] = match codec {
        Codec::Pcmu => &PCMU,
        Codec::Pcma => &PCMA,
        Codec::L16 | Codec::L16Wide => &L16,
        Codec::G722 | Codec::Opus => return None,
    };
    Some(&silence[..len.min(silence.len())])
}

/// Octets of a sound in another codec that it passes as.
pub(super) fn transcode(from: Codec, octets: &[u8], to: Codec, space: &mut [u8]) {
    let (Some(from), Some(to)) = (from.law(), to.law()) else {
        return space.copy_from_slice(octets);
    };
    if from == to {
        return space.copy_from_slice(octets);
    }
    let mut samples = [0; MAX_SAMPLES];
    for (octets, space) in octets
        .chunks(MAX_SAMPLES)
        .zip(space.chunks_mut(MAX_SAMPLES))
    {
        let count = from.decode(octets, &mut samples);
        to.encode(&samples[..count], space);
    }
}
