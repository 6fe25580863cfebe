//! The stamps of what one session sends: SSRC, sequence numbers and timestamps that are one stream to the
//! peer, whatever they carry.

use std::time::{Duration, Instant};

use crate::frame::{SAMPLE_RATE, ticks_in};
use crate::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

/// A jump of the peer's sequence numbers beyond this starts a new mapping (RFC 3550 §A.1 MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;

/// A stream may be ahead of its time by this part of a second (10 ms) when what it carries changes.
const MAX_AHEAD: u32 = 100;

/// And behind it by this part (20 ms): its first packet just missed the end of what was sent before.
const MAX_BEHIND: u32 = 50;

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
    /// Ticks a second.
    rate: u32,
    /// Timestamp just behind the last packet, once there is one.
    end: Option<MediaTime>,
    relay: Option<Relay>,
}

/// How the numbers of a stream that is passed on become ours.
#[derive(Clone, Copy, Debug)]
struct Relay {
    ssrc: Ssrc,
    /// Packets from before it are not passed on.
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
            rate: SAMPLE_RATE,
            end: None,
            relay: None,
        }
    }

    /// Goes on with so many ticks a second, from where the stream is.
    pub(super) fn set_rate(&mut self, now: Instant, rate: u32) {
        if self.rate == rate {
            return;
        }
        self.relay = None;
        let at = self.not_before_end(now);
        (self.base, self.origin) = (at, at);
        (self.start, self.rate) = (now, rate);
    }

    /// The timestamp that belongs to `at`.
    pub(super) fn timestamp_at(&self, at: Instant) -> MediaTime {
        let passed = at.saturating_duration_since(self.start);
        self.base.after(ticks_in(passed, self.rate) as u32)
    }

    /// Numbers a packet of our own of so many ticks, due at `due`.
    pub(super) fn stamp(&mut self, due: Instant, ticks: u32) -> Stamp {
        self.relay = None;
        let timestamp = self.not_before_end(due);
        let marker = self.end != Some(timestamp);
        self.end = Some(timestamp.after(ticks));
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

    /// When the last packet ended, if that was before `now`: what is due then follows it without a hole.
    pub(super) fn end_before(&self, now: Instant) -> Instant {
        let passed = self
            .end
            .map_or(0, |end| self.timestamp_at(now).since(end).max(0));
        let passed = Duration::from_secs(u64::from(passed.cast_unsigned())) / self.rate;
        now.checked_sub(passed).unwrap_or(now)
    }

    /// Numbers a packet of the peer that is sent on, keeping its distances to the packets around it: a
    /// loss stays visible, a packet out of order stays so. `None` for one from before the mapping began.
    pub(super) fn stamp_relayed(
        &mut self,
        now: Instant,
        theirs: &Relayed,
        ticks: u32,
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
            self.end = Some(stamp.timestamp.after(ticks));
        }
        let last_seq = if is_newest {
            theirs.seq
        } else {
            relay.last_seq
        };
        // Half a cycle on, numbers would look as if they were from before the first: it follows.
        let is_far = last_seq.since(relay.first_seq).unsigned_abs() > MAX_DROPOUT;
        let first_seq = if is_far {
            SeqNo(last_seq.0.wrapping_sub(MAX_DROPOUT))
        } else {
            relay.first_seq
        };
        self.relay = Some(Relay {
            first_seq,
            last_seq,
            ..relay
        });
        Some(stamp)
    }

    /// Sets the stream right before it carries something else from `now` on: timestamps that ran ahead of
    /// their time go by the true one again, or a little behind it, where that closes a hole of [`MAX_BEHIND`] at
    /// most. `false` while they are further ahead than [`MAX_AHEAD`]: what would be sent now is better left out,
    /// so that changes without a pause cannot add up.
    pub(super) fn rejoin(&mut self, now: Instant) -> bool {
        self.relay = None;
        let base = std::mem::replace(&mut self.base, self.origin);
        let ahead = self.end.map_or(0, |end| end.since(self.timestamp_at(now)));
        if ahead > (self.rate / MAX_AHEAD).cast_signed() {
            self.base = base;
            return false;
        }
        if ahead >= -(self.rate / MAX_BEHIND).cast_signed() {
            self.base = self.origin.after(ahead.cast_unsigned());
        }
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
    fn a_stream_is_passed_on_for_hours() {
        let mut clock = clock();
        for number in 0..200_000_u32 {
            let theirs = relayed(number as u16, number.wrapping_mul(160));
            let stamp = clock.stamp_relayed(start() + PTIME * number, &theirs, 160);
            assert_eq!(
                stamp.map(|stamp| stamp.seq.0),
                Some((number as u16).wrapping_sub(1))
            );
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
    fn a_change_within_a_packet_time_leaves_no_hole_and_adds_nothing_up() {
        let mut clock = clock();
        let mut before = clock.stamp(start(), 160);
        for change in 1..=100 {
            let now = start() + Duration::from_millis(40) * change - Duration::from_millis(1);
            assert!(clock.rejoin(now));
            let behind = clock.stamp(now, 160);
            assert_eq!(behind.timestamp, before.timestamp.after(160));
            let now = now + PTIME;
            assert!(clock.rejoin(now));
            before = clock.stamp(now, 160);
            assert_eq!(before.timestamp, behind.timestamp.after(160));
        }
        // The hole is as long as it is.
        let later = start() + Duration::from_secs(5);
        assert!(clock.rejoin(later));
        let after = clock.stamp(later, 160);
        let since_start = after.timestamp.since(MediaTime(u32::MAX - 100));
        assert_eq!((since_start, after.marker), (40_000, true));
    }

    #[test]
    fn what_follows_the_last_packet_late_has_the_timestamp_behind_it() {
        for rate in [8_000, 16_000, 48_000] {
            let mut clock = clock();
            clock.set_rate(start(), rate);
            let last = clock.stamp(start() + Duration::from_micros(333), rate / 50);
            for micros in [0, 20_333, 33_333, 71_777] {
                let now = start() + Duration::from_micros(micros);
                let begin = clock.end_before(now);
                let timestamp = clock.not_before_end(begin);
                assert_eq!(timestamp, last.timestamp.after(rate / 50));
            }
        }
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

    #[test]
    fn a_stream_keeps_its_numbers_when_its_clock_changes() {
        let mut clock = clock();
        let before = clock.stamp(start(), 160);
        let later = start() + PTIME;
        clock.set_rate(later, 48_000);
        let after = clock.stamp(later, 960);
        assert_eq!((after.seq, after.marker), (before.seq.next(), false));
        assert_eq!(after.timestamp, before.timestamp.after(160));
        let next = clock.stamp(later + PTIME, 960);
        assert_eq!(next.timestamp.since(after.timestamp), 960);
        assert_eq!(
            clock.timestamp_at(later + Duration::from_secs(1)),
            after.timestamp.after(48_000)
        );
        // Back again while it is ahead of its time: it never goes back.
        clock.set_rate(later + PTIME, 8_000);
        assert_eq!(
            clock.stamp(later + PTIME, 160).timestamp,
            next.timestamp.after(960)
        );
    }
}
