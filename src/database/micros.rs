//! Times as documents carry them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01 UTC; written as `2024-07-11T01:14:00.000000Z`.
///
/// Also read without a zone and with a space for the `T`, as older clients write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(pub i64);

/// Not a time as [`Micros`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as 2024-07-11T01:14:00.000000Z")]
pub struct ParseMicrosError;

impl Micros {
    /// The time that lies `since_1970` after the beginning of 1970.
    #[must_use]
    pub fn since_1970(since_1970: Duration) -> Self {
        Self(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
    }

    /// This time and `duration`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::since_1970(duration).0))
    }

    /// This time less `duration`.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::since_1970(duration).0))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<i64> for Micros {
    fn from(micros: i64) -> Self {
        Self(micros)
    }
}

impl From<SystemTime> for Micros {
    /// A clock that stands before 1970 counts as 1970.
    fn from(wall: SystemTime) -> Self {
        Self::since_1970(wall.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Micros {
    /// A time beyond the year 9999 is written as that year's last moment, as one before the year -9999 as its first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        write!(f, "{at:.6}")
    }
}

impl FromStr for Micros {
    type Err = ParseMicrosError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text.parse::<Timestamp>().or_else(|_| {
            let local = text.parse::<DateTime>()?;
            TimeZone::UTC.to_timestamp(local)
        });
        at.map(|at| Self(at.as_microsecond()))
            .map_err(|_| ParseMicrosError)
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_six_digits_and_read_back() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_720_660_440_000_000, "2024-07-11T01:14:00.000000Z"),
            (1_720_660_440_000_001, "2024-07-11T01:14:00.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Micros(at).to_string(), text);
            assert_eq!(text.parse(), Ok(Micros(at)));
        }
    }

    #[test]
    fn older_ways_of_writing_are_read_too_and_nonsense_is_not() {
        let at = Ok(Micros(1_720_660_440_500_000));
        assert_eq!("2024-07-11 01:14:00.500000".parse(), at);
        assert_eq!("2024-07-11T03:14:00.5+02:00".parse(), at);
        for text in ["", "yesterday", "2024-13-01T00:00:00Z", "99999999999"] {
            assert_eq!(text.parse::<Micros>(), Err(ParseMicrosError), "{text}");
        }
    }

    #[test]
    fn no_number_is_too_far_away_to_be_written() {
        assert_eq!(Micros(i64::MAX).to_string(), "9999-12-30T22:00:00.999999Z");
        assert!(Micros(i64::MIN).to_string().starts_with("-009999"));
    }
}
