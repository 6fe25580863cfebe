//! What one source's packets say about the way they came: loss and jitter (RFC 3550 §A.3, §A.8).

use std::time::{Duration, Instant};

use super::clock::{MediaTime, NtpTime, to_short_time};
use super::packet::Ssrc;
use super::rtcp::{ReportBlock, SenderInfo};
use super::seq::{Extended, SeqNo, SequenceTracker};

/// Reception statistics of one source.
#[derive(Clone, Debug)]
pub struct ReceptionStats {
    clock_rate: u32,
    sequence: SequenceTracker,
    transit: Option<Transit>,
    /// Smoothed jitter in timestamp ticks, times 16.
    jitter_q4: u64,
    max_jitter_q4: u64,
    /// Of all packets that jitter was measured at.
    jitter_sum_q4: u64,
    jitter_count: u64,
    /// Times that packets in a row were missing.
    gaps: u64,
    /// Loss of sequences that ended by a restart of the source.
    lost_before: u64,
    last_expected: u64,
    last_received: u64,
    last_report: Option<(u32, Instant)>,
}

/// The last packet that jitter was measured by.
#[derive(Clone, Copy, Debug)]
struct Transit {
    arrival: Instant,
    timestamp: MediaTime,
}

impl ReceptionStats {
    /// A source with this many timestamp ticks a second, believed after `sequential` packets.
    #[must_use]
    pub const fn new(clock_rate: u32, sequential: u8) -> Self {
        Self {
            clock_rate,
            sequence: SequenceTracker::new(sequential),
            transit: None,
            jitter_q4: 0,
            max_jitter_q4: 0,
            jitter_sum_q4: 0,
            jitter_count: 0,
            gaps: 0,
            lost_before: 0,
            last_expected: 0,
            last_received: 0,
            last_report: None,
        }
    }

    /// Timestamps tick so often a second from here on; jitter stays the same time.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        let (old, new) = (u64::from(self.clock_rate.max(1)), u64::from(clock_rate));
        if old == new {
            return;
        }
        self.clock_rate = clock_rate;
        self.transit = None;
        for jitter in [
            &mut self.jitter_q4,
            &mut self.max_jitter_q4,
            &mut self.jitter_sum_q4,
        ] {
            *jitter = jitter.saturating_mul(new) / old;
        }
    }

    /// Takes a packet that came and says whether it may be used.
    pub fn receive(&mut self, sequence: SeqNo, timestamp: MediaTime, arrival: Instant) -> Extended {
        let lost = self.lost_in_sequence();
        let next = self.sequence.highest() + 1;
        let extended = self.sequence.update(sequence);
        match extended {
            Extended::Probation => return extended,
            Extended::Restarted(_) => {
                self.lost_before += lost;
                (self.last_expected, self.last_received) = (0, 0);
                self.transit = None;
            }
            Extended::InSequence(number) => self.gaps += u64::from(number > next),
        }
        self.measure_jitter(timestamp, arrival);
        extended
    }

    /// Takes the sender report of this source, which the next report block answers.
    pub fn receive_report(&mut self, info: &SenderInfo, arrival: Instant) {
        self.last_report = Some((info.ntp.middle(), arrival));
    }

    /// The report block about this source; counts from here for the next fraction lost.
    pub fn report_block(&mut self, source: Ssrc, now: Instant) -> ReportBlock {
        let expected = self.sequence.expected() - self.last_expected;
        let received = self.sequence.received() - self.last_received;
        self.last_expected = self.sequence.expected();
        self.last_received = self.sequence.received();
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        let (last_report, delay) = match self.last_report {
            Some((middle, arrival)) => (
                middle,
                to_short_time(now.saturating_duration_since(arrival)),
            ),
            None => (0, 0),
        };
        ReportBlock {
            source,
            fraction_lost,
            cumulative_lost: self.signed_loss().clamp(-0x80_0000, 0x7F_FFFF) as i32,
            extended_highest: self.sequence.highest() as u32,
            jitter: u32::try_from(self.jitter_q4 >> 4).unwrap_or(u32::MAX),
            last_report,
            delay_since_last_report: delay,
        }
    }

    /// Packets taken.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.sequence.received()
    }

    /// Packets that never came; late ones count as come, duplicates hide a loss (RFC 3550 §A.3).
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_before + self.lost_in_sequence()
    }

    /// Interarrival jitter now.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.to_duration(self.jitter_q4)
    }

    /// The largest jitter so far.
    #[must_use]
    pub fn max_jitter(&self) -> Duration {
        self.to_duration(self.max_jitter_q4)
    }

    /// The sum of the jitter at every packet that it was measured at, and how many those are: for a mean.
    #[must_use]
    pub fn jitter_sum(&self) -> (Duration, u64) {
        (self.to_duration(self.jitter_sum_q4), self.jitter_count)
    }

    /// How often one packet or several in a row were missing when the next one came.
    #[must_use]
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    fn lost_in_sequence(&self) -> u64 {
        self.sequence
            .expected()
            .saturating_sub(self.sequence.received())
    }

    fn signed_loss(&self) -> i64 {
        self.lost_before as i64 + self.sequence.expected() as i64 - self.sequence.received() as i64
    }

    fn to_duration(&self, jitter_q4: u64) -> Duration {
        Duration::from_micros(jitter_q4 * 1_000_000 / 16 / u64::from(self.clock_rate.max(1)))
    }

    /// J += (|D| - J) / 16, in the integers of RFC 3550 §A.8.
    fn measure_jitter(&mut self, timestamp: MediaTime, arrival: Instant) {
        let now = Transit { arrival, timestamp };
        let Some(before) = self.transit.replace(now) else {
            return;
        };
        let elapsed = arrival
            .saturating_duration_since(before.arrival)
            .as_micros();
        let arrived =
            i64::try_from(elapsed * u128::from(self.clock_rate) / 1_000_000).unwrap_or(i64::MAX);
        let difference = arrived
            .saturating_sub(i64::from(timestamp.since(before.timestamp)))
            .unsigned_abs();
        // A pause without timestamps, or timestamps that start anew, are not jitter of the network.
        if difference > u64::from(self.clock_rate) {
            return;
        }
        self.jitter_q4 = self.jitter_q4 + difference - ((self.jitter_q4 + 8) >> 4);
        self.max_jitter_q4 = self.max_jitter_q4.max(self.jitter_q4);
        self.jitter_sum_q4 += self.jitter_q4;
        self.jitter_count += 1;
    }
}

/// How long a round trip took, from the report block a peer sent about us (RFC 3550 §6.4.1);
/// `None` when it has no sender report of ours, or its figures cannot be true.
#[must_use]
pub(super) fn round_trip(block: &ReportBlock, now: NtpTime) -> Option<Duration> {
    if block.last_report == 0 {
        return None;
    }
    let units = now
        .middle()
        .wrapping_sub(block.last_report)
        .wrapping_sub(block.delay_since_last_report);
    (units < 1 << 31).then(|| super::clock::from_short_time(units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim;

    const PTIME: Duration = Duration::from_millis(20);

    fn receive(stats: &mut ReceptionStats, number: u16, delay: Duration) {
        let sent = sim::start() + PTIME * u32::from(number);
        stats.receive(
            SeqNo(number),
            MediaTime(u32::from(number) * 160),
            sent + delay,
        );
    }

    #[test]
    fn a_steady_stream_has_neither_loss_nor_jitter() {
        let mut stats = ReceptionStats::new(8_000, 1);
        (0..500).for_each(|number| receive(&mut stats, number, PTIME));
        let block = stats.report_block(Ssrc(9), sim::start());
        assert_eq!(
            (block.fraction_lost, block.cumulative_lost, block.jitter),
            (0, 0, 0)
        );
        assert_eq!(block.extended_highest & 0xFFFF, 499);
        assert_eq!(stats.max_jitter(), Duration::ZERO);
    }

    #[test]
    fn one_packet_of_four_lost_is_a_fraction_of_64_and_counts_from_the_last_report() {
        let mut stats = ReceptionStats::new(8_000, 1);
        (0..400)
            .filter(|number| number % 4 != 1)
            .for_each(|number| receive(&mut stats, number, PTIME));
        assert_eq!(stats.report_block(Ssrc(9), sim::start()).fraction_lost, 64);
        assert_eq!(stats.lost(), 100);
        (400..500).for_each(|number| receive(&mut stats, number, PTIME));
        let block = stats.report_block(Ssrc(9), sim::start());
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 100));
    }

    #[test]
    fn jitter_approaches_the_mean_difference_of_transit_times() {
        let mut stats = ReceptionStats::new(8_000, 1);
        for number in 0..2_000 {
            receive(
                &mut stats,
                number,
                Duration::from_millis(u64::from(number % 2) * 10),
            );
        }
        let jitter = stats.jitter().as_micros();
        assert!((9_500..=10_500).contains(&jitter), "jitter {jitter} us");
    }

    #[test]
    fn jitter_is_the_same_time_in_a_codec_of_another_clock() {
        let mut stats = ReceptionStats::new(8_000, 1);
        let delay = |number: u16| Duration::from_millis(u64::from(number % 2) * 10);
        (0..2_000).for_each(|number| receive(&mut stats, number, delay(number)));
        let (before, max) = (stats.jitter(), stats.max_jitter());
        stats.set_clock_rate(48_000);
        assert!(stats.jitter().abs_diff(before) < Duration::from_micros(10));
        for number in 2_000..4_000_u16 {
            let arrival = sim::start() + PTIME * u32::from(number) + delay(number);
            stats.receive(
                SeqNo(number),
                MediaTime(7 + u32::from(number) * 960),
                arrival,
            );
        }
        assert!(stats.jitter().abs_diff(before) < Duration::from_micros(600));
        assert!(stats.max_jitter().abs_diff(max) < Duration::from_micros(600));
        let (sum, count) = stats.jitter_sum();
        assert_eq!(count, 3_998);
        assert!((9_000..=10_500).contains(&(sum / 3_998).as_micros()));
    }

    #[test]
    fn a_gap_is_counted_once_however_long_it_is() {
        let mut stats = ReceptionStats::new(8_000, 1);
        [0, 1, 5, 6, 8, 9, 10]
            .into_iter()
            .for_each(|number| receive(&mut stats, number, PTIME));
        assert_eq!((stats.gaps(), stats.lost()), (2, 4));
    }

    #[test]
    fn duplicates_can_make_the_cumulative_loss_negative() {
        let mut stats = ReceptionStats::new(8_000, 1);
        (0..10).for_each(|number| (0..2).for_each(|_| receive(&mut stats, number, PTIME)));
        assert_eq!(
            stats.report_block(Ssrc(9), sim::start()).cumulative_lost,
            -10
        );
        assert_eq!(stats.lost(), 0);
    }

    #[test]
    fn a_restarted_source_keeps_its_old_losses_and_starts_clean() {
        let mut stats = ReceptionStats::new(8_000, 1);
        [0, 1, 5]
            .into_iter()
            .for_each(|number| receive(&mut stats, number, PTIME));
        (30_000..30_010).for_each(|number| receive(&mut stats, number, PTIME));
        assert_eq!(stats.lost(), 3);
        assert_eq!(stats.jitter(), Duration::ZERO);
    }

    #[test]
    fn a_report_block_answers_the_last_sender_report() {
        let mut stats = ReceptionStats::new(8_000, 1);
        receive(&mut stats, 0, PTIME);
        let info = SenderInfo {
            ntp: NtpTime(0x1234_5678_9ABC_DEF0),
            rtp: MediaTime(0),
            packets: 1,
            octets: 160,
        };
        stats.receive_report(&info, sim::start());
        let block = stats.report_block(Ssrc(9), sim::start() + Duration::from_millis(1_500));
        assert_eq!(
            (block.last_report, block.delay_since_last_report),
            (0x5678_9ABC, 0x1_8000)
        );
    }

    #[test]
    fn the_round_trip_is_now_less_the_peers_delay() {
        let mut block = ReportBlock {
            last_report: 0x0001_0000,
            delay_since_last_report: 0x8000,
            ..ReportBlock::default()
        };
        let now = NtpTime(0x0001_C000 << 16);
        assert_eq!(round_trip(&block, now), Some(Duration::from_millis(250)));
        block.delay_since_last_report = 0x000F_0000;
        assert_eq!(round_trip(&block, now), None);
        block.last_report = 0;
        assert_eq!(round_trip(&block, now), None);
    }
}
