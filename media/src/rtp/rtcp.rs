//! RTCP: compound packets read and written (RFC 3550 §6), for any octets a peer sends.
//!
//! Reading borrows: a [`Compound`] walks the packets of a datagram whose lengths have all been
//! checked, so that the walk itself cannot fail.

use std::time::Duration;

use super::clock::{MediaTime, NtpTime};
use super::packet::Ssrc;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// Octets of a report block.
const BLOCK_LEN: usize = 24;
/// The SDES item that names a source for good (RFC 3550 §6.5.1).
const CNAME: u8 = 1;

/// Why a datagram is not RTCP; drop it and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Not version 2, or no octets at all.
    #[error("not RTCP version 2")]
    Version,
    /// A packet is longer than the datagram, or shorter than what it says it holds.
    #[error("truncated RTCP packet")]
    Truncated,
    /// Padding anywhere but on the last packet, or more than there is.
    #[error("impossible RTCP padding")]
    Padding,
}

/// What a sender tells of its own stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same moment in media time.
    pub rtp: MediaTime,
    /// RTP packets sent; wraps.
    pub packets: u32,
    /// Payload octets sent; wraps.
    pub octets: u32,
}

/// What a receiver tells of a stream it hears (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose stream.
    pub source: Ssrc,
    /// Part lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start, signed 24 bit.
    pub cumulative_lost: i32,
    /// Highest sequence number with the count of its wraps.
    pub extended_highest: u32,
    /// Interarrival jitter in timestamp ticks.
    pub jitter: u32,
    /// Middle bits of the NTP time of the last sender report; 0 for none.
    pub last_report: u32,
    /// Time since that report came, in 1/65536 s.
    pub delay_since_last_report: u32,
}

impl ReportBlock {
    /// How long a round trip took, when this block is about our stream and has come at `now`.
    #[must_use]
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        super::stats::round_trip(self, now)
    }
}

impl Default for ReportBlock {
    fn default() -> Self {
        Self {
            source: Ssrc(0),
            fraction_lost: 0,
            cumulative_lost: 0,
            extended_highest: 0,
            jitter: 0,
            last_report: 0,
            delay_since_last_report: 0,
        }
    }
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum RtcpPacket<'a> {
    /// A source that sends (SR).
    SenderReport {
        /// Who reports.
        source: Ssrc,
        /// About its own stream.
        info: SenderInfo,
        /// About the streams it hears.
        reports: ReportBlocks<'a>,
    },
    /// A source that only listens (RR).
    ReceiverReport {
        /// Who reports.
        source: Ssrc,
        /// About the streams it hears.
        reports: ReportBlocks<'a>,
    },
    /// Names of sources (SDES).
    SourceDescription(Chunks<'a>),
    /// Sources that leave.
    Bye(Sources<'a>),
    /// Any other type: APP, feedback, extended reports.
    Other {
        /// Its packet type.
        packet_type: u8,
    },
}

/// The packets of one datagram.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks the lengths of every packet in a datagram.
    ///
    /// The first packet need not be a report: reduced-size RTCP starts with anything (RFC 5506).
    ///
    /// # Errors
    ///
    /// When any packet of it is malformed; then none of them is to be believed.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        if datagram.is_empty() {
            return Err(RtcpError::Version);
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            let (_, after) = split_packet(rest)?;
            rest = after;
        }
        Ok(Self { rest: datagram })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<RtcpPacket<'a>> {
        let (packet, rest) = split_packet(self.rest).ok()?;
        self.rest = rest;
        Some(packet)
    }
}

/// The first packet of `octets`, and what comes after it.
fn split_packet(octets: &[u8]) -> Result<(RtcpPacket<'_>, &[u8]), RtcpError> {
    let [first, packet_type, high, low, ..] = *octets else {
        return Err(RtcpError::Truncated);
    };
    if first >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let len = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, after) = octets.split_at_checked(len).ok_or(RtcpError::Truncated)?;
    let mut body = &packet[4..];
    if first & 0x20 != 0 {
        let padding = body.last().map_or(0, |octets| usize::from(*octets));
        if padding == 0 || padding % 4 != 0 || padding > body.len() || !after.is_empty() {
            return Err(RtcpError::Padding);
        }
        body = &body[..body.len() - padding];
    }
    Ok((
        parse_body(packet_type, usize::from(first & 0x1F), body)?,
        after,
    ))
}

fn parse_body(packet_type: u8, count: usize, body: &[u8]) -> Result<RtcpPacket<'_>, RtcpError> {
    let reports_from = |start: usize| {
        let blocks = body
            .get(start..start + count * BLOCK_LEN)
            .ok_or(RtcpError::Truncated)?;
        Ok(ReportBlocks { blocks })
    };
    match packet_type {
        SENDER_REPORT => Ok(RtcpPacket::SenderReport {
            reports: reports_from(24)?,
            source: Ssrc(word(body, 0)),
            info: SenderInfo {
                ntp: NtpTime(u64::from(word(body, 4)) << 32 | u64::from(word(body, 8))),
                rtp: MediaTime(word(body, 12)),
                packets: word(body, 16),
                octets: word(body, 20),
            },
        }),
        RECEIVER_REPORT => Ok(RtcpPacket::ReceiverReport {
            reports: reports_from(4)?,
            source: Ssrc(word(body, 0)),
        }),
        SOURCE_DESCRIPTION => {
            let chunks = Chunks {
                rest: body,
                left: count,
            };
            let mut walked = chunks;
            (0..count)
                .try_for_each(|_| walked.next().map(|_| ()))
                .ok_or(RtcpError::Truncated)?;
            Ok(RtcpPacket::SourceDescription(chunks))
        }
        BYE => {
            let sources = body.get(..count * 4).ok_or(RtcpError::Truncated)?;
            Ok(RtcpPacket::Bye(Sources { sources }))
        }
        _ => Ok(RtcpPacket::Other { packet_type }),
    }
}

/// The report blocks of one packet.
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a> {
    blocks: &'a [u8],
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.blocks.split_at_checked(BLOCK_LEN)?;
        self.blocks = rest;
        let loss = word(block, 4);
        Some(ReportBlock {
            source: Ssrc(word(block, 0)),
            fraction_lost: (loss >> 24) as u8,
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            extended_highest: word(block, 8),
            jitter: word(block, 12),
            last_report: word(block, 16),
            delay_since_last_report: word(block, 20),
        })
    }
}

/// The sources of a BYE.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    sources: &'a [u8],
}

impl Iterator for Sources<'_> {
    type Item = Ssrc;

    fn next(&mut self) -> Option<Ssrc> {
        let (source, rest) = self.sources.split_at_checked(4)?;
        self.sources = rest;
        Some(Ssrc(word(source, 0)))
    }
}

/// The chunks of an SDES packet: each a source and its canonical name, empty when it gives none.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (Ssrc, &'a [u8]);

    fn next(&mut self) -> Option<(Ssrc, &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        let (source, items) = self.rest.split_at_checked(4)?;
        let mut name: &[u8] = &[];
        let mut at = 0;
        // Items until the null octet that ends the list, which pads the chunk to a whole word.
        while *items.get(at)? != 0 {
            let len = usize::from(*items.get(at + 1)?);
            let text = items.get(at + 2..at + 2 + len)?;
            if items[at] == CNAME {
                name = text;
            }
            at += 2 + len;
        }
        self.rest = items.get((at / 4 + 1) * 4..)?;
        Some((Ssrc(word(source, 0)), name))
    }
}

/// Four octets in network order; 0 where there are none, which the length checks rule out.
fn word(octets: &[u8], at: usize) -> u32 {
    octets
        .get(at..at + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// Writes the packets of one compound into a buffer of the caller.
///
/// A packet that does not fit is left out and [`Self::finish`] says `None`; 512 octets hold any
/// compound of one source with one report block.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    buffer: &'a mut [u8],
    len: usize,
    is_whole: bool,
}

impl<'a> CompoundWriter<'a> {
    /// A report has room for this many blocks; more go into a further report (RFC 3550 §6.1).
    pub const MAX_BLOCKS: usize = 31;

    /// Starts an empty compound.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            len: 0,
            is_whole: true,
        }
    }

    /// Adds a sender report, of at most [`Self::MAX_BLOCKS`] blocks.
    pub fn sender_report(&mut self, source: Ssrc, info: &SenderInfo, reports: &[ReportBlock]) {
        let reports = &reports[..reports.len().min(Self::MAX_BLOCKS)];
        self.packet(SENDER_REPORT, reports.len() as u8, |body| {
            body.words([source.0, (info.ntp.0 >> 32) as u32, info.ntp.0 as u32])?;
            body.words([info.rtp.0, info.packets, info.octets])?;
            reports.iter().try_for_each(|report| body.report(report))
        });
    }

    /// Adds a receiver report, of at most [`Self::MAX_BLOCKS`] blocks.
    pub fn receiver_report(&mut self, source: Ssrc, reports: &[ReportBlock]) {
        let reports = &reports[..reports.len().min(Self::MAX_BLOCKS)];
        self.packet(RECEIVER_REPORT, reports.len() as u8, |body| {
            body.words([source.0])?;
            reports.iter().try_for_each(|report| body.report(report))
        });
    }

    /// Adds a source description with a canonical name, of which 255 octets are sent.
    pub fn source_description(&mut self, source: Ssrc, cname: &str) {
        let name = &cname.as_bytes()[..cname.len().min(255)];
        self.packet(SOURCE_DESCRIPTION, 1, |body| {
            body.words([source.0])?;
            body.octets(&[CNAME, name.len() as u8])?;
            body.octets(name)?;
            // At least one null octet, then on to the next word.
            body.octets(&[0; 4][..4 - body.len % 4])
        });
    }

    /// Adds the farewell of a source.
    pub fn bye(&mut self, source: Ssrc) {
        self.packet(BYE, 1, |body| body.words([source.0]));
    }

    /// The length of the compound, unless a packet did not fit.
    #[must_use]
    pub fn finish(self) -> Option<usize> {
        self.is_whole.then_some(self.len)
    }

    fn packet(
        &mut self,
        packet_type: u8,
        count: u8,
        write: impl FnOnce(&mut Body<'_>) -> Option<()>,
    ) {
        let mut body = Body {
            buffer: &mut self.buffer[self.len..],
            len: 0,
        };
        let written = body
            .octets(&[0x80 | count, packet_type, 0, 0])
            .and_then(|()| write(&mut body));
        if written.is_none() {
            self.is_whole = false;
            return;
        }
        let len = body.len;
        let words = (len / 4 - 1) as u16;
        body.buffer[2..4].copy_from_slice(&words.to_be_bytes());
        self.len += len;
    }
}

/// One packet being written; `None` when the buffer is full.
struct Body<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Body<'_> {
    fn octets(&mut self, octets: &[u8]) -> Option<()> {
        self.buffer
            .get_mut(self.len..self.len + octets.len())?
            .copy_from_slice(octets);
        self.len += octets.len();
        Some(())
    }

    fn words<const N: usize>(&mut self, words: [u32; N]) -> Option<()> {
        words
            .into_iter()
            .try_for_each(|word| self.octets(&word.to_be_bytes()))
    }

    fn report(&mut self, report: &ReportBlock) -> Option<()> {
        let lost = report
            .cumulative_lost
            .clamp(-0x80_0000, 0x7F_FFFF)
            .cast_unsigned()
            & 0xFF_FFFF;
        self.words([
            report.source.0,
            u32::from(report.fraction_lost) << 24 | lost,
            report.extended_highest,
        ])?;
        self.words([
            report.jitter,
            report.last_report,
            report.delay_since_last_report,
        ])
    }
}

/// What the time between two reports depends on (RFC 3550 §6.2, §6.3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportInterval {
    /// Sources of the session, we too.
    pub members: u32,
    /// Of them, those that sent RTP in the last two intervals.
    pub senders: u32,
    /// Whether we are one of those.
    pub we_send: bool,
    /// Mean size of RTCP datagrams with their UDP and IP headers, in octets.
    pub mean_size: u32,
    /// Bandwidth of the session, in bits per second; RTCP may take 5 % of it.
    pub bandwidth: u32,
    /// Whether we have sent no report yet: the first comes after half the time.
    pub is_first: bool,
}

impl ReportInterval {
    /// The least time between two reports, before it is varied.
    pub const MIN: Duration = Duration::from_secs(5);

    /// The time to the next report, varied by `random`, which is uniform over its range: between
    /// half and one and a half times the deterministic interval, divided by e - 3/2 to make up for
    /// the effect of reconsideration (RFC 3550 §6.3.1).
    #[must_use]
    pub fn duration(&self, random: u32) -> Duration {
        let rtcp_octets = f64::from(self.bandwidth.max(1)) * 0.05 / 8.0;
        let (members, senders) = (f64::from(self.members.max(1)), f64::from(self.senders));
        // Senders share a quarter of the bandwidth when they are at most a quarter of the members.
        let (share, octets) = match (senders > 0.0 && senders <= members * 0.25, self.we_send) {
            (true, true) => (senders, rtcp_octets * 0.25),
            (true, false) => (members - senders, rtcp_octets * 0.75),
            (false, _) => (members, rtcp_octets),
        };
        let least = if self.is_first {
            Self::MIN / 2
        } else {
            Self::MIN
        }
        .as_secs_f64();
        let deterministic = (share * f64::from(self.mean_size) / octets).clamp(least, 3_600.0);
        let varied = deterministic * (0.5 + f64::from(random) / (f64::from(u32::MAX) + 1.0));
        Duration::from_secs_f64(varied / (std::f64::consts::E - 1.5))
    }
}

#[cfg(test)]
mod tests;
