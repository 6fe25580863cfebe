//! Opus in Ogg (RFC 7845), as recordings and messengers write it.

use std::io::Cursor;

use ogg::PacketReader;

use super::decode::{PromptError, Sound};
use crate::codec::{Codec, Decoder};
use crate::frame::Band;

/// Samples of the longest packet: 120 ms of the wide band.
const LONGEST: usize = 1_920;

/// Streams of one file; more is no prompt.
const MAX_STREAMS: usize = 8;

/// Ticks of the positions and of the pre-skip (RFC 7845 §4.2) of one sample of the wide band.
const TICKS: u64 = 48_000 / Band::Wide.sample_rate() as u64;

/// Whether a file starts as Opus in Ogg does: a page whose first packet is its header.
pub(super) fn is_opus(file: &[u8]) -> bool {
    let segments = file.get(26).map_or(0, |count| usize::from(*count));
    file.starts_with(b"OggS")
        && file
            .get(27 + segments..)
            .is_some_and(|packet| packet.starts_with(b"OpusHead"))
}

/// Adds everything in the first stream of a file to a sound, its channels mixed.
pub(super) fn decode(file: &[u8], sound: &mut Sound) -> Result<(), PromptError> {
    let mut packets = PacketReader::new(Cursor::new(file));
    let damaged = |why| PromptError::Damaged { why };
    let first = packets
        .read_packet()
        .ok()
        .flatten()
        .ok_or(damaged("no Opus header"))?;
    let head = Head::parse(&first.data)?;
    let serial = first.stream_serial();
    let mut decoders: Vec<Decoder> = (0..head.streams)
        .map(|_| Decoder::new(Codec::Opus))
        .collect();
    // The second packet is the comment header.
    let _ = packets.read_packet();
    let (mut skip, mut position) = (head.pre_skip / TICKS, 0);
    let (mut whole, mut broken) = (0_u64, 0_u64);
    // A file that ends in the middle of a packet plays up to there.
    while let Ok(Some(packet)) = packets.read_packet() {
        if packet.stream_serial() != serial {
            continue;
        }
        let mut mixed = [0.0; LONGEST];
        let Some(count) = mix(&mut decoders, &packet.data, &mut mixed) else {
            broken += 1;
            continue;
        };
        whole += 1;
        position += count as u64;
        // Only the end of the last page may lie before the end of its packet: what is behind it is filling.
        let behind = match packet.last_in_stream() {
            true => position.saturating_sub(packet.absgp_page() / TICKS),
            false => 0,
        };
        let begin = skip.min(count as u64);
        skip -= begin;
        let end = (count as u64).saturating_sub(behind).max(begin);
        let heard = &mixed[begin as usize..end as usize];
        sound.push(heard, Band::Wide.sample_rate(), 1)?;
    }
    match broken > whole {
        true => Err(damaged("no decodable audio")),
        false => Ok(()),
    }
}

/// What the identification header says (RFC 7845 §5.1).
struct Head {
    streams: usize,
    /// Ticks at the beginning that are not to be heard.
    pre_skip: u64,
}

impl Head {
    fn parse(packet: &[u8]) -> Result<Self, PromptError> {
        let damaged = PromptError::Damaged {
            why: "cut Opus header",
        };
        let [
            version,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            _,
            _,
            family,
            rest @ ..,
        ] = packet.strip_prefix(b"OpusHead").unwrap_or_default()
        else {
            return Err(damaged);
        };
        let channels = usize::from(*channels);
        // Family 0 has one stream of one or two channels; others say how many there are.
        let streams = match (family, rest) {
            (0, _) => 1,
            (_, [streams, _coupled, ..]) => usize::from(*streams),
            _ => return Err(damaged),
        };
        if version >> 4 != 0 || !(1..=MAX_STREAMS).contains(&streams) {
            return Err(PromptError::UnsupportedChannels { channels });
        }
        Ok(Self {
            streams,
            pre_skip: u64::from(u16::from_le_bytes([*skip_low, *skip_high])),
        })
    }
}

/// Decodes a packet of all streams into their mean, and says how many samples that is.
fn mix(decoders: &mut [Decoder], packet: &[u8], mixed: &mut [f32; LONGEST]) -> Option<usize> {
    let scale = 1.0 / (32_768.0 * decoders.len() as f32);
    let (last, others) = decoders.split_last_mut()?;
    let (mut rest, mut count) = (packet, usize::MAX);
    let mut samples = [0; LONGEST];
    let mut add = |decoder: &mut Decoder, packet: &[u8]| {
        let decoded = decoder.decode(packet, &mut samples);
        for (sum, sample) in mixed.iter_mut().zip(&samples[..decoded]) {
            *sum += f32::from(*sample) * scale;
        }
        decoded
    };
    for decoder in others {
        let mut alone = [0; MAX_FRAME + 1];
        let (len, behind) = undelimit(rest, &mut alone)?;
        count = count.min(add(decoder, &alone[..len]));
        rest = behind;
    }
    count = count.min(add(last, rest));
    (count > 0).then_some(count)
}

/// Octets of the longest frame (RFC 6716 §3.4, R2).
const MAX_FRAME: usize = 1_275;

/// Takes a packet of one frame out of a row of packets (RFC 6716 appendix B), and says how long it is and what
/// is behind it; `None` for packets of more frames, which no recorder writes.
fn undelimit<'a>(octets: &'a [u8], alone: &mut [u8; MAX_FRAME + 1]) -> Option<(usize, &'a [u8])> {
    let (toc, rest) = octets.split_first().filter(|(toc, _)| **toc & 3 == 0)?;
    let (len, rest) = match rest {
        [first @ 0..=251, rest @ ..] => (usize::from(*first), rest),
        [first, second, rest @ ..] => (usize::from(*first) + 4 * usize::from(*second), rest),
        _ => return None,
    };
    let (frame, rest) = rest.split_at_checked(len)?;
    alone[0] = *toc;
    alone.get_mut(1..=len)?.copy_from_slice(frame);
    Some((len + 1, rest))
}
