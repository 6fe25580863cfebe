//! Payloads that repeat earlier ones (RFC 2198): what is lost comes again in the packet after it.
//!
//! ```text
//!   |1| pt |  offset  | length |  ...  |0| pt |  repeated ...  |  primary ...  |
//!   '--------- 4 octets -------'       '--1--'
//! ```

/// One of the payloads in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it is.
    pub payload_type: u8,
    /// By so much its timestamp is before that of the packet; nothing for the primary.
    pub offset: u16,
    /// Its octets.
    pub payload: &'a [u8],
}

/// All payloads of a packet: what it repeats, oldest first, and last the primary, which is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a> {
    primary: Block<'a>,
    /// Headers of what is repeated, and its octets.
    headers: &'a [[u8; 4]],
    repeated: &'a [u8],
}

/// The payload is none of RFC 2198; drop the packet and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed redundant payload")]
pub struct RedError;

/// Takes a redundant payload apart.
///
/// # Errors
///
/// When headers or blocks are longer than the payload.
pub fn blocks(payload: &[u8]) -> Result<Blocks<'_>, RedError> {
    let words = payload.as_chunks::<4>().0;
    let is_last = |word: &[u8; 4]| word[0] & 0x80 == 0;
    let count = words.iter().position(is_last).unwrap_or(words.len());
    let headers = &words[..count];
    let (last, octets) = payload[4 * count..].split_first().ok_or(RedError)?;
    if last & 0x80 != 0 {
        return Err(RedError);
    }
    let length: usize = headers.iter().map(length_of).sum();
    let (repeated, primary) = octets.split_at_checked(length).ok_or(RedError)?;
    Ok(Blocks {
        primary: Block {
            payload_type: *last,
            offset: 0,
            payload: primary,
        },
        headers,
        repeated,
    })
}

impl<'a> Blocks<'a> {
    /// The packet's own payload.
    #[must_use]
    pub const fn primary(&self) -> Block<'a> {
        self.primary
    }

    /// What it repeats, oldest first; what was left empty is left out.
    pub fn repeated(self) -> impl DoubleEndedIterator<Item = Block<'a>> {
        let mut at = 0;
        let places: [(usize, usize); MOST] = std::array::from_fn(|block| {
            let begin = at;
            at += self.headers.get(block).map_or(0, length_of);
            (begin, at)
        });
        self.headers
            .iter()
            .zip(places)
            .map(move |(header, (begin, end))| Block {
                payload_type: header[0] & 0x7F,
                offset: u16::from_be_bytes([header[1], header[2]]) >> 2,
                payload: &self.repeated[begin..end],
            })
            .filter(|block| !block.payload.is_empty())
    }
}

/// Blocks that are looked at: nobody repeats more.
const MOST: usize = 8;

/// Octets of a block, as its header says.
fn length_of(header: &[u8; 4]) -> usize {
    usize::from(u16::from_be_bytes([header[2], header[3]]) & 0x03FF)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_repeated_blocks_and_the_primary_are_told_apart() {
        // Offsets of 320 and 160 ticks, lengths of 3 and 2 octets.
        let payload = [
            0x80, 0x05, 0x00, 0x03, 0x88, 0x02, 0x80, 0x02, 0x00, 1, 2, 3, 4, 5, 6, 7,
        ];
        let found = blocks(&payload).unwrap();
        let repeated: Vec<_> = found.repeated().collect();
        let block = |payload_type, offset, payload| Block {
            payload_type,
            offset,
            payload,
        };
        assert_eq!(
            repeated,
            [block(0, 320, &[1, 2, 3]), block(8, 160, &[4, 5])]
        );
        assert_eq!(found.primary(), block(0, 0, &[6, 7]));
    }

    #[test]
    fn a_primary_alone_is_a_packet_and_what_claims_more_than_there_is_is_none() {
        let found = blocks(&[0x00, 9, 9]).unwrap();
        assert_eq!(found.primary().payload, [9, 9]);
        assert_eq!(found.repeated().count(), 0);
        for malformed in [
            &[][..],
            &[0x80],
            &[0x80, 0, 0, 0],
            &[0x80, 0, 3, 255, 0, 1, 2],
        ] {
            assert_eq!(blocks(malformed), Err(RedError), "{malformed:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_blocks_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(found) = blocks(&octets) {
                let octets_in: usize = found.repeated().map(|block| block.payload.len()).sum();
                prop_assert!(octets_in + found.primary().payload.len() < octets.len());
            }
        }
    }
}
