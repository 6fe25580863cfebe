//! One stream's packets between their arrival and their playout.
//!
//! ```text
//!  media time   ...------|=======|=======|       |=======|===
//!                        ^ next to play    lost    ^ newest
//!  a packet is due at:  transit of the fastest + its timestamp + target delay
//! ```
//!
//! Sound is taken when the one who plays it needs more, so its tick is the clock. A packet that is
//! due leaves; one that is missing while later ones are here is lost; with none here at all, sound is
//! made up for 60 ms and media time stands still, so that packets which are only late move the
//! delay and are played.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::delay::DelayEstimate;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE, duration_of};
use crate::rtp::{MediaTime, SeqNo};

/// What to play next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Popped {
    /// A packet.
    Packet {
        /// Its payload type.
        payload_type: u8,
        /// Its payload.
        payload: Bytes,
        /// Whether sound before it was skipped: smooth the joint.
        is_joined: bool,
    },
    /// Sound is missing: conceal so many samples.
    Lost {
        /// How many.
        samples: usize,
    },
    /// Nobody sends: so many samples of silence.
    Silence {
        /// How many.
        samples: usize,
    },
}

/// What became of the packets of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets played.
    pub played: u64,
    /// Packets that had not come when they were due.
    pub lost: u64,
    /// Packets of those that came after all.
    pub late: u64,
    /// Packets that had come before.
    pub duplicate: u64,
    /// Packets left out: a backlog, or numbers from nowhere.
    pub discarded: u64,
    /// Packets left out one by one to shorten the delay.
    pub skipped: u64,
    /// Pauses of 20 ms made to lengthen the delay.
    pub stretched: u64,
    /// Times the stream began anew.
    pub restarts: u64,
}

/// Orders and delays the packets of one stream; the caller resets it when the source changes.
///
/// Sound is one octet a sample (RFC 3551 §4.5.14). The delay is one frame at least and 200 ms at most;
/// it grows at once when packets come late and shrinks by a packet a second at most, or in pauses.
#[derive(Debug)]
pub struct JitterBuffer {
    slots: Box<[Slot]>,
    delay: DelayEstimate,
    stats: JitterStats,
    /// Zero of media time as it is kept here.
    epoch: Option<Instant>,
    newest: Option<Newest>,
    state: State,
    /// Number of the next packet to play, and its media time.
    next: i64,
    next_start: i64,
    /// Where a jump of sequence numbers led.
    after_jump: Option<SeqNo>,
    /// Packets have come late: lengthen the delay now.
    must_grow: bool,
    last_skip: i64,
    /// How long the last packet was held, by the clock of the fastest.
    held: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No sound flows; the next packet begins a talkspurt when it is due.
    Silent,
    /// Sound flows, and so many frames in a row have been made up for want of packets.
    Flowing { missing: u32 },
}

/// One place of the ring; kept without payload once it is played, to know a duplicate.
#[derive(Clone, Debug)]
struct Slot {
    number: i64,
    start: i64,
    payload_type: u8,
    payload: Option<Bytes>,
}

/// The packet with the highest number so far.
#[derive(Clone, Copy, Debug)]
struct Newest {
    number: i64,
    timestamp: MediaTime,
    start: i64,
    len: i64,
}

impl JitterBuffer {
    /// Packets that fit: more than a second of the shortest ones.
    const SLOTS: i64 = 128;
    /// Numbers so far ahead (a minute) or behind (two seconds) belong to another sequence (RFC 3550 §A.1).
    const MAX_AHEAD: i16 = 3_000;
    const MAX_BEHIND: i16 = 100;
    /// Timestamps that lie 400 ms off the clock while sound flows belong to another time line.
    const MAX_OFF: i64 = 3_200;
    /// Frames that are made up before nobody is thought to send: 60 ms.
    const MAX_MISSING: u32 = 3;
    /// Sound so much older than it need be (100 ms) is a backlog and dropped at once.
    const BACKLOG: i64 = 800;
    /// A packet is skipped only if the delay is longer than it by so much (5 ms).
    const SLACK: i64 = 40;
    const FRAME: i64 = FRAME_SAMPLES as i64;
    /// The longest packet: 200 ms.
    const MAX_LEN: usize = 1_600;

    /// An empty buffer; all it ever allocates.
    #[must_use]
    pub fn new() -> Self {
        Self::with(
            vec![Slot::EMPTY; Self::SLOTS as usize].into(),
            JitterStats::default(),
        )
    }

    /// Takes a packet of sound. What cannot be played is counted and dropped.
    pub fn insert(
        &mut self,
        sequence: SeqNo,
        timestamp: MediaTime,
        payload_type: u8,
        payload: Bytes,
        arrival: Instant,
    ) {
        let now = self.media_time(arrival);
        let Some(number) = self.number_of(sequence) else {
            self.stats.discarded += 1;
            return;
        };
        let len = payload.len().clamp(1, Self::MAX_LEN) as i64;
        let start = self.place(number, timestamp, len, now);
        let slot = &mut self.slots[(number % Self::SLOTS) as usize];
        if slot.number == number {
            self.stats.duplicate += 1;
            return;
        }
        if self.delay.lateness(now - start).abs() <= Self::MAX_OFF {
            self.delay.update(now, now - start);
        }
        if number < self.next {
            self.stats.late += 1;
            self.must_grow = true;
        } else if slot.number > number {
            self.stats.discarded += 1;
        } else {
            self.stats.discarded += u64::from(slot.payload.is_some());
            *slot = Slot {
                number,
                start,
                payload_type,
                payload: Some(payload),
            };
        }
    }

    /// What to play next; call whenever sound is needed.
    pub fn pop(&mut self, now: Instant) -> Popped {
        let now = self.media_time(now);
        let mut is_joined = false;
        loop {
            let Some(head) = self.head() else {
                return self.starve();
            };
            let excess = now - (self.delay.base() + head.start + self.delay.target());
            match self.state {
                State::Silent if excess < 0 => {
                    return Popped::Silence {
                        samples: FRAME_SAMPLES,
                    };
                }
                State::Silent if head.has_more && excess >= head.len.max(Self::FRAME) => {
                    self.leave_out(&head);
                    self.stats.discarded += 1;
                }
                State::Silent => return self.play(&head, now, is_joined),
                State::Flowing { missing } if head.number > self.next && excess < Self::FRAME => {
                    match self.give_up_next(&head, missing) {
                        Some(samples) => return Popped::Lost { samples },
                        None => return self.play(&head, now, is_joined),
                    }
                }
                State::Flowing { .. } if self.must_grow && excess < -Self::FRAME / 2 => {
                    self.stats.stretched += 1;
                    return Popped::Lost {
                        samples: FRAME_SAMPLES,
                    };
                }
                // A pause of the sender, told by its timestamps.
                State::Flowing { .. }
                    if head.start > self.next_start + Self::SLACK && excess < 0 =>
                {
                    return self.starve();
                }
                State::Flowing { .. }
                    if head.has_more && self.is_too_long(excess, head.len, now) =>
                {
                    self.leave_out(&head);
                    self.stats.skipped += 1;
                    self.last_skip = now;
                    is_joined = true;
                }
                State::Flowing { .. } => return self.play(&head, now, is_joined),
            }
        }
    }

    /// Forgets the stream: the source has changed. The figures go on.
    pub fn reset(&mut self) {
        let mut slots = std::mem::take(&mut self.slots);
        slots.fill(Slot::EMPTY);
        *self = Self {
            epoch: self.epoch,
            ..Self::with(slots, self.stats)
        };
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn stats(&self) -> &JitterStats {
        &self.stats
    }

    /// How long a packet is meant to be held.
    #[must_use]
    pub fn target(&self) -> Duration {
        duration_of(self.delay.target().unsigned_abs())
    }

    /// How long the last packet played was held, compared with the fastest one.
    #[must_use]
    pub fn delay(&self) -> Duration {
        duration_of(self.held.max(0).unsigned_abs())
    }

    const fn with(slots: Box<[Slot]>, stats: JitterStats) -> Self {
        Self {
            slots,
            delay: DelayEstimate::new(),
            stats,
            epoch: None,
            newest: None,
            state: State::Silent,
            next: 0,
            next_start: 0,
            after_jump: None,
            must_grow: false,
            last_skip: 0,
            held: 0,
        }
    }

    /// An instant in samples since the first one seen.
    fn media_time(&mut self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(*self.epoch.get_or_insert(now));
        i64::try_from(since.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000)
            .unwrap_or(i64::MAX / 2)
    }

    /// A sequence number without its wraps; `None` when it is from nowhere.
    fn number_of(&mut self, sequence: SeqNo) -> Option<i64> {
        // One cycle up, so that a packet before the first has a place too.
        let first = i64::from(sequence.0) + (1 << 16);
        let Some(newest) = self.newest else {
            return Some(first);
        };
        let ahead = sequence.since(SeqNo(newest.number as u16));
        if (-Self::MAX_BEHIND..Self::MAX_AHEAD).contains(&ahead) {
            self.after_jump = None;
            return Some(newest.number + i64::from(ahead));
        }
        if self.after_jump != Some(sequence) {
            self.after_jump = Some(sequence.next());
            return None;
        }
        self.reset();
        self.stats.restarts += 1;
        Some(first)
    }

    /// The media time of a packet, on a time line that follows the clock.
    fn place(&mut self, number: i64, timestamp: MediaTime, len: i64, now: i64) -> i64 {
        let Some(newest) = self.newest else {
            self.newest = Some(Newest {
                number,
                timestamp,
                start: 0,
                len,
            });
            self.delay.restart(now, now);
            (self.next, self.next_start) = (number, 0);
            return 0;
        };
        let mut start = newest.start + i64::from(timestamp.since(newest.timestamp));
        if number <= newest.number {
            return start;
        }
        let off = self.delay.lateness(now - start);
        if self.state == State::Silent {
            // After a pause the sender's time may have stood still, and may have run.
            if !(-Self::MAX_OFF..=DelayEstimate::MAX).contains(&off) {
                self.delay.restart(now, now - start);
            }
        } else if off.abs() > Self::MAX_OFF {
            start = newest.start + newest.len;
        }
        self.newest = Some(Newest {
            number,
            timestamp,
            start,
            len,
        });
        start
    }

    /// The packet that is here and comes first.
    fn head(&self) -> Option<Head> {
        let newest = self.newest?.number;
        (self.next.max(newest - Self::SLOTS + 1)..=newest).find_map(|number| {
            let slot = &self.slots[(number % Self::SLOTS) as usize];
            let payload = slot.payload.as_ref().filter(|_| slot.number == number)?;
            let len = payload.len().clamp(1, Self::MAX_LEN) as i64;
            Some(Head {
                number,
                start: slot.start,
                len,
                has_more: number < newest,
            })
        })
    }

    /// No packet is here: makes sound up for a while.
    fn starve(&mut self) -> Popped {
        match &mut self.state {
            State::Flowing { missing } if *missing < Self::MAX_MISSING => {
                *missing += 1;
                self.must_grow = true;
                Popped::Lost {
                    samples: FRAME_SAMPLES,
                }
            }
            _ => {
                self.state = State::Silent;
                self.must_grow = false;
                Popped::Silence {
                    samples: FRAME_SAMPLES,
                }
            }
        }
    }

    /// Gives up the packet before `head` and says how much sound that is; `None` when what was made
    /// up already reaches to the head.
    fn give_up_next(&mut self, head: &Head, missing: u32) -> Option<usize> {
        self.state = State::Flowing { missing: 0 };
        self.next_start = (self.next_start + i64::from(missing) * Self::FRAME).min(head.start);
        let gap = head.start - self.next_start;
        if gap <= Self::SLACK {
            return None;
        }
        let samples = head.len.min(gap);
        self.next += 1;
        self.next_start += samples;
        self.stats.lost += 1;
        Some(samples as usize)
    }

    /// Whether a packet should be skipped to shorten the delay.
    fn is_too_long(&self, excess: i64, len: i64, now: i64) -> bool {
        let may_skip = now - self.last_skip >= i64::from(SAMPLE_RATE) || excess >= Self::BACKLOG;
        may_skip && excess >= len + Self::SLACK
    }

    fn play(&mut self, head: &Head, now: i64, is_joined: bool) -> Popped {
        let is_joined = is_joined || (self.state != State::Silent && head.number > self.next);
        self.held = now - self.delay.base() - head.start;
        self.state = State::Flowing { missing: 0 };
        self.must_grow = false;
        self.stats.played += 1;
        let payload_type = self.slots[(head.number % Self::SLOTS) as usize].payload_type;
        let payload = self.leave_out(head);
        Popped::Packet {
            payload_type,
            payload,
            is_joined,
        }
    }

    /// Takes a packet out and moves on behind it.
    fn leave_out(&mut self, head: &Head) -> Bytes {
        self.stats.lost += (head.number - self.next).unsigned_abs();
        self.next = head.number + 1;
        self.next_start = head.start + head.len;
        self.slots[(head.number % Self::SLOTS) as usize]
            .payload
            .take()
            .unwrap_or_default()
    }
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    const EMPTY: Self = Self {
        number: -1,
        start: 0,
        payload_type: 0,
        payload: None,
    };
}

/// The packet that comes first.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: i64,
    start: i64,
    len: i64,
    /// Whether others are here behind it.
    has_more: bool,
}
