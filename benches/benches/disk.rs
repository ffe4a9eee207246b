//! The simulated disk: append and flush. One element is one record made durable.

mod cpu_time;

use bytes::Bytes;
use cpu_time::CpuTime;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use storytime_benches::append_log::AppendLog;
use storytime_sim::DiskConfig;
use storytime_sim::disk::Profile;

/// Records in one measured piece; the file is new for each, so that memory stays bounded and the
/// growth of the file is measured too.
const RECORDS: u64 = 10_000;

fn append_and_flush(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("disk append and flush");
    group.throughput(Throughput::Elements(RECORDS));
    for (name, profile) in [("posix", Profile::Posix), ("liar", Profile::Liar)] {
        for record_bytes in [64, 512] {
            let record = Bytes::from(vec![b'r'; record_bytes]);
            let id = BenchmarkId::new(name, record_bytes);
            group.bench_function(id, |bench| {
                bench.iter_batched_ref(
                    || AppendLog::new(DiskConfig::new(profile)),
                    |log| (0..RECORDS).for_each(|_| log.append_and_flush(&record)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group! { name = disk; config = cpu_time::criterion(); targets = append_and_flush }
criterion_main!(disk);
