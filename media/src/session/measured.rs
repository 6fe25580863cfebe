//! What is measured of a session: how long its sound is under way, what the peer tells of the way there, and
//! what all of it comes to for an ear.

use std::time::{Duration, Instant};

use super::Session;
use crate::command::{PeerStats, SessionConfig, SessionStats};
use crate::delay::{Origin, Path, SessionDelays};
use crate::frame::Ptime;
use crate::quality::{Conditions, Mos};
use crate::rtp::{NtpTime, ReportBlock};

/// A round trip that took longer is none: the figures of the peer are wrong.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(30);

/// Fewer packets (two seconds) are no ground for an opinion.
const LEAST_PACKETS: u64 = 100;

/// Measurements of one session.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// What is sent next answers this.
    cause: Option<Origin>,
    /// The packet whose sound has gone into a mix last.
    mixed: Option<Instant>,
    /// The packet that made the last key known, until that is told.
    key: Option<Instant>,
    delays: SessionDelays,
    /// When our last report left, by both clocks.
    report: Option<(NtpTime, Instant)>,
    round_trips: RoundTrips,
    peer: Option<PeerStats>,
}

#[derive(Debug, Default)]
struct RoundTrips {
    sum: Duration,
    count: u32,
    max: Duration,
}

impl Measured {
    /// What is sent from here on is caused by what arrived then.
    pub(super) const fn begin(&mut self, path: Path, arrival: Instant) {
        self.cause = Some(Origin { path, arrival });
    }

    /// Where the packet that is sent now comes from; only the first one of each cause is measured.
    pub(super) const fn take_cause(&mut self) -> Option<Origin> {
        self.cause.take()
    }

    /// Sound of a packet goes into a mix; a packet that goes into several counts once.
    pub(super) fn mix(&mut self, arrival: Option<Instant>) {
        let is_new = arrival.is_some() && arrival != self.mixed;
        if let Some(arrival) = arrival.filter(|_| is_new) {
            self.mixed = Some(arrival);
            self.begin(Path::Mix, arrival);
        }
    }

    /// A packet has made a key known.
    pub(super) const fn hear_key(&mut self, arrival: Option<Instant>) {
        self.key = arrival;
    }

    /// A report of ours leaves.
    pub(super) const fn sent_report(&mut self, now: Instant, wall: NtpTime) {
        self.report = Some((wall, now));
    }

    /// Takes what the peer says of our stream.
    pub(super) fn hear_report(&mut self, block: &ReportBlock, arrival: Instant, clock_rate: u32) {
        let peer = self.peer.get_or_insert_default();
        let jitter = u64::from(block.jitter) * 1_000_000 / u64::from(clock_rate.max(1));
        let jitter = Duration::from_micros(jitter);
        peer.reports += 1;
        peer.lost_packets = u64::try_from(block.cumulative_lost).unwrap_or(0);
        peer.jitter = jitter;
        peer.max_jitter = peer.max_jitter.max(jitter);
        let Some((wall, sent)) = self.report else {
            return;
        };
        let now = wall.after(arrival.saturating_duration_since(sent));
        let trip = block
            .round_trip(now)
            .filter(|trip| *trip <= LONGEST_ROUND_TRIP);
        if let Some(trip) = trip {
            self.round_trips.count += 1;
            self.round_trips.sum += trip;
            self.round_trips.max = self.round_trips.max.max(trip);
        }
    }
}

impl Session {
    /// Ends the time in which what is sent is the answer to something.
    pub(crate) const fn forget_cause(&mut self) {
        self.measured.cause = None;
    }

    /// Counts how long something was under way.
    pub(crate) fn record_delay(&mut self, path: Path, delay: Duration) {
        self.measured.delays.record(path, delay);
    }

    /// When the packet came that made the last key known; once.
    pub(crate) const fn take_key_arrival(&mut self) -> Option<Instant> {
        self.measured.key.take()
    }

    /// Adds what was measured to what was counted.
    pub(super) fn measure(&self, mut stats: SessionStats) -> SessionStats {
        let trips = &self.measured.round_trips;
        stats.round_trip = trips.sum.checked_div(trips.count);
        stats.max_round_trip = (trips.count > 0).then_some(trips.max);
        stats.peer = self.measured.peer;
        stats.delays = self.measured.delays.summary();
        if let Some(config) = &self.config {
            stats.codec = Some(config.send.1);
            stats.heard_mos = self.heard_mos(config, &stats);
            stats.said_mos = said_mos(config, &stats);
        }
        stats
    }

    /// How well the peer is heard: its packets, the network on this way, our jitter buffer.
    fn heard_mos(&self, config: &SessionConfig, stats: &SessionStats) -> Option<Mos> {
        let codec = self.inbound.codec()?;
        let mixed = stats.delays.of(Path::Mix);
        let held = match mixed.count {
            0 => self.inbound.playout_delay(),
            _ => mixed.p50,
        };
        let expected = stats.received_packets + stats.lost_packets;
        (expected >= LEAST_PACKETS).then(|| {
            let conditions = Conditions {
                codec,
                delay: way(config, stats) + held,
                loss: heard_loss(stats),
                burst_ratio: self.inbound.burst_ratio(),
            };
            conditions.mos()
        })
    }
}

/// Part of what the peer sent that no ear here got. Where sound went through the jitter buffer that is what the
/// buffer had nothing to play for: lost, late, left out, or made up until it came. The rest was passed on as it
/// came, and lacks what the network lost.
fn heard_loss(stats: &SessionStats) -> f64 {
    let expected = stats.received_packets + stats.lost_packets;
    let due = stats.jitter.due();
    let beside = expected.saturating_sub(due) as f64;
    let never_came = stats.lost_packets as f64 / expected.max(1) as f64;
    (stats.jitter.unheard() as f64 + beside * never_came) / (due as f64 + beside).max(1.0)
}

/// How well the peer hears us, by what it has reported. Its jitter buffer is taken as twice the jitter that it
/// measures, which is what such buffers aim at.
fn said_mos(config: &SessionConfig, stats: &SessionStats) -> Option<Mos> {
    let peer = stats.peer?;
    (stats.sent_packets >= LEAST_PACKETS).then(|| {
        let conditions = Conditions {
            codec: config.send.1,
            delay: way(config, stats) + peer.jitter * 2,
            loss: peer.lost_packets as f64 / stats.sent_packets as f64,
            burst_ratio: 1.0,
        };
        conditions.mos()
    })
}

/// Filling a packet, and the network one way.
fn way(config: &SessionConfig, stats: &SessionStats) -> Duration {
    Ptime::nearest(config.ptime).duration() + stats.round_trip.unwrap_or_default() / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jitter::JitterStats;

    #[test]
    fn an_ear_misses_what_the_jitter_buffer_could_not_play_and_elsewhere_what_the_network_lost() {
        let buffer = |played, lost, stalled| JitterStats {
            played,
            lost,
            stalled,
            ..JitterStats::default()
        };
        let cases = [
            (950, 50, buffer(0, 0, 0), 0.05),
            // 20 of those that came were late, and 30 were waited for.
            (950, 50, buffer(930, 70, 30), 100.0 / 1_030.0),
            // Half of it was passed on and whole.
            (1_000, 0, buffer(450, 50, 0), 0.05),
            // Half of it was passed on with a tenth missing.
            (900, 100, buffer(500, 0, 0), 0.05),
            (0, 0, buffer(0, 0, 0), 0.0),
        ];
        for (received_packets, lost_packets, jitter, loss) in cases {
            let stats = SessionStats {
                received_packets,
                lost_packets,
                jitter,
                ..SessionStats::default()
            };
            assert!((heard_loss(&stats) - loss).abs() < 1e-9, "{stats:?}");
        }
    }
}
