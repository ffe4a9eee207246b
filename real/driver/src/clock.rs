//! The clocks of a host: the monotonic one counted from an origin, and the wall clock.
//!
//! Not modelled: skew and drift. All processes given one [`Clock`] share its origin.

use storytime_machine::{Duration, Now, Time, WallTime, nanos};
use tokio::time::Instant;

/// How long a reading of the wall clock is extended by the monotonic one before it is read again. A
/// step of the wall clock is seen at most this much late, and a step of a machine costs one reading
/// of a clock in place of two.
const WALL_REREAD: Duration = Duration::from_millis(1);

/// Where the monotonic clock of one or more hosts began.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Time on this clock.
    pub fn now(&self) -> Time {
        Time(nanos(self.origin.elapsed()))
    }
}

/// Reads both clocks for the steps of one process.
#[derive(Debug)]
pub(crate) struct Readings {
    clock: Clock,
    /// The last true reading of the wall clock and when it was taken.
    wall: (Time, WallTime),
}

impl Readings {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, wall: (clock.now(), wall_clock()) }
    }

    /// Both clocks, now.
    #[inline]
    pub(crate) fn now(&mut self) -> Now {
        let mono = self.clock.now();
        let mut age = mono.since(self.wall.0);
        if age >= WALL_REREAD {
            self.wall = (mono, wall_clock());
            age = Duration::ZERO;
        }
        Now { mono, wall: self.wall.1 + age }
    }
}

fn wall_clock() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    WallTime(since.map_or(0, nanos))
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    #[test]
    fn clocks_do_not_go_back() {
        let clock = Clock::start();
        let mut readings = Readings::new(clock);
        let (first, second) = (readings.now(), readings.now());
        assert!(second.mono >= first.mono && first.wall.as_secs() > 1_500_000_000);
    }
}
