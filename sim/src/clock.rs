//! A host's clocks: offset, drift and steps against the world's own time.
//!
//! Not modelled: jitter of reading a clock, NTP discipline, leap seconds.

use storytime_machine::{Duration, Now, Time, WallTime, nanos};

/// Largest drift, parts per million. Worse oscillators are broken ones.
pub const DRIFT_PPM_MAX: i32 = 100_000;

/// How a host's clocks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Rate error of both clocks, parts per million: positive runs fast.
    pub drift_ppm: i32,
    /// The monotonic clock's reading when the world began, nanoseconds: time since the host booted.
    pub uptime_ns: u64,
    /// The wall clock's reading when the world began.
    pub wall: WallTime,
}

impl Default for Clock {
    /// A good clock, at noon of 20 June 2007, UTC.
    fn default() -> Self {
        Self { drift_ppm: 0, uptime_ns: 0, wall: WallTime(1_182_340_800_000_000_000) }
    }
}

impl Clock {
    /// Both clocks at the world's time `at`.
    #[inline]
    pub(crate) fn read(&self, at: Time) -> Now {
        let elapsed = self.scale(at.0);
        Now {
            mono: Time(self.uptime_ns.saturating_add(elapsed)),
            wall: WallTime(self.wall.0.saturating_add(elapsed)),
        }
    }

    #[inline]
    fn scale(&self, ns: u64) -> u64 {
        if self.drift_ppm == 0 {
            return ns;
        }
        let scaled = i128::from(ns) + i128::from(ns) * i128::from(self.drift_ppm) / 1_000_000;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// Whether it can be a clock at all.
    pub(crate) const fn assert_valid(&self) {
        assert!(self.drift_ppm.unsigned_abs() <= DRIFT_PPM_MAX as u32, "the oscillator is broken");
    }

    /// The world's time at which the monotonic clock first reads `mono` or more; [`Time::MAX`] if
    /// it never does.
    #[inline]
    pub(crate) fn world_time(&self, mono: Time) -> Time {
        let elapsed = mono.0.saturating_sub(self.uptime_ns);
        if self.drift_ppm == 0 || mono == Time::MAX {
            return if mono == Time::MAX { mono } else { Time(elapsed) };
        }
        let rate = i128::from(1_000_000 + self.drift_ppm);
        let at = i128::from(elapsed) * 1_000_000 / rate;
        let mut at = u64::try_from(at).unwrap_or(u64::MAX);
        while self.scale(at) < elapsed && at < u64::MAX {
            at += 1;
        }
        Time(at)
    }

    /// Steps the wall clock; the monotonic clock is not touched.
    pub(crate) fn step(&mut self, by: Duration, back: bool) {
        let ns = nanos(by);
        let wall = self.wall.0;
        self.wall = WallTime(if back { wall.saturating_sub(ns) } else { wall.saturating_add(ns) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_never_early_on_a_drifting_clock() {
        for drift_ppm in [-100_000, -37, 0, 37, 100_000] {
            let clock = Clock { drift_ppm, uptime_ns: 5_000, ..Clock::default() };
            for mono in [5_000, 5_001, 1_000_000_007, 86_400_000_000_001] {
                let at = clock.world_time(Time(mono));
                assert!(clock.read(at).mono >= Time(mono), "{drift_ppm} ppm at {mono}");
                if at > Time::ZERO {
                    assert!(clock.read(Time(at.0 - 1)).mono < Time(mono), "{drift_ppm} ppm, late");
                }
            }
        }
    }

    #[test]
    fn never_is_never_on_every_clock() {
        for drift_ppm in [-100_000, 0, 100_000] {
            let clock = Clock { drift_ppm, uptime_ns: 5_000, ..Clock::default() };
            assert_eq!(clock.world_time(Time::MAX), Time::MAX);
            assert_eq!(clock.world_time(Time(u64::MAX - 1)) == Time::MAX, drift_ppm < 0);
            assert!(clock.read(Time::MAX).mono > Time(u64::MAX / 2), "it does not wrap");
        }
    }

    #[test]
    fn a_step_moves_the_wall_clock_alone() {
        let mut clock = Clock::default();
        let before = clock.read(Time(9));
        clock.step(Duration::from_secs(3600), true);
        let after = clock.read(Time(9));
        assert_eq!(after.mono, before.mono);
        assert_eq!(before.wall.0 - after.wall.0, 3_600_000_000_000);
    }
}
