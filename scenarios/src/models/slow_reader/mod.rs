//! One large value that is read slowly while it is overwritten.
//!
//! The load's first host reads: so many connections, each of which asks for the value, takes what
//! comes no faster than at a stated rate, and asks again. The others overwrite it, each with the
//! next version at every turn. A value is its version, over and over, so that a reader sees whether
//! all of it is of one. What version was acknowledged last is known to the readers of a run, as it
//! is to nobody in a real site, and tells them which one they should get.
//!
//! Not modelled: a modem's compression and line noise; its rate is that of a link in the file, or
//! on real sockets of the reader alone, and then the kernel's buffers read ahead.

mod reader;
mod writer;

use super::kinds::{Boxed, LoadKind, LoadSpec, Shared};
use super::results::{Result, Results, histogram};
use super::series::Series;
use crate::build::Seat;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{BANDWIDTH, BYTES, DURATION, Fields};
use crate::metric::{Kind, MetricDef};
use crate::read::{Parts, work};
use crate::story::{Cache, Setup};
use hdrhistogram::Histogram;
use reader::Reader;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::Time;
use writer::Writer;

/// Slow readers and those who overwrite.
pub const KIND: LoadKind = LoadKind {
    name: "slow-reader",
    fields: &["caches", "value", "readers", "read", "every"],
    verbs: &[],
    works: &[],
    read,
};

const METRICS: &[MetricDef] = &[
    MetricDef { name: "values_read", kind: Kind::Count, label: "values read" },
    MetricDef { name: "torn", kind: Kind::Count, label: "values of more than one version" },
    MetricDef { name: "as_asked", kind: Kind::Share, label: "values of the version asked for" },
    MetricDef { name: "read_time", kind: Kind::Latency, label: "time to read the value" },
    MetricDef { name: "bytes_taken", kind: Kind::Series, label: "bytes read" },
    MetricDef { name: "overwritten", kind: Kind::Count, label: "overwrites during the reads" },
    MetricDef { name: "writes", kind: Kind::Series, label: "overwrites" },
    MetricDef { name: "write_time", kind: Kind::Latency, label: "time of an overwrite" },
    MetricDef { name: "writes_failed", kind: Kind::Count, label: "overwrites that failed" },
];

/// Largest value, bytes.
const VALUE_BYTES_MAX: u64 = 256 << 20;
/// Most connections of the reader.
const READERS_MAX: u64 = 1_000;
/// Digits of a version.
const DIGITS: usize = 10;
/// The key.
const KEY: &str = "large";
/// How long a connect or an overwrite may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The numbers.
#[derive(Clone, Debug)]
struct SlowReader {
    cache: Cache,
    value_bytes: u64,
    readers: u32,
    /// Bytes a second; 0 for as fast as they come.
    bytes_per_s: u64,
    every: Duration,
}

/// The versions of the value: those sent, and the last one acknowledged.
#[derive(Debug, Default)]
struct Versions {
    sent: u64,
    stored: u64,
}

fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Arc<dyn LoadSpec>> {
    let caches = work::caches(fields, parts)?;
    let [cache] = caches[..] else {
        let at = &fields.required("caches", "")?.span;
        let title = "one value lies in one cache";
        return Err(Diagnostic::at(at, title, "expected one").into());
    };
    let value_bytes = fields.quantity("value", BYTES, None)?;
    if !(DIGITS as u64..=VALUE_BYTES_MAX).contains(&value_bytes) {
        let at = &fields.required("value", "")?.span;
        let title = "a value of a length that cannot be made";
        let label = format!("expected {DIGITS} to {VALUE_BYTES_MAX} bytes");
        return Err(Diagnostic::at(at, title, label).into());
    }
    Ok(Arc::new(SlowReader {
        cache,
        value_bytes,
        readers: fields.integer("readers", 0..=READERS_MAX, Some(1))? as u32,
        bytes_per_s: fields.quantity("read", BANDWIDTH, Some(0))?,
        every: fields.quantity("every", DURATION, None)?.max(Duration::from_micros(1)),
    }))
}

impl LoadSpec for SlowReader {
    fn metrics(&self) -> &'static [MetricDef] {
        METRICS
    }

    fn words(&self, _hosts: usize) -> String {
        let unit = storytime_reports::model::Unit::Bytes;
        let size = storytime_reports::format::figure(self.value_bytes as f64, &unit);
        format!("{} slow readers of one value of {size}, and who overwrites it", self.readers)
    }

    fn share(&self, _setup: &Setup, _parts: usize) -> Shared {
        Arc::new(Mutex::new(Versions::default()))
    }

    fn build(&self, seat: &Seat<'_>) -> Boxed {
        let server = seat.servers(&[self.cache]).swap_remove(0);
        let key = format!("{}:{KEY}", seat.first_key());
        let figures = Figures::new(seat.setup.duration, seat.setup.bucket);
        let numbers = self.clone();
        let shared = Arc::clone(seat.shared);
        if seat.part == 0 {
            Box::new(Reader::new(numbers, server.at, key, shared, figures))
        } else {
            Box::new(Writer::new(numbers, server, key, shared, figures))
        }
    }
}

fn versions(shared: &Shared) -> &Mutex<Versions> {
    shared.downcast_ref().expect("made by this load's `share`")
}

#[derive(Debug)]
struct Figures {
    values_read: u64,
    torn: u64,
    as_asked: (u64, u64),
    read_times: Histogram<u64>,
    taken: Series,
    overwritten: u64,
    writes: Series,
    write_times: Histogram<u64>,
    writes_failed: u64,
}

impl Figures {
    fn new(duration: Duration, bucket: Duration) -> Self {
        Self {
            values_read: 0,
            torn: 0,
            as_asked: (0, 0),
            read_times: histogram(),
            taken: Series::new(duration, bucket),
            overwritten: 0,
            writes: Series::new(duration, bucket),
            write_times: histogram(),
            writes_failed: 0,
        }
    }

    fn begin(&mut self, now: Time) {
        self.taken.begin(now);
        self.writes.begin(now);
    }

    fn results(&self) -> Results {
        Results(
            [
                ("values_read", Result::Count(self.values_read)),
                ("torn", Result::Count(self.torn)),
                ("as_asked", Result::Share(self.as_asked.0, self.as_asked.1)),
                ("read_time", Result::Latency(self.read_times.clone())),
                ("bytes_taken", Result::Series(self.taken.clone())),
                ("overwritten", Result::Count(self.overwritten)),
                ("writes", Result::Series(self.writes.clone())),
                ("write_time", Result::Latency(self.write_times.clone())),
                ("writes_failed", Result::Count(self.writes_failed)),
            ]
            .into(),
        )
    }
}
