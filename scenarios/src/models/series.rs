//! Counts in buckets of time: integers, so that a run has the same figures on every platform.

use std::time::Duration;
use storytime_machine::{Time, nanos};

/// Events counted by when they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    began: Time,
    bucket_ns: u64,
    counts: Vec<u64>,
}

impl Series {
    /// Room for `duration` in buckets of the given width, all zero, from time zero on.
    ///
    /// # Panics
    /// If the bucket has no width.
    pub fn new(duration: Duration, bucket: Duration) -> Self {
        assert!(!bucket.is_zero(), "a bucket has a width");
        let buckets = nanos(duration).div_ceil(nanos(bucket)) as usize;
        Self { began: Time::ZERO, bucket_ns: nanos(bucket), counts: vec![0; buckets] }
    }

    /// Moves the beginning: for clocks that do not start with the run.
    pub const fn begin(&mut self, at: Time) {
        self.began = at;
    }

    /// Counts events. What happens behind the end is not counted: the run is over.
    #[inline]
    pub fn add(&mut self, now: Time, n: u64) {
        let at = now.0.saturating_sub(self.began.0) / self.bucket_ns;
        if let Some(count) = self.counts.get_mut(at as usize) {
            *count += n;
        }
    }

    /// Notes a level, which holds until the next is noted.
    pub fn set(&mut self, now: Time, level: u64) {
        let at = (now.0.saturating_sub(self.began.0) / self.bucket_ns) as usize;
        if let Some(rest) = self.counts.get_mut(at..) {
            rest.fill(level);
        }
    }

    /// A series of counts that are known already.
    pub fn of(counts: Vec<u64>, bucket: Duration) -> Self {
        assert!(!bucket.is_zero(), "a bucket has a width");
        Self { began: Time::ZERO, bucket_ns: nanos(bucket), counts }
    }

    /// The counts, by bucket.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Width of a bucket, nanoseconds.
    pub const fn bucket_ns(&self) -> u64 {
        self.bucket_ns
    }

    /// Adds another series of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn merge(&mut self, other: &Self) {
        assert!(self.bucket_ns == other.bucket_ns && self.counts.len() == other.counts.len());
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// The counts of the whole buckets in a window, in nanoseconds from the beginning.
    pub fn window(&self, from_ns: u64, to_ns: u64) -> &[u64] {
        let from = from_ns.div_ceil(self.bucket_ns).min(self.counts.len() as u64);
        let to = (to_ns / self.bucket_ns).clamp(from, self.counts.len() as u64);
        &self.counts[from as usize..to as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_fall_into_their_bucket_and_late_ones_nowhere() {
        let mut series = Series::new(Duration::from_millis(25), Duration::from_millis(10));
        for ms in [0, 9, 10, 24, 30, 99] {
            series.add(Time(ms * 1_000_000), 1);
        }
        assert_eq!(series.counts(), [2, 1, 1]);
    }

    #[test]
    fn a_window_takes_whole_buckets_only() {
        let mut series = Series::new(Duration::from_nanos(50), Duration::from_nanos(10));
        for at in 0..50 {
            series.add(Time(at), at / 10);
        }
        assert_eq!(series.window(10, 30), [10, 20]);
        assert_eq!(series.window(11, 39), [20]);
        assert_eq!(series.window(45, 45), [0; 0]);
        assert_eq!(series.window(40, 900), [40]);
    }
}
