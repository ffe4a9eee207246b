//! A sorted set: members with scores, in the order of score and then bytes.

use super::Dict;
use super::order::Order;
use bytes::Bytes;

/// A score as a number whose order is the scores' order. Both zeros are the same place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place(u64);

impl Place {
    /// The place of a score that is a number.
    pub fn of(score: f64) -> Self {
        assert!(!score.is_nan(), "scores are numbers");
        let bits = (score + 0.0).to_bits();
        Self(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits })
    }
}

/// Members with scores.
#[derive(Debug)]
pub struct Sorted {
    scores: Dict<f64>,
    order: Order,
}

impl Sorted {
    /// None yet; with the secret of its hash.
    pub const fn new(secret: u64) -> Self {
        Self { scores: Dict::new(secret), order: Order::new() }
    }

    /// How many members there are.
    pub const fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// A member's score.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Members and scores by their place in the dictionary, for scans.
    pub const fn scores(&self) -> &Dict<f64> {
        &self.scores
    }

    /// Gives a member a score; whether it is new.
    pub fn add(&mut self, member: Bytes, score: f64) -> bool {
        let before = self.scores.insert(member.clone(), score);
        if let Some(before) = before {
            let there = self.order.remove(Place::of(before), &member);
            assert!(there, "every member is in the order");
        }
        self.order.insert(Place::of(score), member);
        before.is_none()
    }

    /// Takes a member out; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some((member, score)) = self.scores.remove(member) else { return false };
        let there = self.order.remove(Place::of(score), &member);
        assert!(there, "every member is in the order");
        true
    }

    /// Members in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.order.iter().map(|(_, member)| member)
    }

    /// Members whose score is at this place or behind it, in order, with their places.
    pub fn from(&self, place: Place) -> impl DoubleEndedIterator<Item = &(Place, Bytes)> {
        self.order.from(place)
    }

    /// Members of a rank, counted from zero, and behind it, in order.
    pub fn ranked(&self, rank: usize) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.order.ranked(rank).map(|(_, member)| member)
    }

    /// How many members come before one; `None` if it is not there.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.rank(Place::of(score), member))
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        self.scores.invariants();
        self.order.invariants(self.scores.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_order_as_numbers_do() {
        let scores = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 1.0, 1e300, f64::INFINITY];
        assert!(scores.windows(2).all(|two| Place::of(two[0]) < Place::of(two[1])));
        assert_eq!(Place::of(-0.0), Place::of(0.0));
    }
}
