//! The inside of an Opus packet: how many frames of which length it holds (RFC 6716 §3).

use super::RATE;

/// An Opus packet whose lengths have been found to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    octets: &'a [u8],
    /// Samples of one frame, at 16 kHz.
    frame_samples: usize,
    frames: usize,
    /// The first frame; empty when nothing was sent for it.
    first: &'a [u8],
}

/// The longest frame, in octets (RFC 6716 §3.4, R2).
const MAX_FRAME: usize = 1275;
/// The longest packet, 120 ms (RFC 6716 §3.4, R5), in samples at 16 kHz.
pub(super) const MAX_SAMPLES: usize = RATE / 1_000 * 120;

impl<'a> Packet<'a> {
    /// Reads the lengths; `None` when they break one of the rules of RFC 6716 §3.4.
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        let (&toc, rest) = octets.split_first()?;
        let (frames, first) = match toc & 3 {
            0 => (1, rest),
            1 => {
                let (first, second) = rest.split_at(rest.len() / 2);
                (first.len() == second.len()).then_some((2, first))?
            }
            2 => {
                let (length, rest) = frame_length(rest)?;
                (2, rest.get(..length)?)
            }
            _ => many_frames(rest)?,
        };
        let frame_samples = frame_samples(toc);
        (first.len() <= MAX_FRAME && frames * frame_samples <= MAX_SAMPLES).then_some(Self {
            octets,
            frame_samples,
            frames,
            first,
        })
    }

    /// All of it.
    pub(super) const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Samples it holds, at 16 kHz.
    pub(super) const fn samples(&self) -> usize {
        self.frame_samples * self.frames
    }

    /// Samples of a packet before it that it can bring back, at 16 kHz: those of one frame, when the sender has
    /// put them in once more (RFC 6716 §4.2.4); otherwise 0.
    pub(super) fn repeated(&self) -> usize {
        let (toc, Some(flags)) = (self.octets[0], self.first.first()) else {
            return 0;
        };
        let is_celt = toc & 0x80 != 0;
        // One voice activity flag for each 20 ms, then the flag of the repetition; the same for the side of
        // stereo (RFC 6716 §4.2.3).
        let voices = self.frame_samples.div_ceil(RATE / 50);
        let middle = flags >> (7 - voices) & 1;
        let side = if toc & 4 == 0 {
            0
        } else {
            flags >> (6 - 2 * voices) & 1
        };
        if !is_celt && middle | side == 1 {
            self.frame_samples
        } else {
            0
        }
    }
}

/// The frames of a packet that counts them (RFC 6716 §3.2.5), and the first of them.
fn many_frames(rest: &[u8]) -> Option<(usize, &[u8])> {
    let (&count, mut rest) = rest.split_first()?;
    let (frames, has_padding, has_lengths) =
        (usize::from(count & 63), count & 64 != 0, count & 128 != 0);
    if frames == 0 || frames > 48 {
        return None;
    }
    if has_padding {
        let mut padding = 0;
        loop {
            let (&octet, after) = rest.split_first()?;
            rest = after;
            padding += usize::from(octet.min(254));
            if octet < 255 {
                break;
            }
        }
        rest = rest.get(..rest.len().checked_sub(padding)?)?;
    }
    if !has_lengths {
        let length = rest.len() / frames;
        return (length * frames == rest.len()).then_some((frames, &rest[..length]));
    }
    let (mut first, mut sum) = (0, 0);
    for frame in 1..frames {
        let (length, after) = frame_length(rest)?;
        if frame == 1 {
            first = length;
        }
        (sum, rest) = (sum + length, after);
    }
    let last = rest.len().checked_sub(sum)?;
    let first = if frames == 1 { last } else { first };
    (last <= MAX_FRAME).then_some((frames, &rest[..first]))
}

/// A length of one or two octets (RFC 6716 §3.2.1), and what is behind it.
fn frame_length(octets: &[u8]) -> Option<(usize, &[u8])> {
    match octets {
        [short @ 0..252, rest @ ..] => Some((usize::from(*short), rest)),
        [first, second, rest @ ..] => Some((usize::from(*first) + 4 * usize::from(*second), rest)),
        _ => None,
    }
}

/// Samples of a frame at 16 kHz, by the configuration in the first octet (RFC 6716 §3.1, table 2).
fn frame_samples(toc: u8) -> usize {
    const MS: usize = RATE / 1_000;
    let configuration = usize::from(toc >> 3);
    match configuration {
        0..12 => [10, 20, 40, 60][configuration % 4] * MS,
        12..16 => [10, 20][configuration % 2] * MS,
        _ => (MS * 5 / 2) << (configuration % 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(octets: &[u8]) -> Option<usize> {
        Packet::parse(octets).map(|packet| packet.samples())
    }

    #[test]
    fn the_first_octet_tells_the_length_of_a_frame() {
        let ms = |configuration: u8| samples(&[configuration << 3, 1]).unwrap() as f32 / 16.0;
        assert_eq!([0, 1, 2, 3].map(ms), [10.0, 20.0, 40.0, 60.0]);
        assert_eq!([8, 9, 10, 11].map(ms), [10.0, 20.0, 40.0, 60.0]);
        assert_eq!([12, 13, 14, 15].map(ms), [10.0, 20.0, 10.0, 20.0]);
        assert_eq!([16, 17, 18, 19].map(ms), [2.5, 5.0, 10.0, 20.0]);
        assert_eq!([28, 29, 30, 31].map(ms), [2.5, 5.0, 10.0, 20.0]);
    }

    #[test]
    fn frames_are_counted_in_all_four_ways() {
        const TWENTY_MS: u8 = 9 << 3;
        assert_eq!(samples(&[TWENTY_MS]), Some(320), "nothing was sent");
        assert_eq!(samples(&[TWENTY_MS | 1, 7, 8]), Some(640));
        assert_eq!(samples(&[TWENTY_MS | 2, 1, 7, 8, 9]), Some(640));
        assert_eq!(samples(&[TWENTY_MS | 3, 6, 1, 2, 3, 4, 5, 6]), Some(1_920));
        let with_lengths = [TWENTY_MS | 3, 128 | 3, 1, 2, 7, 8, 8, 9, 9, 9];
        assert_eq!(samples(&with_lengths), Some(960));
        assert_eq!(Packet::parse(&with_lengths).unwrap().first, [7]);
        let padded = [TWENTY_MS | 3, 64 | 1, 2, 7, 7, 0, 0];
        assert_eq!(Packet::parse(&padded).unwrap().first, [7, 7]);
    }

    #[test]
    fn packets_against_the_rules_are_refused() {
        const TWENTY_MS: u8 = 9 << 3;
        for wrong in [
            &[][..],
            &[TWENTY_MS | 1, 7],
            &[TWENTY_MS | 2],
            &[TWENTY_MS | 2, 5, 1],
            &[TWENTY_MS | 2, 252],
            &[TWENTY_MS | 3],
            &[TWENTY_MS | 3, 0],
            &[TWENTY_MS | 3, 7, 1, 1, 1, 1, 1, 1, 1],
            &[TWENTY_MS | 3, 2, 1],
            &[TWENTY_MS | 3, 64 | 1, 9, 1],
            &[TWENTY_MS | 3, 64 | 1, 255, 255],
            &[TWENTY_MS | 3, 128 | 2, 9, 1],
            &[TWENTY_MS; 1_277],
        ] {
            assert_eq!(
                Packet::parse(wrong),
                None,
                "{:?}",
                &wrong[..wrong.len().min(9)]
            );
        }
    }

    #[test]
    fn the_flag_of_a_repetition_is_found_behind_those_of_the_voice() {
        let repeated = |configuration: u8, stereo: u8, flags: u8| {
            let octets = [configuration << 3 | stereo << 2, flags];
            Packet::parse(&octets).unwrap().repeated()
        };
        assert_eq!(repeated(9, 0, 0b1100_0000), 320);
        assert_eq!(repeated(9, 0, 0b1010_0000), 0);
        assert_eq!(repeated(8, 0, 0b0100_0000), 160);
        assert_eq!(repeated(11, 0, 0b0001_0000), 960);
        assert_eq!(repeated(9, 1, 0b0001_0000), 320, "of the side");
        assert_eq!(repeated(19, 0, 0xFF), 0, "a frame of CELT");
    }
}
