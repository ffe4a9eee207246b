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

impl Results {
    /// Adds what another part of the same source measured.
    ///
    /// # Panics
    /// If both measured the same metric in different kinds: a bug of the model.
    pub fn merge(&mut self, other: Self) {
        for (name, theirs) in other.0 {
            let Some(mine) = self.0.get_mut(name) else {
                self.0.insert(name, theirs);
                continue;
            };
            match (mine, theirs) {
                (Result::Series(a), Result::Series(b)) => a.merge(&b),
                (Result::Shares(a, b), Result::Shares(c, d)) => {
                    a.merge(&c);
                    b.merge(&d);
                }
                (Result::Latency(a), Result::Latency(b)) => {
                    a.add(&b).expect("histograms have the same bounds");
                }
                (Result::Count(a), Result::Count(b)) => *a += b,
                (Result::Share(a, b), Result::Share(c, d)) => {
                    *a += c;
                    *b += d;
                }
                (Result::Word(a), Result::Word(b)) => *a = b,
                _ => panic!("two parts of one source measured {name} differently"),
            }
        }
    }
}
