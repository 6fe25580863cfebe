//! Which of what came back is which of what was sent, and how long it took.
//!
//! First by the payload: a peer that relays or echoes packets leaves it as it is. A peer that decodes it, mixes,
//! buffers and cuts it anew does not; then its sound is laid out by its RTP time stamps, and each frame that
//! was sent is searched in it by correlation. A sample counts as come with its packet, plus its place in it; so
//! both ways mean the same.

use std::collections::HashMap;
use std::time::Duration;

use flowswitch_media::codec::G711;

use super::noise::{FRAME, frame};

/// A packet that was sent: frame `n` of the noise for the `n`th.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Wall time since the Unix epoch.
    pub(super) at: Duration,
}

/// A packet of sound that came.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// Wall time since the Unix epoch, as the kernel stamped it.
    pub(super) at: Duration,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// By its payload type, which may be the other one of those offered.
    pub(super) law: G711,
    pub(super) payload: Vec<u8>,
}

/// By what packets were known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Payload,
    Correlation,
}

/// How long each frame took that came back.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) by: By,
    /// By the number of the frame; `None` for one that did not come back.
    pub(super) delays: Vec<Option<Duration>>,
}

/// Finds what was sent by `law` in what was heard, by the better of both ways.
pub(super) fn find(sent: &[Sent], heard: &[Heard], law: G711) -> Found {
    let exact = by_payload(sent, heard, law);
    let count = exact.iter().flatten().count();
    if 2 * count >= sent.len().min(heard.len()) {
        return Found {
            by: By::Payload,
            delays: exact,
        };
    }
    let delays = by_correlation(sent, &Track::new(heard), law);
    if delays.iter().flatten().count() > count {
        Found {
            by: By::Correlation,
            delays,
        }
    } else {
        Found {
            by: By::Payload,
            delays: exact,
        }
    }
}

fn by_payload(sent: &[Sent], heard: &[Heard], law: G711) -> Vec<Option<Duration>> {
    let numbers: HashMap<[u8; FRAME], usize> = (0..sent.len())
        .map(|number| (frame(number as u32, law).1, number))
        .collect();
    let mut delays = vec![None; sent.len()];
    for packet in heard {
        let payload: Option<[u8; FRAME]> = packet.payload.as_slice().try_into().ok();
        let Some(number) = payload.and_then(|payload| numbers.get(&payload)) else {
            continue;
        };
        let delay = packet.at.saturating_sub(sent[*number].at);
        // Of a packet that comes twice the first counts.
        let first: &mut Option<Duration> = &mut delays[*number];
        *first = Some(first.map_or(delay, |first| first.min(delay)));
    }
    delays
}

fn by_correlation(sent: &[Sent], track: &Track, law: G711) -> Vec<Option<Duration>> {
    let search = |number: usize, from: Duration, to: Duration| {
        let at = sent[number].at;
        let template = frame(number as u32, law).0;
        let place = track.search(&template, at + from, at + to)?;
        Some(track.came(place)?.saturating_sub(at))
    };
    // A few frames over the whole of the call tell about where the others are to be sought.
    let step = (sent.len() / SCOUTS).max(1);
    let scouts = (0..sent.len()).step_by(step);
    let mut found: Vec<Duration> = scouts
        .filter_map(|number| search(number, Duration::ZERO, LONGEST))
        .collect();
    found.sort_unstable();
    let Some((least, most)) = found.first().zip(found.last()) else {
        return vec![None; sent.len()];
    };
    let (least, most) = (least.saturating_sub(SLACK), *most + SLACK);
    (0..sent.len())
        .map(|number| search(number, least, most))
        .collect()
}

/// The sound that came, laid out by its time stamps, with silence where nothing did.
struct Track {
    samples: Vec<f32>,
    /// First sample of each packet, in order, and when it came.
    packets: Vec<(usize, Duration)>,
}

impl Track {
    fn new(heard: &[Heard]) -> Self {
        let mut track = Self {
            samples: Vec::new(),
            packets: Vec::with_capacity(heard.len()),
        };
        let Some(first) = heard.first() else {
            return track;
        };
        for packet in heard {
            // What is before the first or far behind the rest has a time stamp that jumped.
            let offset = packet.timestamp.wrapping_sub(first.timestamp) as usize;
            let end = offset.saturating_add(packet.payload.len());
            if end > track.samples.len() + GAP {
                continue;
            }
            if end > track.samples.len() {
                track.samples.resize(end, 0.0);
            }
            let mut samples = vec![0; packet.payload.len()];
            packet.law.decode(&packet.payload, &mut samples);
            for (place, sample) in track.samples[offset..end].iter_mut().zip(samples) {
                *place = f32::from(sample);
            }
            track.packets.push((offset, packet.at));
        }
        track.packets.sort_unstable();
        track
    }

    /// Where `template` begins among what came between the two times, if it is there.
    fn search(&self, template: &[i16; FRAME], from: Duration, to: Duration) -> Option<usize> {
        let first = self.packets.partition_point(|(_, at)| *at < from);
        let begin = self.packets.get(first)?.0;
        let behind = self.packets.partition_point(|(_, at)| *at <= to);
        let end = self.packets.get(behind.checked_sub(1)?)?.0 + FRAME;
        // It may begin within the packet before.
        let begin = begin.saturating_sub(FRAME);
        let range = self.samples.get(begin..end.min(self.samples.len()))?;
        let template = template.map(f32::from);
        let power: f32 = template.iter().map(|sample| sample * sample).sum();
        let mut best = (LIKENESS, None);
        let mut energy: f32 = range.iter().take(FRAME).map(|sample| sample * sample).sum();
        for (place, window) in range.windows(FRAME).enumerate() {
            let product: f32 = window
                .iter()
                .zip(&template)
                .map(|(one, other)| one * other)
                .sum();
            let likeness = product / (energy.max(1.0) * power).sqrt();
            if likeness > best.0 {
                best = (likeness, Some(begin + place));
            }
            if let Some(next) = range.get(place + FRAME) {
                energy += next * next - window[0] * window[0];
            }
        }
        best.1
    }

    /// When the sample at `place` came.
    fn came(&self, place: usize) -> Option<Duration> {
        let after = self.packets.partition_point(|(offset, _)| *offset <= place);
        let (offset, at) = self.packets.get(after.checked_sub(1)?)?;
        Some(*at + SAMPLE * u32::try_from(place - offset).ok()?)
    }
}

/// Frames that are sought everywhere.
const SCOUTS: usize = 12;
/// The longest round trip that is looked for; an echo that comes later is no talk any more.
const LONGEST: Duration = Duration::from_secs(3);
/// How far beside what the scouts found the others are sought.
const SLACK: Duration = Duration::from_millis(60);
/// Correlation of two frames that are one: of others that are noise it stays under 0.4, of one that was coded
/// anew it is above 0.9.
const LIKENESS: f32 = 0.6;
/// Samples that may be missing on end: ten seconds.
const GAP: usize = 80_000;
/// One, at 8 kHz.
const SAMPLE: Duration = Duration::from_micros(125);

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: G711 = G711::Ulaw;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    fn sent(count: u64) -> Vec<Sent> {
        (0..count).map(|n| Sent { at: millis(20 * n) }).collect()
    }

    fn packet(number: u64, at: Duration, law: G711, payload: Vec<u8>) -> Heard {
        Heard {
            at,
            sequence: number as u16,
            timestamp: 77 + 160 * number as u32,
            law,
            payload,
        }
    }

    /// What was sent as the peer hears it, and silence behind.
    fn sound(count: u64) -> Vec<i16> {
        let mut sound: Vec<i16> = (0..count).flat_map(|n| frame(n as u32, LAW).0).collect();
        sound.resize(sound.len() + 2 * FRAME, 0);
        sound
    }

    #[test]
    fn echoed_packets_are_found_by_their_payload() {
        let heard: Vec<Heard> = (0..50)
            .filter(|n| n % 10 != 9)
            .map(|n| packet(n, millis(20 * n + 3), LAW, frame(n as u32, LAW).1.to_vec()))
            .collect();
        let found = find(&sent(50), &heard, LAW);
        assert_eq!(found.by, By::Payload);
        assert_eq!(found.delays.iter().flatten().count(), 45);
        assert_eq!(found.delays[9], None);
        assert_eq!(found.delays[10], Some(Duration::from_millis(3)));
    }

    #[test]
    fn an_echo_that_is_cut_and_coded_anew_is_found_by_correlation() {
        // The peer holds the sound for 47 ms, 7 of which shift it within its own frames, and speaks A-law.
        let mut late = vec![0; 7 * 8];
        late.extend(sound(50));
        let heard: Vec<Heard> = (0..)
            .zip(late.chunks_exact(FRAME))
            .map(|(n, chunk)| {
                packet(
                    n,
                    millis(20 * n + 40),
                    G711::Alaw,
                    G711::Alaw.encode_all(chunk),
                )
            })
            .collect();
        let found = find(&sent(50), &heard, LAW);
        assert_eq!(found.by, By::Correlation);
        assert_eq!(found.delays.iter().flatten().count(), 50);
        for delay in found.delays.iter().flatten() {
            assert_eq!(*delay, Duration::from_millis(47));
        }
    }

    #[test]
    fn another_sound_is_no_echo() {
        let heard: Vec<Heard> = (0..50)
            .map(|n| {
                packet(
                    n,
                    millis(20 * n),
                    LAW,
                    frame(n as u32 + 1_000, LAW).1.to_vec(),
                )
            })
            .collect();
        let found = find(&sent(50), &heard, LAW);
        assert_eq!(found.delays.iter().flatten().count(), 0);
    }
}
