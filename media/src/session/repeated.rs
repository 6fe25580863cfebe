//! Packets that repeat earlier ones (RFC 2198): what they are themselves, and what they have for the listener.

use std::time::Instant;

use super::Session;
use super::payload::{Payload, meaning_of};
use crate::command::SessionConfig;
use crate::rtp::red::{Blocks, blocks};
use crate::rtp::{MediaTime, RtpHeader, SeqNo};

/// A packet as it is without what it repeats.
pub(super) struct Unfolded<'a> {
    pub(super) meaning: Payload,
    pub(super) header: RtpHeader,
    pub(super) payload: &'a [u8],
    /// What it repeats.
    pub(super) repeated: Option<Blocks<'a>>,
}

/// Takes a packet apart, if it is one that repeats others; `None` when it is malformed or not one of ours.
pub(super) fn unfold<'a>(
    header: RtpHeader,
    payload: &'a [u8],
    config: &SessionConfig,
) -> Option<Unfolded<'a>> {
    if config.red != Some(header.payload_type) {
        return Some(Unfolded {
            meaning: meaning_of(header.payload_type, config)?,
            header,
            payload,
            repeated: None,
        });
    }
    let blocks = blocks(payload).ok()?;
    let primary = blocks.primary();
    Some(Unfolded {
        meaning: meaning_of(primary.payload_type, config)?,
        header: RtpHeader {
            payload_type: primary.payload_type,
            ..header
        },
        payload: primary.payload,
        repeated: Some(blocks),
    })
}

impl Session {
    /// Lets the listener have what a packet, which it has taken, repeats of those before it.
    pub(super) fn hear_repeated(
        &mut self,
        arrival: Instant,
        config: &SessionConfig,
        header: &RtpHeader,
        blocks: Blocks<'_>,
    ) {
        let Some(listener) = self.inbound.listener_mut() else {
            return;
        };
        // Those of the packet before it first, in case that one is lost and the one before it is not.
        for (at, block) in blocks.repeated().rev().enumerate() {
            let Some(Payload::Audio(codec)) = meaning_of(block.payload_type, config) else {
                continue;
            };
            let (offset, ticks) = (u32::from(block.offset), codec.ticks_of(block.payload));
            let back = match offset.checked_div(ticks) {
                Some(back) if offset.is_multiple_of(ticks) => back as u16,
                _ => at as u16 + 1,
            };
            if back == 0 {
                continue;
            }
            let header = RtpHeader {
                payload_type: block.payload_type,
                sequence: SeqNo(header.sequence.0.wrapping_sub(back)),
                timestamp: MediaTime(header.timestamp.0.wrapping_sub(offset)),
                ..*header
            };
            listener.insert_redundant(arrival, &header, codec, block.payload);
        }
    }

    /// Lets the listener have a packet of comfort noise (RFC 3389).
    pub(super) fn hear_noise(&mut self, arrival: Instant, header: &RtpHeader, payload: &[u8]) {
        if let Some(listener) = self.inbound.listener_mut() {
            listener.insert_noise(arrival, header, payload);
        }
    }
}
