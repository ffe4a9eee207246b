//! When records go to the disk: how long a sync waits for company.
//!
//! Clients that wait for their writes and then write again come back in a crowd, a moment after
//! the sync that they waited for. If the next sync begins with the few that came in the meantime,
//! the crowd waits for two: from then on half of them wait while the other half is synced, and
//! each sync carries half of what it could. So the next sync waits for as many records as there
//! were writers lately, though no longer than half of what a sync takes: that is the most that
//! anybody loses. Where nobody comes, the wait is left out the next time, and then ever more often.
//!
//! A lone writer never waits: it is everybody that is expected.

use core::time::Duration;
use storytime_machine::Time;

/// Longest wait.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// Most syncs in a row that do not wait, after waits that were for nothing.
const SKIPPED_MAX: u32 = 256;

/// When to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At once.
    Now,
    /// Behind what else there is to be read at this instant.
    Soon,
    /// When this many are there, or at this time.
    At(Time),
}

/// What is known of those who write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gather {
    /// When the sync in flight began.
    began: Time,
    /// When the last one ended, and how long it took.
    ended: Time,
    took: Duration,
    /// Records that are likely to come until the next one begins.
    expected: u64,
    /// A wait is under way.
    waits: bool,
    /// Syncs that are not to wait, and how many it will be after the next wait for nothing.
    skips: u32,
    backoff: u32,
}

impl Gather {
    /// A sync ended that made so many records durable; so many wait for the next.
    pub(super) fn ended(&mut self, now: Time, done: u64, pending: u64) {
        self.ended = now;
        self.took = now.since(self.began);
        self.expected = done + pending;
    }

    /// When a sync is to begin for which so many records wait.
    pub(super) fn begin(&mut self, now: Time, pending: u64) -> Begin {
        if pending >= self.expected {
            return Begin::Now;
        }
        if self.skips > 0 {
            return Begin::Soon;
        }
        let at = self.ended + (self.took / 2).min(WAIT_MAX);
        self.waits = true;
        if at <= now { Begin::Soon } else { Begin::At(at) }
    }

    /// A sync begins with so many records.
    pub(super) fn began(&mut self, now: Time, records: u64) {
        self.began = now;
        if core::mem::take(&mut self.waits) {
            // Three of four are crowd enough.
            let came = 4 * records >= 3 * self.expected;
            self.backoff = if came { 0 } else { (2 * self.backoff + 1).min(SKIPPED_MAX) };
            self.skips = self.backoff;
        } else {
            self.skips = self.skips.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Time {
        Time(ms * MS)
    }

    /// A sync of four milliseconds that began with `done` records; `pending` came in the meantime.
    fn synced(gather: &mut Gather, from: u64, done: u64, pending: u64) {
        gather.began(at(from), done);
        gather.ended(at(from + 4), done, pending);
    }

    #[test]
    fn a_lone_writer_never_waits() {
        let mut gather = Gather::default();
        assert_eq!(gather.begin(at(0), 1), Begin::Now);
        synced(&mut gather, 0, 1, 0);
        assert_eq!(gather.begin(at(4), 1), Begin::Now);
    }

    #[test]
    fn two_halves_become_one_crowd() {
        let mut gather = Gather::default();
        synced(&mut gather, 0, 32, 32);
        assert_eq!(gather.begin(at(4), 32), Begin::At(at(6)));
        assert_eq!(gather.begin(at(5), 63), Begin::At(at(6)));
        assert_eq!(gather.begin(at(5), 64), Begin::Now);
        synced(&mut gather, 5, 64, 0);
        assert_eq!(gather.begin(at(9), 10), Begin::At(at(11)), "the wait was worth it");
    }

    #[test]
    fn who_waits_for_nothing_waits_less_and_less() {
        let (mut gather, mut now, mut waits) = (Gather::default(), 0, 0);
        for _ in 0..1000 {
            synced(&mut gather, now, 1, 1);
            now += 4;
            match gather.begin(at(now), 1) {
                Begin::At(until) => {
                    assert_eq!(until, at(now + 2));
                    waits += 1;
                    now += 2;
                }
                other => assert_eq!(other, Begin::Soon),
            }
        }
        assert!((8..20).contains(&waits), "{waits} waits");
    }

    #[test]
    fn no_wait_is_longer_than_half_a_sync_or_the_limit() {
        let mut gather = Gather::default();
        gather.began(at(0), 5);
        gather.ended(at(1000), 5, 1);
        assert_eq!(gather.begin(at(1000), 1), Begin::At(at(1000) + WAIT_MAX));
        assert_eq!(gather.begin(at(1010), 2), Begin::Soon, "it has passed");
    }
}
