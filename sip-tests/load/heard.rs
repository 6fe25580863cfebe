//! What was heard: how many packets, which are missing, which came late.

use std::time::Duration;

use crate::talk::HEADER;
use crate::voice::number_of;

/// One party's ear, during one call.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Packets that it has sent itself.
    pub sent: u64,
    /// Packets that came.
    received: u64,
    /// By the sequence numbers of who sends.
    stream: Count,
    /// By the numbers in sounds that come back, or come through, untouched.
    sounds: Count,
    /// The quickest packet so far: when it came, less when its sound is due.
    quickest: Option<i128>,
    late: u64,
}

/// Numbers of which each should come once.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    first: Option<u64>,
    last: u64,
    came: u64,
}

/// All parties together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Packets that all have sent.
    pub sent: u64,
    /// Packets that came to all.
    pub received: u64,
    /// Packets that are missing, on either way where that can be told.
    pub lost: u64,
    /// Packets more than 20 ms behind the quickest of their call.
    pub late: u64,
    /// Parties of a call that heard nothing at all.
    pub deaf: usize,
    /// The fewest packets that came to one of the others.
    pub fewest: Option<u64>,
}

impl Line {
    /// Takes a datagram that came at this time of the day.
    pub fn hear(&mut self, datagram: &[u8], came: Option<Duration>) {
        let Some((header, payload)) = datagram.split_at_checked(HEADER) else {
            return;
        };
        // RTCP has packet types from 200 on where RTP has marker and payload type (RFC 5761 §4).
        if header[0] >> 6 != 2 || (192..=223).contains(&header[1]) {
            return;
        }
        self.received += 1;
        let seq = u64::from(u16::from_be_bytes([header[2], header[3]]));
        self.stream.take_wrapping(seq);
        if let Some(number) = number_of(payload) {
            self.sounds.take(u64::from(number));
        }
        let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        // The packets of a key all have the time stamp of its beginning.
        let is_sound = header[1] & 0x7f == 0;
        if let Some(came) = came.filter(|_| is_sound) {
            let transit = came.as_nanos() as i128 - i128::from(timestamp) * NANOS_PER_SAMPLE;
            let quickest = self
                .quickest
                .map_or(transit, |quickest| quickest.min(transit));
            // The time stamps have begun anew: it wraps once in six days.
            let has_jumped = (transit - quickest).abs() > JUMP;
            self.quickest = Some(if has_jumped { transit } else { quickest });
            self.late += u64::from(!has_jumped && transit - quickest > LATE);
        }
    }

    fn lost(&self) -> u64 {
        // The number in the sound counts both ways.
        self.stream.missing().max(self.sounds.missing())
    }
}

impl Count {
    fn take(&mut self, number: u64) {
        self.came += 1;
        self.first = Some(self.first.map_or(number, |first| first.min(number)));
        self.last = self.last.max(number);
    }

    /// Takes the low 16 bits of a number, which is near the last one.
    fn take_wrapping(&mut self, low: u64) {
        let number = if self.first.is_none() {
            low + 0x1_0000
        } else {
            let ahead = (low as u16).wrapping_sub(self.last as u16) as i16;
            self.last.saturating_add_signed(i64::from(ahead))
        };
        self.take(number);
    }

    fn missing(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.last + 1 - first);
        expected.saturating_sub(self.came)
    }
}

impl Heard {
    /// Adds a party, if it ever was in a call.
    pub fn add(&mut self, line: &Line) {
        if line.sent == 0 && line.received == 0 {
            return;
        }
        self.sent += line.sent;
        self.received += line.received;
        self.lost += line.lost();
        self.late += line.late;
        if line.received == 0 {
            self.deaf += 1;
        } else {
            let fewest = self
                .fewest
                .map_or(line.received, |fewest| fewest.min(line.received));
            self.fewest = Some(fewest);
        }
    }
}

const NANOS_PER_SAMPLE: i128 = 125_000;
/// One packet time.
const LATE: i128 = 20_000_000;
const JUMP: i128 = 2_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u16, timestamp: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 0];
        packet.extend(seq.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0; 4 + 160]);
        packet
    }

    #[test]
    fn a_gap_is_lost_also_over_the_wrap_and_disorder_is_not() {
        let mut line = Line::default();
        for seq in [65_533, 65_535, 65_534, 1, 2, 4] {
            line.hear(&packet(seq, 0), None);
        }
        let mut heard = Heard::default();
        heard.add(&line);
        assert_eq!((heard.received, heard.lost, heard.deaf), (6, 2, 0));
    }

    #[test]
    fn a_packet_is_late_by_its_own_time_stamp() {
        let mut line = Line::default();
        for (seq, millis) in [(0, 100), (1, 120), (2, 165), (3, 161)] {
            let came = Duration::from_millis(millis);
            line.hear(&packet(seq, u32::from(seq) * 160), Some(came));
        }
        assert_eq!(line.late, 1);
    }

    #[test]
    fn rtcp_and_rubbish_are_no_sound() {
        let mut line = Line::default();
        line.hear(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None);
        line.hear(&[0x80], None);
        assert_eq!(line.received, 0);
    }
}
