//! memcached's parser and store, through the shell that all drivers share. One element is one
//! request.

mod cpu_time;

use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storytime_benches::cache::{Cache, Pipeline};

/// Keys in the cache, and requests in one piece of input.
const KEYS: u32 = 1_000;
/// Size of the values, bytes.
const VALUE_BYTES: usize = 100;

fn pipelined(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("memcached pipelined");
    let sets = Pipeline::sets(KEYS, VALUE_BYTES);
    for (name, pipeline) in
        [("get", &Pipeline::gets(KEYS)), ("set", &sets), ("version", &Pipeline::versions(KEYS))]
    {
        let mut cache = Cache::new();
        cache.ask(&sets.bytes);
        group.throughput(Throughput::Elements(pipeline.requests));
        group.bench_function(name, |bench| bench.iter(|| cache.ask(&pipeline.bytes).len()));
    }
    group.finish();
}

criterion_group! { name = memcached; config = cpu_time::criterion(); targets = pipelined }
criterion_main!(memcached);
