//! The two clocks of RTP: media time of a stream and NTP time of the world.

use std::time::Duration;

/// An RTP timestamp: ticks of the codec's clock, from a random start, wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MediaTime(pub u32);

impl MediaTime {
    /// The time `ticks` later.
    #[must_use]
    pub const fn after(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Ticks from `earlier` to here; negative when `earlier` is really later. Right as long as both
    /// are within half the range of each other (74 hours at 8 kHz).
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// A wall-clock time as RTCP sends it: seconds since 1900 in the upper half, their fraction in the
/// lower (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Seconds from the start of NTP time (1900) to that of Unix time (1970).
    const UNIX_EPOCH: u64 = 2_208_988_800;

    /// From the time since the Unix epoch. Wraps in 2036, as NTP time does.
    #[must_use]
    pub const fn from_unix(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs().wrapping_add(Self::UNIX_EPOCH) & 0xFFFF_FFFF;
        let fraction = ((since_epoch.subsec_nanos() as u64) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The time `elapsed` later.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs() << 32;
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add(seconds).wrapping_add(fraction))
    }

    /// The middle 32 bits: seconds in 16.16 fixed point, as in the `LSR` of a report block
    /// (RFC 3550 §6.4.1).
    #[must_use]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A duration in 1/65536 s, as in the `DLSR` of a report block; saturates after 18 hours.
pub(super) fn to_short_time(duration: Duration) -> u32 {
    let units = (u128::from(duration.as_secs()) << 16)
        + (u128::from(duration.subsec_nanos()) << 16) / 1_000_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The duration of this many 1/65536 s.
pub(super) fn from_short_time(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_wraps() {
        let late = MediaTime(u32::MAX - 79);
        assert_eq!(late.after(160), MediaTime(80));
        assert_eq!(late.after(160).since(late), 160);
        assert_eq!(late.since(late.after(160)), -160);
    }

    #[test]
    fn unix_time_becomes_ntp_time() {
        assert_eq!(
            NtpTime::from_unix(Duration::ZERO),
            NtpTime(2_208_988_800 << 32)
        );
        let half = NtpTime::from_unix(Duration::from_millis(1_500));
        assert_eq!(half.0 & 0xFFFF_FFFF, 1 << 31);
        assert_eq!(half.middle() & 0xFFFF, 0x8000);
        // 2036-02-07T06:28:16Z: the seconds wrap.
        assert_eq!(
            NtpTime::from_unix(Duration::from_secs(2_085_978_496)),
            NtpTime(0)
        );
    }

    #[test]
    fn short_time_is_a_65536th_of_a_second() {
        assert_eq!(to_short_time(Duration::from_millis(5_250)), 0x0005_4000);
        assert_eq!(from_short_time(0x0005_4000), Duration::from_millis(5_250));
        assert_eq!(to_short_time(Duration::MAX), u32::MAX);
    }
}
