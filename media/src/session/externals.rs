//! Externals: who hears a session beside its peer, or speaks into it.
//!
//! ```text
//!   peer ---> + what they say in its place ---> recording, ears, bridge
//!                                                 | prompts, keys, the others
//!   peer <--- + what they say in ours <-----------'
//! ```
//!
//! Each tick every external gives 20 ms of what it has said, and is given 20 ms of whom it listens to, without
//! its own voice. What it says waits here until its time: a little at first, so that packets that come
//! unevenly leave no holes, and never much, because what waits is late. Silence goes unmarked; where
//! sound ends too early it fades. They speak and hear the narrow band; to those who have more they are doubled.

use std::time::Instant;

use super::Session;
use crate::command::{Event, ExternalConfig, ExternalId, ExternalStats, MediaError, Sides};
use crate::dsp::joint;
use crate::dsp::resample::Doubler;
use crate::frame::{Band, FRAME_SAMPLES, Frame, Sound, WIDE_SAMPLES};
use crate::outbox::Outbox;

/// Externals of one session at once.
const MAX_EXTERNALS: usize = 5;

/// What may wait of one: 200 ms; of more the oldest goes.
const CAPACITY: usize = 10 * FRAME_SAMPLES;

/// What has to wait before it is heard: 40 ms.
const PRIMED: usize = 2 * FRAME_SAMPLES;

/// Ticks after which less than that is heard as well: nothing more seems to come.
const PATIENCE: u8 = 2;

/// Those of one session.
#[derive(Debug, Default)]
pub(super) struct Externals {
    present: Vec<External>,
    /// Of this tick; there as soon as one is.
    sounds: Option<Box<Sounds>>,
}

#[derive(Debug)]
struct External {
    id: ExternalId,
    listen: Option<Sides>,
    speak: Option<Sides>,
    waiting: Waiting,
    /// What it says in this tick.
    frame: Frame,
    frames: u64,
}

/// What both sides of a session say in one tick.
#[derive(Debug)]
struct Sounds {
    peer: Frame,
    /// Said in the place of the peer.
    for_peer: [i32; FRAME_SAMPLES],
    /// The peer's place is not muted.
    is_peer_open: bool,
    us: Frame,
    /// Said in ours.
    for_us: [i32; FRAME_SAMPLES],
    /// Whether they were heard: nobody speaks over a key.
    are_over_us: bool,
    /// Whether we said anything.
    is_said: bool,
    /// For peers and others who have the wide band.
    doublers: [Doubler; 2],
}

/// What an external has said and nobody has heard yet.
#[derive(Debug)]
struct Waiting {
    samples: Box<[i16; CAPACITY]>,
    begin: usize,
    len: usize,
    is_flowing: bool,
    /// Ticks that the first sample has waited.
    ticks: u8,
    heard: u64,
    dropped: u64,
}

impl Externals {
    pub(super) const fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Whether the peer may hear one of them.
    pub(super) fn speak_to_peer(&self) -> bool {
        self.present.iter().any(External::speaks_for_us)
    }

    /// The peer has said `sound`: puts over it what they say in its place, and tells whether that is anything.
    pub(super) fn speak(&mut self, sound: &mut Sound, is_peer_open: bool) -> bool {
        let Some(sounds) = &mut self.sounds else {
            return false;
        };
        let frame = &mut sound.narrow;
        sounds.peer = *frame;
        sounds.is_peer_open = is_peer_open;
        sounds.for_peer.fill(0);
        sounds.for_us.fill(0);
        let mut is_heard = false;
        for external in &mut self.present {
            if !external.waiting.take(&mut external.frame) {
                continue;
            }
            if external.speaks_for_peer() && is_peer_open {
                is_heard = true;
                add(&mut sounds.for_peer, &external.frame);
            }
            if external.speaks_for_us() {
                add(&mut sounds.for_us, &external.frame);
            }
        }
        let [doubler, _] = &mut sounds.doublers;
        if let Some(wide) = &mut sound.wide {
            add_doubled(doubler, &sounds.for_peer, &mut wide.0);
        }
        if is_heard {
            add(&mut sounds.for_peer, frame);
            *frame = cut(&sounds.for_peer);
            subtract(&mut sounds.for_peer, &sounds.peer);
        }
        is_heard
    }

    /// Nothing has been said by us yet in this tick.
    pub(super) fn begin_saying(&mut self) {
        if let Some(sounds) = &mut self.sounds {
            sounds.is_said = false;
        }
    }

    /// We say `said`: puts over it what they say in our place, unless it has to be heard alone.
    pub(super) fn say(&mut self, said: &mut Sound, is_alone: bool) {
        let Some(sounds) = &mut self.sounds else {
            return;
        };
        sounds.is_said = true;
        sounds.are_over_us = !is_alone;
        sounds.us = said.narrow;
        if is_alone {
            return;
        }
        let [_, doubler] = &mut sounds.doublers;
        if let Some(wide) = &mut said.wide {
            add_doubled(doubler, &sounds.for_us, &mut wide.0);
        }
        let mut sum = sounds.for_us;
        add(&mut sum, &said.narrow);
        said.narrow = cut(&sum);
    }

    /// Gives each what it hears. `is_sent`: what we said went out.
    pub(super) fn tick(&mut self, is_sent: bool, out: &mut Outbox) {
        let Some(sounds) = &self.sounds else { return };
        for external in &mut self.present {
            let heard = external.listen.map(|sides| {
                external.frames += 1;
                sounds.heard_by(external, sides, is_sent)
            });
            out.external_tick(external.id, heard.as_ref(), external.waiting.gone());
        }
    }

    fn find(&mut self, id: ExternalId) -> Option<&mut External> {
        self.present.iter_mut().find(|external| external.id == id)
    }
}

impl Session {
    /// Lets an external in.
    pub(crate) fn open_external(
        &mut self,
        now: Instant,
        id: ExternalId,
        config: ExternalConfig,
        out: &mut Outbox,
    ) {
        if self.externals.present.len() >= MAX_EXTERNALS {
            let result = Err(MediaError::TooManyExternals);
            return out.event(Event::ExternalClosed {
                external: id,
                result,
            });
        }
        let was_mixed = self.is_mixed();
        self.externals.sounds.get_or_insert_default();
        self.externals.present.push(External {
            id,
            listen: config.listen,
            speak: config.speak,
            waiting: Waiting::default(),
            frame: Frame::SILENCE,
            frames: 0,
        });
        if !was_mixed {
            self.rejoin(now, out);
        }
    }

    /// Lets one out; an unknown one is left alone.
    pub(crate) fn close_external(&mut self, now: Instant, id: ExternalId, out: &mut Outbox) {
        let mut present = self.externals.present.iter();
        let Some(at) = present.position(|external| external.id == id) else {
            return;
        };
        let external = self.externals.present.remove(at);
        out.event(external.closed());
        if self.externals.is_empty() {
            self.externals.sounds = None;
            if !self.is_mixed() {
                self.rejoin(now, out);
            }
        }
    }

    /// Lets all of them out: the session closes.
    pub(super) fn close_externals(&mut self, out: &mut Outbox) {
        self.externals.sounds = None;
        for external in self.externals.present.drain(..) {
            out.event(external.closed());
        }
    }

    /// Keeps what an external says until its time.
    pub(crate) fn hear_external(&mut self, id: ExternalId, samples: &[i16]) {
        if let Some(external) = self.externals.find(id) {
            external.waiting.push(samples);
        }
    }

    /// Forgets what an external has said and nobody has heard yet.
    pub(crate) fn clear_external(&mut self, id: ExternalId) {
        if let Some(external) = self.externals.find(id) {
            external.waiting.clear();
        }
    }
}

impl External {
    fn speaks_for_peer(&self) -> bool {
        self.speak.is_some_and(Sides::has_peer)
    }

    fn speaks_for_us(&self) -> bool {
        self.speak.is_some_and(Sides::has_us)
    }

    const fn closed(&self) -> Event {
        Event::ExternalClosed {
            external: self.id,
            result: Ok(ExternalStats {
                frames: self.frames,
                heard_samples: self.waiting.heard,
                dropped_samples: self.waiting.dropped,
            }),
        }
    }
}

impl Sounds {
    /// What one hears of all but itself.
    fn heard_by(&self, external: &External, sides: Sides, is_sent: bool) -> Frame {
        let mut sum = [0; FRAME_SAMPLES];
        if sides.has_peer() {
            add(&mut sum, &self.peer);
            if self.is_peer_open {
                add_sum(&mut sum, &self.for_peer);
                if external.speaks_for_peer() {
                    subtract(&mut sum, &external.frame);
                }
            }
        }
        if sides.has_us() && self.is_said && is_sent {
            add(&mut sum, &self.us);
            if self.are_over_us {
                add_sum(&mut sum, &self.for_us);
                if external.speaks_for_us() {
                    subtract(&mut sum, &external.frame);
                }
            }
        }
        cut(&sum)
    }
}

impl Default for Sounds {
    fn default() -> Self {
        Self {
            peer: Frame::SILENCE,
            for_peer: [0; FRAME_SAMPLES],
            is_peer_open: true,
            us: Frame::SILENCE,
            for_us: [0; FRAME_SAMPLES],
            are_over_us: true,
            is_said: false,
            doublers: [const { Doubler::new() }; 2],
        }
    }
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            samples: Box::new([0; CAPACITY]),
            begin: 0,
            len: 0,
            is_flowing: false,
            ticks: 0,
            heard: 0,
            dropped: 0,
        }
    }
}

impl Waiting {
    /// Samples that do not wait any longer.
    const fn gone(&self) -> u64 {
        self.heard + self.dropped
    }

    /// Adds samples; where more would wait than may, the oldest are dropped.
    fn push(&mut self, samples: &[i16]) {
        let beyond = samples.len().saturating_sub(CAPACITY);
        let (unheard, samples) = samples.split_at(beyond);
        let excess = (self.len + samples.len()).saturating_sub(CAPACITY);
        self.forget(excess);
        self.dropped += unheard.len() as u64;
        let end = (self.begin + self.len) % CAPACITY;
        let (first, second) = samples.split_at(samples.len().min(CAPACITY - end));
        self.samples[end..end + first.len()].copy_from_slice(first);
        self.samples[..second.len()].copy_from_slice(second);
        self.len += samples.len();
    }

    fn clear(&mut self) {
        self.forget(self.len);
    }

    fn forget(&mut self, count: usize) {
        self.begin = (self.begin + count) % CAPACITY;
        self.len -= count;
        self.dropped += count as u64;
    }

    /// Writes the next 20 ms; `false` when there is nothing to be heard.
    fn take(&mut self, frame: &mut Frame) -> bool {
        let last = frame.0[FRAME_SAMPLES - 1];
        *frame = Frame::SILENCE;
        if !self.is_flowing {
            self.ticks = if self.len == 0 { 0 } else { self.ticks + 1 };
            if self.len < PRIMED && self.ticks <= PATIENCE {
                return false;
            }
            self.is_flowing = true;
        }
        let count = self.len.min(FRAME_SAMPLES);
        let first = count.min(CAPACITY - self.begin);
        frame.0[..first].copy_from_slice(&self.samples[self.begin..self.begin + first]);
        frame.0[first..count].copy_from_slice(&self.samples[..count - first]);
        self.begin = (self.begin + count) % CAPACITY;
        self.len -= count;
        self.heard += count as u64;
        if count < FRAME_SAMPLES {
            (self.is_flowing, self.ticks) = (false, 0);
            let last = count.checked_sub(1).map_or(last, |at| frame.0[at]);
            joint::smooth(Band::Narrow, last, &mut frame.0[count..]);
        }
        true
    }
}

/// Adds sound of the narrow band to that of the wide one.
fn add_doubled(doubler: &mut Doubler, sum: &[i32; FRAME_SAMPLES], wide: &mut [i16; WIDE_SAMPLES]) {
    let mut doubled = [0; WIDE_SAMPLES];
    doubler.process(&cut(sum).0, &mut doubled);
    for (sample, doubled) in wide.iter_mut().zip(doubled) {
        *sample = sample.saturating_add(doubled);
    }
}

fn add(sum: &mut [i32; FRAME_SAMPLES], frame: &Frame) {
    for (sum, sample) in sum.iter_mut().zip(&frame.0) {
        *sum += i32::from(*sample);
    }
}

fn subtract(sum: &mut [i32; FRAME_SAMPLES], frame: &Frame) {
    for (sum, sample) in sum.iter_mut().zip(&frame.0) {
        *sum -= i32::from(*sample);
    }
}

fn add_sum(sum: &mut [i32; FRAME_SAMPLES], more: &[i32; FRAME_SAMPLES]) {
    sum.iter_mut()
        .zip(more)
        .for_each(|(sum, more)| *sum += more);
}

/// Cut where it is louder than can be.
fn cut(sum: &[i32; FRAME_SAMPLES]) -> Frame {
    Frame(sum.map(|sum| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(waiting: &mut Waiting) -> Option<i16> {
        let mut frame = Frame::SILENCE;
        waiting.take(&mut frame).then_some(frame.0[0])
    }

    #[test]
    fn sound_waits_for_40_ms_or_for_two_ticks_and_then_flows() {
        let mut waiting = Waiting::default();
        waiting.push(&[1; 160]);
        assert_eq!(level(&mut waiting), None);
        waiting.push(&[2; 160]);
        assert_eq!(level(&mut waiting), Some(1));
        assert_eq!(level(&mut waiting), Some(2));
        assert_eq!(level(&mut waiting), Some(0));
        waiting.push(&[3; 100]);
        let levels = [(); 4].map(|()| level(&mut waiting));
        assert_eq!(levels, [None, None, Some(3), None]);
        assert_eq!((waiting.heard, waiting.gone()), (420, 420));
    }

    #[test]
    fn of_more_than_200_ms_the_oldest_is_dropped() {
        let mut waiting = Waiting::default();
        (1..=12).for_each(|level| waiting.push(&[level; 160]));
        assert_eq!((waiting.dropped, waiting.len), (320, CAPACITY));
        assert_eq!(level(&mut waiting), Some(3));
        waiting.push(&[7; 4_000]);
        assert_eq!(level(&mut waiting), Some(7));
        assert_eq!(waiting.gone(), 160 + 160 + 320 + 1_440 + 2_400);
        waiting.clear();
        assert_eq!((waiting.len, waiting.gone()), (0, 1_920 + 4_000));
    }
}
