//! One RTP packet (RFC 3550 §5.1): datagram to fields and payload, and back.
//!
//! The fixed header goes through the `rtp` crate and the marshal traits of `webrtc-util`. What
//! varies in length (CSRC list, extension, padding) is measured here, because none of it is used by
//! this engine, the crate allocates for it, and it reads an extension past the end of its packet.

use bytes::Bytes;
use rtp::header::Header;
use webrtc_util::marshal::{Marshal, Unmarshal};

use super::clock::MediaTime;
use super::seq::SeqNo;

/// Octets of the header we send: no CSRC, no extension.
pub const HEADER_LEN: usize = 12;

/// Who sends a stream of packets (RFC 3550 §3): random, unique within one RTP session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

/// Why a datagram is not an RTP packet; drop it and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Not version 2: STUN, DTLS or noise on the same port.
    #[error("not RTP version 2")]
    Version,
    /// Shorter than its own header says.
    #[error("truncated RTP packet")]
    Truncated,
    /// More padding than payload, or padding that does not count its own last octet.
    #[error("impossible RTP padding")]
    Padding,
}

/// The fields of a packet that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// First packet of a talkspurt (RFC 3551 §4.1) or of a telephone-event (RFC 4733 §2.3.5).
    pub marker: bool,
    /// Payload type, below 128.
    pub payload_type: u8,
    /// Place in the stream.
    pub sequence: SeqNo,
    /// When its first sample was taken.
    pub timestamp: MediaTime,
    /// Whose stream.
    pub ssrc: Ssrc,
}

impl RtpHeader {
    /// Writes the header to the front of `datagram` and says where the payload goes; `None` when it
    /// is shorter than [`HEADER_LEN`].
    pub fn write(&self, datagram: &mut [u8]) -> Option<usize> {
        let header = Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type & 0x7F,
            sequence_number: self.sequence.0,
            timestamp: self.timestamp.0,
            ssrc: self.ssrc.0,
            ..Header::default()
        };
        header.marshal_to(datagram).ok()
    }
}

/// A packet that came in; its payload is a slice of the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpPacket {
    /// Its fields.
    pub header: RtpHeader,
    /// What it carries, without padding.
    pub payload: Bytes,
}

impl RtpPacket {
    /// Reads a datagram without copying or allocating.
    ///
    /// # Errors
    ///
    /// Says why it cannot be RTP.
    pub fn parse(datagram: Bytes) -> Result<Self, PacketError> {
        let (header, payload) = split(&datagram)?;
        let payload = datagram.slice_ref(payload);
        Ok(Self { header, payload })
    }
}

/// Reads a datagram that is only borrowed: its fields and its payload, without padding.
///
/// # Errors
///
/// Says why it cannot be RTP.
pub fn split(datagram: &[u8]) -> Result<(RtpHeader, &[u8]), PacketError> {
    let mut fixed: [u8; HEADER_LEN] = datagram
        .get(..HEADER_LEN)
        .and_then(|start| start.try_into().ok())
        .ok_or(PacketError::Truncated)?;
    if fixed[0] >> 6 != 2 {
        return Err(PacketError::Version);
    }
    let payload = payload_range(datagram)?;

    // Without padding, extension and CSRC bits the crate reads these twelve octets and no more.
    fixed[0] &= 0b1100_0000;
    let header = Header::unmarshal(&mut &fixed[..]).map_err(|_| PacketError::Truncated)?;
    let header = RtpHeader {
        marker: header.marker,
        payload_type: header.payload_type,
        sequence: SeqNo(header.sequence_number),
        timestamp: MediaTime(header.timestamp),
        ssrc: Ssrc(header.ssrc),
    };
    Ok((header, &datagram[payload]))
}

/// Whether a datagram on a port shared with RTP is RTCP (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

/// Octets of the header with CSRC list and extension; there may be fewer in the datagram.
pub(super) fn header_len(datagram: &[u8]) -> Result<usize, PacketError> {
    let first = *datagram.first().ok_or(PacketError::Truncated)?;
    let mut start = HEADER_LEN + usize::from(first & 0x0F) * 4;
    if first & 0x10 != 0 {
        let words = datagram
            .get(start + 2..start + 4)
            .ok_or(PacketError::Truncated)?;
        start += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    Ok(start)
}

/// Where the payload lies: after CSRC list and extension, before the padding.
fn payload_range(datagram: &[u8]) -> Result<std::ops::Range<usize>, PacketError> {
    let first = datagram[0];
    let start = header_len(datagram)?;
    let after_header = datagram.get(start..).ok_or(PacketError::Truncated)?;
    if first & 0x20 == 0 {
        return Ok(start..datagram.len());
    }
    match after_header.last().map(|octets| usize::from(*octets)) {
        Some(padding) if (1..=after_header.len()).contains(&padding) => {
            Ok(start..datagram.len() - padding)
        }
        _ => Err(PacketError::Padding),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtp::packet::Packet;

    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        marker: true,
        payload_type: 101,
        sequence: SeqNo(0xFFFE),
        timestamp: MediaTime(0x0102_0304),
        ssrc: Ssrc(0xA0B0_C0D0),
    };

    fn datagram(first: u8, rest: &[u8]) -> Bytes {
        let mut octets = vec![0; HEADER_LEN];
        HEADER.write(&mut octets).unwrap();
        octets[0] = first;
        octets.extend_from_slice(rest);
        octets.into()
    }

    #[test]
    fn a_written_header_reads_back() {
        let mut octets = [0; HEADER_LEN + 4];
        assert_eq!(HEADER.write(&mut octets), Some(HEADER_LEN));
        octets[HEADER_LEN..].copy_from_slice(b"abcd");
        let packet = RtpPacket::parse(Bytes::copy_from_slice(&octets)).unwrap();
        assert_eq!(packet.header, HEADER);
        assert_eq!(&packet.payload[..], b"abcd");
        assert_eq!(HEADER.write(&mut [0; HEADER_LEN - 1]), None);
    }

    #[test]
    fn payload_shares_the_memory_of_its_datagram() {
        let datagram = datagram(0x80, b"payload");
        let packet = RtpPacket::parse(datagram.clone()).unwrap();
        assert_eq!(packet.payload.as_ptr(), datagram[HEADER_LEN..].as_ptr());
    }

    #[test]
    fn other_versions_are_not_rtp() {
        for version in [0, 1, 3] {
            assert_eq!(
                RtpPacket::parse(datagram(version << 6, b"x")),
                Err(PacketError::Version)
            );
        }
    }

    #[test]
    fn csrc_list_and_extension_are_stepped_over() {
        let two_sources = datagram(0x82, b"AAAABBBBpayload");
        assert_eq!(
            &RtpPacket::parse(two_sources).unwrap().payload[..],
            b"payload"
        );
        let extended = datagram(0x90, &[0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0, b'o', b'k']);
        assert_eq!(&RtpPacket::parse(extended).unwrap().payload[..], b"ok");
        assert_eq!(
            RtpPacket::parse(datagram(0x8F, &[0; 59])),
            Err(PacketError::Truncated)
        );
        assert_eq!(
            RtpPacket::parse(datagram(0x90, &[0xBE, 0xDE, 0xFF, 0xFF, 0])),
            Err(PacketError::Truncated)
        );
    }

    #[test]
    fn an_extension_element_longer_than_its_packet_does_no_harm() {
        // One word of extension whose first element claims sixteen octets.
        let lying = datagram(0x90, &[0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0]);
        assert_eq!(RtpPacket::parse(lying).unwrap().payload.len(), 0);
    }

    #[test]
    fn padding_is_taken_off_and_never_more_than_there_is() {
        assert_eq!(
            &RtpPacket::parse(datagram(0xA0, b"ab\x00\x02"))
                .unwrap()
                .payload[..],
            b"ab"
        );
        assert_eq!(
            RtpPacket::parse(datagram(0xA0, &[1, 3, 3]))
                .unwrap()
                .payload
                .len(),
            0
        );
        for padding in [0, 4, 255] {
            assert_eq!(
                RtpPacket::parse(datagram(0xA0, &[1, 2, padding])),
                Err(PacketError::Padding)
            );
        }
        assert_eq!(
            RtpPacket::parse(datagram(0xA0, &[])),
            Err(PacketError::Padding)
        );
    }

    #[test]
    fn rtcp_on_the_rtp_port_is_told_by_its_packet_type() {
        assert!(is_rtcp(&[0x81, 200, 0, 1]));
        assert!(is_rtcp(&[0x80, 203]));
        assert!(!is_rtcp(&[0x80, 0x80 | 101]));
        assert!(!is_rtcp(&[0x00, 200]));
        assert!(!is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn any_octets_are_a_packet_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = RtpPacket::parse(Bytes::from(octets));
        }

        #[test]
        fn what_the_crate_writes_is_read_the_same(
            marker: bool, payload_type in 0..128_u8, sequence: u16, timestamp: u32, ssrc: u32,
            csrc in prop::collection::vec(any::<u32>(), 0..=15),
            payload in prop::collection::vec(any::<u8>(), 1..200), padding: bool,
        ) {
            let theirs = Packet {
                header: Header {
                    version: 2, padding, marker, payload_type, sequence_number: sequence, timestamp, ssrc, csrc,
                    ..Header::default()
                },
                payload: Bytes::from(payload),
            };
            let ours = RtpPacket::parse(theirs.marshal().unwrap()).unwrap();
            prop_assert_eq!(ours.payload, theirs.payload);
            prop_assert_eq!(ours.header.sequence.0, sequence);
            prop_assert_eq!(ours.header.marker, marker);
            prop_assert_eq!(ours.header.payload_type, payload_type);
        }
    }
}
