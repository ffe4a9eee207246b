//! Counters of servers over time: read at the end of every bucket, on both runtimes.
//!
//! A program states which of its counters can be measured. What only grows becomes a series of
//! increments; what goes up and down becomes a series of levels; a share is made of two counters.
//! Only what a story's expectations and pictures ask for is read.
//!
//! A host's programs are added up. A server that starts anew counts from zero: what the old one
//! counted after the last reading is lost.

use crate::metric::{From, Kind, Metric, MetricDef};
use crate::models::Results;
use crate::models::results::Result;
use crate::models::series::Series;
use crate::story::{Draw, Setup, Story};
use std::collections::BTreeMap;
use std::time::Duration;
use storytime_machine::nanos;

/// Shares that are made of counters: the metric, the counter of the parts, that of the wholes.
const SHARES: &[(&str, &str, &str)] = &[
    ("hit_ratio", "get_hits", "cmd_get"),
    ("cpu_busy", CPU_BUSY_NS, CPU_NS),
    ("disk_busy", DISK_BUSY_NS, DISK_NS),
];

/// Metrics that only the simulator knows.
pub const SIMULATED_ONLY: &[&str] = &["disk_busy"];

/// Counters of a host itself, nanoseconds: how long its cores have worked, of how long.
pub const CPU_BUSY_NS: &str = "cpu_busy_ns";
/// See [`CPU_BUSY_NS`].
pub const CPU_NS: &str = "cpu_ns";
/// How long its disk has worked, of how long, nanoseconds.
pub const DISK_BUSY_NS: &str = "disk_busy_ns";
/// See [`DISK_BUSY_NS`].
pub const DISK_NS: &str = "disk_ns";

/// What can be measured about every host, whatever it runs; how busy disks are, only in the
/// simulator.
pub const HOST_METRICS: &[MetricDef] = &[
    MetricDef { name: "cpu_busy", kind: Kind::Shares, label: "processor busy" },
    MetricDef { name: "disk_busy", kind: Kind::Shares, label: "disk busy" },
];

/// Hosts and counters that a story asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched(Vec<(usize, MetricDef)>);

impl Watched {
    /// What a story's expectations and pictures ask for.
    pub fn of(story: &Story) -> Self {
        let mut found = Self::default();
        story.fits.iter().for_each(|fit| found.add(&fit.metric));
        for expect in &story.expects {
            found.add(&expect.measure.metric);
            if let crate::story::Against::Metric(other) = &expect.measure.against {
                found.add(other);
            }
        }
        for chart in &story.charts {
            match &chart.draw {
                Draw::Lines(metrics) => metrics.iter().for_each(|metric| found.add(metric)),
                Draw::Bars(metrics) | Draw::Curves(metrics) => {
                    metrics.iter().for_each(|(metric, _)| found.add(metric));
                }
            }
        }
        found
    }

    fn add(&mut self, metric: &Metric) {
        let From::Hosts(hosts) = &metric.from else { return };
        for &host in hosts.iter().filter(|_| metric.def.kind.is_series()) {
            if !self.0.contains(&(host, metric.def)) {
                self.0.push((host, metric.def));
            }
        }
    }

    /// The hosts whose counters are read.
    pub fn hosts(&self) -> Vec<usize> {
        let mut hosts: Vec<usize> = self.0.iter().map(|(host, _)| *host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// One counter of one host, bucket by bucket.
#[derive(Clone, Debug, Default)]
struct Counter {
    /// The last reading.
    read: u64,
    values: Vec<u64>,
}

/// What was read so far.
#[derive(Clone, Debug)]
pub struct Samples {
    watched: Watched,
    bucket: Duration,
    duration: Duration,
    buckets: u64,
    taken: u64,
    counters: BTreeMap<(usize, &'static str), Counter>,
}

/// A host's counters at one moment, its programs added up; empty while it runs none.
pub type Reading = BTreeMap<String, u64>;

impl Samples {
    /// Nothing read yet.
    pub fn new(watched: &Watched, setup: &Setup) -> Self {
        let buckets = nanos(setup.duration).div_ceil(nanos(setup.bucket));
        Self {
            watched: watched.clone(),
            bucket: setup.bucket,
            duration: setup.duration,
            buckets,
            taken: 0,
            counters: BTreeMap::new(),
        }
    }

    /// When the counters are to be read next, from the beginning; `None` once the story is over or
    /// if nobody asks for any.
    pub fn next(&self) -> Option<Duration> {
        let more = self.taken < self.buckets && !self.watched.0.is_empty();
        let at = nanos(self.bucket).saturating_mul(self.taken + 1);
        more.then(|| Duration::from_nanos(at).min(self.duration))
    }

    /// The hosts whose counters are read.
    pub fn hosts(&self) -> Vec<usize> {
        self.watched.hosts()
    }

    /// Whether the next reading is the last.
    pub const fn is_last(&self) -> bool {
        self.taken + 1 == self.buckets
    }

    /// Takes the readings at the end of one bucket.
    pub fn take(&mut self, mut read: impl FnMut(usize) -> Reading) {
        for host in self.watched.hosts() {
            let reading = read(host);
            for (_, def) in self.watched.0.iter().filter(|(of, _)| *of == host) {
                let share = SHARES.iter().find(|(name, _, _)| *name == def.name);
                let names = share.map_or([def.name; 2], |(_, part, whole)| [*part, *whole]);
                for name in &names[..if share.is_some() { 2 } else { 1 }] {
                    let grows = !matches!(def.kind, Kind::Level | Kind::Bytes);
                    let counter = self.counters.entry((host, *name)).or_default();
                    // Two metrics may be made of one counter: it is read once for both.
                    if counter.values.len() as u64 == self.taken {
                        counter.note(reading.get(*name).copied().unwrap_or(0), grows);
                    }
                }
            }
        }
        self.taken += 1;
    }

    /// What was read, as a host's results.
    pub fn results(&self, host: usize) -> Results {
        let series = |name: &'static str| {
            let found = self.counters.get(&(host, name));
            let mut values = found.map_or_else(Vec::new, |counter| counter.values.clone());
            // A run that broke was not read to its end.
            values.resize(self.buckets as usize, 0);
            Series::of(values, self.bucket)
        };
        let mut results = Results::default();
        for (_, def) in self.watched.0.iter().filter(|(of, _)| *of == host) {
            let result = match def.kind {
                Kind::Level => Result::Level(series(def.name)),
                Kind::Bytes => Result::Bytes(series(def.name)),
                Kind::Shares => {
                    let share = SHARES.iter().find(|(name, _, _)| *name == def.name);
                    let (_, part, whole) = share.expect("shares of hosts are in the table");
                    Result::Shares(series(part), series(whole))
                }
                _ => Result::Series(series(def.name)),
            };
            results.0.insert(def.name, result);
        }
        results
    }
}

impl Counter {
    fn note(&mut self, now: u64, grows: bool) {
        self.values.push(match grows {
            // A counter that went back is a new server's.
            true if now >= self.read => now - self.read,
            _ => now,
        });
        self.read = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_of_a_server_that_starts_anew_count_from_zero() {
        let mut counter = Counter::default();
        for now in [3, 10, 10, 2, 5] {
            counter.note(now, true);
        }
        assert_eq!(counter.values, [3, 7, 0, 2, 3]);
    }

    #[test]
    fn levels_are_kept_as_they_are() {
        let mut counter = Counter::default();
        for now in [3, 10, 0] {
            counter.note(now, false);
        }
        assert_eq!(counter.values, [3, 10, 0]);
    }
}
