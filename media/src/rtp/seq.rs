//! Sequence numbers: extended past their wrap, and proof that a source is one (RFC 3550 §A.1).

/// A sequence number as it travels; wraps every 22 minutes at 50 packets a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Steps from `earlier` to here; negative when `earlier` is really later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// What a sequence number says about its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The source is not proven yet, or jumped and has to prove the new place first: do not play it.
    Probation,
    /// Valid and part of the known sequence; the number with its wraps counted.
    InSequence(u64),
    /// Valid, and the start of a sequence: the source has just been proven or has restarted, so
    /// whatever was kept from before belongs to another stream.
    Restarted(u64),
}

impl Extended {
    /// Whether the packet may be used.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        !matches!(self, Self::Probation)
    }
}

/// Follows the sequence numbers of one source (RFC 3550 §A.1).
#[derive(Clone, Debug)]
pub struct SequenceTracker {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// So many packets in sequence are still missing until the source counts as one.
    Probation {
        missing: u8,
        next: Option<SeqNo>,
    },
    Valid(Sequence),
}

#[derive(Clone, Debug)]
struct Sequence {
    /// First number, extended.
    base: u64,
    /// Highest number, extended.
    highest: u64,
    received: u64,
    /// Where a jump led: a second packet right after it proves a restart.
    after_jump: Option<SeqNo>,
}

impl SequenceTracker {
    /// A source must send this many packets in sequence before it is believed.
    pub const MIN_SEQUENTIAL: u8 = 2;
    /// A gap of so many packets (a minute) is a loss and not a restart.
    const MAX_DROPOUT: u16 = 3_000;
    /// A packet so many places old (two seconds) is reordered and not a restart.
    const MAX_MISORDER: u16 = 100;

    /// A source that is believed after `sequential` packets in sequence; 1 believes the first.
    #[must_use]
    pub const fn new(sequential: u8) -> Self {
        Self {
            state: State::Probation {
                missing: sequential,
                next: None,
            },
        }
    }

    /// Takes the number of a packet that came.
    pub fn update(&mut self, sequence: SeqNo) -> Extended {
        match &mut self.state {
            State::Probation { missing, next } => {
                if *next != Some(sequence) && next.is_some() {
                    *missing = Self::MIN_SEQUENTIAL;
                }
                *missing = missing.saturating_sub(1);
                *next = Some(sequence.next());
                if *missing > 0 {
                    return Extended::Probation;
                }
                let started = Sequence::starting_at(sequence);
                let extended = started.highest;
                self.state = State::Valid(started);
                Extended::Restarted(extended)
            }
            State::Valid(known) => known.update(sequence),
        }
    }

    /// Highest number so far with its wraps, as a report block carries it; 0 before the first.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.valid().map_or(0, |known| known.highest)
    }

    /// Packets counted as received, duplicates too.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.valid().map_or(0, |known| known.received)
    }

    /// Packets that a source without loss would have sent until now.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.valid()
            .map_or(0, |known| known.highest - known.base + 1)
    }

    fn valid(&self) -> Option<&Sequence> {
        match &self.state {
            State::Probation { .. } => None,
            State::Valid(known) => Some(known),
        }
    }
}

impl Default for SequenceTracker {
    fn default() -> Self {
        Self::new(Self::MIN_SEQUENTIAL)
    }
}

impl Sequence {
    fn starting_at(sequence: SeqNo) -> Self {
        // One cycle up, so that a packet reordered before the first one has a number too.
        let first = u64::from(sequence.0) + (1 << 16);
        Self {
            base: first,
            highest: first,
            received: 1,
            after_jump: None,
        }
    }

    fn update(&mut self, sequence: SeqNo) -> Extended {
        let forward = sequence.0.wrapping_sub(self.highest as u16);
        let backward = forward.wrapping_neg();
        if forward < SequenceTracker::MAX_DROPOUT {
            self.highest += u64::from(forward);
            self.received += 1;
            self.after_jump = None;
            Extended::InSequence(self.highest)
        } else if backward <= SequenceTracker::MAX_MISORDER {
            self.received += 1;
            Extended::InSequence(self.highest - u64::from(backward))
        } else if self.after_jump == Some(sequence) {
            *self = Self::starting_at(sequence);
            Extended::Restarted(self.highest)
        } else {
            self.after_jump = Some(sequence.next());
            Extended::Probation
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn following(start: u16) -> SequenceTracker {
        let mut tracker = SequenceTracker::new(1);
        tracker.update(SeqNo(start));
        tracker
    }

    #[test]
    fn a_source_is_believed_at_its_second_packet_in_sequence() {
        let mut tracker = SequenceTracker::default();
        assert_eq!(tracker.update(SeqNo(7)), Extended::Probation);
        assert_eq!(tracker.update(SeqNo(99)), Extended::Probation);
        assert_eq!(tracker.update(SeqNo(100)), Extended::Restarted(0x1_0064));
        assert_eq!(tracker.update(SeqNo(101)), Extended::InSequence(0x1_0065));
        assert_eq!((tracker.received(), tracker.expected()), (2, 2));
    }

    #[test]
    fn the_wrap_is_counted() {
        let mut tracker = following(0xFFFE);
        let seen: Vec<_> = [0xFFFF, 0, 2, 1]
            .map(|number| tracker.update(SeqNo(number)))
            .into();
        let extended = [0x1_FFFF, 0x2_0000, 0x2_0002, 0x2_0001].map(Extended::InSequence);
        assert_eq!(seen, extended);
        assert_eq!((tracker.received(), tracker.expected()), (5, 5));
    }

    #[test]
    fn a_packet_before_the_first_is_no_harm() {
        let mut tracker = following(0);
        assert_eq!(tracker.update(SeqNo(0xFFFF)), Extended::InSequence(0xFFFF));
        assert_eq!(tracker.expected(), 1);
    }

    #[test]
    fn one_stray_packet_is_dropped_and_two_in_sequence_are_a_restart() {
        let mut tracker = following(1_000);
        assert_eq!(tracker.update(SeqNo(20_000)), Extended::Probation);
        assert_eq!(tracker.update(SeqNo(1_001)), Extended::InSequence(0x1_03E9));
        assert_eq!(tracker.update(SeqNo(20_000)), Extended::Probation);
        assert_eq!(tracker.update(SeqNo(20_001)), Extended::Restarted(0x1_4E21));
        assert_eq!(tracker.expected(), 1);
    }

    proptest! {
        #[test]
        fn any_numbers_keep_the_counts_sane(numbers in prop::collection::vec(any::<u16>(), 0..300)) {
            let mut tracker = SequenceTracker::default();
            for number in numbers {
                if let Extended::InSequence(extended) | Extended::Restarted(extended) = tracker.update(SeqNo(number)) {
                    prop_assert_eq!(extended as u16, number);
                    prop_assert!(extended <= tracker.highest());
                }
            }
        }
    }
}
