//! The stories of users spread over shards, simulated: expectations, determinism, canaries.

use storytime_scenarios::catalog;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::run::Run;
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

/// Each story; a change that must make it fail; and the failure, `EXPECTATION in VARIANT`.
const STORIES: &[(&str, &str, &str)] = &[
    ("availability-flags", "timeline.open.at=2ms", "it-says-why in flags"),
    ("balance-the-clusters", "load.web.early_birds=false", "uneven-before"),
    ("caching-modes", "load.web.updates=0", "insert-loses in read-insert"),
    ("even-odd-blog", "load.web.scheme=vertical", "half-each in two"),
    ("friends-of-friends", "load.web.user_cpu=1us", "two-beat-one in batches"),
    ("guestbook-twice", "load.web.fixer=false", "both-sides in two-writes-and-fixer"),
    ("latest-of-everyone", "load.web.creates=0", "some-are-missing in writer-dies"),
    ("move-a-user", "load.web.writes=look-first", "nothing-is-lost in calm"),
    ("move-to-sharding", "load.web.warmup=2s", "before in table-api"),
    ("netlog-day", "costs.dbd_requests=6500us", "four-are-enough in all-day"),
    ("one-host-down", "load.web.workers=6", "nobody-turned-away in power"),
    ("photos-mod-10", "load.web.at_once=1", "at-once-is-quicker in at-once"),
    ("revision-numbers", "load.web.creates=0", "stale-without in no-number"),
    ("shard-schemes", "load.web.power_share=1/100", "early-birds in range"),
    ("three-queries", "load.web.scheme=modulo", "three-queries in database"),
    ("virtual-shards", "load.web.split=careless", "nothing-is-lost in careful"),
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
        assert_ne!(first.digest(), other.digest(), "{id}");
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
