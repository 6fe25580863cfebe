//! RTP and RTCP without sockets (RFC 3550, RFC 3551), and how they are protected (RFC 3711).

mod clock;
mod packet;
pub mod red;
mod rtcp;
mod seq;
mod srtp;
mod stats;

pub use clock::{MediaTime, NtpTime};
pub use packet::{HEADER_LEN, PacketError, RtpHeader, RtpPacket, Ssrc, is_rtcp, split};
pub use rtcp::{
    Chunks, Compound, CompoundWriter, ReportBlock, ReportBlocks, ReportInterval, RtcpError,
    RtcpPacket, SenderInfo, Sources,
};
pub use seq::{Extended, SeqNo, SequenceTracker};
pub use srtp::{Protector, SrtpError, Unprotector};
pub use stats::ReceptionStats;
