//! Session keys out of a master key (RFC 3711 §4.3, RFC 6188 §4, RFC 7714 §11). They are derived once: the
//! derivation rate of SDES is zero.

use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use aes::{Aes128Enc, Aes256Enc};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;

use crate::command::SrtpKey;

/// What session keys are for; each has three labels, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Rtp = 0,
    Rtcp = 3,
}

/// What is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Cipher = 0,
    Tag = 1,
    Salt = 2,
}

/// Fills `derived`.
pub(super) fn derive(master: &SrtpKey, stream: Stream, part: Part, derived: &mut [u8]) {
    // A salt of twelve octets is followed by zeros.
    let mut block = [0; 16];
    block[..master.salt().len()].copy_from_slice(master.salt());
    block[7] ^= stream as u8 + part as u8;
    derived.fill(0);
    let key = master.key();
    if let Ok(cipher) = Aes128Enc::new_from_slice(key) {
        CtrCore::<_, Ctr128BE>::inner_iv_init(cipher, &block.into())
            .apply_keystream_partial(derived.into());
    } else if let Ok(cipher) = Aes256Enc::new_from_slice(key) {
        CtrCore::<_, Ctr128BE>::inner_iv_init(cipher, &block.into())
            .apply_keystream_partial(derived.into());
    }
}
