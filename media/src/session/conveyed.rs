//! Keys of the other peer of a bridge, passed on in the form that ours understands.
//!
//! A key is sent on from the moment it is known until it is let go, or nothing is heard of it any more. Faster
//! keys than a telephone can be told wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Session;
use super::keys::Keys;
use crate::bridge::Link;
use crate::dtmf::Digit;

/// A key that nothing is heard of for so long has been let go: five packets are lost.
const FORGOTTEN: Duration = Duration::from_millis(100);

/// A key is sent for so long at least: half more than a detector has to hear (ITU-T Q.24: 40 ms).
const LEAST: Duration = Duration::from_millis(60);

/// And so much silence after it.
const GAP: Duration = Duration::from_millis(50);

/// A key that is held longer than this is not held by a hand.
const LONGEST: Duration = Duration::from_secs(30);

/// Keys that may wait.
const MAX_WAITING: usize = 16;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// It has just been pressed.
    Pressed(Digit),
    /// It is held.
    Held,
    /// It has been let go.
    Released,
}

/// The key that is passed on now, and those behind it.
#[derive(Debug)]
pub(super) struct Conveyed {
    pub(super) keys: Keys,
    is_held: bool,
    heard_at: Instant,
    waiting: VecDeque<Digit>,
}

impl Conveyed {
    fn new(digit: Digit, now: Instant) -> Self {
        Self {
            keys: Self::key(digit),
            is_held: true,
            heard_at: now,
            waiting: VecDeque::new(),
        }
    }

    fn key(digit: Digit) -> Keys {
        Keys::waiting(vec![digit], LONGEST, GAP)
    }

    /// Lets go of a key that nothing is heard of any more.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.is_held && now >= self.heard_at + FORGOTTEN {
            self.release();
        }
    }

    /// Goes on to the next key; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        let Some(digit) = self.waiting.pop_front() else {
            return false;
        };
        self.keys = Self::key(digit);
        // The last one may still be held; all before it are over.
        self.is_held = true;
        if !self.waiting.is_empty() {
            self.release();
        }
        true
    }

    fn release(&mut self) {
        self.is_held = false;
        self.keys.release(LEAST);
    }
}

impl Session {
    /// Passes on what is known of a key.
    pub(super) fn convey(&mut self, now: Instant, key: Key) {
        if matches!(self.link, Link::Mixed { part, .. } if !part.hears) {
            return;
        }
        let conveyed = &mut self.outbound.voices.conveyed;
        match (conveyed, key) {
            (None, Key::Pressed(digit)) => {
                self.outbound.voices.conveyed = Some(Conveyed::new(digit, now));
                if self.is_mixed() {
                    self.outbound.is_rejoined = true;
                }
                self.speak();
            }
            (Some(conveyed), Key::Pressed(digit)) => {
                conveyed.heard_at = now;
                conveyed.release();
                if conveyed.waiting.len() < MAX_WAITING {
                    conveyed.waiting.push_back(digit);
                }
            }
            (Some(conveyed), Key::Held) => conveyed.heard_at = now,
            (Some(conveyed), Key::Released) => conveyed.release(),
            (None, Key::Held | Key::Released) => {}
        }
    }
}
