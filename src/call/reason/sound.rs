//! What the sound of a call tells of itself when it is over.

use std::net::SocketAddr;
use std::time::Duration;

use flowswitch_media::command::SessionStats;

use super::{Code, Reason};

/// How the sound of an answered call was, and how it was meant to be.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// What the session did.
    pub stats: &'a SessionStats,
    /// Where the peer's SDP says that it is, when anything was to be heard from there.
    pub expected: Option<SocketAddr>,
    /// Our RTP port.
    pub port: Option<u16>,
    /// From the answer to the end.
    pub talked: Duration,
}

/// A call as short as this proves nothing by its silence.
const SHORT: Duration = Duration::from_secs(2);
/// Below this most of those who listen are annoyed (ITU-T G.107 annex B).
const POOR: f64 = 3.1;

impl Sound<'_> {
    /// What was not as it should be.
    pub fn findings(&self) -> impl Iterator<Item = Reason> {
        self.no_rtp().into_iter().chain(self.poor())
    }

    /// Nothing was heard.
    fn no_rtp(&self) -> Option<Reason> {
        let expected = self.expected?;
        let stats = self.stats;
        if stats.received_packets > 0 || self.talked < SHORT {
            return None;
        }
        let port = self
            .port
            .map_or(String::new(), |port| format!(" at our port {port}"));
        let instead = match (stats.stray, stats.dropped_datagrams) {
            (_, 0) => "nothing came at all".to_owned(),
            (Some(stray), dropped) if stats.srtp_failures > 0 => format!(
                "{dropped} packets came, the last from {stray}, of which {} were not protected as agreed",
                stats.srtp_failures
            ),
            (Some(stray), dropped) => {
                format!("{dropped} packets came that were not taken, the last from {stray}")
            }
            (None, dropped) => format!("{dropped} packets came that were not taken"),
        };
        let talked = self.talked.as_secs_f64();
        let reason = Reason::new(
            Code::NoRtp,
            format!(
                "no RTP came in {talked:.1} s{port}: it was expected from {expected}, as the SDP of the peer \
                 says; {instead}"
            ),
        );
        let is_private = crate::sip::is_private(expected.ip());
        Some(match stats.dropped_datagrams {
            0 if is_private => reason.with_remedy(
                "The peer names a private address: where it is behind NAT it has to send first; check that \
                 UDP passes from it to our RTP ports.",
            ),
            _ => reason,
        })
    }

    /// What came was hard to understand.
    fn poor(&self) -> Option<Reason> {
        let stats = self.stats;
        let (heard, said) = (stats.heard_mos?, stats.said_mos);
        let worse = said.map_or(heard, |said| heard.min(said)).as_f64();
        if worse >= POOR {
            return None;
        }
        let all = stats.received_packets + stats.lost_packets;
        let lost = stats.lost_packets as f64 * 100.0 / all.max(1) as f64;
        let said = said.map_or(String::new(), |said| format!(", {said} at the peer"));
        Some(Reason::new(
            Code::PoorSound,
            format!(
                "the sound was poor: MOS {heard} here{said}; {lost:.1} % of the packets were lost, {} came too \
                 late, jitter was up to {} ms",
                stats.jitter.late,
                stats.max_jitter.as_millis()
            ),
        ))
    }
}
