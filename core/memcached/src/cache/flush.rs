//! The clock of use, and `flush_all` as a mark on it.
//!
//! An item carries the stamp of its last use. Everything stamped at or before the mark is dead.
//! Each flush sets the mark to the present stamp and pushes the clock one second ahead of the
//! server's, so what is stored behind it, in the same second even, comes after the mark. The mark
//! never goes back, so what was flushed once stays flushed.

use super::item::Stamp;
use crate::clock::Seconds;

/// How far the clock of use may run ahead of the server's before it has to be set back, seconds.
const AHEAD_MAX: u32 = 1 << 30;

#[derive(Debug)]
pub(super) struct Flush {
    /// The latest time that was heard of. Several workers read the clock one after the other.
    now: Seconds,
    /// A delayed flush to come.
    due: Option<Seconds>,
    ahead: u32,
    mark: Stamp,
}

impl Default for Flush {
    fn default() -> Self {
        Self { now: Seconds(0), due: None, ahead: 0, mark: 0 }
    }
}

impl Flush {
    /// Hears of the time; returns the latest one. Carries out a delayed flush that has come due.
    #[inline]
    pub(super) fn tick(&mut self, now: Seconds) -> Seconds {
        if now > self.now {
            self.now = now;
            if let Some(due) = self.due
                && due <= now
            {
                // What was there before the flush came due was stamped in a second before it.
                self.mark = self.stamp() - 1;
                self.due = None;
            }
        }
        self.now
    }

    /// The latest time that was heard of.
    pub(super) const fn now(&self) -> Seconds {
        self.now
    }

    /// The present stamp.
    #[inline]
    pub(super) const fn stamp(&self) -> Stamp {
        self.now.0.saturating_add(self.ahead)
    }

    /// The second of the server's clock in which a live item was stamped.
    #[inline]
    pub(super) const fn seconds(&self, stamp: Stamp) -> Seconds {
        Seconds(stamp.saturating_sub(self.ahead))
    }

    /// Flushes now, or at a moment. Returns whether the clock of use has run too far ahead: then
    /// everything that is dead must go, and [`set_back`](Self::set_back) must follow.
    pub(super) fn set(&mut self, at: Option<Seconds>) -> bool {
        match at {
            Some(at) if at > self.now => self.due = Some(at),
            _ => {
                (self.mark, self.due) = (self.stamp(), None);
                self.ahead += 1;
            }
        }
        self.ahead > AHEAD_MAX
    }

    /// Sets the clock of use back to the server's. Nothing is there that it has stamped.
    pub(super) const fn set_back(&mut self) {
        (self.ahead, self.mark) = (0, 0);
    }

    #[inline]
    pub(super) const fn covers(&self, used: Stamp) -> bool {
        used <= self.mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_too_far_ahead_is_set_back() {
        let mut flush = Flush { ahead: AHEAD_MAX - 1, ..Flush::default() };
        flush.tick(Seconds(10));
        assert!(!flush.set(None));
        let stamp = flush.stamp();
        assert!(flush.set(None), "one flush more is too many");
        assert!(flush.covers(stamp));
        flush.set_back();
        assert_eq!(flush.stamp(), 10);
        assert!(!flush.covers(flush.stamp()));
    }

    #[test]
    fn a_delayed_flush_covers_what_was_there_and_nothing_that_comes() {
        let mut flush = Flush::default();
        flush.tick(Seconds(10));
        flush.set(Some(Seconds(20)));
        let before = flush.stamp();
        flush.tick(Seconds(19));
        assert!(!flush.covers(before));
        flush.tick(Seconds(25));
        assert!(flush.covers(before) && !flush.covers(flush.stamp()));
    }
}
