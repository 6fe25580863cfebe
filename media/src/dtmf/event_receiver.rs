//! Keys as telephone-events, in (RFC 4733 §2.5.2).

use super::digit::Digit;
use crate::frame::SAMPLE_RATE;
use crate::rtp::MediaTime;

/// Tells each press once, at the first of its packets that comes.
///
/// ```text
///  timestamp   T        T        T        T  E     T  E     T  E      U
///  duration    160      320      480      640      640      640       160
///              |        (any of these may be lost, doubled, swapped)  |
///              press told                                             next press told
/// ```
///
/// Packets of one press share a timestamp. A press longer than 65 535 ticks goes on in a further
/// segment, which starts where the one before ended. Senders that move the timestamp on within a
/// press are understood too: their segments overlap or touch.
#[derive(Clone, Debug, Default)]
pub struct EventReceiver {
    last: Option<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    digit: Digit,
    start: MediaTime,
    duration: u16,
    is_ended: bool,
}

impl EventReceiver {
    /// Waits for a first press.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Takes one telephone-event payload and tells the key if it is the first of a press.
    ///
    /// A payload that is too short or no key is passed over.
    pub fn handle(&mut self, payload: &[u8], timestamp: MediaTime, marker: bool) -> Option<Digit> {
        let [event, flags, high, low, ..] = *payload else {
            return None;
        };
        let segment = Segment {
            digit: Digit::from_event(event)?,
            start: timestamp,
            duration: u16::from_be_bytes([high, low]),
            is_ended: flags & 0x80 != 0,
        };
        match &mut self.last {
            Some(last) if last.is_older(&segment) => None,
            Some(last) if last.continues_with(&segment, marker) => {
                let is_ended = segment.is_ended || (last.is_ended && last.start == segment.start);
                let duration = if last.start == segment.start {
                    last.duration.max(segment.duration)
                } else {
                    segment.duration
                };
                *last = Segment {
                    is_ended,
                    duration,
                    ..segment
                };
                None
            }
            _ => {
                self.last = Some(segment);
                Some(segment.digit)
            }
        }
    }

    /// Forgets the last press: the source of the stream has changed.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

impl Segment {
    /// A press that began so long (10 s) before the last one is no late packet: timestamps restarted.
    const MAX_REORDER: i32 = 10 * SAMPLE_RATE as i32;
    /// Between two segments of one press lies at most so much (50 ms); between two presses of a key
    /// lies a pause longer than that, or the end of the first.
    const MAX_GAP: i32 = SAMPLE_RATE as i32 / 20;

    /// Whether `next` is a late packet of a press before this one.
    fn is_older(&self, next: &Self) -> bool {
        (-Self::MAX_REORDER..0).contains(&next.start.since(self.start))
    }

    /// Whether `next` is the same press held on.
    fn continues_with(&self, next: &Self, marker: bool) -> bool {
        if self.digit != next.digit {
            return false;
        }
        let begun = next.start.since(self.start);
        if begun == 0 {
            return true;
        }
        // The packets that would have told the true end of a full segment may be lost.
        let is_next_full_segment = begun == i32::from(u16::MAX);
        let gap = begun - i32::from(self.duration);
        !self.is_ended && !marker && begun > 0 && (gap <= Self::MAX_GAP || is_next_full_segment)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(key: char, duration: u16, is_end: bool) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [
            Digit::from_char(key).unwrap().event(),
            if is_end { 0x8A } else { 0x0A },
            high,
            low,
        ]
    }

    /// The packets of one press as (timestamp, marker, payload).
    fn press(key: char, start: u32, updates: u16) -> Vec<(u32, bool, [u8; 4])> {
        let mut packets: Vec<_> = (1..=updates)
            .map(|step| (start, step == 1, payload(key, step * 160, false)))
            .collect();
        packets.extend([(start, false, payload(key, (updates + 1) * 160, true)); 3]);
        packets
    }

    fn told(packets: impl IntoIterator<Item = (u32, bool, [u8; 4])>) -> String {
        let mut receiver = EventReceiver::new();
        packets
            .into_iter()
            .filter_map(|(start, marker, payload)| {
                receiver.handle(&payload, MediaTime(start), marker)
            })
            .map(Digit::to_char)
            .collect()
    }

    #[test]
    fn a_press_is_told_once_whichever_of_its_packets_come() {
        let whole = press('5', 1_000, 5);
        for kept in 1..1_u32 << whole.len() {
            let some = whole
                .iter()
                .enumerate()
                .filter(|(at, _)| kept & (1 << at) != 0)
                .map(|(_, packet)| *packet);
            assert_eq!(told(some), "5", "kept {kept:#b}");
        }
    }

    #[test]
    fn the_same_key_pressed_again_is_told_again_though_the_end_was_lost() {
        let first = press('5', 1_000, 5).into_iter().take(5);
        assert_eq!(told(first.chain(press('5', 3_000, 5))), "55");
    }

    #[test]
    fn two_keys_follow_each_other_without_a_pause() {
        assert_eq!(
            told(press('1', 0, 3).into_iter().chain(press('2', 640, 3))),
            "12"
        );
    }

    #[test]
    fn packets_out_of_order_tell_nothing_twice() {
        let mut packets = press('1', 0, 3);
        packets.extend(press('1', 2_000, 3));
        packets.swap(4, 7);
        packets.swap(1, 2);
        packets.push(packets[0]);
        assert_eq!(told(packets), "11");
    }

    #[test]
    fn a_key_held_for_half_a_minute_is_one_press() {
        let mut packets = Vec::new();
        for segment in 0..4_u32 {
            let start = segment * 65_535;
            packets.extend((1..=409_u16).map(|step| {
                (
                    start,
                    segment == 0 && step == 1,
                    payload('9', step * 160, false),
                )
            }));
        }
        packets.extend([(3 * 65_535, false, payload('9', 65_530, true)); 3]);
        assert_eq!(told(packets.clone()), "9");
        // Also when the first and the last packets of every segment are lost.
        let holed = packets
            .into_iter()
            .enumerate()
            .filter(|(at, _)| (5..300).contains(&(at % 409)));
        assert_eq!(told(holed.map(|(_, packet)| packet)), "9");
    }

    #[test]
    fn a_sender_that_moves_the_timestamp_within_a_press_is_understood() {
        let packets = (0..6_u16).map(|step| {
            (
                u32::from(step) * 160,
                step == 0,
                payload('7', step * 160, step == 5),
            )
        });
        assert_eq!(told(packets), "7");
    }

    #[test]
    fn the_press_after_a_wrap_or_a_restart_of_timestamps_is_told() {
        let wrapped = press('3', u32::MAX - 100, 3)
            .into_iter()
            .chain(press('4', 4_000, 3));
        assert_eq!(told(wrapped), "34");
        let restarted = press('3', 4_000_000, 3)
            .into_iter()
            .chain(press('3', 160, 3));
        assert_eq!(told(restarted), "33");
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let mut receiver = EventReceiver::new();
        for payload in [&[][..], &[1, 2, 3], &[16, 0x0A, 0, 160], &[255; 40]] {
            assert_eq!(receiver.handle(payload, MediaTime(0), true), None);
        }
    }

    proptest! {
        #[test]
        fn any_payloads_tell_at_most_one_key_each(
            packets in prop::collection::vec((any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..8)), 0..200),
        ) {
            let mut receiver = EventReceiver::new();
            for (timestamp, marker, payload) in packets {
                let _ = receiver.handle(&payload, MediaTime(timestamp), marker);
            }
        }
    }
}
