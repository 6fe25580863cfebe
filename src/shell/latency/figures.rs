//! What was measured, as numbers.

use std::time::Duration;

use flowswitch_media::codec::G711;

use super::found::{By, Found, Heard, Sent, find};

/// Sorted durations, for their percentiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(Vec<Duration>);

/// All that one call showed of its media path.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) by: By,
    /// From sending to receiving, of each frame that came back.
    pub(super) round_trip: Sample,
    /// Frames that were sent.
    pub(super) sent: usize,
    /// Frames before the first that came back: the way opens.
    pub(super) unheard: usize,
    /// Later frames that did not come back.
    pub(super) lost: usize,
    /// Packets of sound that came.
    pub(super) heard: usize,
    /// Packets that came before.
    pub(super) duplicated: usize,
    /// Packets that came after one which was sent later.
    pub(super) reordered: usize,
    /// Interarrival jitter at the end (RFC 3550 §6.4.1).
    pub(super) jitter: Duration,
    /// How far each packet was from where the one before it put it.
    pub(super) unevenness: Sample,
}

impl Sample {
    fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// The duration that `part` of all, from 0 to 1, do not exceed; zero when there is none.
    pub(super) fn percentile(&self, part: f64) -> Duration {
        let rank = (self.0.len() as f64 * part).ceil() as usize;
        let place = rank.clamp(1, self.0.len().max(1)) - 1;
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn min(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub(super) fn mean(&self) -> Duration {
        let sum: Duration = self.0.iter().sum();
        sum / u32::try_from(self.0.len().max(1)).unwrap_or(u32::MAX)
    }
}

impl Figures {
    /// What came of frames that were sent by `law`.
    pub(super) fn new(sent: &[Sent], heard: &[Heard], law: G711) -> Self {
        let Found { by, delays } = find(sent, heard, law);
        let unheard = delays.iter().take_while(|delay| delay.is_none()).count();
        let round_trip = Sample::new(delays.iter().flatten().copied().collect());
        let order = Order::of(heard);
        let (jitter, unevenness) = jitter(heard);
        Self {
            by,
            lost: delays.len() - unheard - round_trip.0.len(),
            round_trip,
            sent: sent.len(),
            unheard,
            heard: heard.len(),
            duplicated: order.duplicated,
            reordered: order.reordered,
            jitter,
            unevenness,
        }
    }
}

#[derive(Default)]
struct Order {
    duplicated: usize,
    reordered: usize,
}

impl Order {
    fn of(heard: &[Heard]) -> Self {
        let mut order = Self::default();
        let mut highest: Option<u16> = None;
        // Numbers of the last packets, the newest last; a duplicate comes soon.
        let mut recent: Vec<u16> = Vec::with_capacity(RECENT);
        for packet in heard {
            let number = packet.sequence;
            if recent.contains(&number) {
                order.duplicated += 1;
                continue;
            }
            if recent.len() == RECENT {
                recent.remove(0);
            }
            recent.push(number);
            let ahead = highest.map_or(1, |highest| number.wrapping_sub(highest) as i16);
            if (-MISORDER..=0).contains(&ahead) {
                order.reordered += 1;
            } else {
                highest = Some(number);
            }
        }
        order
    }
}

/// The smoothed jitter at the end, and the difference of each packet to the one before it.
fn jitter(heard: &[Heard]) -> (Duration, Sample) {
    let mut smoothed = 0.0;
    let mut differences = Vec::with_capacity(heard.len());
    for pair in heard.windows(2) {
        let [one, next] = pair else { continue };
        let ticks = next.timestamp.wrapping_sub(one.timestamp) as i32;
        let due = f64::from(ticks) / CLOCK;
        let came = next.at.abs_diff(one.at).as_secs_f64();
        let came = if next.at < one.at { -came } else { came };
        let difference = (came - due).abs();
        // A silence, or a source that begins anew, says nothing of the way.
        if difference > PAUSE {
            continue;
        }
        smoothed += (difference - smoothed) / 16.0;
        differences.push(Duration::from_secs_f64(difference));
    }
    (Duration::from_secs_f64(smoothed), Sample::new(differences))
}

/// Ticks of G.711 in a second.
const CLOCK: f64 = 8_000.0;
const RECENT: usize = 64;
/// A number so far behind is a source that began anew.
const MISORDER: i16 = 100;
/// Seconds beyond which a packet is not late any more.
const PAUSE: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(packets: &[(u16, u64)]) -> Vec<Heard> {
        packets
            .iter()
            .map(|(sequence, millis)| Heard {
                at: Duration::from_millis(*millis),
                sequence: *sequence,
                timestamp: 160 * u32::from(*sequence),
                law: G711::Ulaw,
                payload: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn percentiles_are_durations_that_were_measured() {
        let sample = Sample::new((1..=1_000).rev().map(Duration::from_millis).collect());
        assert_eq!(sample.percentile(0.5), Duration::from_millis(500));
        assert_eq!(sample.percentile(0.999), Duration::from_millis(999));
        assert_eq!(sample.max(), Duration::from_millis(1_000));
        assert_eq!(Sample::default().percentile(0.5), Duration::ZERO);
    }

    #[test]
    fn packets_that_come_twice_and_those_that_come_late_are_counted() {
        let packets = heard(&[
            (65_534, 0),
            (65_535, 20),
            (1, 60),
            (0, 61),
            (0, 62),
            (2, 80),
        ]);
        let order = Order::of(&packets);
        assert_eq!((order.duplicated, order.reordered), (1, 1));
    }

    #[test]
    fn jitter_is_zero_for_an_even_stream_and_a_sixteenth_for_the_first_late_packet() {
        let even = jitter(&heard(&[(1, 0), (2, 20), (3, 40)]));
        assert!(even.0 < Duration::from_nanos(10), "{:?}", even.0);
        let (smoothed, unevenness) = jitter(&heard(&[(1, 0), (2, 36)]));
        assert!((smoothed.as_secs_f64() - 0.001).abs() < 1e-9);
        assert!((unevenness.max().as_secs_f64() - 0.016).abs() < 1e-9);
    }
}
