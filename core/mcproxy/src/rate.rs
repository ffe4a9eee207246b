//! How often something may happen: the generic cell rate algorithm, in whole nanoseconds.

use core::time::Duration;
use storytime_machine::Time;

/// How much may come at once, as time at the full rate.
const BURST: Duration = Duration::from_millis(100);
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A rate and how far it is used up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    interval: Duration,
    /// When the next one would be due if all came evenly.
    due: Time,
}

impl Rate {
    /// So many per second; 0 lets nothing through but the first.
    pub(crate) fn new(per_second: u64) -> Self {
        let interval = Duration::from_nanos(NANOS_PER_SECOND / per_second.max(1));
        Self { interval, due: Time::ZERO }
    }

    /// Whether one more may come now; if so it counts.
    pub(crate) fn admits(&mut self, now: Time) -> bool {
        if self.due > now && self.due.since(now) > BURST {
            return false;
        }
        self.due = self.due.max(now) + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_long_run_no_more_than_the_rate_comes_through() {
        let mut rate = Rate::new(1000);
        let admitted = (0..10_000u64)
            .filter(|n| rate.admits(Time::ZERO + Duration::from_micros(n * 200)))
            .count();
        assert!((2_000..=2_110).contains(&admitted), "{admitted} in two seconds");
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_burst() {
        let mut rate = Rate::new(100);
        let now = Time::ZERO + Duration::from_secs(60);
        let admitted = (0..100).filter(|_| rate.admits(now)).count();
        assert_eq!(admitted, 11);
    }
}
