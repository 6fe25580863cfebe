//! Whom a session hears: symmetric RTP (RFC 4961) that an outsider cannot steal.
//!
//! ```text
//!                    .---------- configure with a new remote ----------.
//!                    v                                                 |
//!                 Listening --- from the very address of the SDP --> Exact
//!                  |     |                                             ^
//!   another port   |     |  another host: PROBATION packets in a row   |
//!   of that host   |     |  within WINDOW while the SDP's host is mute |
//!                  v     v                                             |
//!               SameHost  Elsewhere                                    |
//!                  '------- from the very address of the SDP -----------'
//! ```
//!
//! A peer behind NAT writes an address into its SDP that its packets do not come from, so the source has
//! to be learnt; whoever sprays packets at our ports must not be learnt instead ("RTP Bleed"). Nothing
//! but a new offer or answer with another address opens a latch again; only the very address of the SDP,
//! which nobody else can send from without forging it, is taken at any time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rtp::{SeqNo, Ssrc};

/// How many packets of one SSRC and consecutive sequence numbers a host unknown to the SDP has to send.
const PROBATION: u8 = 6;

/// How long after a configuration a host unknown to the SDP may be learnt.
const WINDOW: Duration = Duration::from_secs(10);

/// How many unknown sources are on probation at once; more are turned away, so spraying costs nothing.
const CANDIDATES: usize = 4;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the peer's.
    Take,
    /// It is the peer's, and the first from this source.
    Latched,
    /// It is not (yet) the peer's.
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listening,
    SameHost(SocketAddr),
    Elsewhere(SocketAddr),
    Exact(SocketAddr),
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: Ssrc,
    next_seq: SeqNo,
    in_a_row: u8,
}

/// The source of one session's packets.
#[derive(Debug)]
pub(super) struct Latch {
    /// What the SDP says.
    told: SocketAddr,
    opened_at: Instant,
    source: Source,
    candidates: Vec<Candidate>,
}

impl Latch {
    /// Listens for packets from `told`, or whoever proves to be it.
    pub(super) const fn new(told: SocketAddr, now: Instant) -> Self {
        Self {
            told,
            opened_at: now,
            source: Source::Listening,
            candidates: Vec::new(),
        }
    }

    /// Applies a later answer; only another address opens the latch again, and one that cannot be reached
    /// (hold by `0.0.0.0`) says nothing of where the peer is.
    pub(super) fn retarget(&mut self, told: SocketAddr, now: Instant) -> bool {
        if told == self.told || !is_reachable(told) {
            return false;
        }
        *self = Self::new(told, now);
        true
    }

    /// Judges a packet.
    pub(super) fn admit(
        &mut self,
        source: SocketAddr,
        ssrc: Ssrc,
        seq: SeqNo,
        now: Instant,
    ) -> Verdict {
        match self.source {
            Source::Exact(known) | Source::SameHost(known) | Source::Elsewhere(known)
                if source == known =>
            {
                Verdict::Take
            }
            Source::Exact(_) => Verdict::Drop,
            _ if source == self.told => self.settle(Source::Exact(source)),
            Source::SameHost(_) | Source::Elsewhere(_) => Verdict::Drop,
            Source::Listening if source.ip() == self.told.ip() => {
                self.settle(Source::SameHost(source))
            }
            Source::Listening if self.is_open(now) => self.try_candidate(source, ssrc, seq),
            Source::Listening => Verdict::Drop,
        }
    }

    /// Where to send: the learnt source, before that what the SDP says, nowhere when that is no address.
    pub(super) fn target(&self) -> Option<SocketAddr> {
        match self.source {
            Source::Exact(known) | Source::SameHost(known) | Source::Elsewhere(known) => {
                Some(known)
            }
            Source::Listening => is_reachable(self.told).then_some(self.told),
        }
    }

    /// The source, once learnt.
    pub(super) const fn source(&self) -> Option<SocketAddr> {
        match self.source {
            Source::Exact(known) | Source::SameHost(known) | Source::Elsewhere(known) => {
                Some(known)
            }
            Source::Listening => None,
        }
    }

    /// The source, once it is beyond doubt.
    pub(super) const fn exact(&self) -> Option<SocketAddr> {
        match self.source {
            Source::Exact(known) => Some(known),
            _ => None,
        }
    }

    /// Whether an unknown host may prove itself: for a while, and not while nobody is to be heard.
    fn is_open(&self, now: Instant) -> bool {
        is_reachable(self.told) && now.saturating_duration_since(self.opened_at) < WINDOW
    }

    fn settle(&mut self, source: Source) -> Verdict {
        self.source = source;
        self.candidates = Vec::new();
        Verdict::Latched
    }

    fn try_candidate(&mut self, source: SocketAddr, ssrc: Ssrc, seq: SeqNo) -> Verdict {
        let next_seq = seq.next();
        let fresh = Candidate {
            source,
            ssrc,
            next_seq,
            in_a_row: 1,
        };
        let Some(candidate) = self
            .candidates
            .iter_mut()
            .find(|known| known.source == source)
        else {
            if self.candidates.len() < CANDIDATES {
                self.candidates.push(fresh);
            }
            return Verdict::Drop;
        };
        if candidate.ssrc != ssrc || candidate.next_seq != seq {
            *candidate = fresh;
            return Verdict::Drop;
        }
        candidate.next_seq = next_seq;
        candidate.in_a_row += 1;
        if candidate.in_a_row < PROBATION {
            return Verdict::Drop;
        }
        self.settle(Source::Elsewhere(source))
    }
}

/// Whether packets can be sent to `address` at all: hold by `0.0.0.0` and a refused `m=` line with port
/// zero cannot (RFC 3264 §8.4, §6).
pub(super) const fn is_reachable(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::start;

    const PHONE: &str = "192.0.2.7:4000";
    const STRANGER: &str = "198.51.100.9:7000";

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn latch() -> Latch {
        Latch::new(at(PHONE), start())
    }

    /// Sends packets `seqs` from `source` in one instant; how each was judged.
    fn send(
        latch: &mut Latch,
        source: &str,
        seqs: std::ops::Range<u16>,
        now: Instant,
    ) -> Vec<Verdict> {
        seqs.map(|seq| latch.admit(at(source), Ssrc(9), SeqNo(seq), now))
            .collect()
    }

    #[test]
    fn the_address_of_the_sdp_is_taken_at_once_and_then_nobody_else() {
        let mut latch = latch();
        assert_eq!(latch.target(), Some(at(PHONE)));
        assert_eq!(
            send(&mut latch, PHONE, 0..2, start()),
            [Verdict::Latched, Verdict::Take]
        );
        let spray = send(&mut latch, STRANGER, 0..50, start());
        assert!(spray.iter().all(|verdict| *verdict == Verdict::Drop));
        assert_eq!(latch.exact(), Some(at(PHONE)));
    }

    #[test]
    fn another_port_of_the_same_host_is_taken_at_once_until_the_right_one_speaks() {
        let mut latch = latch();
        assert_eq!(
            send(&mut latch, "192.0.2.7:5555", 0..1, start()),
            [Verdict::Latched]
        );
        assert_eq!(latch.target(), Some(at("192.0.2.7:5555")));
        assert_eq!(send(&mut latch, PHONE, 0..1, start()), [Verdict::Latched]);
        assert_eq!(
            send(&mut latch, "192.0.2.7:5555", 1..2, start()),
            [Verdict::Drop]
        );
    }

    #[test]
    fn another_host_is_taken_after_six_packets_in_a_row() {
        let mut latch = latch();
        let verdicts = send(&mut latch, STRANGER, 65_533..65_535, start());
        assert_eq!(verdicts, [Verdict::Drop; 2]);
        assert_eq!(
            latch.admit(at(STRANGER), Ssrc(9), SeqNo(65_535), start()),
            Verdict::Drop
        );
        assert_eq!(
            send(&mut latch, STRANGER, 0..2, start()),
            [Verdict::Drop; 2]
        );
        assert_eq!(
            send(&mut latch, STRANGER, 2..3, start()),
            [Verdict::Latched]
        );
        assert_eq!(latch.target(), Some(at(STRANGER)));
    }

    #[test]
    fn a_gap_or_another_ssrc_begins_probation_anew() {
        let mut latch = latch();
        send(&mut latch, STRANGER, 0..5, start());
        assert_eq!(
            latch.admit(at(STRANGER), Ssrc(10), SeqNo(5), start()),
            Verdict::Drop
        );
        assert_eq!(
            latch.admit(at(STRANGER), Ssrc(10), SeqNo(7), start()),
            Verdict::Drop
        );
        assert_eq!(
            latch.admit(at(STRANGER), Ssrc(10), SeqNo(8), start()),
            Verdict::Drop
        );
        assert_eq!(latch.target(), Some(at(PHONE)));
    }

    #[test]
    fn a_stranger_on_probation_loses_as_soon_as_the_sdp_address_speaks() {
        let mut latch = latch();
        send(&mut latch, STRANGER, 0..5, start());
        send(&mut latch, PHONE, 0..1, start());
        assert_eq!(
            send(&mut latch, STRANGER, 5..20, start()),
            [Verdict::Drop; 15]
        );
    }

    #[test]
    fn a_stranger_who_won_the_race_is_put_out_by_the_sdp_address() {
        let mut latch = latch();
        send(&mut latch, STRANGER, 0..6, start());
        assert_eq!(latch.source(), Some(at(STRANGER)));
        assert_eq!(send(&mut latch, PHONE, 0..1, start()), [Verdict::Latched]);
        assert_eq!(latch.exact(), Some(at(PHONE)));
    }

    #[test]
    fn after_the_window_only_the_host_of_the_sdp_is_taken() {
        let mut latch = latch();
        let late = start() + WINDOW;
        assert_eq!(send(&mut latch, STRANGER, 0..20, late), [Verdict::Drop; 20]);
        assert_eq!(send(&mut latch, PHONE, 0..1, late), [Verdict::Latched]);
    }

    #[test]
    fn spraying_sources_are_turned_away_and_remembered_in_bounded_memory() {
        let mut latch = latch();
        for port in 1_000..5_000 {
            let source = SocketAddr::new(at(STRANGER).ip(), port);
            assert_eq!(
                latch.admit(source, Ssrc(1), SeqNo(1), start()),
                Verdict::Drop
            );
        }
        assert_eq!(latch.candidates.len(), CANDIDATES);
    }

    #[test]
    fn only_another_address_in_a_later_answer_opens_the_latch_again() {
        let mut latch = latch();
        send(&mut latch, PHONE, 0..1, start());
        assert!(!latch.retarget(at(PHONE), start()));
        assert_eq!(latch.exact(), Some(at(PHONE)));
        assert!(latch.retarget(at(STRANGER), start()));
        assert_eq!((latch.exact(), latch.target()), (None, Some(at(STRANGER))));
    }

    #[test]
    fn a_hold_without_an_address_opens_nothing_and_a_resume_finds_the_peer_where_it_was() {
        let mut latch = latch();
        send(&mut latch, PHONE, 0..1, start());
        assert!(!latch.retarget(at("0.0.0.0:4000"), start()));
        assert_eq!(
            send(&mut latch, STRANGER, 0..20, start()),
            [Verdict::Drop; 20]
        );
        assert!(!latch.retarget(at(PHONE), start()));
        assert_eq!(latch.exact(), Some(at(PHONE)));
        let mut held = Latch::new(at("0.0.0.0:4000"), start());
        assert_eq!(
            send(&mut held, STRANGER, 0..20, start()),
            [Verdict::Drop; 20]
        );
    }

    #[test]
    fn nothing_is_sent_to_the_unspecified_address_or_port_zero() {
        for told in ["0.0.0.0:4000", "192.0.2.7:0", "[::]:4000"] {
            assert_eq!(Latch::new(at(told), start()).target(), None);
        }
    }
}
