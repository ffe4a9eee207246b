//! What every story is held to: its expectations, its determinism, its tables, its canary.

use std::mem::discriminant;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use storytime_scenarios::catalog;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::run::{Run, kind_of};
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

/// A story; a change that must make it fail; and the failure, `EXPECTATION in VARIANT`.
pub(crate) type Told = (&'static str, &'static str, &'static str);

fn story(id: &str, sets: &[&str]) -> Story {
    let sets: Result<Vec<_>, _> = sets.iter().map(|set| Override::from_argument(set)).collect();
    let story = sets.and_then(|sets| catalog::open(id)?.story(Profile::Campaign, &sets));
    story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)))
}

fn run(story: &Story, seed: u64) -> Run {
    run_simulated(story, seed, Options::default())
}

/// Checks each, as many at a time as there are cores.
fn each(stories: &[Told], check: impl Fn(&Told) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(told) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(told);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
}

/// Each holds, and a seed is a run. Two seeds: the campaigns have the others.
pub(crate) fn all_hold(stories: &[Told]) {
    each(stories, |(id, ..)| {
        let story = story(id, &[]);
        let (first, again, other) = (run(&story, 1), run(&story, 1), run(&story, 2));
        assert_eq!(first.first_failure(&story), None, "{id}, seed 1");
        assert_eq!(other.first_failure(&story), None, "{id}, seed 2");
        assert_eq!((first.digest(), first.events()), (again.digest(), again.events()), "{id}");
        // A table of sizes has nothing to draw.
        assert!(first.digest() != other.digest() || *id == "slab-table", "{id}");
        tables_are_kept(id, &story, &first);
    });
}

/// What a load measured is what its table promises.
fn tables_are_kept(id: &str, story: &Story, run: &Run) {
    let loads = &story.variants[0].setup.loads;
    for (load, results) in loads.iter().zip(&run.variants[0].measured.loads) {
        let table = load.spec.metrics();
        for def in table {
            // What a curve goes along is the table's to know.
            let found = results.0.get(def.name).map(|result| discriminant(&kind_of(result)));
            assert_eq!(found, Some(discriminant(&def.kind)), "{id}: {}", def.name);
        }
        assert_eq!(results.0.len(), table.len(), "{id}");
    }
}

/// A story that must fail fails, or its other verdicts mean nothing.
pub(crate) fn canaries_fail(stories: &[Told]) {
    each(stories, |(id, set, expected)| {
        let story = story(id, &[set]);
        let failed = (1..=5).find_map(|seed| run(&story, seed).first_failure(&story));
        let failed = failed.unwrap_or_else(|| panic!("{id} holds with {set}"));
        assert!(failed.contains(expected), "{id} with {set}: {failed}");
    });
}
