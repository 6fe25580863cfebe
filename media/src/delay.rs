//! How long the sound of a peer is under way inside of this machine, by what is done with it.
//!
//! ```text
//!   kernel receives        read    engine              given to the kernel
//!        |-- queue of socket --|-- others of the batch --|-- send --|
//!        '------------------ Echo, Relay ---------------------------'
//!
//!        |-- queue --|------- jitter buffer -------|-- tick, all members --|-- send --|
//!        '------------------ Mix -----------------------------------------------------'
//! ```
//!
//! A delay ends when the system call has returned that gave the packet to the kernel, by a reading of the clock
//! of its own, so that it holds all of our work and all waiting behind the packets of others.

use std::fmt;
use std::time::{Duration, Instant};

use crate::histogram::{Histogram, SmallHistogram};

/// What is done with what a peer sends, as far as that takes another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// A packet is returned to its sender.
    Echo,
    /// A packet goes on to the other one of two; counted by the session that it leaves from.
    Relay,
    /// Sound is mixed with that of others: from the arrival of a packet to the sending of the mix that its
    /// first frame went into, measured at the packet that its own speaker gets of that mix. Holds what the
    /// jitter buffer waits.
    Mix,
    /// A key is told: from the arrival of the packet that makes it known.
    Digit,
}

impl Path {
    /// Every path, in the order of [`Delays`].
    pub const ALL: [Self; 4] = [Self::Echo, Self::Relay, Self::Mix, Self::Digit];

    /// Its name in figures for operators.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Relay => "relay",
            Self::Mix => "mix",
            Self::Digit => "digit",
        }
    }
}

/// Where something that leaves has come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What was done with it.
    pub path: Path,
    /// When the machine received it.
    pub arrival: Instant,
}

/// Delays of many sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays([Histogram; Path::ALL.len()]);

impl Delays {
    /// Those of one path.
    #[must_use]
    pub const fn of(&self, path: Path) -> &Histogram {
        &self.0[path as usize]
    }

    /// Adds those of others.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            ours.merge(theirs);
        }
    }

    pub(crate) fn record(&mut self, path: Path, delay: Duration) {
        self.0[path as usize].record(delay);
    }
}

/// Delays of one session; only the paths it has gone take memory.
#[derive(Debug, Default)]
pub(crate) struct SessionDelays([Option<Box<SmallHistogram>>; Path::ALL.len()]);

impl SessionDelays {
    pub(crate) fn record(&mut self, path: Path, delay: Duration) {
        let histogram = self.0[path as usize].get_or_insert_default();
        histogram.record(delay);
    }

    pub(crate) fn summary(&self) -> DelaySummary {
        let of = |path: Path| {
            let histogram = self.0[path as usize].as_deref();
            histogram.map_or_else(DelayFigures::default, DelayFigures::from)
        };
        DelaySummary(Path::ALL.map(of))
    }
}

/// Delays of one session in a few figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelaySummary([DelayFigures; Path::ALL.len()]);

impl DelaySummary {
    /// Those of one path; all zero when it was not gone.
    #[must_use]
    pub const fn of(&self, path: Path) -> &DelayFigures {
        &self.0[path as usize]
    }

    /// The paths that were gone.
    pub fn iter(&self) -> impl Iterator<Item = (Path, &DelayFigures)> {
        let paths = Path::ALL.into_iter().zip(&self.0);
        paths.filter(|(_, figures)| figures.count > 0)
    }
}

/// `echo 0.085/0.130/1.212 ms of 500`: p50, p99 and the longest, path by path; `none` when nothing was measured.
impl fmt::Display for DelaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (path, figures) in self.iter() {
            write!(f, "{between}{} {figures}", path.name())?;
            between = ", ";
        }
        match between {
            "" => f.write_str("none"),
            _ => Ok(()),
        }
    }
}

/// A distribution in a few figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayFigures {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest, exactly.
    pub max: Duration,
}

impl fmt::Display for DelayFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(|delay| delay.as_secs_f64() * 1e3);
        write!(f, "{p50:.3}/{p99:.3}/{max:.3} ms of {}", self.count)
    }
}

impl From<&SmallHistogram> for DelayFigures {
    fn from(histogram: &SmallHistogram) -> Self {
        Self {
            count: histogram.count(),
            p50: histogram.percentile(0.5),
            p99: histogram.percentile(0.99),
            max: histogram.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_only_the_paths_that_were_gone() {
        let mut delays = SessionDelays::default();
        assert_eq!(delays.summary().to_string(), "none");
        delays.record(Path::Mix, Duration::from_millis(40));
        delays.record(Path::Echo, Duration::from_micros(500));
        let told = delays.summary().to_string();
        assert_eq!(
            told,
            "echo 0.492/0.492/0.500 ms of 1, mix 37.749/37.749/40.000 ms of 1"
        );
    }
}
