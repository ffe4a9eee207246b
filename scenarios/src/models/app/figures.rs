//! What one host of a load has measured, kept between the lives of its process.

use crate::metric::{Kind, MetricDef};
use crate::models::results::{Result, Results, histogram, record};
use crate::models::series::Series;
use std::collections::BTreeMap;
use std::time::Duration;
use storytime_machine::Time;

/// What a word is before a workload says another.
const NO_WORD: &str = "none";

/// The figures of one host, by the name of the metric.
#[derive(Debug)]
pub struct Book {
    results: Results,
    /// When the first life of the process began, on the host's clock.
    began: Option<Time>,
}

impl Book {
    /// Empty figures for every metric of a table.
    pub fn new(table: &[MetricDef], duration: Duration, bucket: Duration) -> Self {
        let series = || Series::new(duration, bucket);
        let empty = |def: &MetricDef| {
            let result = match def.kind {
                Kind::Series => Result::Series(series()),
                Kind::Shares => Result::Shares(series(), series()),
                Kind::Latency => Result::Latency(histogram()),
                Kind::Count => Result::Count(0),
                Kind::Share => Result::Share(0, 0),
                Kind::Level => Result::Level(series()),
                Kind::Bytes => Result::Bytes(series()),
                Kind::Curve(_) => Result::Curve(BTreeMap::new()),
                Kind::ShareCurve(_) => Result::ShareCurve(BTreeMap::new()),
                Kind::Time => Result::Time(0),
                Kind::Word => Result::Word(NO_WORD.to_owned()),
            };
            (def.name, result)
        };
        let results = table.iter().map(empty).collect();
        Self { results: Results(results), began: None }
    }

    /// A life of the process begins; returns when the first did.
    pub(super) fn begin(&mut self, now: Time) -> Time {
        if self.began.is_none() {
            for result in self.results.0.values_mut() {
                match result {
                    Result::Series(series) | Result::Level(series) | Result::Bytes(series) => {
                        series.begin(now);
                    }
                    Result::Shares(parts, wholes) => {
                        parts.begin(now);
                        wholes.begin(now);
                    }
                    _ => {}
                }
            }
        }
        *self.began.get_or_insert(now)
    }

    fn of(&mut self, name: &str) -> &mut Result {
        self.results.0.get_mut(name).expect("a workload counts what its table states")
    }

    /// Counts things.
    ///
    /// # Panics
    /// If the metric is not in the table, or is no count: a bug of the workload.
    pub fn count(&mut self, name: &str, now: Time, n: u64) {
        match self.of(name) {
            Result::Series(series) => series.add(now, n),
            Result::Count(count) => *count += n,
            other => panic!("{name} is no count: {other:?}"),
        }
    }

    /// Counts a part of a whole.
    ///
    /// # Panics
    /// As [`Book::count`].
    pub fn share(&mut self, name: &str, now: Time, part: u64, whole: u64) {
        match self.of(name) {
            Result::Shares(parts, wholes) => {
                parts.add(now, part);
                wholes.add(now, whole);
            }
            Result::Share(parts, wholes) => {
                *parts += part;
                *wholes += whole;
            }
            other => panic!("{name} is no share: {other:?}"),
        }
    }

    /// Notes a level, which holds until the next is noted.
    ///
    /// # Panics
    /// As [`Book::count`].
    pub fn level(&mut self, name: &str, now: Time, level: u64) {
        match self.of(name) {
            Result::Level(series) | Result::Bytes(series) => series.set(now, level),
            other => panic!("{name} is no level: {other:?}"),
        }
    }

    /// Counts things that belong to a point of a curve; of shares, a part of a whole.
    ///
    /// # Panics
    /// As [`Book::count`].
    pub fn at(&mut self, name: &str, x: u64, part: u64, whole: u64) {
        match self.of(name) {
            Result::Curve(curve) => *curve.entry(x).or_default() += part,
            Result::ShareCurve(curve) => {
                let point = curve.entry(x).or_default();
                *point = (point.0 + part, point.1 + whole);
            }
            other => panic!("{name} is no curve: {other:?}"),
        }
    }

    /// Says a word; it holds until another is said.
    ///
    /// # Panics
    /// As [`Book::count`].
    pub fn word(&mut self, name: &str, word: String) {
        match self.of(name) {
            Result::Word(said) => *said = word,
            other => panic!("{name} is no word: {other:?}"),
        }
    }

    /// Records a length of time, nanoseconds.
    ///
    /// # Panics
    /// As [`Book::count`].
    pub fn time(&mut self, name: &str, ns: u64) {
        match self.of(name) {
            Result::Latency(histogram) => record(histogram, ns),
            other => panic!("{name} is no time: {other:?}"),
        }
    }

    /// Everything measured so far.
    pub fn results(&self) -> Results {
        self.results.clone()
    }
}
