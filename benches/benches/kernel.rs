//! The simulator's event loop: echo over TCP. One element is one trace event.

mod cpu_time;

use cpu_time::CpuTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use storytime_benches::echo_world::{EchoWorld, Shape};

/// Events in one measured piece: enough that its own overhead does not count.
const EVENTS: u64 = 20_000;

fn echo(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("kernel echo");
    group.throughput(Throughput::Elements(EVENTS));
    for conns in [1, 100, 1_000, 10_000] {
        let mut world = EchoWorld::new(Shape::from_one_host(conns));
        world.warm_up();
        group.bench_function(BenchmarkId::from_parameter(conns), |bench| {
            bench.iter(|| world.run(EVENTS));
        });
    }
    group.finish();
}

criterion_group! { name = kernel; config = cpu_time::criterion(); targets = echo }
criterion_main!(kernel);
