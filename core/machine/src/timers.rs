//! The timers of one process: set, moved and cancelled by token.
//!
//! A binary heap with lazy deletion: moving or cancelling leaves a stale entry behind, recognised
//! by its sequence number. Stale entries never outnumber live ones by more than [`STALE_SLACK`]
//! plus their count, so memory stays bounded by the timers in use.

use crate::hash::FixedState;
use crate::{Time, Token};
use core::cmp::Reverse;
use hashbrown::HashMap;
use std::collections::BinaryHeap;

/// Stale entries tolerated before a compaction is worth its cost.
const STALE_SLACK: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, u64, Token)>>,
    /// The sequence number of each token's live entry.
    live: HashMap<Token, u64, FixedState>,
    next_seq: u64,
    /// Nothing has changed since the head of the heap was found to be live.
    head_is_live: bool,
}

impl Timers {
    /// Sets or moves the timer.
    pub(crate) fn set(&mut self, token: Token, at: Time) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.live.insert(token, seq);
        self.heap.push(Reverse((at, seq, token)));
        self.head_is_live = false;
        self.compact();
    }

    /// Cancels the timer; no matter if it is not set.
    pub(crate) fn cancel(&mut self, token: Token) {
        self.live.remove(&token);
        self.head_is_live = false;
        self.compact();
    }

    /// When the next timer is due. Asked after every input, and mostly nothing has changed.
    #[inline]
    pub(crate) fn deadline(&mut self) -> Option<Time> {
        if !self.head_is_live {
            self.drop_stale_head();
        }
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    fn drop_stale_head(&mut self) {
        while let Some(Reverse((_, seq, token))) = self.heap.peek()
            && self.live.get(token) != Some(seq)
        {
            self.heap.pop();
        }
        self.head_is_live = true;
    }

    /// Takes one timer that is due at `now`: earliest first, then in the order of setting. Timers
    /// set with a sequence number of `before` or later are left for the next tick, so that a timer
    /// which sets itself again for now cannot hold the process for ever.
    pub(crate) fn pop_due(&mut self, now: Time, before: u64) -> Option<Token> {
        let at = self.deadline()?;
        let Reverse((_, seq, token)) = *self.heap.peek().expect("deadline() left a live entry");
        if at > now || seq >= before {
            return None;
        }
        self.heap.pop();
        self.live.remove(&token);
        self.head_is_live = false;
        Some(token)
    }

    /// Sequence number of the next timer set.
    pub(crate) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn compact(&mut self) {
        if self.heap.len() > 2 * self.live.len() + STALE_SLACK {
            let live = &self.live;
            self.heap.retain(|Reverse((_, seq, token))| live.get(token) == Some(seq));
            assert_eq!(self.heap.len(), self.live.len(), "one heap entry per live timer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(timers: &mut Timers, now: u64) -> Vec<u64> {
        let before = timers.next_seq();
        core::iter::from_fn(|| timers.pop_due(Time(now), before)).map(|t| t.0).collect()
    }

    #[test]
    fn timers_fire_by_time_then_by_order_of_setting() {
        let mut timers = Timers::default();
        for (token, at) in [(1, 20), (2, 10), (3, 10), (4, 30)] {
            timers.set(Token(token), Time(at));
        }
        assert_eq!(timers.deadline(), Some(Time(10)));
        assert_eq!(due(&mut timers, 25), [2, 3, 1]);
        assert_eq!(timers.deadline(), Some(Time(30)));
    }

    #[test]
    fn moved_and_cancelled_timers_do_not_fire_at_their_old_time() {
        let mut timers = Timers::default();
        timers.set(Token(1), Time(10));
        timers.set(Token(2), Time(10));
        timers.set(Token(1), Time(50));
        timers.cancel(Token(2));
        assert_eq!(due(&mut timers, 20), [0u64; 0]);
        assert_eq!(due(&mut timers, 50), [1]);
    }

    #[test]
    fn a_deadline_told_before_does_not_outlive_a_change() {
        let mut timers = Timers::default();
        timers.set(Token(1), Time(10));
        assert_eq!(timers.deadline(), Some(Time(10)));
        timers.set(Token(1), Time(30));
        assert_eq!(timers.deadline(), Some(Time(30)));
        timers.set(Token(2), Time(20));
        assert_eq!(timers.deadline(), Some(Time(20)));
        timers.cancel(Token(2));
        assert_eq!(timers.deadline(), Some(Time(30)));
        assert_eq!(due(&mut timers, 30), [1]);
        assert_eq!(timers.deadline(), None);
    }

    #[test]
    fn moving_one_timer_for_ever_costs_no_memory() {
        let mut timers = Timers::default();
        for at in 0..100_000 {
            timers.set(Token(1), Time(at));
        }
        assert!(timers.heap.len() <= 2 + STALE_SLACK + 1, "{}", timers.heap.len());
        assert_eq!(due(&mut timers, 100_000), [1]);
    }
}
