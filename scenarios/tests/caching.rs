//! The caching stories of 2009, simulated: their expectations, their determinism, their canaries.

use std::mem::discriminant;
use storytime_scenarios::catalog;
use storytime_scenarios::models::results::Result as Figure;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::read::File;
use storytime_scenarios::run::{Run, kind_of};
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

/// Each story; a change that must make it fail; and the failure, `EXPECTATION in VARIANT`.
const STORIES: &[(&str, &str, &str)] = &[
    ("buffered-writes", "load.web.buffer=1000", "buffered-loses-a-buffer in buffered"),
    ("cache-chain", "load.web.warm_keys=10", "the-warm-up-flattens-it in warm-up"),
    ("cas-loop", "load.clients.method=get-set", "cas-loses-none in gets-cas"),
    ("cold-start", "load.web.misses_max=500", "limited-misses-end-it in limited-misses"),
    ("flood-control", "load.web.method=get-set", "exactly-the-limit in add-incr"),
    ("large-objects", "load.web.objects=1", "pieces-are-evicted in split"),
    ("list-of-items", "load.web.missing=skip", "refetch-has-none in refetch"),
    ("lru-under-pressure", "load.web.keys=400", "a-third-of-the-memory in segmented"),
    ("multi-get", "load.web.method=one-by-one", "multi-get-waits-once in multi-get"),
    ("namespace-delete", "load.web.method=delete-each", "at-once in generation"),
    ("pick-a-server", "load.web.weights=[1, 1, 2]", "slot-2-is-the-second-server"),
    ("proxy-in-between", "load.web.skew=uniform", "duplicates-are-fetched-once in proxy"),
    ("read-through", "load.web.method=no-cache", "one-read-per-miss in callback"),
    ("slab-table", "model.slabs.align=16", "then-with-cas-1-chunk in then-with-cas"),
    ("slow-reader", "load.large.every=30s", "overwritten-meanwhile in modem"),
    ("stampede", "load.web.fresh=60s", "early-is-about-one in early-refresh"),
    ("watch-the-cluster", "load.health.down_after=1", "no-flapping in two-watchers"),
    ("where-to-cache", "load.web.updates=0%", "query-cache-is-flushed in query-cache"),
];

fn story(id: &str, sets: &[&str]) -> Story {
    let sets: Result<Vec<_>, _> = sets.iter().map(|set| Override::from_argument(set)).collect();
    let story = sets.and_then(|sets| catalog::open(id)?.story(Profile::Campaign, &sets));
    story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)))
}

fn run(story: &Story, seed: u64) -> Run {
    run_simulated(story, seed, Options::default())
}

/// Two seeds: the campaigns have the others.
#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    for (id, ..) in STORIES {
        let story = story(id, &[]);
        let (first, again, other) = (run(&story, 1), run(&story, 1), run(&story, 2));
        assert_eq!(first.first_failure(&story), None, "{id}, seed 1");
        assert_eq!(other.first_failure(&story), None, "{id}, seed 2");
        assert_eq!((first.digest(), first.events()), (again.digest(), again.events()), "{id}");
        // A table of sizes has nothing to draw.
        assert!(first.digest() != other.digest() || *id == "slab-table", "{id}");
        tables_are_kept(id, &story, &first);
    }
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
#[test]
fn every_canary_fails() {
    for (id, set, expected) in STORIES {
        let story = story(id, &[set]);
        let failed = (1..=5).find_map(|seed| run(&story, seed).first_failure(&story));
        let failed = failed.unwrap_or_else(|| panic!("{id} holds with {set}"));
        assert!(failed.contains(expected), "{id} with {set}: {failed}");
    }
}

/// Whoever tries again what a cache that is away answers at once would do so for ever.
#[test]
fn loads_whose_only_cache_is_gone_fail_and_go_on() {
    for id in ["cas-loop", "flood-control", "list-of-items", "namespace-delete", "stampede"] {
        let name = format!("{id}.toml");
        let built_in = catalog::STORIES.iter().find(|(file, _)| *file == name);
        let text = built_in.expect("a story of the catalog").1;
        let gone = "[[timeline]]\nname = \"gone\"\nat = \"700ms\"\ndo = \"kill cache1\"\n";
        let file = File::from_bytes(&name, format!("{text}\n{gone}").into_bytes());
        let story = file.and_then(|file| file.story(Profile::Campaign, &[]));
        let story = story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)));
        for variant in &run(&story, 1).variants {
            assert_eq!(variant.broken, None, "{id}");
            let Figure::Series(errors) = &variant.measured.loads[0].0["cache_errors"] else {
                panic!("{id} counts its errors over time")
            };
            assert!(errors.counts().iter().sum::<u64>() > 0, "{id} noticed it");
        }
    }
}
