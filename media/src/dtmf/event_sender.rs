//! Keys as telephone-events, out (RFC 4733 §2.5.1).

use std::time::Duration;

use super::digit::Digit;
use crate::frame::{Ptime, ticks_in};
use crate::rtp::MediaTime;

/// Sends keys one after another, one packet every packet time.
///
/// Each key: a first packet with the marker, updates of growing duration with the same timestamp,
/// and its end three times. The last two of those already lie in the pause.
#[derive(Clone, Debug)]
pub struct EventSender {
    digits: std::vec::IntoIter<Digit>,
    tone: u32,
    gap: u32,
    step: u32,
    /// Ticks a second.
    rate: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next key starts now.
    Ready,
    Tone(Press),
    /// The end is told again so many times, and the pause lasts so many ticks more.
    Pause {
        press: Press,
        ends: u8,
        left: u32,
    },
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    /// Start of this segment.
    start: MediaTime,
    /// How long this segment is.
    duration: u32,
    /// How long all segments before it are.
    before: u32,
}

/// What to do in one packet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTick {
    /// Send this and no audio.
    Packet(EventPacket),
    /// Between two keys: audio may be sent.
    Gap,
    /// The last key and its pause are over.
    Done,
}

/// One telephone-event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Whether the key starts here.
    pub marker: bool,
    /// When the key, or this segment of a long one, started.
    pub timestamp: MediaTime,
    /// Event, end bit, volume and duration (RFC 4733 §2.3).
    pub payload: [u8; 4],
}

impl EventSender {
    /// Power of the tone the event stands for: -10 dBm0, as telephones send it.
    const VOLUME: u8 = 10;
    /// The end is sent three times in all (RFC 4733 §2.5.1.4).
    const REPEATED_ENDS: u8 = 2;
    /// Longest duration of one segment.
    const MAX_SEGMENT: u32 = u16::MAX as u32;

    /// Sends each key for `tone`, with `gap` after it, in durations of so many ticks a second. A tone is at least one packet time long, and
    /// a gap at least as long as the two repeated ends.
    #[must_use]
    pub fn new(
        digits: Vec<Digit>,
        tone: Duration,
        gap: Duration,
        (ptime, rate): (Ptime, u32),
    ) -> Self {
        let step = ptime.ticks(rate);
        let ticks = |duration| {
            u32::try_from(ticks_in(duration, rate))
                .unwrap_or(u32::MAX / 2)
                .min(u32::MAX / 2)
        };
        Self {
            digits: digits.into_iter(),
            tone: ticks(tone).max(step),
            gap: ticks(gap).max(step * u32::from(Self::REPEATED_ENDS)),
            step,
            rate,
            state: State::Ready,
        }
    }

    /// What to send in the packet time that begins at `now`; call once for each.
    pub fn tick(&mut self, now: MediaTime) -> EventTick {
        match self.state {
            State::Ready => match self.digits.next() {
                Some(digit) => {
                    self.state = State::Tone(Press {
                        digit,
                        start: now,
                        duration: 0,
                        before: 0,
                    });
                    self.send_tone(true)
                }
                None => {
                    self.state = State::Done;
                    EventTick::Done
                }
            },
            State::Tone(_) => self.send_tone(false),
            State::Pause { press, ends, left } => self.pause(press, ends, left),
            State::Done => EventTick::Done,
        }
    }

    /// Goes on in packet times of another length.
    pub const fn pace(&mut self, ptime: Ptime) {
        self.step = ptime.ticks(self.rate);
    }

    /// Lets the key go: its end comes next, but not before it was held for `least`.
    pub fn release(&mut self, least: Duration) {
        let held = match self.state {
            State::Tone(press) => press.before + press.duration,
            State::Ready | State::Pause { .. } | State::Done => 0,
        };
        let least = u32::try_from(ticks_in(least, self.rate)).unwrap_or(self.tone);
        self.tone = self.tone.min(held.max(least).max(1));
    }

    fn send_tone(&mut self, marker: bool) -> EventTick {
        let State::Tone(mut press) = self.state else {
            return EventTick::Done;
        };
        if press.duration + self.step > Self::MAX_SEGMENT {
            press = Press {
                start: press.start.after(press.duration),
                duration: 0,
                before: press.before + press.duration,
                ..press
            };
        }
        press.duration = (press.duration + self.step).min(self.tone - press.before);
        let is_end = press.before + press.duration >= self.tone;
        self.state = if is_end {
            State::Pause {
                press,
                ends: Self::REPEATED_ENDS,
                left: self.gap,
            }
        } else {
            State::Tone(press)
        };
        EventTick::Packet(press.packet(marker, is_end))
    }

    fn pause(&mut self, press: Press, ends: u8, left: u32) -> EventTick {
        let left = left.saturating_sub(self.step);
        self.state = match left {
            0 => State::Ready,
            _ => State::Pause {
                press,
                ends: ends.saturating_sub(1),
                left,
            },
        };
        if ends > 0 {
            EventTick::Packet(press.packet(false, true))
        } else {
            EventTick::Gap
        }
    }
}

impl Press {
    fn packet(&self, marker: bool, is_end: bool) -> EventPacket {
        let [high, low] = (self.duration as u16).to_be_bytes();
        let end = if is_end { 0x80 } else { 0 };
        EventPacket {
            marker,
            timestamp: self.start,
            payload: [self.digit.event(), end | EventSender::VOLUME, high, low],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::EventReceiver;

    const MS: Duration = Duration::from_millis(1);
    const PACE: (Ptime, u32) = (Ptime::DEFAULT, 8_000);

    fn digits(keys: &str) -> Vec<Digit> {
        keys.chars().filter_map(Digit::from_char).collect()
    }

    /// Every packet with the tick it left at.
    fn sent(mut sender: EventSender, step: u32) -> (Vec<(u32, EventPacket)>, u32) {
        let mut packets = Vec::new();
        for tick in 0.. {
            match sender.tick(MediaTime(1_000 + tick * step)) {
                EventTick::Packet(packet) => packets.push((tick, packet)),
                EventTick::Gap => {}
                EventTick::Done => return (packets, tick),
            }
        }
        unreachable!("the sender ends")
    }

    #[test]
    fn a_key_that_is_let_go_ends_with_the_next_packet_but_lasts_its_least_time() {
        for (ticks_before, expected) in [(0, 480), (1, 480), (6, 960)] {
            let mut sender = EventSender::new(digits("5"), 9_000 * MS, 40 * MS, PACE);
            for tick in 0..ticks_before {
                sender.tick(MediaTime(tick * 160));
            }
            sender.release(60 * MS);
            let (packets, _) = sent(sender, 160);
            let last = packets.last().unwrap().1.payload;
            assert_eq!(u16::from_be_bytes([last[2], last[3]]), expected);
            assert_eq!(last[1] >> 7, 1);
        }
    }

    #[test]
    fn a_key_is_a_marker_growing_durations_and_three_ends() {
        let (packets, ticks) = sent(EventSender::new(digits("5"), 100 * MS, 100 * MS, PACE), 160);
        let durations: Vec<_> = packets
            .iter()
            .map(|(_, packet)| u16::from_be_bytes([packet.payload[2], packet.payload[3]]))
            .collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        let ends: Vec<_> = packets
            .iter()
            .map(|(_, packet)| packet.payload[1] >> 7)
            .collect();
        assert_eq!(ends, [0, 0, 0, 0, 1, 1, 1]);
        assert!(
            packets
                .iter()
                .all(|(_, packet)| packet.timestamp == MediaTime(1_000) && packet.payload[0] == 5)
        );
        assert!(
            packets
                .iter()
                .enumerate()
                .all(|(at, (_, packet))| packet.marker == (at == 0))
        );
        assert!(
            packets
                .iter()
                .all(|(_, packet)| packet.payload[1] & 0x7F == 10)
        );
        assert_eq!(ticks, 10);
    }

    #[test]
    fn the_next_key_starts_after_tone_and_gap_with_its_own_timestamp() {
        let (packets, ticks) = sent(EventSender::new(digits("12"), 100 * MS, 60 * MS, PACE), 160);
        let starts: Vec<_> = packets
            .iter()
            .filter(|(_, packet)| packet.marker)
            .map(|(tick, packet)| (*tick, packet.timestamp))
            .collect();
        assert_eq!(
            starts,
            [(0, MediaTime(1_000)), (8, MediaTime(1_000 + 8 * 160))]
        );
        assert_eq!(ticks, 16);
    }

    #[test]
    fn a_key_of_twenty_seconds_is_told_in_touching_segments() {
        let (packets, _) = sent(
            EventSender::new(digits("0"), 20_000 * MS, 100 * MS, PACE),
            160,
        );
        let mut starts: Vec<_> = packets
            .iter()
            .map(|(_, packet)| packet.timestamp.0)
            .collect();
        starts.dedup();
        assert_eq!(starts, [1_000, 1_000 + 65_440, 1_000 + 2 * 65_440]);
        let mut receiver = EventReceiver::new();
        let told = packets.iter().filter_map(|(_, packet)| {
            receiver.handle(&packet.payload, packet.timestamp, packet.marker)
        });
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn every_key_arrives_for_every_packet_time_and_with_no_tone_or_gap_at_all() {
        for ptime in [10, 20, 30, 40, 60].map(|ms| Ptime::nearest(ms * MS)) {
            for (tone, gap) in [
                (Duration::ZERO, Duration::ZERO),
                (40 * MS, 40 * MS),
                (95 * MS, 33 * MS),
            ] {
                let sender =
                    EventSender::new(digits("0123456789*#ABCD"), tone, gap, (ptime, 8_000));
                let mut receiver = EventReceiver::new();
                let (packets, _) = sent(sender, ptime.samples() as u32);
                let told: String = packets
                    .iter()
                    .filter_map(|(_, packet)| {
                        receiver.handle(&packet.payload, packet.timestamp, packet.marker)
                    })
                    .map(Digit::to_char)
                    .collect();
                assert_eq!(told, "0123456789*#ABCD", "{ptime:?} {tone:?} {gap:?}");
            }
        }
    }

    #[test]
    fn no_keys_are_done_at_once() {
        let mut sender = EventSender::new(Vec::new(), 100 * MS, 100 * MS, PACE);
        assert_eq!(sender.tick(MediaTime(0)), EventTick::Done);
        assert_eq!(sender.tick(MediaTime(160)), EventTick::Done);
    }

    #[test]
    fn durations_are_told_in_ticks_of_its_clock() {
        let mut sender = EventSender::new(digits("5"), 40 * MS, 40 * MS, (Ptime::DEFAULT, 48_000));
        let told = |tick| match tick {
            EventTick::Packet(packet) => u16::from_be_bytes([packet.payload[2], packet.payload[3]]),
            _ => 0,
        };
        let told = [0, 960].map(|at| told(sender.tick(MediaTime(at))));
        assert_eq!(told, [960, 1_920]);
    }
}
