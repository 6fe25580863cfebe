//! When RTCP reports are due and what they say (RFC 3550 §6).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand::Rng;
use rand::rngs::SmallRng;

use super::Session;
use super::latch::{Latch, is_reachable};
use super::srtp::Kind;
use crate::command::SessionConfig;
use crate::outbox::Outbox;
use crate::rtp::{Compound, CompoundWriter, NtpTime, ReportInterval, RtcpPacket, SenderInfo};

/// A call: two members who both send, and the bandwidth of G.711. The interval is the least there is.
const CALL: ReportInterval = ReportInterval {
    members: 2,
    senders: 2,
    we_send: true,
    mean_size: 120,
    bandwidth: 64_000,
    is_first: false,
};

/// Octets of the longest report: 52 for a sender report with one block, 264 for a name, 8 for a BYE.
const REPORT_CAPACITY: usize = 324;

/// RTCP timing of one session, and where its reports go.
#[derive(Debug)]
pub(super) struct Reports {
    due: Option<Instant>,
    has_sent: bool,
    /// Where the peer's RTCP really comes from.
    source: Option<SocketAddr>,
    rng: SmallRng,
}

impl Reports {
    pub(super) const fn new(rng: SmallRng) -> Self {
        Self {
            due: None,
            has_sent: false,
            source: None,
            rng,
        }
    }

    /// Starts reporting; the first report comes after half an interval (RFC 3550 §6.2).
    pub(super) fn start(&mut self, now: Instant) {
        if self.due.is_none() {
            self.due = Some(
                now + ReportInterval {
                    is_first: true,
                    ..CALL
                }
                .duration(self.rng.random()),
            );
        }
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Plans the report after one sent at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        self.due = Some(now + CALL.duration(self.rng.random()));
        self.has_sent = true;
    }

    /// Claims that there has been a report.
    pub(super) const fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Forgets whence reports came: the peer has moved.
    pub(super) const fn forget_source(&mut self) {
        self.source = None;
    }

    /// Judges an RTCP packet by its source: it has to come from the host that RTP comes from, or from
    /// the address the SDP gives.
    pub(super) fn admit(
        &mut self,
        source: SocketAddr,
        latch: &Latch,
        config: &SessionConfig,
    ) -> bool {
        let is_host = latch.source().map(|rtp| rtp.ip()) == Some(source.ip());
        if !is_host && source != told(config) {
            return false;
        }
        self.source.get_or_insert(source);
        true
    }

    /// Where reports go: whence the peer's came; before that what the SDP says, unless RTP has shown that
    /// its host is elsewhere.
    pub(super) fn target(&self, latch: &Latch, config: &SessionConfig) -> Option<SocketAddr> {
        if config.rtcp_mux {
            return latch.target();
        }
        let host: Option<IpAddr> = latch.source().map(|rtp| rtp.ip());
        let told = Some(told(config)).filter(|told| is_reachable(*told));
        self.source
            .or_else(|| told.filter(|told| host.is_none_or(|host| host == told.ip())))
    }
}

impl Session {
    /// Takes what the peer reports of both streams.
    pub(super) fn handle_rtcp(&mut self, arrival: Instant, source: SocketAddr, bytes: &[u8]) {
        let (Some(config), Some(latch)) = (&self.config, &self.latch) else {
            self.inbound.drop_from(source);
            return;
        };
        match Compound::parse(bytes) {
            Ok(compound) if self.reports.admit(source, latch, config) => {
                for packet in compound {
                    let reports = match packet {
                        RtcpPacket::SenderReport {
                            source,
                            info,
                            reports,
                        } => {
                            self.inbound.handle_sender_report(source, &info, arrival);
                            reports
                        }
                        RtcpPacket::ReceiverReport { reports, .. } => reports,
                        _ => continue,
                    };
                    let ours = self.outbound.clock.ssrc;
                    for block in reports.into_iter().filter(|block| block.source == ours) {
                        self.measured
                            .hear_report(&block, arrival, config.send.1.clock_rate());
                    }
                }
            }
            _ => self.inbound.drop_from(source),
        }
    }

    /// Sends what we sent and heard, and a BYE with the last one.
    pub(super) fn send_report(&mut self, now: Instant, wall: NtpTime, bye: bool, out: &mut Outbox) {
        let (Some(config), Some(latch)) = (&self.config, &self.latch) else {
            return;
        };
        let Some(to) = self.reports.target(latch, config) else {
            return;
        };
        let ssrc = self.outbound.clock.ssrc;
        let info = (self.outbound.packets > 0).then(|| SenderInfo {
            ntp: wall,
            rtp: self.outbound.clock.timestamp_at(now),
            packets: self.outbound.packets as u32,
            octets: self.outbound.octets as u32,
        });
        if info.is_some() {
            self.measured.sent_report(now, wall);
        }
        let block = self.inbound.report_block(now);
        let mut buffer = [0; REPORT_CAPACITY];
        let mut writer = CompoundWriter::new(&mut buffer);
        match info {
            Some(info) => writer.sender_report(ssrc, &info, block.as_slice()),
            None => writer.receiver_report(ssrc, block.as_slice()),
        }
        writer.source_description(ssrc, &config.cname);
        if bye {
            writer.bye(ssrc);
        }
        if let Some(len) = writer.finish() {
            let (rtcp, srtp) = (!config.rtcp_mux, &mut self.srtp);
            out.transmit(self.id, to, rtcp, None, |bytes| {
                let begin = bytes.len();
                bytes.extend_from_slice(&buffer[..len]);
                srtp.as_mut()
                    .is_none_or(|srtp| srtp.seal(Kind::Rtcp, bytes, begin))
            });
        }
    }
}

/// The RTCP address of the SDP: `a=rtcp` (RFC 3605), else the port after RTP; port zero when there is none.
fn told(config: &SessionConfig) -> SocketAddr {
    config.remote_rtcp.unwrap_or_else(|| {
        let port = match config.remote.port() {
            0 => 0,
            port => port.checked_add(1).unwrap_or(0),
        };
        SocketAddr::new(config.remote.ip(), port)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;

    use super::*;
    use crate::codec::Codec;
    use crate::command::Direction;
    use crate::rtp::{SeqNo, Ssrc};
    use crate::sim::start;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn fixture() -> (Reports, Latch, SessionConfig) {
        let config = SessionConfig {
            remote: at("192.0.2.7:4000"),
            remote_rtcp: None,
            rtcp_mux: false,
            send: (0, Codec::Pcmu),
            receive: vec![(0, Codec::Pcmu)],
            telephone_event: None,
            receive_events: Vec::new(),
            red: None,
            srtp: None,
            direction: Direction::SendRecv,
            ptime: Duration::from_millis(20),
            cname: "c".into(),
        };
        let latch = Latch::new(config.remote, start());
        (Reports::new(SmallRng::seed_from_u64(1)), latch, config)
    }

    #[test]
    fn reports_are_2_to_6_2_seconds_apart() {
        let (mut reports, ..) = fixture();
        for _ in 0..1_000 {
            reports.sent(start());
            let apart = reports.due().unwrap() - start();
            assert!((2_000..=6_200).contains(&apart.as_millis()), "{apart:?}");
        }
    }

    #[test]
    fn rtcp_goes_to_the_port_after_rtp_until_it_came_from_elsewhere_on_that_host() {
        let (mut reports, latch, config) = fixture();
        assert_eq!(reports.target(&latch, &config), Some(at("192.0.2.7:4001")));
        assert!(!reports.admit(at("198.51.100.1:4001"), &latch, &config));
        assert!(reports.admit(at("192.0.2.7:4001"), &latch, &config));
        assert_eq!(reports.target(&latch, &config), Some(at("192.0.2.7:4001")));
    }

    #[test]
    fn a_peer_that_speaks_from_elsewhere_gets_rtcp_only_where_its_own_came_from() {
        let (mut reports, mut latch, config) = fixture();
        for seq in 0..6 {
            latch.admit(at("198.51.100.1:700"), Ssrc(1), SeqNo(seq), start());
        }
        assert_eq!(reports.target(&latch, &config), None);
        assert!(reports.admit(at("198.51.100.1:701"), &latch, &config));
        assert_eq!(
            reports.target(&latch, &config),
            Some(at("198.51.100.1:701"))
        );
    }
}
