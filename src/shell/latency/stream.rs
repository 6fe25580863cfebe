//! The RTP half of the call: a packet out each 20 ms, and whatever comes.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowswitch_media::codec::{Codec, G711};
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc, is_rtcp, split};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::figures::Figures;
use super::found::{Heard, Sent};
use super::noise::{FRAME, frame};

/// Sound in one packet.
pub(super) const PTIME: Duration = Duration::from_millis(20);

/// Our side of it.
#[derive(Debug)]
pub(super) struct Stream {
    rtp: UdpSocket,
    /// Takes RTCP, so that the peer does not hear of a closed port; nobody reads it.
    _rtcp: Option<UdpSocket>,
    local: SocketAddr,
    ssrc: Ssrc,
    sent: Vec<Sent>,
    heard: Vec<Heard>,
}

impl Stream {
    /// On an even port, with RTCP on the next (RFC 3550 §11).
    pub(super) fn bind(address: IpAddr, ssrc: u32) -> io::Result<Self> {
        let (rtp, rtcp) = bind_pair(address)?;
        rtp.set_nonblocking(true)?;
        // Without stamps a packet counts as come when it is read.
        let _ = setsockopt(rtp.as_raw_fd(), sockopt::ReceiveTimestampns, &true);
        Ok(Self {
            local: rtp.local_addr()?,
            rtp,
            _rtcp: rtcp,
            ssrc: Ssrc(ssrc),
            sent: Vec::new(),
            heard: Vec::new(),
        })
    }

    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends the next frame. One that the kernel does not take counts as lost.
    pub(super) fn send(&mut self, remote: SocketAddr, law: G711) {
        let number = self.sent.len() as u32;
        let mut packet = [0; HEADER_LEN + FRAME];
        let header = RtpHeader {
            marker: number == 0,
            payload_type: match law {
                G711::Ulaw => 0,
                G711::Alaw => 8,
            },
            sequence: SeqNo(number as u16),
            timestamp: MediaTime(number.wrapping_mul(FRAME as u32)),
            ssrc: self.ssrc,
        };
        header.write(&mut packet);
        packet[HEADER_LEN..].copy_from_slice(&frame(number, law).1);
        self.sent.push(Sent { at: wall() });
        let _ = self.rtp.send_to(&packet, remote);
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self) {
        let mut space = nix::cmsg_space!(TimeSpec);
        let mut buffer = [0; 2048];
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let Ok(message) =
                recvmsg::<()>(self.rtp.as_raw_fd(), &mut parts, Some(&mut space), flags)
            else {
                return;
            };
            let stamp = message.cmsgs().find_map(|part| match part {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                _ => None,
            });
            let length = message.bytes;
            self.take(&buffer[..length], stamp.unwrap_or_else(wall));
        }
    }

    /// When the last packet of sound came.
    pub(super) fn last_heard(&self) -> Option<Duration> {
        self.heard.last().map(|packet| packet.at)
    }

    /// Packets sent so far.
    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    /// Packets of sound that came so far.
    pub(super) fn heard(&self) -> usize {
        self.heard.len()
    }

    pub(super) fn figures(&self, law: G711) -> Figures {
        Figures::new(&self.sent, &self.heard, law)
    }

    fn take(&mut self, datagram: &[u8], at: Duration) {
        // Whoever floods us is not who we measure.
        if is_rtcp(datagram) || self.heard.len() > 4 * self.sent.len() + 100 {
            return;
        }
        let Ok((header, payload)) = split(datagram) else {
            return;
        };
        let codec = Codec::from_static_payload_type(header.payload_type);
        if let Some(law) = codec.and_then(Codec::law) {
            self.heard.push(Heard {
                at,
                sequence: header.sequence.0,
                timestamp: header.timestamp.0,
                law,
                payload: payload.to_vec(),
            });
        }
    }
}

/// Time of the day, which kernel stamps are in too.
pub(super) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn bind_pair(address: IpAddr) -> io::Result<(UdpSocket, Option<UdpSocket>)> {
    for _ in 0..TRIES {
        let rtp = UdpSocket::bind((address, 0))?;
        let port = rtp.local_addr()?.port();
        if port.is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind((address, port + 1))
        {
            return Ok((rtp, Some(rtcp)));
        }
    }
    // An odd one does as well with nearly every peer.
    Ok((UdpSocket::bind((address, 0))?, None))
}

/// Half of all ports are even, and most have a free neighbour.
const TRIES: usize = 50;
