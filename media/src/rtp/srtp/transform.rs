//! What session keys do to one packet: hide its payload and prove where it comes from.
//!
//! ```text
//!  SRTP, counter mode    header | payload* | tag          tag over header, payload*, roll-over counter
//!  SRTP, Galois          header | payload* | tag          tag over header, payload*
//!  SRTCP, counter mode   8 octets | rest* | E, index | tag         tag over all before it
//!  SRTCP, Galois         8 octets | rest* | tag | E, index         tag over all else
//! ```
//!
//! `*`: encrypted. A packet whose tag is wrong is left as it is.

use aes::cipher::consts::U12;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipherCore};
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U16;
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::keys::{Part, Stream, derive};
use crate::command::{SrtpKey, SrtpSuite};
use crate::rtp::Ssrc;

/// Octets of an RTCP packet that are not encrypted: its first header with the SSRC.
pub(super) const RTCP_CLEAR: usize = 8;
/// Octets of the word behind it: whether it is encrypted, and its index.
const WORD: usize = 4;
/// In that word: it is encrypted.
const ENCRYPTED: u32 = 1 << 31;
const GCM_TAG: usize = 16;
/// Octets of a tag of the counter mode at most.
const HMAC_TAG: usize = 10;

/// Session keys of one stream.
pub(super) enum Transform {
    CounterMode(CounterMode),
    Galois128(Galois<Aes128Enc>),
    Galois256(Galois<Aes256Enc>),
}

/// AES in counter mode and HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
pub(super) struct CounterMode {
    cipher: Aes128Enc,
    salt: Zeroizing<[u8; 14]>,
    mac: Hmac<Sha1>,
    tag_len: usize,
}

/// AES in Galois counter mode (RFC 7714).
pub(super) struct Galois<C> {
    cipher: AesGcm<C, U12>,
    salt: Zeroizing<[u8; 12]>,
}

impl Transform {
    /// The session keys of `stream`.
    pub(super) fn new(master: &SrtpKey, stream: Stream) -> Self {
        match master.suite() {
            SrtpSuite::AeadAes256Gcm => {
                let mut key = Zeroizing::new([0; 32]);
                derive(master, stream, Part::Cipher, &mut *key);
                Self::Galois256(Galois::new(AesGcm::new(&(*key).into()), master, stream))
            }
            SrtpSuite::AeadAes128Gcm => {
                let mut key = Zeroizing::new([0; 16]);
                derive(master, stream, Part::Cipher, &mut *key);
                Self::Galois128(Galois::new(AesGcm::new(&(*key).into()), master, stream))
            }
            SrtpSuite::AesCm128HmacSha1Tag32 if stream == Stream::Rtp => {
                Self::CounterMode(CounterMode::new(master, stream, 4))
            }
            SrtpSuite::AesCm128HmacSha1Tag32 | SrtpSuite::AesCm128HmacSha1Tag80 => {
                Self::CounterMode(CounterMode::new(master, stream, HMAC_TAG))
            }
        }
    }

    /// Seals the RTP packet that begins at `begin` and ends the buffer; `clear` octets are its header.
    pub(super) fn seal_rtp(
        &self,
        (ssrc, index): (Ssrc, u64),
        bytes: &mut Vec<u8>,
        begin: usize,
        clear: usize,
    ) -> bool {
        match self {
            Self::CounterMode(keys) => {
                keys.seal_rtp((ssrc, index), bytes, begin, clear);
                true
            }
            Self::Galois128(keys) => keys.seal_rtp((ssrc, index), bytes, begin, clear),
            Self::Galois256(keys) => keys.seal_rtp((ssrc, index), bytes, begin, clear),
        }
    }

    /// Opens an RTP packet, and says how long it is then.
    pub(super) fn open_rtp(
        &self,
        number: (Ssrc, u64),
        packet: &mut [u8],
        clear: usize,
    ) -> Option<usize> {
        match self {
            Self::CounterMode(keys) => keys.open_rtp(number, packet, clear),
            Self::Galois128(keys) => keys.open_rtp(number, packet, clear),
            Self::Galois256(keys) => keys.open_rtp(number, packet, clear),
        }
    }

    /// Seals the RTCP packet that begins at `begin` and ends the buffer.
    pub(super) fn seal_rtcp(&self, number: (Ssrc, u32), bytes: &mut Vec<u8>, begin: usize) -> bool {
        match self {
            Self::CounterMode(keys) => {
                keys.seal_rtcp(number, bytes, begin);
                true
            }
            Self::Galois128(keys) => keys.seal_rtcp(number, bytes, begin),
            Self::Galois256(keys) => keys.seal_rtcp(number, bytes, begin),
        }
    }

    /// Opens an RTCP packet, and says how long it is then.
    pub(super) fn open_rtcp(&self, ssrc: Ssrc, packet: &mut [u8]) -> Option<usize> {
        match self {
            Self::CounterMode(keys) => keys.open_rtcp(ssrc, packet),
            Self::Galois128(keys) => keys.open_rtcp(ssrc, packet),
            Self::Galois256(keys) => keys.open_rtcp(ssrc, packet),
        }
    }

    /// The index that a sealed RTCP packet claims.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::CounterMode(keys) => keys.tag_len,
            Self::Galois128(_) | Self::Galois256(_) => 0,
        };
        let end = packet.len().checked_sub(behind)?;
        Some(word(packet.get(..end)?.last_chunk()?) & !ENCRYPTED)
    }
}

fn word(octets: &[u8; WORD]) -> u32 {
    u32::from_be_bytes(*octets)
}

impl CounterMode {
    fn new(master: &SrtpKey, stream: Stream, tag_len: usize) -> Self {
        let (mut key, mut tag_key) = (Zeroizing::new([0; 16]), Zeroizing::new([0; 20]));
        let mut salt = Zeroizing::new([0; 14]);
        derive(master, stream, Part::Cipher, &mut *key);
        derive(master, stream, Part::Tag, &mut *tag_key);
        derive(master, stream, Part::Salt, &mut *salt);
        Self::with_session_keys(&key, &tag_key, salt, tag_len)
    }

    pub(super) fn with_session_keys(
        key: &[u8; 16],
        tag_key: &[u8; 20],
        salt: Zeroizing<[u8; 14]>,
        tag_len: usize,
    ) -> Self {
        // A key shorter than a block is filled up with zeros (RFC 2104 §2).
        let mut block = Zeroizing::new([0; 64]);
        block[..tag_key.len()].copy_from_slice(tag_key);
        Self {
            cipher: Aes128Enc::new(key.into()),
            salt,
            mac: <Hmac<Sha1> as KeyInit>::new(&(*block).into()),
            tag_len,
        }
    }

    /// Encrypts, or decrypts.
    pub(super) fn apply(&self, (ssrc, index): (Ssrc, u64), payload: &mut [u8]) {
        let mut block = [0; 16];
        block[4..8].copy_from_slice(&ssrc.0.to_be_bytes());
        block[6..14]
            .iter_mut()
            .zip(index.to_be_bytes())
            .for_each(|(octet, index)| *octet ^= index);
        block
            .iter_mut()
            .zip(self.salt.iter())
            .for_each(|(octet, salt)| *octet ^= salt);
        CtrCore::<_, Ctr128BE>::inner_iv_init(&self.cipher, &block.into())
            .apply_keystream_partial(payload.into());
    }

    fn mac(&self, packet: &[u8], roll_over: &[u8]) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(roll_over);
        mac
    }

    pub(super) fn push_tag(&self, bytes: &mut Vec<u8>, begin: usize, roll_over: &[u8]) {
        let tag = self.mac(&bytes[begin..], roll_over).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..self.tag_len]);
    }

    fn seal_rtp(&self, number: (Ssrc, u64), bytes: &mut Vec<u8>, begin: usize, clear: usize) {
        self.apply(number, &mut bytes[begin + clear..]);
        self.push_tag(bytes, begin, &roll_over(number.1));
    }

    fn open_rtp(&self, number: (Ssrc, u64), packet: &mut [u8], clear: usize) -> Option<usize> {
        let len = packet
            .len()
            .checked_sub(self.tag_len)
            .filter(|len| *len >= clear)?;
        let (sealed, tag) = packet.split_at_mut(len);
        let mac = self.mac(sealed, &roll_over(number.1));
        mac.verify_truncated_left(tag).ok()?;
        self.apply(number, &mut sealed[clear..]);
        Some(len)
    }

    fn seal_rtcp(&self, (ssrc, index): (Ssrc, u32), bytes: &mut Vec<u8>, begin: usize) {
        self.apply((ssrc, index.into()), &mut bytes[begin + RTCP_CLEAR..]);
        bytes.extend_from_slice(&(index | ENCRYPTED).to_be_bytes());
        self.push_tag(bytes, begin, &[]);
    }

    fn open_rtcp(&self, ssrc: Ssrc, packet: &mut [u8]) -> Option<usize> {
        let end = packet.len().checked_sub(self.tag_len)?;
        let len = end.checked_sub(WORD).filter(|len| *len >= RTCP_CLEAR)?;
        let (sealed, tag) = packet.split_at_mut(end);
        self.mac(sealed, &[]).verify_truncated_left(tag).ok()?;
        let (rest, behind) = sealed.split_at_mut(len);
        let word = word(behind.first_chunk()?);
        if word & ENCRYPTED != 0 {
            let index = u64::from(word & !ENCRYPTED);
            self.apply((ssrc, index), &mut rest[RTCP_CLEAR..]);
        }
        Some(len)
    }
}

/// The roll-over counter of an index, as it goes into the tag.
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

impl<C> Galois<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    fn new(cipher: AesGcm<C, U12>, master: &SrtpKey, stream: Stream) -> Self {
        let mut salt = Zeroizing::new([0; 12]);
        derive(master, stream, Part::Salt, &mut *salt);
        Self::with_session_keys(cipher, salt)
    }

    pub(super) const fn with_session_keys(
        cipher: AesGcm<C, U12>,
        salt: Zeroizing<[u8; 12]>,
    ) -> Self {
        Self { cipher, salt }
    }

    /// The tag of something that is known and not encrypted.
    #[cfg(test)]
    pub(super) fn tag_of(&self, number: (Ssrc, u64), known: &[u8]) -> [u8; GCM_TAG] {
        let (vector, nothing): (_, &mut [u8]) = (self.vector(number).into(), &mut []);
        let tag = self
            .cipher
            .encrypt_inout_detached(&vector, known, nothing.into());
        tag.unwrap().into()
    }

    /// The vector of a packet (RFC 7714 §8.1, §9.1).
    fn vector(&self, (ssrc, index): (Ssrc, u64)) -> [u8; 12] {
        let mut vector = *self.salt;
        let number = ssrc.0.to_be_bytes().into_iter();
        let number = number.chain(index.to_be_bytes().into_iter().skip(2));
        vector[2..]
            .iter_mut()
            .zip(number)
            .for_each(|(octet, number)| *octet ^= number);
        vector
    }

    fn seal_rtp(
        &self,
        number: (Ssrc, u64),
        bytes: &mut Vec<u8>,
        begin: usize,
        clear: usize,
    ) -> bool {
        let vector = self.vector(number).into();
        let (header, payload) = bytes[begin..].split_at_mut(clear);
        let tag = self
            .cipher
            .encrypt_inout_detached(&vector, header, payload.into());
        // Only a packet of gigabytes has none.
        let Ok(tag) = tag else { return false };
        bytes.extend_from_slice(&tag);
        true
    }

    fn open_rtp(&self, number: (Ssrc, u64), packet: &mut [u8], clear: usize) -> Option<usize> {
        let len = packet
            .len()
            .checked_sub(GCM_TAG)
            .filter(|len| *len >= clear)?;
        let vector = self.vector(number).into();
        let (sealed, tag) = packet.split_at_mut(len);
        let (header, payload) = sealed.split_at_mut(clear);
        let tag = (&*tag).try_into().ok()?;
        self.cipher
            .decrypt_inout_detached(&vector, header, payload.into(), tag)
            .ok()?;
        Some(len)
    }

    fn seal_rtcp(&self, (ssrc, index): (Ssrc, u32), bytes: &mut Vec<u8>, begin: usize) -> bool {
        let vector = self.vector((ssrc, index.into())).into();
        let word = (index | ENCRYPTED).to_be_bytes();
        let (header, rest) = bytes[begin..].split_at_mut(RTCP_CLEAR);
        let mut known = [0; RTCP_CLEAR + WORD];
        known[..RTCP_CLEAR].copy_from_slice(header);
        known[RTCP_CLEAR..].copy_from_slice(&word);
        let tag = self
            .cipher
            .encrypt_inout_detached(&vector, &known, rest.into());
        let Ok(tag) = tag else { return false };
        bytes.extend_from_slice(&tag);
        bytes.extend_from_slice(&word);
        true
    }

    fn open_rtcp(&self, ssrc: Ssrc, packet: &mut [u8]) -> Option<usize> {
        let len = packet.len().checked_sub(GCM_TAG + WORD)?;
        let octets: [u8; WORD] = *packet.last_chunk()?;
        let word = word(&octets);
        let vector = self.vector((ssrc, u64::from(word & !ENCRYPTED))).into();
        let tag = <[u8; GCM_TAG]>::try_from(packet.get(len..len + GCM_TAG)?).ok()?;
        // What is known and not encrypted: all of it, or the first octets and the word. The word is laid behind
        // either, where it stays or is overwritten again.
        let clear = if word & ENCRYPTED == 0 {
            len
        } else {
            RTCP_CLEAR
        };
        let mut known = [0; RTCP_CLEAR + WORD];
        let result = if clear == len {
            packet[len..len + WORD].copy_from_slice(&octets);
            let known = &packet[..len + WORD];
            let nothing: &mut [u8] = &mut [];
            self.cipher
                .decrypt_inout_detached(&vector, known, nothing.into(), &tag.into())
        } else {
            let (header, rest) = packet.get_mut(..len)?.split_at_mut_checked(RTCP_CLEAR)?;
            known[..RTCP_CLEAR].copy_from_slice(header);
            known[RTCP_CLEAR..].copy_from_slice(&octets);
            self.cipher
                .decrypt_inout_detached(&vector, &known, rest.into(), &tag.into())
        };
        if result.is_err() {
            packet[len..len + GCM_TAG].copy_from_slice(&tag);
            return None;
        }
        Some(len)
    }
}
