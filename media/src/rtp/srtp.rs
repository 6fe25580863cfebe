//! SRTP and SRTCP: packets that nobody else can read, change or send again (RFC 3711, RFC 7714).
//!
//! ```text
//!   RTP or RTCP --> Protector: number, encrypt, tag ----> network
//!   RTP or RTCP <-- Unprotector: tag, fresh?, decrypt <-- network, and whoever else sends there
//! ```
//!
//! Both are values without clock or randomness, and work in place without allocation. Neither takes a number
//! twice: what was seen is dropped, and what was sent is not sent again, since two packets of one number give
//! away what they hide (RFC 3711 §9.1).

use std::fmt;

use self::index::Window;
use self::keys::Stream;
use self::transform::{RTCP_CLEAR, Transform};
use super::packet::{HEADER_LEN, header_len};
use super::{SeqNo, Ssrc};
use crate::command::SrtpKey;

mod index;
mod keys;
#[cfg(test)]
mod tests;
mod transform;

/// How many streams of a peer are followed under one key. A telephone has one, and another one each time
/// that it is handed on; the one that has been silent longest is forgotten for the next.
const MAX_SOURCES: usize = 16;

/// Packets in a row that could not be opened until a stream may have gone on a cycle further unheard.
const LOST: u32 = 50;

/// Indices of RTP are 48 bits long, and those of RTCP 31.
const RTP_INDICES: u64 = 1 << 48;
const RTCP_INDICES: u32 = 1 << 31;

/// Why a packet is not taken, or not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// It is too short, or not RTP or RTCP at all; drop it.
    #[error("not an SRTP packet")]
    Malformed,
    /// It is of somebody else, or damaged; drop it.
    #[error("the packet is not authentic")]
    Unauthentic,
    /// Its number was used before, or is too old to tell; drop it.
    #[error("the number of the packet was used before")]
    Replayed,
    /// A packet of another stream than ours, or the key has been used for as many packets as it may be.
    #[error("the key may not be used for this packet")]
    Exhausted,
}

/// Protects what we send: one stream.
pub struct Protector {
    rtp: Transform,
    rtcp: Transform,
    ssrc: Ssrc,
    sent: Window,
    next_report: u32,
}

/// Opens what a peer sends.
pub struct Unprotector {
    rtp: Transform,
    rtcp: Transform,
    /// Streams that have proven themselves, the one that spoke last at the end.
    sources: Vec<Source>,
}

/// What is known of one stream.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: Ssrc,
    rtp: Window,
    rtcp: Window,
    /// RTP packets in a row that could not be opened.
    failures: u32,
}

impl Protector {
    /// Octets that protection adds to a packet at most.
    pub const OVERHEAD: usize = 20;

    /// Protects the packets of `ssrc` from their first one on.
    #[must_use]
    pub fn new(key: &SrtpKey, ssrc: Ssrc) -> Self {
        Self {
            rtp: Transform::new(key, Stream::Rtp),
            rtcp: Transform::new(key, Stream::Rtcp),
            ssrc,
            sent: Window::default(),
            next_report: 0,
        }
    }

    /// Protects the RTP packet that begins at `begin` and ends the buffer. With an error it must not be sent.
    pub fn protect_rtp(&mut self, bytes: &mut Vec<u8>, begin: usize) -> Result<(), SrtpError> {
        let packet = bytes.get(begin..).ok_or(SrtpError::Malformed)?;
        let (clear, seq, ssrc) = rtp_numbers(packet)?;
        let index = if self.sent.is_empty() {
            u64::from(seq.0)
        } else {
            self.sent.estimate(seq).ok_or(SrtpError::Replayed)?
        };
        if ssrc != self.ssrc || index >= RTP_INDICES {
            return Err(SrtpError::Exhausted);
        }
        if !self.sent.is_fresh(index) {
            return Err(SrtpError::Replayed);
        }
        self.sent.take(index);
        let is_sealed = self.rtp.seal_rtp((ssrc, index), bytes, begin, clear);
        is_sealed.then_some(()).ok_or(SrtpError::Malformed)
    }

    /// Protects the RTCP packet that begins at `begin` and ends the buffer. With an error it must not be sent.
    pub fn protect_rtcp(&mut self, bytes: &mut Vec<u8>, begin: usize) -> Result<(), SrtpError> {
        let packet = bytes.get(begin..).ok_or(SrtpError::Malformed)?;
        let ssrc = rtcp_ssrc(packet)?;
        if ssrc != self.ssrc || self.next_report >= RTCP_INDICES {
            return Err(SrtpError::Exhausted);
        }
        let number = (ssrc, self.next_report);
        self.next_report += 1;
        let is_sealed = self.rtcp.seal_rtcp(number, bytes, begin);
        is_sealed.then_some(()).ok_or(SrtpError::Malformed)
    }
}

impl Unprotector {
    /// Opens what is protected by `key`.
    #[must_use]
    pub fn new(key: &SrtpKey) -> Self {
        Self {
            rtp: Transform::new(key, Stream::Rtp),
            rtcp: Transform::new(key, Stream::Rtcp),
            sources: Vec::new(),
        }
    }

    /// Opens an RTP packet in place, and says how long it is then. One that is not taken is left as it is and
    /// changes nothing.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (clear, seq, ssrc) = rtp_numbers(packet)?;
        let place = self.sources.iter().position(|known| known.ssrc == ssrc);
        let known = place.map_or(Source::new(ssrc), |place| self.sources[place]);
        let mut is_seen = false;
        for index in known.guesses(seq).into_iter().flatten() {
            if !known.rtp.is_fresh(index) {
                is_seen = true;
            } else if let Some(len) = self.rtp.open_rtp((ssrc, index), packet, clear) {
                let source = self.proven(place, ssrc);
                source.failures = 0;
                source.rtp.take(index);
                return Ok(len);
            }
        }
        if is_seen {
            return Err(SrtpError::Replayed);
        }
        if let Some(place) = place {
            let failures = &mut self.sources[place].failures;
            *failures = failures.saturating_add(1);
        }
        Err(SrtpError::Unauthentic)
    }

    /// Opens an RTCP packet in place, and says how long it is then. One that is not taken is left as it is and
    /// changes nothing.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        let index = self.rtcp.rtcp_index(packet).ok_or(SrtpError::Malformed)?;
        let place = self.sources.iter().position(|known| known.ssrc == ssrc);
        if place.is_some_and(|place| !self.sources[place].rtcp.is_fresh(index.into())) {
            return Err(SrtpError::Replayed);
        }
        let len = self.rtcp.open_rtcp(ssrc, packet);
        let len = len.ok_or(SrtpError::Unauthentic)?;
        self.proven(place, ssrc).rtcp.take(index.into());
        Ok(len)
    }

    /// The stream that a packet has proven to be of.
    fn proven(&mut self, place: Option<usize>, ssrc: Ssrc) -> &mut Source {
        match place {
            Some(place) => self.sources[place..].rotate_left(1),
            None => {
                if self.sources.len() == MAX_SOURCES {
                    self.sources.remove(0);
                }
                self.sources.push(Source::new(ssrc));
            }
        }
        let last = self.sources.len() - 1;
        &mut self.sources[last]
    }
}

impl Source {
    fn new(ssrc: Ssrc) -> Self {
        Self {
            ssrc,
            rtp: Window::default(),
            rtcp: Window::default(),
            failures: 0,
        }
    }

    /// The indices that a packet may have. A stream begins in its first cycle; its first packets may be lost,
    /// up to the wrap. One that was not heard for long may be in its next cycle.
    fn guesses(&self, seq: SeqNo) -> [Option<u64>; 2] {
        const CYCLE: u64 = 1 << 16;
        let number = u64::from(seq.0);
        if self.rtp.is_empty() {
            return [Some(number), Some(number + CYCLE)];
        }
        let near = self.rtp.estimate(seq);
        let far = near.filter(|_| self.failures >= LOST);
        [near, far.map(|index| index + CYCLE)]
            .map(|index| index.filter(|index| *index < RTP_INDICES))
    }
}

/// Octets of the header, sequence number and SSRC.
fn rtp_numbers(packet: &[u8]) -> Result<(usize, SeqNo, Ssrc), SrtpError> {
    let [first, _, high, low, _, _, _, _, s0, s1, s2, s3] = *packet
        .first_chunk::<HEADER_LEN>()
        .ok_or(SrtpError::Malformed)?;
    let clear = header_len(packet).map_err(|_| SrtpError::Malformed)?;
    if first >> 6 != 2 || packet.len() < clear {
        return Err(SrtpError::Malformed);
    }
    let seq = SeqNo(u16::from_be_bytes([high, low]));
    Ok((clear, seq, Ssrc(u32::from_be_bytes([s0, s1, s2, s3]))))
}

fn rtcp_ssrc(packet: &[u8]) -> Result<Ssrc, SrtpError> {
    match packet.first_chunk::<RTCP_CLEAR>() {
        Some([first, _, _, _, ssrc @ ..]) if first >> 6 == 2 => Ok(Ssrc(u32::from_be_bytes(*ssrc))),
        _ => Err(SrtpError::Malformed),
    }
}

/// Secrets are not told.
impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protector")
            .field("ssrc", &self.ssrc)
            .finish_non_exhaustive()
    }
}

/// Secrets are not told.
impl fmt::Debug for Unprotector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprotector")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}
