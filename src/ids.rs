//! Names of the things the switch owns, and the randomness they are made of.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng};
use uuid::Uuid;

/// Seeded randomness for tags, branches, nonces and ids: a cipher stream (ChaCha12), so that what a
/// peer has seen does not tell it what comes next. The shell seeds it from the operating system, a test
/// from a printed number.
#[derive(Clone, Debug)]
pub struct Rng(StdRng);

impl Rng {
    /// Starts the stream that belongs to `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    /// Starts the stream of a test; the same number gives the same run.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A stream of its own for another owner.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(StdRng::from_seed(self.0.random()))
    }

    /// Thirty-two random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.random()
    }

    /// A number in `0..bound`; zero when `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        if bound == 0 {
            0
        } else {
            self.0.random_range(0..bound)
        }
    }

    /// `length` lower-case letters and digits, about five bits each: a tag, a branch, a nonce.
    pub fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghijkmnpqrstuvwx";
        (0..length)
            .map(|_| char::from(LETTERS[self.0.random_range(0..LETTERS.len())]))
            .collect()
    }

    /// Random octets: a secret.
    pub fn fill(&mut self, octets: &mut [u8]) {
        self.0.fill(octets);
    }

    /// A random UUID (RFC 9562 §5.4).
    pub fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}

/// A map by names of our own making: nobody outside can choose some that collide, so they are hashed in a few
/// cycles. What a peer may choose belongs into a [`HashMap`] as it is.
pub type IdMap<K, V> = HashMap<K, V, IdState>;

/// Makes the hashers of an [`IdMap`].
pub type IdState = BuildHasherDefault<IdHasher>;

/// Mixes numbers and UUIDs by a multiplication each.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, octets: &[u8]) {
        let (words, rest) = octets.as_chunks();
        for word in words {
            self.write_u64(u64::from_ne_bytes(*word));
        }
        for octet in rest {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // An odd number without pattern: the fraction of the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        // A table takes the lowest bits and the highest seven, and the middle ones are mixed best.
        self.0.rotate_left(26)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One party's call, as the API shows it; not the SIP Call-ID.
    CallId
);
uuid_id!(
    /// One run of a flow.
    ActiveflowId
);
uuid_id!(
    /// One recording: its files and its record.
    RecordingId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_ids() {
        let (mut one, mut other) = (Rng::from_number(7), Rng::from_number(7));
        assert_eq!(one.token(12), other.token(12));
        assert_eq!(one.uuid(), other.uuid());
        assert_ne!(one.token(12), one.token(12));
    }

    #[test]
    fn names_in_a_row_and_uuids_spread_over_a_table() {
        use std::hash::BuildHasher as _;
        let state = IdState::default();
        let mut rng = Rng::from_number(1);
        let rows: [Vec<u64>; 3] = [
            (0..1024_u64).map(|id| state.hash_one(id)).collect(),
            // With a lane in the low octet.
            (0..1024_u64)
                .map(|id| state.hash_one(id << 8 | 3))
                .collect(),
            (0..1024)
                .map(|_| state.hash_one(CallId(rng.uuid())))
                .collect(),
        ];
        for hashes in rows {
            for shift in [0, 57] {
                let mut buckets = [0_u32; 128];
                hashes
                    .iter()
                    .for_each(|hash| buckets[(hash >> shift & 127) as usize] += 1);
                // Eight each, were they dealt out.
                let most = buckets.iter().max().copied();
                assert!(most < Some(25), "{most:?} from bit {shift}");
            }
        }
    }

    #[test]
    fn uuids_are_random_version_four() {
        assert_eq!(Rng::from_number(1).uuid().get_version_num(), 4);
    }
}
