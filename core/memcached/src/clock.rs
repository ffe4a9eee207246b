//! Time as memcached counts it: whole seconds since shortly before the start.
//!
//! Both clocks are read once at the start; from then on only the monotonic one counts. A wall clock
//! that steps later moves no expiry time.
//!
//! An item that is to live `n` seconds lives until `n` ticks of this clock have passed, so up to
//! one second less than `n`, as in the original.

use storytime_machine::{Now, Time};

/// Expiry times up to this many seconds are relative, larger ones are dates.
pub const RELATIVE_SECONDS_MAX: i32 = 60 * 60 * 24 * 30;

/// Seconds on the server's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(pub u32);

impl Seconds {
    /// The clock reads this at the start, so that 1 lies in the past and 0 can mean never.
    pub const START: Self = Self(2);
}

/// When an item dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Expiry(u32);

/// The moment at which a server started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    mono: Time,
    /// The wall clock, seconds since 1970, when this clock read zero.
    zero: u64,
}

impl Epoch {
    /// The server starts now.
    pub const fn new(now: Now) -> Self {
        Self { mono: now.mono, zero: now.wall.as_secs().saturating_sub(Seconds::START.0 as u64) }
    }

    /// This clock's reading at a moment.
    #[inline]
    pub fn seconds(&self, mono: Time) -> Seconds {
        let passed = mono.0.saturating_sub(self.mono.0) / 1_000_000_000;
        Seconds(
            u32::try_from(passed)
                .unwrap_or(u32::MAX - Seconds::START.0)
                .saturating_add(Seconds::START.0),
        )
    }

    /// Seconds since the start.
    pub const fn uptime(now: Seconds) -> u32 {
        now.0 - Seconds::START.0
    }

    /// The date at a reading, seconds since 1970.
    pub const fn date(&self, now: Seconds) -> u64 {
        self.zero + now.0 as u64
    }

    /// When something with this expiry time on the wire dies: 0 never; negative at once; up to 30
    /// days from now; above that, at a date.
    /// The wire has 32 bits, signed or not by protocol.
    pub fn expiry(&self, wire: impl Into<i64>, now: Seconds) -> Expiry {
        const RELATIVE_MAX: i64 = RELATIVE_SECONDS_MAX as i64;
        match wire.into() {
            0 => Expiry::NEVER,
            ..=-1 => Expiry::PAST,
            seconds @ 1..=RELATIVE_MAX => Expiry(now.0.saturating_add(seconds as u32)),
            date => self.expiry_at(date.unsigned_abs()),
        }
    }

    /// When something dies that is to die at a date, seconds since 1970; 0 never.
    pub fn expiry_at(&self, date: u64) -> Expiry {
        match date.checked_sub(self.zero) {
            _ if date == 0 => Expiry::NEVER,
            None | Some(0) => Expiry::PAST,
            Some(seconds) => Expiry(u32::try_from(seconds).unwrap_or(u32::MAX)),
        }
    }
}

impl Expiry {
    /// It lives until it is deleted or evicted.
    pub const NEVER: Self = Self(0);
    /// It is dead when it is stored.
    pub const PAST: Self = Self(1);

    /// Whether the time has come.
    #[inline]
    pub const fn has_passed(self, now: Seconds) -> bool {
        self.0 != 0 && self.0 <= now.0
    }

    /// As an item keeps it.
    #[inline]
    pub(crate) const fn raw(self) -> u32 {
        self.0
    }

    /// What [`raw`](Self::raw) returned.
    #[inline]
    pub(crate) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The moment, if there is one.
    pub const fn at(self) -> Option<Seconds> {
        if self.0 == 0 { None } else { Some(Seconds(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use storytime_machine::WallTime;

    const WALL: u64 = 1_180_000_000;

    fn now_at(wall: u64, passed: Duration) -> Now {
        let ns = storytime_machine::nanos(passed);
        Now { mono: Time(ns), wall: WallTime((wall * 1_000_000_000).saturating_add(ns)) }
    }

    fn epoch() -> Epoch {
        Epoch::new(now_at(WALL, Duration::ZERO))
    }

    fn after(seconds: u64) -> Seconds {
        epoch().seconds(now_at(WALL, Duration::from_secs(seconds)).mono)
    }

    #[test]
    fn zero_is_never_and_negative_is_at_once() {
        assert!(!epoch().expiry(0, after(0)).has_passed(after(1 << 30)));
        assert!(epoch().expiry(-1, after(0)).has_passed(after(0)));
        assert!(epoch().expiry(i32::MIN, after(5)).has_passed(after(5)));
    }

    #[test]
    fn up_to_thirty_days_is_relative() {
        let expiry = epoch().expiry(RELATIVE_SECONDS_MAX, after(100));
        assert!(!expiry.has_passed(after(100 + 2_591_999)));
        assert!(expiry.has_passed(after(100 + 2_592_000)));
    }

    #[test]
    fn beyond_it_is_a_date() {
        let date = i32::try_from(WALL + 50).unwrap();
        assert!(!epoch().expiry(date, after(10)).has_passed(after(49)));
        assert!(epoch().expiry(date, after(10)).has_passed(after(50)));
        assert!(epoch().expiry(RELATIVE_SECONDS_MAX + 1, after(0)).has_passed(after(0)), "1970");
    }

    #[test]
    fn the_clock_shows_dates_and_uptime() {
        assert_eq!(Epoch::uptime(after(7)), 7);
        assert_eq!(epoch().date(after(7)), WALL + 7);
    }
}
