//! What the parties of a load say: noise at the level of speech, and perhaps a key.

use std::time::Duration;

use crate::talk::{FRAME, HEADER, PACKET, PTIME};

/// What each party says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speech {
    /// Nothing but the first packet, which tells a server behind which address it is.
    Hello,
    /// Speech without pause.
    Talk,
    /// Speech, and one key by RFC 4733 after this time.
    Key(Duration),
}

/// Makes the packets of all parties.
pub struct Voice {
    speech: Speech,
    /// Frames of noise, µ-law.
    frames: Vec<[u8; FRAME]>,
    packet: [u8; PACKET],
}

impl Voice {
    pub fn new(speech: Speech) -> Self {
        // A generator of Marsaglia's: the sound only has to be the same in each run and no tone.
        let mut state = 0x2545_f491_u32;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let frames = (0..FRAMES).map(|_| {
            std::array::from_fn(|_| {
                let bits = noise();
                // Either sign, in the segments around a tenth of full scale.
                let sign = (bits >> 8) as u8 & 0x80;
                sign | (0x20 + (bits >> 16) as u8 % 0x20)
            })
        });
        Self {
            speech,
            frames: frames.collect(),
            packet: [0; PACKET],
        }
    }

    /// What party `who` sends in the slot after `sent` others.
    pub fn packets(&mut self, who: usize, sent: u32, mut send: impl FnMut(&[u8])) {
        match self.speech {
            Speech::Hello if sent > 0 => {}
            Speech::Key(after) => match slots_since(after, sent) {
                Some(part) if part < KEY_PARTS => {
                    // The end is told three times (RFC 4733 §2.5.1.4).
                    let times = if part + 1 == KEY_PARTS { END_TIMES } else { 1 };
                    for time in 0..times {
                        send(&key(who, sent, part, time));
                    }
                }
                Some(_) => send(self.sound(who, sent, sent + END_TIMES - 1, sent - KEY_PARTS)),
                None => send(self.sound(who, sent, sent, sent)),
            },
            _ => send(self.sound(who, sent, sent, sent)),
        }
    }

    /// The sound of a slot, as packet `seq` and as sound `number` of all.
    fn sound(&mut self, who: usize, slot: u32, seq: u32, number: u32) -> &[u8] {
        let frame = &self.frames[(who + slot as usize) % FRAMES];
        let header = header(who, seq, slot, if slot == 0 { 0x80 } else { 0 });
        self.packet[..HEADER].copy_from_slice(&header);
        self.packet[HEADER..].copy_from_slice(frame);
        self.packet[HEADER..HEADER + MARK].copy_from_slice(&mark(number));
        &self.packet
    }
}

/// Part of the key 2, as RFC 4733 §2.3 writes it.
fn key(who: usize, sent: u32, part: u32, time: u32) -> [u8; HEADER + 4] {
    let mut packet = [0; HEADER + 4];
    let marker = if part == 0 { 0x80 } else { 0 };
    packet[..HEADER].copy_from_slice(&header(who, sent + time, sent - part, marker | EVENT));
    let end = if part + 1 == KEY_PARTS { 0x80 } else { 0 };
    let duration = ((part + 1) * FRAME as u32).to_be_bytes();
    packet[HEADER..].copy_from_slice(&[2, end | 10, duration[2], duration[3]]);
    packet
}

/// The number of a sound that its party has sent before, when the sound came untouched.
pub fn number_of(payload: &[u8]) -> Option<u32> {
    let mark = payload.get(..MARK)?;
    let (magic, number) = mark.split_at(MAGIC.len());
    let number = number
        .iter()
        .fold(0, |sum, nibble| sum << 4 | u32::from(nibble & 0x0f));
    (magic == MAGIC).then_some(number)
}

/// A few octets of a sound that say which it is; all at the level of the noise around them.
fn mark(number: u32) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..MAGIC.len()].copy_from_slice(&MAGIC);
    for (at, octet) in mark[MAGIC.len()..].iter_mut().enumerate() {
        *octet = 0x30 | (number >> (28 - 4 * at) & 0x0f) as u8;
    }
    mark
}

/// RFC 3550 §5.1; `kind` is the payload type with the marker bit before it.
fn header(who: usize, seq: u32, slot: u32, kind: u8) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = 0x80;
    header[1] = kind;
    header[2..4].copy_from_slice(&(seq as u16).to_be_bytes());
    header[4..8].copy_from_slice(&(slot * FRAME as u32).to_be_bytes());
    header[8..].copy_from_slice(&(who as u32 + 1).to_be_bytes());
    header
}

/// How many slots ago something began that begins `after` so much time.
fn slots_since(after: Duration, sent: u32) -> Option<u32> {
    let begin = u32::try_from(after.as_millis() / PTIME.as_millis()).unwrap_or(u32::MAX);
    sent.checked_sub(begin)
}

const FRAMES: usize = 50;
/// The payload type of RFC 4733 in `caller.xml`.
const EVENT: u8 = 101;
/// A key of 100 ms.
const KEY_PARTS: u32 = 5;
const END_TIMES: u32 = 3;
const MAGIC: [u8; 4] = [0x31, 0xb7, 0x2a, 0xbd];
const MARK: usize = MAGIC.len() + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_says_its_number() {
        let mut voice = Voice::new(Speech::Talk);
        for number in [0, 1, 49, 50, 70_000] {
            voice.packets(3, number, |packet| {
                assert_eq!(packet.len(), PACKET);
                assert_eq!(number_of(&packet[HEADER..]), Some(number));
            });
        }
        assert_eq!(number_of(&[0xff; FRAME]), None);
        assert_eq!(number_of(&[0x31]), None);
    }

    #[test]
    fn a_key_takes_five_slots_and_ends_three_times() {
        let mut voice = Voice::new(Speech::Key(Duration::from_millis(100)));
        let (mut lengths, mut numbers) = (Vec::new(), Vec::new());
        for sent in 4..11 {
            voice.packets(0, sent, |packet| {
                lengths.push(packet.len());
                numbers.push(packet[3]);
            });
        }
        assert_eq!(lengths, [172, 16, 16, 16, 16, 16, 16, 16, 172]);
        assert_eq!(numbers, [4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }
}
