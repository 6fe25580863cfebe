//! One stream's packets between their arrival and their playout.
//!
//! ```text
//!  media time   ...------|=======|=======|       |=======|===
//!                        ^ next to play    lost    ^ newest
//!  a packet is due at:  transit of the fastest + its media time + target delay
//! ```
//!
//! Sound is taken when the one who plays it needs more, so its tick is the clock. A packet that is
//! due leaves; one that is missing while later ones are here is lost; with none here at all, sound is
//! made up for 60 ms and media time stands still, so that packets which are only late move the
//! delay and are played.
//!
//! Whoever plays takes whole frames, so that a delay is as good as the next longer one that ends with a
//! frame: what is beyond that is surplus, and what is missing of it must be added. Both are told with each
//! packet; in a pause the delay is chosen anew.

use std::time::{Duration, Instant};

use super::delay::DelayEstimate;
use super::packet::{JitterStats, Packet, Popped};
use super::store::{Content, Slot, Store};
use super::timeline::{Numbered, Stamp, Timeline};
use super::{FRAME, TICK_RATE, Ticks, common_divisor, duration_of, ms};
use crate::rtp::{MediaTime, SeqNo};

/// Orders and delays the packets of one stream; the caller resets it when the source changes.
///
/// The delay is as long as nearly all packets need, 5 ms at least and 200 ms at most, and what whole frames
/// add to it. Nothing is allocated but for a stream with shorter or larger packets than those before.
#[derive(Debug)]
pub struct JitterBuffer {
    store: Store,
    timeline: Timeline,
    delay: DelayEstimate,
    stats: JitterStats,
    /// Zero of media time as it is kept here.
    epoch: Option<Instant>,
    state: State,
    /// Number of the next packet to play, and its media time.
    next: i64,
    next_start: Ticks,
    /// The packet time lately, and the steps that it and frames have in common.
    len: Ticks,
    grain: Ticks,
    /// How long the last packet was held, by the clock of the fastest.
    held: Ticks,
    /// What was made up before nobody was thought to send.
    starved: Ticks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No sound flows; the next packet begins a talkspurt when it is due.
    Silent,
    /// Sound flows, and so much has been made up since the last packet.
    Flowing { missing: Ticks },
}

/// The packet that comes first of those that are here.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: i64,
    start: Ticks,
    len: Ticks,
    content: Content,
    /// Whether others are here behind it.
    has_more: bool,
}

/// What is to be done, before anything is borrowed for it.
enum Step {
    Play {
        head: Head,
        is_joined: bool,
        surplus: Ticks,
    },
    Lost {
        ticks: Ticks,
        next: Option<i64>,
    },
    Noise(i64),
    Silence,
}

impl JitterBuffer {
    /// The longest packet: 200 ms.
    pub(super) const MAX_LEN: Ticks = ms(200);
    /// What is made up before nobody is thought to send.
    const MAX_MISSING: Ticks = ms(60);
    /// Sound held so long is a backlog and dropped at once.
    const BACKLOG: Ticks = ms(300);
    /// Holes this short are none.
    const SLACK: Ticks = ms(5);
    /// The delay is shortened only if it stays longer than needed by so much.
    const RESERVE: Ticks = ms(3);

    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            store: Store::new(),
            timeline: Timeline::new(),
            delay: DelayEstimate::new(),
            stats: JitterStats::default(),
            epoch: None,
            state: State::Silent,
            next: 0,
            next_start: 0,
            len: FRAME,
            grain: FRAME,
            held: 0,
            starved: 0,
        }
    }

    /// Takes a packet of sound; `false` when it came too late to be heard. What cannot be played is counted and
    /// dropped.
    pub fn insert(&mut self, packet: &Packet<'_>) -> bool {
        let ticks = packet.ticks.clamp(1, Self::MAX_LEN);
        let stamp = Stamp {
            timestamp: packet.timestamp,
            clock_rate: packet.codec.clock_rate(),
            len: ticks,
        };
        let now = self.time(packet.arrival);
        let Some(number) = self.number_of(packet.sequence) else {
            return true;
        };
        self.follow_packet_time(ticks);
        let start = self.place(number, stamp, now);
        let slot = *self.store.slot(number);
        if slot.number == number && !slot.is_redundant {
            self.stats.duplicate += 1;
            return true;
        }
        if self.delay.lateness(now - start).abs() <= Timeline::MAX_OFF {
            self.delay.update(now, now - start, ticks);
        }
        if number < self.next {
            let was_played = slot.number == number;
            self.stats.late += u64::from(!was_played);
            return was_played;
        }
        let mut slot = Slot::new(number, start, ticks, Content::Sound(packet.codec));
        slot.arrival = Some(packet.arrival);
        self.put(slot, packet.payload);
        true
    }

    /// Takes a packet that came inside of one with a later number, already inserted: it is played if it does
    /// not come itself (RFC 2198).
    pub fn insert_redundant(&mut self, packet: &Packet<'_>) {
        let Numbered::Known(number) = self.timeline.number_of(packet.sequence) else {
            return;
        };
        let is_newest = self.timeline.newest().is_none_or(|newest| number >= newest);
        if is_newest || number < self.next || self.store.slot(number).number == number {
            return;
        }
        let ticks = packet.ticks.clamp(1, Self::MAX_LEN);
        let stamp = Stamp {
            timestamp: packet.timestamp,
            clock_rate: packet.codec.clock_rate(),
            len: ticks,
        };
        let now = self.time(packet.arrival);
        let start = self.place(number, stamp, now);
        let mut slot = Slot::new(number, start, ticks, Content::Sound(packet.codec));
        slot.arrival = Some(packet.arrival);
        slot.is_redundant = true;
        self.put(slot, packet.payload);
    }

    /// Takes a packet of comfort noise (RFC 3389).
    pub fn insert_noise(
        &mut self,
        sequence: SeqNo,
        (timestamp, clock_rate): (MediaTime, u32),
        payload: &[u8],
        arrival: Instant,
    ) {
        let stamp = Stamp {
            timestamp,
            clock_rate,
            len: 0,
        };
        let now = self.time(arrival);
        let Some(number) = self.number_of(sequence) else {
            return;
        };
        let start = self.place(number, stamp, now);
        if number >= self.next && self.store.slot(number).number != number {
            self.put(Slot::new(number, start, 0, Content::Noise), payload);
        }
    }

    /// Notes a packet of this stream that is no sound, so that it is not missing.
    pub fn pass(&mut self, sequence: SeqNo) {
        if self.timeline.newest().is_none() {
            return;
        }
        let Some(number) = self.number_of(sequence) else {
            return;
        };
        if number >= self.next && self.store.slot(number).number != number {
            self.timeline.pass(number);
            let slot = Slot::new(number, self.next_start, 0, Content::Other);
            self.put(slot, &[]);
        }
    }

    /// What to play next, at the tick `now`, behind sound that is still left from the tick before.
    pub fn pop(&mut self, now: Instant, ahead: Ticks) -> Popped<'_> {
        let now = self.time(now);
        let ahead = ahead.clamp(0, FRAME - 1);
        match self.decide(now, ahead) {
            Step::Play {
                head,
                is_joined,
                surplus,
            } => {
                let slot = self.store.slot(head.number);
                let Content::Sound(codec) = slot.content else {
                    return Popped::Silence { ticks: FRAME };
                };
                Popped::Packet {
                    codec,
                    payload: self.store.payload(slot),
                    ticks: head.len,
                    arrival: slot.arrival,
                    is_joined,
                    surplus,
                }
            }
            Step::Lost { ticks, next } => {
                let next = next.map(|number| self.store.slot(number));
                Popped::Lost {
                    ticks,
                    next: next.and_then(|slot| match slot.content {
                        Content::Sound(codec) => Some((codec, self.store.payload(slot))),
                        Content::Noise | Content::Other => None,
                    }),
                }
            }
            Step::Noise(number) => Popped::Noise {
                payload: self.store.payload(self.store.slot(number)),
            },
            Step::Silence => Popped::Silence {
                ticks: FRAME - ahead,
            },
        }
    }

    /// Forgets the stream: the source has changed. The figures go on, and how late packets come on this way.
    pub fn reset(&mut self) {
        self.store.clear();
        self.timeline = Timeline::new();
        self.state = State::Silent;
        (self.next, self.next_start, self.starved) = (0, 0, 0);
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn stats(&self) -> &JitterStats {
        &self.stats
    }

    /// How long a packet is meant to be held.
    #[must_use]
    pub fn target(&self) -> Duration {
        duration_of(self.delay.target())
    }

    /// How long the last packet played was held, compared with the fastest one.
    #[must_use]
    pub fn delay(&self) -> Duration {
        duration_of(self.held)
    }

    /// Octets it has beside itself.
    #[cfg(test)]
    pub(super) fn heap_octets(&self) -> usize {
        self.store.heap_octets()
    }

    fn decide(&mut self, now: Ticks, ahead: Ticks) -> Step {
        let mut is_joined = false;
        loop {
            let Some(head) = self.head() else {
                return self.starve();
            };
            if head.content == Content::Other {
                self.leave_out(&head);
                if !head.has_more {
                    self.state = State::Silent;
                }
                continue;
            }
            let held = now + ahead - self.delay.base() - head.start;
            let needed = self.delay.target() + FRAME - self.grain;
            let is_backlog = head.has_more && held > Self::BACKLOG.max(needed + 3 * FRAME);
            let State::Flowing { missing } = self.state else {
                if held < needed {
                    return Step::Silence;
                }
                if is_backlog {
                    self.leave_out(&head);
                    self.stats.discarded += 1;
                    continue;
                }
                return self.play(&head, held, is_joined, 0);
            };
            let hole = head.start - self.next_start - missing;
            let has_time = held >= needed + Self::RESERVE;
            if hole > Self::SLACK && !has_time {
                if head.number == self.next {
                    // A pause of the sender, told by its timestamps.
                    self.state = State::Silent;
                    continue;
                }
                let ticks = hole.min(head.len.max(Self::SLACK));
                let is_last = hole - ticks <= Self::SLACK;
                self.state = State::Flowing {
                    missing: missing + ticks,
                };
                let next = is_last.then_some(head.number);
                return Step::Lost { ticks, next };
            }
            if is_backlog {
                self.leave_out(&head);
                self.stats.discarded += 1;
                is_joined = true;
                continue;
            }
            is_joined |= hole > Self::SLACK;
            let surplus = match self.surplus(held, needed, ahead) {
                surplus if surplus > 0 && !head.has_more => 0,
                surplus => surplus,
            };
            return self.play(&head, held, is_joined, surplus);
        }
    }

    /// How much longer than need be a delay is.
    fn surplus(&self, held: Ticks, needed: Ticks, ahead: Ticks) -> Ticks {
        let rest = ahead % self.grain;
        let room = held - rest - needed;
        if room < 0 {
            rest - (-room + self.grain - 1) / self.grain * self.grain
        } else {
            rest + (room - Self::RESERVE).max(0) / self.grain * self.grain
        }
    }

    /// An instant in ticks since the first one seen.
    fn time(&mut self, now: Instant) -> Ticks {
        let since = now.saturating_duration_since(*self.epoch.get_or_insert(now));
        let rate = u64::from(TICK_RATE);
        let ticks = since.as_secs().min(u64::from(u32::MAX)) * rate
            + u64::from(since.subsec_nanos()) * rate / 1_000_000_000;
        ticks.cast_signed()
    }

    fn number_of(&mut self, sequence: SeqNo) -> Option<i64> {
        match self.timeline.number_of(sequence) {
            Numbered::Known(number) => Some(number),
            Numbered::Stray => {
                self.stats.discarded += 1;
                None
            }
            Numbered::Restarted(number) => {
                self.reset();
                self.stats.restarts += 1;
                Some(number)
            }
        }
    }

    fn place(&mut self, number: i64, stamp: Stamp, now: Ticks) -> Ticks {
        let is_first = self.timeline.newest().is_none();
        let is_silent = self.state == State::Silent;
        let base = self.delay.base();
        let start = self
            .timeline
            .place(number, stamp, now, is_silent, &mut self.delay);
        if is_first {
            (self.next, self.next_start) = (number, start);
        }
        if self.delay.base() != base {
            // Another time line: nobody knows how long the pause was meant to be.
            self.starved = 0;
        }
        start
    }

    fn put(&mut self, slot: Slot, payload: &[u8]) {
        let known = self.store.slot(slot.number);
        if known.number > slot.number {
            self.stats.discarded += 1;
            return;
        }
        let is_other = known.is_waiting && known.number != slot.number;
        self.stats.discarded += u64::from(is_other);
        self.store.put(slot, payload);
    }

    /// Finds the steps in which the delay can be changed.
    fn follow_packet_time(&mut self, len: Ticks) {
        let own = common_divisor(len, FRAME);
        self.grain = if len == self.len {
            own
        } else {
            common_divisor(self.grain, own)
        };
        self.len = len;
    }

    /// The packet that is here and comes first.
    fn head(&self) -> Option<Head> {
        let newest = self.timeline.newest()?;
        let first = self.next.max(newest - self.store.capacity() + 1);
        (first..=newest).find_map(|number| {
            let slot = self.store.waiting(number)?;
            Some(Head {
                number,
                start: slot.start,
                len: Ticks::from(slot.len),
                content: slot.content,
                has_more: number < newest,
            })
        })
    }

    /// No packet is here: makes sound up for a while.
    fn starve(&mut self) -> Step {
        match &mut self.state {
            State::Flowing { missing } if *missing < Self::MAX_MISSING => {
                *missing += FRAME;
                Step::Lost {
                    ticks: FRAME,
                    next: None,
                }
            }
            State::Flowing { missing } => {
                self.starved = *missing;
                self.state = State::Silent;
                Step::Silence
            }
            State::Silent => Step::Silence,
        }
    }

    fn play(&mut self, head: &Head, held: Ticks, is_joined: bool, surplus: Ticks) -> Step {
        self.count_stall(head);
        self.leave_out(head);
        if head.content == Content::Noise {
            self.state = State::Silent;
            return Step::Noise(head.number);
        }
        self.held = held;
        self.state = State::Flowing { missing: 0 };
        self.stats.played += 1;
        self.stats.repeated += u64::from(self.store.slot(head.number).is_redundant);
        Step::Play {
            head: *head,
            is_joined,
            surplus,
        }
    }

    /// Counts what was made up before a packet though nothing was missing there: the packet was only late.
    fn count_stall(&mut self, head: &Head) {
        let made_up = match self.state {
            State::Flowing { missing } => missing,
            State::Silent => self.starved,
        };
        self.starved = 0;
        let stall = made_up - (head.start - self.next_start).max(0);
        if stall > 0 && head.len > 0 {
            self.stats.stalled += ((stall + head.len - 1) / head.len).unsigned_abs();
        }
    }

    /// Takes a packet out and moves on behind it.
    fn leave_out(&mut self, head: &Head) {
        self.stats.lost += (head.number - self.next).unsigned_abs();
        self.next = head.number + 1;
        if head.content != Content::Other {
            self.next_start = head.start + head.len;
        }
        self.store.take(head.number);
    }
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}
