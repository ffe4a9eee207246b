//! The caching stories of 2009, simulated.

mod telling;

use storytime_scenarios::catalog;
use storytime_scenarios::models::results::Result as Figure;
use storytime_scenarios::read::File;
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::Profile;

const STORIES: &[telling::Told] = &[
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

#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    telling::all_hold(STORIES);
}

#[test]
fn every_canary_fails() {
    telling::canaries_fail(STORIES);
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
        for variant in &run_simulated(&story, 1, Options::default()).variants {
            assert_eq!(variant.broken, None, "{id}");
            let Figure::Series(errors) = &variant.measured.loads[0].0["cache_errors"] else {
                panic!("{id} counts its errors over time")
            };
            assert!(errors.counts().iter().sum::<u64>() > 0, "{id} noticed it");
        }
    }
}
