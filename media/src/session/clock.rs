//! The stamps of what one session sends: SSRC, sequence numbers and timestamps that are one stream to the
//! peer, whatever they carry.

use std::time::Instant;

use crate::frame::samples_in;
use crate::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

/// A jump of the peer's sequence numbers beyond this starts a new mapping (RFC 3550 §A.1 MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;

/// How far a stream may be ahead of its time when what it carries changes: 10 ms.
const MAX_AHEAD: i32 = 80;

/// The numbers in front of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// First packet after a pause (RFC 3551 §4.1).
    pub(super) marker: bool,
    pub(super) seq: SeqNo,
    pub(super) timestamp: MediaTime,
}

/// Numbers outgoing packets of one SSRC.
///
/// A timestamp is a function of the time at which a packet is due, so that pauses, late ticks and changes
/// of what is sent can never add up to a drift.
#[derive(Debug)]
pub(super) struct SendClock {
    pub(super) ssrc: Ssrc,
    next_seq: SeqNo,
    /// Timestamp at `start`, moved on by what was sent ahead of its time.
    base: MediaTime,
    /// Timestamp at `start`.
    origin: MediaTime,
    start: Instant,
    /// Timestamp just behind the last packet, once there is one.
    end: Option<MediaTime>,
    relay: Option<Relay>,
}

/// How the numbers of a stream that is passed on become ours.
#[derive(Clone, Copy, Debug)]
struct Relay {
    ssrc: Ssrc,
    first_seq: SeqNo,
    last_seq: SeqNo,
    seq_offset: u16,
    timestamp_offset: u32,
}

impl SendClock {
    /// A stream that begins at random numbers (RFC 3550 §5.1).
    pub(super) const fn new(ssrc: Ssrc, first_seq: SeqNo, base: MediaTime, start: Instant) -> Self {
        Self {
            ssrc,
            next_seq: first_seq,
            base,
            origin: base,
            start,
            end: None,
            relay: None,
        }
    }

    /// The timestamp that belongs to `at`.
    pub(super) fn timestamp_at(&self, at: Instant) -> MediaTime {
        self.base
            .after(samples_in(at.saturating_duration_since(self.start)) as u32)
    }

    /// Numbers a packet of our own with so many samples, due at `due`.
    pub(super) fn stamp(&mut self, due: Instant, samples: u32) -> Stamp {
        self.relay = None;
        let timestamp = self.not_before_end(due);
        let marker = self.end != Some(timestamp);
        self.end = Some(timestamp.after(samples));
        Stamp {
            marker,
            seq: self.take_seq(),
            timestamp,
        }
    }

    /// Numbers a packet without a length in time: a telephone-event, which repeats the timestamp at which
    /// it began (RFC 4733 §2.3).
    pub(super) fn stamp_event(&mut self, timestamp: MediaTime, marker: bool) -> Stamp {
        self.relay = None;
        Stamp {
            marker,
            seq: self.take_seq(),
            timestamp,
        }
    }

    /// The timestamp for an event or tone that begins at `due`, not before what has been sent.
    pub(super) fn not_before_end(&mut self, due: Instant) -> MediaTime {
        let timestamp = self.timestamp_at(due);
        match self.end {
            Some(end) if end.since(timestamp) > 0 => {
                self.base = self.base.after(end.since(timestamp).cast_unsigned());
                end
            }
            _ => timestamp,
        }
    }

    /// Numbers a packet of the peer that is sent on, keeping its distances to the packets around it: a
    /// loss stays visible, a packet out of order stays so. `None` for one from before the mapping began.
    pub(super) fn stamp_relayed(
        &mut self,
        now: Instant,
        theirs: &Relayed,
        samples: u32,
    ) -> Option<Stamp> {
        let relay = match self.relay {
            Some(relay) if relay.continues(theirs) => relay,
            _ => self.begin_relay(now, theirs),
        };
        if theirs.seq.since(relay.first_seq) < 0 {
            return None;
        }
        let begins = self.relay.is_none();
        let is_newest = theirs.seq.since(relay.last_seq) >= 0;
        let stamp = Stamp {
            marker: theirs.marker || begins,
            seq: SeqNo(theirs.seq.0.wrapping_add(relay.seq_offset)),
            timestamp: theirs.timestamp.after(relay.timestamp_offset),
        };
        if is_newest {
            self.next_seq = stamp.seq.next();
            self.end = Some(stamp.timestamp.after(samples));
        }
        let last_seq = if is_newest {
            theirs.seq
        } else {
            relay.last_seq
        };
        self.relay = Some(Relay { last_seq, ..relay });
        Some(stamp)
    }

    /// Sets the stream right before it carries something else from `now` on: timestamps that ran ahead of
    /// their time go by the true one again. `false` while they are further ahead than [`MAX_AHEAD`]: what
    /// would be sent now is better left out, so that changes without a pause cannot add up.
    pub(super) fn rejoin(&mut self, now: Instant) -> bool {
        self.relay = None;
        let base = std::mem::replace(&mut self.base, self.origin);
        let ahead = self
            .end
            .map_or(0, |end| end.since(self.timestamp_at(now)))
            .max(0);
        if ahead > MAX_AHEAD {
            self.base = base;
            return false;
        }
        self.base = self.origin.after(ahead.cast_unsigned());
        true
    }

    /// Ends the mapping of a relayed stream; its next packet begins a new one.
    pub(super) fn end_relay(&mut self) {
        self.relay = None;
    }

    fn begin_relay(&mut self, now: Instant, theirs: &Relayed) -> Relay {
        self.relay = None;
        Relay {
            ssrc: theirs.ssrc,
            first_seq: theirs.seq,
            last_seq: theirs.seq,
            seq_offset: self.next_seq.0.wrapping_sub(theirs.seq.0),
            timestamp_offset: self
                .not_before_end(now)
                .since(theirs.timestamp)
                .cast_unsigned(),
        }
    }

    fn take_seq(&mut self) -> SeqNo {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        seq
    }
}

/// The numbers of a packet that is passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relayed {
    pub(super) ssrc: Ssrc,
    pub(super) seq: SeqNo,
    pub(super) timestamp: MediaTime,
    pub(super) marker: bool,
}

impl From<&RtpHeader> for Relayed {
    fn from(header: &RtpHeader) -> Self {
        Self {
            ssrc: header.ssrc,
            seq: header.sequence,
            timestamp: header.timestamp,
            marker: header.marker,
        }
    }
}

impl Relay {
    fn continues(&self, theirs: &Relayed) -> bool {
        theirs.ssrc == self.ssrc && theirs.seq.since(self.last_seq).unsigned_abs() < MAX_DROPOUT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::start;

    const PTIME: Duration = Duration::from_millis(20);

    fn clock() -> SendClock {
        SendClock::new(Ssrc(1), SeqNo(65_535), MediaTime(u32::MAX - 100), start())
    }

    fn relayed(seq: u16, timestamp: u32) -> Relayed {
        Relayed {
            ssrc: Ssrc(7),
            seq: SeqNo(seq),
            timestamp: MediaTime(timestamp),
            marker: false,
        }
    }

    #[test]
    fn packets_without_a_pause_have_one_marker_and_wrap_their_numbers() {
        let mut clock = clock();
        let stamps: Vec<(bool, u16, u32)> = (0..3)
            .map(|n| clock.stamp(start() + PTIME * n, 160))
            .map(|stamp| (stamp.marker, stamp.seq.0, stamp.timestamp.0))
            .collect();
        assert_eq!(
            stamps,
            [
                (true, 65_535, u32::MAX - 100),
                (false, 0, 59),
                (false, 1, 219)
            ]
        );
    }

    #[test]
    fn after_a_pause_the_timestamp_has_advanced_by_it_and_the_marker_is_set() {
        let mut clock = clock();
        let before = clock.stamp(start(), 160);
        let after = clock.stamp(start() + Duration::from_secs(1), 160);
        assert!(after.marker);
        assert_eq!(after.timestamp.since(before.timestamp), 8_000);
        assert_eq!(after.seq, before.seq.next());
    }

    #[test]
    fn a_relayed_stream_keeps_its_losses_and_its_order() {
        let mut clock = clock();
        let now = start();
        let offsets: Vec<u16> = [100, 101, 103, 102, 104]
            .iter()
            .map(|seq| {
                let theirs = relayed(*seq, u32::from(*seq) * 160);
                clock
                    .stamp_relayed(now, &theirs, 160)
                    .unwrap()
                    .seq
                    .0
                    .wrapping_sub(65_535)
            })
            .collect();
        assert_eq!(offsets, [0, 1, 3, 2, 4]);
        assert_eq!(clock.stamp(now, 160).seq, SeqNo(4));
    }

    #[test]
    fn a_packet_from_before_the_mapping_is_not_passed_on() {
        let mut clock = clock();
        clock.stamp_relayed(start(), &relayed(100, 0), 160);
        assert_eq!(clock.stamp_relayed(start(), &relayed(99, 0), 160), None);
    }

    #[test]
    fn what_follows_a_relayed_stream_never_goes_back_in_time() {
        let mut clock = clock();
        let relayed = clock.stamp_relayed(start(), &relayed(1, 0), 160).unwrap();
        let own = clock.stamp(start() + Duration::from_millis(3), 160);
        assert_eq!(own.timestamp, relayed.timestamp.after(160));
        let next = clock.stamp(start() + Duration::from_millis(23), 160);
        assert_eq!(
            (next.timestamp.since(own.timestamp), next.marker),
            (160, false)
        );
    }

    #[test]
    fn a_jump_or_another_ssrc_begins_a_new_mapping_without_a_hole() {
        let mut clock = clock();
        let first = clock.stamp_relayed(start(), &relayed(1, 0), 160).unwrap();
        let jump = clock
            .stamp_relayed(start() + PTIME, &relayed(30_000, 77), 160)
            .unwrap();
        assert_eq!(jump.seq, first.seq.next());
        assert_eq!(jump.timestamp, first.timestamp.after(160));
        assert!(jump.marker);
    }
}
