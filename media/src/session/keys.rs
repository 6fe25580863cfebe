//! Keys that are sent, in the form that the peer knows.

use std::time::{Duration, Instant};

use super::MAX_SAMPLES;
use super::clock::SendClock;
use super::prompts::Space;
use super::voices::Spoken;
use crate::command::SessionConfig;
use crate::dtmf::{Digit, EventSender, EventTick, ToneSender};
use crate::frame::Ptime;

/// Keys one after another.
#[derive(Debug)]
pub(super) enum Keys {
    /// Not begun, because how to send them is not negotiated yet or anew.
    Waiting {
        digits: Vec<Digit>,
        tone: Duration,
        gap: Duration,
    },
    Events(EventSender),
    Tones(ToneSender),
}

impl Keys {
    /// Keys that have not begun.
    pub(super) const fn waiting(digits: Vec<Digit>, tone: Duration, gap: Duration) -> Self {
        Self::Waiting { digits, tone, gap }
    }

    /// Lets the key that sounds go, but not before it was held for `least`.
    pub(super) fn release(&mut self, least: Duration) {
        match self {
            Self::Waiting { tone, .. } => *tone = (*tone).min(least),
            Self::Events(sender) => sender.release(least),
            Self::Tones(sender) => sender.release(least),
        }
    }

    /// Begins, as events when the peer knows them, and goes on.
    pub(super) fn next_sound(
        &mut self,
        config: &SessionConfig,
        ptime: Ptime,
        due: Instant,
        space: &mut Space<'_>,
        clock: &mut SendClock,
    ) -> Spoken {
        if let Self::Waiting { digits, tone, gap } = self {
            let digits = std::mem::take(digits);
            *self = match config.telephone_event {
                Some(events) => {
                    let rate = events.clock_rate;
                    Self::Events(EventSender::new(digits, *tone, *gap, (ptime, rate)))
                }
                None => Self::Tones(ToneSender::new(digits, *tone, *gap)),
            };
        }
        match self {
            Self::Events(sender) => {
                sender.pace(ptime);
                match sender.tick(clock.not_before_end(due)) {
                    EventTick::Packet(packet) => Spoken::Event(packet),
                    EventTick::Gap => Spoken::Pause,
                    EventTick::Done => Spoken::End,
                }
            }
            Self::Tones(sender) => sound_of_tones(sender, space),
            Self::Waiting { .. } => Spoken::End,
        }
    }
}

fn sound_of_tones(sender: &mut ToneSender, space: &mut Space<'_>) -> Spoken {
    let has_sound = match space {
        Space::Sound(sound) | Space::Padded(sound) => {
            sound.wide = None;
            sender.fill(&mut sound.narrow.0)
        }
        Space::Octets(law, payload) => {
            let mut samples = [0; MAX_SAMPLES];
            let samples = &mut samples[..payload.len()];
            let has_sound = sender.fill(samples);
            law.encode(samples, payload);
            has_sound
        }
    };
    if has_sound { Spoken::Key } else { Spoken::End }
}
