//! Packet indices: the number behind a sequence number, and which were seen (RFC 3711 §3.3.1, §3.3.2).

use crate::rtp::SeqNo;

/// The newest indices of one stream, of which none is taken twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit *n*: `highest - n` was seen.
    seen: u128,
}

impl Window {
    /// The index of a packet: within half a cycle of the highest. `None` before any was seen, and for one
    /// from before the first cycle.
    pub(super) fn estimate(&self, seq: SeqNo) -> Option<u64> {
        let highest = self.highest?;
        let steps = seq.since(SeqNo(highest as u16));
        highest.checked_add_signed(steps.into())
    }

    /// Whether no index was taken yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.highest.is_none()
    }

    /// Whether an index may be taken: new, and not older than what is remembered.
    pub(super) const fn is_fresh(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => {
                let age = highest - index;
                age < u128::BITS as u64 && self.seen & (1 << age) == 0
            }
            _ => true,
        }
    }

    /// Takes an index.
    pub(super) fn take(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => self.seen |= 1 << (highest - index).min(127),
            Some(highest) => {
                let shift = u32::try_from(index - highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(index: u64) -> Window {
        let mut window = Window::default();
        window.take(index);
        window
    }

    #[test]
    fn the_cycle_is_that_which_brings_the_number_nearest() {
        let window = after(3 << 16 | 0xFFF0);
        assert_eq!(window.estimate(SeqNo(0xFFFF)), Some(3 << 16 | 0xFFFF));
        assert_eq!(window.estimate(SeqNo(2)), Some(4 << 16 | 2));
        assert_eq!(window.estimate(SeqNo(0x9000)), Some(3 << 16 | 0x9000));
        let window = after(4 << 16 | 5);
        assert_eq!(window.estimate(SeqNo(0xFFFE)), Some(3 << 16 | 0xFFFE));
    }

    #[test]
    fn there_is_nothing_before_the_first_cycle() {
        assert_eq!(after(5).estimate(SeqNo(0xFFFE)), None);
    }

    #[test]
    fn each_index_is_taken_once_and_none_that_is_forgotten() {
        let mut window = after(1_000);
        for index in [999, 998, 873] {
            assert!(window.is_fresh(index));
            window.take(index);
            assert!(!window.is_fresh(index));
        }
        assert!(!window.is_fresh(872));
        window.take(1_100);
        assert!(!window.is_fresh(1_000) && !window.is_fresh(999) && window.is_fresh(1_001));
        window.take(100_000);
        assert!(window.is_fresh(99_999) && !window.is_fresh(1_100));
    }
}
