//! Members in the order of their scores, found by score or by rank: a list of sorted runs.
//!
//! A run holds at most [`RUN_MAX`] members, so that putting one in moves few; there are few enough
//! runs to be looked through one by one. With n members a look-up by score costs O(log n), by rank
//! or for a rank O(n / run): a few microseconds for a million. Not modelled: counts above the runs.

use super::Place;
use bytes::Bytes;
use core::cmp::Ordering;

/// Most members of a run.
const RUN_MAX: usize = 256;

/// A member at its place.
pub(super) type Placed = (Place, Bytes);

/// Members in order.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// None is empty.
    runs: Vec<Vec<Placed>>,
}

fn compare(placed: &Placed, place: Place, member: &[u8]) -> Ordering {
    placed.0.cmp(&place).then_with(|| placed.1[..].cmp(member))
}

impl Order {
    pub(super) const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Where a member is, or would be: its run and the place there. A run may be one too far.
    fn find(&self, place: Place, member: &[u8]) -> (usize, Result<usize, usize>) {
        let ends_before = |run: &Vec<Placed>| {
            run.last().is_some_and(|last| compare(last, place, member) == Ordering::Less)
        };
        let run = self.runs.partition_point(ends_before);
        let within = self
            .runs
            .get(run)
            .map_or(Err(0), |run| run.binary_search_by(|placed| compare(placed, place, member)));
        (run, within)
    }

    /// Puts a member in, which is not there.
    pub(super) fn insert(&mut self, place: Place, member: Bytes) {
        let (mut run, within) = self.find(place, &member);
        let mut at = within.expect_err("a member is put in once");
        if run == self.runs.len() {
            // Behind all: the last run goes on, if there is one.
            match self.runs.last() {
                Some(last) => (run, at) = (run - 1, last.len()),
                None => self.runs.push(Vec::new()),
            }
        }
        let members = &mut self.runs[run];
        members.insert(at, (place, member));
        if members.len() > RUN_MAX {
            // Who fills it in ascending order leaves full runs behind.
            let keep = if at + 1 == members.len() { RUN_MAX } else { RUN_MAX / 2 };
            let rest = members.split_off(keep);
            self.runs.insert(run + 1, rest);
        }
    }

    /// Takes a member out; whether it was there.
    pub(super) fn remove(&mut self, place: Place, member: &[u8]) -> bool {
        let (run, Ok(at)) = self.find(place, member) else { return false };
        self.runs[run].remove(at);
        let len = self.runs[run].len();
        let next = self.runs.get(run + 1).map_or(RUN_MAX, Vec::len);
        if len == 0 {
            self.runs.remove(run);
        } else if len + next <= RUN_MAX / 2 {
            let mut next = self.runs.remove(run + 1);
            self.runs[run].append(&mut next);
        }
        true
    }

    /// How many come before a member.
    pub(super) fn rank(&self, place: Place, member: &[u8]) -> usize {
        let (run, Ok(at) | Err(at)) = self.find(place, member);
        self.runs[..run].iter().map(Vec::len).sum::<usize>() + at
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Placed> {
        self.runs.iter().flatten()
    }

    /// Those at a place and behind it.
    pub(super) fn from(&self, place: Place) -> impl DoubleEndedIterator<Item = &Placed> {
        let (run, Ok(at) | Err(at)) = self.find(place, &[]);
        self.behind(run, at)
    }

    /// Those of a rank and behind it.
    pub(super) fn ranked(&self, rank: usize) -> impl DoubleEndedIterator<Item = &Placed> {
        let (mut run, mut at) = (0, rank);
        while let Some(members) = self.runs.get(run)
            && at >= members.len()
        {
            (run, at) = (run + 1, at - members.len());
        }
        self.behind(run, at)
    }

    fn behind(&self, run: usize, at: usize) -> impl DoubleEndedIterator<Item = &Placed> {
        let first = self.runs.get(run).map_or(&[][..], |members| &members[at..]);
        let rest = self.runs.get(run + 1..).unwrap_or_default();
        first.iter().chain(rest.iter().flatten())
    }

    /// Asserts what must hold between calls, for so many members.
    pub(super) fn invariants(&self, len: usize) {
        assert_eq!(self.runs.iter().map(Vec::len).sum::<usize>(), len, "every member is in order");
        let bounded = |run: &Vec<Placed>| !run.is_empty() && run.len() <= RUN_MAX;
        assert!(self.runs.iter().all(bounded), "runs hold something, and not too much");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Numbers in an order that is none.
    fn shuffled(n: u64) -> impl Iterator<Item = u64> {
        (0..n).map(move |i| i * 7919 % n)
    }

    fn at(n: u64) -> (Place, Bytes) {
        // Three members share a score.
        (Place::of((n / 3) as f64), Bytes::from(format!("{n:06}")))
    }

    fn assert_same(order: &Order, model: &BTreeSet<Placed>) {
        order.invariants(model.len());
        assert!(order.iter().eq(model));
        assert!(order.iter().rev().eq(model.iter().rev()));
        for (rank, (place, member)) in model.iter().enumerate().step_by(97) {
            assert_eq!(order.rank(*place, member), rank);
            assert!(order.ranked(rank).eq(model.iter().skip(rank)));
            assert!(order.from(*place).eq(model.range((*place, Bytes::new())..)));
        }
        assert_eq!(order.ranked(model.len()).count(), 0);
    }

    #[test]
    fn members_are_in_order_however_they_come_and_go() {
        for ascending in [false, true] {
            let (mut order, mut model) = (Order::new(), BTreeSet::new());
            for (step, n) in shuffled(2_003).enumerate() {
                let (place, member) = at(if ascending { step as u64 } else { n });
                order.insert(place, member.clone());
                model.insert((place, member));
            }
            assert_same(&order, &model);
            let full = order.runs.len();
            assert!(full <= 2_003 / (RUN_MAX / 2) + 1, "{full} runs");
            for (step, n) in shuffled(2_003).enumerate() {
                let (place, member) = at(n);
                assert!(order.remove(place, &member));
                assert!(!order.remove(place, &member), "it is gone");
                model.remove(&(place, member));
                if step % 500 == 0 {
                    assert_same(&order, &model);
                }
            }
            assert!(order.runs.is_empty());
        }
    }
}
