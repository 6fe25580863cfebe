//! What SRTP agrees on: suites and their secrets.

use std::fmt;

use zeroize::Zeroize;

/// How packets of a session are kept from others (RFC 3711), as agreed by SDP (RFC 4568).
///
/// A key for what we send is not given again to a session after another one, or none: its numbers begin anew
/// with it, and the same numbers under the same key would give the sound away (RFC 3711 §9.1).
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpConfig {
    /// For what we send.
    pub send: SrtpKey,
    /// For what the peer sends.
    pub receive: SrtpKey,
}

/// A suite and its secrets for one way; they are overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey {
    suite: SrtpSuite,
    key_and_salt: Box<[u8]>,
}

/// The transforms of a session (RFC 4568 §6.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// AES-256 in Galois counter mode, a tag of 128 bits.
    AeadAes256Gcm,
    /// AES-128 in Galois counter mode, a tag of 128 bits.
    AeadAes128Gcm,
    /// AES-128 in counter mode, a tag of 80 bits.
    AesCm128HmacSha1Tag80,
    /// AES-128 in counter mode, a tag of 32 bits; 80 for RTCP.
    AesCm128HmacSha1Tag32,
}

impl SrtpSuite {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm128HmacSha1Tag80,
        Self::AesCm128HmacSha1Tag32,
    ];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The one of this name, in letters of any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Octets of its master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1Tag80 | Self::AesCm128HmacSha1Tag32 => 16,
        }
    }

    /// Octets of its master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1Tag80 | Self::AesCm128HmacSha1Tag32 => 14,
        }
    }
}

impl SrtpKey {
    /// Master key and, behind it, master salt; `None` unless they are as long as the suite has them.
    #[must_use]
    pub fn new(suite: SrtpSuite, key_and_salt: &[u8]) -> Option<Self> {
        let is_whole = key_and_salt.len() == suite.key_len() + suite.salt_len();
        is_whole.then(|| Self {
            suite,
            key_and_salt: key_and_salt.into(),
        })
    }

    /// Which transforms it is for.
    #[must_use]
    pub const fn suite(&self) -> SrtpSuite {
        self.suite
    }

    /// Master key and, behind it, master salt.
    #[must_use]
    pub const fn key_and_salt(&self) -> &[u8] {
        &self.key_and_salt
    }

    /// Master key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key_and_salt[..self.suite.key_len()]
    }

    /// Master salt.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.key_and_salt[self.suite.key_len()..]
    }
}

impl Drop for SrtpKey {
    fn drop(&mut self) {
        self.key_and_salt.zeroize();
    }
}

/// Secrets are not told.
impl fmt::Debug for SrtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpConfig")
            .field("send", &self.send.suite)
            .field("receive", &self.receive.suite)
            .finish()
    }
}

/// Secrets are not told.
impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKey")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_as_long_as_its_suite_has_it_or_none() {
        for suite in SrtpSuite::ALL {
            let len = suite.key_len() + suite.salt_len();
            assert!(SrtpKey::new(suite, &vec![1; len]).is_some());
            assert!(SrtpKey::new(suite, &vec![1; len - 1]).is_none());
            assert!(SrtpKey::new(suite, &vec![1; len + 1]).is_none());
            assert_eq!(
                SrtpSuite::from_name(&suite.name().to_lowercase()),
                Some(suite)
            );
        }
    }

    #[test]
    fn secrets_are_not_written_out() {
        let key = SrtpKey::new(SrtpSuite::AesCm128HmacSha1Tag80, &[0xAB; 30]).unwrap();
        let config = SrtpConfig {
            send: key.clone(),
            receive: key.clone(),
        };
        let text = format!("{key:?} {config:?}");
        assert!(
            !text.contains("171") && !text.to_lowercase().contains("ab,"),
            "{text}"
        );
    }
}
