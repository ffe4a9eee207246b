//! Time as machines see it: integers, printable, storable, the same on every platform.
//!
//! Not modelled: leap seconds, time zones, time before the epoch.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// Nanoseconds on one host's monotonic clock since that clock began.
///
/// Never goes back. Two hosts' clocks share neither origin nor rate: in the simulator each host may
/// be skewed and drift. Arithmetic with [`Duration`] saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

/// Nanoseconds since 1970-01-01 UTC on one host's wall clock. May be wrong, drift or step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

/// Both clocks of a host at the moment of one step; every input to a process carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// The monotonic clock: for time-outs and measuring.
    pub mono: Time,
    /// The wall clock: for dates on the wire and on disk.
    pub wall: WallTime,
}

/// A duration's nanoseconds, saturating at [`u64::MAX`] (584 years).
#[inline]
pub const fn nanos(duration: Duration) -> u64 {
    let n = duration.as_nanos();
    if n > u64::MAX as u128 { u64::MAX } else { n as u64 }
}

impl Time {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);
    /// Later than any time a run can reach.
    pub const MAX: Self = Self(u64::MAX);

    /// Time passed since `earlier`; zero if `earlier` is in fact later.
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds since the clock's origin.
    #[inline]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
}

impl WallTime {
    /// Whole seconds since the epoch, as protocols of the time carry them.
    #[inline]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }
}

impl Add<Duration> for Time {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl AddAssign<Duration> for Time {
    #[inline]
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;
    #[inline]
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(rhs)))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seconds with nine decimals, so that columns of times line up.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_prints_in_aligned_seconds_and_saturates() {
        assert_eq!(Time(1_500_000_001).to_string(), "1.500000001s");
        assert_eq!(Time::MAX + Duration::from_secs(1), Time::MAX);
        assert_eq!(Time(5) - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time(5).since(Time(9)), Duration::ZERO);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
