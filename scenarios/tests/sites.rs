//! The stories of a growing site, simulated: their expectations, their determinism, their canaries.

use storytime_scenarios::catalog;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::run::Run;
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

/// Each story; a change that must make it fail; and the failure, `EXPECTATION in VARIANT`.
const STORIES: &[(&str, &str, &str)] = &[
    ("clustering-options", "timeline.line-cut.do=heal db1 db2", "replica-loses in master-replica"),
    ("five-servers", "class.post.look=[\"200ms\", \"300ms\"]", "a-replica-is-stale in replica"),
    ("four-servers", "disk.raid.iops=9000", "the-disk-is-the-limit"),
    (
        "ha-pair",
        "host.db1.run=dbd --port 6379 --appendfsync no --pair db2:7788 --pair-listen 7788 \
         --witness witness:7000 --address 10.0.0.50 --prefer-active yes",
        "nothing-lost in cut-off",
    ),
    ("ha-pair-lying-disk", "disk.scsi.lies=nobody", "both-lose-it in lying-both"),
    ("more-servers", "cluster.main.reads=master", "two-replicas in all-alive"),
    ("one-server", "class.view.cpu=2ms", "beyond-the-knee"),
    ("only-writing", "disk.raid.iops=600", "three-reads in four-hundred"),
    ("own-number-spaces", "load.web.method=global", "own-numbers-never-collide"),
    ("partition-by-role", "class.top.weight=20", "one-is-full in one-database"),
    ("persistent-or-not", "costs.dbd_connections=1us", "a-handshake-each-time in per-query"),
    ("reads-spread-writes-do-not", "cluster.main.reads=master", "each-reads-half in two"),
    ("scaling-efficiency", "class.page.writes=0", "replicas-do-not in replicas"),
    ("too-many-connections", "load.people.rate=40/s", "too-many in persistent"),
    ("two-servers", "class.view.reads=40", "the-web-is-the-limit in two-boxes"),
    ("user-clusters", "costs.dbd_requests=3ms", "twice-is-twice in growth"),
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
