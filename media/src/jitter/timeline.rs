//! Where the packets of a stream lie in time, by their numbers and, as far as these can be believed, by their
//! timestamps.
//!
//! There are senders whose timestamps stand still, count milliseconds, or count a clock that is not that of
//! the codec. Whoever is found out to be one is placed by numbers and lengths alone.

use super::delay::DelayEstimate;
use super::{TICK_RATE, Ticks, ms};
use crate::rtp::{MediaTime, SeqNo};

/// What a sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// The number without its wraps.
    Known(i64),
    /// It is from nowhere; the next may prove it.
    Stray,
    /// It is the second one of a new sequence.
    Restarted(i64),
}

/// What a packet says of its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) timestamp: MediaTime,
    pub(super) clock_rate: u32,
    /// Nothing for noise.
    pub(super) len: Ticks,
}

/// Follows one stream.
#[derive(Debug)]
pub(super) struct Timeline {
    newest: Option<Newest>,
    /// Where a jump of sequence numbers led.
    after_jump: Option<SeqNo>,
    trial: Trial,
    is_timeless: bool,
}

/// The packet with the highest number so far.
#[derive(Clone, Copy, Debug)]
struct Newest {
    number: i64,
    stamp: Stamp,
    start: Ticks,
    came: Ticks,
}

/// How far packets in a row were apart, by three clocks.
#[derive(Clone, Copy, Debug, Default)]
struct Trial {
    packets: u32,
    /// By their timestamps.
    stamped: Ticks,
    /// By the sound in them.
    counted: Ticks,
    /// By our clock.
    elapsed: Ticks,
}

impl Timeline {
    /// Numbers so far ahead (a minute) or behind (two seconds) belong to another sequence (RFC 3550 §A.1).
    const MAX_AHEAD: i16 = 3_000;
    const MAX_BEHIND: i16 = 100;
    /// Timestamps so far off the clock while sound flows belong to another time line.
    pub(super) const MAX_OFF: Ticks = ms(400);
    /// Packets after which timestamps are believed, or no more.
    const TRIAL: u32 = 16;

    pub(super) fn new() -> Self {
        Self {
            newest: None,
            after_jump: None,
            trial: Trial::default(),
            is_timeless: false,
        }
    }

    /// The highest number so far.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest.map(|newest| newest.number)
    }

    /// A sequence number without its wraps.
    pub(super) fn number_of(&mut self, sequence: SeqNo) -> Numbered {
        // One cycle up, so that a packet before the first has a place too.
        let first = i64::from(sequence.0) + (1 << 16);
        let Some(newest) = self.newest else {
            return Numbered::Known(first);
        };
        let ahead = sequence.since(SeqNo(newest.number as u16));
        if (-Self::MAX_BEHIND..Self::MAX_AHEAD).contains(&ahead) {
            self.after_jump = None;
            return Numbered::Known(newest.number + i64::from(ahead));
        }
        if self.after_jump != Some(sequence) {
            self.after_jump = Some(sequence.next());
            return Numbered::Stray;
        }
        Numbered::Restarted(first)
    }

    /// A packet without sound has come: its number is not missing.
    pub(super) fn pass(&mut self, number: i64) {
        if let Some(newest) = &mut self.newest {
            newest.number = newest.number.max(number);
        }
    }

    /// The media time of a packet, on a time line that follows the clock. While nobody speaks a new one may
    /// begin.
    pub(super) fn place(
        &mut self,
        number: i64,
        stamp: Stamp,
        now: Ticks,
        is_silent: bool,
        delay: &mut DelayEstimate,
    ) -> Ticks {
        let Some(newest) = self.newest else {
            delay.restart(now, now);
            self.lead(number, stamp, 0, now);
            return 0;
        };
        let steps = number - newest.number;
        let end = newest.start + newest.stamp.len;
        let by_number = match steps {
            1.. => end + (steps - 1) * stamp.len,
            _ => newest.start + steps * stamp.len,
        };
        let by_clock = newest.start + stamp.since(newest.stamp);
        let is_clocked = !self.is_timeless && stamp.clock_rate == newest.stamp.clock_rate;
        if steps <= 0 {
            let is_near = (by_clock - by_number).abs() <= Self::MAX_OFF;
            return if is_clocked && is_near {
                by_clock
            } else {
                by_number
            };
        }
        // Nothing begins before what came before it is over.
        let is_possible = steps > 1 || by_clock + newest.stamp.len / 4 >= end;
        let mut start = if is_clocked && is_possible {
            by_clock
        } else {
            by_number
        };
        let off = delay.lateness(now - start);
        if is_silent {
            // After a pause the sender's time may have stood still, and may have run.
            if !(-Self::MAX_OFF..=DelayEstimate::MAX).contains(&off) {
                delay.restart(now, now - start);
            }
        } else if off.abs() > Self::MAX_OFF {
            start = end;
        }
        if steps == 1 {
            self.try_clock(newest, stamp, now);
        }
        self.lead(number, stamp, start, now);
        start
    }

    fn lead(&mut self, number: i64, stamp: Stamp, start: Ticks, came: Ticks) {
        self.newest = Some(Newest {
            number,
            stamp,
            start,
            came,
        });
    }

    /// Finds out whether timestamps count what the clock of the codec would.
    fn try_clock(&mut self, before: Newest, stamp: Stamp, now: Ticks) {
        if before.stamp.len == 0 || stamp.len == 0 {
            return;
        }
        let trial = &mut self.trial;
        trial.packets += 1;
        trial.stamped += stamp.since(before.stamp);
        trial.counted += before.stamp.len;
        trial.elapsed += now - before.came;
        if trial.packets < Self::TRIAL {
            return;
        }
        let trial = std::mem::take(trial);
        let is_other = |time: Ticks| (time - trial.counted).abs() > trial.counted / 4;
        if !is_other(trial.stamped) {
            self.is_timeless = false;
        } else if !is_other(trial.elapsed) {
            self.is_timeless = true;
        }
    }
}

impl Stamp {
    /// Media time since a packet of the same clock.
    fn since(self, earlier: Self) -> Ticks {
        let elapsed = Ticks::from(self.timestamp.since(earlier.timestamp));
        elapsed * Ticks::from(TICK_RATE) / Ticks::from(self.clock_rate.max(1))
    }
}
