//! How late a replica is, by its master's clock and its own, neither of which need be right.

use core::time::Duration;
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::Time;

/// Most heartbeats remembered; of more, every other is forgotten.
const BEATS_MAX: usize = 256;

/// A master's monotonic clock runs this far ahead of ours at the least, as told by its quickest
/// heartbeat: an estimate for one connection.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Heartbeats whose records are not all applied: how far the master was, and when.
    ahead: VecDeque<(Lsn, u64)>,
    /// Our clock when a heartbeat came, less the master's in it; the least so far, ms.
    offset_ms: Option<i64>,
    /// The master's clock at the last heartbeat that we are level with, ms.
    level_ms: Option<u64>,
}

fn ms(time: Time) -> i64 {
    i64::try_from(time.0 / 1_000_000).unwrap_or(i64::MAX)
}

impl Lag {
    /// A new connection: perhaps to another master, with another clock.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// The master was this far when its clock said so.
    pub(super) fn beat(&mut self, now: Time, durable: Lsn, clock_ms: u64) {
        let offset = ms(now).saturating_sub(i64::try_from(clock_ms).unwrap_or(i64::MAX));
        self.offset_ms = Some(self.offset_ms.map_or(offset, |least| least.min(offset)));
        self.ahead.push_back((durable, clock_ms));
        if self.ahead.len() > BEATS_MAX {
            let mut keep = false;
            self.ahead.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Our content has all records up to this one.
    pub(super) fn applied(&mut self, applied: Lsn) {
        while let Some(&(lsn, clock_ms)) = self.ahead.front()
            && lsn <= applied
        {
            self.level_ms = Some(clock_ms);
            self.ahead.pop_front();
        }
    }

    /// How long ago the master was where we are; `None` before we were level with it once.
    pub(super) fn behind(&self, now: Time, heartbeat: Duration) -> Option<Duration> {
        let level = i64::try_from(self.level_ms?).ok()?;
        let late = ms(now).saturating_sub(level.saturating_add(self.offset_ms?));
        let late = Duration::from_millis(u64::try_from(late).unwrap_or(0));
        // Between two heartbeats nobody knows better.
        let quiet = self.ahead.is_empty() && late <= heartbeat * 2;
        Some(if quiet { Duration::ZERO } else { late })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> Time {
        Time(ms * 1_000_000)
    }

    #[test]
    fn clocks_that_differ_do_not_matter_and_delay_does() {
        let mut lag = Lag::default();
        assert_eq!(lag.behind(at(1), BEAT), None);
        for beat in 0..10 {
            // The master's clock is an hour ahead; heartbeats take 2 ms.
            lag.beat(at(1002 + beat * 500), Lsn(beat), 3_601_000 + beat * 500);
            lag.applied(Lsn(beat));
        }
        assert_eq!(lag.behind(at(5502), BEAT), Some(Duration::ZERO));
        // Silence.
        assert_eq!(lag.behind(at(9502), BEAT), Some(Duration::from_secs(4)));
        // The next heartbeats are three seconds old when they come, and so is what came with them.
        lag.beat(at(9502), Lsn(10), 3_606_000 + 100);
        lag.applied(Lsn(10));
        assert_eq!(lag.behind(at(9502), BEAT), Some(Duration::from_millis(3400)));
    }

    #[test]
    fn what_has_come_and_is_not_applied_counts() {
        let mut lag = Lag::default();
        lag.beat(at(1000), Lsn(1), 1000);
        lag.applied(Lsn(1));
        for beat in 1..2000 {
            lag.beat(at(1000 + beat * 500), Lsn(1 + beat), 1000 + beat * 500);
            assert!(lag.ahead.len() <= BEATS_MAX);
        }
        assert_eq!(lag.behind(at(1_000_500), BEAT), Some(Duration::from_millis(999_500)));
        lag.applied(Lsn(2000));
        assert_eq!(lag.behind(at(1_000_500), BEAT), Some(Duration::ZERO));
    }
}
