//! One seed of each story in its campaign size, start to verdict: the world is made, run and
//! checked against the story's expectations. One element is one trace event. Reading the file is
//! not counted.

mod cpu_time;

use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storytime_scenarios::story::{Profile, Story};
use storytime_scenarios::{catalog, simulate};

/// The seed. Any will do: it fixes how many events a measured piece has.
const SEED: u64 = 1;

fn seeds(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("story seed");
    for card in catalog::cards().expect("the built-in stories are in order") {
        let name = card.id.as_str();
        let file = catalog::open(name).expect("a story of the catalogue opens");
        let story = file.story(Profile::Campaign, &[]).expect("a built-in story is in order");
        let events = to_verdict(&story);
        println!("{}: {events} events", name);
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bench| bench.iter(|| to_verdict(&story)));
    }
    group.finish();
}

fn to_verdict(story: &Story) -> u64 {
    let run = simulate::run_simulated(story, SEED, simulate::Options::default());
    assert_eq!(run.first_failure(story), None, "the story holds");
    run.events()
}

criterion_group! { name = stories; config = cpu_time::criterion(); targets = seeds }
criterion_main!(stories);
