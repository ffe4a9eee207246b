//! What a model measured, by the name of the metric.

use super::series::Series;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest time that a histogram tells apart, nanoseconds: an hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Digits that a histogram keeps.
const LATENCY_DIGITS: u8 = 2;

/// One measured thing.
#[derive(Clone, Debug)]
pub enum Result {
    /// Counts over time.
    Series(Series),
    /// Parts and wholes over time.
    Shares(Series, Series),
    /// Lengths of time.
    Latency(Histogram<u64>),
    /// One number.
    Count(u64),
    /// One share, as part and whole.
    Share(u64, u64),
    /// One word.
    Word(String),
    /// One length of time, nanoseconds.
    Time(u64),
    /// Levels at the ends of buckets.
    Level(Series),
    /// Bytes at the ends of buckets.
    Bytes(Series),
    /// Numbers by what they belong to.
    Curve(BTreeMap<u64, u64>),
    /// Parts and wholes by what they belong to.
    ShareCurve(BTreeMap<u64, (u64, u64)>),
}

/// All that one source measured.
#[derive(Clone, Debug, Default)]
pub struct Results(pub BTreeMap<&'static str, Result>);

/// An empty histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, LATENCY_DIGITS)
        .expect("the bounds and digits are constants that fit")
}

/// Records a length of time; longer than an hour counts as an hour.
pub fn record(into: &mut Histogram<u64>, ns: u64) {
    into.saturating_record(ns.max(1));
}

impl Result {
    /// Adds what another part of the same source, or another source, measured of the same metric.
    ///
    /// # Panics
    /// If the two are of different kinds: a bug of whoever measured.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Series(a), Self::Series(b))
            | (Self::Level(a), Self::Level(b))
            | (Self::Bytes(a), Self::Bytes(b)) => a.merge(b),
            (Self::Shares(a, b), Self::Shares(c, d)) => {
                a.merge(c);
                b.merge(d);
            }
            (Self::Latency(a), Self::Latency(b)) => {
                a.add(b).expect("histograms have the same bounds");
            }
            (Self::Count(a), Self::Count(b)) | (Self::Time(a), Self::Time(b)) => *a += b,
            (Self::Share(a, b), Self::Share(c, d)) => {
                *a += c;
                *b += d;
            }
            (Self::Word(a), Self::Word(b)) => a.clone_from(b),
            (Self::Curve(a), Self::Curve(b)) => {
                b.iter().for_each(|(x, y)| *a.entry(*x).or_default() += y);
            }
            (Self::ShareCurve(a), Self::ShareCurve(b)) => {
                for (x, (part, whole)) in b {
                    let sum = a.entry(*x).or_default();
                    *sum = (sum.0 + part, sum.1 + whole);
                }
            }
            _ => panic!("one metric was measured in two kinds"),
        }
    }
}

impl Results {
    /// Adds what another part of the same source measured.
    ///
    /// # Panics
    /// If both measured the same metric in different kinds: a bug of the model.
    pub fn merge(&mut self, other: Self) {
        for (name, theirs) in other.0 {
            match self.0.get_mut(name) {
                Some(mine) => mine.add(&theirs),
                None => {
                    self.0.insert(name, theirs);
                }
            }
        }
    }
}
