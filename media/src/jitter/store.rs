//! Where packets wait: a ring of places by number, and a ring of octets that their payloads lie in.
//!
//! Both are made for packets of 20 ms and grow when the stream needs it: with its first packets, or with
//! another codec or packet time. Nothing else is ever allocated.

use std::time::Instant;

use super::{FRAME, Ticks};
use crate::codec::Codec;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Sound.
    Sound(Codec),
    /// What the line sounds like while nobody speaks (RFC 3389).
    Noise,
    /// No sound, but a packet with a number, as a telephone-event is.
    Other,
}

/// A packet in its place. It stays when the packet is played, so that a duplicate is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) number: i64,
    pub(super) start: Ticks,
    /// Nothing for noise.
    pub(super) len: u16,
    pub(super) content: Content,
    pub(super) is_waiting: bool,
    /// It came inside a later packet, to stand in for one that is lost (RFC 2198).
    pub(super) is_redundant: bool,
    pub(super) arrival: Option<Instant>,
    octets: u16,
    at: u32,
}

/// All packets of one stream that are here.
#[derive(Debug)]
pub(super) struct Store {
    slots: Box<[Slot]>,
    octets: Box<[u8]>,
    /// Octets written so far; where the next are written, with the turns of the ring.
    written: u32,
}

impl Store {
    /// So much sound has a place, whatever the packet time is (640 ms) …
    const SLOTS_SPAN: Ticks = 32 * FRAME;
    /// … and so much of it has room for its octets (400 ms).
    const OCTETS_SPAN: Ticks = 20 * FRAME;
    const MIN_SLOTS: usize = 32;
    const MAX_SLOTS: usize = 256;
    /// 400 ms of G.711 and some more; always a power of two.
    const MIN_OCTETS: usize = 4_096;
    const MAX_OCTETS: usize = 32_768;
    /// Octets of the longest payload that is kept: 200 ms of 16 kHz.
    pub(super) const MAX_PAYLOAD: usize = 6_400;

    pub(super) fn new() -> Self {
        Self {
            slots: vec![Slot::EMPTY; Self::MIN_SLOTS].into(),
            octets: vec![0; Self::MIN_OCTETS].into(),
            written: 0,
        }
    }

    /// Packets that fit.
    pub(super) fn capacity(&self) -> i64 {
        self.slots.len() as i64
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::EMPTY);
    }

    /// The place of a number, whoever is in it now.
    pub(super) fn slot(&self, number: i64) -> &Slot {
        &self.slots[self.index(number)]
    }

    /// The packet of this number, if it waits and its octets are still there.
    pub(super) fn waiting(&self, number: i64) -> Option<&Slot> {
        let slot = self.slot(number);
        let is_here = slot.is_waiting && slot.number == number;
        (is_here && self.is_whole(slot)).then_some(slot)
    }

    /// The payload of a packet; empty when newer ones lie over it.
    pub(super) fn payload(&self, slot: &Slot) -> &[u8] {
        if !self.is_whole(slot) {
            return &[];
        }
        let begin = slot.at as usize & (self.octets.len() - 1);
        &self.octets[begin..begin + usize::from(slot.octets)]
    }

    /// Puts a packet in its place, over whoever is in it.
    pub(super) fn put(&mut self, mut slot: Slot, payload: &[u8]) {
        let payload = &payload[..payload.len().min(Self::MAX_PAYLOAD)];
        self.make_room(Ticks::from(slot.len), payload.len());
        let turn = self.octets.len() as u32;
        let left = turn - (self.written & (turn - 1));
        if payload.len() as u32 > left {
            self.written = self.written.wrapping_add(left);
        }
        slot.at = self.written;
        slot.octets = payload.len() as u16;
        let begin = slot.at as usize & (self.octets.len() - 1);
        self.octets[begin..begin + payload.len()].copy_from_slice(payload);
        self.written = self.written.wrapping_add(payload.len() as u32);
        self.slots[self.index(slot.number)] = slot;
    }

    /// Takes a packet out; its octets stay until others lie over them.
    pub(super) fn take(&mut self, number: i64) {
        let index = self.index(number);
        self.slots[index].is_waiting = false;
    }

    /// Octets it has beside itself.
    #[cfg(test)]
    pub(super) fn heap_octets(&self) -> usize {
        size_of_val(&*self.slots) + self.octets.len()
    }

    fn index(&self, number: i64) -> usize {
        number as usize & (self.slots.len() - 1)
    }

    fn is_whole(&self, slot: &Slot) -> bool {
        self.written.wrapping_sub(slot.at) as usize <= self.octets.len()
    }

    /// Sees to it that packets as long as this one fit.
    fn make_room(&mut self, len: Ticks, payload: usize) {
        let fits = len * self.capacity() >= Self::SLOTS_SPAN
            && payload as i64 * Self::OCTETS_SPAN <= self.octets.len() as i64 * len;
        if fits || len == 0 {
            return;
        }
        let slots = (Self::SLOTS_SPAN / len).unsigned_abs() as usize;
        let slots = slots.next_power_of_two().min(Self::MAX_SLOTS);
        if slots > self.slots.len() {
            let old = std::mem::replace(&mut self.slots, vec![Slot::EMPTY; slots].into());
            for slot in old.iter().filter(|slot| slot.number >= 0) {
                self.slots[self.index(slot.number)] = *slot;
            }
        }
        let octets = payload * (Self::OCTETS_SPAN / len).unsigned_abs() as usize;
        let octets = octets.next_power_of_two().min(Self::MAX_OCTETS);
        if octets > self.octets.len() {
            let old = std::mem::replace(&mut self.octets, vec![0; octets].into());
            // A turn of the new ring begins where one of the old one did, so that no payload is torn.
            for back in 1..=old.len() as u32 {
                let at = self.written.wrapping_sub(back) as usize;
                self.octets[at & (octets - 1)] = old[at & (old.len() - 1)];
            }
        }
    }
}

impl Slot {
    const EMPTY: Self = Self {
        number: -1,
        start: 0,
        len: 0,
        content: Content::Other,
        is_waiting: false,
        is_redundant: false,
        arrival: None,
        octets: 0,
        at: 0,
    };

    /// A packet that waits.
    pub(super) const fn new(number: i64, start: Ticks, len: Ticks, content: Content) -> Self {
        Self {
            number,
            start,
            len: len as u16,
            content,
            is_waiting: true,
            ..Self::EMPTY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(number: i64, len: Ticks) -> Slot {
        Slot::new(number, number * len, len, Content::Sound(Codec::Pcmu))
    }

    #[test]
    fn a_packet_is_whole_until_400_ms_of_newer_ones_lie_over_it() {
        let mut store = Store::new();
        for number in 0..1_000 {
            store.put(sound(number, FRAME), &[number as u8; 160]);
            for back in 0..20.min(number) {
                let number = number - back;
                let slot = *store.waiting(number).unwrap();
                assert_eq!(store.payload(&slot), &[number as u8; 160]);
            }
        }
        assert_eq!(
            (store.slots.len(), store.octets.len()),
            (Store::MIN_SLOTS, Store::MIN_OCTETS)
        );
        assert!(store.waiting(1_000 - 30).is_none());
    }

    #[test]
    fn longer_payloads_and_shorter_packets_make_it_grow_and_lose_nothing() {
        let mut store = Store::new();
        for number in 0..20 {
            store.put(sound(number, FRAME), &[number as u8; 160]);
        }
        for number in 20..40 {
            store.put(sound(number, FRAME / 4), &[number as u8; 160]);
        }
        for number in 0..40 {
            let slot = *store.waiting(number).unwrap();
            assert_eq!(store.payload(&slot), &[number as u8; 160], "{number}");
        }
        assert_eq!((store.slots.len(), store.octets.len()), (128, 16_384));
        for number in 40..50 {
            store.put(sound(number, 1), &[1; Store::MAX_PAYLOAD]);
        }
        assert_eq!(
            (store.slots.len(), store.octets.len()),
            (Store::MAX_SLOTS, Store::MAX_OCTETS)
        );
    }

    #[test]
    fn what_is_taken_is_known_and_does_not_wait() {
        let mut store = Store::new();
        store.put(sound(7, FRAME), &[1; 160]);
        store.take(7);
        assert!(store.waiting(7).is_none());
        assert_eq!(store.slot(7).number, 7);
        store.clear();
        assert_ne!(store.slot(7).number, 7);
    }
}
