//! Keys for SRTP in descriptions (SDES, RFC 4568): which stream is protected, under which keys.
//!
//! ```text
//!   policy    what we offer             what we answer
//!   off       RTP/AVP                   RTP/AVP; RTP/SAVP is refused
//!   accept    RTP/AVP                   RTP/SAVP protected, RTP/AVP plain
//!   prefer    RTP/AVP with a=crypto     protected wherever there is a=crypto, else plain
//!   require   RTP/SAVP                  protected, or not at all
//! ```
//!
//! What was agreed once is offered again in later offers of the call, with the same key of ours. A peer that
//! knows nothing of keys passes over those in RTP/AVP; many telephones offer so what they call optional.
//!
//! The keys lie in the description for all who carry or see the signalling. Over UDP and TCP that is everybody
//! on the way: the sound is kept from those who see the media alone.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flowswitch_media::command::{SrtpConfig, SrtpKey, SrtpSuite};
use zeroize::Zeroizing;

use super::negotiate::NegotiateError;
use super::{MediaDescription, SessionDescription};
use crate::ids::Rng;

/// Whether sound is protected, as the operator wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SrtpPolicy {
    /// Never.
    Off,
    /// Where the peer offers it.
    #[default]
    Accept,
    /// Wherever the peer knows how.
    Prefer,
    /// Always; there is no call without.
    Require,
}

/// What is protected between us and one peer, and our keys for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalCrypto {
    policy: SrtpPolicy,
    /// One for each suite, once they are needed.
    keys: Vec<SrtpKey>,
    /// What stands in our last offer.
    offered: Offered,
    agreed: Option<Agreed>,
}

/// What we offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Offered {
    profile: Profile,
    /// Best first.
    suites: Vec<SrtpSuite>,
}

/// What was agreed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreed {
    Plain,
    Protected(Profile, SrtpSuite),
}

/// The profile of a stream, as far as it matters for keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Profile {
    /// RTP/AVP, RTP/AVPF.
    #[default]
    Plain,
    /// RTP/SAVP, RTP/SAVPF (RFC 3711 §1, RFC 5124).
    Secure,
}

/// The stream of a description that is taken, and what protects it.
pub(super) struct Chosen {
    /// Its place in the description.
    pub(super) stream: usize,
    /// Keys for both ways.
    pub(super) srtp: Option<Box<SrtpConfig>>,
    /// The value of the `crypto` line of our answer.
    pub(super) line: Option<String>,
}

/// One `a=crypto` line that we can follow (RFC 4568 §9.1, §9.2).
struct CryptoLine {
    tag: u32,
    key: SrtpKey,
}

/// Suites that we offer, best first. Whoever knows AES-128-GCM knows one of these.
const OFFERED: [SrtpSuite; 3] = [
    SrtpSuite::AeadAes256Gcm,
    SrtpSuite::AesCm128HmacSha1Tag80,
    SrtpSuite::AesCm128HmacSha1Tag32,
];

/// With padding, which some peers leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl SrtpPolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Accept, Self::Prefer, Self::Require];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Accept => "accept",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}

impl LocalCrypto {
    /// Nothing is agreed yet.
    #[must_use]
    pub fn new(policy: SrtpPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Gets ready to answer an offer. Without keys in it nothing is needed.
    pub fn prepare_answer(&mut self, offer: &SessionDescription, rng: &mut Rng) {
        let has_keys = |media: &MediaDescription| media.attributes.first("crypto").is_some();
        if self.policy != SrtpPolicy::Off && offer.media.iter().any(has_keys) {
            self.make_keys(rng);
        }
    }

    /// Gets ready for an offer of ours: what was agreed, or what the policy wants.
    pub fn prepare_offer(&mut self, rng: &mut Rng) {
        let (profile, suites) = match (self.agreed, self.policy) {
            (Some(Agreed::Protected(profile, suite)), _) => (profile, vec![suite]),
            (_, SrtpPolicy::Require) => (Profile::Secure, OFFERED.into()),
            (None, SrtpPolicy::Prefer) => (Profile::Plain, OFFERED.into()),
            _ => (Profile::Plain, Vec::new()),
        };
        if !suites.is_empty() {
            self.make_keys(rng);
        }
        self.offered = Offered { profile, suites };
    }

    /// Takes note of what an exchange has come to; `description` is the answer in it.
    pub fn settle(&mut self, description: &SessionDescription, srtp: Option<&SrtpConfig>) {
        let mut profile = audio_streams(description).map(|(.., profile)| profile);
        let profile = profile.next().unwrap_or_default();
        self.agreed = Some(match srtp {
            Some(srtp) => Agreed::Protected(profile, srtp.send.suite()),
            None => Agreed::Plain,
        });
    }

    /// The protocol of our offer, and the values of its `crypto` lines.
    pub(super) fn offer(&self) -> (&'static str, Vec<String>) {
        let protocol = match self.offered.profile {
            Profile::Plain => "RTP/AVP",
            Profile::Secure => "RTP/SAVP",
        };
        let keys = self.offered.suites.iter();
        let keys = keys.filter_map(|suite| self.key(*suite)).cloned();
        let line = |(tag, key)| CryptoLine { tag, key }.to_string();
        (protocol, (1..).zip(keys).map(line).collect())
    }

    /// The stream of an offer that is taken: the first that can be protected, else the first that need not be.
    pub(super) fn choose(&self, offer: &SessionDescription) -> Result<Chosen, NegotiateError> {
        let streams = || audio_streams(offer);
        let protected = |stream: usize, media: &MediaDescription| {
            let theirs = lines(media).find(|line| self.key(line.key.suite()).is_some())?;
            let send = self.key(theirs.key.suite())?.clone();
            let (tag, key) = (theirs.tag, send.clone());
            Some(Chosen {
                stream,
                line: Some(CryptoLine { tag, key }.to_string()),
                srtp: Some(Box::new(SrtpConfig {
                    send,
                    receive: theirs.key,
                })),
            })
        };
        let is_optional_taken = matches!(self.policy, SrtpPolicy::Prefer | SrtpPolicy::Require);
        let of = |wanted: Profile| {
            streams()
                .filter(move |(.., profile)| *profile == wanted)
                .find_map(|(stream, media, _)| protected(stream, media))
        };
        let optional = || is_optional_taken.then(|| of(Profile::Plain)).flatten();
        if let Some(chosen) = of(Profile::Secure).or_else(optional) {
            return Ok(chosen);
        }
        let plain = streams().find(|(.., profile)| *profile == Profile::Plain);
        match plain {
            Some((stream, ..)) if self.policy != SrtpPolicy::Require => Ok(Chosen::plain(stream)),
            Some(_) => Err(NegotiateError::SrtpRequired),
            None => Err(self.unusable(offer)),
        }
    }

    /// What an answer to our offer has come to; that offer may be a description that we sent before, of either
    /// kind (RFC 4028 §7.4). A peer that mixes up tags is understood by its suite, of which there is one line
    /// each.
    pub(super) fn read(&self, answer: &SessionDescription) -> Result<Chosen, NegotiateError> {
        let (stream, media, profile) = audio_streams(answer)
            .next()
            .ok_or_else(|| self.unusable(answer))?;
        let is_offered = |line: &CryptoLine| {
            let suite = line.key.suite();
            let is_agreed = matches!(self.agreed, Some(Agreed::Protected(_, it)) if it == suite);
            is_agreed || self.offered.suites.contains(&suite)
        };
        let protected = lines(media).filter(is_offered).find_map(|theirs| {
            let send = self.key(theirs.key.suite())?.clone();
            let receive = theirs.key;
            Some(Box::new(SrtpConfig { send, receive }))
        });
        match protected {
            Some(srtp) => Ok(Chosen {
                stream,
                srtp: Some(srtp),
                line: None,
            }),
            None if profile == Profile::Secure => Err(self.unusable(answer)),
            None if self.policy == SrtpPolicy::Require => Err(NegotiateError::SrtpRequired),
            None => Ok(Chosen::plain(stream)),
        }
    }

    /// Why no stream can be taken.
    fn unusable(&self, description: &SessionDescription) -> NegotiateError {
        let secure = audio_streams(description).find(|(.., profile)| *profile == Profile::Secure);
        match secure {
            Some((_, media, _)) if self.policy != SrtpPolicy::Off => {
                let suite = |line: &str| line.split_ascii_whitespace().nth(1).map(str::to_owned);
                let offered = media.attributes.all("crypto").filter_map(suite).collect();
                NegotiateError::NoCommonSuite { offered }
            }
            _ => NegotiateError::NoAudio {
                offered: description
                    .media
                    .iter()
                    .map(|media| format!("{} {}", media.kind, media.protocol))
                    .collect(),
            },
        }
    }

    fn key(&self, suite: SrtpSuite) -> Option<&SrtpKey> {
        self.keys.iter().find(|key| key.suite() == suite)
    }

    /// Makes all keys anew but the one that is in use: one that was given up is never used again (RFC 3711
    /// §9.1).
    fn make_keys(&mut self, rng: &mut Rng) {
        let agreed = match self.agreed {
            Some(Agreed::Protected(_, suite)) => self.key(suite).cloned(),
            _ => None,
        };
        let key = |suite: SrtpSuite| match &agreed {
            Some(key) if key.suite() == suite => Some(key.clone()),
            _ => new_key(suite, rng),
        };
        self.keys = SrtpSuite::ALL.into_iter().filter_map(key).collect();
    }
}

/// A key that nobody knows yet.
fn new_key(suite: SrtpSuite, rng: &mut Rng) -> Option<SrtpKey> {
    let mut octets = Zeroizing::new(vec![0; suite.key_len() + suite.salt_len()]);
    rng.fill(&mut octets);
    SrtpKey::new(suite, &octets)
}

impl Chosen {
    const fn plain(stream: usize) -> Self {
        Self {
            stream,
            srtp: None,
            line: None,
        }
    }
}

/// The first stream of sound over RTP that is not refused.
pub(super) fn first_audio(description: &SessionDescription) -> Option<&MediaDescription> {
    let (_, media, _) = audio_streams(description).next()?;
    Some(media)
}

/// Streams of sound over RTP that are not refused, with their places.
fn audio_streams(
    description: &SessionDescription,
) -> impl Iterator<Item = (usize, &MediaDescription, Profile)> {
    let profile = |media: &MediaDescription| {
        let is = |name: &str| media.protocol.eq_ignore_ascii_case(name);
        match media.port != 0 && media.kind.eq_ignore_ascii_case("audio") {
            true if is("RTP/AVP") || is("RTP/AVPF") => Some(Profile::Plain),
            true if is("RTP/SAVP") || is("RTP/SAVPF") => Some(Profile::Secure),
            _ => None,
        }
    };
    let media = description.media.iter().enumerate();
    media.filter_map(move |(place, media)| Some((place, media, profile(media)?)))
}

/// The lines of a stream that we can follow; others are passed over (RFC 4568 §5.1.2).
fn lines(media: &MediaDescription) -> impl Iterator<Item = CryptoLine> {
    media.attributes.all("crypto").filter_map(CryptoLine::parse)
}

impl CryptoLine {
    /// `TAG SUITE inline:KEY[|LIFETIME] [PARAMETER …]`. Several keys or a key with an identifier (MKI) are not
    /// followed, nor parameters that change what packets look like. A lifetime is for the peer to keep: no call
    /// of ours comes near the least that is usual.
    fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let (tag, suite, keys) = (fields.next()?, fields.next()?, fields.next()?);
        let is_tag = (1..=9).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_digit());
        if !is_tag || !fields.all(is_harmless) {
            return None;
        }
        let (method, key) = keys.split_once(':')?;
        let mut parts = key.split('|');
        let octets = BASE64.decode(parts.next()?).ok()?;
        let octets = Zeroizing::new(octets);
        let is_followed = match (parts.next(), parts.next()) {
            (None, None) => true,
            (Some(lifetime), None) => is_lifetime(lifetime),
            _ => false,
        };
        if !is_followed || !method.eq_ignore_ascii_case("inline") {
            return None;
        }
        Some(Self {
            tag: tag.parse().ok()?,
            key: SrtpKey::new(SrtpSuite::from_name(suite)?, &octets)?,
        })
    }
}

/// Parameters of a session that change nothing for us (RFC 4568 §6.3): a hint, the usual rate of derivation,
/// and those that say so themselves.
fn is_harmless(parameter: &str) -> bool {
    let is_hint = parameter.to_ascii_uppercase().starts_with("WSH=");
    is_hint || parameter.eq_ignore_ascii_case("KDR=0") || parameter.starts_with('-')
}

/// Packets that a key may be used for, as a number or a power of two.
fn is_lifetime(text: &str) -> bool {
    let digits = text.strip_prefix("2^").unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for CryptoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode(self.key.key_and_salt());
        write!(f, "{} {} inline:{key}", self.tag, self.key.suite().name())
    }
}

#[cfg(test)]
mod tests;
