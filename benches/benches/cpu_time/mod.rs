//! CPU time of the thread as criterion's measurement, in place of wall time.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::time::Duration;
use storytime_benches::cpu::used_by_this_thread;

/// Criterion with CPU time, samples enough for a spread, and few seconds for each bench.
pub(crate) fn criterion() -> criterion::Criterion<CpuTime> {
    criterion::Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

/// Time that this thread has run.
pub(crate) struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        used_by_this_thread()
    }

    fn end(&self, start: Duration) -> Duration {
        used_by_this_thread() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
