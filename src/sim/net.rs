//! A link that loses, delays, doubles and reorders.

use std::time::{Duration, Instant};

use crate::ids::Rng;

/// How a link treats each datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// How many of a hundred are lost.
    pub lost: u32,
    /// How many of a hundred come twice.
    pub doubled: u32,
    /// The shortest way.
    pub delay: Duration,
    /// What chance adds to it; more than the gap between two datagrams changes their order.
    pub spread: Duration,
}

/// One direction-less link.
#[derive(Debug)]
pub struct Net {
    /// May be changed at any time.
    pub weather: Weather,
    rng: Rng,
}

impl Net {
    /// A link.
    #[must_use]
    pub const fn new(weather: Weather, rng: Rng) -> Self {
        Self { weather, rng }
    }

    /// When a datagram sent now arrives, and when its double does.
    pub fn carry(&mut self, now: Instant) -> [Option<Instant>; 2] {
        let is_lost = self.rng.below(100) < self.weather.lost;
        let is_doubled = self.rng.below(100) < self.weather.doubled;
        let mut way = || {
            let spread = u32::try_from(self.weather.spread.as_micros()).unwrap_or(u32::MAX);
            let chance = Duration::from_micros(self.rng.below(spread.saturating_add(1)).into());
            now + self.weather.delay + chance
        };
        [(!is_lost).then(&mut way), is_doubled.then(&mut way)]
    }
}
